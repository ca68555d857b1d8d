//! The world stops at every point where the app calls it, before the call and after it; another app on the same database then
//! puts everything right.
//!
//! A crash is the end of a whole runtime: every task of it is dropped where it stands, every handle of the database with it.
//! Points have the names of the calls: `orders.commit:before` is the world that ended before a commit was sent. What a process
//! can lose between two calls, it loses between two of these points:
//!
//! | what happened last | points |
//! | --- | --- |
//! | the webhook is in the inbox | `inbox.receive:after` |
//! | the webhook was answered with 200 | any later point of the webhook's work, which goes on after the answer |
//! | the worker took it | `inbox.lease_inbox:after`, `orders.lease_due:after` |
//! | before and after PortOne was asked | `gateway.attempts:before`, `gateway.attempts:after` |
//! | in the transaction, not committed | `orders.commit:before`; a connection cut within it is `tests/it/store.rs`' part |
//! | committed, not answered | `orders.commit:after` |
//! | a refund's intent is on disk | `refunds.intend:after` |
//! | before and after PortOne was called to give money back | `gateway.cancel:before`, `gateway.cancel:after` |
//! | what became of the refund is on disk, not answered | `refunds.move_refund:after` |
//! | a session was written | `access.put_session:after` |
//! | the start and the end of a drain | `tests/it/edge.rs` stops a server with all its hands full |
//!
//! What the file system loses below the database is the power cut's proof, not this one's.

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use tokio::runtime::Builder;
use wanryo::domain::history::EntryKind;
use wanryo::domain::order::{OrderStatus, Portone};
use wanryo::domain::refund::RefundState;
use wanryo::service::{inbox, reconciliation};

use crate::support::{TestDatabase, on_both_databases};
use crate::world::{Payment, Place, Point, World, get, points, redirect, sign_in, webhook};

/// How long a runtime gets to end. What still runs in it waits for nothing but its own end.
const END: Duration = Duration::from_secs(10);
/// Long enough for a new order to be due.
const LATER: Duration = Duration::from_secs(3 * 60);

/// What sets the app going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trigger {
    Redirect(Portone),
    Webhook(Portone),
    Inbox,
    Reconciler,
    Sync,
    Creation,
    CreationAfterWebhook,
    CloseUnpaid,
    ClosePaid,
    StatusLink,
    SignIn,
    Refund(Portone),
}

impl Trigger {
    fn portone(self) -> Portone {
        if let Self::Redirect(portone) | Self::Webhook(portone) | Self::Refund(portone) = self {
            portone
        } else {
            Portone::V1
        }
    }

    /// Whether the order is there before it happens.
    fn has_order(self) -> bool {
        !matches!(self, Self::Creation | Self::CreationAfterWebhook)
    }

    /// Whether the payment is there before it happens.
    fn has_payment(self) -> bool {
        self != Self::CloseUnpaid
    }

    /// How far the clock of the app that it happens to runs ahead.
    fn ahead(self) -> Duration {
        if matches!(self, Self::Inbox | Self::Reconciler) {
            LATER
        } else {
            Duration::ZERO
        }
    }

    async fn happen(
        self,
        place: &Place,
        world: &World,
        payment: &Payment,
        link: &str,
    ) -> Option<StatusCode> {
        let id = &payment.id;
        let request = match self {
            Self::Redirect(portone) => redirect(payment, portone),
            Self::Webhook(portone) => webhook(payment, portone, world.core.clock.now()),
            Self::Sync => place.shop("POST", &format!("/api/v1/orders/{id}/sync"), None),
            Self::Creation | Self::CreationAfterWebhook => place.new_order(id, Portone::V1),
            Self::CloseUnpaid | Self::ClosePaid => {
                place.shop("POST", &format!("/api/v1/orders/{id}/close"), None)
            }
            Self::StatusLink => get(link),
            Self::SignIn => sign_in(),
            Self::Refund(_) => place.refund(id),
            // One each time, so that each crash has one of its own.
            Self::Inbox => {
                inbox::work_off_due(&world.core, 1).await.unwrap();
                return None;
            }
            Self::Reconciler => {
                reconciliation::reconcile_due(&world.core, 1).await.unwrap();
                return None;
            }
        };
        Some(world.ask(request).await)
    }
}

/// What one app lived to see.
struct Life {
    answered: Option<StatusCode>,
    passed: Vec<&'static str>,
    crashed: bool,
}

/// One app in a thread and a runtime of its own, until the trigger's work is done or the world stops.
fn live(place: &Place, trigger: Trigger, one: &(Payment, String), stop_at: Option<Point>) -> Life {
    std::thread::scope(|scope| {
        scope
            .spawn(|| live_here(place, trigger, one, stop_at))
            .join()
            .unwrap()
    })
}

fn live_here(
    place: &Place,
    trigger: Trigger,
    (payment, link): &(Payment, String),
    stop_at: Option<Point>,
) -> Life {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let life = runtime.block_on(async {
        let world = place.open(trigger.ahead(), stop_at).await;
        let mut answered = None;
        let crashed = tokio::select! {
            () = async {
                answered = trigger.happen(place, &world, payment, link).await;
                world.settled().await;
            } => false,
            () = world.fuse.blown() => true,
        };
        Life {
            answered,
            passed: world.fuse.passed(),
            crashed,
        }
    });
    runtime.shutdown_timeout(END);
    life
}

/// Makes what is there before the trigger; the order's lasting link, where it has one.
async fn prepare(place: &Place, world: &World, trigger: Trigger, id: &str) -> (Payment, String) {
    let mut link = String::new();
    if trigger.has_order() {
        assert_eq!(
            world.ask(place.new_order(id, trigger.portone())).await,
            StatusCode::CREATED
        );
        let id = wanryo::domain::ids::PaymentId::parse(id).unwrap();
        let order = world
            .core
            .orders
            .find_order(&id)
            .await
            .unwrap()
            .unwrap()
            .order;
        link = format!("/o/{}", order.status_token.as_str());
    }
    let payment = if trigger.has_payment() {
        place.pay(id, trigger.portone()).await
    } else {
        Payment {
            id: id.to_owned(),
            transaction_id: String::new(),
        }
    };
    if matches!(trigger, Trigger::Refund(_)) {
        let path = format!("/api/v1/orders/{id}/sync");
        let known = world.ask(place.shop("POST", &path, None)).await;
        assert_eq!(known, StatusCode::OK);
    }
    if trigger == Trigger::CreationAfterWebhook {
        assert_eq!(
            world
                .ask(webhook(&payment, Portone::V1, world.core.clock.now()))
                .await,
            StatusCode::OK
        );
    }
    if trigger == Trigger::Inbox {
        // Received by a server that ended before it could ask anybody.
        let at = world.core.clock.now();
        let received = wanryo::ports::store::Received {
            at,
            portone: Portone::V1,
            webhook_id: None,
            payment_id: wanryo::domain::ids::PaymentId::parse(id).unwrap(),
            transaction_id: None,
            claimed_status: None,
        };
        world.core.inbox.receive(&received, at).await.unwrap();
    }
    (payment, link)
}

/// Another app finds what the crashed ones left.
async fn recover(
    place: &Place,
    trigger: Trigger,
    payments: &[(Payment, String)],
    acknowledged: &[String],
) {
    let inbox = place.inbox().await;
    for id in acknowledged {
        assert!(
            inbox.iter().any(|row| row.starts_with(&format!("{id} "))),
            "an acknowledged webhook is lost: {id}"
        );
    }
    let world = place.open(trigger.ahead(), None).await;
    if !trigger.has_order() {
        for (payment, _) in payments {
            let again = world.ask(place.new_order(&payment.id, Portone::V1)).await;
            assert!(
                [StatusCode::OK, StatusCode::CREATED].contains(&again),
                "{again}"
            );
            assert_eq!(world.noted(&payment.id, EntryKind::OrderCreated).await, 1);
        }
    }
    world.work_off_the_inbox().await;
    for row in place.inbox().await {
        let (id, state) = row.split_once(' ').unwrap();
        assert_eq!(state, "done", "{trigger:?}: the webhook of {id}");
        assert_eq!(
            world.status(id).await,
            Some(OrderStatus::Paid),
            "{trigger:?}: {id}, by its webhook alone"
        );
    }
    if trigger == Trigger::CloseUnpaid {
        for (payment, _) in payments {
            let path = format!("/api/v1/orders/{}/close", payment.id);
            assert_eq!(
                world.ask(place.shop("POST", &path, None)).await,
                StatusCode::OK
            );
        }
    }
    world.recover().await;
    for (payment, _) in payments {
        let name = format!("{trigger:?}: {}", payment.id);
        if trigger == Trigger::CloseUnpaid {
            assert_eq!(
                world.status(&payment.id).await,
                Some(OrderStatus::Closed),
                "{name}"
            );
            assert_eq!(
                world.noted(&payment.id, EntryKind::Closed).await,
                1,
                "{name}"
            );
        } else {
            world.assert_paid_once(payment, &name).await;
        }
    }
    world.close().await;
}

/// Another app finds the refunds that the crashed ones left. The intents of the `acknowledged` ones were on disk.
async fn recover_refunds(
    place: &Place,
    portone: Portone,
    payments: &[(Payment, String)],
    acknowledged: &[String],
) {
    let world = place.open(Duration::ZERO, None).await;
    world.recover().await;
    let mut ends = Vec::new();
    for (payment, _) in payments {
        let id = &payment.id;
        let end = world
            .assert_given_back_once_or_not(payment, portone, id)
            .await;
        assert!(
            end.is_some() || !acknowledged.contains(id),
            "a refund is lost: {id}"
        );
        ends.push(end);
    }
    for end in [None, Some(RefundState::Done), Some(RefundState::NotDone)] {
        assert!(ends.contains(&end), "no refund ended as {end:?}: {ends:?}");
    }
    // The shop that heard nothing asks again.
    for ((payment, _), end) in payments.iter().zip(ends) {
        let id = &payment.id;
        let again = world.ask(place.refund(id)).await;
        let same = if end.is_some() {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        };
        assert_eq!(again, same, "{id}");
        world.settled().await;
        let end_now = world
            .assert_given_back_once_or_not(payment, portone, id)
            .await;
        assert_eq!(end_now, end.or(Some(RefundState::Done)), "{id}");
    }
    let calls = place.refund_calls();
    assert!(
        calls <= payments.len(),
        "{calls} calls for {} refunds",
        payments.len()
    );
    world.close().await;
}

/// Stops the world at every point that the trigger passes, and looks what became of it. These calls must have been among them.
async fn survives(db: &TestDatabase, trigger: Trigger, calls: &[&str]) {
    let place = Place::new(db).await;
    // Which points there are: one life without an end.
    let world = place.open(Duration::ZERO, None).await;
    let whole = prepare(&place, &world, trigger, "WHOLE").await;
    world.close().await;
    let life = live(&place, trigger, &whole, None);
    assert!(!life.crashed, "{:?}", life.passed);
    let points = points(&life.passed);

    let world = place.open(Duration::ZERO, None).await;
    let mut payments = Vec::new();
    for number in 0..points.len() {
        payments.push(prepare(&place, &world, trigger, &format!("AT-{number}")).await);
    }
    world.close().await;
    let mut acknowledged = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (point, one) in points.into_iter().zip(&payments) {
        let life = live(&place, trigger, one, Some(point));
        if life.crashed {
            seen.insert(point.name);
        }
        let is_webhook = matches!(trigger, Trigger::Webhook(_));
        if is_webhook
            && (life.answered == Some(StatusCode::OK)
                || life.passed.contains(&"inbox.receive:after"))
        {
            acknowledged.push(one.0.id.clone());
        }
        if life.passed.contains(&"refunds.intend:after") {
            acknowledged.push(one.0.id.clone());
        }
    }
    payments.push(whole);
    if let Trigger::Refund(portone) = trigger {
        recover_refunds(&place, portone, &payments, &acknowledged).await;
    } else {
        recover(&place, trigger, &payments, &acknowledged).await;
    }
    for call in calls {
        for side in ["before", "after"] {
            assert!(
                seen.contains(format!("{call}:{side}").as_str()),
                "no world ended at {call}:{side}: {seen:?}"
            );
        }
    }
}

on_both_databases! {
    async fn a_redirect_of_v1(db: TestDatabase) {
        survives(&db, Trigger::Redirect(Portone::V1), &["orders.find_order", "orders.append_history", "orders.find_owner", "gateway.attempts", "orders.commit"]).await;
    }

    async fn a_redirect_of_v2(db: TestDatabase) {
        survives(&db, Trigger::Redirect(Portone::V2), &["orders.find_order", "orders.append_history", "orders.find_owner", "gateway.attempts", "orders.commit"]).await;
    }

    async fn a_webhook_of_v1(db: TestDatabase) {
        survives(&db, Trigger::Webhook(Portone::V1), &["inbox.receive", "gateway.attempts", "orders.commit", "orders.append_history", "inbox.settle"]).await;
    }

    async fn a_webhook_of_v2(db: TestDatabase) {
        survives(&db, Trigger::Webhook(Portone::V2), &["inbox.receive", "gateway.attempts", "orders.commit", "orders.append_history", "inbox.settle"]).await;
    }

    async fn the_worker_at_its_inbox(db: TestDatabase) {
        survives(&db, Trigger::Inbox, &["inbox.lease_inbox", "gateway.attempts", "orders.commit", "inbox.settle"]).await;
    }

    async fn the_reconciler(db: TestDatabase) {
        survives(&db, Trigger::Reconciler, &["orders.lease_due", "gateway.attempts", "orders.commit"]).await;
    }

    async fn a_shop_that_asks(db: TestDatabase) {
        survives(&db, Trigger::Sync, &["access.find_api_key", "gateway.attempts", "orders.commit"]).await;
    }

    async fn the_making_of_an_order(db: TestDatabase) {
        survives(&db, Trigger::Creation, &["orders.create_order", "gateway.prepare", "orders.mark_prepared", "inbox.wake_inbox"]).await;
    }

    async fn the_making_of_an_order_that_its_webhook_waits_for(db: TestDatabase) {
        survives(&db, Trigger::CreationAfterWebhook, &["orders.create_order", "gateway.prepare", "orders.mark_prepared", "inbox.wake_inbox"]).await;
    }

    async fn the_closing_of_an_order(db: TestDatabase) {
        survives(&db, Trigger::CloseUnpaid, &["gateway.attempts", "orders.commit"]).await;
    }

    async fn the_closing_of_an_order_that_was_paid(db: TestDatabase) {
        survives(&db, Trigger::ClosePaid, &["gateway.attempts", "orders.commit"]).await;
    }

    async fn the_lasting_link(db: TestDatabase) {
        survives(&db, Trigger::StatusLink, &["orders.find_order_by_token", "gateway.attempts", "orders.commit"]).await;
    }

    async fn a_refund_of_v1(db: TestDatabase) {
        survives(&db, Trigger::Refund(Portone::V1), &["refunds.find_refund_by_key", "gateway.balance", "refunds.intend", "refunds.move_refund", "gateway.cancel", "orders.commit", "refunds.find_refund"]).await;
    }

    async fn a_refund_of_v2(db: TestDatabase) {
        survives(&db, Trigger::Refund(Portone::V2), &["refunds.find_refund_by_key", "gateway.balance", "refunds.intend", "refunds.move_refund", "gateway.cancel", "orders.commit", "refunds.find_refund"]).await;
    }

    async fn a_sign_in(db: TestDatabase) {
        survives(&db, Trigger::SignIn, &["access.find_user", "access.put_session"]).await;
    }
}
