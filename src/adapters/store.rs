//! Orders, refunds, webhooks and access on SQLite or PostgreSQL.
//!
//! One text per query: both databases read `$1`, and the macros of [`query`] expand it for both. Where the dialects really
//! differ, two texts stand side by side. Every change is one transaction, and what must never be false is a named
//! constraint of the tables (`migrations/`), so an error here can lose a request but cannot store a contradiction.
//!
//! Times are kept in whole microseconds; anything finer is cut off.
//!
//! Tested by one contract suite on both databases, `tests/it/store.rs`.

mod access;
mod connect;
mod inbox;
mod orders;
mod query;
mod refunds;
mod rows;

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use crate::ports::store::StoreError;

pub use connect::OpenError;

use query::{Failure, by_dialect, fetch_all, retried};

/// A database, opened and at the newest schema. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Database {
    pools: Pools,
}

/// One of two: which database it is.
#[derive(Debug, Clone)]
enum Dialect<S, P> {
    Sqlite(S),
    Postgres(P),
}

type Pools = Dialect<SqlitePools, PgPool>;
type Connection = Dialect<PoolConnection<Sqlite>, PoolConnection<Postgres>>;
type Tx = Dialect<Transaction<'static, Sqlite>, Transaction<'static, Postgres>>;

/// SQLite has one writer at a time. With one connection for it, writers wait in our queue, in order, and not in SQLite's
/// busy handler, which polls; readers never wait for them.
#[derive(Debug, Clone)]
struct SqlitePools {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Database {
    /// Opens `sqlite://PATH` (made when missing) or `postgres://…` and brings the tables up to date.
    ///
    /// Percent-escapes in PATH are decoded; parameters after `?` are refused, because a setting there could quietly take
    /// durability away.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong. It never holds the URL, which may hold a password.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        Ok(Self {
            pools: connect::open(url).await?,
        })
    }

    /// Reads one row, to know that the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            // A bare `SELECT 1` would not touch SQLite's file.
            let _rows: Vec<(i64,)> = fetch_all!(&mut conn, "SELECT version FROM orders LIMIT 1")?;
            Ok(())
        })
        .await
    }

    /// Waits for what is under way, then closes every connection. Nothing is lost without it; with it, SQLite also folds
    /// its write-ahead log into the database file.
    pub async fn close(&self) {
        match &self.pools {
            Dialect::Sqlite(pools) => {
                pools.readers.close().await;
                pools.writer.close().await;
            }
            Dialect::Postgres(pool) => pool.close().await,
        }
    }

    /// A connection for a single statement that reads.
    async fn reader(&self) -> Result<Connection, Failure> {
        Ok(match &self.pools {
            Dialect::Sqlite(pools) => Dialect::Sqlite(pools.readers.acquire().await?),
            Dialect::Postgres(pool) => Dialect::Postgres(pool.acquire().await?),
        })
    }

    /// A connection for a single statement that writes; such a statement is a transaction by itself.
    async fn writer(&self) -> Result<Connection, Failure> {
        Ok(match &self.pools {
            Dialect::Sqlite(pools) => Dialect::Sqlite(pools.writer.acquire().await?),
            Dialect::Postgres(pool) => Dialect::Postgres(pool.acquire().await?),
        })
    }

    /// Begins several reads that see one moment.
    async fn begin_read(&self) -> Result<Tx, Failure> {
        Ok(match &self.pools {
            Dialect::Sqlite(pools) => Dialect::Sqlite(pools.readers.begin().await?),
            Dialect::Postgres(pool) => Dialect::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?,
            ),
        })
    }

    /// Begins a change. It is undone unless it is committed.
    ///
    /// SQLite takes the write lock at once: a transaction that reads first and writes later fails when another process
    /// wrote in between (<https://sqlite.org/lang_transaction.html>). PostgreSQL's level is named because the server's
    /// default may be another one, and the row locks below are meant for this one.
    async fn begin_write(&self) -> Result<Tx, Failure> {
        Ok(match &self.pools {
            Dialect::Sqlite(pools) => {
                Dialect::Sqlite(pools.writer.begin_with("BEGIN IMMEDIATE").await?)
            }
            Dialect::Postgres(pool) => Dialect::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
                    .await?,
            ),
        })
    }
}

impl Tx {
    async fn commit(self) -> Result<(), Failure> {
        by_dialect!(self, tx => tx.commit().await)?;
        Ok(())
    }

    async fn roll_back(self) -> Result<(), Failure> {
        by_dialect!(self, tx => tx.rollback().await)?;
        Ok(())
    }
}
