//! A look at a database without opening it as ours: nothing is made, migrated or changed.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use super::audit::follow;
use super::connect::{POSTGRES_MIGRATIONS, SQLITE_MIGRATIONS, sqlite_path};
use super::query::Failure;
use super::{Dialect, OpenError};
use crate::ports::audit::Chain;

/// What a database is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The kind of database, and what is particular to it.
    pub kind: Kind,
    /// What the tables hold; `None` when nothing is there yet.
    pub tables: Option<Tables>,
}

/// Which database it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite {
        /// Where.
        path: PathBuf,
        /// Bytes that are free on its disk.
        free_bytes: u64,
        /// Whether others than its owner may read it.
        is_open_to_others: bool,
        /// As the file says; `None` when there is none.
        journal_mode: Option<String>,
    },
    /// A server.
    Postgres {
        /// Settings of the server as it says them, by name.
        settings: Vec<(&'static str, String)>,
    },
}

/// What is in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tables {
    /// Migrations of this version that are not there yet.
    pub pending: usize,
    /// Migrations that this version does not know: a newer one has used the database.
    pub unknown: usize,
    /// People who may sign in.
    pub users: i64,
    /// Keys of shops.
    pub keys: i64,
    /// The chain of the audit log, all of it; `None` while there are pending migrations.
    pub audit: Option<Chain>,
}

/// Settings of PostgreSQL that are asked for. <https://www.postgresql.org/docs/current/runtime-config-wal.html>
const POSTGRES_SETTINGS: [(&str, &str); 5] = [
    ("fsync", "SHOW fsync"),
    ("full_page_writes", "SHOW full_page_writes"),
    ("transaction_read_only", "SHOW transaction_read_only"),
    ("server_encoding", "SHOW server_encoding"),
    ("max_connections", "SHOW max_connections"),
];

/// A connection of our own to one of the two.
type Either<'c> = Dialect<&'c mut SqliteConnection, &'c mut PgConnection>;

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        Self::Connect(Box::new(failure))
    }
}

/// Looks at the database of this address.
///
/// # Errors
/// What keeps a server from using it.
pub async fn inspect(url: &str) -> Result<Inspection, OpenError> {
    match url.strip_prefix("sqlite://") {
        Some(path) => inspect_sqlite(&sqlite_path(path)?).await,
        None => inspect_postgres(url.parse()?).await,
    }
}

async fn inspect_sqlite(path: &Path) -> Result<Inspection, OpenError> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let disk = rustix::fs::statvfs(directory).map_err(io::Error::from)?;
    let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
    let mut is_open_to_others = false;
    let (mut journal_mode, mut tables) = (None, None);
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
        Ok(file) if !file.is_file() => {
            return Err(OpenError::Address("the path is not that of a file"));
        }
        Ok(file) => {
            is_open_to_others = is_open(&file);
            let options = SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(false)
                .pragma("query_only", "ON");
            let mut conn = SqliteConnection::connect_with(&options).await?;
            let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
                .fetch_one(&mut conn)
                .await?;
            journal_mode = Some(mode);
            let found: Option<i64> = sqlx::query_scalar(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
            )
            .fetch_optional(&mut conn)
            .await?;
            if found.is_some() {
                let applied = sqlx::query_scalar(APPLIED).fetch_all(&mut conn).await?;
                let users = sqlx::query_scalar(USERS).fetch_one(&mut conn).await?;
                let keys = sqlx::query_scalar(KEYS).fetch_one(&mut conn).await?;
                let mut found = compared(&SQLITE_MIGRATIONS, &applied, users, keys);
                if found.pending == 0 {
                    let mut conn: Either<'_> = Dialect::Sqlite(&mut conn);
                    found.audit = Some(follow(&mut conn, None).await?);
                }
                tables = Some(found);
            }
            conn.close().await?;
        }
    }
    Ok(Inspection {
        kind: Kind::Sqlite {
            path: path.to_owned(),
            free_bytes,
            is_open_to_others,
            journal_mode,
        },
        tables,
    })
}

#[cfg(unix)]
fn is_open(file: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_: &std::fs::Metadata) -> bool {
    false
}

async fn inspect_postgres(options: PgConnectOptions) -> Result<Inspection, OpenError> {
    let mut conn = PgConnection::connect_with(&options).await?;
    let mut settings = Vec::new();
    for (name, sql) in POSTGRES_SETTINGS {
        let value: String = sqlx::query_scalar(sql).fetch_one(&mut conn).await?;
        settings.push((name, value));
    }
    let found: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut conn)
        .await?;
    let mut tables = None;
    if found {
        let applied = sqlx::query_scalar(APPLIED).fetch_all(&mut conn).await?;
        let users = sqlx::query_scalar(USERS).fetch_one(&mut conn).await?;
        let keys = sqlx::query_scalar(KEYS).fetch_one(&mut conn).await?;
        let mut found = compared(&POSTGRES_MIGRATIONS, &applied, users, keys);
        if found.pending == 0 {
            let mut conn: Either<'_> = Dialect::Postgres(&mut conn);
            found.audit = Some(follow(&mut conn, None).await?);
        }
        tables = Some(found);
    }
    conn.close().await?;
    Ok(Inspection {
        kind: Kind::Postgres { settings },
        tables,
    })
}

const APPLIED: &str = "SELECT version FROM _sqlx_migrations";
const USERS: &str = "SELECT COUNT(*) FROM users";
const KEYS: &str = "SELECT COUNT(*) FROM api_keys";

fn compared(ours: &Migrator, applied: &[i64], users: i64, keys: i64) -> Tables {
    let applied: BTreeSet<i64> = applied.iter().copied().collect();
    let ours: BTreeSet<i64> = ours.iter().map(|migration| migration.version).collect();
    Tables {
        pending: ours.difference(&applied).count(),
        unknown: applied.difference(&ours).count(),
        users,
        keys,
        audit: None,
    }
}
