//! Bodies and signatures of webhooks.
//!
//! The first byte chooses the content type. What follows is the body and, up to its first line break, a header.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portone::webhook::{
    SignedHeaders, Signer, Verifier, v1,
    v2::{self, Event},
};

const SECRET: &str = "whsec_pzQGE83cSIRKM4/WH5QY+g==";
const NOW: i64 = 1_714_039_200;

static VERIFIER: LazyLock<Verifier> =
    LazyLock::new(|| Verifier::new([SECRET]).expect("the secret is good"));
static SIGNER: LazyLock<Signer> =
    LazyLock::new(|| Signer::new([SECRET]).expect("the secret is good"));

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    let content_type = match choice % 4 {
        0 => None,
        1 => Some("application/json"),
        2 => Some("application/x-www-form-urlencoded"),
        _ => std::str::from_utf8(body).ok(),
    };
    bodies(content_type, body);

    let header = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
    signatures(header, body);
});

fn bodies(content_type: Option<&str>, body: &[u8]) {
    if let Ok(event) = v1::parse(content_type, body) {
        is_one_segment(event.merchant_uid.as_str(), 40);
        let _shown = format!("{event:?}");
    }
    if let Ok(confirm) = v1::parse_confirm(content_type, body) {
        is_one_segment(confirm.merchant_uid.as_str(), 40);
        assert!(!confirm.amount.is_sign_negative());
    }
    if let Ok(Event::Transaction(event)) = v2::parse(content_type, body) {
        is_one_segment(event.payment_id.as_str(), 64);
        let _shown = format!("{event:?}");
    }
    if let Ok(confirm) = v2::parse_confirm(content_type, body) {
        is_one_segment(confirm.payment_id.as_str(), 64);
        assert!(confirm.total_amount >= 0);
    }
}

fn signatures(header: &[u8], body: &[u8]) {
    let genuine = SIGNER.sign("wh-1", NOW, body);
    assert!(VERIFIER.verify(&genuine, body, NOW).is_ok());

    // No input of a fuzzer's has the right code.
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    for replaced in names {
        let headers = genuine.into_iter().map(|(name, value)| {
            let value = if name == replaced {
                header
            } else {
                value.as_bytes()
            };
            (name, value)
        });
        let is_genuine = genuine
            .into_iter()
            .any(|(name, value)| name == replaced && value.as_bytes() == header);
        assert_eq!(VERIFIER.verify(headers, body, NOW).is_ok(), is_genuine);
    }
    let other_body = [body, b"x"].concat();
    assert!(VERIFIER.verify(&genuine, &other_body, NOW).is_err());

    let as_secret = std::str::from_utf8(header).unwrap_or_default();
    if let Ok(verifier) = Verifier::new([as_secret]) {
        let headers: SignedHeaders = Signer::new([as_secret])
            .expect("a secret that verifies can sign")
            .sign("wh-2", NOW, body);
        assert!(verifier.verify(&headers, body, NOW).is_ok());
    }
}

fn is_one_segment(id: &str, chars_max: usize) {
    assert!((1..=chars_max).contains(&id.chars().count()));
    assert!(!id.contains(['/', '\\', '?', '#', '%', '\0', '\n']));
    assert!(id != "." && id != "..");
}
