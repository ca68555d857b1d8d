//! What PortOne posts to the merchant's server: webhooks, and the question before an approval ("confirm process").
//!
//! | | V1 | V2 |
//! | --- | --- | --- |
//! | says who it is | no | yes: [`Verifier`] |
//! | a webhook | [`v1::parse`] | [`v2::parse`] |
//! | the question before an approval | [`v1::parse_confirm`] | [`v2::parse_confirm`] |
//!
//! **A webhook is a reason to ask PortOne, never an answer.** It carries no amount, may be late, doubled or overtaken by a
//! later one, and in V1 anybody can have sent it. Take the id from it, fetch the payment with
//! [`v1::Client`](crate::v1::Client) or [`v2::Client`](crate::v2::Client), and decide on that alone.
//!
//! Verify before parsing, and over the bytes as they arrived: JSON that was read and written again has another signature.
//!
//! Nothing in here does I/O or looks at a clock.
//!
//! <https://developers.portone.io/opi/ko/integration/webhook/readme-v1>,
//! <https://developers.portone.io/opi/ko/integration/webhook/readme-v2>

mod signature;
mod signer;
pub mod v1;
pub mod v2;

pub use signature::{
    Delivery, SecretError, TIMESTAMP_TOLERANCE_SECONDS, VerificationError, Verifier,
};
pub use signer::{SignedHeaders, Signer};

use crate::fields::{self, Field, Unreadable};

/// Largest body that is read. PortOne's have a few hundred bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Why a body is not what PortOne sends. Names the field, never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than [`BODY_BYTES_MAX`].
    #[error("the body is longer than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// JSON was announced or begun, and it is not one JSON object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// More fields than a reader of such bodies needs to accept.
    #[error("the body has too many fields")]
    TooManyFields,
    /// A field occurs twice, and another reader might take the other one.
    #[error("the body has a field twice")]
    FieldTwice,
    /// A field that must be there is absent, null or empty.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field is there, but cannot be what PortOne means by it.
    #[error("{0} is not what it should be")]
    Invalid(&'static str),
}

/// The fields of a body, each name once.
struct Body(Vec<Field>);

impl Body {
    /// Reads JSON if the content type says so or the body begins like it, and a form otherwise.
    fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Self, BodyError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(BodyError::TooLarge);
        }
        let begins_like_json = body.trim_ascii_start().first() == Some(&b'{');
        if begins_like_json || content_type.is_some_and(fields::is_json) {
            Self::parse_object(body)
        } else {
            Self::new(fields::from_form(body))
        }
    }

    fn parse_object(json: &[u8]) -> Result<Self, BodyError> {
        Self::new(fields::from_json(json))
    }

    fn new(fields: Result<Vec<Field>, Unreadable>) -> Result<Self, BodyError> {
        let fields = fields.map_err(|unreadable| match unreadable {
            Unreadable::NotAnObject => BodyError::NotAnObject,
            Unreadable::TooMany => BodyError::TooManyFields,
        })?;
        if fields::has_a_name_twice(&fields) {
            return Err(BodyError::FieldTwice);
        }
        Ok(Self(fields))
    }

    fn field(&self, name: &str) -> Option<&Field> {
        self.0
            .iter()
            .find(|field| field.name == name && !field.is_empty())
    }

    /// A field that something depends on: absent or right.
    fn optional<T, E>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, BodyError> {
        let Some(field) = self.field(name) else {
            return Ok(None);
        };
        let text = field.exact_text().map_err(|_| BodyError::Invalid(name))?;
        parse(text).map(Some).map_err(|_| BodyError::Invalid(name))
    }

    /// A field that must be there and be right.
    fn required<T, E>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, BodyError> {
        self.optional(name, parse)?.ok_or(BodyError::Missing(name))
    }

    /// Text that nothing depends on.
    fn text(&self, name: &str) -> Option<String> {
        self.field(name)?.exact_text().ok().map(str::to_owned)
    }

    /// Whatever else is there.
    fn others(&self, known: &[&str]) -> impl Iterator<Item = &Field> {
        self.0
            .iter()
            .filter(|field| !known.contains(&field.name.as_str()))
    }
}
