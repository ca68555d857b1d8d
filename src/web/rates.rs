//! How often one key may call the API. Counted in memory, per process, for whole minutes; every answer says how much is left.
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// How long a count goes on.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// Keys whose counts are remembered. Only keys that open something are counted, and a shop has a few.
const KEYS_MAX: usize = 10_000;

/// A key, by its digest.
pub type KeyDigest = [u8; 32];

/// The calls of each key in its present minute.
#[derive(Debug, Default)]
pub struct Rates(Mutex<HashMap<KeyDigest, Window>>);

#[derive(Debug, Clone, Copy)]
struct Window {
    began_at: Timestamp,
    calls: u32,
}

/// How a key stands after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Calls in a minute.
    pub quota: u32,
    /// Calls that are left of them.
    pub left: u32,
    /// Seconds until there are all of them again.
    pub reset_seconds: i64,
    /// Whether this call is one too many.
    pub is_over: bool,
}

impl Rates {
    /// Counts a call.
    pub fn take(&self, key: KeyDigest, quota: u32, now: Timestamp) -> Standing {
        let mut windows = self.0.lock();
        if windows.len() >= KEYS_MAX && !windows.contains_key(&key) {
            windows.retain(|_, window| window.is_open(now));
        }
        let fresh = Window {
            began_at: now,
            calls: 0,
        };
        let window = windows.entry(key).or_insert(fresh);
        if !window.is_open(now) {
            *window = fresh;
        }
        window.calls = window.calls.saturating_add(1);
        let left = WINDOW - now.duration_since(window.began_at);
        Standing {
            quota,
            left: quota.saturating_sub(window.calls),
            // Rounded up: who waits for so long is heard again.
            reset_seconds: left.as_secs() + i64::from(left.subsec_nanos() > 0),
            is_over: window.calls > quota,
        }
    }
}

impl Window {
    /// A clock that was set back must not keep it open for longer.
    fn is_open(&self, now: Timestamp) -> bool {
        (SignedDuration::ZERO..WINDOW).contains(&now.duration_since(self.began_at))
    }
}

/// Where whoever finds out whose call it is leaves how that key stands.
#[derive(Debug, Clone, Default)]
pub struct Told(Arc<Mutex<Option<Standing>>>);

impl Told {
    /// Leaves it.
    pub fn put(&self, standing: Standing) {
        *self.0.lock() = Some(standing);
    }
}

/// Says in the answer how the key stands that the call was made with.
pub async fn tell(mut request: Request, next: Next) -> Response {
    let told = Told::default();
    request.extensions_mut().insert(told.clone());
    let mut response = next.run(request).await;
    let Some(standing) = *told.0.lock() else {
        return response;
    };
    let Standing {
        quota,
        left,
        reset_seconds,
        ..
    } = standing;
    let is_refused = response.status() == StatusCode::TOO_MANY_REQUESTS;
    let headers = response.headers_mut();
    let window = WINDOW.as_secs();
    for (name, value) in [
        (RATE_LIMIT_POLICY, format!("\"key\";q={quota};w={window}")),
        (RATE_LIMIT, format!("\"key\";r={left};t={reset_seconds}")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    if is_refused {
        headers.insert(RETRY_AFTER, HeaderValue::from(reset_seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::fixtures::at;

    #[test]
    fn a_key_has_its_quota_in_each_minute_and_takes_nothing_from_others() {
        let rates = Rates::default();
        let over = |key: u8, second: i64| rates.take([key; 32], 3, at(second)).is_over;

        let first: Vec<bool> = (0..5).map(|second| over(1, second)).collect();
        assert_eq!(first, [false, false, false, true, true]);
        assert!(!over(2, 5));
        assert!(over(1, 59) && !over(1, 60));
    }

    #[test]
    fn it_is_said_what_is_left_and_when_it_is_whole_again() {
        let rates = Rates::default();
        let take = |second: i64| rates.take([1; 32], 2, at(second));

        let standing = |left, reset_seconds, is_over| Standing {
            quota: 2,
            left,
            reset_seconds,
            is_over,
        };
        assert_eq!(take(0), standing(1, 60, false));
        assert_eq!(take(20), standing(0, 40, false));
        assert_eq!(take(59), standing(0, 1, true));
        let half_a_second = at(59) + SignedDuration::from_millis(500);
        let standing_then = rates.take([1; 32], 2, half_a_second);
        assert_eq!(
            standing_then,
            standing(0, 1, true),
            "too early is too early"
        );
        let early = at(20) + SignedDuration::from_millis(500);
        assert_eq!(rates.take([1; 32], 2, early).reset_seconds, 40);
        // A clock that was set back begins anew.
        assert_eq!(take(-1), standing(1, 60, false));
    }

    #[test]
    fn what_is_over_is_forgotten_when_there_are_many() {
        let rates = Rates::default();
        for n in 0..KEYS_MAX + 10 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_le_bytes());
            rates.take(key, 2, at(if n < KEYS_MAX { 0 } else { 100 }));
        }

        assert_eq!(rates.0.lock().len(), 10);
    }
}
