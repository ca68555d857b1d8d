//! The one door for changes.
//!
//! A [`Change`] is a value: what it needs, and the statements that write it. Being a value, it can wait in a queue, be
//! written together with others ([`group`](super::group)), and be written again when a database asks for that. The door
//! answers when the change is on disk, or says why it is not; a caller that does not wait for the answer changes nothing.
//!
//! Nothing waits without a bound: beyond [`CHANGES_WAITING_MAX`] a change is refused at once, which a sender of webhooks
//! hears as 503. PortOne V2 repeats the message then; V1 does so only where the merchant has turned that on, and otherwise the
//! order's own checks find what the message was about.
//! <https://developers.portone.io/opi/ko/integration/webhook/readme-v1>

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::sync::Semaphore;

use super::group::Waiting;
use super::inbox::{Receive, Settle};
use super::query::{ATTEMPTS_MAX, CALL_TIME_MAX, Failure, fetch_optional};
use super::{Database, Dialect, Tx};
use crate::domain::ids::PaymentId;
use crate::ports::store::StoreError;

/// Changes that may wait or be under way at once. At the few hundred commits a second of a slow disk, each of up to 64
/// changes, the last of them is written within a second.
pub(super) const CHANGES_WAITING_MAX: usize = 1024;

/// How often PostgreSQL is asked what became of a COMMIT whose answer was lost.
const FATE_LOOKS_MAX: u32 = 20;
/// Pause between two such looks: a server that restarts takes a moment.
const FATE_PAUSE: Duration = Duration::from_millis(250);
/// The channel of PostgreSQL's NOTIFY on which servers tell each other that there is work.
pub(super) const CHANNEL: &str = "wanryo";

/// One change of the database: all of it is written or nothing.
#[async_trait]
pub(super) trait Change: Send + Sync + 'static {
    /// What the caller is told.
    type Answer: Send + 'static;

    /// Whether its own verdict may take back what it has written. For a change that says no before it writes, if ever, nothing
    /// has to be remembered: a statement that fails is undone by the database, and a change that fails with its whole group.
    fn may_undo_itself(&self) -> bool {
        true
    }

    /// The change as a webhook to receive, if it is one: those that come together are one statement.
    fn as_webhook(_waiting: &mut Waiting<Self>) -> Option<&mut Waiting<Receive>>
    where
        Self: Sized,
    {
        None
    }

    /// The change as a webhook's result, if it is one: those that come together are one statement, too.
    fn as_settling(_waiting: &mut Waiting<Self>) -> Option<&mut Waiting<Settle>>
    where
        Self: Sized,
    {
        None
    }

    /// Runs the statements. Does nothing outside the database: it may run again, after everything was undone.
    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Self::Answer>, Failure>;

    /// Whether there is work for a worker once this is written.
    fn makes_work(&self) -> bool {
        false
    }

    /// The order that has moved once this is written, for servers whose visitors look at it.
    fn moves(&self) -> Option<&PaymentId> {
        None
    }
}

/// What a change makes of its own statements.
pub(super) enum Verdict<T> {
    /// They are to be written.
    Keep(T),
    /// They are to be undone; this is the answer all the same.
    Undo(T),
}

/// PostgreSQL's connections, and the places of those that wait for one to write with.
#[derive(Debug, Clone)]
pub(super) struct PostgresPools {
    pub(super) pool: PgPool,
    places: Arc<Semaphore>,
}

impl PostgresPools {
    pub(super) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            places: Arc::new(Semaphore::new(CHANGES_WAITING_MAX)),
        }
    }

    /// Writes a change in a transaction of its own, and again while PostgreSQL asks for that.
    async fn write<C: Change>(&self, change: &C) -> Result<C::Answer, Failure> {
        let _place = self.places.try_acquire().map_err(|_| Failure::Overloaded)?;
        let all = async {
            for _ in 1..ATTEMPTS_MAX {
                match self.try_write(change).await {
                    Err(failure) if failure.asks_to_run_again() => {}
                    settled => return settled,
                }
            }
            self.try_write(change).await
        };
        tokio::time::timeout(CALL_TIME_MAX, all)
            .await
            .unwrap_or(Err(Failure::TimedOut))
    }

    async fn try_write<C: Change>(&self, change: &C) -> Result<C::Answer, Failure> {
        let mut tx = self.begin_write().await?;
        let answer = match change.apply(&mut tx).await? {
            Verdict::Keep(answer) => answer,
            Verdict::Undo(answer) => {
                tx.roll_back().await;
                return Ok(answer);
            }
        };
        let name = transaction_name(&mut tx, change.makes_work(), change.moves()).await?;
        match tx.commit().await {
            Ok(()) => {
                if name.mark.is_none() {
                    self.mark().await;
                }
                Ok(answer)
            }
            Err(Failure::Database(error)) if leaves_doubt(&error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the connection was lost during a commit; asking what became of it"
                );
                match self.fate(&name).await {
                    Fate::Written => Ok(answer),
                    Fate::NotWritten => Err(Failure::CommitLost),
                    Fate::Unknown => Err(error.into()),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    /// PostgreSQL's level is named because the server's default may be another one, and the row locks of the changes are
    /// meant for this one.
    async fn begin_write(&self) -> Result<Tx, Failure> {
        let begun = self.begin("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        Ok(Dialect::Postgres(begun))
    }

    /// Begins a transaction to the end, even when whoever wants it is dropped meanwhile. The only place where one begins.
    ///
    /// sqlx counts a transaction when the answer to its `BEGIN` is there. Dropped before, it would give the connection back to
    /// the pool in a transaction that nobody counts: what others write through it would be acknowledged and never committed.
    async fn begin(
        &self,
        statement: &'static str,
    ) -> Result<Transaction<'static, Postgres>, Failure> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(statement).await });
        let transaction = begun.await.map_err(|_ended| sqlx::Error::WorkerCrashed)??;
        Ok(transaction)
    }

    /// What became of a transaction whose COMMIT was not answered. While the server has not noticed that its client is
    /// gone, it may still commit, so it is asked until it is sure.
    async fn fate(&self, name: &TransactionName) -> Fate {
        for _ in 0..FATE_LOOKS_MAX {
            match self.look(name).await {
                Ok(Some(fate)) => return fate,
                Ok(None) => {}
                Err(failure) => {
                    tracing::warn!(
                        error = &failure as &dyn std::error::Error,
                        "the database cannot say yet what became of a commit"
                    );
                }
            }
            tokio::time::sleep(FATE_PAUSE).await;
        }
        Fate::Unknown
    }

    /// `None` while the transaction is in progress.
    async fn look(&self, name: &TransactionName) -> Result<Option<Fate>, Failure> {
        let mut tx = self.begin_write().await?;
        // A number that the server has not given out yet is an error. It is one of a transaction that a crash undid. Compared with
        // a fresh number: the newest of a snapshot is of a transaction that is over, and one that still commits may be newer.
        let found: Option<(Option<String>, bool)> = fetch_optional!(
            &mut tx,
            "SELECT CASE WHEN $1::text::xid8 < pg_current_xact_id() THEN pg_xact_status($1::text::xid8) ELSE 'aborted' END,
                EXISTS (SELECT 1 FROM crash_mark WHERE mark = $2)",
            &name.number,
            &name.mark,
        )?;
        let (status, is_still_its_number) = found.unwrap_or_default();
        let fate = match status.as_deref() {
            Some("committed") if is_still_its_number => Some(Fate::Written),
            // Whoever bears the number by now: had the transaction been written, nobody else would have been given it.
            Some("aborted") => Some(Fate::NotWritten),
            Some("in progress") => None,
            // After a crash it is this one's or another's. Or too long ago for the server to know, or a word that a later version
            // may have.
            Some(_) | None => Some(Fate::Unknown),
        };
        tx.roll_back().await;
        Ok(fate)
    }

    /// Makes the row by which a crash is noticed, where it is not. Without it the next change tries again, and until then a
    /// commit whose answer is lost is told as unknown.
    pub(super) async fn mark(&self) {
        let marked = sqlx::query(
            "INSERT INTO crash_mark (id, mark) VALUES (1, gen_random_uuid()::text) ON CONFLICT (id) DO NOTHING",
        );
        if let Err(error) = marked.execute(&self.pool).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a crash of the database would not be noticed"
            );
        }
    }
}

/// What became of a transaction whose COMMIT was not answered.
enum Fate {
    Written,
    NotWritten,
    Unknown,
}

/// What a transaction can be asked about by, later.
struct TransactionName {
    /// <https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT>
    number: String,
    /// The mark that no crash had taken away. Only while it is there is the number this transaction's: what a crash undid leaves its
    /// number to another one.
    mark: Option<String>,
}

/// In the same round trip the other servers are told that there is work, and which order moved; they hear it once it is
/// committed.
async fn transaction_name(
    tx: &mut Tx,
    makes_work: bool,
    moves: Option<&PaymentId>,
) -> Result<TransactionName, Failure> {
    let found: Option<(String, Option<String>)> = if makes_work || moves.is_some() {
        fetch_optional!(
            tx,
            "SELECT pg_current_xact_id()::text, (SELECT mark FROM crash_mark) FROM pg_notify($1, $2)",
            CHANNEL,
            moves.map_or("", PaymentId::as_str)
        )?
    } else {
        fetch_optional!(
            tx,
            "SELECT pg_current_xact_id()::text, (SELECT mark FROM crash_mark)"
        )?
    };
    let (number, mark) = found.ok_or(sqlx::Error::RowNotFound)?;
    Ok(TransactionName { number, mark })
}

/// Whether a COMMIT that failed like this may have been carried out: anything but a server's refusal. A server that is shut
/// down (class 57P) may have written it before.
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn leaves_doubt(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("57P") || code.starts_with("08")),
        _ => true,
    }
}

impl Database {
    /// Writes a change; returns when it is on disk.
    pub(super) async fn write<C: Change>(&self, change: C) -> Result<C::Answer, StoreError> {
        let written = match &self.pools {
            Dialect::Sqlite(pools) => pools.writer.write(change).await,
            Dialect::Postgres(pools) => pools.write(&change).await,
        };
        Ok(written?)
    }
}
