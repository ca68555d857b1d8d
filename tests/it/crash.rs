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
//! | the worker took a refund in doubt, and PortOne was asked what became of it | `refunds.lease_refunds:after`, `gateway.balance:after` |
//! | a person's word was written, and the refund not woken | `attention.settle:after`, `refunds.wake_refunds:before` |
//! | a note was written | `notes.add_note:after` |
//! | the worker took an event for the shop | `deliveries.lease_deliveries:after` |
//! | the event was sent, and is not marked as sent | `webhooks.send:after`, `deliveries.settle_delivery:before` |
//! | a page of PortOne's list was read, and the sweep's place is not written | `gateway.list:after`, `sweep.save_sweep:before` |
//! | what the sweep found is on disk | `attention.report:after` |
//! | a session was written | `access.put_session:after` |
//! | the start and the end of a drain | `tests/it/edge.rs` stops a server with all its hands full |
//!
//! What the file system loses below the database is the power cut's proof, not this one's.

mod alone;

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::runtime::Builder;
use wanryo::domain::attention::AttentionKind;
use wanryo::domain::history::EntryKind;
use wanryo::domain::order::{OrderStatus, Portone};
use wanryo::domain::refund::{RefundState, SETTLED};
use wanryo::service::{inbox, reconciliation, refunds};

use crate::support::{TestDatabase, on_both_databases};
use crate::world::{Payment, Place, Point, WORD, World, get, points, redirect, sign_in, webhook};

/// How long a runtime gets to end. What still runs in it waits for nothing but its own end.
const END: Duration = Duration::from_secs(10);
/// Long enough for a new order to be due.
const LATER: Duration = Duration::from_secs(3 * 60);
/// Long enough for a refund in doubt to be given up, if PortOne shows nothing of it.
const LONG_AFTER: Duration = Duration::from_secs(2 * 60 * 60);
/// What the merchant gives back in PortOne's console: so much in a refund's place that it may be the refund, and may not.
const IN_ITS_PLACE: i64 = 19_000;

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
    OfficeRefund(Portone),
    RefundWorker(Portone, Lost),
    Settle,
    Note,
    Delivery,
    Sweep,
}

/// How the end of a refund was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// PortOne has given the money back, and its answer did not arrive.
    Answer,
    /// PortOne broke down before it did anything.
    Call,
    /// PortOne has given the money back, and the app that had called it ended.
    Caller,
}

impl Lost {
    /// How the refund has to end.
    fn end(self) -> RefundState {
        match self {
            Self::Answer | Self::Caller => RefundState::Done,
            Self::Call => RefundState::NotDone,
        }
    }
}

impl Trigger {
    fn portone(self) -> Portone {
        if let Self::Redirect(portone)
        | Self::Webhook(portone)
        | Self::Refund(portone)
        | Self::OfficeRefund(portone)
        | Self::RefundWorker(portone, _) = self
        {
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

    /// Whether the payment is known before it happens.
    fn is_known(self) -> bool {
        matches!(
            self,
            Self::Refund(_)
                | Self::OfficeRefund(_)
                | Self::RefundWorker(..)
                | Self::Settle
                | Self::Delivery
        )
    }

    /// Whether a person who is signed in does it.
    fn is_a_persons(self) -> bool {
        matches!(self, Self::OfficeRefund(_) | Self::Settle | Self::Note)
    }

    /// How far the clock of the app that it happens to runs ahead.
    fn ahead(self) -> Duration {
        match self {
            Self::Inbox | Self::Reconciler => LATER,
            Self::RefundWorker(..) | Self::Settle => LONG_AFTER,
            _ => Duration::ZERO,
        }
    }

    /// The point behind which it must not be lost any more.
    fn is_on_disk_at(self) -> Option<&'static str> {
        match self {
            Self::Webhook(_) => Some("inbox.receive:after"),
            Self::Refund(_) | Self::OfficeRefund(_) => Some("refunds.intend:after"),
            Self::Settle => Some("attention.settle:after"),
            Self::Note => Some("notes.add_note:after"),
            _ => None,
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
            Self::OfficeRefund(_) => place.office_refund(payment),
            Self::Settle => place.settle(AttentionKind::RefundInDoubt, payment),
            Self::Note => place.note(id),
            // One each time, so that each crash has one of its own.
            Self::Inbox => {
                inbox::work_off_due(&world.core, 1).await.unwrap();
                return None;
            }
            Self::Reconciler => {
                reconciliation::reconcile_due(&world.core, 1).await.unwrap();
                return None;
            }
            Self::RefundWorker(..) => {
                refunds::work_off_due(&world.core, 1).await.unwrap();
                return None;
            }
            Self::Delivery => {
                world.deliver().await;
                return None;
            }
            Self::Sweep => {
                world.sweep().await;
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
    if trigger.is_known() {
        let path = format!("/api/v1/orders/{id}/sync");
        let known = world.ask(place.shop("POST", &path, None)).await;
        assert_eq!(known, StatusCode::OK);
    }
    match trigger {
        Trigger::RefundWorker(_, lost) => lose(place, world, trigger, &payment, lost).await,
        Trigger::Settle => {
            lose(place, world, trigger, &payment, Lost::Call).await;
            place.cancel_in_console(&payment, IN_ITS_PLACE).await;
        }
        _ => {}
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

/// Asks for a refund whose end nobody gets to know.
async fn lose(place: &Place, world: &World, trigger: Trigger, payment: &Payment, lost: Lost) {
    let portone = trigger.portone();
    let kind = match lost {
        Lost::Answer => "truncated",
        Lost::Call => "status",
        Lost::Caller => {
            let called = Point {
                name: "gateway.cancel:after",
                time: 0,
            };
            let one = (payment.clone(), String::new());
            let life = live(place, Trigger::Refund(portone), &one, Some(called));
            assert!(life.crashed, "{:?}", life.passed);
            return;
        }
    };
    let call = match portone {
        Portone::V1 => "cancel",
        Portone::V2 => "v2_cancel",
    };
    let fault = json!({ "call": call, "kind": kind, "times": 1 });
    place.sandbox.fault(fault).unwrap();
    let asked = world.ask(place.refund(&payment.id)).await;
    assert_eq!(asked, StatusCode::CREATED);
}

/// Another app finds what the crashed ones left.
async fn recover(
    place: &Place,
    trigger: Trigger,
    payments: &[(Payment, String)],
    acknowledged: &[String],
) {
    if trigger == Trigger::Note {
        recover_notes(place, payments, acknowledged).await;
    } else {
        let inbox = place.inbox().await;
        for id in acknowledged {
            assert!(
                inbox.iter().any(|row| row.starts_with(&format!("{id} "))),
                "an acknowledged webhook is lost: {id}"
            );
        }
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

/// Another app finds the notes that the crashed ones left, and whoever heard nothing sends the form again.
async fn recover_notes(place: &Place, payments: &[(Payment, String)], acknowledged: &[String]) {
    let world = place.open(Duration::ZERO, None).await;
    for (Payment { id, .. }, _) in payments {
        let before = world.notes(id).await;
        if acknowledged.contains(id) {
            assert_eq!(before, [WORD], "a note is lost: {id}");
        }
        let led = world.leads(place.note(id)).await;
        assert!(led.ends_with("?done=noted"), "{id}: {led}");
        assert_eq!(world.notes(id).await, [WORD], "{id}, after {before:?}");
    }
    world.close().await;
}

/// Another app finds what became of the words that a person gave, of refunds that nothing else ends.
async fn recover_words(place: &Place, payments: &[(Payment, String)], acknowledged: &[String]) {
    let world = place.open(Trigger::Settle.ahead(), None).await;
    world.recover().await;
    place.let_in(&world).await;
    for (payment, _) in payments {
        let id = &payment.id;
        let is_settled = assert_ended_by_a_word_or_not(&world, payment).await;
        assert!(
            is_settled || !acknowledged.contains(id),
            "a word is lost: {id}"
        );
        // Whoever heard nothing says it again.
        let led = world
            .leads(place.settle(AttentionKind::RefundInDoubt, payment))
            .await;
        assert_eq!(led, "/attention?done=settled", "{id}, after {is_settled}");
    }
    world.recover().await;
    for (payment, _) in payments {
        assert!(
            assert_ended_by_a_word_or_not(&world, payment).await,
            "{}",
            payment.id
        );
    }
    let mut targets = place.acts("settled").await;
    targets.sort();
    let mut settled: Vec<_> = payments
        .iter()
        .map(|(payment, _)| payment.transaction_id.clone())
        .collect();
    settled.sort();
    assert_eq!(targets, settled, "each stands once in the log");
    world.close().await;
}

/// The refund is in doubt, or ended by a person's word, once. Whether it ended.
async fn assert_ended_by_a_word_or_not(world: &World, payment: &Payment) -> bool {
    let id = &payment.id;
    let words = world.words(id).await;
    let refunds = world.refunds(id).await;
    let [refund] = refunds.as_slice() else {
        panic!("{id}: {refunds:?}");
    };
    let code = refund.trouble.as_ref().map(|trouble| trouble.code.as_str());
    let is_settled = !words.is_empty();
    if is_settled {
        assert_eq!(words, [WORD], "{id}");
        assert_eq!(
            (refund.state, code),
            (RefundState::NotDone, Some(SETTLED)),
            "{id}"
        );
    } else {
        assert_eq!(refund.state, RefundState::InDoubt, "{id}: {refund:?}");
    }
    for (kind, times) in [
        (EntryKind::RefundInDoubt, 1),
        (EntryKind::RefundNotDone, usize::from(is_settled)),
    ] {
        assert_eq!(world.noted(id, kind).await, times, "{id}: {kind:?}");
    }
    is_settled
}

/// Another app finds the refunds of which the crashed ones were to learn the end.
async fn recover_doubts(
    place: &Place,
    trigger: Trigger,
    lost: Lost,
    payments: &[(Payment, String)],
) {
    let portone = trigger.portone();
    let world = place.open(trigger.ahead(), None).await;
    world.recover().await;
    for (payment, _) in payments {
        let id = &payment.id;
        // Before and after the shop asks again, which is told the same.
        for _ in 0..2 {
            let end = world
                .assert_given_back_once_or_not(payment, portone, id)
                .await;
            assert_eq!(end, Some(lost.end()), "{id}");
            let is_given_up = usize::from(lost.end() == RefundState::NotDone);
            for (kind, times) in [
                (EntryKind::RefundInDoubt, 1),
                (EntryKind::RefundNotDone, is_given_up),
            ] {
                assert_eq!(world.noted(id, kind).await, times, "{id}: {kind:?}");
            }
            let again = world.ask(place.refund(id)).await;
            assert_eq!(again, StatusCode::OK, "{id}");
            world.settled().await;
        }
    }
    assert_eq!(place.refund_calls(), payments.len(), "one call each");
    world.close().await;
}

/// Whoever heard nothing asks for the refund again, and is told how it ended, or has it made.
async fn ask_again(
    place: &Place,
    world: &World,
    trigger: Trigger,
    payment: &Payment,
    end: Option<RefundState>,
) {
    let id = &payment.id;
    if matches!(trigger, Trigger::OfficeRefund(_)) {
        let led = world.leads(place.office_refund(payment)).await;
        let result = if end == Some(RefundState::NotDone) {
            "?error=refund_refused"
        } else {
            "?done=refunded"
        };
        assert!(led.ends_with(result), "{id}, {end:?}: {led}");
    } else {
        let again = world.ask(place.refund(id)).await;
        let same = if end.is_some() {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        };
        assert_eq!(again, same, "{id}");
    }
}

/// Another app finds the refunds that the crashed ones left. The intents of the `acknowledged` ones were on disk.
async fn recover_refunds(
    place: &Place,
    trigger: Trigger,
    payments: &[(Payment, String)],
    acknowledged: &[String],
) {
    let portone = trigger.portone();
    let world = place.open(Duration::ZERO, None).await;
    world.recover().await;
    if trigger.is_a_persons() {
        place.let_in(&world).await;
    }
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
    for ((payment, _), end) in payments.iter().zip(ends) {
        let id = &payment.id;
        ask_again(place, &world, trigger, payment, end).await;
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
    if trigger.is_a_persons() {
        let world = place.open(trigger.ahead(), None).await;
        place.let_in(&world).await;
        world.close().await;
    }
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
        let is_answered_for_good =
            matches!(trigger, Trigger::Webhook(_)) && life.answered == Some(StatusCode::OK);
        let is_on_disk = trigger
            .is_on_disk_at()
            .is_some_and(|point| life.passed.contains(&point));
        if is_answered_for_good || is_on_disk {
            acknowledged.push(one.0.id.clone());
        }
    }
    payments.push(whole);
    match trigger {
        Trigger::Refund(_) | Trigger::OfficeRefund(_) => {
            recover_refunds(&place, trigger, &payments, &acknowledged).await;
        }
        Trigger::RefundWorker(_, lost) => {
            recover_doubts(&place, trigger, lost, &payments).await;
        }
        Trigger::Settle => recover_words(&place, &payments, &acknowledged).await,
        _ => recover(&place, trigger, &payments, &acknowledged).await,
    }
    assert_were_all(&seen, calls);
}

/// The world has ended before and after each of these calls.
fn assert_were_all(seen: &BTreeSet<&str>, calls: &[&str]) {
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

    async fn a_refund_of_v1_by_a_person(db: TestDatabase) {
        survives(&db, Trigger::OfficeRefund(Portone::V1), &["access.find_session", "refunds.find_refund_by_key", "gateway.balance", "refunds.intend", "refunds.move_refund", "gateway.cancel", "orders.commit", "refunds.find_refund"]).await;
    }

    async fn a_refund_of_v2_by_a_person(db: TestDatabase) {
        survives(&db, Trigger::OfficeRefund(Portone::V2), &["access.find_session", "refunds.find_refund_by_key", "gateway.balance", "refunds.intend", "refunds.move_refund", "gateway.cancel", "orders.commit", "refunds.find_refund"]).await;
    }

    async fn the_worker_at_a_refund_of_v1_whose_answer_was_lost(db: TestDatabase) {
        survives(&db, Trigger::RefundWorker(Portone::V1, Lost::Answer), &["refunds.lease_refunds", "gateway.balance", "gateway.attempts", "orders.commit", "attention.find_word", "refunds.move_refund"]).await;
    }

    async fn the_worker_at_a_refund_of_v2_whose_answer_was_lost(db: TestDatabase) {
        survives(&db, Trigger::RefundWorker(Portone::V2, Lost::Answer), &["refunds.lease_refunds", "gateway.balance", "gateway.attempts", "orders.commit", "attention.find_word", "refunds.move_refund"]).await;
    }

    async fn the_worker_at_a_refund_of_v1_that_portone_never_saw(db: TestDatabase) {
        survives(&db, Trigger::RefundWorker(Portone::V1, Lost::Call), &["refunds.lease_refunds", "gateway.balance", "gateway.attempts", "attention.find_word", "refunds.move_refund"]).await;
    }

    async fn the_worker_at_a_refund_of_v2_that_portone_never_saw(db: TestDatabase) {
        survives(&db, Trigger::RefundWorker(Portone::V2, Lost::Call), &["refunds.lease_refunds", "gateway.balance", "gateway.attempts", "attention.find_word", "refunds.move_refund"]).await;
    }

    async fn the_worker_at_a_refund_whose_caller_crashed(db: TestDatabase) {
        survives(&db, Trigger::RefundWorker(Portone::V1, Lost::Caller), &["refunds.lease_refunds", "refunds.move_refund"]).await;
    }

    async fn a_persons_word_about_a_refund_in_doubt(db: TestDatabase) {
        survives(&db, Trigger::Settle, &["access.find_session", "attention.settle", "orders.find_owner", "refunds.wake_refunds"]).await;
    }

    async fn a_persons_note(db: TestDatabase) {
        survives(&db, Trigger::Note, &["access.find_session", "notes.add_note"]).await;
    }

    async fn a_sign_in(db: TestDatabase) {
        survives(&db, Trigger::SignIn, &["access.find_user", "access.put_session"]).await;
    }
}
