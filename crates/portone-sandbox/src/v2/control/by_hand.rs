//! Webhooks made by hand, honest or not.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use http::HeaderMap;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{bad_request, conflict, from_fields, no_payment};
use crate::control::{Refusal, parse};
use crate::state::App;
use crate::v2::config::{parse_http_url, parse_secrets};
use crate::v2::webhook::{
    self, Forgery, Kind, Receipt, Retry, SignatureKind, Told, WebhookVersion,
};

/// Furthest a webhook's time can be moved.
const OFFSET_S_MAX: i64 = 366 * 24 * 60 * 60;

/// A webhook made by hand. Everything has a default that is honest.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookBody {
    payment_id: Option<String>,
    transaction_id: Option<String>,
    store_id: Option<String>,
    cancellation_id: Option<String>,
    /// `Transaction.Paid`, or a type PortOne does not have. By default what tells of the payment's status.
    r#type: Option<String>,
    /// Replaces the whole body; it is signed as it is.
    body: Option<String>,
    version: Option<WebhookVersion>,
    webhook_id: Option<String>,
    #[serde(default)]
    timestamp_offset_s: i64,
    #[serde(default)]
    signature: SignatureKind,
    #[serde(default, deserialize_with = "texts")]
    secrets: Option<Vec<String>>,
    url: Option<String>,
    /// How many are sent at the same time, 1 to 10.
    copies: Option<usize>,
}

/// One text or several.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Option::<Texts>::deserialize(deserializer)? {
        None => None,
        Some(Texts::One(text)) => Some(vec![text]),
        Some(Texts::Many(texts)) => Some(texts),
    })
}

const COPIES_MAX: usize = 10;

pub(crate) async fn webhook_of_payment(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let body: WebhookBody = parse(&headers, &body)?;
    let (payment_id, transaction_id) = {
        let state = app.state();
        let attempt = state.v2.ledger.find_any(&id).ok_or_else(no_payment)?;
        (
            attempt.payment_id().to_owned(),
            attempt.transaction_id().to_owned(),
        )
    };
    let body = WebhookBody {
        payment_id: body.payment_id.or(Some(payment_id)),
        transaction_id: body.transaction_id.or(Some(transaction_id)),
        ..body
    };
    Ok(Json(json!({"webhooks": send_by_hand(&app, body).await?})))
}

pub(crate) async fn webhook_of_anything(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let body: WebhookBody = parse(&headers, &body)?;
    Ok(Json(json!({"webhooks": send_by_hand(&app, body).await?})))
}

/// Like `POST /_sandbox/v2/webhook`.
pub(crate) async fn send_webhook(
    app: &App,
    fields: Map<String, Value>,
) -> Result<Vec<Value>, Refusal> {
    let receipts = send_by_hand(app, from_fields(fields)?).await?;
    Ok(receipts.iter().map(|receipt| json!(receipt)).collect())
}

/// Ids of a payment that does not exist, as the console's test call has them.
const TEST_CALL_PAYMENT_ID: &str = "test-payment-id";
const TEST_CALL_TRANSACTION_ID: &str = "test-transaction-id";

/// Sends it now and never again, whatever the state and the settings, and waits for what comes of it.
async fn send_by_hand(app: &App, body: WebhookBody) -> Result<Vec<Receipt>, Refusal> {
    if !(-OFFSET_S_MAX..=OFFSET_S_MAX).contains(&body.timestamp_offset_s) {
        return Err(bad_request("timestamp_offset_s must be within a year"));
    }
    let copies = body.copies.unwrap_or(1);
    if !(1..=COPIES_MAX).contains(&copies) {
        return Err(bad_request("copies must be 1 to 10"));
    }
    let secrets = body
        .secrets
        .as_deref()
        .map(parse_secrets)
        .transpose()
        .map_err(|error| bad_request(error.to_string()))?;
    let url = match &body.url {
        None => None,
        Some(text) => {
            Some(parse_http_url(text).ok_or_else(|| bad_request("url must be http or https"))?)
        }
    };

    let now_ms = app.clock.now_ms();
    let message = {
        let mut state = app.state();
        let config = &state.config;
        let url = url
            .or_else(|| config.v2.webhook_url.clone())
            .or_else(|| config.webhook_url.clone())
            .ok_or_else(|| conflict("there is no webhook_url to send to"))?;
        let version = body.version.unwrap_or(config.v2.webhook_version);
        let store_id = body.store_id.unwrap_or_else(|| config.v2.store_id.clone());
        let ledger = &state.v2.ledger;
        let attempt = match (&body.transaction_id, &body.payment_id) {
            (Some(id), _) => ledger.find(id),
            (None, Some(id)) => ledger.of_payment(id),
            (None, None) => None,
        };
        let kind = attempt
            .and_then(|attempt| Kind::of_status(attempt.status()))
            .unwrap_or(Kind::Paid)
            .name();
        let transaction_id = body
            .transaction_id
            .or_else(|| attempt.map(|attempt| attempt.transaction_id().to_owned()))
            .unwrap_or_else(|| TEST_CALL_TRANSACTION_ID.into());
        let payment_id = body
            .payment_id
            .or_else(|| attempt.map(|attempt| attempt.payment_id().to_owned()))
            .unwrap_or_else(|| TEST_CALL_PAYMENT_ID.into());
        let told = Told {
            kind: match body.r#type.as_deref() {
                None => kind,
                Some(event) => event.strip_prefix("Transaction.").unwrap_or(event),
            },
            event: body.r#type.as_deref(),
            store_id: &store_id,
            payment_id: &payment_id,
            transaction_id: &transaction_id,
            cancellation_id: body.cancellation_id.as_deref(),
            at_ms: now_ms,
        };
        let run = state.run;
        let mut message = told.message(url, version, &mut state.v2.ids, run);
        if let Some(id) = body.webhook_id {
            message.id = id;
        }
        if let Some(body) = body.body {
            message.body = body;
        }
        message.forgery = Forgery {
            timestamp_offset_s: body.timestamp_offset_s,
            signature: body.signature,
            secrets,
        };
        message
    };
    let executions: Vec<_> = (0..copies)
        .map(|_| tokio::spawn(webhook::execute(app.clone(), message.clone(), Retry::No)))
        .collect();
    let mut receipts = Vec::new();
    for execution in executions {
        receipts.extend(execution.await.ok().flatten());
    }
    Ok(receipts)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseBody {
    #[serde(default)]
    reversed: bool,
}

/// Sends the webhooks that faults held back, one after the other.
pub(crate) async fn release_webhooks(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let body: ReleaseBody = parse(&headers, &body)?;
    Ok(Json(
        json!({"webhooks": webhook::release(&app, body.reversed).await}),
    ))
}
