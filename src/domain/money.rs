//! Money: whole numbers of a currency's minor unit, with the currency always beside them.

use std::fmt;
use std::str::FromStr;

use iso_currency::Currency as Iso;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use thiserror::Error;

/// Largest amount of one order, in minor units: what every JSON reader holds exactly (2^53 - 1).
pub const AMOUNT_MINOR_MAX: i64 = 9_007_199_254_740_991;

/// Why an amount cannot be money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidMoney {
    /// No ISO 4217 code, or one that has no minor unit (gold, testing codes).
    #[error("the currency is no ISO 4217 code of money")]
    Currency,
    /// Negative, zero where that makes no sense, or beyond [`AMOUNT_MINOR_MAX`].
    #[error("the amount is out of range")]
    Range,
    /// Finer than the currency's minor unit, such as 0.5 won.
    #[error("the amount is finer than the currency's minor unit")]
    Fraction,
    /// Not written as an amount.
    #[error("the amount is not written as one")]
    Unreadable,
}

/// An ISO 4217 currency that has a minor unit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(Iso);

impl Currency {
    /// South Korean won, without decimals.
    pub const KRW: Self = Self(Iso::KRW);

    /// Takes the three capital letters of ISO 4217.
    ///
    /// # Errors
    /// [`InvalidMoney::Currency`] for anything else.
    pub fn parse(code: &str) -> Result<Self, InvalidMoney> {
        let iso = Iso::from_code(code).ok_or(InvalidMoney::Currency)?;
        iso.exponent().ok_or(InvalidMoney::Currency)?;
        Ok(Self(iso))
    }

    /// The three letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the decimal point in the major unit: KRW 0, USD 2, KWD 3.
    #[must_use]
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidMoney;

    fn try_from(code: String) -> Result<Self, InvalidMoney> {
        Self::parse(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in the currency's minor unit: KRW 64900 is ₩64,900; USD 1420 is $14.20.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Money {
    /// Whole minor units, 0 to [`AMOUNT_MINOR_MAX`].
    pub minor: i64,
    /// What they are units of.
    pub currency: Currency,
}

impl Money {
    /// Puts an amount and its currency together.
    ///
    /// # Errors
    /// [`InvalidMoney::Range`] when the amount is negative or too large.
    pub fn new(minor: i64, currency: Currency) -> Result<Self, InvalidMoney> {
        if (0..=AMOUNT_MINOR_MAX).contains(&minor) {
            Ok(Self { minor, currency })
        } else {
            Err(InvalidMoney::Range)
        }
    }

    /// Reads an amount in the major unit, as PortOne V1 writes it: 14.2 USD is 1420 cents.
    ///
    /// # Errors
    /// [`InvalidMoney::Fraction`] when it is finer than the minor unit, [`InvalidMoney::Range`] when it is negative or
    /// too large. Nothing is ever rounded.
    pub fn from_major(major: Decimal, currency: Currency) -> Result<Self, InvalidMoney> {
        let scale = Decimal::from(10_u64.pow(currency.exponent()));
        let minor = major.checked_mul(scale).ok_or(InvalidMoney::Range)?;
        if !minor.fract().is_zero() {
            return Err(InvalidMoney::Fraction);
        }
        Self::new(minor.to_i64().ok_or(InvalidMoney::Range)?, currency)
    }

    /// Reads an amount in the major unit as a person types it: `64,900`, `14.20`. Commas and spaces stand between thousands alone:
    /// elsewhere `14,20` means a fraction, and a point means thousands.
    ///
    /// # Errors
    /// [`InvalidMoney::Unreadable`] when it is written in any other way; [`InvalidMoney::Fraction`] when it has a fraction and the
    /// currency has none; else as [`Money::from_major`].
    pub fn typed(text: &str, currency: Currency) -> Result<Self, InvalidMoney> {
        let text = text.trim();
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let mut groups = whole.split([',', ' ']);
        let first = groups.next().unwrap_or_default();
        let rest: Vec<&str> = groups.collect();
        let is_grouped = rest.is_empty()
            || ((1..=3).contains(&first.len()) && rest.iter().all(|group| group.len() == 3));
        let parts = || std::iter::once(first).chain(rest.iter().copied());
        // A decimal's own reader takes signs and exponents, which nobody types on purpose.
        if first.is_empty() || !is_grouped || !parts().chain(fraction).all(is_digits) {
            return Err(InvalidMoney::Unreadable);
        }
        if fraction.is_some() && currency.exponent() == 0 {
            return Err(InvalidMoney::Fraction);
        }
        let plain = parts().collect::<String>() + "." + fraction.unwrap_or("0");
        let major = Decimal::from_str(&plain).map_err(|_| InvalidMoney::Unreadable)?;
        Self::from_major(major, currency)
    }

    /// The amount in the major unit, as PortOne V1 wants it.
    #[must_use]
    pub fn to_major(self) -> Decimal {
        Decimal::new(self.minor, self.currency.exponent()).normalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        Currency::parse("USD").expect("USD is a currency")
    }

    #[test]
    fn v1_amounts_become_minor_units_without_rounding() {
        let cases = [
            ("1004", Currency::KRW, Ok(1004)),
            ("1004.0", Currency::KRW, Ok(1004)),
            ("14.2", usd(), Ok(1420)),
            ("14.20", usd(), Ok(1420)),
            ("0.5", Currency::KRW, Err(InvalidMoney::Fraction)),
            ("14.205", usd(), Err(InvalidMoney::Fraction)),
            ("-1", Currency::KRW, Err(InvalidMoney::Range)),
            ("9007199254740992", Currency::KRW, Err(InvalidMoney::Range)),
            (
                "79228162514264337593543950335",
                usd(),
                Err(InvalidMoney::Range),
            ),
        ];
        for (text, currency, want) in cases {
            let major = Decimal::from_str(text).expect("a decimal");
            assert_eq!(
                Money::from_major(major, currency).map(|m| m.minor),
                want,
                "{text} {currency}"
            );
        }
    }

    #[test]
    fn an_amount_is_read_as_a_person_types_it() {
        for (typed, currency, want) in [
            ("20000", Currency::KRW, Ok(20_000)),
            (" 64,900 ", Currency::KRW, Ok(64_900)),
            ("14.2", usd(), Ok(1420)),
            ("1,234,567", Currency::KRW, Ok(1_234_567)),
            ("1 234 567.89", usd(), Ok(123_456_789)),
            ("0", Currency::KRW, Ok(0)),
            ("14,20", usd(), Err(InvalidMoney::Unreadable)),
            ("1,4", usd(), Err(InvalidMoney::Unreadable)),
            ("10,00", Currency::KRW, Err(InvalidMoney::Unreadable)),
            ("1234,567", Currency::KRW, Err(InvalidMoney::Unreadable)),
            ("1,,000", Currency::KRW, Err(InvalidMoney::Unreadable)),
            (",000", Currency::KRW, Err(InvalidMoney::Unreadable)),
            ("1,000,", Currency::KRW, Err(InvalidMoney::Unreadable)),
            ("1.000,00", usd(), Err(InvalidMoney::Unreadable)),
            ("1.000", Currency::KRW, Err(InvalidMoney::Fraction)),
            ("1.5", Currency::KRW, Err(InvalidMoney::Fraction)),
            ("9007199254740992", Currency::KRW, Err(InvalidMoney::Range)),
            ("", Currency::KRW, Err(InvalidMoney::Unreadable)),
            (".", Currency::KRW, Err(InvalidMoney::Unreadable)),
            ("-1", Currency::KRW, Err(InvalidMoney::Unreadable)),
            ("+1", Currency::KRW, Err(InvalidMoney::Unreadable)),
            ("1e3", Currency::KRW, Err(InvalidMoney::Unreadable)),
            ("1_000", Currency::KRW, Err(InvalidMoney::Unreadable)),
            ("만원", Currency::KRW, Err(InvalidMoney::Unreadable)),
        ] {
            let read = Money::typed(typed, currency).map(|money| money.minor);
            assert_eq!(read, want, "{typed}");
        }
    }

    #[test]
    fn major_and_minor_are_inverse() {
        let money = Money::new(1420, usd()).expect("in range");
        assert_eq!(money.to_major().to_string(), "14.2");
        assert_eq!(Money::from_major(money.to_major(), usd()), Ok(money));
        assert_eq!(
            Money::new(64_900, Currency::KRW)
                .expect("in range")
                .to_major()
                .to_string(),
            "64900"
        );
    }

    #[test]
    fn only_iso_codes_of_money_are_currencies() {
        for code in ["", "krw", "KR", "WON", "CURRENCY_KRW", "XAU", "XTS"] {
            assert!(Currency::parse(code).is_err(), "{code} was taken");
        }
        assert_eq!(Currency::parse("KWD").expect("a currency").exponent(), 3);
    }

    #[test]
    fn a_currency_is_written_as_its_code() {
        assert_eq!(String::from(usd()), "USD");
        assert_eq!(format!("{} {:?}", usd(), usd()), "USD USD");
    }
}
