//! What strangers can cost, and what they cannot take away: the services on real databases, a PortOne that counts, and a clock
//! that the test moves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use wanryo::domain::history::Actor;
use wanryo::domain::order::OrderStatus;
use wanryo::domain::outcome::Outcome;
use wanryo::service::completion::{Claim, complete};
use wanryo::service::reconciliation::reconcile_due;
use wanryo::service::sweep::{self, Step};
use wanryo::service::sync::{Ask, Standing, sync};

use crate::app::PATIENCE;
use crate::by_hand::{Shop, paid};
use crate::support::{TestDatabase, on_both_databases};

/// Ids that a stranger makes up, spread over a minute.
const FORGED: u32 = 3_000;
/// Steps of the minute.
const STEPS: u32 = 60;
/// How many of them may be unanswered before the next are sent: half of what may wait for one answer, so that a slow machine
/// makes the minute longer and not the crowd larger.
const UNANSWERED_MAX: usize = 512;
/// Asks that the background work may have at PortOne at once.
const RECONCILER_MAX: u64 = 64;
/// The sweep's pause while the server is busy, and how often it pauses.
const BUSY_PAUSE: Duration = Duration::from_secs(30);
const BUSY_PAUSES_MAX: u32 = 10;

impl Shop {
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

on_both_databases! {
    /// A stranger who knows an order's number posts made-up ids for it. PortOne is asked a bounded number of times, and the
    /// buyer, whose id nobody has seen either, is found in the middle of it.
    async fn a_flood_of_forged_ids_hides_no_payment(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let id = shop.order("ORD-1").await;
        let mut flood = JoinSet::new();
        let mut rest = Vec::new();
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
            let mut ticks = 0;
            while ticks < 10 || flood.len() > UNANSWERED_MAX {
                tokio::time::sleep(Duration::from_millis(3)).await;
                shop.clock.move_by(Duration::from_millis(100));
                rest.extend(std::iter::from_fn(|| flood.try_join_next()).map(Result::unwrap));
                ticks += 1;
            }
        }
        let honest = shop.until(honest.unwrap()).await.unwrap();
        rest.extend(shop.until(tokio::spawn(flood.join_all())).await);

        assert_eq!((honest.confirmed, honest.standing), (true, Standing::Ours));
        assert_eq!(honest.snapshot.order.status, OrderStatus::Paid);
        let by_transaction = shop.portone.by_transaction.load(Ordering::SeqCst);
        let by_number = shop.portone.by_number.load(Ordering::SeqCst);
        let seconds = u64::try_from(shop.clock.millis() / 1_000).unwrap() + 1;
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

        // A busy machine may begin some of them only after others were answered: in one round they all come at once.
        let mut fewest = u64::MAX;
        for _ in 0..3 {
            // So that none waits for the order's own pace.
            shop.clock.move_by(Duration::from_secs(60));
            let asked = shop.portone.by_transaction.load(Ordering::SeqCst);
            sync(&shop.core, shop.ask(&id, "imp_forged", Actor::Webhook)).await.unwrap();
            assert_eq!(shop.portone.by_transaction.load(Ordering::SeqCst), asked + 1, "and now it is left alone");
            let before = shop.portone.calls();
            let mut asks = JoinSet::new();
            for _ in 0..15 {
                let (core, ask) = (Arc::clone(&shop.core), shop.ask(&id, "imp_forged", Actor::Webhook));
                asks.spawn(async move { sync(&core, ask).await });
            }
            let answers = asks.join_all().await;

            assert!(answers.iter().flatten().all(|synced| (synced.confirmed, synced.standing) == (true, Standing::Unknown)));
            assert_eq!(answers.iter().flatten().count(), 15);
            fewest = fewest.min(shop.portone.calls() - before);
        }
        assert!((1..=2).contains(&fewest), "{fewest}");
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
