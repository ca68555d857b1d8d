//! Virtual accounts without a payment window (`/vbanks`). <https://developers.portone.io/api/rest-v1/vbank>

use axum::body::Bytes;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    Answer, ApiRefusal, Authorized, MERCHANT_UID_CHARS_MAX, NOT_FOUND, bad_request, business_error,
    codes, decimal_field, envelope, fields, refuse, text_field,
};
use crate::gateway::{Account, Gateway};
use crate::later;
use crate::ledger::Payment;
use crate::record::{self, Channel, Opening};
use crate::state::{App, ChannelKind, State as SandboxState};
use crate::webhook;

const NOT_AN_OPEN_ACCOUNT: &str = "입금대기 상태의 가상계좌 결제건이 아닙니다.";
const ALREADY_PAID: &str = "이미 결제가 이루어진 거래건입니다.";
const SANDBOX_FULL: &str = "portone-sandbox: too many payments; reset it";
/// Addresses in `notice_url`.
const NOTICE_URLS_MAX: usize = 5;
/// Texts that the record keeps as they came.
const KEPT_TEXTS: [&str; 7] = [
    "name",
    "buyer_name",
    "buyer_email",
    "buyer_tel",
    "buyer_addr",
    "buyer_postcode",
    "custom_data",
];

struct Request {
    merchant_uid: String,
    amount: Decimal,
    bank: (&'static str, &'static str),
    due: i64,
    gateway: Option<&'static Gateway>,
    is_test: bool,
    notice_urls: Vec<Url>,
}

impl Request {
    fn parse(fields: &Map<String, Value>) -> Result<Self, ApiRefusal> {
        let missing = || {
            business_error(
                "channel_key, merchant_uid, amount, vbank_code, vbank_due 파라메터를 확인하세요.",
            )
        };
        let text = |name| text_field(fields, name).ok_or_else(missing);
        let number = |name| {
            decimal_field(fields, name)
                .ok()
                .flatten()
                .ok_or_else(missing)
        };
        let channel_key = text("channel_key")?;
        let merchant_uid = text("merchant_uid")?;
        let amount = number("amount")?;
        let due = number("vbank_due")?;
        if merchant_uid.chars().count() > MERCHANT_UID_CHARS_MAX || amount <= Decimal::ZERO {
            return Err(missing());
        }
        Ok(Request {
            merchant_uid: merchant_uid.into(),
            amount,
            bank: codes::bank(text("vbank_code")?)
                .ok_or_else(|| business_error("vbank_code가 올바르지 않습니다."))?,
            due: i64::try_from(due).map_err(|_| missing())?,
            gateway: Gateway::of_channel_key(channel_key),
            is_test: channel_key.to_ascii_lowercase().contains("test"),
            notice_urls: notice_urls(fields)?,
        })
    }
}

fn notice_urls(fields: &Map<String, Value>) -> Result<Vec<Url>, ApiRefusal> {
    let texts: Vec<&Value> = match fields.get("notice_url") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(texts)) => texts.iter().collect(),
        Some(text) => vec![text],
    };
    let urls: Option<Vec<Url>> = texts
        .into_iter()
        .map(|text| {
            Url::parse(text.as_str()?)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https"))
        })
        .collect();
    urls.filter(|urls| urls.len() <= NOTICE_URLS_MAX)
        .ok_or_else(|| business_error("notice_url이 올바르지 않습니다."))
}

/// `POST /vbanks`: refused with HTTP 200 and a code.
pub(crate) async fn issue(
    _: Authorized,
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let fields = fields(&headers, &body);
    let request = Request::parse(&fields)?;
    let now = app.clock.now();
    if request.due <= now {
        return Err(business_error("vbank_due는 현재 시각 이후여야 합니다."));
    }
    let (payment, mode, deliveries) = {
        let mut state = app.state();
        if state.ledger.is_approved(&request.merchant_uid) {
            return Err(business_error(ALREADY_PAID));
        }
        let imp_uid = state.draw_imp_uid();
        let mut record = record::opened(
            Opening {
                imp_uid: imp_uid.clone(),
                merchant_uid: request.merchant_uid,
                amount: record::number(request.amount),
                currency: "KRW".into(),
                pay_method: "vbank".into(),
                channel: Channel::Api,
                gateway: request.gateway.unwrap_or(state.config.gateway),
                test_channel: request.is_test || state.config.channel == ChannelKind::Test,
            },
            now,
        );
        record::issue_vbank(&mut record, now, Some(request.due), &mut state.details);
        let (code, name) = request.bank;
        record::set(&mut record, json!({"vbank_code": code, "vbank_name": name}));
        for name in KEPT_TEXTS {
            if let Some(text) = text_field(&fields, name) {
                record.insert(name.into(), json!(text));
            }
        }
        // The gateways that ask for a holder are those that answer with one.
        if let Some(holder) = text_field(&fields, "vbank_holder")
            && Gateway::of(&record).account != Account::NoHolder
        {
            record.insert("vbank_holder".into(), json!(holder));
        }
        state
            .ledger
            .insert(record, None)
            .map_err(|_| business_error(SANDBOX_FULL))?;
        let payment = state
            .ledger
            .change(&imp_uid, |payment| {
                payment.notice_urls = request.notice_urls;
                payment.clone()
            })
            .ok_or_else(|| business_error(SANDBOX_FULL))?;
        let deliveries = state.webhooks(&payment, "ready", None, None);
        (payment, state.config.webhook, deliveries)
    };
    later::close_when_overdue(&app, &payment);
    app.notify();
    webhook::announce(&app, mode, deliveries);
    Ok(envelope(Value::Object(payment.record)))
}

/// `PUT /vbanks/{imp_uid}`: another amount or deadline. PortOne has it for Hecto alone; the sandbox does not mind.
pub(crate) async fn change(
    _: Authorized,
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let fields = fields(&headers, &body);
    let number = |name| {
        decimal_field(&fields, name)
            .map_err(|_| bad_request("amount, vbank_due 파라메터가 올바르지 않습니다."))
    };
    let amount = number("amount")?;
    let due = number("vbank_due")?
        .map(|due| {
            i64::try_from(due).map_err(|_| bad_request("vbank_due 파라메터가 올바르지 않습니다."))
        })
        .transpose()?;
    if amount.is_some_and(|amount| amount <= Decimal::ZERO) {
        return Err(bad_request("amount 파라메터가 올바르지 않습니다."));
    }
    let payment = change_open_account(&app, &imp_uid, |payment| {
        if let Some(amount) = amount {
            let amount = record::number(amount);
            payment.record.insert("amount".into(), json!(amount));
        }
        if let Some(due) = due {
            payment.record.insert("vbank_date".into(), json!(due));
        }
    })?;
    if due.is_some() {
        later::close_when_overdue(&app, &payment);
    }
    Ok(envelope(Value::Object(payment.record)))
}

/// `DELETE /vbanks/{imp_uid}`: the account is closed and the payment failed. No webhook is documented for it.
pub(crate) async fn close(
    _: Authorized,
    State(app): State<App>,
    Path(imp_uid): Path<String>,
) -> Answer {
    let now = app.clock.now();
    let payment = change_open_account(&app, &imp_uid, |payment| {
        record::fail(&mut payment.record, now, later::ACCOUNT_CLOSED);
    })?;
    Ok(envelope(Value::Object(payment.record)))
}

/// Changes an account that waits for its deposit.
fn change_open_account(
    app: &App,
    imp_uid: &str,
    change: impl FnOnce(&mut Payment),
) -> Result<Payment, ApiRefusal> {
    let mut state = app.state();
    let SandboxState { ledger, .. } = &mut *state;
    let changed = ledger
        .change(imp_uid, |payment| {
            later::is_open_account(payment).then(|| {
                change(payment);
                payment.clone()
            })
        })
        .ok_or_else(|| refuse(StatusCode::NOT_FOUND, NOT_FOUND))?;
    changed.ok_or_else(|| bad_request(NOT_AN_OPEN_ACCOUNT))
}
