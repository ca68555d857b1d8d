//! Pre-registration of an order's amount (`/payments/prepare`).
//! <https://developers.portone.io/api/rest-v1/payment.prepare>

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use rust_decimal::Decimal;
use serde_json::json;

use super::{
    Answer, ApiRefusal, Authorized, MERCHANT_UID_CHARS_MAX, bad_request, business_error,
    decimal_field, envelope, fields, refuse, text_field,
};
use crate::record;
use crate::state::{App, PREPARED_MAX, Prepared};

struct PrepareFields {
    merchant_uid: String,
    prepared: Prepared,
}

fn prepare_fields(headers: &HeaderMap, body: &[u8]) -> Result<PrepareFields, ApiRefusal> {
    let fields = fields(headers, body);
    let merchant_uid = text_field(&fields, "merchant_uid")
        .ok_or_else(|| bad_request("merchant_uid 파라메터가 누락되었습니다."))?;
    if merchant_uid.chars().count() > MERCHANT_UID_CHARS_MAX {
        return Err(bad_request("merchant_uid는 40자를 넘을 수 없습니다."));
    }
    let amount = decimal_field(&fields, "amount")
        .ok()
        .flatten()
        .filter(|amount| *amount >= Decimal::ZERO)
        .ok_or_else(|| bad_request("amount 파라메터가 올바르지 않습니다."))?;
    let currency = text_field(&fields, "currency").map(str::to_owned);
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
pub(crate) async fn register(
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
pub(crate) async fn change(
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
pub(crate) async fn find(
    _: Authorized,
    State(app): State<App>,
    Path(merchant_uid): Path<String>,
) -> Answer {
    match app.state().prepared.get(&merchant_uid) {
        Some(entry) => Ok(prepared(&merchant_uid, entry)),
        None => Err(business_error(NOT_PREPARED)),
    }
}
