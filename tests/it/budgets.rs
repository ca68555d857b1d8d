//! What strangers can cost, and what they cannot take away: the services on real databases, a PortOne that counts, and a clock
//! that the test moves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use wanryo::adapters::system::SystemEntropy;
use wanryo::domain::evidence::{Record, Reported};
use wanryo::domain::history::Actor;
use wanryo::domain::ids::{PaymentId, TransactionId};
use wanryo::domain::money::{Currency, Money};
use wanryo::domain::order::{Buyer, Mode, OrderStatus, Portone};
use wanryo::domain::outcome::Outcome;
use wanryo::domain::refund::{Answer, Balance, OnMismatch};
use wanryo::domain::sweep::Listing;
use wanryo::domain::transaction::TransactionStatus;
use wanryo::domain::verification::Expected;
use wanryo::ports::clock::Clock;
use wanryo::ports::gateway::{Attempts, CancelCall, Gateway, GatewayError, Page};
use wanryo::service::completion::{Claim, complete};
use wanryo::service::orders::{self, Made, NewOrder};
use wanryo::service::reconciliation::reconcile_due;
use wanryo::service::sweep::{self, Step};
use wanryo::service::sync::{Ask, Standing, sync};
use wanryo::service::{Core, ServiceSettings, Stores};

use crate::app::PATIENCE;
use crate::support::{TestDatabase, on_both_databases};

/// Ids that a stranger makes up, spread over a minute.
const FORGED: u32 = 3_000;
/// Steps of the minute.
const STEPS: u32 = 60;
/// Asks that the background work may have at PortOne at once.
const RECONCILER_MAX: u64 = 64;
/// The sweep's pause while the server is busy, and how often it pauses.
const BUSY_PAUSE: Duration = Duration::from_secs(30);
const BUSY_PAUSES_MAX: u32 = 10;

/// Time that a test moves. Who sleeps wakes when it has moved far enough.
#[derive(Default)]
pub(crate) struct HandClock {
    millis: AtomicI64,
    moved: Notify,
}

impl HandClock {
    pub(crate) fn move_by(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.millis.fetch_add(millis, Ordering::SeqCst);
        self.moved.notify_waiters();
    }
}

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        let millis = self.millis.load(Ordering::SeqCst);
        Timestamp::from_second(1_700_000_000).unwrap() + SignedDuration::from_millis(millis)
    }

    async fn sleep(&self, time: Duration) {
        let until = self.now() + SignedDuration::try_from(time).unwrap();
        loop {
            let moved = self.moved.notified();
            if self.now() >= until {
                return;
            }
            moved.await;
        }
    }
}

/// A PortOne V1 that holds one paid attempt, and counts what it is asked.
#[derive(Default)]
pub(crate) struct Counting {
    by_transaction: AtomicU64,
    by_number: AtomicU64,
    is_down: AtomicBool,
    is_paid: AtomicBool,
    /// Whether asks by number are held until they are let go.
    is_holding: AtomicBool,
    let_go: Notify,
    listed: Mutex<Vec<Record>>,
}

impl Counting {
    pub(crate) fn of_a_paid_order() -> Self {
        Self {
            is_paid: AtomicBool::new(true),
            ..Self::default()
        }
    }

    fn calls(&self) -> u64 {
        self.by_transaction.load(Ordering::SeqCst) + self.by_number.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Gateway for Counting {
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

    async fn prepare(&self, _: Portone, _: &PaymentId, _: Money) -> Result<(), GatewayError> {
        Ok(())
    }

    /// Nobody gives money back here.
    async fn balance(
        &self,
        _: Portone,
        _: &PaymentId,
        _: &TransactionId,
    ) -> Result<Balance, GatewayError> {
        Err(GatewayError::Refused)
    }

    async fn cancel(&self, _: Portone, _: &CancelCall) -> Answer {
        panic!("nobody gives money back here")
    }

    async fn list(
        &self,
        portone: Portone,
        listing: Listing,
        _: Timestamp,
        _: Timestamp,
        _: u32,
    ) -> Result<Page, GatewayError> {
        let records = match (portone, listing) {
            (Portone::V1, Listing::Paid) => self.listed.lock().clone(),
            (Portone::V1, Listing::Cancelled) | (Portone::V2, _) => Vec::new(),
        };
        Ok(Page {
            records,
            more: false,
        })
    }
}

fn transaction_id(text: &str) -> TransactionId {
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
        paid_at: None,
    }
}

/// The services, and what the test moves under them.
pub(crate) struct Shop<P = Counting> {
    pub(crate) core: Arc<Core>,
    pub(crate) clock: Arc<HandClock>,
    portone: Arc<P>,
}

impl Shop {
    pub(crate) async fn open(db: &TestDatabase) -> Self {
        Self::open_at(db, Arc::new(Counting::default())).await
    }

    /// Asks that wait for PortOne in every place that the background work has.
    async fn take_all_places(&self) -> JoinSet<()> {
        self.portone.is_holding.store(true, Ordering::SeqCst);
        let mut asks = JoinSet::new();
        for n in 0..RECONCILER_MAX {
            let id = self.order(&format!("BUSY-{n}")).await;
            let core = Arc::clone(&self.core);
            let ask = Ask {
                payment_id: id,
                transaction_id: None,
                patient: false,
                actor: Actor::Worker,
            };
            asks.spawn(async move {
                sync(&core, ask).await.unwrap();
            });
        }
        let all_wait = async {
            while self.portone.calls() < RECONCILER_MAX {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, all_wait).await.unwrap();
        asks
    }

    /// How often the sweep paused where it stands, because this server was busy and because PortOne gave no answer.
    async fn pauses(&self) -> (u32, u32) {
        let sweep = self.core.sweep.find_sweep().await.unwrap().unwrap();
        let run = sweep.run.unwrap();
        (run.busy, run.failures)
    }
}

impl<P: Gateway + 'static> Shop<P> {
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
        };
        let stores = Stores {
            orders: Arc::clone(&database) as _,
            refunds: Arc::clone(&database) as _,
            inbox: Arc::clone(&database) as _,
            attention: Arc::clone(&database) as _,
            sweep: Arc::clone(&database) as _,
            access: database as _,
        };
        let core = Core::new(
            stores,
            Arc::clone(&portone) as _,
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
    pub(crate) async fn until<T: 'static>(&self, mut task: tokio::task::JoinHandle<T>) -> T {
        loop {
            tokio::select! {
                biased;
                done = &mut task => return done.unwrap(),
                () = tokio::time::sleep(Duration::from_millis(2)) => {
                    self.clock.move_by(Duration::from_millis(50));
                }
            }
        }
    }

    pub(crate) async fn status(&self, id: &PaymentId) -> OrderStatus {
        let found = self.core.orders.find_order(id).await.unwrap();
        found.unwrap().order.status
    }
}

on_both_databases! {
    /// A stranger who knows an order's number posts made-up ids for it. PortOne is asked a bounded number of times, and the
    /// buyer, whose id nobody has seen either, is found in the middle of it.
    async fn a_flood_of_forged_ids_hides_no_payment(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let id = shop.order("ORD-1").await;
        let mut flood = JoinSet::new();
        let mut honest = None;
        for step in 0..STEPS {
            for n in 0..FORGED / STEPS {
                let forged = shop.ask(&id, &format!("imp_forged_{step}_{n}"), Actor::Webhook);
                let core = Arc::clone(&shop.core);
                flood.spawn(async move { sync(&core, forged).await });
            }
            if step == STEPS / 2 {
                shop.portone.is_paid.store(true, Ordering::SeqCst);
                let ask = shop.ask(&id, paid(&id).transaction_id.as_str(), Actor::Buyer);
                let core = Arc::clone(&shop.core);
                honest = Some(tokio::spawn(async move { sync(&core, ask).await }));
            }
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(3)).await;
                shop.clock.move_by(Duration::from_millis(100));
            }
        }
        let honest = shop.until(honest.unwrap()).await.unwrap();
        let rest = shop.until(tokio::spawn(flood.join_all())).await;

        assert_eq!((honest.confirmed, honest.standing), (true, Standing::Ours));
        assert_eq!(honest.snapshot.order.status, OrderStatus::Paid);
        let by_transaction = shop.portone.by_transaction.load(Ordering::SeqCst);
        let by_number = shop.portone.by_number.load(Ordering::SeqCst);
        let seconds = u64::try_from(shop.clock.millis.load(Ordering::SeqCst) / 1_000).unwrap() + 1;
        assert!((1..=10 + seconds.div_ceil(6)).contains(&by_transaction), "{by_transaction} in {seconds} s");
        assert!((1..=20 + 2 * seconds).contains(&by_number), "{by_number} in {seconds} s");
        assert_eq!(rest.len(), FORGED as usize);
        assert!(rest.iter().flatten().all(|synced| synced.standing == Standing::Unknown), "a forged id was taken for a payment");
    }

    /// What strangers use up is theirs alone.
    async fn a_flood_costs_other_orders_nothing(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let flooded = shop.order("ORD-1").await;
        let other = shop.order("ORD-2").await;
        for n in 0..200 {
            let forged = shop.ask(&flooded, &format!("imp_forged_{n}"), Actor::Webhook);
            let core = Arc::clone(&shop.core);
            shop.until(tokio::spawn(async move { sync(&core, forged).await })).await.unwrap();
        }
        let calls = shop.portone.by_transaction.load(Ordering::SeqCst);
        shop.portone.is_paid.store(true, Ordering::SeqCst);

        let ask = shop.ask(&other, paid(&other).transaction_id.as_str(), Actor::Buyer);
        let synced = sync(&shop.core, ask).await.unwrap();

        assert_eq!((synced.confirmed, synced.standing), (true, Standing::Ours));
        assert_eq!(shop.status(&other).await, OrderStatus::Paid);
        assert_eq!(shop.portone.by_transaction.load(Ordering::SeqCst), calls + 1);
    }

    /// The same id again and again costs one call, and then what the order's number costs.
    async fn an_id_that_portone_does_not_know_is_not_asked_for_again_at_once(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let id = shop.order("ORD-1").await;
        for _ in 0..5 {
            let synced = sync(&shop.core, shop.ask(&id, "imp_forged", Actor::Webhook)).await.unwrap();
            assert_eq!((synced.confirmed, synced.standing), (true, Standing::Unknown));
        }
        assert_eq!(shop.portone.by_transaction.load(Ordering::SeqCst), 1);

        shop.clock.move_by(Duration::from_secs(10));
        sync(&shop.core, shop.ask(&id, "imp_forged", Actor::Webhook)).await.unwrap();
        assert_eq!(shop.portone.by_transaction.load(Ordering::SeqCst), 2);
    }

    /// That this server has no place left to ask says nothing about PortOne: the sweep waits a moment, and leaves nothing out.
    async fn a_sweep_waits_a_moment_for_a_server_that_is_too_busy(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let core = &shop.core;
        let id = shop.order("LOST").await;
        assert_eq!(sweep::step(core).await.unwrap(), Step::Idle, "the first is only planned");
        shop.clock.move_by(Duration::from_secs(25 * 3_600));
        let busy = shop.take_all_places().await;
        shop.portone.is_paid.store(true, Ordering::SeqCst);
        shop.portone.listed.lock().push(paid(&id));

        for pauses in 1..=BUSY_PAUSES_MAX {
            assert_eq!(sweep::step(core).await.unwrap(), Step::Going);
            assert_eq!((shop.status(&id).await, shop.pauses().await), (OrderStatus::Open, (pauses, 0)));
            assert_eq!(sweep::step(core).await.unwrap(), Step::Idle, "it does not hammer");
            shop.clock.move_by(BUSY_PAUSE);
        }
        assert_eq!(sweep::step(core).await.unwrap(), Step::Going);
        assert_eq!(shop.pauses().await, (0, 1), "nor does it wait for ever");

        shop.portone.is_holding.store(false, Ordering::SeqCst);
        shop.portone.let_go.notify_waiters();
        busy.join_all().await;
        shop.clock.move_by(Duration::from_secs(60));
        while sweep::step(core).await.unwrap() == Step::Going {}
        assert_eq!(shop.status(&id).await, OrderStatus::Paid);
        let finished = core.sweep.find_sweep().await.unwrap().unwrap().finished.unwrap();
        assert!(!finished.left_out);
    }

    /// Everybody who brings one id that is left alone shares what the order's number brings.
    async fn asks_for_an_id_that_is_left_alone_share_an_answer(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let id = shop.order("ORD-1").await;
        sync(&shop.core, shop.ask(&id, "imp_forged", Actor::Webhook)).await.unwrap();
        assert_eq!(shop.portone.calls(), 1);

        let mut asks = JoinSet::new();
        for _ in 0..15 {
            let (core, ask) = (Arc::clone(&shop.core), shop.ask(&id, "imp_forged", Actor::Webhook));
            asks.spawn(async move { sync(&core, ask).await });
        }
        let answers = asks.join_all().await;

        assert!(answers.iter().flatten().all(|synced| (synced.confirmed, synced.standing) == (true, Standing::Unknown)));
        assert_eq!(answers.iter().flatten().count(), 15);
        let calls = shop.portone.calls() - 1;
        assert!((1..=2).contains(&calls), "{calls}");
    }

    /// PortOne is down: pages are answered at once, nothing is called failed, one ask in five seconds tries, and a minute after
    /// its return everything is known.
    async fn a_portone_that_is_down_is_left_alone_and_found_again(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let mut ids = Vec::new();
        for n in 0..15 {
            ids.push(shop.order(&format!("ORD-{n}")).await);
        }
        shop.portone.is_paid.store(true, Ordering::SeqCst);
        shop.portone.is_down.store(true, Ordering::SeqCst);
        for id in &ids {
            let claim = Claim {
                payment_id: Some(id.clone()),
                transaction_id: Some(paid(id).transaction_id),
                parameters: vec![("imp_success".to_owned(), "false".to_owned())],
                ..Claim::default()
            };
            assert_eq!(complete(&shop.core, claim).await.outcome, Outcome::Unconfirmed);
        }
        assert_eq!(shop.portone.calls(), 10, "the breaker opened");

        // Ten minutes of outage, with a worker's round every two seconds.
        for _ in 0..300 {
            shop.clock.move_by(Duration::from_secs(2));
            reconcile_due(&shop.core, 20).await.unwrap();
        }
        let tries = shop.portone.calls() - 10;
        assert!((20..=120).contains(&tries), "{tries}");
        for id in &ids {
            assert_eq!(shop.status(id).await, OrderStatus::Open);
        }

        shop.portone.is_down.store(false, Ordering::SeqCst);
        for _ in 0..30 {
            shop.clock.move_by(Duration::from_secs(2));
            reconcile_due(&shop.core, 20).await.unwrap();
        }
        let mut paid = BTreeSet::new();
        for id in &ids {
            if shop.status(id).await == OrderStatus::Paid {
                paid.insert(id.clone());
            }
        }
        assert_eq!(paid.len(), ids.len(), "{}", json!(paid));
    }
}
