//! Reading PortOne's JSON field by field.
//!
//! Derived deserialisers put the offending value into their error text, and an offending value may be a buyer's name. Here
//! an error names the field or the position and nothing else. Other differences that matter: a key that occurs twice
//! is an error, known or not, because two readers could pick different ones; and amounts are taken from the digits as they
//! were sent. Nested values stay unparsed text until they are asked for, so depth costs no stack.

use std::{collections::HashMap, fmt};

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// Digits that a [`Decimal`] holds whatever they are.
const DIGITS_MAX: usize = 28;
/// The first number with more than [`DIGITS_MAX`] digits.
const TOO_LARGE: i128 = 10_i128.pow(28);

/// What is wrong with a document, in words that hold none of its values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

impl From<Malformed> for crate::Error {
    fn from(malformed: Malformed) -> Self {
        Self::Garbled(malformed.0)
    }
}

type Result<T> = std::result::Result<T, Malformed>;

/// One JSON object whose values are still text.
pub(crate) struct Object<'a>(HashMap<String, &'a RawValue>);

impl<'a> Object<'a> {
    /// Reads exactly one JSON object; anything around it is an error. `what` says whose text it is.
    pub(crate) fn parse(what: &str, text: &'a str) -> Result<Self> {
        let Members(members) = serde_json::from_str(text)
            .map_err(|error| Malformed(format!("{what} is {}", describe(&error))))?;
        let count = members.len();
        let object: HashMap<_, _> = members.into_iter().collect();
        if object.len() != count {
            return Err(Malformed(format!("{what} has a key twice")));
        }
        Ok(Self(object))
    }

    /// The value, unless it is absent or null.
    pub(crate) fn value(&self, key: &str) -> Option<&'a str> {
        self.0
            .get(key)
            .map(|raw| raw.get())
            .filter(|text| *text != "null")
    }

    /// Text that must be there and must not be empty.
    pub(crate) fn required_text(&self, key: &str) -> Result<String> {
        self.strict_text(key)?.ok_or_else(|| missing(key))
    }

    /// Text that may be absent; if it is there, it must be a string. Empty is absent.
    pub(crate) fn strict_text(&self, key: &str) -> Result<Option<String>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let text: String =
            serde_json::from_str(value).map_err(|_| Malformed(format!("{key} is not a string")))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// Text that nothing depends on. A number is kept as its digits, other types are no text. Empty is absent.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.value(key)
            .and_then(loose_text)
            .filter(|text| !text.is_empty())
    }

    /// An amount that must be there.
    pub(crate) fn required_amount(&self, key: &str) -> Result<Decimal> {
        self.amount(key)?.ok_or_else(|| missing(key))
    }

    /// An amount that may be absent; if it is there, it must be exact.
    pub(crate) fn amount(&self, key: &str) -> Result<Option<Decimal>> {
        self.value(key)
            .map(|value| exact_decimal(key, value))
            .transpose()
    }

    /// A whole number that must be there.
    pub(crate) fn required_integer(&self, key: &str) -> Result<i64> {
        self.strict_integer(key)?.ok_or_else(|| missing(key))
    }

    /// A whole number that may be absent.
    pub(crate) fn strict_integer(&self, key: &str) -> Result<Option<i64>> {
        self.value(key)
            .map(|value| {
                value
                    .parse()
                    .map_err(|_| Malformed(format!("{key} is not a whole number")))
            })
            .transpose()
    }

    /// A whole number, also as a string, that nothing depends on.
    pub(crate) fn integer(&self, key: &str) -> Option<i64> {
        self.text(key).and_then(|text| text.parse().ok())
    }

    /// True or false; absent stays absent.
    pub(crate) fn strict_flag(&self, key: &str) -> Result<Option<bool>> {
        self.value(key)
            .map(|value| {
                value
                    .parse()
                    .map_err(|_| Malformed(format!("{key} is neither true nor false")))
            })
            .transpose()
    }

    /// True or false where nothing depends on it.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        self.value(key).and_then(|value| value.parse().ok())
    }

    /// A time in UNIX seconds, as a number or a string. PortOne writes 0 for "did not happen"; that, and what no
    /// calendar can hold, is no time.
    pub(crate) fn unix_seconds(&self, key: &str) -> Option<Timestamp> {
        let seconds = self.text(key)?;
        let whole = seconds
            .split_once('.')
            .map_or(seconds.as_str(), |(whole, _)| whole);
        let whole: i64 = whole.parse().ok()?;
        if whole > 0 {
            Timestamp::from_second(whole).ok()
        } else {
            None
        }
    }

    /// A time in the form of RFC 3339. What cannot be read is no time.
    pub(crate) fn timestamp(&self, key: &str) -> Option<Timestamp> {
        self.text(key)?.parse().ok()
    }

    /// An amount in minor units that must be there.
    pub(crate) fn required_minor_units(&self, key: &str) -> Result<i64> {
        self.minor_units(key)?.ok_or_else(|| missing(key))
    }

    /// An amount in minor units that may be absent; if it is there, it must be a whole number and not negative.
    pub(crate) fn minor_units(&self, key: &str) -> Result<Option<i64>> {
        match self.strict_integer(key)? {
            Some(..0) => Err(Malformed(format!("{key} is negative"))),
            amount => Ok(amount),
        }
    }

    /// An object that must be there.
    pub(crate) fn required_object(&self, key: &str) -> Result<Object<'a>> {
        self.strict_object(key)?.ok_or_else(|| missing(key))
    }

    /// An object that may be absent; if it is there, it must be one.
    pub(crate) fn strict_object(&self, key: &str) -> Result<Option<Object<'a>>> {
        self.value(key)
            .map(|value| Object::parse(key, value))
            .transpose()
    }

    /// An object that nothing depends on.
    pub(crate) fn object(&self, key: &str) -> Option<Object<'a>> {
        Object::parse(key, self.value(key)?).ok()
    }

    /// The objects of a list that nothing depends on.
    pub(crate) fn objects(&self, key: &str) -> Vec<Object<'a>> {
        let elements = self.list(key).unwrap_or_default();
        elements
            .into_iter()
            .filter_map(|element| Object::parse(key, element).ok())
            .collect()
    }

    /// The strings of a list that nothing depends on.
    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        let elements = self.list(key).unwrap_or_default();
        elements
            .into_iter()
            .filter_map(loose_text)
            .filter(|text| !text.is_empty())
            .collect()
    }

    /// A value that must be there.
    pub(crate) fn required_value(&self, key: &str) -> Result<&'a str> {
        self.value(key).ok_or_else(|| missing(key))
    }

    /// The elements of a list that must be there.
    pub(crate) fn required_list(&self, key: &str) -> Result<Vec<&'a str>> {
        self.required_value(key)?;
        self.list(key)
    }

    /// The elements of a list; absent is empty.
    pub(crate) fn list(&self, key: &str) -> Result<Vec<&'a str>> {
        let Some(value) = self.value(key) else {
            return Ok(Vec::new());
        };
        elements(key, value)
    }
}

/// The elements of a list. `what` says whose text it is.
pub(crate) fn elements<'a>(what: &str, text: &'a str) -> Result<Vec<&'a str>> {
    let elements: Vec<&'a RawValue> =
        serde_json::from_str(text).map_err(|_| Malformed(format!("{what} is not a list")))?;
    Ok(elements.into_iter().map(RawValue::get).collect())
}

/// Where and how a text fails to be a JSON object; [`serde_json::Error`] itself would quote from it.
fn describe(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Data => "not a JSON object",
        serde_json::error::Category::Eof => "cut short",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "not JSON",
    };
    format!("{kind} (line {}, column {})", error.line(), error.column())
}

fn missing(key: &str) -> Malformed {
    Malformed(format!("{key} is missing"))
}

fn loose_text(value: &str) -> Option<String> {
    match value.as_bytes().first()? {
        b'"' => serde_json::from_str(value).ok(),
        b'-' | b'0'..=b'9' => Some(value.to_owned()),
        _ => None,
    }
}

/// Reads a JSON number digit by digit. A float in between would turn `14.20` into its nearest neighbour.
pub(crate) fn exact_decimal(key: &str, value: &str) -> Result<Decimal> {
    let not_an_amount = |why: &str| Malformed(format!("{key} is {why}"));
    match value.as_bytes().first() {
        Some(b'0'..=b'9') => {}
        Some(b'-') => return Err(not_an_amount("negative")),
        _ => return Err(not_an_amount("not a number")),
    }
    let too_long = || not_an_amount("a number with too many digits");

    // `value` is valid JSON and starts with a digit, so what follows splits it completely.
    let (mantissa, exponent) = value.split_once(['e', 'E']).unwrap_or((value, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() > DIGITS_MAX {
        return Err(too_long());
    }
    let digits: i128 = format!("{whole}{fraction}")
        .parse()
        .map_err(|_| not_an_amount("not a number"))?;
    let exponent: i32 = exponent.parse().map_err(|_| too_long())?;
    let scale = i32::try_from(fraction.len())
        .ok()
        .and_then(|fraction_digits| fraction_digits.checked_sub(exponent))
        .ok_or_else(too_long)?;

    let (digits, scale) = match u32::try_from(scale) {
        Ok(scale) => (Some(digits), scale),
        Err(_) => (
            10_i128
                .checked_pow(scale.unsigned_abs())
                .and_then(|factor| digits.checked_mul(factor)),
            0,
        ),
    };
    digits
        .filter(|digits| *digits < TOO_LARGE)
        .and_then(|digits| Decimal::try_from_i128_with_scale(digits, scale).ok())
        .ok_or_else(too_long)
}

/// The members of an object in the order they were sent, repeated keys included.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object<'_> {
        Object::parse("it", text).expect("the text is an object")
    }

    fn amount(number: &str) -> Result<String> {
        let text = format!(r#"{{"amount":{number}}}"#);
        object(&text)
            .required_amount("amount")
            .map(|amount| amount.to_string())
    }

    #[test]
    fn amounts_are_the_digits_that_were_sent() {
        for (sent, read) in [
            ("1004", "1004"),
            ("1004.0", "1004.0"),
            ("14.20", "14.20"),
            ("14.2", "14.2"),
            ("0", "0"),
            ("0.1", "0.1"),
            ("1e3", "1000"),
            ("1E+3", "1000"),
            ("1.42e1", "14.2"),
            ("1420e-2", "14.20"),
            ("9007199254740993", "9007199254740993"),
            (
                "9999999999999999999999999999",
                "9999999999999999999999999999",
            ),
            (
                "0.000000000000000000000000001",
                "0.000000000000000000000000001",
            ),
            ("1e-28", "0.0000000000000000000000000001"),
        ] {
            assert_eq!(amount(sent).as_deref(), Ok(read), "{sent}");
        }
    }

    #[test]
    fn what_is_not_an_exact_amount_is_refused() {
        for sent in [
            r#""1004""#,
            r#""""#,
            "null",
            "true",
            "[]",
            "{}",
            "-1",
            "-0",
            "-0.5",
            "10000000000000000000000000000",
            "1.0000000000000000000000000000",
            "1e28",
            "1e99999999999999999999",
            "1e-29",
            "1e2147483647",
            "1e-2147483648",
        ] {
            assert!(amount(sent).is_err(), "{sent}");
        }
        for sent in ["NaN", "Infinity", "01", "+1", "1.", ".5", "0x10"] {
            let text = format!(r#"{{"amount":{sent}}}"#);
            assert!(Object::parse("it", &text).is_err(), "{sent}");
        }
    }

    #[test]
    fn a_key_twice_is_an_error_however_it_is_spelt() {
        for text in [
            r#"{"amount":1,"amount":1}"#,
            r#"{"amount":1,"am\u006funt":2}"#,
            r#"{"unknown":1,"amount":1,"unknown":1}"#,
        ] {
            assert!(Object::parse("it", text).is_err(), "{text}");
        }
    }

    #[test]
    fn exactly_one_object_is_accepted() {
        for text in [
            "",
            " ",
            "null",
            "1",
            "[]",
            "{}{}",
            "{} x",
            r#"{"a":1"#,
            r#"{"a":}"#,
            "{a:1}",
            "<html>",
            "\u{feff}{}",
        ] {
            assert!(Object::parse("it", text).is_err(), "{text:?}");
        }
        assert!(Object::parse("it", " {} \n").is_ok());
    }

    #[test]
    fn errors_hold_no_value() {
        let whole = Object::parse("it", r#""Hong Gildong""#)
            .err()
            .expect("a string is no object");
        let text = r#"{"status":{"secret":"Hong Gildong"},"amount":"Hong Gildong","sandbox":"Hong Gildong"}"#;
        let object = object(text);
        let errors = [
            whole.0,
            object
                .required_text("status")
                .expect_err("an object is no text")
                .0,
            object
                .required_amount("amount")
                .expect_err("a string is no amount")
                .0,
            object
                .strict_flag("sandbox")
                .expect_err("a string is no flag")
                .0,
        ];

        for error in errors {
            assert!(!error.contains("Hong"), "{error}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let depth = 200_000;
        let text = format!(
            r#"{{"deep":{}{},"amount":1}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        );

        assert_eq!(object(&text).required_amount("amount"), Ok(Decimal::ONE));
        assert_eq!(object(&text).text("deep"), None);
    }

    #[test]
    fn times_are_unix_seconds_and_zero_is_none() {
        let expected = Timestamp::from_second(1_700_000_060).ok();
        for (sent, read) in [
            ("1700000060", expected),
            (r#""1700000060""#, expected),
            ("1700000060.25", expected),
            ("0", None),
            (r#""0""#, None),
            (r#""""#, None),
            ("null", None),
            ("-5", None),
            ("1700000060000", None),
            ("99999999999999999999999999", None),
            ("true", None),
            (r#""soon""#, None),
            ("{}", None),
        ] {
            let text = format!(r#"{{"paid_at":{sent}}}"#);
            assert_eq!(object(&text).unix_seconds("paid_at"), read, "{sent}");
        }
        assert_eq!(object("{}").unix_seconds("paid_at"), None);
    }

    #[test]
    fn flags_are_strict_where_it_matters() {
        assert_eq!(
            object(r#"{"sandbox":true}"#).strict_flag("sandbox"),
            Ok(Some(true))
        );
        assert_eq!(
            object(r#"{"sandbox":false}"#).strict_flag("sandbox"),
            Ok(Some(false))
        );
        assert_eq!(
            object(r#"{"sandbox":null}"#).strict_flag("sandbox"),
            Ok(None)
        );
        assert_eq!(object("{}").strict_flag("sandbox"), Ok(None));
        for sent in ["1", "0", r#""false""#, r#""""#, "[]"] {
            let text = format!(r#"{{"sandbox":{sent}}}"#);
            assert!(object(&text).strict_flag("sandbox").is_err(), "{sent}");
            assert_eq!(object(&text).flag("sandbox"), None, "{sent}");
        }
    }
}
