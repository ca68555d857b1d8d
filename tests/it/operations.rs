//! Running the program: copies that can be gone on with, a log for programs, and pages about it that name what there is.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;
use wanryo::service::{deliveries, inbox};

use crate::app::{PATIENCE, TestApp};
use crate::events::receiver::Receiver;
use crate::program;
use crate::support::{TestDatabase, on_both_databases, with_postgres, with_sqlite};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Orders in different states, one of them paid; what is stored of them.
async fn filled(app: &TestApp) -> Vec<Value> {
    for id in ["PAID", "OPEN", "CLOSED"] {
        app.order(id).await;
    }
    let imp_uid = app.pay("PAID", json!({}));
    app.complete(&format!("imp_uid={imp_uid}&merchant_uid=PAID"))
        .await;
    app.api(Method::POST, "/api/v1/orders/CLOSED/close", None)
        .await;
    stored(app).await
}

/// Every order, and its history.
async fn stored(app: &TestApp) -> Vec<Value> {
    let mut all = Vec::new();
    for id in ["PAID", "OPEN", "CLOSED"] {
        let mut order = app.read_order(id).await;
        // The server's address is another one, and in these.
        for address in ["pay_url", "status_url"] {
            order.as_object_mut().unwrap().remove(address);
        }
        all.push(order);
        all.extend(app.history(id).await);
    }
    all
}

/// Runs a program to its end; whether it went well, and what it said.
async fn finished(command: &mut Command) -> (bool, String) {
    let output = timeout(PATIENCE * 2, command.stdin(Stdio::null()).output());
    let output = output.await.expect("it ends").unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_sqlite_is_made_beside_the_server_and_goes_on() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        let before = filled(&app).await;
        let copy = PathBuf::from(format!("{}.copy", db.sqlite_path().unwrap()));
        let back_up = async |file: &Path| {
            finished(
                program::command(&db, &app.sandbox)
                    .env_remove("RUST_LOG")
                    .arg("backup")
                    .arg(file),
            )
            .await
        };

        let (is_well, said) = back_up(&copy).await;
        assert!(is_well, "{said}");
        let mode = fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let bytes = fs::read(&copy).unwrap();
        // A copy that is there is never lost to another one, and a server that cannot be copied leaves no half of one.
        let (is_well, said) = back_up(&copy).await;
        assert!(!is_well && said.contains("exists already"), "{said}");
        assert!(fs::read(&copy).unwrap() == bytes);
        let nowhere = Path::new("/no/such/folder/copy.db");
        assert!(!back_up(nowhere).await.0 && !nowhere.exists());

        // What happens afterwards is not in the copy, and everything before is.
        app.order("LATER").await;
        let sandbox = app.sandbox.clone();
        app.running.stop().await;
        let copied = TestDatabase {
            url: format!("sqlite://{}", copy.display()),
        };
        let restored = TestApp::start_with(&copied, sandbox, |_| {}).await;
        assert_eq!(stored(&restored).await, before);
        let later = restored
            .api(Method::GET, "/api/v1/orders/LATER", None)
            .await;
        assert_eq!(later.status.as_u16(), 404);
    })
    .await;
}

/// PostgreSQL's own programs, as `docs/operations.md` says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_postgresql_is_made_beside_the_server_and_goes_on() {
    Box::pin(with_postgres(|db| async move {
        let app = TestApp::start(&db).await;
        let before = filled(&app).await;
        let (is_well, said) = finished(
            program::command(&db, &app.sandbox)
                .arg("backup")
                .arg("/tmp/never.db"),
        )
        .await;
        assert!(!is_well && said.contains("pg_dump"), "{said}");

        let dump = std::env::temp_dir().join(format!("wanryo-{:016x}.dump", rand::random::<u64>()));
        let (is_well, said) = finished(
            postgres_program("pg_dump")
                .arg("--format=custom")
                .arg(format!("--file={}", dump.display()))
                .arg(&db.url),
        )
        .await;
        assert!(is_well, "{said}");
        let sandbox = app.sandbox.clone();
        app.running.stop().await;
        with_postgres_restored(&dump, async |restored| {
            let restored = TestApp::start_with(&restored, sandbox.clone(), |_| {}).await;
            assert_eq!(stored(&restored).await, before);
            restored.running.stop().await;
        })
        .await;
        fs::remove_file(&dump).unwrap();
    }))
    .await;
}

/// Runs this on an empty database that the dump was restored into.
async fn with_postgres_restored(dump: &Path, body: impl AsyncFnOnce(TestDatabase)) {
    let (sender, receiver) = tokio::sync::oneshot::channel::<TestDatabase>();
    let (done, is_done) = tokio::sync::oneshot::channel::<()>();
    let other = with_postgres(|db| async move {
        drop(sender.send(db));
        drop(is_done.await);
    });
    let own = async move {
        let db = receiver.await.unwrap();
        let (is_well, said) = finished(
            postgres_program("pg_restore")
                .args(["--no-owner", "--exit-on-error"])
                .arg(format!("--dbname={}", db.url))
                .arg(dump),
        )
        .await;
        assert!(is_well, "{said}");
        body(db).await;
        drop(done);
    };
    tokio::join!(other, own);
}

/// From Debian's package, which puts each version in a folder of its own.
fn postgres_program(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.unwrap().path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    Command::new(found.last().expect("PostgreSQL's programs are installed"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_for_programs_names_the_request_of_each_line() {
    with_sqlite(|db| async move {
        let sandbox = TestApp::new_sandbox().await;
        let mut command = program::command(&db, &sandbox);
        let mut child = command
            .env("WANRYO_LOG_FORMAT", "json")
            .env("RUST_LOG", "wanryo=debug")
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut next = async || -> Value {
            let line = timeout(PATIENCE, lines.next_line())
                .await
                .expect("a line comes")
                .unwrap()
                .unwrap();
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"))
        };
        let addr = loop {
            let line = next().await;
            assert!(
                line["timestamp"].is_string() && line["level"].is_string(),
                "{line}"
            );
            if let Some(addr) = line["addr"].as_str() {
                break addr.to_owned();
            }
        };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut ids = BTreeSet::new();
        for _ in 0..3 {
            let request = client
                .get(format!("http://{addr}/payments/complete?merchant_uid=x"))
                .header("x-request-id", "forged");
            let answer = request.send().await.unwrap();
            let id = answer.headers()["x-request-id"]
                .to_str()
                .unwrap()
                .to_owned();
            assert!(id.len() == 16 && id != "forged");
            let line = loop {
                let line = next().await;
                if line["message"] == "a request was answered" {
                    break line;
                }
            };
            assert_eq!(line["span"]["request.id"], id.as_str(), "{line}");
            assert_eq!(line["http.route"], "/payments/complete", "{line}");
            ids.insert(id);
        }
        assert_eq!(ids.len(), 3, "each request has its own");
        child.start_kill().unwrap();
    })
    .await;
}

on_both_databases! {
    async fn a_webhook_is_worked_off_once_more_when_somebody_says_so(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("PAID").await;
        let imp_uid = app.pay("PAID", json!({}));
        app.webhook(&imp_uid, "PAID", "paid").await;
        let run = async |id: &[&str]| finished(program::command(&db, &app.sandbox).env_remove("RUST_LOG").arg("replay").args(id)).await;

        let (is_well, list) = run(&[]).await;
        assert!(is_well, "{list}");
        let columns: Vec<&str> = list.lines().next().unwrap().split('\t').collect();
        assert_eq!(columns[2..], ["v1", "done", "PAID"], "{list}");
        // The money goes back at PortOne, and nobody tells.
        let core = &app.running.core;
        let now = core.clock.now().as_second();
        app.sandbox.patch_payment(&imp_uid, json!({ "status": "cancelled", "cancel_amount": 65_000, "cancelled_at": now })).unwrap();
        assert_eq!(inbox::work_off_due(core, 20).await.unwrap(), 0);
        assert_eq!(app.read_order("PAID").await["status"], "paid");

        let (is_well, said) = run(&[columns[0]]).await;
        assert!(is_well, "{said}");
        assert_eq!(inbox::work_off_due(core, 20).await.unwrap(), 1);
        assert_eq!(app.read_order("PAID").await["status"], "refunded");
        let webhooks = app.history("PAID").await.into_iter().filter(|entry| entry["kind"] == "webhook").count();
        assert_eq!(webhooks, 1, "it came once");
        let (is_well, said) = run(&["999999"]).await;
        assert!(!is_well && said.contains("no webhook 999999"), "{said}");
    }
}

on_both_databases! {
    async fn an_event_is_sent_once_more_when_somebody_says_so(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let receiver = Receiver::start().await;
        let made = app.api(Method::POST, "/api/v1/webhook-endpoints", Some(json!({ "url": receiver.url }))).await.json();
        app.order("PAID").await;
        let imp_uid = app.pay("PAID", json!({}));
        app.complete(&format!("imp_uid={imp_uid}&merchant_uid=PAID")).await;
        let core = &app.running.core;
        assert_eq!(deliveries::deliver_due(core).await.unwrap(), 1);
        let listed = app.api(Method::GET, "/api/v1/deliveries", None).await.json();
        let id = listed["deliveries"][0]["id"].to_string();
        let run = async |id: &[&str]| finished(program::command(&db, &app.sandbox).env_remove("RUST_LOG").arg("replay").args(id)).await;

        let (is_well, said) = run(&["--delivery", &id]).await;
        assert!(is_well, "{said}");
        assert_eq!(deliveries::deliver_due(core).await.unwrap(), 1);
        let [first, second] = &receiver.got()[..] else { panic!("it came twice") };
        assert_eq!((&first.id, first.json()), (&second.id, second.json()), "by its id the shop knows it again");
        let read = app.api(Method::GET, &format!("/api/v1/deliveries/{id}"), None).await.json();
        assert_eq!((&read["status"], read["attempts"].as_array().unwrap().len()), (&json!("delivered"), 2));
        let audited = db.read("SELECT actor FROM audit_log WHERE act = 'redelivered'").await;
        assert_eq!(audited, ["command"]);

        let (is_well, said) = run(&["--delivery", "999999"]).await;
        assert!(!is_well && said.contains("no delivery 999999"), "{said}");
        let (is_well, said) = run(&["1", "--delivery", &id]).await;
        assert!(!is_well && said.contains("cannot be used with"), "one or the other: {said}");
        let endpoint = format!("/api/v1/webhook-endpoints/{}", made["id"].as_str().unwrap());
        app.api(Method::PATCH, &endpoint, Some(json!({ "enabled": false }))).await;
        let (is_well, said) = run(&["--delivery", &id]).await;
        assert!(!is_well && said.contains("it was disabled"), "{said}");
        assert_eq!(deliveries::deliver_due(core).await.unwrap(), 0);
    }
}

/// What the pages and files about running it name is there: settings, commands, metrics.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_about_running_it_name_what_there_is() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let files = ["docs/operations.md", "docs/wanryo.service", "Dockerfile"];
    let (config, readme) = (read("src/config.rs"), read("README.md"));
    for file in files {
        let text = read(file);
        let words =
            text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
        let settings: BTreeSet<&str> = words
            .filter(|word| word.starts_with("WANRYO_") || word.starts_with("PORTONE_"))
            .collect();
        assert!(!settings.is_empty(), "{file}");
        for setting in settings {
            assert!(
                config.contains(&format!("env = \"{setting}\"")),
                "{file}: {setting}"
            );
        }
    }
    for named in ["docs/operations.md", "Dockerfile", "docs/wanryo.service"] {
        assert!(
            readme.contains(named)
                || read("docs/operations.md").contains(named.rsplit('/').next().unwrap()),
            "{named}"
        );
    }
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        filled(&app).await;
        let metrics = app.send(app.client.get(app.url("/metrics"))).await.text;
        let text = fs::read_to_string(root().join("docs/operations.md")).unwrap();
        let names: BTreeSet<&str> = text
            .split(|c: char| !(c.is_ascii_lowercase() || c == '_'))
            .filter(|word| word.starts_with("wanryo_"))
            .collect();
        assert!(names.len() >= 5, "{names:?}");
        for name in names {
            assert!(
                metrics.contains(&format!("\n{name}")),
                "{name} is no metric"
            );
        }
    })
    .await;
}
