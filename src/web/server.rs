//! The accept loop. axum's own has no time-out for request headers, so a half-sent request would hold its connection for
//! ever (<https://github.com/tokio-rs/axum/issues/2741>); this one has, and more: see [`Limits`]. What a request is refused for
//! once its headers are here is in [`super::layers`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderValue, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Network;
use super::client::{Peer, is_trusted};
use super::limits::{HEADER_BYTES_MAX, HEADERS_MAX, Limits};
use super::shares::{Share, Shares};
use super::wire::Wire;

/// Pause after the system refused a connection, so that a lack of file descriptors does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The answer to a connection that there is no place for, without reading a byte of what it asks.
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
retry-after: 5\r\n\
cache-control: no-store\r\n\
x-content-type-options: nosniff\r\n\
x-frame-options: DENY\r\n\
referrer-policy: same-origin\r\n\
content-security-policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'\r\n\
cross-origin-resource-policy: same-origin\r\n\
cross-origin-opener-policy: same-origin\r\n\
permissions-policy: camera=(), microphone=(), geolocation=(), payment=()\r\n\
connection: close\r\n\
content-length: 0\r\n\r\n";

/// Serves until `stop` is cancelled, then lets running requests end, for as long as [`Limits::drain_timeout`] lets them.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    network: Arc<Network>,
    stop: CancellationToken,
) {
    let limits = network.limits;
    let graceful = GracefulShutdown::new();
    let places = Places::new(&limits);
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a connection was not accepted"
                );
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let speaks_for_many = is_trusted(peer.ip(), &network.trusted_proxies);
        let Some(place) = places.take(peer.ip(), speaks_for_many) else {
            refuse(&stream);
            continue;
        };
        let connection = connection(stream, Peer(peer), router.clone(), &graceful, &limits);
        let cut = cut.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = connection => {}
                () = cut.cancelled() => {}
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_timeout, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests were still running when the server stopped");
    }
    cut.cancel();
}

/// Says that there is no place, if the connection takes it at once, and closes it.
fn refuse(stream: &TcpStream) {
    // A connection that just opened takes so little at once; should it not, it is closed all the same.
    let _told_or_not = stream.try_write(NO_PLACE);
    tracing::debug!("a connection was refused: there is no place for it");
}

/// The places for connections: so many in all, and so many from each address.
struct Places {
    all: Arc<Semaphore>,
    by_address: Shares,
}

impl Places {
    fn new(limits: &Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.connections)),
            by_address: Shares::of(limits.connections_per_address),
        }
    }

    fn take(&self, address: IpAddr, speaks_for_many: bool) -> Option<Place> {
        let of_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let of_address = if speaks_for_many {
            None
        } else {
            Some(self.by_address.take(address)?)
        };
        Some(Place {
            _of_all: of_all,
            _of_address: of_address,
        })
    }
}

/// A connection's place, free again when it is dropped.
struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_address: Option<Share>,
}

fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    graceful: &GracefulShutdown,
    limits: &Limits,
) -> impl Future<Output = ()> + Send + 'static {
    // Without it every response waits some 40 ms for the peer's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "a connection has no TCP_NODELAY"
        );
    }
    let wire = Wire::new(stream, limits.write_timeout);
    let ambiguity = wire.ambiguity();
    let service = service_fn(move |request: Request<Incoming>| {
        let is_last = request.headers().contains_key(TRANSFER_ENCODING);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(ambiguity.clone());
        let router = router.clone();
        async move {
            let mut answered = router.oneshot(request).await;
            if let (true, Ok(response)) = (is_last, &mut answered) {
                close_after(response);
            }
            answered
        }
    });
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX);
    let connection = graceful.watch(
        builder
            .serve_connection(TokioIo::new(wire), service)
            .into_owned(),
    );
    async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = error.to_string(), "a connection ended early");
        }
    }
}

/// Ends the connection with this answer.
pub(super) fn close_after<T>(response: &mut Response<T>) {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(connections: usize, connections_per_address: usize) -> Places {
        Places::new(&Limits {
            connections,
            connections_per_address,
            ..Limits::default()
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let places = places(4, 2);
        let mine = [
            places.take(address("192.0.2.1"), false),
            places.take(address("::ffff:192.0.2.1"), false),
        ];
        assert!(mine.iter().all(Option::is_some));
        assert!(places.take(address("192.0.2.1"), false).is_none());
        let others = places.take(address("192.0.2.2"), false);
        assert!(others.is_some());

        drop(mine);
        assert!(places.take(address("192.0.2.1"), false).is_some());
        drop(others);
        assert!(places.by_address.is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_holder() {
        let places = places(4, 1);
        let first = places.take(address("2001:db8::1"), false);
        assert!(first.is_some());
        assert!(places.take(address("2001:db8::2"), false).is_none());
        assert!(places.take(address("2001:db8:0:1::1"), false).is_some());
    }

    #[test]
    fn a_proxy_is_bound_by_the_whole_alone() {
        let places = places(3, 1);
        let proxy: Vec<_> = (0..4)
            .map(|_| places.take(address("10.0.0.1"), true))
            .collect();
        assert_eq!(proxy.iter().filter(|place| place.is_some()).count(), 3);
    }
}
