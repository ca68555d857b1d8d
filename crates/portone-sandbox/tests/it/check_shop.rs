//! Two small completion servers that speak the language of `rules.example.toml`: one believes what it is told, the
//! other asks PortOne, V1 or V2 as the order says. They keep their orders in memory and are no example of anything but
//! right and wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use url::Url;

/// How long the careful shop waits for PortOne. Only a PortOne that does not answer at all may take so long, on the
/// slowest machine: a real answer that came later would be judged as if PortOne had been silent.
const PORTONE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the sandbox has when nothing else is said.
const V2_SECRET: &str = "sandbox-v2-secret";
const WEBHOOK_KEY: &[u8] = b"portone-sandbox-webhook-secret";

type Parameters = BTreeMap<String, String>;

#[derive(Default)]
struct Order {
    amount: i64,
    currency: String,
    is_v2: bool,
    closed: bool,
    held: bool,
    awaiting_deposit: bool,
    /// The transaction (V1 `imp_uid`, V2 `transactionId`) that paid for it.
    paid_by: Option<String>,
    refunded: i64,
    deliveries: Vec<String>,
}

impl Order {
    fn status(&self) -> &'static str {
        match (&self.paid_by, self.refunded) {
            (Some(_), 0) => "paid",
            (Some(_), part) if part < self.amount => "partially refunded",
            (Some(_), _) => "refunded",
            (None, _) if self.held => "held",
            (None, _) if self.closed => "closed",
            (None, _) if self.awaiting_deposit => "awaiting deposit",
            (None, _) => "open",
        }
    }

    fn deliver(&mut self, transaction_id: &str) {
        self.paid_by = Some(transaction_id.into());
        self.deliveries.push(transaction_id.into());
    }
}

struct Shop {
    orders: Mutex<BTreeMap<String, Order>>,
    /// None: whatever the browser or a webhook says is true.
    portone: Option<PortOne>,
}

/// PortOne's V1 API, as a careful shop uses it.
struct PortOne {
    base: Url,
    http: reqwest::Client,
    token: Mutex<Option<String>>,
}

/// Starts a shop that believes.
pub(crate) async fn naive() -> Url {
    start(None).await
}

/// Starts a shop that asks the PortOne at `base`.
pub(crate) async fn careful(base: &Url) -> Url {
    let http = reqwest::Client::builder()
        .timeout(PORTONE_TIMEOUT)
        .no_proxy()
        .build()
        .unwrap();
    let token = Mutex::new(None);
    let base = base.clone();
    start(Some(PortOne { base, http, token })).await
}

async fn start(portone: Option<PortOne>) -> Url {
    let shop = Arc::new(Shop {
        orders: Mutex::default(),
        portone,
    });
    let app = Router::new()
        .route("/orders", post(create))
        .route("/orders/{id}", get(read))
        .route("/orders/{id}/close", post(close))
        .route("/payments/complete", get(complete).post(complete_posted))
        .route("/payments/webhook", post(webhook))
        .with_state(shop);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url.parse().unwrap()
}

async fn create(State(shop): State<Arc<Shop>>, Json(body): Json<Value>) -> StatusCode {
    let order = Order {
        amount: body["amount"].as_i64().unwrap(),
        currency: body["currency"].as_str().unwrap().into(),
        is_v2: body["portone"] == "v2",
        ..Order::default()
    };
    let id = body["id"].as_str().unwrap().to_owned();
    shop.orders.lock().await.insert(id, order);
    StatusCode::CREATED
}

async fn read(State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Json<Value> {
    let orders = shop.orders.lock().await;
    let order = &orders[&id];
    Json(json!({
        "status": order.status(),
        "refunded": order.refunded,
        "deliveries": order.deliveries,
    }))
}

async fn close(State(shop): State<Arc<Shop>>, Path(id): Path<String>) {
    shop.orders.lock().await.get_mut(&id).unwrap().closed = true;
}

type Page = (StatusCode, Html<String>);

async fn complete(
    State(shop): State<Arc<Shop>>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Page {
    // The last of several with one name counts.
    page(&shop, pairs.into_iter().collect()).await
}

async fn complete_posted(State(shop): State<Arc<Shop>>, Form(form): Form<Parameters>) -> Page {
    page(&shop, form).await
}

async fn page(shop: &Shop, parameters: Parameters) -> Page {
    let result = shop.look(&parameters, "imp_success").await;
    let status = match result {
        "not-found" => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    };
    (
        status,
        Html(format!("<main data-result=\"{result}\"></main>")),
    )
}

async fn webhook(State(shop): State<Arc<Shop>>, headers: HeaderMap, body: String) -> StatusCode {
    let parameters: Parameters = serde_json::from_str::<Value>(&body)
        .map(|body| texts(&body))
        .unwrap_or_else(|_| {
            url::form_urlencoded::parse(body.as_bytes())
                .into_owned()
                .collect()
        });
    let is_v2 = !parameters.contains_key("merchant_uid");
    if is_v2 && shop.portone.is_some() && !is_signed(&headers, &body) {
        return StatusCode::BAD_REQUEST;
    }
    match shop.look(&parameters, "status").await {
        // PortOne shall send it again.
        "unconfirmed" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    }
}

/// The texts of a webhook's body: V1's own, and those in the `data` of V2's.
fn texts(body: &Value) -> Parameters {
    let own = body.as_object().into_iter().flatten();
    let data = body["data"].as_object().into_iter().flatten();
    own.chain(data)
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// How old or new a signature may be, in seconds.
const SIGNATURE_AGE_S: i64 = 300;

/// Standard Webhooks, with the sandbox's own secret.
fn is_signed(headers: &HeaderMap, body: &str) -> bool {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let (Some(id), Some(timestamp), Some(signatures)) = (
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
    ) else {
        return false;
    };
    let age = now() - timestamp.parse::<i64>().unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_KEY).unwrap();
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    let right = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    age.abs() <= SIGNATURE_AGE_S && signatures.split(' ').any(|signature| signature == right)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server of its own has a clock of its own"
)]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl Shop {
    async fn look(&self, parameters: &Parameters, flag: &str) -> &'static str {
        let parameter = |names: &[&str]| {
            let mut found = names.iter().filter_map(|name| parameters.get(*name));
            found.find(|text| !text.is_empty()).map(String::as_str)
        };
        let id = parameter(&["merchant_uid", "paymentId", "payment_id"]).unwrap_or_default();
        let imp_uid = parameter(&["imp_uid"]);
        let mut orders = self.orders.lock().await;
        let Some(order) = orders.get_mut(id) else {
            return "not-found";
        };
        let Some(portone) = &self.portone else {
            return believe(order, imp_uid.unwrap_or_default(), parameter(&[flag]));
        };
        let seen = match order.is_v2 {
            true => portone.v2_payment(id).await,
            false => portone.v1_payment(id, imp_uid).await,
        };
        match seen {
            Err(Unknown) => "unconfirmed",
            Ok(None) if imp_uid.is_some() => "not-found",
            Ok(None) => "pending",
            Ok(Some(payment)) if payment.payment_id != id => "not-found",
            Ok(Some(payment)) => order.settle(&payment),
        }
    }
}

fn believe(order: &mut Order, imp_uid: &str, flag: Option<&str>) -> &'static str {
    match flag {
        Some("true" | "paid") => {
            order.deliver(imp_uid);
            "paid"
        }
        _ => "failed",
    }
}

/// What PortOne says of a payment.
struct Payment {
    payment_id: String,
    transaction_id: String,
    status: Status,
    amount: i64,
    currency: String,
    live: bool,
    given_back: i64,
}

#[derive(PartialEq)]
enum Status {
    Ready,
    Account,
    Paid,
    Cancelled,
    Failed,
}

impl Order {
    fn settle(&mut self, payment: &Payment) -> &'static str {
        let is_ours = self.paid_by.as_ref() == Some(&payment.transaction_id);
        let is_good =
            payment.amount == self.amount && payment.currency == self.currency && payment.live;
        match payment.status {
            Status::Account => {
                self.awaiting_deposit = true;
                "account"
            }
            Status::Ready => "pending",
            Status::Paid | Status::Cancelled if is_ours => {
                self.refunded = payment.given_back;
                match payment.given_back {
                    0 => "paid",
                    part if part < self.amount => "partially-refunded",
                    _ => "refunded",
                }
            }
            Status::Paid if self.paid_by.is_some() => "held",
            Status::Paid if is_good && !self.closed => {
                self.deliver(&payment.transaction_id);
                "paid"
            }
            Status::Paid => {
                self.held = true;
                "held"
            }
            Status::Cancelled | Status::Failed => "failed",
        }
    }
}

/// PortOne could not be asked.
struct Unknown;

impl PortOne {
    async fn v1_payment(
        &self,
        id: &str,
        imp_uid: Option<&str>,
    ) -> Result<Option<Payment>, Unknown> {
        let path = match imp_uid {
            Some(imp_uid) => format!("payments/{imp_uid}?include_sandbox=true"),
            None => format!("payments/find/{id}"),
        };
        for _ in 0..2 {
            let authorization = format!("Bearer {}", self.token().await?);
            match self.get(&path, authorization).await? {
                (200, body) => return Ok(Some(v1_payment(&body["response"]))),
                (404, _) => return Ok(None),
                (401, _) => *self.token.lock().await = None,
                _ => return Err(Unknown),
            }
        }
        Err(Unknown)
    }

    async fn v2_payment(&self, id: &str) -> Result<Option<Payment>, Unknown> {
        let authorization = format!("PortOne {V2_SECRET}");
        match self
            .get(&format!("v2/payments/{id}"), authorization)
            .await?
        {
            (200, body) => Ok(Some(v2_payment(&body))),
            (404, _) => Ok(None),
            _ => Err(Unknown),
        }
    }

    async fn get(&self, path: &str, authorization: String) -> Result<(u16, Value), Unknown> {
        let request = self.http.get(self.base.join(path).unwrap());
        let request = request.header("authorization", authorization);
        let answer = request.send().await.map_err(|_| Unknown)?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.map_err(|_| Unknown)?))
    }

    async fn token(&self) -> Result<String, Unknown> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref() {
            return Ok(token.clone());
        }
        let request = self.http.post(self.base.join("users/getToken").unwrap());
        let credentials = json!({"imp_key": "imp_apikey", "imp_secret": "sandbox-secret"});
        let answer = request
            .json(&credentials)
            .send()
            .await
            .map_err(|_| Unknown)?;
        let body: Value = answer.json().await.map_err(|_| Unknown)?;
        let token = body["response"]["access_token"].as_str().ok_or(Unknown)?;
        *kept = Some(token.into());
        Ok(token.into())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

fn v1_payment(record: &Value) -> Payment {
    Payment {
        payment_id: text(&record["merchant_uid"]),
        transaction_id: text(&record["imp_uid"]),
        status: match record["status"].as_str() {
            Some("paid") => Status::Paid,
            Some("cancelled") => Status::Cancelled,
            Some("ready") if record["vbank_num"].is_string() => Status::Account,
            Some("ready") => Status::Ready,
            _ => Status::Failed,
        },
        amount: record["amount"].as_i64().unwrap_or_default(),
        currency: text(&record["currency"]),
        live: record["sandbox"] == false,
        given_back: record["cancel_amount"].as_i64().unwrap_or_default(),
    }
}

fn v2_payment(record: &Value) -> Payment {
    Payment {
        payment_id: text(&record["id"]),
        transaction_id: text(&record["transactionId"]),
        status: match record["status"].as_str() {
            Some("PAID") => Status::Paid,
            Some("PARTIAL_CANCELLED" | "CANCELLED") => Status::Cancelled,
            Some("VIRTUAL_ACCOUNT_ISSUED") => Status::Account,
            Some("FAILED") => Status::Failed,
            _ => Status::Ready,
        },
        amount: record["amount"]["total"].as_i64().unwrap_or_default(),
        currency: text(&record["currency"]),
        live: record["channel"]["type"] == "LIVE",
        given_back: record["amount"]["cancelled"].as_i64().unwrap_or_default(),
    }
}
