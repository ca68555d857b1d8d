//! What the tests of V2 have in common.

use portone_sandbox::Sandbox;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::shop::{ENOUGH, Shop};
use crate::support::{Bench, REDIRECT_URL, json_of};
use crate::v2_schema::Schema;

/// A call of V2's REST API with the API secret, whose answer is checked against PortOne's own description.
pub(crate) async fn call(
    bench: &Bench,
    method: Method,
    operation: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let request = bench.request(method.clone(), &format!("/v2{path}")).header(
        "authorization",
        format!("PortOne {}", Sandbox::V2_API_SECRET),
    );
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    Schema::load().check_answer(&format!("{method} {operation}"), status, &body);
    (status, body)
}

pub(crate) async fn get_payment(bench: &Bench, payment_id: &str) -> (u16, Value) {
    let path = format!("/payments/{payment_id}");
    call(bench, Method::GET, "/payments/{paymentId}", &path, None).await
}

/// A payment that is there.
pub(crate) async fn payment(bench: &Bench, payment_id: &str) -> Value {
    let (status, payment) = get_payment(bench, payment_id).await;
    assert_eq!(status, 200, "{payment}");
    payment
}

/// A call on one payment: `post(bench, "P-1", "cancel", …)`.
pub(crate) async fn post(bench: &Bench, payment_id: &str, what: &str, body: Value) -> (u16, Value) {
    let operation = format!("/payments/{{paymentId}}/{what}");
    let path = format!("/payments/{payment_id}/{what}");
    call(bench, Method::POST, &operation, &path, Some(body)).await
}

/// Opens a window for `parameters`, which are completed with an order of 64,900 won.
pub(crate) async fn checkout_by(bench: &Bench, query: &str, parameters: Value) -> Value {
    let mut body = json!({
        "storeId": Sandbox::V2_STORE_ID,
        "channelKey": Sandbox::V2_LIVE_CHANNEL_KEY,
        "paymentId": "P-1",
        "orderName": "원두 1kg",
        "totalAmount": 64900,
        "currency": "CURRENCY_KRW",
        "payMethod": "CARD",
        "redirectUrl": REDIRECT_URL,
    });
    for (name, value) in parameters.as_object().unwrap() {
        match value {
            Value::Null => body.as_object_mut().unwrap().remove(name),
            value => body
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    let answer = bench
        .post(&format!("/_sandbox/v2/checkout?{query}"))
        .header("origin", "http://shop.test")
        .header("user-agent", "Test Browser/1.0")
        .json(&body)
        .send()
        .await
        .unwrap();
    json_of(answer, 200).await
}

/// The transaction id of a freshly opened window.
pub(crate) async fn open(bench: &Bench, parameters: Value) -> String {
    let answer = checkout_by(bench, "device=mobile", parameters).await;
    assert_eq!(answer["success"], true, "{answer}");
    answer["txId"].as_str().unwrap().into()
}

pub(crate) async fn choose(
    bench: &Bench,
    transaction_id: &str,
    fields: &[(&str, &str)],
) -> Response {
    bench
        .post(&format!("/_sandbox/v2/window/{transaction_id}"))
        .form(fields)
        .send()
        .await
        .unwrap()
}

/// Bench and shop, whose address is configured for webhooks.
pub(crate) async fn bench_and_shop() -> (Bench, Shop) {
    let shop = Shop::start(ENOUGH).await;
    let bench = Bench::start_with(Sandbox::builder().webhook_url(shop.url.clone())).await;
    (bench, shop)
}
