//! The forms of `/settings/webhooks`. A new secret is shown in the answer itself and not after a redirect: an address must not
//! carry it, and nothing keeps it to be shown later.

use axum::Router;
use axum::extract::{Extension, Path, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::HeaderValue;
use http::header::ACCEPT_LANGUAGE;
use url::form_urlencoded;

use super::App;
use super::limits::FORM_BYTES_MAX;
use super::office::see_other;
use super::pages::{page_route, render};
use super::problem::Problem;
use crate::domain::delivery::{DeliveryStatus, Endpoint, EndpointId};
use crate::domain::event::EventType;
use crate::ports::deliveries::{Again, EndpointChange, Redelivered};
use crate::ports::store::StoreError;
use crate::service::endpoints::{self, EndpointError, REDELIVERED_MAX};
use crate::ui::context::{NewSecret, SignedIn};

const PAGE: &str = "/settings/webhooks";

/// The addresses of this part, for who is signed in.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/settings/webhooks", get(page_route).post(make))
        .route("/settings/webhooks/{endpoint_id}/{action}", post(act))
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
    let (mut url, mut types) = (String::new(), Vec::new());
    for (name, value) in form_urlencoded::parse(&bytes) {
        match name.as_ref() {
            "url" => value.trim().clone_into(&mut url),
            "event_types" => types.extend(EventType::from_word(&value)),
            _ => {}
        }
    }
    types.dedup();
    let types = Some(types).filter(|types| !types.is_empty());
    match endpoints::make(&app.core, &url, types).await {
        Ok(endpoint) => {
            let language = parts.headers.get(ACCEPT_LANGUAGE).cloned();
            shown_once(&app, person, endpoint, parts.uri.query(), language).await
        }
        Err(error) => back(failed(&error)),
    }
}

/// `POST /settings/webhooks/{endpoint_id}/{action}`
async fn act(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Path((id, action)): Path<(String, String)>,
    request: Request,
) -> Response {
    let Ok(id) = EndpointId::parse(&id) else {
        return back("error=not_found");
    };
    let switch = async |enabled| {
        let change = EndpointChange {
            enabled: Some(enabled),
            ..EndpointChange::default()
        };
        endpoints::change(&app.core, &id, &change).await
    };
    let result = match action.as_str() {
        "enable" => switch(true).await.map(|_| "done=endpoint_enabled"),
        "disable" => switch(false).await.map(|_| "done=endpoint_disabled"),
        "delete" => delete(&app, &id).await,
        "redeliver" => redeliver_given_up(&app, &id).await,
        "rotate" => match endpoints::rotate(&app.core, &id).await {
            Ok(endpoint) => {
                let language = request.headers().get(ACCEPT_LANGUAGE).cloned();
                let query = request.uri().query();
                return shown_once(&app, person, endpoint, query, language).await;
            }
            Err(error) => Err(error),
        },
        _ => Err(EndpointError::NotFound),
    };
    back(result.unwrap_or_else(|error| failed(&error)))
}

async fn delete(app: &App, id: &EndpointId) -> Result<&'static str, EndpointError> {
    let now = app.core.clock.now();
    if app.core.deliveries.delete_endpoint(id, now).await? {
        Ok("done=endpoint_deleted")
    } else {
        Err(EndpointError::NotFound)
    }
}

async fn redeliver_given_up(app: &App, id: &EndpointId) -> Result<&'static str, EndpointError> {
    let again = Again {
        endpoint_id: id.clone(),
        status: DeliveryStatus::GivenUp,
        from: None,
        to: None,
        limit: REDELIVERED_MAX,
    };
    endpoints::redeliver(&app.core, &again).await?;
    Ok("done=redelivered")
}

/// `POST /settings/deliveries/{id}/redeliver`
async fn redeliver(State(app): State<App>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse() else {
        return back("error=not_found");
    };
    let now = app.core.clock.now();
    back(match app.core.deliveries.redeliver(id, now).await {
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
    let address = query.map_or_else(|| PAGE.to_owned(), |query| format!("{PAGE}?{query}"));
    let Ok(mut request) = Request::get(address).body(axum::body::Body::empty()) else {
        return back("error=unavailable");
    };
    if let Some(language) = language {
        request.headers_mut().insert(ACCEPT_LANGUAGE, language);
    }
    request.extensions_mut().insert(person);
    request
        .extensions_mut()
        .insert(NewSecret::new(endpoint.url, endpoint.secrets.newest));
    render(app, request).await
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
    see_other(&format!("{PAGE}?{result}"))
}
