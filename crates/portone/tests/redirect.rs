//! Every shape in which a buyer comes back, and some in which a stranger does.

use portone::redirect::{
    BYTES_MAX, Ids, Redirect, RedirectError, Spelling, Window, parse_body, parse_form, parse_json,
    parse_query,
};

const TX_ID: &str = "019000aa-0000-7000-8000-000000000001";

/// What the ids of a redirect are: generation, merchant's id, PortOne's id.
fn seen(redirect: &Redirect) -> (&'static str, Option<&str>, Option<&str>) {
    let generation = match redirect.ids() {
        Ids::Absent => "absent",
        Ids::Malformed { parameter } => parameter,
        Ids::V1 { .. } => "V1",
        Ids::V2 {
            spelling: Spelling::Current,
            ..
        } => "V2",
        Ids::V2 {
            spelling: Spelling::Beta,
            ..
        } => "V2 beta",
    };
    (generation, redirect.payment_id(), redirect.transaction_id())
}

fn query(query: &str) -> Redirect {
    parse_query(query.as_bytes()).expect("the query can be read")
}

#[test]
fn v1_redirects_are_read_in_every_variant() {
    let imp = Some("imp_123456789012");
    for (text, portone_id, window) in [
        (
            "imp_uid=imp_123456789012&merchant_uid=ORD-1&imp_success=true",
            imp,
            Window::LeftNormally,
        ),
        (
            "imp_uid=imp_123456789012&merchant_uid=ORD-1&imp_success=false&error_code=F0001&error_msg=%EC%B7%A8%EC%86%8C",
            imp,
            Window::LeftOtherwise,
        ),
        (
            "imp_uid=imp_123456789012&merchant_uid=ORD-1&success=true",
            imp,
            Window::LeftNormally,
        ),
        (
            "imp_uid=imp_123456789012&merchant_uid=ORD-1",
            imp,
            Window::Unsaid,
        ),
        ("merchant_uid=ORD-1", None, Window::Unsaid),
        (
            "imp_uid=imp_123456789012&merchant_uid=ORD-1&error_code=PAY_PROCESS_CANCELED&error_msg=x",
            imp,
            Window::Unsaid,
        ),
        (
            "merchant_uid=ORD-1&imp_success=false&error_code=F1002&error_msg=x",
            None,
            Window::LeftOtherwise,
        ),
        (
            "imp_uid=&merchant_uid=ORD-1&imp_success=false",
            None,
            Window::LeftOtherwise,
        ),
        (
            "imp_uid=imp_123456789012&merchant_uid=ORD-1&imp_status=true&kcp_action=Register",
            imp,
            Window::LeftNormally,
        ),
        (
            "wc-api=x&order_id=7&imp_uid=imp_123456789012&merchant_uid=ORD-1&imp_success=true",
            imp,
            Window::LeftNormally,
        ),
    ] {
        let redirect = query(text);

        assert_eq!(seen(&redirect), ("V1", Some("ORD-1"), portone_id), "{text}");
        assert_eq!(redirect.hint().window, window, "{text}");
        assert_eq!(query(&format!("?{text}")), redirect);
        assert_eq!(parse_form(text.as_bytes()).as_ref(), Ok(&redirect));
    }
    // As it was before 2017.
    assert_eq!(seen(&query("imp_uid=imp_123456789012")), ("V1", None, imp));
}

#[test]
fn v2_redirects_are_read_in_every_variant() {
    for (text, generation, portone_id) in [
        (
            "transactionType=PAYMENT&txId=019000aa-0000-7000-8000-000000000001&paymentId=ORD-1",
            "V2",
            Some(TX_ID),
        ),
        (
            "transactionType=PAYMENT&txId=019000aa-0000-7000-8000-000000000001&paymentId=ORD-1&code=FAILURE_TYPE_PG&message=m&pgCode=PAY_PROCESS_CANCELED&pgMessage=p",
            "V2",
            Some(TX_ID),
        ),
        ("paymentId=ORD-1", "V2", None),
        ("paymentId=ORD-1&code=SUCCESS", "V2", None),
        (
            "paymentId=ORD-1&transactionId=019000aa-0000-7000-8000-000000000001",
            "V2",
            Some(TX_ID),
        ),
        (
            "payment_id=ORD-1&tx_id=019000aa-0000-7000-8000-000000000001",
            "V2 beta",
            Some(TX_ID),
        ),
        ("payment_id=ORD-1", "V2 beta", None),
        (
            "txId=019000aa-0000-7000-8000-000000000001&payment_id=ORD-1",
            "V2 beta",
            Some(TX_ID),
        ),
        (
            "paymentId=ORD-1&tx_id=019000aa-0000-7000-8000-000000000001",
            "V2",
            Some(TX_ID),
        ),
    ] {
        let redirect = query(text);

        assert_eq!(
            seen(&redirect),
            (generation, Some("ORD-1"), portone_id),
            "{text}"
        );
        assert_eq!(redirect.hint().window, Window::Unsaid);
    }
    assert_eq!(seen(&query("txId=tx-1")), ("V2", None, Some("tx-1")));
    assert_eq!(seen(&query("tx_id=tx-1")), ("V2 beta", None, Some("tx-1")));
}

#[test]
fn hints_are_read_with_the_words_of_their_generation() {
    let v1 = query(
        "code=COUPON&message=hello&merchant_uid=ORD-1&error_code=F0001&error_msg=%EC%B7%A8%EC%86%8C&kcp_action=Pay",
    );
    let v2 = query(
        "error_code=mine&error_msg=mine&success=true&paymentId=ORD-1&transactionType=PAYMENT&code=FAILURE_TYPE_PG&message=%EC%B7%A8%EC%86%8C&pgCode=P1&pgMessage=p+m",
    );
    let neither = query("imp_success=false&error_code=F1002&error_msg=x");
    let neither_of_v2 = query("code=C&message=m");

    assert_eq!(v1.hint().error_code.as_deref(), Some("F0001"));
    assert_eq!(v1.hint().error_message.as_deref(), Some("취소"));
    assert_eq!(v1.hint().kcp_action.as_deref(), Some("Pay"));
    assert_eq!(
        (&v1.hint().pg_code, &v1.hint().transaction_type),
        (&None, &None)
    );
    assert_eq!(v2.hint().window, Window::Unsaid);
    assert_eq!(v2.hint().error_code.as_deref(), Some("FAILURE_TYPE_PG"));
    assert_eq!(v2.hint().error_message.as_deref(), Some("취소"));
    assert_eq!(v2.hint().pg_code.as_deref(), Some("P1"));
    assert_eq!(v2.hint().pg_message.as_deref(), Some("p m"));
    assert_eq!(v2.hint().transaction_type.as_deref(), Some("PAYMENT"));
    assert_eq!(v2.hint().kcp_action, None);
    assert_eq!(neither.ids(), &Ids::Absent);
    assert_eq!(neither.hint().window, Window::LeftOtherwise);
    assert_eq!(neither.hint().error_code.as_deref(), Some("F1002"));
    assert_eq!(neither.hint().error_message.as_deref(), Some("x"));
    assert_eq!(neither_of_v2.hint().error_code.as_deref(), Some("C"));
    assert_eq!(neither_of_v2.hint().error_message.as_deref(), Some("m"));
}

#[test]
fn flags_are_looked_at_in_portones_order_and_nothing_but_true_and_false_is_one() {
    for (flags, window) in [
        ("imp_success=true&success=false", Window::LeftNormally),
        ("success=false&imp_success=true", Window::LeftNormally),
        ("imp_success=&success=false", Window::LeftOtherwise),
        ("imp_status=true&success=false", Window::LeftOtherwise),
        ("imp_success=true&imp_success=false", Window::LeftOtherwise),
        ("imp_success=1", Window::Unsaid),
        ("imp_success=TRUE", Window::Unsaid),
        ("imp_success=x&success=true", Window::Unsaid),
    ] {
        let redirect = query(&format!("merchant_uid=ORD-1&{flags}"));
        assert_eq!(redirect.hint().window, window, "{flags}");
    }
}

#[test]
fn portones_own_come_after_the_shops_so_the_last_one_counts() {
    for (text, expected) in [
        (
            "merchant_uid=SHOP&imp_uid=shop&imp_uid=imp_1&merchant_uid=ORD-1",
            ("V1", Some("ORD-1"), Some("imp_1")),
        ),
        // An empty one is none.
        (
            "imp_uid=imp_1&merchant_uid=ORD-1&merchant_uid=&imp_uid",
            ("V1", Some("ORD-1"), Some("imp_1")),
        ),
        // The shop has names of the other generation for things of its own, good ones or bad ones.
        (
            "payment_id=7&txId=8&imp_uid=imp_1&merchant_uid=ORD-1",
            ("V1", Some("ORD-1"), Some("imp_1")),
        ),
        (
            "payment_id=a/b&merchant_uid=ORD-1",
            ("V1", Some("ORD-1"), None),
        ),
        ("txId=8&merchant_uid=ORD-1", ("V1", Some("ORD-1"), None)),
        (
            "merchant_uid=7&imp_uid=../x&txId=tx-1&paymentId=ORD-1",
            ("V2", Some("ORD-1"), Some("tx-1")),
        ),
        (
            "payment_id=7&transactionType=PAYMENT&txId=tx-1&paymentId=ORD-1",
            ("V2", Some("ORD-1"), Some("tx-1")),
        ),
        ("txId=8&imp_uid=imp_1", ("V1", None, Some("imp_1"))),
        ("imp_uid=imp_1&txId=8", ("V2", None, Some("8"))),
        // The merchant's id tells before PortOne's does.
        ("merchant_uid=ORD-1&txId=8", ("V1", Some("ORD-1"), None)),
    ] {
        assert_eq!(seen(&query(text)), expected, "{text}");
    }
}

#[test]
fn no_id_is_not_the_same_as_a_malformed_one() {
    for text in [
        "",
        "?",
        "&&&",
        "=",
        "=x",
        "foo=bar",
        "imp_uid=&merchant_uid=",
        "imp_uid&merchant_uid",
        "imp_success=true",
        "Merchant_Uid=ORD-1",
    ] {
        assert_eq!(seen(&query(text)), ("absent", None, None), "{text}");
    }
    let long_v1 = format!("merchant_uid={}", "a".repeat(41));
    let long_v2 = format!("paymentId={}", "a".repeat(65));
    for (text, parameter) in [
        ("imp_uid=../users/getToken&merchant_uid=ORD-1", "imp_uid"),
        ("imp_uid=imp_1&merchant_uid=a%2Fb", "merchant_uid"),
        ("merchant_uid=%C1%D6%B9%AE", "merchant_uid"),
        ("merchant_uid=%00", "merchant_uid"),
        ("merchant_uid=..", "merchant_uid"),
        ("imp_uid=imp%201", "imp_uid"),
        ("paymentId=a%3Fb", "paymentId"),
        ("payment_id=a%23b", "payment_id"),
        ("paymentId=ORD-1&txId=a%2Fb", "txId"),
        ("paymentId=ORD-1&tx_id=%FF", "tx_id"),
        ("paymentId=ORD-1&transactionId=a+b", "transactionId"),
        (long_v1.as_str(), "merchant_uid"),
        (long_v2.as_str(), "paymentId"),
    ] {
        let redirect = query(text);
        assert_eq!(seen(&redirect), (parameter, None, None), "{text}");
        assert_eq!(redirect.ids(), &Ids::Malformed { parameter });
    }
}

#[test]
fn escapes_are_decoded_once_and_broken_ones_stay() {
    for (text, merchant_uid) in [
        ("merchant_uid=%EC%A3%BC%EB%AC%B8+1", Some("주문 1")),
        ("merchant_uid=%EC%A3%BC%EB%AC%B8%201", Some("주문 1")),
        ("merchant_uid=%ec%a3%bc%eb%ac%b8", Some("주문")),
        ("merchant%5Fuid=ORD-1", Some("ORD-1")),
        ("merchant_uid=a%2Bb", Some("a+b")),
        ("merchant_uid=a=b", Some("a=b")),
        ("merchant_uid=a;b", Some("a;b")),
        ("merchant_uid=a%252Fb", None),
        ("merchant_uid=a%", None),
        ("merchant_uid=a%zz", None),
    ] {
        assert_eq!(query(text).payment_id(), merchant_uid, "{text}");
    }
}

#[test]
fn text_that_is_not_utf8_is_kept_as_far_as_it_can_be_read() {
    let redirect =
        parse_query(b"merchant_uid=ORD-1&error_code=E1&error_msg=%C3%EB%BC%D2-7&raw=\xc3\xeb")
            .unwrap();

    assert_eq!(redirect.payment_id(), Some("ORD-1"));
    let message = redirect.hint().error_message.as_deref().unwrap();
    assert!(message.ends_with("-7"));
    assert!(message.contains(char::REPLACEMENT_CHARACTER));
    assert!(redirect.parameters().get("raw").is_some());
}

#[test]
fn everything_but_the_ids_is_kept_in_order() {
    let redirect = query(
        "order_id=7&payment_id=mine&imp_uid=x&imp_uid=imp_1&a=1&merchant_uid=ORD-1&imp_success=true&a=2",
    );

    let kept: Vec<_> = redirect.parameters().iter().collect();

    assert_eq!(
        kept,
        [
            ("order_id", "7"),
            ("payment_id", "mine"),
            ("a", "1"),
            ("imp_success", "true"),
            ("a", "2"),
        ]
    );
    assert_eq!(redirect.parameters().get("a"), Some("2"));
    assert_eq!(redirect.parameters().len(), 5);
}

#[test]
fn the_payment_token_is_apart_and_values_are_not_shown() {
    let redirect = query(
        "paymentId=ORD-1&paymentToken=token-1&email=a%40b.kr&code=C1&message=Hong+Gildong&pgMessage=Hong",
    );

    assert_eq!(redirect.payment_token(), Some("token-1"));
    assert_eq!(redirect.parameters().get("paymentToken"), None);
    assert_eq!(query("paymentId=ORD-1").payment_token(), None);
    let shown = format!("{redirect:?}");
    for needed in ["ORD-1", "email", "C1"] {
        assert!(shown.contains(needed), "{needed} in {shown}");
    }
    for private in ["token-1", "b.kr", "Hong"] {
        assert!(!shown.contains(private), "{private} in {shown}");
    }
}

#[test]
fn bodies_are_read_by_their_content_type() {
    let json = br#"{"success":true,"imp_uid":"imp_1","merchant_uid":20240101,"error_msg":null,
        "paid_amount":100,"custom":{"a":1},"half":"\ud800"}"#;
    let form = b"imp_uid=imp_1&merchant_uid=20240101&success=true";

    for content_type in ["application/json", "APPLICATION/JSON ; charset=utf-8"] {
        let redirect = parse_body(Some(content_type), json).unwrap();

        assert_eq!(seen(&redirect), ("V1", Some("20240101"), Some("imp_1")));
        assert_eq!(redirect.hint().window, Window::LeftNormally);
        assert_eq!(redirect.hint().error_message, None);
        assert_eq!(
            redirect.parameters().iter().collect::<Vec<_>>(),
            [
                ("success", "true"),
                ("paid_amount", "100"),
                ("custom", r#"{"a":1}"#),
                ("half", r#""\ud800""#),
            ]
        );
        assert_eq!(parse_json(json).as_ref(), Ok(&redirect));
    }
    for content_type in [None, Some("application/x-www-form-urlencoded"), Some("")] {
        let redirect = parse_body(content_type, form).unwrap();
        assert_eq!(seen(&redirect), ("V1", Some("20240101"), Some("imp_1")));
        assert_eq!(redirect.hint().window, Window::LeftNormally);
    }
}

#[test]
fn ids_in_json_are_strings_or_numbers() {
    for (json, expected) in [
        (
            r#"{"paymentId":"ORD-1","txId":"tx-1","transactionType":"PAYMENT"}"#,
            ("V2", Some("ORD-1"), Some("tx-1")),
        ),
        (
            r#"{"merchant_uid":"ORD-1","imp_uid":null}"#,
            ("V1", Some("ORD-1"), None),
        ),
        (
            r#"{"merchant_uid":"A","merchant_uid":"B"}"#,
            ("V1", Some("B"), None),
        ),
        (r#"{"merchant_uid":null}"#, ("absent", None, None)),
        (r#"{"merchant_uid":true}"#, ("merchant_uid", None, None)),
        (
            r#"{"merchant_uid":["ORD-1"]}"#,
            ("merchant_uid", None, None),
        ),
        (r#"{"merchant_uid":{}}"#, ("merchant_uid", None, None)),
        (r#"{"merchant_uid":"\udc00"}"#, ("merchant_uid", None, None)),
        (r#"{"imp_uid":1.5}"#, ("imp_uid", None, None)),
        ("{}", ("absent", None, None)),
    ] {
        let redirect = parse_json(json.as_bytes()).unwrap();
        assert_eq!(seen(&redirect), expected, "{json}");
    }
}

#[test]
fn what_cannot_be_read_whole_is_not_read_in_part() {
    for json in [
        "",
        "[1]",
        "null",
        "\"x\"",
        r#"{"merchant_uid":"#,
        "{} {}",
        "a=b",
    ] {
        assert_eq!(
            parse_json(json.as_bytes()),
            Err(RedirectError::NotAnObject),
            "{json}"
        );
    }
    assert_eq!(
        parse_json(b"{\"merchant_uid\":\"\xc1\xd6\"}"),
        Err(RedirectError::NotAnObject)
    );

    let parameters = |count: usize| format!("{}merchant_uid=ORD-1", "a&".repeat(count - 1));
    assert_eq!(query(&parameters(256)).payment_id(), Some("ORD-1"));
    assert_eq!(
        parse_query(parameters(257).as_bytes()),
        Err(RedirectError::TooManyParameters)
    );

    assert_eq!(BYTES_MAX, 16_384);
    let mut longest = b"merchant_uid=ORD-1&a=".to_vec();
    longest.resize(BYTES_MAX, b'x');
    assert_eq!(parse_query(&longest).unwrap().payment_id(), Some("ORD-1"));
    longest.push(b'x');
    assert_eq!(parse_query(&longest), Err(RedirectError::TooLong));
    assert_eq!(parse_form(&longest), Err(RedirectError::TooLong));
    assert_eq!(parse_json(&longest), Err(RedirectError::TooLong));
}
