//! The site's files, carried by the binary: the server needs nothing beside it.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

/// One file.
pub(crate) struct Asset {
    /// Path it is served under.
    pub path: &'static str,
    /// Media type.
    pub content_type: &'static str,
    /// Whether the name changes with the content.
    pub immutable: bool,
    /// The file.
    pub bytes: &'static [u8],
    /// The file, compressed, where that is smaller.
    pub brotli: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// cargo-leptos names its output to the compiler, and builds scripts into a folder while the server runs.
pub(crate) const BUILT_BY_CARGO_LEPTOS: bool = option_env!("LEPTOS_OUTPUT_NAME").is_some();

/// The file at a path.
#[must_use]
pub(crate) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Answers with the file at the request's path, or plainly 404.
pub(crate) async fn asset_route(request: Request) -> Response {
    let Some(asset) = find(request.uri().path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let takes_brotli = takes_encoding(request.headers(), "br");
    let cache = if asset.immutable {
        "public, max-age=31536000, immutable"
    } else {
        "public, max-age=3600"
    };
    let brotli = asset.brotli.filter(|_| takes_brotli);
    let mut response = brotli.unwrap_or(asset.bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if brotli.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    response
}

/// Whether the client takes an encoding. One that weighs nothing it does not (RFC 9110, section 12.4.2).
pub(super) fn takes_encoding(headers: &HeaderMap, name: &str) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| {
            let (encoding, weight) = part.split_once(';').unwrap_or((part, ""));
            let weight = weight.trim().strip_prefix("q=").map(str::parse::<f32>);
            encoding.trim() == name && weight != Some(Ok(0.0))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_taken_unless_it_weighs_nothing() {
        for (accepts, takes) in [
            ("br", true),
            ("gzip, br;q=0.5", true),
            ("gzip;q=0, br", true),
            ("br;q=0", false),
            ("br ; q=0.000, gzip", false),
            ("brotli", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(
                ACCEPT_ENCODING,
                HeaderValue::from_str(accepts).expect("a value"),
            )]);

            assert_eq!(takes_encoding(&headers, "br"), takes, "{accepts:?}");
        }
    }
}
