//! `Idempotency-Key`: a shop's name for a request. The same name with the same body is the same request, with another body it is
//! refused, and while the first is being answered the second is asked to wait.
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>

use std::collections::HashSet;
use std::sync::Arc;

use axum::response::Response;
use http::HeaderMap;
use jiff::SignedDuration;
use parking_lot::Mutex;

use super::{Shop, unavailable};
use crate::ports::requests::NamedRequest;
use crate::web::App;
use crate::web::problem::Problem;

/// Name of the header that makes a request recognisable.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const KEY_BYTES_MAX: usize = 255;
/// How long a name is kept.
pub(in crate::web) const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// The header's value: none, one that can be kept, or what cannot.
pub(super) enum Key {
    /// There is no such header.
    Absent,
    /// Exactly one, printable.
    Usable(String),
    /// Several, or one that is empty, too long or not printable.
    Unusable,
}

/// Reads the header.
pub(super) fn key(headers: &HeaderMap) -> Key {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Key::Absent,
        (Some(value), None) => value.to_str(),
        (Some(_), Some(_)) => return Key::Unusable,
    };
    match value {
        Ok(key)
            if (1..=KEY_BYTES_MAX).contains(&key.len())
                && key.bytes().all(|b| matches!(b, b' '..=b'~')) =>
        {
            Key::Usable(key.to_owned())
        }
        Ok(_) | Err(_) => Key::Unusable,
    }
}

/// Names of the requests that are being answered.
#[derive(Debug, Default)]
pub struct UnderWay(Mutex<HashSet<(String, String)>>);

/// The turn of one of them; ends when it is dropped.
pub(super) struct Turn {
    under_way: Arc<UnderWay>,
    name: (String, String),
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.under_way.0.lock().remove(&self.name);
    }
}

/// Lets a request pass that is new, or the same as the one of its name.
pub(super) async fn admit(
    app: &App,
    shop: &Shop,
    key: String,
    fingerprint: &str,
) -> Result<Turn, Response> {
    let name = (shop.name.clone(), key);
    if !app.under_way.0.lock().insert(name.clone()) {
        return Err(Problem::IdempotencyKeyInUse.response());
    }
    let turn = Turn {
        under_way: Arc::clone(&app.under_way),
        name,
    };
    let (shop, key) = turn.name.clone();
    let now = app.core.clock.now();
    let request = NamedRequest {
        shop,
        name: key,
        fingerprint: fingerprint.to_owned(),
        at: now,
    };
    let since = now.checked_sub(KEPT).unwrap_or(now);
    match app.requests.keep(&request, since).await {
        Ok(kept) if kept == fingerprint => Ok(turn),
        Ok(_) => Err(Problem::IdempotencyKeyReused.response()),
        Err(error) => Err(unavailable(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_printable_value() {
        let key = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IDEMPOTENCY_KEY, value.parse().expect("a header"));
            }
            match key(&headers) {
                Key::Absent => None,
                Key::Usable(key) => Some(Some(key)),
                Key::Unusable => Some(None),
            }
        };

        assert_eq!(key(&["a b"]), Some(Some("a b".to_owned())));
        let longest = "k".repeat(255);
        assert_eq!(key(&[&longest]), Some(Some(longest.clone())));
        assert_eq!(key(&[]), None);
        for values in [&[""][..], &["a", "a"], &["가"], &[&"k".repeat(256)]] {
            assert_eq!(key(values), Some(None), "{values:?}");
        }
    }
}
