//! What is on disk: the tables of `migrations/` with their constraints, in memory. What is written survives every crash of the
//! simulated servers; everything else of them does not.

mod refunds;
mod sweeps;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use wanryo::domain::history::{Entry, StoredEntry};
use wanryo::domain::ids::{PaymentId, TransactionId};
use wanryo::domain::order::Order;
use wanryo::domain::refund::Refund;
use wanryo::domain::sweep::Sweep;
use wanryo::domain::transaction::Verdict;
use wanryo::ports::store::{
    Commit, Committed, Created, InboxEntry, InboxResult, OutboxEvent, Received, Snapshot,
};

pub use self::sweeps::FindingRow;

/// An order with everything that belongs to it.
#[derive(Debug, Clone)]
pub struct Row {
    /// Order and transactions.
    pub snapshot: Snapshot,
    /// Its history.
    pub history: Vec<StoredEntry>,
    /// Its events.
    pub outbox: Vec<OutboxEvent>,
}

/// Where a webhook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboxState {
    /// To be tried at this time.
    Waiting(Timestamp),
    /// Worked off.
    Done,
    /// Given up.
    Dropped,
}

/// A webhook on disk.
#[derive(Debug, Clone)]
pub struct InboxRow {
    /// The webhook.
    pub entry: InboxEntry,
    /// PortOne's name for it.
    pub webhook_id: Option<String>,
    /// Where it stands.
    pub state: InboxState,
    /// The true time at which it was written.
    pub written_at: i64,
}

/// A constraint of the database that a change ran into. The shipped code must not rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constraint(pub &'static str);

/// The tables.
#[derive(Debug, Default)]
pub struct Tables {
    /// Orders by id.
    pub orders: BTreeMap<PaymentId, Row>,
    owners: BTreeMap<TransactionId, PaymentId>,
    events: BTreeSet<String>,
    /// Webhooks by key.
    pub inbox: BTreeMap<i64, InboxRow>,
    /// Refunds, first asked for first.
    pub refunds: Vec<Refund>,
    /// What the sweep found.
    pub findings: Vec<FindingRow>,
    /// Where the sweep stands.
    pub sweep: Option<Sweep>,
}

impl Tables {
    /// Writes an order unless its id exists.
    pub fn create(&mut self, order: &Order, entry: &Entry) -> Created {
        if let Some(row) = self.orders.get(&order.payment_id) {
            return Created::Existing(Box::new(row.snapshot.clone()));
        }
        let mut row = Row {
            snapshot: Snapshot {
                order: order.clone(),
                transactions: Vec::new(),
            },
            history: Vec::new(),
            outbox: Vec::new(),
        };
        append(&mut row.history, entry, u32::MAX);
        self.orders.insert(order.payment_id.clone(), row);
        Created::New
    }

    /// Reads an order.
    #[must_use]
    pub fn find(&self, id: &PaymentId) -> Option<&Snapshot> {
        self.orders.get(id).map(|row| &row.snapshot)
    }

    /// Which order has used a transaction.
    #[must_use]
    pub fn owner(&self, id: &TransactionId) -> Option<&PaymentId> {
        self.owners.get(id)
    }

    /// Writes a change whole, or nothing of it.
    ///
    /// # Errors
    /// The constraint that the change would break.
    pub fn commit(&mut self, commit: &Commit) -> Result<Committed, Constraint> {
        let id = &commit.order.payment_id;
        let Some(row) = self.orders.get(id) else {
            return Ok(Committed::Conflict);
        };
        if row.snapshot.order.version != commit.order.version {
            return Ok(Committed::Conflict);
        }
        for transaction in &commit.transactions {
            let owner = self.owners.get(&transaction.transaction_id);
            if transaction.payment_id != *id || owner.is_some_and(|owner| owner != id) {
                return Ok(Committed::TransactionTaken);
            }
        }
        let mut snapshot = row.snapshot.clone();
        for changed in &commit.transactions {
            match snapshot
                .transactions
                .iter_mut()
                .find(|stored| stored.transaction_id == changed.transaction_id)
            {
                Some(stored) => *stored = changed.clone(),
                None => snapshot.transactions.push(changed.clone()),
            }
        }
        snapshot.transactions.sort_by(|a, b| {
            (a.first_seen_at, &a.transaction_id).cmp(&(b.first_seen_at, &b.transaction_id))
        });
        let prepared_at = snapshot.order.prepared_at;
        snapshot.order = Order {
            version: commit.order.version + 1,
            prepared_at: commit.order.prepared_at.or(prepared_at),
            ..commit.order.clone()
        };
        constraints(&snapshot)?;

        for transaction in &commit.transactions {
            self.owners
                .insert(transaction.transaction_id.clone(), id.clone());
        }
        if let Some(row) = self.orders.get_mut(id) {
            row.snapshot = snapshot;
            for entry in &commit.entries {
                append(&mut row.history, entry, u32::MAX);
            }
            for event in &commit.events {
                if self.events.insert(event.id.clone()) {
                    let seq = row.outbox.len() as i64 + 1;
                    row.outbox.push(OutboxEvent {
                        seq,
                        event: event.clone(),
                    });
                }
            }
        }
        Ok(Committed::Done)
    }

    /// Appends history.
    pub fn append(&mut self, id: &PaymentId, entries: &[Entry], per_kind_max: u32) {
        if let Some(row) = self.orders.get_mut(id) {
            for entry in entries {
                append(&mut row.history, entry, per_kind_max);
            }
        }
    }

    /// Takes orders that are due.
    pub fn lease_due(
        &mut self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Vec<PaymentId> {
        let mut due: Vec<(Timestamp, PaymentId)> = self
            .orders
            .iter()
            .filter_map(|(id, row)| Some((row.snapshot.order.next_check_at?, id.clone())))
            .filter(|(due, _)| *due <= now)
            .collect();
        due.sort();
        due.truncate(limit as usize);
        for (_, id) in &due {
            if let Some(row) = self.orders.get_mut(id) {
                row.snapshot.order.next_check_at = Some(lease_until);
            }
        }
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// Writes a webhook; `None` when its message is there already.
    pub fn receive(&mut self, received: &Received, try_at: Timestamp, now: i64) -> Option<i64> {
        let is_there = received.webhook_id.is_some()
            && self
                .inbox
                .values()
                .any(|row| row.webhook_id == received.webhook_id);
        if is_there {
            return None;
        }
        let id = self.inbox.len() as i64 + 1;
        let entry = InboxEntry {
            id,
            portone: received.portone,
            payment_id: received.payment_id.clone(),
            transaction_id: received.transaction_id.clone(),
            claimed_status: received.claimed_status.clone(),
            received_at: received.at,
            attempts: 0,
            lease: 0,
        };
        self.inbox.insert(
            id,
            InboxRow {
                entry,
                webhook_id: received.webhook_id.clone(),
                state: InboxState::Waiting(try_at),
                written_at: now,
            },
        );
        Some(id)
    }

    /// Writes what became of a webhook, if the lease is still the last one. What was settled stays so.
    pub fn settle(&mut self, id: i64, lease: i64, result: InboxResult) {
        if let Some(row) = self.inbox.get_mut(&id)
            && let InboxState::Waiting(_) = row.state
            && row.entry.lease == lease
        {
            row.state = match result {
                InboxResult::Done => InboxState::Done,
                InboxResult::Dropped => InboxState::Dropped,
                InboxResult::Again(at) => {
                    row.entry.attempts += 1;
                    InboxState::Waiting(at)
                }
            };
        }
    }

    /// Takes webhooks that are due.
    pub fn lease_inbox(
        &mut self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Vec<InboxEntry> {
        let mut due: Vec<(Timestamp, i64)> = self
            .inbox
            .iter()
            .filter_map(|(id, row)| match row.state {
                InboxState::Waiting(at) => Some((at, *id)),
                InboxState::Done | InboxState::Dropped => None,
            })
            .filter(|(at, _)| *at <= now)
            .collect();
        due.sort_unstable();
        due.truncate(limit as usize);
        let mut taken = Vec::new();
        for (_, id) in due {
            if let Some(row) = self.inbox.get_mut(&id) {
                row.state = InboxState::Waiting(lease_until);
                row.entry.lease += 1;
                taken.push(row.entry.clone());
            }
        }
        taken
    }

    /// Makes the waiting webhooks of a payment due; their leases end.
    pub fn wake(&mut self, id: &PaymentId, now: Timestamp) {
        for row in self.inbox.values_mut() {
            if let InboxState::Waiting(at) = row.state
                && row.entry.payment_id == *id
            {
                row.state = InboxState::Waiting(at.min(now));
                row.entry.lease += 1;
            }
        }
    }
}

/// `orders_paid_by_transaction`, `orders_refunded_check`, `orders_accepted_transaction_fkey`, `transactions_accepted_once`.
fn constraints(snapshot: &Snapshot) -> Result<(), Constraint> {
    use wanryo::domain::order::OrderStatus as S;
    let Snapshot {
        order,
        transactions,
    } = snapshot;
    let is_paid = matches!(order.status, S::Paid | S::PartiallyRefunded | S::Refunded);
    if is_paid != order.accepted_transaction_id.is_some() {
        return Err(Constraint("orders_paid_by_transaction"));
    }
    if !(0..=order.amount.minor).contains(&order.refunded_minor) {
        return Err(Constraint("orders_refunded_check"));
    }
    let mut accepted = transactions
        .iter()
        .filter(|t| t.verdict == Verdict::Accepted);
    let first = accepted.next();
    if accepted.next().is_some() {
        return Err(Constraint("transactions_accepted_once"));
    }
    if first.map(|t| &t.transaction_id) != order.accepted_transaction_id.as_ref() {
        return Err(Constraint("orders_accepted_transaction_fkey"));
    }
    Ok(())
}

/// Appends an entry unless its key is there or there are enough of its kind.
fn append(history: &mut Vec<StoredEntry>, entry: &Entry, per_kind_max: u32) {
    let is_there = entry.once_key.is_some()
        && history
            .iter()
            .any(|stored| stored.entry.once_key == entry.once_key);
    let same_kind = history
        .iter()
        .filter(|stored| stored.entry.kind == entry.kind)
        .count();
    if is_there || same_kind >= per_kind_max as usize {
        return;
    }
    history.push(StoredEntry {
        seq: history.len() as i64 + 1,
        entry: entry.clone(),
    });
}
