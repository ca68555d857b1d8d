//! What a page says outside its markup: status and headers.

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// When a buyer's browser or a script may ask again, in seconds.
pub const RETRY_AFTER_SECONDS: u16 = 5;

/// Sets the status of the answer. Every page is rendered whole before its first byte leaves, so this is never too late.
pub fn respond(status: StatusCode) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(status);
    }
}

/// Tells when to ask again.
pub fn retry_after() {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.insert_header(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    }
}
