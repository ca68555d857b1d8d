//! Payments out of nowhere, and any change to any of them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use url::Url;

use super::actions::{DEFAULT_CANCEL_REASON, DEFAULT_FAIL_REASON};
use super::{Refusal, parse};
use crate::api::MERCHANT_UID_CHARS_MAX;
use crate::gateway::Gateway;
use crate::record::{self, CancelError, Channel, Opening, Record};
use crate::rng::Rng;
use crate::state::{App, ChannelKind};
use crate::webhook;

/// Longest `imp_uid` that can be given to a payment.
const IMP_UID_BYTES_MAX: usize = 64;

pub(crate) async fn payments(State(app): State<App>) -> Json<Value> {
    let state = app.state();
    let payments: Vec<_> = state
        .ledger
        .newest_first()
        .map(|payment| &payment.record)
        .collect();
    Json(json!(payments))
}

pub(crate) async fn payment(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let state = app.state();
    let payment = state
        .ledger
        .find(&imp_uid)
        .ok_or_else(Refusal::no_payment)?;
    Ok(Json(json!(payment.record)))
}

pub(crate) async fn create_payment(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let record = create(&app, parse(&headers, &body)?)?;
    Ok((StatusCode::CREATED, Json(Value::Object(record))).into_response())
}

/// Makes a payment out of nowhere, in any state. Fields that are not given follow from the status.
pub(crate) fn create(app: &App, mut fields: Map<String, Value>) -> Result<Record, Refusal> {
    let with_webhook = match fields.remove("webhook") {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(_) => return Err(Refusal::bad_request("webhook must be true or false")),
    };
    let merchant_uid = match fields.get("merchant_uid").and_then(Value::as_str) {
        Some(text) if (1..=MERCHANT_UID_CHARS_MAX).contains(&text.chars().count()) => {
            text.to_owned()
        }
        _ => {
            return Err(Refusal::bad_request(
                "merchant_uid must be 1 to 40 characters",
            ));
        }
    };
    let Some(Value::Number(amount)) = fields.get("amount") else {
        return Err(Refusal::bad_request("amount must be a number"));
    };
    let amount = amount.clone();
    let imp_uid = match fields.remove("imp_uid") {
        None => None,
        Some(Value::String(text)) if is_imp_uid(&text) => Some(text),
        Some(_) => {
            return Err(Refusal::bad_request(
                "imp_uid must be 1 to 64 of A-Z a-z 0-9 _ -",
            ));
        }
    };
    let tax_free = match fields.remove("tax_free") {
        None => Decimal::ZERO,
        Some(Value::Number(number)) => record::decimal(&number)
            .ok_or_else(|| Refusal::bad_request("tax_free must be a number"))?,
        Some(_) => return Err(Refusal::bad_request("tax_free must be a number")),
    };
    let given = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let status = given("status").unwrap_or_else(|| "paid".into());

    let now = app.clock.now();
    let mut state = app.state();
    let gateway = fields
        .get("pg_provider")
        .and_then(Value::as_str)
        .and_then(Gateway::named)
        .unwrap_or(state.config.gateway);
    let imp_uid = match imp_uid {
        Some(imp_uid) => imp_uid,
        None => state.draw_imp_uid(),
    };
    let mut record = record::opened(
        Opening {
            imp_uid: imp_uid.clone(),
            merchant_uid,
            amount,
            currency: given("currency").unwrap_or_else(|| "KRW".into()),
            pay_method: given("pay_method").unwrap_or_else(|| "card".into()),
            channel: Channel::Mobile,
            gateway,
            test_channel: state.config.channel == ChannelKind::Test,
        },
        now,
    );
    derive(&mut record, &status, now, &app.base, &mut state.details)
        .map_err(|error| Refusal::bad_request(error.to_string()))?;
    record.extend(fields);
    let inserted = state.ledger.insert(record, None);
    inserted.map_err(|error| Refusal::conflict(error.to_string()))?;
    let changed = state.ledger.change(&imp_uid, |payment| {
        payment.tax_free = tax_free;
        payment.clone()
    });
    let payment = changed.ok_or_else(|| Refusal::conflict("it is gone again"))?;
    let deliveries = match with_webhook {
        true => state.webhooks(&payment, payment.status(), None, None),
        false => Vec::new(),
    };
    drop(state);
    drop(webhook::start(app, deliveries));
    Ok(payment.record)
}

fn is_imp_uid(text: &str) -> bool {
    (1..=IMP_UID_BYTES_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Brings a fresh record to a status. A status that PortOne does not have is taken as it is.
fn derive(
    record: &mut Record,
    status: &str,
    now: i64,
    base: &Url,
    details: &mut Rng,
) -> Result<(), CancelError> {
    match status {
        "ready" => {
            if record::text(record, "pay_method") == "vbank" {
                record::issue_vbank(record, now, None, details);
            }
        }
        "failed" => record::fail(record, now, DEFAULT_FAIL_REASON),
        "paid" => record::approve(record, now, base, details),
        "cancelled" => {
            record::approve(record, now, base, details);
            let cancellation = record::cancel(record, now, None, DEFAULT_CANCEL_REASON, details)?;
            record::enter_cancellation(record, &cancellation);
        }
        other => {
            record.insert("status".into(), json!(other));
        }
    }
    Ok(())
}

pub(crate) async fn patch_payment(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let record = patch(&app, &imp_uid, parse(&headers, &body)?)?;
    Ok(Json(Value::Object(record)))
}

/// Sets any field to anything; `_remove` names fields to take away.
pub(crate) fn patch(
    app: &App,
    imp_uid: &str,
    mut fields: Map<String, Value>,
) -> Result<Record, Refusal> {
    let removed: Vec<String> = match fields.remove("_remove") {
        None => Vec::new(),
        Some(names) => serde_json::from_value(names)
            .map_err(|_| Refusal::bad_request("_remove must be a list of field names"))?,
    };
    if fields.contains_key("imp_uid") || removed.iter().any(|name| name == "imp_uid") {
        return Err(Refusal::bad_request("imp_uid cannot be changed"));
    }
    app.state()
        .ledger
        .change(imp_uid, |payment| {
            payment.record.extend(fields);
            for name in removed {
                payment.record.remove(&name);
            }
            payment.record.clone()
        })
        .ok_or_else(Refusal::no_payment)
}
