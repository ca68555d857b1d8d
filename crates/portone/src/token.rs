//! One access token for all clones of a client.
//!
//! Invariants: while a token is being fetched, everybody who needs one waits for that same fetch and shares its result,
//! failure included; the fetch runs in a task of its own, so a caller who gives up does not make the others start over;
//! lifetimes are what PortOne says they are, on a monotonic clock, so neither a wrong nor a changing wall clock matters.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reqwest::header::HeaderValue;
use tokio::sync::watch;

use crate::Error;

/// An access token, ready to be sent.
pub(crate) struct Token {
    /// Marked sensitive, so that its `Debug` shows nothing.
    pub(crate) authorization: HeaderValue,
    fresh_until: Instant,
}

impl Token {
    /// A token that is used for `fresh_for` after it was asked for. `asked_at` is from before the call was sent, so the
    /// lifetime is never overestimated.
    pub(crate) fn new(
        access_token: &str,
        asked_at: Instant,
        fresh_for: Duration,
    ) -> Result<Self, Error> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {access_token}"))
            .map_err(|_| Error::garbled("the access token cannot be sent in a header"))?;
        authorization.set_sensitive(true);
        Ok(Self {
            authorization,
            fresh_until: asked_at + fresh_for,
        })
    }

    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
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
pub(crate) struct TokenCell {
    state: Arc<Mutex<State>>,
}

impl TokenCell {
    pub(crate) fn new() -> Self {
        Self {
            state: Arc::new(Mutex::new(State::Empty)),
        }
    }

    /// The token that is held, or the outcome of the fetch that is under way, or of `fetch`.
    ///
    /// A token straight from PortOne is used however short it lives; it is just not kept for later.
    pub(crate) async fn get<F, Fut>(&self, fetch: F) -> Outcome
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
    pub(crate) fn discard(&self, refused: &Arc<Token>) {
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

    fn token() -> Token {
        Token::new("t", Instant::now(), Duration::from_secs(60)).expect("the token is well formed")
    }

    #[tokio::test]
    async fn only_the_refused_token_is_discarded() {
        let cell = TokenCell::new();
        let fetch = || async { Ok(token()) };
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

        let outcome = runtime().block_on(cell.get(|| async { Ok(token()) }));

        assert!(outcome.is_ok());
    }
}
