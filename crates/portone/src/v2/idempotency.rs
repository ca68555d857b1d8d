//! Making a call twice with the effect of making it once.

use std::fmt;

use reqwest::header::HeaderValue;

const CHARS_MIN: usize = 16;
const CHARS_MAX: usize = 256;
/// Bytes of a random key. Two out of 2^128 do not meet.
const RANDOM_BYTES: usize = 16;

/// What makes one call recognisable (`Idempotency-Key`): 16 to 256 printable characters of ASCII other than `"` and `\`.
///
/// PortOne answers a call whose key it has seen in the last three hours with what it answered the first time, and does
/// nothing. While the first one is running, it answers
/// [`IDEMPOTENCY_OUTSTANDING_REQUEST`](super::ErrorType::IdempotencyOutstandingRequest). So a call that was cut off can be
/// made again, with the same key and the same input; two different calls must never share one, or nobody knows what
/// happens. A failure may be remembered like any other answer: whoever keeps getting one asks what has become of the payment
/// before using another key. See <https://developers.portone.io/api/rest-v2>.
///
/// **After three hours the same key does the same thing a second time.** Then ask for the payment before making the call
/// again; for a cancellation, [`Cancel::current_cancellable_amount`](super::Cancel::current_cancellable_amount) protects
/// without a limit in time.
///
/// A key that is made from what the call is for (the order and the number of the refund, say) and kept before the call is
/// made protects across restarts, too. [`IdempotencyKey::random`] protects as long as it is remembered.
///
/// ```
/// use portone::v2::IdempotencyKey;
///
/// assert!(IdempotencyKey::parse("refund-ORD-1-no-1").is_ok());
/// assert!(IdempotencyKey::parse("too short").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// A text that cannot be an [`IdempotencyKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 16 to 256 printable characters of ASCII, none of \" and \\")]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// Accepts a key as it stands.
    pub fn parse(key: &str) -> Result<Self, InvalidIdempotencyKey> {
        let valid = (CHARS_MIN..=CHARS_MAX).contains(&key.len())
            && key
                .bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
        if valid {
            Ok(Self(key.to_owned()))
        } else {
            Err(InvalidIdempotencyKey)
        }
    }

    /// A key that nobody has used: 128 random bits of the operating system, in hexadecimal digits.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give. It then cannot make a TLS connection either.
    pub fn random() -> Self {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes).expect("an operating system has randomness");
        Self(format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    /// The key, without quotation marks.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key as a string of RFC 8941.
    pub(super) fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&format!("\"{}\"", self.0))
            .expect("printable ASCII is a header's value, and parse() lets nothing else pass")
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sent_as_a_quoted_string() {
        let key = IdempotencyKey::parse("refund of ORD-1~").expect("16 characters");

        assert_eq!(key.to_header().as_bytes(), b"\"refund of ORD-1~\"");
    }

    #[test]
    fn what_a_quoted_string_cannot_hold_is_refused() {
        for key in [
            "",
            "fifteen-letters",
            "a-quotation-mark\"",
            "a-backslash\\------",
            "a-line-break\r\n------",
            "nicht-nur-ascii-ß",
            &"k".repeat(257),
        ] {
            assert_eq!(
                IdempotencyKey::parse(key),
                Err(InvalidIdempotencyKey),
                "{key:?}"
            );
        }
        assert!(IdempotencyKey::parse(&"k".repeat(256)).is_ok());
    }

    #[test]
    fn random_keys_are_valid_and_differ() {
        let (one, other) = (IdempotencyKey::random(), IdempotencyKey::random());

        assert_ne!(one, other);
        assert_eq!(IdempotencyKey::parse(one.as_str()), Ok(one));
    }
}
