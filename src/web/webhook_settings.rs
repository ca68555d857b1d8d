//! The forms of `/settings/webhooks`. A new secret is shown in the answer itself and not after a redirect: an address must not
//! carry it, and nothing keeps it to be shown later. So a form that makes one counts once: of the second answer nobody would know
//! what the first one said.

use axum::Router;
use axum::extract::{Extension, OriginalUri, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use serde::Deserialize;
use url::form_urlencoded;

use super::App;
use super::forms::{Form, give_back, is_first, is_form_key};
use super::limits::FORM_BYTES_MAX;
use super::named::Named;
use super::office::see_other;
use super::pages::{page_route, render_with};
use super::problem::Problem;
use crate::domain::delivery::{DeliveryStatus, Endpoint, EndpointId};
use crate::domain::event::EventType;
use crate::ports::deliveries::{Again, EndpointChange, Redelivered};
use crate::ports::store::StoreError;
use crate::service::endpoints::{self, EndpointError, REDELIVERED_MAX};
use crate::ui::context::{GivenBack, NewSecret, SignedIn};
use crate::ui::pages::office::webhooks::{EndpointTyped, WEBHOOKS_PATH};

/// The addresses of this part, for who is signed in.
pub fn routes() -> Router<App> {
    Router::new()
        .route(WEBHOOKS_PATH, get(page_route).post(make))
        .route("/settings/webhooks/{endpoint_id}/enable", post(enable))
        .route("/settings/webhooks/{endpoint_id}/disable", post(disable))
        .route("/settings/webhooks/{endpoint_id}/delete", post(delete))
        .route("/settings/webhooks/{endpoint_id}/rotate", post(rotate))
        .route(
            "/settings/webhooks/{endpoint_id}/redeliver",
            post(redeliver_given_up),
        )
        .route("/settings/webhooks/{endpoint_id}/dismiss", post(dismiss))
        .route("/settings/deliveries/{id}/redeliver", post(redeliver))
}

/// An endpoint to add.
#[derive(Default)]
struct EndpointForm {
    key: String,
    url: String,
    types: Vec<EventType>,
    /// Whether a type is none that there is. To leave it out could mean all types, which nobody chose.
    has_unknown_type: bool,
}

impl EndpointForm {
    /// Read by hand: a name that comes several times is none that a struct can hold.
    fn read(bytes: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(bytes) {
            match name.as_ref() {
                "key" => value.as_ref().clone_into(&mut form.key),
                "url" => value.trim().clone_into(&mut form.url),
                "event_types" => match EventType::from_word(&value) {
                    Some(kind) if form.types.contains(&kind) => {}
                    Some(kind) => form.types.push(kind),
                    None => form.has_unknown_type = true,
                },
                _ => {}
            }
        }
        form
    }
}

/// `POST /settings/webhooks`
async fn make(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, FORM_BYTES_MAX).await else {
        return Problem::TooLarge.response();
    };
    let form = EndpointForm::read(&bytes);
    let asked = (parts.uri.query(), &parts.headers);
    let error = match make_once(&app, &form, &person).await {
        Ok(endpoint) => return shown_once(&app, person, endpoint, asked).await,
        Err("made_before") => return back("error=made_before"),
        Err(error) => error,
    };
    let typed = EndpointTyped {
        url: form.url,
        types: form.types,
    };
    give_back(
        &app,
        WEBHOOKS_PATH,
        asked,
        person,
        GivenBack { typed, error },
    )
    .await
}

/// The endpoint, or the code of what is wrong.
async fn make_once(
    app: &App,
    form: &EndpointForm,
    person: &SignedIn,
) -> Result<Endpoint, &'static str> {
    let (core, url) = (&app.core, &form.url);
    if form.has_unknown_type {
        return Err("types");
    }
    // Looked at before the form counts as sent: what is refused here may be mended and sent again.
    endpoints::check(core, url)
        .await
        .map_err(|error| failed(&error))?;
    if !is_form_key(&form.key) {
        return Err("again");
    }
    let is_first = is_first(app, person, &form.key).await;
    if !is_first.map_err(|error| unavailable(&error))? {
        return Err("made_before");
    }
    let types = Some(form.types.clone()).filter(|types| !types.is_empty());
    let made = endpoints::make(core, url, types, &person.actor()).await;
    made.map_err(|error| failed(&error))
}

/// `POST /settings/webhooks/{endpoint_id}/enable`
async fn enable(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
) -> Response {
    switch(&app, &person, &id, true, "done=endpoint_enabled").await
}

/// `POST /settings/webhooks/{endpoint_id}/disable`
async fn disable(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
) -> Response {
    switch(&app, &person, &id, false, "done=endpoint_disabled").await
}

async fn switch(
    app: &App,
    person: &SignedIn,
    id: &str,
    enabled: bool,
    done: &'static str,
) -> Response {
    let Ok(id) = EndpointId::parse(id) else {
        return back("error=not_found");
    };
    let change = EndpointChange {
        enabled: Some(enabled),
        ..EndpointChange::default()
    };
    let changed = endpoints::change(&app.core, &id, &change, &person.actor()).await;
    match changed {
        Ok(_) => back(done),
        Err(error) => refused(failed(&error)),
    }
}

/// Which secrets a page has shown.
#[derive(Debug, Deserialize)]
struct RotateForm {
    /// Until when the one before the newest signs; empty when there was none.
    #[serde(default)]
    seen: String,
}

/// `POST /settings/webhooks/{endpoint_id}/rotate`
async fn rotate(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Form(form): Form<RotateForm>,
) -> Response {
    let Ok(id) = EndpointId::parse(&id) else {
        return back("error=not_found");
    };
    let seen = match form.seen.as_str() {
        "" => None,
        seen => match seen.parse() {
            Ok(seen) => Some(seen),
            Err(_) => return back("error=rotated_before"),
        },
    };
    match endpoints::rotate_seen(&app.core, &id, seen, &person.actor()).await {
        Ok(endpoint) => shown_once(&app, person, endpoint, (uri.query(), &headers)).await,
        Err(error) => refused(failed(&error)),
    }
}

/// `POST /settings/webhooks/{endpoint_id}/delete`
async fn delete(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
) -> Response {
    let Ok(id) = EndpointId::parse(&id) else {
        return back("error=not_found");
    };
    let now = app.core.clock.now();
    let by = person.actor();
    let deleted = app.core.deliveries.delete_endpoint(&id, &by, now).await;
    back(match deleted {
        Ok(true) => "done=endpoint_deleted",
        Ok(false) => "error=not_found",
        Err(error) => {
            unavailable(&error);
            "error=unavailable"
        }
    })
}

/// `POST /settings/webhooks/{endpoint_id}/redeliver`
async fn redeliver_given_up(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
) -> Response {
    let Ok(endpoint_id) = EndpointId::parse(&id) else {
        return back("error=not_found");
    };
    let again = Again {
        endpoint_id,
        status: DeliveryStatus::GivenUp,
        dismissed: false,
        from: None,
        to: None,
        after: None,
        limit: REDELIVERED_MAX,
    };
    let asked = endpoints::redeliver(&app.core, &again, &person.actor()).await;
    match asked {
        Ok(again) if again.is_empty() => back("done=nothing_redelivered"),
        Ok(_) => back("done=redelivered"),
        Err(error) => refused(failed(&error)),
    }
}

/// What a person took care of.
#[derive(Debug, Deserialize)]
struct DismissForm {
    /// When the page was made: what was given up since then nobody has seen on it.
    #[serde(default)]
    until: String,
}

/// `POST /settings/webhooks/{endpoint_id}/dismiss`: pressed on the page of what needs attention, to which it leads back.
async fn dismiss(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
    Form(form): Form<DismissForm>,
) -> Response {
    let (Ok(id), Ok(until)) = (EndpointId::parse(&id), form.until.parse()) else {
        return see_other("/attention?error=nothing_there");
    };
    let now = app.core.clock.now();
    let by = person.actor();
    let deliveries = &app.core.deliveries;
    let dismissed = deliveries.dismiss_given_up(&id, until, &by, now).await;
    see_other(match dismissed {
        // Somebody else was first, or sent them again.
        Ok(0) => "/attention?error=nothing_there",
        Ok(_) => "/attention?done=settled",
        Err(error) => {
            unavailable(&error);
            "/attention?error=unavailable"
        }
    })
}

/// `POST /settings/deliveries/{id}/redeliver`
async fn redeliver(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
) -> Response {
    let Ok(id) = id.parse() else {
        return back("error=not_found");
    };
    let now = app.core.clock.now();
    let by = person.actor();
    let asked = app.core.deliveries.redeliver(id, &by, now).await;
    back(match asked {
        Ok(Redelivered::Done) => "done=redelivered",
        Ok(Redelivered::NothingThere) => "error=not_found",
        Ok(Redelivered::NotServed) => "error=not_served",
        Err(error) => {
            unavailable(&error);
            "error=unavailable"
        }
    })
}

/// The page with the secret on it.
async fn shown_once(
    app: &App,
    person: SignedIn,
    endpoint: Endpoint,
    (query, headers): (Option<&str>, &HeaderMap),
) -> Response {
    let secret = NewSecret::new(endpoint.url, endpoint.secrets.newest);
    let language = headers.get(ACCEPT_LANGUAGE).cloned();
    let rendered = render_with(app, WEBHOOKS_PATH, query, language, (person, secret)).await;
    rendered.unwrap_or_else(|| back("error=unavailable"))
}

/// The code of what is wrong.
fn failed(error: &EndpointError) -> &'static str {
    match error {
        EndpointError::Target(_) => "target",
        EndpointError::TooMany => "too_many",
        EndpointError::NotFound => "not_found",
        EndpointError::RotatedBefore => "rotated_before",
        EndpointError::NotServed => "not_served",
        EndpointError::Store(error) => unavailable(error),
    }
}

fn unavailable(error: &StoreError) -> &'static str {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the store failed while an endpoint was changed"
    );
    "unavailable"
}

fn refused(code: &'static str) -> Response {
    see_other(&format!("{WEBHOOKS_PATH}?error={code}"))
}

fn back(result: &'static str) -> Response {
    see_other(&format!("{WEBHOOKS_PATH}?{result}"))
}
