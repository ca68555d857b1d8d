//! Personal data that is kept for a set time: erased when it is over, and counted, so that anybody can see that it was.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::ports::store::StoreError;

/// What is kept of whom, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PersonalData {
    /// Orders whose personal data was erased.
    pub erased: u64,
    /// Those of them that have some all the same. Anything but 0 is a defect.
    pub left_over: u64,
    /// Orders whose time is over and whose personal data is still there.
    pub overdue: u64,
    /// When the oldest order was made whose personal data is still there.
    pub oldest: Option<Timestamp>,
}

/// Erases and counts.
///
/// Erased of an order are the buyer's name, address and number, what the shop put beside them (`metadata`, `return_url`) and the
/// fingerprint made of it all; the virtual accounts and receipts of its transactions; the words of people about its refunds and
/// settled payments; and what the shop's server answered to its events. What remains is what was paid, when, and how it was
/// verified.
#[async_trait]
pub trait RetentionStore: Send + Sync {
    /// Erases the personal data of orders that were made before and did not change since, oldest first and at most `limit`; says of
    /// how many. An order with a refund under way is left: it may need the account.
    async fn erase(&self, before: Timestamp, now: Timestamp, limit: u32)
    -> Result<u32, StoreError>;

    /// Removes what the database files still hold of what was erased, as far as that is in this program's hands.
    async fn wipe(&self) -> Result<(), StoreError>;

    /// Counts. Reads every order that was erased, so it is for people who ask, not for every round.
    async fn personal_data(&self, before: Timestamp) -> Result<PersonalData, StoreError>;
}
