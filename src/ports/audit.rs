//! The log of who did what.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::StoreError;
use crate::domain::audit::{Act, BrokenAt, End, Link};
use crate::domain::history::Actor;

/// A wrong password or code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// When.
    pub at: Timestamp,
    /// Who, as far as it is known.
    pub by: Actor,
    /// What was wrong.
    pub act: Act,
    /// The e-mail address of the account; `None` for an address that nobody may sign in with, whatever was typed.
    pub account: Option<String>,
}

/// What was found when the chain was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// Where it is said to end.
    pub end: End,
    /// The first entry that was looked at.
    pub from: i64,
    /// The first of those that is broken.
    pub broken_at: Option<BrokenAt>,
}

/// What people did, chained. Every store writes the entry of a deed in the deed's own transaction, as done by the `by` that it is
/// given; entries are appended one after the other, whatever is done at the same time, and never changed or removed.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Counts a mistake, and writes down the few that
    /// [`is_written_down`](crate::domain::audit::is_written_down) names, of those of an account within
    /// [`MISTAKES_TOGETHER`](crate::domain::audit::MISTAKES_TOGETHER). All addresses that nobody may sign in with are counted as one.
    async fn count_mistake(&self, mistake: &Mistake) -> Result<(), StoreError>;

    /// The entries before this number, newest first, as they are stored.
    async fn audit_log(&self, before: Option<i64>, limit: u32) -> Result<Vec<Link>, StoreError>;

    /// Follows the newest entries, as many as these, to the end of the chain.
    async fn audit_chain(&self, newest: u32) -> Result<Chain, StoreError>;
}
