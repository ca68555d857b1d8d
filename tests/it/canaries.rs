//! Forty things that not everybody may know: secrets, and what is a person's. Each comes in by its own door while the program
//! runs as it is shipped, with everything logged that any part of it could log. Then all that it told anybody is searched for
//! all of them, and the database before and after the time of people's data is over.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse as _;
use portone::webhook::Signer;
use portone_sandbox::Sandbox;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;
use url::Url;
use wanryo::adapters::system::SystemClock;
use wanryo::config::Settings;
use wanryo::domain::one_time_code::{CodeSecret, STEP_SECONDS};
use wanryo::ports::clock::Clock;
use wanryo::service::{refunds, retention};

use self::Place::{
    Anybody, Buyer, Database, Erased, Event, Handed, Log, Metrics, Office, Shop as ToShop,
};
use crate::app::{PATIENCE, TestApp, V2_SECRET, WEBHOOK_SECRET};
use crate::events::receiver::Receiver;
use crate::office::form_key;
use crate::program::{Program, command, run, text};
use crate::retention::everything;
use crate::sign_in::Still;
use crate::support::{TestDatabase, on_both_databases};

/// Where something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Log,
    Metrics,
    /// What the shop's endpoint is sent.
    Event,
    /// What needs no more than ids, and every page for somebody else.
    Anybody,
    /// A page that takes what only this buyer has.
    Buyer,
    /// A page of the back office.
    Office,
    /// The one page of the back office that shows something once.
    Handed,
    /// An answer of the API.
    Shop,
    /// What the tables hold.
    Database,
    /// What is left in the tables, and on SQLite in the files, when the time of people's data is over.
    Erased,
}

/// What is told in these places and in no other.
struct Canary {
    what: &'static str,
    text: String,
    told: &'static [Place],
}

/// What is only known when it was made.
#[derive(Default)]
struct Made {
    key: String,
    access_token: String,
    handed_password: String,
    code_secret: String,
    recovery_code: String,
    session: String,
    first_secret: String,
    second_secret: String,
    pay_token: String,
    status_token: String,
}

const PASSWORD: &str = "correct horse battery";
const CHOSEN: &str = "chosen horse battery";
const CLIENT: &str = "203.0.113.77";
/// What would let a line look like another one, or hide it.
const HOSTILE: &str = "x%0D%0A2026-11-21T00:00:00Z%20ERROR%20forged%1B[31m%E2%80%AE";
const DAYS: u32 = 90;
const ORDERS: [&str; 6] = ["PAID", "FAILED", "BANK", "HELD", "DOWN", "CLOSED"];

fn canaries(made: Made) -> [Canary; 40] {
    const NOWHERE: &[Place] = &[];
    /// A server has to send it, or to compare it with what comes.
    const KEPT: &[Place] = &[Handed, Database, Erased];
    const BUYERS: &[Place] = &[Buyer, Office, ToShop, Database];
    const ALL_BUYERS: &[Place] = &[Anybody, Buyer, Office, ToShop, Database];
    let webhook_secret = WEBHOOK_SECRET.trim_start_matches("whsec_");
    let canary = |what: &'static str, text: &str, told: &'static [Place]| Canary {
        what,
        text: text.to_owned(),
        told,
    };
    [
        canary("PortOne V1's API key", "imp_apikey", NOWHERE),
        canary("PortOne V1's API secret", "sandbox-secret", NOWHERE),
        canary("PortOne V1's access token", &made.access_token, NOWHERE),
        canary("PortOne V2's API secret", V2_SECRET, NOWHERE),
        canary("PortOne V2's webhook secret", webhook_secret, NOWHERE),
        canary("the API key", &made.key, NOWHERE),
        canary("a key that is none", "wr_canary-key", NOWHERE),
        canary("a password", PASSWORD, NOWHERE),
        canary("a password that is wrong", "canary-wrong", NOWHERE),
        canary("a password for once", &made.handed_password, &[Handed]),
        canary("a password that was chosen", CHOSEN, NOWHERE),
        canary("a second factor", &made.code_secret, KEPT),
        canary("a recovery code", &made.recovery_code, &[Handed]),
        canary("a session", &made.session, NOWHERE),
        canary("the endpoint's first secret", &made.first_secret, KEPT),
        canary("the endpoint's second secret", &made.second_secret, KEPT),
        canary(
            "a token in the endpoint's address",
            "canary-token",
            &[Handed, Office, ToShop, Database, Erased],
        ),
        canary(
            "the pay page's token",
            &made.pay_token,
            &[Buyer, ToShop, Database, Erased],
        ),
        canary(
            "the status link's token",
            &made.status_token,
            &[Buyer, Office, ToShop, Database, Erased],
        ),
        canary("a buyer's name", "카나리아", BUYERS),
        canary("a buyer's address", "canary-buyer@example.com", BUYERS),
        canary("a buyer's phone", "010-2222-3333", BUYERS),
        canary(
            "the shop's metadata",
            "canary-metadata",
            &[Office, ToShop, Database],
        ),
        // An order that PortOne knows nothing of yet has to lead back as well.
        canary("where the shop goes on", "canary-return", ALL_BUYERS),
        canary("a payer's name", "canary-payer", NOWHERE),
        canary("a payer's postal address", "canary-street", NOWHERE),
        canary("a payer's card", "4386-canary-4386", NOWHERE),
        // It is the shop's, and whoever comes back with the order's number alone must find where to pay.
        canary("an account for a deposit", "560-canary-560", ALL_BUYERS),
        canary("the holder of that account", "canary-holder", ALL_BUYERS),
        canary("a receipt", "canary-receipt", BUYERS),
        canary(
            "why a payment failed",
            "canary-failure",
            &[Office, ToShop, Database],
        ),
        canary(
            "what an address claims",
            "canary-claim",
            &[Office, ToShop, Database],
        ),
        canary("what an address has besides", "canary-besides", NOWHERE),
        canary(
            "why money goes back",
            "canary-reason",
            &[Office, ToShop, Database],
        ),
        canary("an account for a refund", "110-canary-110", NOWHERE),
        canary("the holder of that account", "canary-payee", NOWHERE),
        canary("a note on an order", "canary-note", &[Office, Database]),
        canary(
            "what the shop's endpoint answered",
            "canary-answer",
            &[ToShop, Database],
        ),
        canary("an address typed to sign in", "canary-typed", NOWHERE),
        canary("where a client is", CLIENT, NOWHERE),
    ]
}

/// What was told, where, and by what.
struct Told {
    place: Place,
    by: String,
    text: String,
}

/// The program among the people it deals with.
struct Life<'a> {
    sandbox: &'a Sandbox,
    client: Client,
    url: String,
    key: String,
    told: Vec<Told>,
}

/// PortOne's ids.
struct Payments {
    paid: String,
    failed: String,
    bank: String,
    held: String,
}

impl Life<'_> {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A browser asks for a page.
    fn page(&self, path: &str) -> RequestBuilder {
        let request = self.client.get(self.url(path));
        request
            .header("accept", "text/html")
            .header("x-forwarded-for", CLIENT)
    }

    /// A form of the program's own pages.
    fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let request = self.client.post(self.url(path)).form(fields);
        request
            .header("accept", "text/html")
            .header("sec-fetch-site", "same-origin")
            .header("x-forwarded-for", CLIENT)
    }

    /// The shop asks.
    fn shop(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path)).bearer_auth(&self.key)
    }

    fn shop_posts(&self, path: &str, body: &Value) -> RequestBuilder {
        let request = self.client.post(self.url(path));
        request.bearer_auth(&self.key).json(body)
    }

    /// Asks, and keeps what is told for the search.
    async fn hear(&mut self, place: Place, request: RequestBuilder) -> (StatusCode, String) {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let by = format!("{} {}", request.method(), request.url());
        let answer = client.execute(request).await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        let said = text.clone();
        self.told.push(Told { place, by, text });
        (status, said)
    }

    /// The shop has an endpoint, and makes orders.
    async fn sell(&mut self, receiver: &Receiver, made: &mut Made) {
        let endpoint = json!({ "url": receiver.url.replace("shop=1", "token=canary-token") });
        let request = self.shop_posts("/api/v1/webhook-endpoints", &endpoint);
        let (status, endpoint) = self.hear(Handed, request).await;
        assert_eq!(status, StatusCode::CREATED, "{endpoint}");
        let endpoint: Value = serde_json::from_str(&endpoint).unwrap();
        let rotate = format!(
            "/api/v1/webhook-endpoints/{}/rotate",
            endpoint["id"].as_str().unwrap()
        );
        let request = self.shop_posts(&rotate, &json!({}));
        let (status, rotated) = self.hear(Handed, request).await;
        assert_eq!(status, StatusCode::OK, "{rotated}");
        let rotated: Value = serde_json::from_str(&rotated).unwrap();
        let secret = |of: &Value| {
            let secret = of["secret"].as_str().unwrap();
            secret.trim_start_matches("whsec_").to_owned()
        };
        (made.first_secret, made.second_secret) = (secret(&endpoint), secret(&rotated));

        let order = |id: &str| {
            json!({
                "payment_id": id, "name": "사과", "amount": 65_000,
                "buyer": { "name": "카나리아", "email": "canary-buyer@example.com", "tel": "010-2222-3333" },
                "metadata": { "note": "canary-metadata" },
                "return_url": "https://shop.example/?to=canary-return",
            })
        };
        for id in ORDERS {
            let request = self.shop_posts("/api/v1/orders", &order(id));
            let (status, answer) = self.hear(ToShop, request).await;
            assert_eq!(status, StatusCode::CREATED, "{answer}");
            let answer: Value = serde_json::from_str(&answer).unwrap();
            let pay_url = answer["pay_url"].as_str().unwrap();
            pay_url
                .split_once("token=")
                .unwrap()
                .1
                .clone_into(&mut made.pay_token);
            let status_url = answer["status_url"].as_str().unwrap();
            status_url
                .rsplit('/')
                .next()
                .unwrap()
                .clone_into(&mut made.status_token);
            for path in [
                format!("/pay/{id}?token={}", made.pay_token),
                format!("/o/{}", made.status_token),
            ] {
                let (status, _) = self.hear(Buyer, self.page(&path)).await;
                assert!(status.is_success(), "{path}: {status}");
            }
        }
    }

    /// At PortOne people pay, and do not.
    fn pay(&self) -> Payments {
        let pay = |id: &str, fields: Value| {
            let mut all = json!({
                "merchant_uid": id, "amount": 65_000, "status": "paid",
                "buyer_name": "canary-payer", "buyer_email": "canary-buyer@example.com", "buyer_tel": "010-2222-3333",
                "buyer_addr": "canary-street", "card_number": "4386-canary-4386",
            });
            let fields = fields.as_object().unwrap().clone();
            all.as_object_mut().unwrap().extend(fields);
            self.sandbox.create_payment(all).unwrap()
        };
        let account = json!({
            "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "560-canary-560",
            "vbank_holder": "canary-holder", "vbank_date": 4_102_444_800_i64,
        });
        Payments {
            paid: pay(
                "PAID",
                json!({ "receipt_url": "https://receipt.example/canary-receipt" }),
            ),
            failed: pay(
                "FAILED",
                json!({ "status": "failed", "fail_reason": "canary-failure" }),
            ),
            bank: pay("BANK", account),
            held: pay("HELD", json!({ "amount": 1 })),
        }
    }

    /// Webhooks come, good and bad, with more in them than belongs there; in place of an answer PortOne's guard speaks.
    async fn receive(&mut self, payments: &Payments) {
        let webhook = |client: &Client, url: String| {
            let request = client.post(url).header("content-type", "application/json");
            request.header("x-forwarded-for", CLIENT)
        };
        let url = self.url("/payments/webhook");
        for (imp_uid, id) in [
            (&payments.paid, "PAID"),
            (&payments.failed, "FAILED"),
            (&payments.bank, "BANK"),
        ] {
            let body = json!({ "imp_uid": imp_uid, "merchant_uid": id, "status": "paid", "buyer_name": "canary-payer", "x": "canary-besides" });
            let request = webhook(&self.client, url.clone()).body(body.to_string());
            let (status, answer) = self.hear(Anybody, request).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
        }
        let torn = webhook(&self.client, url.clone()).body("{\"merchant_uid\":\"canary-besides");
        assert_eq!(self.hear(Anybody, torn).await.0, StatusCode::BAD_REQUEST);
        let signed = json!({ "type": "Transaction.Paid", "timestamp": "2026-11-21T00:00:00Z", "data": { "paymentId": "V2", "transactionId": "tx-1", "name": "canary-payer" } }).to_string();
        for (at, expected) in [
            (SystemClock.now().as_second(), StatusCode::OK),
            (0, StatusCode::BAD_REQUEST),
        ] {
            let mut request = webhook(&self.client, url.clone()).body(signed.clone());
            let signer = Signer::new([WEBHOOK_SECRET]).unwrap();
            for (name, value) in &signer.sign("wh-1", at, signed.as_bytes()) {
                request = request.header(name, value);
            }
            let (status, answer) = self.hear(Anybody, request).await;
            assert_eq!(status, expected, "{answer}");
        }
        let garbage =
            json!({ "call": "find_all", "kind": "garbage", "body": "canary-payer", "times": 2 });
        self.sandbox.fault(garbage).unwrap();
    }

    /// Buyers come back, in every state, with more in the address than belongs there; and strangers who know ids.
    async fn come_back(&mut self, payments: &Payments, status_token: &str) {
        let Payments {
            paid,
            failed,
            bank,
            held,
        } = payments;
        for (place, query) in [
            (
                Buyer,
                format!("imp_uid={paid}&merchant_uid=PAID&error_msg=canary-claim"),
            ),
            (
                Buyer,
                format!("imp_uid={failed}&merchant_uid=FAILED&buyer_name=canary-besides"),
            ),
            (Buyer, format!("imp_uid={bank}&merchant_uid=BANK")),
            (Buyer, format!("imp_uid={held}&merchant_uid=HELD")),
            (Anybody, "merchant_uid=PAID&x=canary-besides".to_owned()),
            (Anybody, "merchant_uid=FAILED".to_owned()),
            (Anybody, "merchant_uid=BANK".to_owned()),
            (Anybody, "merchant_uid=BANK&imp_uid=imp_9".to_owned()),
            (Anybody, "merchant_uid=DOWN".to_owned()),
            (Anybody, "merchant_uid=canary-besides%2F..".to_owned()),
            (
                Anybody,
                "imp_uid=imp_9&merchant_uid=NOBODY&x=canary-besides".to_owned(),
            ),
            (
                Anybody,
                format!("merchant_uid={HOSTILE}&error_msg={HOSTILE}"),
            ),
        ] {
            let path = format!("/payments/complete?{query}");
            self.hear(place, self.page(&path)).await;
            let as_json = self.client.get(self.url(&path));
            self.hear(place, as_json.header("accept", "application/json"))
                .await;
            let posted = self.client.post(self.url("/payments/complete"));
            let posted = posted.header("content-type", "application/x-www-form-urlencoded");
            self.hear(place, posted.body(query)).await;
        }
        self.hear(Buyer, self.page(&format!("/o/{status_token}")))
            .await;
        let look_up = self.form("/api/payments/look-up", &[("token", status_token)]);
        self.hear(Buyer, look_up).await;
        let confirm = self.client.post(self.url("/payments/confirm"));
        let asked = json!({ "imp_uid": paid, "merchant_uid": "PAID", "amount": 1, "buyer": "canary-besides" });
        self.hear(Anybody, confirm.json(&asked)).await;
        for path in [
            format!("/pay/{HOSTILE}"),
            format!("/{HOSTILE}"),
            format!("/o/{HOSTILE}"),
            "/pay/PAID?token=canary-besides".to_owned(),
            "/nonsense?canary-besides".to_owned(),
            "/orders?q=canary-besides".to_owned(),
            "/login?error=refused&next=%2Forders".to_owned(),
            "/healthz".to_owned(),
            "/readyz".to_owned(),
            "/api/v1/openapi.json".to_owned(),
            "/api/v1/docs".to_owned(),
        ] {
            let page = self.page(&path).header("user-agent", "canary-besides");
            self.hear(Anybody, page).await;
        }
    }

    /// Money goes back, to an account that only the request names. PortOne's answer breaks the first time.
    async fn give_back(&mut self, bank: &str) {
        let deposited = json!({ "status": "paid" });
        self.sandbox.patch_payment(bank, deposited).unwrap();
        let sync = self.shop_posts("/api/v1/orders/BANK/sync", &json!({}));
        assert_eq!(self.hear(ToShop, sync).await.0, StatusCode::OK);
        for (key, body, expected) in [
            ("1", refund(90_000), StatusCode::CONFLICT),
            ("2", refund(-1), StatusCode::UNPROCESSABLE_ENTITY),
            (
                "3",
                "{\"refund_account\":{\"holder\":\"canary-payee".to_owned(),
                StatusCode::BAD_REQUEST,
            ),
            (
                "4",
                "{\"reason\":\"x\",\"refund_account\":{\"110-canary-110\":1}}".to_owned(),
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
        ] {
            self.ask_for(key, body, expected).await;
        }
        let broken = json!({ "call": "cancel", "kind": "truncated", "times": 1 });
        self.sandbox.fault(broken).unwrap();
        self.ask_for("5", refund(30_000), StatusCode::CREATED).await;
        self.ask_for("5", refund(30_000), StatusCode::OK).await;
        self.ask_for("5", refund(1), StatusCode::UNPROCESSABLE_ENTITY)
            .await;
    }

    /// The shop asks for a refund of the deposit.
    async fn ask_for(&mut self, key: &'static str, body: String, expected: StatusCode) {
        let request = self.client.post(self.url("/api/v1/orders/BANK/refunds"));
        let request = request.bearer_auth(&self.key);
        let request = request.header("idempotency-key", key).body(body);
        let (status, answer) = self.hear(ToShop, request).await;
        assert_eq!(status, expected, "{answer}");
    }

    /// The owner adds a person, who chooses a password and a second factor.
    async fn hire(&mut self, made: &mut Made) -> String {
        for (email, password) in [
            ("canary-typed@example.com", PASSWORD),
            ("owner@example.com", "canary-wrong"),
        ] {
            let form = self.form("/login", &[("email", email), ("password", password)]);
            assert_eq!(self.hear(Anybody, form).await.0, StatusCode::SEE_OTHER);
        }
        let owner = self.sign_in("owner@example.com", PASSWORD).await;
        owner
            .split_once('=')
            .unwrap()
            .1
            .clone_into(&mut made.session);
        let fields = [
            ("email", "kim@example.com"),
            ("role", "staff"),
            ("key", &form_key()),
        ];
        let add = self.form("/settings/users", &fields);
        let (_, added) = self.hear(Handed, add.header("cookie", &owner)).await;
        made.handed_password = between(&added, "<code class=\"office-id\"><bdi>", "<").to_owned();

        let kim = self.sign_in("kim@example.com", &made.handed_password).await;
        let fields = [
            ("present", made.handed_password.as_str()),
            ("new", CHOSEN),
            ("again", CHOSEN),
        ];
        let change = self.form("/settings/account/password", &fields);
        let (status, _) = self.hear(Office, change.header("cookie", &kim)).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        let kim = self.sign_in("kim@example.com", CHOSEN).await;
        let begin = self.form("/settings/account/second-factor", &[]);
        let (_, shown) = self.hear(Handed, begin.header("cookie", &kim)).await;
        made.code_secret = between(&shown, "name=\"secret\" value=\"", "\"").to_owned();
        let secret = CodeSecret::from_base32(&made.code_secret).unwrap();
        let step = SystemClock.now().as_second().div_euclid(STEP_SECONDS);
        let code = format!("{:06}", secret.code(step).unwrap());
        let fields = [("secret", made.code_secret.as_str()), ("code", &code)];
        let confirm = self.form("/settings/account/second-factor/confirm", &fields);
        let (status, on) = self.hear(Handed, confirm.header("cookie", &kim)).await;
        assert_eq!(status, StatusCode::OK);
        let (_, codes) = on.split_once("role=\"status\"").unwrap();
        let is_code = |code: &&str| code.len() == 19 && code.contains('-');
        let mut codes = codes
            .split("<bdi>")
            .filter_map(|rest| rest.split('<').next());
        codes
            .find(is_code)
            .unwrap()
            .clone_into(&mut made.recovery_code);

        let login = [("email", "kim@example.com"), ("password", CHOSEN)];
        let half = self.cookie(self.form("/login", &login)).await;
        let login = self.form("/login/code", &[("code", &made.recovery_code)]);
        self.cookie(login.header("cookie", half)).await;
        owner
    }

    async fn sign_in(&self, email: &str, password: &str) -> String {
        let fields = [("email", email), ("password", password)];
        self.cookie(self.form("/login", &fields)).await
    }

    /// The cookie that an answer sets.
    async fn cookie(&self, request: RequestBuilder) -> String {
        let answer = request.send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// The owner works in the back office, and looks at every page.
    async fn look_after(&mut self, owner: &str, payments: &Payments) {
        let note = [("note", "canary-note"), ("key", &form_key())];
        let settle = [
            ("kind", "held"),
            ("transaction_id", payments.held.as_str()),
            ("note", "canary-note"),
        ];
        let refund = [
            ("transaction_id", payments.paid.as_str()),
            ("amount", "5000"),
            ("left", "65000"),
            ("reason", "canary-reason"),
            ("key", &form_key()),
        ];
        for (path, fields, leads) in [
            ("/orders/PAID/note", note.as_slice(), "done=noted"),
            ("/attention/settle", &settle, "done=settled"),
            ("/orders/PAID/refund", &refund, "done=refunded"),
            ("/orders/PAID/sync", &[], "done="),
            ("/orders/CLOSED/close", &[], "done=closed"),
        ] {
            let form = self.form(path, fields).header("cookie", owner);
            let answer = form.send().await.unwrap();
            let location = answer.headers().get("location").cloned();
            let location = location.as_ref().map(|location| location.to_str().unwrap());
            assert!(
                location.is_some_and(|location| location.contains(leads)),
                "{path}: {location:?}"
            );
        }
        let orders = ORDERS.map(|id| format!("/orders/{id}"));
        let refund = format!("/orders/PAID/refund?transaction_id={}", payments.paid);
        for path in orders.into_iter().chain([refund]).chain(
            [
                "/overview",
                "/orders",
                "/orders?q=PAID",
                "/orders.csv",
                "/attention",
                "/settings/webhooks",
                "/settings/users",
                "/settings/keys",
                "/settings/audit",
                "/settings/account",
            ]
            .map(str::to_owned),
        ) {
            let page = self.page(&path).header("cookie", owner);
            let (status, _) = self.hear(Office, page).await;
            assert_eq!(status, StatusCode::OK, "{path}");
        }
    }

    /// The shop reads whatever it can read, and strangers who have no key.
    async fn read(&mut self) {
        let mut paths = [
            "/api/v1/orders",
            "/api/v1/orders?q=canary-besides",
            "/api/v1/orders?limit=canary-besides",
            "/api/v1/attention",
            "/api/v1/webhook-endpoints",
            "/api/v1/deliveries?limit=100",
        ]
        .map(str::to_owned)
        .to_vec();
        for id in ORDERS {
            paths.extend(
                ["", "/events", "/refunds"].map(|rest| format!("/api/v1/orders/{id}{rest}")),
            );
        }
        let (_, deliveries) = text(self.shop("/api/v1/deliveries")).await;
        let deliveries: Value = serde_json::from_str(&deliveries).unwrap();
        let first = deliveries["deliveries"].as_array().unwrap().last();
        paths.push(format!("/api/v1/deliveries/{}", first.unwrap()["id"]));
        for path in paths {
            let request = self.shop(&path);
            let (status, answer) = self.hear(ToShop, request).await;
            let is_bad = path.contains("limit=canary");
            assert_eq!(status == StatusCode::OK, !is_bad, "{path}: {answer}");
            let stranger = self.client.get(self.url(&path));
            let stranger = stranger.header("authorization", "Bearer wr_canary-key");
            let (status, _) = self.hear(Anybody, stranger).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        }
        for (body, expected) in [
            ("{\"buyer\":\"canary-besides", StatusCode::BAD_REQUEST),
            (
                "{\"payment_id\":\"X\",\"name\":\"x\",\"amount\":1,\"metadata\":\"canary-besides\"}",
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
        ] {
            let request = self.client.post(self.url("/api/v1/orders"));
            let request = request.bearer_auth(&self.key).body(body);
            let (status, answer) = self.hear(ToShop, request).await;
            assert_eq!(status, expected, "{answer}");
        }
        let metrics = self.client.get(self.url("/metrics"));
        let (status, answer) = self.hear(Metrics, metrics).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
}

fn refund(amount: i64) -> String {
    let account = json!({ "bank": "KOOKMIN", "number": "110-canary-110", "holder": "canary-payee", "tel": "010-4444-5555" });
    json!({ "reason": "canary-reason", "amount": amount, "refund_account": account }).to_string()
}

fn between<'p>(page: &'p str, before: &str, after: &str) -> &'p str {
    let (_, rest) = page.split_once(before).unwrap();
    rest.split_once(after).unwrap().0
}

/// Waits until the shop has heard that money went back, which happened last.
async fn heard(receiver: &Receiver) {
    let last = ("PAID".to_owned(), "order.partially_refunded".to_owned());
    let wait = async {
        loop {
            let got = receiver.got();
            if got
                .iter()
                .any(|event| (event.payment_id(), event.kind()) == last)
            {
                return;
            }
            receiver.until(got.len() + 1).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("an event comes");
}

/// What is written down, without what SQLite's files still have of rows that are gone.
async fn tables(db: &TestDatabase) -> String {
    let Some(path) = db.sqlite_path() else {
        return everything(db).await;
    };
    let copy = format!("{path}-copy");
    db.run(&format!("VACUUM INTO '{copy}'")).await;
    String::from_utf8_lossy(&std::fs::read(copy).unwrap()).into_owned()
}

/// What is left when the time of people's data is over.
async fn erase(db: &TestDatabase, sandbox: Arc<Sandbox>) -> String {
    let clock = Arc::new(Still::now());
    let for_days = |settings: &mut Settings| settings.retention_days = DAYS;
    let app = TestApp::start_at(db, sandbox, for_days, Arc::clone(&clock) as _).await;
    let core = &app.running.core;
    // A refund of which nobody knows the end may need its account.
    clock.push(Duration::from_hours(1));
    while refunds::work_off_due(core, 10).await.unwrap() > 0 {}
    clock.push(Duration::from_hours(24 * u64::from(DAYS + 1)));
    let erased = retention::erase_due(core).await.unwrap();
    assert_eq!(usize::try_from(erased).unwrap(), ORDERS.len());
    everything(db).await
}

on_both_databases! {
    async fn nothing_is_told_where_it_may_not_be(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let mut made = Made::default();
        let (_, mut log) = run(command(&db, &sandbox), &["user", "add", "owner@example.com", "--role", "owner", "--password-stdin"], &format!("{PASSWORD}\n")).await;
        let (key, more) = run(command(&db, &sandbox), &["key", "create", "--name", "shop"], "").await;
        log.push_str(&more);
        let mut server = command(&db, &sandbox);
        server.env("WANRYO_TRUSTED_PROXIES", "127.0.0.1/32").env("WANRYO_EVENT_TARGETS_PRIVATE", "127.0.0.0/8");
        let program = Program::spawn(server).await;
        sandbox.set_webhook_url(Url::parse(&format!("{}/payments/webhook", program.url)).unwrap());
        let receiver = Receiver::answering(|_| (StatusCode::OK, "canary-answer").into_response()).await;
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let mut life = Life { sandbox: &sandbox, client, url: program.url.clone(), key: key.clone(), told: Vec::new() };
        made.key = key;

        life.sell(&receiver, &mut made).await;
        let payments = life.pay();
        life.receive(&payments).await;
        life.come_back(&payments, &made.status_token).await;
        let owner = life.hire(&mut made).await;
        life.look_after(&owner, &payments).await;
        let token = sandbox.url().join("users/getToken").unwrap();
        let (_, token) = text(life.client.post(token).json(&json!({ "imp_key": "imp_apikey", "imp_secret": "sandbox-secret" }))).await;
        let token: Value = serde_json::from_str(&token).unwrap();
        token["response"]["access_token"].as_str().unwrap().clone_into(&mut made.access_token);
        life.give_back(&payments.bank).await;
        heard(&receiver).await;
        life.read().await;
        log.push_str(&program.end().await);

        assert!(log.contains("TRACE") && log.contains("a request was answered") && log.contains("/payments/complete"), "everything was logged: {} bytes", log.len());
        for line in log.lines() {
            assert!(line.starts_with("20") && line.as_bytes().get(4) == Some(&b'-'), "every line is one of ours: {line}");
            assert!(!line.contains('\u{1b}') && !line.contains('\u{202e}') && !line.contains('\r'), "{line:?}");
        }
        let mut told = life.told;
        let mut tell = |place: Place, by: &str, text: String| told.push(Told { place, by: by.to_owned(), text });
        for line in log.lines() {
            tell(Log, line, line.to_owned());
        }
        for event in receiver.got() {
            tell(Event, &event.id, format!("{:?} {}", event.headers, String::from_utf8_lossy(&event.body)));
        }
        tell(Database, "the tables", tables(&db).await);
        tell(Erased, "the tables, long after", erase(&db, Arc::clone(&sandbox)).await);
        let mut faults = String::new();
        for Canary { what, text, told: expected } in canaries(made) {
            assert!(text.len() > 8, "{what}: {text}");
            let mut places = Vec::new();
            for told in told.iter().filter(|told| told.text.contains(&text)) {
                if !expected.contains(&told.place) {
                    writeln!(faults, "{what} ({text}) is told by {:?}: {}", told.place, told.by).unwrap();
                }
                places.push(told.place);
            }
            for place in expected.iter().filter(|place| !places.contains(place)) {
                writeln!(faults, "{what} ({text}) is not told by {place:?}").unwrap();
            }
        }
        assert!(faults.is_empty(), "{faults}");
    }
}
