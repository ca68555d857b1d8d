//! The program as it is shipped, as a process of its own, with everything logged that any part of it could log.

use std::process::Stdio;

use portone_sandbox::Sandbox;
use reqwest::{RequestBuilder, StatusCode};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::app::{PATIENCE, STORE_ID, V2_SECRET, WEBHOOK_SECRET};
use crate::support::TestDatabase;

/// A server that runs.
pub(crate) struct Program {
    pub(crate) child: Child,
    log: tokio::task::JoinHandle<String>,
    pub(crate) url: String,
}

/// Where the program is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_wanryo");

pub(crate) fn command(database: &TestDatabase, sandbox: &Sandbox) -> Command {
    with_settings(Command::new(PROGRAM), database, sandbox)
}

/// The program's settings, for what ends up running it.
pub(crate) fn with_settings(
    mut command: Command,
    database: &TestDatabase,
    sandbox: &Sandbox,
) -> Command {
    command
        .env_clear()
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "1")
        .env("WANRYO_ADDR", "127.0.0.1:0")
        .env("DATABASE_URL", &database.url)
        .env("PORTONE_V1_API_URL", sandbox.url().as_str())
        .env("PORTONE_V1_MERCHANT_CODE", "imp00000000")
        .env("PORTONE_V1_API_KEY", "imp_apikey")
        .env("PORTONE_V1_API_SECRET", "sandbox-secret")
        .env(
            "PORTONE_V2_API_URL",
            sandbox.url().join("v2").unwrap().as_str(),
        )
        .env("PORTONE_V2_STORE_ID", STORE_ID)
        .env("PORTONE_V2_API_SECRET", V2_SECRET)
        .env("PORTONE_V2_WEBHOOK_SECRETS", WEBHOOK_SECRET)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Program {
    pub(crate) async fn start(database: &TestDatabase, sandbox: &Sandbox) -> Self {
        Self::spawn(command(database, sandbox)).await
    }

    pub(crate) async fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut begun = String::new();
        let url = loop {
            let read = timeout(PATIENCE, lines.read_line(&mut begun)).await;
            assert_ne!(read.expect("it starts").unwrap(), 0, "{begun}");
            if let Some((_, addr)) = begun.split_once("listening on http://") {
                break format!("http://{}", addr.split_whitespace().next().unwrap());
            }
        };
        let log = tokio::spawn(async move {
            lines.read_to_string(&mut begun).await.unwrap();
            begun
        });
        Self { child, log, url }
    }

    /// Ends it, and returns all that it logged.
    pub(crate) async fn end(mut self) -> String {
        self.child.kill().await.unwrap();
        timeout(PATIENCE, self.log)
            .await
            .expect("the log ends")
            .unwrap()
    }
}

/// Runs a short command and returns what it printed and what it logged.
pub(crate) async fn run(mut command: Command, args: &[&str], stdin: &str) -> (String, String) {
    let mut child = command.args(args).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(stdin.as_bytes())
        .await
        .unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (
        String::from_utf8(output.stdout).unwrap().trim().to_owned(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

pub(crate) async fn text(request: RequestBuilder) -> (StatusCode, String) {
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}
