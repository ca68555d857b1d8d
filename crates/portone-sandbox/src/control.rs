//! The control plane under `/_sandbox/`: what PortOne has no call for. JSON in, JSON out, no login.
//!
//! The actions on a payment also take an empty form, so that the index page's buttons need no script; a browser is
//! then sent back to that page.

mod actions;
mod config;
mod payments;
mod scenarios;
mod webhooks;

pub(crate) use actions::{approve, cancel, close, deposit, fail};
pub(crate) use config::{change_config, config, configure};
pub(crate) use payments::{create, create_payment, patch, patch_payment, payment, payments};
pub(crate) use scenarios::{run_scenario, scenarios};
pub(crate) use webhooks::{held_webhooks, release_webhooks, test_webhook, webhook};

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::record::Record;
use crate::state::App;

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

/// A JSON body, whatever its content type says: curl calls everything a form. An empty one, as the index page's buttons
/// send it, stands for `{}`.
pub(crate) fn parse<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    let body = match body.is_empty() {
        true => b"{}",
        false => body,
    };
    serde_json::from_slice(body).map_err(|error| {
        let is_form = headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value == "application/x-www-form-urlencoded");
        Refusal::bad_request(match is_form && error.is_syntax() {
            true => "a JSON body is expected, not a form".to_owned(),
            false => error.to_string(),
        })
    })
}

pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
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
        .add(fault, app.clock.now_ms())
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
    query: Result<Query<JournalQuery>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(query) = query.map_err(|error| Refusal::bad_request(error.body_text()))?;
    Ok(Json(json!(app.state().journal.since(query.since))))
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
