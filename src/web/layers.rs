//! What every answer carries.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};

use super::App;
use super::problem::Problem;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Adds the headers of OWASP's secure headers project, where a handler has not set its own.
/// <https://owasp.org/www-project-secure-headers/>
pub async fn safe_headers(State(app): State<App>, request: Request, next: Next) -> Response {
    let pay_page = request.uri().path().starts_with("/pay/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    default(CACHE_CONTROL, "no-store");
    default(X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(X_FRAME_OPTIONS, "DENY");
    default(REFERRER_POLICY, "same-origin");
    default(
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    );
    default(CROSS_ORIGIN_RESOURCE_POLICY, "same-origin");
    // A gateway's pop-up talks to the page that opened it.
    default(
        CROSS_ORIGIN_OPENER_POLICY,
        if pay_page {
            "same-origin-allow-popups"
        } else {
            "same-origin"
        },
    );
    default(
        PERMISSIONS_POLICY,
        if pay_page {
            "camera=(), microphone=(), geolocation=(), payment=*"
        } else {
            "camera=(), microphone=(), geolocation=(), payment=()"
        },
    );
    if app.network.secure {
        default(STRICT_TRANSPORT_SECURITY, "max-age=63072000");
    }
    response
}

/// Says in the log what was answered: no query, no body, no person.
pub async fn log_request(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    if response.status().is_server_error() {
        tracing::error!(http.method = %method, http.path = path, http.status = status, "a request failed");
    } else {
        tracing::debug!(http.method = %method, http.path = path, http.status = status, "a request was answered");
    }
    response
}

/// Time for a request to be answered, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Ends a request that takes too long, a body that trickles in above all.
pub async fn time_limit(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => Problem::Unavailable.response(),
    }
}
