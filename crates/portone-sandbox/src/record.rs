//! One payment as PortOne's V1 API shows it, and the ways it changes.
//!
//! A record is a JSON object on purpose, not a struct: the control plane may set any field to any value, or remove it,
//! so that a client meets what a real gateway might one day send. The functions here write only values PortOne writes:
//! `null` where a text does not apply, `0` where a time does not.
//! Fields: <https://developers.portone.io/api/rest-v1/payment>

use rust_decimal::Decimal;
use serde_json::{Map, Number, Value, json};

use crate::gateway::{Account, Gateway, Tells};
use crate::rng::Rng;

pub(crate) type Record = Map<String, Value>;

/// Days until the deposit deadline of a virtual account, if the shop asked for none.
const VBANK_DUE_DAYS: i64 = 3;
const DAY_S: i64 = 24 * 60 * 60;

/// What the payment window was opened with.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) imp_uid: String,
    pub(crate) merchant_uid: String,
    pub(crate) amount: Number,
    pub(crate) currency: String,
    pub(crate) pay_method: String,
    pub(crate) channel: Channel,
    pub(crate) gateway: &'static Gateway,
    pub(crate) test_channel: bool,
}

/// How a payment was made (`channel`).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Channel {
    Pc,
    Mobile,
    /// Without a payment window.
    Api,
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Channel::Pc => "pc",
            Channel::Mobile => "mobile",
            Channel::Api => "api",
        }
    }
}

/// Texts that are `null` until they are known.
const NULL_FIELDS: [&str; 31] = [
    "apply_num",
    "bank_code",
    "bank_name",
    "buyer_addr",
    "buyer_email",
    "buyer_name",
    "buyer_postcode",
    "buyer_tel",
    "cancel_reason",
    "card_code",
    "card_issuer_code",
    "card_issuer_name",
    "card_name",
    "card_number",
    "card_publisher_code",
    "card_publisher_name",
    "card_type",
    "custom_data",
    "customer_uid",
    "customer_uid_usage",
    "emb_pg_provider",
    "fail_reason",
    "name",
    "pg_tid",
    "promotion",
    "receipt_url",
    "user_agent",
    "vbank_code",
    "vbank_holder",
    "vbank_name",
    "vbank_num",
];
/// Times and counts that are `0` until they apply.
const ZERO_FIELDS: [&str; 7] = [
    "cancel_amount",
    "cancelled_at",
    "card_quota",
    "failed_at",
    "paid_at",
    "vbank_date",
    "vbank_issued_at",
];
/// Lists that are empty, never `null`.
const LIST_FIELDS: [&str; 3] = ["cancel_history", "cancel_receipt_urls", "deposit_history"];

/// A record at the moment the window opens: `ready`, and nothing known but what the shop said.
pub(crate) fn opened(opening: Opening, now: i64) -> Record {
    let nulls = NULL_FIELDS.map(|field| (field, Value::Null));
    let zeros = ZERO_FIELDS.map(|field| (field, json!(0)));
    let lists = LIST_FIELDS.map(|field| (field, json!([])));
    let mut record: Record = nulls
        .into_iter()
        .chain(zeros)
        .chain(lists)
        .map(|(field, value)| (field.to_owned(), value))
        .collect();
    set(
        &mut record,
        json!({
            "imp_uid": opening.imp_uid,
            "merchant_uid": opening.merchant_uid,
            "pay_method": opening.pay_method,
            "channel": opening.channel.name(),
            "pg_provider": opening.gateway.name,
            "pg_id": opening.gateway.pg_id(),
            "sandbox": opening.test_channel,
            "escrow": false,
            "amount": opening.amount,
            "currency": opening.currency,
            "status": "ready",
            "started_at": now,
            "cash_receipt_issued": false,
        }),
    );
    record
}

/// The payment gateway approved: card, transfer, or an easy payment, by what the record says it is paid with.
pub(crate) fn approve(record: &mut Record, now: i64, base: &url::Url, rng: &mut Rng) {
    match text(record, "pay_method") {
        "card" => {
            set(
                record,
                json!({
                    "apply_num": rng.digits(8),
                    "card_code": "366",
                    "card_name": "신한카드",
                    "card_number": format!("438676*********{}", rng.digits(1)),
                    "card_type": 0,
                }),
            );
            // The newer modules say who issued the card as well.
            if Gateway::of(record).tells == Tells::IdsOnly {
                set(
                    record,
                    json!({
                        "card_issuer_code": "366",
                        "card_issuer_name": "신한카드",
                        "card_publisher_code": "366",
                        "card_publisher_name": "신한카드",
                    }),
                );
            }
        }
        "trans" => set(
            record,
            json!({"bank_code": "004", "bank_name": "KB국민은행"}),
        ),
        _ => {}
    }
    let pg_tid = pg_tid(record, now, rng);
    let receipt_url = receipt_url(record, base);
    set(
        record,
        json!({
            "status": "paid",
            "paid_at": now,
            // A late approval leaves no trace of the failure before it.
            "failed_at": 0,
            "fail_reason": null,
            "pg_tid": pg_tid,
            "receipt_url": receipt_url,
        }),
    );
}

/// An account to deposit to was issued; the payment stays `ready` until the money arrives.
pub(crate) fn issue_vbank(record: &mut Record, now: i64, due: Option<i64>, rng: &mut Rng) {
    record.insert("pay_method".into(), json!("vbank"));
    let pg_tid = pg_tid(record, now, rng);
    let account = Gateway::of(record).account;
    let vbank_num = match account {
        Account::Plain | Account::NoHolder | Account::Unlimited => {
            format!("562{}", rng.digits(11))
        }
        Account::Dashes => format!("562-{}-{}", rng.digits(6), rng.digits(5)),
        Account::Econtext => "unknown".into(),
    };
    let vbank_holder = match account {
        Account::NoHolder => None,
        Account::Plain | Account::Dashes | Account::Econtext | Account::Unlimited => {
            Some("포트원샌드박스")
        }
    };
    set(
        record,
        json!({
            "status": "ready",
            "pg_tid": pg_tid,
            "vbank_code": "088",
            "vbank_name": "신한은행",
            "vbank_num": vbank_num,
            "vbank_holder": vbank_holder,
            "vbank_date": due.unwrap_or(now + VBANK_DUE_DAYS * DAY_S),
            "vbank_issued_at": now,
        }),
    );
}

/// Money arrived on an account that takes any deposit, at any time; `status` is left as it is.
pub(crate) fn enter_deposit(
    record: &mut Record,
    now: i64,
    amount: Decimal,
    depositor_name: &str,
    rng: &mut Rng,
) {
    let pg_tid = pg_tid(record, now, rng);
    let entry = json!({
        "pg_tid": pg_tid,
        "amount": number(amount),
        "depositor_name": depositor_name,
        "deposited_at": now,
    });
    append(record, "deposit_history", entry);
}

/// Adds to a list, or begins it.
fn append(record: &mut Record, field: &str, entry: Value) {
    match record.get_mut(field).and_then(Value::as_array_mut) {
        Some(list) => list.push(entry),
        None => {
            record.insert(field.into(), json!([entry]));
        }
    }
}

pub(crate) fn fail(record: &mut Record, now: i64, reason: &str) {
    set(
        record,
        json!({"status": "failed", "failed_at": now, "fail_reason": reason}),
    );
}

/// Why a cancel was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CancelError {
    #[error("only a paid payment can be cancelled")]
    NotPaid,
    #[error("it is fully cancelled already")]
    FullyCancelled,
    #[error("the amount is not between zero and what is left to cancel")]
    Amount,
}

/// A cancel that was done, and is not in `cancel_history` yet: some gateways are late with that.
#[derive(Clone, Debug)]
pub(crate) struct Cancellation {
    pub(crate) id: String,
    entry: Value,
}

/// The last step of a cancel, at once or late.
pub(crate) fn enter_cancellation(record: &mut Record, cancellation: &Cancellation) {
    append(record, "cancel_history", cancellation.entry.clone());
}

/// What is left to cancel; none if the amounts are no numbers.
pub(crate) fn cancellable(record: &Record) -> Option<Decimal> {
    let paid = decimal_of(record, "amount")?;
    paid.checked_sub(decimal_of(record, "cancel_amount").unwrap_or_default())
}

/// Cancels `amount`, or all that is left. The history is not written: that is [`enter_cancellation`].
/// The status says `cancelled` after a partial cancel as well; only `cancel_amount` tells the two apart.
pub(crate) fn cancel(
    record: &mut Record,
    now: i64,
    amount: Option<Decimal>,
    reason: &str,
    rng: &mut Rng,
) -> Result<Cancellation, CancelError> {
    if !matches!(text(record, "status"), "paid" | "cancelled") {
        return Err(CancelError::NotPaid);
    }
    let left = cancellable(record).ok_or(CancelError::Amount)?;
    if left <= Decimal::ZERO {
        return Err(CancelError::FullyCancelled);
    }
    let amount = amount.unwrap_or(left);
    if amount <= Decimal::ZERO || amount > left {
        return Err(CancelError::Amount);
    }

    let cancellation_id = format!(
        "{}-{}-{}-{}-{}",
        rng.hex(8),
        rng.hex(4),
        rng.hex(4),
        rng.hex(4),
        rng.hex(12)
    );
    let entry = json!({
        "pg_tid": record.get("pg_tid").cloned().unwrap_or_default(),
        "amount": number(amount),
        "cancelled_at": now,
        "reason": reason,
        "cancellation_id": cancellation_id,
        "receipt_url": record.get("receipt_url").cloned().unwrap_or_default(),
    });
    let cancelled = decimal_of(record, "cancel_amount").unwrap_or_default();
    set(
        record,
        json!({
            "status": "cancelled",
            // No more than `amount`: what is left was looked at above.
            "cancel_amount": number(cancelled.saturating_add(amount)),
            "cancelled_at": now,
            "cancel_reason": reason,
        }),
    );
    Ok(Cancellation {
        id: cancellation_id,
        entry,
    })
}

/// The cancel that a webhook of status `cancelled` tells of.
pub(crate) fn last_cancellation_id(record: &Record) -> Option<String> {
    let history = record.get("cancel_history")?.as_array()?;
    Some(history.last()?.get("cancellation_id")?.as_str()?.to_owned())
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

pub(crate) fn integer(record: &Record, field: &str) -> i64 {
    record
        .get(field)
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

pub(crate) fn decimal_of(record: &Record, field: &str) -> Option<Decimal> {
    record
        .get(field)
        .and_then(Value::as_number)
        .and_then(decimal)
}

/// Whether less than everything is cancelled.
pub(crate) fn left_to_cancel(record: &Record) -> bool {
    decimal_of(record, "amount") > decimal_of(record, "cancel_amount")
}

/// Whether a virtual account was issued for it.
pub(crate) fn has_vbank(record: &Record) -> bool {
    !text(record, "vbank_num").is_empty()
}

/// Exact: through the number's own digits, never through arithmetic on a binary float.
pub(crate) fn decimal(number: &Number) -> Option<Decimal> {
    let digits = number.to_string();
    digits
        .parse()
        .or_else(|_| Decimal::from_scientific(&digits))
        .ok()
}

/// Whole amounts as JSON integers (`1004`), others with their decimals (`14.2`): PortOne's way to write both.
pub(crate) fn number(amount: Decimal) -> Number {
    let digits = amount.normalize().to_string();
    serde_json::from_str(&digits).unwrap_or_else(|_| Number::from(0))
}

/// Inicis writes its transaction numbers as kind, shop, Korean time and a serial number; the others' are the sandbox's.
fn pg_tid(record: &Record, now: i64, rng: &mut Rng) -> String {
    let kind = match text(record, "pay_method") {
        "vbank" => "VBNK",
        "trans" => "DBNK",
        _ => "CARD",
    };
    let (time, serial) = (korean_time(now), rng.digits(6));
    match Gateway::of(record).name {
        "html5_inicis" => format!("Stdpay{kind}INIpayTest{time}{serial}"),
        name => format!("{name}_{time}{serial}"),
    }
}

pub(crate) fn receipt_url(record: &Record, base: &url::Url) -> String {
    format!("{base}_sandbox/receipt/{}", text(record, "imp_uid"))
}

/// Korea keeps +09:00 all year, so no time zone database is needed.
const KOREA: jiff::tz::Offset = jiff::tz::Offset::constant(9);

fn korean_time(now: i64) -> String {
    let time = KOREA.to_datetime(jiff::Timestamp::from_second(now).unwrap_or_default());
    time.strftime("%Y%m%d%H%M%S").to_string()
}

/// `vbank_due` in the four forms that `request_pay` takes, in Korean time; a date alone means the end of that day.
pub(crate) fn parse_vbank_due(text: &str) -> Option<i64> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if text
        .chars()
        .any(|c| !c.is_ascii_digit() && !matches!(c, '-' | ':' | ' '))
    {
        return None;
    }
    let full = match digits.len() {
        8 => digits + "235959",
        14 => digits,
        _ => return None,
    };
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", &full).ok()?;
    Some(KOREA.to_timestamp(time).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    const NOW: i64 = 1_800_000_000;

    fn record(amount: &str, currency: &str) -> Record {
        let opening = Opening {
            imp_uid: "imp_1".into(),
            merchant_uid: "ORD-1".into(),
            amount: serde_json::from_str(amount).unwrap(),
            currency: currency.into(),
            pay_method: "card".into(),
            channel: Channel::Mobile,
            gateway: <&Gateway>::default(),
            test_channel: false,
        };
        opened(opening, NOW)
    }

    fn paid(amount: &str) -> (Record, Rng) {
        let mut rng = Rng::new(42, Stream::Details);
        let mut record = record(amount, "KRW");
        let base = "http://127.0.0.1:3900/".parse().unwrap();
        approve(&mut record, NOW, &base, &mut rng);
        (record, rng)
    }

    #[test]
    fn decimals_are_exact_and_whole_amounts_stay_integers() {
        let cases = [
            ("1004", "1004"),
            ("1004.0", "1004"),
            ("14.20", "14.2"),
            ("1e3", "1000"),
            ("0.1", "0.1"),
        ];
        for (given, written) in cases {
            let given: Number = serde_json::from_str(given).unwrap();
            assert_eq!(number(decimal(&given).unwrap()).to_string(), written);
        }
    }

    #[test]
    fn partial_cancels_add_up_and_never_pass_the_amount() {
        let (mut record, mut rng) = paid("14.2");
        let part = Some("4.1".parse().unwrap());

        let first = cancel(&mut record, NOW + 1, part, "일부", &mut rng).unwrap();
        enter_cancellation(&mut record, &first);
        assert_eq!(record["status"], "cancelled");
        assert_eq!(record["cancel_amount"].to_string(), "4.1");

        let rest = cancel(&mut record, NOW + 2, None, "나머지", &mut rng).unwrap();
        enter_cancellation(&mut record, &rest);
        assert_eq!(record["cancel_amount"].to_string(), "14.2");
        assert_eq!(record["cancel_history"][1]["amount"].to_string(), "10.1");
        assert_ne!(first.id, rest.id);

        let again = cancel(&mut record, NOW + 3, None, "또", &mut rng);
        assert_eq!(again.unwrap_err(), CancelError::FullyCancelled);
    }

    #[test]
    fn cancels_of_nothing_too_much_or_an_unpaid_payment_are_refused() {
        let (mut paid, mut rng) = paid("1000");
        for amount in ["0", "-1", "1001"] {
            let amount = Some(amount.parse().unwrap());
            let refused = cancel(&mut paid, NOW, amount, "x", &mut rng);
            assert_eq!(refused.unwrap_err(), CancelError::Amount);
        }
        let mut ready = record("1000", "KRW");
        let refused = cancel(&mut ready, NOW, None, "x", &mut rng);
        assert_eq!(refused.unwrap_err(), CancelError::NotPaid);
    }

    #[test]
    fn vbank_due_takes_the_four_documented_forms_in_korean_time() {
        let end_of_day = Some(1_798_729_199); // 2026-12-31T14:59:59Z
        assert_eq!(parse_vbank_due("20261231"), end_of_day);
        assert_eq!(parse_vbank_due("2026-12-31"), end_of_day);
        assert_eq!(parse_vbank_due("2026-12-31 23:59:59"), end_of_day);
        assert_eq!(parse_vbank_due("20261231235959"), end_of_day);
        for bad in ["", "tomorrow", "2026-13-01", "202612", "2026/12/31"] {
            assert_eq!(parse_vbank_due(bad), None, "{bad}");
        }
    }
}
