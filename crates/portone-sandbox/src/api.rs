//! PortOne's V1 REST API, as far as the sandbox imitates it.
//!
//! Every answer is the envelope `{code, message, response}`; `message` is `null` on success.
//! <https://developers.portone.io/api/rest-v1>

pub(crate) mod cancel;
pub(crate) mod codes;
pub(crate) mod prepare;
pub(crate) mod search;
pub(crate) mod vbank;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::control::Refusal;
use crate::gateway::Gateway;
use crate::ledger::{Ledger, Payment};
use crate::record::{self, Record};
use crate::state::App;

pub(crate) const UNAUTHORIZED: &str = "Unauthorized";
pub(crate) const BAD_CREDENTIALS: &str = "인증에 실패하였습니다. API키와 secret을 확인하세요.";
pub(crate) const NOT_FOUND: &str = "존재하지 않는 결제정보입니다.";
const MISSING_CREDENTIALS: &str = "imp_key, imp_secret 파라메터가 누락되었습니다.";

/// Longest merchant_uid of V1, in characters.
pub(crate) const MERCHANT_UID_CHARS_MAX: usize = 40;

fn envelope(response: Value) -> Response {
    Json(json!({"code": 0, "message": null, "response": response})).into_response()
}

pub(crate) fn envelope_error(status: StatusCode, code: i64, message: &str) -> Response {
    let body = json!({"code": code, "message": message, "response": null});
    (status, Json(body)).into_response()
}

/// Why PortOne says no.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApiRefusal {
    status: StatusCode,
    code: i64,
    message: &'static str,
}

impl IntoResponse for ApiRefusal {
    fn into_response(self) -> Response {
        envelope_error(self.status, self.code, self.message)
    }
}

type Answer = Result<Response, ApiRefusal>;

fn refuse(status: StatusCode, message: &'static str) -> ApiRefusal {
    ApiRefusal {
        status,
        code: -1,
        message,
    }
}

fn bad_request(message: &'static str) -> ApiRefusal {
    refuse(StatusCode::BAD_REQUEST, message)
}

fn not_found() -> ApiRefusal {
    refuse(StatusCode::NOT_FOUND, NOT_FOUND)
}

/// A business error: HTTP 200 with a code, V1's way.
fn business_error(message: &'static str) -> ApiRefusal {
    ApiRefusal {
        status: StatusCode::OK,
        code: 1,
        message,
    }
}

/// `POST /users/getToken`
pub(crate) async fn get_token(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Answer {
    let fields = fields(&headers, &body);
    let field = |name| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let (key, secret) = (field("imp_key"), field("imp_secret"));
    if key.is_empty() || secret.is_empty() {
        return Err(bad_request(MISSING_CREDENTIALS));
    }
    if key != app.settings.api_key || secret != app.settings.api_secret {
        return Err(refuse(StatusCode::UNAUTHORIZED, BAD_CREDENTIALS));
    }
    let now = app.clock.now();
    let token = {
        let mut state = app.state();
        let state = &mut *state;
        state.tokens.issue(now, &mut state.token_draws)
    };
    Ok(envelope(json!({
        "access_token": token.value,
        "now": now,
        "expired_at": token.expired_at,
    })))
}

/// A request with a living token, as documented (`Bearer …`) or bare, as PortOne's own older clients send it.
pub(crate) struct Authorized;

impl FromRequestParts<App> for Authorized {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiRefusal> {
        let value = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .trim();
        let token = match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            Some(_) | None => value,
        };
        match app.state().tokens.accepts(token, app.clock.now()) {
            true => Ok(Authorized),
            false => Err(refuse(StatusCode::UNAUTHORIZED, UNAUTHORIZED)),
        }
    }
}

/// A body's fields, from JSON or a form; empty if it is neither.
fn fields(headers: &HeaderMap, body: &[u8]) -> Map<String, Value> {
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    if is_form {
        url::form_urlencoded::parse(body)
            .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
            .collect()
    } else {
        serde_json::from_slice(body).unwrap_or_default()
    }
}

/// A text; none if it is absent or empty.
fn text_field<'f>(fields: &'f Map<String, Value>, name: &str) -> Option<&'f str> {
    fields
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// A number was expected.
struct NotANumber;

/// A number, or the text of one, as a form has only texts; none if it is absent, null or empty.
fn decimal_field(fields: &Map<String, Value>, name: &str) -> Result<Option<Decimal>, NotANumber> {
    let number = match fields.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::Number(number)) => record::decimal(number),
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => None,
    };
    number.map(Some).ok_or(NotANumber)
}

fn bool_field(fields: &Map<String, Value>, name: &str) -> bool {
    match fields.get(name) {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}

#[derive(Deserialize)]
pub(crate) struct PaymentQuery {
    include_sandbox: Option<String>,
    extension: Option<String>,
}

/// `GET /payments/{imp_uid}`: the only call that hides test payments unless asked for them.
pub(crate) async fn payment(
    _: Authorized,
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    Query(query): Query<PaymentQuery>,
) -> Answer {
    let include_sandbox = query.include_sandbox.as_deref() == Some("true");
    let state = app.state();
    match visible(&app, &state.ledger, &imp_uid) {
        Some(payment) if is_test(payment) && !include_sandbox => Err(not_found()),
        Some(payment) => {
            let mut record = payment.record.clone();
            if query.extension.as_deref() == Some("true") {
                let extension = extension(&record);
                record.insert("extension".into(), extension);
            }
            Ok(envelope(Value::Object(record)))
        }
        None => Err(not_found()),
    }
}

/// What a gateway tells beyond PortOne's own fields. Only Kiwoom's depositor and PayPal's states are documented.
fn extension(record: &Record) -> Value {
    match (Gateway::of(record).name, record::text(record, "status")) {
        ("daou", "paid") if record::has_vbank(record) => {
            json!({"REMITTER": record::text(record, "buyer_name")})
        }
        ("paypal", "paid") => json!({"PaymentStatus": "Completed"}),
        ("paypal", "failed") => {
            json!({"PaymentStatus": "Pending", "PendingReason": "paymentreview", "ReasonCode": "None"})
        }
        _ => json!({}),
    }
}

/// `GET /payments/{imp_uid}/balance`: PAYCO alone breaks its amounts down; the rest is 405.
pub(crate) async fn balance(
    _: Authorized,
    State(app): State<App>,
    Path(imp_uid): Path<String>,
) -> Answer {
    let state = app.state();
    let payment = visible(&app, &state.ledger, &imp_uid).ok_or_else(not_found)?;
    if Gateway::of(&payment.record).name != "payco" {
        return Err(refuse(
            StatusCode::METHOD_NOT_ALLOWED,
            "PAYCO 결제건만 조회할 수 있습니다.",
        ));
    }
    let left = record::cancellable(&payment.record).unwrap_or_default();
    let part = |supply: Decimal| {
        json!({
            "tax_free": 0,
            "supply": record::number(supply),
            "vat": 0,
            "service": 0,
        })
    };
    let (all, nothing) = (part(left), part(Decimal::ZERO));
    Ok(envelope(json!({
        "amount": payment.record.get("amount"),
        "cash_receipt": nothing,
        "primary": all,
        "secondary": nothing,
        "discount": nothing,
        "histories": [{
            "cash_receipt": nothing,
            "primary": all,
            "secondary": nothing,
            "discount": nothing,
            "created": payment.record.get("paid_at"),
        }],
    })))
}

/// A payment that the API knows of by now.
fn visible<'l>(app: &App, ledger: &'l Ledger, imp_uid: &str) -> Option<&'l Payment> {
    ledger
        .find(imp_uid)
        .filter(|payment| payment.is_visible(app.clock.now_ms()))
}

fn is_test(payment: &Payment) -> bool {
    payment.record.get("sandbox") == Some(&Value::Bool(true))
}

/// Everything else: says plainly that it is the sandbox that lacks it.
pub(crate) async fn unknown(method: Method, uri: Uri) -> Response {
    if uri.path().starts_with("/_sandbox/") {
        return Refusal::new(StatusCode::NOT_FOUND, "no such address in the sandbox")
            .into_response();
    }
    let message = format!("portone-sandbox does not imitate {method} {}", uri.path());
    envelope_error(StatusCode::NOT_FOUND, -1, &message)
}

/// An address that is there, asked in a way that it does not know.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> Response {
    if uri.path().starts_with("/_sandbox/") {
        let message = format!("{method} is not for this address of the sandbox");
        return Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message).into_response();
    }
    unknown(method, uri).await
}
