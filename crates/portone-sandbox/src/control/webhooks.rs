//! Webhooks by hand: one now, the console's test call, and those that a fault holds back.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, parse, wants_html};
use crate::record;
use crate::state::App;
use crate::webhook::{self, Delivery, Receipt};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookBody {
    status: Option<String>,
}

/// Sends a webhook now, whatever the state and the settings, and answers with what came of it.
pub(crate) async fn webhook(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let body: WebhookBody = parse(&headers, &body)?;
    let deliveries = {
        let state = app.state();
        let payment = state
            .ledger
            .find(&imp_uid)
            .ok_or_else(Refusal::no_payment)?;
        let status = body.status.as_deref().unwrap_or(payment.status());
        let cancellation_id = match status {
            "cancelled" => record::last_cancellation_id(&payment.record),
            _ => None,
        };
        state.webhooks(payment, status, cancellation_id, None)
    };
    if deliveries.is_empty() {
        return Err(Refusal::conflict("there is no webhook_url to send to"));
    }
    Ok(Json(json!({"webhooks": receipts(&app, deliveries).await})))
}

/// Sends now, and waits for the answers.
async fn receipts(app: &App, deliveries: Vec<Delivery>) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for delivery in webhook::start(app, deliveries) {
        receipts.extend(delivery.await.ok().flatten());
    }
    receipts
}

/// The console's "call test".
pub(crate) async fn test_webhook(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let deliveries = webhook::test_call(&app);
    if deliveries.is_empty() {
        return Err(Refusal::conflict("there is no webhook_url to send to"));
    }
    let receipts = receipts(&app, deliveries).await;
    Ok(match wants_html(&headers) {
        true => Redirect::to("/_sandbox/").into_response(),
        false => Json(json!({"webhooks": receipts})).into_response(),
    })
}

/// Webhooks that a fault holds back, oldest first.
pub(crate) async fn held_webhooks(State(app): State<App>) -> Json<Value> {
    let state = app.state();
    let held: Vec<_> = state.held_webhooks.iter().map(Delivery::to_json).collect();
    Json(json!({"held": held}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseBody {
    #[serde(default)]
    reversed: bool,
}

/// Lets them go, one after the other, and answers with what came of each.
pub(crate) async fn release_webhooks(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let body: ReleaseBody = parse(&headers, &body)?;
    let receipts = webhook::release(&app, body.reversed).await;
    Ok(Json(json!({"webhooks": receipts})))
}
