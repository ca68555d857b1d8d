//! What PortOne says, as this server fetched it. Nobody but the gateway makes evidence.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::ids::TransactionId;
use super::transaction::{TransactionStatus, VirtualAccount};

/// One transaction as PortOne reports it, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The id that was asked for, when one was; the answer must echo it.
    pub asked: Option<TransactionId>,
    /// PortOne's id in the answer.
    pub transaction_id: TransactionId,
    /// The merchant's id in the answer.
    pub payment_id: String,
    /// `None` for a status this version does not know: it decides nothing.
    pub status: Option<TransactionStatus>,
    /// In the unit PortOne V1 uses, the major one.
    pub amount_major: Decimal,
    /// Given back so far, same unit.
    pub cancelled_major: Decimal,
    /// ISO 4217 code; absent is refused.
    pub currency: Option<String>,
    /// Made through a test channel; absent is refused.
    pub test: Option<bool>,
    /// `card`, `vbank`, …
    pub pay_method: Option<String>,
    /// Payment gateway.
    pub pg_provider: Option<String>,
    /// The card company's approval number.
    pub approval_number: Option<String>,
    /// Card or bank name.
    pub method_name: Option<String>,
    /// The gateway's own words.
    pub fail_reason: Option<String>,
    /// Receipt at the gateway.
    pub receipt_url: Option<String>,
    /// The account, when one was issued.
    pub virtual_account: Option<VirtualAccount>,
    /// When it was paid, by PortOne's clock.
    pub paid_at: Option<Timestamp>,
}

impl Record {
    /// Paid, by PortOne's words, and not given back whole.
    #[must_use]
    pub fn holds_money(&self) -> bool {
        match self.status {
            Some(TransactionStatus::Paid) => true,
            Some(TransactionStatus::Cancelled) => {
                !self.cancelled_major.is_zero() && self.cancelled_major < self.amount_major
            }
            Some(TransactionStatus::Ready | TransactionStatus::Failed) | None => false,
        }
    }
}

/// Everything one ask brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// When the first call of the ask began.
    pub fetched_at: Timestamp,
    /// What PortOne knows; empty when it knows nothing.
    pub records: Vec<Record>,
}
