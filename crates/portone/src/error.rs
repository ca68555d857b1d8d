//! What can go wrong between a caller and PortOne.

use std::{fmt, sync::Arc};

use crate::v2::ErrorType;

/// Characters of a message of PortOne's that are kept; the messages are written for people and have no documented length.
const MESSAGE_CHARS_MAX: usize = 300;

/// Why a call to PortOne brought no answer that can be used.
///
/// The variants are a closed list on purpose: whoever decides about a payment by the kind of an error should be told by
/// the compiler when a kind is added.
///
/// Neither `Display` nor `Debug` shows a key, a token, a URL or a value out of PortOne's answer, apart from its codes and
/// error messages; the messages are cut to a fixed length and stripped of control characters.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// PortOne said itself that there is no such record: V1 with a 404 in its envelope, V2 with a 404 and
    /// `PAYMENT_NOT_FOUND`. A 404 from anything in between is [`Error::Http`].
    #[error("PortOne has no such record")]
    NotFound,
    /// PortOne refused the credentials, or refused a token it had only just issued (401).
    #[error("PortOne refused the credentials")]
    Unauthorized,
    /// PortOne, or the PG behind it, understood the call and said no: by PortOne's word, nothing was done.
    #[error("PortOne rejected the call with {}: {}", .0.code, .0.message)]
    Rejected(Box<Rejection>),
    /// Any other answer that is not 2xx, redirects included. Also V2's 409 with `IDEMPOTENCY_OUTSTANDING_REQUEST`: the call
    /// that is still running may do what was asked for.
    #[error("PortOne answered with http status {status}: {message}")]
    Http {
        /// The HTTP status.
        status: u16,
        /// PortOne's code, if the answer was PortOne's own.
        code: Option<Code>,
        /// PortOne's message, or nothing.
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
    /// The call changes something, must not be made twice, and was on its way when something went wrong: PortOne may have
    /// acted on it or not. Ask for the payment before anything else; the source says what happened.
    ///
    /// Calls of V2 never end like this. They carry an [`IdempotencyKey`](crate::v2::IdempotencyKey), so the same call with
    /// the same key can be made again, for three hours.
    #[error("PortOne may have acted on the call or not")]
    FateUnknown(#[source] Box<Error>),
    /// The client or the call cannot be made from what was given. Nothing was sent.
    #[error("the call to PortOne cannot be made: {0}")]
    InvalidConfiguration(String),
}

/// What PortOne, or the PG behind it, said no with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The HTTP status. V1 says most of its noes with 200.
    pub status: u16,
    /// PortOne's code.
    pub code: Code,
    /// PortOne's message, or nothing. Written for people; the wording may change at any time.
    pub message: String,
    /// The PG's code, where it was the PG that said no (V2 `pgCode`).
    pub pg_code: Option<String>,
    /// The PG's message (V2 `pgMessage`).
    pub pg_message: Option<String>,
}

/// PortOne's own code of what went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// `code` of V1's envelope.
    V1(i64),
    /// `type` of V2's error body.
    V2(ErrorType),
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V1(code) => write!(formatter, "code {code}"),
            Self::V2(error_type) => write!(formatter, "{error_type}"),
        }
    }
}

impl Error {
    /// The call ran out of time.
    pub fn is_timeout(&self) -> bool {
        matches!(self.cause(), Self::Timeout)
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

    /// Nobody can say whether PortOne has acted on the call: ask before making it again.
    pub fn is_fate_unknown(&self) -> bool {
        matches!(self, Self::FateUnknown(_))
    }

    /// Whether the very same call may succeed later without anybody changing anything, and does no harm if the first one did
    /// arrive. For a call of V2 "the very same" includes its [`IdempotencyKey`](crate::v2::IdempotencyKey), and "later" ends
    /// three hours after the first one.
    ///
    /// [`Error::FateUnknown`] is therefore never retryable. [`Error::Garbled`] is, because what a load balancer says while
    /// PortOne is down is garbled too. When to try again and how often is [`retry::decide`](crate::retry::decide)'s.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout | Self::Connect(_) | Self::Interrupted(_) | Self::Garbled(_) => true,
            // The first call with this key is still running; its answer will be given to the second, too.
            Self::Http {
                code: Some(Code::V2(ErrorType::IdempotencyOutstandingRequest)),
                ..
            } => true,
            Self::Http { status, .. } => matches!(status, 408 | 425 | 429 | 500..),
            Self::NotFound
            | Self::Unauthorized
            | Self::Rejected(_)
            | Self::BodyTooLarge
            | Self::TooManyPages
            | Self::FateUnknown(_)
            | Self::InvalidConfiguration(_) => false,
        }
    }

    /// The HTTP status, where it is the reason.
    pub fn status(&self) -> Option<u16> {
        match self.cause() {
            Self::NotFound => Some(404),
            Self::Unauthorized => Some(401),
            Self::Http { status, .. } => Some(*status),
            Self::Rejected(rejection) => Some(rejection.status).filter(|status| *status >= 300),
            Self::Timeout
            | Self::Connect(_)
            | Self::Interrupted(_)
            | Self::Garbled(_)
            | Self::BodyTooLarge
            | Self::TooManyPages
            | Self::FateUnknown(_)
            | Self::InvalidConfiguration(_) => None,
        }
    }

    /// PortOne's code, where PortOne said one.
    pub fn code(&self) -> Option<&Code> {
        match self.cause() {
            Self::Rejected(rejection) => Some(&rejection.code),
            Self::Http { code, .. } => code.as_ref(),
            Self::NotFound
            | Self::Unauthorized
            | Self::Timeout
            | Self::Connect(_)
            | Self::Interrupted(_)
            | Self::Garbled(_)
            | Self::BodyTooLarge
            | Self::TooManyPages
            | Self::FateUnknown(_)
            | Self::InvalidConfiguration(_) => None,
        }
    }

    /// V2's `type` of what went wrong, such as `ALREADY_PAID`, where PortOne said one.
    pub fn error_type(&self) -> Option<&ErrorType> {
        match self.code()? {
            Code::V1(_) => None,
            Code::V2(error_type) => Some(error_type),
        }
    }

    fn cause(&self) -> &Self {
        match self {
            Self::FateUnknown(cause) => cause,
            cause => cause,
        }
    }

    /// The same error of a call that was sent and must not be made twice.
    pub(crate) fn of_a_call_made_once(self) -> Self {
        let settled = match &self {
            Self::NotFound
            | Self::Unauthorized
            | Self::Rejected(_)
            | Self::Connect(_)
            | Self::InvalidConfiguration(_)
            | Self::FateUnknown(_) => true,
            // 408 is said by things in between as well, about a call that they may have passed on.
            Self::Http { status, .. } => matches!(status, 400..=407 | 409..=499),
            Self::Timeout
            | Self::Interrupted(_)
            | Self::Garbled(_)
            | Self::BodyTooLarge
            | Self::TooManyPages => false,
        };
        if settled {
            self
        } else {
            Self::FateUnknown(Box::new(self))
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

    fn http(status: u16) -> Error {
        Error::Http {
            status,
            code: None,
            message: String::new(),
        }
    }

    fn rejected(code: Code) -> Error {
        Error::Rejected(Box::new(Rejection {
            status: 409,
            code,
            message: String::new(),
            pg_code: None,
            pg_message: None,
        }))
    }

    fn connect() -> Error {
        Error::Connect(Arc::new(std::io::Error::other("refused")))
    }

    #[test]
    fn a_long_message_is_cut_by_characters_and_cannot_break_a_log_line() {
        let message = format!("가\r\n{}", "나".repeat(1000));

        let cleaned = clean_message(&message);

        assert_eq!(cleaned.chars().count(), MESSAGE_CHARS_MAX);
        assert!(cleaned.starts_with("가  나"));
    }

    #[test]
    fn trying_again_helps_only_where_the_cause_can_pass() {
        for passing in [
            Error::Timeout,
            Error::garbled("x"),
            connect(),
            http(408),
            http(429),
            http(500),
            http(503),
            Error::Http {
                status: 409,
                code: Some(Code::V2(ErrorType::IdempotencyOutstandingRequest)),
                message: String::new(),
            },
        ] {
            assert!(passing.is_retryable(), "{passing:?}");
        }
        for lasting in [
            Error::NotFound,
            Error::Unauthorized,
            rejected(Code::V1(1)),
            rejected(Code::V2(ErrorType::PgProvider)),
            Error::BodyTooLarge,
            Error::FateUnknown(Box::new(Error::Timeout)),
            http(302),
            http(400),
            http(404),
            http(409),
        ] {
            assert!(!lasting.is_retryable(), "{lasting:?}");
        }
    }

    #[test]
    fn each_question_has_one_answer() {
        let asked = |error: &Error| {
            [
                error.is_timeout(),
                error.is_connect(),
                error.is_not_found(),
                error.is_unauthorized(),
                error.is_fate_unknown(),
            ]
        };
        for (error, expected) in [
            (Error::Timeout, [true, false, false, false, false]),
            (connect(), [false, true, false, false, false]),
            (Error::NotFound, [false, false, true, false, false]),
            (Error::Unauthorized, [false, false, false, true, false]),
            (
                Error::FateUnknown(Box::new(http(500))),
                [false, false, false, false, true],
            ),
            (http(404), [false; 5]),
        ] {
            assert_eq!(asked(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn a_rejection_is_shown_with_portones_code() {
        for (code, shown) in [
            (Code::V1(-1), "code -1"),
            (Code::V2(ErrorType::AlreadyPaid), "ALREADY_PAID"),
        ] {
            let error = rejected(code.clone());
            assert_eq!(
                error.to_string(),
                format!("PortOne rejected the call with {shown}: ")
            );
            assert_eq!((error.code(), error.status()), (Some(&code), Some(409)));
        }
    }

    #[test]
    fn a_call_made_once_has_an_unknown_fate_unless_portone_said_no_or_never_saw_it() {
        for unknown in [
            Error::Timeout,
            Error::Interrupted(Arc::new(std::io::Error::other("reset"))),
            Error::garbled("x"),
            Error::BodyTooLarge,
            http(302),
            http(408),
            http(500),
            http(502),
            http(504),
        ] {
            let error = unknown.clone().of_a_call_made_once();
            assert!(
                error.is_fate_unknown() && !error.is_retryable(),
                "{unknown:?}"
            );
            assert_eq!(error.is_timeout(), unknown.is_timeout(), "{unknown:?}");
            assert_eq!(error.status(), unknown.status(), "{unknown:?}");
        }
        for known in [
            Error::NotFound,
            Error::Unauthorized,
            connect(),
            rejected(Code::V1(-1)),
            http(400),
            http(403),
            http(429),
        ] {
            let error = known.clone().of_a_call_made_once();
            assert!(!error.is_fate_unknown(), "{known:?}");
        }
    }
}
