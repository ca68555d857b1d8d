//! Renders the Leptos pages: final status, headers and markup in one response.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{ACCEPT_LANGUAGE, CONTENT_SECURITY_POLICY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use leptos::prelude::{provide_context, use_context, use_nonce};
use leptos_axum::ResponseOptions;
use url::Url;

use super::App;
use crate::i18n::Locale;
use crate::ui;
use crate::ui::context::{Site, Visitor};

/// Every page route.
pub async fn page_route(State(app): State<App>, request: Request) -> Response {
    render(&app, request).await
}

/// Renders the page at the request's path. What handlers put into the request's extensions, the page finds there.
pub async fn render(app: &App, mut request: Request<Body>) -> Response {
    let visitor = visitor(request.uri().query(), request.headers());
    request.extensions_mut().insert(visitor);
    let context = context(app);
    let handler = leptos_axum::render_app_async_with_context(context, || {
        send_policy();
        ui::shell()
    });
    handler(request).await
}

/// The server functions' door.
pub async fn server_function_route(State(app): State<App>, request: Request) -> Response {
    use axum::response::IntoResponse;
    leptos_axum::handle_server_fns_with_context(context(&app), request)
        .await
        .into_response()
}

fn context(app: &App) -> impl Fn() + Clone + Send + Sync + 'static {
    let App {
        core,
        site,
        scripts,
        ..
    } = app.clone();
    move || {
        provide_context(Arc::clone(&core));
        provide_context(Arc::clone(&site));
        if let Some(scripts) = scripts.clone() {
            provide_context(scripts);
        }
    }
}

fn visitor(query: Option<&str>, headers: &HeaderMap) -> Visitor {
    let asked = query
        .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("lang=")))
        .and_then(Locale::from_tag);
    let accepted = Locale::negotiate(
        headers
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok()),
    );
    Visitor { asked, accepted }
}

/// Sends the content policy of the page that is about to be rendered. Only the pay page lets anything in from outside:
/// PortOne's SDK, and the gateways' windows, whose addresses PortOne does not publish.
fn send_policy() {
    let (Some(response), Some(nonce)) = (use_context::<ResponseOptions>(), use_nonce()) else {
        return;
    };
    let pay_page =
        use_context::<Parts>().is_some_and(|parts| parts.uri.path().starts_with("/pay/"));
    let sdk = use_context::<Arc<Site>>()
        .filter(|_| pay_page)
        .and_then(|site| site.v1.as_ref().map(|v1| v1.sdk_url.clone()));
    let policy = policy(&nonce.to_string(), sdk.as_deref().map(origin).as_deref());
    if let Ok(value) = HeaderValue::from_str(&policy) {
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
        // Gateways style their frames' hosts inline, which a nonce beside it would forbid, and post forms to themselves.
        Some(sdk) => format!(
            "{common}; style-src 'self' 'unsafe-inline'; img-src 'self' data: https: {sdk}; font-src 'self'; connect-src 'self' https: {sdk}; frame-src https: {sdk}; form-action 'self' https: {sdk}"
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
    fn only_the_pay_page_lets_others_in() {
        let closed = policy("n", None);
        let pay = policy("n", Some("http://127.0.0.1:3900"));

        assert!(
            !closed.contains("http:") && !closed.contains("https:"),
            "{closed}"
        );
        assert!(
            pay.contains("frame-src https: http://127.0.0.1:3900"),
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
    fn the_asked_language_is_read_from_the_query() {
        let visitor = visitor(Some("imp_uid=x&lang=en"), &HeaderMap::new());
        assert_eq!(visitor.asked, Some(Locale::En));
        assert_eq!(visitor.locale(Some("ko")), Locale::En);
    }
}
