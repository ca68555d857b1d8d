//! V2's control plane, over HTTP.

use portone_sandbox::Sandbox;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, json_of, text_of};
use crate::v2_support::{bench_and_shop, open, payment};

async fn send(bench: &Bench, method: Method, path: &str, body: Value) -> (u16, Value) {
    let answer = bench
        .request(method, &format!("/_sandbox/v2{path}"))
        .json(&body)
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    (
        status,
        serde_json::from_str(&answer.text().await.unwrap()).unwrap(),
    )
}

#[tokio::test]
async fn payments_are_made_from_any_subset_of_their_fields() {
    let bench = Bench::start().await;
    let create = async |body: Value| send(&bench, Method::POST, "/payments", body).await;

    let (status, made) = create(json!({
        "id": "P-1",
        "transactionId": "tx-1",
        "amount": {"total": 11_000, "taxFree": 2000, "discount": 1000, "paid": 10_000},
        "orderName": "원두",
        "status": "PARTIAL_CANCELLED",
        "channel": {"type": "TEST"},
        "anything": [1],
    }))
    .await;

    assert_eq!(status, 201);
    assert_eq!(made["transactionId"], "tx-1");
    assert_eq!(made["amount"]["paid"], 10_000);
    assert_eq!(made["amount"]["cancelled"], 5500);
    assert_eq!(made["channel"]["type"], "TEST");
    assert_eq!(made["anything"], json!([1]));
    for (body, status) in [
        (json!({"amount": 1}), 400),
        (json!({"id": "P-2"}), 400),
        (json!({"id": "P-2", "amount": "1"}), 400),
        (json!({"id": "P-2", "amount": 1, "payMethod": "card"}), 400),
        (
            json!({"id": "P-2", "amount": 1, "transactionId": "a/b"}),
            400,
        ),
        (
            json!({"id": "P-2", "amount": 1, "transactionId": "tx-1"}),
            409,
        ),
        (
            json!({"id": "P-2", "amount": 1, "status": "FROM_THE_FUTURE"}),
            201,
        ),
    ] {
        assert_eq!(create(body.clone()).await.0, status, "{body}");
    }
}

#[tokio::test]
async fn patches_set_lay_over_and_remove_but_never_rename_a_transaction() {
    let bench = Bench::start().await;
    bench
        .sandbox
        .create_v2_payment(json!({"id": "P-1", "transactionId": "tx-1", "amount": 1000}))
        .unwrap();
    let patch = async |body: Value| send(&bench, Method::PATCH, "/payments/P-1", body).await;

    let (_, patched) = patch(json!({
        "amount": {"total": 7},
        "channel": null,
        "customData": "x",
        "_remove": ["receiptUrl"],
    }))
    .await;

    assert_eq!(patched["amount"]["total"], 7);
    assert_eq!(patched["amount"]["taxFree"], 0);
    assert_eq!(patched["channel"], Value::Null);
    assert!(patched.get("receiptUrl").is_none());
    assert_eq!(patch(json!({"transactionId": "tx-2"})).await.0, 400);
    assert_eq!(patch(json!({"_remove": ["transactionId"]})).await.0, 400);
    assert_eq!(
        send(&bench, Method::PATCH, "/payments/none", json!({}))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn actions_take_either_id_and_refuse_what_makes_no_sense() {
    let bench = Bench::start().await;
    let act = async |path: &str, body: Value| send(&bench, Method::POST, path, body).await;
    let create = |id: &str, status: &str| {
        let fields = json!({"id": id, "transactionId": format!("tx-{id}"), "amount": 1000, "status": status});
        bench.sandbox.create_v2_payment(fields).unwrap();
    };
    create("ready", "READY");
    create("issued", "VIRTUAL_ACCOUNT_ISSUED");
    create("paid", "PAID");

    let (_, failed) = act(
        "/payments/ready/fail",
        json!({"pgCode": "X", "reason": "왜"}),
    )
    .await;
    assert_eq!(failed["failure"], json!({"reason": "왜", "pgCode": "X"}));
    let (_, approved) = act("/payments/tx-ready/approve", json!({})).await;
    assert_eq!(approved["status"], "PAID");
    let (_, deposited) = act("/payments/issued/deposit", json!({})).await;
    assert_eq!(deposited["status"], "PAID");
    let (_, disputed) = act("/payments/paid/dispute", json!({"reason": "사기"})).await;
    assert_eq!(disputed["disputes"][0]["reason"], "사기");
    let (_, cancelled) = act("/payments/paid/cancel", json!({"amount": 400})).await;
    assert_eq!(cancelled["status"], "PARTIAL_CANCELLED");
    assert_eq!(cancelled["cancellations"][0]["trigger"], "CONSOLE");

    for (path, body, status) in [
        ("/payments/paid/deposit", json!({}), 409),
        ("/payments/paid/approve", json!({}), 409),
        ("/payments/paid/fail", json!({}), 409),
        ("/payments/paid/cancel", json!({"amount": 601}), 409),
        ("/payments/paid/dispute", json!({}), 409),
        ("/payments/ready/dispute", json!({"resolved": true}), 409),
        (
            "/payments/ready/cancellations/x",
            json!({"status": "FAILED"}),
            409,
        ),
        ("/payments/ready/cancel", json!({"amounts": 1}), 400),
        ("/payments/none/cancel", json!({}), 404),
        ("/webhook", json!({}), 409),
        ("/webhook", json!({"copies": 11}), 400),
        ("/webhook", json!({"url": "ftp://x"}), 400),
        ("/webhook", json!({"timestamp_offset_s": 99_999_999}), 400),
    ] {
        let (actual, answer) = act(path, body).await;
        assert_eq!(actual, status, "{path} {answer}");
        assert!(answer["error"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn settings_change_together_or_not_at_all_and_show_no_secret() {
    let bench = Bench::start().await;
    let (_, config) = send(
        &bench,
        Method::PATCH,
        "/config",
        json!({"webhook_version": "2024-01-01", "webhook_retries": 2, "cancel": "asynchronous"}),
    )
    .await;
    assert_eq!(config["webhook_version"], "2024-01-01");
    assert_eq!(config["webhook_retries"], 2);
    assert!(!config.to_string().contains("whsec_"));
    assert!(!config.to_string().contains(Sandbox::V2_API_SECRET));

    for wrong in [
        json!({"cancel": "immediate", "webhook_retries": 6}),
        json!({"cancel": "immediate", "webhook_url": "x"}),
        json!({"cancel": "immediate", "confirm_timeout_ms": 60_001}),
        json!({"cancel": "immediate", "processing_ms": 60_001}),
        json!({"cancel": "immediate", "unknown": 1}),
    ] {
        assert_eq!(send(&bench, Method::PATCH, "/config", wrong).await.0, 400);
    }
    assert_eq!(
        send(&bench, Method::GET, "/config", json!({})).await.1["cancel"],
        "asynchronous"
    );

    bench.sandbox.reset(None);
    assert_eq!(
        send(&bench, Method::GET, "/config", json!({})).await.1["cancel"],
        "immediate"
    );
}

#[tokio::test]
async fn a_webhook_of_a_payment_is_sent_now_and_reported() {
    let (bench, mut shop) = bench_and_shop().await;
    bench
        .sandbox
        .create_v2_payment(json!({"id": "P-1", "amount": 1000}))
        .unwrap();
    let body = json!({"type": "Transaction.Cancelled", "cancellation_id": "c-1", "copies": 2});

    let (_, answer) = send(&bench, Method::POST, "/payments/P-1/webhook", body).await;

    assert_eq!(answer["webhooks"].as_array().unwrap().len(), 2);
    let told = shop.next_json().await;
    assert_eq!(told["data"]["paymentId"], "P-1");
    assert_eq!(told["data"]["cancellationId"], "c-1");
}

#[tokio::test]
async fn the_index_lists_attempts_with_working_buttons() {
    let bench = Bench::start().await;
    let transaction_id = open(&bench, json!({"totalAmount": 1420, "currency": "USD"})).await;

    let page = text_of(bench.get("/_sandbox/").send().await.unwrap(), 200).await;
    let action = format!("/_sandbox/v2/payments/{transaction_id}/approve");
    assert!(page.contains(&format!(r#"action="{action}""#)));
    assert!(page.contains("14.20 USD"));
    let pressed = bench
        .post(&action)
        .header("accept", "text/html")
        .header("content-type", "application/x-www-form-urlencoded")
        .send()
        .await
        .unwrap();

    assert_eq!(pressed.headers()["location"], "/_sandbox/");
    assert_eq!(payment(&bench, "P-1").await["status"], "PAID");
}

#[tokio::test]
async fn another_origins_page_cannot_drive_it() {
    let bench = Bench::start().await;

    let answer = bench
        .post("/_sandbox/v2/payments")
        .header("origin", "http://evil.test")
        .json(&json!({"id": "P-1", "amount": 1}))
        .send()
        .await
        .unwrap();

    assert_eq!(
        json_of(answer, 403).await["error"],
        "another origin's page asked"
    );
    assert!(bench.sandbox.v2_payment("P-1").is_none());
}
