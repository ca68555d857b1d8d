//! Databases for tests: each test has its own, empty and gone afterwards.

pub(crate) mod proxy;

use std::net::SocketAddr;
use std::path::PathBuf;

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tokio::net::TcpSocket;
use tokio::task::LocalSet;
use wanryo::adapters::store::Database;

/// Where a PostgreSQL is that tests may create databases in. `cargo xtask test` starts one and sets this.
const POSTGRES_URL_VARIABLE: &str = "WANRYO_TEST_POSTGRES_URL";

/// Makes two tests of one body, `sqlite` and `postgres`, in a module of the body's name.
macro_rules! on_both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($test:ident: TestDatabase) $body:block)*) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            async fn body($test: TestDatabase) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                $crate::support::with_sqlite(body).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                $crate::support::with_postgres(body).await;
            }
        }
    )*};
}
pub(crate) use on_both_databases;

/// A database of a test's own.
#[derive(Clone)]
pub(crate) struct TestDatabase {
    /// What `Database::open` takes.
    pub(crate) url: String,
}

impl TestDatabase {
    /// Opens it; several times are several instances of the app.
    pub(crate) async fn open(&self) -> Database {
        Database::open(&self.url)
            .await
            .expect("a test database opens")
    }

    /// Opens it as a server does.
    pub(crate) async fn open_server(&self) -> Database {
        Database::open_server(&self.url)
            .await
            .expect("a test database opens")
    }

    /// The file, if it is SQLite's.
    pub(crate) fn sqlite_path(&self) -> Option<&str> {
        self.url.strip_prefix("sqlite://")
    }

    /// Runs SQL behind the app's back.
    pub(crate) async fn run(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self.sqlite_path() {
            Some(path) => {
                let mut conn = SqliteConnection::connect(path).await.unwrap();
                sql.execute(&mut conn).await.unwrap();
            }
            None => {
                let mut conn = PgConnection::connect(&self.url).await.unwrap();
                sql.execute(&mut conn).await.unwrap();
            }
        }
    }

    /// Reads one column of text behind the app's back.
    pub(crate) async fn read(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.sqlite_path() {
            Some(path) => {
                let mut conn = SqliteConnection::connect(path).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap()
            }
            None => {
                let mut conn = PgConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap()
            }
        }
    }
}

/// Runs a test on a SQLite file in a directory of its own.
pub(crate) async fn with_sqlite<Body: Future<Output = ()> + 'static>(
    body: impl FnOnce(TestDatabase) -> Body,
) {
    let dir = Dir(std::env::temp_dir().join(random_name()));
    std::fs::create_dir(&dir.0).unwrap();
    let url = format!("sqlite://{}", dir.0.join("test.db").display());
    body(TestDatabase { url }).await;
}

/// A port of this machine at which nobody listens, and that nobody else is given while it lives.
pub(crate) struct ClosedPort {
    _socket: TcpSocket,
    addr: SocketAddr,
}

impl ClosedPort {
    pub(crate) fn keep() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = socket.local_addr().unwrap();
        Self {
            _socket: socket,
            addr,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

/// A directory that goes with the test, also when it fails.
struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        // Only litter if it fails.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Runs a test on a PostgreSQL database of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "the address of a test server is a setting of the tests"
)]
pub(crate) async fn with_postgres<Body: Future<Output = ()> + 'static>(
    body: impl FnOnce(TestDatabase) -> Body,
) {
    let server = std::env::var(POSTGRES_URL_VARIABLE).unwrap_or_else(|_| {
        panic!("{POSTGRES_URL_VARIABLE} is not set: run `cargo xtask test`, or give the address of a PostgreSQL server where tests may create databases")
    });
    let name = random_name();
    let mut url = url::Url::parse(&server).expect("the address of the test server is a URL");
    url.set_path(&name);
    let mut conn = PgConnection::connect(&server)
        .await
        .expect("the test server answers");
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut conn)
        .await
        .unwrap();

    // As a task, so that the database is dropped when the test fails, too.
    let body = body(TestDatabase { url: url.into() });
    let result = LocalSet::new()
        .run_until(async { tokio::task::spawn_local(body).await })
        .await;

    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
        .execute(&mut conn)
        .await
        .unwrap();
    if let Err(failed) = result {
        std::panic::resume_unwind(failed.into_panic());
    }
}

fn random_name() -> String {
    format!("wanryo_test_{:016x}", rand::random::<u64>())
}
