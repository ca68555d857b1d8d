//! The language that a visitor asked for by `?lang=`: no cookie remembers it, so every address has to carry it on.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use http::header::LOCATION;

use crate::i18n::Locale;

/// The language that a query asks for.
pub(super) fn asked(query: Option<&str>) -> Option<Locale> {
    query?
        .split('&')
        .filter_map(|pair| pair.strip_prefix("lang="))
        .find_map(Locale::from_tag)
}

/// Keeps the language across a redirect within this site: what a form posted to `…?lang=en` leads to is in English as well.
pub async fn keep_language(request: Request, next: Next) -> Response {
    let asked = asked(request.uri().query());
    let mut response = next.run(request).await;
    if let Some(locale) = asked
        && let Some(kept) = response
            .headers()
            .get(LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| in_language(location, locale))
    {
        response.headers_mut().insert(LOCATION, kept);
    }
    response
}

/// A path of this site with the language; `None` when it is elsewhere, or says a language already.
fn in_language(location: &str, locale: Locale) -> Option<HeaderValue> {
    if !location.starts_with('/') || location.starts_with("//") {
        return None;
    }
    let query = location.split_once('?').map(|(_, query)| query);
    if asked(query).is_some() {
        return None;
    }
    let separator = if query.is_some() { '&' } else { '?' };
    HeaderValue::from_str(&format!("{location}{separator}lang={}", locale.tag())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_within_the_site_keeps_the_language() {
        for (location, kept) in [
            ("/orders", Some("/orders?lang=en")),
            (
                "/orders/A?done=synced",
                Some("/orders/A?done=synced&lang=en"),
            ),
            ("/orders?lang=ko", None),
            ("/orders?lang=kr", Some("/orders?lang=kr&lang=en")),
            ("https://elsewhere.example/", None),
            ("//elsewhere.example/", None),
        ] {
            let found = in_language(location, Locale::En);
            let found = found.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!(found, kept, "{location}");
        }
    }
}
