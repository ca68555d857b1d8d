//! Payments end to end: what PortOne holds, what comes back, what is said, what is written.

use std::sync::Arc;

use futures_like::join_all;
use jiff::{SignedDuration, Timestamp};
use portone_sandbox::Sandbox;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wanryo::domain::order::Mode;
use wanryo::service::{inbox, reconciliation};

use crate::app::{PATIENCE, TestApp};
use crate::by_hand::Hasty;
use crate::support::{TestDatabase, on_both_databases};

/// Waits for several answers at once, without another crate.
mod futures_like {
    pub(crate) async fn join_all<T: Send + 'static>(
        futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
    ) -> Vec<T> {
        let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.unwrap());
        }
        results
    }
}

fn query(imp_uid: &str, merchant_uid: &str) -> String {
    format!("imp_uid={imp_uid}&merchant_uid={merchant_uid}")
}

pub(crate) fn checks(order: &Value) -> Vec<(String, bool)> {
    let list = order["checks"].as_array().unwrap().iter();
    list.map(|check| {
        (
            check["name"].as_str().unwrap().to_owned(),
            check["passed"].as_bool().unwrap(),
        )
    })
    .collect()
}

on_both_databases! {
    /// Scenario: a card payment, every way the flags can be spelled.
    async fn the_flags_of_the_query_decide_nothing(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for (number, flags) in ["&imp_success=true", "&success=true", "", "&imp_success=false&error_code=F0001&error_msg=%EC%B7%A8%EC%86%8C", "&imp_status=false", "&success=maybe&imp_success="].into_iter().enumerate() {
            let id = format!("PAID-{number}");
            app.order(&id).await;
            let imp_uid = app.pay(&id, json!({}));

            let answer = app.complete(&format!("{}{flags}", query(&imp_uid, &id))).await;

            assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "paid"), "{flags}: {}", answer.text);
            let body = answer.json();
            assert_eq!((&body["payment_id"], &body["transaction_id"], &body["amount"], &body["currency"], &body["test"]), (&json!(id), &json!(imp_uid), &json!(65_000), &json!("KRW"), &json!(false)));
        }
        for (number, flags) in ["&imp_success=true", "&success=true", ""].into_iter().enumerate() {
            let id = format!("FAILED-{number}");
            app.order(&id).await;
            let imp_uid = app.pay(&id, json!({ "status": "failed", "fail_reason": "[한도초과] 카드 한도가 초과되었습니다" }));

            let body = app.complete(&format!("{}{flags}", query(&imp_uid, &id))).await.json();

            assert_eq!((&body["outcome"], &body["reason"]), (&json!("failed"), &json!("limit_exceeded")), "{flags}");
            assert!(body["retry_url"].as_str().unwrap().ends_with(&format!("/pay/FAILED-{number}")));
        }
    }

    async fn a_payment_is_written_once_with_every_check(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));

        for _ in 0..3 {
            assert_eq!(app.complete(&query(&imp_uid, "ORD-1")).await.outcome(), "paid");
            assert_eq!(app.webhook(&imp_uid, "ORD-1", "paid").await.status, StatusCode::OK);
        }

        let order = app.read_order("ORD-1").await;
        assert_eq!((&order["status"], &order["transaction_id"]), (&json!("paid"), &json!(imp_uid)));
        assert_eq!(checks(&order), ["transaction_id", "payment_id", "unused", "currency", "amount", "channel"].map(|name| (name.to_owned(), true)));
        assert_eq!(app.told("ORD-1").await, ["order.paid"]);
        let transitions = app.history("ORD-1").await.into_iter().filter(|event| event["kind"] == "transition").count();
        assert_eq!(transitions, 1);
    }

    /// Twenty tabs, twenty webhooks, at once: one effect, and few calls to PortOne.
    async fn a_crowd_has_one_effect_and_costs_few_calls(db: TestDatabase) {
        let app = Arc::new(TestApp::start(&db).await);
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));

        let tabs = join_all((0..20).map(|_| {
            let (app, query) = (Arc::clone(&app), query(&imp_uid, "ORD-1"));
            async move { app.complete(&query).await.outcome() }
        }));
        let hooks = join_all((0..20).map(|_| {
            let (app, imp_uid) = (Arc::clone(&app), imp_uid.clone());
            async move { app.webhook(&imp_uid, "ORD-1", "paid").await.status }
        }));
        let (tabs, hooks) = tokio::join!(tabs, hooks);

        assert!(tabs.iter().all(|outcome| outcome == "paid"), "{tabs:?}");
        assert!(hooks.iter().all(|status| *status == StatusCode::OK), "{hooks:?}");
        assert_eq!(app.told("ORD-1").await, ["order.paid"]);
        assert!(app.sandbox.calls("payment") < 40, "{} calls", app.sandbox.calls("payment"));
        assert_eq!(app.sandbox.calls("token"), 1);
    }

    async fn a_missing_imp_uid_is_found_by_the_order(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        app.pay("ORD-1", json!({ "status": "failed" }));
        let paid = app.pay("ORD-1", json!({}));
        app.pay("ORD-1", json!({ "status": "failed" }));

        let body = app.complete("merchant_uid=ORD-1").await.json();

        assert_eq!((&body["outcome"], &body["transaction_id"]), (&json!("paid"), &Value::Null), "an order's number does not open the payment's");
        assert_eq!(app.read_order("ORD-1").await["transaction_id"], json!(paid));
    }

    /// An account of Hecto's that takes any sum: PortOne calls it paid, and `amount` is what was ordered.
    async fn a_deposit_of_less_than_was_ordered_pays_nothing(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for (id, deposits, outcome) in [("LESS", ["1"].as_slice(), "held"), ("WHOLE", &["65000"], "paid"), ("TWICE", &["65000", "65000"], "paid")] {
            app.order(id).await;
            let account = json!({ "status": "ready", "pg_provider": "settle", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "vbank_date": 4_102_444_800_i64 });
            let imp_uid = app.pay(id, account);
            assert_eq!(app.complete(&query(&imp_uid, id)).await.outcome(), "virtual_account_issued", "{id}");
            for amount in deposits {
                let url = app.sandbox.url().join(&format!("_sandbox/payments/{imp_uid}/deposit")).unwrap();
                let amount: u32 = amount.parse().unwrap();
                let deposited = app.send(app.client.post(url).json(&json!({ "amount": amount }))).await;
                assert!(deposited.status.is_success(), "{}", deposited.text);
            }
            assert_eq!(app.sandbox.payment(&imp_uid).unwrap()["status"], "paid");

            assert_eq!(app.complete(&query(&imp_uid, id)).await.outcome(), outcome, "{id}");
            assert_eq!(app.told(id).await.contains(&"order.paid"), outcome == "paid", "{id}");
        }
    }

    /// PortOne says `cancelled` at once, and the gateway carries it out later, or does not.
    async fn what_a_gateway_gives_back_later_has_gone_back_when_it_says_so(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let gateways = [
            ("PAYPAL", json!({ "pg_provider": "paypal_v2" })),
            ("ACCOUNT", json!({ "pg_provider": "smartro_v2", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456" })),
            ("WECHAT", json!({ "pg_provider": "kicc_v2", "pay_method": "wechat" })),
        ];
        for (id, gateway) in gateways {
            app.order(id).await;
            let imp_uid = app.pay(id, gateway);
            assert_eq!(app.complete(&query(&imp_uid, id)).await.outcome(), "paid");
            let asked = async |fields: Value| {
                app.sandbox.patch_payment(&imp_uid, fields).unwrap();
                let order = app.api(Method::POST, &format!("/api/v1/orders/{id}/sync"), None).await.json();
                (order["status"].as_str().unwrap().to_owned(), order["refunded_amount"].as_i64().unwrap())
            };
            let entry = |amount: i64| json!({ "pg_tid": "t", "amount": amount, "cancelled_at": 1_900_000_000, "reason": "x", "cancellation_id": format!("c-{amount}") });

            assert_eq!(asked(json!({ "status": "cancelled", "cancel_amount": 65_000, "cancel_history": [] })).await, ("paid".to_owned(), 0), "{id}");
            assert_eq!(asked(json!({ "status": "paid", "cancel_amount": 0 })).await, ("paid".to_owned(), 0), "{id}: it refused");
            assert_eq!(app.told(id).await, ["order.paid"]);
            let part = json!({ "status": "cancelled", "cancel_amount": 65_000, "cancel_history": [entry(5_000)] });
            assert_eq!(asked(part).await, ("partially_refunded".to_owned(), 5_000), "{id}");
            assert_eq!(asked(json!({ "cancel_history": [entry(5_000), entry(60_000)] })).await, ("refunded".to_owned(), 65_000), "{id}");
        }
    }

    /// An account that takes any sum is issued without one: what was deposited is what was paid.
    async fn what_was_deposited_to_an_account_without_a_sum_is_what_was_paid(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for (id, deposited, outcome) in [("EXACT", 65_000, "paid"), ("SHORT", 64_999, "held")] {
            app.order(id).await;
            let account = json!({ "amount": 0, "pg_provider": "settle", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "deposit_history": [{ "amount": deposited, "transaction_at": 1_900_000_000 }] });
            let imp_uid = app.pay(id, account);

            let answer = app.complete(&query(&imp_uid, id)).await;

            assert_eq!(answer.outcome(), outcome, "{}", answer.text);
            assert_eq!(app.read_order(id).await["transactions"][0]["amount"], json!(deposited));
        }
    }

    /// PortOne opens no window for a number that was approved once: the buyer is not sent there.
    async fn an_order_whose_money_went_back_is_not_paid_again(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({ "amount": 100 }));
        assert_eq!(app.complete(&query(&imp_uid, "ORD-1")).await.outcome(), "held");
        app.sandbox.patch_payment(&imp_uid, json!({ "status": "cancelled", "cancel_amount": 100, "cancelled_at": 1_900_000_000 })).unwrap();

        let back = app.complete(&query(&imp_uid, "ORD-1")).await;

        assert_eq!((back.outcome().as_str(), &back.json()["retry_url"]), ("refunded", &Value::Null));
        assert_eq!(app.read_order("ORD-1").await["status"], "open");
        let pay = app.page("/pay/ORD-1").await.text;
        assert!(pay.contains("환불된 주문이에요") && !pay.contains("<script src="), "{pay}");
    }

    /// A gateway that takes no deadline keeps the account open for days, and the order is over in an hour.
    async fn a_deposit_is_asked_for_while_the_order_is_open(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let over = app.running.core.clock.now() + SignedDuration::from_hours(1);
        app.order_with("ORD-1", json!({ "expires_at": over })).await;
        let imp_uid = app.pay("ORD-1", json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "vbank_date": 4_102_444_800_i64 }));

        let issued = app.complete(&query(&imp_uid, "ORD-1")).await;

        assert_eq!(issued.outcome(), "virtual_account_issued");
        let told: Timestamp = issued.json()["virtual_account"]["expires_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(told.as_second(), over.as_second());
    }

    /// Who pays at a store in Japan has no account, and PortOne gives its number as "unknown".
    async fn what_is_paid_at_a_store_is_waited_for(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({ "status": "ready", "pg_provider": "eximbay", "pay_method": "vbank", "vbank_name": "Econtext", "vbank_num": "unknown", "vbank_date": 4_102_444_800_i64 }));

        let issued = app.complete(&query(&imp_uid, "ORD-1")).await;

        assert_eq!((issued.outcome().as_str(), &issued.json()["virtual_account"]), ("pending", &Value::Null));
        let page = app.page(&format!("/payments/complete?{}", query(&imp_uid, "ORD-1"))).await.text;
        assert!(page.contains("편의점에서 결제해 주세요") && page.contains("2100년 1월 1일"), "{page}");
        let pay = app.page("/pay/ORD-1").await.text;
        assert!(pay.contains("편의점에서 결제할 번호가 이미 있어요") && !pay.contains("<script src="), "{pay}");
        app.sandbox.patch_payment(&imp_uid, json!({ "status": "paid", "paid_at": 1_900_000_000 })).unwrap();
        assert_eq!(app.complete(&query(&imp_uid, "ORD-1")).await.outcome(), "paid");
        assert_eq!(app.told("ORD-1").await, ["order.paid"]);
    }

    /// A number to pay with at a store is good until its deadline: who let it pass can pay in another way.
    async fn a_number_that_nobody_paid_with_is_not_waited_for_for_ever(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let now = app.running.core.clock.now();
        let of_v1 = |deadline: Timestamp| json!({ "status": "ready", "pg_provider": "eximbay", "pay_method": "vbank", "vbank_name": "Econtext", "vbank_num": "unknown", "vbank_date": deadline.as_second() });
        let of_v2 = |deadline: Timestamp| json!({ "status": "VIRTUAL_ACCOUNT_ISSUED", "method": { "type": "PaymentMethodConvenienceStore", "paymentDeadline": deadline.to_string(), "convenienceStoreBrand": "LAWSON" } });
        let grace = SignedDuration::from_hours(96);
        let minute = SignedDuration::from_mins(1);
        for (name, deadline, may_pay_again) in [("WAITS", now - grace + minute, false), ("OVER", now - grace - minute, true)] {
            let [first, second] = ["V1", "V2"].map(|portone| format!("{name}-{portone}"));
            app.order(&first).await;
            let imp_uid = app.pay(&first, of_v1(deadline));
            app.order_v2(&second).await;
            let tx_id = app.pay_v2(&second, of_v2(deadline)).await;

            for (id, asked) in [(&first, query(&imp_uid, &first)), (&second, format!("paymentId={second}&txId={tx_id}"))] {
                let answer = app.complete(&asked).await;
                assert_eq!((answer.outcome().as_str(), answer.json()["retry_url"].is_string()), ("pending", may_pay_again), "{}", answer.text);
                let pay = app.page(&format!("/pay/{id}")).await.text;
                assert_eq!(pay.contains("<script src="), may_pay_again, "{pay}");
            }
        }
    }

    async fn an_issued_account_waits_for_its_deposit(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "vbank_holder": null, "vbank_date": 4_102_444_800_i64 }));

        let issued = app.complete(&format!("{}&imp_success=true", query(&imp_uid, "ORD-1"))).await;
        assert_eq!((issued.status, issued.outcome().as_str()), (StatusCode::OK, "virtual_account_issued"));
        assert_eq!(issued.json()["virtual_account"], json!({ "bank": "국민은행", "account_number": "123-456", "holder": null, "expires_at": "2100-01-01T00:00:00Z" }));
        assert_eq!(app.read_order("ORD-1").await["status"], "awaiting_deposit");

        app.sandbox.patch_payment(&imp_uid, json!({ "status": "paid", "paid_at": 1_900_000_000 })).unwrap();
        app.webhook(&imp_uid, "ORD-1", "paid").await;
        assert_eq!(app.read_order("ORD-1").await["status"], "paid");
        let paid = app.complete(&query(&imp_uid, "ORD-1")).await.json();
        assert_eq!((&paid["outcome"], &paid["virtual_account"]), (&json!("paid"), &Value::Null));
        assert_eq!(app.told("ORD-1").await, ["order.virtual_account_issued", "order.paid"]);
    }

    /// The buyer has an account, pays by card in another tab, and comes back by the account: nobody may ask for a second payment.
    async fn who_comes_back_by_an_account_is_told_that_another_attempt_paid(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let vbank = json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456" });
        for (id, account) in [("GOOD", vbank.clone()), ("WRONG", { let mut wrong = vbank; wrong["amount"] = json!(100); wrong })] {
            app.order(id).await;
            let account = app.pay(id, account);
            let card = app.pay(id, json!({}));

            let body = app.complete(&query(&account, id)).await.json();

            assert_eq!((&body["outcome"], &body["transaction_id"], &body["retry_url"]), (&json!("paid"), &Value::Null, &Value::Null), "{id}: {body}");
            assert_eq!(app.read_order(id).await["transaction_id"], json!(card));
        }
    }

    async fn each_failing_check_holds_and_no_page_says_which(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let wrong = [
            (json!({ "amount": 100 }), "amount"), (json!({ "amount": 65_000.5 }), "amount"), (json!({ "currency": "JPY" }), "currency"),
            (json!({ "sandbox": true }), "channel"), (json!({ "sandbox": null }), "channel"),
        ];
        for (number, (fields, check)) in wrong.into_iter().enumerate() {
            let id = format!("ORD-{number}");
            app.order(&id).await;
            let imp_uid = app.pay(&id, fields.clone());

            let answer = app.complete(&format!("{}&imp_success=true", query(&imp_uid, &id))).await;
            let page = app.page(&format!("/payments/complete?{}", query(&imp_uid, &id))).await;

            assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::OK, "held"), "{fields}: {}", answer.text);
            assert_eq!((page.status, page.page_outcome()), (StatusCode::OK, Some("held")));
            let order = app.read_order(&id).await;
            assert_eq!(order["status"], "held");
            assert!(checks(&order).contains(&(check.to_owned(), false)), "{fields}: {order}");
            assert_eq!(app.told(&id).await, ["order.held"]);
        }
    }

    async fn somebody_elses_payment_opens_nothing_and_moves_nothing(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("MINE").await;
        app.order("THEIRS").await;
        let theirs = app.pay("THEIRS", json!({}));
        let nobodys = app.pay("NOT-HERE", json!({}));

        let before = app.complete(&query(&theirs, "MINE")).await;
        assert_eq!(app.complete(&query(&theirs, "THEIRS")).await.outcome(), "paid");
        let after = app.complete(&query(&theirs, "MINE")).await;
        let stranger = app.complete(&query(&nobodys, "MINE")).await;
        let absent = app.complete(&query(&theirs, "NO-SUCH-ORDER")).await;

        for answer in [&before, &after, &stranger, &absent] {
            assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NOT_FOUND, absent.text.as_str()));
            assert_eq!(answer.outcome(), "not_found");
        }
        assert_eq!(app.read_order("MINE").await["status"], "open");
        assert_eq!(app.read_order("MINE").await["transactions"], json!([]));
    }

    async fn a_payment_that_portone_does_not_know_is_not_found_after_a_moment(db: TestDatabase) {
        let app = TestApp::start_at(&db, TestApp::new_sandbox().await, |_| {}, Arc::new(Hasty)).await;
        app.order("ORD-1").await;

        let answer = app.complete("imp_uid=imp_000000000000&merchant_uid=ORD-1&imp_success=true").await;

        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::NOT_FOUND, "not_found"));
        assert!(app.sandbox.calls("find_all") > 1, "PortOne's lag is waited for");
        assert_eq!(app.sandbox.calls("payment"), 1, "a stranger's id costs one call");
    }

    async fn a_payment_that_portone_shows_late_is_found(db: TestDatabase) {
        let app = TestApp::start_at(&db, TestApp::new_sandbox().await, |_| {}, Arc::new(Hasty)).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));
        app.sandbox.fault(json!({ "call": "payment", "kind": "not_found", "times": 2 })).unwrap();
        app.sandbox.fault(json!({ "call": "find_all", "kind": "not_found", "times": 2 })).unwrap();

        assert_eq!(app.complete(&query(&imp_uid, "ORD-1")).await.outcome(), "paid");
    }

    async fn a_second_payment_is_called_a_duplicate(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let first = app.pay("ORD-1", json!({}));
        app.complete(&query(&first, "ORD-1")).await;
        let second = app.pay("ORD-1", json!({}));

        assert_eq!(app.complete(&query(&second, "ORD-1")).await.outcome(), "duplicate");
        assert_eq!(app.complete(&query(&first, "ORD-1")).await.outcome(), "paid");
        assert_eq!(app.told("ORD-1").await, ["order.paid", "order.duplicate_payment"]);
    }

    async fn a_payment_for_a_closed_order_is_late(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        assert_eq!(app.api(Method::POST, "/api/v1/orders/ORD-1/close", None).await.json()["status"], "closed");
        let imp_uid = app.pay("ORD-1", json!({}));

        assert_eq!(app.complete(&query(&imp_uid, "ORD-1")).await.outcome(), "late");
        assert_eq!(app.read_order("ORD-1").await["status"], "closed");
        assert_eq!(app.told("ORD-1").await, ["order.late_payment"]);
    }

    async fn closing_finds_what_was_paid_before(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        app.pay("ORD-1", json!({}));

        let refused = app.api(Method::POST, "/api/v1/orders/ORD-1/close", None).await;

        assert_eq!((refused.status, refused.json()["type"].as_str()), (StatusCode::CONFLICT, Some("/problems/order-paid")));
        assert_eq!(app.read_order("ORD-1").await["status"], "paid");
    }

    async fn refunds_at_portone_show_on_the_next_look(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));
        app.complete(&query(&imp_uid, "ORD-1")).await;

        app.sandbox.patch_payment(&imp_uid, json!({ "status": "cancelled", "cancel_amount": 15_000 })).unwrap();
        let partly = app.complete(&query(&imp_uid, "ORD-1")).await.json();
        app.sandbox.patch_payment(&imp_uid, json!({ "cancel_amount": 65_000 })).unwrap();
        let whole = app.complete(&query(&imp_uid, "ORD-1")).await.json();

        assert_eq!((&partly["outcome"], &partly["refunded_amount"]), (&json!("partially_refunded"), &json!(15_000)));
        assert_eq!((&whole["outcome"], &whole["refunded_amount"]), (&json!("refunded"), &json!(65_000)));
        assert_eq!(app.told("ORD-1").await, ["order.paid", "order.partially_refunded", "order.refunded"]);
    }

    async fn a_left_window_is_pending_and_can_be_continued(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({ "status": "ready" }));

        let answer = app.complete(&query(&imp_uid, "ORD-1")).await;

        assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::ACCEPTED, "pending"));
        assert!(answer.headers.contains_key("retry-after"));
        assert!(answer.json()["retry_url"].is_string());
    }

    async fn test_money_is_accepted_in_test_mode_and_said_to_be_test(db: TestDatabase) {
        let sandbox = Arc::new(Sandbox::builder().spawn().await.unwrap());
        let app = TestApp::start_with(&db, sandbox, |settings| settings.mode = Mode::Test).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({ "sandbox": true }));

        let body = app.complete(&query(&imp_uid, "ORD-1")).await.json();

        assert_eq!((&body["outcome"], &body["test"]), (&json!("paid"), &json!(true)));
    }

    /// Every way PortOne can fail to answer: the page says so, nothing is called failed, and the truth is found later.
    async fn portone_in_trouble_is_unconfirmed_and_settled_later(db: TestDatabase) {
        let sandbox = Arc::new(Sandbox::builder().spawn().await.unwrap());
        let portone_timeout = std::time::Duration::from_secs(4);
        let app = TestApp::start_with(&db, sandbox, |settings| settings.portone_timeout = portone_timeout).await;
        let troubles = [
            json!({ "kind": "status", "status": 500 }), json!({ "kind": "status", "status": 503 }), json!({ "kind": "status", "status": 429 }),
            json!({ "kind": "html" }), json!({ "kind": "empty" }), json!({ "kind": "truncated" }), json!({ "kind": "huge" }), json!({ "kind": "garbage" }),
            json!({ "kind": "unauthorized" }), json!({ "kind": "code", "code": 1 }), json!({ "kind": "reset" }), json!({ "kind": "stall" }),
        ];
        for (number, trouble) in troubles.into_iter().enumerate() {
            for call in ["payment", "token"] {
                let id = format!("{call}-{number}");
                app.order(&id).await;
                let imp_uid = app.pay(&id, json!({}));
                let mut fault = trouble.clone();
                fault["call"] = json!(call);
                app.sandbox.fault(fault).unwrap();
                if call == "token" {
                    app.sandbox.revoke_token();
                }
                let asked_at = std::time::Instant::now();

                let answer = app.complete(&format!("{}&imp_success=false", query(&imp_uid, &id))).await;

                assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::ACCEPTED, "unconfirmed"), "{call} {trouble}: {}", answer.text);
                assert!(answer.headers.contains_key("retry-after"));
                assert!(asked_at.elapsed() < portone_timeout, "nobody waits for PortOne that long: {call} {trouble}: {:?}", asked_at.elapsed());
                assert_eq!(app.read_order(&id).await["status"], "open");

                app.sandbox.clear_faults();
                // A call that PortOne let stall is still waited for, and shared: the first ask may share its failure, too.
                let sync = format!("/api/v1/orders/{id}/sync");
                let mut settled = app.api(Method::POST, &sync, None).await;
                if settled.status == StatusCode::SERVICE_UNAVAILABLE {
                    settled = app.api(Method::POST, &sync, None).await;
                }
                assert_eq!(settled.json()["status"], "paid", "{call} {trouble}");
            }
        }
    }

    async fn a_paid_order_stays_paid_while_portone_is_down(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));
        app.complete(&query(&imp_uid, "ORD-1")).await;
        app.sandbox.fault(json!({ "call": "any", "kind": "status", "status": 500 })).unwrap();

        assert_eq!(app.complete(&query(&imp_uid, "ORD-1")).await.outcome(), "paid");
    }

    async fn neither_redirect_nor_webhook_is_needed(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        app.pay("ORD-1", json!({}));
        db.run("UPDATE orders SET next_check_at = 0").await;

        assert_eq!(reconciliation::reconcile_due(&app.running.core, 10).await.unwrap(), 1);

        assert_eq!(app.read_order("ORD-1").await["status"], "paid");
    }

    async fn a_webhook_waits_for_an_order_that_comes_later(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let imp_uid = app.pay("LATER", json!({}));
        assert_eq!(app.webhook(&imp_uid, "LATER", "paid").await.status, StatusCode::OK);
        assert_eq!(app.sandbox.calls("any"), 0, "an unknown order costs no call to PortOne");

        app.order("LATER").await;
        inbox::work_off_due(&app.running.core, 10).await.unwrap();

        eventually(&app, "LATER", "paid").await;
    }

    async fn an_order_ends_when_its_time_is_over_and_not_before_portone_was_asked(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for id in ["UNPAID", "PAID", "UNKNOWN"] {
            app.order_with(id, json!({ "expires_at": "2027-01-01T00:00:00Z" })).await;
        }
        app.pay("PAID", json!({}));
        db.run("UPDATE orders SET expires_at = created_at + 1000000000, next_check_at = 0 WHERE payment_id = 'PAID'").await;
        db.run("UPDATE orders SET expires_at = created_at, next_check_at = 0 WHERE payment_id = 'UNPAID'").await;

        assert_eq!(reconciliation::reconcile_due(&app.running.core, 10).await.unwrap(), 2);
        assert_eq!(app.read_order("UNPAID").await["status"], "expired");
        assert_eq!(app.read_order("PAID").await["status"], "paid");
        assert_eq!(app.told("UNPAID").await, ["order.expired"]);

        // Late is late, and not knowing is no reason to end an order.
        let imp_uid = app.pay("UNPAID", json!({}));
        assert_eq!(app.complete(&query(&imp_uid, "UNPAID")).await.outcome(), "late");
        app.sandbox.fault(json!({ "call": "any", "kind": "status", "status": 500 })).unwrap();
        db.run("UPDATE orders SET expires_at = created_at, next_check_at = 0 WHERE payment_id = 'UNKNOWN'").await;
        reconciliation::reconcile_due(&app.running.core, 10).await.unwrap();
        assert_eq!(app.read_order("UNKNOWN").await["status"], "open");
    }

    async fn nobody_is_asked_to_deposit_for_an_order_that_ended(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for (id, deadline) in [("CLOSED", 4_102_444_800_i64), ("OVERDUE", 1_700_000_000)] {
            app.order(id).await;
            let imp_uid = app.pay(id, json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "vbank_date": deadline }));
            if id == "CLOSED" {
                app.api(Method::POST, "/api/v1/orders/CLOSED/close", None).await;
            }

            let body = app.complete(&query(&imp_uid, id)).await.json();

            assert_eq!((&body["outcome"], &body["virtual_account"]), (&json!("pending"), &Value::Null), "{id}");
        }
    }

    /// Banks report deposits late, and not every gateway closes an account in its last minute: paying again could be paying twice.
    async fn nobody_is_asked_to_pay_again_while_a_deposit_may_still_arrive(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let now = app.running.core.clock.now().as_second();
        let account = |deadline: i64| json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "vbank_date": deadline });
        let words = "이미 발급된 입금 계좌가 있어요";

        app.order("JUST-OVER").await;
        let over = app.pay("JUST-OVER", account(now - 60));
        let answer = app.complete(&query(&over, "JUST-OVER")).await.json();
        assert_eq!((&answer["outcome"], &answer["retry_url"]), (&json!("pending"), &Value::Null));
        let again = app.page(&format!("/payments/complete?{}&again=1", query(&over, "JUST-OVER"))).await;
        assert!(again.text.contains(words) && !again.text.contains("/pay/JUST"), "{}", again.text);

        app.order("CARD-TOO").await;
        app.pay("CARD-TOO", account(now + 3600));
        let card = app.pay("CARD-TOO", json!({ "status": "failed", "fail_reason": "[한도초과] 카드 한도가 초과되었습니다" }));
        let answer = app.complete(&query(&card, "CARD-TOO")).await.json();
        assert_eq!((&answer["outcome"], &answer["retry_url"]), (&json!("failed"), &Value::Null));
        let page = app.page(&format!("/payments/complete?{}", query(&card, "CARD-TOO"))).await;
        assert!(page.text.contains(words), "{}", page.text);

        app.order("LONG-OVER").await;
        let over = app.pay("LONG-OVER", account(now - 30 * 24 * 3600));
        assert!(app.complete(&query(&over, "LONG-OVER")).await.json()["retry_url"].is_string());
    }

    async fn a_parameter_does_not_stand_for_the_id_that_was_read(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));

        assert_eq!(app.complete(&format!("{}&transaction_id=imp_made_up", query(&imp_uid, "ORD-1"))).await.outcome(), "paid");

        app.running.core.tasks.close();
        app.running.core.tasks.wait().await;
        let redirect = app.history("ORD-1").await.into_iter().find(|event| event["kind"] == "redirect").unwrap();
        assert_eq!(redirect["data"]["transaction_id"], json!(imp_uid));
    }

    async fn a_number_alone_opens_less_than_the_transactions_own_id(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let order = app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({ "receipt_url": "https://receipt.example/canary", "apply_num": "98765432" }));
        let token = order["status_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();

        let guessed = app.page("/payments/complete?merchant_uid=ORD-1").await;
        let guessed_json = app.complete("merchant_uid=ORD-1").await;
        let came_back = app.page(&format!("/payments/complete?{}", query(&imp_uid, "ORD-1"))).await;

        assert_eq!((guessed.page_outcome(), came_back.page_outcome()), (Some("paid"), Some("paid")));
        assert_eq!((guessed_json.outcome().as_str(), &guessed_json.json()["transaction_id"]), ("paid", &Value::Null));
        for canary in ["canary", "98765432", token.as_str(), imp_uid.as_str()] {
            assert!(!guessed.text.contains(canary) && !guessed_json.text.contains(canary), "{canary}");
        }
        assert!(came_back.text.contains("https://receipt.example/canary") && came_back.text.contains("98765432"));
        assert!(came_back.text.contains(&token), "who paid is given the lasting link");
        assert_eq!(app.complete(&query(&imp_uid, "ORD-1")).await.json()["transaction_id"], json!(imp_uid));
    }

    /// Anybody can open a window for an order whose number they know: their attempt shows them their attempt, and no more
    /// once somebody else has paid.
    async fn an_attempt_of_ones_own_opens_nothing_of_the_payment(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let attempts = [
            ("WINDOW", json!({ "status": "ready" })),
            ("FAILED", json!({ "status": "failed" })),
            ("ACCOUNT", json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "vbank_date": 4_102_444_800_i64 })),
            ("HELD", json!({ "amount": 100 })),
        ];
        for (id, attempt) in attempts {
            let order = app.order(id).await;
            let token = order["status_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            let own = app.pay(id, attempt);
            let address = format!("/payments/complete?{}", query(&own, id));
            let before = app.page(&address).await;
            assert!(before.text.contains(&own) && !before.text.contains(&token), "{id}: {}", before.text);

            let paid = app.pay(id, json!({ "receipt_url": "https://receipt.example/canary", "apply_num": "98765432" }));
            app.webhook(&paid, id, "paid").await;
            assert_eq!(app.complete(&query(&paid, id)).await.outcome(), "paid", "{id}");

            let again = format!("/payments/complete?merchant_uid={id}&imp_uid={own}&again=1");
            for path in [address, again] {
                let answer = app.complete(path.split_once('?').unwrap().1).await;
                let page = app.page(&path).await;
                for canary in ["canary", "98765432", token.as_str(), paid.as_str()] {
                    assert!(!page.text.contains(canary) && !answer.text.contains(canary), "{id} {path}: {canary}");
                }
            }
        }
    }

    /// Who waits for a result is brought back to the same attempt, and told as much as at first once it paid.
    async fn a_page_that_looks_again_keeps_what_the_visitor_brought(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let order = app.order("ORD-1").await;
        let token = order["status_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let imp_uid = app.pay("ORD-1", json!({ "status": "ready" }));
        let first = app.page(&format!("/payments/complete?{}", query(&imp_uid, "ORD-1"))).await;
        let again = format!("/payments/complete?merchant_uid=ORD-1&imp_uid={imp_uid}&again=1");
        assert!(first.text.contains(&format!("5;url={}", again.replace('&', "&amp;"))), "{}", first.text);
        assert!(!first.text.contains("/pay/ORD"), "who just came back is not asked to pay");

        let left = app.page(&again).await;
        assert!(left.text.contains("/pay/ORD"), "who looks again may go on: {}", left.text);
        app.running.core.tasks.close();
        app.running.core.tasks.wait().await;
        let redirects = app.history("ORD-1").await.into_iter().filter(|event| event["kind"] == "redirect").count();
        assert_eq!(redirects, 1, "looking again is no redirect");

        app.sandbox.patch_payment(&imp_uid, json!({ "status": "paid", "paid_at": 1_900_000_000, "apply_num": "98765432" })).unwrap();
        let paid = app.page(&again).await;
        assert_eq!(paid.page_outcome(), Some("paid"));
        assert!(paid.text.contains("98765432") && paid.text.contains(&token), "{}", paid.text);
    }

    async fn guessing_ids_does_not_buy_calls_to_portone(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));
        app.complete(&query(&imp_uid, "ORD-1")).await;
        let before = app.sandbox.calls("payment");

        let guesses = join_all((0..60).map(|number| {
            let request = app.client.get(app.url(&format!("/payments/complete?imp_uid=imp_{number}&merchant_uid=ORD-1"))).header("accept", "application/json");
            async move { request.send().await.unwrap().status() }
        })).await;

        assert!(guesses.iter().all(|status| *status != StatusCode::INTERNAL_SERVER_ERROR));
        assert!(app.sandbox.calls("payment") - before <= 20 * 4, "{} calls", app.sandbox.calls("payment") - before);
        assert_eq!(app.complete(&query(&imp_uid, "ORD-1")).await.outcome(), "paid", "what is known has its own places");
    }

    /// Whoever knows an order's number can open windows under it, each with as much of its own as PortOne takes.
    async fn attempts_that_are_too_long_together_hide_no_payment(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        for _ in 0..60 {
            app.pay("ORD-1", json!({ "status": "ready", "custom_data": "x".repeat(20_000) }));
        }
        app.pay("ORD-1", json!({}));

        assert_eq!(app.complete("merchant_uid=ORD-1").await.outcome(), "paid");
    }

    async fn form_webhooks_and_nonsense_webhooks(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));
        let post = |kind: &'static str, body: String| app.send(app.client.post(app.url("/payments/webhook")).header("content-type", kind).body(body));

        assert_eq!(post("application/x-www-form-urlencoded", format!("{}&status=paid", query(&imp_uid, "ORD-1"))).await.status, StatusCode::OK);
        assert_eq!(app.read_order("ORD-1").await["status"], "paid");
        for body in ["", "{", "[]", "null", "{\"imp_uid\":1}", "{\"imp_uid\":\"../x\",\"merchant_uid\":\"ORD-1\"}", "{\"imp_uid\":\"imp_1\"}"] {
            let answer = post("application/json", body.to_owned()).await;
            assert_eq!((answer.status, answer.json()["type"].as_str()), (StatusCode::BAD_REQUEST, Some("/problems/malformed-body")), "{body}");
        }
        assert_eq!(post("application/json", format!("{{\"merchant_uid\":\"{}\"}}", "x".repeat(70_000))).await.status, StatusCode::PAYLOAD_TOO_LARGE);
        // PortOne's console sends a test call with ids that do not exist, and another system's payments have ids of their own kind.
        assert_eq!(app.webhook("imp_1", "2026/001", "paid").await.status, StatusCode::OK);
        assert_eq!(db.read("SELECT transaction_id FROM inbox WHERE payment_id = '2026/001'").await, Vec::<String>::new());
        assert_eq!(app.webhook("imp_000000000001", "merchant_test", "paid").await.status, StatusCode::OK);
    }

    async fn forged_webhooks_move_nothing(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let failed = app.pay("ORD-1", json!({ "status": "failed" }));
        let foreign = app.pay("OTHER", json!({}));

        for imp_uid in [failed.as_str(), foreign.as_str(), "imp_000000000000"] {
            assert_eq!(app.webhook(imp_uid, "ORD-1", "paid").await.status, StatusCode::OK);
        }

        assert_eq!(app.read_order("ORD-1").await["status"], "open");
        assert_eq!(app.told("ORD-1").await, ["order.payment_failed"]);
    }

    async fn unusable_ids_are_invalid_and_never_reach_portone(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        app.sandbox.reset(None);
        let long = "x".repeat(65);
        for query in [
            "", "imp_uid=&merchant_uid=", "foo=bar", "imp_uid=..%2Fusers%2FgetToken&merchant_uid=ORD-1", "imp_uid=imp_1%3Finclude_sandbox%3Dfalse&merchant_uid=ORD-1",
            "merchant_uid=%C1%D6%B9%AE", "merchant_uid=a%2Fb", "merchant_uid=%00", "merchant_uid=..", &format!("merchant_uid={long}"), &format!("imp_uid={long}"),
        ] {
            let answer = app.complete(query).await;
            let page = app.page(&format!("/payments/complete?{query}")).await;
            assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::BAD_REQUEST, "invalid"), "{query}");
            assert_eq!((page.status, page.page_outcome()), (StatusCode::BAD_REQUEST, Some("invalid")), "{query}");
        }
        for query in ["imp_uid=imp_123456789012", "merchant_uid=NOPE", "imp_uid=imp_123456789012&merchant_uid=NOPE", "paymentId=NOPE", "payment_id=NOPE&tx_id=x"] {
            let answer = app.complete(query).await;
            assert_eq!((answer.status, answer.outcome().as_str()), (StatusCode::NOT_FOUND, "not_found"), "{query}");
        }
        assert_eq!(app.sandbox.calls("any"), 0);
    }

    async fn posts_are_answered_like_redirects(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));
        let url = app.url("/payments/complete");
        let form = format!("{}&imp_success=true", query(&imp_uid, "ORD-1"));

        // A gateway's page posts across sites, with the browser's own headers saying so.
        let across = app.client.post(&url).header("content-type", "application/x-www-form-urlencoded").header("accept", "text/html").header("origin", "https://pg.example").header("sec-fetch-site", "cross-site").body(form);
        let page = app.send(across).await;
        let json = app.send(app.client.post(&url).json(&json!({ "imp_uid": imp_uid, "merchant_uid": "ORD-1", "imp_success": false }))).await;

        assert_eq!((page.status, page.page_outcome()), (StatusCode::OK, Some("paid")), "{}", page.text);
        assert_eq!(json.outcome(), "paid");
    }

    async fn nothing_of_the_query_reaches_the_page(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({ "status": "failed", "fail_reason": "<b>거절</b>" }));

        let page = app.page(&format!("/payments/complete?{}&error_msg=%3Cscript%3Ecanary%3C/script%3E&buyer_name=canary-name&imp_success=canary&next=https://canary.example&error_code=%C3%EB%BC%D2", query(&imp_uid, "ORD-1"))).await;

        assert_eq!((page.status, page.page_outcome()), (StatusCode::OK, Some("failed")));
        assert!(!page.text.contains("canary") && !page.text.contains("거절</b>"), "{}", page.text);
        let kept = app.history("ORD-1").await;
        assert!(kept.iter().any(|event| event["kind"] == "redirect" && event["data"]["error_msg"] == "<script>canary</script>"), "{kept:?}");
        assert!(!format!("{kept:?}").contains("canary-name"), "what is no word of a gateway is not kept");
    }

    /// Naver Pay wants a buyer to read why in its own words. They are text all the same, and for who brought the payment.
    async fn naver_pays_words_are_shown_as_they_are(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for (provider, is_shown) in [("naverpay", true), ("kakaopay", false)] {
            let (first, second) = (format!("V1-{provider}"), format!("V2-{provider}"));
            app.order(&first).await;
            app.order_with(&second, json!({ "portone": "v2", "channel_key": "channel-key-live" })).await;
            let imp_uid = app.pay(&first, json!({ "status": "failed", "pg_provider": provider, "fail_reason": "머니 <b>잔액</b> 부족" }));
            let failure = json!({ "reason": "결제 실패", "pgCode": "51", "pgMessage": "머니 <b>잔액</b> 부족" });
            let transaction_id = app.pay_v2(&second, json!({ "status": "FAILED", "failure": failure, "channel": { "pgProvider": provider.to_uppercase() } })).await;

            for (brought, number) in [(query(&imp_uid, &first), format!("merchant_uid={first}")), (format!("paymentId={second}&txId={transaction_id}"), format!("paymentId={second}"))] {
                let page = app.page(&format!("/payments/complete?{brought}")).await;
                let shown = page.text.contains("<bdi>머니 &lt;b&gt;잔액&lt;/b&gt; 부족</bdi>");
                assert_eq!((page.page_outcome(), shown), (Some("failed"), is_shown), "{}", page.text);
                let by_number = app.page(&format!("/payments/complete?{number}")).await;
                assert!(!by_number.text.contains("머니"), "{}", by_number.text);
            }
        }
    }

    async fn windows_without_end_hide_no_payment(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        app.pay("ORD-1", json!({}));
        // More than PortOne is read of one order.
        for _ in 0..1_000 {
            app.pay("ORD-1", json!({ "status": "ready" }));
        }

        let synced = app.api(Method::POST, "/api/v1/orders/ORD-1/sync", None).await;

        assert_eq!(synced.status, StatusCode::OK, "{}", synced.text);
        assert_eq!(app.read_order("ORD-1").await["status"], "paid");
        assert_eq!(app.sandbox.calls("find_all"), 3, "all, the paid ones, the cancelled ones");
    }

    /// Of an attempt that came to nothing PortOne may tell what cannot be read. Those that hold money are asked for alone, then.
    async fn an_attempt_that_cannot_be_read_hides_no_payment(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let odds = [json!({ "amount": "65,000" }), json!({ "_remove": ["amount"] }), json!({ "_remove": ["status"] })];
        for (number, odd) in odds.into_iter().enumerate() {
            for asker in ["redirect", "reconciler"] {
                let id = format!("{asker}-{number}");
                app.order(&id).await;
                db.run("UPDATE orders SET next_check_at = NULL").await;
                let unreadable = app.pay(&id, json!({ "status": "failed" }));
                app.sandbox.patch_payment(&unreadable, odd.clone()).unwrap();
                let paid = app.pay(&id, json!({}));
                let calls = app.sandbox.calls("find_all");

                if asker == "redirect" {
                    assert_eq!(app.complete(&format!("merchant_uid={id}&imp_success=false")).await.outcome(), "paid", "{odd}");
                } else {
                    // Who comes back from the odd one is told nothing that might be wrong.
                    assert_eq!(app.complete(&query(&unreadable, &id)).await.outcome(), "unconfirmed", "{odd}");
                    assert_eq!(app.read_order(&id).await["status"], "open");
                    let due = format!("UPDATE orders SET next_check_at = 0 WHERE payment_id = '{id}'");
                    db.run(&due).await;
                    assert_eq!(reconciliation::reconcile_due(&app.running.core, 10).await.unwrap(), 1);
                }

                assert_eq!(app.sandbox.calls("find_all") - calls, 3, "all, the paid ones, the cancelled ones");
                let order = app.read_order(&id).await;
                assert_eq!((&order["status"], &order["transaction_id"]), (&json!("paid"), &json!(paid)), "{odd}");
                assert_eq!(app.told(&id).await, ["order.paid"]);
            }
        }
    }

    async fn a_visitor_who_leaves_does_not_cut_the_verification(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));
        app.sandbox.fault(json!({ "call": "payment", "kind": "delay", "delay_ms": 600, "times": 1 })).unwrap();

        let page = app.client.get(app.url(&format!("/payments/complete?{}", query(&imp_uid, "ORD-1"))));
        let visitor = tokio::spawn(page.send());
        let is_asked = async {
            while app.sandbox.calls("payment") == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, is_asked).await.expect("PortOne is asked");
        visitor.abort();

        assert!(visitor.await.is_err_and(|error| error.is_cancelled()));
        eventually(&app, "ORD-1", "paid").await;
    }
}

/// Waits until the order stands where it must end up by itself.
pub(crate) async fn eventually(app: &TestApp, payment_id: &str, status: &str) {
    let wait = async {
        let mut round = tokio::time::interval(std::time::Duration::from_millis(50));
        while app.read_order(payment_id).await["status"] != status {
            round.tick().await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        panic!(
            "{payment_id} is not {status}: {}",
            app.read_order(payment_id).await
        );
    }
}
