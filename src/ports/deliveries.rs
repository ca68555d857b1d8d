//! Endpoints, deliveries and how they are sent.

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use super::store::StoreError;
use crate::domain::delivery::{
    Attempt, Delivery, DeliveryStatus, Endpoint, EndpointId, EndpointStatus, Leased, News, Next,
    Sent,
};
use crate::domain::event::EventType;
use crate::domain::history::Actor;
use crate::domain::ids::PaymentId;
use crate::domain::target::TargetRefused;

/// What is to be different about an endpoint; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointChange {
    /// Where events are posted to.
    pub url: Option<String>,
    /// The types that it wants; `Some(None)` is all.
    pub event_types: Option<Option<Vec<EventType>>>,
    /// Whether anything is sent. Enabling ends a pause, too, and forgets the failures.
    pub enabled: Option<bool>,
}

/// A new secret for an endpoint.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// It.
    pub secret: SecretString,
    /// Until when the secret before the newest signed, as it was when this was decided: every rotation makes it another time.
    pub seen: Option<Timestamp>,
    /// Until when the secret before this one signs.
    pub previous_until: Timestamp,
}

/// What came of giving an endpoint a new secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// It has it.
    Done,
    /// It was given another one since.
    Before,
    /// No such endpoint.
    NotFound,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only this endpoint's.
    pub endpoint_id: Option<EndpointId>,
    /// Only these.
    pub status: Option<DeliveryStatus>,
    /// Only of this order.
    pub payment_id: Option<PaymentId>,
    /// Only of this event.
    pub event_id: Option<String>,
    /// Only of this type.
    pub event_type: Option<EventType>,
    /// Only deliveries listed after this one (newest first, by `id`).
    pub after: Option<i64>,
    /// At most this many, 1 to 101: a page, and the one that tells whether another follows.
    pub limit: u32,
}

/// An endpoint that a person has to look at: nothing gets to it, or something did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AilingEndpoint {
    /// Whose.
    pub endpoint_id: EndpointId,
    /// Where events are posted to.
    pub url: String,
    /// Whether anything is sent.
    pub status: EndpointStatus,
    /// Since when nothing but failures came back.
    pub failing_since: Option<Timestamp>,
    /// How many of its events were given up and not taken care of, counted up to [`UNDELIVERED_COUNTED_MAX`].
    pub undelivered: u32,
    /// When the first of those was given up.
    pub undelivered_since: Option<Timestamp>,
    /// How many wait for it, counted as far.
    pub waiting: u32,
}

/// How far an endpoint's events are counted, and how many that were given up are taken care of at once.
pub const UNDELIVERED_COUNTED_MAX: u32 = 1_000;

/// Which deliveries of an endpoint to send again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// Whose.
    pub endpoint_id: EndpointId,
    /// How far they are.
    pub status: DeliveryStatus,
    /// Those as well that a person took care of.
    pub dismissed: bool,
    /// Of events written at or after.
    pub from: Option<Timestamp>,
    /// Of events written before.
    pub to: Option<Timestamp>,
    /// Behind this one.
    pub after: Option<i64>,
    /// At most this many, oldest first.
    pub limit: u32,
}

/// What came of asking for a delivery again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redelivered {
    /// It is sent when its turn comes.
    Done,
    /// No such delivery.
    NothingThere,
    /// Nothing is sent to its endpoint.
    NotServed,
}

/// What came of writing what became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Written, and the endpoint stands as before.
    Written,
    /// Written, and the endpoint stands otherwise now.
    WithEndpoint(EndpointStatus),
    /// Somebody else holds the delivery: nothing was written.
    NotHeld,
}

/// What became of a delivery that was leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The delivery, as it was leased.
    pub delivery: Leased,
    /// For whom.
    pub endpoint_id: EndpointId,
    /// Where it was sent. What it says of the endpoint counts only while the endpoint is there.
    pub url: String,
    /// What happened.
    pub attempt: Attempt,
    /// What becomes of it.
    pub next: Next,
    /// What it says about the endpoint.
    pub news: News,
    /// When it was decided.
    pub at: Timestamp,
}

/// Where events go, and how far each of them is. Events become deliveries in [`OrderStore::commit`], in the same transaction, for
/// every endpoint that is served then and wants the type.
///
/// What somebody changes or asks for again MUST stand in the audit log ([`AuditStore`](super::audit::AuditStore)) as done by `by`,
/// written in the same transaction.
///
/// [`OrderStore::commit`]: super::store::OrderStore::commit
#[async_trait]
pub trait DeliveryStore: Send + Sync {
    /// Writes a new endpoint, unless there are `endpoints_max` of them. Says whether it did.
    async fn add_endpoint(
        &self,
        endpoint: &Endpoint,
        endpoints_max: u32,
        by: &Actor,
    ) -> Result<bool, StoreError>;

    /// Finds an endpoint; one that was deleted is none.
    async fn find_endpoint(&self, id: &EndpointId) -> Result<Option<Endpoint>, StoreError>;

    /// Every endpoint, first made first.
    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError>;

    /// Changes an endpoint. Says whether there is one.
    async fn change_endpoint(
        &self,
        id: &EndpointId,
        change: &EndpointChange,
        by: &Actor,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Gives an endpoint a new secret. The newest so far is the one before from then on, and signs, too, until `previous_until`.
    /// Where a secret before it still signs at `at`, the newest so far MUST go instead and that one stay: it is the one of which
    /// it is sure that the shop has it.
    ///
    /// Nothing is written when the endpoint's secrets are not those that the rotation was decided on.
    async fn rotate_secret(
        &self,
        id: &EndpointId,
        rotation: &Rotation,
        by: &Actor,
        at: Timestamp,
    ) -> Result<Rotated, StoreError>;

    /// Deletes an endpoint and its secrets; what was not delivered is given up, and the record of deliveries stays. Says whether there
    /// was one.
    async fn delete_endpoint(
        &self,
        id: &EndpointId,
        by: &Actor,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The endpoints that are served, do not rest, and have deliveries that are due.
    async fn endpoints_with_work(&self, now: Timestamp) -> Result<Vec<EndpointId>, StoreError>;

    /// The endpoints that were paused, answered 410, or have events that were given up and that nobody took care of, first made
    /// first. One that a person disabled is none of them.
    async fn ailing_endpoints(&self) -> Result<Vec<AilingEndpoint>, StoreError>;

    /// Notes that a person took care of what was given up for an endpoint at or before `until`, the oldest
    /// [`UNDELIVERED_COUNTED_MAX`]. Says how many those were; the endpoint stays as it is.
    async fn dismiss_given_up(
        &self,
        id: &EndpointId,
        until: Timestamp,
        by: &Actor,
        at: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Takes up to `limit` due deliveries of an endpoint and moves them to `lease_until`, so that nobody else takes them before. Of
    /// one order none is taken while an earlier one is pending, and none when the endpoint is not served.
    async fn lease_deliveries(
        &self,
        endpoint: &EndpointId,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Leased>, StoreError>;

    /// Writes what became of a delivery with its attempt, and what that says about the endpoint, if the lease still is the last
    /// one. A later event of the order becomes due when this one is delivered or given up, and no sooner than it when not.
    async fn settle_delivery(&self, settlement: &Settlement) -> Result<Settled, StoreError>;

    /// Lists deliveries, newest first.
    async fn list_deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError>;

    /// A delivery with its attempts, first one first.
    async fn find_delivery(&self, id: i64) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError>;

    /// Makes a delivery due, however far it was, and begins its schedule anew.
    async fn redeliver(
        &self,
        id: i64,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Redelivered, StoreError>;

    /// The same for many, see [`Again`]. Says which, in order.
    async fn redeliver_many(
        &self,
        again: &Again,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Vec<i64>, StoreError>;
}

/// A webhook to be sent.
#[derive(Debug, Clone)]
pub struct WebhookCall {
    /// Where to.
    pub url: String,
    /// What it is signed with: one signature each.
    pub secrets: Vec<SecretString>,
    /// The event's id.
    pub id: String,
    /// When it is sent.
    pub at: Timestamp,
    /// What is sent.
    pub body: String,
}

/// The way out to the shop's server.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Whether an address may be sent to, as far as can be said now: what its name stands for is looked up, and a name that stands
    /// for nothing yet is none to refuse.
    async fn check(&self, url: &str) -> Result<(), TargetRefused>;

    /// Sends a webhook, once, and comes back within a named time. MUST connect to no address that is refused, follow no redirect,
    /// use no proxy, and read no more of the answer than is kept of it.
    async fn send(&self, call: &WebhookCall) -> Sent;
}
