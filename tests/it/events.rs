//! Events on their way to the shop's server: real receivers, both databases, and time that moves when a test says so.

mod api;
mod failures;
mod locks;
mod order;
mod pages;
pub(crate) mod receiver;
mod targets;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wanryo::config::Settings;
use wanryo::domain::event::{Event, EventType, event_id};
use wanryo::domain::ids::PaymentId;
use wanryo::ports::clock::Clock;
use wanryo::ports::store::{Commit, Committed};
use wanryo::service::{Core, deliveries, reconciliation, refunds};

use crate::app::TestApp;
use crate::by_hand::Ahead;
use crate::support::{TestDatabase, on_both_databases};
use receiver::Receiver;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// Rounds after which nothing may be due any more.
const ROUNDS_MAX: usize = 10_000;

/// An app whose time the test moves.
struct Shop {
    app: TestApp,
    clock: Arc<Ahead>,
}

impl Shop {
    async fn open(db: &TestDatabase) -> Self {
        Self::open_with(db, |_| {}).await
    }

    async fn open_with(db: &TestDatabase, change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::new(Ahead::default());
        let sandbox = TestApp::new_sandbox().await;
        let app = TestApp::start_at(db, sandbox, change, Arc::clone(&clock) as _).await;
        Self { app, clock }
    }

    /// Another server on the same database. PostgreSQL's alone may have one.
    async fn another(&self, db: &TestDatabase) -> TestApp {
        let sandbox = Arc::clone(&self.app.sandbox);
        TestApp::start_at(db, sandbox, |_| {}, Arc::clone(&self.clock) as _).await
    }

    fn core(&self) -> &Arc<Core> {
        &self.app.running.core
    }

    /// Makes an endpoint; its id and its secret.
    async fn endpoint(&self, receiver: &Receiver) -> (String, String) {
        self.endpoint_for(receiver, Value::Null).await
    }

    async fn endpoint_for(&self, receiver: &Receiver, event_types: Value) -> (String, String) {
        let body = json!({ "url": receiver.url, "event_types": event_types });
        let answer = self
            .app
            .api(Method::POST, "/api/v1/webhook-endpoints", Some(body))
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let made = answer.json();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    async fn read(&self, path: &str) -> Value {
        let answer = self.app.api(Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.json()
    }

    async fn read_endpoint(&self, id: &str) -> Value {
        self.read(&format!("/api/v1/webhook-endpoints/{id}")).await
    }

    /// Every delivery, oldest first.
    async fn deliveries(&self) -> Vec<Value> {
        let page = self.read("/api/v1/deliveries?limit=100").await;
        let mut list = page["deliveries"].as_array().unwrap().clone();
        list.reverse();
        list
    }

    async fn delivery(&self, id: &Value) -> Value {
        self.read(&format!("/api/v1/deliveries/{id}")).await
    }

    async fn post(&self, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let answer = self.app.api(Method::POST, path, body).await;
        (answer.status, answer.json())
    }

    /// Makes an order, and lets these things have happened to it.
    async fn happened(&self, payment_id: &str, kinds: &[EventType]) {
        self.app.order(payment_id).await;
        for kind in kinds {
            self.happens(payment_id, *kind).await;
        }
    }

    /// Lets something happen to an order, in the way of every change.
    async fn happens(&self, payment_id: &str, event_type: EventType) {
        let id = PaymentId::parse(payment_id).unwrap();
        let order = self
            .core()
            .orders
            .find_order(&id)
            .await
            .unwrap()
            .unwrap()
            .order;
        let event = Event {
            id: event_id(event_type, &id, None, 0),
            event_type,
            payment_id: id,
            transaction_id: None,
            status: order.status,
            refunded_minor: 0,
            at: self.clock.now(),
        };
        let commit = Commit {
            order,
            transactions: Vec::new(),
            entries: Vec::new(),
            events: vec![event],
        };
        let committed = self.core().orders.commit(&commit).await.unwrap();
        assert_eq!(committed, Committed::Done);
    }

    /// Delivers until nothing is due.
    async fn deliver(&self) {
        for _ in 0..ROUNDS_MAX {
            if deliveries::deliver_due(self.core()).await.unwrap() == 0 {
                return;
            }
        }
        panic!("deliveries are still due after {ROUNDS_MAX} rounds");
    }

    /// Lets time pass step by step, and delivers after each.
    async fn pass(&self, step: Duration, steps: usize) {
        for _ in 0..steps {
            self.clock.push(step);
            self.deliver().await;
        }
    }
}

/// One event of each type comes about as it does in a shop.
async fn live_through_everything(shop: &Shop) {
    let app = &shop.app;
    let person = json!({ "buyer_name": "canary-name", "buyer_email": "canary@example.com", "buyer_tel": "010-7777-8888" });
    let pay = |id: &str, more: Value| {
        let mut fields = person.clone();
        fields
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        app.pay(id, fields)
    };
    let complete = async |id: &str, imp_uid: &str| {
        app.complete(&format!("imp_uid={imp_uid}&merchant_uid={id}"))
            .await
            .outcome()
    };
    let buyer = json!({ "buyer": { "name": "canary-name", "email": "canary@example.com", "tel": "010-7777-8888" }, "metadata": { "note": "canary-metadata" } });
    for id in ["PAID", "BANK", "FAILED", "HELD", "LATE"] {
        app.order_with(id, buyer.clone()).await;
    }
    let soon = shop.clock.now() + SignedDuration::from_mins(10);
    app.order_with("EXPIRED", json!({ "expires_at": soon }))
        .await;

    let paid = pay("PAID", json!({}));
    assert_eq!(complete("PAID", &paid).await, "paid");
    let again = pay("PAID", json!({}));
    assert_eq!(complete("PAID", &again).await, "duplicate");
    let bank = pay(
        "BANK",
        json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "560-canary", "vbank_holder": "canary-holder", "vbank_date": 4_102_444_800_i64 }),
    );
    assert_eq!(complete("BANK", &bank).await, "virtual_account_issued");
    let failed = pay(
        "FAILED",
        json!({ "status": "failed", "fail_reason": "canary-reason" }),
    );
    assert_eq!(complete("FAILED", &failed).await, "failed");
    let held = pay("HELD", json!({ "amount": 100 }));
    assert_eq!(complete("HELD", &held).await, "held");
    assert_eq!(
        app.api(Method::POST, "/api/v1/orders/LATE/close", None)
            .await
            .status,
        StatusCode::OK
    );
    let late = pay("LATE", json!({}));
    assert_eq!(complete("LATE", &late).await, "late");
    for (key, amount) in [("part", json!(20_000)), ("rest", Value::Null)] {
        let refund = app
            .refund(
                "PAID",
                key,
                json!({ "reason": "canary-reason", "amount": amount, "transaction_id": paid }),
            )
            .await;
        assert_eq!(refund.status, StatusCode::CREATED, "{}", refund.text);
        shop.clock.push(MINUTE);
        app.sandbox.advance_clock(MINUTE);
        refunds::work_off_due(shop.core(), 20).await.unwrap();
    }
    shop.clock.push(15 * MINUTE);
    app.sandbox.advance_clock(15 * MINUTE);
    reconciliation::reconcile_due(shop.core(), 50)
        .await
        .unwrap();
}

on_both_databases! {
    async fn every_event_is_delivered_signed_and_without_a_person_in_it(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        let (id, secret) = shop.endpoint(&receiver).await;
        live_through_everything(&shop).await;
        shop.deliver().await;

        let mut kinds = receiver.kinds();
        kinds.sort();
        let mut all: Vec<&str> = EventType::ALL.iter().map(|kind| kind.as_str()).collect();
        all.sort_unstable();
        assert_eq!(kinds, all, "each once");
        let of_paid: Vec<String> = receiver.got().iter().filter(|got| got.payment_id() == "PAID").map(receiver::Got::kind).collect();
        assert_eq!(of_paid, ["order.paid", "order.duplicate_payment", "order.partially_refunded", "order.refunded"], "in order");
        for got in receiver.got() {
            assert!(got.is_signed_with(&secret), "{got:?}");
            assert!(got.id.starts_with("evt_") && !got.id.contains('.'), "{}", got.id);
            let age = shop.clock.now().as_second() - got.timestamp();
            assert!((0..60).contains(&age), "{age}");
            assert_eq!(got.headers["content-type"], "application/json");
            assert_eq!(got.headers["user-agent"], concat!("wanryo/", env!("CARGO_PKG_VERSION")));
            let text = String::from_utf8(got.body.to_vec()).unwrap();
            assert!(!text.contains("canary") && !text.contains("7777-8888") && !text.contains("77778888"), "{text}");
            let json = got.json();
            let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&json), ["data", "timestamp", "type"]);
            assert_eq!(keys(&json["data"]), ["amount", "currency", "payment_id", "refunded_amount", "status", "transaction_id"]);
            assert_eq!((&json["data"]["amount"], &json["data"]["currency"]), (&json!(65_000), &json!("KRW")));
        }
        let data = |kind: &str| receiver.got().iter().find(|got| got.kind() == kind).unwrap().json()["data"].clone();
        assert_eq!((&data("order.partially_refunded")["refunded_amount"], &data("order.partially_refunded")["status"]), (&json!(20_000), &json!("partially_refunded")));
        assert_eq!((&data("order.refunded")["refunded_amount"], &data("order.refunded")["status"]), (&json!(65_000), &json!("refunded")));
        assert_eq!(data("order.expired")["transaction_id"], Value::Null);
        for delivery in shop.deliveries().await {
            assert_eq!((&delivery["status"], &delivery["attempt_count"], &delivery["endpoint_id"]), (&json!("delivered"), &json!(1), &json!(id)));
            let attempts = shop.delivery(&delivery["id"]).await["attempts"].clone();
            assert_eq!((&attempts[0]["number"], &attempts[0]["code"], &attempts[0]["error"], &attempts[0]["answer"]), (&json!(1), &json!(200), &Value::Null, &json!("")));
        }
        let before = receiver.count();
        shop.pass(HOUR, 2).await;
        assert_eq!(receiver.count(), before, "nothing is delivered again");
    }

    async fn an_endpoint_gets_what_it_wants_from_when_it_was_made(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.happened("BEFORE", &[EventType::OrderPaid]).await;
        let [all, some, off, gone] = [Receiver::start().await, Receiver::start().await, Receiver::start().await, Receiver::start().await];
        shop.endpoint(&all).await;
        // A word that is part of another.
        shop.endpoint_for(&some, json!(["order.refunded", "order.held"])).await;
        let (off_id, _) = shop.endpoint(&off).await;
        let (gone_id, _) = shop.endpoint(&gone).await;
        let patched = shop.app.api(Method::PATCH, &format!("/api/v1/webhook-endpoints/{off_id}"), Some(json!({ "enabled": false }))).await;
        assert_eq!((patched.status, &patched.json()["status"]), (StatusCode::OK, &json!("disabled")));
        shop.happened("A", &[EventType::OrderPaid, EventType::OrderPartiallyRefunded, EventType::OrderRefunded]).await;
        let deleted = shop.app.api(Method::DELETE, &format!("/api/v1/webhook-endpoints/{gone_id}"), None).await;
        assert_eq!(deleted.status, StatusCode::NO_CONTENT);
        shop.deliver().await;

        assert_eq!(all.kinds(), ["order.paid", "order.partially_refunded", "order.refunded"]);
        assert_eq!(some.kinds(), ["order.refunded"]);
        assert_eq!((off.count(), gone.count()), (0, 0));
        let given_up = shop.read(&format!("/api/v1/deliveries?endpoint_id={gone_id}&status=given_up")).await;
        assert_eq!(given_up["deliveries"].as_array().unwrap().len(), 3, "the record stays");
    }

    async fn the_old_secret_signs_beside_the_new_one_for_a_day(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        let (id, first) = shop.endpoint(&receiver).await;
        let rotate = async || {
            let (status, rotated) = shop.post(&format!("/api/v1/webhook-endpoints/{id}/rotate"), None).await;
            assert_eq!(status, StatusCode::OK, "{rotated}");
            assert!(rotated["previous_secret_valid_until"].is_string(), "{rotated}");
            rotated["secret"].as_str().unwrap().to_owned()
        };
        let signed_with = |secrets: &[&String]| {
            let last = receiver.got().pop().unwrap();
            let signatures = last.headers["webhook-signature"].to_str().unwrap().split(' ').count();
            assert_eq!(signatures, secrets.iter().filter(|secret| last.is_signed_with(secret)).count(), "no other signature");
            secrets.iter().map(|secret| last.is_signed_with(secret)).collect::<Vec<_>>()
        };

        let second = rotate().await;
        assert_ne!(first, second);
        shop.happened("A", &[EventType::OrderPaid]).await;
        shop.deliver().await;
        assert_eq!(signed_with(&[&first, &second]), [true, true]);
        let newest_first = receiver.got().pop().unwrap();
        let one = newest_first.headers["webhook-signature"].to_str().unwrap().split(' ').next().unwrap().to_owned();
        let mut alone = newest_first;
        alone.headers.insert("webhook-signature", one.parse().unwrap());
        assert!(alone.is_signed_with(&second), "the newest comes first");

        shop.clock.push(24 * HOUR + SECOND);
        shop.happened("B", &[EventType::OrderPaid]).await;
        shop.deliver().await;
        assert_eq!(signed_with(&[&first, &second]), [false, true]);
        assert_eq!(shop.read_endpoint(&id).await["previous_secret_valid_until"], Value::Null);

        let third = rotate().await;
        let (status, problem) = shop.post(&format!("/api/v1/webhook-endpoints/{id}/rotate"), None).await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("/problems/secret-rotated")));
        shop.happened("C", &[EventType::OrderPaid]).await;
        shop.deliver().await;
        assert_eq!(signed_with(&[&first, &second, &third]), [false, true, true], "two at a time, and the one in use is one of them");
    }

    async fn the_worker_delivers_without_anybodys_doing(db: TestDatabase) {
        let app = TestApp::start_with_worker(&db).await;
        let receiver = Receiver::start().await;
        let made = app.api(Method::POST, "/api/v1/webhook-endpoints", Some(json!({ "url": receiver.url }))).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        app.order("A").await;
        let imp_uid = app.pay("A", json!({}));
        app.complete(&format!("imp_uid={imp_uid}&merchant_uid=A")).await;

        receiver.until(1).await;

        assert_eq!(receiver.kinds(), ["order.paid"]);
    }
}
