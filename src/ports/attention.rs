//! What needs attention, where the sweep stands, and what was received: what the shop's people look at beside their orders.
//!
//! Every implementation passes `tests/it/sweep.rs`.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::StoreError;
use crate::domain::attention::{Arrival, AttentionItem, AttentionKind, Finding, Settled};
use crate::domain::history::Actor;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::order::Portone;
use crate::domain::refund::{Refund, Word};
use crate::domain::sweep::Sweep;

/// Where a list of items goes on: after this one, latest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// When the last item was first seen.
    pub first_seen_at: Timestamp,
    /// Its kind.
    pub kind: AttentionKind,
    /// Its transaction.
    pub transaction_id: TransactionId,
}

/// An item as a person saw it: which of the findings or refunds of one transaction it was, and what had been given back by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// How much was given back, in minor units.
    pub cancelled_minor: i64,
    /// When this server first saw it.
    pub first_seen_at: Timestamp,
}

impl Seen {
    /// As [`to_text`](Self::to_text) writes it.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let (cancelled, first_seen) = text.split_once(' ')?;
        Some(Self {
            cancelled_minor: cancelled.parse().ok()?,
            first_seen_at: first_seen.parse().ok()?,
        })
    }

    /// For a form that is to come back with it.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{} {}", self.cancelled_minor, self.first_seen_at)
    }

    /// What a page shows of an item.
    #[must_use]
    pub const fn of(item: &AttentionItem) -> Self {
        Self {
            cancelled_minor: item.cancelled_minor,
            first_seen_at: item.first_seen_at,
        }
    }
}

/// What came of settling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settling {
    /// It is settled now.
    Done,
    /// Somebody was faster; that word stays.
    Before,
    /// It is another one by now than the person saw.
    Changed,
    /// Nothing of the kind needs attention.
    NothingThere,
}

/// A webhook that was received, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedWebhook {
    /// When.
    pub at: Timestamp,
    /// Which generation it is of.
    pub portone: Portone,
    /// The payment it speaks of.
    pub payment_id: PaymentId,
    /// The transaction it speaks of.
    pub transaction_id: Option<TransactionId>,
    /// The status it claims. Decides nothing.
    pub claimed_status: Option<String>,
    /// What became of it.
    pub arrival: Arrival,
}

/// What needs attention. A transaction whose verdict is `duplicate`, `late` or `held` and that holds money needs it by itself,
/// and so do every finding, an unclear one from ten minutes after it was first seen, every refund in doubt, and every one that PortOne took a day ago and does not show, until a person
/// settled it or its cause is gone.
#[async_trait]
pub trait AttentionStore: Send + Sync {
    /// Writes a finding. One that is there already is seen again: its figures are renewed, and when it was first seen stays.
    async fn report(&self, finding: &Finding) -> Result<(), StoreError>;

    /// Findings that were last seen before `swept_from`, and whose payments are no older than `paid_from`, were looked for and
    /// not found: their cause is gone. Of the generations that were passed over nothing was looked for.
    async fn withdraw_unseen(
        &self,
        swept_from: Timestamp,
        paid_from: Timestamp,
        passed_over: &[Portone],
    ) -> Result<(), StoreError>;

    /// An order's payments that could not be read are gone: PortOne was asked by its number at this time, and told all that holds
    /// or held money of it. What could not be read then, or since, stays.
    async fn withdraw_unclear(
        &self,
        payment_id: &PaymentId,
        read_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Notes that a person took care of an item. The first word stays, and the same one said again by the same is that word; of a
    /// drift it is about the amount that had been given back by then, and another amount needs attention anew. With `seen` the word
    /// counts of nothing else. MUST stand in the audit log, written in the same transaction.
    async fn settle(
        &self,
        kind: AttentionKind,
        transaction_id: &TransactionId,
        seen: Option<Seen>,
        by: &Actor,
        note: &str,
        at: Timestamp,
    ) -> Result<Settling, StoreError>;

    /// A person's word on this refund, when there is one: it was settled while nobody knew its end.
    async fn find_word(&self, refund: &Refund) -> Result<Option<Word>, StoreError>;

    /// Lists what needs attention now, latest first, at most 101: a page, and the one that tells whether another follows.
    async fn list_attention(
        &self,
        now: Timestamp,
        after: Option<&After>,
        limit: u32,
    ) -> Result<Vec<AttentionItem>, StoreError>;

    /// How many items and endpoints need attention now, counted up to `max`.
    async fn count_attention(&self, now: Timestamp, max: u32) -> Result<u32, StoreError>;

    /// Lists what was settled, latest first, at most 100.
    async fn list_settled(&self, limit: u32) -> Result<Vec<Settled>, StoreError>;

    /// The same of one order's number.
    async fn list_settled_of(
        &self,
        payment_id: &PaymentId,
        limit: u32,
    ) -> Result<Vec<Settled>, StoreError>;

    /// Lists the webhooks that came last, latest first, at most 100.
    async fn list_received(&self, limit: u32) -> Result<Vec<ReceivedWebhook>, StoreError>;
}

/// Where the sweep stands, once for all instances.
#[async_trait]
pub trait SweepStore: Send + Sync {
    /// Reads it; `None` before it was ever planned.
    async fn find_sweep(&self) -> Result<Option<Sweep>, StoreError>;

    /// Plans the first sweep, unless there is a plan.
    async fn plan_sweep(&self, due_at: Timestamp) -> Result<(), StoreError>;

    /// Takes the next step when it is due, and moves it to `lease_until`, so that nobody else takes it before.
    async fn lease_sweep(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<Sweep>, StoreError>;

    /// Writes where the sweep stands, unless somebody else took it since. Says whether it was written.
    async fn save_sweep(&self, sweep: &Sweep) -> Result<bool, StoreError>;

    /// When the first order was made.
    async fn first_order_at(&self) -> Result<Option<Timestamp>, StoreError>;
}
