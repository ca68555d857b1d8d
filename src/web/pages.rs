//! Renders the Leptos pages: final status, headers and markup in one response.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{ACCEPT, ACCEPT_LANGUAGE, REFERER};
use http::{HeaderMap, HeaderValue, Uri};
use leptos::prelude::{AnyView, provide_context};

use super::App;
use super::language;
use super::layers::says_from_where;
use super::problem::Problem;
use crate::i18n::Locale;
use crate::ui;
use crate::ui::context::{SignedIn, Visitor};

/// Every page route.
pub async fn page_route(State(app): State<App>, request: Request) -> Response {
    render(&app, request).await
}

/// What no route takes: a page of that name with a slash behind it, or none.
///
/// The pages' own router takes no offence at the slash, and would render them without what their routes do first.
pub async fn no_route(State(app): State<App>, request: Request) -> Response {
    match without_slash(request.uri()).filter(|_| request.method().is_safe()) {
        Some(address) => Redirect::permanent(&address).into_response(),
        None => render(&app, request).await,
    }
}

/// The address without slashes at its end. It begins with exactly one: two, and to a browser a backslash is one, would name
/// another site.
fn without_slash(address: &Uri) -> Option<String> {
    let path = address.path().strip_suffix('/')?.trim_matches(['/', '\\']);
    if path.is_empty() {
        return None;
    }
    let query = address.query().map(|query| format!("?{query}"));
    Some(format!("/{path}{}", query.unwrap_or_default()))
}

/// Renders the page at the request's path. What handlers put into the request's extensions, the page finds there.
///
/// Rendered by a task of its own, because Leptos panics when a page's values are dropped while a part of it is rendered, which
/// is what a browser that leaves would do.
pub async fn render(app: &App, request: Request<Body>) -> Response {
    render_in(app, request, ui::shell).await
}

/// A page of the back office as the answer to a form: what it shows once, an address must not carry, and nothing keeps it to
/// be shown later. `None` when the address is none.
pub(super) async fn render_with<Shown: Clone + Send + Sync + 'static>(
    app: &App,
    page: &str,
    query: Option<&str>,
    language: Option<HeaderValue>,
    (person, shown): (SignedIn, Shown),
) -> Option<Response> {
    let address = query.map_or_else(|| page.to_owned(), |query| format!("{page}?{query}"));
    let mut request = Request::get(address).body(Body::empty()).ok()?;
    if let Some(language) = language {
        request.headers_mut().insert(ACCEPT_LANGUAGE, language);
    }
    request.extensions_mut().insert(person);
    request.extensions_mut().insert(shown);
    Some(render(app, request).await)
}

/// [`render`] in another document.
pub(super) async fn render_in(
    app: &App,
    mut request: Request<Body>,
    shell: fn() -> AnyView,
) -> Response {
    let visitor = visitor(request.uri().query(), request.headers());
    request.extensions_mut().insert(visitor);
    let context = context(app);
    let handler = leptos_axum::render_app_async_with_context(context, move || {
        ui::policy::let_nothing_in();
        shell()
    });
    let rendered = app.core.tasks.spawn(handler(request)).await;
    rendered.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_ended) => Problem::Unavailable.response(),
    })
}

/// The server functions' door. They answer scripts of this site's pages alone: whoever takes pages Leptos would send back to the `Referer`, which is
/// an address of a stranger's choice.
pub async fn server_function_route(State(app): State<App>, mut request: Request) -> Response {
    use axum::response::IntoResponse;
    if !says_from_where(request.headers()) {
        return Problem::NotAllowed.response();
    }
    request.headers_mut().remove(ACCEPT);
    request.headers_mut().remove(REFERER);
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

pub(super) fn visitor(query: Option<&str>, headers: &HeaderMap) -> Visitor {
    let asked = language::asked(query);
    let accepted = Locale::negotiate(
        headers
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok()),
    );
    Visitor { asked, accepted }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asked_language_is_read_from_the_query() {
        let visitor = visitor(Some("imp_uid=x&lang=en"), &HeaderMap::new());
        assert_eq!(visitor.asked, Some(Locale::En));
        assert_eq!(visitor.locale(Some("ko")), Locale::En);
    }
}
