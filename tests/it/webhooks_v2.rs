//! Webhooks of V2: who is believed, in what form, and how often.

use reqwest::{Method, StatusCode};
use serde_json::json;
use wanryo::service::inbox;

use crate::app::{TestApp, WEBHOOK_SECRET};
use crate::payments::eventually;
use crate::support::{TestDatabase, on_both_databases};

const PATH: &str = "/payments/webhook";
/// Names and values.
type Headers<'a> = &'a [(&'a str, &'a str)];
const OTHER_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

on_both_databases! {
    async fn every_version_of_the_body_is_read(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let now = app.running.core.clock.now().as_second();
        for (number, (content_type, body)) in [
            ("application/json", json!({ "type": "Transaction.Paid", "timestamp": "2024-04-25T10:00:00.000Z", "data": { "storeId": "store-1", "paymentId": "ID", "transactionId": "TX" } }).to_string()),
            ("application/json", json!({ "type": "Transaction.Paid", "timestamp": "2024-04-25T10:00:00.000Z", "data": { "paymentId": "ID", "transactionId": "TX", "new": 1 }, "new": [] }).to_string()),
            ("application/json", json!({ "payment_id": "ID", "tx_id": "TX", "status": "Paid" }).to_string()),
            ("application/x-www-form-urlencoded", "payment_id=ID&tx_id=TX&status=Paid".to_owned()),
        ].into_iter().enumerate() {
            let id = format!("주문-{number}");
            app.order_v2(&id).await;
            let tx_id = app.pay_v2(&id, json!({})).await;
            let body = body.replace("ID", &id).replace("TX", &tx_id);

            let answer = app.signed(PATH, WEBHOOK_SECRET, &format!("wh-{number}"), now, content_type, body.clone()).await;

            assert_eq!(answer.status, StatusCode::OK, "{body}");
            assert_eq!(app.read_order(&id).await["status"], "paid", "{body}");
            assert!(app.history(&id).await.iter().any(|event| event["kind"] == "webhook" && event["data"]["status"] == "Paid"));
        }
    }

    async fn what_is_not_signed_well_is_refused_and_moves_nothing(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let tx_id = app.pay_v2("ORD-1", json!({})).await;
        let body = json!({ "type": "Transaction.Paid", "timestamp": "2024-04-25T10:00:00.000Z", "data": { "paymentId": "ORD-1", "transactionId": tx_id } }).to_string();
        let old_body = json!({ "payment_id": "ORD-1", "tx_id": tx_id, "status": "Paid" }).to_string();
        let now = app.running.core.clock.now().as_second();
        let headers = |at: i64| portone::webhook::Signer::new([WEBHOOK_SECRET]).unwrap().sign("wh-1", at, body.as_bytes());
        let good = headers(now);
        let (id, timestamp, signature) = (("webhook-id", good.id.as_str()), ("webhook-timestamp", good.timestamp.as_str()), ("webhook-signature", good.signature.as_str()));
        let (old, early) = (headers(now - 301), headers(now + 360));
        let old_headers = [("webhook-id", "wh-1"), ("webhook-timestamp", old.timestamp.as_str()), ("webhook-signature", old.signature.as_str())];
        let early_headers = [("webhook-id", "wh-1"), ("webhook-timestamp", early.timestamp.as_str()), ("webhook-signature", early.signature.as_str())];
        let decoy = ("webhook-signature", "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=");
        let cases: [(&str, Headers<'_>, &str); 11] = [
            ("no headers", &[], &body),
            ("no headers, older body", &[], &old_body),
            ("no signature", &[id, timestamp], &body),
            ("no timestamp", &[id, signature], &body),
            ("no id", &[timestamp, signature], &body),
            ("two ids", &[id, ("webhook-id", "wh-2"), timestamp, signature], &body),
            ("another's signature", &[id, timestamp, decoy], &body),
            ("another scheme", &[id, timestamp, ("webhook-signature", "v1a,AAAA")], &body),
            ("another body", &[id, timestamp, signature], &old_body),
            ("too old", &old_headers, &body),
            ("too early", &early_headers, &body),
        ];
        for (name, headers, body) in cases {
            let mut request = app.client.post(app.url(PATH)).header("content-type", "application/json");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = app.send(request.body(body.to_owned())).await;
            assert_eq!((answer.status, answer.json()["type"].as_str()), (StatusCode::BAD_REQUEST, Some("/problems/invalid-signature")), "{name}");
        }
        assert_eq!(app.read_order("ORD-1").await["status"], "open");
        assert_eq!(db.read("SELECT payment_id FROM inbox").await, Vec::<String>::new());
        assert_eq!(app.page("/problems/invalid-signature").await.status, StatusCode::OK);
    }

    async fn each_of_two_secrets_is_believed_while_they_are_exchanged(db: TestDatabase) {
        let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| {
            let secrets = &mut settings.v2.as_mut().unwrap().webhook_secrets;
            secrets.push(OTHER_SECRET.into());
        }).await;
        let now = app.running.core.clock.now().as_second();
        for (number, secret) in [WEBHOOK_SECRET, OTHER_SECRET].into_iter().enumerate() {
            let body = json!({ "payment_id": "NO-SUCH-ORDER", "tx_id": "tx-1", "status": "Paid" }).to_string();
            assert_eq!(app.signed(PATH, secret, &format!("wh-{number}"), now, "application/json", body).await.status, StatusCode::OK);
        }
    }

    async fn a_message_that_comes_again_is_acknowledged_and_asks_nobody(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let tx_id = app.pay_v2("ORD-1", json!({ "status": "READY" })).await;
        assert_eq!(app.webhook_v2("wh-1", "Transaction.Ready", "ORD-1", &tx_id).await.status, StatusCode::OK);
        let asked = app.sandbox.calls("v2_payment");

        for _ in 0..3 {
            assert_eq!(app.webhook_v2("wh-1", "Transaction.Ready", "ORD-1", &tx_id).await.status, StatusCode::OK);
        }

        assert_eq!(app.sandbox.calls("v2_payment"), asked);
        assert_eq!(db.read("SELECT webhook_id FROM inbox").await, ["wh-1"]);
        app.patch_v2("ORD-1", json!({ "status": "PAID" })).await;
        assert_eq!(app.webhook_v2("wh-2", "Transaction.Paid", "ORD-1", &tx_id).await.status, StatusCode::OK);
        assert_eq!(app.read_order("ORD-1").await["status"], "paid");
    }

    async fn what_is_about_no_order_is_acknowledged(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let now = app.running.core.clock.now().as_second();
        for (number, body) in [
            json!({ "type": "Transaction.Future", "timestamp": "2030-01-01T00:00:00Z", "data": { "surprise": [1] } }),
            json!({ "type": "Something.Else" }),
            json!({ "type": "BillingKey.Issued", "timestamp": "2024-04-25T10:00:00Z", "data": { "storeId": "store-1", "billingKey": "billing-key-1" } }),
            json!({ "type": "Transaction.Paid", "timestamp": "2024-04-25T10:00:00Z", "data": { "paymentId": "of/another/system", "transactionId": "tx-1" } }),
            // What the test button of PortOne's console posts.
            json!({ "type": "Transaction.Paid", "timestamp": "2024-04-25T10:00:00Z", "data": { "paymentId": "example-payment-id", "transactionId": "example-tx-id" } }),
        ].into_iter().enumerate() {
            let answer = app.signed(PATH, WEBHOOK_SECRET, &format!("wh-{number}"), now, "application/json", body.to_string()).await;
            assert_eq!(answer.status, StatusCode::OK, "{body}");
        }
        assert_eq!(app.sandbox.calls("any"), 0);
        for (number, body) in ["", "{", "[]", "null", "{}"].into_iter().enumerate() {
            let answer = app.signed(PATH, WEBHOOK_SECRET, &format!("wh-nonsense-{number}"), now, "application/json", body.to_owned()).await;
            assert_eq!((answer.status, answer.json()["type"].as_str()), (StatusCode::BAD_REQUEST, Some("/problems/malformed-body")), "{body}");
        }
    }

    async fn a_message_waits_for_an_order_that_comes_later(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let tx_id = app.pay_v2("LATER", json!({})).await;
        assert_eq!(app.webhook_v2("wh-1", "Transaction.Paid", "LATER", &tx_id).await.status, StatusCode::OK);
        assert_eq!(app.sandbox.calls("any"), 0, "an unknown order costs no call to PortOne");

        app.order_v2("LATER").await;
        inbox::work_off_due(&app.running.core, 10).await.unwrap();

        eventually(&app, "LATER", "paid").await;
    }

    async fn the_latest_word_is_portones_whatever_order_messages_come_in(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let failed = app.pay_v2("ORD-1", json!({ "status": "FAILED" })).await;
        let paid = app.pay_v2("ORD-1", json!({})).await;

        for (number, (kind, tx_id)) in [("Paid", &paid), ("Failed", &failed), ("Ready", &paid), ("Ready", &failed), ("Paid", &failed)].into_iter().enumerate() {
            app.webhook_v2(&format!("wh-{number}"), &format!("Transaction.{kind}"), "ORD-1", tx_id).await;
        }

        assert_eq!(app.read_order("ORD-1").await["status"], "paid");
        assert_eq!(app.told("ORD-1").await.iter().filter(|told| **told == "order.paid").count(), 1);
    }

    async fn a_server_without_secrets_takes_no_signed_webhook(db: TestDatabase) {
        let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| {
            settings.v2.as_mut().unwrap().webhook_secrets.clear();
        }).await;

        let answer = app.webhook_v2("wh-1", "Transaction.Paid", "ORD-1", "tx-1").await;

        assert_eq!((answer.status, answer.json()["type"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("/problems/portone-not-configured")));
    }

    async fn a_signature_counts_more_than_an_address(db: TestDatabase) {
        let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| {
            settings.webhook_sources = vec!["52.78.100.19/32".parse().unwrap()];
        }).await;

        assert_eq!(app.webhook("imp_1", "ORD-1", "paid").await.status, StatusCode::FORBIDDEN);
        assert_eq!(app.webhook_v2("wh-1", "Transaction.Paid", "ORD-1", "tx-1").await.status, StatusCode::OK);
    }

    /// From the sandbox's window to the order, with everything that PortOne sends on the way.
    async fn the_sandboxs_own_webhooks_are_taken(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        app.pay_v2("ORD-1", json!({})).await;

        let receipts = app.control_v2(Method::POST, &["ORD-1", "webhook"], json!({})).await;

        assert_eq!(receipts["webhooks"][0]["answer"], 200, "{receipts}");

        eventually(&app, "ORD-1", "paid").await;
    }
}
