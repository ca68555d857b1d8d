//! The control plane under `/_sandbox/`: what PortOne has no call for. JSON in, JSON out, no login.
//!
//! The actions on a payment also take an empty form, so that the index page's buttons need no script; a browser is
//! then sent back to that page.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value, json};
use url::Url;

use crate::api::MERCHANT_UID_CHARS_MAX;
use crate::fault::Fault;
use crate::ledger::Payment;
use crate::record::{self, CancelError, Opening, Record};
use crate::state::{App, ChannelKind, State as SandboxState};
use crate::webhook::{self, Delivery, Receipt, WebhookFormat, WebhookMode};

const DEFAULT_FAIL_REASON: &str = "[승인거절] 카드사에서 승인이 거절되었습니다.";
const DEFAULT_CANCEL_REASON: &str = "관리자 콘솔에서 취소";
/// Longest `imp_uid` that can be given to a payment.
const IMP_UID_BYTES_MAX: usize = 64;

/// Why the control plane did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Refusal {
            status,
            message: message.into(),
        }
    }

    fn bad_request(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, message)
    }

    fn conflict(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::CONFLICT, message)
    }

    fn no_payment() -> Self {
        Refusal::new(StatusCode::NOT_FOUND, "no such payment")
    }

    pub(crate) fn message(self) -> String {
        self.message
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.message}))).into_response()
    }
}

/// A JSON body; an empty one (or a form's) stands for `{}`.
fn parse<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value == "application/x-www-form-urlencoded");
    let body = match is_form || body.is_empty() {
        true => b"{}",
        false => body,
    };
    serde_json::from_slice(body).map_err(|error| Refusal::bad_request(error.to_string()))
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// The record for programs, the index page for people.
fn done(headers: &HeaderMap, record: Record) -> Response {
    match wants_html(headers) {
        true => Redirect::to("/_sandbox/").into_response(),
        false => Json(Value::Object(record)).into_response(),
    }
}

pub(crate) async fn config(State(app): State<App>) -> Response {
    Json(app.state().config.to_json()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigChange {
    #[serde(default, deserialize_with = "present")]
    webhook_url: Option<Option<String>>,
    webhook: Option<WebhookMode>,
    webhook_format: Option<WebhookFormat>,
    channel: Option<ChannelKind>,
}

/// Tells `null` (clear it) from absent (leave it).
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

pub(crate) async fn change_config(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let change: ConfigChange = parse(&headers, &body)?;
    let webhook_url = match change.webhook_url {
        None => None,
        Some(None) => Some(None),
        Some(Some(text)) => {
            let url = Url::parse(&text)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https"))
                .ok_or_else(|| Refusal::bad_request("webhook_url must be http or https"))?;
            Some(Some(url))
        }
    };
    let mut state = app.state();
    let config = &mut state.config;
    if let Some(webhook_url) = webhook_url {
        config.webhook_url = webhook_url;
    }
    config.webhook = change.webhook.unwrap_or(config.webhook);
    config.webhook_format = change.webhook_format.unwrap_or(config.webhook_format);
    config.channel = change.channel.unwrap_or(config.channel);
    Ok(Json(config.to_json()).into_response())
}

pub(crate) async fn clock(State(app): State<App>) -> Json<Value> {
    Json(json!({
        "now": app.clock.now(),
        "offset_ms": app.clock.offset_ms(),
        "frozen": app.clock.is_frozen(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockChange {
    #[serde(default)]
    advance_ms: u64,
    frozen: Option<bool>,
}

pub(crate) async fn change_clock(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let change: ClockChange = parse(&headers, &body)?;
    if let Some(frozen) = change.frozen {
        app.clock.freeze(frozen);
    }
    app.clock.advance(Duration::from_millis(change.advance_ms));
    Ok(clock(State(app)).await)
}

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
    let given = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let status = given("status").unwrap_or_else(|| "paid".into());

    let now = app.clock.now();
    let mut state = app.state();
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
            mobile: true,
            test_channel: state.config.channel == ChannelKind::Test,
        },
        now,
    );
    derive(&mut record, &status, now, &app.base, &mut state.details)
        .map_err(|error| Refusal::bad_request(error.to_string()))?;
    record.extend(fields);
    let inserted = state.ledger.insert(record, None);
    let payment = inserted
        .map_err(|error| Refusal::conflict(error.to_string()))?
        .clone();
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
    details: &mut crate::rng::Rng,
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
            record::cancel(record, now, None, DEFAULT_CANCEL_REASON, details)?;
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

/// Changes a payment by a rule and starts the webhooks that PortOne would send.
fn act(
    app: &App,
    imp_uid: &str,
    action: impl FnOnce(&mut Payment, &mut crate::rng::Rng) -> Result<Notice, Refusal>,
) -> Result<Record, Refusal> {
    let mut state = app.state();
    let SandboxState {
        ledger, details, ..
    } = &mut *state;
    let (notice, payment) = ledger
        .change(imp_uid, |payment| {
            let notice = action(payment, details)?;
            Ok::<_, Refusal>((notice, payment.clone()))
        })
        .ok_or_else(Refusal::no_payment)??;
    let deliveries: Vec<Delivery> = match notice {
        Notice::None => Vec::new(),
        Notice::Paid => state.webhooks(&payment, "paid", None, None),
        Notice::Cancelled(id) => state.webhooks(&payment, "cancelled", Some(id), None),
    };
    let mode = state.config.webhook;
    drop(state);
    // There is no redirect to be before or after of: the others only say how often.
    match mode {
        WebhookMode::Never => {}
        WebhookMode::Before | WebhookMode::After => drop(webhook::start(app, deliveries)),
        WebhookMode::Twice => {
            drop(webhook::start(
                app,
                [deliveries.clone(), deliveries].concat(),
            ));
        }
    }
    Ok(payment.record)
}

enum Notice {
    None,
    Paid,
    Cancelled(String),
}

pub(crate) async fn deposit(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let now = app.clock.now();
    let base = app.base.clone();
    let record = act(&app, &imp_uid, |payment, details| {
        if payment.status() != "ready" || !record::has_vbank(&payment.record) {
            return Err(Refusal::conflict(
                "only a ready payment with a virtual account takes a deposit",
            ));
        }
        record::approve(&mut payment.record, now, &base, details);
        Ok(Notice::Paid)
    })?;
    Ok(done(&headers, record))
}

pub(crate) async fn approve(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let now = app.clock.now();
    let base = app.base.clone();
    let record = act(&app, &imp_uid, |payment, details| {
        if !matches!(payment.status(), "ready" | "failed") {
            return Err(Refusal::conflict(
                "only a ready or failed payment can be approved late",
            ));
        }
        record::approve(&mut payment.record, now, &base, details);
        Ok(Notice::Paid)
    })?;
    Ok(done(&headers, record))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailBody {
    code: Option<String>,
    reason: Option<String>,
}

pub(crate) async fn fail(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body: FailBody = parse(&headers, &body)?;
    let reason = body.reason.unwrap_or_else(|| DEFAULT_FAIL_REASON.into());
    // A record has no field for the code; gateways put it in front of their text.
    let reason = match body.code {
        Some(code) => format!("[{code}] {reason}"),
        None => reason,
    };
    let now = app.clock.now();
    let record = act(&app, &imp_uid, |payment, _| {
        if payment.status() != "ready" {
            return Err(Refusal::conflict("only a ready payment can fail"));
        }
        record::fail(&mut payment.record, now, &reason);
        Ok(Notice::None)
    })?;
    Ok(done(&headers, record))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelBody {
    amount: Option<Number>,
    reason: Option<String>,
}

pub(crate) async fn cancel(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body: CancelBody = parse(&headers, &body)?;
    let reason = body.reason.unwrap_or_else(|| DEFAULT_CANCEL_REASON.into());
    let now = app.clock.now();
    let record = act(&app, &imp_uid, |payment, details| {
        record::cancel(
            &mut payment.record,
            now,
            body.amount.as_ref(),
            &reason,
            details,
        )
        .map(Notice::Cancelled)
        .map_err(|error| Refusal::conflict(error.to_string()))
    })?;
    Ok(done(&headers, record))
}

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
        state.webhooks(payment, status, None, None)
    };
    if deliveries.is_empty() {
        return Err(Refusal::conflict("there is no webhook_url to send to"));
    }
    let mut receipts: Vec<Receipt> = Vec::new();
    for delivery in webhook::start(&app, deliveries) {
        receipts.extend(delivery.await.ok().flatten());
    }
    Ok(Json(json!({"webhooks": receipts})))
}

pub(crate) async fn faults(State(app): State<App>) -> Json<Value> {
    Json(json!(app.state().faults.list()))
}

pub(crate) async fn add_fault(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let fault: Fault = parse(&headers, &body)?;
    let fault = add(&app, fault)?;
    Ok((StatusCode::CREATED, Json(json!(fault))).into_response())
}

pub(crate) fn add(app: &App, fault: Fault) -> Result<Fault, Refusal> {
    app.state()
        .faults
        .add(fault)
        .map_err(|error| Refusal::bad_request(error.to_string()))
}

pub(crate) async fn clear_faults(State(app): State<App>) -> StatusCode {
    app.state().faults.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
pub(crate) struct JournalQuery {
    #[serde(default)]
    since: u64,
}

pub(crate) async fn journal(
    State(app): State<App>,
    Query(query): Query<JournalQuery>,
) -> Json<Value> {
    Json(json!(app.state().journal.since(query.since)))
}

pub(crate) async fn clear_journal(State(app): State<App>) -> StatusCode {
    app.state().journal.clear();
    app.notify();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetBody {
    seed: Option<u64>,
}

pub(crate) async fn reset(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let body: ResetBody = parse(&headers, &body)?;
    Ok(Json(json!({"seed": app.reset(body.seed)})))
}
