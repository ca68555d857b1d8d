//! Known answers of Standard Webhooks' and PortOne's own libraries, and what must not pass.

use portone::webhook::{
    SecretError, SignedHeaders, Signer, TIMESTAMP_TOLERANCE_SECONDS, VerificationError, Verifier,
};

/// The secret in the tests of PortOne's server SDK: 16 bytes.
const PORTONE: &str = "whsec_pzQGE83cSIRKM4/WH5QY+g==";
/// The secrets in the tests of the Standard Webhooks libraries.
const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const STANDARD_RUST: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
/// A well-formed signature of something else.
const DECOY: &str = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";

const PAID: &[u8] = br#"{"type":"Transaction.Paid","timestamp":"2024-04-25T10:00:00.000Z","data":{"storeId":"store-00000000-0000-0000-0000-000000000000","paymentId":"order-1001","transactionId":"019000aa-0000-7000-8000-000000000001"}}"#;
const FAILED: &str = r#"{"type":"Transaction.Failed","timestamp":"2024-04-25T10:00:00.000Z","data":{"storeId":"store-00000000-0000-0000-0000-000000000000","paymentId":"주문-1001","transactionId":"019000aa-0000-7000-8000-000000000001"}}"#;
const OLD_JSON: &[u8] = br#"{"payment_id":"order-1001","tx_id":"tx-1","status":"Paid"}"#;
const OLD_FORM: &[u8] = b"payment_id=order-1001&tx_id=tx-1&status=Paid";

/// One webhook whose signature is known.
struct Known {
    secret: &'static str,
    id: &'static str,
    timestamp: i64,
    body: &'static [u8],
    signature: &'static str,
}

const KNOWN: [Known; 9] = [
    Known {
        secret: STANDARD,
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: 1_614_265_330,
        body: br#"{"test": 2432232314}"#,
        signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
    Known {
        secret: STANDARD_RUST,
        id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        timestamp: 1_649_367_553,
        body: br#"{"email":"test@example.com","username":"test_user"}"#,
        signature: "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
    },
    Known {
        secret: PORTONE,
        id: "wh-0001",
        timestamp: 1_714_039_200,
        body: PAID,
        signature: "v1,eA9P2p8ugNOkSQQPDR5AogpEdoFYMG84g8DsfptriD8=",
    },
    Known {
        secret: PORTONE,
        id: "wh-0002",
        timestamp: 1_714_039_201,
        body: FAILED.as_bytes(),
        signature: "v1,5Py7YSd6pEQC9dFBaxnXShDJmvzf1A3Jcoir4squthc=",
    },
    Known {
        secret: PORTONE,
        id: "wh-0003",
        timestamp: 1_714_039_202,
        body: b"",
        signature: "v1,vhkiy8gn/W2txOLw0Ph1euu4N7bXS2gZGOC9on+fJHM=",
    },
    Known {
        secret: PORTONE,
        id: "wh-0004",
        timestamp: 1_714_039_203,
        body: OLD_JSON,
        signature: "v1,tC5b9wWQEbkD+R7v3+Ed/TrLq/8dvQvhFzX9M16l7G8=",
    },
    Known {
        secret: PORTONE,
        id: "wh-0005",
        timestamp: 1_714_039_204,
        body: OLD_FORM,
        signature: "v1,h8808i4/hOYMQslcGhOXRHLLpLsTRk2RsUphbRZkscw=",
    },
    Known {
        secret: PORTONE,
        id: "wh-0006",
        timestamp: 1_714_039_205,
        body: OLD_JSON,
        signature: "v1,CwZhWe+FPvYQ267ag9lnxswHIJtHZiF6K+RQLT02JkI=",
    },
    Known {
        secret: STANDARD,
        id: "wh-0006",
        timestamp: 1_714_039_205,
        body: OLD_JSON,
        signature: "v1,DtG8rpnZM3XaZ/Rbm02mX0txmmBSW1wf1X9Ji0uHvA8=",
    },
];

fn verifier(secrets: &[&str]) -> Verifier {
    Verifier::new(secrets.iter().copied()).expect("the secrets are good")
}

/// The headers of [`KNOWN`]'s `wh-0004`, whose body is [`OLD_JSON`].
fn good() -> SignedHeaders {
    SignedHeaders {
        id: "wh-0004".to_owned(),
        timestamp: "1714039203".to_owned(),
        signature: "v1,tC5b9wWQEbkD+R7v3+Ed/TrLq/8dvQvhFzX9M16l7G8=".to_owned(),
    }
}

const GOOD_AT: i64 = 1_714_039_203;

fn verify_now(headers: &SignedHeaders) -> Result<(), VerificationError> {
    verifier(&[PORTONE])
        .verify(headers, OLD_JSON, GOOD_AT)
        .map(|_| ())
}

#[test]
fn known_webhooks_are_verified() {
    for known in KNOWN {
        let timestamp = known.timestamp.to_string();
        let headers = [
            ("webhook-id", known.id),
            ("webhook-timestamp", timestamp.as_str()),
            ("webhook-signature", known.signature),
        ];

        let delivery = verifier(&[known.secret])
            .verify(headers, known.body, known.timestamp)
            .unwrap_or_else(|error| panic!("{}: {error}", known.id));

        assert_eq!(delivery.id, known.id);
        assert_eq!(delivery.timestamp, known.timestamp);
    }
}

#[test]
fn known_webhooks_are_signed() {
    for known in KNOWN {
        let signer = Signer::new([known.secret]).expect("the secret is good");

        let headers = signer.sign(known.id, known.timestamp, known.body);

        assert_eq!(headers.id, known.id);
        assert_eq!(headers.timestamp, known.timestamp.to_string());
        assert_eq!(headers.signature, known.signature, "{}", known.id);
    }
}

#[test]
fn a_header_map_can_be_verified_as_it_is() {
    let mut map = reqwest::header::HeaderMap::new();
    map.insert("content-type", "application/json".parse().unwrap());
    for (name, value) in &good() {
        map.insert(name, value.parse().unwrap());
    }
    let verifier = verifier(&[PORTONE]);

    assert!(verifier.verify(&map, OLD_JSON, GOOD_AT).is_ok());

    map.append("webhook-id", "wh-0004".parse().unwrap());
    assert_eq!(
        verifier.verify(&map, OLD_JSON, GOOD_AT),
        Err(VerificationError::DuplicateHeader("webhook-id"))
    );
}

#[test]
fn names_of_headers_have_no_case_and_the_prefix_of_a_secret_is_not_part_of_it() {
    let SignedHeaders {
        id,
        timestamp,
        signature,
    } = good();
    let headers = [
        ("Webhook-ID", id),
        ("WEBHOOK-TIMESTAMP", timestamp),
        ("webhook-Signature", signature),
    ];

    let delivery = verifier(&["pzQGE83cSIRKM4/WH5QY+g=="]).verify(headers, OLD_JSON, GOOD_AT);

    assert!(delivery.is_ok());
}

#[test]
fn anything_that_was_changed_is_refused() {
    let signed = good();
    let changed_id = SignedHeaders {
        id: "wh-0005".to_owned(),
        ..signed.clone()
    };
    let changed_timestamp = SignedHeaders {
        timestamp: "1714039204".to_owned(),
        ..signed.clone()
    };
    let decoy = SignedHeaders {
        signature: DECOY.to_owned(),
        ..signed.clone()
    };
    let bytes = signed.signature.len();
    let truncated = SignedHeaders {
        signature: signed.signature[..bytes - 4].to_owned(),
        ..signed.clone()
    };

    for headers in [changed_id, changed_timestamp, decoy, truncated] {
        assert_eq!(
            verify_now(&headers),
            Err(VerificationError::NoMatchingSignature),
            "{headers:?}"
        );
    }
    for body in [
        &b""[..],
        br#"{"payment_id":"order-1002","tx_id":"tx-1","status":"Paid"}"#,
        br#"{"payment_id": "order-1001","tx_id":"tx-1","status":"Paid"}"#,
    ] {
        assert_eq!(
            verifier(&[PORTONE]).verify(&signed, body, GOOD_AT),
            Err(VerificationError::NoMatchingSignature)
        );
    }
    assert_eq!(
        verifier(&[STANDARD]).verify(&signed, OLD_JSON, GOOD_AT),
        Err(VerificationError::NoMatchingSignature)
    );
}

#[test]
fn one_good_signature_among_others_is_enough() {
    let good = good().signature;
    let (_, code) = good.split_once(',').expect("a scheme and a code");

    for (signature, expected) in [
        (format!("{DECOY} {good}"), true),
        (format!("{good} {DECOY}"), true),
        (format!("v1a,{code} {good}"), true),
        (format!("v1,not-base64 {good}"), true),
        (format!("v1,c2hvcnQ= {good}"), true),
        (format!("nonsense  {good}"), true),
        (format!("v1a,{code}"), false),
        (format!("v2,{code}"), false),
        (format!("V1,{code}"), false),
        (format!(",{code}"), false),
        (code.to_owned(), false),
        ("v1,".to_owned(), false),
        ("v1".to_owned(), false),
        (" ".to_owned(), false),
        (format!("v1,{code},{code}"), false),
        (DECOY.to_owned(), false),
    ] {
        let headers = SignedHeaders {
            signature: signature.clone(),
            ..self::good()
        };
        let expected = if expected {
            Ok(())
        } else {
            Err(VerificationError::NoMatchingSignature)
        };
        assert_eq!(verify_now(&headers), expected, "{signature}");
    }
}

#[test]
fn while_a_secret_is_replaced_either_side_may_be_ahead() {
    let both_sign =
        Signer::new([PORTONE, STANDARD])
            .unwrap()
            .sign("wh-0006", 1_714_039_205, OLD_JSON);
    let old_signs = Signer::new([PORTONE])
        .unwrap()
        .sign("wh-0006", 1_714_039_205, OLD_JSON);
    let new_signs = Signer::new([STANDARD])
        .unwrap()
        .sign("wh-0006", 1_714_039_205, OLD_JSON);

    assert_eq!(
        both_sign.signature,
        "v1,CwZhWe+FPvYQ267ag9lnxswHIJtHZiF6K+RQLT02JkI= v1,DtG8rpnZM3XaZ/Rbm02mX0txmmBSW1wf1X9Ji0uHvA8="
    );
    for (headers, secrets, accepted) in [
        (&both_sign, &[PORTONE][..], true),
        (&both_sign, &[STANDARD], true),
        (&both_sign, &[PORTONE, STANDARD], true),
        (&old_signs, &[STANDARD, PORTONE], true),
        (&new_signs, &[PORTONE, STANDARD], true),
        (&old_signs, &[STANDARD], false),
        (&both_sign, &[STANDARD_RUST], false),
    ] {
        let verified = verifier(secrets).verify(headers, OLD_JSON, 1_714_039_205);
        assert_eq!(verified.is_ok(), accepted, "{headers:?} {secrets:?}");
    }
}

#[test]
fn five_minutes_in_either_direction_are_still_now() {
    let verifier = verifier(&[PORTONE]);
    let at = |now| verifier.verify(&good(), OLD_JSON, now).map(|_| ());

    assert_eq!(TIMESTAMP_TOLERANCE_SECONDS, 300);
    assert_eq!(at(GOOD_AT + 300), Ok(()));
    assert_eq!(at(GOOD_AT + 301), Err(VerificationError::TooOld));
    assert_eq!(at(GOOD_AT - 300), Ok(()));
    assert_eq!(at(GOOD_AT - 301), Err(VerificationError::TooNew));
    assert_eq!(at(i64::MAX), Err(VerificationError::TooOld));
    assert_eq!(at(i64::MIN), Err(VerificationError::TooNew));
}

#[test]
fn each_header_must_be_there_exactly_once() {
    let good = good();
    let pairs: Vec<(&str, &str)> = good.into_iter().collect();

    for missing in 0..3 {
        let mut headers = pairs.clone();
        let (name, _) = headers.remove(missing);
        assert_eq!(
            verifier(&[PORTONE]).verify(headers, OLD_JSON, GOOD_AT),
            Err(VerificationError::MissingHeader(name))
        );
    }
    for doubled in 0..3 {
        let mut headers = pairs.clone();
        let pair = headers[doubled];
        headers.push(pair);
        assert_eq!(
            verifier(&[PORTONE]).verify(headers, OLD_JSON, GOOD_AT),
            Err(VerificationError::DuplicateHeader(pair.0))
        );
    }
}

#[test]
fn headers_that_no_sender_makes_are_malformed() {
    let long_id = "i".repeat(257);
    let ids = [
        "", " ", "wh 1", "wh.1", "wh-1\n", "주문", "\u{7f}", &long_id,
    ];
    for id in ids {
        let headers = Signer::new([PORTONE]).unwrap().sign(id, GOOD_AT, OLD_JSON);
        assert_eq!(
            verify_now(&headers),
            Err(VerificationError::MalformedHeader("webhook-id")),
            "{id:?}"
        );
    }

    for timestamp in [
        "",
        "+1714039203",
        "-1714039203",
        " 1714039203",
        "1714039203.0",
        "1.714039203e9",
        "0x662a2963",
        "now",
        "9223372036854775808",
        "00000000001714039203",
    ] {
        let headers = SignedHeaders {
            timestamp: timestamp.to_owned(),
            ..good()
        };
        assert_eq!(
            verify_now(&headers),
            Err(VerificationError::MalformedHeader("webhook-timestamp")),
            "{timestamp:?}"
        );
    }

    let far_too_many = [DECOY; 33].join(" ");
    let long = "v".repeat(4097);
    for signature in ["", "\t", "v1,\u{e9}", &far_too_many, &long] {
        let headers = SignedHeaders {
            signature: signature.to_owned(),
            ..good()
        };
        assert_eq!(
            verify_now(&headers),
            Err(VerificationError::MalformedHeader("webhook-signature")),
            "{signature:?}"
        );
    }
}

#[test]
fn what_is_just_within_the_limits_is_accepted() {
    let signer = Signer::new([PORTONE]).unwrap();
    let long_id = "i".repeat(256);
    let mut signatures = vec![DECOY; 31];
    let genuine = good().signature;
    signatures.push(&genuine);
    let many = SignedHeaders {
        signature: signatures.join(" "),
        ..good()
    };
    let long = SignedHeaders {
        signature: format!("{genuine} {}", "v".repeat(4096 - genuine.len() - 1)),
        ..good()
    };

    assert_eq!(
        verify_now(&signer.sign(&long_id, GOOD_AT, OLD_JSON)),
        Ok(())
    );
    assert_eq!(verify_now(&many), Ok(()));
    assert_eq!(long.signature.len(), 4096);
    assert_eq!(verify_now(&long), Ok(()));
    assert_eq!(
        verifier(&[PORTONE])
            .verify(&signer.sign("wh", i64::MAX, OLD_JSON), OLD_JSON, i64::MAX)
            .map(|delivery| delivery.timestamp),
        Ok(i64::MAX)
    );
}

/// With a full stop in the id, what was signed for one webhook would do for another.
#[test]
fn the_parts_of_what_is_signed_cannot_be_shifted() {
    let body = format!("{GOOD_AT}.{{}}");
    let genuine = Signer::new([PORTONE])
        .unwrap()
        .sign("wh", GOOD_AT, body.as_bytes());
    let shifted = SignedHeaders {
        id: format!("wh.{GOOD_AT}"),
        ..genuine.clone()
    };
    let verifier = verifier(&[PORTONE]);

    assert!(verifier.verify(&genuine, body.as_bytes(), GOOD_AT).is_ok());
    assert_eq!(
        verifier.verify(&shifted, b"{}", GOOD_AT),
        Err(VerificationError::MalformedHeader("webhook-id"))
    );
}

#[test]
fn secrets_that_protect_nothing_are_refused() {
    let sixteen_bytes = "AAECAwQFBgcICQoLDA0ODw==";
    let fifteen_bytes = "AAECAwQFBgcICQoLDA0O";
    let none: [&str; 0] = [];

    assert!(Verifier::new([sixteen_bytes]).is_ok());
    assert_eq!(Verifier::new(none).err(), Some(SecretError::None));
    for (secret, expected) in [
        ("", SecretError::TooShort),
        ("whsec_", SecretError::TooShort),
        (fifteen_bytes, SecretError::TooShort),
        (
            "whsec_whsec_pzQGE83cSIRKM4/WH5QY+g==",
            SecretError::NotBase64,
        ),
        ("whsec_pzQGE83cSIRKM4_WH5QY-g==", SecretError::NotBase64),
        ("pzQGE83cSIRKM4/WH5QY+g==\n", SecretError::NotBase64),
        ("한국어", SecretError::NotBase64),
    ] {
        assert_eq!(Verifier::new([secret]).err(), Some(expected), "{secret:?}");
        assert_eq!(Signer::new([secret]).err(), Some(expected), "{secret:?}");
        // One bad secret is not outweighed by a good one.
        assert_eq!(Verifier::new([PORTONE, secret]).err(), Some(expected));
    }
    assert!(Verifier::new([PORTONE; 8]).is_ok());
    assert_eq!(
        Verifier::new([PORTONE; 9]).err(),
        Some(SecretError::TooMany)
    );
}

#[test]
fn nothing_shows_a_secret() {
    let shown = format!(
        "{:?} {:?}",
        verifier(&[PORTONE]),
        Signer::new([PORTONE]).unwrap()
    );

    assert_eq!(shown, "Verifier { .. } Signer { .. }");
    for error in [
        SecretError::None,
        SecretError::TooMany,
        SecretError::NotBase64,
        SecretError::TooShort,
    ] {
        assert!(error.to_string().contains("webhook secret"));
    }
}
