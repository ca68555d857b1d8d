//! `POST /_sandbox/checkout`: what `IMP.request_pay` sends before a window opens.
//!
//! PortOne refuses some requests before any payment exists; those answers carry no `imp_uid`. Only the code `F1002`
//! (already paid) is known from the field; the other codes are the sandbox's own.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};
use url::Url;

use crate::api::MERCHANT_UID_CHARS_MAX;
use crate::journal::Event;
use crate::ledger::{Flow, Window};
use crate::record::{self, Opening};
use crate::state::{App, ChannelKind};
use crate::window::Return;

/// Longest text kept of any parameter, in characters.
const TEXT_CHARS_MAX: usize = 256;
/// Addresses in `notice_url`.
const NOTICE_URLS_MAX: usize = 5;
/// Longest `custom_data`, written as JSON.
const CUSTOM_DATA_BYTES_MAX: usize = 16 * 1024;

/// What the browser SDK says about itself; the body is the shop's parameters and nothing else.
#[derive(Deserialize)]
pub(crate) struct CheckoutQuery {
    /// The merchant code given to `IMP.init`.
    code: Option<String>,
    /// `redirect` (phones, the default) or `frame` (desktops).
    flow: Option<String>,
}

/// A refusal before the window opens.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    code: &'static str,
    message: &'static str,
}

const INVALID: &str = "F1001";
const ALREADY_PAID: Refusal = Refusal {
    code: "F1002",
    message: "이미 결제가 이루어진 거래건입니다.",
};
const PREPARE_MISMATCH: Refusal = Refusal {
    code: "F1003",
    message: "사전 등록된 결제정보와 결제 요청 금액 또는 통화가 일치하지 않습니다.",
};
const SANDBOX_FULL: Refusal = Refusal {
    code: "F1004",
    message: "portone-sandbox: too many payments; reset it",
};

fn invalid(message: &'static str) -> Refusal {
    Refusal {
        code: INVALID,
        message,
    }
}

pub(crate) async fn open(
    State(app): State<App>,
    Query(query): Query<CheckoutQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parameters: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
    let merchant_uid = text(&parameters, "merchant_uid");
    let opened = open_window(&app, &query, &headers, &parameters);
    app.record(Event::Checkout {
        imp_uid: opened.as_ref().ok().cloned(),
        merchant_uid: merchant_uid.clone(),
        error_code: opened.as_ref().err().map(|refusal| refusal.code),
    });
    match opened {
        Ok(imp_uid) => Json(json!({
            "success": true,
            "imp_uid": imp_uid,
            "merchant_uid": merchant_uid,
            "window_url": format!("{}_sandbox/window/{imp_uid}", app.base),
        }))
        .into_response(),
        Err(refusal) => {
            let back = Return {
                imp_uid: None,
                merchant_uid: merchant_uid.clone().unwrap_or_default(),
                flag: Some(("imp_success", false)),
                error_code: Some(refusal.code.into()),
                error_msg: Some(refusal.message.into()),
            };
            // Used by the SDK only if the shop gave no callback.
            let redirect_url = http_url(&parameters, "m_redirect_url")
                .ok()
                .flatten()
                .map(|url| back.location(&url).to_string());
            Json(json!({
                "success": false,
                "imp_uid": null,
                "merchant_uid": merchant_uid,
                "error_code": refusal.code,
                "error_msg": refusal.message,
                "redirect_url": redirect_url,
            }))
            .into_response()
        }
    }
}

/// The parameters that PortOne checks before it opens a window.
struct Order {
    merchant_uid: String,
    amount: Number,
    exact_amount: Decimal,
    currency: String,
}

fn open_window(
    app: &App,
    query: &CheckoutQuery,
    headers: &HeaderMap,
    parameters: &Map<String, Value>,
) -> Result<String, Refusal> {
    if query
        .code
        .as_deref()
        .is_some_and(|code| code != app.settings.merchant_code)
    {
        return Err(invalid("등록되지 않은 가맹점 식별코드입니다."));
    }
    let order = order(parameters)?;
    let flow = match query.flow.as_deref() {
        None | Some("redirect") => Flow::Redirect,
        Some("frame") => Flow::Frame,
        Some(_) => return Err(invalid("flow는 redirect 또는 frame이어야 합니다.")),
    };
    let vbank_due = match text(parameters, "vbank_due") {
        None => None,
        Some(due) => Some(
            record::parse_vbank_due(&due)
                .ok_or_else(|| invalid("vbank_due 형식이 올바르지 않습니다."))?,
        ),
    };
    let window = Window {
        flow,
        redirect_url: http_url(parameters, "m_redirect_url")?,
        opener_origin: opener_origin(headers),
        english: text(parameters, "language").is_some_and(|language| language == "en"),
        vbank_due,
        notice_urls: notice_urls(parameters)?,
        ended: false,
        location: None,
    };
    let custom_data = match parameters.get("custom_data") {
        None | Some(Value::Null) => Value::Null,
        Some(Value::String(text)) => json!(text),
        Some(data) => json!(data.to_string()),
    };
    if custom_data
        .as_str()
        .is_some_and(|text| text.len() > CUSTOM_DATA_BYTES_MAX)
    {
        return Err(invalid("custom_data가 너무 깁니다."));
    }

    let now = app.clock.now();
    let mut state = app.state();
    if state.ledger.is_approved(&order.merchant_uid) {
        return Err(ALREADY_PAID);
    }
    if let Some(prepared) = state.prepared.get(&order.merchant_uid) {
        let same_currency = prepared
            .currency
            .as_ref()
            .is_none_or(|currency| *currency == order.currency);
        if prepared.amount != order.exact_amount || !same_currency {
            return Err(PREPARE_MISMATCH);
        }
    }
    let channel_key = text(parameters, "channelKey").unwrap_or_default();
    let imp_uid = state.draw_imp_uid();
    let mut record = record::opened(
        Opening {
            imp_uid: imp_uid.clone(),
            merchant_uid: order.merchant_uid,
            amount: order.amount,
            currency: order.currency,
            pay_method: text(parameters, "pay_method").unwrap_or_else(|| "card".into()),
            mobile: flow == Flow::Redirect,
            test_channel: channel_key.to_ascii_lowercase().contains("test")
                || state.config.channel == ChannelKind::Test,
        },
        now,
    );
    for field in [
        "name",
        "buyer_name",
        "buyer_email",
        "buyer_tel",
        "buyer_addr",
        "buyer_postcode",
        "customer_uid",
    ] {
        if let Some(text) = text(parameters, field) {
            record.insert(field.into(), json!(text));
        }
    }
    record.insert("custom_data".into(), custom_data);
    record.insert(
        "escrow".into(),
        json!(parameters.get("escrow") == Some(&Value::Bool(true))),
    );
    let user_agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .map(cut);
    record.insert("user_agent".into(), json!(user_agent));
    state
        .ledger
        .insert(record, Some(window))
        .map_err(|_| SANDBOX_FULL)?;
    Ok(imp_uid)
}

fn order(parameters: &Map<String, Value>) -> Result<Order, Refusal> {
    let merchant_uid = match parameters.get("merchant_uid") {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Null) | None => {
            return Err(invalid("merchant_uid 파라메터가 누락되었습니다."));
        }
        Some(_) => return Err(invalid("merchant_uid는 문자열이어야 합니다.")),
    };
    if merchant_uid.chars().count() > MERCHANT_UID_CHARS_MAX {
        return Err(invalid("merchant_uid는 40자를 넘을 수 없습니다."));
    }
    let (amount, exact_amount) = match parameters.get("amount") {
        Some(Value::Number(amount)) => record::decimal(amount)
            .filter(|exact| *exact > Decimal::ZERO)
            .map(|exact| (record::number(exact), exact))
            .ok_or_else(|| invalid("amount는 0보다 커야 합니다."))?,
        Some(Value::Null) | None => return Err(invalid("amount 파라메터가 누락되었습니다.")),
        Some(_) => return Err(invalid("amount는 숫자여야 합니다.")),
    };
    Ok(Order {
        merchant_uid,
        amount,
        exact_amount,
        currency: text(parameters, "currency").unwrap_or_else(|| "KRW".into()),
    })
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// A text parameter, cut to what is kept; none if it is absent or empty.
fn text(parameters: &Map<String, Value>, name: &str) -> Option<String> {
    parameters
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(cut)
}

/// An address that a browser or the sandbox may be sent to: never `javascript:` or the like.
fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

fn http_url(parameters: &Map<String, Value>, name: &str) -> Result<Option<Url>, Refusal> {
    let Some(text) = parameters.get(name).and_then(Value::as_str) else {
        return Ok(None);
    };
    if text.is_empty() {
        return Ok(None);
    }
    Url::parse(text)
        .ok()
        .filter(is_http)
        .map(Some)
        .ok_or_else(|| invalid("m_redirect_url은 http 또는 https 주소여야 합니다."))
}

fn notice_urls(parameters: &Map<String, Value>) -> Result<Vec<Url>, Refusal> {
    let refusal = invalid("notice_url은 http 또는 https 주소여야 합니다.");
    let texts = match parameters.get("notice_url") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(texts)) => texts.iter().collect(),
        Some(text) => vec![text],
    };
    if texts.len() > NOTICE_URLS_MAX {
        return Err(refusal);
    }
    texts
        .into_iter()
        .map(|text| {
            text.as_str()
                .and_then(|text| Url::parse(text).ok())
                .filter(is_http)
                .ok_or(refusal)
        })
        .collect()
}

/// The shop page's origin, as the browser itself states it. `null` (a file, a sandboxed frame) names no page.
fn opener_origin(headers: &HeaderMap) -> Option<String> {
    let origin = headers.get(header::ORIGIN)?.to_str().ok()?;
    let url = Url::parse(origin).ok().filter(is_http)?;
    Some(url.origin().ascii_serialization())
}
