//! Whether to make a call again, and after how long.
//!
//! The clients of this crate repeat nothing on their own, so that a caller knows how often something was asked for and how
//! long it took. This is the decision, and only that: no clock, no randomness, no waiting.
//!
//! ```
//! use std::time::Duration;
//!
//! use portone::{Error, retry::{self, Repeat}};
//!
//! // The first call timed out: again, after 100 to 200 ms. The draw is anything random.
//! let wait = retry::decide(Repeat::Harmless, 1, &Error::Timeout, 0x8000_0000);
//! assert_eq!(wait.map(|wait| wait.as_millis()), Some(150));
//!
//! // It changed something that must not be changed twice: look first.
//! assert_eq!(retry::decide(Repeat::Harmful, 1, &Error::Timeout, 0), None);
//! ```

use std::time::Duration;

use crate::Error;

/// Calls that are made in all, the first one included.
pub const ATTEMPTS_MAX: u32 = 5;
/// The longest wait after the first call. Each later one doubles it.
pub const WAIT_FIRST: Duration = Duration::from_millis(200);

/// What making a call a second time would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Nothing more than making it once: a call that only reads, one that sets something to a value, or a call of V2 with
    /// the same [`IdempotencyKey`](crate::v2::IdempotencyKey) as before, within three hours of the first.
    Harmless,
    /// The same thing again: [`v1::Client::cancel`](crate::v1::Client::cancel) and
    /// [`v1::Client::issue_vbank`](crate::v1::Client::issue_vbank), and a call of V2 with another key or after three hours.
    Harmful,
}

/// How long to wait before the call is made again, or `None` if it should not be.
///
/// `attempt` is how many calls were made so far, `error` what the last one ended with, and `draw` a random number, which
/// spreads the calls of many callers: the wait is between half of and all of `WAIT_FIRST * 2^(attempt - 1)`.
///
/// A call that must not be made twice is made again only if PortOne certainly has not acted on it.
pub fn decide(repeat: Repeat, attempt: u32, error: &Error, draw: u32) -> Option<Duration> {
    let again = match repeat {
        Repeat::Harmless => error.is_retryable(),
        Repeat::Harmful => was_not_acted_on(error),
    };
    if !again || attempt >= ATTEMPTS_MAX {
        return None;
    }
    let longest = WAIT_FIRST * 2_u32.pow(attempt.saturating_sub(1));
    let half = longest / 2;
    Some(half + half.mul_f64(f64::from(draw) / f64::from(u32::MAX)))
}

/// Whether the call would have succeeded but for something that passes, and certainly did nothing.
fn was_not_acted_on(error: &Error) -> bool {
    match error {
        Error::Connect(_) => true,
        Error::Http { status, .. } => matches!(status, 425 | 429),
        Error::NotFound
        | Error::Unauthorized
        | Error::Rejected(_)
        | Error::Timeout
        | Error::Interrupted(_)
        | Error::Garbled(_)
        | Error::BodyTooLarge
        | Error::TooManyPages
        | Error::FateUnknown(_)
        | Error::InvalidConfiguration(_) => false,
    }
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

    fn milliseconds(attempt: u32, draw: u32) -> Option<u128> {
        decide(Repeat::Harmless, attempt, &Error::Timeout, draw).map(|wait| wait.as_millis())
    }

    #[test]
    fn each_wait_is_twice_as_long_and_half_of_it_is_drawn() {
        let bounds: Vec<_> = (1..=6)
            .map(|attempt| (milliseconds(attempt, 0), milliseconds(attempt, u32::MAX)))
            .collect();

        assert_eq!(
            bounds,
            [
                (Some(100), Some(200)),
                (Some(200), Some(400)),
                (Some(400), Some(800)),
                (Some(800), Some(1600)),
                (None, None),
                (None, None),
            ]
        );
    }

    #[test]
    fn a_call_that_may_have_done_something_is_not_made_twice() {
        let connect = Error::Connect(std::sync::Arc::new(std::io::Error::other("refused")));
        for nothing_done in [connect, http(425), http(429)] {
            assert!(
                decide(Repeat::Harmful, 1, &nothing_done, 0).is_some(),
                "{nothing_done:?}"
            );
        }
        for perhaps in [
            Error::Timeout,
            Error::garbled("x"),
            Error::FateUnknown(Box::new(Error::Timeout)),
            http(408),
            http(500),
            http(503),
        ] {
            assert_eq!(decide(Repeat::Harmful, 1, &perhaps, 0), None, "{perhaps:?}");
        }
    }

    #[test]
    fn what_will_not_pass_is_not_tried_again() {
        for lasting in [Error::NotFound, Error::Unauthorized, http(400)] {
            for repeat in [Repeat::Harmless, Repeat::Harmful] {
                assert_eq!(decide(repeat, 1, &lasting, 0), None, "{lasting:?}");
            }
        }
    }
}
