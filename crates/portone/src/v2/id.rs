//! The ids of V2, safe to be put into an address.

use std::{fmt, str::FromStr};

use crate::segment;

/// What the payment modules of PGs allow differs; none allows more.
const PAYMENT_ID_CHARS_MAX: usize = 64;
/// PortOne's own ids have about 36; room for growth, as longer strings are a compatible change to it.
const OWN_ID_CHARS_MAX: usize = 64;

/// The merchant's id of a payment (`paymentId`): 1 to 64 characters, none of them a control character or one of
/// `/ \ ? # %`, and not dots alone.
///
/// Those are refused because the id becomes a segment of a path: proxies and servers disagree on what an encoded slash or
/// a path made of dots means.
///
/// ```
/// use portone::v2::PaymentId;
///
/// assert_eq!(PaymentId::parse("주문-1").unwrap().as_str(), "주문-1");
/// assert!(PaymentId::parse("..").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentId(String);

/// PortOne's id of one attempt to pay (`transactionId`, `txId`): 1 to 64 of `A-Z`, `a-z`, `0-9`, `_` and `-`. For a payment
/// made through V1 it is the `imp_uid`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(String);

/// PortOne's id of one cancellation: 1 to 64 of `A-Z`, `a-z`, `0-9`, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CancellationId(String);

/// An id that cannot be meant. The text says what would be right and does not repeat the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Not a [`PaymentId`].
    #[error(
        "a paymentId has 1 to 64 characters, no control characters, none of / \\ ? # % and more than dots"
    )]
    PaymentId,
    /// Not a [`TransactionId`].
    #[error("a transactionId has 1 to 64 characters out of A-Z, a-z, 0-9, _ and -")]
    TransactionId,
    /// Not a [`CancellationId`].
    #[error("a cancellation's id has 1 to 64 characters out of A-Z, a-z, 0-9, _ and -")]
    CancellationId,
}

macro_rules! id {
    ($name:ident, $is_valid:path, $chars_max:ident) => {
        impl $name {
            /// Accepts an id as it stands; nothing is trimmed or decoded.
            pub fn parse(id: &str) -> Result<Self, InvalidId> {
                if $is_valid(id, $chars_max) {
                    Ok(Self(id.to_owned()))
                } else {
                    Err(InvalidId::$name)
                }
            }

            /// The id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(id: &str) -> Result<Self, InvalidId> {
                Self::parse(id)
            }
        }
    };
}

id!(PaymentId, segment::is_safe, PAYMENT_ID_CHARS_MAX);
id!(TransactionId, segment::is_portones, OWN_ID_CHARS_MAX);
id!(CancellationId, segment::is_portones, OWN_ID_CHARS_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payment_ids_may_be_in_any_script_but_stay_one_segment() {
        let longest = "가".repeat(64);
        for id in ["ORD-1", "주문 1", "...1", "a+b&c=d;e:f", &longest] {
            assert_eq!(PaymentId::parse(id).as_ref().map(PaymentId::as_str), Ok(id));
        }
        let too_long = "가".repeat(65);
        for id in [
            "", ".", "..", "a/b", "a\\b", "a?b", "a#b", "%2e", "a\0", "a\u{85}b", &too_long,
        ] {
            assert_eq!(PaymentId::parse(id), Err(InvalidId::PaymentId), "{id:?}");
        }
    }

    #[test]
    fn ids_of_portones_are_plain() {
        let longest = "i".repeat(64);
        for id in [
            "019d2b9e-1f3c-7f00-8000-000000000000",
            "imp_123456789012",
            &longest,
        ] {
            assert!(TransactionId::parse(id).is_ok(), "{id:?}");
            assert!(CancellationId::parse(id).is_ok(), "{id:?}");
        }
        let too_long = "i".repeat(65);
        for id in ["", "..", "a/b", "a b", "a\n", "１", &too_long] {
            assert_eq!(TransactionId::parse(id), Err(InvalidId::TransactionId));
            assert_eq!(CancellationId::parse(id), Err(InvalidId::CancellationId));
        }
    }
}
