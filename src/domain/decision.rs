//! The one decision: what evidence does to an order. Pure: no I/O, no clock, no chance.
//!
//! State belongs to the transaction; the order's state follows from its transactions by [`status_of`]. Evidence moves a
//! transaction only forward (`ready`, `pay_pending`, `failed`, `paid`, `cancelled`; then by the amount given back), so a stale or
//! reordered answer changes nothing. Of two answers that are equally far along, the one whose fetching began later counts. An
//! answer that is further along counts whenever its fetching began: clocks of several servers differ, and no clock must be able
//! to hide a payment. A transaction is accepted only with a [`Verified`] in hand.
//!
//! A payment that was given back whole before anybody here saw it paid still is the order's payment: the order reads
//! `refunded`, as PortOne has it and as it would read had we looked in between. PortOne itself takes no second payment under a
//! number that was once approved, so money that comes through a window left open is for a person to look at: `duplicate`.
//! <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrq>
//!
//! An account that nothing was deposited to is waited for until it ends ([`account_ends`]): any answer of PortOne after that
//! makes it an attempt that was left, and the order is open again. No deadline of the order is involved; one that has a deadline
//! expires by that. A deposit that comes later still counts.
//!
//! How an order ends without a payment is decided by [`expire`] and [`close`].

mod ending;

pub use ending::{AlreadyPaid, Asked, Extent, close, expire};

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::event::{Event, EventType, event_id};
use super::evidence::{Evidence, Figure, Record};
use super::history::{Actor, Entry, EntryKind, Refusal};
use super::ids::TransactionId;
use super::money::Currency;
use super::order::{Order, OrderStatus, Portone};
use super::schedule::account_ends;
use super::transaction::{Transaction, TransactionStatus, Verdict};
use super::verification::{Check, Expected, Reading, Verification, Verified, verify};

/// PortOne's clock and ours may differ by this much before its `paid_at` stops being believable for an order's age, or for now.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A line of reasoning for the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// What it tells.
    pub kind: EntryKind,
    /// Details, by kind.
    pub data: serde_json::Value,
}

/// What evidence does to an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The order as it is to be; its version is still the one the decision was made on.
    pub order: Order,
    /// Transactions that are new or changed.
    pub transactions: Vec<Transaction>,
    /// Why.
    pub notes: Vec<Note>,
    /// What the shop is told.
    pub events: Vec<Event>,
    /// Transactions in the evidence that are about something else and touched nothing.
    pub foreign: Vec<TransactionId>,
    /// Whether an answer about one of the order's transactions decided nothing: a status this version does not know, or a
    /// cancel that has given nothing back yet. It stays as it was and is asked about again soon.
    pub unclear: bool,
    /// Whether anything moved; evidence that confirms what is known only refreshes `checked_at`.
    pub moved: bool,
}

impl Note {
    /// Names what is written down once per order, however often it is decided.
    fn once_key(&self) -> Option<String> {
        let text = |name| self.data.get(name).and_then(serde_json::Value::as_str);
        match self.kind {
            EntryKind::EvidenceRefused => Some(format!(
                "refused:{}:{}",
                text("transaction_id").unwrap_or_default(),
                text("why").unwrap_or_default()
            )),
            kind @ (EntryKind::Closed | EntryKind::Expired) => Some(kind.as_str().to_owned()),
            EntryKind::OrderCreated
            | EntryKind::Prepared
            | EntryKind::PrepareFailed
            | EntryKind::Redirect
            | EntryKind::Webhook
            | EntryKind::Checked
            | EntryKind::CheckFailed
            | EntryKind::Transition
            | EntryKind::Confirmed
            | EntryKind::ConfirmRefused
            | EntryKind::RefundRequested
            | EntryKind::RefundDone
            | EntryKind::RefundRefused
            | EntryKind::RefundInDoubt
            | EntryKind::RefundNotDone => None,
        }
    }
}

impl Decision {
    /// The order's transactions once the decision is written, of those that it was made on.
    #[must_use]
    pub fn applied_to(&self, known: &[Transaction]) -> Vec<Transaction> {
        let mut transactions = known.to_vec();
        for changed in &self.transactions {
            match transactions
                .iter_mut()
                .find(|t| t.transaction_id == changed.transaction_id)
            {
                Some(stored) => *stored = changed.clone(),
                None => transactions.push(changed.clone()),
            }
        }
        transactions
    }

    /// The decision's reasons as history.
    #[must_use]
    pub fn entries(&self, at: Timestamp, actor: &Actor) -> Vec<Entry> {
        let entry = |note: &Note| Entry {
            at,
            kind: note.kind,
            actor: actor.to_text(),
            data: note.data.clone(),
            once_key: note.once_key(),
        };
        self.notes.iter().map(entry).collect()
    }
}

/// Decides what `evidence` does to `order`, whose transactions so far are `known`.
///
/// `taken` holds the transactions of the evidence that other orders have used.
#[must_use]
pub fn decide(
    order: &Order,
    known: &[Transaction],
    evidence: &Evidence,
    taken: &BTreeSet<TransactionId>,
    now: Timestamp,
    expected: &Expected,
) -> Decision {
    let mut work = Work {
        order: order.clone(),
        all: known.to_vec(),
        changed: BTreeSet::new(),
        notes: Vec::new(),
        events: Vec::new(),
        foreign: Vec::new(),
        unclear: false,
        now,
    };
    // What holds money first: an attempt that was given back whole must not take the place of the one that paid.
    let (holding, rest): (Vec<&Record>, Vec<&Record>) = evidence
        .records
        .iter()
        .partition(|record| record.holds_money());
    for record in holding.into_iter().chain(rest) {
        work.apply(record, evidence.fetched_at, expected, taken);
    }
    work.end_accounts();
    work.finish(order, evidence.fetched_at)
}

/// The state that an order has by its transactions.
#[must_use]
pub fn status_of(order: &Order, transactions: &[Transaction]) -> OrderStatus {
    if let Some(accepted) = transactions.iter().find(|t| t.verdict == Verdict::Accepted) {
        return match accepted.cancelled_minor {
            0 => OrderStatus::Paid,
            part if part < order.amount.minor => OrderStatus::PartiallyRefunded,
            _ => OrderStatus::Refunded,
        };
    }
    if transactions
        .iter()
        .any(|t| t.verdict == Verdict::Held && t.holds_money())
    {
        OrderStatus::Held
    } else if order.closed_at.is_some() {
        OrderStatus::Closed
    } else if order.expired_at.is_some() {
        OrderStatus::Expired
    } else if transactions
        .iter()
        .any(|t| t.verdict == Verdict::AwaitingDeposit)
    {
        OrderStatus::AwaitingDeposit
    } else {
        OrderStatus::Open
    }
}

struct Work {
    order: Order,
    all: Vec<Transaction>,
    changed: BTreeSet<TransactionId>,
    notes: Vec<Note>,
    events: Vec<Event>,
    foreign: Vec<TransactionId>,
    unclear: bool,
    now: Timestamp,
}

impl Work {
    fn apply(
        &mut self,
        record: &Record,
        fetched_at: Timestamp,
        expected: &Expected,
        taken: &BTreeSet<TransactionId>,
    ) {
        let (verification, verified) = match verify(&self.order, record, expected, taken) {
            Reading::Foreign(verification) => {
                self.refuse(record, Refusal::Foreign, &verification.checks);
                self.foreign.push(record.transaction_id.clone());
                return;
            }
            Reading::Mismatched(verification) => (verification, None),
            Reading::Matched(verification, verified) => (verification, Some(verified)),
        };
        let before = self
            .all
            .iter()
            .find(|t| t.transaction_id == record.transaction_id)
            .cloned();
        let before = before.as_ref();
        let status = effective_status(record, self.order.portone, before.map(|b| b.status));
        let Some(status) = status.filter(|_| may_count(record, before)) else {
            self.unclear = true;
            self.refuse(record, Refusal::TellsNothing, &verification.checks);
            return;
        };
        let verdict = self.verdict(record, status, verified, before);
        let after = transaction(
            &self.order,
            record,
            status,
            verdict,
            verification,
            fetched_at,
            before,
        );
        if let Some(before) = before
            && is_stale(before, &after, fetched_at)
        {
            // What only repeats is no news, however old it is.
            if differs(before, &after) {
                self.refuse(record, Refusal::Stale, &after.checks);
            }
            return;
        }
        self.note_check(before, &after);
        self.store(after, before);
    }

    /// What becomes of the transaction. Only the arm that holds a [`Verified`] can say `Accepted`.
    fn verdict(
        &self,
        record: &Record,
        status: TransactionStatus,
        verified: Option<Verified>,
        before: Option<&Transaction>,
    ) -> Verdict {
        let settled = before.map(|b| b.verdict).filter(|v| v.is_settled());
        match (status, settled, verified) {
            (TransactionStatus::Failed, _, _) => Verdict::Failed,
            // Given back before it was ever deposited to: not an account any more.
            (TransactionStatus::Ready, _, _)
                if record.status == Some(TransactionStatus::Cancelled) =>
            {
                Verdict::Pending
            }
            (TransactionStatus::Ready, _, None) if record.virtual_account.is_some() => {
                Verdict::Held
            }
            (TransactionStatus::Ready, _, Some(_))
                if record.virtual_account.as_ref().is_some_and(|account| {
                    account_ends(account, before.map_or(self.now, |b| b.first_seen_at)) > self.now
                }) =>
            {
                Verdict::AwaitingDeposit
            }
            (TransactionStatus::Ready | TransactionStatus::PayPending, _, _) => Verdict::Pending,
            // Once accepted, a payment stays the order's payment: what PortOne later reports can only give money back.
            (TransactionStatus::Paid | TransactionStatus::Cancelled, Some(settled), _) => settled,
            (TransactionStatus::Paid | TransactionStatus::Cancelled, None, None) => Verdict::Held,
            (TransactionStatus::Paid | TransactionStatus::Cancelled, None, Some(verified)) => {
                self.accept(record, &verified)
            }
        }
    }

    /// Waits no longer for accounts that ended, whether PortOne told of them this time or not.
    fn end_accounts(&mut self) {
        let now = self.now;
        let has_ended = |t: &&Transaction| {
            let account = t.virtual_account.as_ref();
            t.verdict == Verdict::AwaitingDeposit
                && account.is_some_and(|account| account_ends(account, t.first_seen_at) <= now)
        };
        let ended: Vec<Transaction> = self.all.iter().filter(has_ended).cloned().collect();
        for before in ended {
            let after = Transaction {
                verdict: Verdict::Pending,
                ..before.clone()
            };
            self.note_check(Some(&before), &after);
            self.store(after, Some(&before));
        }
    }

    /// A good payment: accepted, unless the order has one already or its time is over.
    fn accept(&self, record: &Record, _proof: &Verified) -> Verdict {
        // It is not this one: what was accepted once stays so and does not come here again.
        if self.all.iter().any(|t| t.verdict == Verdict::Accepted) {
            Verdict::Duplicate
        } else if self.came_late(record) {
            Verdict::Late
        } else {
            Verdict::Accepted
        }
    }

    /// PortOne counts whole seconds, so a payment in the second of the deadline counts as late: the shop may have sold the
    /// goods again, and a person can still accept it.
    fn came_late(&self, record: &Record) -> bool {
        let over_at = [self.order.closed_at, self.order.expires_at]
            .into_iter()
            .flatten()
            .min();
        let believable_from = self
            .order
            .created_at
            .checked_sub(CLOCK_SKEW)
            .unwrap_or(Timestamp::MIN);
        let believable_until = self.now.checked_add(CLOCK_SKEW).unwrap_or(Timestamp::MAX);
        let paid_at = record
            .paid_at
            // PortOne need not say when a payment was made that was given back since: it was made before.
            .or(record.given_back_at)
            .filter(|at| (believable_from..=believable_until).contains(at))
            .unwrap_or(self.now);
        over_at.is_some_and(|over| paid_at.as_second() >= over.as_second())
    }

    fn note_check(&mut self, before: Option<&Transaction>, after: &Transaction) {
        let told = |t: &Transaction| (t.status, t.verdict, t.cancelled_minor);
        if before.is_some_and(|b| told(b) == told(after) && b.checks == after.checks) {
            return;
        }
        self.notes.push(Note {
            kind: EntryKind::Checked,
            data: json!({
                "transaction_id": after.transaction_id.as_str(),
                "status": after.status.as_str(),
                "verdict": after.verdict.as_str(),
                "cancelled_minor": after.cancelled_minor,
                "checks": after.checks,
            }),
        });
    }

    fn refuse(&mut self, record: &Record, why: Refusal, checks: &[Check]) {
        self.notes.push(Note {
            kind: EntryKind::EvidenceRefused,
            data: json!({ "transaction_id": record.transaction_id.as_str(), "why": why, "checks": checks }),
        });
    }

    fn store(&mut self, after: Transaction, before: Option<&Transaction>) {
        if before.is_none_or(|b| differs(b, &after)) {
            self.changed.insert(after.transaction_id.clone());
        }
        match self
            .all
            .iter_mut()
            .find(|t| t.transaction_id == after.transaction_id)
        {
            Some(stored) => *stored = after.clone(),
            None => self.all.push(after.clone()),
        }
        if after.verdict == Verdict::Accepted {
            self.order.accepted_transaction_id = Some(after.transaction_id.clone());
            // More than was paid cannot have been given back, whatever a gateway reports.
            self.order.refunded_minor = after.cancelled_minor.min(self.order.amount.minor);
        }
        self.order.status = status_of(&self.order, &self.all);
        for event_type in events_of(before, &after, &self.order) {
            self.push_event(event_type, &after);
        }
    }

    fn push_event(&mut self, event_type: EventType, transaction: &Transaction) {
        let refunded_minor = match event_type {
            EventType::OrderRefunded | EventType::OrderPartiallyRefunded => {
                transaction.cancelled_minor
            }
            _ => 0,
        };
        self.events.push(Event {
            id: event_id(
                event_type,
                &self.order.payment_id,
                Some(&transaction.transaction_id),
                refunded_minor,
            ),
            event_type,
            payment_id: self.order.payment_id.clone(),
            transaction_id: Some(transaction.transaction_id.clone()),
            status: self.order.status,
            refunded_minor: self.order.refunded_minor,
            at: self.now,
        });
    }

    fn finish(mut self, before: &Order, fetched_at: Timestamp) -> Decision {
        let moved = !self.changed.is_empty() || self.order.status != before.status;
        if self.order.status != before.status {
            self.notes.push(Note {
                kind: EntryKind::Transition,
                data: json!({ "from": before.status.as_str(), "to": self.order.status.as_str() }),
            });
        }
        self.order.checked_at = self.order.checked_at.max(Some(fetched_at));
        if moved {
            self.order.checks_without_change = 0;
            self.order.updated_at = self.now;
        }
        let Self {
            order,
            all,
            changed,
            notes,
            events,
            foreign,
            unclear,
            ..
        } = self;
        // Unmoved transactions are written too: their `checked_at` says how fresh the answer is.
        let transactions = all
            .into_iter()
            .filter(|t| changed.contains(&t.transaction_id) || t.checked_at == fetched_at)
            .collect();
        Decision {
            order,
            transactions,
            notes,
            events,
            foreign,
            unclear,
            moved,
        }
    }
}

/// Whether the record's figures can be laid beside what is stored. A payment that was verified is one of the order's currency for
/// good: figures in another are no figures of it, and must not give anything back.
fn may_count(record: &Record, before: Option<&Transaction>) -> bool {
    before.is_none_or(|b| !b.verdict.is_settled() || b.currency == record.currency)
}

/// Whether what is stored is further along, or equally far and from a later fetch.
fn is_stale(before: &Transaction, after: &Transaction, fetched_at: Timestamp) -> bool {
    let along = |t: &Transaction| (t.status.rank(), t.cancelled_minor);
    (along(after), fetched_at) < (along(before), before.checked_at)
}

/// What PortOne's status means once the amounts are read, too; `None` decides nothing.
pub(super) fn effective_status(
    record: &Record,
    portone: Portone,
    stored: Option<TransactionStatus>,
) -> Option<TransactionStatus> {
    match record.status? {
        // V1 says `cancelled` for gateways that confirm later: until an amount was given back nothing is known to have
        // moved, and a transaction first seen like this is not finished. It is never the payment of an order.
        // https://developers.portone.io/opi/ko/integration/pg/v1/paypal
        TransactionStatus::Cancelled if record.reported.keeps_all() => match (stored, portone) {
            // It may have been paid before anybody here looked: it waits for the gateway's word, and until that comes nobody is
            // told to pay again.
            (None | Some(TransactionStatus::PayPending), Portone::V1) => {
                Some(TransactionStatus::PayPending)
            }
            (None, Portone::V2) | (Some(TransactionStatus::Ready), _) => {
                Some(TransactionStatus::Ready)
            }
            // V2 itself says what waits for an approval, and there a cancel is the end of the wait.
            (Some(TransactionStatus::PayPending), Portone::V2) => Some(TransactionStatus::Failed),
            (
                Some(
                    TransactionStatus::Failed
                    | TransactionStatus::Paid
                    | TransactionStatus::Cancelled,
                ),
                _,
            ) => None,
        },
        // A partial cancel in progress may still read `paid`.
        TransactionStatus::Paid if !record.reported.keeps_all() => {
            Some(TransactionStatus::Cancelled)
        }
        status => Some(status),
    }
}

/// A figure in minor units of the currency that PortOne names; `None` when it is no amount of it.
pub(super) fn minor(record: &Record, figure: Figure) -> Option<i64> {
    let currency = Currency::parse(record.currency.as_deref()?).ok()?;
    figure.money(currency).ok().map(|money| money.minor)
}

pub(super) fn cancelled_minor(record: &Record) -> i64 {
    minor(record, record.reported.cancelled()).unwrap_or(0)
}

fn transaction(
    order: &Order,
    record: &Record,
    status: TransactionStatus,
    verdict: Verdict,
    verification: Verification,
    fetched_at: Timestamp,
    before: Option<&Transaction>,
) -> Transaction {
    Transaction {
        transaction_id: record.transaction_id.clone(),
        payment_id: order.payment_id.clone(),
        status,
        verdict,
        amount_minor: minor(record, record.reported.amount()),
        currency: record.currency.clone(),
        cancelled_minor: cancelled_minor(record),
        test: record.test,
        pay_method: record.pay_method.clone(),
        pg_provider: record.pg_provider.clone(),
        approval_number: kept(
            record.approval_number.as_ref(),
            before.and_then(|b| b.approval_number.as_ref()),
        ),
        method_name: record.method_name.clone(),
        fail_reason: record.fail_reason.clone(),
        receipt_url: kept(
            record.receipt_url.as_ref(),
            before.and_then(|b| b.receipt_url.as_ref()),
        ),
        virtual_account: kept(
            record.virtual_account.as_ref(),
            before.and_then(|b| b.virtual_account.as_ref()),
        ),
        pay_by: kept(
            record.pay_by.as_ref(),
            before.and_then(|b| b.pay_by.as_ref()),
        ),
        paid_at: kept(
            record.paid_at.as_ref(),
            before.and_then(|b| b.paid_at.as_ref()),
        ),
        checks: verification.checks,
        first_seen_at: before.map_or(fetched_at, |b| b.first_seen_at),
        checked_at: before.map_or(fetched_at, |b| b.checked_at.max(fetched_at)),
    }
}

/// What is told, or was before: PortOne need not tell of a payment that was cancelled how it was paid.
fn kept<T: Clone>(told: Option<&T>, before: Option<&T>) -> Option<T> {
    told.or(before).cloned()
}

/// Whether anything but the time of the check is new.
fn differs(before: &Transaction, after: &Transaction) -> bool {
    *before
        != Transaction {
            checked_at: before.checked_at,
            ..after.clone()
        }
}

fn events_of(before: Option<&Transaction>, after: &Transaction, order: &Order) -> Vec<EventType> {
    let mut events = Vec::new();
    let changed_verdict = before.is_none_or(|b| b.verdict != after.verdict);
    let refunded_more = after.cancelled_minor > before.map_or(0, |b| b.cancelled_minor);
    let refunded_whole = after.cancelled_minor >= order.amount.minor;
    match after.verdict {
        Verdict::Pending => {}
        Verdict::AwaitingDeposit if changed_verdict => {
            events.push(EventType::OrderVirtualAccountIssued);
        }
        Verdict::Failed if changed_verdict => events.push(EventType::OrderPaymentFailed),
        Verdict::Held if changed_verdict && after.holds_money() => {
            events.push(EventType::OrderHeld);
        }
        Verdict::Held if before.is_some_and(|b| !b.holds_money()) && after.holds_money() => {
            events.push(EventType::OrderHeld);
        }
        Verdict::Duplicate if changed_verdict => events.push(EventType::OrderDuplicatePayment),
        Verdict::Late if changed_verdict => events.push(EventType::OrderLatePayment),
        Verdict::Accepted => {
            if changed_verdict && !refunded_whole {
                events.push(EventType::OrderPaid);
            }
            if refunded_more {
                events.push(if refunded_whole {
                    EventType::OrderRefunded
                } else {
                    EventType::OrderPartiallyRefunded
                });
            }
        }
        Verdict::AwaitingDeposit
        | Verdict::Failed
        | Verdict::Held
        | Verdict::Duplicate
        | Verdict::Late => {}
    }
    events
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod truth_table;
