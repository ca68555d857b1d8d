//! Orders, refunds, webhooks and access on SQLite or PostgreSQL.
//!
//! One text per query: both databases read `$1`, and the macros of `query` expand it for both. Where the dialects really
//! differ, two texts stand side by side. Every change is one transaction, and what must never be false is a named
//! constraint of the tables (`migrations/`), so an error here can lose a request but cannot store a contradiction.
//!
//! Times are kept in whole microseconds; anything finer is cut off.
//!
//! Tested by one contract suite on both databases, `tests/it/store*.rs`.

mod access;
mod attention;
mod audit;
mod backup;
mod connect;
mod connections;
mod deliveries;
mod endpoints;
mod group;
mod inbox;
mod inspect;
mod list;
mod notes;
mod operations;
mod orders;
mod overview;
mod query;
mod refunds;
mod requests;
mod retention;
mod rows;
mod server;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Transaction};
use tokio::sync::Notify;

use crate::domain::ids::PaymentId;
use crate::ports::store::Signals;

pub use backup::{BackupError, back_up};
pub use connect::OpenError;
pub use inspect::{Inspection, Kind, Tables, inspect};

use connections::{Connections, Held};
use group::Writer;
use query::Failure;
use server::{Ear, Moved, Place};
use write::PostgresPools;

/// A database, opened and at the newest schema. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Database {
    pools: Pools,
    /// Told whenever there is work for a worker.
    work_came: Arc<Notify>,
    /// Orders that other servers told to have moved.
    moved: Moved,
    /// What makes it a server's, and not a short command's.
    server: Option<Arc<Server>>,
}

/// One of two: which database it is.
#[derive(Debug, Clone)]
enum Dialect<S, P> {
    Sqlite(S),
    Postgres(P),
}

type Pools = Dialect<SqlitePools, PostgresPools>;
type Connection = Dialect<Held, PoolConnection<Postgres>>;
/// On SQLite not the driver's: that one believes in a transaction which SQLite has undone by itself, as it does when the disk
/// is full, and begins no other on the connection (<https://sqlite.org/lang_transaction.html>, "response to errors").
type Tx = Dialect<Held, Transaction<'static, Postgres>>;
type Server = Dialect<Place, Ear>;

/// SQLite has one writer at a time. With one connection for it, changes wait in our queue, in order, and not in SQLite's
/// busy handler, which polls; readers never wait for them.
#[derive(Debug, Clone)]
struct SqlitePools {
    writer: Writer,
    readers: Connections,
}

impl Database {
    /// Opens `sqlite://PATH` (made when missing) or `postgres://…` and brings the tables up to date, for a command that
    /// may run beside a server.
    ///
    /// Percent-escapes in PATH are decoded; parameters after `?` are refused, because a setting there could quietly take
    /// durability away.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong. It never holds the URL, which may hold a password.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        connect::open(url, connect::Opener::Command).await
    }

    /// [`open`](Self::open) for a server. Of SQLite's it is the only one on its file until [`close`](Self::close) or the
    /// end of the process: two would not see each other's verifications, and double every call to PortOne. Servers on one
    /// PostgreSQL database hear each other's hints.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`OpenError::InUse`].
    pub async fn open_server(url: &str) -> Result<Self, OpenError> {
        connect::open(url, connect::Opener::Server).await
    }

    /// Waits for what is under way, then closes every connection. Nothing is lost without it; with it, SQLite also folds
    /// its write-ahead log into the database file.
    pub async fn close(&self) {
        match &self.pools {
            Dialect::Sqlite(pools) => {
                pools.readers.close().await;
                pools.writer.close().await;
            }
            Dialect::Postgres(pools) => pools.pool.close().await,
        }
        match self.server.as_deref() {
            // Without this, it lasts until the process ends.
            Some(Dialect::Sqlite(place)) => {
                if let Err(error) = place.leave() {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the lock of the database was not given back"
                    );
                }
            }
            // The ear goes with the last clone; it writes nothing.
            Some(Dialect::Postgres(_)) | None => {}
        }
    }

    /// A connection for a single statement that reads.
    async fn reader(&self) -> Result<Connection, Failure> {
        Ok(match &self.pools {
            Dialect::Sqlite(pools) => Dialect::Sqlite(pools.readers.take().await?),
            Dialect::Postgres(pools) => Dialect::Postgres(pools.pool.acquire().await?),
        })
    }
}

impl Connection {
    /// Gives the connection back after a read that went well. Without it it is given back all the same, but tried out first.
    fn keep(self) {
        match self {
            Self::Sqlite(conn) => conn.keep(),
            // Its server may go away meanwhile: the pool tries it out.
            Self::Postgres(_) => {}
        }
    }
}

#[async_trait]
impl Signals for Database {
    async fn work_came(&self) {
        self.work_came.notified().await;
    }

    async fn order_moved(&self) -> PaymentId {
        self.moved.next().await
    }
}

/// Whatever these return, no transaction is open afterwards.
impl Tx {
    async fn commit(self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(mut conn) => {
                let committed = sqlx::query("COMMIT").execute(&mut *conn).await;
                if let Err(error) = committed {
                    Self::Sqlite(conn).roll_back().await;
                    return Err(error.into());
                }
                conn.keep();
            }
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    async fn roll_back(self) {
        let undone = match self {
            Self::Sqlite(mut conn) => {
                let undone = sqlx::query("ROLLBACK").execute(&mut *conn).await;
                undone.map(|_| conn.keep())
            }
            Self::Postgres(tx) => tx.rollback().await,
        };
        if let Err(error) = undone {
            // Without a connection there is nothing to undo, and what SQLite has undone by itself cannot be undone again.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a transaction was gone already"
            );
        }
    }
}
