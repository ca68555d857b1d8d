//! Webhooks: which, when, how often, in what form.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use portone_sandbox::{Event, JournalEntry, Sandbox, WebhookMode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use url::Url;

use crate::support::{Bench, json_of, location};

#[derive(Debug)]
struct Received {
    path: String,
    content_type: String,
    body: String,
}

/// A shop that hands every webhook to the test, and answers 200 as often as the test lets it.
struct Shop {
    url: Url,
    received: mpsc::UnboundedReceiver<Received>,
    answers: Arc<Semaphore>,
}

impl Shop {
    async fn start(answers: usize) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let answers = Arc::new(Semaphore::new(answers));
        let permits = answers.clone();
        let app = Router::new().fallback(async move |request: Request| {
            let path = request.uri().path().to_owned();
            let content_type = request.headers()["content-type"]
                .to_str()
                .unwrap()
                .to_owned();
            let body = axum::body::to_bytes(request.into_body(), 4096)
                .await
                .unwrap();
            let body = String::from_utf8(body.to_vec()).unwrap();
            let _ = sender.send(Received {
                path,
                content_type,
                body,
            });
            permits.acquire().await.unwrap().forget();
            StatusCode::OK
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Shop {
            url: url.parse().unwrap(),
            received,
            answers,
        }
    }

    async fn next_json(&mut self) -> Value {
        let received = self.received.recv().await.unwrap();
        assert_eq!(received.content_type, "application/json");
        assert_eq!(received.path, "/hook");
        serde_json::from_str(&received.body).unwrap()
    }
}

const ENOUGH: usize = 100;

async fn bench_and_shop(answers: usize) -> (Bench, Shop) {
    let shop = Shop::start(answers).await;
    let builder = Sandbox::builder().webhook_url(shop.url.clone());
    (Bench::start_with(builder).await, shop)
}

fn webhooks(journal: &[JournalEntry]) -> Vec<&JournalEntry> {
    journal
        .iter()
        .filter(|entry| matches!(entry.event, Event::Webhook { .. }))
        .collect()
}

fn is_answered(entry: &JournalEntry) -> bool {
    matches!(
        entry.event,
        Event::Webhook {
            answer: Some(200),
            duration_ms: Some(_),
            ..
        }
    )
}

fn redirect_seq(journal: &[JournalEntry]) -> u64 {
    let redirect = journal
        .iter()
        .find(|entry| matches!(entry.event, Event::Redirect { .. }));
    redirect.unwrap().seq
}

#[tokio::test]
async fn after_the_redirect_is_the_default_and_does_not_wait_for_the_answer() {
    let (bench, mut shop) = bench_and_shop(0).await;
    let imp_uid = bench.open(json!({})).await;

    // The shop answers nothing yet, and still the browser is sent back.
    let answer = bench.choose(&imp_uid, &[("choice", "pay")]).await;
    location(&answer);
    let body = shop.next_json().await;
    shop.answers.add_permits(ENOUGH);

    assert_eq!(
        body,
        json!({"imp_uid": imp_uid, "merchant_uid": "ORD-1", "status": "paid"})
    );
    let journal = bench
        .sandbox
        .journal_when(|journal| webhooks(journal).into_iter().any(is_answered))
        .await
        .unwrap();
    assert!(redirect_seq(&journal) < webhooks(&journal)[0].seq);
}

#[tokio::test]
async fn before_the_redirect_waits_for_the_answer() {
    let (bench, mut shop) = bench_and_shop(0).await;
    let imp_uid = bench.open(json!({})).await;
    let choice = bench
        .post(&format!("/_sandbox/window/{imp_uid}"))
        .form(&[("choice", "pay"), ("webhook", "before")])
        .send();
    let choice = tokio::spawn(choice);

    shop.next_json().await;
    assert!(
        !bench
            .sandbox
            .journal()
            .iter()
            .any(|entry| matches!(entry.event, Event::Redirect { .. }))
    );
    shop.answers.add_permits(ENOUGH);
    let answer = choice.await.unwrap().unwrap();

    location(&answer);
    let journal = bench.sandbox.journal();
    let webhooks = webhooks(&journal);
    assert_eq!(webhooks.len(), 1);
    assert!(is_answered(webhooks[0]));
    assert!(webhooks[0].seq < redirect_seq(&journal));
}

#[tokio::test]
async fn twice_sends_the_same_at_the_same_time() {
    let (bench, mut shop) = bench_and_shop(0).await;
    let imp_uid = bench.open(json!({})).await;

    bench
        .choose(&imp_uid, &[("choice", "pay"), ("webhook", "twice")])
        .await;

    // The second comes although the first has no answer.
    let first = shop.next_json().await;
    assert_eq!(shop.next_json().await, first);
    shop.answers.add_permits(ENOUGH);
    let both = |journal: &[JournalEntry]| {
        webhooks(journal)
            .into_iter()
            .filter(|e| is_answered(e))
            .count()
            == 2
    };
    bench.sandbox.journal_when(both).await.unwrap();
}

#[tokio::test]
async fn never_and_failures_send_nothing() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    for (number, fields) in [
        &[("choice", "pay"), ("webhook", "never")][..],
        &[("choice", "decline")],
        &[("choice", "cancel")],
        &[("choice", "abandon")],
        &[("choice", "fail_flag_true")],
    ]
    .into_iter()
    .enumerate()
    {
        let imp_uid = bench
            .open(json!({"merchant_uid": format!("ORD-{number}")}))
            .await;
        bench.choose(&imp_uid, fields).await;
    }

    // Sent with the same delay and started later: what the choices above had sent would be here before it.
    let imp_uid = bench.open(json!({"merchant_uid": "LAST"})).await;
    bench.choose(&imp_uid, &[("choice", "pay")]).await;

    assert_eq!(shop.next_json().await["merchant_uid"], "LAST");
    assert_eq!(webhooks(&bench.sandbox.journal()).len(), 1);
}

#[tokio::test]
async fn forms_carry_the_same_fields() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    let imp_uid = bench.open(json!({"merchant_uid": "주문 1"})).await;

    bench
        .choose(
            &imp_uid,
            &[("choice", "issue_vbank"), ("webhook_format", "form")],
        )
        .await;

    let received = shop.received.recv().await.unwrap();
    assert_eq!(received.content_type, "application/x-www-form-urlencoded");
    assert_eq!(
        received.body,
        format!("imp_uid={imp_uid}&merchant_uid=%EC%A3%BC%EB%AC%B8+1&status=ready")
    );
}

#[tokio::test]
async fn an_account_is_told_of_at_issue_deposit_and_cancel() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    let imp_uid = bench.open(json!({})).await;
    let act = async |action: &str, body: Value| {
        let path = format!("/_sandbox/payments/{imp_uid}/{action}");
        json_of(bench.post(&path).json(&body).send().await.unwrap(), 200).await
    };

    bench.choose(&imp_uid, &[("choice", "issue_vbank")]).await;
    let issued = shop.next_json().await;
    let paid = act("deposit", json!({})).await;
    let deposited = shop.next_json().await;
    let cancelled = act("cancel", json!({"amount": 900, "reason": "변심"})).await;
    let refunded = shop.next_json().await;

    assert_eq!(issued["status"], "ready");
    assert_eq!(deposited["status"], "paid");
    assert_eq!(paid["pay_method"], "vbank");
    assert_eq!(refunded["status"], "cancelled");
    assert_eq!(
        refunded["cancellation_id"],
        cancelled["cancel_history"][0]["cancellation_id"]
    );
    assert_eq!(cancelled["cancel_amount"], 900);
}

#[tokio::test]
async fn notice_url_replaces_the_configured_address() {
    let (bench, mut configured) = bench_and_shop(ENOUGH).await;
    let mut own = Shop::start(ENOUGH).await;
    let imp_uid = bench.open(json!({"notice_url": own.url.as_str()})).await;

    bench
        .choose(&imp_uid, &[("choice", "pay"), ("webhook", "before")])
        .await;

    assert_eq!(own.next_json().await["imp_uid"], imp_uid.as_str());
    assert!(configured.received.try_recv().is_err());
    assert_eq!(webhooks(&bench.sandbox.journal()).len(), 1);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_journaled_with_its_reason() {
    let bench = Bench::start().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    bench.sandbox.set_webhook_url(url.parse::<Url>().unwrap());
    bench.sandbox.set_webhook(WebhookMode::Before);
    let imp_uid = bench.open(json!({})).await;

    location(&bench.choose(&imp_uid, &[("choice", "pay")]).await);

    let journal = bench.sandbox.journal();
    let entry = &webhooks(&journal)[0].event;
    assert!(
        matches!(
            entry,
            Event::Webhook {
                answer: None,
                error: Some("connect"),
                ..
            }
        ),
        "{entry:?}"
    );
}

#[tokio::test]
async fn one_can_be_sent_by_hand_and_says_what_came_of_it() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    let imp_uid = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 1, "status": "failed"}))
        .unwrap();
    let path = format!("/_sandbox/payments/{imp_uid}/webhook");

    let forged = bench.post(&path).json(&json!({"status": "paid"}));
    let forged = json_of(forged.send().await.unwrap(), 200).await;

    assert_eq!(shop.next_json().await["status"], "paid");
    let receipt = &forged["webhooks"][0];
    assert_eq!(receipt["answer"], 200);
    assert_eq!(receipt["error"], Value::Null);
    assert!(receipt["duration_ms"].is_u64());

    bench.sandbox.set_webhook_url(None);
    let nowhere = bench.post(&path).send().await.unwrap();
    json_of(nowhere, 409).await;
}

#[tokio::test]
async fn a_created_payment_can_announce_itself() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;

    let imp_uid = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 1, "webhook": true}))
        .unwrap();

    assert_eq!(
        shop.next_json().await,
        json!({"imp_uid": imp_uid, "merchant_uid": "ORD-1", "status": "paid"})
    );
    assert!(bench.record(&imp_uid).get("webhook").is_none());
}
