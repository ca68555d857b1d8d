//! Who watches: what must be true of every change, of every page, of every call to PortOne, and of the world once it has come
//! to rest. Written from the promises and not from the code that keeps them: what PortOne has told is known from its side of
//! the wire, and how an order stands is worked out here once more.
//!
//! The numbers in front of the rules (I for what always holds, L for what comes to pass in time) are the proofs' own; the model
//! uses the same ones. `ARCHITECTURE.md` says in ten sentences of its own what must stay true.

mod refunds;
mod sweeps;

use std::collections::BTreeMap;

use jiff::Timestamp;
use wanryo::domain::event::{Event, EventType};
use wanryo::domain::history::{Actor, EntryKind};
use wanryo::domain::ids::{PaymentId, RefundId, TransactionId};
use wanryo::domain::order::{Order, OrderStatus, Portone};
use wanryo::domain::outcome::Outcome;
use wanryo::domain::transaction::{Transaction, TransactionStatus, Verdict};
use wanryo::ports::gateway::Attempts;
use wanryo::ports::store::{Commit, Committed, InboxResult, Snapshot};
use wanryo::service::completion::CompletionView;

pub use self::refunds::ACCOUNT;
use self::refunds::Called;
use self::sweeps::Swept;
use super::coverage::Deed;
use super::portone::{Attempt, Flaw, PRICE, Phase, RECEIPT};
use super::tables::{Constraint, InboxState};
use super::world::{INSTANCES, World};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
/// How long a page may take: the budget of the page and a little to notice that it is used up.
const PAGE_MICROS_MAX: i64 = 3 * SECOND;
/// Calls to PortOne in one minute of a server's clock for transactions of one order that no order has seen: twenty that
/// strangers bring, and as many that signed messages speak of.
const UNSEEN_CALLS_PER_MINUTE_MAX: u32 = 40;
/// What a worker takes it holds at least as long as PortOne may take to answer.
const LEASE_MICROS_MIN: i64 = 30 * SECOND;
/// How long a webhook must wait for its order before it may be given up, less what clocks may be off.
const WAIT_FOR_ORDER: i64 = 20 * HOUR;
/// After this time an unconfirmed webhook may be left to the order's own checks, less what clocks may be off.
const GIVE_UP: i64 = 68 * HOUR;
/// How long an order is watched beyond its last deadline.
const GRACE: i64 = 4 * 24 * HOUR;
/// How long an order without a deadline is watched.
const WATCH: i64 = 90 * 24 * HOUR;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: &'static str,
    /// How.
    pub detail: String,
}

/// A call to PortOne.
#[derive(Debug)]
pub struct Call {
    instance: usize,
    payment_id: PaymentId,
    asked: Option<TransactionId>,
    began: i64,
    began_by_clock: i64,
}

/// A call that PortOne answered.
#[derive(Debug)]
struct Answer {
    payment_id: PaymentId,
    began: i64,
    began_by_clock: i64,
    ended: i64,
    /// PortOne was asked by the order's number, and not for one attempt.
    by_number: bool,
    /// PortOne told of everything that was asked for.
    complete: bool,
}

/// What a visitor found when the page was asked for.
#[derive(Debug)]
pub struct Visit {
    /// The order that is spoken of, when there is one.
    pub payment_id: Option<PaymentId>,
    /// When.
    pub began: i64,
    /// The attempts of the order for which PortOne's API showed money.
    pub money: Vec<TransactionId>,
    /// Where the order stood here.
    pub status: Option<OrderStatus>,
    /// Way in: by redirect, with a budget for everything, or by the lasting link.
    pub redirect: bool,
    /// The transaction that was brought.
    pub brought: Option<TransactionId>,
    /// PortOne's API shows it under the order's number alone.
    pub own: bool,
}

/// A transition, told apart from all others of the same shop.
type Transition = (&'static str, PaymentId, Option<TransactionId>, i64);

/// What the watcher remembers.
#[derive(Debug, Default)]
pub struct Watch {
    /// The first promise that was broken.
    pub broken: Option<Violation>,
    event_ids: BTreeMap<Transition, String>,
    in_flight: BTreeMap<(usize, PaymentId, Option<TransactionId>), u32>,
    answers: Vec<Answer>,
    unseen_calls: BTreeMap<(usize, PaymentId, i64), u32>,
    /// When each order was made.
    made: BTreeMap<PaymentId, i64>,
    /// The calls that were made to give money back.
    calls: BTreeMap<RefundId, Called>,
    /// Since when refunds are, or were, in doubt.
    in_doubt: BTreeMap<RefundId, i64>,
    /// When each server last asked for a page of a list.
    listed_at: [i64; INSTANCES],
    /// The last sweep that came to its end.
    pub swept: Option<Swept>,
    /// When the sweep that goes on began.
    sweep_began: i64,
}

impl Watch {
    fn breaks(&mut self, rule: &'static str, detail: String) {
        self.broken.get_or_insert(Violation { rule, detail });
    }
}

fn transition(event: &Event) -> Transition {
    let refunded = match event.event_type {
        EventType::OrderRefunded | EventType::OrderPartiallyRefunded => event.refunded_minor,
        EventType::OrderPaid
        | EventType::OrderVirtualAccountIssued
        | EventType::OrderPaymentFailed
        | EventType::OrderHeld
        | EventType::OrderDuplicatePayment
        | EventType::OrderLatePayment
        | EventType::OrderExpired => 0,
    };
    (
        event.event_type.as_str(),
        event.payment_id.clone(),
        event.transaction_id.clone(),
        refunded,
    )
}

fn is_good(order: &Order, attempt: &Attempt) -> bool {
    attempt.flaw == Flaw::None
        && attempt.payment_id == order.payment_id
        && attempt.portone == order.portone
}

const fn rank(status: TransactionStatus) -> u8 {
    match status {
        TransactionStatus::Ready => 0,
        TransactionStatus::PayPending => 1,
        TransactionStatus::Failed => 2,
        TransactionStatus::Paid => 3,
        TransactionStatus::Cancelled => 4,
    }
}

fn has_money(transaction: &Transaction) -> bool {
    match transaction.status {
        TransactionStatus::Paid => true,
        TransactionStatus::Cancelled => transaction
            .amount_minor
            .is_none_or(|amount| transaction.cancelled_minor < amount),
        TransactionStatus::Ready | TransactionStatus::PayPending | TransactionStatus::Failed => {
            false
        }
    }
}

/// How an order stands by its transactions, worked out once more.
fn standing(snapshot: &Snapshot) -> OrderStatus {
    let Snapshot {
        order,
        transactions,
    } = snapshot;
    let with = |verdict| transactions.iter().find(move |t| t.verdict == verdict);
    if let Some(accepted) = with(Verdict::Accepted) {
        return if accepted.cancelled_minor == 0 {
            OrderStatus::Paid
        } else if accepted.cancelled_minor < PRICE {
            OrderStatus::PartiallyRefunded
        } else {
            OrderStatus::Refunded
        };
    }
    let held = transactions
        .iter()
        .any(|t| t.verdict == Verdict::Held && has_money(t));
    if held {
        OrderStatus::Held
    } else if order.closed_at.is_some() {
        OrderStatus::Closed
    } else if order.expired_at.is_some() {
        OrderStatus::Expired
    } else if with(Verdict::AwaitingDeposit).is_some() {
        OrderStatus::AwaitingDeposit
    } else {
        OrderStatus::Open
    }
}

const fn moves_the_order(kind: EntryKind) -> bool {
    matches!(
        kind,
        EntryKind::Transition | EntryKind::Closed | EntryKind::Expired
    )
}

/// How far a paid order has gone; nothing for any other.
const fn paid_rank(status: OrderStatus) -> Option<u8> {
    match status {
        OrderStatus::Paid => Some(0),
        OrderStatus::PartiallyRefunded => Some(1),
        OrderStatus::Refunded => Some(2),
        OrderStatus::Open
        | OrderStatus::AwaitingDeposit
        | OrderStatus::Held
        | OrderStatus::Expired
        | OrderStatus::Closed => None,
    }
}

impl World {
    fn breaks(&mut self, rule: &'static str, detail: String) {
        let words = detail.clone();
        self.note("broken", &[], || format!("{rule}: {words}"));
        self.watch.breaks(rule, detail);
    }

    /// A worker takes work, and keeps it from the others for as long as a call to PortOne takes.
    pub fn leases(&mut self, now: Timestamp, until: Timestamp) {
        if until.as_microsecond() - now.as_microsecond() < LEASE_MICROS_MIN {
            let detail = format!("from {now} until {until}");
            self.breaks("I11 one worker at a time takes what is due", detail);
        }
    }

    /// PortOne is asked.
    pub fn call_begins(
        &mut self,
        instance: usize,
        portone: Portone,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Call {
        match self.tables.find(id).map(|found| found.order.portone) {
            None => self.breaks(
                "I11 ids that no order knows cost no call",
                format!("PortOne was asked about {id}"),
            ),
            Some(own) if own != portone => self.breaks(
                "I11 an order is asked about at its own generation",
                format!("PortOne {} was asked about {id}", portone.as_str()),
            ),
            Some(_) => {}
        }
        let began_by_clock = self.clock(instance);
        let key = (instance, id.clone(), asked.cloned());
        let flights = self.watch.in_flight.entry(key).or_default();
        *flights += 1;
        // One that somebody brought, and one that the server itself was waiting for.
        if *flights > 2 {
            let flights = *flights;
            self.breaks(
                "I11 asks for one payment share an answer",
                format!("{flights} calls about {id} at once"),
            );
        }
        // Where calls wait for the schedule, those of many minutes may come in one.
        let at_once = self.profile.slow_portone == 0;
        if at_once && asked.is_some_and(|asked| self.tables.owner(asked).is_none()) {
            let key = (instance, id.clone(), began_by_clock / (60 * SECOND));
            let calls = self.watch.unseen_calls.entry(key).or_default();
            *calls += 1;
            if *calls > UNSEEN_CALLS_PER_MINUTE_MAX {
                self.breaks(
                    "I11 strangers cost a bounded number of calls",
                    format!("more than {UNSEEN_CALLS_PER_MINUTE_MAX} calls in a minute about {id}"),
                );
            }
        }
        Call {
            instance,
            payment_id: id.clone(),
            asked: asked.cloned(),
            began: self.now,
            began_by_clock,
        }
    }

    /// The call is over; `answer` is what PortOne said, when it did.
    pub fn call_ends(&mut self, call: &Call, answer: Option<&Attempts>) {
        self.call_is_over(call);
        let asked = &call.asked;
        let records = answer.map(|answer| &answer.records);
        self.note("answer", &[], || {
            let records = records.map(|records| {
                records
                    .iter()
                    .map(|r| {
                        format!(
                            "{} {:?} {:?} test {:?}",
                            r.transaction_id, r.status, r.reported, r.test
                        )
                    })
                    .collect::<Vec<_>>()
            });
            format!("asked for {asked:?} of {}: {records:?}", call.payment_id)
        });
        if let Some(answer) = answer {
            self.portone.told(answer);
            self.watch.answers.push(Answer {
                payment_id: call.payment_id.clone(),
                began: call.began,
                began_by_clock: call.began_by_clock,
                ended: self.now,
                by_number: call.asked.is_none(),
                complete: answer.complete,
            });
        }
    }

    fn call_is_over(&mut self, call: &Call) {
        let key = (call.instance, call.payment_id.clone(), call.asked.clone());
        if let Some(flights) = self.watch.in_flight.get_mut(&key) {
            *flights = flights.saturating_sub(1);
        }
    }

    /// A server died: its calls are no calls any more.
    pub fn forget_calls_of(&mut self, instance: usize) {
        self.watch.in_flight.retain(|key, _| key.0 != instance);
        // Budgets are a process's own.
        self.watch.unseen_calls.retain(|key, _| key.0 != instance);
    }

    /// Whether PortOne was asked about an order by its number after `since`, and answered.
    fn was_asked(&self, id: &PaymentId, since: i64) -> bool {
        let mut answers = self.watch.answers.iter();
        answers.any(|answer| answer.began >= since && answer.payment_id == *id && answer.by_number)
    }

    /// Whether PortOne was asked after `since` about every order that is watched, by its number, and answered.
    #[must_use]
    pub fn all_were_asked(&self, since: i64) -> bool {
        let mut orders = self.tables.orders.iter();
        orders.all(|(id, row)| {
            row.snapshot.order.next_check_at.is_none() || self.was_asked(id, since)
        })
    }

    /// Writes a change, and looks at it. `None` when the database refuses.
    pub fn commit(&mut self, instance: usize, commit: &Commit) -> Option<Committed> {
        for event in &commit.events {
            let key = transition(event);
            let first = self
                .watch
                .event_ids
                .entry(key)
                .or_insert_with(|| event.id.clone());
            if *first != event.id {
                let detail = format!(
                    "{} of {} is {} and {first}",
                    event.event_type.as_str(),
                    event.payment_id,
                    event.id
                );
                self.breaks("I5 one transition has one event id", detail);
            }
        }
        let before = self.tables.find(&commit.order.payment_id).cloned();
        match self.tables.commit(commit) {
            Ok(Committed::Done) => {
                let by_sweep = Actor::Sweep.to_text();
                if commit.entries.iter().any(|entry| entry.actor == by_sweep) {
                    self.did(Deed::SweepMovedAnOrder);
                }
                if let Some(before) = before {
                    self.written(instance, &before, commit);
                }
                Some(Committed::Done)
            }
            Ok(other) => {
                let id = &commit.order.payment_id;
                self.note("change refused", &[], || format!("{id}: {other:?}"));
                Some(other)
            }
            Err(Constraint(name)) => {
                let detail = format!("{}: {name}", commit.order.payment_id);
                self.breaks("I3 the code keeps what the database would refuse", detail);
                None
            }
        }
    }

    fn written(&mut self, instance: usize, before: &Snapshot, commit: &Commit) {
        let id = &commit.order.payment_id;
        let Some(row) = self.tables.orders.get(id) else {
            return;
        };
        let after = row.snapshot.clone();
        let outbox: Vec<Transition> = row.outbox.iter().map(|e| transition(&e.event)).collect();
        self.note(
            "written",
            &[after.order.version, after.order.status as i64],
            || {
                format!(
                    "{id} is {} (version {}), by server {instance}",
                    after.order.status.as_str(),
                    after.order.version
                )
            },
        );
        let mut wanted = Vec::new();
        for transaction in &after.transactions {
            let stored = before
                .transactions
                .iter()
                .find(|t| t.transaction_id == transaction.transaction_id);
            self.transaction_written(&after, stored, transaction, commit);
            wanted.extend(
                events_for(stored, transaction)
                    .into_iter()
                    .map(|kind| (kind, Some(transaction.transaction_id.clone()))),
            );
        }
        if before.order.expired_at.is_none() && after.order.expired_at.is_some() {
            wanted.push((EventType::OrderExpired, None));
            self.expired(&after.order);
        }
        for (kind, transaction_id) in &wanted {
            let is_there = outbox
                .iter()
                .any(|(name, _, of, _)| *name == kind.as_str() && of == transaction_id);
            if !is_there {
                self.breaks(
                    "I5 a change and its event are one",
                    format!("{id} changed without {}", kind.as_str()),
                );
            }
        }
        for event in &commit.events {
            let is_wanted = wanted
                .iter()
                .any(|(kind, of)| *kind == event.event_type && *of == event.transaction_id);
            if !is_wanted {
                let detail = format!("{} of {id} tells of no change", event.event_type.as_str());
                self.breaks("I5 an event tells of a change", detail);
            }
        }
        let mut sorted = outbox;
        sorted.sort();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            self.breaks(
                "I5 an event leaves once",
                format!("twice in the outbox of {id}"),
            );
        }
        self.order_written(before, &after, commit);
    }

    fn order_written(&mut self, before: &Snapshot, after: &Snapshot, commit: &Commit) {
        let id = &after.order.payment_id;
        let (old, new) = (before.order.status, after.order.status);
        if standing(after) != new {
            let detail = format!(
                "{id} is {} and its transactions say {}",
                new.as_str(),
                standing(after).as_str()
            );
            self.breaks("I2 an order stands where its transactions say", detail);
        }
        if paid_rank(old) > paid_rank(new) {
            let detail = format!("{id} went from {} to {}", old.as_str(), new.as_str());
            self.breaks("I4 only forward", detail);
        }
        let told = commit
            .entries
            .iter()
            .any(|entry| moves_the_order(entry.kind));
        if old != new && !told {
            let detail = format!("{id} went from {} to {}", old.as_str(), new.as_str());
            self.breaks("I5 a change and its history are one", detail);
        }
    }

    /// PortOne was asked at the deadline or later before the order was given up.
    fn expired(&mut self, order: &Order) {
        let Some(deadline) = order.expires_at else {
            self.breaks(
                "I9 an order ends at its deadline",
                format!("{} has none", order.payment_id),
            );
            return;
        };
        // An answer that does not tell every attempt is enough when banks have had their time.
        let patience = |complete| if complete { 0 } else { 96 * HOUR };
        let asked = self.watch.answers.iter().any(|answer| {
            answer.payment_id == order.payment_id
                && answer.began_by_clock >= deadline.as_microsecond() + patience(answer.complete)
        });
        if !asked {
            let detail = format!("{} expired unasked", order.payment_id);
            self.breaks("I9 no order ends before PortOne was asked", detail);
        }
    }

    fn transaction_written(
        &mut self,
        after: &Snapshot,
        stored: Option<&Transaction>,
        transaction: &Transaction,
        commit: &Commit,
    ) {
        let id = &transaction.transaction_id;
        let Some(attempt) = self.portone.find(id).cloned() else {
            self.breaks(
                "I2 nothing is stored that PortOne did not tell",
                format!("{id} does not exist"),
            );
            return;
        };
        if attempt.payment_id != transaction.payment_id {
            self.breaks(
                "I3 one payment, one order",
                format!("{id} is of {}", attempt.payment_id),
            );
        }
        let believed = match transaction.status {
            TransactionStatus::Paid | TransactionStatus::Cancelled => attempt.told_money,
            TransactionStatus::Failed => attempt.told_failed,
            TransactionStatus::Ready | TransactionStatus::PayPending => true,
        };
        if !believed {
            self.breaks(
                "I9 what PortOne did not say is not known",
                format!("{id} is {}", transaction.status.as_str()),
            );
        }
        if let Some(stored) = stored {
            let went_back = (rank(transaction.status), transaction.cancelled_minor)
                < (rank(stored.status), stored.cancelled_minor);
            let undone = matches!(
                stored.verdict,
                Verdict::Accepted | Verdict::Duplicate | Verdict::Late
            ) && stored.verdict != transaction.verdict;
            if went_back || undone {
                let detail = format!(
                    "{id} went from {} ({}) to {} ({})",
                    stored.status.as_str(),
                    stored.verdict.as_str(),
                    transaction.status.as_str(),
                    transaction.verdict.as_str()
                );
                self.breaks("I4 only forward", detail);
            }
        }
        if stored.is_some_and(|stored| {
            stored.verdict == transaction.verdict && stored.status == transaction.status
        }) {
            return;
        }
        let told = commit.entries.iter().any(|entry| {
            entry.kind == EntryKind::Checked
                && entry.data.get("transaction_id").and_then(|v| v.as_str()) == Some(id.as_str())
        });
        if !told {
            self.breaks(
                "I5 a change and its history are one",
                format!("{id} moved without a line"),
            );
        }
        self.judged(after, &attempt, transaction);
    }

    /// A verdict that is new.
    fn judged(&mut self, after: &Snapshot, attempt: &Attempt, transaction: &Transaction) {
        let order = &after.order;
        let id = &transaction.transaction_id;
        let good = is_good(order, attempt);
        let over = [order.closed_at, order.expires_at]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.as_microsecond());
        let paid_at = attempt.truth().paid_at;
        let slack = 2 * self.profile.skew + 2 * SECOND;
        match transaction.verdict {
            Verdict::Accepted => {
                if !good || !attempt.told_money {
                    let detail = format!("{id} is accepted, and is {:?}", attempt.flaw);
                    self.breaks("I1 paid only on evidence", detail);
                }
                if let (Some(over), Some(paid_at)) = (over, paid_at)
                    && paid_at > over + slack
                {
                    let detail = format!("{id} is accepted, and came late");
                    self.breaks("I3 a late payment is called late", detail);
                }
            }
            Verdict::Held if good => {
                self.breaks("I3 a good payment is taken", format!("{id} is held"));
            }
            Verdict::Duplicate => {
                let other = after
                    .transactions
                    .iter()
                    .any(|t| t.verdict == Verdict::Accepted);
                if !good || !other {
                    self.breaks("I3 a duplicate is a second one", format!("{id} is not"));
                }
            }
            Verdict::Late => {
                let in_time = match (over, paid_at) {
                    (Some(over), Some(paid_at)) => {
                        paid_at + slack < over && paid_at >= order.created_at.as_microsecond()
                    }
                    (None, _) => true,
                    (Some(_), None) => false,
                };
                if !good || in_time {
                    self.breaks("I3 a payment in time is not late", format!("{id} is not"));
                }
            }
            Verdict::Pending | Verdict::AwaitingDeposit | Verdict::Failed | Verdict::Held => {}
        }
    }

    /// A server acknowledged a webhook.
    pub fn acknowledged(&mut self, payment_id: &PaymentId, transaction_id: &TransactionId) {
        // An unsigned one may have joined a look for the order by its number, which is not settled.
        let is_there = self.tables.inbox.values().any(|row| {
            let told = row.entry.transaction_id.as_ref();
            let joined = told.is_none()
                && row.entry.portone == Portone::V1
                && matches!(row.state, InboxState::Waiting(_));
            row.entry.payment_id == *payment_id && (joined || told == Some(transaction_id))
        });
        if !is_there {
            self.breaks(
                "I10 a webhook is on disk before it is acknowledged",
                format!("{transaction_id} of {payment_id}"),
            );
        }
    }

    /// Writes what became of a webhook, and looks at it.
    pub fn settle(&mut self, id: i64, lease: i64, result: InboxResult) {
        if let Some(row) = self.tables.inbox.get(&id)
            && let InboxState::Waiting(_) = row.state
            && row.entry.lease == lease
        {
            let entry = &row.entry;
            let waited = self.now - row.written_at.min(entry.received_at.as_microsecond());
            let order = self.tables.find(&entry.payment_id).map(|s| &s.order);
            let other_order = entry
                .transaction_id
                .as_ref()
                .and_then(|id| self.tables.owner(id))
                .is_some_and(|owner| *owner != entry.payment_id);
            let asked = self.watch.answers.iter().any(|answer| {
                answer.payment_id == entry.payment_id && answer.ended >= row.written_at
            });
            let broken = match (result, order) {
                (InboxResult::Again(_), _) => false,
                (InboxResult::Dropped, Some(order)) if order.portone != entry.portone => false,
                // An order that is made in the very moment of giving up is asked about by itself.
                (InboxResult::Dropped, _) => waited + self.profile.skew < WAIT_FOR_ORDER,
                (InboxResult::Done, _) => {
                    !asked && !other_order && waited + self.profile.skew < GIVE_UP
                }
            };
            if broken {
                let detail = format!("{id} of {} became {result:?}", entry.payment_id);
                self.breaks("I10 a webhook is worked off before it is settled", detail);
            }
        }
        self.tables.settle(id, lease, result);
    }

    /// A page answered.
    pub fn page_said(&mut self, visit: &Visit, view: &CompletionView) {
        let outcome = view.outcome;
        self.note("page", &[], || {
            format!("{} for {:?}", outcome.as_str(), visit.payment_id)
        });
        if visit.redirect && self.now - visit.began > PAGE_MICROS_MAX {
            let detail = format!("{} ms", (self.now - visit.began) / 1000);
            self.breaks("L2 a page answers in time", detail);
        }
        if outcome == Outcome::NotFound && visit.own {
            let detail = format!("{:?} of {:?}", visit.brought, visit.payment_id);
            self.breaks(
                "I9 who tried to pay is not told that there is nothing",
                detail,
            );
        }
        self.keeps_to_itself(visit, view);
        let Some(id) = view.payment.as_ref().map(|payment| &payment.payment_id) else {
            if !matches!(
                outcome,
                Outcome::NotFound | Outcome::Invalid | Outcome::Unconfirmed
            ) {
                let detail = format!("{} of no order", outcome.as_str());
                self.breaks("I1 a page speaks of one order", detail);
            }
            return;
        };
        let Some(order) = self.tables.find(id).map(|found| found.order.clone()) else {
            self.breaks("I1 a page speaks of one order", format!("{id} is none"));
            return;
        };
        let told = |what: &dyn Fn(&Attempt) -> bool| self.portone.has_told(id, what);
        // What goes back between the visit and the answer may be paid again, and what was paid meanwhile need not be known yet.
        let money = self
            .portone
            .with_money(id, self.now)
            .any(|id| visit.money.contains(id));
        let true_word = match outcome {
            Outcome::Paid | Outcome::PartiallyRefunded => {
                told(&|a| a.told_money && is_good(&order, a)) && paid_rank(order.status).is_some()
            }
            Outcome::Refunded => told(&|a| a.told_cancelled),
            Outcome::Held => told(&|a| a.told_money && !is_good(&order, a)),
            Outcome::Duplicate | Outcome::Late => told(&|a| a.told_money),
            Outcome::VirtualAccountIssued => told(&|a| a.told_account),
            Outcome::Failed(_) => told(&|a| a.told_failed) && !money,
            Outcome::Pending | Outcome::Unconfirmed | Outcome::NotFound | Outcome::Invalid => true,
        };
        let outdated = outcome == Outcome::Paid && visit.status == Some(OrderStatus::Refunded);
        if !true_word || outdated {
            let detail = format!("{} of {id}", outcome.as_str());
            self.breaks("I1 a page says what PortOne said", detail);
        }
        if view.retry_url.is_some() && money {
            self.breaks(
                "I9 nobody is told to pay again who has paid",
                format!("{} of {id}", outcome.as_str()),
            );
        }
    }

    /// Who brings an order's number alone is told no more than everybody may know.
    fn keeps_to_itself(&mut self, visit: &Visit, view: &CompletionView) {
        let Some(payment) = &view.payment else {
            return;
        };
        let subject = payment.transaction.as_ref();
        let told = subject.and_then(|subject| subject.transaction_id.as_ref());
        let proven = !visit.redirect || (told.is_some() && told == visit.brought.as_ref());
        let link = self.tables.find(&payment.payment_id).is_some_and(|found| {
            let link = found.order.status_token.as_str();
            payment.status_url.contains(link)
        });
        let receipt = subject.is_some_and(|subject| {
            subject.receipt_url.as_deref() == Some(RECEIPT) || subject.approval_number.is_some()
        });
        if !proven && (link || receipt || told.is_some()) {
            let detail = format!("{:?} of {}", visit.brought, payment.payment_id);
            self.breaks("I12 an order's number alone tells nothing private", detail);
        }
    }

    /// A page did not answer in its time.
    pub fn page_is_silent(&mut self, visit: &Visit) {
        if visit.redirect && self.now - visit.began > PAGE_MICROS_MAX {
            let detail = format!("{} ms", (self.now - visit.began) / 1000);
            self.breaks("L2 a page answers in time", detail);
        }
    }

    /// An approval was let on that the order does not want.
    pub fn approval_goes_on(&mut self, id: &PaymentId) {
        let detail = format!("for {id}");
        self.breaks("I9 an approval goes on for what is asked alone", detail);
    }

    /// Nothing fails any more, every clock is right, and every order has had one more turn since `since`.
    pub fn at_rest(&mut self, since: i64) {
        let ids: Vec<PaymentId> = self.tables.orders.keys().cloned().collect();
        for id in ids {
            let Some(row) = self.tables.orders.get(&id).cloned() else {
                continue;
            };
            self.has_a_next_time(&row.snapshot);
            // Beyond its watch nobody asks about an order by themselves.
            let is_watched = row.snapshot.order.next_check_at.is_some();
            if is_watched && self.was_asked(&id, since) {
                self.mirrors(&row.snapshot);
            }
            self.replays(&row);
        }
        self.refunds_at_rest();
        let stuck = self.tables.inbox.iter().find_map(|(id, row)| {
            let InboxState::Waiting(at) = row.state else {
                return None;
            };
            (at.as_microsecond() > self.now + 2 * 24 * HOUR).then_some(*id)
        });
        if let Some(id) = stuck {
            self.breaks(
                "I15 what may still change has a next time",
                format!("webhook {id} waits for days"),
            );
        }
    }

    fn has_a_next_time(&mut self, snapshot: &Snapshot) {
        let Snapshot {
            order,
            transactions,
        } = snapshot;
        let payable_until = transactions
            .iter()
            .filter_map(|t| t.virtual_account.as_ref()?.expires_at)
            .chain(order.expires_at)
            .max()
            .map(|at| at.as_microsecond() + GRACE);
        let closed_until = order.closed_at.map(|at| at.as_microsecond() + GRACE);
        // Closing an order ends its watch in time, and never begins another one.
        let watched = payable_until
            .into_iter()
            .chain(closed_until)
            .min()
            .unwrap_or(order.created_at.as_microsecond() + WATCH);
        let over = self.now + 2 * self.profile.skew >= watched;
        if order.next_check_at.is_none() && order.status != OrderStatus::Refunded && !over {
            let detail = format!("{} is {}", order.payment_id, order.status.as_str());
            self.breaks("I15 what may still change has a next time", detail);
        }
    }

    /// What is stored is what PortOne has.
    fn mirrors(&mut self, snapshot: &Snapshot) {
        let Snapshot {
            order,
            transactions,
        } = snapshot;
        let now = self.now;
        let answer = self
            .portone
            .answer(order.portone, &order.payment_id, None, now);
        let mut good_in_time = false;
        // What decides nothing may be a payment: it is waited for, and not for ever.
        let mut unclear = false;
        for record in &answer.records {
            let Some(attempt) = self.portone.find(&record.transaction_id).cloned() else {
                continue;
            };
            let truth = attempt.truth();
            if matches!(truth.phase, Phase::Cancelling | Phase::Strange) {
                unclear = true;
                continue;
            }
            self.is_stored(snapshot, &attempt);
            let stored = transactions.iter().find(|t| t.transaction_id == attempt.id);
            let surfaced = stored.is_some_and(|t| match t.verdict {
                Verdict::Accepted | Verdict::Duplicate | Verdict::Late => is_good(order, &attempt),
                Verdict::Held => !is_good(order, &attempt),
                Verdict::Pending | Verdict::AwaitingDeposit | Verdict::Failed => false,
            });
            if truth.holds_money(attempt.amount()) && !surfaced {
                let detail = format!("{} of {}", attempt.id, order.payment_id);
                self.breaks("I3 no payment is swallowed", detail);
            }
            let over = [order.closed_at, order.expires_at]
                .into_iter()
                .flatten()
                .min()
                .map(|at| at.as_microsecond());
            let slack = 2 * self.profile.skew + 2 * SECOND;
            good_in_time |= is_good(order, &attempt)
                && truth.holds_money(attempt.amount())
                && truth.paid_at.is_some_and(|paid| {
                    over.is_none_or(|over| paid + slack < over)
                        && paid >= order.created_at.as_microsecond()
                });
        }
        if good_in_time && paid_rank(order.status).is_none() {
            let detail = format!("{} is {}", order.payment_id, order.status.as_str());
            self.breaks("I7 every order ends as PortOne has it", detail);
        }
        let open = matches!(
            order.status,
            OrderStatus::Open | OrderStatus::AwaitingDeposit
        );
        let patience = if unclear { 96 * HOUR } else { 0 };
        if open
            && order
                .expires_at
                .is_some_and(|at| at.as_microsecond() + patience < now - SECOND)
        {
            let detail = format!("{} is {}", order.payment_id, order.status.as_str());
            self.breaks("I7 an order whose time ran out ends", detail);
        }
    }

    /// An attempt is stored as it is at PortOne.
    fn is_stored(&mut self, snapshot: &Snapshot, attempt: &Attempt) {
        let truth = attempt.truth();
        let wanted = match truth.phase {
            Phase::Ready | Phase::Account => TransactionStatus::Ready,
            Phase::PayPending => TransactionStatus::PayPending,
            Phase::Failed => TransactionStatus::Failed,
            Phase::Paid => TransactionStatus::Paid,
            Phase::Cancelled => TransactionStatus::Cancelled,
            Phase::Cancelling | Phase::Strange => return,
        };
        let mut transactions = snapshot.transactions.iter();
        let stored = transactions.find(|t| t.transaction_id == attempt.id);
        let same =
            stored.is_some_and(|t| t.status == wanted && t.cancelled_minor == truth.cancelled);
        if !same {
            let detail = format!(
                "{} is {} ({} given back) and here {}",
                attempt.id,
                wanted.as_str(),
                truth.cancelled,
                stored.map_or("unknown", |t| t.status.as_str())
            );
            self.breaks("I7 every order ends as PortOne has it", detail);
        }
    }

    /// The history alone tells how the order and its transactions stand.
    fn replays(&mut self, row: &super::tables::Row) {
        let mut transactions: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        let mut status = Some(OrderStatus::Open.as_str());
        for stored in &row.history {
            let data = &stored.entry.data;
            let word = |name: &str| data.get(name).and_then(|value| value.as_str());
            if stored.entry.kind == EntryKind::Checked
                && let (Some(id), Some(status), Some(verdict)) =
                    (word("transaction_id"), word("status"), word("verdict"))
            {
                transactions.insert(id, (status, verdict));
            } else if moves_the_order(stored.entry.kind) {
                // An entry that does not say where to leaves it open until the next one does.
                status = word("to");
            }
        }
        let order = &row.snapshot.order;
        let mut agrees = status.is_none_or(|status| status == order.status.as_str())
            && transactions.len() == row.snapshot.transactions.len();
        for transaction in &row.snapshot.transactions {
            agrees &= transactions.get(transaction.transaction_id.as_str())
                == Some(&(transaction.status.as_str(), transaction.verdict.as_str()));
        }
        if !agrees {
            let detail = format!("{}: {status:?}, {transactions:?}", order.payment_id);
            self.breaks("I14 the history replays to the row", detail);
        }
    }
}

/// The events that a transaction's move is to bring.
fn events_for(stored: Option<&Transaction>, transaction: &Transaction) -> Vec<EventType> {
    let is_new = stored.is_none_or(|stored| stored.verdict != transaction.verdict);
    let more_back = transaction.cancelled_minor > stored.map_or(0, |stored| stored.cancelled_minor);
    let all_back = transaction.cancelled_minor >= PRICE;
    let mut events = Vec::new();
    match transaction.verdict {
        Verdict::Accepted => {
            if is_new && !all_back {
                events.push(EventType::OrderPaid);
            }
            if more_back {
                events.push(if all_back {
                    EventType::OrderRefunded
                } else {
                    EventType::OrderPartiallyRefunded
                });
            }
        }
        Verdict::Duplicate if is_new => events.push(EventType::OrderDuplicatePayment),
        Verdict::Late if is_new => events.push(EventType::OrderLatePayment),
        Verdict::Held => {
            let had_money = stored.is_some_and(|t| t.verdict == Verdict::Held && has_money(t));
            if has_money(transaction) && !had_money {
                events.push(EventType::OrderHeld);
            }
        }
        Verdict::Failed if is_new => events.push(EventType::OrderPaymentFailed),
        Verdict::AwaitingDeposit if is_new => events.push(EventType::OrderVirtualAccountIssued),
        Verdict::Pending
        | Verdict::AwaitingDeposit
        | Verdict::Failed
        | Verdict::Duplicate
        | Verdict::Late => {}
    }
    events
}
