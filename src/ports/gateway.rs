//! PortOne, as the use cases see it.

use async_trait::async_trait;
use thiserror::Error;

use crate::domain::evidence::Record;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::Money;

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
            Self::NotConfigured => "not_configured",
        }
    }
}

/// Asks PortOne. An implementation MUST return what PortOne answered to this very call and never a remembered answer, MUST
/// bound every call in time and size, and MUST NOT follow redirects.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// One transaction by PortOne's id, test channel included; `None` when PortOne does not know it.
    async fn transaction(&self, id: &TransactionId) -> Result<Option<Record>, GatewayError>;

    /// Every transaction that PortOne knows under a payment id.
    async fn transactions_of(&self, id: &PaymentId) -> Result<Vec<Record>, GatewayError>;

    /// Registers the amount in advance, so that PortOne's SDK refuses to open a window with another one. Calling it again with
    /// the same amount is no error.
    async fn prepare(&self, id: &PaymentId, amount: Money) -> Result<(), GatewayError>;
}
