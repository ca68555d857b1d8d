//! `/_gallery`: every state of the buyer's pages, for people to look at. `wanryo demo` alone routes it.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;

use super::named::Named;
use super::{App, calendar, pages};
use crate::ui::gallery::{PATH, STATES, Theme, Wanted, result_of};
use crate::ui::gallery_shell;

/// The gallery's addresses.
pub fn routes() -> Router<App> {
    let state = format!("{PATH}/{{state}}");
    Router::new()
        .route(PATH, get(list_route))
        .route(&state, get(state_route))
        .route(&format!("{state}/deadline.ics"), get(deadline_route))
        .route(&format!("{state}/events"), get(events_route))
}

/// `GET /_gallery`
async fn list_route(State(app): State<App>, request: Request) -> Response {
    show(&app, request, None).await
}

/// `GET /_gallery/{state}`
async fn state_route(
    State(app): State<App>,
    Named(state): Named<String>,
    request: Request,
) -> Response {
    if !STATES.contains(&state.as_str()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    show(&app, request, Some(state)).await
}

/// `GET /_gallery/{state}/deadline.ics`
async fn deadline_route(
    State(app): State<App>,
    Named(state): Named<String>,
    request: Request,
) -> Response {
    match result_of(&state, &app.site.public_url) {
        Some(view) => calendar::answer(&app, &view, &request.into_parts().0),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `GET /_gallery/{state}/events`: a state of the gallery never moves, and a browser that hears so connects no more.
async fn events_route() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn show(app: &App, mut request: Request, state: Option<String>) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let theme = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("theme="))
        .and_then(Theme::from_word);
    request.extensions_mut().insert(Wanted { state, theme });
    pages::render_in(app, request, gallery_shell).await
}
