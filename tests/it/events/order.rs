//! In order per order, once per server, and past every crash.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::json;
use wanryo::domain::event::EventType;
use wanryo::service::deliveries;

use super::receiver::{Got, Receiver};
use super::{HOUR, MINUTE, SECOND, Shop};
use crate::support::{TestDatabase, on_both_databases, with_postgres};

/// What happens to an order that lives long, in this order.
const LIFE: [EventType; 4] = [
    EventType::OrderPaymentFailed,
    EventType::OrderPaid,
    EventType::OrderPartiallyRefunded,
    EventType::OrderRefunded,
];

/// A number that looks drawn and is the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// Of each order, the events in the order in which each was taken first.
fn first_takings(got: &[Got]) -> BTreeMap<String, Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut orders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in got {
        if seen.insert(one.id.clone()) {
            orders.entry(one.payment_id()).or_default().push(one.kind());
        }
    }
    orders
}

on_both_databases! {
    async fn a_later_event_waits_for_the_earlier_one_of_its_order_alone(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::answering(|got| match (got.payment_id().as_str(), got.kind().as_str()) {
            ("A", "order.paid") => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            _ => StatusCode::OK.into_response(),
        })
        .await;
        let other = Receiver::start().await;
        shop.endpoint(&receiver).await;
        shop.endpoint(&other).await;
        shop.happened("A", &[EventType::OrderPaid, EventType::OrderRefunded]).await;
        shop.happened("B", &[EventType::OrderPaid, EventType::OrderRefunded]).await;
        shop.deliver().await;
        // What comes while the earlier one waits, waits behind it.
        shop.happens("A", EventType::OrderExpired).await;
        shop.pass(MINUTE, 10).await;

        let took = |receiver: &Receiver, id: &str| {
            let got = receiver.got().into_iter().filter(|got| got.payment_id() == id);
            got.map(|got| got.kind()).collect::<Vec<_>>()
        };
        assert!(took(&receiver, "A").iter().all(|kind| kind == "order.paid"));
        assert_eq!(took(&receiver, "B"), ["order.paid", "order.refunded"]);
        assert_eq!(took(&other, "A"), ["order.paid", "order.refunded", "order.expired"], "another endpoint is not kept waiting");

        receiver.answer_with(StatusCode::OK);
        shop.pass(10 * MINUTE, 2).await;
        let mut kinds = took(&receiver, "A");
        kinds.dedup();
        assert_eq!(kinds, ["order.paid", "order.refunded", "order.expired"], "as soon as it was taken");
    }

    async fn a_receiver_that_fails_at_random_for_an_hour_gets_every_event_in_order(db: TestDatabase) {
        const ORDERS: usize = 12;
        let shop = Shop::open(&db).await;
        let mut dice = Dice(42);
        let receiver = Receiver::answering(move |_| match dice.roll() % 6 {
            0 | 1 => StatusCode::OK.into_response(),
            2 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            3 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3")]).into_response(),
            4 => (StatusCode::FOUND, [("location", "/elsewhere")]).into_response(),
            _ => StatusCode::BAD_GATEWAY.into_response(),
        })
        .await;
        let (id, secret) = shop.endpoint(&receiver).await;
        for (at, kind) in LIFE.into_iter().enumerate() {
            for order in 0..ORDERS {
                let order = format!("ORD-{order}");
                if at == 0 {
                    shop.app.order(&order).await;
                }
                shop.happens(&order, kind).await;
            }
            shop.pass(15 * SECOND, 60).await;
        }
        receiver.answer_with(StatusCode::OK);
        shop.pass(HOUR, 30).await;

        let got = receiver.got();
        let expected: Vec<&str> = LIFE.iter().map(|kind| kind.as_str()).collect();
        let orders = first_takings(&got);
        assert_eq!(orders.len(), ORDERS);
        for (order, kinds) in orders {
            assert_eq!(kinds, expected, "{order}");
        }
        assert!(got.len() > 2 * ORDERS * LIFE.len(), "it failed often: {}", got.len());
        assert!(got.iter().all(|got| got.is_signed_with(&secret)));
        // The same event has the same id and the same bytes in every attempt.
        let mut bodies = BTreeMap::new();
        for one in &got {
            let first = bodies.entry(&one.id).or_insert(&one.body);
            assert_eq!(*first, &one.body);
        }
        assert_eq!(shop.read("/api/v1/deliveries?status=pending").await["deliveries"], json!([]));
        assert_eq!(shop.read_endpoint(&id).await["status"], "enabled");
    }

    async fn a_crash_between_sending_and_writing_it_down_sends_it_again_under_the_same_id(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        shop.endpoint(&receiver).await;
        shop.happened("A", &[EventType::OrderPaid, EventType::OrderRefunded]).await;
        // What the delivery came to cannot be written, as if the program had ended right before.
        db.run("ALTER TABLE delivery_attempts RENAME TO away").await;
        shop.deliver().await;
        assert_eq!(receiver.kinds(), ["order.paid"]);
        db.run("ALTER TABLE away RENAME TO delivery_attempts").await;

        shop.pass(10 * SECOND, 5).await;
        assert_eq!(receiver.kinds(), ["order.paid"], "it is held for a minute");
        shop.pass(15 * SECOND, 1).await;

        assert_eq!(receiver.kinds(), ["order.paid", "order.paid", "order.refunded"]);
        let got = receiver.got();
        assert_eq!(got[0].id, got[1].id);
        assert_eq!(got[0].body, got[1].body);
        assert!(got[0].timestamp() < got[1].timestamp(), "each attempt has its own time");
    }

    async fn who_held_a_delivery_too_long_has_no_say_any_more(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let slow = Receiver::start().await;
        shop.endpoint(&slow).await;
        shop.happened("A", &[EventType::OrderPaid]).await;
        let gate = slow.hold().await;
        let first = tokio::spawn({
            let core = std::sync::Arc::clone(shop.core());
            async move { deliveries::deliver_due(&core).await }
        });
        slow.until(1).await;
        shop.clock.push(61 * SECOND);
        let second = tokio::spawn({
            let core = std::sync::Arc::clone(shop.core());
            async move { deliveries::deliver_due(&core).await }
        });
        slow.until(2).await;
        drop(gate);
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();

        let delivery = shop.deliveries().await.remove(0);
        assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("delivered"), &json!(1)));
        assert_eq!(slow.count(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_send_every_event_once_and_in_order() {
    with_postgres(|db| async move {
        const ORDERS: usize = 30;
        let shop = Shop::open(&db).await;
        let other = shop.another(&db).await;
        let receiver = Receiver::start().await;
        shop.endpoint(&receiver).await;
        for order in 0..ORDERS {
            shop.happened(&format!("ORD-{order}"), &LIFE).await;
        }
        let drain = async |core: &std::sync::Arc<wanryo::service::Core>| {
            let mut sent = 0;
            loop {
                match deliveries::deliver_due(core).await.unwrap() {
                    0 => return sent,
                    some => sent += some,
                }
            }
        };

        let (here, there) = tokio::join!(drain(shop.core()), drain(&other.running.core));
        shop.deliver().await;

        assert!(here > 0 && there > 0, "both work: {here} and {there}");
        assert_eq!(receiver.count(), ORDERS * LIFE.len(), "each once");
        let expected: Vec<&str> = LIFE.iter().map(|kind| kind.as_str()).collect();
        for (order, kinds) in first_takings(&receiver.got()) {
            assert_eq!(kinds, expected, "{order}");
        }
    })
    .await;
}
