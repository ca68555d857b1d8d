//! The two ids of V1, safe to be put into an address.

use std::{fmt, str::FromStr};

use crate::segment;

/// PortOne documents 32; room for growth, as longer strings are a compatible change to it.
const IMP_UID_CHARS_MAX: usize = 64;
/// What `POST /payments/prepare` documents.
const MERCHANT_UID_CHARS_MAX: usize = 40;

/// PortOne's id of one attempt to pay (`imp_uid`): 1 to 64 of `A-Z`, `a-z`, `0-9`, `_` and `-`.
///
/// ```
/// use portone::v1::ImpUid;
///
/// assert_eq!(ImpUid::parse("imp_448280090638").unwrap().as_str(), "imp_448280090638");
/// assert!(ImpUid::parse("../users/getToken").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImpUid(String);

/// The merchant's order number (`merchant_uid`): 1 to 40 characters, none of them a control character or one of
/// `/ \ ? # %`, and not dots alone.
///
/// Those are refused because the id becomes a segment of a path: proxies and servers disagree on what an encoded slash or
/// a path made of dots means.
///
/// ```
/// use portone::v1::MerchantUid;
///
/// assert_eq!(MerchantUid::parse("주문-1").unwrap().as_str(), "주문-1");
/// assert!(MerchantUid::parse("..").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MerchantUid(String);

/// An id that PortOne cannot have meant. The text says what would be right and does not repeat the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Not an [`ImpUid`].
    #[error("an imp_uid has 1 to 64 characters out of A-Z, a-z, 0-9, _ and -")]
    ImpUid,
    /// Not a [`MerchantUid`].
    #[error(
        "a merchant_uid has 1 to 40 characters, no control characters, none of / \\ ? # % and more than dots"
    )]
    MerchantUid,
}

impl ImpUid {
    /// Accepts an id as it stands; nothing is trimmed or decoded.
    pub fn parse(id: &str) -> Result<Self, InvalidId> {
        if segment::is_portones(id, IMP_UID_CHARS_MAX) {
            Ok(Self(id.to_owned()))
        } else {
            Err(InvalidId::ImpUid)
        }
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl MerchantUid {
    /// Accepts an id as it stands; nothing is trimmed or decoded.
    pub fn parse(id: &str) -> Result<Self, InvalidId> {
        if segment::is_safe(id, MERCHANT_UID_CHARS_MAX) {
            Ok(Self(id.to_owned()))
        } else {
            Err(InvalidId::MerchantUid)
        }
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImpUid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for MerchantUid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for ImpUid {
    type Err = InvalidId;

    fn from_str(id: &str) -> Result<Self, InvalidId> {
        Self::parse(id)
    }
}

impl FromStr for MerchantUid {
    type Err = InvalidId;

    fn from_str(id: &str) -> Result<Self, InvalidId> {
        Self::parse(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_ids_are_refused() {
        let longest = "i".repeat(64);
        assert!(ImpUid::parse(&longest).is_ok());
        let too_long = "i".repeat(65);

        for id in [
            "",
            " ",
            ".",
            "..",
            "%2e%2e",
            "../users/getToken",
            "imp_1/../../users/getToken",
            "imp_1?include_sandbox=false",
            "imp_1#",
            "imp_1&extension=true",
            "imp_1\0",
            "imp_1\n",
            "imp_1 ",
            "imp_1\\",
            "imp_１",
            "임프",
            too_long.as_str(),
        ] {
            assert_eq!(ImpUid::parse(id), Err(InvalidId::ImpUid), "{id:?}");
        }
    }

    #[test]
    fn merchant_uids_may_be_in_any_script_but_stay_one_segment() {
        let longest = "가".repeat(40);
        for id in [
            "ORD-1",
            "주문 1",
            "a.b",
            "...1",
            "注文@1",
            "a+b&c=d;e:f",
            longest.as_str(),
        ] {
            assert_eq!(
                MerchantUid::parse(id).as_ref().map(MerchantUid::as_str),
                Ok(id)
            );
        }

        let too_long = "가".repeat(41);
        for id in [
            "",
            ".",
            "..",
            "........",
            "a/b",
            "a\\b",
            "a?b",
            "a#b",
            "%2e%2e",
            "a%00",
            "a\0b",
            "a\tb",
            "a\r\nb",
            "a\u{85}b",
            too_long.as_str(),
        ] {
            assert_eq!(
                MerchantUid::parse(id),
                Err(InvalidId::MerchantUid),
                "{id:?}"
            );
        }
    }
}
