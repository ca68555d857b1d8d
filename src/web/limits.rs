//! How much of anything one client, or all of them together, can take: every number of the server's edge in one place.
//!
//! Sizes and counts are the same everywhere; what is measured in time or in clients is in [`Limits`], so that a test need not
//! wait for it.

use std::time::Duration;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// Headers in one request.
pub const HEADERS_MAX: usize = 64;
/// Bytes of one request's headers.
pub const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Longest body that any route takes. PortOne's webhooks have less than one KiB; an order's metadata may have eight.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest form.
pub const FORM_BYTES_MAX: usize = 16 * 1024;
/// Parameters of one query or one form. PortOne sends about ten, a shop's own may stand before them.
pub const PARAMETERS_MAX: usize = 64;
/// Lists and objects of JSON inside one another.
pub const JSON_DEPTH_MAX: usize = 32;

/// What is measured in time, in connections or in requests.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time for a request's headers to arrive, and for an idle connection to send the next request.
    pub header_timeout: Duration,
    /// Time for a request's body to arrive, whole.
    pub body_timeout: Duration,
    /// Time for a client to take what is written to it.
    pub write_timeout: Duration,
    /// Time for a request to be answered, once it is here.
    pub request_timeout: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address (one network of 64 bits with IPv6). A mobile carrier's customers share addresses,
    /// so it is far above what one browser opens; trusted proxies speak for many and are exempt.
    pub connections_per_address: usize,
    /// Requests that are worked on at once.
    pub requests: usize,
    /// Requests of one client (one network of 64 bits with IPv6) that are worked on at once, PortOne's calls and the API's aside.
    /// A page asks for one thing at a time, so it is room for the many whom a mobile carrier gives one address; trusted proxies
    /// that do not say whom they speak for are exempt.
    pub requests_per_client: usize,
    /// Requests beyond [`requests`](Self::requests) that only PortOne's own calls may take: what buyers do to the server must
    /// not keep out the webhook that says they paid.
    pub requests_of_portone: usize,
    /// Calls of the API that one key may make in a minute. Far above what a shop needs: it bounds what a shop's loop that went
    /// wrong takes from the shop's buyers.
    pub calls_per_key: u32,
    /// Orders in one file.
    pub exported_orders: usize,
    /// Time that running requests get after the stop was asked for.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(30),
            connections: 4096,
            connections_per_address: 256,
            requests: 512,
            requests_per_client: 128,
            requests_of_portone: 128,
            calls_per_key: 12_000,
            exported_orders: 50_000,
            drain_timeout: Duration::from_secs(7),
        }
    }
}

/// Whether a query or a form has more than [`PARAMETERS_MAX`].
#[must_use]
pub fn has_too_many_parameters(text: &[u8]) -> bool {
    let pairs = text.split(|byte| *byte == b'&');
    pairs.filter(|pair| !pair.is_empty()).count() > PARAMETERS_MAX
}

/// Whether JSON is nested deeper than [`JSON_DEPTH_MAX`]. Brackets are all that is looked at: whether it is JSON at all is
/// found out by who reads it.
#[must_use]
pub fn is_too_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            return true;
        }
    }
    false
}

/// Whether the body says that it is JSON.
#[must_use]
pub fn is_json(headers: &HeaderMap) -> bool {
    says(headers, "application/json")
}

/// Whether the body says that it is a form.
#[must_use]
pub fn is_form(headers: &HeaderMap) -> bool {
    says(headers, "application/x-www-form-urlencoded")
}

fn says(headers: &HeaderMap, media_type: &str) -> bool {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(media_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_text_are_no_depth() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_too_deep(nested(JSON_DEPTH_MAX).as_bytes()));
        assert!(is_too_deep(nested(JSON_DEPTH_MAX + 1).as_bytes()));
        let text = format!(r#"{{"a\"b":"{}","c":{{}}}}"#, "[{".repeat(100));
        assert!(!is_too_deep(text.as_bytes()));
        let side_by_side = format!("[{}]", vec!["{}"; 1000].join(","));
        assert!(!is_too_deep(side_by_side.as_bytes()));
        // An escaped backslash ends before the quote does.
        assert!(is_too_deep(
            format!(r#"["\\",{}"#, "[".repeat(40)).as_bytes()
        ));
    }

    #[test]
    fn empty_pairs_are_no_parameters() {
        assert!(!has_too_many_parameters("&".repeat(1000).as_bytes()));
        assert!(!has_too_many_parameters("a=1&".repeat(64).as_bytes()));
        assert!(has_too_many_parameters("a&".repeat(65).as_bytes()));
    }
}
