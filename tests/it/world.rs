//! The app with a hand on every call that it makes to the world: each passes a named point before and after, where the world
//! can stop.
//!
//! The stores and the client are the real ones, and so are the database and the sandbox behind them.

mod office;
mod ports;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Request, StatusCode};
use jiff::Timestamp;
use parking_lot::Mutex;
use portone::webhook::Signer;
use portone_sandbox::Sandbox;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use wanryo::adapters::store::Database;
use wanryo::compose::{self, Ports};
use wanryo::domain::access::Role;
use wanryo::domain::history::{Actor, Entry, EntryKind, StoredEntry};
use wanryo::domain::ids::{PaymentId, RefundId, StatusToken, TransactionId};
use wanryo::domain::money::Money;
use wanryo::domain::order::{Order, OrderStatus, Portone};
use wanryo::domain::refund::{Answer, Balance, Refund, RefundState};
use wanryo::domain::sweep::Listing;
use wanryo::domain::transaction::{Transaction, Verdict};
use wanryo::ports::gateway::{Attempts, CancelCall, Gateway, GatewayError, Page};
use wanryo::ports::requests::{NamedRequest, RequestStore};
use wanryo::ports::store::{
    AccessStore, ApiKey, Commit, Committed, Created, InboxEntry, InboxResult, InboxStore, Intended,
    KeptKey, KeyRoom, Listed, Moved, NewApiKey, NewUser, Opening, OrderFilter, OrderStore,
    OutboxEvent, Person, Received, RefundStore, Snapshot, StoreError, User, UserChange,
    UserChanged,
};
use wanryo::service::sweep::{self, Step};
use wanryo::service::{Core, Stores, access, deliveries, inbox, reconciliation, refunds};
use wanryo::web::limits::Limits;
use wanryo::web::live::Streams;
use wanryo::web::router::router;

use crate::app::{STORE_ID, TestApp, WEBHOOK_SECRET, settings};
use crate::by_hand::Ahead;
use crate::support::TestDatabase;
pub(crate) use office::{WORD, form_key};

/// Address that browsers would see.
const PUBLIC_URL: &str = "http://shop.test";
/// Who signs in.
const STAFF: (&str, &str) = ("staff@example.com", "correct horse battery");
/// What every order costs.
const PRICE: i64 = 65_000;
/// What is given back of it. Not all, so that it could be given back twice.
const GIVEN_BACK: i64 = 20_000;
/// Rows taken in one step of the worker.
const BATCH: u32 = 50;
/// Settled payments that are read: more than a test settles.
const SETTLED_MAX: u32 = 100;
/// Rounds after which the worker must have nothing left that is due.
const ROUNDS_MAX: usize = 200;
/// How far a recovery looks ahead, step by step: a lease ends after a minute, a webhook is tried again after seconds to hours,
/// an order is asked about again after two minutes and at growing gaps.
const STEPS: [Duration; 8] = [
    Duration::ZERO,
    Duration::from_secs(20),
    Duration::from_secs(70),
    Duration::from_secs(3 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(7 * 60 * 60),
    Duration::from_secs(70),
];

/// Between two looks whether a sweep is due: the first of a new server comes within the hour, and a lease is shorter.
const SWEEP_PAUSE: Duration = Duration::from_secs(90 * 60);

/// A point that calls pass, and the how-manieth time counts, from zero. Requests do several things at once, so points have
/// no fixed place in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) name: &'static str,
    pub(crate) time: usize,
}

/// Every point of a row of names.
pub(crate) fn points(passed: &[&'static str]) -> Vec<Point> {
    let earlier =
        |at: usize, name: &str| passed[..at].iter().filter(|other| **other == name).count();
    passed
        .iter()
        .enumerate()
        .map(|(at, name)| Point {
            name,
            time: earlier(at, name),
        })
        .collect()
}

/// Notes the points that calls pass, and stops the world at one of them.
#[derive(Default)]
pub(crate) struct Fuse {
    stop_at: Option<Point>,
    state: Mutex<FuseState>,
    blown: Notify,
}

#[derive(Default)]
struct FuseState {
    passed: Vec<&'static str>,
    is_blown: bool,
}

impl Fuse {
    fn new(stop_at: Option<Point>) -> Arc<Self> {
        Arc::new(Self {
            stop_at,
            ..Self::default()
        })
    }

    /// Passes a point, or never returns: once the world has stopped nothing in it moves.
    async fn pass(&self, name: &'static str) {
        let goes_on = {
            let mut state = self.state.lock();
            if !state.is_blown {
                let time = state.passed.iter().filter(|other| **other == name).count();
                state.is_blown = self.stop_at == Some(Point { name, time });
                state.passed.push(name);
                if state.is_blown {
                    self.blown.notify_one();
                }
            }
            !state.is_blown
        };
        if !goes_on {
            pending::<()>().await;
        }
    }

    /// Returns when the world has stopped.
    pub(crate) async fn blown(&self) {
        self.blown.notified().await;
    }

    /// The points that were passed, in order; where the world stopped is the last.
    pub(crate) fn passed(&self) -> Vec<&'static str> {
        self.state.lock().passed.clone()
    }
}

/// A port with a fuse in its line.
struct Fused<Port: ?Sized> {
    port: Arc<Port>,
    fuse: Arc<Fuse>,
}

/// One call: the point before it, the call, the point after it.
macro_rules! through {
    ($this:ident, $name:literal, $($call:tt)+) => {{
        $this.fuse.pass(concat!($name, ":before")).await;
        let result = $this.port.$($call)+.await;
        $this.fuse.pass(concat!($name, ":after")).await;
        result
    }};
}
use through;

#[async_trait]
impl OrderStore for Fused<dyn OrderStore> {
    async fn create_order(&self, order: &Order, entry: &Entry) -> Result<Created, StoreError> {
        through!(self, "orders.create_order", create_order(order, entry))
    }
    async fn ping(&self) -> Result<(), StoreError> {
        through!(self, "orders.ping", ping())
    }
    async fn find_order(&self, id: &PaymentId) -> Result<Option<Snapshot>, StoreError> {
        through!(self, "orders.find_order", find_order(id))
    }
    async fn find_order_by_token(
        &self,
        token: &StatusToken,
    ) -> Result<Option<Snapshot>, StoreError> {
        through!(
            self,
            "orders.find_order_by_token",
            find_order_by_token(token)
        )
    }
    async fn find_owner(&self, id: &TransactionId) -> Result<Option<PaymentId>, StoreError> {
        through!(self, "orders.find_owner", find_owner(id))
    }
    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        through!(self, "orders.commit", commit(commit))
    }
    async fn append_history(
        &self,
        id: &PaymentId,
        entries: &[Entry],
        per_kind_max: u32,
    ) -> Result<(), StoreError> {
        through!(
            self,
            "orders.append_history",
            append_history(id, entries, per_kind_max)
        )
    }
    async fn history(&self, id: &PaymentId) -> Result<Vec<StoredEntry>, StoreError> {
        through!(self, "orders.history", history(id))
    }
    async fn outbox(&self, id: &PaymentId) -> Result<Vec<OutboxEvent>, StoreError> {
        through!(self, "orders.outbox", outbox(id))
    }
    async fn list_orders(&self, filter: &OrderFilter) -> Result<Listed, StoreError> {
        through!(self, "orders.list_orders", list_orders(filter))
    }
    async fn find_transactions(
        &self,
        ids: &[TransactionId],
    ) -> Result<Vec<Transaction>, StoreError> {
        through!(self, "orders.find_transactions", find_transactions(ids))
    }
    async fn lease_due(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<PaymentId>, StoreError> {
        through!(self, "orders.lease_due", lease_due(now, lease_until, limit))
    }
    async fn schedule_check(
        &self,
        id: &PaymentId,
        decided_on: i64,
        next_check_at: Option<Timestamp>,
        checks_without_change: i64,
    ) -> Result<(), StoreError> {
        through!(
            self,
            "orders.schedule_check",
            schedule_check(id, decided_on, next_check_at, checks_without_change)
        )
    }
    async fn mark_prepared(&self, id: &PaymentId, at: Timestamp) -> Result<(), StoreError> {
        through!(self, "orders.mark_prepared", mark_prepared(id, at))
    }
}

#[async_trait]
impl InboxStore for Fused<dyn InboxStore> {
    async fn receive(
        &self,
        received: &Received,
        try_at: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        through!(self, "inbox.receive", receive(received, try_at))
    }
    async fn settle(&self, id: i64, lease: i64, result: InboxResult) -> Result<(), StoreError> {
        through!(self, "inbox.settle", settle(id, lease, result))
    }
    async fn is_untaken(&self, id: i64) -> Result<bool, StoreError> {
        through!(self, "inbox.is_untaken", is_untaken(id))
    }
    async fn lease_inbox(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        through!(
            self,
            "inbox.lease_inbox",
            lease_inbox(now, lease_until, limit)
        )
    }
    async fn wake_inbox(&self, id: &PaymentId, now: Timestamp) -> Result<(), StoreError> {
        through!(self, "inbox.wake_inbox", wake_inbox(id, now))
    }
    async fn purge_inbox(
        &self,
        settled_before: Timestamp,
        unknown_max: u32,
        limit: u32,
    ) -> Result<u64, StoreError> {
        through!(
            self,
            "inbox.purge_inbox",
            purge_inbox(settled_before, unknown_max, limit)
        )
    }
}

#[async_trait]
impl RefundStore for Fused<dyn RefundStore> {
    async fn intend(
        &self,
        refund: &Refund,
        entry: &Entry,
        name: Option<&NamedRequest>,
    ) -> Result<Intended, StoreError> {
        through!(self, "refunds.intend", intend(refund, entry, name))
    }
    async fn find_refund(&self, id: &RefundId) -> Result<Option<Refund>, StoreError> {
        through!(self, "refunds.find_refund", find_refund(id))
    }
    async fn find_refund_by_key(
        &self,
        id: &PaymentId,
        key: &str,
    ) -> Result<Option<Refund>, StoreError> {
        through!(
            self,
            "refunds.find_refund_by_key",
            find_refund_by_key(id, key)
        )
    }
    async fn refunds(&self, id: &PaymentId) -> Result<Vec<Refund>, StoreError> {
        through!(self, "refunds.refunds", refunds(id))
    }
    async fn move_refund(
        &self,
        refund: &Refund,
        entry: Option<&Entry>,
    ) -> Result<Moved, StoreError> {
        through!(self, "refunds.move_refund", move_refund(refund, entry))
    }
    async fn lease_refunds(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        through!(
            self,
            "refunds.lease_refunds",
            lease_refunds(now, lease_until, limit)
        )
    }
    async fn wake_refunds(&self, id: &PaymentId, now: Timestamp) -> Result<(), StoreError> {
        through!(self, "refunds.wake_refunds", wake_refunds(id, now))
    }
}

#[async_trait]
impl AccessStore for Fused<dyn AccessStore> {
    async fn put_user(
        &self,
        email: &str,
        hash: &str,
        role: Option<Role>,
        at: Timestamp,
    ) -> Result<UserChanged, StoreError> {
        through!(self, "access.put_user", put_user(email, hash, role, at))
    }
    async fn add_user(&self, new: &NewUser, by: &Actor, at: Timestamp) -> Result<bool, StoreError> {
        through!(self, "access.add_user", add_user(new, by, at))
    }
    async fn change_user(
        &self,
        id: i64,
        change: &UserChange,
        by: &Actor,
        at: Timestamp,
    ) -> Result<UserChanged, StoreError> {
        through!(self, "access.change_user", change_user(id, change, by, at))
    }
    async fn users(&self, now: Timestamp, limit: u32) -> Result<Vec<Person>, StoreError> {
        through!(self, "access.users", users(now, limit))
    }
    async fn find_user(&self, email: &str) -> Result<Option<User>, StoreError> {
        through!(self, "access.find_user", find_user(email))
    }
    async fn put_api_key(
        &self,
        new: &NewApiKey,
        room: KeyRoom,
        by: &Actor,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        through!(self, "access.put_api_key", put_api_key(new, room, by, at))
    }
    async fn api_keys(&self, limit: u32) -> Result<Vec<KeptKey>, StoreError> {
        through!(self, "access.api_keys", api_keys(limit))
    }
    async fn delete_api_key(
        &self,
        id: &str,
        by: &Actor,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        through!(self, "access.delete_api_key", delete_api_key(id, by, at))
    }
    async fn find_api_key(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<ApiKey>, StoreError> {
        through!(self, "access.find_api_key", find_api_key(hash, now))
    }
    async fn put_session(
        &self,
        hash: &[u8; 32],
        user: &User,
        opening: Opening,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        through!(
            self,
            "access.put_session",
            put_session(hash, user, opening, at, expires_at)
        )
    }
    async fn find_session(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        through!(
            self,
            "access.find_session",
            find_session(hash, now, idle_since)
        )
    }
    async fn delete_session(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        through!(self, "access.delete_session", delete_session(hash))
    }
    async fn put_half_sign_in(
        &self,
        hash: &[u8; 32],
        user: &User,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        through!(
            self,
            "access.put_half_sign_in",
            put_half_sign_in(hash, user, expires_at)
        )
    }
    async fn find_half_sign_in(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        through!(
            self,
            "access.find_half_sign_in",
            find_half_sign_in(hash, now)
        )
    }
    async fn delete_half_sign_in(&self, hash: &[u8; 32]) -> Result<bool, StoreError> {
        through!(
            self,
            "access.delete_half_sign_in",
            delete_half_sign_in(hash)
        )
    }
    async fn use_code(&self, user_id: i64, step: i64) -> Result<bool, StoreError> {
        through!(self, "access.use_code", use_code(user_id, step))
    }
    async fn use_recovery_code(
        &self,
        user_id: i64,
        hash: &[u8; 32],
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        through!(
            self,
            "access.use_recovery_code",
            use_recovery_code(user_id, hash, at)
        )
    }
    async fn purge_sessions(&self, now: Timestamp) -> Result<(), StoreError> {
        through!(self, "access.purge_sessions", purge_sessions(now))
    }
}

#[async_trait]
impl Gateway for Fused<dyn Gateway> {
    async fn attempts(
        &self,
        portone: Portone,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        through!(self, "gateway.attempts", attempts(portone, id, asked))
    }
    async fn prepare(
        &self,
        portone: Portone,
        id: &PaymentId,
        amount: Money,
    ) -> Result<(), GatewayError> {
        through!(self, "gateway.prepare", prepare(portone, id, amount))
    }
    async fn balance(
        &self,
        portone: Portone,
        id: &PaymentId,
        transaction_id: &TransactionId,
    ) -> Result<Balance, GatewayError> {
        through!(
            self,
            "gateway.balance",
            balance(portone, id, transaction_id)
        )
    }
    async fn cancel(&self, portone: Portone, call: &CancelCall) -> Answer {
        through!(self, "gateway.cancel", cancel(portone, call))
    }
    async fn list(
        &self,
        portone: Portone,
        listing: Listing,
        from: Timestamp,
        until: Timestamp,
        page: u32,
    ) -> Result<Page, GatewayError> {
        through!(
            self,
            "gateway.list",
            list(portone, listing, from, until, page)
        )
    }
}

/// Where worlds come and go: one database, one PortOne.
pub(crate) struct Place {
    pub(crate) database: TestDatabase,
    pub(crate) sandbox: Arc<Sandbox>,
    client: reqwest::Client,
    key: String,
    session: Mutex<String>,
}

/// One app, from its start to its end.
pub(crate) struct World {
    pub(crate) core: Arc<Core>,
    pub(crate) fuse: Arc<Fuse>,
    pub(crate) router: Router,
    pub(crate) clock: Arc<Ahead>,
    database: Arc<Database>,
}

/// A payment as it is at PortOne.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    pub(crate) id: String,
    pub(crate) transaction_id: String,
}

impl Place {
    pub(crate) async fn new(database: &TestDatabase) -> Self {
        let mut place = Self {
            database: database.clone(),
            sandbox: TestApp::new_sandbox().await,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            key: String::new(),
            session: Mutex::default(),
        };
        let world = place.open(Duration::ZERO, None).await;
        let key = access::make_api_key(&world.core, "test", &Actor::Command)
            .await
            .unwrap();
        key.expose_secret().clone_into(&mut place.key);
        let (email, password) = STAFF;
        access::put_user(&world.core, email, SecretString::from(password), None)
            .await
            .unwrap();
        place.let_in(&world).await;
        world.close().await;
        place
    }

    /// Signs the person in by this world's clock: a session does not outlast the hours that a recovery lets pass.
    pub(crate) async fn let_in(&self, world: &World) {
        let (email, password) = STAFF;
        let sign_in = access::SignIn {
            email,
            password: SecretString::from(password),
            source: std::net::Ipv4Addr::LOCALHOST.into(),
            browser: None,
        };
        let access::Entered::In(came_in) = access::sign_in(&world.core, sign_in).await.unwrap()
        else {
            panic!("the password is enough");
        };
        came_in
            .session
            .expose()
            .clone_into(&mut self.session.lock());
    }

    /// Starts an app whose clock runs so far ahead, and that stops at this point.
    pub(crate) async fn open(&self, ahead: Duration, stop_at: Option<Point>) -> World {
        let settings = settings(&self.database, &self.sandbox);
        let database = Arc::new(self.database.open().await);
        let clock = Arc::new(Ahead::default());
        clock.push(ahead);
        let real = Ports::new(&settings, &database, Arc::clone(&clock) as _).unwrap();
        let fuse = Fuse::new(stop_at);
        let stores = Stores {
            orders: Arc::new(Fused {
                port: real.stores.orders,
                fuse: Arc::clone(&fuse),
            }),
            refunds: Arc::new(Fused {
                port: real.stores.refunds,
                fuse: Arc::clone(&fuse),
            }),
            inbox: Arc::new(Fused {
                port: real.stores.inbox,
                fuse: Arc::clone(&fuse),
            }),
            attention: Arc::new(Fused {
                port: real.stores.attention,
                fuse: Arc::clone(&fuse),
            }),
            sweep: Arc::new(Fused {
                port: real.stores.sweep,
                fuse: Arc::clone(&fuse),
            }),
            access: Arc::new(Fused {
                port: real.stores.access,
                fuse: Arc::clone(&fuse),
            }),
            deliveries: Arc::new(Fused {
                port: real.stores.deliveries,
                fuse: Arc::clone(&fuse),
            }),
            notes: Arc::new(Fused {
                port: real.stores.notes,
                fuse: Arc::clone(&fuse),
            }),
            // Nothing that is set going here writes through these.
            audit: real.stores.audit,
            overview: real.stores.overview,
            retention: real.stores.retention,
        };
        let ports = Ports {
            stores,
            gateway: Arc::new(Fused {
                port: real.gateway,
                fuse: Arc::clone(&fuse),
            }),
            webhooks: Arc::new(Fused {
                port: real.webhooks,
                fuse: Arc::clone(&fuse),
            }),
            clock: real.clock,
        };
        let requests: Arc<dyn RequestStore> = Arc::new(Fused {
            port: Arc::clone(&database) as Arc<dyn RequestStore>,
            fuse: Arc::clone(&fuse),
        });
        let core = Arc::new(compose::core(&settings, PUBLIC_URL, ports));
        let operations = compose::operations(&database);
        let limits = Limits::default();
        let app = compose::app(
            &settings,
            PUBLIC_URL,
            Arc::clone(&core),
            operations,
            requests,
            Streams::until(CancellationToken::new()),
            limits,
        )
        .unwrap();
        World {
            core,
            fuse,
            router: router(app),
            clock,
            database,
        }
    }

    /// What the shop posts to make an order.
    pub(crate) fn new_order(&self, id: &str, portone: Portone) -> Request<Body> {
        let body = json!({ "payment_id": id, "name": "사과", "amount": PRICE, "portone": portone.as_str(), "channel_key": "channel-key-1" });
        self.shop("POST", "/api/v1/orders", Some(body))
    }

    /// A request of the shop's server.
    pub(crate) fn shop(&self, method: &str, path: &str, body: Option<Value>) -> Request<Body> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "shop.test")
            .header("authorization", format!("Bearer {}", self.key));
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        request
            .header("content-type", "application/json")
            .body(body)
            .unwrap()
    }

    /// The shop gives some of the money back, and says the same whenever it says it again.
    pub(crate) fn refund(&self, id: &str) -> Request<Body> {
        let body = json!({ "reason": "단순 변심", "amount": GIVEN_BACK });
        let mut request = self.shop("POST", &format!("/api/v1/orders/{id}/refunds"), Some(body));
        request.headers_mut().insert(
            "idempotency-key",
            HeaderValue::from_str(&format!("return-{id}")).unwrap(),
        );
        request
    }

    /// How often PortOne was called to give money back.
    pub(crate) fn refund_calls(&self) -> usize {
        self.sandbox.calls("cancel") + self.sandbox.calls("v2_cancel")
    }

    /// A request of a person who is signed in.
    pub(crate) fn staff(&self, method: &str, path: &str) -> Request<Body> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "shop.test")
            .header("cookie", format!("wanryo={}", self.session.lock()))
            .header("sec-fetch-site", "same-origin");
        request
            .header("accept", "text/html")
            .body(Body::empty())
            .unwrap()
    }

    /// The merchant gives money back in the console of PortOne V1, which tells nobody.
    pub(crate) async fn cancel_in_console(&self, payment: &Payment, amount: i64) {
        let path = format!("_sandbox/payments/{}/cancel", payment.transaction_id);
        let url = self.sandbox.url().join(&path).unwrap();
        let request = self.client.post(url).json(&json!({ "amount": amount }));
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// Pays at PortOne, which tells nobody.
    pub(crate) async fn pay(&self, id: &str, portone: Portone) -> Payment {
        let transaction_id = match portone {
            Portone::V1 => self
                .sandbox
                .create_payment(json!({ "merchant_uid": id, "amount": PRICE, "status": "paid" }))
                .unwrap(),
            Portone::V2 => {
                let url = self.sandbox.url().join("_sandbox/v2/payments").unwrap();
                let fields = json!({ "id": id, "amount": { "total": PRICE }, "status": "PAID" });
                let attempt: Value = self
                    .client
                    .post(url)
                    .json(&fields)
                    .send()
                    .await
                    .unwrap()
                    .json()
                    .await
                    .unwrap();
                attempt["transactionId"].as_str().unwrap().to_owned()
            }
        };
        Payment {
            id: id.to_owned(),
            transaction_id,
        }
    }

    /// What the log of who did what says that this was done to.
    pub(crate) async fn acts(&self, act: &str) -> Vec<String> {
        let sql = format!("SELECT target FROM audit_log WHERE act = '{act}'");
        self.database.read(&sql).await
    }

    /// What sweeps found and is still so, as `kind transaction_id`.
    pub(crate) async fn findings(&self) -> Vec<String> {
        self.database
            .read("SELECT kind || ' ' || transaction_id FROM findings WHERE gone_at IS NULL")
            .await
    }

    /// What the inbox holds, as `payment_id state`.
    pub(crate) async fn inbox(&self) -> Vec<String> {
        self.database
            .read("SELECT payment_id || ' ' || state FROM inbox ORDER BY payment_id")
            .await
    }
}

/// The buyer comes back.
pub(crate) fn redirect(payment: &Payment, portone: Portone) -> Request<Body> {
    let Payment { id, transaction_id } = payment;
    let query = match portone {
        Portone::V1 => format!("imp_uid={transaction_id}&merchant_uid={id}&imp_success=true"),
        Portone::V2 => format!("txId={transaction_id}&paymentId={id}&transactionType=PAYMENT"),
    };
    get(&format!("/payments/complete?{query}"))
}

/// The buyer comes back by a POST, for JSON.
pub(crate) fn posted_redirect(payment: &Payment) -> Request<Body> {
    let body = format!(
        "imp_uid={}&merchant_uid={}",
        payment.transaction_id, payment.id
    );
    let request = Request::post("/payments/complete")
        .header("host", "shop.test")
        .header("accept", "application/json");
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .unwrap()
}

/// PortOne tells of the payment.
pub(crate) fn webhook(payment: &Payment, portone: Portone, now: Timestamp) -> Request<Body> {
    let Payment { id, transaction_id } = payment;
    let mut request = Request::post("/payments/webhook")
        .header("host", "shop.test")
        .header("content-type", "application/json");
    let body = match portone {
        Portone::V1 => {
            json!({ "imp_uid": transaction_id, "merchant_uid": id, "status": "paid" }).to_string()
        }
        Portone::V2 => {
            let body = json!({ "type": "Transaction.Paid", "timestamp": "2026-11-21T00:00:00Z", "data": { "storeId": STORE_ID, "paymentId": id, "transactionId": transaction_id } }).to_string();
            for (name, value) in &Signer::new([WEBHOOK_SECRET]).unwrap().sign(
                &format!("wh-{id}"),
                now.as_second(),
                body.as_bytes(),
            ) {
                request = request.header(name, value);
            }
            body
        }
    };
    request.body(Body::from(body)).unwrap()
}

/// A browser asks for a page.
pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path)
        .header("host", "shop.test")
        .header("accept", "text/html")
        .body(Body::empty())
        .unwrap()
}

/// A person signs in.
pub(crate) fn sign_in() -> Request<Body> {
    let (email, password) = STAFF;
    let form = format!(
        "email={}&password={}",
        email.replace('@', "%40"),
        password.replace(' ', "+")
    );
    Request::post("/login")
        .header("host", "shop.test")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .unwrap()
}

impl World {
    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&self, request: Request<Body>) -> StatusCode {
        self.router.clone().oneshot(request).await.unwrap().status()
    }

    /// Sends a form; where it leads.
    pub(crate) async fn leads(&self, form: Request<Body>) -> String {
        let answer = self.router.clone().oneshot(form).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Waits until nothing is left of what requests began.
    pub(crate) async fn settled(&self) {
        self.core.tasks.close();
        self.core.tasks.wait().await;
    }

    /// Ends properly.
    pub(crate) async fn close(self) {
        self.settled().await;
        self.database.close().await;
    }

    /// Lets days pass for the inbox alone: what was acknowledged must come true without anybody else's help.
    pub(crate) async fn work_off_the_inbox(&self) {
        for step in STEPS {
            self.clock.push(step);
            self.rounds(async || inbox::work_off_due(&self.core, BATCH).await.unwrap())
                .await;
        }
    }

    /// Lets days pass as the worker does.
    pub(crate) async fn recover(&self) {
        for step in STEPS {
            self.clock.push(step);
            self.rounds(async || {
                let webhooks = inbox::work_off_due(&self.core, BATCH).await.unwrap();
                let orders = reconciliation::reconcile_due(&self.core, BATCH)
                    .await
                    .unwrap();
                webhooks + orders + refunds::work_off_due(&self.core, BATCH).await.unwrap()
            })
            .await;
        }
    }

    /// Sends to the shop what is due, as the worker does.
    pub(crate) async fn deliver(&self) {
        let stop = CancellationToken::new();
        deliveries::begin_due(&self.core, &stop).await.unwrap();
        self.settled().await;
    }

    /// Lets time pass until a sweep has come to its end: the next, or the one that another app left.
    pub(crate) async fn sweep(&self) {
        for _ in 0..ROUNDS_MAX {
            match sweep::step(&self.core).await.unwrap() {
                Step::Idle => self.clock.push(SWEEP_PAUSE),
                Step::Going => {}
                Step::Finished => return,
            }
        }
        panic!("no sweep is at its end after {ROUNDS_MAX} steps");
    }

    async fn rounds(&self, step: impl AsyncFn() -> usize) {
        for _ in 0..ROUNDS_MAX {
            if step().await == 0 {
                return;
            }
        }
        panic!("the worker is not done after {ROUNDS_MAX} rounds");
    }

    pub(crate) async fn status(&self, id: &str) -> Option<OrderStatus> {
        let found = self
            .core
            .orders
            .find_order(&PaymentId::parse(id).unwrap())
            .await;
        found.unwrap().map(|snapshot| snapshot.order.status)
    }

    /// How often something of a kind is in the history.
    pub(crate) async fn noted(&self, id: &str, kind: EntryKind) -> usize {
        let entries = self
            .core
            .orders
            .history(&PaymentId::parse(id).unwrap())
            .await
            .unwrap();
        entries
            .iter()
            .filter(|stored| stored.entry.kind == kind)
            .count()
    }

    /// The order's refunds.
    pub(crate) async fn refunds(&self, id: &str) -> Vec<Refund> {
        let id = PaymentId::parse(id).unwrap();
        self.core.refunds.refunds(&id).await.unwrap()
    }

    /// What was written down about the order.
    pub(crate) async fn notes(&self, id: &str) -> Vec<String> {
        let id = PaymentId::parse(id).unwrap();
        let notes = self.core.notes.notes(&id).await.unwrap();
        notes
            .into_iter()
            .filter_map(|kept| Some(kept.note?.as_str().to_owned()))
            .collect()
    }

    /// What people said who settled what was found of the payment.
    pub(crate) async fn words(&self, payment_id: &str) -> Vec<String> {
        let id = PaymentId::parse(payment_id).unwrap();
        let attention = &self.core.attention;
        let settled = attention.list_settled_of(&id, SETTLED_MAX).await.unwrap();
        settled.into_iter().map(|settled| settled.note).collect()
    }

    /// The refund is over, or was never written down, and the money, the order and its events say the same of it. How it
    /// ended.
    pub(crate) async fn assert_given_back_once_or_not(
        &self,
        payment: &Payment,
        portone: Portone,
        name: &str,
    ) -> Option<RefundState> {
        let id = PaymentId::parse(&payment.id).unwrap();
        let refunds = self.core.refunds.refunds(&id).await.unwrap();
        assert!(refunds.len() <= 1, "{name}: {refunds:?}");
        let end = refunds.first().map(|refund| refund.state);
        let is_done = end == Some(RefundState::Done);
        assert!(
            is_done || matches!(end, None | Some(RefundState::NotDone)),
            "{name}: {refunds:?}"
        );
        let (left, status, told): (_, _, &[_]) = if is_done {
            (
                PRICE - GIVEN_BACK,
                OrderStatus::PartiallyRefunded,
                &["order.paid", "order.partially_refunded"],
            )
        } else {
            (PRICE, OrderStatus::Paid, &["order.paid"])
        };
        let transaction_id = TransactionId::parse(&payment.transaction_id).unwrap();
        let balance = self
            .core
            .gateway
            .balance(portone, &id, &transaction_id)
            .await;
        assert_eq!(balance.unwrap().cancellable.minor, left, "{name}: {end:?}");
        assert_eq!(self.status(&payment.id).await, Some(status), "{name}");
        assert_eq!(self.told(&id).await, told, "{name}");
        for (kind, times) in [
            (EntryKind::RefundRequested, refunds.len()),
            (EntryKind::RefundDone, usize::from(is_done)),
        ] {
            let noted = self.noted(&payment.id, kind).await;
            assert_eq!(noted, times, "{name}: {kind:?}");
        }
        end
    }

    /// The events that the order's outbox holds.
    async fn told(&self, id: &PaymentId) -> Vec<&'static str> {
        let rows = self.core.orders.outbox(id).await.unwrap();
        rows.iter()
            .map(|row| row.event.event_type.as_str())
            .collect()
    }

    /// The order is as PortOne has it, once.
    pub(crate) async fn assert_paid_once(&self, payment: &Payment, name: &str) {
        let id = PaymentId::parse(&payment.id).unwrap();
        let Snapshot {
            order,
            transactions,
        } = self
            .core
            .orders
            .find_order(&id)
            .await
            .unwrap()
            .unwrap_or_else(|| panic!("{name}: there is no order"));
        assert_eq!(order.status, OrderStatus::Paid, "{name}");
        assert_eq!(
            order
                .accepted_transaction_id
                .as_ref()
                .map(TransactionId::as_str),
            Some(payment.transaction_id.as_str()),
            "{name}"
        );
        let accepted = transactions
            .iter()
            .filter(|transaction| transaction.verdict == Verdict::Accepted)
            .count();
        assert_eq!((transactions.len(), accepted), (1, 1), "{name}");
        assert_eq!(self.told(&id).await, ["order.paid"], "{name}");
        assert_eq!(
            self.noted(&payment.id, EntryKind::Transition).await,
            1,
            "{name}"
        );
    }
}
