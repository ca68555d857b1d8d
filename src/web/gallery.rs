//! `/_gallery`: every state of the buyer's pages, for people to look at. `wanryo demo` alone routes it.

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::{App, pages};
use crate::ui::gallery::{STATES, Theme, Wanted};
use crate::ui::gallery_shell;

/// `GET /_gallery`
pub async fn list_route(State(app): State<App>, request: Request) -> Response {
    show(&app, request, None).await
}

/// `GET /_gallery/{state}`
pub async fn state_route(
    State(app): State<App>,
    Path(state): Path<String>,
    request: Request,
) -> Response {
    if !STATES.contains(&state.as_str()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    show(&app, request, Some(state)).await
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
