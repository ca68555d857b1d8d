//! Floods and backlogs: what piles up is worked off, and nothing in it keeps the rest waiting. The services on real databases, a
//! PortOne that gets stuck where a test wants it, and a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;
use wanryo::domain::history::Actor;
use wanryo::domain::ids::{PaymentId, TransactionId};
use wanryo::domain::money::Money;
use wanryo::domain::order::{OrderStatus, Portone};
use wanryo::ports::clock::Clock;
use wanryo::ports::gateway::{Attempts, GatewayError};
use wanryo::ports::store::{Received, Signals};
use wanryo::service::inbox;
use wanryo::service::reconciliation::reconcile_due;
use wanryo::service::sync::{Ask, sync};
use wanryo::worker;

use crate::by_hand::{Plays, Shop, paid};
use crate::support::{TestDatabase, on_both_databases};

/// Webhooks of one flood.
const FORGED: usize = 10_000;
/// Rows that the worker takes in one step.
const BATCH: u32 = 20;
/// Rows that a flood about one order may leave: those that are looked at one by one, and the look that all others share.
const KEPT_MAX: usize = 11;
/// Asks that may have a place at PortOne at once.
const PLACES: usize = 256;
/// Orders that the budget of background asks has room for at once.
const ROOM: usize = 200;
/// How long a test waits for what happens by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// A PortOne V1 that holds a paid attempt of every order. It never answers about orders whose number begins with `STUCK`, and
/// the program has a fault where it registers the amounts of those that begin with `FAULT`.
#[derive(Default)]
struct Sticky {
    /// Asks that are never answered.
    stuck: AtomicUsize,
    is_faulty: AtomicBool,
}

#[async_trait]
impl Plays for Sticky {
    async fn attempts(
        &self,
        _: Portone,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        if id.as_str().starts_with("STUCK") {
            self.stuck.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        let mut paid = paid(id);
        paid.asked = asked
            .filter(|asked| *asked == &paid.transaction_id)
            .cloned();
        Ok(Attempts {
            records: vec![paid],
            complete: true,
        })
    }

    async fn prepare(&self, _: Portone, id: &PaymentId, _: Money) -> Result<(), GatewayError> {
        let is_faulty = self.is_faulty.load(Ordering::SeqCst);
        assert!(
            !is_faulty || !id.as_str().starts_with("FAULT"),
            "as it should"
        );
        Err(GatewayError::Refused)
    }
}

/// No hint ever comes.
struct Silence;

#[async_trait]
impl Signals for Silence {
    async fn work_came(&self) {
        std::future::pending::<()>().await;
    }
}

async fn open(db: &TestDatabase) -> (Shop<Sticky>, Arc<Sticky>) {
    let portone = Arc::new(Sticky::default());
    (Shop::open_at(db, Arc::clone(&portone)).await, portone)
}

fn webhook(shop: &Shop<Sticky>, id: &PaymentId, transaction: &str) -> Received {
    Received {
        at: shop.clock.now(),
        portone: Portone::V1,
        webhook_id: None,
        payment_id: id.clone(),
        transaction_id: Some(TransactionId::parse(transaction).unwrap()),
        claimed_status: Some("paid".to_owned()),
    }
}

/// A worker beside the test, which ends with it.
fn worker(shop: &Shop<Sticky>) -> tokio_util::sync::DropGuard {
    let stop = CancellationToken::new();
    let core = Arc::clone(&shop.core);
    tokio::spawn(worker::run(core, Arc::new(Silence), stop.clone()));
    stop.drop_guard()
}

/// Waits until this many orders are paid. The clock stands unless `moves` says how far it goes meanwhile.
async fn until_paid(shop: &Shop<Sticky>, ids: &[PaymentId], moves: Duration) {
    let wait = async {
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        for id in ids {
            while shop.status(id).await != OrderStatus::Paid {
                pause.tick().await;
                shop.clock.move_by(moves);
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    assert!(waited.is_ok(), "what was due was not worked off");
}

on_both_databases! {
    /// Whoever knows one order's number posts webhooks about it without end. What is genuine is worked off at once, of other
    /// orders and of this one.
    async fn a_flood_of_forged_webhooks_keeps_no_genuine_one_waiting(db: TestDatabase) {
        let (shop, _) = open(&db).await;
        let (flooded, other) = (shop.order("STUCK-1").await, shop.order("ORD-2").await);
        for n in 0..FORGED {
            let forged = webhook(&shop, &flooded, &format!("imp_forged_{n}"));
            inbox::receive(&shop.core, forged).await.unwrap();
        }
        let kept = db.read("SELECT COALESCE(transaction_id, 'by number') FROM inbox").await;
        assert!(kept.len() <= KEPT_MAX, "{} rows", kept.len());
        assert_eq!(kept.iter().filter(|told| *told == "by number").count(), 1);

        // The server that received it ended before it could ask.
        let genuine = webhook(&shop, &other, "imp_of_ORD-2");
        shop.core.inbox.receive(&genuine, genuine.at).await.unwrap();
        shop.clock.move_by(Duration::from_secs(120));
        let core = Arc::clone(&shop.core);
        let round = tokio::spawn(async move { inbox::work_off_due(&core, BATCH).await });
        until_paid(&shop, &[other], Duration::ZERO).await;
        round.abort();
    }

    /// The payment that nobody told of one by one is found by the order's number, which PortOne is asked for after the last of
    /// the crowd.
    async fn what_a_crowd_of_webhooks_was_about_is_found(db: TestDatabase) {
        let (shop, _) = open(&db).await;
        let id = shop.order("ORD-1").await;
        let crowd = async || {
            for n in 0..100 {
                // Nobody works them off: the first are taken by a server that ended.
                let forged = webhook(&shop, &id, &format!("imp_forged_{n}"));
                drop(inbox::receive(&shop.core, forged).await.unwrap());
            }
        };
        let looks = async || db.read("SELECT CAST(try_at - received_at AS TEXT) FROM inbox WHERE transaction_id IS NULL ORDER BY id").await;
        crowd().await;
        assert_eq!(looks().await, ["30000000"]);

        shop.clock.move_by(Duration::from_millis(9_999));
        crowd().await;
        assert_eq!(looks().await.len(), 1, "it has not begun");
        shop.clock.move_by(Duration::from_millis(1));
        crowd().await;
        assert_eq!(looks().await.len(), 2, "the first may begin soon");

        db.run("DELETE FROM inbox WHERE transaction_id IS NOT NULL").await;
        db.run("UPDATE orders SET status = 'open', accepted_transaction_id = NULL, next_check_at = NULL").await;
        db.run("DELETE FROM transactions").await;
        shop.clock.move_by(Duration::from_secs(30));
        assert_eq!(inbox::work_off_due(&shop.core, BATCH).await.unwrap(), 2);
        assert_eq!(shop.status(&id).await, OrderStatus::Paid);
        assert_eq!(db.read("SELECT DISTINCT state FROM inbox").await, ["done"]);
    }

    /// A webhook that nobody could be asked about for three days is left to the order's own checks.
    async fn a_webhook_does_not_wait_for_a_place_for_ever(db: TestDatabase) {
        let (shop, portone) = open(&db).await;
        let id = shop.order("ORD-1").await;
        let late = webhook(&shop, &id, "imp_of_ORD-1");
        shop.core.inbox.receive(&late, late.at).await.unwrap();
        for n in 0..PLACES {
            let ask = Ask {
                payment_id: shop.order(&format!("STUCK-{n}")).await,
                transaction_id: None,
                patient: false,
                actor: Actor::Buyer,
            };
            let core = Arc::clone(&shop.core);
            tokio::spawn(async move { sync(&core, ask).await });
        }
        // Who proves who he is has other places, and so have strangers: the order has seen the transaction.
        let places_taken = async {
            while portone.stuck.load(Ordering::SeqCst) < PLACES {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, places_taken).await.unwrap();
        let staff = Ask {
            payment_id: shop.order("FREE-1").await,
            transaction_id: None,
            patient: false,
            actor: Actor::Staff("kim".to_owned()),
        };
        assert!(sync(&shop.core, staff).await.unwrap().confirmed);
        db.run("UPDATE inbox SET transaction_id = NULL").await;
        let state = async || db.read("SELECT state || ' ' || CAST(attempts AS TEXT) FROM inbox").await;

        inbox::work_off_due(&shop.core, BATCH).await.unwrap();
        assert_eq!(state().await, ["waiting 1"]);
        shop.clock.move_by(Duration::from_secs(3 * 24 * 3_600 + 1));
        inbox::work_off_due(&shop.core, BATCH).await.unwrap();
        assert_eq!(state().await, ["done 1"]);
    }

    /// PortOne does not answer about one order. Webhooks and other orders do not wait for it.
    async fn what_takes_long_keeps_no_other_job_waiting(db: TestDatabase) {
        let (shop, portone) = open(&db).await;
        shop.order("STUCK-1").await;
        db.run("UPDATE orders SET next_check_at = 0").await;
        let _worker = worker(&shop);
        let is_stuck = async {
            let mut pause = tokio::time::interval(Duration::from_millis(5));
            while portone.stuck.load(Ordering::SeqCst) == 0 {
                pause.tick().await;
                shop.clock.move_by(Duration::from_millis(100));
            }
        };
        tokio::time::timeout(PATIENCE, is_stuck).await.unwrap();

        let id = shop.order("ORD-1").await;
        let told = webhook(&shop, &id, "imp_of_ORD-1");
        shop.core.inbox.receive(&told, told.at).await.unwrap();

        until_paid(&shop, &[id], Duration::from_millis(100)).await;
    }

    /// Of a backlog, one round works off more than one batch.
    async fn a_backlog_does_not_wait_for_rounds(db: TestDatabase) {
        let (shop, _) = open(&db).await;
        let mut ids = Vec::new();
        for n in 0..3 * BATCH {
            ids.push(shop.order(&format!("ORD-{n}")).await);
        }
        db.run("UPDATE orders SET next_check_at = 0").await;
        let _worker = worker(&shop);
        // The worker is at its pause: it waits for a hint and for its next round.
        let is_at_its_pause = async {
            while shop.clock.sleepers() < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, is_at_its_pause).await.unwrap();
        shop.clock.move_by(Duration::from_secs(2));

        until_paid(&shop, &ids, Duration::ZERO).await;
    }

    /// What there is no budget for is not taken: it stays due.
    async fn no_order_is_taken_to_be_put_back_unasked(db: TestDatabase) {
        let (shop, _) = open(&db).await;
        let mut ids = Vec::new();
        for n in 0..ROOM + 30 {
            ids.push(shop.order(&format!("ORD-{n}")).await);
        }
        db.run("UPDATE orders SET next_check_at = 0").await;

        let mut taken = 0;
        for _ in 0..=ids.len() {
            taken += reconcile_due(&shop.core, BATCH).await.unwrap();
        }

        assert_eq!(taken, ROOM);
        assert_eq!(db.read("SELECT CAST(COUNT(*) AS TEXT) FROM orders WHERE status = 'paid'").await, [ROOM.to_string()]);
        assert_eq!(db.read("SELECT CAST(COUNT(*) AS TEXT) FROM orders WHERE next_check_at = 0").await, ["30"]);
        shop.clock.move_by(SignedDuration::from_secs(1).unsigned_abs());
        assert_eq!(reconcile_due(&shop.core, 100).await.unwrap(), 20, "they come back with time");
    }

    /// A fault of the program at one order ends neither the others nor the worker.
    async fn a_fault_at_one_order_costs_the_others_nothing(db: TestDatabase) {
        let (shop, portone) = open(&db).await;
        let mut ids = Vec::new();
        shop.order("FAULT-1").await;
        for n in 0..5 {
            ids.push(shop.order(&format!("ORD-{n}")).await);
        }
        db.run("UPDATE orders SET next_check_at = 0").await;
        portone.is_faulty.store(true, Ordering::SeqCst);

        assert_eq!(reconcile_due(&shop.core, BATCH).await.unwrap(), 6);

        until_paid(&shop, &ids, Duration::ZERO).await;
    }
}
