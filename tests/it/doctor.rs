//! `wanryo doctor`: each mistake is planted once, beside a server that runs, and must be found and named.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;
use wanryo::service::access;

use crate::app::{PATIENCE, TestApp};
use crate::program;
use crate::support::{ClosedPort, TestDatabase, on_both_databases, with_sqlite};

/// Everything that a doctor may print of a secret would be one of these.
const SECRETS: [&str; 5] = [
    "sandbox-secret",
    "sandbox-v2-secret",
    "another shop",
    "c29tZWJvZHkgZWxzZSdzIHNlY3JldA",
    "cG9ydG9uZS1zYW5kYm94LXdlYmhvb2stc2VjcmV0",
];

/// PostgreSQL as the tests have it may flush nothing, so that they are fast. The doctor says so, and rightly.
const NOT_FLUSHED: [&str; 2] = [
    "PostgreSQL runs with fsync = off",
    "PostgreSQL runs with full_page_writes = off",
];

/// What it said, by what it is about; but for [`NOT_FLUSHED`].
pub(crate) struct Said {
    pub(crate) is_well: bool,
    is_flushed: bool,
    pub(crate) text: String,
}

impl Said {
    /// What was found about this, at this level.
    pub(crate) fn about(&self, level: &str, about: &str) -> Option<&str> {
        let start = format!("{level:<8} {about}: ");
        self.text.lines().find_map(|line| line.strip_prefix(&start))
    }

    fn errors(&self) -> Vec<&str> {
        self.text
            .lines()
            .filter(|line| line.starts_with("error "))
            .collect()
    }
}

/// Runs the program with the server's own settings, but for these; an empty one is left out.
pub(crate) async fn examine(db: &TestDatabase, app: &TestApp, changes: &[(&str, &str)]) -> Said {
    let mut command = program::command(db, &app.sandbox);
    command.env_remove("RUST_LOG");
    command.env("WANRYO_PUBLIC_URL", &app.running.public_url);
    for (name, value) in changes {
        if value.is_empty() {
            command.env_remove(name);
        } else {
            command.env(name, value);
        }
    }
    let child = command.arg("doctor").stdin(Stdio::null()).spawn().unwrap();
    let output = tokio::time::timeout(PATIENCE * 3, child.wait_with_output());
    let output = output.await.expect("it ends").unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    for secret in SECRETS {
        let told = format!("{text}{complaint}");
        assert!(!told.contains(secret), "{told}");
    }
    let is_well = output.status.success();
    assert_eq!(
        is_well,
        !text.contains("\nerror ") && !text.starts_with("error "),
        "{text}{complaint}"
    );
    let is_of_the_server = |line: &str| NOT_FLUSHED.iter().any(|fault| line.contains(fault));
    let rest: Vec<&str> = text
        .lines()
        .filter(|line| !is_of_the_server(line))
        .collect();
    Said {
        is_well: !rest.iter().any(|line| line.starts_with("error ")),
        is_flushed: !text.lines().any(is_of_the_server),
        text: rest.join("\n"),
    }
}

/// A server with a person and a key, as one that is in use has.
pub(crate) async fn start(db: &TestDatabase) -> TestApp {
    let app = TestApp::start(db).await;
    let password = secrecy::SecretString::from("correct horse battery");
    access::put_user(&app.running.core, "staff@example.com", password, None)
        .await
        .unwrap();
    app
}

/// Answers every request with these bytes; its address.
async fn answering(answer: impl Fn(&str) -> String + Send + 'static) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 64 * 1024];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let answer = answer(&String::from_utf8_lossy(&request[..read]));
            // Whoever has gone need not be answered.
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    Url::parse(&url).unwrap()
}

on_both_databases! {
    async fn what_is_well_is_called_so(db: TestDatabase) {
        let app = start(&db).await;
        let said = examine(&db, &app, &[("WANRYO_SUPPORT_URL", "https://shop.example/help")]).await;

        assert!(said.is_well && said.errors().is_empty(), "{}", said.text);
        let is_flushed = db.sqlite_path().is_some() || db.read("SELECT setting FROM pg_settings WHERE name = 'fsync'").await == ["on"];
        assert_eq!(said.is_flushed, is_flushed);
        for good in ["DATABASE_URL", "clock", "PORTONE_V1_API_KEY", "PORTONE_V2_API_SECRET", "WANRYO_PUBLIC_URL", "webhook"] {
            let is_good = is_flushed || good != "DATABASE_URL";
            assert_eq!(said.about("good", good).is_some(), is_good, "{good}: {}", said.text);
        }
        let warnings: Vec<&str> = said.text.lines().filter(|line| line.starts_with("warning")).collect();
        assert_eq!(warnings.len(), 1, "only the sandbox is no PortOne: {warnings:#?}");
        // Nothing was changed but that V1's test call came.
        let kept = db.read("SELECT payment_id FROM inbox").await;
        assert_eq!(kept, ["merchant_1234567890"]);
    }

    async fn a_database_of_a_newer_version_is_named(db: TestDatabase) {
        let app = start(&db).await;
        db.run("INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) SELECT 999999, 'of tomorrow', installed_on, success, checksum, 0 FROM _sqlx_migrations WHERE version = 1").await;

        let said = examine(&db, &app, &[]).await;

        let found = said.about("error", "DATABASE_URL").unwrap_or_else(|| panic!("{}", said.text));
        assert!(found.contains("newer version"), "{found}");
    }

    async fn tables_that_are_missing_are_named_and_not_made(db: TestDatabase) {
        let other = TestDatabase { url: db.url.clone() };
        with_sqlite(move |beside| async move {
            let app = start(&beside).await;
            let said = examine(&beside, &app, &[("DATABASE_URL", &other.url)]).await;

            assert!(said.is_well, "{}", said.text);
            let found = said.about("warning", "DATABASE_URL").unwrap_or_else(|| panic!("{}", said.text));
            assert!(found.contains("no tables"), "{found}");
            if let Some(path) = other.sqlite_path() {
                assert!(!std::path::Path::new(path).exists());
            }
        })
        .await;
    }
}

/// What is planted, and the error that must be found: what it is about, and a part of what is said.
type Plant = (
    &'static str,
    Vec<(&'static str, String)>,
    &'static str,
    &'static str,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_planted_mistake_is_found_and_told_how_to_mend() {
    with_sqlite(|db| async move {
        let app = start(&db).await;
        let set = |name: &'static str, value: &str| vec![(name, value.to_owned())];
        let closed_port = ClosedPort::keep();
        let nowhere = closed_port.url();
        let late = answering(|_| "HTTP/1.1 200 OK\r\ndate: Sat, 01 Jan 2022 00:00:00 GMT\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_owned()).await;
        let moved = answering(|request| {
            if request.starts_with("GET ") {
                "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n".to_owned()
            } else {
                "HTTP/1.1 301 Moved\r\nlocation: https://pay.example/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
            }
        })
        .await;
        let no_portone = ["PORTONE_V1_MERCHANT_CODE", "PORTONE_V1_API_KEY", "PORTONE_V1_API_SECRET", "PORTONE_V2_STORE_ID", "PORTONE_V2_API_SECRET", "PORTONE_V2_WEBHOOK_SECRETS"];
        let plants: Vec<Plant> = vec![
            ("an address that is none", set("WANRYO_ADDR", "here"), "WANRYO_ADDR", "does not start"),
            ("half of V1's keys", set("PORTONE_V1_API_SECRET", ""), "PORTONE_V1_API_SECRET", "does not start"),
            ("a webhook secret that is too short", set("PORTONE_V2_WEBHOOK_SECRETS", "whsec_YQ=="), "PORTONE_V2_WEBHOOK_SECRETS", "does not start"),
            ("no PortOne", no_portone.map(|name| (name, String::new())).into(), "PORTONE", "no generation"),
            ("V2 without webhook secrets", set("PORTONE_V2_WEBHOOK_SECRETS", ""), "PORTONE_V2_WEBHOOK_SECRETS", "every webhook"),
            ("V1's merchant code is another id", set("PORTONE_V1_MERCHANT_CODE", "store-1"), "PORTONE_V1_MERCHANT_CODE", "imp"),
            ("V2's store is another id", set("PORTONE_V2_STORE_ID", "imp00000000"), "PORTONE_V2_STORE_ID", "store-"),
            ("wrong keys of V1", set("PORTONE_V1_API_SECRET", "of another shop"), "PORTONE_V1_API_KEY", "does not take the keys"),
            ("a wrong secret of V2", set("PORTONE_V2_API_SECRET", "of-another-shop"), "PORTONE_V2_API_SECRET", "does not take the keys"),
            ("a secret with quotes around it", set("PORTONE_V2_API_SECRET", "\"of-another-shop\""), "PORTONE_V2_API_SECRET", "a quote"),
            ("a part of a secret", set("PORTONE_V1_API_SECRET", "abc"), "PORTONE_V1_API_SECRET", "too short"),
            ("a webhook secret that the server does not have", set("PORTONE_V2_WEBHOOK_SECRETS", "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA=="), "PORTONE_V2_WEBHOOK_SECRETS", "running server"),
            ("PortOne cannot be reached", set("PORTONE_V1_API_URL", &nowhere), "PORTONE_V1_API_URL", "cannot be reached"),
            ("something else answers for PortOne", set("PORTONE_V2_API_URL", moved.as_str()), "PORTONE_V2_API_SECRET", "PortOne"),
            ("the clock is years off", set("PORTONE_V1_API_URL", late.as_str()), "clock", "ahead of"),
            ("nobody at the public address", set("WANRYO_PUBLIC_URL", &nowhere), "WANRYO_PUBLIC_URL", "nothing answers"),
            ("somebody else at the public address", set("WANRYO_PUBLIC_URL", app.sandbox.url().as_str()), "WANRYO_PUBLIC_URL", "not this server"),
            ("a public address without TLS", set("WANRYO_PUBLIC_URL", "http://pay.wanryo.invalid"), "WANRYO_PUBLIC_URL", "http://"),
            ("webhooks are sent elsewhere", set("WANRYO_PUBLIC_URL", moved.as_str()), "webhook", "does not follow"),
            ("PortOne's networks are not among the sources", set("WANRYO_WEBHOOK_SOURCES", "10.0.0.0/8"), "WANRYO_WEBHOOK_SOURCES", "52.78.5.241"),
            ("everybody is a proxy", set("WANRYO_TRUSTED_PROXIES", "0.0.0.0/0"), "WANRYO_TRUSTED_PROXIES", "anybody"),
            ("a folder that is not there", set("DATABASE_URL", "sqlite:///no/such/folder/wanryo.db"), "DATABASE_URL", "cannot be used"),
            ("a folder in the file's place", set("DATABASE_URL", "sqlite:///tmp"), "DATABASE_URL", "cannot be used"),
            ("no PostgreSQL", set("DATABASE_URL", "postgres://x:y@127.0.0.1:1/wanryo"), "DATABASE_URL", "cannot be used"),
        ];
        let mut missed = BTreeMap::new();
        for (name, changes, about, part) in plants {
            let changes: Vec<(&str, &str)> = changes.iter().map(|(name, value)| (*name, value.trim_end_matches('/'))).collect();
            let said = examine(&db, &app, &changes).await;
            let found = said.errors().iter().any(|line| {
                line.strip_prefix("error    ").and_then(|line| line.strip_prefix(about)).is_some_and(|rest| rest.starts_with(": ") && rest.contains(part))
            });
            // Every error is followed by how to mend it.
            let lines: Vec<&str> = said.text.lines().collect();
            let is_mended = lines.iter().enumerate().filter(|(_, line)| line.starts_with("error ")).all(|(at, _)| lines.get(at + 1).is_some_and(|next| next.starts_with("         ")));
            if !found || !is_mended || said.is_well {
                missed.insert(name, said.text);
            }
        }
        assert!(missed.is_empty(), "{missed:#?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_of_the_file_and_of_the_kind_of_money_are_found() {
    with_sqlite(|db| async move {
        let app = start(&db).await;
        let path = db.sqlite_path().unwrap();
        let mode = |mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        let said = examine(&db, &app, &[]).await;
        assert!(said.about("error", "DATABASE_URL").is_some_and(|found| found.contains("others")), "{}", said.text);
        mode(0o600);

        let money = async |mode: &str| {
            let said = examine(&db, &app, &[("WANRYO_MODE", mode)]).await;
            let kinds = said.text.lines().filter(|line| line.starts_with("warning  WANRYO_MODE: ") && line.contains("latest payments"));
            kinds.count()
        };
        assert_eq!((money("live").await, money("test").await), (0, 0), "nothing is paid yet");
        let payment = |id: &str, is_test: bool| json!({ "merchant_uid": id, "amount": 1_000, "status": "paid", "sandbox": is_test });
        app.sandbox.create_payment(payment("TEST", true)).unwrap();
        assert_eq!((money("live").await, money("test").await), (1, 0));
        app.sandbox.create_payment(payment("LIVE", false)).unwrap();
        assert_eq!((money("live").await, money("test").await), (0, 1));

        // Whose database is empty of people and keys is told so.
        db.run("DELETE FROM users").await;
        db.run("DELETE FROM api_keys").await;
        let said = examine(&db, &app, &[]).await;
        for about in ["wanryo user add", "wanryo key create"] {
            assert!(said.about("warning", about).is_some(), "{}", said.text);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_that_takes_no_changes_is_found() {
    Box::pin(crate::support::with_postgres(|db| async move {
        let app = start(&db).await;
        let name = Url::parse(&db.url)
            .unwrap()
            .path()
            .trim_start_matches('/')
            .to_owned();
        db.run(&format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = on"
        ))
        .await;

        let said = examine(&db, &app, &[]).await;

        let found = said
            .about("error", "DATABASE_URL")
            .unwrap_or_else(|| panic!("{}", said.text));
        assert!(found.contains("takes no changes"), "{found}");
    }))
    .await;
}
