//! `{page}/deadline.ics`: until when to deposit, for the buyer's calendar.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};

use super::named::Named;
use super::{App, claim, pages};
use crate::domain::ids::StatusToken;
use crate::service::completion::{CompletionView, complete, status};
use crate::ui::calendar::deadline;

/// `GET /o/{token}/deadline.ics`
pub async fn of_link(
    State(app): State<App>,
    Named(token): Named<String>,
    request: Request,
) -> Response {
    let view = status(&app.core, StatusToken::parse(&token).ok()).await;
    answer(&app, &view, &request.into_parts().0)
}

/// `GET /payments/complete/deadline.ics`
pub async fn of_redirect(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let claim = claim::read(&parts, body).await;
    let view = complete(&app.core, claim).await;
    answer(&app, &view, &parts)
}

/// The file, or plainly 404 when there is nothing to remember: "not yours" and "not awaited" are the same.
pub(super) fn answer(app: &App, view: &CompletionView, parts: &Parts) -> Response {
    let payment = view.payment.as_ref();
    let of_order = payment.and_then(|payment| payment.locale.as_deref());
    let locale = pages::visitor(parts.uri.query(), &parts.headers).locale(of_order);
    let address = payment.map_or("", |payment| payment.status_url.as_str());
    let Some(file) = deadline(view, locale, app.site.shop_name.as_deref(), address) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers: [(HeaderName, HeaderValue); 2] = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/calendar; charset=utf-8"),
        ),
        (
            CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"deadline.ics\""),
        ),
    ];
    (headers, file).into_response()
}
