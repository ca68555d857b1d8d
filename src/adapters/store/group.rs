//! SQLite's one writer, with grouped commits.
//!
//! SQLite has one writer at a time, and a durable commit costs an fsync, however little it writes. So all changes go through
//! one task. It takes whatever waits, up to [`GROUP_MAX`], writes it in one transaction, commits once, and answers
//! everybody after that. While it commits, the next changes gather: the group grows with the load, and a change that comes
//! alone is not kept waiting for others.
//!
//! Webhooks that come together are written by one statement, and so are their results. A change that refuses itself after it
//! has written is undone alone, by a savepoint. When anything fails, the whole group is undone and each of its changes is written
//! in a transaction of its own, so that one that cannot be written fails by itself.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connections::Connections;
use super::inbox::{Receive, Settle, receive_all, write_results};
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
        Self::on(Connections::new(pool), work_came)
    }

    fn on(connections: Connections, work_came: Arc<Notify>) -> Self {
        let (queue, waiting) = mpsc::channel(CHANGES_WAITING_MAX);
        let closing = CancellationToken::new();
        let task = TaskTracker::new();
        task.spawn(run(connections, waiting, closing.clone(), work_came));
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
            kept: false,
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
    connections: Connections,
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
        let written = tokio::spawn(write_group(
            connections.clone(),
            group,
            Arc::clone(&work_came),
        ))
        .await;
        if let Err(error) = written {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "writing a group of changes ended badly"
            );
            undo_what_is_open(&connections).await;
        }
    }
    connections.close().await;
}

/// A group that ended badly has left its transaction open.
async fn undo_what_is_open(connections: &Connections) {
    match connections.take().await {
        Ok(conn) => Tx::Sqlite(conn).roll_back().await,
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the writing connection is gone"
            );
        }
    }
}

/// Writes the changes and tells their callers.
async fn write_group(
    connections: Connections,
    mut group: Vec<Box<dyn Waits>>,
    work_came: Arc<Notify>,
) {
    // Who waited in vain for too long, or was disconnected, has given up. Under overload this is work saved for the others.
    group.retain(|change| !change.is_given_up());
    match write_together(&connections, &mut group).await {
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
                    match write_together(&connections, std::slice::from_mut(change)).await {
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

/// Writes the changes in one transaction. Every one of them has its outcome if this is `Ok`.
async fn write_together(
    connections: &Connections,
    group: &mut [Box<dyn Waits>],
) -> Result<(), Trouble> {
    let mut tx = begin(connections).await.map_err(Trouble::Begin)?;
    match apply_all(&mut tx, group).await {
        Ok(true) => tx.commit().await.map_err(Trouble::Write),
        Ok(false) => {
            tx.roll_back().await;
            Ok(())
        }
        Err(failure) => {
            tx.roll_back().await;
            Err(Trouble::Write(failure))
        }
    }
}

/// Runs the statements of all of them; says whether anything is to be written.
async fn apply_all(tx: &mut Tx, group: &mut [Box<dyn Waits>]) -> Result<bool, Failure> {
    let alone = group.len() == 1;
    let (received, settled) = match tx {
        Dialect::Sqlite(conn) => (
            receive_together(conn, group).await?,
            settle_together(conn, group).await?,
        ),
        // Never here: PostgreSQL has as many writers as connections.
        Dialect::Postgres(_) => (false, false),
    };
    let mut kept = received || settled;
    for change in group {
        if (received && change.as_webhook().is_some())
            || (settled && change.as_settling().is_some())
        {
            continue;
        }
        let savepoint = !alone && change.may_undo_itself();
        if savepoint {
            // It is released by the commit. Of several with one name the last counts.
            execute!(tx, "SAVEPOINT change")?;
        }
        if change.apply(tx).await? {
            kept = true;
        } else if savepoint {
            execute!(tx, "ROLLBACK TO change")?;
        }
    }
    Ok(kept)
}

/// Writes the group's webhooks by one statement, unless there is only one, or none. Says whether it did.
async fn receive_together(
    conn: &mut SqliteConnection,
    group: &mut [Box<dyn Waits>],
) -> Result<bool, Failure> {
    let mut webhooks: Vec<&mut Waiting<Receive>> = group
        .iter_mut()
        .filter_map(|change| change.as_webhook())
        .collect();
    if webhooks.len() < 2 {
        return Ok(false);
    }
    let changes: Vec<&Receive> = webhooks.iter().map(|waiting| &waiting.change).collect();
    let answers = receive_all(conn, &changes).await?;
    for (waiting, answer) in webhooks.iter_mut().zip(answers) {
        waiting.outcome = Some(Ok(answer));
        waiting.kept = true;
    }
    Ok(true)
}

/// The same for the results of webhooks.
async fn settle_together(
    conn: &mut SqliteConnection,
    group: &mut [Box<dyn Waits>],
) -> Result<bool, Failure> {
    let mut settling: Vec<&mut Waiting<Settle>> = group
        .iter_mut()
        .filter_map(|change| change.as_settling())
        .collect();
    if settling.len() < 2 {
        return Ok(false);
    }
    let changes: Vec<&Settle> = settling.iter().map(|waiting| &waiting.change).collect();
    write_results(conn, &changes).await?;
    for waiting in &mut settling {
        waiting.outcome = Some(Ok(()));
        waiting.kept = true;
    }
    Ok(true)
}

/// Takes the write lock at once: a transaction that reads first and writes later fails when another process wrote in between
/// (<https://sqlite.org/lang_transaction.html>).
async fn begin(connections: &Connections) -> Result<Tx, Failure> {
    let mut conn = connections.take().await?;
    let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await;
    let tx = Dialect::Sqlite(conn);
    match begun {
        Ok(_) => Ok(tx),
        Err(error) => {
            // In case that it failed because one is open.
            tx.roll_back().await;
            Err(error.into())
        }
    }
}

/// A change and who waits for it.
pub(super) struct Waiting<C: Change> {
    change: C,
    outcome: Option<Result<C::Answer, Failure>>,
    kept: bool,
    caller: oneshot::Sender<Result<C::Answer, Failure>>,
}

/// A [`Waiting`] of any kind.
#[async_trait]
trait Waits: Send + std::fmt::Debug {
    fn is_given_up(&self) -> bool;
    fn may_undo_itself(&self) -> bool;
    fn as_webhook(&mut self) -> Option<&mut Waiting<Receive>>;
    fn as_settling(&mut self) -> Option<&mut Waiting<Settle>>;

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

    fn may_undo_itself(&self) -> bool {
        self.change.may_undo_itself()
    }

    fn as_webhook(&mut self) -> Option<&mut Waiting<Receive>> {
        C::as_webhook(self)
    }

    fn as_settling(&mut self) -> Option<&mut Waiting<Settle>> {
        C::as_settling(self)
    }

    async fn apply(&mut self, tx: &mut Tx) -> Result<bool, Failure> {
        let answer = match self.change.apply(tx).await? {
            Verdict::Keep(answer) => {
                self.kept = true;
                answer
            }
            Verdict::Undo(answer) => {
                self.kept = false;
                answer
            }
        };
        self.outcome = Some(Ok(answer));
        Ok(self.kept)
    }

    fn fail(&mut self, failure: Failure) {
        self.outcome = Some(Err(failure));
        self.kept = false;
    }

    fn made_work(&self) -> bool {
        self.kept && self.change.makes_work()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

    use super::*;
    use crate::adapters::store::query::fetch_all;

    /// A note, and what happens when it is written.
    struct Note {
        text: String,
        then: Then,
    }

    enum Then {
        /// Nothing else.
        Goes,
        /// It tells that it has begun, and waits to be let go.
        Waits(Arc<Notify>, Arc<Notify>),
        /// The program has a fault.
        Panics,
    }

    #[async_trait]
    impl Change for Note {
        type Answer = ();

        async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
            execute!(tx, "INSERT INTO notes (text) VALUES ($1)", &self.text)?;
            match &self.then {
                Then::Goes => {}
                Then::Waits(begun, go) => {
                    begun.notify_one();
                    go.notified().await;
                }
                Then::Panics => panic!("as it should"),
            }
            Ok(Verdict::Keep(()))
        }
    }

    fn note(text: &str) -> Note {
        Note {
            text: text.to_owned(),
            then: Then::Goes,
        }
    }

    /// Two pools on a new file: the writer's, and one to look with.
    async fn pools(path: &Path) -> (SqlitePool, SqlitePool) {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let open = || {
            SqlitePoolOptions::new()
                .max_connections(1)
                .connect_with(options.clone())
        };
        let writing = open().await.unwrap();
        sqlx::raw_sql("CREATE TABLE notes (text TEXT NOT NULL) STRICT")
            .execute(&writing)
            .await
            .unwrap();
        (writing, open().await.unwrap())
    }

    async fn notes(pool: &SqlitePool) -> Vec<String> {
        let mut conn: crate::adapters::store::Connection =
            Dialect::Sqlite(Connections::new(pool.clone()).take().await.unwrap());
        let rows: Result<Vec<(String,)>, _> =
            fetch_all!(&mut conn, "SELECT text FROM notes ORDER BY rowid");
        rows.unwrap().into_iter().map(|(text,)| text).collect()
    }

    /// A directory that goes with the test.
    struct Dir(std::path::PathBuf);

    impl Dir {
        fn new() -> Self {
            let name = format!("wanryo_group_{:016x}", rand::random::<u64>());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            // Only litter if it fails.
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    #[tokio::test]
    async fn nobody_is_answered_before_the_commit() {
        let dir = Dir::new();
        let (writing, looking) = pools(&dir.0.join("a.db")).await;
        let writer = Writer::start(writing, Arc::new(Notify::new()));
        let [first_begun, first_go, last_begun, last_go] =
            std::array::from_fn(|_| Arc::new(Notify::new()));
        let waits = |begun: &Arc<Notify>, go: &Arc<Notify>, text: &str| Note {
            text: text.to_owned(),
            then: Then::Waits(Arc::clone(begun), Arc::clone(go)),
        };

        // While the first is written alone, two more gather.
        let first = tokio::spawn({
            let (writer, note) = (writer.clone(), waits(&first_begun, &first_go, "first"));
            async move { writer.write(note).await }
        });
        first_begun.notified().await;
        let mut second = Box::pin(writer.write(note("second")));
        let mut third = Box::pin(writer.write(waits(&last_begun, &last_go, "third")));
        for call in [
            &mut second as &mut (dyn Future<Output = _> + Unpin),
            &mut third,
        ] {
            tokio::select! { biased; _ = call => panic!("answered"), () = std::future::ready(()) => {} }
        }
        first_go.notify_one();
        first.await.unwrap().unwrap();
        // The third is being written, so the second has been; and yet it is neither there nor answered.
        last_begun.notified().await;
        assert_eq!(notes(&looking).await, ["first"]);
        tokio::select! { biased; _ = &mut second => panic!("answered before the commit"), () = std::future::ready(()) => {} }

        last_go.notify_one();
        second.await.unwrap();
        assert_eq!(notes(&looking).await, ["first", "second", "third"]);
        third.await.unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_fails_changes_whole_and_is_left_behind_when_there_is_space() {
        let dir = Dir::new();
        let (writing, looking) = pools(&dir.0.join("a.db")).await;
        let connections = Connections::new(writing);
        let writer = Writer::on(connections.clone(), Arc::new(Notify::new()));
        writer.write(note("before")).await.unwrap();
        // SQLite fails in the same way when the disk is full: SQLITE_FULL.
        let set_pages_max = async |pages: u32| {
            let mut conn = connections.take().await.unwrap();
            let sql = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
            sqlx::query(sql).execute(&mut *conn).await.unwrap();
            conn.keep();
        };
        set_pages_max(1).await;

        let long = "long ".repeat(10_000);
        let calls: Vec<_> = (0..10)
            .map(|n| {
                let (writer, text) = (writer.clone(), format!("{long}{n}"));
                tokio::spawn(async move { writer.write(note(&text)).await })
            })
            .collect();
        for call in calls {
            let failed = call.await.unwrap().unwrap_err();
            let told = std::error::Error::source(&failed).map(ToString::to_string);
            assert!(told.is_some_and(|told| told.contains("full")), "{failed:?}");
        }
        assert_eq!(notes(&looking).await, ["before"]);

        set_pages_max(1_000_000).await;
        writer.write(note("after")).await.unwrap();
        assert_eq!(notes(&looking).await, ["before", "after"]);
    }

    #[tokio::test]
    async fn a_panic_ends_no_writer() {
        let dir = Dir::new();
        let (writing, looking) = pools(&dir.0.join("a.db")).await;
        let writer = Writer::start(writing, Arc::new(Notify::new()));
        let faulty = Note {
            text: "faulty".to_owned(),
            then: Then::Panics,
        };

        assert!(writer.write(faulty).await.is_err());
        writer.write(note("good")).await.unwrap();

        assert_eq!(notes(&looking).await, ["good"]);
    }

    #[tokio::test]
    async fn closing_writes_what_waits_and_takes_no_more() {
        let dir = Dir::new();
        let (writing, looking) = pools(&dir.0.join("a.db")).await;
        let writer = Writer::start(writing, Arc::new(Notify::new()));
        let mut calls: Vec<_> = (0..200)
            .map(|n: u32| Box::pin(writer.write(note(&n.to_string()))))
            .collect();
        for call in &mut calls {
            tokio::select! { biased; _ = call => panic!("answered"), () = std::future::ready(()) => {} }
        }

        writer.close().await;

        for call in calls {
            call.await.unwrap();
        }
        assert_eq!(notes(&looking).await.len(), 200);
        assert!(writer.write(note("late")).await.is_err());
    }
}
