//! Orders as a file for spreadsheets: comma-separated values as RFC 4180 has them, in UTF-8 with the mark by which Excel knows it.
//! <https://www.rfc-editor.org/rfc/rfc4180>
//!
//! No buyer's name, address or number is in it: a file goes from hand to hand.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::orders::Conditions;
use super::text;
use super::text::list;
use crate::domain::method::PayMethod;
use crate::domain::money::{Currency, Money};
use crate::domain::order::Order;
use crate::domain::transaction::Transaction;
use crate::i18n::{KOREA, Locale, institution};

/// Without it Excel takes the file for one in the system's old character set, and Korean is unreadable.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// How the file begins: its mark and the names of its columns.
#[must_use]
pub fn head(locale: Locale) -> String {
    let columns = list::of(locale).columns;
    format!("{BYTE_ORDER_MARK}{}", line(columns.map(str::to_owned)))
}

/// An order, with the transaction that paid it.
#[must_use]
pub fn row(locale: Locale, order: &Order, paid_by: Option<&Transaction>) -> String {
    let refunded = Money {
        minor: order.refunded_minor,
        currency: order.amount.currency,
    };
    let word = match paid_by {
        Some(transaction) => transaction.pay_method.as_deref(),
        None => order.pay_method.as_deref(),
    };
    let method = word
        .map(|word| PayMethod::of_gateway_word(word).map_or(word, list::of(locale).method_name));
    let known = |text: Option<&str>| text.map_or_else(String::new, harmless);
    line([
        harmless(order.payment_id.as_str()),
        harmless(&order.name),
        (text::of(locale).status)(order.status).to_owned(),
        order.amount.currency.code().to_owned(),
        figure(order.amount),
        figure(refunded),
        known(method),
        known(paid_by.and_then(|by| Some(institution(locale, by.method_name.as_deref()?)))),
        known(paid_by.map(|by| by.transaction_id.as_str())),
        known(paid_by.and_then(|by| by.approval_number.as_deref())),
        time(order.created_at),
        paid_by
            .and_then(|by| by.paid_at)
            .map_or_else(String::new, time),
    ])
}

/// How a file ends that holds so many orders and not all.
#[must_use]
pub fn cut(locale: Locale, orders: usize) -> String {
    line([(list::of(locale).cut)(orders)])
}

/// How a file ends whose rest could not be read.
#[must_use]
pub fn broken_off(locale: Locale) -> String {
    line([list::of(locale).broken_off.to_owned()])
}

/// What the file is called: from which day to which its orders are.
#[must_use]
pub fn name(asked: &Conditions, now: Timestamp) -> String {
    let day = |at: Timestamp| KOREA.to_datetime(at).date().to_string();
    let filter = asked.filter(now);
    let last = filter.to.map_or(now, |to| {
        to.checked_sub(jiff::SignedDuration::from_micros(1))
            .unwrap_or(to)
    });
    match filter.from {
        Some(from) => format!("orders_{}_{}.csv", day(from), day(last)),
        None => format!("orders_until_{}.csv", day(last)),
    }
}

/// Korea's own time, with how far it is from UTC.
fn time(at: Timestamp) -> String {
    KOREA
        .to_datetime(at)
        .strftime("%Y-%m-%dT%H:%M:%S+09:00")
        .to_string()
}

/// A number that a spreadsheet adds up: no sign of the currency, no comma, and all of the currency's decimals.
fn figure(amount: Money) -> String {
    let Money { minor, currency } = amount;
    Decimal::new(minor, Currency::exponent(currency)).to_string()
}

/// Text that others wrote, so that no spreadsheet takes it for a formula.
/// <https://owasp.org/www-community/attacks/CSV_Injection>
fn harmless(text: &str) -> String {
    const BEGIN_A_FORMULA: [char; 11] =
        ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    if text.trim_start_matches(' ').starts_with(BEGIN_A_FORMULA) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn line<const CELLS: usize>(cells: [String; CELLS]) -> String {
    format!("{}\r\n", cells.map(|cell| quoted(&cell)).join(","))
}

fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_as_rfc_4180_has_it() {
        for (cell, written) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("", ""),
        ] {
            assert_eq!(quoted(cell), written);
        }
        assert_eq!(line(["a".to_owned(), "b,".to_owned()]), "a,\"b,\"\r\n");
    }

    #[test]
    fn no_cell_begins_as_a_formula_does() {
        for text in [
            "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "＋1", "－1",
            "＠1",
        ] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        for text in ["ORD-1", "1-1", "a=b", "주문", ""] {
            assert_eq!(harmless(text), text);
        }
    }

    #[test]
    fn amounts_have_the_decimals_of_their_currency_and_nothing_else() {
        for (minor, code, written) in [
            (64_900, "KRW", "64900"),
            (1_420, "USD", "14.20"),
            (5, "USD", "0.05"),
            (0, "KRW", "0"),
            (1_234_567, "KWD", "1234.567"),
        ] {
            let currency = Currency::parse(code).unwrap();
            assert_eq!(figure(Money { minor, currency }), written);
        }
    }

    #[test]
    fn a_file_is_named_by_its_days_in_korea() {
        let now = "2026-11-21T15:30:00Z".parse().unwrap();
        for (query, name_is) in [
            ("", "orders_until_2026-11-22.csv"),
            ("from=2026-11-01", "orders_2026-11-01_2026-11-22.csv"),
            ("to=2026-11-20", "orders_until_2026-11-20.csv"),
            (
                "from=2026-11-20&to=2026-11-20&q=\"%0d%0a",
                "orders_2026-11-20_2026-11-20.csv",
            ),
        ] {
            assert_eq!(name(&Conditions::read(Some(query)), now), name_is);
        }
        assert_eq!(time(now), "2026-11-22T00:30:00+09:00");
    }
}
