//! PortOne, with every call counted and timed.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Metrics;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::Money;
use crate::domain::order::Portone;
use crate::domain::refund::{Answer, Balance};
use crate::domain::sweep::Listing;
use crate::ports::gateway::{Attempts, CancelCall, Gateway, GatewayError, Page};

/// A gateway whose calls are counted. Changes nothing of them.
pub struct Counted {
    gateway: Arc<dyn Gateway>,
    metrics: Arc<Metrics>,
}

impl Counted {
    /// Counts the calls that go through this gateway.
    #[must_use]
    pub fn new(gateway: Arc<dyn Gateway>, metrics: Arc<Metrics>) -> Self {
        Self { gateway, metrics }
    }

    async fn timed<T>(
        &self,
        portone: Portone,
        name: &'static str,
        call: impl Future<Output = Result<T, GatewayError>>,
    ) -> Result<T, GatewayError> {
        let begun = Instant::now();
        let answer = call.await;
        let result = answer
            .as_ref()
            .map_or_else(|error| error.as_str(), |_| "ok");
        self.metrics.call(portone, name, result, begun.elapsed());
        answer
    }
}

#[async_trait]
impl Gateway for Counted {
    async fn attempts(
        &self,
        portone: Portone,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        let call = self.gateway.attempts(portone, id, asked);
        self.timed(portone, "attempts", call).await
    }

    async fn prepare(
        &self,
        portone: Portone,
        id: &PaymentId,
        amount: Money,
    ) -> Result<(), GatewayError> {
        let call = self.gateway.prepare(portone, id, amount);
        self.timed(portone, "prepare", call).await
    }

    async fn balance(
        &self,
        portone: Portone,
        id: &PaymentId,
        transaction_id: &TransactionId,
    ) -> Result<Balance, GatewayError> {
        let call = self.gateway.balance(portone, id, transaction_id);
        self.timed(portone, "balance", call).await
    }

    async fn cancel(&self, portone: Portone, call: &CancelCall) -> Answer {
        let begun = Instant::now();
        let answer = self.gateway.cancel(portone, call).await;
        self.metrics
            .call(portone, "cancel", word(&answer), begun.elapsed());
        answer
    }

    async fn list(
        &self,
        portone: Portone,
        listing: Listing,
        from: Timestamp,
        until: Timestamp,
        page: u32,
    ) -> Result<Page, GatewayError> {
        let call = self.gateway.list(portone, listing, from, until, page);
        self.timed(portone, "list", call).await
    }
}

const fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Taken { .. } => "ok",
        Answer::Refused(_) => "refused",
        Answer::NotMade(_) => "not_made",
        Answer::Unknown(_) => "unavailable",
    }
}
