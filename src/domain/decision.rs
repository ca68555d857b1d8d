//! The one decision: what evidence does to an order. Pure: no I/O, no clock, no chance.
//!
//! State belongs to the transaction; the order's state follows from its transactions by [`status_of`]. Evidence moves a
//! transaction only forward (`ready`, `pay_pending`, `failed`, `paid`, `cancelled`; then by the amount given back), so a stale or
//! reordered answer changes nothing. A transaction is accepted only with a [`Verified`] in hand.
//!
//! How an order ends without a payment is decided by [`expire`] and [`close`].

mod ending;

pub use ending::{AlreadyPaid, close, expire};

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::event::{Event, EventType, event_id};
use super::evidence::{Evidence, Figure, Record};
use super::history::{Actor, Entry, EntryKind, Refusal};
use super::ids::TransactionId;
use super::money::Currency;
use super::order::{Order, OrderStatus};
use super::transaction::{Transaction, TransactionStatus, Verdict};
use super::verification::{Check, Expected, Reading, Verification, Verified, verify};

/// PortOne's clock may run this much behind ours before its `paid_at` stops being believable for an order's age.
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
            | EntryKind::ConfirmRefused => None,
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
            .position(|t| t.transaction_id == record.transaction_id);
        let stored = before.map(|at| self.all[at].status);
        let Some(status) = effective_status(record, stored) else {
            self.refuse(record, Refusal::TellsNothing, &verification.checks);
            return;
        };
        let cancelled_minor = cancelled_minor(record);
        if let Some(stored) = before.map(|at| &self.all[at])
            && (status.rank(), cancelled_minor) < (stored.status.rank(), stored.cancelled_minor)
        {
            self.refuse(record, Refusal::Stale, &verification.checks);
            return;
        }
        let verdict = self.verdict(record, status, verified, before);
        let after = transaction(
            &self.order,
            record,
            status,
            verdict,
            verification,
            fetched_at,
            before.map(|at| &self.all[at]),
        );
        self.note_check(record, status, verdict, &after.checks, before);
        self.store(after, before);
    }

    /// What becomes of the transaction. Only the arm that holds a [`Verified`] can say `Accepted`.
    fn verdict(
        &self,
        record: &Record,
        status: TransactionStatus,
        verified: Option<Verified>,
        before: Option<usize>,
    ) -> Verdict {
        let settled = before
            .map(|at| self.all[at].verdict)
            .filter(|v| matches!(v, Verdict::Accepted | Verdict::Duplicate | Verdict::Late));
        match (status, verified) {
            (TransactionStatus::Failed, _) => Verdict::Failed,
            // Given back before it was ever deposited to: not an account any more.
            (TransactionStatus::Ready, _)
                if record.status == Some(TransactionStatus::Cancelled) =>
            {
                Verdict::Pending
            }
            (TransactionStatus::Ready, None) if record.virtual_account.is_some() => Verdict::Held,
            (TransactionStatus::Ready, Some(_)) if record.virtual_account.is_some() => {
                Verdict::AwaitingDeposit
            }
            (TransactionStatus::Ready | TransactionStatus::PayPending, _) => Verdict::Pending,
            // Once accepted, a payment stays the order's payment: what PortOne later reports can only give money back.
            (TransactionStatus::Paid | TransactionStatus::Cancelled, _) if settled.is_some() => {
                settled.unwrap_or(Verdict::Held)
            }
            (TransactionStatus::Paid | TransactionStatus::Cancelled, None) => Verdict::Held,
            (TransactionStatus::Paid | TransactionStatus::Cancelled, Some(verified)) => {
                self.accept(record, &verified)
            }
        }
    }

    /// A good payment: accepted, unless the order has one already or its time is over.
    fn accept(&self, record: &Record, _proof: &Verified) -> Verdict {
        if self
            .all
            .iter()
            .any(|t| t.verdict == Verdict::Accepted && t.transaction_id != record.transaction_id)
        {
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
        let paid_at = record
            .paid_at
            .filter(|at| (believable_from..=self.now).contains(at))
            .unwrap_or(self.now);
        over_at.is_some_and(|over| paid_at.as_second() >= over.as_second())
    }

    fn note_check(
        &mut self,
        record: &Record,
        status: TransactionStatus,
        verdict: Verdict,
        checks: &[Check],
        before: Option<usize>,
    ) {
        let same = before.map(|at| &self.all[at]).is_some_and(|b| {
            b.status == status
                && b.verdict == verdict
                && b.checks == checks
                && b.cancelled_minor == cancelled_minor(record)
        });
        if same {
            return;
        }
        self.notes.push(Note {
            kind: EntryKind::Checked,
            data: json!({ "transaction_id": record.transaction_id.as_str(), "status": status.as_str(), "verdict": verdict.as_str(), "checks": checks }),
        });
    }

    fn refuse(&mut self, record: &Record, why: Refusal, checks: &[Check]) {
        self.notes.push(Note {
            kind: EntryKind::EvidenceRefused,
            data: json!({ "transaction_id": record.transaction_id.as_str(), "why": why, "checks": checks }),
        });
    }

    fn store(&mut self, after: Transaction, before: Option<usize>) {
        let previous = before.map(|at| self.all[at].clone());
        if previous.as_ref().is_none_or(|p| differs(p, &after)) {
            self.changed.insert(after.transaction_id.clone());
        }
        match before {
            Some(at) => self.all[at] = after.clone(),
            None => self.all.push(after.clone()),
        }
        if after.verdict == Verdict::Accepted {
            self.order.accepted_transaction_id = Some(after.transaction_id.clone());
            // More than was paid cannot have been given back, whatever a gateway reports.
            self.order.refunded_minor = after.cancelled_minor.min(self.order.amount.minor);
        }
        self.order.status = status_of(&self.order, &self.all);
        for event_type in events_of(previous.as_ref(), &after, &self.order) {
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
            moved,
        }
    }
}

/// What PortOne's status means once the amounts are read, too; `None` decides nothing.
fn effective_status(
    record: &Record,
    stored: Option<TransactionStatus>,
) -> Option<TransactionStatus> {
    match record.status? {
        // V1 says `cancelled` for gateways that confirm later: until an amount was given back nothing is known to have
        // moved, and a transaction first seen like this is not finished. It is never the payment of an order.
        // https://developers.portone.io/opi/ko/integration/pg/v1/paypal
        TransactionStatus::Cancelled if record.reported.keeps_all() => match stored {
            None | Some(TransactionStatus::Ready) => Some(TransactionStatus::Ready),
            // Only V2 says that it waits for an approval, and there a cancel is the end of the wait.
            Some(TransactionStatus::PayPending) => Some(TransactionStatus::Failed),
            Some(
                TransactionStatus::Failed | TransactionStatus::Paid | TransactionStatus::Cancelled,
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
fn minor(record: &Record, figure: Figure) -> Option<i64> {
    let currency = Currency::parse(record.currency.as_deref()?).ok()?;
    figure.money(currency).ok().map(|money| money.minor)
}

fn cancelled_minor(record: &Record) -> i64 {
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
        approval_number: record.approval_number.clone(),
        method_name: record.method_name.clone(),
        fail_reason: record.fail_reason.clone(),
        receipt_url: record.receipt_url.clone(),
        virtual_account: record
            .virtual_account
            .clone()
            .or_else(|| before.and_then(|b| b.virtual_account.clone())),
        paid_at: record.paid_at,
        checks: verification.checks,
        first_seen_at: before.map_or(fetched_at, |b| b.first_seen_at),
        checked_at: before.map_or(fetched_at, |b| b.checked_at.max(fetched_at)),
    }
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
