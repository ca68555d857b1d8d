//! PortOne's V1 REST API, as far as the sandbox imitates it.
//!
//! Every answer is the envelope `{code, message, response}`; `message` is `null` on success.
//! <https://developers.portone.io/api/rest-v1>

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
use crate::ledger::{Payment, Sorting};
use crate::record;
use crate::state::{App, PREPARED_MAX, Prepared};

pub(crate) const UNAUTHORIZED: &str = "Unauthorized";
pub(crate) const BAD_CREDENTIALS: &str = "인증에 실패하였습니다. API키와 secret을 확인하세요.";
pub(crate) const NOT_FOUND: &str = "존재하지 않는 결제정보입니다.";
const MISSING_CREDENTIALS: &str = "imp_key, imp_secret 파라메터가 누락되었습니다.";

/// Longest merchant_uid of V1, in characters.
pub(crate) const MERCHANT_UID_CHARS_MAX: usize = 40;
/// `limit` of findAll: default, and what a larger one is cut to.
const LIST_LIMIT_DEFAULT: usize = 20;
const LIST_LIMIT_MAX: usize = 1000;

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

#[derive(Deserialize)]
pub(crate) struct PaymentQuery {
    include_sandbox: Option<String>,
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
    match state.ledger.find(&imp_uid) {
        Some(payment) if !payment.is_visible(app.clock.now_ms()) => Err(not_found()),
        Some(payment) if is_test(payment) && !include_sandbox => Err(not_found()),
        Some(payment) => Ok(envelope(Value::Object(payment.record.clone()))),
        None => Err(not_found()),
    }
}

fn is_test(payment: &Payment) -> bool {
    payment.record.get("sandbox") == Some(&Value::Bool(true))
}

#[derive(Deserialize)]
pub(crate) struct ListQuery {
    page: Option<String>,
    limit: Option<String>,
    sorting: Option<String>,
}

/// Path of `find` and `findAll`, whose last part may be missing.
#[derive(Deserialize)]
pub(crate) struct MerchantPath {
    merchant_uid: String,
    payment_status: Option<String>,
}

fn is_status(status: &str) -> bool {
    matches!(status, "ready" | "paid" | "failed" | "cancelled")
}

/// `GET /payments/find/{merchant_uid}[/{payment_status}]`: the first by the order asked for, which by default is the
/// attempt that was started last and not the one that was paid.
pub(crate) async fn find(
    _: Authorized,
    State(app): State<App>,
    Path(path): Path<MerchantPath>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let Some(sorting) = Sorting::parse(query.sorting.as_deref()) else {
        return Err(bad_request("sorting 파라메터가 올바르지 않습니다."));
    };
    let state = app.state();
    let mut payments = attempts(&app, &state.ledger, &path);
    sorting.sort(&mut payments);
    let payment = payments.first().ok_or_else(not_found)?;
    Ok(envelope(Value::Object(payment.record.clone())))
}

/// `GET /payments/findAll/{merchant_uid}[/{payment_status}]`
pub(crate) async fn find_all(
    _: Authorized,
    State(app): State<App>,
    Path(path): Path<MerchantPath>,
    Query(query): Query<ListQuery>,
) -> Answer {
    if path
        .payment_status
        .as_deref()
        .is_some_and(|status| !is_status(status))
    {
        return Err(bad_request("올바르지 않은 결제상태입니다."));
    }
    let Some(sorting) = Sorting::parse(query.sorting.as_deref()) else {
        return Err(bad_request("sorting 파라메터가 올바르지 않습니다."));
    };
    let positive = |text: Option<&str>, default: usize| match text {
        None => Some(default),
        Some(text) => text.parse().ok().filter(|number| *number > 0),
    };
    let page = positive(query.page.as_deref(), 1);
    let limit = positive(query.limit.as_deref(), LIST_LIMIT_DEFAULT);
    let (Some(page), Some(limit)) = (page, limit) else {
        return Err(bad_request("page, limit 파라메터가 올바르지 않습니다."));
    };
    let limit = limit.min(LIST_LIMIT_MAX);

    let state = app.state();
    let mut payments = attempts(&app, &state.ledger, &path);
    if payments.is_empty() {
        return Err(not_found());
    }
    sorting.sort(&mut payments);
    let total = payments.len();
    let list: Vec<_> = payments
        .into_iter()
        .skip((page - 1).saturating_mul(limit))
        .take(limit)
        .map(|payment| Value::Object(payment.record.clone()))
        .collect();
    let has_next = page.saturating_mul(limit) < total;
    Ok(envelope(json!({
        "total": total,
        // 0 says that there is no such page.
        "previous": page - 1,
        "next": if has_next { page + 1 } else { 0 },
        "list": list,
    })))
}

fn attempts<'a>(
    app: &App,
    ledger: &'a crate::ledger::Ledger,
    path: &'a MerchantPath,
) -> Vec<&'a Payment> {
    let now_ms = app.clock.now_ms();
    ledger
        .of_merchant(&path.merchant_uid)
        .filter(|payment| payment.is_visible(now_ms))
        .filter(|payment| {
            path.payment_status
                .as_deref()
                .is_none_or(|status| payment.status() == status)
        })
        .collect()
}

struct PrepareFields {
    merchant_uid: String,
    prepared: Prepared,
}

fn prepare_fields(headers: &HeaderMap, body: &[u8]) -> Result<PrepareFields, ApiRefusal> {
    let fields = fields(headers, body);
    let merchant_uid = fields
        .get("merchant_uid")
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| bad_request("merchant_uid 파라메터가 누락되었습니다."))?;
    if merchant_uid.chars().count() > MERCHANT_UID_CHARS_MAX {
        return Err(bad_request("merchant_uid는 40자를 넘을 수 없습니다."));
    }
    let amount = match fields.get("amount") {
        Some(Value::Number(number)) => record::decimal(number),
        // A form has only texts.
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
    };
    let amount = amount
        .filter(|amount| *amount >= Decimal::ZERO)
        .ok_or_else(|| bad_request("amount 파라메터가 올바르지 않습니다."))?;
    let currency = fields
        .get("currency")
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned);
    Ok(PrepareFields {
        merchant_uid: merchant_uid.into(),
        prepared: Prepared { amount, currency },
    })
}

fn prepared(merchant_uid: &str, prepared: &Prepared) -> Response {
    envelope(json!({
        "merchant_uid": merchant_uid,
        "amount": record::number(prepared.amount),
        "currency": prepared.currency,
    }))
}

const NOT_PREPARED: &str = "사전등록된 결제정보가 존재하지 않습니다.";

/// `POST /payments/prepare`: refused with HTTP 200 and a code, like every business error of V1.
pub(crate) async fn prepare(
    _: Authorized,
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let fields = prepare_fields(&headers, &body)?;
    let mut state = app.state();
    if state.prepared.contains_key(&fields.merchant_uid) {
        return Err(business_error("이미 등록된 merchant_uid 입니다."));
    }
    if state.prepared.len() >= PREPARED_MAX {
        return Err(business_error(
            "portone-sandbox: too many pre-registrations; reset it",
        ));
    }
    let answer = prepared(&fields.merchant_uid, &fields.prepared);
    state.prepared.insert(fields.merchant_uid, fields.prepared);
    Ok(answer)
}

/// `PUT /payments/prepare`
pub(crate) async fn change_prepared(
    _: Authorized,
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let fields = prepare_fields(&headers, &body)?;
    let mut state = app.state();
    match state.prepared.get_mut(&fields.merchant_uid) {
        Some(entry) => {
            *entry = fields.prepared;
            Ok(prepared(&fields.merchant_uid, entry))
        }
        None => Err(refuse(StatusCode::NOT_FOUND, NOT_PREPARED)),
    }
}

/// `GET /payments/prepare/{merchant_uid}`: PortOne lists no 404 for this one; absence is a code.
pub(crate) async fn find_prepared(
    _: Authorized,
    State(app): State<App>,
    Path(merchant_uid): Path<String>,
) -> Answer {
    match app.state().prepared.get(&merchant_uid) {
        Some(entry) => Ok(prepared(&merchant_uid, entry)),
        None => Err(business_error(NOT_PREPARED)),
    }
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
