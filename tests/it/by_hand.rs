//! The services over a real database, with the time and PortOne in a test's hands: for what happens between two calls, or only
//! when a minute has passed. What PortOne says, and how, is the sandbox's part.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;
use wanryo::adapters::system::{SystemClock, SystemEntropy};
use wanryo::adapters::webhooks::HttpWebhooks;
use wanryo::config::RETENTION_DAYS;
use wanryo::domain::delivery::SEND_TIMEOUT;
use wanryo::domain::evidence::{Record, Reported};
use wanryo::domain::history::Actor;
use wanryo::domain::ids::{PaymentId, TransactionId};
use wanryo::domain::money::{Currency, Money};
use wanryo::domain::order::{Buyer, Mode, OrderStatus, Portone};
use wanryo::domain::refund::{Answer, Balance, OnMismatch};
use wanryo::domain::sweep::Listing;
use wanryo::domain::target::TargetPolicy;
use wanryo::domain::transaction::TransactionStatus;
use wanryo::domain::verification::Expected;
use wanryo::ports::clock::Clock;
use wanryo::ports::gateway::{Attempts, CancelCall, Gateway, GatewayError, Page};
use wanryo::service::orders::{self, Made, NewOrder};
use wanryo::service::sync::Ask;
use wanryo::service::{Core, ServiceSettings, Stores};

use crate::support::TestDatabase;

/// Time that a test moves. Who sleeps wakes when it has moved far enough.
#[derive(Default)]
pub(crate) struct HandClock {
    millis: AtomicI64,
    moved: Notify,
    sleepers: AtomicUsize,
}

impl HandClock {
    /// How many sleep now.
    pub(crate) fn sleepers(&self) -> usize {
        self.sleepers.load(Ordering::SeqCst)
    }

    /// How far it was moved.
    pub(crate) fn millis(&self) -> i64 {
        self.millis.load(Ordering::SeqCst)
    }

    pub(crate) fn move_by(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.millis.fetch_add(millis, Ordering::SeqCst);
        self.moved.notify_waiters();
    }
}

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap() + SignedDuration::from_millis(self.millis())
    }

    async fn sleep(&self, time: Duration) {
        let until = self.now() + SignedDuration::try_from(time).unwrap();
        let _asleep = Asleep::at(&self.sleepers);
        loop {
            let moved = self.moved.notified();
            if self.now() >= until {
                return;
            }
            moved.await;
        }
    }
}

/// Somebody who sleeps, until dropped.
struct Asleep<'c>(&'c AtomicUsize);

impl<'c> Asleep<'c> {
    fn at(sleepers: &'c AtomicUsize) -> Self {
        sleepers.fetch_add(1, Ordering::SeqCst);
        Self(sleepers)
    }
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The machine's clock, pushed ahead.
#[derive(Default)]
pub(crate) struct Ahead {
    milliseconds: AtomicI64,
}

impl Ahead {
    pub(crate) fn push(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.milliseconds.fetch_add(by, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        let machine = SystemClock.now();
        machine + SignedDuration::from_millis(self.milliseconds.load(Ordering::SeqCst))
    }

    async fn sleep(&self, time: Duration) {
        SystemClock.sleep(time).await;
    }
}

/// The machine's clock, by which pauses shorter than a second take no time: on a busy machine they and the calls between them
/// would use up what a page may take.
pub(crate) struct Hasty;

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    async fn sleep(&self, time: Duration) {
        if time >= Duration::from_secs(1) {
            SystemClock.sleep(time).await;
        }
    }
}

/// What a PortOne does that a test plays. What it does not say is what nobody asks for.
#[async_trait]
pub(crate) trait Plays: Send + Sync {
    async fn attempts(
        &self,
        portone: Portone,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError>;

    async fn prepare(&self, _: Portone, _: &PaymentId, _: Money) -> Result<(), GatewayError> {
        Ok(())
    }

    async fn balance(&self) -> Result<Balance, GatewayError> {
        Err(GatewayError::Refused)
    }

    async fn cancel(&self) -> Answer {
        panic!("nobody gives money back here")
    }

    async fn list(&self, _: Portone, _: Listing) -> Result<Page, GatewayError> {
        panic!("nobody sweeps here")
    }
}

struct Played<P>(Arc<P>);

#[async_trait]
impl<P: Plays> Gateway for Played<P> {
    async fn attempts(
        &self,
        portone: Portone,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        self.0.attempts(portone, id, asked).await
    }

    async fn prepare(
        &self,
        portone: Portone,
        id: &PaymentId,
        amount: Money,
    ) -> Result<(), GatewayError> {
        self.0.prepare(portone, id, amount).await
    }

    async fn balance(
        &self,
        _: Portone,
        _: &PaymentId,
        _: &TransactionId,
    ) -> Result<Balance, GatewayError> {
        self.0.balance().await
    }

    async fn cancel(&self, _: Portone, _: &CancelCall) -> Answer {
        self.0.cancel().await
    }

    async fn list(
        &self,
        portone: Portone,
        listing: Listing,
        _: Timestamp,
        _: Timestamp,
        _: u32,
    ) -> Result<Page, GatewayError> {
        self.0.list(portone, listing).await
    }
}

/// A PortOne V1 that holds one paid attempt, and counts what it is asked.
#[derive(Default)]
pub(crate) struct Counting {
    pub(crate) by_transaction: AtomicU64,
    pub(crate) by_number: AtomicU64,
    pub(crate) is_down: AtomicBool,
    pub(crate) is_paid: AtomicBool,
    /// Whether asks by number are held until they are let go.
    pub(crate) is_holding: AtomicBool,
    pub(crate) let_go: Notify,
    pub(crate) listed: Mutex<Vec<Record>>,
}

impl Counting {
    pub(crate) fn of_a_paid_order() -> Self {
        Self {
            is_paid: AtomicBool::new(true),
            ..Self::default()
        }
    }

    pub(crate) fn calls(&self) -> u64 {
        self.by_transaction.load(Ordering::SeqCst) + self.by_number.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Plays for Counting {
    async fn attempts(
        &self,
        _: Portone,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        let count = match asked {
            Some(_) => &self.by_transaction,
            None => &self.by_number,
        };
        let let_go = self.let_go.notified();
        count.fetch_add(1, Ordering::SeqCst);
        if asked.is_none() && self.is_holding.load(Ordering::SeqCst) {
            let_go.await;
        }
        if self.is_down.load(Ordering::SeqCst) {
            return Err(GatewayError::Unavailable);
        }
        let mut records = Vec::new();
        if self.is_paid.load(Ordering::SeqCst) {
            let paid = paid(id);
            records.push(Record {
                asked: asked
                    .filter(|asked| *asked == &paid.transaction_id)
                    .cloned(),
                ..paid
            });
        }
        Ok(Attempts {
            records,
            complete: true,
        })
    }

    async fn list(&self, portone: Portone, listing: Listing) -> Result<Page, GatewayError> {
        let records = match (portone, listing) {
            (Portone::V1, Listing::Paid) => self.listed.lock().clone(),
            (Portone::V1, Listing::Cancelled) | (Portone::V2, _) => Vec::new(),
        };
        Ok(Page {
            total: Some(records.len() as u64),
            records,
            more: false,
            unread: false,
        })
    }
}

pub(crate) fn transaction_id(text: &str) -> TransactionId {
    TransactionId::parse(text).unwrap()
}

pub(crate) fn paid(id: &PaymentId) -> Record {
    Record {
        portone: Some(Portone::V1),
        store_id: None,
        asked: None,
        transaction_id: transaction_id(&format!("imp_of_{}", id.as_str())),
        payment_id: id.as_str().to_owned(),
        status: Some(TransactionStatus::Paid),
        reported: Reported::Major {
            amount: 1_000.into(),
            cancelled: 0.into(),
        },
        currency: Some("KRW".to_owned()),
        test: Some(false),
        pay_method: None,
        pg_provider: None,
        approval_number: None,
        method_name: None,
        fail_reason: None,
        receipt_url: None,
        virtual_account: None,
        pay_by: None,
        paid_at: None,
        given_back_at: None,
    }
}

/// The services, and what the test moves under them.
pub(crate) struct Shop<P = Counting> {
    pub(crate) core: Arc<Core>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) portone: Arc<P>,
}

impl Shop {
    pub(crate) async fn open(db: &TestDatabase) -> Self {
        Self::open_at(db, Arc::new(Counting::default())).await
    }
}

impl<P: Plays + 'static> Shop<P> {
    pub(crate) async fn open_at(db: &TestDatabase, portone: Arc<P>) -> Self {
        let database = Arc::new(db.open().await);
        let clock = Arc::new(HandClock::default());
        let settings = ServiceSettings {
            expected: Expected {
                mode: Mode::Live,
                v2_store_id: None,
            },
            public_url: "https://pay.example".to_owned(),
            shop_url: None,
            on_mismatch: OnMismatch::Hold,
            retention_days: RETENTION_DAYS,
        };
        let stores = Stores {
            orders: Arc::clone(&database) as _,
            refunds: Arc::clone(&database) as _,
            inbox: Arc::clone(&database) as _,
            attention: Arc::clone(&database) as _,
            sweep: Arc::clone(&database) as _,
            access: Arc::clone(&database) as _,
            audit: Arc::clone(&database) as _,
            deliveries: Arc::clone(&database) as _,
            overview: Arc::clone(&database) as _,
            notes: Arc::clone(&database) as _,
            retention: database as _,
        };
        let targets = TargetPolicy {
            mode: Mode::Live,
            private: Vec::new(),
        };
        let core = Core::new(
            stores,
            Arc::new(Played(Arc::clone(&portone))),
            Arc::new(HttpWebhooks::new(targets, SEND_TIMEOUT.unsigned_abs()).unwrap()),
            Arc::clone(&clock) as _,
            Arc::new(SystemEntropy),
            settings,
        );
        Self {
            core: Arc::new(core),
            clock,
            portone,
        }
    }

    pub(crate) async fn order(&self, id: &str) -> PaymentId {
        self.order_until(id, None).await
    }

    pub(crate) async fn order_until(&self, id: &str, expires_at: Option<Timestamp>) -> PaymentId {
        let payment_id = PaymentId::parse(id).unwrap();
        let new = NewOrder {
            payment_id: payment_id.clone(),
            name: "Socks".to_owned(),
            amount: Money::new(1_000, Currency::KRW).unwrap(),
            portone: Portone::V1,
            pay_method: None,
            channel_key: None,
            buyer: Buyer::default(),
            return_url: None,
            expires_at,
            locale: None,
            metadata: None,
            window_params: None,
            fingerprint: "f".to_owned(),
        };
        let made = orders::make(&self.core, new, Actor::Shop("shop".to_owned())).await;
        assert!(matches!(made, Ok(Made::New(_))), "{made:?}");
        payment_id
    }

    pub(crate) fn ask(&self, id: &PaymentId, transaction: &str, actor: Actor) -> Ask {
        Ask {
            payment_id: id.clone(),
            transaction_id: Some(transaction_id(transaction)),
            patient: actor == Actor::Buyer,
            actor,
        }
    }

    /// Moves the clock in small steps until `task` is done.
    pub(crate) async fn until<T: 'static>(&self, task: tokio::task::JoinHandle<T>) -> T {
        self.until_by(Duration::from_millis(50), task).await
    }

    /// As [`Shop::until`], in steps of this length: small ones leave the machine more time for what is to happen within a while.
    pub(crate) async fn until_by<T: 'static>(
        &self,
        step: Duration,
        mut task: tokio::task::JoinHandle<T>,
    ) -> T {
        loop {
            tokio::select! {
                biased;
                done = &mut task => return done.unwrap(),
                () = tokio::time::sleep(Duration::from_millis(2)) => self.clock.move_by(step),
            }
        }
    }

    pub(crate) async fn status(&self, id: &PaymentId) -> OrderStatus {
        let found = self.core.orders.find_order(id).await.unwrap();
        found.unwrap().order.status
    }
}
