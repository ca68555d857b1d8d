//! A disk that takes nothing more, and a file that may not be written: the program on SQLite, as a process of its own.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;

use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use crate::app::{PATIENCE, TestApp};
use crate::program::{PROGRAM, Program, run, text, with_settings};
use crate::support::{TestDatabase, with_sqlite};

/// The program in a shell that passes failed writes on to it as errors, where the system would end it.
const SHELL: [&str; 3] = ["-c", "trap '' XFSZ; exec \"$0\"", PROGRAM];

/// From now on no file of the process may grow beyond so many bytes, which needs no right that a full file system would.
async fn limit_files(program: &Program, bytes: &str) {
    let pid = program.child.id().unwrap().to_string();
    let limited = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")])
        .status()
        .await
        .unwrap();
    assert!(limited.success());
}

async fn rows(db: &TestDatabase, table: &str) -> String {
    db.read(&format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}"))
        .await
        .remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_acknowledges_nothing_and_is_got_over() {
    with_sqlite(|db| async move {
        let sandbox = TestApp::new_sandbox().await;
        let short = with_settings(Command::new(PROGRAM), &db, &sandbox);
        let (key, _) = run(short, &["key", "create", "--name", "shop"], "").await;
        let mut shell = Command::new("sh");
        shell.args(SHELL);
        let program = Program::spawn(with_settings(shell, &db, &sandbox)).await;
        let client = Client::builder().no_proxy().build().unwrap();
        let url = |path: &str| format!("{}{path}", program.url);
        let order = async |id: &str| {
            let body = json!({ "payment_id": id, "name": "사과", "amount": 65_000 });
            let request = client.post(url("/api/v1/orders")).bearer_auth(&key);
            text(request.json(&body)).await.0
        };
        let webhook = async |id: &str| {
            let body = json!({ "imp_uid": "imp_1", "merchant_uid": id, "status": "paid" });
            text(client.post(url("/payments/webhook")).json(&body))
                .await
                .0
        };
        assert_eq!(order("BEFORE").await, StatusCode::CREATED);
        assert_eq!(webhook("EARLY").await, StatusCode::OK);

        let log = std::fs::metadata(format!("{}-wal", db.sqlite_path().unwrap()));
        limit_files(&program, &log.unwrap().len().to_string()).await;
        for n in 0..5 {
            let full = StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(
                (webhook(&format!("LOST-{n}")).await, order("LOST").await),
                (full, full)
            );
        }
        let read = client.get(url("/api/v1/orders/BEFORE")).bearer_auth(&key);
        assert_eq!(
            text(read).await.0,
            StatusCode::OK,
            "what is stored can be read"
        );
        assert_eq!(
            (rows(&db, "orders").await, rows(&db, "inbox").await),
            ("1".to_owned(), "1".to_owned())
        );

        limit_files(&program, "unlimited").await;
        assert_eq!(webhook("LATE").await, StatusCode::OK);
        assert_eq!(order("AFTER").await, StatusCode::CREATED);
        program.end().await;
        assert_eq!(
            (rows(&db, "orders").await, rows(&db, "inbox").await),
            ("2".to_owned(), "2".to_owned())
        );
        assert_eq!(db.read("PRAGMA integrity_check").await, ["ok"]);
    })
    .await;
}

/// Runs the program without the right that lets an administrator write what nobody may.
fn without_privilege(dir: &Path) -> Command {
    if std::fs::metadata(dir).unwrap().uid() != 0 {
        return Command::new(PROGRAM);
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-dac_override,-dac_read_search", PROGRAM]);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_not_be_written_stops_the_start_and_names_its_setting() {
    with_sqlite(|db| async move {
        let sandbox = TestApp::new_sandbox().await;
        db.open_server().await.close().await;
        let file = Path::new(db.sqlite_path().unwrap());
        let dir = file.parent().unwrap();
        let allow = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };

        allow(file, 0o400);
        for dir_mode in [0o700, 0o500] {
            allow(dir, dir_mode);
            let mut command = with_settings(without_privilege(dir), &db, &sandbox);
            let ended = timeout(PATIENCE, command.stdin(Stdio::null()).output()).await;
            let ended = ended.expect("it starts on what it may not write").unwrap();

            let said = String::from_utf8(ended.stderr).unwrap();
            assert!(!ended.status.success(), "{said}");
            assert!(
                said.contains("DATABASE_URL") && !said.contains("panicked"),
                "{said}"
            );
        }
        allow(dir, 0o700);
    })
    .await;
}
