//! What befalls the program from outside while it is busy: it is told to stop, it has no file descriptors left, another process
//! holds its database. Nothing that was acknowledged is lost, and it goes on by itself.

use std::sync::Arc;
use std::time::Duration;

use portone_sandbox::Sandbox;
use reqwest::{Client, StatusCode};
use serde_json::json;
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::app::{PATIENCE, TestApp};
use crate::program::{PROGRAM, Program, command, run, text, with_settings};
use crate::support::{TestDatabase, on_both_databases, with_sqlite};

/// The longest that a stop may take.
const STOP: Duration = Duration::from_secs(10);
/// Who posts webhooks at the same time.
const SENDERS: usize = 8;
/// Webhooks that were acknowledged when the program is told to stop.
const ACKNOWLEDGED_BEFORE: u32 = 200;
/// File descriptors that are left to a program for all its connections.
const FILES_LEFT: usize = 8;
/// Lines that say so: a program that does not pause between its tries writes far more.
const REFUSALS_MAX: usize = 1_000;
/// More connections than that.
const CONNECTIONS: usize = 100;

fn quiet(mut command: Command) -> Command {
    command.env("RUST_LOG", "info");
    command
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// What a webhook of V1 about a payment is answered with; `None` when no answer came.
async fn webhook(client: &Client, url: &str, payment_id: &str) -> Option<StatusCode> {
    let body = json!({ "imp_uid": "imp_1", "merchant_uid": payment_id, "status": "paid" });
    let request = client.post(format!("{url}/payments/webhook")).json(&body);
    Some(request.send().await.ok()?.status())
}

/// Posts webhooks one after another until one is not acknowledged; the payments of those that were.
async fn post_until_the_end(
    number: usize,
    url: String,
    acknowledged: Arc<Semaphore>,
) -> Vec<String> {
    let client = client();
    let mut ids = Vec::new();
    loop {
        let id = format!("W{number}-{}", ids.len());
        match webhook(&client, &url, &id).await {
            Some(StatusCode::OK) => {
                ids.push(id);
                acknowledged.add_permits(1);
            }
            Some(StatusCode::SERVICE_UNAVAILABLE) | None => return ids,
            Some(other) => panic!("{other}"),
        }
    }
}

/// The program, with an order that can be paid.
async fn with_order(db: &TestDatabase, sandbox: &Sandbox) -> Program {
    let (key, _) = run(
        command(db, sandbox),
        &["key", "create", "--name", "shop"],
        "",
    )
    .await;
    let program = Program::spawn(quiet(command(db, sandbox))).await;
    let order = json!({ "payment_id": "ORD-1", "name": "사과", "amount": 65_000 });
    let request = client().post(format!("{}/api/v1/orders", program.url));
    let (status, made) = text(request.bearer_auth(key).json(&order)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    program
}

/// What the buyer who has paid the order is told.
async fn complete(client: &Client, program: &Program, imp_uid: &str) -> (StatusCode, String) {
    let address = format!(
        "{}/payments/complete?imp_uid={imp_uid}&merchant_uid=ORD-1",
        program.url
    );
    let (status, page) = text(client.get(address).header("accept", "application/json")).await;
    let answer: serde_json::Value = serde_json::from_str(&page).unwrap();
    (status, answer["outcome"].as_str().unwrap().to_owned())
}

fn pay(sandbox: &Sandbox) -> String {
    let payment = json!({ "merchant_uid": "ORD-1", "amount": 65_000, "status": "paid" });
    sandbox.create_payment(payment).unwrap()
}

on_both_databases! {
    async fn a_stop_under_load_loses_nothing_that_was_acknowledged(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let mut program = Program::spawn(quiet(with_settings(Command::new(PROGRAM), &db, &sandbox))).await;
        let acknowledged = Arc::new(Semaphore::new(0));
        let mut senders = JoinSet::new();
        for number in 0..SENDERS {
            senders.spawn(post_until_the_end(number, program.url.clone(), Arc::clone(&acknowledged)));
        }
        let enough = acknowledged.acquire_many(ACKNOWLEDGED_BEFORE);
        drop(timeout(PATIENCE, enough).await.unwrap().unwrap());

        let pid = program.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        let ended = timeout(STOP, program.child.wait()).await.expect("it ends in time").unwrap();

        assert!(ended.success(), "{ended}");
        let acknowledged: Vec<String> = senders.join_all().await.concat();
        let kept = db.read("SELECT payment_id FROM inbox").await;
        let lost: Vec<_> = acknowledged.iter().filter(|id| !kept.contains(id)).collect();
        assert!(lost.is_empty(), "of {}: {lost:?}", acknowledged.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_without_file_descriptors_serves_who_is_there_and_comes_back() {
    with_sqlite(|db| async move {
        let sandbox = TestApp::new_sandbox().await;
        let program = with_order(&db, &sandbox).await;
        let imp_uid = pay(&sandbox);
        let is_there = client();
        let paid = (StatusCode::OK, "paid".to_owned());
        // Whatever it takes to answer is open from now on.
        assert_eq!(complete(&is_there, &program, &imp_uid).await, paid);

        let pid = program.child.id().unwrap();
        let open = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .count();
        let most = format!("--nofile={}", open + FILES_LEFT);
        let limited = Command::new("prlimit")
            .args(["--pid", &pid.to_string(), &most])
            .status()
            .await;
        assert!(limited.unwrap().success());
        let address = program.url.strip_prefix("http://").unwrap();
        let mut crowd = Vec::new();
        for _ in 0..CONNECTIONS {
            crowd.push(TcpStream::connect(address).await.unwrap());
        }
        assert_eq!(complete(&is_there, &program, &imp_uid).await, paid);

        drop(crowd);
        assert_eq!(complete(&client(), &program, &imp_uid).await, paid);
        let log = program.end().await;
        let refused = log.matches("a connection was not accepted").count();
        assert!((1..REFUSALS_MAX).contains(&refused), "{refused}");
    })
    .await;
}

/// Longer than the program waits for the lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_another_process_holds_acknowledges_nothing() {
    with_sqlite(|db| async move {
        let sandbox = TestApp::new_sandbox().await;
        let program = with_order(&db, &sandbox).await;
        let imp_uid = pay(&sandbox);
        let client = client();

        let mut holder = SqliteConnection::connect(db.sqlite_path().unwrap())
            .await
            .unwrap();
        holder.execute("BEGIN IMMEDIATE").await.unwrap();
        let waits = webhook(&client, &program.url, "LOCKED");
        let told = complete(&client, &program, &imp_uid);
        let (waits, told) = timeout(PATIENCE, async { tokio::join!(waits, told) })
            .await
            .unwrap();
        assert_eq!(waits, Some(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(
            told,
            (StatusCode::ACCEPTED, "unconfirmed".to_owned()),
            "what is not written is not told"
        );
        assert_eq!(
            db.read("SELECT payment_id FROM inbox").await,
            Vec::<String>::new()
        );

        holder.execute("ROLLBACK").await.unwrap();
        assert_eq!(
            webhook(&client, &program.url, "FREE").await,
            Some(StatusCode::OK)
        );
        let paid = (StatusCode::OK, "paid".to_owned());
        let is_paid = async { while complete(&client, &program, &imp_uid).await != paid {} };
        timeout(PATIENCE, is_paid)
            .await
            .expect("it goes on by itself");
    })
    .await;
}
