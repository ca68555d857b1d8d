//! What the list of orders is narrowed down by, as an address says it and a person typed it.
//!
//! What cannot be read is kept as it was typed and named with its field: a condition that was quietly left out would show orders
//! that nobody asked for.

use jiff::Timestamp;

use super::super::address::Address;
use super::super::parts::{end_of_day, start_of_day};
use crate::domain::ids::PAYMENT_ID_CHARS_MAX;
use crate::domain::method::PayMethod;
use crate::domain::money::{Currency, InvalidMoney, Money};
use crate::domain::order::OrderStatus;
use crate::i18n::Locale;
use crate::ports::store::{AmountRange, OrderFilter, Reach};
use crate::service::cursor;

/// Longest text of a field that is kept; a search may be as long as an order's number.
const FIELD_CHARS_MAX: usize = 40;

/// What is wrong with a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Orders never stand so.
    UnknownStatus,
    /// Nobody pays so.
    UnknownMethod,
    /// It is no currency.
    UnknownCurrency,
    /// It is no day.
    NoDay,
    /// The last day is before the first.
    DaysReversed,
    /// It is no amount.
    NoAmount,
    /// It is finer than the currency's minor unit.
    TooFine,
    /// The highest amount is below the lowest.
    AmountsReversed,
    /// It is neither on nor off.
    NoSwitch,
}

/// A condition, by its name in the address and its field in the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Status,
    Method,
    Query,
    From,
    To,
    Currency,
    Min,
    Max,
    Attention,
}

impl Field {
    const ALL: [Self; 9] = [
        Self::Status,
        Self::Method,
        Self::Query,
        Self::From,
        Self::To,
        Self::Currency,
        Self::Min,
        Self::Max,
        Self::Attention,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Method => "method",
            Self::Query => "q",
            Self::From => "from",
            Self::To => "to",
            Self::Currency => "currency",
            Self::Min => "min",
            Self::Max => "max",
            Self::Attention => "attention",
        }
    }
}

/// The conditions of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions {
    typed: Vec<(Field, String)>,
    faults: Vec<(Field, Fault)>,
    /// What could be read, but when attention is needed.
    filter: OrderFilter,
    needs_attention: bool,
}

impl Conditions {
    /// Reads the query of an address.
    #[must_use]
    pub fn read(query: Option<&str>) -> Self {
        Self::of(&Address::new("/orders", query, None))
    }

    pub(super) fn of(address: &Address) -> Self {
        let typed = Field::ALL.into_iter().filter_map(|field| {
            let chars_max = match field {
                Field::Query => PAYMENT_ID_CHARS_MAX,
                _other => FIELD_CHARS_MAX,
            };
            // Control characters match nothing, and PostgreSQL refuses one of them.
            let text = address.parameter(field.name())?.chars();
            let text: String = text.filter(|c| !c.is_control()).take(chars_max).collect();
            (!text.is_empty()).then_some((field, text))
        });
        let mut read = Self {
            typed: typed.collect(),
            faults: Vec::new(),
            filter: OrderFilter::default(),
            needs_attention: false,
        };
        read.filter.status = read.word(Field::Status, Fault::UnknownStatus, OrderStatus::from_word);
        read.filter.method = read.word(Field::Method, Fault::UnknownMethod, PayMethod::from_word);
        read.filter.query = read.typed(Field::Query).map(str::to_owned);
        read.filter.reach = Reach::Staff;
        read.filter.from = read.word(Field::From, Fault::NoDay, start_of_day);
        read.filter.to = read.word(Field::To, Fault::NoDay, end_of_day);
        if let (Some(from), Some(to)) = (read.filter.from, read.filter.to)
            && to <= from
        {
            read.faults.push((Field::To, Fault::DaysReversed));
        }
        read.filter.amount = read.amount();
        let on = |word: &str| (word == "1").then_some(());
        read.needs_attention = read.word(Field::Attention, Fault::NoSwitch, on).is_some();
        read
    }

    fn word<T>(
        &mut self,
        field: Field,
        fault: Fault,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let found = read(self.typed(field)?);
        if found.is_none() {
            self.faults.push((field, fault));
        }
        found
    }

    fn amount(&mut self) -> Option<AmountRange> {
        let asked = self.typed(Field::Currency).is_some();
        let currency = self.word(Field::Currency, Fault::UnknownCurrency, |code| {
            Currency::parse(code).ok()
        });
        if asked && currency.is_none() {
            return None;
        }
        let range = AmountRange {
            currency: currency.unwrap_or(Currency::KRW),
            min: None,
            max: None,
        };
        let min = self.bound(Field::Min, range.currency);
        let max = self.bound(Field::Max, range.currency);
        if let (Some(min), Some(max)) = (min, max)
            && max < min
        {
            self.faults.push((Field::Max, Fault::AmountsReversed));
        }
        let is_asked = currency.is_some() || min.is_some() || max.is_some();
        is_asked.then_some(AmountRange { min, max, ..range })
    }

    fn bound(&mut self, field: Field, currency: Currency) -> Option<i64> {
        let fault = match Money::typed(self.typed(field)?, currency) {
            Ok(money) => return Some(money.minor),
            Err(InvalidMoney::Fraction) => Fault::TooFine,
            Err(InvalidMoney::Unreadable | InvalidMoney::Range | InvalidMoney::Currency) => {
                Fault::NoAmount
            }
        };
        self.faults.push((field, fault));
        None
    }

    /// What stands in a field.
    pub(super) fn typed(&self, field: Field) -> Option<&str> {
        let found = self.typed.iter().find(|(own, _)| *own == field);
        found.map(|(_, text)| text.as_str())
    }

    /// What is wrong with a field.
    pub(super) fn fault(&self, field: Field) -> Option<Fault> {
        let found = self.faults.iter().find(|(own, _)| *own == field);
        found.map(|(_, fault)| *fault)
    }

    /// Whether something cannot be read.
    #[must_use]
    pub fn are_faulty(&self) -> bool {
        !self.faults.is_empty()
    }

    /// Whether anything is asked for.
    pub(super) fn are_any(&self) -> bool {
        !self.typed.is_empty()
    }

    /// Which orders these are, as of now.
    #[must_use]
    pub fn filter(&self, now: Timestamp) -> OrderFilter {
        OrderFilter {
            needs_attention_at: self.needs_attention.then_some(now),
            ..self.filter.clone()
        }
    }

    pub(super) fn status(&self) -> Option<OrderStatus> {
        self.filter.status
    }

    pub(super) fn currency(&self) -> Option<Currency> {
        self.typed(Field::Currency)?;
        Some(self.filter.amount?.currency)
    }

    /// The conditions as parameters of an address, as they were typed.
    pub(super) fn parameters(&self) -> Vec<(&'static str, &str)> {
        let typed = self.typed.iter();
        typed
            .map(|(field, text)| (field.name(), text.as_str()))
            .collect()
    }

    /// A page or a file of what is asked for, in a language that was asked for.
    #[must_use]
    pub fn address(&self, path: &str, language: Option<Locale>) -> String {
        Address::new(path, None, language).link(path, &self.parameters())
    }
}

/// Where the list goes on, by the address; an error when it names a place that is none.
pub(super) fn place(address: &Address) -> Result<Option<crate::ports::store::Place>, ()> {
    match address.parameter("after") {
        None => Ok(None),
        Some(text) => cursor::read(text).map(Some).ok_or(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(query: &str) -> Vec<(&'static str, Fault)> {
        let faults = Conditions::read(Some(query)).faults.into_iter();
        faults.map(|(field, fault)| (field.name(), fault)).collect()
    }

    #[test]
    fn what_an_address_says_is_read_and_written_back() {
        let query = "status=paid&method=easy_pay&q=ORD-1&from=2026-11-01&to=2026-11-21&currency=USD&min=1%2C000.50&max=2000&attention=1";
        let read = Conditions::read(Some(query));

        let now = Timestamp::UNIX_EPOCH;
        let filter = OrderFilter {
            status: Some(OrderStatus::Paid),
            query: Some("ORD-1".to_owned()),
            reach: Reach::Staff,
            from: "2026-10-31T15:00:00Z".parse().ok(),
            to: "2026-11-21T15:00:00Z".parse().ok(),
            method: Some(PayMethod::EasyPay),
            amount: Some(AmountRange {
                currency: Currency::parse("USD").unwrap(),
                min: Some(100_050),
                max: Some(200_000),
            }),
            needs_attention_at: Some(now),
            after: None,
            limit: 0,
        };
        assert_eq!(read.filter(now), filter);
        assert!(read.are_any() && !read.are_faulty());
        assert_eq!(read.address("/orders", None), format!("/orders?{query}"));
        assert_eq!(
            Conditions::read(Some("q=a%00b"))
                .filter(now)
                .query
                .as_deref(),
            Some("ab")
        );
        let nothing = Conditions::read(Some("status=&q=+&min="));
        assert!(!nothing.are_any() && !nothing.are_faulty());
    }

    #[test]
    fn amounts_are_won_unless_a_currency_is_chosen() {
        let amount = |query| Conditions::read(Some(query)).filter.amount;
        let won = |min, max| {
            Some(AmountRange {
                currency: Currency::KRW,
                min,
                max,
            })
        };
        assert_eq!(amount("min=10,000"), won(Some(10_000), None));
        assert_eq!(amount("max=10 000"), won(None, Some(10_000)));
        assert_eq!(amount("currency=KRW"), won(None, None));
        assert_eq!(amount("q=1"), None);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_field_and_kept() {
        for (query, field, fault) in [
            ("status=lost", "status", Fault::UnknownStatus),
            ("method=CARD", "method", Fault::UnknownMethod),
            ("currency=won", "currency", Fault::UnknownCurrency),
            ("from=2026-02-30", "from", Fault::NoDay),
            ("to=tomorrow", "to", Fault::NoDay),
            ("from=2026-11-21&to=2026-11-20", "to", Fault::DaysReversed),
            ("min=-1", "min", Fault::NoAmount),
            ("max=1e3", "max", Fault::NoAmount),
            ("max=99999999999999999999", "max", Fault::NoAmount),
            ("min=0.5", "min", Fault::TooFine),
            ("min=2&max=1", "max", Fault::AmountsReversed),
            ("attention=yes", "attention", Fault::NoSwitch),
        ] {
            assert_eq!(faults(query), [(field, fault)], "{query}");
            assert_eq!(
                Conditions::read(Some(query)).address("/orders", None),
                format!("/orders?{query}")
            );
        }
        assert_eq!(faults("from=2026-11-21&to=2026-11-21&min=1&max=1"), []);
    }
}
