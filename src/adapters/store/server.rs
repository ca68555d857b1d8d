//! What a server has and a short command has not: the place as the only server on a SQLite file, and an ear for the other
//! servers on a PostgreSQL database.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::connect::OpenError;
use super::write::CHANNEL;
use crate::domain::ids::PaymentId;

/// Pause before a lost connection to the other servers' hints is made again. Nothing is missed but earliness.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Orders that moved elsewhere and that nobody has asked for yet.
const MOVED_MAX: usize = 256;

/// The place of the only server on a SQLite file. The operating system takes it back when the process ends, however it
/// ends, so a crash leaves nothing to clean up.
///
/// The lock is on a file beside the database. On the database itself it would fight SQLite's own locks, which a process
/// loses as soon as it closes any descriptor of that file (<https://sqlite.org/howtocorrupt.html>, section 2.2).
#[derive(Debug)]
pub(super) struct Place(File);

impl Place {
    /// Takes the place on the database of this path, which must exist.
    pub(super) fn take(database: &Path) -> Result<Self, OpenError> {
        // Links are followed, so that all names of one database have one lock.
        let mut path = database.canonicalize()?.into_os_string();
        path.push(".lock");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { lock: path.into() }),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Gives the place back before the process ends.
    pub(super) fn leave(&self) -> io::Result<()> {
        self.0.unlock()
    }
}

/// Orders that other servers told to have moved, until somebody asks for them.
#[derive(Debug, Clone)]
pub(super) struct Moved {
    told: mpsc::Sender<PaymentId>,
    heard: Arc<Mutex<mpsc::Receiver<PaymentId>>>,
}

impl Moved {
    pub(super) fn new() -> Self {
        let (told, heard) = mpsc::channel(MOVED_MAX);
        Self {
            told,
            heard: Arc::new(Mutex::new(heard)),
        }
    }

    /// When too many wait already, this one is not told: who looks at it looks again by themselves.
    fn tell(&self, payment_id: PaymentId) {
        let _told_or_not = self.told.try_send(payment_id);
    }

    /// The next one.
    pub(super) async fn next(&self) -> PaymentId {
        match self.heard.lock().await.recv().await {
            Some(payment_id) => payment_id,
            // There is a sender as long as there is this.
            None => std::future::pending().await,
        }
    }
}

/// Listens for the hints of the servers on a PostgreSQL database, this one's own among them, until it is dropped.
#[derive(Debug)]
pub(super) struct Ear {
    _stops_when_dropped: DropGuard,
}

impl Ear {
    pub(super) fn start(options: PgConnectOptions, work_came: Arc<Notify>, moved: Moved) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = listen(&options, &work_came, &moved) => {}
            }
        });
        Self {
            _stops_when_dropped: stop.drop_guard(),
        }
    }
}

/// Hears until it is dropped.
async fn listen(options: &PgConnectOptions, work_came: &Notify, moved: &Moved) {
    loop {
        if let Err(error) = hear(options, work_came, moved).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "hints of other servers are not heard; their work is found by the worker's own rounds"
            );
        }
        tokio::time::sleep(LISTEN_AGAIN_AFTER).await;
    }
}

/// Hears until the connection fails. It is one of its own: those of the pool do work.
async fn hear(
    options: &PgConnectOptions,
    work_came: &Notify,
    moved: &Moved,
) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options.clone())
        .await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    // What was said before somebody listened.
    work_came.notify_one();
    while let Some(hint) = listener.try_recv().await? {
        work_came.notify_one();
        if let Ok(payment_id) = PaymentId::parse(hint.payload()) {
            moved.tell(payment_id);
        }
    }
    Ok(())
}
