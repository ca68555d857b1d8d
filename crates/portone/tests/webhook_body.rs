//! Bodies as PortOne posts them, and as a stranger might.

use portone::{
    Fields,
    v1::Status,
    webhook::{
        BODY_BYTES_MAX, BodyError, v1,
        v2::{self, BillingKeyChange, BodyVersion, Event, TransactionChange, TransactionEvent},
    },
};
use rust_decimal::Decimal;

const JSON: Option<&str> = Some("application/json");
const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
const TRANSACTION_ID: &str = "019000aa-0000-7000-8000-000000000001";

fn pairs(fields: &Fields) -> Vec<(&str, &str)> {
    fields.iter().collect()
}

#[test]
fn v1_webhooks_are_read_as_json_and_as_a_form() {
    let json = br#"{"imp_uid":"imp_123456789012","merchant_uid":"ORD-1","status":"cancelled","cancellation_id":"c-1"}"#;
    let form = b"imp_uid=imp_123456789012&merchant_uid=ORD-1&status=cancelled&cancellation_id=c-1";

    for (content_type, body) in [
        (JSON, &json[..]),
        (Some("Application/JSON; charset=utf-8"), json),
        (FORM, json),
        (None, json),
        (FORM, form),
        (
            Some("application/x-www-form-urlencoded; charset=UTF-8"),
            form,
        ),
        (Some("text/plain"), form),
        (None, form),
    ] {
        let event = v1::parse(content_type, body).expect("the body is a webhook");

        assert_eq!(event.merchant_uid.as_str(), "ORD-1");
        assert_eq!(
            event.imp_uid.as_ref().map(|id| id.as_str()),
            Some("imp_123456789012")
        );
        assert_eq!(event.claimed_status, Some(Status::Cancelled));
        assert_eq!(event.cancellation_id.as_deref(), Some("c-1"));
        assert!(event.other.is_empty());
    }
}

#[test]
fn v1_webhooks_may_have_less_and_more_than_is_documented() {
    let less = v1::parse(FORM, b"merchant_uid=%EC%A3%BC%EB%AC%B8+1&imp_uid=&status=").unwrap();
    let more = v1::parse(
        JSON,
        br#"
        {"event":"Inicis.Escrow.Changed","imp_uid":"imp_1","merchant_uid":"ORD-1","status":"new_status",
         "cancellation_id":null,"extra":{"escrow_status":"31","denied_reason":null},"n":1.50,"flag":true,"nothing":null}"#,
    )
    .unwrap();

    assert_eq!(less.merchant_uid.as_str(), "주문 1");
    assert_eq!((less.imp_uid, less.claimed_status), (None, None));
    assert_eq!(
        more.claimed_status,
        Some(Status::Unrecognized("new_status".to_owned()))
    );
    assert_eq!(more.cancellation_id, None);
    assert_eq!(
        pairs(&more.other),
        [
            ("event", "Inicis.Escrow.Changed"),
            ("extra", r#"{"escrow_status":"31","denied_reason":null}"#),
            ("n", "1.50"),
            ("flag", "true"),
        ]
    );
    assert_eq!(more.other.get("n"), Some("1.50"));
    assert_eq!(more.other.get("nothing"), None);
    assert_eq!(more.other.len(), 4);
    assert!(!more.other.is_empty());
}

#[test]
fn unknown_fields_may_be_personal_and_are_not_shown() {
    let event = v1::parse(FORM, b"merchant_uid=ORD-1&buyer_name=Hong+Gildong").unwrap();

    let shown = format!("{event:?}");

    assert!(shown.contains("buyer_name"));
    assert!(!shown.contains("Hong"));
}

#[test]
fn v1_bodies_that_name_no_payment_are_errors() {
    for (content_type, body, error) in [
        (FORM, &b""[..], BodyError::Missing("merchant_uid")),
        (JSON, b"", BodyError::NotAnObject),
        (JSON, b"[]", BodyError::NotAnObject),
        (JSON, b"null", BodyError::NotAnObject),
        (JSON, b"merchant_uid=ORD-1", BodyError::NotAnObject),
        (JSON, br#"{"merchant_uid":"ORD-1""#, BodyError::NotAnObject),
        (
            JSON,
            br#"{"merchant_uid":"ORD-1"} x"#,
            BodyError::NotAnObject,
        ),
        (FORM, br#"  {"merchant_uid":"#, BodyError::NotAnObject),
        (JSON, b"{}", BodyError::Missing("merchant_uid")),
        (
            JSON,
            br#"{"merchant_uid":null}"#,
            BodyError::Missing("merchant_uid"),
        ),
        (
            JSON,
            br#"{"merchant_uid":""}"#,
            BodyError::Missing("merchant_uid"),
        ),
        (
            JSON,
            br#"{"merchant_uid":true}"#,
            BodyError::Invalid("merchant_uid"),
        ),
        (
            JSON,
            br#"{"merchant_uid":{"a":1}}"#,
            BodyError::Invalid("merchant_uid"),
        ),
        (
            JSON,
            br#"{"merchant_uid":"\ud800"}"#,
            BodyError::Invalid("merchant_uid"),
        ),
        (
            JSON,
            br#"{"merchant_uid":"a/b"}"#,
            BodyError::Invalid("merchant_uid"),
        ),
        (
            FORM,
            b"merchant_uid=%C1%D6%B9%AE",
            BodyError::Invalid("merchant_uid"),
        ),
        (
            FORM,
            b"merchant_uid=a%2Fb",
            BodyError::Invalid("merchant_uid"),
        ),
        (
            FORM,
            b"merchant_uid=ORD-1&imp_uid=..%2Fusers",
            BodyError::Invalid("imp_uid"),
        ),
        (
            FORM,
            b"merchant_uid=A&merchant_uid=B",
            BodyError::FieldTwice,
        ),
        (
            JSON,
            br#"{"merchant_uid":"A","merchant_uid":"A"}"#,
            BodyError::FieldTwice,
        ),
        (
            JSON,
            br#"{"merchant_uid":"A","x":1,"\u0078":2}"#,
            BodyError::FieldTwice,
        ),
    ] {
        assert_eq!(
            v1::parse(content_type, body),
            Err(error),
            "{}",
            String::from_utf8_lossy(body)
        );
    }
}

#[test]
fn bodies_have_limits() {
    let fields = |count: usize| {
        let names: Vec<String> = (1..count).map(|n| format!("n{n}=1")).collect();
        format!("merchant_uid=ORD-1&{}", names.join("&"))
    };
    let members = |count: usize| {
        let members: Vec<String> = (1..count).map(|n| format!(r#""n{n}":1"#)).collect();
        format!(r#"{{"merchant_uid":"ORD-1",{}}}"#, members.join(","))
    };
    assert_eq!(BODY_BYTES_MAX, 65_536);
    let mut long = b"merchant_uid=ORD-1&x=".to_vec();
    long.resize(BODY_BYTES_MAX, b'x');
    let deep = format!(r#"{{"merchant_uid":"ORD-1","x":{}}}"#, "[".repeat(60_000));

    assert!(v1::parse(FORM, fields(256).as_bytes()).is_ok());
    assert!(v1::parse(JSON, members(256).as_bytes()).is_ok());
    assert!(v1::parse(FORM, &long).is_ok());
    for body in [fields(257), members(257)] {
        assert_eq!(
            v1::parse(None, body.as_bytes()),
            Err(BodyError::TooManyFields)
        );
    }
    long.push(b'x');
    assert_eq!(v1::parse(FORM, &long), Err(BodyError::TooLarge));
    assert_eq!(
        v1::parse(JSON, deep.as_bytes()),
        Err(BodyError::NotAnObject)
    );
}

#[test]
fn v1_confirm_has_the_amount_as_it_was_written() {
    let json = v1::parse_confirm(
        JSON,
        br#"{"imp_uid":"imp_1","merchant_uid":"ORD-1","amount":14.20,"more":1}"#,
    )
    .unwrap();
    let form = v1::parse_confirm(FORM, b"merchant_uid=ORD-1&amount=64900").unwrap();

    assert_eq!(json.merchant_uid.as_str(), "ORD-1");
    assert_eq!(json.imp_uid.unwrap().as_str(), "imp_1");
    assert_eq!(json.amount, Decimal::new(1420, 2));
    assert_eq!(pairs(&json.other), [("more", "1")]);
    assert_eq!((form.imp_uid, form.amount), (None, Decimal::from(64_900)));
    for (body, error) in [
        (r#"{"merchant_uid":"ORD-1"}"#, BodyError::Missing("amount")),
        (
            r#"{"merchant_uid":"ORD-1","amount":null}"#,
            BodyError::Missing("amount"),
        ),
        (
            r#"{"merchant_uid":"ORD-1","amount":-1}"#,
            BodyError::Invalid("amount"),
        ),
        (
            r#"{"merchant_uid":"ORD-1","amount":true}"#,
            BodyError::Invalid("amount"),
        ),
        (
            r#"{"merchant_uid":"ORD-1","amount":"1 000"}"#,
            BodyError::Invalid("amount"),
        ),
        (r#"{"amount":1}"#, BodyError::Missing("merchant_uid")),
        (
            r#"{"merchant_uid":"ORD-1","amount":1,"amount":2}"#,
            BodyError::FieldTwice,
        ),
    ] {
        assert_eq!(
            v1::parse_confirm(JSON, body.as_bytes()),
            Err(error),
            "{body}"
        );
    }
}

fn transaction(content_type: Option<&str>, body: &str) -> TransactionEvent {
    let transaction = match v2::parse(content_type, body.as_bytes()) {
        Ok(Event::Transaction(event)) => Some(event),
        _ => None,
    };
    transaction.expect("the body is about a payment")
}

#[test]
fn v2_webhooks_of_2024_01_01_are_read_as_json_and_as_a_form() {
    for (content_type, body) in [
        (
            JSON,
            r#"{"payment_id":"order-1001","tx_id":"tx-1","status":"Paid","more":"x"}"#,
        ),
        (
            None,
            r#"{"payment_id":"order-1001","tx_id":"tx-1","status":"Paid","more":"x"}"#,
        ),
        (FORM, "payment_id=order-1001&tx_id=tx-1&status=Paid&more=x"),
        (
            FORM,
            "payment_id=order-1001&tx_id=tx-1&status=Paid&more=x&type=",
        ),
    ] {
        let event = transaction(content_type, body);

        assert_eq!(event.version, BodyVersion::V2024_01_01);
        assert_eq!(event.what, TransactionChange::Paid);
        assert_eq!(event.payment_id.as_str(), "order-1001");
        assert_eq!(event.transaction_id.unwrap().as_str(), "tx-1");
        assert_eq!(
            (event.store_id, event.cancellation_id, event.timestamp),
            (None, None, None)
        );
        assert_eq!(event.other.get("more"), Some("x"));
    }
}

#[test]
fn v2_webhooks_of_2024_04_25_are_read() {
    let event = transaction(
        JSON,
        r#"{"type":"Transaction.PartialCancelled","timestamp":"2024-04-25T10:00:00.000Z","top":1,
            "data":{"storeId":"store-1","paymentId":"주문-1001","transactionId":"019000aa-0000-7000-8000-000000000001",
                    "cancellationId":"019000aa-0000-7000-8000-000000000002","inner":{"a":[1]}}}"#,
    );

    assert_eq!(event.version, BodyVersion::V2024_04_25);
    assert_eq!(event.what, TransactionChange::PartialCancelled);
    assert_eq!(event.payment_id.as_str(), "주문-1001");
    assert_eq!(event.transaction_id.unwrap().as_str(), TRANSACTION_ID);
    assert_eq!(event.store_id.as_deref(), Some("store-1"));
    assert_eq!(
        event.cancellation_id.as_deref(),
        Some("019000aa-0000-7000-8000-000000000002")
    );
    assert_eq!(
        event.timestamp.map(|at| at.as_second()),
        Some(1_714_039_200)
    );
    assert_eq!(
        pairs(&event.other),
        [("top", "1"), ("inner", r#"{"a":[1]}"#)]
    );
}

#[test]
fn v2_webhooks_need_no_more_than_the_payment() {
    let event = transaction(
        JSON,
        r#"{"type":"Transaction.Ready","timestamp":"yesterday","data":{"paymentId":"order-1001"}}"#,
    );

    assert_eq!(event.what, TransactionChange::Ready);
    assert_eq!(event.payment_id.as_str(), "order-1001");
    assert_eq!(
        (event.transaction_id, event.store_id, event.timestamp),
        (None, None, None)
    );
}

#[test]
fn every_documented_word_is_known_and_others_are_kept() {
    for word in [
        "Ready",
        "Paid",
        "VirtualAccountIssued",
        "PartialCancelled",
        "Cancelled",
        "Failed",
        "PayPending",
        "CancelPending",
        "DisputeCreated",
        "DisputeResolved",
        "Confirm",
    ] {
        let new = transaction(
            JSON,
            &format!(r#"{{"type":"Transaction.{word}","data":{{"paymentId":"ORD-1"}}}}"#),
        );
        let old = transaction(FORM, &format!("payment_id=ORD-1&status={word}"));

        assert!(
            !matches!(new.what, TransactionChange::Unrecognized(_)),
            "{word}"
        );
        assert_eq!(new.what.to_string(), word);
        assert_eq!(old.what, new.what);
    }
    let unknown = TransactionChange::Unrecognized("Teleported".to_owned());
    let new = transaction(
        JSON,
        r#"{"type":"Transaction.Teleported","data":{"paymentId":"ORD-1"}}"#,
    );
    assert_eq!(new.what, unknown);
    assert_eq!(new.payment_id.as_str(), "ORD-1");
    assert_eq!(
        transaction(FORM, "payment_id=ORD-1&status=Teleported").what,
        unknown
    );

    for word in ["Ready", "Issued", "Failed", "Deleted", "Updated"] {
        let body = format!(r#"{{"type":"BillingKey.{word}","data":{{}}}}"#);
        let Ok(Event::BillingKey(event)) = v2::parse(JSON, body.as_bytes()) else {
            panic!("{word}");
        };
        assert!(
            !matches!(event.what, BillingKeyChange::Unrecognized(_)),
            "{word}"
        );
        assert_eq!(event.what.as_str(), word);
    }
}

#[test]
fn billing_keys_are_read_and_not_shown() {
    let body = br#"{"type":"BillingKey.Issued","timestamp":"2024-04-25T10:00:00.000Z","top":1,
        "data":{"storeId":"store-1","billingKey":"billing-key-1","more":2}}"#;

    let Ok(Event::BillingKey(event)) = v2::parse(JSON, body) else {
        panic!("no billing key");
    };

    assert_eq!(event.billing_key.as_deref(), Some("billing-key-1"));
    assert_eq!(event.store_id.as_deref(), Some("store-1"));
    assert_eq!(
        event.timestamp.map(|at| at.as_second()),
        Some(1_714_039_200)
    );
    assert_eq!(pairs(&event.other), [("top", "1"), ("more", "2")]);
    let shown = format!("{event:?}");
    assert!(shown.contains("Issued") && shown.contains("store-1"));
    assert!(!shown.contains("billing-key-1"));
}

#[test]
fn what_portone_adds_one_day_is_no_error() {
    for (body, type_name) in [
        (
            r#"{"type":"Settlement.Done","data":{"x":1}}"#,
            "Settlement.Done",
        ),
        (r#"{"type":"Settlement","data":7}"#, "Settlement"),
        (
            r#"{"type":"Transaction","data":{"paymentId":"ORD-1"}}"#,
            "Transaction",
        ),
        (r#"{"type":"Transaction.Moved"}"#, "Transaction.Moved"),
        (
            r#"{"type":"Transaction.Moved","data":[]}"#,
            "Transaction.Moved",
        ),
        (
            r#"{"type":"Transaction.Moved","data":{"paymentId":"a/b"}}"#,
            "Transaction.Moved",
        ),
        (
            r#"{"type":"BillingKey.Moved","data":"x"}"#,
            "BillingKey.Moved",
        ),
    ] {
        let Ok(Event::Unrecognized(event)) = v2::parse(JSON, body.as_bytes()) else {
            panic!("{body}");
        };
        assert_eq!(event.type_name, type_name);
        assert_eq!(event.timestamp, None);
    }

    let body =
        br#"{"type":"Settlement.Done","timestamp":"2024-04-25T10:00:00Z","data":{"x":[1,2]}}"#;
    let Ok(Event::Unrecognized(event)) = v2::parse(JSON, body) else {
        panic!("not unrecognized");
    };
    assert_eq!(
        event.timestamp.map(|at| at.as_second()),
        Some(1_714_039_200)
    );
    assert_eq!(pairs(&event.other), [("data", r#"{"x":[1,2]}"#)]);
}

#[test]
fn v2_bodies_that_name_no_payment_are_errors() {
    let of_paid = |data: &str| format!(r#"{{"type":"Transaction.Paid","data":{data}}}"#);
    for (body, error) in [
        ("{}".to_owned(), BodyError::Missing("status")),
        (
            r#"{"status":"Paid"}"#.to_owned(),
            BodyError::Missing("payment_id"),
        ),
        (
            r#"{"payment_id":"ORD-1"}"#.to_owned(),
            BodyError::Missing("status"),
        ),
        (
            r#"{"payment_id":"a/b","status":"Paid"}"#.to_owned(),
            BodyError::Invalid("payment_id"),
        ),
        (
            r#"{"payment_id":"ORD-1","tx_id":"a/b","status":"Paid"}"#.to_owned(),
            BodyError::Invalid("tx_id"),
        ),
        (r#"{"type":{}}"#.to_owned(), BodyError::Invalid("type")),
        (
            r#"{"type":"Transaction.Paid"}"#.to_owned(),
            BodyError::Missing("data"),
        ),
        (of_paid("1"), BodyError::Invalid("data")),
        (of_paid("[]"), BodyError::Invalid("data")),
        (of_paid(r#""{}""#), BodyError::Invalid("data")),
        (of_paid("{}"), BodyError::Missing("paymentId")),
        (
            of_paid(r#"{"paymentId":".."}"#),
            BodyError::Invalid("paymentId"),
        ),
        (
            of_paid(r#"{"paymentId":"A","paymentId":"B"}"#),
            BodyError::FieldTwice,
        ),
        (
            of_paid(r#"{"paymentId":"ORD-1","transactionId":"a b"}"#),
            BodyError::Invalid("transactionId"),
        ),
        (
            r#"{"type":"BillingKey.Issued","data":[]}"#.to_owned(),
            BodyError::Invalid("data"),
        ),
        // A webhook of V1.
        (
            r#"{"imp_uid":"imp_1","merchant_uid":"ORD-1","status":"paid"}"#.to_owned(),
            BodyError::Missing("payment_id"),
        ),
    ] {
        assert_eq!(v2::parse(JSON, body.as_bytes()), Err(error), "{body}");
    }
}

#[test]
fn v2_confirm_is_read_in_both_versions() {
    let new = v2::parse_confirm(
        JSON,
        br#"{"type":"Transaction.Confirm","timestamp":"2024-04-25T10:00:00.000Z","top":1,"data":{
            "storeId":"store-1","paymentId":"ORD-1","transactionId":"019000aa-0000-7000-8000-000000000001",
            "totalAmount":64900,"inner":2}}"#,
    )
    .unwrap();

    assert_eq!(new.version, BodyVersion::V2024_04_25);
    assert_eq!(new.payment_id.as_str(), "ORD-1");
    assert_eq!(new.transaction_id.unwrap().as_str(), TRANSACTION_ID);
    assert_eq!(new.total_amount, 64_900);
    assert_eq!(new.store_id.as_deref(), Some("store-1"));
    assert_eq!(new.timestamp.map(|at| at.as_second()), Some(1_714_039_200));
    assert_eq!(pairs(&new.other), [("top", "1"), ("inner", "2")]);

    for (content_type, body) in [
        (
            JSON,
            r#"{"payment_id":"ORD-1","tx_id":"tx-1","total_amount":64900,"more":1}"#,
        ),
        (
            FORM,
            "payment_id=ORD-1&tx_id=tx-1&total_amount=64900&more=1",
        ),
    ] {
        let old = v2::parse_confirm(content_type, body.as_bytes()).unwrap();

        assert_eq!(old.version, BodyVersion::V2024_01_01);
        assert_eq!(old.payment_id.as_str(), "ORD-1");
        assert_eq!(old.transaction_id.unwrap().as_str(), "tx-1");
        assert_eq!(old.total_amount, 64_900);
        assert_eq!((old.store_id, old.timestamp), (None, None));
        assert_eq!(pairs(&old.other), [("more", "1")]);
    }
}

#[test]
fn what_is_no_question_is_not_confirmed() {
    let amounts = [
        "-1",
        "1.0",
        "1e3",
        "true",
        r#""+1""#,
        r#""64,900""#,
        "9223372036854775808",
    ];
    for amount in amounts {
        let old = format!(r#"{{"payment_id":"ORD-1","total_amount":{amount}}}"#);
        let new = format!(
            r#"{{"type":"Transaction.Confirm","data":{{"paymentId":"ORD-1","totalAmount":{amount}}}}}"#
        );
        assert_eq!(
            v2::parse_confirm(JSON, old.as_bytes()),
            Err(BodyError::Invalid("total_amount")),
            "{amount}"
        );
        assert_eq!(
            v2::parse_confirm(JSON, new.as_bytes()),
            Err(BodyError::Invalid("totalAmount")),
            "{amount}"
        );
    }
    for (body, error) in [
        ("{}", BodyError::Missing("payment_id")),
        (
            r#"{"payment_id":"ORD-1"}"#,
            BodyError::Missing("total_amount"),
        ),
        (
            r#"{"payment_id":"ORD-1","tx_id":"a b","total_amount":1}"#,
            BodyError::Invalid("tx_id"),
        ),
        (
            r#"{"type":"Transaction.Paid","data":{"paymentId":"ORD-1","totalAmount":1}}"#,
            BodyError::Invalid("type"),
        ),
        (
            r#"{"type":"BillingKey.Confirm","data":{"paymentId":"ORD-1","totalAmount":1}}"#,
            BodyError::Invalid("type"),
        ),
        (
            r#"{"type":"Transaction.Confirm"}"#,
            BodyError::Missing("data"),
        ),
        (
            r#"{"type":"Transaction.Confirm","data":{"totalAmount":1}}"#,
            BodyError::Missing("paymentId"),
        ),
        (
            r#"{"type":"Transaction.Confirm","data":{"paymentId":"ORD-1"}}"#,
            BodyError::Missing("totalAmount"),
        ),
        (
            r#"{"type":"Transaction.Confirm","data":{"paymentId":"ORD-1","transactionId":"a b","totalAmount":1}}"#,
            BodyError::Invalid("transactionId"),
        ),
    ] {
        assert_eq!(
            v2::parse_confirm(JSON, body.as_bytes()),
            Err(error),
            "{body}"
        );
    }
    let largest = v2::parse_confirm(FORM, b"payment_id=A&total_amount=9223372036854775807");
    assert_eq!(largest.map(|confirm| confirm.total_amount), Ok(i64::MAX));
}
