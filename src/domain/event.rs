//! Events for the shop, written in the same transaction as the change they tell of.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::ids::{PaymentId, TransactionId};
use super::order::{OrderStatus, words};

/// What happened, in the API's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// A verified payment was accepted.
    OrderPaid,
    /// An account was issued.
    OrderVirtualAccountIssued,
    /// An attempt failed; the order may still be paid.
    OrderPaymentFailed,
    /// A payment arrived and a check failed.
    OrderHeld,
    /// A second payment arrived for a paid order.
    OrderDuplicatePayment,
    /// A payment arrived after the order had expired or was closed.
    OrderLatePayment,
    /// All was given back.
    OrderRefunded,
    /// A part was given back.
    OrderPartiallyRefunded,
    /// The order's time ran out.
    OrderExpired,
}
words!(EventType {
    OrderPaid = "order.paid",
    OrderVirtualAccountIssued = "order.virtual_account_issued",
    OrderPaymentFailed = "order.payment_failed",
    OrderHeld = "order.held",
    OrderDuplicatePayment = "order.duplicate_payment",
    OrderLatePayment = "order.late_payment",
    OrderRefunded = "order.refunded",
    OrderPartiallyRefunded = "order.partially_refunded",
    OrderExpired = "order.expired",
});

/// An event that waits to be delivered. Thin: ids, status and amount, never personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The same transition always has the same id, so writing it twice is refused by the table's key.
    pub id: String,
    /// What happened.
    pub event_type: EventType,
    /// To which order.
    pub payment_id: PaymentId,
    /// Through which transaction.
    pub transaction_id: Option<TransactionId>,
    /// Where the order stands after it.
    pub status: OrderStatus,
    /// How much was given back so far, in minor units.
    pub refunded_minor: i64,
    /// When it was decided.
    pub at: Timestamp,
}

/// Names a transition of one order: the event, the transaction, and how much was given back by then.
#[must_use]
pub fn event_id(
    event_type: EventType,
    payment_id: &PaymentId,
    transaction_id: Option<&TransactionId>,
    refunded_minor: i64,
) -> String {
    let mut hash = Sha256::new();
    for part in [
        event_type.as_str(),
        payment_id.as_str(),
        transaction_id.map_or("", TransactionId::as_str),
        &refunded_minor.to_string(),
    ] {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let hex: String = digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("evt_{hex}")
}
