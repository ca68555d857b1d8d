//! Virtual accounts: `/vbanks`, deposits, deadlines.

use std::time::Duration;

use portone_sandbox::{JournalEntry, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};

use crate::shop::{ENOUGH, Shop};
use crate::support::{Bench, json_of};

async fn send(bench: &Bench, method: Method, path: &str, body: Value, status: u16) -> Value {
    let token = bench.token().await;
    let request = bench.request(method, path).bearer_auth(token).json(&body);
    json_of(request.send().await.unwrap(), status).await
}

/// A deadline a day from now, by the sandbox's clock.
async fn tomorrow(bench: &Bench) -> i64 {
    let clock = bench.get("/_sandbox/clock").send().await.unwrap();
    json_of(clock, 200).await["now"].as_i64().unwrap() + 86_400
}

async fn issue(bench: &Bench, fields: Value) -> Value {
    let mut body = json!({
        "channel_key": "channel-key-html5_inicis", "merchant_uid": "ORD-1", "amount": 1000,
        "vbank_code": "004", "vbank_due": tomorrow(bench).await, "vbank_holder": "우리가게",
    });
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    send(bench, Method::POST, "/vbanks", body, 200).await
}

#[tokio::test]
async fn an_account_is_issued_without_a_window_and_told_of() {
    let mut shop = Shop::start(ENOUGH).await;
    let bench = Bench::start_with(Sandbox::builder().webhook_url(shop.url.clone())).await;
    bench.sandbox.freeze_clock();

    let issued = issue(&bench, json!({"name": "원두", "buyer_name": "홍길동"})).await;

    let record = &issued["response"];
    assert_eq!(record["status"], "ready");
    assert_eq!(record["pay_method"], "vbank");
    assert_eq!(record["channel"], "api");
    assert_eq!(record["vbank_name"], "KB국민은행");
    assert_eq!(record["vbank_holder"], "우리가게");
    assert_eq!(record["vbank_date"], tomorrow(&bench).await);
    assert_eq!(record["sandbox"], false);
    let body = shop.next_json().await;
    assert_eq!(
        (&body["imp_uid"], &body["status"]),
        (&record["imp_uid"], &json!("ready"))
    );
    // Several unpaid accounts of one order are meant to be possible.
    let second = issue(
        &bench,
        json!({"channel_key": "channel-key-test-tosspayments"}),
    )
    .await;
    assert_eq!(second["response"]["sandbox"], true);
    assert_eq!(second["response"]["pg_provider"], "tosspayments");
    assert_eq!(second["response"]["vbank_holder"], Value::Null);
}

#[tokio::test]
async fn what_makes_no_account_is_a_code_at_http_200() {
    let bench = Bench::start().await;
    bench
        .sandbox
        .create_payment(json!({"merchant_uid": "PAID", "amount": 1}))
        .unwrap();
    for fields in [
        json!({"channel_key": null}),
        json!({"merchant_uid": ""}),
        json!({"merchant_uid": "x".repeat(41)}),
        json!({"amount": 0}),
        json!({"amount": "many"}),
        json!({"vbank_code": "999"}),
        json!({"vbank_due": 1}),
        json!({"notice_url": "file:///etc/passwd"}),
        json!({"merchant_uid": "PAID"}),
    ] {
        let answer = issue(&bench, fields.clone()).await;
        assert_eq!(answer["code"], 1, "{fields}");
        assert_eq!(answer["response"], Value::Null, "{fields}");
    }
}

#[tokio::test]
async fn an_open_account_is_changed_and_closed_and_no_other_payment_is() {
    let bench = Bench::start().await;
    let issued = issue(&bench, json!({})).await;
    let path = format!(
        "/vbanks/{}",
        issued["response"]["imp_uid"].as_str().unwrap()
    );
    let card = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "CARD", "amount": 1, "status": "ready"}))
        .unwrap();
    let due = tomorrow(&bench).await + 60;

    let change = json!({"amount": 900, "vbank_due": due});
    let changed = send(&bench, Method::PUT, &path, change, 200).await;
    let closed = send(&bench, Method::DELETE, &path, json!({}), 200).await;

    assert_eq!(changed["response"]["amount"], 900);
    assert_eq!(changed["response"]["vbank_date"], due);
    assert_eq!(closed["response"]["status"], "failed");
    assert_eq!(closed["response"]["fail_reason"], "계좌말소");
    for method in [Method::PUT, Method::DELETE] {
        send(&bench, method.clone(), &path, json!({}), 400).await;
        send(
            &bench,
            method.clone(),
            &format!("/vbanks/{card}"),
            json!({}),
            400,
        )
        .await;
        send(&bench, method, "/vbanks/imp_0", json!({}), 404).await;
    }
}

#[tokio::test]
async fn the_deadline_changes_nothing() {
    let bench = Bench::start().await;
    bench.sandbox.freeze_clock();
    let issued = issue(&bench, json!({})).await;
    let path = format!(
        "/payments/{}",
        issued["response"]["imp_uid"].as_str().unwrap()
    );

    bench.sandbox.advance_clock(Duration::from_secs(2 * 86_400));

    let shown = json_of(bench.ask(&path).await, 200).await;
    assert_eq!(shown["response"]["status"], "ready");
}

#[tokio::test]
async fn the_deadline_closes_the_account_if_it_is_set_to_and_the_deadline_is_the_last_one_set() {
    let bench = Bench::start().await;
    bench.sandbox.freeze_clock();
    bench
        .sandbox
        .configure(json!({"close_overdue_accounts": true}))
        .unwrap();
    let closed = issue(&bench, json!({})).await["response"]["imp_uid"].clone();
    let put_off = issue(&bench, json!({})).await["response"]["imp_uid"].clone();
    let (closed, put_off) = (closed.as_str().unwrap(), put_off.as_str().unwrap());
    let later = json!({"vbank_due": tomorrow(&bench).await + 60});
    send(
        &bench,
        Method::PUT,
        &format!("/vbanks/{put_off}"),
        later,
        200,
    )
    .await;
    let failed = async |imp_uid: &str| {
        let is_failed = |_: &[JournalEntry]| bench.record(imp_uid)["status"] == "failed";
        bench.sandbox.journal_when(is_failed).await.unwrap();
        bench.record(imp_uid)["failed_at"].as_i64().unwrap()
    };
    bench.sandbox.advance_clock(Duration::from_secs(86_400));
    let first = failed(closed).await;
    bench.sandbox.advance_clock(Duration::from_secs(60));
    let second = failed(put_off).await;

    assert_eq!(second - first, 60);
}

#[tokio::test]
async fn banks_refuse_another_amount_but_on_an_account_that_takes_any() {
    let bench = Bench::start().await;
    let fields =
        json!({"merchant_uid": "A", "amount": 1000, "status": "ready", "pay_method": "vbank"});
    let exact = bench.sandbox.create_payment(fields.clone()).unwrap();
    let mut fields = fields;
    fields["pg_provider"] = json!("settle");
    let any = bench.sandbox.create_payment(fields).unwrap();
    let deposit = async |imp_uid: &str, amount: i64, status| {
        let request = bench.post(&format!("/_sandbox/payments/{imp_uid}/deposit"));
        let body = json!({"amount": amount, "depositor_name": "홍길동"});
        json_of(request.json(&body).send().await.unwrap(), status).await
    };

    deposit(&exact, 999, 409).await;
    let paid = deposit(&exact, 1000, 200).await;
    deposit(&exact, 1000, 409).await;
    deposit(&any, 400, 200).await;
    let cancel = bench.post(&format!("/_sandbox/payments/{any}/cancel"));
    json_of(cancel.send().await.unwrap(), 200).await;
    let after = deposit(&any, 600, 200).await;

    assert_eq!(
        (&paid["status"], &paid["deposit_history"]),
        (&json!("paid"), &json!([]))
    );
    assert_eq!(after["status"], "cancelled");
    let history = after["deposit_history"].as_array().unwrap();
    let amounts: Vec<_> = history.iter().map(|entry| &entry["amount"]).collect();
    assert_eq!(amounts, [400, 600]);
    assert_eq!(history[1]["depositor_name"], "홍길동");
}

#[tokio::test]
async fn the_console_closes_an_account_too() {
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({})).await;
    let path = format!("/_sandbox/payments/{imp_uid}/close");
    json_of(bench.post(&path).send().await.unwrap(), 409).await;
    bench.choose(&imp_uid, &[("choice", "issue_vbank")]).await;

    let closed = json_of(bench.post(&path).send().await.unwrap(), 200).await;

    assert_eq!(closed["status"], "failed");
    json_of(bench.post(&path).send().await.unwrap(), 409).await;
}
