//! `POST /payments/webhook`: PortOne says that something happened to a payment. It is believed in nothing but the ids.
//!
//! One address for both generations. V2 signs what it posts, V1 does not: whether there is a signature says which it is.
//!
//! <https://developers.portone.io/opi/ko/integration/webhook/readme-v1>,
//! <https://developers.portone.io/opi/ko/integration/webhook/readme-v2>

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use portone::webhook::v2::Event;
use portone::webhook::{self, BodyError, Delivery};

use super::client::{Peer, client_address};
use super::limits::{BODY_BYTES_MAX, is_json, is_too_deep};
use super::problem::Problem;
use super::{App, Network};
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::order::Portone;
use crate::domain::text::clean;
use crate::ports::store::Received;
use crate::service::inbox;

/// How long PortOne waits for the verification to be done, once the webhook is on disk. It goes on afterwards: PortOne
/// gives up after 30 s, and a shop that asked for "webhook first" keeps its buyer waiting for this answer.
const ANSWER_AFTER: Duration = Duration::from_millis(1_500);
/// The headers of Standard Webhooks. With any of them there, the sender claims to have signed.
/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
const SIGNATURE_HEADERS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// Takes a webhook: on disk first, then 200.
pub async fn webhook_route(State(app): State<App>, request: Request) -> Response {
    let portone = if claims_signature(request.headers()) {
        Portone::V2
    } else {
        Portone::V1
    };
    let response = receive(&app, request).await;
    let refused = response.extensions().get::<Problem>();
    app.operations
        .metrics()
        .webhook(portone, refused.map(|problem| problem.slug()));
    response
}

async fn receive(app: &App, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().copied();
    if !claims_signature(&parts.headers) && !may_post(&app.network, peer, &parts.headers) {
        return Problem::SourceRefused.response();
    }
    let Ok(bytes) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return Problem::TooLarge.response();
    };
    if is_json(&parts.headers) && is_too_deep(&bytes) {
        return Problem::MalformedBody.response();
    }
    let content_type = content_type(&parts.headers);
    let hint = match signature(app, &parts.headers, &bytes) {
        Signature::None => from_v1(content_type, &bytes),
        Signature::Good(delivery) => from_v2(content_type, &bytes, delivery),
        Signature::Wrong => Err(Problem::InvalidSignature),
        Signature::NotConfigured => Err(Problem::PortoneNotConfigured),
    };
    match hint {
        Ok(Some(hint)) => take(app, hint).await,
        // About no payment that an order here could have.
        Ok(None) => StatusCode::OK.into_response(),
        Err(problem) => problem.response(),
    }
}

async fn take(app: &App, hint: Hint) -> Response {
    let received = Received {
        at: app.core.clock.now(),
        portone: hint.portone,
        webhook_id: hint.webhook_id,
        payment_id: hint.payment_id,
        transaction_id: hint.transaction_id,
        claimed_status: hint.status,
    };
    match inbox::receive(&app.core, received).await {
        Ok(Some(work)) => {
            let _done_or_later = tokio::time::timeout(ANSWER_AFTER, work).await;
            StatusCode::OK.into_response()
        }
        Ok(None) => StatusCode::OK.into_response(),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a webhook could not be written and was not acknowledged"
            );
            Problem::Unavailable.response()
        }
    }
}

/// What the headers prove.
pub(super) enum Signature {
    /// Nothing, and they do not claim to.
    None,
    /// The body was signed with one of our secrets, at about this time.
    Good(Delivery),
    /// Something is missing, doubled, too old or wrong.
    Wrong,
    /// There is no secret to check them with.
    NotConfigured,
}

/// Verifies the bytes as they came: JSON that was read and written again has another signature.
pub(super) fn signature(app: &App, headers: &HeaderMap, body: &[u8]) -> Signature {
    if !claims_signature(headers) {
        return Signature::None;
    }
    let Some(verifier) = &app.network.v2_webhooks else {
        return Signature::NotConfigured;
    };
    match verifier.verify(headers, body, app.core.clock.now().as_second()) {
        Ok(delivery) => Signature::Good(delivery),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a webhook's signature was refused"
            );
            Signature::Wrong
        }
    }
}

fn claims_signature(headers: &HeaderMap) -> bool {
    SIGNATURE_HEADERS
        .iter()
        .any(|name| headers.contains_key(*name))
}

/// What the body says that it is.
pub(super) fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

fn may_post(network: &Arc<Network>, peer: Option<Peer>, headers: &http::HeaderMap) -> bool {
    if network.webhook_sources.is_empty() {
        return true;
    }
    let Some(Peer(peer)) = peer else { return false };
    let client = client_address(peer.ip(), headers, &network.trusted_proxies);
    network
        .webhook_sources
        .iter()
        .any(|source| source.contains(&client))
}

/// What a webhook points at.
struct Hint {
    portone: Portone,
    webhook_id: Option<String>,
    payment_id: PaymentId,
    transaction_id: Option<TransactionId>,
    status: Option<String>,
}

fn from_v1(content_type: Option<&str>, body: &[u8]) -> Result<Option<Hint>, Problem> {
    let event = match webhook::v1::parse(content_type, body) {
        Ok(event) => event,
        // A payment of another system of the shop may have an id that no order here can have.
        Err(BodyError::Invalid("merchant_uid")) => return Ok(None),
        // A message of V2 has other names, and counts only with a signature.
        Err(_) => {
            return Err(match webhook::v2::parse(content_type, body) {
                Ok(_) => Problem::InvalidSignature,
                Err(_) => Problem::MalformedBody,
            });
        }
    };
    let transaction_id = event
        .imp_uid
        .map(|id| TransactionId::parse(id.as_str()))
        .transpose()
        .map_err(|_| Problem::MalformedBody)?;
    let Ok(payment_id) = PaymentId::parse(event.merchant_uid.as_str()) else {
        return Ok(None);
    };
    Ok(Some(Hint {
        portone: Portone::V1,
        webhook_id: None,
        payment_id,
        transaction_id,
        status: event.claimed_status.map(|status| clean(status.as_str())),
    }))
}

/// What was signed and is about no payment of ours is acknowledged: PortOne would only send it again.
fn from_v2(
    content_type: Option<&str>,
    body: &[u8],
    delivery: Delivery,
) -> Result<Option<Hint>, Problem> {
    let event = match webhook::v2::parse(content_type, body) {
        Ok(Event::Transaction(event)) => event,
        // A payment of another system of the shop may have an id that no order here can have.
        Ok(_) | Err(BodyError::Invalid(_)) => return Ok(None),
        Err(_) => return Err(Problem::MalformedBody),
    };
    let payment_id = PaymentId::parse(event.payment_id.as_str());
    let transaction_id = event
        .transaction_id
        .map(|id| TransactionId::parse(id.as_str()))
        .transpose();
    let (Ok(payment_id), Ok(transaction_id)) = (payment_id, transaction_id) else {
        return Ok(None);
    };
    Ok(Some(Hint {
        portone: Portone::V2,
        webhook_id: Some(delivery.id),
        payment_id,
        transaction_id,
        status: Some(clean(event.what.as_str())),
    }))
}
