//! Redirects, as a query, a form and JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portone::redirect::{Ids, Redirect, parse_body, parse_form, parse_json, parse_query};

fuzz_target!(|data: &[u8]| {
    for redirect in [
        parse_query(data),
        parse_form(data),
        parse_json(data),
        parse_body(std::str::from_utf8(data).ok(), data),
    ]
    .into_iter()
    .flatten()
    {
        check(&redirect);
    }
});

fn check(redirect: &Redirect) {
    let _shown = format!("{redirect:?}");
    for id in [redirect.payment_id(), redirect.transaction_id()]
        .into_iter()
        .flatten()
    {
        assert!((1..=64).contains(&id.chars().count()));
        assert!(!id.contains(['/', '\\', '?', '#', '%', '\0', '\n']));
        assert!(id != "." && id != "..");
    }
    let (payment_name, transaction_name) = match redirect.ids() {
        Ids::Absent | Ids::Malformed { .. } => {
            assert_eq!(
                (redirect.payment_id(), redirect.transaction_id()),
                (None, None)
            );
            return;
        }
        Ids::V1 { .. } => ("merchant_uid", "imp_uid"),
        Ids::V2 { .. } => ("paymentId", "txId"),
    };
    assert!(redirect.payment_id().is_some() || redirect.transaction_id().is_some());
    assert_eq!(redirect.parameters().get(payment_name), None);
    assert_eq!(redirect.parameters().get(transaction_name), None);
    assert_eq!(redirect.parameters().get("paymentToken"), None);

    // Written again, with the shop's parameters before them, the ids are read again.
    let pairs = [
        (payment_name, redirect.payment_id()),
        (transaction_name, redirect.transaction_id()),
    ];
    let mut query = "imp_success=true&".to_owned();
    for (name, value) in pairs {
        if let Some(value) = value {
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            query.push_str(&format!("{name}={value}&"));
        }
    }
    let again = parse_query(query.as_bytes()).expect("two ids are few");
    assert_eq!(again.payment_id(), redirect.payment_id());
    assert_eq!(again.transaction_id(), redirect.transaction_id());
}
