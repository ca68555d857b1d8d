//! The content policy of a page: what a browser may load on it, and from whom.
//!
//! It names nobody to report to: a report carries the page's whole address, with a payment's ids or the token of its link.
//! <https://www.w3.org/TR/CSP3/>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::CONTENT_SECURITY_POLICY;
use leptos::prelude::{use_context, use_nonce};
use leptos_axum::ResponseOptions;
use sha2::{Digest, Sha256};
use url::Url;

/// Lets nothing in from outside. Every page begins with it.
pub fn let_nothing_in() {
    send(None);
}

/// Lets in one of PortOne's SDKs, and the gateways' windows, whose addresses PortOne does not publish. For a page that has
/// the button that opens them.
pub fn let_in(sdk_url: &str) {
    send(Some(&origin(sdk_url)));
}

/// The policy of a page that is nothing but text: these styles, pictures of this site, and no script, unless it is the one that
/// leads out of a frame, for which it has to be let into one.
#[must_use]
pub fn for_text<'s>(styles: impl Iterator<Item = &'s str>, leads_out: Option<&str>) -> String {
    let styles: Vec<String> = styles.map(digest).collect();
    let styles = styles.join(" ");
    let rest = match leads_out {
        Some(script) => format!("script-src {}", digest(script)),
        None => "frame-ancestors 'none'".to_owned(),
    };
    format!(
        "default-src 'none'; style-src {styles}; img-src 'self' data:; form-action 'none'; base-uri 'none'; {rest}"
    )
}

fn digest(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// The later policy takes the place of the earlier one.
fn send(sdk_origin: Option<&str>) {
    let (Some(response), Some(nonce)) = (use_context::<ResponseOptions>(), use_nonce()) else {
        return;
    };
    if let Ok(value) = HeaderValue::from_str(&policy(&nonce.to_string(), sdk_origin)) {
        response.insert_header(CONTENT_SECURITY_POLICY, value);
    }
}

fn origin(address: &str) -> String {
    Url::parse(address)
        .map(|url| url.origin().ascii_serialization())
        .unwrap_or_default()
}

fn policy(nonce: &str, sdk_origin: Option<&str>) -> String {
    let common = format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    );
    match sdk_origin {
        // Gateways style their frames' hosts inline, which a nonce beside it would forbid, post forms to themselves, and some
        // send their frame back to us.
        Some(sdk) => format!(
            "{common}; style-src 'self' 'unsafe-inline'; img-src 'self' data: https: {sdk}; font-src 'self'; connect-src 'self' https: {sdk}; frame-src 'self' https: {sdk}; form-action 'self' https: {sdk}"
        ),
        None => format!(
            "{common}; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_that_pays_lets_others_in() {
        let closed = policy("n", None);
        let pay = policy("n", Some("http://127.0.0.1:3900"));

        assert!(
            !closed.contains("http:") && !closed.contains("https:"),
            "{closed}"
        );
        assert!(
            pay.contains("frame-src 'self' https: http://127.0.0.1:3900"),
            "{pay}"
        );
        assert!(
            [&closed, &pay]
                .iter()
                .all(|policy| policy.contains("frame-ancestors 'none'")
                    && policy.contains("script-src 'nonce-n'"))
        );
    }

    #[test]
    fn an_sdk_is_let_in_by_its_origin_alone() {
        assert_eq!(
            origin("https://cdn.portone.io/v2/browser-sdk.js"),
            "https://cdn.portone.io"
        );
        assert_eq!(origin("no address"), "");
    }
}
