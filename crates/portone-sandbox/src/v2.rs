//! PortOne's V2: its REST API under `/v2`, its browser SDK, its payment window, its signed webhooks.
//!
//! Everything has the sandbox's one clock, seed, journal and faults in common with V1, and nothing else: a V1 payment is
//! not seen through V2.

mod api;
mod auth;
mod banks;
mod cancel;
mod checkout;
mod config;
mod confirm;
mod control;
mod helpers;
mod idempotency;
mod index;
mod ledger;
mod list;
mod method;
mod record;
mod refusal;
mod signature;
mod webhook;
mod window;

use std::collections::BTreeMap;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use http::StatusCode;

pub(crate) use config::{Config, LIVE_CHANNEL_KEY, TEST_CHANNEL_KEY};
pub(crate) use index::section as index_section;
pub(crate) use refusal::body as refusal_body;
pub use webhook::WebhookVersion;

use crate::fault::Call;
use crate::rng::{Rng, Stream};
use crate::state::App;

/// What V2 knows of this run.
pub(crate) struct V2 {
    pub(crate) ledger: ledger::Ledger,
    prepared: BTreeMap<String, api::Prepared>,
    tokens: auth::Tokens,
    idempotency: idempotency::Answers,
    ids: Rng,
    details: Rng,
    token_draws: Rng,
    /// Webhooks that a fault holds back until they are released, oldest first.
    held: Vec<webhook::Message>,
}

impl V2 {
    pub(crate) fn new(seed: u64) -> Self {
        V2 {
            ledger: ledger::Ledger::default(),
            prepared: BTreeMap::new(),
            tokens: auth::Tokens::default(),
            idempotency: idempotency::Answers::default(),
            ids: Rng::new(seed, Stream::V2Ids),
            details: Rng::new(seed, Stream::V2Details),
            token_draws: Rng::new(seed, Stream::V2Tokens),
            held: Vec::new(),
        }
    }

    /// Takes all access tokens back, as if PortOne had forgotten them.
    pub(crate) fn revoke_tokens(&mut self) {
        self.tokens = auth::Tokens::default();
    }
}

/// In the form of a UUID version 7, as PortOne's transaction ids are, but drawn as a whole.
fn uuid(rng: &mut Rng) -> String {
    format!(
        "019{}-{}-7{}-8{}-{}",
        rng.hex(5),
        rng.hex(4),
        rng.hex(3),
        rng.hex(3),
        rng.hex(12)
    )
}

/// PortOne's REST API, to be nested under `/v2`.
pub(crate) fn api(app: &App) -> Router<App> {
    Router::new()
        .route("/login/api-secret", post(auth::login))
        .route("/token/refresh", post(auth::refresh))
        .route("/banks", get(banks::list))
        .route("/payments", get(list::by_page))
        .route("/payments-by-cursor", get(list::by_cursor))
        .route("/payments/{payment_id}", get(api::payment))
        .route(
            "/payments/{payment_id}/transactions",
            get(api::transactions),
        )
        .route(
            "/payments/{payment_id}/pre-register",
            post(api::pre_register),
        )
        .route("/payments/{payment_id}/confirm", post(api::confirm))
        .route("/payments/{payment_id}/cancel", post(api::cancel))
        .route(
            "/payments/{payment_id}/cancellations/{cancellation_id}/stop",
            post(api::stop_cancellation),
        )
        .route(
            "/payments/{payment_id}/resend-webhook",
            post(api::resend_webhook),
        )
        .route(
            "/payments/{payment_id}/virtual-account/close",
            post(api::close_virtual_account),
        )
        .layer(from_fn_with_state(app.clone(), idempotency::answer_once))
        .fallback(api::unknown)
        .method_not_allowed_fallback(api::unknown)
}

/// What a buyer's browser asks for, by whole paths. The shop's page calls some of it from another origin.
pub(crate) fn browser() -> Router<App> {
    Router::new()
        .route("/v2/browser-sdk.js", get(window::browser_sdk))
        .route(
            "/_sandbox/v2/checkout",
            post(checkout::open).options(preflight),
        )
        .route(
            "/_sandbox/v2/window/{transaction_id}",
            get(window::show).post(window::choose).options(preflight),
        )
        .route(
            "/_sandbox/v2/receipt/{transaction_id}",
            get(window::receipt),
        )
}

async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// What PortOne has no call for, to be nested under `/_sandbox/v2`.
pub(crate) fn control_plane() -> Router<App> {
    Router::new()
        .route(
            "/config",
            get(control::show_config).patch(control::patch_config),
        )
        .route(
            "/payments",
            get(control::show_payments).post(control::create_payment),
        )
        .route(
            "/payments/{id}",
            get(control::show_payment).patch(control::patch_payment),
        )
        .route("/payments/{id}/deposit", post(control::deposit_payment))
        .route("/payments/{id}/approve", post(control::approve_payment))
        .route("/payments/{id}/fail", post(control::fail_payment))
        .route("/payments/{id}/cancel", post(control::cancel_payment))
        .route(
            "/payments/{id}/cancellations/{cancellation_id}",
            post(control::settle_payment_cancellation),
        )
        .route("/payments/{id}/dispute", post(control::dispute_payment))
        .route("/payments/{id}/webhook", post(control::webhook_of_payment))
        .route("/webhook", post(control::webhook_of_anything))
        .route("/webhooks/release", post(control::release_webhooks))
}

/// The call that a path belongs to; none if it is not of the REST API.
pub(crate) fn call_of_path(path: &str) -> Option<Call> {
    let mut segments = path.split('/').skip(2);
    let segments = [(); 4].map(|()| segments.next().unwrap_or_default());
    Some(match segments {
        ["browser-sdk.js", ..] => return None,
        ["login", "api-secret", ..] | ["token", "refresh", ..] => Call::V2Token,
        ["banks", "", ..] => Call::V2Banks,
        ["payments", "", ..] | ["payments-by-cursor", "", ..] => Call::V2List,
        ["payments", _, "", ..] => Call::V2Payment,
        ["payments", _, "transactions", ..] => Call::V2Transactions,
        ["payments", _, "pre-register", ..] => Call::V2PreRegister,
        ["payments", _, "confirm", ..] => Call::V2Confirm,
        ["payments", _, "cancel", ..] => Call::V2Cancel,
        ["payments", _, "cancellations", ..] => Call::V2StopCancellation,
        ["payments", _, "resend-webhook", ..] => Call::V2ResendWebhook,
        ["payments", _, "virtual-account", ..] => Call::V2CloseVirtualAccount,
        _ => Call::V2Unknown,
    })
}
