//! Doors that set "paid", and doors that give money back.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wanryo::domain::refund::OnMismatch;

use super::tools::{
    GENERATIONS, PRICE, asked, cancels, extend, insist, order, paid, pay, query, settled, sign_in,
    sources,
};
use crate::app::TestApp;
use crate::support::{TestDatabase, on_both_databases};

on_both_databases! {
    /// CVE-2026-16038 (MStore API): an order could be set to paid through the API, by anybody who was signed in. Here not even
    /// the shop's own key can say so.
    async fn no_door_sets_an_order_to_paid(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let words = [json!({ "status": "paid" }), json!({ "set_paid": true }), json!({ "paid": true }), json!({ "transaction_id": "imp_1" }), json!({ "accepted_transaction_id": "imp_1" }), json!({ "paid_at": "2026-01-01T00:00:00Z" }), json!({ "checks": [] }), json!({ "version": 7 }), json!({ "outcome": "paid" })];
        app.order("ORD-1").await;
        app.order("ORD-2").await;
        for (number, word) in words.iter().enumerate() {
            let mut body = json!({ "payment_id": format!("NEW-{number}"), "name": "사과", "amount": PRICE });
            extend(&mut body, word);
            let made = app.api(Method::POST, "/api/v1/orders", Some(body)).await;
            assert_eq!((made.status, made.json()["type"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("/problems/invalid-field")), "{word}: {}", made.text);
            for path in ["/api/v1/orders/ORD-1", "/api/v1/orders/ORD-1/sync", "/api/v1/orders/ORD-1/status", "/api/v1/orders/ORD-1/paid", "/api/v1/orders/ORD-1/events", "/api/v1/orders/ORD-1/transactions", "/api/v1/orders/ORD-2/refunds", "/api/v1/attention/orphan/imp_1/settle"] {
                for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                    app.api(method, path, Some(word.clone())).await;
                }
            }
        }
        settled(&app).await;

        assert_eq!(db.read("SELECT status FROM orders ORDER BY 1").await, ["open", "open"]);
        assert_eq!(db.read("SELECT payment_id FROM transactions").await, [] as [String; 0]);
        assert_eq!((app.told("ORD-1").await.len(), app.told("ORD-2").await.len()), (0, 0));
    }

    /// CVE-2026-82844 (WPForms): the browser said that the window had succeeded, and the server took it for a fact.
    async fn what_the_browser_heard_is_not_a_fact(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            for (number, (status, outcome)) in [(Some("ready"), "pending"), (Some("failed"), "failed"), (None, "not_found")].into_iter().enumerate() {
                let id = format!("{portone}-{number}");
                order(&app, portone, &id, json!({})).await;
                let transaction_id = match status {
                    Some(status) => pay(&app, portone, &id, json!({ "status": status })).await,
                    None => "imp_000000000001".to_owned(),
                };
                // All that either SDK hands to the page, as a page would that hands it on.
                let v1 = json!({ "success": true, "imp_success": true, "imp_uid": transaction_id, "merchant_uid": id, "pay_method": "card", "paid_amount": PRICE, "status": "paid", "pg_tid": "T1", "apply_num": "123", "paid_at": 1_700_000_000, "receipt_url": "https://receipt.example", "card_name": "신한" });
                let v2 = json!({ "transactionType": "PAYMENT", "txId": transaction_id, "paymentId": id, "status": "PAID", "amount": { "total": PRICE }, "paymentToken": "t", "code": null });
                let body = if portone == "v1" { v1 } else { v2 };
                let posted = insist(&app, app.client.post(app.url("/payments/complete")).json(&body)).await;
                let page = insist(&app, app.client.post(app.url("/payments/complete")).header("accept", "text/html").json(&body)).await;
                let function = app.client.post(app.url("/api/payments/complete")).header("sec-fetch-site", "same-origin").form(&[("payment_id", id.as_str()), ("transaction_id", &transaction_id), ("outcome", "paid"), ("success", "true")]);
                let function = app.send(function).await;

                assert_eq!((posted.outcome().as_str(), page.page_outcome()), (outcome, Some(outcome)), "{body}");
                assert!(!page.text.contains("결제가 완료됐어요") && !function.text.contains("\"Paid\""), "{}", function.text);
                assert_eq!(app.read_order(&id).await["status"], "open");
            }
        }
    }

    /// CVE-2026-74991 (WPForms): whoever knew a payment's id had it given back, whosever it was. The shop here even asks for
    /// refunds of what fails a check.
    async fn a_stranger_gives_nobodys_money_back(db: TestDatabase) {
        let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| settings.on_mismatch = OnMismatch::Refund).await;
        for portone in GENERATIONS {
            let (theirs, mine, elsewhere) = (format!("THEIRS-{portone}"), format!("MINE-{portone}"), format!("ELSEWHERE-{portone}"));
            let known = paid(&app, portone, &theirs).await;
            // The thief's own order costs another price, so that the foreign payment would fail every check but one.
            order(&app, portone, &mine, json!({ "amount": 1 })).await;
            let orphan = pay(&app, portone, &elsewhere, json!({ "amount": 100 })).await;
            let asks = [json!({}), json!({ "status": "cancelled" }), json!({ "action": "refund" }), json!({ "cancel": true, "amount": PRICE }), json!({ "type": "Transaction.Cancelled" }), json!({ "cancel_request_amount": PRICE, "reason": "x" })];
            for (transaction_id, id) in [(&known, &theirs), (&known, &mine), (&orphan, &mine), (&orphan, &elsewhere), (&orphan, &theirs)] {
                for (number, ask) in asks.iter().enumerate() {
                    let mut body: Value = url::form_urlencoded::parse(query(portone, id, transaction_id).as_bytes()).map(|(name, value)| (name.into_owned(), json!(value))).collect::<serde_json::Map<_, _>>().into();
                    extend(&mut body, ask);
                    for path in ["/payments/webhook", "/payments/confirm"] {
                        app.send(app.client.post(app.url(path)).json(&body)).await;
                        app.send(app.client.post(app.url(path)).form(&body)).await;
                    }
                    // Of what it does not know PortOne is asked again for two seconds.
                    if number < 2 {
                        app.send(app.client.post(app.url("/payments/complete")).form(&body).header("accept", "application/json")).await;
                    }
                }
                for path in ["refunds", "refund", "cancel"] {
                    for request in [app.client.post(app.url(&format!("/api/v1/orders/{id}/{path}"))), app.client.delete(app.url(&format!("/api/v1/orders/{id}/{path}")))] {
                        let answer = app.send(request.header("idempotency-key", "1").json(&json!({ "reason": "x", "transaction_id": transaction_id }))).await;
                        assert!([StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&answer.status), "{path}: {}", answer.status);
                    }
                }
            }
            // Nor does the key of the shop reach a payment by an order that is not its own.
            let foreign = app.refund(&mine, "1", json!({ "reason": "x", "transaction_id": known })).await;
            assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{}", foreign.text);
            settled(&app).await;

            assert_eq!(app.read_order(&theirs).await["status"], "paid");
        }
        assert_eq!(cancels(&app), 0);
        assert_eq!(db.read("SELECT payment_id FROM refunds").await, [] as [String; 0]);
    }

    /// CVE-2026-7862 (Eupago): refunds were open to everybody, and went to the account that the request named.
    async fn money_goes_to_an_account_only_by_the_shops_key(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({ "pay_method": "vbank", "vbank_num": "56211-1", "vbank_name": "국민은행" }));
        assert_eq!(asked(&app, &query("v1", "ORD-1", &imp_uid)).await.outcome(), "paid");
        let cookie = sign_in(&app).await;
        let session = cookie.split_once('=').unwrap().1.to_owned();
        let body = json!({ "reason": "x", "refund_account": { "bank": "KOOKMIN", "number": "attacker-1", "holder": "attacker", "tel": "010" } });
        let refunds = app.url("/api/v1/orders/ORD-1/refunds");
        let post = |url: &str| app.client.post(url).header("idempotency-key", "1").json(&body);

        // No key; a key of nobody's; a person's session, as a cookie and as a key; a key in the wrong place.
        for request in [
            post(&refunds), post(&refunds).bearer_auth(""), post(&refunds).bearer_auth("wr_"), post(&refunds).bearer_auth("wr_nobodys"), post(&refunds).header("cookie", &cookie), post(&refunds).bearer_auth(&session), post(&refunds).bearer_auth(format!("wr_{session}")),
            post(&refunds).basic_auth("wr", Some(app.key())), post(&refunds).header("x-api-key", app.key()), post(&format!("{refunds}?key={}&api_key={0}&access_token={0}", app.key())), post(&refunds).header("authorization", app.key()), post(&refunds).header("cookie", format!("wanryo={}", app.key())),
            post(&refunds).header("authorization", "Bearer x").header("x-http-method-override", "GET"),
        ] {
            let answer = app.send(request).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
        }
        // Nor does a form with a signed-in person's cookie, whatever page sends it where: none of them is the page's own confirmation.
        for path in ["/orders/ORD-1", "/orders/ORD-1/refund", "/orders/ORD-1/refunds", "/orders/ORD-1/cancel", "/orders/ORD-1/close", "/orders/ORD-1/sync", "/attention/settle", "/orders"] {
            for request in [app.client.post(app.url(path)), app.client.post(app.url(path)).header("sec-fetch-site", "same-origin"), app.client.post(app.url(path)).header("origin", "https://evil.example").header("sec-fetch-site", "cross-site"), app.client.get(app.url(path))] {
                app.send(request.header("cookie", &cookie).form(&[("reason", "x"), ("amount", "65000"), ("kind", "held"), ("transaction_id", imp_uid.as_str()), ("note", "x")])).await;
            }
        }
        settled(&app).await;
        assert_eq!(cancels(&app), 0);
        assert_eq!((app.read_order("ORD-1").await["status"].as_str(), db.read("SELECT payment_id FROM refunds").await.len()), (Some("paid"), 0));

        // With the key it goes, and who asked is on record.
        let asked = app.refund("ORD-1", "1", body.clone()).await;
        assert_eq!((asked.status, cancels(&app)), (StatusCode::CREATED, 1), "{}", asked.text);
        let record = app.history("ORD-1").await;
        assert!(record.iter().any(|event| event["kind"] == "refund_requested" && event["actor"] == "shop:test"), "{record:?}");
    }
}

/// What asks for a refund is the API's handler, which cannot run without a key, the back office's, which cannot run without a
/// person who is signed in, and the policy for what fails a check.
#[test]
fn refunds_are_begun_in_three_places() {
    let mut places = Vec::new();
    for (path, text) in sources("src") {
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        if shipped.contains("refunds::request(") || shipped.contains("refunds::by_policy(") {
            let path = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
            places.push(path.to_str().unwrap().to_owned());
        }
    }
    places.sort();
    assert_eq!(
        places,
        [
            "src/service/sync/look.rs",
            "src/web/api/refunds.rs",
            "src/web/office/refund.rs"
        ]
    );
    let doors = sources("src/web");
    let (_, office) = doors
        .iter()
        .find(|(path, _)| path.ends_with("office/refund.rs"))
        .unwrap();
    let form = office.split_once("pub async fn refund_order(").unwrap().1;
    let arguments = form.split_once(") ->").unwrap().0;
    assert!(
        arguments.contains("Extension<SignedIn>"),
        "the handler takes a person first"
    );
    let handlers = sources("src/web/api");
    let (_, refunds) = handlers
        .iter()
        .find(|(path, _)| path.ends_with("refunds.rs"))
        .unwrap();
    let make = refunds.split_once("pub async fn make_refund(").unwrap().1;
    assert!(
        make.trim_start().starts_with("shop: Shop,"),
        "the handler takes a key first"
    );
}
