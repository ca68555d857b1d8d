//! Identifiers, parsed once at the edge.
//!
//! An id that exists as one of these types has a bounded length and a harmless alphabet, so it can go into a path, a
//! query, a log line or a page without another look.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;

/// Longest `payment_id` of an order, in characters.
pub const PAYMENT_ID_CHARS_MAX: usize = 64;
/// Longest `merchant_uid` that PortOne V1 keeps, in characters.
/// <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrq>
pub const PAYMENT_ID_V1_CHARS_MAX: usize = 40;
/// What does not stand for itself in an address.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// Longest `transaction_id`, in bytes.
pub const TRANSACTION_ID_BYTES_MAX: usize = 64;

/// Why a text is no id. Says nothing of the text itself: it may be hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidId {
    /// Nothing there.
    #[error("the id is empty")]
    Empty,
    /// More than the named maximum.
    #[error("the id is longer than {0} characters")]
    TooLong(usize),
    /// A character outside the id's alphabet.
    #[error("the id has a character that ids may not have")]
    Character,
    /// `.`, `..` and so on, which a URL path would swallow.
    #[error("the id is made of dots only")]
    Dots,
}

/// The merchant's id of a payment: V1 `merchant_uid`, V2 `paymentId`. Names one order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PaymentId(String);

impl PaymentId {
    /// Takes 1 to 64 characters of UTF-8 without control characters, `/`, `\`, `?`, `#` or `%`, not made of dots only.
    ///
    /// # Errors
    /// [`InvalidId`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.is_empty() {
            return Err(InvalidId::Empty);
        }
        if text.chars().count() > PAYMENT_ID_CHARS_MAX {
            return Err(InvalidId::TooLong(PAYMENT_ID_CHARS_MAX));
        }
        if text.chars().any(|c| {
            c.is_control()
                || matches!(
                    c,
                    '/' | '\\' | '?' | '#' | '%' | char::REPLACEMENT_CHARACTER
                )
        }) {
            return Err(InvalidId::Character);
        }
        if text.chars().all(|c| c == '.') {
            return Err(InvalidId::Dots);
        }
        Ok(Self(text.to_owned()))
    }

    /// The id as it stands in an address, in a path or a query. What need not be encoded is not: shops and people compare
    /// addresses (<https://www.rfc-editor.org/rfc/rfc3986#section-2.3>).
    #[must_use]
    pub fn to_segment(&self) -> String {
        utf8_percent_encode(&self.0, SEGMENT).to_string()
    }

    /// The id as PortOne and the shop know it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether PortOne V1 would keep the id whole.
    #[must_use]
    pub fn fits_v1(&self) -> bool {
        self.0.chars().count() <= PAYMENT_ID_V1_CHARS_MAX
    }
}

/// PortOne's id of one attempt to pay: V1 `imp_uid`, V2 `transactionId`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TransactionId(String);

impl TransactionId {
    /// Takes `[A-Za-z0-9_-]{1,64}`.
    ///
    /// # Errors
    /// [`InvalidId`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.is_empty() {
            return Err(InvalidId::Empty);
        }
        if text.len() > TRANSACTION_ID_BYTES_MAX {
            return Err(InvalidId::TooLong(TRANSACTION_ID_BYTES_MAX));
        }
        if !text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        {
            return Err(InvalidId::Character);
        }
        Ok(Self(text.to_owned()))
    }

    /// The id as PortOne knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Makes a capability: 128 random bits in an address, never printed.
macro_rules! capability {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// Writes 16 random bytes as 32 hexadecimal digits.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes.iter().map(|b| format!("{b:02x}")).collect())
            }

            /// Takes 32 lower-case hexadecimal digits.
            ///
            /// # Errors
            /// [`InvalidId`] when the text is anything else.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f')) {
                    return Err(InvalidId::Character);
                }
                Ok(Self(text.to_owned()))
            }

            /// The token as it stands in the address.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}
capability!(
    /// Opens an order's status page in any browser: `/o/{token}`. The page shows receipt and approval number of what paid the
    /// order, so the link is given to the shop and to who brings that payment's own id.
    StatusToken
);
capability!(
    /// Lets the pay page fill in who pays. Only the shop's server is given it, inside the order's `pay_url`.
    PayToken
);

/// Our id of a refund. PortOne V2 is given it as the call's idempotency key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RefundId(String);

impl RefundId {
    const PREFIX: &str = "rfd_";

    /// Writes 16 random bytes as hexadecimal digits.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        Self(format!("{}{hex}", Self::PREFIX))
    }

    /// Takes `rfd_` and 32 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`InvalidId::Character`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let digits = text
            .strip_prefix(Self::PREFIX)
            .filter(|digits| digits.len() == 32)
            .filter(|digits| {
                digits
                    .bytes()
                    .all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
            });
        match digits {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(InvalidId::Character),
        }
    }

    /// The id as it stands in the API.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! shown_as_text {
    ($($id:ident),*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $id {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$id> for String {
            fn from(id: $id) -> Self {
                id.0
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($id), "({:?})"), self.0)
            }
        }
    )*};
}
shown_as_text!(PaymentId, TransactionId, RefundId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_what_must_be_encoded_encoded_and_nothing_else() {
        for (id, segment) in [
            ("ORD-1_a.b~c", "ORD-1_a.b~c"),
            ("a b+c&d=e", "a%20b%2Bc%26d%3De"),
            ("주문;1", "%EC%A3%BC%EB%AC%B8%3B1"),
        ] {
            let id = PaymentId::parse(id).expect("an id");
            assert_eq!(id.to_segment(), segment);
        }
    }

    #[test]
    fn payment_ids_of_shops_are_taken() {
        for text in [
            "ORD-1",
            "주문-1001",
            "order 7",
            "a.b",
            "가".repeat(64).as_str(),
            "ORD_2026:11:21+1",
        ] {
            assert_eq!(PaymentId::parse(text).expect(text).as_str(), text);
        }
    }

    #[test]
    fn hostile_payment_ids_are_refused() {
        for text in [
            "",
            ".",
            "..",
            "....",
            "a/b",
            "a\\b",
            "a?b",
            "a#b",
            "%2e",
            "a\0",
            "a\nb",
            "\u{85}",
            "가\u{fffd}",
        ] {
            assert!(PaymentId::parse(text).is_err(), "{text:?} was taken");
        }
        assert_eq!(
            PaymentId::parse(&"가".repeat(65)),
            Err(InvalidId::TooLong(64))
        );
        let fits_v1 = |chars| {
            let id = PaymentId::parse(&"가".repeat(chars)).expect("64 are allowed");
            id.fits_v1()
        };
        assert!(fits_v1(40) && !fits_v1(41));
    }

    #[test]
    fn hostile_transaction_ids_are_refused() {
        for text in [
            "",
            "imp_1?include_sandbox=false",
            "../users/getToken",
            "..",
            "imp 1",
            "임프",
            "imp_1%00",
        ] {
            assert!(TransactionId::parse(text).is_err(), "{text:?} was taken");
        }
        assert_eq!(
            TransactionId::parse(&"x".repeat(65)),
            Err(InvalidId::TooLong(64))
        );
        assert!(TransactionId::parse("imp_448280090638").is_ok());
        assert!(TransactionId::parse(&"x".repeat(64)).is_ok());
    }

    #[test]
    fn a_refunds_id_is_read_back_and_nothing_like_it() {
        let id = RefundId::from_bytes([0xab; 16]);

        assert_eq!(RefundId::parse(id.as_str()), Ok(id));
        for text in [
            "",
            "rfd_",
            &"ab".repeat(16),
            &format!("rfd_{}", "AB".repeat(16)),
            &format!("rfd_{}", "ab".repeat(17)),
        ] {
            assert!(RefundId::parse(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_status_token_survives_its_address_and_is_never_printed() {
        let token = StatusToken::from_bytes([0xab; 16]);

        assert_eq!(StatusToken::parse(token.as_str()), Ok(token.clone()));
        assert_eq!(format!("{token:?}"), "StatusToken(..)");
        assert!(StatusToken::parse("AB".repeat(16).as_str()).is_err());
        assert!(StatusToken::parse("").is_err());
    }
}
