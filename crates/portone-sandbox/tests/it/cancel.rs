//! `POST /payments/cancel`.

use portone_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::shop::{ENOUGH, Shop};
use crate::support::{Bench, json_of};

async fn cancel(bench: &Bench, body: Value) -> Value {
    let token = bench.token().await;
    let request = bench.post("/payments/cancel").bearer_auth(token);
    json_of(request.json(&body).send().await.unwrap(), 200).await
}

fn create(bench: &Bench, fields: Value) -> String {
    let mut record = json!({"merchant_uid": "ORD-1", "amount": 1000});
    for (name, value) in fields.as_object().unwrap() {
        record[name] = value.clone();
    }
    bench.sandbox.create_payment(record).unwrap()
}

fn refusal(message: &str) -> Value {
    json!({"code": 1, "message": message, "response": null})
}

#[tokio::test]
async fn nothing_zero_and_null_cancel_all_that_is_left() {
    let bench = Bench::start().await;
    for amount in [json!({}), json!({"amount": 0}), json!({"amount": null})] {
        let imp_uid = create(&bench, json!({}));
        let part = json!({"imp_uid": imp_uid, "amount": 300, "reason": "일부"});
        let part = cancel(&bench, part).await;
        assert_eq!(part["response"]["status"], "cancelled");
        assert_eq!(part["response"]["cancel_amount"], 300);

        let mut body = amount;
        body["imp_uid"] = json!(imp_uid);
        let rest = cancel(&bench, body).await;

        assert_eq!((&rest["code"], &rest["message"]), (&json!(0), &Value::Null));
        let record = &rest["response"];
        assert_eq!(record["cancel_amount"], 1000);
        let history = record["cancel_history"].as_array().unwrap();
        let amounts: Vec<_> = history.iter().map(|entry| &entry["amount"]).collect();
        assert_eq!(amounts, [300, 700]);
        assert_eq!(history[0]["reason"], "일부");
        assert_ne!(history[0]["cancellation_id"], history[1]["cancellation_id"]);
    }
}

#[tokio::test]
async fn refusals_are_http_200_with_a_code_and_change_nothing() {
    let bench = Bench::start().await;
    let imp_uid = create(&bench, json!({}));
    let ready = create(&bench, json!({"merchant_uid": "OPEN", "status": "ready"}));
    let gone = create(
        &bench,
        json!({"merchant_uid": "GONE", "status": "cancelled"}),
    );
    let unknown = refusal("취소할 결제건이 존재하지 않습니다.");

    assert_eq!(cancel(&bench, json!({})).await, unknown);
    assert_eq!(cancel(&bench, json!({"imp_uid": "imp_0"})).await, unknown);
    assert_eq!(
        cancel(&bench, json!({"merchant_uid": "NONE"})).await,
        unknown
    );
    // A wrong imp_uid is wrong, although the merchant_uid is right.
    let both = json!({"imp_uid": "imp_0", "merchant_uid": "ORD-1"});
    assert_eq!(cancel(&bench, both).await, unknown);
    let twice = cancel(&bench, json!({"imp_uid": gone})).await;
    assert_eq!(twice, refusal("이미 전액취소된 주문입니다."));
    for body in [
        json!({"imp_uid": imp_uid, "amount": 1001}),
        json!({"imp_uid": imp_uid, "amount": -1}),
        json!({"imp_uid": imp_uid, "amount": "much"}),
        json!({"imp_uid": imp_uid, "checksum": 999}),
        json!({"imp_uid": imp_uid, "checksum": true}),
        json!({"imp_uid": ready}),
    ] {
        let answer = cancel(&bench, body.clone()).await;
        assert_eq!(answer["code"], 1, "{body}");
        assert_eq!(answer["response"], Value::Null, "{body}");
        assert!(answer["message"].is_string());
    }
    assert_eq!(bench.record(&imp_uid)["status"], "paid");
    assert_eq!(bench.record(&imp_uid)["cancel_amount"], 0);
}

#[tokio::test]
async fn the_checksum_is_what_is_left_and_guards_the_second_cancel() {
    let bench = Bench::start().await;
    let imp_uid = create(&bench, json!({"amount": 14.2, "currency": "USD"}));
    let body = json!({"imp_uid": imp_uid, "amount": 4.1, "checksum": 14.2});

    let first = cancel(&bench, body.clone()).await;
    let second = cancel(&bench, body).await;
    let rest = json!({"imp_uid": imp_uid, "amount": 4.1, "checksum": 10.1});
    let rest = cancel(&bench, rest).await;

    assert_eq!(first["code"], 0);
    assert_eq!(second["code"], 1);
    assert_eq!(rest["response"]["cancel_amount"].to_string(), "8.2");
}

#[tokio::test]
async fn a_form_by_merchant_uid_cancels_the_attempt_that_was_paid() {
    let bench = Bench::start().await;
    let paid = create(&bench, json!({}));
    let failed = create(&bench, json!({"status": "failed"}));
    let token = bench.token().await;
    let fields = [
        ("merchant_uid", "ORD-1"),
        ("amount", "400"),
        ("checksum", "1000"),
    ];

    let request = bench.post("/payments/cancel").bearer_auth(token);
    let answer = json_of(request.form(&fields).send().await.unwrap(), 200).await;

    assert_eq!(answer["response"]["imp_uid"], paid.as_str());
    assert_eq!(answer["response"]["cancel_amount"], 400);
    assert_eq!(bench.record(&failed)["status"], "failed");
}

#[tokio::test]
async fn an_account_is_refunded_to_an_account() {
    let bench = Bench::start().await;
    let fields = json!({"pay_method": "vbank", "status": "ready"});
    let imp_uid = create(&bench, fields.clone());
    let toss = json!({"pay_method": "vbank", "status": "ready", "pg_provider": "tosspayments"});
    let toss = create(&bench, toss);
    for imp_uid in [&imp_uid, &toss] {
        let deposit = bench.post(&format!("/_sandbox/payments/{imp_uid}/deposit"));
        json_of(deposit.send().await.unwrap(), 200).await;
    }
    let mut body = json!({"imp_uid": imp_uid, "refund_holder": "홍길동", "refund_bank": "88"});

    let without = cancel(&bench, body.clone()).await;
    body["refund_account"] = json!("110123456789");
    let with = cancel(&bench, body).await;
    let not_exempt = cancel(&bench, json!({"imp_uid": toss})).await;

    assert_eq!(without["code"], 1);
    assert_eq!(with["response"]["status"], "cancelled");
    assert_eq!(not_exempt["code"], 1);
}

#[tokio::test]
async fn naverpay_wants_a_reason() {
    let bench = Bench::start().await;
    let imp_uid = create(&bench, json!({"pg_provider": "naverpay"}));

    let without = cancel(&bench, json!({"imp_uid": imp_uid})).await;
    let with = cancel(&bench, json!({"imp_uid": imp_uid, "reason": "변심"})).await;

    assert_eq!(without["code"], 1);
    assert_eq!(with["response"]["cancel_reason"], "변심");
}

#[tokio::test]
async fn the_shop_is_told_only_if_it_asked_and_only_at_the_consoles_address() {
    let mut shop = Shop::start(ENOUGH).await;
    let mut own = Shop::start(ENOUGH).await;
    let bench = Bench::start_with(Sandbox::builder().webhook_url(shop.url.clone())).await;
    let imp_uid = bench.open(json!({"notice_url": own.url.as_str()})).await;
    bench
        .choose(&imp_uid, &[("choice", "pay"), ("webhook", "before")])
        .await;
    assert_eq!(own.next_json().await["status"], "paid");

    cancel(&bench, json!({"imp_uid": imp_uid, "amount": 100})).await;
    let told = json!({"imp_uid": imp_uid, "amount": 100, "enable_webhook": true});
    let told = cancel(&bench, told).await;

    let body = shop.next_json().await;
    assert_eq!(
        body,
        json!({
            "imp_uid": imp_uid, "merchant_uid": "ORD-1", "status": "cancelled",
            "cancellation_id": told["response"]["cancel_history"][1]["cancellation_id"],
        })
    );
    assert!(shop.received.try_recv().is_err());
    assert!(own.received.try_recv().is_err());
}

#[tokio::test]
async fn a_gateways_refusal_is_a_fault() {
    let bench = Bench::start().await;
    let imp_uid = create(&bench, json!({}));
    let fault = json!({
        "call": "cancel", "kind": "code", "code": -1, "message": "[8178] 정산 한도 부족", "times": 1
    });
    bench.sandbox.fault(fault).unwrap();

    let refused = cancel(&bench, json!({"imp_uid": imp_uid})).await;
    let done = cancel(&bench, json!({"imp_uid": imp_uid})).await;

    assert_eq!(
        refused,
        json!({"code": -1, "message": "[8178] 정산 한도 부족", "response": null})
    );
    assert_eq!(done["code"], 0);
    assert_eq!(bench.sandbox.calls("cancel"), 2);
}
