//! Requests that a shop named: the same name again is the same request.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::ports::store::StoreError;

/// How long a name is kept.
pub const NAME_KEPT: SignedDuration = SignedDuration::from_hours(24);

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

impl NamedRequest {
    /// Names of requests that came before are forgotten when this one comes.
    #[must_use]
    pub fn forgotten_before(&self) -> Timestamp {
        self.at.checked_sub(NAME_KEPT).unwrap_or(self.at)
    }
}

/// Names of requests.
#[async_trait]
pub trait RequestStore: Send + Sync {
    /// Keeps a request durably, unless the shop has one of this name that is not forgotten, and answers with the fingerprint that is
    /// kept now.
    async fn keep(&self, request: &NamedRequest) -> Result<String, StoreError>;
}
