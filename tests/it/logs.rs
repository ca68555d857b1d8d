//! What the log tells: nothing that opens a door, and nothing of a person.
//!
//! The program runs as it is shipped, with everything logged that any part of it could log, through the whole life of orders;
//! then its log is searched for canaries. The pages and answers that ids alone can open are searched, too.

use std::process::Stdio;
use std::sync::Arc;

use portone::webhook::Signer;
use portone_sandbox::Sandbox;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use url::Url;
use wanryo::adapters::system::SystemClock;
use wanryo::ports::clock::Clock;

use crate::app::{PATIENCE, STORE_ID, TestApp, V2_SECRET, WEBHOOK_SECRET};
use crate::support::{TestDatabase, on_both_databases};

/// What is secret from the log.
const SECRETS: [&str; 5] = [
    "imp_apikey",
    "sandbox-secret",
    V2_SECRET,
    "cG9ydG9uZS1zYW5kYm94LXdlYmhvb2stc2VjcmV0",
    "correct horse battery",
];
/// What is a person's, or could be: of a buyer, of an account, of an address bar.
const PERSONAL: [&str; 13] = [
    "카나리아",
    "canary-buyer@example.com",
    "010-2222-3333",
    "canary-payer",
    "canary-holder",
    "560-canary-560",
    "canary-query",
    "canary-typed@example.com",
    "canary-metadata",
    "canary-payee",
    "110-canary-110",
    "canary-bank",
    "010-4444-5555",
];
/// What would let a line look like another one, or hide it.
const HOSTILE: &str = "x%0D%0A2026-11-21T00:00:00Z%20ERROR%20forged%1B[31m%E2%80%AE";

/// The program, as a process of its own.
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
        self.child.start_kill().unwrap();
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

on_both_databases! {
    async fn a_whole_life_of_orders_leaves_no_secret_and_no_person_in_the_log(db: TestDatabase) {
        let sandbox: Arc<Sandbox> = TestApp::new_sandbox().await;
        let (_, mut log) = run(command(&db, &sandbox), &["user", "add", "staff@example.com", "--password-stdin"], "correct horse battery\n").await;
        let (key, more) = run(command(&db, &sandbox), &["key", "create", "--name", "shop"], "").await;
        assert!(key.starts_with("wr_"), "{key}");
        log.push_str(&more);
        let program = Program::start(&db, &sandbox).await;
        let url = |path: &str| format!("{}{path}", program.url);
        sandbox.set_webhook_url(Url::parse(&url("/payments/webhook")).unwrap());
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let buyer = json!({ "name": "카나리아", "email": "canary-buyer@example.com", "tel": "010-2222-3333" });
        let order = |id: &str, portone: &str| json!({ "payment_id": id, "name": "사과", "amount": 65_000, "buyer": buyer, "portone": portone, "channel_key": "channel-key-1", "metadata": { "note": "canary-metadata" } });
        let shop = |request: RequestBuilder| request.bearer_auth(&key);

        // Orders are made, and their pay pages opened.
        let mut pay_tokens = Vec::new();
        let mut status_tokens = Vec::new();
        for (id, portone) in [("PAID", "v1"), ("FAILED", "v1"), ("BANK", "v1"), ("DOWN", "v1"), ("CLOSED", "v1"), ("V2", "v2")] {
            let (status, made) = text(shop(client.post(url("/api/v1/orders")).json(&order(id, portone)))).await;
            assert_eq!(status, StatusCode::CREATED, "{made}");
            let made: Value = serde_json::from_str(&made).unwrap();
            let pay_url = made["pay_url"].as_str().unwrap().to_owned();
            pay_tokens.push(pay_url.split_once("token=").unwrap().1.to_owned());
            status_tokens.push(made["status_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned());
            assert_eq!(text(client.get(&pay_url).header("accept", "text/html")).await.0, StatusCode::OK);
        }
        // PortOne's side of them.
        let person = json!({ "buyer_name": "canary-payer", "buyer_email": "canary-buyer@example.com", "buyer_tel": "010-2222-3333" });
        let pay = |id: &str, fields: Value| {
            let mut all = json!({ "merchant_uid": id, "amount": 65_000, "status": "paid" });
            all.as_object_mut().unwrap().extend(person.as_object().unwrap().clone());
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            sandbox.create_payment(all).unwrap()
        };
        let paid = pay("PAID", json!({}));
        let failed = pay("FAILED", json!({ "status": "failed", "fail_reason": "카나리아" }));
        let bank = pay("BANK", json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "560-canary-560", "vbank_holder": "canary-holder", "vbank_date": 4_102_444_800_i64 }));
        // Webhooks, signed and not, good and bad.
        for (imp_uid, id) in [(&paid, "PAID"), (&failed, "FAILED"), (&bank, "BANK")] {
            let body = json!({ "imp_uid": imp_uid, "merchant_uid": id, "status": "paid", "buyer_name": "카나리아" });
            assert_eq!(text(client.post(url("/payments/webhook")).json(&body)).await.0, StatusCode::OK);
        }
        text(client.post(url("/payments/webhook")).header("content-type", "application/json").body("{\"merchant_uid\":\"canary-query")).await;
        let signed = json!({ "type": "Transaction.Paid", "timestamp": "2026-11-21T00:00:00Z", "data": { "paymentId": "V2", "transactionId": "tx-1", "name": "카나리아" } }).to_string();
        for at in [SystemClock.now().as_second(), 0] {
            let mut request = client.post(url("/payments/webhook")).header("content-type", "application/json").body(signed.clone());
            for (name, value) in &Signer::new([WEBHOOK_SECRET]).unwrap().sign("wh-1", at, signed.as_bytes()) {
                request = request.header(name, value);
            }
            text(request).await;
        }
        // Buyers come back in every state, with more in the address than belongs there.
        sandbox.fault(json!({ "call": "find_all", "kind": "garbage", "body": "카나리아", "times": 2 })).unwrap();
        for query in [
            format!("imp_uid={paid}&merchant_uid=PAID&error_msg=canary-query"), format!("imp_uid={failed}&merchant_uid=FAILED&buyer_name=canary-query"), format!("imp_uid={bank}&merchant_uid=BANK"),
            "merchant_uid=DOWN&x=canary-query".to_owned(), "merchant_uid=canary-query%2F..".to_owned(), "imp_uid=imp_9&merchant_uid=NOBODY&x=canary-query".to_owned(), format!("merchant_uid={HOSTILE}&error_msg={HOSTILE}"),
        ] {
            for accept in ["text/html", "application/json"] {
                let (_, answer) = text(client.get(url(&format!("/payments/complete?{query}"))).header("accept", accept)).await;
                for canary in PERSONAL.iter().filter(|canary| !["560-canary-560", "canary-holder"].contains(*canary)) {
                    assert!(!answer.contains(canary), "{query} tells {canary}: {answer}");
                }
            }
            text(client.post(url("/payments/complete")).header("content-type", "application/x-www-form-urlencoded").body(query)).await;
        }
        for token in &status_tokens {
            let (status, page) = text(client.get(url(&format!("/o/{token}"))).header("accept", "text/html")).await;
            assert!(status.is_success(), "{status}");
            assert!(!page.contains("canary-payer") && !page.contains("카나리아"), "{page}");
            text(client.post(url("/api/payments/look-up")).header("sec-fetch-site", "same-origin").form(&[("token", token.as_str())])).await;
        }
        text(client.post(url("/payments/confirm")).json(&json!({ "imp_uid": paid, "merchant_uid": "PAID", "amount": 1, "buyer": "카나리아" }))).await;
        // Money goes back to an account that only the request names; PortOne's answer breaks the first time.
        sandbox.patch_payment(&bank, json!({ "status": "paid" })).unwrap();
        text(shop(client.post(url("/api/v1/orders/BANK/sync")))).await;
        sandbox.fault(json!({ "call": "cancel", "kind": "truncated", "times": 1 })).unwrap();
        let account = json!({ "bank": "canary-bank", "number": "110-canary-110", "holder": "canary-payee", "tel": "010-4444-5555" });
        for (key, amount, wanted) in [("1", 30_000, 201), ("1", 30_000, 200), ("1", 1, 422), ("2", 90_000, 409), ("3", -1, 422)] {
            let request = shop(client.post(url("/api/v1/orders/BANK/refunds"))).header("idempotency-key", key);
            let (status, answer) = text(request.json(&json!({ "reason": "x", "amount": amount, "refund_account": account }))).await;
            assert_eq!(status, wanted, "{answer}");
            assert!(!answer.contains("canary"), "the account is nobody's to read back: {answer}");
        }
        for (key, body) in [("4", "{\"refund_account\":{\"holder\":\"canary-payee"), ("5", "{\"reason\":\"x\",\"refund_account\":{\"canary-bank\":1}}")] {
            text(shop(client.post(url("/api/v1/orders/BANK/refunds"))).header("idempotency-key", key).body(body)).await;
        }
        let (_, refunds) = text(shop(client.get(url("/api/v1/orders/BANK/refunds")))).await;
        assert!(refunds.contains("in_doubt") && !refunds.contains("canary"), "{refunds}");
        // The shop and its people.
        for path in ["/api/v1/orders", "/api/v1/orders?q=canary-query", "/api/v1/orders/PAID", "/api/v1/orders/BANK/events", "/api/v1/orders?limit=canary-query"] {
            text(shop(client.get(url(path)))).await;
        }
        text(client.get(url("/api/v1/orders")).bearer_auth("wr_canary-query")).await;
        text(shop(client.post(url("/api/v1/orders")).body("{\"buyer\":\"카나리아"))).await;
        text(shop(client.post(url("/api/v1/orders")).json(&json!({ "payment_id": "X", "name": "x", "amount": 1, "카나리아": 1 })))).await;
        for path in ["/api/v1/orders/DOWN/sync", "/api/v1/orders/CLOSED/close", "/api/v1/orders/PAID/close"] {
            text(shop(client.post(url(path)))).await;
        }
        let login = |email: &'static str, password: &'static str| client.post(url("/login")).form(&[("email", email), ("password", password), ("next", "/orders?q=canary-query")]);
        text(login("canary-typed@example.com", "correct horse battery")).await;
        let signed_in = login("staff@example.com", "correct horse battery").send().await.unwrap();
        let cookie = signed_in.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let session = cookie.split_once('=').unwrap().1.to_owned();
        for path in ["/orders", "/orders?q=canary-query", "/orders/PAID", "/orders/BANK"] {
            assert_eq!(text(client.get(url(path)).header("cookie", &cookie).header("accept", "text/html")).await.0, StatusCode::OK);
        }
        for path in ["/orders/PAID/sync", "/orders/DOWN/close", "/logout"] {
            text(client.post(url(path)).header("cookie", &cookie).header("sec-fetch-site", "same-origin")).await;
        }
        // Ids of others, and addresses that forge lines.
        for path in [format!("/pay/{HOSTILE}"), format!("/{HOSTILE}"), format!("/o/{HOSTILE}"), "/pay/PAID?token=canary-query".to_owned(), "/nonsense?canary-query".to_owned()] {
            let (_, page) = text(client.get(url(&path)).header("accept", "text/html").header("user-agent", "canary-query")).await;
            assert!(!page.contains("canary-buyer@example.com"), "{page}");
        }
        log.push_str(&program.end().await);

        assert!(log.contains("TRACE") && log.contains("a request was answered") && log.contains("/payments/complete"), "everything was logged: {} bytes", log.len());
        let (key, session) = (key.as_str(), session.as_str());
        let tokens = pay_tokens.iter().chain(&status_tokens).map(String::as_str);
        for canary in SECRETS.into_iter().chain(PERSONAL).chain([key, session]).chain(tokens) {
            let told: Vec<&str> = log.lines().filter(|line| line.contains(canary)).take(3).collect();
            assert!(told.is_empty(), "the log tells {canary}: {told:#?}");
        }
        for line in log.lines() {
            assert!(line.starts_with("20") && line.as_bytes().get(4) == Some(&b'-'), "every line is one of ours: {line}");
            assert!(!line.contains('\u{1b}') && !line.contains('\u{202e}') && !line.contains('\r'), "{line:?}");
        }
    }
}
