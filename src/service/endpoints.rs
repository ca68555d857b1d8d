//! The shop's endpoints: made, changed, given new secrets, deleted.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::SecretString;
use thiserror::Error;

use super::Core;
use crate::domain::delivery::{
    ENDPOINTS_MAX, Endpoint, EndpointId, EndpointStatus, ROTATION, Secrets,
};
use crate::domain::event::EventType;
use crate::domain::history::Actor;
use crate::domain::target::TargetRefused;
use crate::ports::deliveries::{Again, EndpointChange, Rotated, Rotation};
use crate::ports::entropy::draw;
use crate::ports::store::StoreError;

/// Events that are sent again by one ask, at the most.
pub const REDELIVERED_MAX: u32 = 1_000;

/// Why an endpoint was not made or changed.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// Nothing may be sent to its address.
    #[error("nothing may be sent to the address")]
    Target(#[from] TargetRefused),
    /// There are enough.
    #[error("there are {ENDPOINTS_MAX} endpoints already")]
    TooMany,
    /// No such endpoint.
    #[error("there is no such endpoint")]
    NotFound,
    /// It was given a new secret, and the one before still signs, or another than was known.
    #[error("the endpoint was given a new secret since")]
    RotatedBefore,
    /// Nothing is sent to it.
    #[error("nothing is sent to the endpoint")]
    NotServed,
    /// The store failed.
    #[error("the endpoint could not be read or written")]
    Store(#[from] StoreError),
}

/// Looks whether anything may be sent to an address.
///
/// # Errors
/// [`EndpointError::Target`].
pub async fn check(core: &Core, url: &str) -> Result<(), EndpointError> {
    Ok(core.webhooks.check(url).await?)
}

/// Makes an endpoint. Its secret is to be shown this once.
///
/// # Errors
/// See [`EndpointError`].
pub async fn make(
    core: &Core,
    url: &str,
    event_types: Option<Vec<EventType>>,
    by: &Actor,
) -> Result<Endpoint, EndpointError> {
    core.webhooks.check(url).await?;
    let now = core.clock.now();
    let endpoint = Endpoint {
        id: EndpointId::from_bytes(draw(core.entropy.as_ref())),
        url: url.to_owned(),
        secrets: Secrets {
            newest: secret(core),
            previous: None,
        },
        event_types,
        status: EndpointStatus::Enabled,
        failing_since: None,
        resume_at: None,
        created_at: now,
        updated_at: now,
    };
    if core
        .deliveries
        .add_endpoint(&endpoint, ENDPOINTS_MAX, by)
        .await?
    {
        Ok(endpoint)
    } else {
        Err(EndpointError::TooMany)
    }
}

/// Changes an endpoint.
///
/// # Errors
/// See [`EndpointError`].
pub async fn change(
    core: &Core,
    id: &EndpointId,
    change: &EndpointChange,
    by: &Actor,
) -> Result<Endpoint, EndpointError> {
    if let Some(url) = &change.url {
        core.webhooks.check(url).await?;
    }
    let now = core.clock.now();
    if core.deliveries.change_endpoint(id, change, by, now).await? {
        find(core, id).await
    } else {
        Err(EndpointError::NotFound)
    }
}

/// Gives an endpoint a new secret, which is to be shown this once. The one before signs, too, for a day, and until it is over
/// none is made in the same way: whoever asks twice because an answer was lost would push out the secret that the shop has.
///
/// # Errors
/// See [`EndpointError`].
pub async fn rotate(core: &Core, id: &EndpointId, by: &Actor) -> Result<Endpoint, EndpointError> {
    let previous = find(core, id).await?.secrets.previous;
    let seen = previous.map(|(_, until)| until);
    if seen.is_some_and(|until| core.clock.now() < until) {
        return Err(EndpointError::RotatedBefore);
    }
    rotate_seen(core, id, seen, by).await
}

/// The same for a person who has seen until when the secret before the newest signs. While it does, the newest is replaced, which
/// the person says nobody has, and the one before goes on for another day. Asked for twice, it is done once.
///
/// # Errors
/// See [`EndpointError`].
pub async fn rotate_seen(
    core: &Core,
    id: &EndpointId,
    seen: Option<Timestamp>,
    by: &Actor,
) -> Result<Endpoint, EndpointError> {
    let now = core.clock.now();
    let rotation = Rotation {
        secret: secret(core),
        seen,
        previous_until: now.checked_add(ROTATION).unwrap_or(now),
    };
    match core
        .deliveries
        .rotate_secret(id, &rotation, by, now)
        .await?
    {
        Rotated::Done => find(core, id).await,
        Rotated::Before => Err(EndpointError::RotatedBefore),
        Rotated::NotFound => Err(EndpointError::NotFound),
    }
}

/// Finds an endpoint.
///
/// # Errors
/// [`EndpointError::NotFound`] and [`EndpointError::Store`].
pub async fn find(core: &Core, id: &EndpointId) -> Result<Endpoint, EndpointError> {
    let found = core.deliveries.find_endpoint(id).await?;
    found.ok_or(EndpointError::NotFound)
}

/// Sends many of an endpoint's events again; says how many, which may be as many as were asked for at the most.
///
/// # Errors
/// [`EndpointError::NotFound`], [`EndpointError::NotServed`] and [`EndpointError::Store`].
pub async fn redeliver(core: &Core, again: &Again, by: &Actor) -> Result<Vec<i64>, EndpointError> {
    let endpoint = find(core, &again.endpoint_id).await?;
    if !endpoint.status.is_served() {
        return Err(EndpointError::NotServed);
    }
    let now = core.clock.now();
    Ok(core.deliveries.redeliver_many(again, by, now).await?)
}

/// In the form of Standard Webhooks: 32 random bytes.
fn secret(core: &Core) -> SecretString {
    let bytes: [u8; 32] = draw(core.entropy.as_ref());
    SecretString::from(format!("whsec_{}", STANDARD.encode(bytes)))
}
