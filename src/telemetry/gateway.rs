//! PortOne, with every call counted, timed and traced.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;
use tracing::Instrument;
use tracing::field::Empty;

use super::Metrics;
use crate::TRACES;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::Money;
use crate::domain::order::Portone;
use crate::domain::refund::{Answer, Balance};
use crate::domain::sweep::Listing;
use crate::ports::gateway::{Attempts, CancelCall, Gateway, GatewayError, Page};

/// The word for a call that did what it was made for.
const OK: &str = "ok";

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
        let in_words = |answer: &Result<T, GatewayError>| match answer {
            Ok(_) => OK,
            Err(error) => error.as_str(),
        };
        self.timed_in_words(portone, name, call, in_words).await
    }

    async fn timed_in_words<A>(
        &self,
        portone: Portone,
        name: &'static str,
        call: impl Future<Output = A>,
        in_words: impl Fn(&A) -> &'static str,
    ) -> A {
        let trace = tracing::trace_span!(
            target: TRACES,
            "portone",
            otel.name = %format_args!("PortOne {} {name}", portone.as_str()),
            otel.kind = "client",
            otel.status_code = Empty,
            result = Empty,
        );
        let begun = Instant::now();
        let answer = call.instrument(trace.clone()).await;
        let result = in_words(&answer);
        trace.record("result", result);
        if result != OK {
            trace.record("otel.status_code", "ERROR");
        }
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
        let answer = self.gateway.cancel(portone, call);
        self.timed_in_words(portone, "cancel", answer, word).await
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
        Answer::Taken { .. } => OK,
        Answer::Refused(_) => "refused",
        Answer::NotMade(_) => "not_made",
        Answer::Unknown(_) => "unavailable",
    }
}
