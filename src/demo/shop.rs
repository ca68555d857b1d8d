//! A shop as small as a shop can be. It shows the whole integration: make an order through the API, send the buyer to its
//! pay page, and afterwards believe only what the API says.

mod page;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Form, Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::http::Api;
use crate::domain::ids::PaymentId;
use crate::domain::order::Portone;
use crate::ports::entropy::{Entropy, draw};

/// Largest form that is read.
const FORM_BYTES_MAX: usize = 4 * 1024;
/// Time that an order may be paid in: long enough for a deposit on the next day.
const ORDER_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Something to buy.
pub(super) struct Product {
    id: &'static str,
    name: &'static str,
    about: &'static str,
    price: i64,
}

const PRODUCTS: [Product; 4] = [
    Product {
        id: "coffee",
        name: "핸드드립 커피 세트",
        about: "드리퍼, 서버, 원두 200g",
        price: 38_000,
    },
    Product {
        id: "mug",
        name: "도자기 머그",
        about: "손으로 빚은 350ml 머그",
        price: 21_000,
    },
    Product {
        id: "board",
        name: "원목 도마",
        about: "통호두나무, 오일 마감",
        price: 31_000,
    },
    Product {
        id: "granola",
        name: "수제 그래놀라",
        about: "아몬드와 귀리, 500g",
        price: 15_800,
    },
];

/// What the shop works with.
#[derive(Clone)]
pub(super) struct Shop {
    pub(super) api: Api,
    pub(super) entropy: Arc<dyn Entropy>,
    /// The shop's own address, without a slash at the end.
    pub(super) url: String,
    pub(super) sandbox_url: String,
    /// PortOne's channel key for orders of V2, which opens no window without one.
    pub(super) channel_key: String,
}

/// Serves until it is told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    shop: Shop,
    stop: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router(shop))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

fn router(shop: Shop) -> Router {
    Router::new()
        .route("/", get(products))
        .route("/buy", post(buy))
        .route("/orders/{payment_id}", get(order))
        .route("/help", get(help))
        .fallback(|| async { (StatusCode::NOT_FOUND, Html(page::not_found())) })
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::map_response(safe_headers))
        .with_state(shop)
}

async fn safe_headers(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

#[derive(Deserialize)]
struct Shelf {
    #[serde(default)]
    portone: String,
}

async fn products(State(shop): State<Shop>, Query(shelf): Query<Shelf>) -> Html<String> {
    Html(page::products(
        &PRODUCTS,
        generation(&shelf.portone),
        shop.api.app_url(),
        &shop.sandbox_url,
    ))
}

/// A real shop uses one generation of PortOne and never asks. This one shows both.
fn generation(word: &str) -> Portone {
    Portone::from_word(word).unwrap_or(Portone::V1)
}

async fn help() -> Html<String> {
    Html(page::help())
}

#[derive(Deserialize)]
struct BuyForm {
    #[serde(default)]
    product: String,
    #[serde(default)]
    pay_method: String,
    #[serde(default)]
    portone: String,
}

/// Makes the order and sends the buyer on to pay it. The price comes from the shop, never from the form.
async fn buy(State(shop): State<Shop>, Form(form): Form<BuyForm>) -> Response {
    let Some(product) = PRODUCTS.iter().find(|product| product.id == form.product) else {
        return (StatusCode::NOT_FOUND, Html(page::not_found())).into_response();
    };
    let pay_method = if form.pay_method == "vbank" {
        "vbank"
    } else {
        "card"
    };
    let portone = generation(&form.portone);
    let payment_id = new_payment_id(shop.entropy.as_ref());
    let mut request = json!({
        "payment_id": payment_id,
        "name": product.name,
        "amount": product.price,
        "currency": "KRW",
        "portone": portone,
        "pay_method": pay_method,
        "buyer": { "name": "김완료", "email": "buyer@example.com", "tel": "010-0000-0000" },
        "return_url": format!("{}/orders/{payment_id}", shop.url),
    });
    if portone == Portone::V2 {
        request["channel_key"] = json!(shop.channel_key);
    }
    if let Some(expires_at) = deadline() {
        request["expires_at"] = json!(expires_at);
    }
    match shop.api.make_order(&request).await {
        Ok(order) => see_other(&order.pay_url),
        Err(error) => unavailable(&error),
    }
}

/// Where the buyer arrives after paying. The address proves nothing: the API is asked.
async fn order(State(shop): State<Shop>, Path(id): Path<String>) -> Response {
    let Ok(payment_id) = PaymentId::parse(&id) else {
        return (StatusCode::NOT_FOUND, Html(page::not_found())).into_response();
    };
    match shop.api.find_order(payment_id.as_str()).await {
        Ok(Some(order)) => Html(page::order(&order)).into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, Html(page::not_found())).into_response(),
        Err(error) => unavailable(&error),
    }
}

fn see_other(address: &str) -> Response {
    match HeaderValue::from_str(address) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => (StatusCode::BAD_GATEWAY, Html(page::unavailable())).into_response(),
    }
}

fn unavailable(error: &anyhow::Error) -> Response {
    tracing::warn!("the sample shop could not ask the app: {error:#}");
    (StatusCode::BAD_GATEWAY, Html(page::unavailable())).into_response()
}

/// Well within the 40 characters that PortOne V1 keeps.
fn new_payment_id(entropy: &dyn Entropy) -> String {
    let bytes: [u8; 8] = draw(entropy);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("shop-{hex}")
}

fn deadline() -> Option<jiff::Timestamp> {
    use crate::ports::clock::Clock;
    crate::adapters::system::SystemClock
        .now()
        .checked_add(ORDER_LIFETIME)
        .ok()
}
