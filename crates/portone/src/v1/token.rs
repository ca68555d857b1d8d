//! One access token for all clones of a client.
//!
//! Invariants: while a token is being fetched, everybody who needs one waits for that same fetch and shares its result,
//! failure included; the fetch runs in a task of its own, so a caller who gives up does not make the others start over;
//! lifetimes are PortOne's (`expired_at - now`, <https://developers.portone.io/api/rest-v1>) on a monotonic clock, so
//! neither a wrong nor a changing wall clock matters.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reqwest::header::HeaderValue;
use tokio::sync::watch;

use crate::{Error, json::Object};

/// A token is renewed this long before its end. Less than the last minute, in which PortOne extends a token by five
/// minutes: asked earlier, it would return the same token with the same end.
const MARGIN: Duration = Duration::from_secs(30);
/// PortOne's tokens live for 30 minutes; a longer one is asked for again after this.
const LIFETIME_MAX: Duration = Duration::from_secs(60 * 60);

/// An access token, ready to be sent.
pub(super) struct Token {
    /// Marked sensitive, so that its `Debug` shows nothing.
    pub(super) authorization: HeaderValue,
    fresh_until: Instant,
}

impl Token {
    /// Reads `response` of `POST /users/getToken`. `asked_at` is from before the call was sent, so the lifetime is never
    /// overestimated.
    pub(super) fn parse(response: &str, asked_at: Instant) -> Result<Self, Error> {
        let object = Object::parse("the token", response)?;
        let access_token = object.required_text("access_token")?;
        let now = object.required_integer("now")?;
        let expired_at = object.required_integer("expired_at")?;

        let mut authorization = HeaderValue::from_str(&format!("Bearer {access_token}"))
            .map_err(|_| Error::garbled("access_token cannot be sent in a header"))?;
        authorization.set_sensitive(true);
        let lifetime = u64::try_from(expired_at.saturating_sub(now))
            .map_or(Duration::ZERO, Duration::from_secs);
        let fresh_for = lifetime.min(LIFETIME_MAX).saturating_sub(MARGIN);
        Ok(Self {
            authorization,
            fresh_until: asked_at + fresh_for,
        })
    }

    fn is_fresh(&self, now: Instant) -> bool {
        now < self.fresh_until
    }
}

type Outcome = Result<Arc<Token>, Error>;

enum State {
    Empty,
    /// Being fetched; the outcome arrives here. A closed channel means that the task died with its runtime.
    Flight(watch::Receiver<Option<Outcome>>),
    Held(Arc<Token>),
}

/// Where the token is kept.
#[derive(Clone)]
pub(super) struct TokenCell {
    state: Arc<Mutex<State>>,
}

impl TokenCell {
    pub(super) fn new() -> Self {
        Self {
            state: Arc::new(Mutex::new(State::Empty)),
        }
    }

    /// The token that is held, or the outcome of the fetch that is under way, or of `fetch`.
    ///
    /// A token straight from PortOne is used however short it lives; it is just not kept for later.
    pub(super) async fn get<F, Fut>(&self, fetch: F) -> Outcome
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Token, Error>> + Send + 'static,
    {
        let mut flight = match self.held_or_flight(fetch) {
            Ok(token) => return Ok(token),
            Err(flight) => flight,
        };
        match flight.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(abandoned())),
            Err(_closed) => Err(abandoned()),
        }
    }

    /// Forgets a token that PortOne refused, unless another has taken its place already.
    pub(super) fn discard(&self, refused: &Arc<Token>) {
        let mut state = self.lock();
        if matches!(&*state, State::Held(held) if Arc::ptr_eq(held, refused)) {
            *state = State::Empty;
        }
    }

    fn held_or_flight<F, Fut>(
        &self,
        fetch: F,
    ) -> Result<Arc<Token>, watch::Receiver<Option<Outcome>>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Token, Error>> + Send + 'static,
    {
        let mut state = self.lock();
        match &*state {
            State::Held(token) if token.is_fresh(Instant::now()) => return Ok(Arc::clone(token)),
            State::Flight(flight) if flight.has_changed().is_ok() => return Err(flight.clone()),
            State::Held(_) | State::Flight(_) | State::Empty => {}
        }
        let (arrival, flight) = watch::channel(None);
        *state = State::Flight(flight.clone());
        drop(state);

        let cell = self.clone();
        let fetch = fetch();
        tokio::spawn(async move {
            let outcome = fetch.await.map(Arc::new);
            *cell.lock() = match &outcome {
                Ok(token) => State::Held(Arc::clone(token)),
                Err(_) => State::Empty,
            };
            // Without a receiver nobody waits any more, and the token is kept all the same.
            let _ = arrival.send(Some(outcome));
        });
        Err(flight)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every write to the state is a single assignment, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn abandoned() -> Error {
    Error::Interrupted(Arc::new(std::io::Error::other(
        "the task that fetched the access token ended early",
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(lifetime: i64, asked_at: Instant) -> Token {
        let now = 1_700_000_000_i64;
        let response = format!(
            r#"{{"access_token":"t","now":{now},"expired_at":{}}}"#,
            now.saturating_add(lifetime)
        );
        Token::parse(&response, asked_at).expect("the token is well formed")
    }

    #[test]
    fn a_token_is_fresh_for_its_lifetime_less_the_margin() {
        let asked_at = Instant::now();
        let token = token(1800, asked_at);

        assert!(token.is_fresh(asked_at));
        assert!(token.is_fresh(asked_at + Duration::from_secs(1769)));
        assert!(!token.is_fresh(asked_at + Duration::from_secs(1770)));
    }

    #[test]
    fn absurd_lifetimes_are_bounded() {
        let asked_at = Instant::now();

        for short in [i64::MIN, -1, 0, 1, 30] {
            assert!(!token(short, asked_at).is_fresh(asked_at), "{short}");
        }
        assert!(!token(i64::MAX, asked_at).is_fresh(asked_at + LIFETIME_MAX));
    }

    #[test]
    fn a_token_that_cannot_be_a_header_is_refused_without_showing_it() {
        for response in [
            r#"{"access_token":"se\ncret","now":0,"expired_at":1}"#,
            r#"{"access_token":"","now":0,"expired_at":1}"#,
            r#"{"access_token":"secret","now":"secret","expired_at":1}"#,
            r#"{"access_token":"secret","expired_at":1}"#,
            r#"{"access_token":"secret","now":1}"#,
            r#"{"now":0,"expired_at":1}"#,
        ] {
            let error = Token::parse(response, Instant::now())
                .err()
                .expect("the token is malformed");

            assert!(matches!(error, Error::Garbled(_)));
            assert!(!format!("{error} {error:?}").contains("cret"), "{response}");
        }
    }

    #[test]
    fn the_header_shows_no_token() {
        let token = token(1800, Instant::now());

        assert_eq!(format!("{:?}", token.authorization), "Sensitive");
        assert_eq!(token.authorization.as_bytes(), b"Bearer t");
    }

    #[tokio::test]
    async fn only_the_refused_token_is_discarded() {
        let cell = TokenCell::new();
        let fetch = || async { Ok(token(1800, Instant::now())) };
        let first = cell.get(fetch).await.expect("the fetch succeeds");
        cell.discard(&first);
        let second = cell.get(fetch).await.expect("the fetch succeeds");

        cell.discard(&first);
        let third = cell.get(fetch).await.expect("a token is held");

        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &third));
    }

    #[test]
    fn a_fetch_that_died_with_its_runtime_is_started_again() {
        let cell = TokenCell::new();
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime can be built")
        };
        let doomed = runtime();
        let flight = doomed.block_on(async { cell.held_or_flight(std::future::pending) });
        assert!(flight.is_err());
        drop(doomed);

        let outcome = runtime().block_on(cell.get(|| async { Ok(token(1800, Instant::now())) }));

        assert!(outcome.is_ok());
    }
}
