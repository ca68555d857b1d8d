//! What operators want to know of the stored state: how much waits, and for how long.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::order::{OrderStatus, Portone};
use crate::ports::store::StoreError;

/// Rows that wait for the worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queue {
    /// Rows that wait at all.
    pub waiting: u64,
    /// Rows whose time has come.
    pub due: u64,
    /// Since when the oldest of those is due.
    pub due_since: Option<Timestamp>,
}

/// The stored state at one moment, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Received webhooks.
    pub inbox: Queue,
    /// Orders that PortOne is asked about again.
    pub checks: Queue,
    /// Refunds that are not over.
    pub refunds: Queue,
    /// Events for the shop's endpoints. One whose endpoint is off or rests waits, and is not due.
    pub deliveries: Queue,
    /// What needs a person's attention.
    pub attention: u64,
    /// Orders by status. A status that no order has may be missing.
    pub orders: Vec<(OrderStatus, u64)>,
}

/// A received webhook, to be found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Key in the inbox.
    pub id: i64,
    /// When it came.
    pub received_at: Timestamp,
    /// Which generation sent it.
    pub portone: Portone,
    /// What became of it: `waiting`, `done` or `dropped`.
    pub state: String,
    /// The payment it speaks of.
    pub payment_id: String,
}

/// Counts, and hands of operators. An implementation MUST count from indexes alone: it is asked every ten seconds beside a
/// million orders.
#[async_trait]
pub trait OperationsStore: Send + Sync {
    /// Lists the webhooks that came last, latest first.
    async fn list_kept(&self, limit: u32) -> Result<Vec<Kept>, StoreError>;

    /// Makes a webhook due as if it had just come, whatever became of it. Says whether there is one of this key.
    async fn replay(&self, id: i64, now: Timestamp) -> Result<bool, StoreError>;

    /// Counts everything that waits now.
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError>;
}
