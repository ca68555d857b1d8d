//! Requests that a shop named: the same name again is the same request.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::ports::store::StoreError;

/// A request by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRequest {
    /// Name of the shop's key.
    pub shop: String,
    /// The shop's name for the request.
    pub name: String,
    /// What was asked for, as a digest.
    pub fingerprint: String,
    /// When it came.
    pub at: Timestamp,
}

/// Names of requests.
#[async_trait]
pub trait RequestStore: Send + Sync {
    /// Keeps a request durably, unless the shop has one of this name that came at `since` or later, and answers with the
    /// fingerprint that is kept now. Requests that came before are forgotten.
    async fn keep(&self, request: &NamedRequest, since: Timestamp) -> Result<String, StoreError>;
}
