//! `{page}/events`: a page that stays open is told that its order moved, by server-sent events.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>
//!
//! An event is a hint without content: the page asks again, by its own address, and is told what that tells anybody. So nothing
//! here can say more than the page may, and a hint that is lost costs time alone: the page looks by itself as well.
//!
//! A stream holds a place of its own kind, of which there are so many in all and for one client, and it ends: when the order will
//! not move by itself any more, after a while, when the browser has gone, and when the server stops.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Extensions, HeaderMap, HeaderName, StatusCode};
use hyper::body::{Bytes, Frame};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::client::{Peer, client_address};
use super::named::Named;
use super::problem::Problem;
use super::shares::{Share, Shares};
use super::{App, claim};
use crate::domain::ids::StatusToken;
use crate::ports::store::StoreError;
use crate::service::Core;
use crate::service::completion::Claim;
use crate::service::live::{self, Standing, Watched};

/// Streams open at once.
const STREAMS_MAX: usize = 512;
/// Streams open at once of one client (one network of 64 bits with IPv6): tabs, and whoever shares the address.
const STREAMS_PER_CLIENT_MAX: usize = 16;
/// Pause after which a stream says something, so that nobody between us and the browser takes it for dead. The order is looked
/// at as well: a hint may have been lost.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Time after which a stream ends whatever happens. A browser that is still there opens another.
const STREAM_TIME_MAX: Duration = Duration::from_mins(10);
/// Events that wait for a browser that takes none.
const WAITING_MAX: usize = 4;
/// How long a browser waits before it connects again, in milliseconds.
const RECONNECT: &str = "retry: 5000\n\n";
const MOVED: &str = "event: moved\ndata: look\n\n";
const BEAT: &str = ":\n\n";

/// The places for streams, and the end of all of them.
#[derive(Debug, Clone)]
pub struct Streams {
    all: Arc<Semaphore>,
    by_client: Shares,
    stop: CancellationToken,
}

impl Streams {
    /// Streams that end when the server stops.
    #[must_use]
    pub fn until(stop: CancellationToken) -> Self {
        Self {
            all: Arc::new(Semaphore::new(STREAMS_MAX)),
            by_client: Shares::of(STREAMS_PER_CLIENT_MAX),
            stop,
        }
    }

    fn take(&self, client: IpAddr) -> Option<Place> {
        let of_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Place {
            _of_all: of_all,
            _of_client: self.by_client.take(client)?,
        })
    }
}

/// A stream's place, free again when it is dropped.
struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_client: Share,
}

/// `GET /o/{token}/events`
pub async fn of_link(
    State(app): State<App>,
    Named(token): Named<String>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Response {
    match StatusToken::parse(&token) {
        Ok(token) => follow(app, &extensions, &headers, &Claim::default(), Some(&token)).await,
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `GET /payments/complete/events`
pub async fn of_redirect(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let claim = claim::read(&parts, body).await;
    if claim.malformed {
        return StatusCode::NOT_FOUND.into_response();
    }
    follow(app, &parts.extensions, &parts.headers, &claim, None).await
}

async fn follow(
    app: App,
    extensions: &Extensions,
    headers: &HeaderMap,
    claim: &Claim,
    link: Option<&StatusToken>,
) -> Response {
    let Some(Peer(peer)) = extensions.get::<Peer>() else {
        return Problem::Unavailable.response();
    };
    let client = client_address(peer.ip(), headers, &app.network.trusted_proxies);
    let Some(place) = app.streams.take(client) else {
        return Problem::Unavailable.response();
    };
    // Before the order is read: what moves in between is heard.
    let listener = app.core.moves.listen();
    let (watched, standing) = match live::watch(&app.core, claim, link).await {
        Ok(Some(found)) => found,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(error) => return failed(&error),
    };
    if !standing.is_moving() {
        // The answer after which a browser connects no more.
        return StatusCode::NO_CONTENT.into_response();
    }
    let (events, waiting) = mpsc::channel(WAITING_MAX);
    let stop = app.streams.stop.clone();
    let core = Arc::clone(&app.core);
    tokio::spawn(async move {
        let told = tell(&core, &watched, standing, listener, &events);
        tokio::select! {
            () = told => {}
            () = events.closed() => {}
            () = stop.cancelled() => {}
            () = tokio::time::sleep(STREAM_TIME_MAX) => {}
        }
        drop(place);
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // Proxies of nginx's kind would keep events until there are many.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::new(Stream(waiting))).into_response()
}

/// Tells until the order will not move by itself any more, or nobody listens.
async fn tell(
    core: &Core,
    watched: &Watched,
    mut known: Standing,
    mut listener: live::Listener,
    events: &mpsc::Sender<&'static str>,
) {
    let mut say = RECONNECT;
    loop {
        if events.send(say).await.is_err() || !known.is_moving() {
            return;
        }
        tokio::select! {
            () = listener.heard_of(&watched.payment_id) => {}
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        say = match live::standing(core, watched).await {
            Ok(Some(now)) if now != known => {
                known = now;
                MOVED
            }
            Ok(Some(_)) => BEAT,
            Ok(None) => return,
            // The next beat tries again.
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "an order that somebody watches could not be read"
                );
                BEAT
            }
        };
    }
}

fn failed(error: &StoreError) -> Response {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "an order could not be watched"
    );
    Problem::Unavailable.response()
}

/// The events as a body.
struct Stream(mpsc::Receiver<&'static str>);

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|event| event.map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_cannot_take_every_stream() {
        let streams = Streams::until(CancellationToken::new());
        let client = |last: usize| IpAddr::from([192, 0, 2, u8::try_from(last).unwrap()]);

        let mut mine: Vec<_> = (0..STREAMS_PER_CLIENT_MAX)
            .map(|_| streams.take(client(1)))
            .collect();
        assert!(mine.iter().all(Option::is_some));
        assert!(streams.take(client(1)).is_none());
        assert!(streams.take(client(2)).is_some());
        mine.pop();
        assert!(streams.take(client(1)).is_some(), "its place is free again");
        drop(mine);
        assert!(streams.by_client.is_empty());
        assert_eq!(streams.all.available_permits(), STREAMS_MAX);
    }

    #[test]
    fn there_are_so_many_streams_in_all() {
        let streams = Streams::until(CancellationToken::new());
        let clients = (0..=u8::MAX).map(|last| IpAddr::from([198, 51, 100, last]));

        let held: Vec<_> = clients
            .flat_map(|client| [client; 3])
            .filter_map(|client| streams.take(client))
            .collect();

        assert_eq!(held.len(), STREAMS_MAX);
    }
}
