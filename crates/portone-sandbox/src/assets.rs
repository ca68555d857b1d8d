//! The browser SDK, the style and the window's script, compiled in: the sandbox needs no file beside it.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, header};

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// A script of another module's, served like those here.
pub(crate) fn javascript(text: &'static str) -> Response {
    asset(JAVASCRIPT, text)
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    (
        [
            (header::CONTENT_TYPE, content_type),
            // Small, local, and changes with the binary: never worth a stale copy.
            (header::CACHE_CONTROL, "no-store"),
            (HeaderName::from_static("x-content-type-options"), "nosniff"),
        ],
        text,
    )
        .into_response()
}

pub(crate) async fn browser_sdk() -> Response {
    asset(JAVASCRIPT, include_str!("../assets/iamport.js"))
}

pub(crate) async fn window_script() -> Response {
    asset(JAVASCRIPT, include_str!("../assets/window.js"))
}

pub(crate) async fn style() -> Response {
    asset(
        "text/css; charset=utf-8",
        include_str!("../assets/style.css"),
    )
}
