//! Where a page of a list ends, as opaque text for the next page's address.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use crate::domain::attention::{AttentionItem, AttentionKind};
use crate::domain::ids::{PaymentId, TransactionId};
use crate::ports::attention::After;
use crate::ports::store::Place;

/// Longest cursor that is decoded: a time, a separator and 64 characters of four bytes, in base64.
const CURSOR_BYTES_MAX: usize = 400;

/// A place in the list of orders.
#[must_use]
pub fn after((created_at, payment_id): &Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{payment_id}", created_at.as_microsecond()))
}

/// Reads a place back; whatever this program did not write is no place.
#[must_use]
pub fn read(cursor: &str) -> Option<Place> {
    let (at, id) = decode(cursor)?;
    Some((at, PaymentId::parse(&id).ok()?))
}

/// The place right after an item that needs attention.
#[must_use]
pub fn after_item(item: &AttentionItem) -> String {
    URL_SAFE_NO_PAD.encode(format!(
        "{}.{}.{}",
        item.first_seen_at.as_microsecond(),
        item.kind.as_str(),
        item.transaction_id
    ))
}

/// Reads the place of an item back; whatever this program did not write is no place.
#[must_use]
pub fn read_item(cursor: &str) -> Option<After> {
    let (first_seen_at, rest) = decode(cursor)?;
    let (kind, id) = rest.split_once('.')?;
    Some(After {
        first_seen_at,
        kind: AttentionKind::from_word(kind)?,
        transaction_id: TransactionId::parse(id).ok()?,
    })
}

fn decode(cursor: &str) -> Option<(Timestamp, String)> {
    if cursor.len() > CURSOR_BYTES_MAX {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (micros, rest) = text.split_once('.')?;
    let at = Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
    Some((at, rest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was_written() {
        let at = Timestamp::from_microsecond(1_789_000_000_123_456).unwrap();
        for id in ["ORD.1", "주문 1", &"가".repeat(64)] {
            let cursor = URL_SAFE_NO_PAD.encode(format!("{}.{id}", at.as_microsecond()));

            assert_eq!(read(&cursor), Some((at, PaymentId::parse(id).unwrap())));
        }
    }

    #[test]
    fn the_place_of_an_item_reads_back_as_it_was_written() {
        let at = Timestamp::from_microsecond(1_789_000_000_123_456).unwrap();
        for kind in AttentionKind::ALL {
            let after = After {
                first_seen_at: at,
                kind: *kind,
                transaction_id: TransactionId::parse("imp_123456789012").unwrap(),
            };
            let item = AttentionItem {
                kind: after.kind,
                portone: crate::domain::order::Portone::V1,
                payment_id: "ORD.1".to_owned(),
                transaction_id: after.transaction_id.clone(),
                amount_minor: None,
                currency: None,
                cancelled_minor: 0,
                first_seen_at: at,
                last_seen_at: at,
            };

            assert_eq!(read_item(&after_item(&item)), Some(after));
        }
        let unknown = URL_SAFE_NO_PAD.encode("1.lost.imp_1");
        assert_eq!(read_item(&unknown), None);
    }

    #[test]
    fn what_is_no_cursor_starts_at_the_beginning() {
        let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for cursor in [
            "",
            "%%%",
            "AAAA",
            &encoded("1"),
            &encoded("x.ORD-1"),
            &encoded("1."),
            &encoded("1.a/b"),
            &encoded("99999999999999999999.a"),
            &"A".repeat(401),
        ] {
            assert_eq!(read(cursor), None, "{cursor:?} was taken");
            assert_eq!(read_item(cursor), None, "{cursor:?} was taken");
        }
    }
}
