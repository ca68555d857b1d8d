//! The forms of `/settings/webhooks`. A new secret is shown in the answer itself and not after a redirect: an address must not
//! carry it, and nothing keeps it to be shown later.

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Router};
use http::HeaderValue;
use http::header::ACCEPT_LANGUAGE;
use serde::Deserialize;
use url::form_urlencoded;

use super::App;
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
use crate::ui::context::{NewSecret, SignedIn};
use crate::ui::pages::office::webhooks::WEBHOOKS_PATH;

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
    let (mut url, mut types) = (String::new(), Vec::<EventType>::new());
    for (name, value) in form_urlencoded::parse(&bytes) {
        match name.as_ref() {
            "url" => value.trim().clone_into(&mut url),
            "event_types" => {
                let kind = EventType::from_word(&value);
                types.extend(kind.filter(|kind| !types.contains(kind)));
            }
            _ => {}
        }
    }
    let types = Some(types).filter(|types| !types.is_empty());
    match endpoints::make(&app.core, &url, types, &person.actor()).await {
        Ok(endpoint) => {
            let language = parts.headers.get(ACCEPT_LANGUAGE).cloned();
            shown_once(&app, person, endpoint, parts.uri.query(), language).await
        }
        Err(error) => back(failed(&error)),
    }
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
    back(changed.map_or_else(|error| failed(&error), |_| done))
}

/// `POST /settings/webhooks/{endpoint_id}/rotate`
async fn rotate(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
    request: Request,
) -> Response {
    let Ok(id) = EndpointId::parse(&id) else {
        return back("error=not_found");
    };
    match endpoints::rotate(&app.core, &id, &person.actor()).await {
        Ok(endpoint) => {
            let language = request.headers().get(ACCEPT_LANGUAGE).cloned();
            let query = request.uri().query();
            shown_once(&app, person, endpoint, query, language).await
        }
        Err(error) => back(failed(&error)),
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
        Err(error) => unavailable(&error),
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
        limit: REDELIVERED_MAX,
    };
    let asked = endpoints::redeliver(&app.core, &again, &person.actor()).await;
    back(asked.map_or_else(|error| failed(&error), |_| "done=redelivered"))
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
        Err(error) => unavailable(&error),
    })
}

/// The page with the secret on it.
async fn shown_once(
    app: &App,
    person: SignedIn,
    endpoint: Endpoint,
    query: Option<&str>,
    language: Option<HeaderValue>,
) -> Response {
    let secret = NewSecret::new(endpoint.url, endpoint.secrets.newest);
    let rendered = render_with(app, WEBHOOKS_PATH, query, language, (person, secret)).await;
    rendered.unwrap_or_else(|| back("error=unavailable"))
}

fn failed(error: &EndpointError) -> &'static str {
    match error {
        EndpointError::Target(_) => "error=target",
        EndpointError::TooMany => "error=too_many",
        EndpointError::NotFound => "error=not_found",
        EndpointError::NotServed => "error=not_served",
        EndpointError::Store(error) => unavailable(error),
    }
}

fn unavailable(error: &StoreError) -> &'static str {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the store failed while an endpoint was changed"
    );
    "error=unavailable"
}

fn back(result: &'static str) -> Response {
    see_other(&format!("{WEBHOOKS_PATH}?{result}"))
}
