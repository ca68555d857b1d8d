//! `POST /_sandbox/v2/checkout`: what `PortOne.requestPayment` sends before a window opens.
//!
//! What PortOne refuses here is never redirected: the promise of `requestPayment` is rejected. The codes are those of
//! PortOne's browser SDK. <https://developers.portone.io/sdk/ko/v2-sdk/payment-request>

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use iso_currency::Currency;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::banks;
use super::config::parse_http_url;
use super::ledger::{Attempt, Flow, Stage, Window};
use super::method::PayMethod;
use super::record::{self, Opening, Platform};
use super::uuid;
use super::webhook::{self, Kind, Notice};
use crate::journal::Event;
use crate::state::{App, ChannelKind};

/// Longest payment id. PortOne documents no limit.
pub(crate) const PAYMENT_ID_CHARS_MAX: usize = 200;
/// Longest text kept of any other parameter, in characters.
const TEXT_CHARS_MAX: usize = 256;
/// Addresses in `noticeUrls`.
const NOTICE_URLS_MAX: usize = 5;
/// Longest `customData`, written as JSON.
const CUSTOM_DATA_BYTES_MAX: usize = 16 * 1024;
const PRODUCTS_MAX: usize = 100;
const HOUR_MS: i64 = 60 * 60 * 1000;
const DEFAULT_BANK: &str = "SHINHAN";

/// What the browser SDK says about itself; the body is the shop's parameters and nothing else.
#[derive(Deserialize)]
pub(crate) struct CheckoutQuery {
    /// `mobile` (the default) or `pc`.
    device: Option<String>,
}

/// A refusal before the window opens.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    code: &'static str,
    message: &'static str,
}

const ALREADY_PAID: Refusal = Refusal {
    code: "PaymentAlreadyPaid",
    message: "이미 결제가 완료된 건입니다.",
};
const PREPARE_MISMATCH: Refusal = Refusal {
    code: "AmountNotEqualToPredefined",
    message: "사전 등록된 결제 정보와 결제 요청 금액 또는 통화가 일치하지 않습니다.",
};
const NO_STORE: Refusal = Refusal {
    code: "StoreNotFound",
    message: "상점이 존재하지 않습니다.",
};
const SANDBOX_FULL: Refusal = Refusal {
    code: "UnknownError",
    message: "portone-sandbox: too many payments; reset it",
};

fn invalid(message: &'static str) -> Refusal {
    Refusal {
        code: "RequestParseFailed",
        message,
    }
}

/// A window that was opened.
struct Opened {
    transaction_id: String,
    flow: Flow,
}

pub(crate) async fn open(
    State(app): State<App>,
    Query(query): Query<CheckoutQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parameters: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
    let payment_id = text(&parameters, "paymentId");
    let opened = open_window(&app, &query, &headers, &parameters);
    app.record(Event::V2Checkout {
        payment_id: payment_id.clone(),
        transaction_id: opened
            .as_ref()
            .ok()
            .map(|opened| opened.transaction_id.clone()),
        error_code: opened.as_ref().err().map(|refusal| refusal.code),
    });
    match opened {
        Ok(opened) => {
            announce(&app, &opened.transaction_id);
            Json(json!({
                "success": true,
                "transactionType": "PAYMENT",
                "paymentId": payment_id,
                "txId": opened.transaction_id,
                "flow": match opened.flow {
                    Flow::Redirect => "REDIRECTION",
                    Flow::Promise => "IFRAME",
                },
                "windowUrl": format!("{}_sandbox/v2/window/{}", app.base, opened.transaction_id),
            }))
            .into_response()
        }
        Err(refusal) => Json(json!({
            "success": false,
            "transactionType": "PAYMENT",
            "paymentId": payment_id,
            "code": refusal.code,
            "message": refusal.message,
        }))
        .into_response(),
    }
}

/// Tells the shop that a window was opened.
fn announce(app: &App, transaction_id: &str) {
    let (messages, mode) = {
        let mut state = app.state();
        let notice = Notice::of(Kind::Ready);
        let now_ms = app.clock.now_ms();
        let messages = webhook::messages(&mut state, transaction_id, &notice, None, now_ms);
        (messages, state.config.webhook)
    };
    webhook::send(app, messages, mode);
}

/// The parameters that PortOne checks before it opens a window.
struct Order {
    payment_id: String,
    order_name: String,
    total: i64,
    tax_free: i64,
    vat: Option<i64>,
    currency: String,
    method: PayMethod,
    channel_key: String,
    channel_group: Option<String>,
}

fn open_window(
    app: &App,
    query: &CheckoutQuery,
    headers: &HeaderMap,
    parameters: &Map<String, Value>,
) -> Result<Opened, Refusal> {
    let platform = match query.device.as_deref() {
        None | Some("mobile") => Platform::Mobile,
        Some("pc") => Platform::Pc,
        Some(_) => return Err(invalid("device는 mobile 또는 pc여야 합니다.")),
    };
    let store_id =
        text(parameters, "storeId").ok_or_else(|| invalid("storeId 파라미터가 누락되었습니다."))?;
    let order = order(parameters)?;
    let redirect_url = http_url(
        parameters,
        "redirectUrl",
        "redirectUrl은 http 또는 https 주소여야 합니다.",
    )?;
    let flow = flow(parameters, platform, order.method, redirect_url.is_some())?;
    let notice_urls = notice_urls(parameters)?;
    let custom_data = custom_data(parameters)?;
    let products = products(parameters)?;

    let now_ms = app.clock.now_ms();
    let (account_bank, account_expires_at_ms) = account(parameters, now_ms)?;
    let window = Window {
        flow,
        redirect_url,
        opener_origin: opener_origin(headers),
        english: text(parameters, "locale").is_some_and(|locale| locale.starts_with("EN")),
        account_bank,
        account_expires_at_ms,
        confirm_url: http_url(
            parameters,
            "confirmUrl",
            "confirmUrl은 http 또는 https 주소여야 합니다.",
        )?,
        stage: Stage::Open,
    };

    let mut state = app.state();
    let test_config = state.config.channel == ChannelKind::Test;
    if store_id != state.config.v2.store_id {
        return Err(NO_STORE);
    }
    let v2 = &mut state.v2;
    if v2.ledger.is_approved(&order.payment_id) {
        return Err(ALREADY_PAID);
    }
    if let Some(prepared) = v2.prepared.get(&order.payment_id) {
        let same_total = prepared
            .total_amount
            .is_none_or(|total| total == order.total);
        let same_tax_free = prepared
            .tax_free_amount
            .is_none_or(|tax_free| tax_free == order.tax_free);
        let same_currency = prepared
            .currency
            .as_ref()
            .is_none_or(|currency| *currency == order.currency);
        if !(same_total && same_tax_free && same_currency) {
            return Err(PREPARE_MISMATCH);
        }
    }
    let transaction_id = uuid(&mut v2.ids);
    let test_channel = test_config || order.channel_key.to_ascii_lowercase().contains("test");
    let mut record = record::opened(
        Opening {
            payment_id: order.payment_id,
            transaction_id: transaction_id.clone(),
            store_id,
            order_name: order.order_name,
            total: order.total,
            tax_free: order.tax_free,
            vat: order.vat,
            currency: order.currency,
            channel_key: order.channel_key,
            test_channel,
            platform,
        },
        now_ms,
    );
    record.insert("customer".into(), customer(parameters));
    if let Some(group) = order.channel_group {
        let group = json!({"id": group, "name": group, "isForTest": test_channel});
        record.insert("channelGroup".into(), group);
    }
    if let Some(custom_data) = custom_data {
        record.insert("customData".into(), json!(custom_data));
    }
    if let Some(products) = products {
        record.insert("products".into(), products);
    }
    record.insert(
        "isCulturalExpense".into(),
        json!(parameters.get("isCulturalExpense") == Some(&Value::Bool(true))),
    );
    if let Some(user_agent) = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
    {
        record["origin"]["userAgent"] = json!(cut(user_agent));
    }
    if let Some(origin) = &window.opener_origin {
        record["origin"]["url"] = json!(origin);
    }
    let attempt = Attempt {
        window: Some(window),
        notice_urls,
        ..Attempt::new(record, order.method)
    };
    v2.ledger.insert(attempt).map_err(|_| SANDBOX_FULL)?;
    Ok(Opened {
        transaction_id,
        flow,
    })
}

fn order(parameters: &Map<String, Value>) -> Result<Order, Refusal> {
    let payment_id = match parameters.get("paymentId") {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        _ => return Err(invalid("paymentId 파라미터가 누락되었습니다.")),
    };
    if payment_id.chars().count() > PAYMENT_ID_CHARS_MAX {
        return Err(invalid("paymentId가 너무 깁니다."));
    }
    let order_name = text(parameters, "orderName")
        .ok_or_else(|| invalid("orderName 파라미터가 누락되었습니다."))?;
    let total = amount(parameters, "totalAmount", "totalAmount는 정수여야 합니다.")?
        .filter(|total| *total > 0)
        .ok_or_else(|| invalid("totalAmount는 0보다 커야 합니다."))?;
    let tax_free = amount(
        parameters,
        "taxFreeAmount",
        "taxFreeAmount는 정수여야 합니다.",
    )?
    .unwrap_or(0);
    let vat = amount(parameters, "vatAmount", "vatAmount는 정수여야 합니다.")?;
    let parts = tax_free.saturating_add(vat.unwrap_or(0));
    if tax_free < 0 || vat.is_some_and(|vat| vat < 0) || parts > total {
        return Err(invalid(
            "taxFreeAmount와 vatAmount의 합은 totalAmount를 넘을 수 없습니다.",
        ));
    }
    let currency = text(parameters, "currency")
        .ok_or_else(|| invalid("currency 파라미터가 누락되었습니다."))?;
    // The SDK takes both spellings; the API knows the short one alone.
    let currency = currency.strip_prefix("CURRENCY_").unwrap_or(&currency);
    let currency = Currency::from_code(currency)
        .map(|currency| currency.code().to_owned())
        .ok_or_else(|| invalid("currency가 올바르지 않습니다."))?;
    let method = text(parameters, "payMethod")
        .ok_or_else(|| invalid("payMethod 파라미터가 누락되었습니다."))?;
    let method =
        PayMethod::parse(&method).ok_or_else(|| invalid("payMethod가 올바르지 않습니다."))?;
    // https://developers.portone.io/opi/ko/quick-guide/payment
    let product_type = text(parameters, "productType");
    if method == PayMethod::Mobile
        && !matches!(
            product_type.as_deref(),
            Some("PRODUCT_TYPE_REAL" | "PRODUCT_TYPE_DIGITAL")
        )
    {
        return Err(invalid(
            "휴대폰 소액결제 시 productType 파라미터는 필수 입력입니다.",
        ));
    }
    let channel_group = text(parameters, "channelGroupId");
    let channel_key = match (text(parameters, "channelKey"), &channel_group) {
        (Some(key), None) => key,
        // Which of a group's channels is taken is the group's secret; its name tells test from live.
        (None, Some(group)) => group.clone(),
        (None, None) | (Some(_), Some(_)) => {
            return Err(invalid(
                "channelKey와 channelGroupId 중 하나만 입력해야 합니다.",
            ));
        }
    };
    Ok(Order {
        payment_id,
        order_name,
        total,
        tax_free,
        vat,
        currency,
        method,
        channel_key,
        channel_group,
    })
}

/// Where the result goes. <https://developers.portone.io/opi/ko/integration/start/v2/checkout>
fn flow(
    parameters: &Map<String, Value>,
    platform: Platform,
    method: PayMethod,
    has_redirect_url: bool,
) -> Result<Flow, Refusal> {
    // PayPal opens a window of its own and ignores the address.
    if method == PayMethod::Paypal {
        return Ok(Flow::Promise);
    }
    let forced = parameters.get("forceRedirect") == Some(&Value::Bool(true));
    let kind = parameters
        .get("windowType")
        .and_then(|kind| match platform {
            Platform::Mobile => kind.get("mobile"),
            Platform::Pc => kind.get("pc"),
        })
        .and_then(Value::as_str);
    let redirects = match kind {
        _ if forced => true,
        Some("REDIRECTION") => true,
        Some("IFRAME" | "POPUP" | "UI") => false,
        Some(_) => return Err(invalid("windowType이 올바르지 않습니다.")),
        None => platform == Platform::Mobile && has_redirect_url,
    };
    match (redirects, has_redirect_url) {
        (true, false) => Err(invalid("redirectUrl 파라미터가 누락되었습니다.")),
        (true, true) => Ok(Flow::Redirect),
        (false, _) => Ok(Flow::Promise),
    }
}

/// The SDK and the API name a customer's parts differently.
fn customer(parameters: &Map<String, Value>) -> Value {
    let Some(Value::Object(given)) = parameters.get("customer") else {
        return json!({});
    };
    let mut customer = Map::new();
    for (theirs, ours) in [
        ("customerId", "id"),
        ("fullName", "name"),
        ("phoneNumber", "phoneNumber"),
        ("email", "email"),
        ("zipcode", "zipcode"),
        ("birthYear", "birthYear"),
        ("birthMonth", "birthMonth"),
        ("birthDay", "birthDay"),
    ] {
        if let Some(text) = text(given, theirs) {
            customer.insert(ours.into(), json!(text));
        }
    }
    if let (false, Some(first), Some(last)) = (
        customer.contains_key("name"),
        text(given, "firstName"),
        text(given, "lastName"),
    ) {
        customer.insert("name".into(), json!(format!("{last}{first}")));
    }
    if let Some(gender) = text(given, "gender")
        .filter(|gender| matches!(gender.as_str(), "MALE" | "FEMALE" | "OTHER"))
    {
        customer.insert("gender".into(), json!(gender));
    }
    if let Some(Value::Object(address)) = given.get("address") {
        let [one, two] =
            ["addressLine1", "addressLine2"].map(|name| text(address, name).unwrap_or_default());
        let mut address_out = json!({
            "type": "SEPARATED",
            "oneLine": format!("{one} {two}").trim(),
            "addressLine1": one,
            "addressLine2": two,
        });
        for name in ["city", "province"] {
            if let Some(text) = text(address, name) {
                address_out[name] = json!(text);
            }
        }
        customer.insert("address".into(), address_out);
    }
    Value::Object(customer)
}

/// `customData` as the JSON text that PortOne stores.
fn custom_data(parameters: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let data = match parameters.get("customData") {
        None | Some(Value::Null) => return Ok(None),
        // Early SDKs took the text itself.
        Some(Value::String(text)) => text.clone(),
        Some(data) => data.to_string(),
    };
    match data.len() > CUSTOM_DATA_BYTES_MAX {
        true => Err(invalid("customData가 너무 깁니다.")),
        false => Ok(Some(data)),
    }
}

fn products(parameters: &Map<String, Value>) -> Result<Option<Value>, Refusal> {
    let refusal = invalid("products가 올바르지 않습니다.");
    let products = match parameters.get("products") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(products)) if products.len() <= PRODUCTS_MAX => products,
        Some(_) => return Err(refusal),
    };
    let products: Option<Vec<Value>> = products
        .iter()
        .map(|product| {
            let product = product.as_object()?;
            let mut kept = json!({
                "id": text(product, "id")?,
                "name": text(product, "name")?,
                "amount": product.get("amount")?.as_i64()?,
                "quantity": product.get("quantity")?.as_u64()?,
            });
            for name in ["tag", "code", "link"] {
                if let Some(text) = text(product, name) {
                    kept[name] = json!(text);
                }
            }
            Some(kept)
        })
        .collect();
    products
        .map(|products| Some(json!(products)))
        .ok_or(refusal)
}

/// Bank and deadline of a virtual account.
fn account(parameters: &Map<String, Value>, now_ms: i64) -> Result<(String, Option<i64>), Refusal> {
    let Some(Value::Object(account)) = parameters.get("virtualAccount") else {
        return Ok((DEFAULT_BANK.into(), None));
    };
    let bank = text(account, "bankCode").unwrap_or_else(|| DEFAULT_BANK.into());
    let bank = bank.strip_prefix("BANK_").unwrap_or(&bank).to_owned();
    if !banks::is_known(&bank) {
        return Err(invalid("virtualAccount.bankCode가 올바르지 않습니다."));
    }
    let refusal = invalid("virtualAccount.accountExpiry가 올바르지 않습니다.");
    let expires_at_ms = match account.get("accountExpiry") {
        None | Some(Value::Null) => None,
        Some(expiry) => Some(expiry_ms(expiry, now_ms).ok_or(refusal)?),
    };
    Ok((bank, expires_at_ms))
}

fn expiry_ms(expiry: &Value, now_ms: i64) -> Option<i64> {
    if let Some(hours) = expiry.get("validHours") {
        return now_ms.checked_add(hours.as_i64()?.checked_mul(HOUR_MS)?);
    }
    let due = expiry.get("dueDate")?.as_str()?;
    match due.parse::<jiff::Timestamp>() {
        Ok(due) => Some(due.as_millisecond()),
        // Without an offset it is Korean time.
        Err(_) => crate::record::parse_vbank_due(due)?.checked_mul(1000),
    }
}

/// An integer parameter; a fraction or a text is refused.
fn amount(
    parameters: &Map<String, Value>,
    name: &str,
    message: &'static str,
) -> Result<Option<i64>, Refusal> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| invalid(message)),
    }
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

fn http_url(
    parameters: &Map<String, Value>,
    name: &str,
    message: &'static str,
) -> Result<Option<Url>, Refusal> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_str()
            .and_then(parse_http_url)
            .map(Some)
            .ok_or_else(|| invalid(message)),
    }
}

fn notice_urls(parameters: &Map<String, Value>) -> Result<Vec<Url>, Refusal> {
    let refusal = invalid("noticeUrls는 5개 이하의 http 또는 https 주소여야 합니다.");
    let texts = match parameters.get("noticeUrls") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(texts)) if texts.len() <= NOTICE_URLS_MAX => texts,
        Some(_) => return Err(refusal),
    };
    texts
        .iter()
        .map(|text| text.as_str().and_then(parse_http_url).ok_or(refusal))
        .collect()
}

/// The shop page's origin, as the browser itself states it. `null` (a file, a sandboxed frame) names no page.
fn opener_origin(headers: &HeaderMap) -> Option<String> {
    let origin = headers.get(header::ORIGIN)?.to_str().ok()?;
    Some(parse_http_url(origin)?.origin().ascii_serialization())
}
