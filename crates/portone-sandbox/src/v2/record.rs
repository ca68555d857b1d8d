//! One attempt to pay as PortOne's V2 API shows it, and the ways it changes.
//!
//! A record is a JSON object for the reason V1's is one: the control plane may set any field to any value. The functions
//! here write what PortOne writes. What does not apply is absent, never `null`; amounts are integers in the currency's
//! minor unit; each status has fields of its own, and a record loses those of the status it leaves.
//! Fields: <https://developers.portone.io/api/rest-v2/payment>

use serde_json::{Map, Value, json};
use url::Url;

use super::method::PayMethod;
use crate::rng::Rng;

pub(crate) type Record = Map<String, Value>;

pub(crate) const READY: &str = "READY";
pub(crate) const PAY_PENDING: &str = "PAY_PENDING";
pub(crate) const VIRTUAL_ACCOUNT_ISSUED: &str = "VIRTUAL_ACCOUNT_ISSUED";
pub(crate) const PAID: &str = "PAID";
pub(crate) const FAILED: &str = "FAILED";
pub(crate) const PARTIAL_CANCELLED: &str = "PARTIAL_CANCELLED";
pub(crate) const CANCELLED: &str = "CANCELLED";

/// The one merchant whose store this is.
pub(crate) const MERCHANT_ID: &str = "merchant-00000000-0000-0000-0000-000000000000";

/// What a payment starts with.
pub(crate) struct Opening {
    pub(crate) payment_id: String,
    pub(crate) transaction_id: String,
    pub(crate) store_id: String,
    pub(crate) order_name: String,
    pub(crate) total: i64,
    pub(crate) tax_free: i64,
    /// A share of the taxable part, if the shop names none.
    pub(crate) vat: Option<i64>,
    pub(crate) currency: String,
    pub(crate) channel_key: String,
    pub(crate) test_channel: bool,
    pub(crate) platform: Platform,
}

/// Where the payment was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    Pc,
    Mobile,
}

impl Platform {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Platform::Pc => "PC",
            Platform::Mobile => "MOBILE",
        }
    }
}

/// Fields that only some statuses have.
fn belongs(field: &str, status: &str) -> bool {
    match field {
        "failedAt" | "failure" => status == FAILED,
        "pgTxId" => !matches!(status, READY | FAILED),
        "paidAt" | "receiptUrl" | "cashReceipt" | "cashReceiptIssuanceStatus" | "cancellations" => {
            matches!(status, PAID | PARTIAL_CANCELLED | CANCELLED)
        }
        "pgResponse" | "disputes" => status == PAID,
        "cancelledAt" => matches!(status, PARTIAL_CANCELLED | CANCELLED),
        _ => true,
    }
}

/// Of when PortOne knows a moment: requests and updates with their fraction, changes of the status to the second.
pub(crate) fn moment(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms)
        .unwrap_or_default()
        .to_string()
}

fn second(at_ms: i64) -> String {
    moment(at_ms.div_euclid(1000) * 1000)
}

/// A record at the moment the window opens.
pub(crate) fn opened(opening: Opening, now_ms: i64) -> Record {
    let mut record = Record::new();
    set(
        &mut record,
        json!({
            "status": READY,
            "id": opening.payment_id,
            "transactionId": opening.transaction_id,
            "merchantId": MERCHANT_ID,
            "storeId": opening.store_id,
            "channel": channel(&opening.channel_key, opening.test_channel),
            "version": "V2",
            "requestedAt": moment(now_ms),
            "updatedAt": moment(now_ms),
            "statusChangedAt": second(now_ms),
            "orderName": opening.order_name,
            "amount": amount(opening.total, opening.tax_free, opening.vat),
            "currency": opening.currency,
            "customer": {},
            "origin": {"platformType": opening.platform.name(), "ipAddress": "127.0.0.1"},
            "isCulturalExpense": false,
            "webhooks": [],
        }),
    );
    record
}

pub(crate) fn channel(key: &str, test: bool) -> Value {
    json!({
        "type": if test { "TEST" } else { "LIVE" },
        "id": if test { "channel-id-test" } else { "channel-id-live" },
        "key": key,
        "name": if test { "샌드박스 (테스트)" } else { "샌드박스" },
        "pgProvider": "INICIS_V2",
        "pgMerchantId": "INIpayTest",
    })
}

/// `paid` is what is to be paid after discounts, whatever came of it; PortOne writes it into failed payments as well.
pub(crate) fn amount(total: i64, tax_free: i64, vat: Option<i64>) -> Value {
    let vat = vat.unwrap_or_else(|| vat_of(total.saturating_sub(tax_free)));
    json!({
        "total": total,
        "taxFree": tax_free,
        "vat": vat,
        "supply": total.saturating_sub(tax_free).saturating_sub(vat),
        "discount": 0,
        "paid": total,
        "cancelled": 0,
        "cancelledTaxFree": 0,
    })
}

/// Korea's VAT is a tenth on top, so an eleventh of what was paid, rounded half up.
pub(crate) fn vat_of(taxable: i64) -> i64 {
    taxable.saturating_mul(2).saturating_add(11).div_euclid(22)
}

/// Writes the status, and takes away what does not belong to it.
fn change_status(record: &mut Record, status: &str, now_ms: i64) {
    record.retain(|field, _| belongs(field, status));
    set(
        record,
        json!({"status": status, "statusChangedAt": second(now_ms)}),
    );
    touch(record, now_ms);
}

fn touch(record: &mut Record, now_ms: i64) {
    record.insert("updatedAt".into(), json!(moment(now_ms)));
}

/// The gateway has the money, or will have it without anything more from the buyer.
pub(crate) fn approve(
    record: &mut Record,
    method: PayMethod,
    now_ms: i64,
    base: &Url,
    rng: &mut Rng,
) {
    let was_waiting = text(record, "status") == VIRTUAL_ACCOUNT_ISSUED;
    change_status(record, PAID, now_ms);
    if !was_waiting {
        record.insert("method".into(), method.approved(rng));
    }
    keep_pg_tx_id(record, rng);
    let receipt_url = format!(
        "{base}_sandbox/v2/receipt/{}",
        text(record, "transactionId")
    );
    set(
        record,
        json!({
            "paidAt": second(now_ms),
            "pgResponse": r#"{"resultCode":"0000","resultMsg":"정상완료"}"#,
            "receiptUrl": receipt_url,
            "disputes": [],
        }),
    );
}

/// The gateway looks into it before it says yes or no.
pub(crate) fn pend(record: &mut Record, method: PayMethod, now_ms: i64, rng: &mut Rng) {
    change_status(record, PAY_PENDING, now_ms);
    record.insert("method".into(), method.approved(rng));
    keep_pg_tx_id(record, rng);
}

/// An account to deposit to was issued; nothing is paid until the money arrives.
pub(crate) fn issue_virtual_account(
    record: &mut Record,
    bank: &str,
    expires_at_ms: i64,
    now_ms: i64,
    rng: &mut Rng,
) {
    change_status(record, VIRTUAL_ACCOUNT_ISSUED, now_ms);
    keep_pg_tx_id(record, rng);
    let remitter = record
        .get("customer")
        .and_then(|customer| customer.get("name"))
        .cloned();
    let mut method = json!({
        "type": "PaymentMethodVirtualAccount",
        "bank": bank,
        "accountNumber": format!("562{}", rng.digits(11)),
        "accountType": "NORMAL",
        "remitteeName": "포트원샌드박스",
        "issuedAt": second(now_ms),
        "expiredAt": second(expires_at_ms),
    });
    if let Some(remitter) = remitter {
        method["remitterName"] = remitter;
    }
    record.insert("method".into(), method);
}

/// Why a payment failed. Codes are the gateway's.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    pub(crate) pg_code: Option<String>,
    pub(crate) pg_message: Option<String>,
}

impl Failure {
    /// A gateway's refusal, worded as PortOne passes it on.
    pub(crate) fn of_gateway(code: &str, message: &str) -> Self {
        Failure {
            reason: format!("[{code}] {message}"),
            pg_code: Some(code.into()),
            pg_message: Some(message.into()),
        }
    }

    fn to_json(&self) -> Value {
        let mut failure = json!({"reason": self.reason});
        if let Some(code) = &self.pg_code {
            failure["pgCode"] = json!(code);
        }
        if let Some(message) = &self.pg_message {
            failure["pgMessage"] = json!(message);
        }
        failure
    }
}

pub(crate) fn fail(record: &mut Record, failure: &Failure, now_ms: i64) {
    change_status(record, FAILED, now_ms);
    set(
        record,
        json!({"failedAt": second(now_ms), "failure": failure.to_json()}),
    );
}

/// After a cancellation succeeded: what is cancelled in sum decides between the two statuses.
pub(crate) fn change_cancelled(
    record: &mut Record,
    cancelled: i64,
    cancelled_tax_free: i64,
    now_ms: i64,
) {
    let status = match cancelled < amount_of(record, "total") {
        true => PARTIAL_CANCELLED,
        false => CANCELLED,
    };
    change_status(record, status, now_ms);
    if let Some(Value::Object(amount)) = record.get_mut("amount") {
        amount.insert("cancelled".into(), json!(cancelled));
        amount.insert("cancelledTaxFree".into(), json!(cancelled_tax_free));
    }
    record.insert("cancelledAt".into(), json!(second(now_ms)));
}

/// The buyer disputes a payment at the card company. Only paid payments show disputes.
pub(crate) fn open_dispute(record: &mut Record, reason: &str, now_ms: i64, rng: &mut Rng) {
    let dispute = json!({
        "status": "UNRESOLVED",
        "pgDisputeId": format!("PP-D-{}", rng.digits(6)),
        "reason": reason,
        "createdAt": second(now_ms),
    });
    change_list(record, "disputes", |disputes| disputes.push(dispute));
    touch(record, now_ms);
}

/// Ends the oldest open dispute; false if there is none.
pub(crate) fn resolve_dispute(record: &mut Record, now_ms: i64) -> bool {
    let resolved = change_list(record, "disputes", |disputes| {
        let open = disputes
            .iter_mut()
            .find(|dispute| dispute["status"] == "UNRESOLVED");
        let Some(dispute) = open else {
            return false;
        };
        dispute["status"] = json!("RESOLVED");
        dispute["resolvedAt"] = json!(second(now_ms));
        true
    });
    touch(record, now_ms);
    resolved
}

/// Changes a list field, which is made if it is absent or something else.
pub(crate) fn change_list<T>(
    record: &mut Record,
    field: &str,
    change: impl FnOnce(&mut Vec<Value>) -> T,
) -> T {
    let mut list = match record.remove(field) {
        Some(Value::Array(list)) => list,
        Some(_) | None => Vec::new(),
    };
    let result = change(&mut list);
    record.insert(field.into(), Value::Array(list));
    result
}

fn keep_pg_tx_id(record: &mut Record, rng: &mut Rng) {
    if text(record, "pgTxId").is_empty() {
        record.insert(
            "pgTxId".into(),
            json!(format!("StdpayINIpayTest{}", rng.digits(20))),
        );
    }
}

/// The same attempt in the words of `GET /payments/{paymentId}/transactions`.
pub(crate) fn transaction(record: &Record) -> Record {
    let mut transaction = record.clone();
    for field in ["transactionId", "origin", "disputes"] {
        transaction.remove(field);
    }
    if text(record, "status") == PAID {
        transaction.remove("cancellations");
    }
    transaction.insert(
        "id".into(),
        record.get("transactionId").cloned().unwrap_or_default(),
    );
    transaction.insert(
        "paymentId".into(),
        record.get("id").cloned().unwrap_or_default(),
    );
    transaction
}

/// Whether money came in, be it that it went back since.
pub(crate) fn is_approved(record: &Record) -> bool {
    matches!(text(record, "status"), PAID | PARTIAL_CANCELLED | CANCELLED)
}

/// Writes every field of `fields`, which is an object, over the record's.
pub(crate) fn set(record: &mut Record, fields: Value) {
    if let Value::Object(fields) = fields {
        record.extend(fields);
    }
}

/// A text field; empty if it is absent or something else.
pub(crate) fn text<'a>(record: &'a Record, field: &str) -> &'a str {
    record
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A part of `amount` in minor units; 0 if it is absent or something else.
pub(crate) fn amount_of(record: &Record, part: &str) -> i64 {
    record
        .get("amount")
        .and_then(|amount| amount.get(part))
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

pub(crate) fn is_test(record: &Record) -> bool {
    record
        .get("channel")
        .is_some_and(|channel| channel["type"] == "TEST")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vat_is_an_eleventh_rounded_half_up() {
        let cases = [
            (1000, 91),
            (50_000, 4545),
            (64_900, 5900),
            (0, 0),
            (5, 0),
            (6, 1),
        ];
        for (taxable, vat) in cases {
            assert_eq!(vat_of(taxable), vat, "{taxable}");
        }
    }

    #[test]
    fn moments_keep_their_fraction_and_seconds_lose_it() {
        assert_eq!(moment(1_714_039_200_250), "2024-04-25T10:00:00.25Z");
        assert_eq!(second(1_714_039_200_250), "2024-04-25T10:00:00Z");
    }
}
