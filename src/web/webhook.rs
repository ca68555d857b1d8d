//! `POST /payments/webhook`: PortOne says that something happened to a payment. It is believed in nothing but the ids.
//!
//! <https://developers.portone.io/opi/ko/integration/webhook/readme-v1>

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::claim::is_json;
use super::client::{Peer, client_address};
use super::problem::Problem;
use super::{App, Network};
use crate::domain::ids::{PaymentId, TransactionId};
use crate::ports::store::Received;
use crate::service::completion::clean;
use crate::service::inbox;

/// Largest webhook.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long PortOne waits for the verification to be done, once the webhook is on disk. It goes on afterwards: PortOne
/// gives up after 30 s, and a shop that asked for "webhook first" keeps its buyer waiting for this answer.
const ANSWER_AFTER: Duration = Duration::from_millis(1_500);

/// Takes a webhook: on disk first, then 200.
pub async fn webhook_route(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().copied();
    if !may_post(&app.network, peer, &parts.headers) {
        return Problem::SourceRefused.response();
    }
    let Ok(bytes) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return Problem::TooLarge.response();
    };
    if parts.headers.contains_key("webhook-signature") {
        // Signed webhooks are V2's, which this version takes no orders for: refusing makes PortOne keep and show them.
        return Problem::PortoneNotConfigured.response();
    }
    let parsed = if is_json(&parts.headers) || bytes.first() == Some(&b'{') {
        from_json(&bytes)
    } else {
        from_form(&bytes)
    };
    let Some(hint) = parsed else {
        return Problem::MalformedBody.response();
    };
    let received = Received {
        at: app.core.clock.now(),
        version: "v1",
        payment_id: hint.payment_id,
        transaction_id: hint.transaction_id,
        claimed_status: hint.status,
    };
    match inbox::receive(&app.core, received).await {
        Ok(work) => {
            let _done_or_later = tokio::time::timeout(ANSWER_AFTER, work).await;
            StatusCode::OK.into_response()
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a webhook could not be written and was not acknowledged"
            );
            Problem::Unavailable.response()
        }
    }
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

struct Hint {
    payment_id: PaymentId,
    transaction_id: Option<TransactionId>,
    status: Option<String>,
}

fn from_json(bytes: &[u8]) -> Option<Hint> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes).ok()?;
    hint(|name| {
        object
            .get(name)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    })
}

fn from_form(bytes: &[u8]) -> Option<Hint> {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(bytes).into_owned().collect();
    hint(|name| {
        pairs
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    })
}

fn hint(field: impl Fn(&str) -> Option<String>) -> Option<Hint> {
    let transaction_id = field("imp_uid").filter(|text| !text.is_empty());
    Some(Hint {
        payment_id: PaymentId::parse(&field("merchant_uid")?).ok()?,
        transaction_id: match transaction_id {
            Some(text) => Some(TransactionId::parse(&text).ok()?),
            None => None,
        },
        status: field("status").map(|status| clean(&status)),
    })
}
