//! How a query is run: one text on two databases, whole attempts repeated where the database asks for it, and every wait
//! bounded.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::Dialect;
use super::write::CHANGES_WAITING_MAX;
use crate::ports::store::StoreError;

/// How often a change that PostgreSQL refused for a clash with another one is tried in all.
pub(super) const ATTEMPTS_MAX: u32 = 5;

/// Longest time of one call, waits for a connection and for locks included. Beyond the database's own limits, for the
/// case that its host is gone and says nothing.
pub(super) const CALL_TIME_MAX: Duration = Duration::from_secs(30);

/// PostgreSQL's words for "run the transaction again": serialization_failure and deadlock_detected.
/// <https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html>
const RUN_AGAIN: [&str; 2] = ["40001", "40P01"];

/// Why an attempt came to nothing.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The driver or the database.
    #[error("the database refused or did not answer")]
    Database(#[from] sqlx::Error),
    /// A value that this version cannot read.
    #[error("column {column} of table {table} holds an unreadable value")]
    Corrupt {
        table: &'static str,
        column: &'static str,
    },
    /// See [`CALL_TIME_MAX`]. Whether a change was written is unknown; reading again tells.
    #[error("the database did not answer within {} seconds", CALL_TIME_MAX.as_secs())]
    TimedOut,
    /// See [`CHANGES_WAITING_MAX`]. Nothing was written.
    #[error("{CHANGES_WAITING_MAX} changes wait to be written already")]
    Overloaded,
    /// The connection was lost during a COMMIT, and PostgreSQL says that nothing was written.
    #[error("the connection was lost before the change was written")]
    CommitLost,
    /// What happened to all changes that were to be written together.
    #[error(transparent)]
    Shared(Arc<Self>),
    /// The status token of a new order is another order's: 128 random bits do not repeat, so the source of chance is broken.
    #[error("the status token is in use by another order")]
    TokenInUse,
}

impl Failure {
    pub(super) fn asks_to_run_again(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error
                .code()
                .is_some_and(|code| RUN_AGAIN.contains(&code.as_ref())),
            Self::CommitLost => true,
            Self::Database(_)
            | Self::Corrupt { .. }
            | Self::TimedOut
            | Self::Overloaded
            | Self::Shared(_)
            | Self::TokenInUse => false,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => Self::Unavailable(Box::new(error)),
            Failure::Corrupt { table, column } => Self::Corrupt { table, column },
            Failure::TimedOut
            | Failure::Overloaded
            | Failure::CommitLost
            | Failure::Shared(_)
            | Failure::TokenInUse => Self::Unavailable(Box::new(failure)),
        }
    }
}

/// Runs an attempt to read, and runs it again while PostgreSQL asks for that.
pub(super) async fn retried<T, Attempt>(attempt: impl Fn() -> Attempt) -> Result<T, StoreError>
where
    Attempt: Future<Output = Result<T, Failure>>,
{
    let all = async {
        for _ in 1..ATTEMPTS_MAX {
            match attempt().await {
                Err(failure) if failure.asks_to_run_again() => {}
                settled => return settled,
            }
        }
        attempt().await
    };
    let settled = tokio::time::timeout(CALL_TIME_MAX, all).await;
    Ok(settled.unwrap_or(Err(Failure::TimedOut))?)
}

/// Whether a statement was refused because another row has the same key.
pub(super) fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

impl<S, P> Dialect<S, P> {
    /// Picks the text for the rare query that cannot be the same.
    pub(super) fn text(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }
}

/// Writes one expression for both databases.
macro_rules! by_dialect {
    ($which:expr, $it:ident => $body:expr) => {
        match $which {
            $crate::adapters::store::Dialect::Sqlite($it) => $body,
            $crate::adapters::store::Dialect::Postgres($it) => $body,
        }
    };
}

/// Runs a statement; says how many rows it changed.
macro_rules! execute {
    ($conn:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::adapters::store::query::by_dialect!($conn, conn =>
            sqlx::query($sql)$(.bind($value))*.execute(&mut **conn).await.map(|done| done.rows_affected()))
    };
}

/// Runs a query and reads every row. For statements with RETURNING, too: SQLite commits when the last row was read.
macro_rules! fetch_all {
    ($conn:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::adapters::store::query::by_dialect!($conn, conn =>
            sqlx::query_as($sql)$(.bind($value))*.fetch_all(&mut **conn).await)
    };
}

/// Runs a query that finds one row or none.
macro_rules! fetch_optional {
    ($conn:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::adapters::store::query::by_dialect!($conn, conn =>
            sqlx::query_as($sql)$(.bind($value))*.fetch_optional(&mut **conn).await)
    };
}

pub(super) use {by_dialect, execute, fetch_all, fetch_optional};
