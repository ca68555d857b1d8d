//! The gateway of a server that has no PortOne configured: it answers nothing, honestly.

use async_trait::async_trait;

use crate::domain::evidence::Record;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::Money;
use crate::ports::gateway::{Gateway, GatewayError};

/// Nobody to ask.
pub(super) struct Nobody;

#[async_trait]
impl Gateway for Nobody {
    async fn transaction(&self, _id: &TransactionId) -> Result<Option<Record>, GatewayError> {
        Err(GatewayError::NotConfigured)
    }

    async fn transactions_of(&self, _id: &PaymentId) -> Result<Vec<Record>, GatewayError> {
        Err(GatewayError::NotConfigured)
    }

    async fn prepare(&self, _id: &PaymentId, _amount: Money) -> Result<(), GatewayError> {
        Err(GatewayError::NotConfigured)
    }
}
