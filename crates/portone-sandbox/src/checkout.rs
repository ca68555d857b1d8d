//! `POST /_sandbox/checkout`: what `IMP.request_pay` sends before a window opens.
//!
//! PortOne refuses some requests before any payment exists; those answers carry no `imp_uid`. Only the code `F1002`
//! (already paid) is known from the field; the other codes are the sandbox's own.

use std::borrow::Cow;

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
use crate::fault::Call;
use crate::gateway::{Gateway, Tells};
use crate::journal::Event;
use crate::ledger::{Flow, Window};
use crate::record::{self, Channel, Opening};
use crate::state::{App, ChannelKind, Charset};
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
#[derive(Clone, Debug)]
struct Refusal {
    code: &'static str,
    message: Cow<'static, str>,
}

const INVALID: &str = "F1001";
const ALREADY_PAID: Refusal = Refusal::new("F1002", "이미 결제가 이루어진 거래건입니다.");
const PREPARE_MISMATCH: Refusal = Refusal::new(
    "F1003",
    "사전 등록된 결제정보와 결제 요청 금액 또는 통화가 일치하지 않습니다.",
);
const SANDBOX_FULL: Refusal = Refusal::new("F1004", "portone-sandbox: too many payments; reset it");
/// A window that a fault keeps shut, as a gateway module with wrong settings would.
const WINDOW_ERROR: Refusal = Refusal::new(
    "F1005",
    "결제창을 열 수 없습니다. PG 설정 정보를 확인해주세요.",
);

impl Refusal {
    const fn new(code: &'static str, message: &'static str) -> Self {
        Refusal {
            code,
            message: Cow::Borrowed(message),
        }
    }
}

fn invalid(message: &'static str) -> Refusal {
    Refusal::new(INVALID, message)
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
        imp_uid: opened.as_ref().ok().map(|opened| opened.imp_uid.clone()),
        merchant_uid: merchant_uid.clone(),
        error_code: opened.as_ref().err().map(|refusal| refusal.code),
    });
    match opened {
        Ok(Opened { imp_uid, flow }) => Json(json!({
            "success": true,
            "imp_uid": imp_uid,
            "merchant_uid": merchant_uid,
            "window_url": format!("{}_sandbox/window/{imp_uid}", app.base),
            "flow": match flow {
                Flow::Redirect => "redirect",
                Flow::Frame => "frame",
            },
        }))
        .into_response(),
        Err(refusal) => {
            let back = Return {
                imp_uid: None,
                merchant_uid: merchant_uid.clone().unwrap_or_default(),
                // PortOne's own refusal: no gateway was asked, so none has its own words for it.
                flags: vec![("imp_success", "false".into())],
                error_code: Some(refusal.code.into()),
                error_msg: Some(refusal.message.clone().into_owned()),
                tells: Tells::Flag,
                success: Some(false),
                charset: Charset::Utf8,
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

struct Opened {
    imp_uid: String,
    flow: Flow,
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
) -> Result<Opened, Refusal> {
    if let Some(fault) = app.state().take_fault(Call::Checkout, app.clock.now_ms()) {
        return Err(match fault.message {
            Some(message) => Refusal {
                message: Cow::Owned(message),
                ..WINDOW_ERROR
            },
            None => WINDOW_ERROR,
        });
    }
    if query
        .code
        .as_deref()
        .is_some_and(|code| code != app.settings.merchant_code)
    {
        return Err(invalid("등록되지 않은 가맹점 식별코드입니다."));
    }
    let order = order(parameters)?;
    // https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrq
    if text(parameters, "pay_method").as_deref() == Some("phone")
        && parameters.get("digital").and_then(Value::as_bool).is_none()
    {
        return Err(invalid("휴대폰 결제에는 digital 파라메터가 필요합니다."));
    }
    let device = match query.flow.as_deref() {
        None | Some("redirect") => Flow::Redirect,
        Some("frame") => Flow::Frame,
        Some(_) => return Err(invalid("flow는 redirect 또는 frame이어야 합니다.")),
    };
    let channel_key = text(parameters, "channelKey").unwrap_or_default();
    let gateway = gateway(parameters, &channel_key)?;
    let gateway = gateway.unwrap_or(app.state().config.gateway);
    let naver_popup_mode = parameters.get("naverPopupMode").and_then(Value::as_bool);
    let flow = gateway.flow(device, naver_popup_mode);
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
        kcp_action: kcp_action(parameters),
        confirm_url: http_url(parameters, "confirm_url")?,
        ended: false,
        location: None,
    };
    let tax_free = match parameters.get("tax_free") {
        None | Some(Value::Null) => Decimal::ZERO,
        Some(Value::Number(part)) => record::decimal(part)
            .filter(|part| (Decimal::ZERO..=order.exact_amount).contains(part))
            .ok_or_else(|| invalid("tax_free는 amount를 넘을 수 없습니다."))?,
        Some(_) => return Err(invalid("tax_free는 숫자여야 합니다.")),
    };
    let notice_urls = notice_urls(parameters)?;
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
    let imp_uid = state.draw_imp_uid();
    let mut record = record::opened(
        Opening {
            imp_uid: imp_uid.clone(),
            merchant_uid: order.merchant_uid,
            amount: order.amount,
            currency: order.currency,
            pay_method: text(parameters, "pay_method").unwrap_or_else(|| "card".into()),
            channel: match device {
                Flow::Redirect => Channel::Mobile,
                Flow::Frame => Channel::Pc,
            },
            gateway,
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
    state.ledger.change(&imp_uid, |payment| {
        payment.notice_urls = notice_urls;
        payment.tax_free = tax_free;
    });
    Ok(Opened { imp_uid, flow })
}

/// The gateway that the request names: by `pg` (`name` or `name.mid`), or in the channel key.
fn gateway(
    parameters: &Map<String, Value>,
    channel_key: &str,
) -> Result<Option<&'static Gateway>, Refusal> {
    let Some(pg) = text(parameters, "pg") else {
        return Ok(Gateway::of_channel_key(channel_key));
    };
    let name = pg.split_once('.').map_or(pg.as_str(), |(name, _)| name);
    Gateway::named(name)
        .map(Some)
        .ok_or_else(|| invalid("등록되지 않은 PG 설정입니다."))
}

fn kcp_action(parameters: &Map<String, Value>) -> String {
    parameters
        .get("bypass")
        .and_then(|bypass| bypass.pointer("/kcpQuick/actionType"))
        .and_then(Value::as_str)
        .map_or_else(|| "Pay".into(), cut)
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
        .ok_or_else(|| invalid("m_redirect_url, confirm_url은 http 또는 https 주소여야 합니다."))
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
                .ok_or_else(|| refusal.clone())
        })
        .collect()
}

/// The shop page's origin, as the browser itself states it. `null` (a file, a sandboxed frame) names no page.
fn opener_origin(headers: &HeaderMap) -> Option<String> {
    let origin = headers.get(header::ORIGIN)?.to_str().ok()?;
    let url = Url::parse(origin).ok().filter(is_http)?;
    Some(url.origin().ascii_serialization())
}
