//! The other side of verification, for tests, local stand-ins of PortOne, and a merchant's own webhooks.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::SecretString;

use super::signature::{ID, Keys, SCHEME, SIGNATURE, SecretError, TIMESTAMP};

/// Signs webhooks as PortOne does. `Debug` shows nothing.
///
/// ```
/// use portone::webhook::{Signer, Verifier};
///
/// let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// let body = br#"{"test": 2432232314}"#;
/// let headers = Signer::new([secret])?.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
/// assert_eq!(headers.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
///
/// Verifier::new([secret])?.verify(&headers, body, 1_614_265_330)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Signer(Keys);

/// The headers of a signed webhook. As `&SignedHeaders` it yields them as pairs of name and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeaders {
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`, UNIX seconds.
    pub timestamp: String,
    /// `webhook-signature`: one signature for each secret, separated by a space.
    pub signature: String,
}

impl Signer {
    /// Signs with each of these secrets; both the old and the new one while a secret is being replaced.
    ///
    /// # Errors
    /// [`SecretError`], if there is no secret, or one is not usable.
    pub fn new<S: Into<SecretString>>(
        secrets: impl IntoIterator<Item = S>,
    ) -> Result<Self, SecretError> {
        Keys::parse(secrets).map(Self)
    }

    /// The headers to send with `body`. `id` stays the same when a webhook is sent again, `unix_seconds` is the time of
    /// this attempt.
    pub fn sign(&self, id: &str, unix_seconds: i64, body: &[u8]) -> SignedHeaders {
        let timestamp = unix_seconds.to_string();
        let signatures: Vec<String> = self
            .0
            .codes(id, &timestamp, body)
            .map(|code| format!("{SCHEME},{}", STANDARD.encode(code.as_bytes())))
            .collect();
        SignedHeaders {
            id: id.to_owned(),
            timestamp,
            signature: signatures.join(" "),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl<'a> IntoIterator for &'a SignedHeaders {
    type Item = (&'static str, &'a str);
    type IntoIter = std::array::IntoIter<Self::Item, 3>;

    fn into_iter(self) -> Self::IntoIter {
        [
            (ID, self.id.as_str()),
            (TIMESTAMP, self.timestamp.as_str()),
            (SIGNATURE, self.signature.as_str()),
        ]
        .into_iter()
    }
}
