//! A genuine payment, used for something else than it was made for.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wanryo::service::reconciliation;

use super::tools::{
    GENERATIONS, PRICE, asked, at_once, calls, cancels, order, paid, pay, query, restarted, settled,
};
use crate::app::TestApp;
use crate::program::Program;
use crate::support::{TestDatabase, on_both_databases};

/// What shops and forms put where an order's number belongs when they have none.
const NO_NUMBERS: [&str; 16] = [
    "0",
    "00",
    "-1",
    "1e0",
    "0x0",
    "null",
    "undefined",
    "NaN",
    "None",
    "false",
    "true",
    "[]",
    "{}",
    "[object Object]",
    "*",
    "''",
];

async fn complete_all(
    app: &TestApp,
    requests: usize,
    of: impl Fn(usize) -> String,
) -> Vec<StatusCode> {
    let requests = (0..requests).map(|number| {
        let request = app
            .client
            .get(app.url(&format!("/payments/complete?{}", of(number))));
        request.header("accept", "application/json")
    });
    at_once(requests).await
}

on_both_databases! {
    /// CVE-2026-2890 (Formidable Forms): the return page took any succeeded payment for any entry, so that a small one of the
    /// attacker's own paid for a large one.
    async fn a_small_payment_of_ones_own_does_not_pay_a_large_order(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let (large, small, cut) = (format!("LARGE-{portone}"), format!("SMALL-{portone}"), format!("CUT-{portone}"));
            for (id, amount) in [(&large, PRICE), (&small, 100), (&cut, PRICE)] {
                order(&app, portone, id, json!({ "amount": amount })).await;
            }
            // Paid honestly, for the small order, and brought to the large one.
            let of_small = pay(&app, portone, &small, json!({ "amount": 100 })).await;
            assert_eq!(asked(&app, &query(portone, &large, &of_small)).await.outcome(), "not_found");
            assert_eq!(asked(&app, &query(portone, &small, &of_small)).await.outcome(), "paid");
            assert_eq!(asked(&app, &query(portone, &large, &of_small)).await.outcome(), "not_found");
            // Paid under the large order's own number, in a window that was told another amount.
            let of_cut = pay(&app, portone, &cut, json!({ "amount": 100 })).await;
            assert_eq!(asked(&app, &query(portone, &cut, &of_cut)).await.outcome(), "held");

            for (id, status) in [(&large, "open"), (&small, "paid"), (&cut, "held")] {
                assert_eq!(app.read_order(id).await["status"], status, "{id}");
            }
            assert!(!app.told(&cut).await.contains(&"order.paid"));
        }
    }

    /// CVE-2026-111957 (SUMIT): an old payment's id on the redirect callback completed a new order. Here the gateway's own
    /// record even says that the payment is the new order's.
    async fn a_payments_id_is_not_taken_for_a_second_order(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let imp_uid = paid(&app, "v1", "FIRST").await;
        let tx_id = paid(&app, "v2", "FIRST-V2").await;
        app.order("SECOND").await;
        app.order_v2("SECOND-V2").await;

        for ids in [query("v1", "SECOND", &imp_uid), query("v2", "SECOND-V2", &tx_id)] {
            assert_eq!(asked(&app, &ids).await.outcome(), "not_found");
        }
        app.sandbox.patch_payment(&imp_uid, json!({ "merchant_uid": "SECOND" })).unwrap();
        for _ in 0..3 {
            assert_eq!(asked(&app, &query("v1", "SECOND", &imp_uid)).await.outcome(), "not_found");
            assert_eq!(app.webhook(&imp_uid, "SECOND", "paid").await.status, StatusCode::OK);
            app.api(Method::POST, "/api/v1/orders/SECOND/sync", None).await;
        }

        for id in ["SECOND", "SECOND-V2"] {
            let order = app.read_order(id).await;
            assert_eq!((&order["status"], &order["transactions"]), (&json!("open"), &json!([])), "{id}");
            assert_eq!(app.told(id).await, [] as [&str; 0]);
        }
        assert_eq!(db.read("SELECT payment_id FROM orders WHERE accepted_transaction_id IS NOT NULL ORDER BY 1").await, ["FIRST", "FIRST-V2"]);
    }

    /// CVE-2025-3247 (Contact Form 7): one payment intent, kept and sent again, paid for every later form; nothing remembered
    /// that it had been used.
    async fn a_used_payment_is_still_used_after_a_restart(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let imp_uid = paid(&app, "v1", "FIRST").await;

        let mut app = app;
        for number in 0..2 {
            app = restarted(app, &db).await;
            let id = format!("LATER-{number}");
            app.order(&id).await;
            // Also when the gateway's record would have it so.
            app.sandbox.patch_payment(&imp_uid, json!({ "merchant_uid": id })).unwrap();

            assert_eq!(asked(&app, &query("v1", &id, &imp_uid)).await.outcome(), "not_found");
            app.webhook(&imp_uid, &id, "paid").await;
            settled(&app).await;

            assert_eq!(app.read_order(&id).await["status"], "open");
            assert_eq!(app.read_order("FIRST").await["transaction_id"], imp_uid.as_str());
        }
    }

    /// CVE-2026-9189 (Contact Form 7 PayPal & Stripe add-on): a genuine, authenticated notice was believed without comparing
    /// the amount.
    async fn a_genuine_payment_of_one_won_less_pays_nothing(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            for (number, amount) in [PRICE - 1, PRICE + 1, 0, 1, PRICE / 100, PRICE * 100].into_iter().enumerate() {
                let id = format!("{portone}-{number}");
                order(&app, portone, &id, json!({})).await;
                let transaction_id = pay(&app, portone, &id, json!({ "amount": amount })).await;

                // The notice is genuine: of V2 it is even signed.
                let told = if portone == "v1" { app.webhook(&transaction_id, &id, "paid").await } else { app.webhook_v2(&format!("wh-{number}"), "Transaction.Paid", &id, &transaction_id).await };
                assert_eq!(told.status, StatusCode::OK);
                settled(&app).await;

                assert_eq!(app.read_order(&id).await["status"], "held", "{id}: {amount}");
                assert_eq!(asked(&app, &query(portone, &id, &transaction_id)).await.outcome(), "held");
                assert_eq!(app.told(&id).await, ["order.held"]);
            }
        }
        assert_eq!(cancels(&app), 0, "nobody gives back what a person has to look at");
    }

    /// CVE-2026-4987 (SureForms): `form_id=0` named no form, and what belongs to no form was not validated.
    async fn an_order_number_of_nothing_is_no_way_around_the_checks(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let imp_uid = app.pay("0", json!({}));
        let absent = asked(&app, "merchant_uid=NO-SUCH-ORDER&imp_uid=imp_000000000001").await;
        let before = calls(&app).len();

        for number in NO_NUMBERS {
            for spelled in [[("merchant_uid", number), ("imp_uid", imp_uid.as_str())], [("paymentId", number), ("txId", imp_uid.as_str())]] {
                let request = app.client.get(app.url("/payments/complete")).query(&spelled).header("accept", "application/json");
                let answer = app.send(request).await;
                assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NOT_FOUND, absent.text.as_str()), "{number}");
            }
            let told = app.webhook(&imp_uid, number, "paid").await;
            assert_eq!(told.status, StatusCode::OK);
            let asked = app.client.post(app.url("/payments/confirm")).json(&json!({ "imp_uid": imp_uid, "merchant_uid": number, "amount": 0 }));
            assert_eq!(app.send(asked).await.status, StatusCode::NOT_FOUND, "{number}");
        }

        assert_eq!(calls(&app).len(), before, "what is no order costs no call");
        assert_eq!(db.read("SELECT payment_id FROM orders").await, [] as [String; 0]);
        assert_eq!(db.read("SELECT payment_id FROM transactions").await, [] as [String; 0]);
    }

    /// CVE-2026-2888 (Formidable Forms): the amount of an order that existed already could be posted anew.
    async fn the_price_of_an_order_is_not_posted_anew(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let id = format!("ORD-{portone}");
            order(&app, portone, &id, json!({})).await;
            // Even the shop's own key does not change it, by any method.
            let cheaper = json!({ "payment_id": id, "name": "사과 한 상자", "amount": 100, "portone": portone, "channel_key": "channel-key-live" });
            let again = app.api(Method::POST, "/api/v1/orders", Some(cheaper.clone())).await;
            assert_eq!((again.status, again.json()["type"].as_str()), (StatusCode::CONFLICT, Some("/problems/order-exists")));
            for method in [Method::PUT, Method::PATCH, Method::POST] {
                let answer = app.api(method, &format!("/api/v1/orders/{id}"), Some(json!({ "amount": 100 }))).await;
                assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            }
            for path in ["sync", "close"] {
                app.api(Method::POST, &format!("/api/v1/orders/OTHER/{path}"), Some(cheaper.clone())).await;
            }
            // And a buyer's browser has nowhere to say it.
            for path in [format!("/pay/{id}?amount=100"), format!("/payments/complete?merchant_uid={id}&paymentId={id}&amount=100&total=100")] {
                app.send(app.client.get(app.url(&path)).header("accept", "text/html")).await;
                app.send(app.client.post(app.url(&path)).form(&[("amount", "100"), ("payment_id", &id)])).await;
            }

            assert_eq!(app.read_order(&id).await["amount"], PRICE);
            let transaction_id = pay(&app, portone, &id, json!({ "amount": 100 })).await;
            assert_eq!(asked(&app, &query(portone, &id, &transaction_id)).await.outcome(), "held");
        }
    }

    /// GHSA-wm63-7627-ch33 (Vendure): the number was compared and the currency was not.
    async fn the_same_number_in_another_currency_pays_nothing(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        // The order's currency and minor units, and what was paid instead, in each generation's own unit.
        let wrong = [
            ("KRW", 65_000, json!(65_000), "JPY"), ("KRW", 65_000, json!(65_000), "USD"), ("KRW", 65_000, json!(650), "USD"), ("KRW", 65_000, json!(65_000), "krw"),
            ("KRW", 65_000, json!(65_000), ""), ("USD", 65_000, json!(650), "KRW"), ("USD", 65_000, json!(65_000), "KRW"), ("USD", 65_000, json!(650), "JPY"),
            ("JPY", 650, json!(650), "KRW"), ("KWD", 65_000, json!(65), "USD"),
        ];
        for portone in GENERATIONS {
            for (number, (currency, price, amount, paid_in)) in wrong.iter().enumerate() {
                let id = format!("{portone}-{number}");
                order(&app, portone, &id, json!({ "amount": price, "currency": currency })).await;
                let transaction_id = pay(&app, portone, &id, json!({ "amount": amount, "currency": paid_in })).await;

                let answer = app.complete(&query(portone, &id, &transaction_id)).await;

                // An answer that names no currency at all may also be taken for no answer.
                assert!(["held", "unconfirmed"].contains(&answer.outcome().as_str()), "{currency} {price} by {amount} {paid_in}: {}", answer.text);
                assert_ne!(app.read_order(&id).await["status"], "paid");
            }
            // Cents are no dollars, though the currency is right.
            for (number, amount) in [(0, if portone == "v1" { 65_000 } else { 650 }), (1, 0)] {
                let id = format!("CENTS-{portone}-{number}");
                order(&app, portone, &id, json!({ "amount": 65_000, "currency": "USD" })).await;
                let transaction_id = pay(&app, portone, &id, json!({ "amount": amount, "currency": "USD" })).await;
                assert_eq!(asked(&app, &query(portone, &id, &transaction_id)).await.outcome(), "held", "{amount}");
            }
        }
    }

    /// CVE-2026-47741 (Shopper, GHSA-9rh9-hf3w-9fgg) and CVE-2026-32398 (TeraWallet): many requests at the same moment each
    /// found the balance unspent, and each spent it.
    async fn a_crowd_at_the_same_moment_spends_a_payment_once(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        // One address may hold 256 connections.
        for (round, crowd) in [20, 200].into_iter().enumerate() {
            let id = format!("ORD-{round}");
            app.order(&id).await;
            let imp_uid = app.pay(&id, json!({}));
            // Thieves bring the same payment to twenty orders of their own while the crowd brings it to the right one.
            for number in 0..20 {
                app.order(&format!("THIEF-{round}-{number}")).await;
            }

            let of = |number: usize| if number.is_multiple_of(2) { query("v1", &id, &imp_uid) } else { query("v1", &format!("THIEF-{round}-{}", number % 20), &imp_uid) };
            let hooks = (0..crowd / 2).map(|number: usize| {
                let order = if number.is_multiple_of(2) { id.clone() } else { format!("THIEF-{round}-{}", number % 20) };
                app.client.post(app.url("/payments/webhook")).json(&json!({ "imp_uid": imp_uid, "merchant_uid": order, "status": "paid" }))
            });
            let (pages, hooks) = tokio::join!(complete_all(&app, crowd / 2, of), at_once(hooks));
            settled(&app).await;

            assert!(pages.iter().chain(&hooks).all(|status| !status.is_server_error() || *status == StatusCode::SERVICE_UNAVAILABLE), "{pages:?} {hooks:?}");
            crate::payments::eventually(&app, &id, "paid").await;
            assert_eq!(app.told(&id).await, ["order.paid"]);
            let transitions = app.history(&id).await.iter().filter(|event| event["kind"] == "transition").count();
            assert_eq!(transitions, 1);
            for number in 0..20 {
                let thief = format!("THIEF-{round}-{number}");
                assert_eq!((&app.read_order(&thief).await["status"], app.told(&thief).await.len()), (&json!("open"), 0));
            }

            // And its money goes back once, however many ask for all of it, each by a name of its own.
            let refunds = (0..crowd).map(|number| {
                let request = app.client.post(app.url(&format!("/api/v1/orders/{id}/refunds"))).bearer_auth(app.key());
                request.header("idempotency-key", format!("again-{number}")).json(&json!({ "reason": "x", "amount": PRICE }))
            });
            let before = cancels(&app);
            let answers = at_once(refunds).await;
            settled(&app).await;
            assert_eq!(answers.iter().filter(|status| **status == StatusCode::CREATED).count(), 1, "{answers:?}");
            assert_eq!(cancels(&app), before + 1);
            assert_eq!(app.read_order(&id).await["refunded_amount"], PRICE);
        }
    }

    /// LIT-Protocol/chipotle, pull request 332: a credit was guarded by a lock in the process, and two processes credited
    /// twice. On SQLite the second process is turned away at the door.
    async fn two_processes_do_not_accept_a_payment_twice(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let app = TestApp::start_with(&db, Arc::clone(&sandbox), |_| {}).await;
        if db.sqlite_path().is_some() {
            let second = crate::program::command(&db, &sandbox).output().await.unwrap();
            let said = String::from_utf8_lossy(&second.stderr);
            assert!(!second.status.success() && said.contains("DATABASE_URL") && !said.contains("listening on"), "{said}");
            return;
        }
        let processes = [Program::start(&db, &sandbox).await, Program::start(&db, &sandbox).await];
        let mut orders = Vec::new();
        for number in 0..10 {
            let id = format!("ORD-{number}");
            app.order(&id).await;
            app.order(&format!("THIEF-{number}")).await;
            orders.push((app.pay(&id, json!({})), id));
        }

        let mut requests = Vec::new();
        for (number, (imp_uid, id)) in orders.iter().enumerate() {
            for attempt in 0..20 {
                let process = &processes[attempt % 2];
                let order = if attempt % 5 == 4 { format!("THIEF-{number}") } else { id.clone() };
                requests.push(if attempt % 3 == 0 {
                    app.client.post(format!("{}/payments/webhook", process.url)).json(&json!({ "imp_uid": imp_uid, "merchant_uid": order, "status": "paid" }))
                } else {
                    app.client.get(format!("{}/payments/complete?{}", process.url, query("v1", &order, imp_uid))).header("accept", "application/json")
                });
            }
        }
        at_once(requests).await;
        for (_, id) in &orders {
            crate::payments::eventually(&app, id, "paid").await;
        }
        for process in processes {
            process.end().await;
        }
        reconciliation::reconcile_due(&app.running.core, 50).await.unwrap();

        for (number, (imp_uid, id)) in orders.iter().enumerate() {
            assert_eq!(app.read_order(id).await["transaction_id"], imp_uid.as_str());
            assert_eq!(app.told(id).await, ["order.paid"]);
            let thief = app.read_order(&format!("THIEF-{number}")).await;
            assert_eq!((&thief["status"], &thief["transactions"]), (&json!("open"), &Value::Array(Vec::new())));
        }
    }
}
