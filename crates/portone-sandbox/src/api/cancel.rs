//! `POST /payments/cancel`. Everything but a missing token is answered with HTTP 200; a refusal is a `code` and no
//! `response`. <https://developers.portone.io/api/rest-v1/payment.cancel>
//!
//! The messages for an unknown payment and a fully cancelled one are PortOne's; the others are the sandbox's own.

use axum::body::Bytes;
use axum::extract::State;
use http::HeaderMap;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::{
    Answer, ApiRefusal, Authorized, bool_field, business_error, decimal_field, envelope, fields,
    text_field,
};
use crate::later;
use crate::ledger::{Ledger, Payment};
use crate::record::{self, CancelError};
use crate::state::{App, State as SandboxState};
use crate::webhook::{self, Delivery};

const NOTHING_TO_CANCEL: &str = "취소할 결제건이 존재하지 않습니다.";
const FULLY_CANCELLED: &str = "이미 전액취소된 주문입니다.";
const NOT_A_NUMBER: &str = "amount, checksum 파라메터가 올바르지 않습니다.";
const CHECKSUM_MISMATCH: &str = "취소 가능한 잔액이 checksum과 일치하지 않습니다.";
const NOT_PAID: &str = "결제완료 상태가 아닌 결제건은 취소할 수 없습니다.";
const BAD_AMOUNT: &str = "취소 요청금액이 취소 가능한 잔액을 초과합니다.";
const WRONG_TAX: &str = "취소 요청한 면세금액 또는 과세금액이 취소 가능한 금액을 초과합니다.";
const NO_REFUND_ACCOUNT: &str =
    "가상계좌 결제건은 refund_holder, refund_bank, refund_account 파라메터가 필요합니다.";
const NO_REASON: &str = "네이버페이 결제건은 reason 파라메터가 필요합니다.";
const DEFAULT_REASON: &str = "API를 통한 취소";
/// What cancels of accounts need, with every gateway but the new Toss Payments.
const REFUND_FIELDS: [&str; 3] = ["refund_holder", "refund_bank", "refund_account"];

/// A cancel as it was asked for.
struct Request<'f> {
    /// All that is left, if absent.
    amount: Option<Decimal>,
    /// What the caller believes is left.
    checksum: Option<Decimal>,
    /// How much of the amount is free of tax; nothing, if absent.
    tax_free: Decimal,
    reason: Option<&'f str>,
    names_refund_account: bool,
}

impl<'f> Request<'f> {
    fn parse(fields: &'f Map<String, Value>) -> Result<Self, ApiRefusal> {
        let number = |name| decimal_field(fields, name).map_err(|_| business_error(NOT_A_NUMBER));
        Ok(Request {
            amount: number("amount")?.filter(|amount| !amount.is_zero()),
            checksum: number("checksum")?,
            tax_free: number("tax_free")?.unwrap_or_default(),
            reason: text_field(fields, "reason"),
            names_refund_account: REFUND_FIELDS
                .iter()
                .all(|name| text_field(fields, name).is_some()),
        })
    }

    fn check(&self, payment: &Payment) -> Result<(), ApiRefusal> {
        let record = &payment.record;
        let gateway = record::text(record, "pg_provider");
        if !matches!(payment.status(), "paid" | "cancelled") {
            return Err(business_error(NOT_PAID));
        }
        let left = record::cancellable(record);
        if left.is_some_and(|left| left <= Decimal::ZERO) {
            return Err(business_error(FULLY_CANCELLED));
        }
        if self.checksum.is_some() && self.checksum != left {
            return Err(business_error(CHECKSUM_MISMATCH));
        }
        let amount = self.amount.or(left).unwrap_or_default();
        let taxed_left = left.unwrap_or_default() - payment.tax_free;
        if self.tax_free.is_sign_negative()
            || self.tax_free > payment.tax_free
            || (payment.tax_free > Decimal::ZERO && amount - self.tax_free > taxed_left)
        {
            return Err(business_error(WRONG_TAX));
        }
        if record::has_vbank(record) && !self.names_refund_account {
            return Err(business_error(NO_REFUND_ACCOUNT));
        }
        if gateway == "naverpay" && self.reason.is_none() {
            return Err(business_error(NO_REASON));
        }
        Ok(())
    }
}

pub(crate) async fn cancel(
    _: Authorized,
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let fields = fields(&headers, &body);
    let request = Request::parse(&fields)?;
    let (payment, mode, deliveries) = {
        let mut state = app.state();
        let now_ms = app.clock.now_ms();
        let imp_uid = find(&state.ledger, &fields, now_ms)
            .ok_or_else(|| business_error(NOTHING_TO_CANCEL))?
            .imp_uid()
            .to_owned();
        let SandboxState {
            ledger, details, ..
        } = &mut *state;
        let (payment, told_id) = ledger
            .change(&imp_uid, |payment| {
                request.check(payment)?;
                let cancellation = record::cancel(
                    &mut payment.record,
                    now_ms / 1000,
                    request.amount,
                    request.reason.unwrap_or(DEFAULT_REASON),
                    details,
                )
                .map_err(refusal)?;
                payment.tax_free -= request.tax_free;
                let told_id = later::after_cancel(&app, payment, cancellation);
                Ok((payment.clone(), told_id))
            })
            .ok_or_else(|| business_error(NOTHING_TO_CANCEL))??;
        // Told of at the address set in the console, and only if asked for.
        let url = state
            .config
            .webhook_url
            .clone()
            .filter(|_| bool_field(&fields, "enable_webhook"));
        let deliveries: Vec<_> = url
            .zip(told_id)
            .map(|(url, id)| Delivery {
                cancellation_id: Some(id),
                ..state.delivery(url, &imp_uid, payment.merchant_uid(), "cancelled")
            })
            .into_iter()
            .collect();
        (payment, state.config.webhook, deliveries)
    };
    webhook::announce(&app, mode, deliveries);
    Ok(envelope(Value::Object(payment.record)))
}

/// By `imp_uid` if one is given, even if it is wrong; else the order's payment that holds money, else its last one.
fn find<'l>(ledger: &'l Ledger, fields: &Map<String, Value>, now_ms: i64) -> Option<&'l Payment> {
    if let Some(imp_uid) = text_field(fields, "imp_uid") {
        return ledger
            .find(imp_uid)
            .filter(|payment| payment.is_visible(now_ms));
    }
    ledger
        .of_merchant(text_field(fields, "merchant_uid")?)
        .filter(|payment| payment.is_visible(now_ms))
        .max_by_key(|payment| {
            let holds_money = matches!(payment.status(), "paid" | "cancelled");
            (holds_money, payment.number)
        })
}

fn refusal(error: CancelError) -> ApiRefusal {
    business_error(match error {
        CancelError::NotPaid => NOT_PAID,
        CancelError::FullyCancelled => FULLY_CANCELLED,
        CancelError::Amount => BAD_AMOUNT,
    })
}
