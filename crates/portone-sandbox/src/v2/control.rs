//! The control plane under `/_sandbox/v2/`: what PortOne has no call for, in the manner of V1's.
//!
//! An attempt is named by its `transactionId`, or by its `paymentId`, which names the attempt the API shows.

mod act;
mod by_hand;

pub(crate) use act::{
    approve, approve_payment, cancel_in_console, cancel_payment, change_dispute, deposit,
    deposit_payment, dispute_payment, fail, fail_payment, settle_cancellation,
    settle_payment_cancellation,
};
pub(crate) use by_hand::{release_webhooks, send_webhook, webhook_of_anything, webhook_of_payment};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::cancel::{self, Cancel};
use super::checkout::PAYMENT_ID_CHARS_MAX;
use super::config::{Change, RefundStatus};
use super::ledger::Attempt;
use super::method::PayMethod;
use super::record::{
    self, CANCELLED, FAILED, Failure, Opening, PAID, PARTIAL_CANCELLED, PAY_PENDING, Platform,
    READY, Record, VIRTUAL_ACCOUNT_ISSUED,
};
use super::uuid;
use super::webhook::{self, Kind, Notice};
use crate::control::{Refusal, parse, wants_html};
use crate::rng::Rng;
use crate::state::{App, ChannelKind, State as SandboxState};
use crate::webhook::WebhookMode;

const DEFAULT_ORDER_NAME: &str = "샌드박스 주문";
const DEFAULT_CANCEL_REASON: &str = "관리자 콘솔에서 취소";
/// Longest `transactionId` that can be given to an attempt.
const TRANSACTION_ID_BYTES_MAX: usize = 64;
/// Days until the deposit deadline of a virtual account, if the shop asked for none.
const ACCOUNT_DAYS: i64 = 3;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, message)
}

fn conflict(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, message)
}

fn no_payment() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "no such payment")
}

/// The record for programs, the index page for people.
fn done(headers: &HeaderMap, record: Record) -> Response {
    match wants_html(headers) {
        true => Redirect::to("/_sandbox/").into_response(),
        false => Json(Value::Object(record)).into_response(),
    }
}

pub(crate) async fn show_config(State(app): State<App>) -> Json<Value> {
    Json(app.state().config.v2.to_json())
}

pub(crate) async fn patch_config(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    change_config(&app, parse(&headers, &body)?)?;
    Ok(show_config(State(app)).await)
}

/// Changes all of the fields or, if one makes no sense, none.
pub(crate) fn change_config(app: &App, fields: Map<String, Value>) -> Result<(), Refusal> {
    let change: Change = serde_json::from_value(Value::Object(fields))
        .map_err(|error| bad_request(error.to_string()))?;
    app.state().config.v2.change(change)
}

/// Every attempt, newest first.
pub(crate) async fn show_payments(State(app): State<App>) -> Json<Value> {
    let state = app.state();
    let records: Vec<_> = state
        .v2
        .ledger
        .newest_first()
        .map(|attempt| &attempt.record)
        .collect();
    Json(json!(records))
}

pub(crate) async fn show_payment(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let state = app.state();
    let attempt = state.v2.ledger.find_any(&id).ok_or_else(no_payment)?;
    Ok(Json(json!(attempt.record)))
}

pub(crate) async fn create_payment(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let record = create(&app, parse(&headers, &body)?)?;
    Ok((StatusCode::CREATED, Json(Value::Object(record))).into_response())
}

fn take_text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad_request(format!("{name} must be a text"))),
    }
}

/// Makes an attempt out of nowhere, in any state. Fields that are not given follow from the status; `amount` may be the
/// total alone.
pub(crate) fn create(app: &App, mut fields: Map<String, Value>) -> Result<Record, Refusal> {
    let with_webhook = match fields.remove("webhook") {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(_) => return Err(bad_request("webhook must be true or false")),
    };
    let payment_id = match take_text(&mut fields, "id")? {
        Some(id) if (1..=PAYMENT_ID_CHARS_MAX).contains(&id.chars().count()) => id,
        Some(_) | None => return Err(bad_request("id must be 1 to 200 characters")),
    };
    let (total, parts) = match fields.remove("amount") {
        Some(Value::Number(total)) => (total.as_i64(), Map::new()),
        Some(Value::Object(parts)) => (parts.get("total").and_then(Value::as_i64), parts),
        _ => (None, Map::new()),
    };
    let total =
        total.ok_or_else(|| bad_request("amount must be an integer, or an object with total"))?;
    let part = |name: &str| parts.get(name).and_then(Value::as_i64);
    let transaction_id = match take_text(&mut fields, "transactionId")? {
        None => None,
        Some(id) if is_transaction_id(&id) => Some(id),
        Some(_) => {
            return Err(bad_request(
                "transactionId must be 1 to 64 of A-Z a-z 0-9 _ -",
            ));
        }
    };
    let method = match take_text(&mut fields, "payMethod")? {
        None => PayMethod::default(),
        Some(name) => PayMethod::parse(&name).ok_or_else(|| bad_request("unknown payMethod"))?,
    };
    let given = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let status = given("status").unwrap_or_else(|| PAID.into());

    let now_ms = app.clock.now_ms();
    let mut state = app.state();
    let test_channel = state.config.channel == ChannelKind::Test;
    let store_id = state.config.v2.store_id.clone();
    let v2 = &mut state.v2;
    let transaction_id = transaction_id.unwrap_or_else(|| uuid(&mut v2.ids));
    let mut record = record::opened(
        Opening {
            payment_id,
            transaction_id: transaction_id.clone(),
            store_id,
            order_name: given("orderName").unwrap_or_else(|| DEFAULT_ORDER_NAME.into()),
            total,
            tax_free: part("taxFree").unwrap_or(0),
            vat: part("vat"),
            currency: given("currency").unwrap_or_else(|| "KRW".into()),
            channel_key: match test_channel {
                true => super::config::TEST_CHANNEL_KEY.into(),
                false => super::config::LIVE_CHANNEL_KEY.into(),
            },
            test_channel,
            platform: Platform::Pc,
        },
        now_ms,
    );
    let cancellation_id = uuid(&mut v2.ids);
    derive(
        &mut record,
        &status,
        method,
        &cancellation_id,
        part("cancelled"),
        now_ms,
        app,
        &mut v2.details,
    );
    overlay(&mut record, "amount", parts);
    if let Some(Value::Object(channel)) = fields.remove("channel") {
        overlay(&mut record, "channel", channel);
    }
    record.extend(fields);
    v2.ledger
        .insert(Attempt::new(record, method))
        .map_err(|error| conflict(error.to_string()))?;
    let messages = match (with_webhook, Kind::of_status(&status)) {
        (true, Some(kind)) => {
            let notice = Notice {
                cancellation_id: matches!(kind, Kind::Cancelled | Kind::PartialCancelled)
                    .then_some(cancellation_id),
                ..Notice::of(kind)
            };
            webhook::messages(&mut state, &transaction_id, &notice, None, now_ms)
        }
        (true, None) | (false, _) => Vec::new(),
    };
    let record = record_of(&state, &transaction_id)?;
    drop(state);
    webhook::start_now(app, messages, WebhookMode::After);
    Ok(record)
}

/// Parts of an object field over what it has.
fn overlay(record: &mut Record, field: &str, parts: Map<String, Value>) {
    match record.get_mut(field) {
        Some(Value::Object(object)) => object.extend(parts),
        Some(_) | None => {
            record.insert(field.into(), Value::Object(parts));
        }
    }
}

fn record_of(state: &SandboxState, transaction_id: &str) -> Result<Record, Refusal> {
    let attempt = state.v2.ledger.find(transaction_id);
    Ok(attempt.ok_or_else(no_payment)?.record.clone())
}

fn is_transaction_id(text: &str) -> bool {
    (1..=TRANSACTION_ID_BYTES_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The gateway's refusal, if nobody gives another.
pub(crate) fn declined() -> Failure {
    Failure::of_gateway("CARD_DECLINED", "카드사에서 승인이 거절되었습니다.")
}

/// When a virtual account closes for which no deadline was asked.
pub(crate) fn default_expiry_ms(now_ms: i64) -> i64 {
    now_ms.saturating_add(ACCOUNT_DAYS * DAY_MS)
}

/// Brings a fresh record to a status. A status that PortOne does not have is taken as it is.
#[expect(
    clippy::too_many_arguments,
    reason = "one call, and every status needs another part of it"
)]
fn derive(
    record: &mut Record,
    status: &str,
    method: PayMethod,
    cancellation_id: &str,
    cancelled: Option<i64>,
    now_ms: i64,
    app: &App,
    details: &mut Rng,
) {
    let issue = |record: &mut Record, details: &mut Rng| {
        let expires_at_ms = default_expiry_ms(now_ms);
        record::issue_virtual_account(record, "SHINHAN", expires_at_ms, now_ms, details);
    };
    match status {
        READY => {}
        PAY_PENDING => record::pend(record, method, now_ms, details),
        VIRTUAL_ACCOUNT_ISSUED => issue(record, details),
        FAILED => record::fail(record, &declined(), now_ms),
        PAID | PARTIAL_CANCELLED | CANCELLED => {
            if method == PayMethod::VirtualAccount {
                issue(record, details);
            }
            record::approve(record, method, now_ms, &app.base, details);
            if status == PAID {
                return;
            }
            let half = record::amount_of(record, "total") / 2;
            let cancel = Cancel {
                amount: match status {
                    PARTIAL_CANCELLED => Some(cancelled.unwrap_or(half)),
                    _ => None,
                },
                reason: DEFAULT_CANCEL_REASON.into(),
                trigger: cancel::Trigger::Console,
                ..Cancel::default()
            };
            // An amount that cannot be cancelled leaves the payment paid; the fields given on top of it still apply.
            if cancel::request(record, &cancel, cancellation_id, now_ms).is_ok() {
                let pg_id = details.digits(20);
                let sent = RefundStatus::default();
                cancel::succeed(record, cancellation_id, now_ms, &pg_id, sent);
            }
        }
        other => {
            record.insert("status".into(), json!(other));
        }
    }
}

pub(crate) async fn patch_payment(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let record = patch(&app, &id, parse(&headers, &body)?)?;
    Ok(Json(Value::Object(record)))
}

/// Sets any field to anything; objects in `amount` and `channel` are laid over what is there, `_remove` names fields to
/// take away.
pub(crate) fn patch(
    app: &App,
    id: &str,
    mut fields: Map<String, Value>,
) -> Result<Record, Refusal> {
    let removed: Vec<String> = match fields.remove("_remove") {
        None => Vec::new(),
        Some(names) => serde_json::from_value(names)
            .map_err(|_| bad_request("_remove must be a list of field names"))?,
    };
    if fields.contains_key("transactionId") || removed.iter().any(|name| name == "transactionId") {
        return Err(bad_request("transactionId cannot be changed"));
    }
    let mut state = app.state();
    let transaction_id = transaction_id_of(&state, id)?;
    state
        .v2
        .ledger
        .change(&transaction_id, |attempt| {
            for name in ["amount", "channel"] {
                if let Some(Value::Object(parts)) = fields.get_mut(name).map(Value::take) {
                    fields.remove(name);
                    overlay(&mut attempt.record, name, parts);
                }
            }
            attempt.record.extend(fields);
            for name in removed {
                attempt.record.remove(&name);
            }
            attempt.record.clone()
        })
        .ok_or_else(no_payment)
}

fn transaction_id_of(state: &SandboxState, id: &str) -> Result<String, Refusal> {
    let attempt = state.v2.ledger.find_any(id).ok_or_else(no_payment)?;
    Ok(attempt.transaction_id().to_owned())
}

fn from_fields<T: serde::de::DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(fields)).map_err(|error| bad_request(error.to_string()))
}
