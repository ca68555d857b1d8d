//! Every address of the sandbox, and the gate that requests to PortOne's API pass.

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post, put};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use crate::fault::Call;
use crate::journal::Event;
use crate::net::Scissors;
use crate::state::App;
use crate::{api, assets, checkout, control, index, v2, window};

/// Largest request body; PortOne's own requests are a few hundred bytes.
pub(crate) const REQUEST_BODY_BYTES_MAX: usize = 256 * 1024;

pub(crate) fn router(app: App) -> Router {
    // A layer runs after its own router has matched, so what changes the address stands before a router of its own.
    Router::new()
        .fallback_service(addresses(app))
        .layer(from_fn(v2_at_the_root))
}

fn addresses(app: App) -> Router {
    Router::new()
        .merge(portone())
        .merge(browser())
        .merge(control_plane())
        .nest("/v2", v2::api(&app))
        .merge(v2::browser().layer(from_fn(allow_other_origins)))
        .nest(
            "/_sandbox/v2",
            v2::control_plane().layer(from_fn(refuse_other_origins)),
        )
        .route("/", get(|| async { Redirect::to("/_sandbox/") }))
        .route("/_sandbox", get(|| async { Redirect::to("/_sandbox/") }))
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
        .fallback(api::unknown)
        .method_not_allowed_fallback(api::wrong_method)
        .layer(from_fn_with_state(app.clone(), api_gate))
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES_MAX))
        .with_state(app)
}

fn portone() -> Router<App> {
    Router::new()
        .route("/users/getToken", post(api::get_token))
        .route("/payments/{imp_uid}", get(api::payment))
        .route("/payments/{imp_uid}/balance", get(api::balance))
        .route("/payments", get(api::search::list))
        .route(
            "/payments/status/{payment_status}",
            get(api::search::by_status),
        )
        .route("/payments/cancel", post(api::cancel::cancel))
        .route("/vbanks", post(api::vbank::issue))
        .route(
            "/vbanks/{imp_uid}",
            put(api::vbank::change).delete(api::vbank::close),
        )
        .route("/users/pg", get(api::codes::channels))
        .route("/banks", get(api::codes::banks))
        .route("/banks/{code}", get(api::codes::bank_by_code))
        .route("/cards", get(api::codes::cards))
        .route("/cards/{code}", get(api::codes::card_by_code))
        .route("/payments/find/{merchant_uid}", get(api::search::find))
        .route(
            "/payments/find/{merchant_uid}/{payment_status}",
            get(api::search::find),
        )
        .route(
            "/payments/findAll/{merchant_uid}",
            get(api::search::find_all),
        )
        .route(
            "/payments/findAll/{merchant_uid}/{payment_status}",
            get(api::search::find_all),
        )
        .route(
            "/payments/prepare",
            post(api::prepare::register).put(api::prepare::change),
        )
        .route("/payments/prepare/{merchant_uid}", get(api::prepare::find))
}

/// What a buyer's browser asks for. The shop's page calls some of it from another origin.
fn browser() -> Router<App> {
    Router::new()
        .route("/v1/iamport.js", get(assets::browser_sdk))
        .route(
            "/_sandbox/checkout",
            post(checkout::open).options(preflight),
        )
        .route(
            "/_sandbox/window/{imp_uid}",
            get(window::show).post(window::choose).options(preflight),
        )
        .layer(from_fn(allow_other_origins))
        .route("/_sandbox/receipt/{imp_uid}", get(window::receipt))
        .route("/_sandbox/style.css", get(assets::style))
        .route("/_sandbox/window.js", get(assets::window_script))
}

fn control_plane() -> Router<App> {
    Router::new()
        .route("/_sandbox/", get(index::show))
        .route("/_sandbox/health", get(|| async { "ok" }))
        .route(
            "/_sandbox/config",
            get(control::config).patch(control::change_config),
        )
        .route(
            "/_sandbox/clock",
            get(control::clock).post(control::change_clock),
        )
        .route(
            "/_sandbox/payments",
            get(control::payments).post(control::create_payment),
        )
        .route(
            "/_sandbox/payments/{imp_uid}",
            get(control::payment).patch(control::patch_payment),
        )
        .route(
            "/_sandbox/payments/{imp_uid}/deposit",
            post(control::deposit),
        )
        .route(
            "/_sandbox/payments/{imp_uid}/approve",
            post(control::approve),
        )
        .route("/_sandbox/payments/{imp_uid}/fail", post(control::fail))
        .route("/_sandbox/payments/{imp_uid}/cancel", post(control::cancel))
        .route(
            "/_sandbox/payments/{imp_uid}/webhook",
            post(control::webhook),
        )
        .route("/_sandbox/payments/{imp_uid}/close", post(control::close))
        .route("/_sandbox/webhooks", get(control::held_webhooks))
        .route(
            "/_sandbox/webhooks/release",
            post(control::release_webhooks),
        )
        .route("/_sandbox/webhooks/test", post(control::test_webhook))
        .route(
            "/_sandbox/faults",
            get(control::faults)
                .post(control::add_fault)
                .delete(control::clear_faults),
        )
        .route(
            "/_sandbox/journal",
            get(control::journal).delete(control::clear_journal),
        )
        .route("/_sandbox/scenarios", get(control::scenarios))
        .route("/_sandbox/scenarios/{name}", post(control::run_scenario))
        .route("/_sandbox/reset", post(control::reset))
        .layer(from_fn(refuse_other_origins))
}

/// V2's credential in `Authorization`. V1 has no such scheme.
/// <https://developers.portone.io/api/rest-v2/overview>
const V2_SCHEME: &str = "PortOne ";

/// Takes a call for V2 that lacks the prefix for what it is: PortOne's own JavaScript SDK keeps nothing of its base address but
/// the origin, and both APIs have a `/payments/{id}`. The credential tells them apart, and V1 has no such login.
async fn v2_at_the_root(mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_signed_in = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with(V2_SCHEME));
    let is_login = matches!(path, "/login/api-secret" | "/token/refresh");
    if (is_signed_in || is_login) && !path.starts_with("/v2/") {
        let with_prefix = request
            .uri()
            .path_and_query()
            .and_then(|rest| format!("/v2{rest}").parse::<Uri>().ok());
        // What cannot be prefixed is no address that anything answers to.
        if let Some(with_prefix) = with_prefix {
            *request.uri_mut() = with_prefix;
        }
    }
    next.run(request).await
}

/// Journals every API request, and lets a fault answer in PortOne's place.
async fn api_gate(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(call) = Call::of_path(request.uri().path()) else {
        return next.run(request).await;
    };
    let (seq, fault) = {
        let mut state = app.state();
        let fault = state.take_fault(call, app.clock.now_ms());
        let event = Event::Api {
            call: call.name(),
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            status: None,
            fault: fault.as_ref().map(|fault| fault.name().to_owned()),
        };
        (state.journal.push(app.clock.now_ms(), event), fault)
    };
    app.notify();

    let response = match fault {
        None => next.run(request).await,
        Some(fault) => {
            let scissors = request
                .extensions()
                .get::<ConnectInfo<Scissors>>()
                .map(|ConnectInfo(scissors)| scissors.clone());
            tokio::select! {
                () = tokio::time::sleep(fault.wait()) => {}
                () = app.stopped() => {}
            }
            let answer = match fault.kind.keeps_the_answer() {
                true => Some(next.run(request).await),
                false => None,
            };
            fault.spoil(call, answer, scissors).await
        }
    };

    let answered = response.status().as_u16();
    app.state().journal.complete(seq, |event| {
        if let Event::Api { status, .. } = event {
            *status = Some(answered);
        }
    });
    app.notify();
    response
}

/// The shop's page lives at another address than the sandbox, and on its public side even in another network.
async fn allow_other_origins(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "accept, content-type"),
        (
            HeaderName::from_static("access-control-allow-private-network"),
            "true",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The control plane has no login, so a web page the developer happens to visit must not be able to drive it.
/// Browsers name the page's origin with every such request; other programs send none.
async fn refuse_other_origins(request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let origin = request.headers().get(header::ORIGIN);
    let host = request.headers().get(header::HOST);
    let is_own = match origin {
        None => true,
        Some(origin) => origin
            .to_str()
            .ok()
            .and_then(|origin| origin.parse::<Uri>().ok())
            .and_then(|origin| origin.authority().map(ToString::to_string))
            .is_some_and(|origin| host.is_some_and(|host| host.as_bytes() == origin.as_bytes())),
    };
    if is_read || is_own {
        next.run(request).await
    } else {
        control::Refusal::new(StatusCode::FORBIDDEN, "another origin's page asked").into_response()
    }
}
