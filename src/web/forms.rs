//! Forms that are answered with the page itself: what shows a secret once counts once, and what cannot be done is given back with
//! what was typed.

use axum::response::Response;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use super::App;
use super::office::see_other;
use super::pages::render_with;
use crate::ports::entropy::draw;
use crate::ports::requests::NamedRequest;
use crate::ports::store::StoreError;
use crate::ui::context::{GivenBack, SignedIn};
use crate::ui::pages::office::FORM_KEY_CHARS;

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
