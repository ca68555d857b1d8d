//! Payments through V2, end to end: what PortOne holds, what comes back, what is said, what is written.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wanryo::service::reconciliation;

use crate::app::TestApp;
use crate::by_hand::Hasty;
use crate::payments::checks;
use crate::support::{TestDatabase, on_both_databases};

fn query(payment_id: &str, tx_id: &str) -> String {
    format!("transactionType=PAYMENT&txId={tx_id}&paymentId={payment_id}")
}

/// Names of checks that failed.
fn failed(order: &Value) -> Vec<String> {
    let checks = checks(order).into_iter();
    checks
        .filter(|(_, passed)| !passed)
        .map(|(name, _)| name)
        .collect()
}

on_both_databases! {
    async fn a_payment_is_written_once_with_every_check(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("주문 1").await;
        let tx_id = app.pay_v2("주문 1", json!({})).await;

        for flags in ["", "&code=FAILURE_TYPE_PG&message=%EC%B7%A8%EC%86%8C&pgCode=PAY_PROCESS_CANCELED"] {
            let answer = app.complete(&format!("{}{flags}", query("%EC%A3%BC%EB%AC%B8%201", &tx_id))).await;

            assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "paid"), "{}", answer.text);
            let body = answer.json();
            assert_eq!((&body["payment_id"], &body["transaction_id"], &body["amount"], &body["currency"], &body["test"]), (&json!("주문 1"), &json!(tx_id), &json!(65_000), &json!("KRW"), &json!(false)));
        }

        let order = app.read_order("%EC%A3%BC%EB%AC%B8%201").await;
        assert_eq!((&order["status"], &order["transaction_id"], &order["portone"]), (&json!("paid"), &json!(tx_id), &json!("v2")));
        assert_eq!(checks(&order), ["transaction_id", "payment_id", "unused", "portone", "store", "currency", "amount", "channel"].map(|name| (name.to_owned(), true)));
        assert_eq!(app.told("주문 1").await, ["order.paid"]);
        assert_eq!((app.sandbox.calls("v2_transactions"), app.sandbox.calls("payment")), (0, 0), "one call tells it all, and V1 is not asked");
    }

    async fn every_spelling_of_the_ids_is_read(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for (number, spelled) in ["paymentId=ID", "paymentId=ID&txId=TX", "payment_id=ID&tx_id=TX", "txId=TX&paymentId=shop&paymentId=ID"].into_iter().enumerate() {
            let id = format!("ORD-{number}");
            app.order_v2(&id).await;
            let tx_id = app.pay_v2(&id, json!({})).await;

            let answer = app.complete(&spelled.replace("=ID", &format!("={id}")).replace("=TX", &format!("={tx_id}"))).await;

            assert_eq!(answer.outcome(), "paid", "{spelled}: {}", answer.text);
        }
    }

    async fn each_failing_check_holds_and_no_page_says_which(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let wrong = [
            (json!({ "amount": { "total": 100 } }), "amount"), (json!({ "currency": "JPY" }), "currency"), (json!({ "currency": "KRX" }), "currency"),
            (json!({ "channel": { "type": "TEST" } }), "channel"), (json!({ "_remove": ["channel"] }), "channel"),
            (json!({ "storeId": "store-somebody-elses" }), "store"), (json!({ "version": "V1" }), "portone"),
        ];
        for (number, (fields, check)) in wrong.into_iter().enumerate() {
            let id = format!("ORD-{number}");
            app.order_v2(&id).await;
            let tx_id = app.pay_v2(&id, json!({})).await;
            app.patch_v2(&id, fields.clone()).await;

            let answer = app.complete(&query(&id, &tx_id)).await;
            let page = app.page(&format!("/payments/complete?{}", query(&id, &tx_id))).await;

            assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "held"), "{fields}: {}", answer.text);
            assert_eq!((page.status, page.page_outcome()), (StatusCode::OK, Some("held")));
            let order = app.read_order(&id).await;
            assert_eq!(order["status"], "held");
            assert!(failed(&order).contains(&check.to_owned()), "{fields}: {order}");
            assert_eq!(app.told(&id).await, ["order.held"]);
        }
    }

    /// Fourteen dollars and twenty cents are 14.2 in V1 and 1420 in V2.
    async fn one_sum_is_read_in_each_generations_unit(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for (portone, id, amount, outcome) in [
            ("v1", "V1-DOLLARS", json!(14.2), "paid"), ("v1", "V1-CENTS", json!(1420), "held"),
            ("v2", "V2-CENTS", json!(1420), "paid"), ("v2", "V2-DOLLARS", json!(14), "held"),
        ] {
            app.order_with(id, json!({ "portone": portone, "amount": 1420, "currency": "USD", "channel_key": "channel-key-live" })).await;
            let ids = if portone == "v1" {
                format!("merchant_uid={id}&imp_uid={}", app.pay(id, json!({ "amount": amount, "currency": "USD" })))
            } else {
                query(id, &app.pay_v2(id, json!({ "amount": { "total": amount }, "currency": "USD" })).await)
            };

            assert_eq!(app.complete(&ids).await.outcome(), outcome, "{id}");
        }
    }

    async fn somebody_elses_payment_opens_nothing_and_moves_nothing(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("MINE").await;
        app.order_v2("THEIRS").await;
        let theirs = app.pay_v2("THEIRS", json!({})).await;
        app.pay_v2("MINE", json!({ "status": "FAILED" })).await;

        let before = app.complete(&query("MINE", &theirs)).await;
        assert_eq!(app.complete(&query("THEIRS", &theirs)).await.outcome(), "paid");
        let after = app.complete(&query("MINE", &theirs)).await;
        let absent = app.complete(&query("NO-SUCH-ORDER", &theirs)).await;

        for answer in [&before, &after, &absent] {
            assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NOT_FOUND, absent.text.as_str()));
        }
        assert_eq!(app.read_order("MINE").await["status"], "open");
    }

    async fn an_issued_account_waits_for_its_deposit(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let account = json!({ "type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "123-456", "expiredAt": "2100-01-01T00:00:00Z" });
        let tx_id = app.pay_v2("ORD-1", json!({ "status": "VIRTUAL_ACCOUNT_ISSUED", "method": account })).await;

        let issued = app.complete(&query("ORD-1", &tx_id)).await;
        assert_eq!((issued.status, issued.outcome().as_str()), (StatusCode::OK, "virtual_account_issued"), "{}", issued.text);
        let told = &issued.json()["virtual_account"];
        assert_eq!((&told["bank"], &told["account_number"], &told["expires_at"]), (&json!("KOOKMIN"), &json!("123-456"), &json!("2100-01-01T00:00:00Z")));
        assert_eq!(app.read_order("ORD-1").await["status"], "awaiting_deposit");

        app.patch_v2("ORD-1", json!({ "status": "PAID" })).await;
        assert_eq!(app.webhook_v2("wh-1", "Transaction.Paid", "ORD-1", &tx_id).await.status, StatusCode::OK);
        assert_eq!(app.read_order("ORD-1").await["status"], "paid");
        assert_eq!(app.told("ORD-1").await, ["order.virtual_account_issued", "order.paid"]);
    }

    async fn a_failed_attempt_and_then_a_paid_one(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let first = app.pay_v2("ORD-1", json!({ "status": "FAILED", "failure": { "reason": "결제에 실패했습니다", "pgCode": "51", "pgMessage": "[한도초과] 카드 한도가 초과되었습니다" } })).await;
        let declined = app.complete(&query("ORD-1", &first)).await.json();
        assert_eq!((&declined["outcome"], &declined["reason"]), (&json!("failed"), &json!("limit_exceeded")));

        let second = app.pay_v2("ORD-1", json!({})).await;
        let old_tab = app.complete(&query("ORD-1", &first)).await.json();
        let new_tab = app.complete(&query("ORD-1", &second)).await.json();

        assert_eq!((&old_tab["outcome"], &old_tab["transaction_id"]), (&json!("paid"), &json!(null)), "who brings another attempt is not told of the one that paid");
        assert_eq!((&new_tab["outcome"], &new_tab["transaction_id"]), (&json!("paid"), &json!(second)));
        assert_eq!(app.told("ORD-1").await, ["order.payment_failed", "order.paid"]);
        assert_eq!(app.read_order("ORD-1").await["transactions"].as_array().unwrap().len(), 2);
    }

    /// The list of attempts is PortOne's to change: without it an old tab is told what the payment's number alone tells.
    async fn an_old_tab_is_answered_without_the_list_of_attempts(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let first = app.pay_v2("ORD-1", json!({ "status": "FAILED" })).await;
        app.pay_v2("ORD-1", json!({ "receiptUrl": "https://receipt.example/canary" })).await;
        app.sandbox.fault(json!({ "call": "v2_transactions", "kind": "status", "status": 404 })).unwrap();

        let page = app.page(&format!("/payments/complete?{}", query("ORD-1", &first))).await;

        assert_eq!((page.status, page.page_outcome()), (StatusCode::OK, Some("paid")));
        assert!(!page.text.contains("canary"), "who brings no id of the paid attempt is not shown its receipt");
    }

    async fn a_pending_approval_is_pending_until_it_is_made(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let tx_id = app.pay_v2("ORD-1", json!({ "status": "PAY_PENDING" })).await;

        let pending = app.complete(&query("ORD-1", &tx_id)).await;
        assert_eq!((pending.status, pending.outcome().as_str()), (StatusCode::ACCEPTED, "pending"));

        app.patch_v2("ORD-1", json!({ "status": "PAID" })).await;
        assert_eq!(app.complete(&query("ORD-1", &tx_id)).await.outcome(), "paid");
    }

    /// A gateway may look into a payment for days after the buyer did everything: no page asks for it again meanwhile.
    async fn nobody_is_asked_to_pay_again_what_is_being_approved(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let order = app.order_v2("ORD-1").await;
        let link = order["status_url"].as_str().unwrap().replace(&app.running.public_url, "");
        let tx_id = app.pay_v2("ORD-1", json!({ "status": "PAY_PENDING" })).await;

        for path in [format!("/payments/complete?{}", query("ORD-1", &tx_id)), format!("/payments/complete?{}&code=PORTONE_ERROR", query("ORD-1", &tx_id)), "/payments/complete?paymentId=ORD-1".to_owned(), link] {
            let page = app.page(&path).await;
            assert_eq!((page.status, page.page_outcome()), (StatusCode::ACCEPTED, Some("pending")), "{path}");
            assert!(page.text.contains("결제사가 승인을 심사하고 있어요") && !page.text.contains("/pay/"), "{path}: {}", page.text);
        }
        let answer = app.complete(&query("ORD-1", &tx_id)).await.json();
        assert_eq!((&answer["outcome"], &answer["retry_url"]), (&json!("pending"), &json!(null)));
        assert_eq!(app.read_order("ORD-1").await["transactions"][0]["status"], "pay_pending");

        app.patch_v2("ORD-1", json!({ "status": "FAILED" })).await;
        let refused = app.complete(&query("ORD-1", &tx_id)).await.json();
        assert_eq!((&refused["outcome"], refused["retry_url"].is_string()), (&json!("failed"), true));
    }

    /// PortOne shows a payment's latest attempt: what an earlier one still waits for is looked for among the others.
    async fn a_waiting_attempt_is_followed_behind_a_later_one(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let account = json!({ "type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "123-456", "expiredAt": "2100-01-01T00:00:00Z" });
        for (id, waiting, outcome) in [("REVIEWED", "PAY_PENDING", "pending"), ("ACCOUNT", "VIRTUAL_ACCOUNT_ISSUED", "virtual_account_issued")] {
            app.order_v2(id).await;
            let first = app.pay_v2(id, json!({ "status": waiting, "method": account })).await;
            assert_eq!(app.complete(&query(id, &first)).await.outcome(), outcome);
            app.pay_v2(id, json!({ "status": "READY" })).await;
            app.patch_v2(&first, json!({ "status": "FAILED" })).await;

            let answer = app.complete(&format!("paymentId={id}")).await.json();

            assert_eq!((&answer["outcome"], answer["retry_url"].is_string()), (&json!("pending"), true), "{answer}");
            let order = app.read_order(id).await;
            assert_eq!((&order["status"], order["transactions"].as_array().unwrap().iter().filter(|own| own["transaction_id"] == first.as_str() && own["status"] == "failed").count()), (&json!("open"), 1), "{order}");
        }
    }

    /// PortOne's API may show an attempt that failed earlier, and would not tell of the one that was just made.
    async fn an_attempt_that_nobody_saw_is_not_called_failed(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let first = app.pay_v2("ORD-1", json!({ "status": "FAILED" })).await;
        assert_eq!(app.complete(&query("ORD-1", &first)).await.outcome(), "failed");
        app.sandbox.fault(json!({ "call": "v2_transactions", "kind": "status", "status": 500 })).unwrap();

        let answer = app.complete(&query("ORD-1", "tx-just-made")).await;

        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::ACCEPTED, "unconfirmed"), "{}", answer.text);
        assert_eq!(answer.json()["retry_url"], json!(null));
    }

    async fn a_forged_attempt_opens_nothing_whatever_the_order_is(db: TestDatabase) {
        let app = TestApp::start_at(&db, TestApp::new_sandbox().await, |_| {}, Arc::new(Hasty)).await;
        let account = json!({ "type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "123-456", "expiredAt": "2100-01-01T00:00:00Z" });
        for (number, status) in [None, Some("READY"), Some("PAY_PENDING"), Some("VIRTUAL_ACCOUNT_ISSUED"), Some("PAID"), Some("FAILED"), Some("CANCELLED")].into_iter().enumerate() {
            let id = format!("ORD-{number}");
            app.order_v2(&id).await;
            if let Some(status) = status {
                app.pay_v2(&id, json!({ "status": status, "method": account })).await;
                app.complete(&format!("paymentId={id}")).await;
            }

            let forged = app.complete(&query(&id, "tx-of-nobody")).await;
            let absent = app.complete(&query("NO-SUCH-ORDER", "tx-of-nobody")).await;

            assert_eq!((forged.status, forged.text.as_str()), (StatusCode::NOT_FOUND, absent.text.as_str()), "{status:?}");
        }
    }

    async fn strangers_guesses_do_not_hold_up_what_portone_signed(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let tx_id = app.pay_v2("ORD-1", json!({})).await;
        db.run("UPDATE orders SET next_check_at = NULL").await;
        app.sandbox.fault(json!({ "call": "v2_payment", "kind": "status", "status": 500 })).unwrap();
        for guess in 0..30 {
            app.complete(&query("ORD-1", &format!("tx-guess-{guess}"))).await;
        }
        app.sandbox.clear_faults();

        assert_eq!(app.webhook_v2("wh-1", "Transaction.Paid", "ORD-1", &tx_id).await.status, StatusCode::OK);

        assert_eq!(app.read_order("ORD-1").await["status"], "paid");
    }

    async fn an_account_that_was_closed_is_nothing_to_deposit_to(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let account = json!({ "type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "123-456", "expiredAt": "2100-01-01T00:00:00Z" });
        let tx_id = app.pay_v2("ORD-1", json!({ "status": "VIRTUAL_ACCOUNT_ISSUED", "method": account })).await;
        assert_eq!(app.complete(&query("ORD-1", &tx_id)).await.outcome(), "virtual_account_issued");

        app.patch_v2("ORD-1", json!({ "status": "CANCELLED", "amount": { "cancelled": 0 } })).await;
        let closed = app.complete(&query("ORD-1", &tx_id)).await.json();

        assert_eq!((&closed["outcome"], &closed["virtual_account"]), (&json!("pending"), &json!(null)));
        assert_eq!(app.read_order("ORD-1").await["status"], "open");
    }

    async fn a_bank_that_portone_does_not_name_is_null(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let account = json!({ "type": "PaymentMethodVirtualAccount", "accountNumber": "123-456", "expiredAt": "2100-01-01T00:00:00Z" });
        let tx_id = app.pay_v2("ORD-1", json!({ "status": "VIRTUAL_ACCOUNT_ISSUED", "method": account })).await;

        let issued = app.complete(&query("ORD-1", &tx_id)).await.json();
        let page = app.page(&format!("/payments/complete?{}", query("ORD-1", &tx_id))).await;

        assert_eq!((&issued["virtual_account"]["account_number"], &issued["virtual_account"]["bank"]), (&json!("123-456"), &json!(null)), "{issued}");
        assert_eq!(app.read_order("ORD-1").await["transactions"][0]["virtual_account"]["bank"], json!(null));
        assert!(page.text.contains("123-456") && !page.text.contains(">은행<"), "{}", page.text);
    }

    async fn a_payment_after_the_end_is_late(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("CLOSED").await;
        assert_eq!(app.api(Method::POST, "/api/v1/orders/CLOSED/close", None).await.json()["status"], "closed");
        app.order_v2("EXPIRED").await;
        db.run("UPDATE orders SET expires_at = 0 WHERE payment_id = 'EXPIRED'").await;
        for id in ["CLOSED", "EXPIRED"] {
            let tx_id = app.pay_v2(id, json!({})).await;

            let answer = app.complete(&query(id, &tx_id)).await;

            assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "late"), "{id}: {}", answer.text);
            assert!(!app.told(id).await.contains(&"order.paid"));
        }
    }

    async fn refunds_at_portone_show_on_the_next_look(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let tx_id = app.pay_v2("ORD-1", json!({})).await;
        app.complete(&query("ORD-1", &tx_id)).await;

        app.patch_v2("ORD-1", json!({ "status": "PARTIAL_CANCELLED", "amount": { "cancelled": 15_000 } })).await;
        let partly = app.complete(&query("ORD-1", &tx_id)).await.json();
        app.patch_v2("ORD-1", json!({ "status": "CANCELLED", "amount": { "cancelled": 65_000 } })).await;
        let whole = app.complete(&query("ORD-1", &tx_id)).await.json();

        assert_eq!((&partly["outcome"], &partly["refunded_amount"]), (&json!("partially_refunded"), &json!(15_000)));
        assert_eq!((&whole["outcome"], &whole["refunded_amount"]), (&json!("refunded"), &json!(65_000)));
        assert_eq!(app.told("ORD-1").await, ["order.paid", "order.partially_refunded", "order.refunded"]);
    }

    /// A promotion pays a part: the buyer gets back what the buyer paid, and nothing of the order is paid any more.
    async fn a_discounted_payment_is_paid_whole_and_given_back_whole(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let tx_id = app.pay_v2("ORD-1", json!({ "amount": { "total": 65_000, "discount": 5_000, "paid": 60_000 } })).await;
        assert_eq!(app.complete(&query("ORD-1", &tx_id)).await.outcome(), "paid");

        app.patch_v2("ORD-1", json!({ "status": "CANCELLED", "amount": { "cancelled": 60_000 } })).await;

        assert_eq!(app.complete(&query("ORD-1", &tx_id)).await.outcome(), "refunded");
        assert_eq!(app.told("ORD-1").await, ["order.paid", "order.refunded"]);
    }

    async fn portone_in_trouble_is_unconfirmed_and_settled_later(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let troubles = [
            json!({ "kind": "status", "status": 500 }), json!({ "kind": "status", "status": 503 }), json!({ "kind": "unauthorized" }),
            json!({ "kind": "html" }), json!({ "kind": "empty" }), json!({ "kind": "truncated" }), json!({ "kind": "garbage" }), json!({ "kind": "reset" }),
        ];
        for (number, trouble) in troubles.into_iter().enumerate() {
            let id = format!("ORD-{number}");
            app.order_v2(&id).await;
            let tx_id = app.pay_v2(&id, json!({})).await;
            let mut fault = trouble.clone();
            fault["call"] = json!("v2_payment");
            app.sandbox.fault(fault).unwrap();

            let answer = app.complete(&format!("{}&code=FAILURE_TYPE_PG", query(&id, &tx_id))).await;

            assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::ACCEPTED, "unconfirmed"), "{trouble}: {}", answer.text);
            assert_eq!(app.read_order(&id).await["status"], "open");
            app.sandbox.clear_faults();
            assert_eq!(app.api(Method::POST, &format!("/api/v1/orders/{id}/sync"), None).await.json()["status"], "paid", "{trouble}");
        }
    }

    async fn neither_redirect_nor_webhook_is_needed(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        app.pay_v2("ORD-1", json!({})).await;
        db.run("UPDATE orders SET next_check_at = 0").await;

        assert_eq!(reconciliation::reconcile_due(&app.running.core, 10).await.unwrap(), 1);

        assert_eq!(app.read_order("ORD-1").await["status"], "paid");
    }

    async fn an_order_is_asked_about_at_its_own_generation_alone(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("V2").await;
        app.order("V1").await;
        // The very same number at the other generation, paid, is another payment.
        let at_v1 = app.pay("V2", json!({}));
        let at_v2 = app.pay_v2("V1", json!({})).await;

        for (ids, outcome) in [
            (format!("merchant_uid=V2&imp_uid={at_v1}"), "not_found"), (format!("paymentId=V1&txId={at_v2}"), "not_found"),
            ("paymentId=V1".to_owned(), "pending"), ("merchant_uid=V2".to_owned(), "pending"),
        ] {
            assert_eq!(app.complete(&ids).await.outcome(), outcome, "{ids}");
        }
        // Nor does the app's own worker ask while webhooks are counted.
        db.run("UPDATE orders SET next_check_at = NULL").await;
        // A webhook of the other generation is taken, and asks nobody: V1's could be anybody's.
        let before = app.sandbox.calls("any");
        assert_eq!(app.webhook(&at_v1, "V2", "paid").await.status, StatusCode::OK);
        assert_eq!(app.webhook_v2("wh-1", "Transaction.Paid", "V1", &at_v2).await.status, StatusCode::OK);
        assert_eq!(app.sandbox.calls("any"), before);
        for id in ["V1", "V2"] {
            assert_eq!(app.read_order(id).await["status"], "open");
        }
    }

    async fn an_order_is_registered_at_its_own_generation(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        assert_eq!((app.sandbox.calls("v2_pre_register"), app.sandbox.calls("prepare")), (1, 0));
        let history = app.history("ORD-1").await;
        assert!(history.iter().any(|event| event["kind"] == "prepared"), "{history:?}");

        // Paid at PortOne before the order was made: said so, and found at the first look.
        app.pay_v2("ORD-2", json!({})).await;
        app.order_v2("ORD-2").await;
        let history = app.history("ORD-2").await;
        assert!(history.iter().any(|event| event["kind"] == "prepare_failed" && event["data"]["error"] == "already_paid"), "{history:?}");
        assert_eq!(app.api(Method::POST, "/api/v1/orders/ORD-2/sync", None).await.json()["status"], "paid");
    }

    async fn a_server_takes_the_generations_it_is_configured_for(db: TestDatabase) {
        let order = |id: &str, portone: Option<&str>| json!({ "payment_id": id, "name": "x", "amount": 1, "portone": portone });
        for (v1, v2, default) in [(true, true, Some("v1")), (true, false, Some("v1")), (false, true, Some("v2")), (false, false, None)] {
            let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| {
                settings.v1 = settings.v1.take().filter(|_| v1);
                settings.v2 = settings.v2.take().filter(|_| v2);
            }).await;
            let number = format!("{v1}-{v2}");
            let make = |id: String, portone| {
                let app = &app;
                async move { app.api(Method::POST, "/api/v1/orders", Some(order(&id, portone))).await }
            };

            let by_default = make(format!("{number}-default"), None).await;
            match default {
                Some(portone) => assert_eq!((by_default.status, &by_default.json()["portone"]), (StatusCode::CREATED, &json!(portone))),
                None => assert_eq!(by_default.json()["type"], "/problems/portone-not-configured"),
            }
            for (portone, configured) in [("v1", v1), ("v2", v2)] {
                let answer = make(format!("{number}-{portone}"), Some(portone)).await;
                if configured {
                    assert_eq!((answer.status, &answer.json()["portone"]), (StatusCode::CREATED, &json!(portone)));
                } else {
                    assert_eq!((answer.status, answer.json()["type"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("/problems/portone-not-configured")));
                }
            }
            app.running.stop().await;
        }
    }

    async fn the_same_body_is_the_same_order_when_its_generation_is_gone(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let app = TestApp::start_with(&db, Arc::clone(&sandbox), |_| {}).await;
        let body = json!({ "payment_id": "ORD-1", "name": "x", "amount": 1, "portone": "v1" });
        let made = app.api(Method::POST, "/api/v1/orders", Some(body.clone())).await;
        app.running.stop().await;
        let app = TestApp::start_with(&db, sandbox, |settings| settings.v1 = None).await;

        let again = app.api(Method::POST, "/api/v1/orders", Some(body)).await;
        let another = app.api(Method::POST, "/api/v1/orders", Some(json!({ "payment_id": "ORD-1", "name": "y", "amount": 1, "portone": "v1" }))).await;

        assert_eq!((made.status, again.status), (StatusCode::CREATED, StatusCode::OK), "{}", again.text);
        assert_eq!(another.json()["type"], "/problems/order-exists");
    }

    async fn a_pay_page_without_a_channel_is_a_page_without_a_button(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_with("ORD-1", json!({ "portone": "v2" })).await;

        let page = app.page("/pay/ORD-1").await;

        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains("쇼핑몰의 결제 설정이 끝나지 않았어요") && !page.text.contains("<button"), "{}", page.text);
    }

    async fn ids_of_v2_may_be_longer(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let id = "가".repeat(64);
        app.order_v2(&id).await;
        let tx_id = app.pay_v2(&id, json!({})).await;

        let answer = app.send(app.client.get(app.url("/payments/complete")).query(&[("paymentId", id.as_str()), ("txId", &tx_id)]).header("accept", "application/json")).await;

        assert_eq!(answer.outcome(), "paid", "{}", answer.text);
    }
}
