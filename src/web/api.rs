//! `/api/v1`: the shop's server makes, reads, checks, closes and refunds orders, reads what needs attention, and says where
//! events go.

pub mod answers;
pub mod attention;
pub mod body;
pub mod describe;
pub mod docs;
pub mod endpoints;
pub mod once;
pub mod refunds;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use self::answers::{History, HistoryEntry, OrderBrief, OrderList};
use self::once::Key;
use super::App;
use super::limits::{BODY_BYTES_MAX, is_too_deep};
use super::named::Named;
use super::problem::Problem;
use super::rates::Told;
use crate::domain::history::Actor;
use crate::domain::ids::PaymentId;
use crate::domain::order::{OrderStatus, Portone};
use crate::ports::store::{OrderFilter, Snapshot, StoreError};
use crate::service::orders::{self, CloseError, Made, NewOrder};
use crate::service::sync::{Ask, SyncError, sync};
use crate::service::{Core, access, cursor};

/// Orders on a page when the request does not say.
const PAGE_DEFAULT: u32 = 20;
/// Most orders on a page.
const PAGE_MAX: u32 = 100;

/// A shop's server that showed a valid key.
pub struct Shop {
    name: String,
}

impl FromRequestParts<App> for Shop {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let header = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '));
        let Some((_, key)) = header.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        else {
            return Err(Problem::Unauthorized.response());
        };
        match access::api_key(&app.core, key.trim()).await {
            Ok(Some(found)) => {
                let quota = app.network.limits.calls_per_key;
                let digest = Sha256::digest(key.trim()).into();
                let standing = app.rates.take(digest, quota, app.core.clock.now());
                if let Some(told) = parts.extensions.get::<Told>() {
                    told.put(standing);
                }
                if standing.is_over {
                    return Err(Problem::TooManyCalls.response());
                }
                Ok(Self { name: found.name })
            }
            Ok(None) => Err(Problem::Unauthorized.response()),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

impl Shop {
    fn actor(self) -> Actor {
        Actor::Shop(self.name)
    }
}

/// `POST /api/v1/orders`
#[utoipa::path(post, path = "/api/v1/orders", tag = "orders", summary = "Makes an order",
    description = "Its amount is registered at PortOne in advance. The very same body again is the same order; the same payment_id with another body is refused.",
    params(("Idempotency-Key" = Option<String>, Header, description = "A name for the request, printable ASCII, kept for 24 hours: with another body it is refused. The payment_id alone makes a repeated request safe, too", min_length = 1, max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$")),
    request_body = body::NewOrderBody,
    responses((status = 201, description = "The order, new", body = answers::Order), (status = 200, description = "The order, made before by the same body", body = answers::Order)))]
pub async fn make_order(shop: Shop, State(app): State<App>, request: Request) -> Response {
    let key = once::key(request.headers());
    let bytes = match json_body(request).await {
        Ok(bytes) => bytes,
        Err(problem) => return problem.response(),
    };
    let new = match body::parse(&bytes, app.core.clock.now(), default_portone(&app)) {
        Ok(new) => new,
        Err(refusal) => return refusal.response(),
    };
    let against = against_a_new_one(&app, &new);
    if let Some(against) = against {
        // Before its name is kept: whoever mends the body sends it by the same one.
        match app.core.orders.find_order(&new.payment_id).await {
            Ok(Some(_)) => {}
            Ok(None) => return against.response(),
            Err(error) => return unavailable(&error),
        }
    }
    let _turn = match key {
        Key::Absent => None,
        Key::Unusable => return Problem::IdempotencyKeyNeeded.response(),
        Key::Usable(key) => match once::admit(&app, &shop, key, &new.fingerprint).await {
            Ok(turn) => Some(turn),
            Err(refusal) => return refusal,
        },
    };
    if let Some(against) = against {
        return repeated(&app.core, &new, against).await;
    }
    match orders::make(&app.core, new, shop.actor()).await {
        Ok(Made::New(snapshot)) => order_answer(&app.core, StatusCode::CREATED, &snapshot).await,
        Ok(Made::Same(snapshot)) => order_answer(&app.core, StatusCode::OK, &snapshot).await,
        Ok(Made::Different) => Problem::OrderExists.response(),
        Err(error) => unavailable(&error),
    }
}

/// A body that is not too much to be parsed.
async fn json_body(request: Request) -> Result<Bytes, Problem> {
    let bytes = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX)
        .await
        .map_err(|_| Problem::TooLarge)?;
    if is_too_deep(&bytes) {
        return Err(Problem::MalformedBody);
    }
    Ok(bytes)
}

/// A query that names each parameter once.
fn query_of<Q>(query: Result<Query<Q>, QueryRejection>) -> Result<Q, FieldRefused> {
    query.map(|Query(query)| query).map_err(|_| FieldRefused {
        field: "query",
        right: "must name each parameter once, in UTF-8",
    })
}

fn is_configured(app: &App, portone: Portone) -> bool {
    match portone {
        Portone::V1 => app.site.v1.is_some(),
        Portone::V2 => app.site.v2.is_some(),
    }
}

/// Where an order goes that does not say: the only generation that is configured, and V1 where both are.
fn default_portone(app: &App) -> Portone {
    if is_configured(app, Portone::V1) || !is_configured(app, Portone::V2) {
        Portone::V1
    } else {
        Portone::V2
    }
}

/// Why an order cannot be made that is not there already.
#[derive(Debug, Clone, Copy)]
enum Against {
    /// Its generation of PortOne is not configured, or not any more.
    NotConfigured,
    /// Its time is over.
    Over,
}

impl Against {
    fn response(self) -> Response {
        match self {
            Self::NotConfigured => Problem::PortoneNotConfigured.response(),
            Self::Over => Problem::field("expires_at", "must be in the future"),
        }
    }
}

fn against_a_new_one(app: &App, new: &NewOrder) -> Option<Against> {
    if !is_configured(app, new.portone) {
        return Some(Against::NotConfigured);
    }
    let is_over = new.expires_at.is_some_and(|at| at <= app.core.clock.now());
    is_over.then_some(Against::Over)
}

/// The very same body again is the same order, however much later; a new one cannot be made.
async fn repeated(core: &Core, new: &NewOrder, against: Against) -> Response {
    match core.orders.find_order(&new.payment_id).await {
        Ok(Some(there)) if there.order.fingerprint == new.fingerprint => {
            order_answer(core, StatusCode::OK, &there).await
        }
        Ok(Some(_)) => Problem::OrderExists.response(),
        Ok(None) => against.response(),
        Err(error) => unavailable(&error),
    }
}

/// `GET /api/v1/orders/{payment_id}`
#[utoipa::path(get, path = "/api/v1/orders/{payment_id}", tag = "orders", summary = "Reads an order",
    description = "With its transactions, every check of them, and its refunds.",
    params(("payment_id" = String, Path, description = "The shop's id of the payment", min_length = 1, max_length = 64)),
    responses((status = 200, description = "The order", body = answers::Order)))]
pub async fn read_order(_shop: Shop, State(app): State<App>, Named(id): Named<String>) -> Response {
    let Ok(id) = PaymentId::parse(&id) else {
        return Problem::NotFound.response();
    };
    match app.core.orders.find_order(&id).await {
        Ok(Some(snapshot)) => order_answer(&app.core, StatusCode::OK, &snapshot).await,
        Ok(None) => Problem::NotFound.response(),
        Err(error) => unavailable(&error),
    }
}

/// Query of the list.
#[derive(Debug, Deserialize)]
pub struct ListQuery {
    status: Option<String>,
    q: Option<String>,
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
}

/// `GET /api/v1/orders`
#[utoipa::path(get, path = "/api/v1/orders", tag = "orders", summary = "Lists orders",
    description = "Newest first.",
    params(
        ("status" = Option<answers::OrderStatusWord>, Query, description = "Only orders that stand so"),
        ("q" = Option<String>, Query, description = "The beginning of a payment_id, or a whole transaction_id"),
        ("from" = Option<Timestamp>, Query, description = "Made at this time or after"),
        ("to" = Option<Timestamp>, Query, description = "Made before this time"),
        ("cursor" = Option<String>, Query, description = "The next_cursor of an earlier answer"),
        ("limit" = Option<u32>, Query, description = "Orders on a page; 20 when absent", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "A page of orders", body = answers::OrderList)))]
pub async fn list_orders(
    _shop: Shop,
    State(app): State<App>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Response {
    let filter = match query_of(query).and_then(filter) {
        Ok(filter) => filter,
        Err(FieldRefused { field, right }) => return Problem::field(field, right),
    };
    match orders::list(&app.core, &filter).await {
        Ok(listed) => {
            let next = listed.further.as_ref().map(cursor::after);
            let orders = listed.orders.iter();
            let orders = orders.map(|order| OrderBrief::of(&app.core, order));
            let list = OrderList {
                orders: orders.collect(),
                next_cursor: next,
            };
            Json(list).into_response()
        }
        Err(error) => unavailable(&error),
    }
}

/// A parameter that cannot be used, and what would be right.
struct FieldRefused {
    field: &'static str,
    right: &'static str,
}

/// What a parameter says, when it says anything. Control characters match nothing, and PostgreSQL refuses one of them.
fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.replace(char::is_control, ""))
        .filter(|text| !text.is_empty())
}

fn page_limit(text: Option<String>) -> Result<u32, FieldRefused> {
    let refused = FieldRefused {
        field: "limit",
        right: "must be 1 to 100",
    };
    match filled(text) {
        None => Ok(PAGE_DEFAULT),
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=PAGE_MAX).contains(limit))
            .ok_or(refused),
    }
}

/// Leaves of what was read as much as a page shows. Says whether there was more: one more is read than is shown, to know whether
/// there is a next page.
fn cut<T>(rows: &mut Vec<T>, limit: u32) -> bool {
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > shown;
    rows.truncate(shown);
    has_more
}

fn filter(query: ListQuery) -> Result<OrderFilter, FieldRefused> {
    let refused = |field, right| FieldRefused { field, right };
    let time = |field, text: Option<String>| match filled(text) {
        None => Ok(None),
        Some(text) => text.parse::<Timestamp>().map(Some).map_err(|_| {
            refused(
                field,
                "must be a time as in RFC 3339, such as 2026-11-21T00:00:00Z",
            )
        }),
    };
    let status = match filled(query.status) {
        None => None,
        Some(word) => Some(
            OrderStatus::from_word(&word).ok_or(refused("status", "must be an order status"))?,
        ),
    };
    let limit = page_limit(query.limit)?;
    let after = match filled(query.cursor) {
        None => None,
        Some(text) => Some(cursor::read(&text).ok_or(refused(
            "cursor",
            "must be a next_cursor of an earlier answer",
        ))?),
    };
    Ok(OrderFilter {
        status,
        query: filled(query.q),
        from: time("from", query.from)?,
        to: time("to", query.to)?,
        after,
        limit,
        ..OrderFilter::default()
    })
}

/// `GET /api/v1/orders/{payment_id}/events`
#[utoipa::path(get, path = "/api/v1/orders/{payment_id}/events", tag = "orders", summary = "Reads the whole history of an order",
    description = "Oldest first.",
    params(("payment_id" = String, Path, description = "The shop's id of the payment", min_length = 1, max_length = 64)),
    responses((status = 200, description = "The history", body = answers::History)))]
pub async fn read_history(
    _shop: Shop,
    State(app): State<App>,
    Named(id): Named<String>,
) -> Response {
    let Ok(id) = PaymentId::parse(&id) else {
        return Problem::NotFound.response();
    };
    match app.core.orders.find_order(&id).await {
        Ok(Some(_)) => {}
        Ok(None) => return Problem::NotFound.response(),
        Err(error) => return unavailable(&error),
    }
    match app.core.orders.history(&id).await {
        Ok(entries) => {
            let history = History {
                payment_id: id.as_str().to_owned(),
                events: entries.into_iter().map(HistoryEntry::of).collect(),
            };
            Json(history).into_response()
        }
        Err(error) => unavailable(&error),
    }
}

/// `POST /api/v1/orders/{payment_id}/sync`
#[utoipa::path(post, path = "/api/v1/orders/{payment_id}/sync", tag = "orders", summary = "Asks PortOne about an order now",
    params(("payment_id" = String, Path, description = "The shop's id of the payment", min_length = 1, max_length = 64)),
    responses((status = 200, description = "The order, as PortOne shows it now", body = answers::Order)))]
pub async fn sync_order(shop: Shop, State(app): State<App>, Named(id): Named<String>) -> Response {
    let Ok(payment_id) = PaymentId::parse(&id) else {
        return Problem::NotFound.response();
    };
    match sync(
        &app.core,
        Ask {
            payment_id,
            transaction_id: None,
            patient: false,
            actor: shop.actor(),
        },
    )
    .await
    {
        Ok(synced) if synced.confirmed => {
            order_answer(&app.core, StatusCode::OK, &synced.snapshot).await
        }
        Ok(_) | Err(SyncError::Busy) => Problem::Unavailable.response(),
        Err(SyncError::NoSuchOrder) => Problem::NotFound.response(),
        Err(SyncError::Store(error)) => unavailable(&error),
    }
}

/// `POST /api/v1/orders/{payment_id}/close`
#[utoipa::path(post, path = "/api/v1/orders/{payment_id}/close", tag = "orders", summary = "Wants no more payment of an order",
    description = "One that arrives all the same is late.",
    params(("payment_id" = String, Path, description = "The shop's id of the payment", min_length = 1, max_length = 64)),
    responses((status = 200, description = "The order, closed", body = answers::Order)))]
pub async fn close_order(shop: Shop, State(app): State<App>, Named(id): Named<String>) -> Response {
    let Ok(id) = PaymentId::parse(&id) else {
        return Problem::NotFound.response();
    };
    match orders::close(&app.core, &id, shop.actor()).await {
        Ok(snapshot) => order_answer(&app.core, StatusCode::OK, &snapshot).await,
        Err(CloseError::NotFound) => Problem::NotFound.response(),
        Err(CloseError::Paid) => Problem::OrderPaid.response(),
        Err(CloseError::Busy) => Problem::Unavailable.response(),
        Err(CloseError::Store(error)) => unavailable(&error),
    }
}

/// Whatever else is asked for under `/api`.
pub async fn nothing_here() -> Response {
    Problem::NotFound.response()
}

fn unavailable(error: &StoreError) -> Response {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the store failed while a shop asked"
    );
    Problem::Unavailable.response()
}

/// The order with everything that belongs to it.
async fn order_answer(core: &Core, status: StatusCode, snapshot: &Snapshot) -> Response {
    match core.refunds.refunds(&snapshot.order.payment_id).await {
        Ok(refunds) => (status, Json(answers::Order::of(core, snapshot, &refunds))).into_response(),
        Err(error) => unavailable(&error),
    }
}
