//! Standard Webhooks: three headers prove that whoever posted the body has the secret.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac, digest::CtOutput};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

pub(super) const ID: &str = "webhook-id";
pub(super) const TIMESTAMP: &str = "webhook-timestamp";
pub(super) const SIGNATURE: &str = "webhook-signature";
const NAMES: [&str; 3] = [ID, TIMESTAMP, SIGNATURE];

/// How far, in seconds, `webhook-timestamp` may be from the receiver's clock in either direction. Exactly this far is
/// still accepted, as in PortOne's own libraries.
pub const TIMESTAMP_TOLERANCE_SECONDS: i64 = 300;

/// What the secret begins with where it is shown to people; not part of the key.
const SECRET_PREFIX: &str = "whsec_";
/// The specification asks for 24; the secret in the tests of PortOne's own libraries has 16.
const KEY_BYTES_MIN: usize = 16;
/// PortOne lets a merchant have two at a time.
const SECRETS_MAX: usize = 8;
const ID_BYTES_MAX: usize = 256;
/// The digits of the largest `i64`.
const TIMESTAMP_BYTES_MAX: usize = 19;
/// Room for every signature that is looked at, and for longer ones of other schemes between them.
const SIGNATURE_BYTES_MAX: usize = 4096;
/// PortOne signs with at most two secrets at a time.
const SIGNATURES_MAX: usize = 32;

/// The only scheme with a shared secret.
pub(super) const SCHEME: &str = "v1";
type Code = CtOutput<Hmac<Sha256>>;

/// Checks the signature of webhooks. Cheap to clone; `Debug` shows nothing.
///
/// It does no I/O and looks at no clock. It cannot see a replay within the tolerance: whoever acts on a webhook keeps the
/// [`Delivery::id`] and does nothing the second time.
///
/// ```
/// use portone::webhook::{Signer, VerificationError, Verifier};
///
/// let verifier = Verifier::new(["whsec_pzQGE83cSIRKM4/WH5QY+g=="])?;
/// let headers = [
///     ("webhook-id", "wh-0004"),
///     ("webhook-timestamp", "1714039203"),
///     ("webhook-signature", "v1,tC5b9wWQEbkD+R7v3+Ed/TrLq/8dvQvhFzX9M16l7G8="),
/// ];
/// let body = br#"{"payment_id":"order-1001","tx_id":"tx-1","status":"Paid"}"#;
///
/// let delivery = verifier.verify(headers, body, 1_714_039_210)?;
/// assert_eq!(delivery.id, "wh-0004");
///
/// let an_hour_later = verifier.verify(headers, body, 1_714_042_810);
/// assert_eq!(an_hour_later, Err(VerificationError::TooOld));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Verifier(Keys);

/// A webhook that was signed with the secret, for this body, at about this time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// `webhook-id`: the same for every attempt to deliver the webhook, so it tells a repetition.
    pub id: String,
    /// `webhook-timestamp`: when this attempt was made, in UNIX seconds.
    pub timestamp: i64,
}

/// Why a webhook was not shown to be PortOne's. Repeats nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerificationError {
    /// A header that must be there is not.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// A header is there twice, and something in between may have looked at the other one.
    #[error("the header {0} is there twice")]
    DuplicateHeader(&'static str),
    /// A header is empty, too long, or has characters that do not belong into it, as a full stop in `webhook-id`.
    #[error("the header {0} is malformed")]
    MalformedHeader(&'static str),
    /// Sent more than [`TIMESTAMP_TOLERANCE_SECONDS`] before now.
    #[error("the webhook is too old")]
    TooOld,
    /// Sent more than [`TIMESTAMP_TOLERANCE_SECONDS`] after now: a clock is wrong.
    #[error("the webhook is from the future")]
    TooNew,
    /// No signature fits any secret: somebody else's webhook, a changed body, or another secret.
    #[error("no signature of the webhook fits")]
    NoMatchingSignature,
}

/// Why a text is no secret. Shows nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No secret was given.
    #[error("there is no webhook secret")]
    None,
    /// More secrets than PortOne can have issued.
    #[error("there are more than {SECRETS_MAX} webhook secrets")]
    TooMany,
    /// Not standard base64, with or without `whsec_` before it.
    #[error("a webhook secret is not base64")]
    NotBase64,
    /// The key has fewer than 16 bytes. Above all an empty one, with which anybody can sign.
    #[error("a webhook secret has fewer than {KEY_BYTES_MIN} bytes")]
    TooShort,
}

impl Verifier {
    /// Accepts webhooks that are signed with any of these secrets, as PortOne's console shows them.
    ///
    /// Several are for the time in which a secret is replaced: both are given until the old one has expired.
    ///
    /// # Errors
    /// [`SecretError`], if there is no secret, or one is not usable.
    pub fn new<S: Into<SecretString>>(
        secrets: impl IntoIterator<Item = S>,
    ) -> Result<Self, SecretError> {
        Keys::parse(secrets).map(Self)
    }

    /// Checks that `body` was signed with one of the secrets, at most [`TIMESTAMP_TOLERANCE_SECONDS`] away from
    /// `now_unix_seconds`.
    ///
    /// `headers` is anything that yields names and values: `&http::HeaderMap` of any version of `http`, or an array of
    /// pairs. `body` is what arrived, byte by byte.
    ///
    /// # Errors
    /// [`VerificationError`]; the webhook must not be acted upon, and PortOne's guide answers it with 400.
    pub fn verify<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        headers: impl IntoIterator<Item = (N, V)>,
        body: &[u8],
        now_unix_seconds: i64,
    ) -> Result<Delivery, VerificationError> {
        let [id, timestamp, signatures] = the_headers(headers)?;
        let id = visible_text(ID, id.as_ref(), ID_BYTES_MAX)?;
        let timestamp = visible_text(TIMESTAMP, timestamp.as_ref(), TIMESTAMP_BYTES_MAX)?;
        let signatures = visible_text(SIGNATURE, signatures.as_ref(), SIGNATURE_BYTES_MAX)?;
        // The specification keeps full stops out of ids: they separate the parts of what is signed, and with one in the id
        // a part of one webhook's body could be passed off as the timestamp of another.
        if id.contains(['.', ' ']) {
            return Err(VerificationError::MalformedHeader(ID));
        }
        let sent_at = unix_seconds(timestamp)?;

        if now_unix_seconds.saturating_sub(sent_at) > TIMESTAMP_TOLERANCE_SECONDS {
            return Err(VerificationError::TooOld);
        }
        if sent_at.saturating_sub(now_unix_seconds) > TIMESTAMP_TOLERANCE_SECONDS {
            return Err(VerificationError::TooNew);
        }
        let signatures = codes(signatures)?;
        let genuine = self
            .0
            .codes(id, timestamp, body)
            .any(|expected| signatures.contains(&expected));
        if !genuine {
            return Err(VerificationError::NoMatchingSignature);
        }
        Ok(Delivery {
            id: id.to_owned(),
            timestamp: sent_at,
        })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// The keys of one or more secrets.
#[derive(Clone)]
pub(super) struct Keys(Arc<[SecretSlice<u8>]>);

impl Keys {
    pub(super) fn parse<S: Into<SecretString>>(
        secrets: impl IntoIterator<Item = S>,
    ) -> Result<Self, SecretError> {
        let keys: Vec<_> = secrets
            .into_iter()
            .take(SECRETS_MAX + 1)
            .map(|secret| key(&secret.into()))
            .collect::<Result<_, _>>()?;
        match keys.len() {
            0 => Err(SecretError::None),
            1..=SECRETS_MAX => Ok(Self(keys.into())),
            _ => Err(SecretError::TooMany),
        }
    }

    /// The code of a webhook by each key. Comparing them takes the same time wherever they differ.
    pub(super) fn codes(
        &self,
        id: &str,
        timestamp: &str,
        body: &[u8],
    ) -> impl Iterator<Item = Code> {
        self.0.iter().map(move |key| {
            let mut code = Hmac::<Sha256>::new_from_slice(key.expose_secret())
                .expect("HMAC has keys of any length");
            for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                code.update(part);
            }
            code.finalize()
        })
    }
}

fn key(secret: &SecretString) -> Result<SecretSlice<u8>, SecretError> {
    let secret = secret.expose_secret();
    let base64 = secret.strip_prefix(SECRET_PREFIX).unwrap_or(secret);
    let key = STANDARD
        .decode(base64)
        .map(SecretSlice::from)
        .map_err(|_| SecretError::NotBase64)?;
    if key.expose_secret().len() < KEY_BYTES_MIN {
        return Err(SecretError::TooShort);
    }
    Ok(key)
}

/// The three headers, each exactly once.
fn the_headers<N: AsRef<str>, V>(
    headers: impl IntoIterator<Item = (N, V)>,
) -> Result<[V; 3], VerificationError> {
    let mut found = NAMES.map(|_| None);
    for (name, value) in headers {
        let position = NAMES
            .iter()
            .position(|known| name.as_ref().eq_ignore_ascii_case(known));
        if let Some(position) = position
            && found[position].replace(value).is_some()
        {
            return Err(VerificationError::DuplicateHeader(NAMES[position]));
        }
    }
    let [id, timestamp, signature] = found;
    Ok([
        id.ok_or(VerificationError::MissingHeader(ID))?,
        timestamp.ok_or(VerificationError::MissingHeader(TIMESTAMP))?,
        signature.ok_or(VerificationError::MissingHeader(SIGNATURE))?,
    ])
}

/// Printable ASCII, spaces included, and not nothing.
fn visible_text<'a>(
    name: &'static str,
    value: &'a [u8],
    bytes_max: usize,
) -> Result<&'a str, VerificationError> {
    let printable = value
        .iter()
        .all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    match std::str::from_utf8(value) {
        Ok(text) if printable && (1..=bytes_max).contains(&text.len()) => Ok(text),
        _ => Err(VerificationError::MalformedHeader(name)),
    }
}

/// Digits alone: `parse` would also take a sign.
fn unix_seconds(text: &str) -> Result<i64, VerificationError> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
        .ok_or(VerificationError::MalformedHeader(TIMESTAMP))
}

/// Every signature that can be one of ours. Other schemes and broken entries are passed over: there may be a good one.
fn codes(signatures: &str) -> Result<Vec<Code>, VerificationError> {
    let entries: Vec<&str> = signatures.split(' ').take(SIGNATURES_MAX + 1).collect();
    if entries.len() > SIGNATURES_MAX {
        return Err(VerificationError::MalformedHeader(SIGNATURE));
    }
    let codes = entries.into_iter().filter_map(|entry| {
        let (scheme, base64) = entry.split_once(',')?;
        let code = STANDARD.decode(base64).ok().filter(|_| scheme == SCHEME)?;
        let code: [u8; 32] = code.try_into().ok()?;
        Some(Code::new(code.into()))
    });
    Ok(codes.collect())
}
