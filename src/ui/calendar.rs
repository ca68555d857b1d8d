//! The deadline of an account as a file for calendars.
//! <https://www.rfc-editor.org/rfc/rfc5545>
//!
//! It carries what the page says for everybody who opens it, and no account number: calendars are shared.

use jiff::Timestamp;
use jiff::tz::Offset;
use sha2::{Digest, Sha256};

use crate::domain::ids::PaymentId;
use crate::domain::outcome::Outcome;
use crate::i18n::{Locale, datetime};
use crate::service::completion::CompletionView;

/// Longest line in bytes, without its end.
const LINE_BYTES_MAX: usize = 75;

/// The file for a page, while a deposit is awaited until some time; `address` is where the page is.
#[must_use]
pub fn deadline(
    view: &CompletionView,
    locale: Locale,
    shop: Option<&str>,
    address: &str,
) -> Option<String> {
    let payment = view
        .payment
        .as_ref()
        .filter(|_| view.outcome == Outcome::VirtualAccountIssued)?;
    let transaction = payment.transaction.as_ref()?;
    let ends = transaction.virtual_account.as_ref()?.expires_at?;
    let words = locale.messages();
    let amount = transaction.amount.unwrap_or(payment.amount);
    let title = (words.deadline_event)(amount);
    let title = shop.map_or_else(|| title.clone(), |shop| format!("{title} · {shop}"));
    let description = format!(
        "{}\n{}",
        (words.account_money)(amount, Some(&datetime(locale, ends))),
        address
    );
    let lines = [
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//wanryo//deposit deadline//EN".to_owned(),
        "METHOD:PUBLISH".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}@wanryo", name_of(&payment.payment_id)),
        format!("DTSTAMP:{}", utc(payment.said_at)),
        format!("DTSTART:{}", utc(ends)),
        format!("SUMMARY:{}", escaped(&title)),
        format!("DESCRIPTION:{}", escaped(&description)),
        format!("URL:{address}"),
        "TRANSP:TRANSPARENT".to_owned(),
        "BEGIN:VALARM".to_owned(),
        "ACTION:DISPLAY".to_owned(),
        "TRIGGER:-PT3H".to_owned(),
        format!("DESCRIPTION:{}", escaped(&title)),
        "END:VALARM".to_owned(),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
    ];
    Some(lines.iter().map(|line| folded(line)).collect())
}

/// The same for every file of one order, so that saving it again changes the entry and adds none. Not the order's number, which
/// is nobody's business but the shop's and the buyer's.
fn name_of(payment_id: &PaymentId) -> String {
    let digest = Sha256::digest(format!("deadline:{payment_id}"));
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Every calendar knows UTC without a table of time zones, and shows it in its owner's.
fn utc(at: Timestamp) -> String {
    let at = Offset::UTC.to_datetime(at);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// A text as a value (section 3.3.11). Control characters, which no value may have, are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// A line with its end, cut into lines that are not too long (section 3.1), never within a character.
fn folded(line: &str) -> String {
    let mut folded = String::with_capacity(line.len() + 8);
    let mut bytes = 0;
    for c in line.chars() {
        if bytes + c.len_utf8() > LINE_BYTES_MAX {
            folded.push_str("\r\n ");
            bytes = 1;
        }
        folded.push(c);
        bytes += c.len_utf8();
    }
    folded.push_str("\r\n");
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_characters_and_read_back_whole() {
        let line = format!("DESCRIPTION:{}", "입금 기한 64,900원 ".repeat(30));

        let folded = folded(&line);

        assert!(folded.ends_with("\r\n"));
        assert!(folded.trim_end().split("\r\n").count() > 5);
        for part in folded.trim_end_matches("\r\n").split("\r\n") {
            assert!(part.len() <= LINE_BYTES_MAX, "{} bytes: {part}", part.len());
        }
        assert_eq!(folded.replace("\r\n ", "").trim_end_matches("\r\n"), line);
    }

    #[test]
    fn no_text_ends_a_line_or_a_value() {
        assert_eq!(
            escaped("a\r\nATTENDEE:x;y,z\\"),
            "a\\nATTENDEE:x\\;y\\,z\\\\"
        );
    }

    #[test]
    fn times_are_in_utc() {
        let at = "2026-09-30T23:59:59+09:00".parse().unwrap();
        assert_eq!(utc(at), "20260930T145959Z");
    }
}
