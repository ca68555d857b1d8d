//! A database of a run's own, and what it holds, read behind the program's back.

use std::path::{Path, PathBuf};

use anyhow::Context;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

/// A directory that goes when it is dropped.
#[derive(Debug)]
pub struct Dir(PathBuf);

impl Dir {
    /// Makes one below `parent`.
    ///
    /// # Errors
    /// When there is no room, or no right.
    pub fn below(parent: &Path) -> anyhow::Result<Self> {
        let path = parent.join(random_name());
        std::fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }

    /// Makes one where the system keeps what is temporary.
    ///
    /// # Errors
    /// As [`Dir::below`].
    pub fn temporary() -> anyhow::Result<Self> {
        Self::below(&std::env::temp_dir())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // Only litter if it fails.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn random_name() -> String {
    format!("wanryo_proof_{:016x}", rand::random::<u64>())
}

/// Where a run's data is.
#[derive(Debug)]
pub enum Database {
    /// A file in a directory of its own.
    Sqlite(Dir),
    /// A database of its own in somebody's PostgreSQL.
    Postgres {
        /// The URL that was given.
        server: String,
        /// The database's name.
        name: String,
    },
}

impl Database {
    /// A file, not made yet.
    ///
    /// # Errors
    /// As [`Dir::below`].
    pub fn sqlite() -> anyhow::Result<Self> {
        Ok(Self::Sqlite(Dir::temporary()?))
    }

    /// An empty database in a PostgreSQL. [`Database::remove`] takes it away.
    ///
    /// # Errors
    /// What PostgreSQL said.
    pub async fn postgres(server: &str) -> anyhow::Result<Self> {
        let name = random_name();
        run_on_postgres(server, format!("CREATE DATABASE {name}"))
            .await
            .context("making a database in PostgreSQL")?;
        Ok(Self::Postgres {
            server: server.to_owned(),
            name,
        })
    }

    /// What the program takes as DATABASE_URL.
    ///
    /// # Errors
    /// When the given URL is none.
    pub fn url(&self) -> anyhow::Result<String> {
        match self {
            Self::Sqlite(dir) => Ok(format!("sqlite://{}", file(dir).display())),
            Self::Postgres { server, name } => {
                let mut url = url::Url::parse(server).context("--database-url")?;
                url.set_path(name);
                Ok(url.into())
            }
        }
    }

    /// One column of text.
    ///
    /// # Errors
    /// What the database said.
    pub async fn read(&self, sql: &str) -> anyhow::Result<Vec<String>> {
        let query = AssertSqlSafe(sql.to_owned());
        let rows = match self {
            Self::Sqlite(dir) => {
                let mut conn = open(dir).await?;
                let rows = sqlx::query_scalar(query).fetch_all(&mut conn).await;
                conn.close().await?;
                rows
            }
            Self::Postgres { .. } => {
                let mut conn = PgConnection::connect(&self.url()?).await?;
                let rows = sqlx::query_scalar(query).fetch_all(&mut conn).await;
                conn.close().await?;
                rows
            }
        };
        rows.with_context(|| sql.to_owned())
    }

    /// Runs statements.
    ///
    /// # Errors
    /// What the database said.
    pub async fn run(&self, sql: String) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(dir) => {
                let mut conn = open(dir).await?;
                conn.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
                conn.close().await?;
            }
            Self::Postgres { .. } => run_on_postgres(&self.url()?, sql).await?,
        }
        Ok(())
    }

    /// Takes it away, with what is in it.
    ///
    /// # Errors
    /// What PostgreSQL said.
    pub async fn remove(self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(dir) => drop(dir),
            Self::Postgres { server, name } => {
                run_on_postgres(&server, format!("DROP DATABASE {name} WITH (FORCE)"))
                    .await
                    .context("removing a database from PostgreSQL")?;
            }
        }
        Ok(())
    }
}

fn file(dir: &Dir) -> PathBuf {
    dir.path().join("proof.db")
}

async fn open(dir: &Dir) -> anyhow::Result<SqliteConnection> {
    let path = file(dir);
    SqliteConnection::connect(&path.to_string_lossy())
        .await
        .with_context(|| format!("opening {}", path.display()))
}

async fn run_on_postgres(url: &str, sql: String) -> anyhow::Result<()> {
    let mut conn = PgConnection::connect(url).await?;
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    conn.close().await?;
    Ok(())
}
