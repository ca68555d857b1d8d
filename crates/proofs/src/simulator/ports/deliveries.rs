//! Endpoints and deliveries: nobody has asked for any in these stories. Events end in the outbox, where they are watched.

use async_trait::async_trait;
use jiff::Timestamp;
use wanryo::domain::delivery::{Attempt, Delivery, Endpoint, EndpointId, Leased, Sent, Trouble};
use wanryo::domain::history::Actor;
use wanryo::domain::target::TargetRefused;
use wanryo::ports::deliveries::{
    Again, AilingEndpoint, DeliveryFilter, DeliveryStore, EndpointChange, Redelivered, Rotated,
    Rotation, Settled, Settlement, WebhookCall, WebhookSender,
};
use wanryo::ports::overview::{Overview, OverviewStore, Spans};
use wanryo::ports::store::StoreError;

use super::{Server, unavailable};

#[async_trait]
impl DeliveryStore for Server {
    async fn add_endpoint(&self, _: &Endpoint, _: u32, _: &Actor) -> Result<bool, StoreError> {
        Err(unavailable())
    }

    async fn find_endpoint(&self, _: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        Ok(None)
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        Ok(Vec::new())
    }

    async fn change_endpoint(
        &self,
        _: &EndpointId,
        _: &EndpointChange,
        _: &Actor,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn rotate_secret(
        &self,
        _: &EndpointId,
        _: &Rotation,
        _: &Actor,
        _: Timestamp,
    ) -> Result<Rotated, StoreError> {
        Ok(Rotated::NotFound)
    }

    async fn delete_endpoint(
        &self,
        _: &EndpointId,
        _: &Actor,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn endpoints_with_work(&self, _: Timestamp) -> Result<Vec<EndpointId>, StoreError> {
        Ok(Vec::new())
    }

    async fn ailing_endpoints(&self) -> Result<Vec<AilingEndpoint>, StoreError> {
        Ok(Vec::new())
    }

    async fn dismiss_given_up(
        &self,
        _: &EndpointId,
        _: Timestamp,
        _: &Actor,
        _: Timestamp,
    ) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn lease_deliveries(
        &self,
        _: &EndpointId,
        _: Timestamp,
        _: Timestamp,
        _: u32,
    ) -> Result<Vec<Leased>, StoreError> {
        Ok(Vec::new())
    }

    async fn settle_delivery(&self, _: &Settlement) -> Result<Settled, StoreError> {
        Ok(Settled::NotHeld)
    }

    async fn list_deliveries(&self, _: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        Ok(Vec::new())
    }

    async fn find_delivery(&self, _: i64) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
        Ok(None)
    }

    async fn redeliver(&self, _: i64, _: &Actor, _: Timestamp) -> Result<Redelivered, StoreError> {
        Ok(Redelivered::NothingThere)
    }

    async fn redeliver_many(
        &self,
        _: &Again,
        _: &Actor,
        _: Timestamp,
    ) -> Result<Vec<i64>, StoreError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl WebhookSender for Server {
    async fn check(&self, _: &str) -> Result<(), TargetRefused> {
        Ok(())
    }

    async fn send(&self, _: &WebhookCall) -> Sent {
        Sent::Failed(Trouble::ConnectFailed)
    }
}

/// Nobody in this world looks at it.
#[async_trait]
impl OverviewStore for Server {
    async fn overview(&self, _: &Spans) -> Result<Overview, StoreError> {
        Ok(Overview::default())
    }
}
