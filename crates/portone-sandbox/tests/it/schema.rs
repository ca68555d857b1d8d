//! Records against PortOne's own description of them: `PaymentAnnotation` of <https://api.iamport.kr/api/docs>.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::support::{Bench, json_of};

/// Name, type, and whether it is required.
const PAYMENT: [(&str, &str, bool); 54] = [
    ("amount", "number", true),
    ("apply_num", "string", false),
    ("bank_code", "string", false),
    ("bank_name", "string", false),
    ("buyer_addr", "string", false),
    ("buyer_email", "string", false),
    ("buyer_name", "string", false),
    ("buyer_postcode", "string", false),
    ("buyer_tel", "string", false),
    ("cancel_amount", "number", true),
    ("cancel_history", "array", false),
    ("cancel_reason", "string", false),
    ("cancel_receipt_urls", "array", false),
    ("cancelled_at", "integer", false),
    ("card_code", "string", false),
    ("card_issuer_code", "string", false),
    ("card_issuer_name", "string", false),
    ("card_name", "string", false),
    ("card_number", "string", false),
    ("card_publisher_code", "string", false),
    ("card_publisher_name", "string", false),
    ("card_quota", "integer", false),
    ("card_type", "integer", false),
    ("cash_receipt_issued", "boolean", false),
    ("channel", "string", false),
    ("currency", "string", true),
    ("custom_data", "string", false),
    ("customer_uid", "string", false),
    ("customer_uid_usage", "string", false),
    ("deposit_history", "array", false),
    ("emb_pg_provider", "string", false),
    ("escrow", "boolean", false),
    ("fail_reason", "string", false),
    ("failed_at", "integer", false),
    ("imp_uid", "string", true),
    ("merchant_uid", "string", true),
    ("name", "string", false),
    ("paid_at", "integer", false),
    ("pay_method", "string", false),
    ("pg_id", "string", false),
    ("pg_provider", "string", false),
    ("pg_tid", "string", false),
    ("promotion", "object", false),
    ("receipt_url", "string", false),
    ("sandbox", "boolean", true),
    ("started_at", "integer", false),
    ("status", "string", true),
    ("user_agent", "string", false),
    ("vbank_code", "string", false),
    ("vbank_date", "integer", false),
    ("vbank_holder", "string", false),
    ("vbank_issued_at", "integer", false),
    ("vbank_name", "string", false),
    ("vbank_num", "string", false),
];

const CANCEL: [(&str, &str, bool); 6] = [
    ("amount", "number", true),
    ("cancellation_id", "string", true),
    ("cancelled_at", "integer", true),
    ("pg_tid", "string", true),
    ("reason", "string", true),
    ("receipt_url", "string", false),
];

/// The description also requires a `reason` that it does not describe.
const DEPOSIT: [(&str, &str, bool); 4] = [
    ("amount", "number", true),
    ("deposited_at", "integer", true),
    ("depositor_name", "string", true),
    ("pg_tid", "string", true),
];

/// Types as described, `null` only where a field may be missing, and nothing that is not described.
fn check(value: &Value, fields: &[(&str, &str, bool)]) -> Result<(), String> {
    let object: &Map<String, Value> = value.as_object().ok_or("not an object")?;
    for (name, expected, is_required) in fields {
        let value = object.get(*name).unwrap_or(&Value::Null);
        let fits = match *expected {
            "string" => value.is_string(),
            "integer" => value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => return Err(format!("the table says {other}")),
        };
        if !fits && (*is_required || !value.is_null()) {
            return Err(format!("{name} is {value}, not {expected}"));
        }
    }
    match object
        .keys()
        .find(|key| !fields.iter().any(|(name, ..)| name == key))
    {
        Some(key) => Err(format!("{key} is not described")),
        None => Ok(()),
    }
}

fn check_payment(record: &Value) -> Result<(), String> {
    check(record, &PAYMENT)?;
    for entry in record["cancel_history"].as_array().unwrap() {
        check(entry, &CANCEL)?;
    }
    for entry in record["deposit_history"].as_array().unwrap() {
        check(entry, &DEPOSIT)?;
    }
    Ok(())
}

#[tokio::test]
async fn every_record_of_every_choice_and_gateway_is_as_described() {
    let bench = Bench::start().await;
    bench.sandbox.freeze_clock();
    let gateways = bench.ask("/users/pg").await;
    let gateways = json_of(gateways, 200).await["response"].clone();
    let choices = [
        "pay",
        "issue_vbank",
        "decline",
        "abandon",
        "pay_tampered_amount",
        "pay_late",
        "pay_test_channel",
    ];
    for channel in gateways.as_array().unwrap() {
        for choice in choices {
            let parameters = json!({"channelKey": channel["channel_key"], "merchant_uid": "A"});
            let number = bench.sandbox.journal().len();
            let mut parameters = parameters;
            parameters["merchant_uid"] = json!(format!("ORD-{number}"));
            let imp_uid = bench.open(parameters).await;
            bench.choose(&imp_uid, &[("choice", choice)]).await;
        }
    }
    let act = async |imp_uid: &str, action: &str| {
        let path = format!("/_sandbox/payments/{imp_uid}/{action}");
        bench.post(&path).send().await.unwrap().status().as_u16()
    };
    // A deposit on each account, then a cancel of whatever is paid.
    let all = async || {
        let list = bench.get("/_sandbox/payments").send().await.unwrap();
        json_of(list, 200).await.as_array().unwrap().clone()
    };
    let mut cancelled = 0;
    for record in all().await {
        check_payment(&record).unwrap_or_else(|why| panic!("{why} in {record}"));
        let imp_uid = record["imp_uid"].as_str().unwrap();
        act(imp_uid, "deposit").await;
        cancelled += usize::from(act(imp_uid, "cancel").await == 200);
    }
    bench.sandbox.advance_clock(Duration::from_secs(60 * 60));

    for record in all().await {
        check_payment(&record).unwrap_or_else(|why| panic!("{why} in {record}"));
    }
    assert!(cancelled > 100, "{cancelled} were cancelled");
}

#[test]
fn the_check_finds_what_is_wrong() {
    let cases = [
        (
            json!({"pg_tid": "t", "amount": 1, "cancelled_at": 1, "reason": "r", "cancellation_id": "c"}),
            true,
        ),
        (
            json!({"pg_tid": "t", "amount": 1, "cancelled_at": 1, "reason": "r", "cancellation_id": "c", "receipt_url": null}),
            true,
        ),
        (
            json!({"pg_tid": "t", "amount": "1", "cancelled_at": 1, "reason": "r", "cancellation_id": "c"}),
            false,
        ),
        (
            json!({"pg_tid": "t", "amount": 1, "cancelled_at": 1.5, "reason": "r", "cancellation_id": "c"}),
            false,
        ),
        (
            json!({"pg_tid": "t", "amount": 1, "cancelled_at": 1, "reason": "r"}),
            false,
        ),
        (
            json!({"pg_tid": "t", "amount": 1, "cancelled_at": 1, "reason": "r", "cancellation_id": "c", "x": 1}),
            false,
        ),
    ];
    for (value, fits) in cases {
        assert_eq!(check(&value, &CANCEL).is_ok(), fits, "{value}");
    }
}
