//! The server's edge, by raw bytes: clients that are slow, many, greedy or ambiguous.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use wanryo::adapters::system::SystemClock;
use wanryo::compose::Rounds;
use wanryo::config::Settings;
use wanryo::web::limits::Limits;

use crate::app::{PATIENCE, TestApp};
use crate::support::{TestDatabase, with_sqlite};

/// What a client is given in these tests, where the product gives it seconds.
const SHORT: Duration = Duration::from_millis(300);
/// A webhook that means nothing to anybody.
const STRAY_WEBHOOK: &str = r#"{"imp_uid":"imp_1","merchant_uid":"NO-SUCH-ORDER","status":"paid"}"#;

async fn start(db: &TestDatabase, limits: Limits, change: impl FnOnce(&mut Settings)) -> TestApp {
    let sandbox = TestApp::new_sandbox().await;
    TestApp::start_within(
        db,
        sandbox,
        change,
        Arc::new(SystemClock),
        limits,
        Rounds::ByWorker,
    )
    .await
}

async fn open(addr: SocketAddr) -> TcpStream {
    TcpStream::connect(addr).await.unwrap()
}

/// A client with another address: the whole of 127.0.0.0/8 is this machine.
async fn open_from(source: &str, addr: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
    socket.connect(addr).await.unwrap()
}

/// Everything until the server closes, which it must.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let closed = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    // A connection that is closed before all was read is reset; what came before that still counts.
    let _reset_or_not = closed.expect("the connection is still open");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The first answer's status line, while the connection stays open.
async fn status_line(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8())
            .await
            .expect("there is an answer");
        let Ok(byte) = byte else { break };
        bytes.push(byte);
    }
    let head = String::from_utf8_lossy(&bytes);
    head.lines().next().unwrap_or_default().to_owned()
}

async fn send(addr: SocketAddr, request: &str) -> String {
    let mut stream = open(addr).await;
    // The server may close while we still write: what it said is what counts.
    let _written_or_not = stream.write_all(request.as_bytes()).await;
    rest(&mut stream).await
}

/// Waits until a verification stands at PortOne.
async fn portone_is_asked(app: &TestApp) {
    let asked = async {
        while app.sandbox.calls("payment") == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, asked).await.expect("PortOne is asked");
}

/// How many answers there were.
fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_drips_is_answered_and_closed() {
    with_sqlite(|db| async move {
        let limits = Limits { body_timeout: SHORT, ..Limits::default() };
        let app = start(&db, limits, |_| {}).await;
        for path in ["/payments/webhook", "/payments/complete", "/login", "/api/v1/orders", "/nonsense"] {
            let mut stream = open(app.running.addr).await;
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60\r\n\r\n{{");
            stream.write_all(head.as_bytes()).await.unwrap();
            let answer = rest(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close") && answer.contains("/problems/too-slow"), "{path}: {answer}");
        }
        assert_eq!(db.read("SELECT payment_id FROM inbox").await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_stop_and_connections_that_idle_are_closed() {
    with_sqlite(|db| async move {
        let limits = Limits {
            header_timeout: SHORT,
            ..Limits::default()
        };
        let app = start(&db, limits, |_| {}).await;
        let mut halves = Vec::new();
        for _ in 0..200 {
            let mut stream = open(app.running.addr).await;
            stream
                .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
                .await
                .unwrap();
            halves.push(stream);
        }
        // While two hundred say half a sentence, another is heard.
        assert_eq!(app.page("/healthz").await.status, StatusCode::OK);
        for mut half in halves {
            assert_eq!(answers(&rest(&mut half).await), 0);
        }

        let mut idle = open(app.running.addr).await;
        idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let said = rest(&mut idle).await;
        assert!(
            said.starts_with("HTTP/1.1 200 ") && answers(&said) == 1,
            "{said}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_does_not_hold_a_place() {
    with_sqlite(|db| async move {
        let limits = Limits {
            write_timeout: SHORT,
            connections: 1,
            ..Limits::default()
        };
        let app = start(&db, limits, |_| {}).await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut greedy = socket.connect(app.running.addr).await.unwrap();
        let request = "GET /payments/complete HTTP/1.1\r\nhost: x\r\naccept: text/html\r\n\r\n";

        // Asks for pages until the server has had enough of it, and reads none.
        let asking = async { while greedy.write_all(request.as_bytes()).await.is_ok() {} };
        timeout(4 * PATIENCE, asking)
            .await
            .expect("the server ends it");

        let freed = async {
            while !send(
                app.running.addr,
                "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            )
            .await
            .starts_with("HTTP/1.1 200 ")
            {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, freed)
            .await
            .expect("the place is free again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_is_told_when_it_has_enough_and_others_are_served() {
    with_sqlite(|db| async move {
        let limits = Limits {
            connections_per_address: 2,
            ..Limits::default()
        };
        let app = start(&db, limits, |_| {}).await;
        let addr = app.running.addr;
        let ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut held = [
            open_from("127.0.0.2", addr).await,
            open_from("127.0.0.2", addr).await,
        ];
        for stream in &mut held {
            stream.write_all(ask).await.unwrap();
            assert_eq!(status_line(stream).await, "HTTP/1.1 200 OK");
        }

        let refused = rest(&mut open_from("127.0.0.2", addr).await).await;
        assert!(
            refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 5"),
            "{refused}"
        );
        let answer = app.send(app.client.get(app.url("/healthz"))).await;
        for begin in [
            "cache-",
            "x-content-",
            "x-frame-",
            "referrer-",
            "content-security-",
            "cross-origin-",
            "permissions-",
        ] {
            let mut same = answer
                .headers
                .iter()
                .filter(|(name, _)| name.as_str().starts_with(begin))
                .peekable();
            assert!(same.peek().is_some(), "{begin}");
            for (name, value) in same {
                let line = format!("\r\n{name}: {}\r\n", value.to_str().unwrap());
                assert!(refused.contains(&line), "{line}: {refused}");
            }
        }
        let mut other = open_from("127.0.0.3", addr).await;
        other.write_all(ask).await.unwrap();
        assert_eq!(status_line(&mut other).await, "HTTP/1.1 200 OK");

        drop(held);
        let again = async {
            loop {
                let mut stream = open_from("127.0.0.2", addr).await;
                if stream.write_all(ask).await.is_ok()
                    && status_line(&mut stream).await == "HTTP/1.1 200 OK"
                {
                    break;
                }
            }
        };
        timeout(PATIENCE, again).await.expect("places come back");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_may_open_what_it_needs_until_the_server_is_full() {
    with_sqlite(|db| async move {
        let limits = Limits {
            connections: 4,
            connections_per_address: 1,
            ..Limits::default()
        };
        let app = start(&db, limits, |settings| {
            settings.trusted_proxies = vec!["127.0.0.2/32".parse().unwrap()];
        })
        .await;
        let mut held = Vec::new();
        for _ in 0..4 {
            let mut stream = open_from("127.0.0.2", app.running.addr).await;
            stream
                .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                .await
                .unwrap();
            assert_eq!(status_line(&mut stream).await, "HTTP/1.1 200 OK");
            held.push(stream);
        }
        let full = rest(&mut open_from("127.0.0.2", app.running.addr).await).await;
        assert!(full.starts_with("HTTP/1.1 503 "), "{full}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_server_says_so_at_once_and_still_hears_portone() {
    with_sqlite(|db| async move {
        let limits = Limits {
            requests: 1,
            requests_of_portone: 1,
            ..Limits::default()
        };
        let app = Arc::new(start(&db, limits, |_| {}).await);
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));
        app.sandbox
            .fault(json!({ "call": "payment", "kind": "delay", "delay_ms": 60_000 }))
            .unwrap();
        let busy = tokio::spawn({
            let (app, query) = (
                Arc::clone(&app),
                format!("imp_uid={imp_uid}&merchant_uid=ORD-1"),
            );
            async move { app.complete(&query).await.outcome() }
        });
        portone_is_asked(&app).await;

        let page = app.page("/payments/complete?merchant_uid=ORD-1").await;
        let api = app.api(reqwest::Method::GET, "/api/v1/orders", None).await;
        let alive = app.page("/healthz").await;
        let webhook = app
            .send(
                app.client
                    .post(app.url("/payments/webhook"))
                    .header("content-type", "application/json")
                    .body(STRAY_WEBHOOK),
            )
            .await;

        for refused in [&page, &api] {
            assert_eq!(
                (
                    refused.status,
                    refused.headers["retry-after"].to_str().unwrap()
                ),
                (StatusCode::SERVICE_UNAVAILABLE, "5")
            );
        }
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        assert!(
            page.text.contains("다시 결제하지 말고") || page.text.contains("don’t pay again"),
            "{}",
            page.text
        );
        assert_eq!(api.json()["type"], "/problems/unavailable");
        assert_eq!(
            (alive.status, webhook.status),
            (StatusCode::OK, StatusCode::OK)
        );
        assert_eq!(busy.await.unwrap(), "unconfirmed");
        assert_eq!(
            app.page("/login").await.status,
            StatusCode::OK,
            "its place is free again"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_without_one_meaning_are_refused() {
    with_sqlite(|db| async move {
        let app = start(&db, Limits::default(), |_| {}).await;
        let second = "GET /healthz HTTP/1.1\r\nhost: smuggled\r\n\r\n";
        let chunk = "1\r\nx\r\n0\r\n\r\n";
        for head in [
            "POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 11\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nhost: x\r\nContent-Length: 11\r\nTRANSFER-ENCODING: Chunked\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\ncontent-length: 12\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 11, 11\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: +11\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 0x0b\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nhost: x\r\ntransfer-encoding : chunked\r\n\r\n",
            "POST /healthz HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST /healthz HTTP/1.1\r\nhost: x\r\nx: a\r\n transfer-encoding: chunked\r\n\r\n",
            "GET /healthz HTTP/1.1\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nho st: x\r\n\r\n",
            "GET /healthz HTTP/2.0\r\nhost: x\r\n\r\n",
            "GET  /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET /health\0z HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET healthz HTTP/1.1\r\nhost: x\r\n\r\n",
            "CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        ] {
            let said = send(app.running.addr, &format!("{head}{chunk}{second}")).await;
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 400 "), "{head}: {said}");
            assert_eq!(answers(&said), usize::from(!said.is_empty()), "{head}: {said}");
        }

        let old = send(app.running.addr, "GET /healthz HTTP/1.0\r\n\r\n").await;
        assert!(old.starts_with("HTTP/1.0 200 "), "{old}");
        let chunked = send(app.running.addr, &format!("POST /payments/webhook HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{STRAY_WEBHOOK}\r\n0\r\n\r\n{second}", STRAY_WEBHOOK.len())).await;
        assert!(chunked.starts_with("HTTP/1.1 200 ") && answers(&chunked) == 1, "one request, whole, and the end: {chunked}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn header_bombs_go_off_outside() {
    with_sqlite(|db| async move {
        let app = start(&db, Limits::default(), |_| {}).await;
        let many: String = (0..64).map(|number| format!("x-{number}: y\r\n")).collect();
        let just_enough: String = (0..62).map(|number| format!("x-{number}: y\r\n")).collect();
        for (name, headers, is_fine) in [
            ("many", many, false),
            ("just enough", just_enough, true),
            (
                "one long",
                format!("x: {}\r\n", "y".repeat(40 * 1024)),
                false,
            ),
            (
                "one long name",
                format!("{}: y\r\n", "x".repeat(40 * 1024)),
                false,
            ),
        ] {
            let said = send(
                app.running.addr,
                &format!("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n"),
            )
            .await;
            assert_eq!(said.starts_with("HTTP/1.1 200 "), is_fine, "{name}: {said}");
        }
        let long_address = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(70 * 1024));
        assert!(
            !send(app.running.addr, &long_address)
                .await
                .starts_with("HTTP/1.1 200 ")
        );
    })
    .await;
}

/// A request whose body never ends, a connection that idles, and a verification that PortOne keeps waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_takes_less_than_ten_seconds_whatever_hangs() {
    with_sqlite(|db| async move {
        let app = start(&db, Limits::default(), |_| {}).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));
        app.sandbox.fault(json!({ "call": "payment", "kind": "delay", "delay_ms": 60_000 })).unwrap();
        let mut hanging = open(app.running.addr).await;
        hanging.write_all(b"POST /payments/webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 60\r\n\r\n{").await.unwrap();
        let mut idle = open(app.running.addr).await;
        idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert_eq!(status_line(&mut idle).await, "HTTP/1.1 200 OK");
        let mut verified = open(app.running.addr).await;
        verified.write_all(format!("GET /payments/complete?imp_uid={imp_uid}&merchant_uid=ORD-1 HTTP/1.1\r\nhost: x\r\naccept: application/json\r\n\r\n").as_bytes()).await.unwrap();
        portone_is_asked(&app).await;
        let TestApp { running, sandbox, .. } = app;

        let before = Instant::now();
        let stopped = tokio::spawn(running.stop());
        assert_eq!(rest(&mut idle).await.matches("HTTP/1.1").count(), 0, "who idles is let go at once");
        let answer = rest(&mut verified).await;
        assert!(answer.contains("\"unconfirmed\""), "a running request is still answered: {answer}");
        stopped.await.unwrap();
        let took = before.elapsed();

        assert!(took < Duration::from_secs(10), "{took:?}");
        rest(&mut hanging).await;
        drop(sandbox);
    })
    .await;
}

/// The pages' own router would take them, past what their routes do first.
#[tokio::test]
async fn a_slash_behind_a_pages_name_is_taken_away() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        let get = async |path: &str| {
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            send(app.running.addr, &request).await
        };

        for (path, to) in [
            ("/orders/", "/orders"),
            ("/orders/ORD-1/?lang=en", "/orders/ORD-1?lang=en"),
            ("/settings/keys//", "/settings/keys"),
            ("/o/abc/", "/o/abc"),
            ("/no-such-page/", "/no-such-page"),
            ("//evil.example/", "/evil.example"),
            ("/\\evil.example/", "/evil.example"),
        ] {
            let answer = get(path).await;
            let location = format!("\r\nlocation: {to}\r\n");
            assert!(
                answer.starts_with("HTTP/1.1 308 ") && answer.contains(&location),
                "{path}: {answer}"
            );
        }
        let slashes = get("//").await;
        assert!(slashes.starts_with("HTTP/1.1 404 "), "{slashes}");
    })
    .await;
}
