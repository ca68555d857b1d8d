//! PortOne, as the use cases see it.

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;

use crate::domain::decision::Extent;
use crate::domain::evidence::Record;
use crate::domain::ids::{PaymentId, RefundId, TransactionId};
use crate::domain::money::Money;
use crate::domain::order::Portone;
use crate::domain::refund::{Answer, Balance, RefundAccount, RefundAmount};
use crate::domain::sweep::Listing;

/// Why PortOne gave no usable answer. None of these says anything about the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GatewayError {
    /// No connection, no answer in time, or 5xx.
    #[error("PortOne did not answer")]
    Unavailable,
    /// An answer that is not what PortOne documents.
    #[error("PortOne's answer could not be read")]
    Garbled,
    /// PortOne refuses our keys.
    #[error("PortOne refused the API keys")]
    Unauthorized,
    /// PortOne answered, and refused the call.
    #[error("PortOne refused the call")]
    Refused,
    /// PortOne holds a finished payment under the id already.
    #[error("PortOne holds a finished payment under this id")]
    AlreadyPaid,
    /// The order is paid through a generation of PortOne that is not configured here.
    #[error("this generation of PortOne is not configured")]
    NotConfigured,
}

impl GatewayError {
    /// The word for it in the history.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Garbled => "garbled",
            Self::Unauthorized => "unauthorized",
            Self::Refused => "refused",
            Self::AlreadyPaid => "already_paid",
            Self::NotConfigured => "not_configured",
        }
    }
}

/// What PortOne knows of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempts {
    /// The attempts that were found, the one that was asked for marked as such.
    pub records: Vec<Record>,
    /// Whether a transaction that is not among them is none of the payment's. `false` when PortOne told of the payment, with the
    /// attempt that succeeded if one did, and not of each attempt.
    pub complete: bool,
}

impl Attempts {
    /// How much of the payment they tell.
    #[must_use]
    pub const fn extent(&self) -> Extent {
        if self.complete {
            Extent::Attempts
        } else {
            Extent::Payment
        }
    }
}

/// A call to give money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelCall {
    /// The refund that it is for. The same call for the same refund is the same call.
    pub refund_id: RefundId,
    /// Which payment.
    pub payment_id: PaymentId,
    /// Which transaction of it.
    pub transaction_id: TransactionId,
    /// How much.
    pub amount: RefundAmount,
    /// How much of it is free of tax, when that is to be said.
    pub tax_free: Option<Money>,
    /// The balance that must be left to cancel, or nothing may happen.
    pub guard: Money,
    /// Why.
    pub reason: String,
    /// Where the money goes when it cannot go the way it came.
    pub account: Option<RefundAccount>,
}

/// One page of a list of PortOne's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The payments that can be read, none of them asked for.
    pub records: Vec<Record>,
    /// Whether a page comes after this one.
    pub more: bool,
    /// Payments on all pages together; `None` when PortOne has no such page.
    pub total: Option<u64>,
    /// Whether there are payments on it that cannot be read.
    pub unread: bool,
}

/// Asks PortOne, always at the generation that the order says. An implementation MUST return what PortOne answered to this very
/// ask and never a remembered answer, MUST bound the number, the time and the size of its calls, and MUST NOT follow redirects.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// What PortOne knows under a payment id, test channels included: the transaction that was `asked` for, when there is such
    /// a one, and the payment's other attempts unless that one already holds money. Nothing known is an empty list.
    async fn attempts(
        &self,
        portone: Portone,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError>;

    /// Registers the amount in advance, so that PortOne's SDK refuses to open a window with another one. Calling it again with
    /// the same amount is no error.
    async fn prepare(
        &self,
        portone: Portone,
        id: &PaymentId,
        amount: Money,
    ) -> Result<(), GatewayError>;

    /// What can still be given back of a transaction, and each cancellation so far. An implementation MUST refuse an answer that
    /// is about another payment or another transaction.
    async fn balance(
        &self,
        portone: Portone,
        id: &PaymentId,
        transaction_id: &TransactionId,
    ) -> Result<Balance, GatewayError>;

    /// Gives money back. An implementation MUST send the amount and the guard, MUST make the call once at most, and MUST answer
    /// [`Answer::Unknown`] whenever PortOne may have seen the call and did not say no itself.
    async fn cancel(&self, portone: Portone, call: &CancelCall) -> Answer;

    /// One page, from 0, of everybody's payments that came to this state from `from` until `until`, both of them included, the
    /// earliest first. A page holds at most 100, and one beyond the last is empty. One call.
    async fn list(
        &self,
        portone: Portone,
        listing: Listing,
        from: Timestamp,
        until: Timestamp,
        page: u32,
    ) -> Result<Page, GatewayError>;
}
