//! SQLite's one writer, with grouped commits.
//!
//! SQLite has one writer at a time, and a durable commit costs an fsync, however little it writes. So all changes go through
//! one task. It takes whatever waits, up to [`GROUP_MAX`], writes it in one transaction, commits once, and answers
//! everybody after that. While it commits, the next changes gather: the group grows with the load, and a change that comes
//! alone is not kept waiting for others.
//!
//! A change that refuses itself is undone alone, by a savepoint. When anything fails, the whole group is undone and each of
//! its changes is written in a transaction of its own, so that one that cannot be written fails by itself.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::SqlitePool;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::query::{CALL_TIME_MAX, Failure, execute};
use super::write::{CHANGES_WAITING_MAX, Change, Verdict};
use super::{Dialect, Tx};

/// Changes that share one commit at most. More would win little, as the fsync is shared out already, and would keep the
/// first of them waiting.
const GROUP_MAX: usize = 64;

/// Where changes wait for the writer. Clones share it; it ends with the last of them.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Waits>>,
    closing: CancellationToken,
    task: TaskTracker,
}

impl Writer {
    /// Starts to write. `pool` has one connection, which is not used for anything else from here on.
    pub(super) fn start(pool: SqlitePool, work_came: Arc<Notify>) -> Self {
        let (queue, waiting) = mpsc::channel(CHANGES_WAITING_MAX);
        let closing = CancellationToken::new();
        let task = TaskTracker::new();
        task.spawn(run(pool, waiting, closing.clone(), work_came));
        task.close();
        Self {
            queue,
            closing,
            task,
        }
    }

    /// Writes a change; returns when it is on disk. Whoever stops waiting leaves either all of the change behind or nothing.
    pub(super) async fn write<C: Change>(&self, change: C) -> Result<C::Answer, Failure> {
        let (caller, answer) = oneshot::channel();
        let waiting = Waiting {
            change,
            outcome: None,
            caller,
        };
        self.queue
            .try_send(Box::new(waiting))
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => Failure::Overloaded,
                mpsc::error::TrySendError::Closed(_) => sqlx::Error::PoolClosed.into(),
            })?;
        match tokio::time::timeout(CALL_TIME_MAX, answer).await {
            Ok(Ok(settled)) => settled,
            // The task that wrote it panicked, or its runtime ended.
            Ok(Err(_)) => Err(sqlx::Error::WorkerCrashed.into()),
            Err(_) => Err(Failure::TimedOut),
        }
    }

    /// Takes no more changes, writes those that wait, and closes the connection.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        self.task.wait().await;
    }
}

async fn run(
    pool: SqlitePool,
    mut waiting: mpsc::Receiver<Box<dyn Waits>>,
    closing: CancellationToken,
    work_came: Arc<Notify>,
) {
    loop {
        let mut group = Vec::new();
        tokio::select! {
            biased;
            () = closing.cancelled(), if !waiting.is_closed() => {
                waiting.close();
                continue;
            }
            taken = waiting.recv_many(&mut group, GROUP_MAX) => {
                if taken == 0 {
                    break;
                }
            }
        }
        // A task of its own: if it panics, the callers of this group are told, and the writer goes on.
        let written = tokio::spawn(write_group(pool.clone(), group, Arc::clone(&work_came))).await;
        if let Err(error) = written {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "writing a group of changes ended badly"
            );
        }
    }
    pool.close().await;
}

/// Writes the changes and tells their callers.
async fn write_group(pool: SqlitePool, mut group: Vec<Box<dyn Waits>>, work_came: Arc<Notify>) {
    // Who waited in vain for too long, or was disconnected, has given up. Under overload this is work saved for the others.
    group.retain(|change| !change.is_given_up());
    match write_together(&pool, &mut group).await {
        Ok(()) => {}
        Err(Trouble::Begin(failure)) => settle_all(&mut group, failure),
        Err(Trouble::Write(failure)) => {
            if let [only] = group.as_mut_slice() {
                only.fail(failure);
            } else {
                tracing::warn!(
                    error = &failure as &dyn std::error::Error,
                    changes = group.len(),
                    "a group of changes was undone; each is written by itself"
                );
                for change in &mut group {
                    match write_together(&pool, std::slice::from_mut(change)).await {
                        Ok(()) => {}
                        Err(Trouble::Begin(failure) | Trouble::Write(failure)) => {
                            change.fail(failure);
                        }
                    }
                }
            }
        }
    }
    if group.iter().any(|change| change.made_work()) {
        work_came.notify_one();
    }
    for change in group {
        change.answer();
    }
}

fn settle_all(group: &mut [Box<dyn Waits>], failure: Failure) {
    let failure = Arc::new(failure);
    for change in group {
        change.fail(Failure::Shared(Arc::clone(&failure)));
    }
}

/// Why a group was not written.
enum Trouble {
    /// The database cannot be written to now, whatever the change: trying each by itself would wait as often.
    Begin(Failure),
    /// Something failed on the way. Everything is undone.
    Write(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Write(failure)
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Write(error.into())
    }
}

/// Writes the changes in one transaction. Every one of them has its outcome if this is `Ok`.
async fn write_together(pool: &SqlitePool, group: &mut [Box<dyn Waits>]) -> Result<(), Trouble> {
    let alone = group.len() == 1;
    let mut tx = begin(pool).await.map_err(Trouble::Begin)?;
    let mut kept = false;
    for change in group {
        let savepoint = !alone && !change.is_one_statement();
        if savepoint {
            execute!(&mut tx, "SAVEPOINT change")?;
        }
        if change.apply(&mut tx).await? {
            kept = true;
        } else if savepoint {
            execute!(&mut tx, "ROLLBACK TO change")?;
        }
        if savepoint {
            execute!(&mut tx, "RELEASE change")?;
        }
    }
    if kept {
        tx.commit().await?;
    } else {
        tx.roll_back().await?;
    }
    Ok(())
}

/// Takes the write lock at once: a transaction that reads first and writes later fails when another process wrote in between
/// (<https://sqlite.org/lang_transaction.html>).
async fn begin(pool: &SqlitePool) -> Result<Tx, Failure> {
    Ok(Dialect::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?))
}

/// A change and who waits for it.
struct Waiting<C: Change> {
    change: C,
    outcome: Option<Result<C::Answer, Failure>>,
    caller: oneshot::Sender<Result<C::Answer, Failure>>,
}

/// A [`Waiting`] of any kind.
#[async_trait]
trait Waits: Send + std::fmt::Debug {
    fn is_given_up(&self) -> bool;
    fn is_one_statement(&self) -> bool;

    /// Runs the statements and keeps the answer; says whether they are to be written.
    async fn apply(&mut self, tx: &mut Tx) -> Result<bool, Failure>;

    /// What comes of it after all.
    fn fail(&mut self, failure: Failure);

    /// Whether it was written and is work for a worker.
    fn made_work(&self) -> bool;

    /// Tells the caller, if there still is one.
    fn answer(self: Box<Self>);
}

#[async_trait]
impl<C: Change> Waits for Waiting<C> {
    fn is_given_up(&self) -> bool {
        self.caller.is_closed()
    }

    fn is_one_statement(&self) -> bool {
        C::ONE_STATEMENT
    }

    async fn apply(&mut self, tx: &mut Tx) -> Result<bool, Failure> {
        let (answer, keep) = match self.change.apply(tx).await? {
            Verdict::Keep(answer) => (answer, true),
            Verdict::Undo(answer) => (answer, false),
        };
        self.outcome = Some(Ok(answer));
        Ok(keep)
    }

    fn fail(&mut self, failure: Failure) {
        self.outcome = Some(Err(failure));
    }

    fn made_work(&self) -> bool {
        self.change.makes_work() && matches!(self.outcome, Some(Ok(_)))
    }

    fn answer(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Nobody may be waiting any more; the change is written all the same.
            let _answered = self.caller.send(outcome);
        }
    }
}

impl<C: Change> std::fmt::Debug for Waiting<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting")
            .field("change", &std::any::type_name::<C>())
            .finish_non_exhaustive()
    }
}
