//! `GET /api/v1/openapi.json`: the API's description, OpenAPI 3.1, made of the handlers and of the types that they answer with.
//!
//! An operation is described at its handler (`#[utoipa::path]`), listed in [`Described`], and has a row in [`REFUSALS`]. That
//! nothing is forgotten, and that real answers are as described, is tested by `tests/it/description.rs`.
//! <https://spec.openapis.org/oas/v3.1.1>

use std::sync::LazyLock;

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use crate::domain::money::Currency;
use crate::web::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wanryo",
        description = "The shop's server makes orders, reads how they stand, closes them and gives money back. Amounts are whole numbers in the currency's minor unit: 64900 is 64,900 won, 1420 is 14.20 dollars. Times are RFC 3339, UTC. What is not known is null, never absent. A refusal is an RFC 9457 problem whose type leads to its explanation."
    ),
    paths(
        super::make_order,
        super::list_orders,
        super::read_order,
        super::read_history,
        super::sync_order,
        super::close_order,
        super::refunds::make_refund,
        super::refunds::list_refunds,
        super::attention::list_attention,
        super::attention::settle_attention,
        super::endpoints::make_endpoint,
        super::endpoints::list_endpoints,
        super::endpoints::read_endpoint,
        super::endpoints::change_endpoint,
        super::endpoints::delete_endpoint,
        super::endpoints::rotate_secret,
        super::endpoints::redeliver_many,
        super::endpoints::list_deliveries,
        super::endpoints::read_delivery,
        super::endpoints::redeliver,
        openapi_route,
        super::docs::docs_route,
    ),
    tags(
        (name = "orders", description = "What is sold, and how its payment stands."),
        (name = "refunds", description = "Money that goes back."),
        (name = "attention", description = "What a person has to decide."),
        (name = "events", description = "Where events go, and how far each of them is."),
        (name = "description", description = "This description. Needs no key."),
    )
)]
struct Described;

/// What any operation may refuse with.
const ANY: [Problem; 5] = [
    Problem::MalformedRequest,
    Problem::TooManyParameters,
    Problem::TooSlow,
    Problem::HeadersTooLarge,
    Problem::Unavailable,
];
/// What any operation that needs a key may refuse with, too.
const WITH_KEY: [Problem; 2] = [Problem::Unauthorized, Problem::TooManyCalls];

/// What else an operation may refuse with.
const REFUSALS: [(&str, &[Problem]); 20] = [
    (
        "make_order",
        &[
            Problem::MalformedBody,
            Problem::IdempotencyKeyNeeded,
            Problem::TooLarge,
            Problem::InvalidField,
            Problem::PortoneNotConfigured,
            Problem::IdempotencyKeyReused,
            Problem::IdempotencyKeyInUse,
            Problem::OrderExists,
        ],
    ),
    ("list_orders", &[Problem::InvalidField]),
    ("read_order", &[Problem::NotFound]),
    ("read_history", &[Problem::NotFound]),
    ("sync_order", &[Problem::NotFound]),
    ("close_order", &[Problem::NotFound, Problem::OrderPaid]),
    (
        "make_refund",
        &[
            Problem::MalformedBody,
            Problem::IdempotencyKeyNeeded,
            Problem::NotFound,
            Problem::TooLarge,
            Problem::InvalidField,
            Problem::RefundAccountNeeded,
            Problem::IdempotencyKeyReused,
            Problem::IdempotencyKeyInUse,
            Problem::OrderNotPaid,
            Problem::MoreThanRefundable,
            Problem::RefundUnderWay,
        ],
    ),
    ("list_refunds", &[Problem::NotFound]),
    ("list_attention", &[Problem::InvalidField]),
    (
        "settle_attention",
        &[
            Problem::MalformedBody,
            Problem::NotFound,
            Problem::TooLarge,
            Problem::InvalidField,
            Problem::SettledBefore,
        ],
    ),
    (
        "make_endpoint",
        &[
            Problem::MalformedBody,
            Problem::TooLarge,
            Problem::InvalidField,
            Problem::TooManyEndpoints,
        ],
    ),
    ("list_endpoints", &[]),
    ("read_endpoint", &[Problem::NotFound]),
    (
        "change_endpoint",
        &[
            Problem::MalformedBody,
            Problem::NotFound,
            Problem::TooLarge,
            Problem::InvalidField,
        ],
    ),
    ("delete_endpoint", &[Problem::NotFound]),
    (
        "rotate_secret",
        &[Problem::NotFound, Problem::SecretRotated],
    ),
    (
        "redeliver_many",
        &[
            Problem::MalformedBody,
            Problem::NotFound,
            Problem::TooLarge,
            Problem::InvalidField,
            Problem::EndpointOff,
        ],
    ),
    ("list_deliveries", &[Problem::InvalidField]),
    ("read_delivery", &[Problem::NotFound]),
    ("redeliver", &[Problem::NotFound, Problem::EndpointOff]),
];

/// What ids look like, wherever one stands in a request: in its address, its query or its body.
const IDS: [(&str, &str); 3] = [
    (
        "payment_id",
        r"^[^\u0000-\u001f/\\?#%\u007f-\u009f\ufffd]+$",
    ),
    ("transaction_id", "^[A-Za-z0-9_-]+$"),
    ("endpoint_id", "^we_[0-9a-f]{32}$"),
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let described = serde_json::to_value(Described::openapi()).unwrap_or_default();
    finished(described)
});

/// The description.
#[must_use]
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// `GET /api/v1/openapi.json`
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "description", summary = "This description, as OpenAPI 3.1",
    security(()), responses((status = 200, description = "The description", body = Object)))]
pub async fn openapi_route() -> Response {
    Json(document()).into_response()
}

/// Says what is the same for all: fields, keys and refusals.
fn finished(mut document: Value) -> Value {
    document["servers"] = json!([{ "url": "/" }]);
    document["security"] = json!([{ "key": [] }]);
    let components = &mut document["components"];
    components["securitySchemes"] = json!({ "key": { "type": "http", "scheme": "bearer", "description": "A key made by `wanryo key create --name N`" } });
    let schemas = components["schemas"].take();
    components["schemas"] = match schemas {
        Value::Object(schemas) => closed(&schemas),
        other => other,
    };
    components["schemas"]["Problem"] = problem_schema();
    components["schemas"]["NewOrderBody"]["properties"]["currency"]["enum"] = currencies();
    let schemas = components["schemas"].clone();
    if let Some(paths) = document["paths"].as_object_mut() {
        let operations = paths.values_mut().filter_map(Value::as_object_mut);
        for operation in operations.flat_map(|path| path.values_mut()) {
            refuse(operation);
            shape_ids(operation);
            ask_for_body(operation, &schemas);
        }
    }
    document
}

/// The words that a currency may be, and none at all.
fn currencies() -> Value {
    let letters = || 'A'..='Z';
    let words = letters().flat_map(|a| letters().map(move |b| (a, b)));
    let words = words.flat_map(|(a, b)| letters().map(move |c| String::from_iter([a, b, c])));
    let known = words.filter(|word| Currency::parse(word).is_ok());
    known.map(Value::String).chain([Value::Null]).collect()
}

/// Says what an id in an address or a query looks like.
fn shape_ids(operation: &mut Value) {
    // Not by its index, which would put an empty place there.
    let parameters = operation.get_mut("parameters");
    let parameters = parameters.and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let id = IDS.iter().find(|(name, _)| parameter["name"] == *name);
        if let Some((_, pattern)) = id {
            parameter["schema"]["pattern"] = json!(pattern);
        }
    }
}

/// A body without a field that must be there need not be there itself.
fn ask_for_body(operation: &mut Value, schemas: &Value) {
    let Some(body) = operation.get_mut("requestBody") else {
        return;
    };
    let schema = body["content"]["application/json"]["schema"]["$ref"].as_str();
    let name = schema.and_then(|path| path.rsplit('/').next());
    let needs = name.is_none_or(|name| schemas[name]["required"].is_array());
    body["required"] = json!(needs);
}

/// No object has other fields than these; an answer always has all of them, and a request's name ends in `Body`.
fn closed(schemas: &Map<String, Value>) -> Value {
    let close = |(name, schema): (&String, &Value)| {
        let mut schema = one_object(schema, schemas);
        if name.ends_with("Body") {
            for (id, pattern) in IDS {
                if let Some(property) = schema["properties"].get_mut(id) {
                    property["pattern"] = json!(pattern);
                }
            }
        }
        if let Some(properties) = schema["properties"].as_object() {
            let all: Vec<&String> = properties.keys().collect();
            if !name.ends_with("Body") {
                schema["required"] = json!(all);
            }
            schema["additionalProperties"] = json!(false);
        }
        (name.clone(), schema)
    };
    Value::Object(schemas.iter().map(close).collect())
}

/// An object whose fields are spread over several is said as one: a closed object cannot be part of another.
fn one_object(schema: &Value, schemas: &Map<String, Value>) -> Value {
    let Some(parts) = schema["allOf"].as_array() else {
        return schema.clone();
    };
    let mut properties = Map::new();
    for part in parts {
        let named = part["$ref"]
            .as_str()
            .and_then(|name| name.rsplit('/').next());
        let part = named.and_then(|name| schemas.get(name)).unwrap_or(part);
        if let Some(fields) = part["properties"].as_object() {
            properties.extend(fields.clone());
        }
    }
    json!({ "type": "object", "description": schema["description"], "properties": properties })
}

fn kind_of(problem: Problem) -> String {
    format!("/problems/{}", problem.slug())
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "Why a request was refused, as RFC 9457 has it",
        "required": ["type", "title", "status", "detail"],
        "additionalProperties": false,
        "properties": {
            "type": { "type": "string", "format": "uri-reference", "enum": Problem::ALL.map(kind_of), "description": "Stable; leads to an explanation" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What would be right" },
            "field": { "type": "string", "description": "With invalid-field: which one" },
            "refundable": { "type": "integer", "description": "With more-than-refundable: what is left, in the currency's minor unit" },
            "currency": { "type": "string", "description": "With more-than-refundable: ISO 4217" },
        },
    })
}

/// Adds the refusals of an operation, by status.
fn refuse(operation: &mut Value) {
    let id = operation["operationId"].as_str().unwrap_or_default();
    let own = REFUSALS.iter().find(|(name, _)| *name == id);
    let own = own.map(|(_, problems)| WITH_KEY.iter().chain(*problems));
    let all: Vec<Problem> = ANY
        .iter()
        .chain(own.into_iter().flatten())
        .copied()
        .collect();
    for problem in &all {
        let status = problem.status().as_u16();
        let same = all.iter().filter(|other| other.status().as_u16() == status);
        let (kinds, titles): (Vec<String>, Vec<&str>) =
            same.map(|other| (kind_of(*other), other.title())).unzip();
        operation["responses"][status.to_string()] = json!({
            "description": titles.join("; "),
            "content": { "application/problem+json": { "schema": {
                "allOf": [{ "$ref": "#/components/schemas/Problem" }],
                "properties": { "type": { "enum": kinds }, "status": { "const": status } },
            } } },
        });
    }
}
