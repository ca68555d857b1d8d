//! Rest that PortOne asks for: 429 with `Retry-After`.
//! <https://www.rfc-editor.org/rfc/rfc6585#section-4>, <https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3>

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::fmt::rfc2822;
use reqwest::{
    Response, StatusCode,
    header::{DATE, RETRY_AFTER},
};
use tokio::time::Instant;

/// Longest rest that is kept, whatever is asked for: a mistake there must not stop a shop for a day.
const REST_MAX: Duration = Duration::from_secs(600);

/// Until when nothing is sent. 429 without `Retry-After` asks for none: when to try again is then the caller's to decide.
#[derive(Debug, Default)]
pub(super) struct Rest {
    until: Mutex<Option<Instant>>,
}

impl Rest {
    /// Whether nothing is to be sent now.
    pub(super) fn lasts(&self, now: Instant) -> bool {
        // Every write is a single assignment, so a panic elsewhere leaves nothing half done.
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| now < until)
    }

    /// Takes note of what an answer asks for. An answer to a call that was under way before ends no rest.
    pub(super) fn hear(&self, response: &Response, now: Instant) {
        if response.status() != StatusCode::TOO_MANY_REQUESTS {
            return;
        }
        let header = |name| response.headers().get(name)?.to_str().ok();
        let asked = header(RETRY_AFTER).and_then(|text| duration(text, header(DATE)));
        if let Some(asked) = asked {
            let until = now + asked.min(REST_MAX);
            *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
    }
}

/// How long that is: seconds, or until a date, counted from the answer's own.
fn duration(text: &str, date: Option<&str>) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let [until, from] = [text, date?].map(|text| rfc2822::parse(text.trim()).ok());
    let rest = until?.timestamp().duration_since(from?.timestamp());
    Duration::try_from(rest).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read() {
        let date = Some("Sun, 22 Nov 2026 10:00:00 GMT");
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 22 Nov 2026 10:01:30 GMT", Some(90)),
            ("Sun, 22 Nov 2026 09:59:30 GMT", None),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(
                duration(text, date),
                seconds.map(Duration::from_secs),
                "{text:?}"
            );
        }
        assert_eq!(duration("Sun, 22 Nov 2026 10:01:30 GMT", None), None);
    }
}
