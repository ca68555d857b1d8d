//! Servers beside each other, and commands beside a server.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use wanryo::adapters::store::{Database, OpenError};
use wanryo::ports::store::{AccessStore, InboxStore, OrderStore, Signals};

use super::created;
use super::fixtures::{accepted, at, order, payment, payment_id, webhook};
use crate::app::PATIENCE;
use crate::support::{TestDatabase, on_both_databases, with_sqlite};

on_both_databases! {
    async fn a_server_hears_of_work(test: TestDatabase) {
        let server = test.open_server().await;
        // On PostgreSQL another server tells it. On SQLite there is none.
        let teller = match test.sqlite_path() {
            Some(_) => server.clone(),
            None => test.open_server().await,
        };
        if test.sqlite_path().is_none() {
            timeout(PATIENCE, server.work_came()).await.expect("it says when it begins to listen");
        }
        let order = created(&teller, order("A")).await;
        teller.receive(&webhook("A"), at(1000)).await.unwrap();
        teller.schedule_check(&order.payment_id, 0, Some(at(0)), 0).await.unwrap();

        // Those before were no work yet. If they were hinted at, the hints below would be too many.
        teller.commit(&payment(&order, accepted("imp_1", &order))).await.unwrap();
        timeout(PATIENCE, server.work_came()).await.expect("there is an event to deliver");
        teller.wake_inbox(&payment_id("A"), at(0)).await.unwrap();
        timeout(PATIENCE, server.work_came()).await.expect("a webhook is due");
        let refused = payment(&order, accepted("imp_1", &order));
        teller.commit(&refused).await.unwrap();
        let silence = std::time::Duration::from_millis(200);
        assert!(timeout(silence, server.work_came()).await.is_err(), "a conflict is no work");
    }
}

#[tokio::test]
async fn a_second_server_on_a_sqlite_file_is_refused_and_commands_are_not() {
    with_sqlite(|test| async move {
        let server = test.open_server().await;

        let second = Database::open_server(&test.url).await;
        assert!(
            matches!(&second, Err(OpenError::InUse { lock }) if lock.ends_with("test.db.lock")),
            "{second:?}"
        );
        // By another name, too.
        let path = test.sqlite_path().unwrap();
        let link = format!("{path}.link");
        std::os::unix::fs::symlink(path, &link).unwrap();
        let by_link = Database::open_server(&format!("sqlite://{link}")).await;
        assert!(
            matches!(by_link, Err(OpenError::InUse { .. })),
            "{by_link:?}"
        );

        let command = test.open().await;
        command
            .put_user("kim@example.com", "hash", None, at(0))
            .await
            .unwrap();
        created(&server, order("A")).await;
        command.close().await;
        server.close().await;
        test.open_server().await.close().await;
    })
    .await;
}

/// The real binary on the database.
fn wanryo(test: &TestDatabase, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wanryo"));
    command
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", &test.url)
        .env("WANRYO_ADDR", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Starts a server and returns once it takes requests.
async fn serving(test: &TestDatabase) -> Child {
    let mut server = wanryo(test, &["serve"]).spawn().unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    let listens = async {
        while let Some(line) = log.next_line().await.unwrap() {
            if line.contains("listening on") {
                return;
            }
        }
        panic!("the server ended by itself");
    };
    timeout(PATIENCE, listens).await.unwrap();
    server
}

#[tokio::test]
async fn a_killed_server_leaves_no_lock_behind() {
    with_sqlite(|test| async move {
        let mut server = serving(&test).await;

        let second = timeout(PATIENCE, wanryo(&test, &["serve"]).output())
            .await
            .unwrap()
            .unwrap();
        let said = String::from_utf8_lossy(&second.stderr);
        assert!(!second.status.success());
        for word in ["DATABASE_URL", "another wanryo server", "stop it first"] {
            assert!(said.contains(word), "{word:?} is missing in: {said}");
        }
        for arguments in [&["key", "create", "--name", "shop"][..], &["migrate"]] {
            let command = timeout(PATIENCE, wanryo(&test, arguments).output())
                .await
                .unwrap()
                .unwrap();
            assert!(
                command.status.success(),
                "{arguments:?}: {}",
                String::from_utf8_lossy(&command.stderr)
            );
        }

        server.kill().await.unwrap();
        serving(&test).await.kill().await.unwrap();
    })
    .await;
}
