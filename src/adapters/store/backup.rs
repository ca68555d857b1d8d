//! A copy of a SQLite database as it is at one moment, beside a server that goes on writing.
//!
//! `VACUUM INTO` reads inside one transaction, so the copy holds every change that was acknowledged before and nothing of one
//! that was not. <https://sqlite.org/lang_vacuum.html#vacuum_with_an_into_clause>

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use thiserror::Error;

use super::OpenError;
use super::connect::{create_private, sqlite_path};

/// Why there is no copy.
#[derive(Debug, Error)]
pub enum BackupError {
    /// PostgreSQL brings its own.
    #[error(
        "only SQLite is copied by this command; PostgreSQL has pg_dump, see docs/operations.md"
    )]
    NotSqlite,
    /// A copy must not take the place of another one.
    #[error("{0} exists already")]
    Exists(std::path::PathBuf),
    /// There is no such database.
    #[error("there is no database to copy")]
    NoDatabase(#[source] OpenError),
    /// The copy could not be written.
    #[error("the copy could not be written")]
    Write(#[source] OpenError),
}

/// Copies the database of this address into a new file, readable by its owner alone and whole on disk when this returns.
///
/// # Errors
/// [`BackupError`]; what was written until then is not there any more.
pub async fn back_up(url: &str, file: &Path) -> Result<(), BackupError> {
    let path = url
        .strip_prefix("sqlite://")
        .ok_or(BackupError::NotSqlite)?;
    let path = sqlite_path(path).map_err(BackupError::NoDatabase)?;
    if file.exists() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false);
    let conn = SqliteConnection::connect_with(&options).await;
    let mut conn = conn.map_err(|error| BackupError::NoDatabase(error.into()))?;
    let written = write(&mut conn, file).await;
    if written.is_err() {
        // Half a copy must not be taken for one; what went wrong before is what is told.
        drop(tokio::fs::remove_file(file).await);
    }
    written.map_err(BackupError::Write)
}

async fn write(conn: &mut SqliteConnection, file: &Path) -> Result<(), OpenError> {
    // SQLite fills a file that is there and empty, and leaves it its mode.
    create_private(file).await?;
    let name = file
        .to_str()
        .ok_or(OpenError::Address("the path of the copy is not UTF-8"))?;
    sqlx::query("VACUUM INTO $1")
        .bind(name)
        .execute(conn)
        .await?;
    tokio::fs::File::open(file).await?.sync_all().await?;
    Ok(())
}
