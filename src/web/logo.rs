//! The shop's logo, from our own address: a page asks nobody else for anything.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use super::App;

/// Where the logo is. What follows `?v=` changes with the file.
pub const LOGO_PATH: &str = "/shop-logo";

/// `GET /shop-logo`
///
/// An SVG is a document when it is opened by itself. This policy lets it run and load nothing, and gives it an origin of its own.
pub async fn logo_route(State(app): State<App>) -> Response {
    let Some(logo) = &app.logo else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(logo.media_type)),
        (
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=86400"),
        ),
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; sandbox",
            ),
        ),
    ];
    (headers, logo.bytes.to_vec()).into_response()
}
