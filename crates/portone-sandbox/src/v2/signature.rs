//! Signatures of webhooks: HMAC-SHA-256 over `id.timestamp.body`, by the Standard Webhooks specification.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const PREFIX: &str = "whsec_";

/// A webhook secret's key. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret")
    }
}

impl Secret {
    /// From standard base64, `whsec_` in front or not. An empty key is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        let key = STANDARD.decode(text).ok()?;
        (!key.is_empty()).then_some(Secret(key))
    }

    /// `v1,` and the signature in base64.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        // HMAC takes a key of any length, so there is nothing to fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The `webhook-signature` header: one signature per secret, so that the receiver may know either.
pub(crate) fn header(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    secrets
        .iter()
        .map(|secret| secret.sign(id, timestamp, body))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A signature by a key that nobody was given.
pub(crate) fn foreign(id: &str, timestamp: i64, body: &[u8]) -> String {
    Secret(b"a key that nobody was ever given".to_vec()).sign(id, timestamp, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the reference libraries (JavaScript, Go and Python; Rust).
    #[test]
    fn signs_as_the_reference_libraries_do() {
        let vectors = [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ];
        for (secret, id, timestamp, body, signature) in vectors {
            let secret = Secret::parse(secret).unwrap();
            assert_eq!(secret.sign(id, timestamp, body.as_bytes()), signature);
        }
    }

    #[test]
    fn two_secrets_give_two_signatures_in_their_order() {
        let secrets = [
            "whsec_pzQGE83cSIRKM4/WH5QY+g==",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ]
        .map(|text| Secret::parse(text).unwrap());
        let body = br#"{"payment_id":"order-1001","tx_id":"tx-1","status":"Paid"}"#;

        let header = header(&secrets, "wh-0006", 1_714_039_205, body);

        assert_eq!(
            header,
            "v1,CwZhWe+FPvYQ267ag9lnxswHIJtHZiF6K+RQLT02JkI= \
             v1,DtG8rpnZM3XaZ/Rbm02mX0txmmBSW1wf1X9Ji0uHvA8="
        );
    }

    #[test]
    fn what_is_not_standard_base64_or_holds_no_key_is_no_secret() {
        for text in ["", "whsec_", "whsec_***", "whsec_pzQGE83cSIRKM4_WH5QY-g=="] {
            assert!(Secret::parse(text).is_none(), "{text}");
        }
    }
}
