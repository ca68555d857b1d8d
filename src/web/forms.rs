//! Forms that are answered with the page itself: what shows a secret once counts once, and what cannot be done is given back with
//! what was typed.

use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use serde::de::DeserializeOwned;

use super::App;
use super::office::see_other;
use super::pages::render_with;
use super::problem::Problem;
use crate::ports::entropy::draw;
use crate::ports::requests::NamedRequest;
use crate::ports::store::StoreError;
use crate::ui::context::{GivenBack, SignedIn};
use crate::ui::pages::office::FORM_KEY_CHARS;

/// axum's, which is told in the words of ours when it cannot be read.
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match axum::Form::from_request(request, state).await {
            Ok(axum::Form(form)) => Ok(Self(form)),
            Err(FormRejection::BytesRejection(body)) => Err(body.into_response()),
            Err(_unreadable) => Err(Problem::MalformedForm.response()),
        }
    }
}

/// Whether a form's key is one that a page of ours has drawn.
pub(super) fn is_form_key(key: &str) -> bool {
    key.len() == FORM_KEY_CHARS && key.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether the form with this key is sent for the first time, which is written down here: of any number of clicks and servers one
/// goes on. Should it come to nothing afterwards, the page draws another key.
pub(super) async fn is_first(app: &App, person: &SignedIn, key: &str) -> Result<bool, StoreError> {
    let now = app.core.clock.now();
    let attempt: [u8; 16] = draw(app.core.entropy.as_ref());
    let request = NamedRequest {
        shop: person.actor().to_text(),
        name: format!("form:{key}"),
        // Not of what is in the form: whoever finds another's is not the first.
        fingerprint: format!("{:032x}", u128::from_be_bytes(attempt)),
        at: now,
    };
    let kept = app.requests.keep(&request).await?;
    Ok(kept == request.fingerprint)
}

/// The page with the form as it was sent, and what is wrong with it.
pub(super) async fn give_back<Typed: Clone + Send + Sync + 'static>(
    app: &App,
    page: &str,
    asked: (Option<&str>, &HeaderMap),
    person: SignedIn,
    form: GivenBack<Typed>,
) -> Response {
    let (query, headers) = asked;
    let language = headers.get(ACCEPT_LANGUAGE).cloned();
    let rendered = render_with(app, page, query, language, (person, form)).await;
    rendered.unwrap_or_else(|| see_other(&format!("{page}?error=unavailable")))
}
