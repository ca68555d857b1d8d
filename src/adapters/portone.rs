//! PortOne's API as evidence: turns what `crates/portone` parsed into [`Record`]s, and decides nothing.
//!
//! [`Record`]: crate::domain::evidence::Record

mod v1;
mod v2;

use async_trait::async_trait;

pub use v1::PortoneV1;
pub use v2::PortoneV2;

use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::Money;
use crate::domain::order::Portone;
use crate::ports::gateway::{Attempts, Gateway, GatewayError};

/// Longest text that is kept of a gateway's, in characters.
const TEXT_CHARS_MAX: usize = 500;
/// Longest text that may be a currency code. ISO 4217 has three letters; what is longer is kept to be shown as wrong.
const CURRENCY_BYTES_MAX: usize = 8;

/// Both generations of PortOne, as far as they are configured. An order is asked about at its own generation alone.
#[derive(Debug, Clone)]
pub struct Generations {
    /// V1, when it is configured.
    pub v1: Option<PortoneV1>,
    /// V2, when it is configured.
    pub v2: Option<PortoneV2>,
}

impl Generations {
    fn v1(&self) -> Result<&PortoneV1, GatewayError> {
        self.v1.as_ref().ok_or(GatewayError::NotConfigured)
    }

    fn v2(&self) -> Result<&PortoneV2, GatewayError> {
        self.v2.as_ref().ok_or(GatewayError::NotConfigured)
    }
}

#[async_trait]
impl Gateway for Generations {
    async fn attempts(
        &self,
        portone: Portone,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        match portone {
            Portone::V1 => self.v1()?.attempts(id, asked).await,
            Portone::V2 => self.v2()?.attempts(id, asked).await,
        }
    }

    async fn prepare(
        &self,
        portone: Portone,
        id: &PaymentId,
        amount: Money,
    ) -> Result<(), GatewayError> {
        match portone {
            Portone::V1 => self.v1()?.prepare(id, amount).await,
            Portone::V2 => self.v2()?.prepare(id, amount).await,
        }
    }
}

fn failure(portone: Portone, error: &portone::Error) -> GatewayError {
    if error.is_unauthorized() {
        let settings = match portone {
            Portone::V1 => "PORTONE_V1_API_KEY and PORTONE_V1_API_SECRET",
            Portone::V2 => "PORTONE_V2_API_SECRET",
        };
        tracing::error!(
            error = error as &dyn std::error::Error,
            "PortOne refused the API keys; check {settings}"
        );
        return GatewayError::Unauthorized;
    }
    tracing::debug!(
        error = error as &dyn std::error::Error,
        "a call to PortOne failed"
    );
    match error {
        portone::Error::Rejected { .. } | portone::Error::NotFound => GatewayError::Refused,
        portone::Error::Garbled(_)
        | portone::Error::BodyTooLarge
        | portone::Error::TooManyPages => GatewayError::Garbled,
        // 408, 425 and a request that still runs at PortOne are no refusals, whatever their status looks like.
        portone::Error::Http {
            status: 400..=428, ..
        } if !error.is_retryable() => GatewayError::Refused,
        portone::Error::Http { .. }
        | portone::Error::Timeout
        | portone::Error::Connect(_)
        | portone::Error::Interrupted(_)
        | portone::Error::FateUnknown(_)
        | portone::Error::Unauthorized
        | portone::Error::InvalidConfiguration(_) => GatewayError::Unavailable,
    }
}

/// What is no code at all is no currency: it must not become one by being cleaned.
fn currency_code(code: String) -> Option<String> {
    Some(code).filter(|code| {
        code.len() <= CURRENCY_BYTES_MAX && code.bytes().all(|b| b.is_ascii_graphic())
    })
}

/// A gateway's text without control characters, which PostgreSQL would refuse in part and no page wants, cut to a sane length.
fn text(text: String) -> Option<String> {
    let clean: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(TEXT_CHARS_MAX)
        .collect();
    Some(clean).filter(|clean| !clean.is_empty())
}
