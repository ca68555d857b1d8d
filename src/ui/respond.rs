//! What a page says outside its markup: status and headers.

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

use crate::domain::outcome::Outcome;

/// Sets the status of the answer. Every page is rendered whole before its first byte leaves, so this is never too late.
pub fn respond(status: StatusCode) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(status);
    }
}

/// Tells when to ask again, where waiting brings the answer.
pub fn retry_after(outcome: Outcome) {
    if let (Some(response), Some(seconds)) = (
        use_context::<ResponseOptions>(),
        outcome.retry_after_seconds(),
    ) {
        response.insert_header(RETRY_AFTER, HeaderValue::from(seconds));
    }
}
