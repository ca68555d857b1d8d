//! Personal data that is kept for a set time: erased when it is over, and counted, so that anybody can see that it was.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::ports::store::StoreError;

/// Whose time is over.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// Orders that were made before and did not change since.
    pub untouched_since: Timestamp,
    /// Of orders that were erased once: what was written again and did not change since.
    pub again_since: Timestamp,
}

/// What is kept of whom, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PersonalData {
    /// Orders whose personal data was erased.
    pub erased: u64,
    /// Those of them that have some all the same. Anything but 0 is a defect.
    pub left_over: u64,
    /// Orders whose time is over and whose personal data is still there; not those with a refund under way.
    pub overdue: u64,
    /// When the oldest order was made whose personal data is still there.
    pub oldest: Option<Timestamp>,
}

/// Erases and counts.
///
/// Erased of an order are the buyer's name, address and number, what the shop put beside them (`metadata`, `window_params`, `return_url`) and the
/// fingerprint made of it all; the virtual accounts, receipts and reasons of failure of its transactions; what redirects brought; the
/// words of people and gateways about its refunds and settled payments; and what the shop's server answered to its events. What remains is what was paid, when, and how it was
/// verified.
#[async_trait]
pub trait RetentionStore: Send + Sync {
    /// Erases the personal data of orders whose time is over, oldest first and at most `limit`; says of how many. An order with a
    /// refund under way is left: it may need the account.
    async fn erase(&self, due: Due, now: Timestamp, limit: u32) -> Result<u32, StoreError>;

    /// Removes what the database files still hold of what was erased, as far as that is in this program's hands; `false` when
    /// somebody reads it just now, and it has to be tried again.
    async fn wipe(&self) -> Result<bool, StoreError>;

    /// Counts. Reads every order that was erased, so it is for people who ask, not for every round.
    async fn personal_data(&self, due: Due) -> Result<PersonalData, StoreError>;
}
