//! What a refund costs in calls and in time: the services on real databases, a PortOne that counts and takes its time, and a
//! clock that the test moves.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use wanryo::domain::evidence::{Record, Reported};
use wanryo::domain::history::Actor;
use wanryo::domain::order::Portone;
use wanryo::domain::refund::{Answer, Balance, Trouble};
use wanryo::ports::gateway::{Attempts, GatewayError};
use wanryo::service::refunds::{AskError, Asked, NewRefund, REQUEST_TIME};
use wanryo::service::sync::{Ask, sync};
use wanryo::web::limits::Limits;

use super::*;
use crate::by_hand::{HandClock, Plays, Shop};

/// What the orders of a [`Shop`] cost.
const PRICE: i64 = 1_000;
/// What a step of the test's clock may add.
const GRAIN: Duration = Duration::from_secs(2);

/// A PortOne V1 that holds one paid attempt.
#[derive(Default)]
struct Sluggish {
    clock: OnceLock<Arc<HandClock>>,
    /// How long it takes over each answer.
    takes: Mutex<Duration>,
    paid: AtomicI64,
    /// What is left of it, if not all.
    left: Mutex<Option<i64>>,
    tells_no_balance: AtomicBool,
    never_answers_a_cancel: AtomicBool,
    /// Holds up the first call that gives money back: says so, and waits.
    first_cancel: Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>,
    balances: AtomicU64,
    /// Holds up the first question what is left: says so, and waits.
    first_balance: Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>,
}

impl Sluggish {
    async fn pause(&self) {
        let takes = *self.takes.lock();
        if let Some(clock) = self.clock.get().filter(|_| !takes.is_zero()) {
            clock.sleep(takes).await;
        }
    }

    fn balances(&self) -> u64 {
        self.balances.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Plays for Sluggish {
    async fn attempts(
        &self,
        _: Portone,
        id: &PaymentId,
        _: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        self.pause().await;
        let paid = Record {
            reported: Reported::Major {
                amount: self.paid.load(Ordering::SeqCst).into(),
                cancelled: 0.into(),
            },
            ..crate::by_hand::paid(id)
        };
        Ok(Attempts {
            records: vec![paid],
            complete: true,
        })
    }

    async fn balance(&self) -> Result<Balance, GatewayError> {
        self.balances.fetch_add(1, Ordering::SeqCst);
        self.pause().await;
        let first = self.first_balance.lock().take();
        if let Some((is_here, may_go_on)) = first {
            is_here.send(()).unwrap();
            may_go_on.await.unwrap();
        }
        if self.tells_no_balance.load(Ordering::SeqCst) {
            return Err(GatewayError::Garbled);
        }
        let paid = self.paid.load(Ordering::SeqCst);
        let left = self.left.lock().unwrap_or(paid);
        Ok(Balance {
            tax_free_minor: None,
            cancellable: Money::new(left, Currency::KRW).unwrap(),
            reserved_minor: 0,
            cancellations: Vec::new(),
        })
    }

    async fn cancel(&self) -> Answer {
        let first = self.first_cancel.lock().take();
        if let Some((is_here, may_go_on)) = first {
            is_here.send(()).unwrap();
            may_go_on.await.unwrap();
        }
        if self.never_answers_a_cancel.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Answer::Refused(Trouble {
            code: "no".to_owned(),
            message: None,
        })
    }
}

async fn open(db: &TestDatabase, paid: i64) -> (Shop<Sluggish>, Arc<Sluggish>) {
    let portone = Arc::new(Sluggish::default());
    portone.paid.store(paid, Ordering::SeqCst);
    let shop = Shop::open_at(db, Arc::clone(&portone)).await;
    assert!(portone.clock.set(Arc::clone(&shop.clock)).is_ok());
    (shop, portone)
}

/// A shop's server asks for a refund.
fn asking(
    shop: &Shop<Sluggish>,
    id: &PaymentId,
    key: &str,
) -> tokio::task::JoinHandle<Result<Asked, AskError>> {
    let new = NewRefund {
        payment_id: id.clone(),
        transaction_id: None,
        amount_minor: None,
        tax_free_minor: None,
        left_minor: None,
        reason: "x".to_owned(),
        account: None,
        idempotency_key: key.to_owned(),
        fingerprint: "f".to_owned(),
        name: None,
    };
    let core = Arc::clone(&shop.core);
    tokio::spawn(async move { refunds::request(&core, new, Actor::Shop("shop".to_owned())).await })
}

/// A shop's server asks for a refund; what it is told, and how long it waited.
async fn ask(
    shop: &Shop<Sluggish>,
    id: &PaymentId,
    key: &str,
) -> (Result<Asked, AskError>, Duration) {
    let began_at = shop.clock.now();
    let asked = shop.until(asking(shop, id, key)).await;
    (
        asked,
        shop.clock.now().duration_since(began_at).unsigned_abs(),
    )
}

on_both_databases! {
    /// However slow PortOne is, the shop is told how far its refund is before its request's time is over, or that none began.
    async fn an_asker_is_answered_before_the_requests_time_is_over(db: TestDatabase) {
        let (shop, portone) = open(&db, PRICE).await;
        let id = shop.order("ORD-1").await;
        portone.never_answers_a_cancel.store(true, Ordering::SeqCst);
        assert!(REQUEST_TIME + 2 * GRAIN < Limits::default().request_timeout);

        *portone.takes.lock() = Duration::from_secs(13);
        let (asked, waited) = ask(&shop, &id, "1").await;
        assert!(matches!(asked, Err(AskError::Unavailable)), "{asked:?}");
        assert!(waited < REQUEST_TIME + GRAIN, "{waited:?}");
        assert_eq!(shop.core.refunds.refunds(&id).await.unwrap(), [], "nothing began");

        *portone.takes.lock() = Duration::from_secs(9);
        let (asked, waited) = ask(&shop, &id, "1").await;
        assert!(matches!(&asked, Ok(Asked::New(refund)) if refund.state == RefundState::Calling), "{asked:?}");
        assert!(waited < REQUEST_TIME + GRAIN, "{waited:?}");
    }

    /// The database fails while PortOne is asked: the refund is written, so nobody is told that it failed and asks for another.
    async fn a_refund_that_cannot_be_read_again_was_still_asked_for(db: TestDatabase) {
        let (shop, portone) = open(&db, PRICE).await;
        let id = shop.order("ORD-1").await;
        let (is_here, here) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel();
        *portone.first_cancel.lock() = Some((is_here, may_go_on));

        let asked = asking(&shop, &id, "1");
        here.await.unwrap();
        db.run("ALTER TABLE refunds RENAME TO gone").await;
        go_on.send(()).unwrap();
        let told = shop.until(asked).await;
        db.run("ALTER TABLE gone RENAME TO refunds").await;

        let Ok(Asked::New(refund)) = told else { panic!("{told:?}") };
        assert_eq!(refund.state, RefundState::Intended, "how far it came is not known");
        let written = shop.core.refunds.refunds(&id).await.unwrap();
        assert_eq!(written.iter().map(|there| &there.id).collect::<Vec<_>>(), [&refund.id]);
    }

    /// Two of the same request at once: what the first has made leaves nothing for the second, which is told of the first.
    async fn who_asks_beside_himself_is_told_of_his_own_refund(db: TestDatabase) {
        let (shop, portone) = open(&db, PRICE).await;
        let id = shop.order("ORD-1").await;
        let (is_here, here) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel();
        *portone.first_balance.lock() = Some((is_here, may_go_on));

        let held_up = asking(&shop, &id, "1");
        here.await.unwrap();
        let (first, _) = ask(&shop, &id, "1").await;
        *portone.left.lock() = Some(0);
        go_on.send(()).unwrap();
        let second = shop.until(held_up).await;
        let (another, _) = ask(&shop, &id, "2").await;

        let Ok(Asked::New(made)) = first else { panic!("{first:?}") };
        assert!(matches!(&second, Ok(Asked::Same(there)) if there.id == made.id), "{second:?}");
        assert!(matches!(another, Err(AskError::TooMuch(_))), "{another:?}");
        assert_eq!(shop.core.refunds.refunds(&id).await.unwrap().len(), 1);
    }

    /// A payment that the policy cannot give back costs one question, whoever looks at it, and ever rarer ones after that.
    async fn a_payment_that_cannot_go_back_is_asked_about_ever_more_rarely(db: TestDatabase) {
        let (mut shop, portone) = open(&db, PRICE - 1).await;
        Arc::get_mut(&mut shop.core).unwrap().settings.on_mismatch = OnMismatch::Refund;
        let id = shop.order("ORD-1").await;
        portone.tells_no_balance.store(true, Ordering::SeqCst);
        *portone.takes.lock() = Duration::from_secs(1);
        // Ten seconds of rest are to be more than 20 askers take.
        const STEP: Duration = Duration::from_millis(10);
        let look = async |askers: usize| {
            let ask = Ask { payment_id: id.clone(), transaction_id: None, patient: false, actor: Actor::Shop("shop".to_owned()) };
            let askers: Vec<_> = (0..askers).map(|_| {
                let (core, ask) = (Arc::clone(&shop.core), ask.clone());
                tokio::spawn(async move { sync(&core, ask).await.unwrap() })
            }).collect();
            for asker in askers {
                let synced = shop.until_by(STEP, asker).await;
                assert_eq!(synced.snapshot.order.status, wanryo::domain::order::OrderStatus::Held);
            }
            let core = Arc::clone(&shop.core);
            shop.until_by(STEP, tokio::spawn(async move {
                core.tasks.close();
                core.tasks.wait().await;
                core.tasks.reopen();
            })).await;
        };

        look(20).await;
        look(1).await;
        assert_eq!(portone.balances(), 1);
        shop.clock.move_by(Duration::from_secs(10));
        look(20).await;
        shop.clock.move_by(Duration::from_secs(30));
        look(1).await;
        assert_eq!(portone.balances(), 2, "it rests for a minute");

        portone.tells_no_balance.store(false, Ordering::SeqCst);
        shop.clock.move_by(Duration::from_secs(60));
        look(5).await;
        let written: Vec<RefundState> = shop.core.refunds.refunds(&id).await.unwrap().iter().map(|refund| refund.state).collect();
        assert_eq!((written.as_slice(), portone.balances()), ([RefundState::Refused].as_slice(), 3));
        shop.clock.move_by(Duration::from_secs(24 * 3_600));
        look(5).await;
        assert_eq!(portone.balances(), 3, "once, whatever became of it");
    }
}
