//! `GET /metrics`: what operators can count, as text for Prometheus.
//!
//! There is nothing secret in it, but how much a shop sells is nobody else's business: it is answered to the networks of
//! `WANRYO_METRICS_SOURCES`, and to anybody else there is no such address.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::client::{Peer, client_address, is_trusted};
use super::problem::Problem;
use super::{App, Network};

/// Any of these says that a proxy stands between.
const FORWARDING_HEADERS: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers with the numbers of now.
pub async fn metrics_route(State(app): State<App>, request: Request) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    if !may_read(&app.network, peer, request.headers()) {
        return Problem::NotFound.response();
    }
    app.operations.refresh(app.core.clock.now()).await;
    let is_down = |portone| app.core.is_portone_down(portone);
    let text = app.operations.metrics().render(is_down);
    ([(CONTENT_TYPE, TEXT)], text).into_response()
}

/// A request that a proxy handed on comes from who knows where, unless the proxy is one whose word counts.
fn may_read(network: &Network, peer: Option<Peer>, headers: &HeaderMap) -> bool {
    let Some(Peer(peer)) = peer else { return false };
    let is_forwarded = FORWARDING_HEADERS
        .iter()
        .any(|name| headers.contains_key(*name));
    if is_forwarded && !is_trusted(peer.ip(), &network.trusted_proxies) {
        return false;
    }
    let client = client_address(peer.ip(), headers, &network.trusted_proxies);
    network
        .metrics_sources
        .iter()
        .any(|source| source.contains(&client))
}
