//! V2's webhooks: what is told, how it is signed, when it is sent again.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use portone_sandbox::{Event, JournalEntry, Sandbox, WebhookMode, WebhookVersion};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::shop::{Received, Shop};
use crate::support::{Bench, json_of};
use crate::v2_support::{bench_and_shop, choose, open, payment, post};

const OTHER_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn header<'a>(received: &'a Received, name: &str) -> &'a str {
    received.headers[name].to_str().unwrap()
}

/// Whether one of the signatures is by this secret, over the bytes as they came.
fn is_signed_by(received: &Received, secret: &str) -> bool {
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let content = format!(
        "{}.{}.{}",
        header(received, "webhook-id"),
        header(received, "webhook-timestamp"),
        received.body
    );
    header(received, "webhook-signature")
        .split(' ')
        .map(|signature| {
            STANDARD
                .decode(signature.strip_prefix("v1,").unwrap())
                .unwrap()
        })
        .any(|signature| {
            let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.chain_update(content.as_bytes())
                .verify_slice(&signature)
                .is_ok()
        })
}

async fn next_body(shop: &mut Shop) -> Value {
    shop.next_json().await
}

/// Executions that the shop has answered, or that have failed.
fn finished(journal: &[JournalEntry]) -> usize {
    let is_finished = |event: &Event| {
        matches!(
            event,
            Event::V2Webhook {
                duration_ms: Some(_),
                ..
            }
        )
    };
    journal
        .iter()
        .filter(|entry| is_finished(&entry.event))
        .count()
}

async fn when_finished(bench: &Bench, executions: usize) {
    bench
        .sandbox
        .journal_when(|journal| finished(journal) == executions)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_opened_window_and_its_end_are_told_signed() {
    let (bench, mut shop) = bench_and_shop().await;
    let transaction_id = open(&bench, json!({})).await;
    let ready = shop.next().await;
    assert!(is_signed_by(&ready, Sandbox::V2_WEBHOOK_SECRET));
    assert!(!is_signed_by(&ready, OTHER_SECRET));
    let body: Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!(body["type"], "Transaction.Ready");
    let data = json!({
        "storeId": Sandbox::V2_STORE_ID,
        "paymentId": "P-1",
        "transactionId": transaction_id,
    });
    assert_eq!(body["data"], data);

    choose(&bench, &transaction_id, &[("choice", "pay")]).await;

    let paid = shop.next().await;
    assert!(is_signed_by(&paid, Sandbox::V2_WEBHOOK_SECRET));
    assert_ne!(header(&paid, "webhook-id"), header(&ready, "webhook-id"));
    let body: Value = serde_json::from_str(&paid.body).unwrap();
    assert_eq!(body["type"], "Transaction.Paid");
    when_finished(&bench, 2).await;
    let webhooks = payment(&bench, "P-1").await["webhooks"].clone();
    assert_eq!(webhooks[1]["id"], header(&paid, "webhook-id"));
    assert_eq!(webhooks[1]["status"], "SUCCEEDED");
    assert_eq!(webhooks[1]["response"]["code"], "200");
    assert_eq!(webhooks[1]["currentExecutionCount"], 1);
}

#[tokio::test]
async fn every_change_has_its_type() {
    let (bench, mut shop) = bench_and_shop().await;
    let mut kind = async || {
        let body = next_body(&mut shop).await;
        let id = body["data"]["cancellationId"].as_str().map(str::to_owned);
        (body["type"].as_str().unwrap().to_owned(), id)
    };
    let sandbox = &bench.sandbox;

    for (choice, told) in [
        ("decline", "Transaction.Failed"),
        ("pay_pending", "Transaction.PayPending"),
        ("issue_virtual_account", "Transaction.VirtualAccountIssued"),
    ] {
        let transaction_id = open(&bench, json!({"paymentId": choice})).await;
        assert_eq!(kind().await.0, "Transaction.Ready");
        choose(&bench, &transaction_id, &[("choice", choice)]).await;
        assert_eq!(kind().await.0, told);
    }
    sandbox.approve_v2("pay_pending").unwrap();
    assert_eq!(kind().await.0, "Transaction.Paid");
    sandbox.deposit_v2("issue_virtual_account").unwrap();
    assert_eq!(kind().await.0, "Transaction.Paid");
    sandbox.dispute_v2("pay_pending", json!({})).unwrap();
    assert_eq!(kind().await.0, "Transaction.DisputeCreated");
    sandbox
        .dispute_v2("pay_pending", json!({"resolved": true}))
        .unwrap();
    assert_eq!(kind().await.0, "Transaction.DisputeResolved");

    let id = sandbox
        .cancel_v2("pay_pending", json!({"amount": 900}))
        .unwrap();
    assert_eq!(
        kind().await,
        ("Transaction.PartialCancelled".into(), Some(id))
    );
    sandbox
        .configure_v2(json!({"cancel": "asynchronous"}))
        .unwrap();
    let id = sandbox.cancel_v2("pay_pending", json!({})).unwrap();
    assert_eq!(
        kind().await,
        ("Transaction.CancelPending".into(), Some(id.clone()))
    );
    sandbox
        .settle_v2_cancellation("pay_pending", &id, true)
        .unwrap();
    assert_eq!(kind().await, ("Transaction.Cancelled".into(), Some(id)));
}

#[tokio::test]
async fn the_list_of_webhooks_says_what_led_to_each() {
    let (bench, _shop) = bench_and_shop().await;
    let account = json!({"id": "P-1", "amount": 1000, "status": "VIRTUAL_ACCOUNT_ISSUED"});
    bench.sandbox.create_v2_payment(account).unwrap();

    bench.sandbox.deposit_v2("P-1").unwrap();
    when_finished(&bench, 1).await;

    let webhook = payment(&bench, "P-1").await["webhooks"][0].clone();
    assert_eq!(webhook["trigger"], "VIRTUAL_ACCOUNT_DEPOSIT");
    assert_eq!(webhook["paymentStatus"], "PAID");
}

#[tokio::test]
async fn two_secrets_sign_side_by_side() {
    let (bench, mut shop) = bench_and_shop().await;
    let secrets = json!({"webhook_secrets": [Sandbox::V2_WEBHOOK_SECRET, OTHER_SECRET]});
    bench.sandbox.configure_v2(secrets).unwrap();

    open(&bench, json!({})).await;

    let ready = shop.next().await;
    assert!(is_signed_by(&ready, Sandbox::V2_WEBHOOK_SECRET));
    assert!(is_signed_by(&ready, OTHER_SECRET));
    let three = json!({"webhook_secrets": [OTHER_SECRET, OTHER_SECRET, OTHER_SECRET]});
    assert!(bench.sandbox.configure_v2(three).is_err());
}

#[tokio::test]
async fn version_and_secrets_are_set_at_the_start_and_checked_there() {
    let (bench, mut shop) = {
        let shop = Shop::start(crate::shop::ENOUGH).await;
        let builder = Sandbox::builder()
            .webhook_url(shop.url.clone())
            .webhook_version(WebhookVersion::V20240101)
            .webhook_secrets([OTHER_SECRET]);
        (Bench::start_with(builder).await, shop)
    };
    open(&bench, json!({})).await;

    let ready = shop.next().await;
    assert!(is_signed_by(&ready, OTHER_SECRET));
    assert!(ready.body.contains(r#""status":"Ready""#));
    assert!(
        Sandbox::builder()
            .webhook_secrets(["whsec_***"])
            .spawn()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn the_old_version_is_json_or_a_form_and_knows_no_disputes() {
    let (bench, mut shop) = bench_and_shop().await;
    let set = |version: &str| {
        bench
            .sandbox
            .configure_v2(json!({"webhook_version": version}))
            .unwrap();
    };
    set("2024-01-01");
    let transaction_id = open(&bench, json!({})).await;
    let ready = shop.next().await;
    let expected = json!({"payment_id": "P-1", "tx_id": transaction_id, "status": "Ready"});
    assert_eq!(
        serde_json::from_str::<Value>(&ready.body).unwrap(),
        expected
    );
    assert!(is_signed_by(&ready, Sandbox::V2_WEBHOOK_SECRET));

    set("2024-01-01-form");
    choose(&bench, &transaction_id, &[("choice", "pay")]).await;
    let paid = shop.next().await;
    assert_eq!(paid.content_type, "application/x-www-form-urlencoded");
    assert_eq!(
        paid.body,
        format!("payment_id=P-1&tx_id={transaction_id}&status=Paid")
    );
    assert!(is_signed_by(&paid, Sandbox::V2_WEBHOOK_SECRET));

    // Were the dispute told, it would come before the cancel.
    bench.sandbox.dispute_v2("P-1", json!({})).unwrap();
    bench.sandbox.cancel_v2("P-1", json!({})).unwrap();
    assert!(shop.next().await.body.ends_with("&status=Cancelled"));
}

#[tokio::test]
async fn a_failed_message_is_sent_again_with_the_same_id_and_a_new_signature() {
    let (bench, mut shop) = bench_and_shop().await;
    bench.sandbox.freeze_clock();
    shop.answer_next([(500, ""), (404, "")]);
    open(&bench, json!({})).await;
    let first = shop.next().await;
    when_finished(&bench, 1).await;

    // At most a minute, then at most four.
    bench.sandbox.advance_clock(Duration::from_secs(60));
    let second = shop.next().await;
    when_finished(&bench, 2).await;
    bench.sandbox.advance_clock(Duration::from_secs(4 * 60));
    let third = shop.next().await;
    when_finished(&bench, 3).await;
    // The third was answered 200: there is no fourth, however long one waits.
    bench
        .sandbox
        .advance_clock(Duration::from_secs(24 * 60 * 60));
    bench
        .sandbox
        .send_v2_webhook(json!({"type": "Transaction.Last"}))
        .await
        .unwrap();
    assert_eq!(next_body(&mut shop).await["type"], "Transaction.Last");

    for again in [&second, &third] {
        assert_eq!(header(again, "webhook-id"), header(&first, "webhook-id"));
        assert_eq!(again.body, first.body);
        assert!(is_signed_by(again, Sandbox::V2_WEBHOOK_SECRET));
        assert_ne!(
            header(again, "webhook-timestamp"),
            header(&first, "webhook-timestamp")
        );
    }
    let webhook = payment(&bench, "P-1").await["webhooks"][0].clone();
    assert_eq!(webhook["status"], "SUCCEEDED");
    assert_eq!(webhook["currentExecutionCount"], 3);
    assert_eq!(webhook["maxExecutionCount"], 6);
}

#[tokio::test]
async fn after_six_executions_it_is_over() {
    let (bench, mut shop) = bench_and_shop().await;
    bench.sandbox.freeze_clock();
    shop.answer_next([(500, ""); 6]);
    open(&bench, json!({})).await;
    for execution in 1..=6 {
        shop.next().await;
        when_finished(&bench, execution).await;
        bench.sandbox.advance_clock(Duration::from_secs(256 * 60));
    }

    bench
        .sandbox
        .send_v2_webhook(json!({"type": "Transaction.Last"}))
        .await
        .unwrap();

    assert_eq!(next_body(&mut shop).await["type"], "Transaction.Last");
    let webhook = payment(&bench, "P-1").await["webhooks"][0].clone();
    assert_eq!(webhook["status"], "FAILED_NOT_OK_RESPONSE");
    assert_eq!(webhook["currentExecutionCount"], 6);
    let (status, refusal) = post(&bench, "P-1", "resend-webhook", json!({})).await;
    assert_eq!(status, 400);
    assert_eq!(refusal["type"], "MAX_WEBHOOK_RETRY_COUNT_REACHED");
}

#[tokio::test]
async fn an_unreachable_shop_is_tried_again_as_well() {
    let bench = Bench::start().await;
    bench.sandbox.freeze_clock();
    // A port that was free a moment ago, and that nobody listens on.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{closed}/hook").parse::<url::Url>().unwrap();
    bench.sandbox.set_webhook_url(url);
    open(&bench, json!({})).await;
    when_finished(&bench, 1).await;

    bench.sandbox.advance_clock(Duration::from_secs(60));
    when_finished(&bench, 2).await;

    let webhook = payment(&bench, "P-1").await["webhooks"][0].clone();
    assert_eq!(webhook["status"], "FAILED_UNEXPECTED_ERROR");
}

#[tokio::test]
async fn a_resend_goes_out_at_once_and_answers_with_what_came_of_it() {
    let (bench, mut shop) = bench_and_shop().await;
    open(&bench, json!({})).await;
    let first = shop.next().await;
    when_finished(&bench, 1).await;
    let id = header(&first, "webhook-id");

    let (status, answer) = post(&bench, "P-1", "resend-webhook", json!({"webhookId": id})).await;

    assert_eq!(status, 200);
    assert_eq!(answer["webhook"]["currentExecutionCount"], 2);
    assert_eq!(header(&shop.next().await, "webhook-id"), id);
    let (_, refusal) = post(&bench, "P-1", "resend-webhook", json!({"webhookId": "x"})).await;
    assert_eq!(refusal["type"], "WEBHOOK_NOT_FOUND");
    let (_, refusal) = post(&bench, "P-2", "resend-webhook", json!({})).await;
    assert_eq!(refusal["type"], "PAYMENT_NOT_FOUND");
}

#[tokio::test]
async fn notice_urls_replace_the_configured_address_and_v2s_own_comes_before_it() {
    let (bench, mut shop) = bench_and_shop().await;
    let address = |path: &str| shop.url.join(path).unwrap().to_string();
    let notice_urls = json!([address("/one"), address("/two")]);
    bench
        .sandbox
        .configure_v2(json!({"webhook_url": address("/v2")}))
        .unwrap();

    open(&bench, json!({"noticeUrls": notice_urls})).await;
    let mut paths = [shop.next().await.path, shop.next().await.path];
    paths.sort();
    open(&bench, json!({"paymentId": "P-2"})).await;

    assert_eq!(paths, ["/one", "/two"]);
    assert_eq!(shop.next().await.path, "/v2");
}

#[tokio::test]
async fn skipped_webhooks_are_not_sent() {
    let (bench, mut shop) = bench_and_shop().await;
    bench
        .sandbox
        .create_v2_payment(json!({"id": "P-1", "amount": 1000}))
        .unwrap();
    let skip = json!({"reason": "x", "amount": 400, "skipWebhook": true});
    assert_eq!(post(&bench, "P-1", "cancel", skip).await.0, 200);
    assert_eq!(
        post(&bench, "P-1", "cancel", json!({"reason": "x"}))
            .await
            .0,
        200
    );

    assert_eq!(next_body(&mut shop).await["type"], "Transaction.Cancelled");
    assert_eq!(
        payment(&bench, "P-1").await["webhooks"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn modes_lose_and_double_what_the_window_tells() {
    let (bench, mut shop) = bench_and_shop().await;
    bench.sandbox.set_webhook(WebhookMode::Never);
    let lost = open(&bench, json!({"paymentId": "lost"})).await;
    choose(&bench, &lost, &[("choice", "pay")]).await;
    let twice = open(&bench, json!({"paymentId": "twice"})).await;

    choose(&bench, &twice, &[("choice", "pay"), ("webhook", "twice")]).await;

    let (one, two) = (shop.next().await, shop.next().await);
    assert_eq!(one.body, two.body);
    assert_eq!(header(&one, "webhook-id"), header(&two, "webhook-id"));
    assert!(one.body.contains("twice"));
}

#[tokio::test]
async fn before_the_redirect_waits_for_the_answer() {
    let (bench, mut shop) = bench_and_shop().await;
    bench.sandbox.set_webhook(WebhookMode::Never);
    let transaction_id = open(&bench, json!({})).await;

    choose(
        &bench,
        &transaction_id,
        &[("choice", "pay"), ("webhook", "before")],
    )
    .await;

    shop.next().await;
    let journal = bench.sandbox.journal();
    let position =
        |is: fn(&Event) -> bool| journal.iter().position(|entry| is(&entry.event)).unwrap();
    let webhook = position(|event| {
        matches!(
            event,
            Event::V2Webhook {
                answer: Some(200),
                ..
            }
        )
    });
    assert!(webhook < position(|event| matches!(event, Event::V2Redirect { .. })));
}

#[tokio::test]
async fn faults_drop_double_and_hold_messages() {
    let (bench, mut shop) = bench_and_shop().await;
    let fault = |kind: &str, times: u32| {
        let fault = json!({"call": "v2_webhook", "kind": kind, "times": times});
        bench.sandbox.fault(fault).unwrap();
    };
    let mut told = async || {
        let body = next_body(&mut shop).await;
        body["data"]["paymentId"].as_str().unwrap().to_owned()
    };
    fault("drop", 1);
    open(&bench, json!({"paymentId": "dropped"})).await;
    fault("duplicate", 1);
    open(&bench, json!({"paymentId": "doubled"})).await;
    assert_eq!([told().await, told().await], ["doubled", "doubled"]);
    fault("hold", 2);
    open(&bench, json!({"paymentId": "first"})).await;
    open(&bench, json!({"paymentId": "second"})).await;
    open(&bench, json!({"paymentId": "third"})).await;
    assert_eq!(told().await, "third");

    let answer = bench
        .post("/_sandbox/v2/webhooks/release")
        .json(&json!({"reversed": true}))
        .send()
        .await
        .unwrap();

    assert_eq!(
        json_of(answer, 200).await["webhooks"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!([told().await, told().await], ["second", "first"]);
}

#[tokio::test]
async fn webhooks_by_hand_are_honest_unless_told_otherwise() {
    let (bench, mut shop) = bench_and_shop().await;
    bench
        .sandbox
        .create_v2_payment(json!({"id": "P-1", "amount": 1000}))
        .unwrap();
    let mut send = async |fields: Value| {
        let receipts = bench.sandbox.send_v2_webhook(fields).await.unwrap();
        assert_eq!(receipts[0]["answer"], 200);
        shop.next().await
    };

    let honest = send(json!({"payment_id": "P-1"})).await;
    assert!(is_signed_by(&honest, Sandbox::V2_WEBHOOK_SECRET));
    assert!(honest.body.contains(r#""type":"Transaction.Paid""#));
    let now: i64 = header(&honest, "webhook-timestamp").parse().unwrap();

    let bad = send(json!({"payment_id": "P-1", "signature": "bad"})).await;
    assert!(!is_signed_by(&bad, Sandbox::V2_WEBHOOK_SECRET));
    let unsigned = send(json!({"signature": "missing"})).await;
    assert!(!unsigned.headers.contains_key("webhook-signature"));
    let rotating = send(json!({"signature": "rotating"})).await;
    assert!(is_signed_by(&rotating, Sandbox::V2_WEBHOOK_SECRET));
    assert_eq!(header(&rotating, "webhook-signature").split(' ').count(), 2);
    let old = send(json!({"timestamp_offset_s": -301})).await;
    assert!(is_signed_by(&old, Sandbox::V2_WEBHOOK_SECRET));
    assert!(header(&old, "webhook-timestamp").parse::<i64>().unwrap() <= now - 300);
    let other = send(json!({"secrets": OTHER_SECRET})).await;
    assert!(is_signed_by(&other, OTHER_SECRET));
    let replayed = send(json!({"webhook_id": "again"})).await;
    assert_eq!(header(&replayed, "webhook-id"), "again");
    let future = send(json!({"type": "Transaction.Future"})).await;
    assert!(future.body.contains("Transaction.Future"));
    assert!(future.body.contains("test-payment-id"));
    let raw = send(json!({"body": "{\"any\": 1}", "version": "2024-01-01"})).await;
    assert_eq!(raw.body, "{\"any\": 1}");
    assert!(is_signed_by(&raw, Sandbox::V2_WEBHOOK_SECRET));
}

#[tokio::test]
async fn the_same_seed_sends_the_same_messages() {
    let run = async || {
        let (bench, mut shop) = bench_and_shop().await;
        open(&bench, json!({})).await;
        let ready = shop.next().await;
        header(&ready, "webhook-id").to_owned()
    };

    assert_eq!(run().await, run().await);
}

#[tokio::test]
async fn what_was_due_before_a_reset_is_not_sent_after_it() {
    let (bench, mut shop) = bench_and_shop().await;
    let told = async |shop: &mut Shop| {
        let body = next_body(shop).await;
        let kind = body["type"].as_str().unwrap().to_owned();
        (body["data"]["paymentId"].as_str().unwrap().to_owned(), kind)
    };
    let before = open(&bench, json!({"paymentId": "before"})).await;
    assert_eq!(told(&mut shop).await.0, "before");

    // Due in a moment, and gone with the reset: it would come before what is due a moment after the next choice.
    choose(&bench, &before, &[("choice", "pay")]).await;
    bench.sandbox.reset(None);
    let after = open(&bench, json!({"paymentId": "after"})).await;
    choose(&bench, &after, &[("choice", "pay")]).await;

    let ready = ("after".into(), "Transaction.Ready".into());
    let paid = ("after".into(), "Transaction.Paid".into());
    assert_eq!(
        [told(&mut shop).await, told(&mut shop).await],
        [ready, paid]
    );
}
