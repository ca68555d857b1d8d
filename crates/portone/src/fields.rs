//! Names and values as they arrive, in a query, a form or a JSON object, before anything is believed about them.
//!
//! A value stays bytes until it is known what it is for: an id must be UTF-8, a message for people may be read as far as it
//! can be.

use std::{collections::HashSet, fmt};

use percent_encoding::percent_decode;
use serde_json::value::RawValue;

use crate::json::Members;

/// Fields that one query, form or object may have; what PortOne sends has about ten.
pub(crate) const FIELDS_MAX: usize = 256;

/// Why bytes are no list of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Not one JSON object.
    NotAnObject,
    /// More than [`FIELDS_MAX`].
    TooMany,
}

/// One field.
#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: Value,
}

/// What a field holds.
#[derive(Clone)]
pub(crate) enum Value {
    /// A string of JSON, or what a query or a form has. Not necessarily UTF-8.
    Text(Vec<u8>),
    /// A number, as its digits were written.
    Number(String),
    /// `true`, `false`, a list or an object, as it was written.
    Json(String),
}

/// A field is there and is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

impl Field {
    /// Whether there is nothing in it, which is how PortOne and its merchants' scripts often write "absent".
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.value, Value::Text(text) if text.is_empty())
    }

    /// The value where every byte counts, as in an id: a string that is UTF-8, or a number.
    pub(crate) fn exact_text(&self) -> Result<&str, Invalid> {
        match &self.value {
            Value::Text(text) => std::str::from_utf8(text).map_err(|_| Invalid),
            Value::Number(digits) => Ok(digits),
            Value::Json(_) => Err(Invalid),
        }
    }

    /// The value for people and for the record. What is not UTF-8 is read as far as it can be: payment gateways that
    /// speak EUC-KR may let their bytes through.
    pub(crate) fn lossy_text(&self) -> String {
        match &self.value {
            Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Value::Number(json) | Value::Json(json) => json.clone(),
        }
    }
}

/// Reads `a=1&b=2`, where `+` is a space (<https://url.spec.whatwg.org/#urlencoded-parsing>), without decoding text.
pub(crate) fn from_form(bytes: &[u8]) -> Result<Vec<Field>, Unreadable> {
    let pairs: Vec<&[u8]> = bytes
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .take(FIELDS_MAX + 1)
        .collect();
    if pairs.len() > FIELDS_MAX {
        return Err(Unreadable::TooMany);
    }
    let fields = pairs.into_iter().map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = form_decoded(halves.next().unwrap_or_default());
        Field {
            name: String::from_utf8_lossy(&name).into_owned(),
            value: Value::Text(form_decoded(halves.next().unwrap_or_default())),
        }
    });
    Ok(fields.collect())
}

/// Reads one JSON object, whose nulls are absent.
pub(crate) fn from_json(bytes: &[u8]) -> Result<Vec<Field>, Unreadable> {
    let Members(members) = serde_json::from_slice(bytes).map_err(|_| Unreadable::NotAnObject)?;
    if members.len() > FIELDS_MAX {
        return Err(Unreadable::TooMany);
    }
    let fields = members.into_iter().filter_map(|(name, json)| {
        let value = from_json_value(json)?;
        Some(Field { name, value })
    });
    Ok(fields.collect())
}

/// Whether a name occurs twice.
pub(crate) fn has_a_name_twice(fields: &[Field]) -> bool {
    let names: HashSet<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    names.len() != fields.len()
}

/// `application/json`, in any case and with any parameters.
pub(crate) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn from_json_value(json: &RawValue) -> Option<Value> {
    let json = json.get();
    match json.as_bytes().first() {
        Some(b'n') => None,
        // Half of a surrogate pair is JSON, but no text.
        Some(b'"') => match serde_json::from_str::<String>(json) {
            Ok(text) => Some(Value::Text(text.into_bytes())),
            Err(_) => Some(Value::Json(json.to_owned())),
        },
        Some(b'-' | b'0'..=b'9') => Some(Value::Number(json.to_owned())),
        _ => Some(Value::Json(json.to_owned())),
    }
}

fn form_decoded(part: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = part
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced).collect()
}

/// Fields that this crate gives no meaning to, in the order in which they arrived.
///
/// Strings are as they were sent, bytes that are no UTF-8 replaced by U+FFFD; anything else is its JSON text. All of it
/// may come from a stranger: escape it before it is shown, cut it before it is logged. `Debug` shows the names alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The value of the last field of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .rev()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// Every field.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> + ExactSizeIterator {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<&'a Field> for Fields {
    fn from_iter<I: IntoIterator<Item = &'a Field>>(fields: I) -> Self {
        let pairs = fields
            .into_iter()
            .map(|field| (field.name.clone(), field.lossy_text()));
        Self(pairs.collect())
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_set()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}
