//! `wanryo listen` and `wanryo trigger`, as a shop's developer runs them beside a server: every event is made to happen through
//! either generation of PortOne, and comes signed to a server that only this machine can reach.

use std::process::{Output, Stdio};

use portone_sandbox::Sandbox;
use reqwest::StatusCode;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use url::Url;
use wanryo::domain::event::EventType;

use crate::app::{PATIENCE, TestApp};
use crate::events::receiver::Receiver;
use crate::program::{self, Program};
use crate::support::{TestDatabase, on_both_databases, with_sqlite};

/// A server for tests and its PortOne, as a developer has them.
struct Desk<'d> {
    db: &'d TestDatabase,
    sandbox: std::sync::Arc<Sandbox>,
    server: Program,
}

impl<'d> Desk<'d> {
    async fn open(db: &'d TestDatabase) -> Self {
        let sandbox = TestApp::new_sandbox().await;
        let server = Program::spawn(settings(db, &sandbox)).await;
        let webhook_url = format!("{}/payments/webhook", server.url);
        sandbox.set_webhook_url(webhook_url.parse::<Url>().unwrap());
        Self {
            db,
            sandbox,
            server,
        }
    }

    /// The program beside the server, with its settings.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = settings(self.db, &self.sandbox);
        command.env_remove("RUST_LOG");
        command.env("WANRYO_PUBLIC_URL", &self.server.url);
        command.args(arguments);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        run(self.command(arguments)).await
    }

    async fn listen(&self, forward_to: &str) -> Listening {
        let mut command = self.command(&["listen", "--forward-to", forward_to]);
        let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let secret = next(&mut lines).await;
        let secret = secret.strip_prefix("secret\t").unwrap().to_owned();
        assert_eq!(next(&mut lines).await, format!("to\t{forward_to}"));
        Listening {
            child,
            lines,
            secret,
        }
    }
}

fn settings(db: &TestDatabase, sandbox: &Sandbox) -> Command {
    let mut command = program::command(db, sandbox);
    command.env("WANRYO_MODE", "test");
    command
}

async fn run(mut command: Command) -> Output {
    let child = command.stdin(Stdio::null()).spawn().unwrap();
    let output = timeout(PATIENCE * 3, child.wait_with_output());
    output.await.expect("it ends").unwrap()
}

struct Listening {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    secret: String,
}

impl Listening {
    /// The line that tells of this event.
    async fn tells(&mut self, event: &str, payment_id: &str) -> String {
        let mut said = Vec::new();
        let heard = timeout(PATIENCE * 3, async {
            loop {
                let line = self.lines.next_line().await.unwrap().expect("it goes on");
                if line.contains(event) && line.contains(payment_id) {
                    return line;
                }
                said.push(line);
            }
        });
        let heard = heard.await;
        heard.unwrap_or_else(|_| panic!("no {event} of {payment_id}: {said:#?}"))
    }

    async fn stop(mut self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        let asked = Command::new("kill").args([signal, &id]).status().await;
        assert!(asked.unwrap().success());
        let ended = timeout(PATIENCE, self.child.wait()).await;
        assert!(ended.expect("it ends").unwrap().success());
    }
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let line = timeout(PATIENCE * 3, lines.next_line()).await;
    line.expect("it says something")
        .unwrap()
        .expect("it goes on")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

on_both_databases! {
    async fn every_event_is_made_to_happen_and_comes_to_this_machine(db: TestDatabase) {
        let desk = Desk::open(&db).await;
        let shop = Receiver::start().await;
        let mut listening = desk.listen(shop.url.as_str()).await;

        for portone in ["v1", "v2"] {
            for event in EventType::ALL.iter().map(|event| event.as_str()) {
                let made = desk.run(&["trigger", event, "--portone", portone]).await;
                if (event, portone) == ("order.duplicate_payment", "v2") {
                    assert!(!made.status.success() && made.stdout.is_empty());
                    assert!(text(&made.stderr).contains("--portone v1"));
                    continue;
                }
                assert!(made.status.success(), "{event} of {portone}: {}", text(&made.stderr));
                let id = text(&made.stdout);
                let line = listening.tells(event, &id).await;
                assert!(line.ends_with("200 OK"), "{line}");
                let came = shop.got();
                let came: Vec<_> = came.iter().filter(|got| got.payment_id() == id).collect();
                let wanted: Vec<_> = came.iter().filter(|got| got.kind() == event).collect();
                assert_eq!(wanted.len(), 1, "{event} of {portone}");
                assert!(wanted[0].is_signed_with(&listening.secret), "{event}");
            }
        }

        listening.stop("-TERM").await;
        let left = db.read("SELECT status FROM webhook_endpoints").await;
        assert!(left.iter().all(|status| status == "deleted"), "{left:?}");
    }
}

/// What the shop's server answers is what the running server hears: a fault is tried again.
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_shop_looks_as_in_earnest() {
    with_sqlite(async |db| {
        let desk = Desk::open(&db).await;
        let shop = Receiver::start().await;
        shop.answer_with(StatusCode::INTERNAL_SERVER_ERROR);
        let mut listening = desk.listen(shop.url.as_str()).await;

        let made = desk.run(&["trigger", "order.paid"]).await;
        let id = text(&made.stdout);
        let line = listening.tells("order.paid", &id).await;
        assert!(line.ends_with("500 Internal Server Error"), "{line}");
        shop.answer_with(StatusCode::OK);
        let line = listening.tells("order.paid", &id).await;
        assert!(line.ends_with("200 OK"), "{line}");
        assert_eq!(shop.kinds(), ["order.paid", "order.paid"]);
        drop(shop);
        let made = desk.run(&["trigger", "order.paid"]).await;
        let line = listening.tells("order.paid", &text(&made.stdout)).await;
        assert!(line.contains("not delivered: "), "{line}");
        // The terminal was closed.
        listening.stop("-HUP").await;
        let left = db.read("SELECT status FROM webhook_endpoints").await;
        assert_eq!(left, ["deleted"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_named() {
    with_sqlite(async |db| {
        let desk = Desk::open(&db).await;
        for command in [&["listen"] as &[&str], &["trigger", "order.paid"]] {
            let mut closed = desk.command(command);
            closed.env("WANRYO_MODE", "live");
            let refused = run(closed).await;
            assert!(!refused.status.success() && refused.stdout.is_empty());
            let said = text(&refused.stderr);
            assert!(said.contains("WANRYO_MODE=test"), "{command:?}: {said}");
        }

        let mut elsewhere = desk.command(&["trigger", "order.paid"]);
        elsewhere.env("PORTONE_V1_API_URL", &desk.server.url);
        let refused = run(elsewhere).await;
        assert!(!refused.status.success() && refused.stdout.is_empty());
        assert!(text(&refused.stderr).contains("no portone-sandbox"));

        let unknown = desk.run(&["trigger", "order.eaten"]).await;
        assert_eq!(unknown.status.code(), Some(2));
        assert!(text(&unknown.stderr).contains("order.paid, order.virtual_account_issued"));
        let made = db.read("SELECT payment_id FROM orders").await;
        assert!(made.is_empty(), "{made:?}");
    })
    .await;
}
