//! Refusals as RFC 9457 problem details, with types that lead to their explanation.

use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use super::api::docs;
use super::named::Named;
use crate::ui::Refusal;

/// What went wrong, with a stable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// No key, or one that opens nothing.
    Unauthorized,
    /// The body cannot be read at all.
    MalformedBody,
    /// The body can be read, and a field of it cannot be.
    InvalidField,
    /// The request itself has no one meaning.
    MalformedRequest,
    /// The form cannot be read.
    MalformedForm,
    /// The headers are too large.
    HeadersTooLarge,
    /// More parameters than anybody needs.
    TooManyParameters,
    /// The body is too large.
    TooLarge,
    /// The body took too long to arrive.
    TooSlow,
    /// No such thing.
    NotFound,
    /// The address is there, and takes other methods.
    MethodNotAllowed,
    /// Another order has the id.
    OrderExists,
    /// The order has been paid.
    OrderPaid,
    /// Nothing is paid that could be given back.
    OrderNotPaid,
    /// More than is left to give back.
    MoreThanRefundable,
    /// Another refund of the transaction may still give money back.
    RefundUnderWay,
    /// The gateway has to be told where the money goes.
    RefundAccountNeeded,
    /// A request that must not be made twice has no name.
    IdempotencyKeyNeeded,
    /// The name was used for another request.
    IdempotencyKeyReused,
    /// The first request with this name is being answered.
    IdempotencyKeyInUse,
    /// What needed attention was settled before.
    SettledBefore,
    /// There are as many endpoints as there may be.
    TooManyEndpoints,
    /// The endpoint's secret was replaced, and the one before still signs.
    SecretRotated,
    /// Nothing is sent to the endpoint.
    EndpointOff,
    /// This generation of PortOne is not configured here.
    PortoneNotConfigured,
    /// A webhook of V2 without a signature that fits.
    InvalidSignature,
    /// The sender may not post webhooks.
    SourceRefused,
    /// The person who is signed in may not do this.
    NotAllowed,
    /// The key has called more often than it may.
    TooManyCalls,
    /// The client has more requests under way than it may.
    TooManyRequests,
    /// The server cannot answer now.
    Unavailable,
    /// The server's own code broke.
    Broken,
}

impl Problem {
    /// Every problem.
    pub const ALL: [Self; 32] = [
        Self::Unauthorized,
        Self::MalformedBody,
        Self::InvalidField,
        Self::MalformedRequest,
        Self::MalformedForm,
        Self::HeadersTooLarge,
        Self::TooManyParameters,
        Self::TooLarge,
        Self::TooSlow,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::OrderExists,
        Self::OrderPaid,
        Self::OrderNotPaid,
        Self::MoreThanRefundable,
        Self::RefundUnderWay,
        Self::RefundAccountNeeded,
        Self::IdempotencyKeyNeeded,
        Self::IdempotencyKeyReused,
        Self::IdempotencyKeyInUse,
        Self::SettledBefore,
        Self::TooManyEndpoints,
        Self::SecretRotated,
        Self::EndpointOff,
        Self::PortoneNotConfigured,
        Self::InvalidSignature,
        Self::SourceRefused,
        Self::NotAllowed,
        Self::TooManyCalls,
        Self::TooManyRequests,
        Self::Unavailable,
        Self::Broken,
    ];

    const fn parts(self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "A valid API key is needed",
                "Send `Authorization: Bearer KEY` with a key made by `wanryo key create --name N`.",
            ),
            Self::MalformedBody => (
                StatusCode::BAD_REQUEST,
                "malformed-body",
                "The body cannot be read",
                "Send one JSON object, in UTF-8, as application/json, nested at most 32 deep and without a number that no double holds.",
            ),
            Self::InvalidField => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-field",
                "A field cannot be used",
                "`field` names it and `detail` says what would be right.",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "The body is too large",
                "Bodies may have 64 KiB, forms 16 KiB.",
            ),
            Self::MalformedRequest => (
                StatusCode::BAD_REQUEST,
                "malformed-request",
                "The request cannot be read",
                "Send one Host, and either a Content-Length or a Transfer-Encoding, as RFC 9112 says.",
            ),
            Self::MalformedForm => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "malformed-form",
                "The form cannot be read",
                "Send it as application/x-www-form-urlencoded, in UTF-8, with each of its fields once.",
            ),
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers-too-large",
                "The headers are too large",
                "A request may have 64 headers and 32 KiB of them.",
            ),
            Self::TooManyParameters => (
                StatusCode::BAD_REQUEST,
                "too-many-parameters",
                "There are too many parameters",
                "A query or a form may have 64 parameters.",
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "too-slow",
                "The body took too long to arrive",
                "Send the whole body within ten seconds.",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "not-found",
                "There is no such thing",
                "Check the id. Ids are case-sensitive.",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "The address does not take this method",
                "`Allow` names the methods that it takes.",
            ),
            Self::OrderExists => (
                StatusCode::CONFLICT,
                "order-exists",
                "Another order has this id",
                "The same id was used with another body. Use a new id, and a new Idempotency-Key if there is one, or send the very same body again.",
            ),
            Self::OrderPaid => (
                StatusCode::CONFLICT,
                "order-paid",
                "The order has been paid",
                "A paid order is refunded, not closed.",
            ),
            Self::OrderNotPaid => (
                StatusCode::CONFLICT,
                "order-not-paid",
                "Nothing is paid that could be given back",
                "PortOne was asked just now. A duplicate, late or held payment is refunded by its `transaction_id`.",
            ),
            Self::MoreThanRefundable => (
                StatusCode::CONFLICT,
                "more-than-refundable",
                "More than is left to give back",
                "`refundable` says how much is left, in the currency's minor unit. Leave `amount` out to give all of it back.",
            ),
            Self::RefundUnderWay => (
                StatusCode::CONFLICT,
                "refund-under-way",
                "Another refund of the transaction may still give money back",
                "Wait until its `state` is done, refused or not_done: GET the order's refunds. One made in PortOne's console is not among them; wait until it is over there.",
            ),
            Self::RefundAccountNeeded => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "refund-account-needed",
                "The refund needs an account",
                "The payment was deposited to a virtual account, so the gateway has to be told where it goes back to: send `refund_account`.",
            ),
            Self::IdempotencyKeyNeeded => (
                StatusCode::BAD_REQUEST,
                "idempotency-key-needed",
                "The request needs an idempotency key",
                "Send one `Idempotency-Key` with 1 to 255 printable ASCII characters, a new one for each new request, and the same one when you repeat it. Refunds need one; an order may have one.",
            ),
            Self::IdempotencyKeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "The idempotency key was used for another request",
                "Something else was asked for with this key: another refund of the order, or within 24 hours a refund of another order, or another order to be made. Use a new key for a new request.",
            ),
            Self::IdempotencyKeyInUse => (
                StatusCode::CONFLICT,
                "idempotency-key-in-use",
                "The first request with this key is being answered",
                "Send the same request again in a moment.",
            ),
            Self::SettledBefore => (
                StatusCode::CONFLICT,
                "settled-before",
                "Somebody settled this before",
                "What was said first about a payment stays. The back office shows it.",
            ),
            Self::TooManyEndpoints => (
                StatusCode::CONFLICT,
                "too-many-endpoints",
                "There are as many endpoints as there may be",
                "There may be 32. Delete one that is not needed any more.",
            ),
            Self::SecretRotated => (
                StatusCode::CONFLICT,
                "secret-rotated",
                "The secret was replaced a short while ago",
                "Both secrets sign for 24 hours; another one can be made after that. If nobody has the new one, a person can make another on the back office's page.",
            ),
            Self::EndpointOff => (
                StatusCode::CONFLICT,
                "endpoint-off",
                "Nothing is sent to the endpoint",
                "It was disabled, answered 410, or was deleted. PATCH it with `{\"enabled\": true}` first.",
            ),
            Self::PortoneNotConfigured => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "portone-not-configured",
                "This generation of PortOne is not configured",
                "The order asks for a generation of PortOne that this server takes no orders for, or the webhook was signed and PORTONE_V2_WEBHOOK_SECRETS is not set.",
            ),
            Self::InvalidSignature => (
                StatusCode::BAD_REQUEST,
                "invalid-signature",
                "The webhook's signature does not fit",
                "Webhooks of PortOne V2 carry webhook-id, webhook-timestamp and webhook-signature, once each, made with a secret of PORTONE_V2_WEBHOOK_SECRETS within the last five minutes. Check the secrets and the clock.",
            ),
            Self::SourceRefused => (
                StatusCode::FORBIDDEN,
                "source-refused",
                "Webhooks are not taken from this address",
                "WANRYO_WEBHOOK_SOURCES lists the networks that may post webhooks.",
            ),
            Self::NotAllowed => (
                StatusCode::FORBIDDEN,
                "not-allowed",
                "This may not be done here",
                "The person who is signed in to the back office has a role that does not allow it, or the request does not say which site it comes from.",
            ),
            Self::TooManyCalls => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-calls",
                "The key has made too many calls",
                "Each key may make so many calls in a minute as `RateLimit-Policy` says. Wait as many seconds as `Retry-After` says.",
            ),
            Self::TooManyRequests => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "The client has too many requests under way",
                "Wait as many seconds as `Retry-After` says; nothing was lost.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The server cannot answer now",
                "Try again in a moment; nothing was lost.",
            ),
            Self::Broken => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "broken",
                "The server made a mistake",
                "Try again in a moment; nothing was lost. Should it happen again, the log has more at the time and the `x-request-id` of the answer.",
            ),
        }
    }

    /// The status that it is answered with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.parts().0
    }

    /// What it is, in a line.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.parts().2
    }

    /// The word at the end of its type.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        self.parts().1
    }

    /// The answer.
    #[must_use]
    pub fn response(self) -> Response {
        self.with(json!({}))
    }

    /// What a person is told of it.
    #[must_use]
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::Unavailable => Refusal::Busy,
            Self::TooManyRequests | Self::TooManyCalls => Refusal::TooMany,
            Self::Broken => Refusal::Broken,
            Self::NotAllowed => Refusal::NotAllowed,
            Self::Unauthorized
            | Self::MalformedBody
            | Self::InvalidField
            | Self::MalformedRequest
            | Self::MalformedForm
            | Self::HeadersTooLarge
            | Self::TooManyParameters
            | Self::TooLarge
            | Self::TooSlow
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::OrderExists
            | Self::OrderPaid
            | Self::OrderNotPaid
            | Self::MoreThanRefundable
            | Self::RefundUnderWay
            | Self::RefundAccountNeeded
            | Self::IdempotencyKeyNeeded
            | Self::IdempotencyKeyReused
            | Self::IdempotencyKeyInUse
            | Self::SettledBefore
            | Self::TooManyEndpoints
            | Self::SecretRotated
            | Self::EndpointOff
            | Self::PortoneNotConfigured
            | Self::InvalidSignature
            | Self::SourceRefused => Refusal::Unreadable,
        }
    }

    /// The answer with a field and what would be right for it.
    #[must_use]
    pub fn field(name: &str, right: &str) -> Response {
        Self::InvalidField.with(json!({ "field": name, "detail": right }))
    }

    /// The answer with what is left to give back.
    #[must_use]
    pub fn refundable(left_minor: i64, currency: &str) -> Response {
        Self::MoreThanRefundable.with(json!({ "refundable": left_minor, "currency": currency }))
    }

    fn with(self, extra: serde_json::Value) -> Response {
        let (status, slug, title, help) = self.parts();
        let mut body = json!({ "type": format!("/problems/{slug}"), "title": title, "status": status.as_u16(), "detail": help });
        if let (Some(body), serde_json::Value::Object(extra)) = (body.as_object_mut(), extra) {
            body.extend(extra);
        }
        let mut response = (status, body.to_string()).into_response();
        response.extensions_mut().insert(self);
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        // A page says the same number in words.
        if let Some(seconds) = self.refusal().again_in_seconds() {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self == Self::Unauthorized {
            response.headers_mut().insert(
                http::header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer"),
            );
        }
        response
    }
}

/// `GET /problems/{slug}`: what a problem's type means.
pub async fn problem_route(Named(slug): Named<String>, headers: HeaderMap) -> Response {
    let found = Problem::ALL
        .into_iter()
        .map(Problem::parts)
        .find(|(_, name, ..)| *name == slug);
    let Some((status, name, title, help)) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if takes_pages(&headers) {
        let (title, help) = (docs::escaped(title), docs::escaped(help));
        let content = format!(
            "<h1>{title}</h1><p>{help}</p><p><code>{name}</code>, {status}. <a href=\"/api/v1/docs\">The whole API</a></p>"
        );
        return docs::page(name, &content);
    }
    format!("{name} ({status})\n\n{title}.\n{help}\n").into_response()
}

/// Whether a person asks: browsers name pages among what they take.
pub(super) fn takes_pages(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|accept| accept.contains("text/html"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::ENDPOINTS_MAX;
    use crate::web::limits::{
        BODY_BYTES_MAX, FORM_BYTES_MAX, HEADER_BYTES_MAX, HEADERS_MAX, PARAMETERS_MAX,
    };

    #[test]
    fn the_texts_name_the_limits_that_hold() {
        let kib = |bytes: usize| format!("{} KiB", bytes / 1024);
        for (problem, limits) in [
            (
                Problem::TooLarge,
                [kib(BODY_BYTES_MAX), kib(FORM_BYTES_MAX)],
            ),
            (
                Problem::HeadersTooLarge,
                [format!("{HEADERS_MAX} headers"), kib(HEADER_BYTES_MAX)],
            ),
            (
                Problem::TooManyParameters,
                [format!("{PARAMETERS_MAX} parameters"), String::new()],
            ),
            (
                Problem::TooManyEndpoints,
                [format!("may be {ENDPOINTS_MAX}"), String::new()],
            ),
        ] {
            let (_, slug, _, help) = problem.parts();
            for limit in limits {
                assert!(help.contains(&limit), "{slug}: {limit}");
            }
        }
    }
}
