//! What can go wrong between a caller and PortOne.

use std::sync::Arc;

/// Characters of a message of PortOne's that are kept; the messages are written for people and have no documented length.
const MESSAGE_CHARS_MAX: usize = 300;

/// Why a call to PortOne brought no answer that can be used.
///
/// The variants are a closed list on purpose: whoever decides about a payment by the kind of an error should be told by
/// the compiler when a kind is added.
///
/// Neither `Display` nor `Debug` shows a key, a token, an address or a value out of PortOne's answer, apart from its
/// error message, which is cut to a fixed length and stripped of control characters.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// PortOne said itself, in its own envelope, that there is no such record (404). A 404 from anything in between is
    /// [`Error::Http`].
    #[error("PortOne has no such record")]
    NotFound,
    /// PortOne refused the REST key and secret, or refused a token it had only just issued (401).
    #[error("PortOne refused the credentials")]
    Unauthorized,
    /// PortOne understood the call and said no: a 2xx answer with a `code` other than 0.
    #[error("PortOne rejected the call with code {code}: {message}")]
    Rejected {
        /// PortOne's `code`.
        code: i64,
        /// PortOne's `message`, or nothing.
        message: String,
    },
    /// Any other answer that is not 2xx, redirects included.
    #[error("PortOne answered with http status {status}: {message}")]
    Http {
        /// The HTTP status.
        status: u16,
        /// PortOne's `code`, if the body was its envelope.
        code: Option<i64>,
        /// PortOne's `message`, or nothing.
        message: String,
    },
    /// The call, its token and its body included, was not complete in time. PortOne may have acted on it.
    #[error("PortOne did not answer in time")]
    Timeout,
    /// No connection came about, so PortOne has not seen the call.
    #[error("could not connect to PortOne")]
    Connect(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The connection broke before the answer was complete. PortOne may have acted on the call.
    #[error("the connection to PortOne broke")]
    Interrupted(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The answer is not what the API promises. The text names the field or the position, never a value.
    #[error("PortOne's answer makes no sense: {0}")]
    Garbled(String),
    /// The body of the answer is longer than a client of this API needs to accept.
    #[error("PortOne's answer is too large")]
    BodyTooLarge,
    /// A list has more pages than the client reads. Nothing is returned, because a part would look like the whole.
    #[error("PortOne's list has too many pages")]
    TooManyPages,
    /// The client cannot be built from what it was given.
    #[error("the PortOne client is not configured correctly: {0}")]
    InvalidConfiguration(String),
}

impl Error {
    /// The call ran out of time.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// No connection came about, so PortOne has not seen the call.
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Connect(_))
    }

    /// PortOne says that the record does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound)
    }

    /// PortOne does not accept the credentials.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Unauthorized)
    }

    /// Whether the same call may succeed later without anybody changing anything.
    ///
    /// This is about the cause alone. Whether repeating is harmless depends on the call: reading always is.
    /// [`Error::Garbled`] counts, because what a load balancer says while PortOne is down is garbled too.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout | Self::Connect(_) | Self::Interrupted(_) | Self::Garbled(_) => true,
            Self::Http { status, .. } => matches!(status, 408 | 425 | 429 | 500..),
            Self::NotFound
            | Self::Unauthorized
            | Self::Rejected { .. }
            | Self::BodyTooLarge
            | Self::TooManyPages
            | Self::InvalidConfiguration(_) => false,
        }
    }

    /// The HTTP status, where it is the reason.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::NotFound => Some(404),
            Self::Unauthorized => Some(401),
            Self::Http { status, .. } => Some(*status),
            Self::Rejected { .. }
            | Self::Timeout
            | Self::Connect(_)
            | Self::Interrupted(_)
            | Self::Garbled(_)
            | Self::BodyTooLarge
            | Self::TooManyPages
            | Self::InvalidConfiguration(_) => None,
        }
    }

    pub(crate) fn garbled(reason: impl Into<String>) -> Self {
        Self::Garbled(reason.into())
    }
}

/// A message of PortOne's, safe for a log line: bounded, and without line breaks or other control characters.
pub(crate) fn clean_message(message: &str) -> String {
    message
        .chars()
        .take(MESSAGE_CHARS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_by_characters_and_cannot_break_a_log_line() {
        let message = format!("가\r\n{}", "나".repeat(1000));

        let cleaned = clean_message(&message);

        assert_eq!(cleaned.chars().count(), MESSAGE_CHARS_MAX);
        assert!(cleaned.starts_with("가  나"));
    }

    #[test]
    fn trying_again_helps_only_where_the_cause_can_pass() {
        let http = |status| Error::Http {
            status,
            code: None,
            message: String::new(),
        };

        for passing in [
            Error::Timeout,
            Error::garbled("x"),
            http(408),
            http(429),
            http(500),
            http(503),
        ] {
            assert!(passing.is_retryable(), "{passing:?}");
        }
        for lasting in [
            Error::NotFound,
            Error::Unauthorized,
            Error::Rejected {
                code: 1,
                message: String::new(),
            },
            Error::BodyTooLarge,
            http(302),
            http(400),
            http(404),
        ] {
            assert!(!lasting.is_retryable(), "{lasting:?}");
        }
    }
}
