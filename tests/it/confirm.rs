//! The question that PortOne asks right before an approval.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Answer, STORE_ID, TestApp, WEBHOOK_SECRET};
use crate::support::{TestDatabase, on_both_databases};

const PATH: &str = "/payments/confirm";

async fn ask(app: &TestApp, body: Value) -> Answer {
    app.send(app.client.post(app.url(PATH)).json(&body)).await
}

fn v1(merchant_uid: &str, amount: Value) -> Value {
    json!({ "imp_uid": "imp_1", "merchant_uid": merchant_uid, "amount": amount })
}

fn v2_old(payment_id: &str, amount: Value) -> Value {
    json!({ "payment_id": payment_id, "tx_id": "tx-1", "total_amount": amount })
}

fn v2(payment_id: &str, amount: Value) -> Value {
    json!({ "type": "Transaction.Confirm", "timestamp": "2026-11-21T00:00:00Z", "data": { "paymentId": payment_id, "transactionId": "tx-1", "totalAmount": amount } })
}

on_both_databases! {
    async fn the_right_amount_of_an_open_order_goes_on(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("V1").await;
        app.order_v2("V2").await;
        app.order_with("USD-1", json!({ "amount": 1420, "currency": "USD" })).await;
        app.order_with("USD-2", json!({ "amount": 1420, "currency": "USD", "portone": "v2" })).await;
        let before = app.sandbox.calls("any");

        for body in [
            v1("V1", json!(65_000)), v1("V1", json!(65_000.0)), v1("USD-1", json!(14.2)),
            v2("V2", json!(65_000)), v2_old("V2", json!(65_000)), v2("USD-2", json!(1420)),
        ] {
            let answer = ask(&app, body.clone()).await;
            assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""), "{body}");
        }
        let form = app.client.post(app.url(PATH)).header("content-type", "application/x-www-form-urlencoded").body("payment_id=V2&tx_id=tx-1&total_amount=65000");
        assert_eq!(app.send(form).await.status, StatusCode::OK);
        assert_eq!(app.sandbox.calls("any"), before, "PortOne is not asked back");
    }

    async fn a_wrong_amount_is_stopped_in_each_generations_unit(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("V1").await;
        app.order_v2("V2").await;
        app.order_with("USD-1", json!({ "amount": 1420, "currency": "USD" })).await;
        app.order_with("USD-2", json!({ "amount": 1420, "currency": "USD", "portone": "v2" })).await;

        for (body, field) in [
            (v1("V1", json!(100)), "reason"), (v1("V1", json!(65_000.5)), "reason"), (v1("V1", json!(0)), "reason"), (v1("USD-1", json!(1420)), "reason"),
            (v2("V2", json!(64_999)), "errorMessage"), (v2_old("V2", json!(1)), "errorMessage"), (v2("USD-2", json!(14)), "errorMessage"),
        ] {
            let answer = ask(&app, body.clone()).await;
            assert_eq!(answer.status, StatusCode::CONFLICT, "{body}");
            assert_eq!(answer.json(), json!({ field: "결제 금액이 주문 금액과 달라 결제를 멈췄어요." }), "{body}");
        }
    }

    async fn what_cannot_be_paid_is_stopped(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for id in ["PAID", "HELD", "CLOSED", "OVERDUE"] {
            app.order_with(id, json!({ "expires_at": "2027-01-01T00:00:00Z" })).await;
        }
        let paid = app.pay("PAID", json!({}));
        app.complete(&format!("merchant_uid=PAID&imp_uid={paid}")).await;
        let held = app.pay("HELD", json!({ "amount": 100 }));
        app.complete(&format!("merchant_uid=HELD&imp_uid={held}")).await;
        app.api(Method::POST, "/api/v1/orders/CLOSED/close", None).await;
        db.run("UPDATE orders SET expires_at = created_at WHERE payment_id = 'OVERDUE'").await;

        for (id, status, words) in [
            ("PAID", StatusCode::CONFLICT, "이미 결제"), ("HELD", StatusCode::CONFLICT, "판매자"), ("CLOSED", StatusCode::CONFLICT, "기한"),
            ("OVERDUE", StatusCode::CONFLICT, "기한"), ("NO-SUCH-ORDER", StatusCode::NOT_FOUND, "찾지 못해"),
        ] {
            let answer = ask(&app, v1(id, json!(65_000))).await;
            assert_eq!(answer.status, status, "{id}");
            assert!(answer.json()["reason"].as_str().unwrap().contains(words), "{id}: {}", answer.text);
        }
    }

    async fn the_other_generation_knows_no_such_order(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("V1").await;
        app.order_v2("V2").await;

        let of_v2 = ask(&app, v1("V2", json!(65_000))).await;
        let of_v1 = ask(&app, v2("V1", json!(65_000))).await;

        assert_eq!((of_v2.status, of_v1.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
        assert!(of_v2.json()["reason"].is_string() && of_v1.json()["errorMessage"].is_string());
    }

    /// What another store is paid would be held afterwards.
    async fn another_store_knows_no_such_order(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("V2").await;
        let of = |store: &str| {
            let mut body = v2("V2", json!(65_000));
            body["data"]["storeId"] = json!(store);
            body
        };

        assert_eq!(ask(&app, of(STORE_ID)).await.status, StatusCode::OK);
        let stopped = ask(&app, of("store-of-somebody-else")).await;
        assert_eq!((stopped.status, stopped.json()["errorMessage"].is_string()), (StatusCode::NOT_FOUND, true), "{}", stopped.text);
    }

    async fn the_answer_is_in_the_orders_language(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_with("ORD-1", json!({ "locale": "en" })).await;

        let answer = ask(&app, v1("ORD-1", json!(1))).await;

        assert_eq!(answer.json()["reason"], "The payment was stopped: the amount is not the order's.");
    }

    async fn nonsense_is_stopped(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        for body in ["", "{", "[]", "null", "{}", r#"{"merchant_uid":"ORD-1"}"#, r#"{"merchant_uid":"a/b","amount":65000}"#, r#"{"merchant_uid":"ORD-1","amount":-65000}"#, r#"{"merchant_uid":"ORD-1","amount":"many"}"#, r#"{"imp_uid":"../x","merchant_uid":"ORD-1","amount":65000}"#, r#"{"type":"Transaction.Paid","data":{"paymentId":"ORD-1","transactionId":"tx-1"}}"#] {
            let answer = app.send(app.client.post(app.url(PATH)).header("content-type", "application/json").body(body)).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
            assert!(answer.json()["reason"].is_string() || answer.json()["errorMessage"].is_string(), "{body}");
        }
        let long = format!(r#"{{"merchant_uid":"{}","amount":1}}"#, "x".repeat(70_000));
        assert_eq!(app.send(app.client.post(app.url(PATH)).body(long)).await.status, StatusCode::BAD_REQUEST);
    }

    /// A payment that nobody vouches for does not go on, and is not answered with silence.
    async fn an_order_that_cannot_be_read_is_stopped(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        db.run("ALTER TABLE orders RENAME TO gone").await;

        let answer = ask(&app, v1("ORD-1", json!(65_000))).await;

        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.json()["reason"].as_str().unwrap().contains("다시 시도"), "{}", answer.text);
        // So that the worker does not stumble over it while the app stops.
        db.run("ALTER TABLE gone RENAME TO orders").await;
    }

    async fn a_signature_that_is_there_must_be_right(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("V2").await;
        let now = app.running.core.clock.now().as_second();
        let signed = |secret: &'static str, at: i64| app.signed(PATH, secret, "wh-1", at, "application/json", v2("V2", json!(65_000)).to_string());

        assert_eq!(signed(WEBHOOK_SECRET, now).await.status, StatusCode::OK);
        for answer in [signed("whsec_pzQGE83cSIRKM4/WH5QY+g==", now).await, signed(WEBHOOK_SECRET, now - 400).await] {
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            assert!(answer.json()["errorMessage"].is_string());
        }
    }

    async fn what_was_answered_is_in_the_history_once(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        for amount in [65_000, 65_000, 100, 100, 100] {
            ask(&app, v1("ORD-1", json!(amount))).await;
        }
        ask(&app, v1("NO-SUCH-ORDER", json!(65_000))).await;
        app.running.core.tasks.close();
        app.running.core.tasks.wait().await;

        let kinds: Vec<(Value, Value)> = app.history("ORD-1").await.iter().filter(|event| event["actor"] == "confirm").map(|event| (event["kind"].clone(), event["data"]["why"].clone())).collect();
        assert_eq!(kinds.len(), 2, "{kinds:?}");
        assert!(kinds.contains(&(json!("confirmed"), Value::Null)) && kinds.contains(&(json!("confirm_refused"), json!("amount"))), "{kinds:?}");
        assert_eq!(app.read_order("ORD-1").await["status"], "open", "an answer is no payment");
    }
}
