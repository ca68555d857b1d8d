//! Opening: the address, the settings that durability rests on, the migrations.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool, SqliteConnection, SqlitePool};
use thiserror::Error;
use tokio::sync::Notify;

use super::connections::{ACQUIRE_TIMEOUT, Connections};
use super::group::Writer;
use super::server::{Ear, Moved, Place};
use super::write::PostgresPools;
use super::{Database, Dialect, SqlitePools};

/// How long SQLite waits for another process, such as a backup, to let go of the file.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Readers do not block each other; more than a few only fight for the page cache.
const SQLITE_READERS_MAX: u32 = 4;
/// Once its content is in the database file, a write-ahead log that grew beyond this under load is cut back to it.
/// SQLite moves content over whenever the log has 1,000 pages, its default.
const SQLITE_LOG_BYTES: u64 = 64 * 1024 * 1024;
/// Each instance of the app takes up to this many of PostgreSQL's connections (its default is 100).
const POSTGRES_CONNECTIONS_MAX: u32 = 10;
/// How long a call waits for one of them; opening one included.
const POSTGRES_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that was used so shortly before is used again without asking the server whether it still is there: that is a
/// round trip for every statement. One that has gone meanwhile fails what is asked of it, as one does that goes just then.
const POSTGRES_TRUSTED_FOR: Duration = Duration::from_millis(500);

/// Asks of each PostgreSQL connection: no statement, lock or forgotten transaction without end, and no acknowledgement
/// before the change is on disk. `synchronous_commit` is only raised: stronger settings of the server stay.
const POSTGRES_SETTINGS: &str = "
    SET statement_timeout = '10s';
    SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '30s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

pub(super) static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");
pub(super) static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");

/// Why a database could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The address is neither `sqlite://PATH` nor `postgres://…`.
    #[error("the database's address is not understood: {0}")]
    Address(&'static str),
    /// The file could not be made, or the server not reached.
    #[error("the database could not be opened")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another server runs on the SQLite file.
    #[error(
        "another wanryo server runs on this SQLite file and holds {lock}; stop it first, or use PostgreSQL, which several servers can share"
    )]
    InUse {
        /// The file by whose lock they know of each other.
        lock: PathBuf,
    },
    /// SQLite did not take a setting without which payments could be lost; network file systems do that.
    #[error("SQLite runs with {name}={found} where {wanted} is needed")]
    Setting {
        /// The PRAGMA.
        name: &'static str,
        /// What must hold.
        wanted: &'static str,
        /// What SQLite reports.
        found: String,
    },
    /// The tables could not be brought up to date; a database that a newer version has used is refused, too.
    #[error("the database's tables could not be brought up to date")]
    Migrate(#[from] MigrateError),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Connect(Box::new(error))
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Connect(Box::new(error))
    }
}

/// Who opens a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opener {
    /// A short command, which may run beside a server.
    Command,
    /// A server.
    Server,
}

pub(super) async fn open(url: &str, opener: Opener) -> Result<Database, OpenError> {
    let work_came = Arc::new(Notify::new());
    let moved = Moved::new();
    if let Some(path) = url.strip_prefix("sqlite://") {
        let path = sqlite_path(path)?;
        create_private(&path).await?;
        // Before anything else: a server of a newer version must not change the tables under a running one.
        let place = match opener {
            Opener::Command => None,
            Opener::Server => Some(Arc::new(Dialect::Sqlite(Place::take(&path)?))),
        };
        Ok(Database {
            pools: Dialect::Sqlite(open_sqlite(&path, &work_came).await?),
            work_came,
            moved,
            server: place,
        })
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let options: PgConnectOptions = url.parse()?;
        let pools = PostgresPools::new(open_postgres(&options).await?);
        pools.mark().await;
        let ear = match opener {
            Opener::Command => None,
            Opener::Server => Some(Arc::new(Dialect::Postgres(Ear::start(
                options,
                Arc::clone(&work_came),
                moved.clone(),
            )))),
        };
        Ok(Database {
            pools: Dialect::Postgres(pools),
            work_came,
            moved,
            server: ear,
        })
    } else {
        Err(OpenError::Address(
            "it begins with neither sqlite:// nor postgres://",
        ))
    }
}

/// Absolute, so that SQLite does not give a name such as `:memory:` or `file:x` a meaning of its own.
pub(super) fn sqlite_path(text: &str) -> Result<PathBuf, OpenError> {
    if text.contains('?') {
        return Err(OpenError::Address(
            "sqlite:// takes a path and no parameters; write %3F for a question mark",
        ));
    }
    let path = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| OpenError::Address("the path is not UTF-8"))?;
    if path.is_empty() || path.ends_with('/') {
        return Err(OpenError::Address("sqlite:// needs the path of a file"));
    }
    Ok(std::path::absolute(path.as_ref())?)
}

/// What is in the file is not read through at the start (`PRAGMA quick_check`): that takes longer the more is stored, and a
/// server that comes back after a crash must not keep buyers waiting for it. SQLite itself recovers by checksums.
async fn open_sqlite(path: &Path, work_came: &Arc<Notify>) -> Result<SqlitePools, OpenError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What is erased is overwritten, not only forgotten.
        .pragma("secure_delete", "ON")
        .pragma("journal_size_limit", SQLITE_LOG_BYTES.to_string())
        .busy_timeout(SQLITE_BUSY_TIMEOUT);
    // Connections stay open: each new one would read the schema again. A file does not go away as a server does, so they
    // are not tried out before each use.
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
    };
    let writer = pool()
        .max_connections(1)
        .connect_with(options.clone())
        .await?;
    check_settings(&writer, 1).await?;
    SQLITE_MIGRATIONS
        .run_direct(None, &mut *writer.acquire().await?, false)
        .await?;
    check_writable(&mut *writer.acquire().await?).await?;
    let readers = pool()
        .max_connections(SQLITE_READERS_MAX)
        .connect_with(options.pragma("query_only", "ON"))
        .await?;
    check_settings(&readers, SQLITE_READERS_MAX).await?;
    Ok(SqlitePools {
        writer: Writer::start(writer, Arc::clone(work_came)),
        readers: Connections::new(readers),
    })
}

/// Makes the file readable by its owner alone, as it holds names and telephone numbers. SQLite gives the write-ahead log
/// the same mode.
pub(super) async fn create_private(path: &Path) -> io::Result<()> {
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    match options.open(path).await {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// SQLite opens a file that it may not write for reading, and says so at the first change: a server would start and take
/// nothing. `BEGIN IMMEDIATE` says nothing either, but a statement does that would write, even one that finds no row.
async fn check_writable(conn: &mut SqliteConnection) -> Result<(), OpenError> {
    conn.execute("UPDATE orders SET version = version WHERE FALSE")
        .await?;
    Ok(())
}

/// Checks as many connections as the pool may have; they stay open.
async fn check_settings(pool: &SqlitePool, connections: u32) -> Result<(), OpenError> {
    let mut held = Vec::new();
    for _ in 0..connections {
        let mut conn = pool.acquire().await?;
        check_connection(&mut conn).await?;
        held.push(conn);
    }
    Ok(())
}

/// Believes SQLite's own answer: a PRAGMA that cannot be obeyed is ignored without an error.
async fn check_connection(conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let (journal_mode,): (String,) = sqlx::query_as("PRAGMA journal_mode")
        .fetch_one(&mut *conn)
        .await?;
    let (synchronous,): (i64,) = sqlx::query_as("PRAGMA synchronous")
        .fetch_one(&mut *conn)
        .await?;
    let (foreign_keys,): (i64,) = sqlx::query_as("PRAGMA foreign_keys")
        .fetch_one(&mut *conn)
        .await?;
    let found = [
        ("journal_mode", "wal", journal_mode),
        ("synchronous", "2", synchronous.to_string()),
        ("foreign_keys", "1", foreign_keys.to_string()),
    ];
    for (name, wanted, found) in found {
        if found != wanted {
            return Err(OpenError::Setting {
                name,
                wanted,
                found,
            });
        }
    }
    Ok(())
}

async fn open_postgres(options: &PgConnectOptions) -> Result<PgPool, OpenError> {
    // A connection of its own, without the limits below: an instance that starts while another migrates waits for it.
    let mut migrating = PgConnection::connect_with(options).await?;
    POSTGRES_MIGRATIONS
        .run_direct(None, &mut migrating, false)
        .await?;
    migrating.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS_MAX)
        .acquire_timeout(POSTGRES_ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for > POSTGRES_TRUSTED_FOR {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|conn, _| {
            Box::pin(async move {
                conn.execute(sqlx::raw_sql(POSTGRES_SETTINGS)).await?;
                Ok(())
            })
        });
    Ok(pool.connect_with(options.clone()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_names_a_file_and_nothing_else() {
        let path = |text| {
            sqlite_path(text)
                .map(|path| path.display().to_string())
                .ok()
        };

        assert_eq!(
            path("/var/lib/my shop/w.db").as_deref(),
            Some("/var/lib/my shop/w.db")
        );
        assert_eq!(
            path("/var/lib/my%20shop/%ED%8E%98%3F.db").as_deref(),
            Some("/var/lib/my shop/페?.db")
        );
        assert_eq!(path("/100%.db").as_deref(), Some("/100%.db"));
        assert!(
            path("wanryo.db")
                .is_some_and(|path| path.starts_with('/') && path.ends_with("/wanryo.db"))
        );
        // To SQLite these would be a database in memory and an address.
        assert!(path(":memory:").is_some_and(|path| path.ends_with("/:memory:")));
        assert!(path("file:x.db").is_some_and(|path| path.ends_with("/file:x.db")));
        for text in [
            "",
            "dir/",
            "/w.db?mode=ro",
            "/w.db?synchronous=off",
            "%FF.db",
        ] {
            assert_eq!(path(text), None, "{text:?} was taken");
        }
    }

    #[tokio::test]
    async fn a_setting_that_did_not_hold_is_refused() {
        let good = || SqliteConnectOptions::new().in_memory(true);
        let open = |options| {
            SqlitePoolOptions::new()
                .max_connections(1)
                .connect_with(options)
        };

        // A database in memory cannot have a write-ahead log: SQLite says so only when asked.
        let memory = open(good().journal_mode(SqliteJournalMode::Wal))
            .await
            .unwrap();
        let refused = check_settings(&memory, 1).await;

        assert!(
            matches!(refused, Err(OpenError::Setting { name: "journal_mode", wanted: "wal", found }) if found == "memory")
        );
    }
}
