//! What operators want to know of the stored state: how much waits, and for how long.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::order::OrderStatus;
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
    /// What needs a person's attention.
    pub attention: u64,
    /// Orders by status. A status that no order has may be missing.
    pub orders: Vec<(OrderStatus, u64)>,
}

/// Counts. An implementation MUST answer from indexes alone: it is asked once a minute beside a million orders.
#[async_trait]
pub trait OperationsStore: Send + Sync {
    /// Counts everything that waits now.
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError>;
}
