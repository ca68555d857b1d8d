//! Refunds end to end: what is asked for, what PortOne is called with and how often, and what is said of it.

mod calls;
mod doubt;
mod policy;

use std::sync::Arc;
use std::time::Duration;

use portone_sandbox::Sandbox;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wanryo::domain::history::{Entry, EntryKind};
use wanryo::domain::ids::{PaymentId, RefundId, TransactionId};
use wanryo::domain::money::{Currency, Money};
use wanryo::domain::refund::{
    self, CALL_TIME_MAX, IN_DOUBT_FOR, Input, OnMismatch, Refund, RefundAmount, RefundState,
};
use wanryo::ports::clock::Clock;
use wanryo::ports::store::{Intended, Moved};
use wanryo::service::refunds;

use crate::app::{Answer, PATIENCE, TestApp};
use crate::by_hand::Ahead;
use crate::support::{TestDatabase, on_both_databases};

pub(crate) const GENERATIONS: [&str; 2] = ["v1", "v2"];
const PAID: i64 = 65_000;
/// Rows taken in one step of the worker.
const BATCH: u32 = 20;
/// When an intent of these tests is due, unless the clock is pushed.
const LATER: Duration = Duration::from_secs(600);

/// An app whose clock can be pushed.
async fn start(db: &TestDatabase, clock: &Arc<Ahead>) -> TestApp {
    start_beside(db, &TestApp::new_sandbox().await, clock).await
}

/// The same beside a sandbox that is there already, as after a restart.
async fn start_beside(db: &TestDatabase, sandbox: &Arc<Sandbox>, clock: &Arc<Ahead>) -> TestApp {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    TestApp::start_at(db, Arc::clone(sandbox), |_| {}, clock).await
}

/// Name of the call in the sandbox's journal and faults.
fn cancel_call(portone: &str) -> &'static str {
    if portone == "v1" {
        "cancel"
    } else {
        "v2_cancel"
    }
}

pub(crate) fn query(portone: &str, id: &str, transaction_id: &str) -> String {
    if portone == "v1" {
        format!("merchant_uid={id}&imp_uid={transaction_id}")
    } else {
        format!("paymentId={id}&txId={transaction_id}")
    }
}

pub(crate) async fn make_order(app: &TestApp, portone: &str, id: &str) {
    if portone == "v1" {
        app.order(id).await;
    } else {
        app.order_v2(id).await;
    }
}

/// Pays, without any message to the app.
pub(crate) async fn pay(app: &TestApp, portone: &str, id: &str) -> String {
    if portone == "v1" {
        app.pay(id, json!({}))
    } else {
        app.pay_v2(id, json!({})).await
    }
}

/// An order that is paid and known to be.
pub(crate) async fn paid(app: &TestApp, portone: &str, id: &str) -> String {
    make_order(app, portone, id).await;
    let transaction_id = pay(app, portone, id).await;
    let answer = app.complete(&query(portone, id, &transaction_id)).await;
    assert_eq!(answer.outcome(), "paid", "{}", answer.text);
    transaction_id
}

/// The merchant gives money back in PortOne's console.
async fn cancel_in_console(
    app: &TestApp,
    portone: &str,
    id: &str,
    transaction_id: &str,
    amount: i64,
) {
    let path = if portone == "v1" {
        format!("_sandbox/payments/{transaction_id}/cancel")
    } else {
        format!("_sandbox/v2/payments/{id}/cancel")
    };
    let url = app.sandbox.url().join(&path).unwrap();
    let answer = app
        .send(app.client.post(url).json(&json!({ "amount": amount })))
        .await;
    assert!(answer.status.is_success(), "{}", answer.text);
}

/// An intent as the service writes it, of a server that stopped right after.
pub(crate) fn intent(app: &TestApp, id: &str, transaction_id: &str, amount: i64) -> Refund {
    let now = app.running.core.clock.now();
    let amount = Money::new(amount, Currency::KRW).unwrap();
    Refund {
        id: RefundId::from_bytes(rand::random()),
        version: 0,
        payment_id: PaymentId::parse(id).unwrap(),
        transaction_id: TransactionId::parse(transaction_id).unwrap(),
        amount: RefundAmount::new(amount).unwrap(),
        reason: "단순 변심".to_owned(),
        account: None,
        requested_by: "shop:test".to_owned(),
        idempotency_key: "shop:crashed".to_owned(),
        fingerprint: "f".to_owned(),
        state: RefundState::Intended,
        tax_free_minor: None,
        guard_minor: PAID,
        reserved_minor: 0,
        cancellation_id: None,
        attempts: 0,
        called_at: None,
        next_at: Some(now + LATER),
        trouble: None,
        created_at: now,
        updated_at: now,
    }
}

pub(crate) async fn write(app: &TestApp, refund: &Refund) {
    let entry = Entry {
        at: refund.created_at,
        kind: EntryKind::RefundRequested,
        actor: "shop:test".to_owned(),
        data: refund::history_data(refund),
        once_key: None,
    };
    let written = app.running.core.refunds.intend(refund, &entry, None).await;
    assert_eq!(written.unwrap(), Intended::Written);
}

/// The call begins, and nobody comes back to say how it ended.
async fn begin_call(app: &TestApp, refund: &Refund) -> Refund {
    let core = &app.running.core;
    let mut step = refund::next(refund, &Input::CallBegins, core.clock.now(), 0).unwrap();
    let moved = core.refunds.move_refund(&step.refund, None).await;
    assert_eq!(moved.unwrap(), Moved::Done);
    step.refund.version += 1;
    step.refund
}

pub(crate) async fn list(app: &TestApp, id: &str) -> Vec<Value> {
    let answer = app
        .api(Method::GET, &format!("/api/v1/orders/{id}/refunds"), None)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()["refunds"].as_array().unwrap().clone()
}

/// Works off what is due until the order's last refund is in this state.
pub(crate) async fn becomes(app: &TestApp, id: &str, state: &str) -> Value {
    let wait = async {
        let mut round = tokio::time::interval(Duration::from_millis(30));
        loop {
            round.tick().await;
            refunds::work_off_due(&app.running.core, BATCH)
                .await
                .unwrap();
            let last = list(app, id).await.pop();
            if let Some(last) = last.filter(|refund| refund["state"] == state) {
                return last;
            }
        }
    };
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(refund) => refund,
        Err(_) => panic!("no refund of {id} is {state}: {:?}", list(app, id).await),
    }
}

/// Kinds of history entries about refunds, oldest first.
async fn refund_history(app: &TestApp, id: &str) -> Vec<String> {
    let events = app.history(id).await;
    let kinds = events
        .iter()
        .map(|event| event["kind"].as_str().unwrap().to_owned());
    kinds.filter(|kind| kind.starts_with("refund_")).collect()
}

fn problem(answer: &Answer) -> (u16, String) {
    let kind = answer.json()["type"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (answer.status.as_u16(), kind.replace("/problems/", ""))
}

on_both_databases! {
    async fn all_of_a_payment_goes_back_once(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let id = format!("ALL-{portone}");
            let transaction_id = paid(&app, portone, &id).await;

            let answer = app.refund(&id, "return-1", json!({ "reason": "단순 변심" })).await;

            assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
            let refund = answer.json();
            assert_eq!((&refund["state"], &refund["amount"], &refund["currency"], &refund["transaction_id"], &refund["error"]), (&json!("done"), &json!(PAID), &json!("KRW"), &json!(transaction_id), &json!(null)), "{refund}");
            let order = app.read_order(&id).await;
            assert_eq!((&order["status"], &order["refunded_amount"], &order["refunds"][0]), (&json!("refunded"), &json!(PAID), &refund));
            assert_eq!(app.told(&id).await, ["order.paid", "order.refunded"]);
            assert_eq!(refund_history(&app, &id).await, ["refund_requested", "refund_done"]);
            assert_eq!(app.sandbox.calls(cancel_call(portone)), 1);
            assert_eq!(app.complete(&query(portone, &id, &transaction_id)).await.outcome(), "refunded");
        }
    }

    async fn a_payment_goes_back_in_three_parts(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let id = format!("PARTS-{portone}");
            paid(&app, portone, &id).await;
            for (key, amount, given_back, status) in [("a", json!(20_000), 20_000, "partially_refunded"), ("b", json!(20_000), 40_000, "partially_refunded"), ("c", json!(null), PAID, "refunded")] {
                let refund = app.refund(&id, key, json!({ "reason": "일부 반품", "amount": amount })).await.json();

                assert_eq!(refund["state"], "done", "{refund}");
                let order = app.read_order(&id).await;
                assert_eq!((&order["status"], &order["refunded_amount"]), (&json!(status), &json!(given_back)));
            }

            let amounts: Vec<Value> = list(&app, &id).await.iter().map(|refund| refund["amount"].clone()).collect();
            assert_eq!(amounts, [json!(20_000), json!(20_000), json!(25_000)], "what was left out is written down");
            assert_eq!(app.told(&id).await, ["order.paid", "order.partially_refunded", "order.partially_refunded", "order.refunded"]);
            let again = app.refund(&id, "d", json!({ "reason": "또" })).await;
            assert_eq!((problem(&again), &again.json()["refundable"]), ((409, "more-than-refundable".to_owned()), &json!(0)));
        }
    }

    /// PortOne counts dollars in its first generation and cents in its second.
    async fn amounts_travel_in_each_generations_unit(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let id = format!("USD-{portone}");
            app.order_with(&id, json!({ "portone": portone, "amount": 1420, "currency": "USD", "channel_key": "channel-key-live" })).await;
            if portone == "v1" {
                app.pay(&id, json!({ "amount": 14.2, "currency": "USD" }));
            } else {
                app.pay_v2(&id, json!({ "amount": { "total": 1420 }, "currency": "USD" })).await;
            }

            let part = app.refund(&id, "1", json!({ "reason": "part", "amount": 410 })).await.json();

            assert_eq!((&part["state"], &part["amount"], &part["currency"]), (&json!("done"), &json!(410), &json!("USD")), "{part}");
            assert_eq!(app.read_order(&id).await["refunded_amount"], 410);
        }
    }

    async fn what_cannot_be_given_back_is_refused_by_name(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let id = format!("ORD-{portone}");
            make_order(&app, portone, &id).await;
            let why = json!({ "reason": "단순 변심" });
            assert_eq!(problem(&app.refund("NO-SUCH-ORDER", "1", why.clone()).await), (404, "not-found".to_owned()));
            assert_eq!(problem(&app.refund(&id, "1", why.clone()).await), (409, "order-not-paid".to_owned()));

            let transaction_id = pay(&app, portone, &id).await;
            let other = format!("OTHER-{portone}");
            let theirs = paid(&app, portone, &other).await;
            let foreign = app.refund(&id, "1", json!({ "reason": "x", "transaction_id": theirs })).await;
            assert_eq!(problem(&foreign), (404, "not-found".to_owned()), "a payment of another order");
            let too_much = app.refund(&id, "1", json!({ "reason": "x", "amount": PAID + 1 })).await;
            assert_eq!((problem(&too_much), &too_much.json()["refundable"]), ((409, "more-than-refundable".to_owned()), &json!(PAID)));
            for (body, field) in [(json!({}), "reason"), (json!({ "reason": "x", "amount": 0 }), "amount")] {
                let answer = app.refund(&id, "1", body).await;
                assert_eq!((problem(&answer), &answer.json()["field"]), ((422, "invalid-field".to_owned()), &json!(field)));
            }
            let nameless = app.api(Method::POST, &format!("/api/v1/orders/{id}/refunds"), Some(why.clone())).await;
            assert_eq!(problem(&nameless), (400, "idempotency-key-needed".to_owned()));
            assert_eq!((app.sandbox.calls(cancel_call(portone)), list(&app, &id).await.len()), (0, 0), "nothing was asked for yet");

            // None of these has used up the name.
            let refund = app.refund(&id, "1", json!({ "reason": "x", "transaction_id": transaction_id })).await;
            assert_eq!((refund.status, &refund.json()["state"]), (StatusCode::CREATED, &json!("done")), "{}", refund.text);
        }
        let url = app.url("/api/v1/orders/ORD-v1/refunds");
        assert_eq!(app.send(app.client.post(&url)).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(app.send(app.client.get(&url)).await.status, StatusCode::UNAUTHORIZED);
    }

    /// Nothing is written while PortOne cannot say what there is to give back.
    async fn no_refund_begins_while_portone_is_down(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let id = format!("DOWN-{portone}");
            paid(&app, portone, &id).await;
            for call in ["payment", "find_all", "v2_payment"] {
                app.sandbox.fault(json!({ "call": call, "kind": "status", "status": 503 })).unwrap();
            }

            let down = app.refund(&id, "1", json!({ "reason": "x" })).await;
            app.sandbox.clear_faults();
            let up = app.refund(&id, "1", json!({ "reason": "x" })).await;

            assert_eq!(problem(&down), (503, "unavailable".to_owned()));
            assert_eq!((up.status, &up.json()["state"]), (StatusCode::CREATED, &json!("done")));
        }
    }

    async fn the_same_request_is_the_same_refund(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let id = format!("SAME-{portone}");
            paid(&app, portone, &id).await;
            let body = json!({ "reason": "단순 변심", "amount": 1_000 });

            let first = app.refund(&id, "return 1", body.clone()).await;
            let again = app.refund(&id, "return 1", json!({ "amount": 1_000, "reason": "단순 변심", "transaction_id": null })).await;
            let other_body = app.refund(&id, "return 1", json!({ "reason": "단순 변심", "amount": 1_001 })).await;
            let other_key = app.refund(&id, "return 2", body.clone()).await;

            assert_eq!((first.status, again.status, again.text.as_str()), (StatusCode::CREATED, StatusCode::OK, first.text.as_str()));
            assert_eq!(problem(&other_body), (422, "idempotency-key-reused".to_owned()));
            assert_eq!((other_key.status, other_key.json()["refund_id"] == first.json()["refund_id"]), (StatusCode::CREATED, false));
            assert_eq!(app.read_order(&id).await["refunded_amount"], 2_000);
        }
        // A name belongs to one order.
        paid(&app, "v1", "ELSEWHERE").await;
        let elsewhere = app.refund_named("ELSEWHERE", "SAME-v1 return 1", json!({ "reason": "x" })).await;
        assert_eq!(problem(&elsewhere), (422, "idempotency-key-reused".to_owned()));
        assert_eq!(app.refund("ELSEWHERE", "return 1", json!({ "reason": "x" })).await.status, StatusCode::CREATED);
    }

    async fn while_a_refund_is_under_way_no_other_begins(db: TestDatabase) {
        let app = Arc::new(TestApp::start(&db).await);
        for portone in GENERATIONS {
            let id = format!("SLOW-{portone}");
            let transaction_id = paid(&app, portone, &id).await;
            app.sandbox.fault(json!({ "call": cancel_call(portone), "kind": "delay", "delay_ms": 2_000, "times": 1 })).unwrap();
            let (asking, asked) = (Arc::clone(&app), id.clone());
            let first = tokio::spawn(async move { asking.refund(&asked, "1", json!({ "reason": "x", "amount": 1_000 })).await });
            let called = async {
                while app.sandbox.calls(cancel_call(portone)) == 0 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, called).await.unwrap();

            let same = app.refund(&id, "1", json!({ "reason": "x", "amount": 1_000 })).await;
            let other = app.refund(&id, "2", json!({ "reason": "x", "amount": 1_000, "transaction_id": transaction_id })).await;

            assert_eq!(problem(&same), (409, "idempotency-key-in-use".to_owned()));
            assert_eq!(problem(&other), (409, "refund-under-way".to_owned()));
            assert_eq!(first.await.unwrap().json()["state"], "done");
            assert_eq!((app.sandbox.calls(cancel_call(portone)), &app.read_order(&id).await["refunded_amount"]), (1, &json!(1_000)));
        }
    }

    /// On PostgreSQL through two instances of the server.
    async fn a_click_that_arrives_many_times_gives_back_once(db: TestDatabase) {
        let first = Arc::new(TestApp::start(&db).await);
        let second = match db.sqlite_path() {
            Some(_) => Arc::clone(&first),
            None => Arc::new(TestApp::start_with(&db, Arc::clone(&first.sandbox), |_| {}).await),
        };
        for portone in GENERATIONS {
            let id = format!("CLICK-{portone}");
            paid(&first, portone, &id).await;
            let clicks: Vec<_> = (0..8).map(|number| {
                let (app, id) = (Arc::clone(if number % 2 == 0 { &first } else { &second }), id.clone());
                // Half of them by one name, the others each by its own.
                let key = if number < 4 { "click".to_owned() } else { format!("click-{number}") };
                tokio::spawn(async move { app.refund(&id, &key, json!({ "reason": "단순 변심", "amount": 40_000 })).await })
            }).collect();
            let mut made = 0;
            for click in clicks {
                let answer = click.await.unwrap();
                match answer.status.as_u16() {
                    201 => made += 1,
                    200 => {}
                    status => assert_eq!(status, 409, "{}", answer.text),
                }
            }

            assert_eq!(made, 1);
            assert_eq!((first.sandbox.calls(cancel_call(portone)), list(&first, &id).await.len()), (1, 1));
            assert_eq!(first.read_order(&id).await["refunded_amount"], 40_000);
            assert_eq!(first.told(&id).await, ["order.paid", "order.partially_refunded"]);
        }
    }

    /// A clerk gave money back in PortOne's console between our look and our call.
    async fn the_guard_refuses_what_the_console_has_given_back(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        for (portone, code) in [("v1", "code 1"), ("v2", "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN")] {
            let id = format!("GUARD-{portone}");
            let transaction_id = paid(&app, portone, &id).await;
            write(&app, &intent(&app, &id, &transaction_id, 20_000)).await;
            cancel_in_console(&app, portone, &id, &transaction_id, 5_000).await;

            clock.push(LATER);
            let refund = becomes(&app, &id, "refused").await;

            assert_eq!(refund["error"]["code"], code, "{refund}");
            assert_eq!(refund_history(&app, &id).await, ["refund_requested", "refund_refused"]);
            let order = app.read_order(&id).await;
            assert_eq!((&order["status"], &order["refunded_amount"]), (&json!("partially_refunded"), &json!(5_000)));
            assert_eq!(app.refund(&id, "again", json!({ "reason": "x" })).await.json()["amount"], 60_000);
        }
    }

    async fn a_no_of_the_gateway_gives_nothing_back(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for (portone, fault) in [("v1", json!({ "call": "cancel", "kind": "code", "code": -1, "message": "[8178]정산 대금\n부족", "times": 1 })), ("v2", json!({ "call": "v2_cancel", "kind": "status", "status": 502, "body": r#"{"type":"PG_PROVIDER","message":"m","pgCode":"8178","pgMessage":"정산 대금\n부족"}"#, "times": 1 }))] {
            let id = format!("NO-{portone}");
            paid(&app, portone, &id).await;
            app.sandbox.fault(fault).unwrap();

            let refund = app.refund(&id, "1", json!({ "reason": "x" })).await.json();

            assert_eq!(refund["state"], "refused", "{refund}");
            let message = refund["error"]["message"].as_str().unwrap();
            assert!(message.contains("정산 대금") && !message.contains('\n'), "{message}");
            assert_eq!(app.read_order(&id).await["status"], "paid");
            assert_eq!(app.refund(&id, "2", json!({ "reason": "x" })).await.json()["state"], "done");
        }
    }

    async fn keys_that_portone_refuses_make_no_refund_and_are_tried_again(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        for portone in GENERATIONS {
            let id = format!("KEYS-{portone}");
            paid(&app, portone, &id).await;
            app.sandbox.fault(json!({ "call": cancel_call(portone), "kind": "unauthorized", "times": 2 })).unwrap();

            let refund = app.refund(&id, "1", json!({ "reason": "x" })).await.json();
            assert_eq!((&refund["state"], &refund["error"]["code"]), (&json!("intended"), &json!("unauthorized")), "{refund}");
            app.sandbox.clear_faults();
            clock.push(LATER);
            becomes(&app, &id, "done").await;

            assert_eq!(app.read_order(&id).await["status"], "refunded");
        }
    }

    /// The gateway takes note and decides later; its webhook says when.
    async fn a_cancel_that_takes_its_time_is_done_when_it_is_shown(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        let url = app.sandbox.url().join("_sandbox/v2/config").unwrap();
        assert!(app.send(app.client.patch(url).json(&json!({ "cancel": "asynchronous" }))).await.status.is_success());
        for (status, state, code, order_status) in [("SUCCEEDED", "done", json!(null), "refunded"), ("FAILED", "refused", json!("cancellation_failed"), "paid")] {
            let id = format!("ASYNC-{status}");
            paid(&app, "v2", &id).await;

            let answer = app.refund(&id, "1", json!({ "reason": "x" })).await;
            assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::CREATED, &json!("requested")), "{}", answer.text);
            clock.push(Duration::from_secs(24 * 3600));
            refunds::work_off_due(&app.running.core, BATCH).await.unwrap();
            assert_eq!((&list(&app, &id).await[0]["state"], &app.read_order(&id).await["status"]), (&json!("requested"), &json!("paid")));

            let payment = app.control_v2(Method::GET, &[&id], json!({})).await;
            let cancellation = payment["cancellations"][0]["id"].as_str().unwrap();
            app.control_v2(Method::POST, &[&id, "cancellations", cancellation], json!({ "status": status })).await;
            clock.push(Duration::from_secs(24 * 3600));
            let refund = becomes(&app, &id, state).await;

            assert_eq!(refund["error"]["code"], code);
            assert_eq!(app.read_order(&id).await["status"], order_status);
            assert_eq!(app.sandbox.calls("v2_cancel"), if status == "SUCCEEDED" { 1 } else { 2 });
        }
    }

    /// A second payment and a late one are given back by their own ids; the order stays as it is.
    async fn payments_beside_the_orders_own_are_given_back_by_name(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        paid(&app, "v1", "TWICE").await;
        let second = app.pay("TWICE", json!({}));
        assert_eq!(app.complete(&query("v1", "TWICE", &second)).await.outcome(), "duplicate");
        app.order("LATE").await;
        assert!(app.api(Method::POST, "/api/v1/orders/LATE/close", None).await.status.is_success());
        let late = app.pay("LATE", json!({}));
        assert_eq!(app.complete(&query("v1", "LATE", &late)).await.outcome(), "late");

        for (id, transaction_id, status) in [("TWICE", &second, "paid"), ("LATE", &late, "closed")] {
            let refund = app.refund(id, "1", json!({ "reason": "이중 결제", "transaction_id": transaction_id })).await.json();

            assert_eq!((&refund["state"], &refund["transaction_id"]), (&json!("done"), &json!(transaction_id)), "{refund}");
            let order = app.read_order(id).await;
            assert_eq!((&order["status"], &order["refunded_amount"]), (&json!(status), &json!(0)));
            assert_eq!(app.complete(&query("v1", id, transaction_id)).await.outcome(), "refunded");
        }
        assert_eq!(problem(&app.refund("LATE", "2", json!({ "reason": "x" })).await), (409, "order-not-paid".to_owned()), "nothing paid the order");
    }

    /// PortOne is told the order's money, and gives the buyer's part of it back.
    async fn a_discounted_payment_goes_back_in_the_orders_money(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for (id, parts) in [("WHOLE", vec![None]), ("PARTS", vec![Some(20_000), None])] {
            make_order(&app, "v2", id).await;
            app.pay_v2(id, json!({ "amount": { "total": 65_000, "discount": 5_000, "paid": 60_000 } })).await;
            for (number, amount) in parts.iter().enumerate() {
                let refund = app.refund(id, &number.to_string(), json!({ "reason": "x", "amount": amount })).await.json();
                assert_eq!(refund["state"], "done", "{refund}");
            }
            let payment = app.control_v2(Method::GET, &[id], json!({})).await;
            assert_eq!((&payment["status"], &payment["amount"]["cancelled"]), (&json!("CANCELLED"), &json!(65_000)));
            let order = app.read_order(id).await;
            assert_eq!((&order["status"], &order["refunded_amount"]), (&json!("refunded"), &json!(65_000)));
        }
    }

    /// PortOne takes what is not said to be free of tax for taxed. V2 tells what is left of either; of V1 the shop has to say it.
    async fn what_was_free_of_tax_goes_back_free_of_tax(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let pay = async |id: &str, free: i64| {
                make_order(&app, portone, id).await;
                if portone == "v1" {
                    app.pay(id, json!({ "tax_free": free }));
                } else {
                    app.pay_v2(id, json!({ "amount": { "total": PAID, "taxFree": free } })).await;
                }
            };
            let give_back = async |id: &str, key: &str, amount: Option<i64>, free: Option<i64>| {
                app.refund(id, key, json!({ "reason": "x", "amount": amount, "tax_free_amount": free })).await
            };
            let [flowers, mixed, parts] = ["FLOWERS", "MIXED", "PARTS"].map(|id| format!("{id}-{portone}"));

            // A part, and all of the rest, of what is free of tax as a whole.
            pay(&flowers, PAID).await;
            for (key, amount) in [("1", Some(10_000)), ("2", None)] {
                let said = if portone == "v1" { Some(amount.unwrap_or(PAID - 10_000)) } else { None };
                let refund = give_back(&flowers, key, amount, said).await.json();
                assert_eq!((&refund["state"], &refund["tax_free_amount"]), (&json!("done"), &json!(amount.unwrap_or(PAID - 10_000))), "{refund}");
            }
            assert_eq!(app.read_order(&flowers).await["status"], "refunded");

            // All of what is taxed in part.
            pay(&mixed, 20_000).await;
            let said = if portone == "v1" { Some(20_000) } else { None };
            let refund = give_back(&mixed, "1", None, said).await.json();
            assert_eq!((&refund["state"], &refund["tax_free_amount"]), (&json!("done"), &json!(20_000)), "{refund}");

            // Part by part, where nobody but the shop knows what is given back.
            pay(&parts, 20_000).await;
            let before = app.sandbox.calls(cancel_call(portone));
            let silent = give_back(&parts, "1", Some(50_000), None).await;
            if portone == "v2" {
                assert_eq!((problem(&silent), &silent.json()["field"]), ((422, "invalid-field".to_owned()), &json!("tax_free_amount")));
                let too_much = give_back(&parts, "2", Some(30_000), Some(20_001)).await;
                assert_eq!(problem(&too_much), (422, "invalid-field".to_owned()));
                assert_eq!(app.sandbox.calls(cancel_call(portone)), before, "PortOne was not asked");
            } else {
                assert_eq!(silent.json()["state"], "refused", "{}", silent.text);
            }
            let first = give_back(&parts, "3", Some(30_000), Some(12_000)).await.json();
            assert_eq!((&first["state"], &first["tax_free_amount"]), (&json!("done"), &json!(12_000)), "{first}");
            let rest = give_back(&parts, "4", None, if portone == "v1" { Some(8_000) } else { None }).await.json();
            assert_eq!((&rest["state"], &rest["tax_free_amount"]), (&json!("done"), &json!(8_000)), "{rest}");
            if portone == "v2" {
                let payment = app.control_v2(Method::GET, &[&parts], json!({})).await;
                assert_eq!(payment["amount"]["cancelledTaxFree"], json!(20_000), "{payment}");
            }

            // What is taxed as a whole is given back as ever.
            pay(&format!("TAXED-{portone}"), 0).await;
            let refund = give_back(&format!("TAXED-{portone}"), "1", Some(1), None).await.json();
            assert_eq!((&refund["state"], &refund["tax_free_amount"]), (&json!("done"), &json!(null)), "{refund}");
        }
    }

    /// That a deposit is cancelled does not say that the buyer has the money: the bank transfers it later, to an account that somebody
    /// typed.
    async fn a_deposit_is_given_back_once_the_account_has_it(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        app.sandbox.configure_v2(json!({ "refund_status": "PENDING" })).unwrap();
        let account = json!({ "bank": "KOOKMIN", "number": "110-123", "holder": "홍길동" });
        let method = |status: &str| json!({ "type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "56211-1", "accountType": "NORMAL", "refundStatus": status });
        let needs_attention = async || app.api(Method::GET, "/api/v1/attention", None).await.json()["items"].as_array().unwrap().len();
        for (ends, by_word) in [("COMPLETED", false), ("FAILED", true)] {
            let id = format!("VBANK-{ends}");
            make_order(&app, "v2", &id).await;
            let transaction_id = app.pay_v2(&id, json!({ "method": method("PENDING") })).await;
            let refund = app.refund(&id, "1", json!({ "reason": "x", "refund_account": account })).await.json();
            assert_eq!((&refund["state"], &refund["error"]), (&json!("requested"), &json!(null)), "{refund}");
            assert_eq!(app.read_order(&id).await["status"], "refunded", "as PortOne has it");
            let second = app.refund(&id, "2", json!({ "reason": "x", "amount": 1, "refund_account": account })).await;
            assert_eq!(second.status, StatusCode::CONFLICT, "{}", second.text);
            clock.push(Duration::from_secs(3 * 24 * 3600));
            refunds::work_off_due(&app.running.core, BATCH).await.unwrap();
            assert_eq!((&list(&app, &id).await[0]["state"], needs_attention().await), (&json!("requested"), 0), "banks take days");

            app.control_v2(Method::PATCH, &[&id], json!({ "method": method(ends) })).await;
            clock.push(Duration::from_secs(24 * 3600 - 3_600));
            refunds::work_off_due(&app.running.core, BATCH).await.unwrap();

            if by_word {
                let waits = &list(&app, &id).await[0];
                assert_eq!((&waits["state"], &waits["error"]["code"]), (&json!("requested"), &json!("not_received")), "{waits}");
                assert_eq!(needs_attention().await, 1, "at once");
                let path = format!("/api/v1/attention/refund_in_doubt/{transaction_id}/settle");
                assert_eq!(app.api(Method::POST, &path, Some(json!({ "note": "직접 보냈어요" }))).await.status, StatusCode::NO_CONTENT);
                refunds::work_off_due(&app.running.core, BATCH).await.unwrap();
            }
            let done = &list(&app, &id).await[0];
            assert_eq!((&done["state"], &done["error"]["message"]), (&json!("done"), &if by_word { json!("직접 보냈어요") } else { json!(null) }), "{done}");
            assert_eq!((needs_attention().await, app.sandbox.calls("v2_cancel")), (0, if by_word { 2 } else { 1 }));
        }
    }

    /// Where a deposit goes back to is personal data: it is kept until PortOne has answered.
    async fn a_deposit_goes_back_to_an_account_that_is_forgotten(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let id = format!("VBANK-{portone}");
            make_order(&app, portone, &id).await;
            if portone == "v1" {
                app.pay(&id, json!({ "pay_method": "vbank", "vbank_num": "56211-1", "vbank_name": "국민은행" }));
            } else {
                app.pay_v2(&id, json!({ "method": { "type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "56211-1", "accountType": "NORMAL" } })).await;
            }
            let without = app.refund(&id, "1", json!({ "reason": "x" })).await;
            assert_eq!(problem(&without), (422, "refund-account-needed".to_owned()));
            let account = json!({ "bank": "KOOKMIN", "number": "canary-110-123", "holder": "카나리아", "tel": "010-2222-3333" });

            let refund = app.refund(&id, "1", json!({ "reason": "x", "refund_account": account })).await;

            assert_eq!((refund.status, &refund.json()["state"]), (StatusCode::CREATED, &json!("done")), "{}", refund.text);
            let stored = db.read("SELECT COALESCE(account_bank, '') || COALESCE(account_number, '') || COALESCE(account_holder, '') || COALESCE(account_tel, '') || fingerprint || reason FROM refunds").await;
            for text in stored.iter().chain([&refund.text, &app.read_order(&id).await.to_string(), &format!("{:?}", app.history(&id).await)]) {
                assert!(!["canary", "카나리아", "2222"].iter().any(|secret| text.contains(secret)), "{text}");
            }
            let again = app.refund(&id, "1", json!({ "reason": "x", "refund_account": account })).await;
            assert_eq!((again.status, again.text), (StatusCode::OK, refund.text));
        }
    }
}
