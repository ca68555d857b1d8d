//! `/api/v1/webhook-endpoints` and `/api/v1/deliveries`: where events go, and how far each of them is.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::answers::{
    self, DeliveryBrief, DeliveryList, DeliveryStatusWord, EventTypeWord, WebhookEndpoint,
    WebhookEndpointList, WebhookEndpointWithSecret,
};
use super::body::{Refusal, present};
use super::{FieldRefused, Shop, cut, filled, json_body, page_limit, query_of, unavailable};
use crate::domain::delivery::{DeliveryStatus, EndpointId};
use crate::domain::event::EventType;
use crate::domain::ids::PaymentId;
use crate::domain::target::TargetRefused;
use crate::ports::deliveries::{Again, DeliveryFilter, EndpointChange, Redelivered};
use crate::service::endpoints::{self, EndpointError, REDELIVERED_MAX};
use crate::web::App;
use crate::web::named::Named;
use crate::web::problem::Problem;

/// Longest text that is looked for as an event's id.
const EVENT_ID_BYTES_MAX: usize = 64;
const CURSOR_RIGHT: &str = "must be a next_cursor of an earlier answer";
const URL_RIGHT: &str =
    "must be an https address of at most 2048 bytes, without a user name or a password";
const TYPES_RIGHT: &str =
    "must be a list of event types such as order.paid, each once, or null for all of them";

/// An endpoint to be made
#[derive(ToSchema)]
pub struct NewWebhookEndpointBody {
    /// An https address, without a user name or a password
    #[schema(max_length = 2048, pattern = "^[Hh][Tt][Tt][Pp][Ss]?://")]
    pub url: String,
    /// What to tell of, each once; everything when absent or null
    #[schema(value_type = Option<Vec<EventTypeWord>>, min_items = 1)]
    pub event_types: Option<Vec<String>>,
}

/// What to change of an endpoint
#[derive(ToSchema)]
pub struct WebhookEndpointChangeBody {
    /// An https address, without a user name or a password
    #[schema(max_length = 2048, pattern = "^[Hh][Tt][Tt][Pp][Ss]?://")]
    pub url: Option<String>,
    /// What to tell of, each once; everything when null
    #[schema(value_type = Option<Vec<EventTypeWord>>, min_items = 1)]
    pub event_types: Option<Vec<String>>,
    /// Whether events are sent to it
    pub enabled: Option<bool>,
}

/// Which events to send again
#[derive(ToSchema)]
pub struct RedeliverBody {
    /// `given_up` when absent, or `delivered`
    #[schema(value_type = Option<DeliveryStatusWord>)]
    pub status: Option<String>,
    /// Written at this time or after
    pub from: Option<Timestamp>,
    /// Written before this time
    pub to: Option<Timestamp>,
    /// The `next_cursor` of an earlier answer, to go on behind it
    pub cursor: Option<String>,
}

/// The addresses of this part.
pub fn routes() -> Router<App> {
    Router::new()
        .route(
            "/api/v1/webhook-endpoints",
            get(list_endpoints).post(make_endpoint),
        )
        .route(
            "/api/v1/webhook-endpoints/{endpoint_id}",
            get(read_endpoint)
                .patch(change_endpoint)
                .delete(delete_endpoint),
        )
        .route(
            "/api/v1/webhook-endpoints/{endpoint_id}/rotate",
            post(rotate_secret),
        )
        .route(
            "/api/v1/webhook-endpoints/{endpoint_id}/redeliver",
            post(redeliver_many),
        )
        .route("/api/v1/deliveries", get(list_deliveries))
        .route("/api/v1/deliveries/{id}", get(read_delivery))
        .route("/api/v1/deliveries/{id}/redeliver", post(redeliver))
}

/// `POST /api/v1/webhook-endpoints`
#[utoipa::path(post, path = "/api/v1/webhook-endpoints", tag = "events", summary = "Makes an endpoint",
    description = "Its secret is in this answer and never again.", request_body = NewWebhookEndpointBody,
    responses((status = 201, description = "The endpoint, with its secret", body = WebhookEndpointWithSecret)))]
pub(super) async fn make_endpoint(
    shop: Shop,
    State(app): State<App>,
    request: Request,
) -> Response {
    let object = match object(request, &["url", "event_types"]).await {
        Ok(object) => object,
        Err(response) => return response,
    };
    let read = url(&object).and_then(|url| {
        let url = url.ok_or(Refusal::Field("url", URL_RIGHT))?;
        Ok((url, event_types(&object)?.flatten()))
    });
    let (url, event_types) = match read {
        Ok(read) => read,
        Err(refusal) => return refusal.response(),
    };
    match endpoints::make(&app.core, &url, event_types, &shop.actor()).await {
        Ok(endpoint) => {
            let shown = WebhookEndpointWithSecret::of(&endpoint, app.core.clock.now());
            (StatusCode::CREATED, Json(shown)).into_response()
        }
        Err(error) => refused(&error),
    }
}

/// `GET /api/v1/webhook-endpoints`
#[utoipa::path(get, path = "/api/v1/webhook-endpoints", tag = "events", summary = "Lists the endpoints",
    responses((status = 200, description = "All of them", body = WebhookEndpointList)))]
pub(super) async fn list_endpoints(_shop: Shop, State(app): State<App>) -> Response {
    match app.core.deliveries.endpoints().await {
        Ok(endpoints) => {
            let now = app.core.clock.now();
            let endpoints = endpoints.iter();
            let list = WebhookEndpointList {
                webhook_endpoints: endpoints
                    .map(|endpoint| WebhookEndpoint::of(endpoint, now))
                    .collect(),
                next_cursor: None,
            };
            Json(list).into_response()
        }
        Err(error) => unavailable(&error),
    }
}

/// `GET /api/v1/webhook-endpoints/{endpoint_id}`
#[utoipa::path(get, path = "/api/v1/webhook-endpoints/{endpoint_id}", tag = "events", summary = "Reads an endpoint",
    params(("endpoint_id" = String, Path, description = "The id of the endpoint")),
    responses((status = 200, description = "The endpoint", body = WebhookEndpoint)))]
pub(super) async fn read_endpoint(
    _shop: Shop,
    State(app): State<App>,
    Named(id): Named<String>,
) -> Response {
    let Ok(id) = EndpointId::parse(&id) else {
        return Problem::NotFound.response();
    };
    match endpoints::find(&app.core, &id).await {
        Ok(endpoint) => Json(WebhookEndpoint::of(&endpoint, app.core.clock.now())).into_response(),
        Err(error) => refused(&error),
    }
}

/// `PATCH /api/v1/webhook-endpoints/{endpoint_id}`
#[utoipa::path(patch, path = "/api/v1/webhook-endpoints/{endpoint_id}", tag = "events", summary = "Changes an endpoint",
    description = "What is absent stays as it is.", params(("endpoint_id" = String, Path, description = "The id of the endpoint")), request_body = WebhookEndpointChangeBody,
    responses((status = 200, description = "The endpoint", body = WebhookEndpoint)))]
pub(super) async fn change_endpoint(
    shop: Shop,
    State(app): State<App>,
    Named(id): Named<String>,
    request: Request,
) -> Response {
    let Ok(id) = EndpointId::parse(&id) else {
        return Problem::NotFound.response();
    };
    let object = match object(request, &["url", "event_types", "enabled"]).await {
        Ok(object) => object,
        Err(response) => return response,
    };
    let change = match change(&object) {
        Ok(change) => change,
        Err(refusal) => return refusal.response(),
    };
    match endpoints::change(&app.core, &id, &change, &shop.actor()).await {
        Ok(endpoint) => Json(WebhookEndpoint::of(&endpoint, app.core.clock.now())).into_response(),
        Err(error) => refused(&error),
    }
}

fn change(object: &Map<String, Value>) -> Result<EndpointChange, Refusal> {
    let enabled = match present(object, "enabled") {
        None => None,
        Some(value) => Some(
            value
                .as_bool()
                .ok_or(Refusal::Field("enabled", "must be true or false"))?,
        ),
    };
    Ok(EndpointChange {
        url: url(object)?,
        event_types: event_types(object)?,
        enabled,
    })
}

/// `DELETE /api/v1/webhook-endpoints/{endpoint_id}`
#[utoipa::path(delete, path = "/api/v1/webhook-endpoints/{endpoint_id}", tag = "events", summary = "Deletes an endpoint",
    params(("endpoint_id" = String, Path, description = "The id of the endpoint")),
    responses((status = 204, description = "Nothing more is sent to it")))]
pub(super) async fn delete_endpoint(
    shop: Shop,
    State(app): State<App>,
    Named(id): Named<String>,
) -> Response {
    let Ok(id) = EndpointId::parse(&id) else {
        return Problem::NotFound.response();
    };
    let now = app.core.clock.now();
    match app
        .core
        .deliveries
        .delete_endpoint(&id, &shop.actor(), now)
        .await
    {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => Problem::NotFound.response(),
        Err(error) => unavailable(&error),
    }
}

/// `POST /api/v1/webhook-endpoints/{endpoint_id}/rotate`
#[utoipa::path(post, path = "/api/v1/webhook-endpoints/{endpoint_id}/rotate", tag = "events", summary = "Makes a new secret",
    description = "Webhooks are signed with both secrets for a day. Until it is over no other secret is made, so that asking again after a lost answer cannot push out the secret that is in use; a person can make another one on the back office's page.", params(("endpoint_id" = String, Path, description = "The id of the endpoint")),
    responses((status = 200, description = "The endpoint, with its new secret", body = WebhookEndpointWithSecret)))]
pub(super) async fn rotate_secret(
    shop: Shop,
    State(app): State<App>,
    Named(id): Named<String>,
) -> Response {
    let Ok(id) = EndpointId::parse(&id) else {
        return Problem::NotFound.response();
    };
    match endpoints::rotate(&app.core, &id, &shop.actor()).await {
        Ok(endpoint) => Json(WebhookEndpointWithSecret::of(
            &endpoint,
            app.core.clock.now(),
        ))
        .into_response(),
        Err(error) => refused(&error),
    }
}

/// `POST /api/v1/webhook-endpoints/{endpoint_id}/redeliver`
#[utoipa::path(post, path = "/api/v1/webhook-endpoints/{endpoint_id}/redeliver", tag = "events", summary = "Sends many events again",
    params(("endpoint_id" = String, Path, description = "The id of the endpoint")), request_body = RedeliverBody,
    responses((status = 202, description = "They are on their way", body = answers::Redelivered)))]
pub(super) async fn redeliver_many(
    shop: Shop,
    State(app): State<App>,
    Named(id): Named<String>,
    request: Request,
) -> Response {
    let Ok(id) = EndpointId::parse(&id) else {
        return Problem::NotFound.response();
    };
    let object = match object(request, &["status", "from", "to", "cursor"]).await {
        Ok(object) => object,
        Err(response) => return response,
    };
    let again = match again(&object, id) {
        Ok(again) => again,
        Err(refusal) => return refusal.response(),
    };
    match endpoints::redeliver(&app.core, &again, &shop.actor()).await {
        Ok(ids) => {
            let more = u32::try_from(ids.len()) == Ok(REDELIVERED_MAX);
            let answer = answers::Redelivered {
                redelivered: ids.len(),
                more,
                next_cursor: ids.last().filter(|_| more).map(i64::to_string),
            };
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(error) => refused(&error),
    }
}

fn again(object: &Map<String, Value>, endpoint_id: EndpointId) -> Result<Again, Refusal> {
    let status = match present(object, "status") {
        None => DeliveryStatus::GivenUp,
        Some(value) => value
            .as_str()
            .and_then(DeliveryStatus::from_word)
            // What is pending is sent anyway.
            .filter(|status| *status != DeliveryStatus::Pending)
            .ok_or(Refusal::Field("status", "must be given_up or delivered"))?,
    };
    let time = |name| match present(object, name) {
        None => Ok(None),
        Some(value) => value
            .as_str()
            .and_then(|text| text.parse::<Timestamp>().ok())
            .map(Some)
            .ok_or(Refusal::Field(
                name,
                "must be a time as in RFC 3339, such as 2026-11-21T00:00:00Z",
            )),
    };
    Ok(Again {
        dismissed: true,
        endpoint_id,
        status,
        from: time("from")?,
        to: time("to")?,
        after: match present(object, "cursor") {
            None => None,
            Some(value) => Some(
                value
                    .as_str()
                    .and_then(|text| text.parse().ok())
                    .ok_or(Refusal::Field("cursor", CURSOR_RIGHT))?,
            ),
        },
        limit: REDELIVERED_MAX,
    })
}

/// Query of the list.
#[derive(Debug, Deserialize)]
pub(super) struct DeliveriesQuery {
    endpoint_id: Option<String>,
    status: Option<String>,
    payment_id: Option<String>,
    event_id: Option<String>,
    event_type: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
}

/// `GET /api/v1/deliveries`
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "events", summary = "Lists deliveries",
    description = "Latest first.",
    params(
        ("endpoint_id" = Option<String>, Query, description = "Only those for this endpoint"),
        ("status" = Option<DeliveryStatusWord>, Query, description = "Only those that are so far"),
        ("payment_id" = Option<String>, Query, description = "Only those of this order"),
        ("event_id" = Option<String>, Query, description = "Only those of this event"),
        ("event_type" = Option<EventTypeWord>, Query, description = "Only those that tell of this"),
        ("cursor" = Option<String>, Query, description = "The next_cursor of an earlier answer"),
        ("limit" = Option<u32>, Query, description = "Deliveries on a page; 20 when absent", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "A page of deliveries", body = DeliveryList)))]
pub(super) async fn list_deliveries(
    _shop: Shop,
    State(app): State<App>,
    query: Result<Query<DeliveriesQuery>, QueryRejection>,
) -> Response {
    let mut filter = match query_of(query).and_then(filter) {
        Ok(filter) => filter,
        Err(FieldRefused { field, right }) => return Problem::field(field, right),
    };
    let limit = filter.limit;
    filter.limit += 1;
    match app.core.deliveries.list_deliveries(&filter).await {
        Ok(mut deliveries) => {
            let has_more = cut(&mut deliveries, limit);
            let next = deliveries
                .last()
                .filter(|_| has_more)
                .map(|delivery| delivery.id.to_string());
            let list = DeliveryList {
                deliveries: deliveries.iter().map(DeliveryBrief::of).collect(),
                next_cursor: next,
            };
            Json(list).into_response()
        }
        Err(error) => unavailable(&error),
    }
}

fn filter(query: DeliveriesQuery) -> Result<DeliveryFilter, FieldRefused> {
    fn read<T>(
        field: &'static str,
        right: &'static str,
        text: Option<String>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, FieldRefused> {
        match filled(text) {
            None => Ok(None),
            Some(text) => parse(&text).map(Some).ok_or(FieldRefused { field, right }),
        }
    }
    Ok(DeliveryFilter {
        endpoint_id: read(
            "endpoint_id",
            "must be the id of an endpoint",
            query.endpoint_id,
            |text| EndpointId::parse(text).ok(),
        )?,
        status: read(
            "status",
            "must be pending, delivered or given_up",
            query.status,
            DeliveryStatus::from_word,
        )?,
        payment_id: read(
            "payment_id",
            "must be the id of an order",
            query.payment_id,
            |text| PaymentId::parse(text).ok(),
        )?,
        event_id: read(
            "event_id",
            "must be the id of an event",
            query.event_id,
            |text| (text.len() <= EVENT_ID_BYTES_MAX).then(|| text.to_owned()),
        )?,
        event_type: read(
            "event_type",
            "must be an event type such as order.paid",
            query.event_type,
            EventType::from_word,
        )?,
        after: read("cursor", CURSOR_RIGHT, query.cursor, |text| {
            text.parse().ok()
        })?,
        limit: page_limit(query.limit)?,
    })
}

/// `GET /api/v1/deliveries/{id}`
#[utoipa::path(get, path = "/api/v1/deliveries/{id}", tag = "events", summary = "Reads a delivery",
    description = "With every attempt.", params(("id" = i64, Path, description = "The id of the delivery")),
    responses((status = 200, description = "The delivery", body = answers::Delivery)))]
pub(super) async fn read_delivery(
    _shop: Shop,
    State(app): State<App>,
    Named(id): Named<String>,
) -> Response {
    match id.parse() {
        Ok(id) => delivery_answer(&app, StatusCode::OK, id).await,
        Err(_) => Problem::NotFound.response(),
    }
}

/// `POST /api/v1/deliveries/{id}/redeliver`
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/redeliver", tag = "events", summary = "Sends an event again",
    params(("id" = i64, Path, description = "The id of the delivery")),
    responses((status = 202, description = "It is on its way", body = answers::Delivery)))]
pub(super) async fn redeliver(
    shop: Shop,
    State(app): State<App>,
    Named(id): Named<String>,
) -> Response {
    let Ok(id) = id.parse() else {
        return Problem::NotFound.response();
    };
    let now = app.core.clock.now();
    match app.core.deliveries.redeliver(id, &shop.actor(), now).await {
        Ok(Redelivered::Done) => delivery_answer(&app, StatusCode::ACCEPTED, id).await,
        Ok(Redelivered::NothingThere) => Problem::NotFound.response(),
        Ok(Redelivered::NotServed) => Problem::EndpointOff.response(),
        Err(error) => unavailable(&error),
    }
}

async fn delivery_answer(app: &App, status: StatusCode, id: i64) -> Response {
    match app.core.deliveries.find_delivery(id).await {
        Ok(Some((delivery, attempts))) => {
            let answer = answers::Delivery::of(&delivery, &attempts);
            (status, Json(answer)).into_response()
        }
        Ok(None) => Problem::NotFound.response(),
        Err(error) => unavailable(&error),
    }
}

/// A JSON object with no other fields than these. An empty body is an empty one.
async fn object(request: Request, fields: &[&str]) -> Result<Map<String, Value>, Response> {
    let bytes = json_body(request).await.map_err(Problem::response)?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    let object: Map<String, Value> =
        serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed.response())?;
    match object.keys().find(|key| !fields.contains(&key.as_str())) {
        None => Ok(object),
        Some(unknown) => {
            let unknown = crate::domain::text::clean(unknown);
            Err(Refusal::UnknownField(unknown).response())
        }
    }
}

fn url(object: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    match present(object, "url") {
        None => Ok(None),
        Some(value) => match value.as_str().map(str::trim) {
            Some(url) if !url.is_empty() && !url.contains(char::is_control) => {
                Ok(Some(url.to_owned()))
            }
            _ => Err(Refusal::Field("url", URL_RIGHT)),
        },
    }
}

/// `None` when nothing is said of it; null is all types.
fn event_types(object: &Map<String, Value>) -> Result<Option<Option<Vec<EventType>>>, Refusal> {
    let refusal = || Refusal::Field("event_types", TYPES_RIGHT);
    let list = match object.get("event_types") {
        None => return Ok(None),
        Some(Value::Null) => return Ok(Some(None)),
        Some(value) => value.as_array().ok_or_else(refusal)?,
    };
    let mut types = Vec::new();
    for value in list {
        let one = value
            .as_str()
            .and_then(EventType::from_word)
            .filter(|one| !types.contains(one))
            .ok_or_else(refusal)?;
        types.push(one);
    }
    if types.is_empty() {
        return Err(refusal());
    }
    Ok(Some(Some(types)))
}

fn refused(error: &EndpointError) -> Response {
    match error {
        EndpointError::Target(TargetRefused::Malformed | TargetRefused::Credentials) => {
            Problem::field("url", URL_RIGHT)
        }
        EndpointError::Target(TargetRefused::Insecure) => Problem::field(
            "url",
            "must be https; without it only networks of WANRYO_EVENT_TARGETS_PRIVATE are sent to",
        ),
        EndpointError::Target(TargetRefused::NotPublic) => Problem::field(
            "url",
            "must lead to a public address, or into a network of WANRYO_EVENT_TARGETS_PRIVATE",
        ),
        EndpointError::TooMany => Problem::TooManyEndpoints.response(),
        EndpointError::NotFound => Problem::NotFound.response(),
        EndpointError::RotatedBefore => Problem::SecretRotated.response(),
        EndpointError::NotServed => Problem::EndpointOff.response(),
        EndpointError::Store(error) => unavailable(error),
    }
}
