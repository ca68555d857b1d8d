//! Reading a payment: what is kept, what is refused, what is never shown.

use portone::{
    Error,
    v1::{Payment, Status},
};
use rust_decimal::Decimal;

/// Every field of the API's `PaymentAnnotation`, each with a value of its own.
const FULL: &str = r#"{
    "imp_uid": "imp_123456789012", "merchant_uid": "주문/1", "pay_method": "card", "channel": "mobile",
    "pg_provider": "html5_inicis", "emb_pg_provider": "naverpay", "pg_tid": "T1", "pg_id": "INIpayTest",
    "sandbox": true, "escrow": false, "apply_num": "30000001", "bank_code": "004", "bank_name": "국민은행",
    "card_code": "366", "card_name": "신한카드", "card_issuer_code": "367", "card_issuer_name": "현대카드",
    "card_publisher_code": "368", "card_publisher_name": "롯데카드", "card_quota": 3,
    "card_number": "PRIVATE-card", "card_type": 1, "vbank_code": "020", "vbank_name": "우리은행",
    "vbank_num": "PRIVATE-vbank", "vbank_holder": "PRIVATE-holder", "vbank_date": 1700000300,
    "vbank_issued_at": 1700000001, "name": "PRIVATE-name", "amount": 14.20, "cancel_amount": 4.2, "currency": "USD",
    "buyer_name": "PRIVATE-buyer", "buyer_email": "PRIVATE-email", "buyer_tel": "PRIVATE-tel",
    "buyer_addr": "PRIVATE-addr", "buyer_postcode": "PRIVATE-postcode", "custom_data": "{\"PRIVATE\":1}",
    "user_agent": "PRIVATE-agent", "status": "cancelled", "started_at": 1700000000, "paid_at": 1700000060,
    "failed_at": 0, "cancelled_at": 1700000120, "fail_reason": "PRIVATE-fail", "cancel_reason": "PRIVATE-cancel",
    "receipt_url": "https://receipt.example/PRIVATE",
    "cancel_history": [
        {"pg_tid": "C1", "amount": 4.2, "cancelled_at": 1700000120, "reason": "PRIVATE-reason",
         "cancellation_id": "cancellation-1", "receipt_url": "https://receipt.example/PRIVATE"},
        {"amount": 0}
    ],
    "deposit_history": [
        {"pg_tid": "D1", "amount": 1004, "depositor_name": "PRIVATE-depositor", "deposited_at": 1700000090}
    ],
    "cancel_receipt_urls": ["https://receipt.example/PRIVATE"], "cash_receipt_issued": true,
    "customer_uid": "PRIVATE-customer", "customer_uid_usage": "payment",
    "promotion": {"id": "promotion-id-1", "discount": 1.5}, "extension": {"new": [1, {"a": null}]}
}"#;

/// The least the API promises, with `amount` and `status` in it to be replaced.
const LEAST: &str = r#"{"imp_uid":"imp_1","merchant_uid":"ORD-1","status":"paid","amount":1004}"#;

fn with_nothing_given_back(json: &str) -> String {
    json.replace('}', r#","cancel_amount":0}"#)
}

fn read(json: &str) -> Payment {
    Payment::from_json(json).expect("the payment is well formed")
}

fn text(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or("(none)")
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("the text is a decimal")
}

fn seconds(time: Option<jiff::Timestamp>) -> Option<i64> {
    time.map(jiff::Timestamp::as_second)
}

#[test]
fn every_field_lands_where_it_belongs() {
    let payment = read(FULL);

    assert_eq!(payment.imp_uid.as_str(), "imp_123456789012");
    assert_eq!(payment.merchant_uid, "주문/1");
    assert_eq!(payment.status, Status::Cancelled);
    assert_eq!(
        (payment.amount, payment.cancel_amount),
        (decimal("14.20"), decimal("4.2"))
    );
    assert_eq!(
        (payment.sandbox, payment.escrow, payment.cash_receipt_issued),
        (Some(true), Some(false), Some(true))
    );
    assert_eq!((payment.card_quota, payment.card_type), (Some(3), Some(1)));
    for (field, value) in [
        (&payment.currency, "USD"),
        (&payment.pay_method, "card"),
        (&payment.channel, "mobile"),
        (&payment.pg_provider, "html5_inicis"),
        (&payment.emb_pg_provider, "naverpay"),
        (&payment.pg_tid, "T1"),
        (&payment.pg_id, "INIpayTest"),
        (&payment.apply_num, "30000001"),
        (&payment.bank_code, "004"),
        (&payment.bank_name, "국민은행"),
        (&payment.card_code, "366"),
        (&payment.card_name, "신한카드"),
        (&payment.card_issuer_code, "367"),
        (&payment.card_issuer_name, "현대카드"),
        (&payment.card_publisher_code, "368"),
        (&payment.card_publisher_name, "롯데카드"),
        (&payment.card_number, "PRIVATE-card"),
        (&payment.vbank_code, "020"),
        (&payment.vbank_name, "우리은행"),
        (&payment.vbank_num, "PRIVATE-vbank"),
        (&payment.vbank_holder, "PRIVATE-holder"),
        (&payment.name, "PRIVATE-name"),
        (&payment.buyer_name, "PRIVATE-buyer"),
        (&payment.buyer_email, "PRIVATE-email"),
        (&payment.buyer_tel, "PRIVATE-tel"),
        (&payment.buyer_addr, "PRIVATE-addr"),
        (&payment.buyer_postcode, "PRIVATE-postcode"),
        (&payment.custom_data, r#"{"PRIVATE":1}"#),
        (&payment.user_agent, "PRIVATE-agent"),
        (&payment.fail_reason, "PRIVATE-fail"),
        (&payment.cancel_reason, "PRIVATE-cancel"),
        (&payment.receipt_url, "https://receipt.example/PRIVATE"),
        (&payment.customer_uid, "PRIVATE-customer"),
        (&payment.customer_uid_usage, "payment"),
    ] {
        assert_eq!(text(field), value);
    }
    for (time, value) in [
        (payment.vbank_date, Some(1_700_000_300)),
        (payment.vbank_issued_at, Some(1_700_000_001)),
        (payment.started_at, Some(1_700_000_000)),
        (payment.paid_at, Some(1_700_000_060)),
        (payment.failed_at, None),
        (payment.cancelled_at, Some(1_700_000_120)),
    ] {
        assert_eq!(seconds(time), value);
    }

    let [first, second] = payment.cancel_history.as_slice() else {
        unreachable!("two cancellations were sent")
    };
    assert_eq!((text(&first.pg_tid), first.amount), ("C1", decimal("4.2")));
    assert_eq!(
        (text(&first.reason), text(&first.cancellation_id)),
        ("PRIVATE-reason", "cancellation-1")
    );
    assert_eq!(text(&first.receipt_url), "https://receipt.example/PRIVATE");
    assert_eq!(seconds(first.cancelled_at), Some(1_700_000_120));
    assert_eq!(
        (second.amount, &second.cancellation_id, second.cancelled_at),
        (Decimal::ZERO, &None, None)
    );
    let [deposit] = payment.deposit_history.as_slice() else {
        unreachable!("one deposit was sent")
    };
    assert_eq!(
        (text(&deposit.pg_tid), deposit.amount),
        ("D1", decimal("1004"))
    );
    assert_eq!(
        (text(&deposit.depositor_name), seconds(deposit.deposited_at)),
        ("PRIVATE-depositor", Some(1_700_000_090))
    );
    assert_eq!(
        payment.cancel_receipt_urls,
        ["https://receipt.example/PRIVATE"]
    );
    let promotion = payment.promotion.expect("a promotion was sent");
    assert_eq!(
        (text(&promotion.id), promotion.discount),
        ("promotion-id-1", Some(decimal("1.5")))
    );
}

#[test]
fn debug_shows_what_happened_and_nothing_private() {
    let shown = format!("{:?}", read(FULL));

    assert!(!shown.contains("PRIVATE"), "{shown}");
    for visible in [
        "imp_123456789012",
        "주문/1",
        "Cancelled",
        "14.20",
        "USD",
        "cancellation-1",
    ] {
        assert!(shown.contains(visible), "{visible} in {shown}");
    }
    assert!(!format!("{:?}", read(FULL).deposit_history).contains("PRIVATE"));
}

#[test]
fn what_is_absent_stays_absent() {
    let payment = read(LEAST);

    assert_eq!(payment.cancel_amount, Decimal::ZERO);
    assert_eq!(
        (&payment.currency, payment.sandbox, &payment.custom_data),
        (&None, None, &None)
    );
    assert_eq!(
        (payment.paid_at, payment.card_quota, &payment.promotion),
        (None, None, &None)
    );
    assert!(payment.cancel_history.is_empty() && payment.deposit_history.is_empty());
}

#[test]
fn null_and_empty_are_absent() {
    let full: serde_json::Value = serde_json::from_str(FULL).expect("it is JSON");
    let needed = [
        "imp_uid",
        "merchant_uid",
        "status",
        "amount",
        "cancel_amount",
    ];
    let emptied = |empty: serde_json::Value| {
        let mut payment = full.clone();
        for (key, value) in payment.as_object_mut().expect("it is an object") {
            let becomes_empty = empty.is_null() || value.is_string();
            if becomes_empty && !needed.contains(&key.as_str()) {
                *value = empty.clone();
            }
        }
        payment.to_string()
    };

    let nulls = read(&emptied(serde_json::Value::Null));
    let blanks = read(&emptied("".into()));

    let least = Payment {
        imp_uid: nulls.imp_uid.clone(),
        merchant_uid: "주문/1".to_owned(),
        status: Status::Cancelled,
        amount: decimal("14.2"),
        cancel_amount: decimal("4.2"),
        ..read(LEAST)
    };
    assert!(nulls == least, "{nulls:?}");
    assert_eq!(
        (&blanks.currency, &blanks.buyer_name, &blanks.custom_data),
        (&None, &None, &None)
    );
}

#[test]
fn without_what_a_decision_needs_there_is_no_payment() {
    let full: serde_json::Value = serde_json::from_str(FULL).expect("it is JSON");
    let with = |key: &str, value: Option<serde_json::Value>| {
        let mut payment = full.clone();
        let object = payment.as_object_mut().expect("it is an object");
        match value {
            Some(value) => object.insert(key.to_owned(), value),
            None => object.remove(key),
        };
        Payment::from_json(&payment.to_string())
    };
    use serde_json::json;

    for key in ["imp_uid", "merchant_uid", "status", "amount"] {
        for value in [
            None,
            Some(json!(null)),
            Some(json!("")),
            Some(json!(true)),
            Some(json!([])),
        ] {
            let outcome = with(key, value.clone());
            assert!(
                matches!(&outcome, Err(Error::Garbled(reason)) if reason.contains(key)),
                "{key} {value:?}: {outcome:?}"
            );
        }
    }
    for (key, value) in [
        ("imp_uid", json!("../1")),
        ("imp_uid", json!(1)),
        ("amount", json!("1004")),
        ("amount", json!(-1)),
        ("cancel_amount", json!("0")),
        ("cancel_amount", json!(-1)),
        ("currency", json!(410)),
        ("sandbox", json!("false")),
        ("sandbox", json!(0)),
        ("cancel_history", json!({})),
        ("cancel_history", json!([{"amount": null}])),
        ("cancel_history", json!([1])),
        ("deposit_history", json!([{"amount": "1"}])),
    ] {
        let outcome = with(key, Some(value.clone()));
        assert!(
            matches!(outcome, Err(Error::Garbled(_))),
            "{key} {value}: {outcome:?}"
        );
    }
}

#[test]
fn an_odd_value_elsewhere_does_not_make_a_payment_unreadable() {
    let payment = read(
        r#"{"imp_uid":"imp_1","merchant_uid":"ORD-1","status":"paid","amount":1004,"card_code":366,"bank_name":{},
            "escrow":"no","card_quota":"3","card_type":"credit","paid_at":"1700000060","failed_at":[],
            "cash_receipt_issued":1,"cancel_receipt_urls":"none","promotion":{"discount":[]},"custom_data":{"a":1}}"#,
    );

    assert_eq!(
        (text(&payment.card_code), payment.card_quota),
        ("366", Some(3))
    );
    assert_eq!(
        (&payment.bank_name, payment.escrow, payment.card_type),
        (&None, None, None)
    );
    assert_eq!(
        (seconds(payment.paid_at), payment.failed_at),
        (Some(1_700_000_060), None)
    );
    assert_eq!(
        (
            payment.cash_receipt_issued,
            &payment.promotion,
            &payment.custom_data
        ),
        (None, &None, &None)
    );
    assert!(payment.cancel_receipt_urls.is_empty());
}

#[test]
fn an_unknown_status_is_kept_as_it_is() {
    for (sent, status) in [
        ("ready", Status::Ready),
        ("paid", Status::Paid),
        ("failed", Status::Failed),
        ("cancelled", Status::Cancelled),
        ("PAID", Status::Unrecognized("PAID".to_owned())),
        ("canceled", Status::Unrecognized("canceled".to_owned())),
        (" paid", Status::Unrecognized(" paid".to_owned())),
    ] {
        let payment = read(&with_nothing_given_back(&LEAST.replace("paid", sent)));

        assert_eq!(payment.status, status);
        assert_eq!(payment.status.as_str(), sent);
    }
}

#[test]
fn what_may_have_been_given_back_is_not_guessed() {
    for status in ["ready", "paid", "failed"] {
        let payment = read(&LEAST.replace("paid", status));
        assert_eq!(payment.cancel_amount, Decimal::ZERO, "{status}");
    }
    for status in ["cancelled", "partially_cancelled"] {
        let unsaid = LEAST.replace("paid", status);
        let outcome = Payment::from_json(&unsaid);
        assert!(
            matches!(&outcome, Err(Error::Garbled(reason)) if reason == "cancel_amount is missing"),
            "{status}: {outcome:?}"
        );
        let said = read(&with_nothing_given_back(&unsaid));
        assert_eq!(said.cancel_amount, Decimal::ZERO, "{status}");
    }
}

#[test]
fn amounts_compare_by_value() {
    for sent in ["1004", "1004.0", "1004.00", "1.004e3", "10040e-1"] {
        assert_eq!(
            read(&LEAST.replace("1004", sent)).amount,
            Decimal::from(1004),
            "{sent}"
        );
    }
    assert_ne!(
        read(&LEAST.replace("1004", "1003.9999999999999999")).amount,
        Decimal::from(1004)
    );
    assert_ne!(
        read(&LEAST.replace("1004", "9007199254740993")).amount,
        decimal("9007199254740992")
    );
}
