//! Work that takes whatever is due: each crash is put right before the next comes, so that it is known what each of them left.

use wanryo::domain::delivery::DeliveryStatus;
use wanryo::domain::history::Actor;
use wanryo::domain::ids::PaymentId;
use wanryo::ports::deliveries::DeliveryFilter;
use wanryo::service::endpoints;

use super::*;
use crate::events::receiver::{Got, Receiver};

/// Longer than somebody who sends an event holds it.
const LEASE_IS_OVER: Duration = Duration::from_secs(70);
/// Longer than any event waits that was sent in vain once.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Which points there are: one life without an end.
fn whole(place: &Place, trigger: Trigger, one: &(Payment, String)) -> Vec<Point> {
    let life = live(place, trigger, one, None);
    assert!(!life.crashed, "{:?}", life.passed);
    points(&life.passed)
}

/// A paid order, of which the shop is to be told.
async fn prepare_event(place: &Place, id: &str) -> (Payment, String) {
    let world = place.open(Duration::ZERO, None).await;
    let one = prepare(place, &world, Trigger::Delivery, id).await;
    world.close().await;
    one
}

/// What the shop's server got of an order.
fn got_of(receiver: &Receiver, id: &str) -> Vec<Got> {
    let mut got = receiver.got();
    got.retain(|got| got.payment_id() == id);
    got
}

/// The event came as often as it was sent, and comes once more when nobody knows that it came: by the same id, and no later.
async fn put_delivery_right(place: &Place, receiver: &Receiver, payment: &Payment, life: &Life) {
    let id = &payment.id;
    let has_passed = |point: &str| life.passed.contains(&point);
    let (is_sent, is_marked) = (
        has_passed("webhooks.send:after"),
        has_passed("deliveries.settle_delivery:after"),
    );
    let name = format!("{id}, {:?}", life.passed.last());
    assert_eq!(got_of(receiver, id).len(), usize::from(is_sent), "{name}");
    let world = place.open(Duration::ZERO, None).await;
    world.deliver().await;
    if has_passed("deliveries.lease_deliveries:after") {
        let got = got_of(receiver, id).len();
        assert_eq!(got, usize::from(is_sent), "{name}: it is held until then");
    }
    world.clock.push(LEASE_IS_OVER);
    world.deliver().await;

    let got = got_of(receiver, id);
    let times = if is_sent && !is_marked { 2 } else { 1 };
    assert_eq!(got.len(), times, "{name}");
    for one in &got {
        assert_eq!(
            (&one.id, &one.body, one.kind().as_str()),
            (&got[0].id, &got[0].body, "order.paid"),
            "{name}"
        );
    }
    world.clock.push(DAY);
    world.deliver().await;
    assert_eq!(got_of(receiver, id).len(), times, "{name}: it is over");
    let filter = DeliveryFilter {
        payment_id: Some(PaymentId::parse(id).unwrap()),
        limit: 10,
        ..DeliveryFilter::default()
    };
    let deliveries = world
        .core
        .deliveries
        .list_deliveries(&filter)
        .await
        .unwrap();
    let [delivery] = deliveries.as_slice() else {
        panic!("{name}: {deliveries:?}");
    };
    assert_eq!(
        (delivery.status, &delivery.event_id),
        (DeliveryStatus::Delivered, &got[0].id),
        "{name}"
    );
    world.close().await;
}

/// An order that was paid without a word, and a payment that no order is for, at a PortOne that lists nothing else. The next
/// sweep is the server's first.
async fn prepare_sweep(place: &Place, number: u64) -> (Payment, Payment) {
    place.sandbox.reset(Some(number));
    place
        .database
        .run("DELETE FROM sweep; DELETE FROM findings")
        .await;
    let world = place.open(Duration::ZERO, None).await;
    let id = format!("AT-{number}");
    let (lost, _) = prepare(place, &world, Trigger::Sweep, &id).await;
    world.close().await;
    let orphan = place.pay(&format!("{id}-ORPHAN"), Portone::V2).await;
    (lost, orphan)
}

/// The sweep that was cut short, or the one after it, and the one after that: each finds the same, once.
async fn put_sweep_right(place: &Place, (lost, orphan): (&Payment, &Payment), life: &Life) {
    let name = format!("{}, {:?}", lost.id, life.passed.last());
    let world = place.open(Duration::ZERO, None).await;
    for _ in 0..2 {
        world.sweep().await;
        world.assert_paid_once(lost, &name).await;
        assert_eq!(
            place.findings().await,
            [format!("orphan {}", orphan.transaction_id)],
            "{name}"
        );
        let sweep = world.core.sweep.find_sweep().await.unwrap().unwrap();
        let finished = sweep.finished.unwrap();
        assert_eq!((finished.seen, finished.left_out), (2, false), "{name}");
    }
    world.close().await;
}

on_both_databases! {
    async fn the_worker_at_an_event_for_the_shop(db: TestDatabase) {
        let place = Place::new(&db).await;
        let receiver = Receiver::start().await;
        let world = place.open(Duration::ZERO, None).await;
        endpoints::make(&world.core, &receiver.url, None, &Actor::Command).await.unwrap();
        world.close().await;
        let one = prepare_event(&place, "WHOLE").await;

        let mut seen = BTreeSet::new();
        for (number, point) in whole(&place, Trigger::Delivery, &one).into_iter().enumerate() {
            let one = prepare_event(&place, &format!("AT-{number}")).await;
            let life = live(&place, Trigger::Delivery, &one, Some(point));
            assert!(life.crashed, "{point:?}: {:?}", life.passed);
            seen.insert(point.name);
            put_delivery_right(&place, &receiver, &one.0, &life).await;
        }

        let mut ids: Vec<String> = receiver.got().into_iter().map(|got| got.id).collect();
        ids.sort();
        ids.dedup();
        let orders = receiver.got().iter().map(Got::payment_id).collect::<BTreeSet<_>>();
        assert_eq!(ids.len(), orders.len(), "an event has an id of its own");
        assert_were_all(&seen, &["deliveries.endpoints_with_work", "deliveries.find_endpoint", "deliveries.lease_deliveries", "webhooks.send", "deliveries.settle_delivery"]);
    }

    async fn the_daily_sweep(db: TestDatabase) {
        let place = Place::new(&db).await;
        let (lost, _) = prepare_sweep(&place, 0).await;

        let mut seen = BTreeSet::new();
        for (number, point) in (1..).zip(whole(&place, Trigger::Sweep, &(lost, String::new()))) {
            let (lost, orphan) = prepare_sweep(&place, number).await;
            let life = live(&place, Trigger::Sweep, &(lost.clone(), String::new()), Some(point));
            assert!(life.crashed, "{point:?}: {:?}", life.passed);
            seen.insert(point.name);
            put_sweep_right(&place, (&lost, &orphan), &life).await;
        }

        assert_were_all(&seen, &["sweep.find_sweep", "sweep.plan_sweep", "sweep.lease_sweep", "sweep.first_order_at", "gateway.list", "orders.find_order", "gateway.attempts", "orders.commit", "attention.report", "attention.withdraw_unseen", "sweep.save_sweep"]);
    }
}
