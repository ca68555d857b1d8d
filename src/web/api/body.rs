//! The body of `POST /api/v1/orders`, parsed field by field so that a refusal names the field.

use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;
use utoipa::ToSchema;

use super::answers::PortoneWord;
use crate::domain::ids::PaymentId;
use crate::domain::money::{Currency, Money};
use crate::domain::order::{Buyer, Portone};
use crate::domain::window_params::WindowParams;
use crate::service::orders::NewOrder;
use crate::web::problem::Problem;

const NAME_CHARS_MAX: usize = 200;
/// Codes of ISO 4217.
const CURRENCY_CHARS_MAX: usize = 3;
/// What an implementation of language tags has to take at least (RFC 5646, section 4.4.1).
const LOCALE_CHARS_MAX: usize = 35;
/// `v1` or `v2`.
const PORTONE_CHARS_MAX: usize = 2;
const TEXT_CHARS_MAX: usize = 200;
const URL_BYTES_MAX: usize = 2048;
/// Of an object that the shop gives as it likes.
const OBJECT_BYTES_MAX: usize = 8 * 1024;
const EXPIRY_MAX: SignedDuration = SignedDuration::from_hours(24 * 365);
const FIELDS: [&str; 13] = [
    "payment_id",
    "name",
    "amount",
    "currency",
    "portone",
    "pay_method",
    "channel_key",
    "buyer",
    "return_url",
    "expires_at",
    "locale",
    "metadata",
    "window_params",
];

/// An order to be made
#[derive(ToSchema)]
pub struct NewOrderBody {
    /// The shop's id of the payment, without control characters and `/ \\ ? # %`, not of dots only; PortOne V1 keeps 40 characters,
    /// and 6 to 40 letters and digits are what every gateway takes
    #[schema(min_length = 1, max_length = 64)]
    pub payment_id: String,
    /// What is sold, as the buyer reads it
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// What it costs, in the currency's minor unit
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub amount: i64,
    /// ISO 4217; KRW when absent
    #[schema(min_length = 3, max_length = 3)]
    pub currency: Option<String>,
    /// The generation of PortOne to pay through; the one that is configured when absent, and v1 where both are
    #[schema(value_type = Option<PortoneWord>)]
    pub portone: Option<String>,
    /// The way to pay, in PortOne's words
    #[schema(max_length = 200, pattern = "^[A-Za-z0-9_.-]+$")]
    pub pay_method: Option<String>,
    /// The channel to pay through, from PortOne's console; V2 needs it
    #[schema(max_length = 200, pattern = "^[A-Za-z0-9_.-]+$")]
    pub channel_key: Option<String>,
    /// Who pays; fills in the payment window
    pub buyer: Option<BuyerBody>,
    /// Where the buyer goes on afterwards, an absolute http(s) address without a secret: whoever knows the order's number sees it
    #[schema(max_length = 2048, pattern = "^[Hh][Tt][Tt][Pp][Ss]?://")]
    pub return_url: Option<String>,
    /// Until when it may be paid, within a year
    pub expires_at: Option<Timestamp>,
    /// Language of the buyer's pages: ko, en, ja or zh, of whichever region
    #[schema(
        max_length = 35,
        pattern = "^([Kk][Oo]|[Ee][Nn]|[Jj][Aa]|[Zz][Hh])([-_][^\\u0000-\\u001f\\u007f-\\u009f]*)?$"
    )]
    pub locale: Option<String>,
    /// The shop's own object, given back as it came, decimals as doubles; at most 8 KiB, the whole body nested at most 32 deep
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// What else PortOne's payment window is told, in the words of its SDK: `digital` or `productType`, `bypass` and what else a
    /// gateway asks for; at most 8 KiB, numbers as doubles, nothing that another field says and nothing of a person: whoever knows
    /// the order's number sees it
    #[schema(value_type = Option<Object>)]
    pub window_params: Option<Value>,
}

/// Who pays
#[derive(ToSchema)]
pub struct BuyerBody {
    /// Full name
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// E-mail address
    #[schema(min_length = 1, max_length = 200)]
    pub email: Option<String>,
    /// Telephone number
    #[schema(min_length = 1, max_length = 200)]
    pub tel: Option<String>,
}

/// Why a body is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no JSON object.
    Malformed,
    /// A field, and what would be right.
    Field(&'static str, &'static str),
    /// A field that the request does not have.
    UnknownField(String),
}

impl Refusal {
    /// The answer.
    #[must_use]
    pub fn response(self) -> Response {
        match self {
            Self::Malformed => Problem::MalformedBody.response(),
            Self::Field(name, right) => Problem::field(name, right),
            Self::UnknownField(name) => Problem::field(&name, "is no field of this request"),
        }
    }
}

/// Parses an order. `default` is the generation of PortOne for an order that names none.
///
/// # Errors
/// [`Refusal`] for the first field that cannot be used.
pub fn parse(bytes: &[u8], now: Timestamp, default: Portone) -> Result<NewOrder, Refusal> {
    let object: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|_| Refusal::Malformed)?;
    if let Some(unknown) = object.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(Refusal::UnknownField(crate::domain::text::clean(unknown)));
    }
    let portone = match text(&object, "portone", PORTONE_CHARS_MAX)?.as_deref() {
        None => default,
        Some(word) => {
            Portone::from_word(word).ok_or(Refusal::Field("portone", "must be v1 or v2"))?
        }
    };
    let payment_id = PaymentId::parse(
        object
            .get("payment_id")
            .and_then(Value::as_str)
            .unwrap_or_default(),
    )
    .map_err(|_| {
        Refusal::Field(
            "payment_id",
            "must be 1 to 64 characters, no control characters, none of / \\ ? # %, not dots only",
        )
    })?;
    if portone == Portone::V1 && !payment_id.fits_v1() {
        return Err(Refusal::Field(
            "payment_id",
            "PortOne V1 keeps at most 40 characters of it",
        ));
    }
    let name = text(&object, "name", NAME_CHARS_MAX)?.ok_or(Refusal::Field(
        "name",
        "must say what is sold, in 1 to 200 characters",
    ))?;
    let currency = match text(&object, "currency", CURRENCY_CHARS_MAX)? {
        None => Currency::KRW,
        Some(code) => Currency::parse(&code)
            .map_err(|_| Refusal::Field("currency", "must be an ISO 4217 code such as KRW"))?,
    };
    let amount = object
        .get("amount")
        .and_then(Value::as_i64)
        .filter(|minor| *minor > 0)
        .and_then(|minor| Money::new(minor, currency).ok())
        .ok_or(Refusal::Field("amount", "must be a whole number above 0 in the currency's minor unit: 64900 is 64,900 won, 1420 is 14.20 dollars"))?;
    Ok(NewOrder {
        payment_id,
        name,
        amount,
        portone,
        pay_method: word(&object, "pay_method")?,
        channel_key: word(&object, "channel_key")?,
        buyer: buyer(&object)?,
        return_url: return_url(&object)?,
        expires_at: expires_at(&object, now)?,
        locale: locale(&object)?,
        metadata: metadata(&object)?,
        window_params: window_params(&object, portone)?,
        fingerprint: fingerprint(&object),
    })
}

/// The same fields with the same values, in whatever order and spacing, are the same request; a field that is null is absent.
pub(super) fn fingerprint(object: &Map<String, Value>) -> String {
    let filled: std::collections::BTreeMap<&String, &Value> = object
        .iter()
        .filter(|(_, value)| !value.is_null())
        .collect();
    let canonical = serde_json::to_vec(&filled).unwrap_or_default();
    Sha256::digest(&canonical)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(super) fn present<'o>(object: &'o Map<String, Value>, name: &str) -> Option<&'o Value> {
    object.get(name).filter(|value| !value.is_null())
}

pub(super) fn text(
    object: &Map<String, Value>,
    name: &'static str,
    chars_max: usize,
) -> Result<Option<String>, Refusal> {
    let Some(value) = present(object, name) else {
        return Ok(None);
    };
    let text = value
        .as_str()
        .map(str::trim)
        .ok_or(Refusal::Field(name, "must be text"))?;
    if text.is_empty() || text.chars().count() > chars_max || text.chars().any(char::is_control) {
        return Err(Refusal::Field(
            name,
            "must have at least one character, not too many, and no control characters",
        ));
    }
    Ok(Some(text.to_owned()))
}

/// PortOne's own words: methods and keys.
fn word(object: &Map<String, Value>, name: &'static str) -> Result<Option<String>, Refusal> {
    let text = text(object, name, TEXT_CHARS_MAX)?;
    match text {
        Some(text)
            if !text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) =>
        {
            Err(Refusal::Field(
                name,
                "must be letters, digits, _, - and . only",
            ))
        }
        text => Ok(text),
    }
}

fn buyer(object: &Map<String, Value>) -> Result<Buyer, Refusal> {
    let Some(value) = present(object, "buyer") else {
        return Ok(Buyer::default());
    };
    let buyer = value.as_object().ok_or(Refusal::Field(
        "buyer",
        "must be an object with name, email and tel",
    ))?;
    if buyer
        .keys()
        .any(|key| !matches!(key.as_str(), "name" | "email" | "tel"))
    {
        return Err(Refusal::Field("buyer", "has name, email and tel only"));
    }
    let text = |name, field| {
        text(buyer, name, TEXT_CHARS_MAX).map_err(|refusal| match refusal {
            Refusal::Field(_, why) => Refusal::Field(field, why),
            refusal => refusal,
        })
    };
    Ok(Buyer {
        name: text("name", "buyer.name")?,
        email: text("email", "buyer.email")?,
        tel: text("tel", "buyer.tel")?,
    })
}

fn return_url(object: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    const RIGHT: &str = "must be an absolute http(s) address without user name or password";
    let Some(value) = present(object, "return_url") else {
        return Ok(None);
    };
    let text = value
        .as_str()
        .filter(|text| text.len() <= URL_BYTES_MAX)
        .ok_or(Refusal::Field("return_url", RIGHT))?;
    let url = Url::parse(text).map_err(|_| Refusal::Field("return_url", RIGHT))?;
    let usable = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none();
    if usable {
        Ok(Some(url.into()))
    } else {
        Err(Refusal::Field("return_url", RIGHT))
    }
}

fn expires_at(object: &Map<String, Value>, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = present(object, "expires_at") else {
        return Ok(None);
    };
    let at = value
        .as_str()
        .and_then(|text| text.parse::<Timestamp>().ok())
        .ok_or(Refusal::Field(
            "expires_at",
            "must be a time as in RFC 3339, such as 2026-11-21T15:00:00Z",
        ))?;
    let latest = now.checked_add(EXPIRY_MAX).unwrap_or(Timestamp::MAX);
    if at <= latest {
        Ok(Some(at))
    } else {
        Err(Refusal::Field("expires_at", "must be within a year"))
    }
}

fn locale(object: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let text = text(object, "locale", LOCALE_CHARS_MAX)?;
    match text {
        Some(tag) => crate::i18n::Locale::from_tag(&tag)
            .map(|locale| Some(locale.tag().to_owned()))
            .ok_or(Refusal::Field("locale", "must be ko, en, ja or zh")),
        None => Ok(None),
    }
}

/// Who reads the numbers of an object of the shop's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// This server alone, which keeps 64-bit integers.
    Us,
    /// A browser, too, to which every number is a double.
    Browser,
}

/// Whether a whole number may not be the one that was written: what its reader's integers do not hold is read as the nearest
/// double, and beyond 2^53 that is another number.
fn has_inexact_number(value: &Value, reader: Reader) -> bool {
    const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            (number.is_f64() || reader == Reader::Browser)
                && number
                    .as_f64()
                    .is_none_or(|number| number.abs() >= EXACT_BELOW)
        }
        // Bodies are looked at for their depth before.
        Value::Array(values) => values.iter().any(|value| has_inexact_number(value, reader)),
        Value::Object(object) => object
            .values()
            .any(|value| has_inexact_number(value, reader)),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// An object of the shop's own.
fn free<'o>(
    object: &'o Map<String, Value>,
    name: &'static str,
    reader: Reader,
) -> Result<Option<&'o Map<String, Value>>, Refusal> {
    let Some(value) = present(object, name) else {
        return Ok(None);
    };
    if has_inexact_number(value, reader) {
        return Err(Refusal::Field(
            name,
            "has a number of more digits than are kept; write it as text",
        ));
    }
    value
        .as_object()
        .filter(|_| value.to_string().len() <= OBJECT_BYTES_MAX)
        .map(Some)
        .ok_or(Refusal::Field(name, "must be an object of at most 8 KiB"))
}

fn metadata(object: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let metadata = free(object, "metadata", Reader::Us)?.cloned();
    Ok(metadata.map(|metadata| Value::Object(metadata).to_string()))
}

fn window_params(
    object: &Map<String, Value>,
    portone: Portone,
) -> Result<Option<WindowParams>, Refusal> {
    const NAME: &str = "window_params";
    let Some(params) = free(object, NAME, Reader::Browser)? else {
        return Ok(None);
    };
    match WindowParams::new(params.clone(), portone) {
        Ok(params) => Ok(Some(params)),
        Err(name) if name == "customer" => Err(Refusal::Field(
            NAME,
            "may have of customer the text customerId only; who pays is said in buyer",
        )),
        Err(_) => Err(Refusal::Field(
            NAME,
            "has a parameter that the order's own fields say (id, name, amount, currency, method, channel, buyer, redirect)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T00:00:00Z".parse().expect("a time")
    }

    fn refused(body: &str) -> Refusal {
        parse(body.as_bytes(), now(), Portone::V1).expect_err(body)
    }

    #[test]
    fn the_least_order_is_taken() {
        let order = parse(
            r#"{"payment_id":"ORD-1","name":"사과","amount":64900}"#.as_bytes(),
            now(),
            Portone::V1,
        )
        .expect("an order");

        assert_eq!(
            (
                order.amount.minor,
                order.amount.currency.code(),
                order.portone
            ),
            (64900, "KRW", Portone::V1)
        );
    }

    #[test]
    fn an_order_goes_where_it_says_and_else_where_the_server_can() {
        let generation = |field: &str, default| {
            let body = format!(r#"{{"payment_id":"A","name":"x","amount":1{field}}}"#);
            parse(body.as_bytes(), now(), default).expect(&body).portone
        };
        for (field, default, portone) in [
            ("", Portone::V1, Portone::V1),
            ("", Portone::V2, Portone::V2),
            (r#","portone":null"#, Portone::V2, Portone::V2),
            (r#","portone":"v1""#, Portone::V2, Portone::V1),
            (r#","portone":"v2""#, Portone::V1, Portone::V2),
        ] {
            assert_eq!(generation(field, default), portone, "{field} {default:?}");
        }
    }

    #[test]
    fn each_generation_keeps_ids_of_its_own_length() {
        let order = |length: usize, portone: &str| {
            let id = "가".repeat(length);
            parse(
                format!(r#"{{"payment_id":"{id}","name":"x","amount":1,"portone":"{portone}"}}"#)
                    .as_bytes(),
                now(),
                Portone::V1,
            )
        };
        for (length, portone, is_taken) in [
            (40, "v1", true),
            (41, "v1", false),
            (64, "v2", true),
            (65, "v2", false),
        ] {
            assert_eq!(
                order(length, portone).is_ok(),
                is_taken,
                "{length} {portone}"
            );
        }
    }

    #[test]
    fn the_same_body_in_another_spelling_is_the_same_order() {
        let fingerprint = |body: &str| {
            parse(body.as_bytes(), now(), Portone::V1)
                .expect(body)
                .fingerprint
        };
        let first =
            fingerprint(r#"{"payment_id":"A","name":"x","amount":1,"metadata":{"a":1,"b":2}}"#);

        assert_eq!(
            first,
            fingerprint(
                r#"{ "amount":1, "metadata":{"b":2,"a":1}, "name":"x", "payment_id":"A", "locale":null }"#
            )
        );
        assert_ne!(
            first,
            fingerprint(r#"{"payment_id":"A","name":"x","amount":2,"metadata":{"a":1,"b":2}}"#)
        );
    }

    #[test]
    fn a_refusal_names_the_field() {
        let with = |field: &str| format!(r#"{{"payment_id":"A","name":"x","amount":1,{field}}}"#);
        assert_eq!(refused("[]"), Refusal::Malformed);
        for (body, field) in [
            (r#"{"name":"x","amount":1}"#.to_owned(), "payment_id"),
            (
                r#"{"payment_id":"a/b","name":"x","amount":1}"#.to_owned(),
                "payment_id",
            ),
            (
                format!(
                    r#"{{"payment_id":"{}","name":"x","amount":1}}"#,
                    "a".repeat(41)
                ),
                "payment_id",
            ),
            (r#"{"payment_id":"A","amount":1}"#.to_owned(), "name"),
            (r#"{"payment_id":"A","name":"x"}"#.to_owned(), "amount"),
            (
                r#"{"payment_id":"A","name":"x","amount":0}"#.to_owned(),
                "amount",
            ),
            (
                r#"{"payment_id":"A","name":"x","amount":-5}"#.to_owned(),
                "amount",
            ),
            (
                r#"{"payment_id":"A","name":"x","amount":"1"}"#.to_owned(),
                "amount",
            ),
            (
                r#"{"payment_id":"A","name":"x","amount":1.5}"#.to_owned(),
                "amount",
            ),
            (with(r#""currency":"WON""#), "currency"),
            (with(r#""portone":"v3""#), "portone"),
            (with(r#""return_url":"javascript:alert(1)""#), "return_url"),
            (with(r#""return_url":"//evil.example""#), "return_url"),
            (
                with(r#""return_url":"https://a@evil.example""#),
                "return_url",
            ),
            (with(r#""expires_at":"2028-11-20T00:00:00Z""#), "expires_at"),
            (with(r#""expires_at":"tomorrow""#), "expires_at"),
            (with(r#""locale":"fr""#), "locale"),
            (with(r#""metadata":[1]"#), "metadata"),
            (
                with(r#""metadata":{"a":[18446744073709551616]}"#),
                "metadata",
            ),
            (
                with(r#""metadata":{"a":-12345678901234567890.5}"#),
                "metadata",
            ),
            (with(r#""window_params":"digital""#), "window_params"),
            (with(r#""window_params":{"amount":1}"#), "window_params"),
            (
                with(r#""portone":"v2","window_params":{"customer":{"fullName":"x"}}"#),
                "window_params",
            ),
            (
                with(&format!(
                    r#""window_params":{{"a":"{}"}}"#,
                    "a".repeat(OBJECT_BYTES_MAX)
                )),
                "window_params",
            ),
            (
                with(r#""window_params":{"a":[18446744073709551616]}"#),
                "window_params",
            ),
            (
                with(r#""window_params":{"bypass":{"user":9007199254740993}}"#),
                "window_params",
            ),
            (with(r#""pay_method":"card; drop""#), "pay_method"),
            (with(r#""buyer":{"ssn":"1"}"#), "buyer"),
        ] {
            assert!(
                matches!(refused(&body), Refusal::Field(name, _) if name == field),
                "{body}"
            );
        }
        assert_eq!(
            refused(&with(r#""color":"red""#)),
            Refusal::UnknownField("color".to_owned())
        );
        // No browser reads it.
        let kept = with(r#""metadata":{"user":9007199254740993}"#);
        assert!(parse(kept.as_bytes(), now(), Portone::V1).is_ok());
    }
}
