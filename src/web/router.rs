//! Every address of the product, in one place.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http::StatusCode;
use leptos_axum::{site_pkg_dir_service, site_pkg_dir_service_route_path};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::complete::{complete_route, status_route};
use super::confirm::confirm_route;
use super::logo::{LOGO_PATH, logo_route};
use super::pages::{self, page_route, server_function_route};
use super::problem::Problem;
use super::refusals::Refusals;
use super::webhook::webhook_route;
use super::{
    App, api, assets, calendar, framed, gallery, language, layers, live, metrics, office,
    people_settings, problem, rates, webhook_settings,
};

/// Where buyers come back.
pub const COMPLETE_PATH: &str = "/payments/complete";
/// Where PortOne tells that something happened.
pub const WEBHOOK_PATH: &str = "/payments/webhook";
/// Where PortOne asks whether a payment may go on.
pub const CONFIRM_PATH: &str = "/payments/confirm";
/// Whether the server lives.
pub const HEALTH_PATH: &str = "/healthz";

/// What a request is told that another site has sent.
fn from_elsewhere(_why: ProtectionError) -> Response {
    Problem::NotAllowed.response()
}

/// Builds the router.
pub fn router(app: App) -> Router {
    // A gateway may send the buyer back by a cross-site POST, and webhooks have no origin: neither changes anything by
    // itself, so neither stands behind the cross-site check. Everything that a signed-in person does stands behind it.
    let refusals = Arc::new(Refusals::new(Arc::clone(&app.site)));
    let results = Router::new()
        .route(COMPLETE_PATH, get(complete_route).post(complete_route))
        // A shop's redirect URL may end in a slash; a buyer must not pay for that.
        .route(
            "/payments/complete/",
            get(complete_route).post(complete_route),
        )
        .route("/o/{token}", get(status_route))
        .layer(from_fn_with_state(Arc::clone(&refusals), framed::break_out));
    let payments = Router::new()
        .merge(results)
        .route(WEBHOOK_PATH, post(webhook_route))
        .route(CONFIRM_PATH, post(confirm_route))
        // So may what stands in PortOne's console, and PortOne sends again nothing that was answered 404.
        .route("/payments/webhook/", post(webhook_route))
        .route("/payments/confirm/", post(confirm_route))
        .route("/payments/complete/events", get(live::of_redirect))
        .route("/o/{token}/events", get(live::of_link))
        .route(
            "/payments/complete/deadline.ics",
            get(calendar::of_redirect),
        )
        .route("/o/{token}/deadline.ics", get(calendar::of_link))
        .route("/pay/{payment_id}", get(page_route));

    let signed_in = Router::new()
        .route("/overview", get(page_route))
        .route("/orders", get(page_route))
        .route("/orders.csv", get(office::export::export_orders))
        .route("/orders/{payment_id}", get(page_route))
        .route("/orders/{payment_id}/sync", post(office::sync_order))
        .route("/orders/{payment_id}/note", post(office::note_order))
        .route("/orders/{payment_id}/close", post(office::close_order))
        .route(
            "/orders/{payment_id}/refund",
            get(page_route).post(office::refund_order),
        )
        .route("/attention", get(page_route))
        .route("/attention/settle", post(office::settle_attention))
        .merge(webhook_settings::routes())
        .merge(people_settings::routes())
        .layer(from_fn_with_state(app.clone(), office::require_person));
    let office = Router::new()
        .route("/login", get(page_route).post(office::sign_in))
        .route("/login/code", get(page_route).post(office::give_code))
        .route("/logout", post(office::sign_out))
        .merge(signed_in)
        .layer(from_fn(language::keep_language))
        .layer(from_fn(layers::form_limit))
        .layer(CsrfLayer::new().with_rejection_response(from_elsewhere));

    let api = Router::new()
        .route(
            "/api/v1/orders",
            get(api::list_orders).post(api::make_order),
        )
        .route("/api/v1/orders/{payment_id}", get(api::read_order))
        .route("/api/v1/orders/{payment_id}/events", get(api::read_history))
        .route("/api/v1/orders/{payment_id}/sync", post(api::sync_order))
        .route("/api/v1/orders/{payment_id}/close", post(api::close_order))
        .route(
            "/api/v1/orders/{payment_id}/refunds",
            get(api::refunds::list_refunds).post(api::refunds::make_refund),
        )
        .route("/api/v1/attention", get(api::attention::list_attention))
        .route(
            "/api/v1/attention/{kind}/{transaction_id}/settle",
            post(api::attention::settle_attention),
        )
        .merge(api::endpoints::routes())
        .route("/api/v1/openapi.json", get(api::describe::openapi_route))
        .route("/api/v1/docs", get(api::docs::docs_route))
        .route("/api/v1/{*rest}", any(api::nothing_here))
        .route("/api/v1", any(api::nothing_here))
        .route("/api/{*rest}", any(api::nothing_here))
        .route("/api/", any(api::nothing_here))
        .route("/api", any(api::nothing_here))
        .route("/problems/{slug}", get(problem::problem_route))
        .layer(from_fn(rates::tell));

    let functions = Router::new()
        .route("/api/payments/{function}", post(server_function_route))
        .layer(from_fn(layers::form_limit))
        .layer(CsrfLayer::new().with_rejection_response(from_elsewhere));

    let mut site = Router::new()
        .route(HEALTH_PATH, get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics::metrics_route))
        .route(LOGO_PATH, get(logo_route))
        .merge(payments)
        .merge(office)
        .merge(api)
        .merge(functions);
    if app.gallery {
        site = site.merge(gallery::routes());
    }
    for asset in assets::ASSETS {
        site = site.route(asset.path, get(assets::asset_route));
    }
    if let Some(options) = app
        .scripts
        .as_ref()
        .filter(|_| assets::BUILT_BY_CARGO_LEPTOS)
    {
        let path = site_pkg_dir_service_route_path(options);
        site = site.route_service(&path, site_pkg_dir_service(options));
    }
    let gate = Arc::new(layers::Gate::new(Arc::clone(&app.network)));
    site.fallback(pages::no_route)
        .layer(from_fn(layers::say_wrong_method))
        .layer(CompressionLayer::new().quality(CompressionLevel::Precise(6)))
        .layer(from_fn_with_state(app.clone(), layers::time_limit))
        .layer(from_fn_with_state(gate, layers::shed_load))
        .layer(from_fn_with_state(app.clone(), layers::whole_body))
        .layer(from_fn_with_state(app.clone(), layers::browsers_host))
        .layer(from_fn(layers::well_formed))
        .layer(CatchPanicLayer::custom(layers::broken))
        .layer(from_fn_with_state(refusals, layers::refuse_politely))
        .layer(from_fn_with_state(app.clone(), layers::safe_headers))
        .layer(from_fn_with_state(app.clone(), layers::log_request))
        .with_state(app)
}

/// Ready when the store answers.
async fn ready(State(app): State<App>) -> Response {
    match app.core.orders.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the database of DATABASE_URL does not answer"
            );
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}
