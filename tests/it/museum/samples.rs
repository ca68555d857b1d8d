//! What the reference implementations get wrong: the samples, plug-ins and pages that shops copy.

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::tools::{
    GENERATIONS, PASSWORD, PRICE, asked, calls, cancels, everything_stored, inside, opened, order,
    paid, pay, query, settled, sign_in, skeleton,
};
use crate::app::{Answer, TestApp, V2_SECRET, WEBHOOK_SECRET};
use crate::support::{TestDatabase, on_both_databases};

/// What a page may be headed by, in both languages, for each outcome of [`every_outcome`].
const HEADINGS: [(&str, &str, &str); 14] = [
    ("paid", "결제가 완료됐어요", "Payment complete"),
    (
        "virtual_account_issued",
        "입금할 계좌가 발급됐어요",
        "Your account for the deposit is ready",
    ),
    (
        "pending",
        "결제를 확인하고 있어요",
        "We’re checking your payment",
    ),
    (
        "failed",
        "결제하지 못했어요",
        "Your payment didn’t go through",
    ),
    (
        "cancelled by the buyer",
        "결제를 취소했어요",
        "You cancelled the payment",
    ),
    ("refunded", "환불됐어요", "Your money was refunded"),
    (
        "partially_refunded",
        "일부 금액이 환불됐어요",
        "Part of your money was refunded",
    ),
    (
        "held",
        "결제를 확인할 수 없어요",
        "We can’t confirm this payment",
    ),
    ("duplicate", "결제가 두 번 됐어요", "You paid twice"),
    (
        "late",
        "주문이 마감된 뒤에 결제됐어요",
        "You paid after the order had ended",
    ),
    (
        "expired",
        "결제할 수 있는 시간이 지났어요",
        "The time to pay has run out",
    ),
    (
        "unconfirmed",
        "아직 결제 결과를 확인하지 못했어요",
        "We couldn’t confirm your payment yet",
    ),
    (
        "not_found",
        "주문을 찾을 수 없어요",
        "We can’t find this order",
    ),
    (
        "invalid",
        "결제 정보를 읽을 수 없어요",
        "We can’t read the payment’s details",
    ),
];

/// One buyer's way to each thing that a result page can say: its name in [`HEADINGS`], and the page's address. The last of all
/// makes PortOne unreachable for its own order alone.
async fn every_outcome(app: &TestApp) -> Vec<(&'static str, String)> {
    let mut ways = Vec::new();
    let account = json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "vbank_date": 4_102_444_800_i64 });
    for (name, id, payment) in [
        ("paid", "PAID", json!({})),
        ("virtual_account_issued", "ACCOUNT", account),
        ("pending", "READY", json!({ "status": "ready" })),
        (
            "failed",
            "FAILED",
            json!({ "status": "failed", "fail_reason": "[51] 알 수 없음" }),
        ),
        (
            "cancelled by the buyer",
            "LEFT",
            json!({ "status": "failed", "fail_reason": "사용자가 결제를 취소하셨습니다" }),
        ),
        ("refunded", "BACK", json!({})),
        ("partially_refunded", "PART", json!({})),
        ("held", "HELD", json!({ "amount": 100 })),
        ("duplicate", "TWICE", json!({})),
        ("late", "LATE", json!({})),
    ] {
        app.order(id).await;
        if name == "late" {
            app.api(Method::POST, "/api/v1/orders/LATE/close", None)
                .await;
        }
        let mut imp_uid = app.pay(id, payment);
        match name {
            "refunded" | "partially_refunded" => {
                asked(app, &query("v1", id, &imp_uid)).await;
                let amount = if name == "refunded" { PRICE } else { 15_000 };
                let patch = json!({ "status": "cancelled", "cancel_amount": amount });
                app.sandbox.patch_payment(&imp_uid, patch).unwrap();
            }
            "duplicate" => {
                asked(app, &query("v1", id, &imp_uid)).await;
                imp_uid = app.pay(id, json!({}));
            }
            _ => {}
        }
        ways.push((
            name,
            format!("/payments/complete?{}", query("v1", id, &imp_uid)),
        ));
    }
    ways.push((
        "not_found",
        "/payments/complete?merchant_uid=NO-SUCH-ORDER".to_owned(),
    ));
    ways.push(("invalid", "/payments/complete?merchant_uid=..".to_owned()));
    ways
}

/// The two that need the world to change: an order whose time ends, and a PortOne that is gone afterwards.
async fn the_last_outcomes(app: &TestApp, db: &TestDatabase) -> Vec<(&'static str, String)> {
    let over = app
        .order_with("OVER", json!({ "expires_at": "2027-01-01T00:00:00Z" }))
        .await;
    let link = over["status_url"]
        .as_str()
        .unwrap()
        .replace(&app.running.public_url, "");
    db.run(
        "UPDATE orders SET expires_at = created_at, next_check_at = 0 WHERE payment_id = 'OVER'",
    )
    .await;
    wanryo::service::reconciliation::reconcile_due(&app.running.core, 50)
        .await
        .unwrap();
    crate::payments::eventually(app, "OVER", "expired").await;
    app.order("DOWN").await;
    let imp_uid = app.pay("DOWN", json!({}));
    vec![
        ("expired", link),
        (
            "unconfirmed",
            format!("/payments/complete?{}", query("v1", "DOWN", &imp_uid)),
        ),
    ]
}

/// All of it, as pages in one language.
async fn every_page(app: &TestApp, db: &TestDatabase) -> Vec<(&'static str, [Answer; 2])> {
    let mut ways = every_outcome(app).await;
    let last = the_last_outcomes(app, db).await;
    ways.extend(last);
    let mut pages = Vec::new();
    for (name, path) in ways {
        let separator = if path.contains('?') { '&' } else { '?' };
        let (korean, english) = (
            format!("{path}{separator}lang=ko"),
            format!("{path}{separator}lang=en"),
        );
        if name == "unconfirmed" {
            let fault = json!({ "call": "any", "kind": "status", "status": 503 });
            app.sandbox.fault(fault).unwrap();
            pages.push((name, [app.page(&korean).await, app.page(&english).await]));
        } else {
            let shown = [opened(app, &korean).await, opened(app, &english).await];
            pages.push((name, shown));
        }
    }
    app.sandbox.clear_faults();
    pages
}

on_both_databases! {
    /// portone-io/portone-sample (FastAPI servers): the first completion of a paid payment returned nothing, which the page
    /// called a failure; and errors were answered 200, with the status inside a JSON list.
    async fn the_first_completion_says_paid_and_errors_have_their_status(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            for by_page in [true, false] {
                let id = format!("{portone}-{by_page}");
                order(&app, portone, &id, json!({})).await;
                let transaction_id = pay(&app, portone, &id, json!({})).await;
                let ids = query(portone, &id, &transaction_id);
                for _ in 0..2 {
                    let outcome = if by_page { opened(&app, &format!("/payments/complete?{ids}")).await.page_outcome().unwrap().to_owned() } else { asked(&app, &ids).await.outcome() };
                    assert_eq!(outcome, "paid", "{ids}");
                }
            }
        }
        for (answer, status) in [
            (asked(&app, "imp_uid=..").await, 400), (asked(&app, "merchant_uid=NO-SUCH-ORDER").await, 404), (app.api(Method::POST, "/api/v1/orders", Some(json!({}))).await, 422), (app.api(Method::POST, "/api/v1/orders", Some(json!([]))).await, 400),
            (app.send(app.client.post(app.url("/payments/webhook")).body("{")).await, 400), (app.send(app.client.post(app.url("/payments/confirm")).body("{")).await, 400), (app.api(Method::GET, "/api/v1/orders/NO-SUCH-ORDER", None).await, 404),
        ] {
            assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
            assert!(answer.json().is_object(), "{}", answer.text);
        }
    }

    /// portone-io/portone-sample (Rails server): any trouble in a webhook was answered 400, and an API that did not answer made
    /// the payment failed.
    async fn an_api_that_does_not_answer_fails_no_payment(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            for (number, kind) in [json!({ "kind": "status", "status": 500 }), json!({ "kind": "status", "status": 404 }), json!({ "kind": "html" }), json!({ "kind": "empty" }), json!({ "kind": "reset" }), json!({ "kind": "unauthorized" })].into_iter().enumerate() {
                let id = format!("{portone}-{number}");
                order(&app, portone, &id, json!({})).await;
                let transaction_id = pay(&app, portone, &id, json!({})).await;
                let mut fault = kind.clone();
                fault["call"] = json!("any");
                app.sandbox.fault(fault).unwrap();

                let told = if portone == "v1" { app.webhook(&transaction_id, &id, "paid").await } else { app.webhook_v2(&id, "Transaction.Paid", &id, &transaction_id).await };
                let page = app.page(&format!("/payments/complete?{}&imp_success=false&code=FAILURE_TYPE_PG", query(portone, &id, &transaction_id))).await;

                assert_eq!(told.status, StatusCode::OK, "{kind}: what is kept is acknowledged");
                assert_ne!(page.page_outcome(), Some("failed"), "{kind}");
                assert!(!page.text.contains("결제하지 못했어요"), "{kind}");
                app.sandbox.clear_faults();
                let mut synced = app.api(Method::POST, &format!("/api/v1/orders/{id}/sync"), None).await;
                if synced.status == StatusCode::SERVICE_UNAVAILABLE {
                    synced = app.api(Method::POST, &format!("/api/v1/orders/{id}/sync"), None).await;
                }
                assert_eq!(synced.json()["status"], "paid", "{kind}: {}", synced.text);
                assert!(!app.told(&id).await.contains(&"order.payment_failed"), "{kind}");
            }
        }
    }

    /// portone-io/portone-sample (all servers): a payment was bound to what was bought, not to the order, so that one payment
    /// paid for every order of the same thing; and whoever made up ids filled the server's memory.
    async fn a_payment_is_bound_to_its_order_and_not_to_what_is_sold(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let (first, second) = (format!("SHOE-{portone}-1"), format!("SHOE-{portone}-2"));
            for id in [&first, &second] {
                order(&app, portone, id, json!({ "name": "shoe", "metadata": { "item": "shoe" } })).await;
            }
            let more = if portone == "v1" { json!({ "custom_data": "{\"item\":\"shoe\"}", "name": "shoe" }) } else { json!({ "customData": "{\"item\":\"shoe\"}", "orderName": "shoe" }) };
            let transaction_id = pay(&app, portone, &first, more).await;

            assert_eq!(asked(&app, &query(portone, &first, &transaction_id)).await.outcome(), "paid");
            assert_eq!(asked(&app, &query(portone, &second, &transaction_id)).await.outcome(), "not_found");
            assert_eq!(app.read_order(&second).await["status"], "open");
        }
        settled(&app).await;
        let before_them = calls(&app).len();
        let rows = "SELECT payment_id FROM history UNION ALL SELECT payment_id FROM transactions UNION ALL SELECT payment_id FROM inbox UNION ALL SELECT payment_id FROM orders";
        let before = db.read(rows).await.len();
        for number in 0..500 {
            assert_eq!(asked(&app, &format!("paymentId=MADE-UP-{number}&txId=made-up-{number}")).await.status, StatusCode::NOT_FOUND);
        }
        settled(&app).await;
        assert_eq!((db.read(rows).await.len(), calls(&app).len()), (before, before_them), "nothing is left of them");
    }

    /// iamport's SFCC cartridge (Order.js, fraudDetection.js): `imp_success=true` beside a payment of the right order and amount
    /// placed the order, whether that payment had failed or was never finished.
    async fn the_right_amount_that_nobody_paid_is_not_paid(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            for (status, outcome) in [("failed", "failed"), ("ready", "pending")] {
                let id = format!("{portone}-{status}");
                order(&app, portone, &id, json!({})).await;
                let transaction_id = pay(&app, portone, &id, json!({ "status": status })).await;
                for flags in ["imp_success=true", "imp_success=true&error_code=&error_msg=", "success=true&status=paid", "imp_status=true&kcp_action=success", "imp_success=1", "imp_success=TRUE&imp_success=true"] {
                    let answer = asked(&app, &format!("{}&{flags}", query(portone, &id, &transaction_id))).await;
                    assert_eq!(answer.outcome(), outcome, "{flags}: {}", answer.text);
                }
                assert_eq!(app.read_order(&id).await["status"], "open");
                assert!(!app.told(&id).await.contains(&"order.paid"));
            }
        }
    }

    /// iamport's SFCC cartridge (Iamport.js): the webhook's handler did what the body's `status` said.
    async fn a_webhook_that_says_paid_of_what_is_not_paid_is_not_believed(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            for status in ["failed", "ready", "cancelled"] {
                let id = format!("{portone}-{status}");
                order(&app, portone, &id, json!({})).await;
                let transaction_id = pay(&app, portone, &id, json!({ "status": status })).await;
                for number in 0..3 {
                    // Of V2 it is signed, and still no more than a hint.
                    let told = if portone == "v1" { app.webhook(&transaction_id, &id, "paid").await } else { app.webhook_v2(&format!("{id}-{number}"), "Transaction.Paid", &id, &transaction_id).await };
                    assert_eq!(told.status, StatusCode::OK);
                }
                settled(&app).await;
                assert_ne!(app.read_order(&id).await["status"], "paid", "{id}");
                assert!(!app.told(&id).await.contains(&"order.paid"), "{id}");
            }
        }
    }

    /// iamport's WooCommerce plug-in (IamportPlugin.php): the gateway, the receipt, and the shop's REST key and secret were
    /// written to the order before anything was checked.
    async fn no_secret_and_nothing_unchecked_is_written_to_the_database(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let cookie = sign_in(&app).await;
        app.order("MINE").await;
        let foreign = app.pay("NOT-HERE", json!({ "receipt_url": "https://receipt.example/canary-foreign", "apply_num": "canary-approval", "pg_provider": "canary-pg", "card_name": "canary-card" }));
        asked(&app, &query("v1", "MINE", &foreign)).await;
        app.webhook(&foreign, "MINE", "paid").await;
        for portone in GENERATIONS {
            paid(&app, portone, &format!("ORD-{portone}")).await;
            app.refund(&format!("ORD-{portone}"), "1", json!({ "reason": "x", "amount": 1_000 })).await;
        }
        settled(&app).await;

        let stored = everything_stored(&db).await;
        assert!(stored.contains("ORD-v1") && stored.contains("MINE"), "what is stored was read");
        let secret_part = WEBHOOK_SECRET.trim_start_matches("whsec_");
        let session = cookie.split_once('=').unwrap().1;
        for secret in ["imp_apikey", "sandbox-secret", V2_SECRET, secret_part, app.key(), session, PASSWORD] {
            assert!(!stored.contains(secret), "{secret} is stored");
        }
        for unchecked in ["canary-foreign", "canary-approval", "canary-pg", "canary-card"] {
            assert!(!stored.contains(unchecked), "{unchecked} is stored");
        }
        assert_eq!(app.read_order("MINE").await["transactions"], json!([]));
    }

    /// iamport's WooCommerce plug-in (IamportPlugin.php): a second attempt, by virtual account, moved a paid order back to
    /// waiting for a deposit.
    async fn a_paid_order_does_not_wait_for_a_deposit_again(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let v1 = json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "vbank_date": 4_102_444_800_i64 });
        let v2 = json!({ "status": "VIRTUAL_ACCOUNT_ISSUED", "method": { "type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "123-456", "expiredAt": "2100-01-01T00:00:00Z" } });
        for (portone, account) in [("v1", v1), ("v2", v2)] {
            let id = format!("ORD-{portone}");
            let first = paid(&app, portone, &id).await;
            let second = if portone == "v1" { app.pay(&id, account) } else { app.pay_v2(&id, account).await };

            for number in 0..3 {
                let told = if portone == "v1" { app.webhook(&second, &id, "ready").await } else { app.webhook_v2(&format!("wh-{number}"), "Transaction.VirtualAccountIssued", &id, &second).await };
                assert_eq!(told.status, StatusCode::OK);
                let body = asked(&app, &query(portone, &id, &second)).await.json();
                assert_eq!((&body["outcome"], &body["virtual_account"]), (&json!("paid"), &Value::Null), "{body}");
                app.api(Method::POST, &format!("/api/v1/orders/{id}/sync"), None).await;
            }
            settled(&app).await;

            let order = app.read_order(&id).await;
            assert_eq!((&order["status"], &order["transaction_id"]), (&json!("paid"), &json!(first)));
            let told = app.told(&id).await;
            assert_eq!(told.iter().filter(|told| **told == "order.paid").count(), 1, "{told:?}");
        }
        // Whatever is told of the second attempt, the order that it tells of is paid.
        assert_eq!(db.read("SELECT DISTINCT status FROM outbox").await, ["paid"]);
    }

    /// samchon/payments (IamportPaymentService.approve): no payment was bound to an order, no status was read, and whatever did
    /// not match was given back at once, by whoever had brought it.
    async fn what_does_not_match_is_neither_taken_nor_given_back_by_itself(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let theirs = paid(&app, portone, &format!("THEIRS-{portone}")).await;
            for (number, (payment, outcome)) in [(json!({ "amount": 100 }), "held"), (json!({ "amount": 100_000 }), "held"), (json!({ "status": "ready" }), "pending"), (json!({ "status": "failed" }), "failed")].into_iter().enumerate() {
                let id = format!("{portone}-{number}");
                order(&app, portone, &id, json!({})).await;
                let own = pay(&app, portone, &id, payment).await;
                assert_eq!(asked(&app, &query(portone, &id, &theirs)).await.outcome(), "not_found");
                assert_eq!(asked(&app, &query(portone, &id, &own)).await.outcome(), outcome);
                settled(&app).await;
            }
            assert_eq!(app.read_order(&format!("THEIRS-{portone}")).await["status"], "paid");
        }
        assert_eq!(cancels(&app), 0);
        assert_eq!(db.read("SELECT payment_id FROM refunds").await, [] as [String; 0]);
    }

    /// tosspayments/tosspayments-sample (success.html, fail.html): a heading of success and an amount out of the address before
    /// anything was confirmed, words of failure out of the address, and `lang="kr"`, which is no language.
    async fn a_page_takes_neither_amount_nor_words_from_its_address(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({ "status": "ready" }));
        for more in ["amount=77777&orderName=canary", "orderId=ORD-1&paymentKey=k&amount=77777", "code=canary&message=canary&orderId=ORD-1&amount=77777", "imp_success=true&paid_amount=77777&title=canary&status=DONE"] {
            for path in [format!("/payments/complete?{}&{more}", query("v1", "ORD-1", &imp_uid)), format!("/payments/complete?{more}"), format!("/pay/ORD-1?{more}")] {
                let answer = app.page(&path).await;
                assert!(!answer.text.contains("77777") && !answer.text.contains("77,777") && !answer.text.contains("canary"), "{path}: {}", answer.text);
                assert!(!answer.text.contains("완료됐어요"), "{path}");
            }
        }
        for (language, tag) in [("ko", "ko"), ("ko-KR,ko;q=0.9", "ko"), ("kr", "ko"), ("en-US", "en"), ("", "ko")] {
            let request = app.client.get(app.url("/payments/complete?merchant_uid=ORD-1")).header("accept", "text/html").header("accept-language", language);
            let page = app.send(request).await.text;
            assert!(page.contains(&format!("<html lang=\"{tag}\"")), "{language}: {page}");
        }
    }

    /// stripe-samples/accept-a-payment (the Next.js success page): "Payment Successful!" beside a green tick, whatever the
    /// payment's status was.
    async fn success_is_said_of_paid_alone(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let pages = every_page(&app, &db).await;
        assert_eq!(pages.len(), HEADINGS.len());
        for (name, languages) in pages {
            for answer in languages {
                let is_paid = name == "paid";
                assert_eq!(answer.page_outcome() == Some("paid"), is_paid, "{name}: {}", answer.text);
                assert_eq!(answer.text.contains("class=\"mark tone-good\""), is_paid, "{name}: {}", answer.text);
                let (title, heading) = (inside(&answer.text, "title"), inside(&answer.text, "h1"));
                for said in [title, heading] {
                    assert_eq!(said.contains("결제가 완료됐어요") || said.contains("Payment complete"), is_paid, "{name}: {said}");
                    assert!(!said.to_ascii_lowercase().contains("success") && !said.contains("성공"), "{name}: {said}");
                }
            }
        }
    }

    /// Adyen's checkout example (result.handlebars): the page said what the last segment of its own address said.
    async fn the_address_of_a_page_does_not_decide_what_it_says(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({ "status": "failed" }));
        let ids = query("v1", "ORD-1", &imp_uid);
        for word in ["success", "paid", "complete", "result/success", "done", "pending", "failed", "error"] {
            for path in [format!("/payments/complete/{word}?{ids}"), format!("/payments/{word}?{ids}"), format!("/result/{word}?{ids}"), format!("/o/{word}?{ids}"), format!("/payments/complete?{ids}&result={word}&{word}=1#{word}"), format!("/payments/complete/?{ids}&{word}")] {
                let answer = opened(&app, &path).await;
                let is_completion = path.starts_with("/payments/complete?") || path.starts_with("/payments/complete/?");
                assert_eq!(answer.page_outcome() == Some("failed"), is_completion, "{path}");
                assert!(answer.status == StatusCode::NOT_FOUND || is_completion || path.starts_with("/payments/complete?"), "{path}: {}", answer.status);
                assert!(!answer.text.contains("완료됐어요"), "{path}");
            }
        }
    }

    /// btcpayserver/btcpayserver (the Korean checkout): the heading of an expired invoice read "recommended fee".
    async fn every_state_is_headed_by_its_own_words_in_both_languages(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let pages = every_page(&app, &db).await;
        let mut seen = BTreeSet::new();
        for (name, [korean, english]) in pages {
            let (_, in_korean, in_english) = HEADINGS.iter().find(|(known, ..)| *known == name).unwrap();
            assert_eq!((inside(&korean.text, "h1"), inside(&english.text, "h1")), (*in_korean, *in_english), "{name}");
            for (answer, heading, tag) in [(&korean, in_korean, "ko"), (&english, in_english, "en")] {
                assert!(inside(&answer.text, "title").starts_with(*heading), "{name}");
                assert!(answer.text.contains(&format!("<html lang=\"{tag}\"")), "{name}");
            }
            let hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
            assert!(hangul(inside(&korean.text, "h1")) && !hangul(inside(&english.text, "h1")), "{name}");
            assert!(seen.insert(in_korean) && seen.insert(in_english), "{name} is headed like another");
        }
        assert_eq!(seen.len(), 2 * HEADINGS.len());
    }

    /// The status pages of Polar, BTCPay Server and hyperswitch: what changed was not announced, and the icon that told the
    /// state had no words.
    async fn what_a_page_shows_is_also_said(db: TestDatabase) {
        let app = Arc::new(TestApp::start(&db).await);
        let mut announced = 0;
        for (name, languages) in every_page(&app, &db).await {
            for answer in languages {
                let tags = skeleton(&answer.text);
                for tag in &tags {
                    if tag.starts_with("img") {
                        assert!(tag.contains(" alt"), "{name}: {tag}");
                    }
                    // A mark says what the heading says, and a picture says what it is.
                    let is_told = tag.contains(" aria-hidden") || (tag.contains(" role") && tag.contains(" aria-label"));
                    assert!(!tag.starts_with("svg") || is_told, "{name}: {tag}");
                }
                assert_eq!(tags.iter().filter(|tag| tag.split(' ').next() == Some("h1")).count(), 1, "{name}");
                assert!(answer.text.contains("<h1 tabindex=\"-1\" autofocus"), "{name}: the heading is what is read first");
                if ["pending", "unconfirmed", "virtual_account_issued"].contains(&name) {
                    // Where there are no scripts, the page comes anew, and its heading is read.
                    let comes_anew = answer.text.contains("http-equiv=\"refresh\"") && !answer.text.contains("/pkg/");
                    assert!(answer.text.contains("role=\"status\"") || comes_anew, "{name}: {}", answer.text);
                    announced += 1;
                }
            }
        }
        assert_eq!(announced, 6);
    }
}
