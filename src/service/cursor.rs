//! Where a page of the list ends, as opaque text for the next page's address.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use crate::domain::ids::PaymentId;
use crate::domain::order::Order;

/// Longest cursor that is decoded: a time, a separator and 64 characters of four bytes, in base64.
const CURSOR_BYTES_MAX: usize = 400;

/// The place right after an order.
#[must_use]
pub fn after(order: &Order) -> String {
    URL_SAFE_NO_PAD.encode(format!(
        "{}.{}",
        order.created_at.as_microsecond(),
        order.payment_id
    ))
}

/// Reads a place back; whatever this program did not write is no place.
#[must_use]
pub fn read(cursor: &str) -> Option<(Timestamp, PaymentId)> {
    if cursor.len() > CURSOR_BYTES_MAX {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (micros, id) = text.split_once('.')?;
    Some((
        Timestamp::from_microsecond(micros.parse().ok()?).ok()?,
        PaymentId::parse(id).ok()?,
    ))
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
        }
    }
}
