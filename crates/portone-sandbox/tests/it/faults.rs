//! Faults: each kind as a client meets it.

use std::io::ErrorKind;
use std::time::Duration;

use portone_sandbox::Event;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Bench, json_of, text_of};

async fn bench_with_payment() -> (Bench, String, String) {
    let bench = Bench::start().await;
    let imp_uid = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 1}))
        .unwrap();
    let token = bench.token().await;
    (bench, format!("/payments/{imp_uid}"), token)
}

#[tokio::test]
async fn each_kind_answers_as_it_says() {
    let (bench, path, token) = bench_with_payment().await;
    let refusal = |code: i64, message: &str| {
        json!({"code": code, "message": message, "response": null}).to_string()
    };
    let cases = [
        (json!({"kind": "status"}), 500, refusal(-1, "sandbox fault")),
        (
            json!({"kind": "status", "status": 429, "body": "slow down"}),
            429,
            "slow down".into(),
        ),
        (
            json!({"kind": "garbage"}),
            200,
            "}{ not JSON \u{fffd}".into(),
        ),
        (json!({"kind": "garbage", "body": "[]"}), 200, "[]".into()),
        (json!({"kind": "empty"}), 200, String::new()),
        (json!({"kind": "code"}), 200, refusal(1, "sandbox fault")),
        (
            json!({"kind": "code", "code": -7, "message": "점검"}),
            200,
            refusal(-7, "점검"),
        ),
        (
            json!({"kind": "unauthorized"}),
            401,
            refusal(-1, "Unauthorized"),
        ),
        (
            json!({"kind": "not_found"}),
            404,
            refusal(-1, "존재하지 않는 결제정보입니다."),
        ),
    ];
    for (mut fault, status, body) in cases {
        fault["call"] = json!("payment");
        fault["times"] = json!(1);
        bench.sandbox.fault(fault.clone()).unwrap();

        let answer = bench.get(&path).bearer_auth(&token).send().await.unwrap();
        let text = text_of(answer, status).await;

        let equal = match serde_json::from_str::<Value>(&body) {
            Ok(body) => serde_json::from_str::<Value>(&text).ok() == Some(body),
            Err(_) => text == body,
        };
        assert!(equal, "{fault}: {text}");
    }
    let answer = bench.get(&path).bearer_auth(&token).send().await.unwrap();
    json_of(answer, 200).await;
}

#[tokio::test]
async fn html_truncated_and_huge_bodies_are_no_envelopes() {
    let (bench, path, token) = bench_with_payment().await;
    let ask = async |kind: &str| {
        let fault = json!({"call": "payment", "kind": kind, "times": 1});
        bench.sandbox.fault(fault).unwrap();
        bench.get(&path).bearer_auth(&token).send().await.unwrap()
    };
    let whole = bench.get(&path).bearer_auth(&token).send().await.unwrap();
    let whole = text_of(whole, 200).await;

    let html = ask("html").await;
    assert_eq!(html.headers()["content-type"], "text/html");
    assert!(text_of(html, 502).await.contains("Bad Gateway"));

    let half = ask("truncated").await.bytes().await.unwrap();
    assert_eq!(half.len(), whole.len() / 2);
    assert!(serde_json::from_slice::<Value>(&half).is_err());

    let huge = ask("huge").await;
    assert!(huge.content_length().unwrap() > 32 * 1024 * 1024);
}

#[tokio::test]
async fn a_stalled_answer_never_comes() {
    let (bench, path, token) = bench_with_payment().await;
    let fault = json!({"call": "payment", "kind": "stall", "times": 1});
    bench.sandbox.fault(fault).unwrap();
    let request = bench.get(&path).bearer_auth(&token);

    let answer = request.timeout(Duration::from_millis(200)).send().await;

    assert!(answer.unwrap_err().is_timeout());
    let journal = bench.sandbox.journal();
    let last = &journal.last().unwrap().event;
    assert!(
        matches!(last, Event::Api { call: "payment", status: None, fault: Some(kind), .. } if kind == "stall"),
        "{last:?}"
    );
}

#[tokio::test]
async fn a_delayed_answer_is_the_real_one() {
    let (bench, path, token) = bench_with_payment().await;
    let fault = json!({"call": "payment", "kind": "delay", "delay_ms": 50, "times": 1});
    bench.sandbox.fault(fault).unwrap();
    let begun = tokio::time::Instant::now();

    let answer = bench.get(&path).bearer_auth(&token).send().await.unwrap();

    assert_eq!(json_of(answer, 200).await["response"]["status"], "paid");
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_reset_is_a_reset_of_the_connection() {
    let bench = Bench::start().await;
    bench
        .sandbox
        .fault(json!({"call": "token", "kind": "reset"}))
        .unwrap();
    let mut stream = TcpStream::connect(bench.sandbox.addr()).await.unwrap();

    stream
        .write_all(b"POST /users/getToken HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let error = stream.read_to_end(&mut answer).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(answer.is_empty());
}

#[tokio::test]
async fn a_fault_hits_its_call_alone_and_as_often_as_told() {
    let (bench, path, token) = bench_with_payment().await;
    let fault = json!({"call": "find_all", "kind": "status", "status": 503, "times": 2});
    bench.sandbox.fault(fault).unwrap();
    let status = async |path: &str| {
        let answer = bench.get(path).bearer_auth(&token).send().await.unwrap();
        answer.status().as_u16()
    };

    assert_eq!(status(&path).await, 200);
    assert_eq!(status("/payments/findAll/ORD-1").await, 503);
    assert_eq!(status("/payments/find/ORD-1").await, 200);
    assert_eq!(status("/payments/findAll/ORD-1").await, 503);
    assert_eq!(status("/payments/findAll/ORD-1").await, 200);
}

#[tokio::test]
async fn any_hits_all_until_deleted() {
    let (bench, path, token) = bench_with_payment().await;
    let body = json!({"call": "any", "kind": "unauthorized"});
    let set = bench.post("/_sandbox/faults").json(&body).send().await;
    assert_eq!(json_of(set.unwrap(), 201).await["id"], 1);
    let status = async || {
        let answer = bench.get(&path).bearer_auth(&token).send().await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!((status().await, status().await), (401, 401));
    let listed = bench.get("/_sandbox/faults").send().await.unwrap();
    assert_eq!(json_of(listed, 200).await.as_array().unwrap().len(), 1);

    let deleted = bench
        .request(Method::DELETE, "/_sandbox/faults")
        .send()
        .await;

    assert_eq!(deleted.unwrap().status().as_u16(), 204);
    assert_eq!(status().await, 200);
}

#[tokio::test]
async fn faults_that_mean_nothing_are_refused() {
    let bench = Bench::start().await;
    for fault in [
        json!({"kind": "status"}),
        json!({"call": "payment"}),
        json!({"call": "everything", "kind": "status"}),
        json!({"call": "any", "kind": "explode"}),
        json!({"call": "any", "kind": "status", "status": 99}),
        json!({"call": "any", "kind": "delay", "delay_ms": 120_001}),
        json!({"call": "any", "kind": "status", "times": 0}),
        json!({"call": "any", "kind": "status", "typo": 1}),
        json!({"call": "any", "kind": "drop"}),
        json!({"call": "webhook", "kind": "status"}),
        json!({"call": "checkout", "kind": "garbage"}),
        json!({"call": "webhook", "kind": "duplicate", "copies": 1}),
        json!({"call": "webhook", "kind": "delay", "delay_ms": 864_000_001}),
        json!({"call": "any", "kind": "status", "percent": 0}),
        json!({"call": "any", "kind": "status", "percent": 101}),
    ] {
        let answer = bench.post("/_sandbox/faults").json(&fault).send().await;
        json_of(answer.unwrap(), 400).await;
        assert!(bench.sandbox.fault(fault).is_err());
    }
}

#[tokio::test]
async fn dropping_the_sandbox_ends_a_stalled_answer() {
    let (bench, path, token) = bench_with_payment().await;
    bench
        .sandbox
        .fault(json!({"call": "payment", "kind": "stall"}))
        .unwrap();
    let request = tokio::spawn(bench.get(&path).bearer_auth(token).send());
    let is_waiting = |journal: &[portone_sandbox::JournalEntry]| {
        journal.iter().any(|entry| {
            matches!(
                &entry.event,
                Event::Api {
                    call: "payment",
                    ..
                }
            )
        })
    };
    bench.sandbox.journal_when(is_waiting).await.unwrap();

    drop(bench);

    // Well before the 120 s that it would have waited: the test ends.
    let answer = request.await.unwrap();
    assert!(answer.is_err() || answer.unwrap().status().as_u16() == 504);
}

#[tokio::test]
async fn a_fault_can_be_there_for_a_while() {
    let (bench, path, token) = bench_with_payment().await;
    bench.sandbox.freeze_clock();
    let fault = json!({"call": "payment", "kind": "not_found", "for_ms": 1000});
    bench.sandbox.fault(fault).unwrap();
    let status = async || {
        let answer = bench.get(&path).bearer_auth(&token).send().await.unwrap();
        answer.status().as_u16()
    };

    let first = status().await;
    bench.sandbox.advance_clock(Duration::from_millis(999));
    let last = status().await;
    bench.sandbox.advance_clock(Duration::from_millis(1));

    assert_eq!((first, last, status().await), (404, 404, 200));
}

#[tokio::test]
async fn a_share_of_the_calls_is_drawn_from_the_seed() {
    let draw = async |seed: u64| {
        let bench = Bench::start_with(portone_sandbox::Sandbox::builder().seed(seed)).await;
        let fault = json!({"call": "token", "kind": "status", "status": 503, "percent": 30});
        bench.sandbox.fault(fault).unwrap();
        let mut hits = Vec::new();
        for _ in 0..100 {
            let answer = bench.post("/users/getToken").send().await.unwrap();
            hits.push(answer.status().as_u16() == 503);
        }
        hits
    };

    let first = draw(7).await;

    let count = first.iter().filter(|hit| **hit).count();
    assert!((15..=45).contains(&count), "{count} of 100");
    assert_eq!(draw(7).await, first);
    assert_ne!(draw(8).await, first);
}

#[tokio::test]
async fn calls_have_their_own_faults() {
    let bench = Bench::start().await;
    let calls = [
        ("list", Method::GET, "/payments?imp_uid[]=imp_1"),
        ("status", Method::GET, "/payments/status/all"),
        ("balance", Method::GET, "/payments/imp_1/balance"),
        ("cancel", Method::POST, "/payments/cancel"),
        ("vbanks", Method::DELETE, "/vbanks/imp_1"),
        ("codes", Method::GET, "/banks"),
        ("codes", Method::GET, "/users/pg"),
    ];
    for (call, method, path) in calls {
        let fault = json!({"call": call, "kind": "status", "status": 418, "times": 1});
        bench.sandbox.fault(fault).unwrap();
        let before = bench.sandbox.calls(call);

        let answer = bench.request(method, path).send().await.unwrap();

        assert_eq!(answer.status().as_u16(), 418, "{call}");
        assert_eq!(bench.sandbox.calls(call), before + 1, "{call}");
    }
}
