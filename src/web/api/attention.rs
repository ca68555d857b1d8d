//! `/api/v1/attention`: the payments that a person has to look at.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::answers::{Attention, AttentionList};
use super::body::Refusal;
use super::{FieldRefused, Shop, cut, filled, json_body, page_limit, query_of, unavailable};
use crate::domain::attention::AttentionKind;
use crate::domain::ids::TransactionId;
use crate::service::attention::{self, SettleError};
use crate::service::cursor;
use crate::web::App;
use crate::web::named::Named;
use crate::web::problem::Problem;

/// Query of the list.
#[derive(Debug, Deserialize)]
pub struct AttentionQuery {
    cursor: Option<String>,
    limit: Option<String>,
}

/// `GET /api/v1/attention`
#[utoipa::path(get, path = "/api/v1/attention", tag = "attention", summary = "Lists what a person has to look at",
    description = "Latest first.",
    params(
        ("cursor" = Option<String>, Query, description = "The next_cursor of an earlier answer"),
        ("limit" = Option<u32>, Query, description = "Items on a page; 20 when absent", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "A page of it", body = AttentionList)))]
pub async fn list_attention(
    _shop: Shop,
    State(app): State<App>,
    query: Result<Query<AttentionQuery>, QueryRejection>,
) -> Response {
    let read = query_of(query).and_then(|query| Ok((page_limit(query.limit)?, query.cursor)));
    let (limit, after) = match read {
        Ok(read) => read,
        Err(FieldRefused { field, right }) => return Problem::field(field, right),
    };
    let after = match filled(after) {
        None => None,
        Some(text) => match cursor::read_item(&text) {
            Some(after) => Some(after),
            None => return Problem::field("cursor", "must be a next_cursor of an earlier answer"),
        },
    };
    let found = app
        .core
        .attention
        .list_attention(app.core.clock.now(), after.as_ref(), limit + 1)
        .await;
    match found {
        Ok(mut items) => {
            let has_more = cut(&mut items, limit);
            let next = items.last().filter(|_| has_more).map(cursor::after_item);
            let list = AttentionList {
                items: items.iter().map(Attention::of).collect(),
                next_cursor: next,
            };
            Json(list).into_response()
        }
        Err(error) => unavailable(&error),
    }
}

/// What was done about it
#[derive(Deserialize, ToSchema)]
pub struct SettleBody {
    /// For those who look later
    #[schema(min_length = 1, max_length = 500)]
    note: String,
}

/// `POST /api/v1/attention/{kind}/{transaction_id}/settle`
#[utoipa::path(post, path = "/api/v1/attention/{kind}/{transaction_id}/settle", tag = "attention", summary = "Says that something was taken care of",
    description = "The first word stays; the same from the same key is answered as the first was.",
    params(
        ("kind" = super::answers::AttentionWord, Path, description = "Why it needed attention"),
        ("transaction_id" = String, Path, description = "PortOne's id of the transaction", min_length = 1, max_length = 64),
    ),
    request_body = SettleBody,
    responses((status = 204, description = "It is settled")))]
pub async fn settle_attention(
    shop: Shop,
    State(app): State<App>,
    Named((kind, id)): Named<(String, String)>,
    request: Request,
) -> Response {
    let bytes = match json_body(request).await {
        Ok(bytes) => bytes,
        Err(problem) => return problem.response(),
    };
    let (Some(kind), Ok(id)) = (AttentionKind::from_word(&kind), TransactionId::parse(&id)) else {
        return Problem::NotFound.response();
    };
    let Ok(body) = serde_json::from_slice::<Map<String, Value>>(&bytes) else {
        return Problem::MalformedBody.response();
    };
    if let Some(unknown) = body.keys().find(|name| *name != "note") {
        let unknown = crate::domain::text::clean(unknown);
        return Refusal::UnknownField(unknown).response();
    }
    let needed = "must be text of 1 to 500 characters";
    let Ok(SettleBody { note }) = serde_json::from_value(Value::Object(body)) else {
        return Problem::field("note", needed);
    };
    match attention::settle(&app.core, kind, &id, None, &note, &shop.actor()).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(SettleError::Note(_)) => Problem::field("note", needed),
        // Only what was seen before can have changed.
        Err(SettleError::SettledBefore | SettleError::Changed) => Problem::SettledBefore.response(),
        Err(SettleError::NothingThere) => Problem::NotFound.response(),
        Err(SettleError::Store(error)) => unavailable(&error),
    }
}
