//! What must be over in time: orders whose deadline passes while answers are under way, and pages while the database is slow.
//! The services on real databases, a PortOne and a store that the test holds up, and a clock that it moves.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Notify;
use wanryo::domain::evidence::Record;
use wanryo::domain::history::{Actor, Entry, StoredEntry};
use wanryo::domain::ids::{PaymentId, StatusToken, TransactionId};
use wanryo::domain::order::{Order, OrderStatus, Portone};
use wanryo::domain::outcome::Outcome;
use wanryo::domain::schedule::GRACE;
use wanryo::domain::transaction::{Transaction, TransactionStatus, VirtualAccount};
use wanryo::ports::clock::Clock;
use wanryo::ports::gateway::{Attempts, GatewayError};
use wanryo::ports::store::{
    Commit, Committed, Created, Listed, OrderFilter, OrderStore, OutboxEvent, Snapshot, StoreError,
};
use wanryo::service::completion::status;
use wanryo::service::reconciliation::reconcile_due;
use wanryo::service::sync::sync;
use wanryo::service::{Core, PAGE_BUDGET};

use crate::app::TestApp;
use crate::by_hand::{Ahead, HandClock, Plays, Shop, paid};
use crate::support::{TestDatabase, on_both_databases};

/// A PortOne that takes its time over one answer about a whole order, and tells of one attempt when it is asked for one.
#[derive(Default)]
struct Slow {
    attempts: Mutex<Vec<Record>>,
    is_slow: Mutex<bool>,
    has_answered: Notify,
    may_go_on: Notify,
}

#[async_trait]
impl Plays for Slow {
    async fn attempts(
        &self,
        _: Portone,
        _: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        let mut records = self.attempts.lock().clone();
        records.retain(|record| asked.is_none_or(|id| id == &record.transaction_id));
        let is_held_up = asked.is_none() && std::mem::take(&mut *self.is_slow.lock());
        if is_held_up {
            self.has_answered.notify_one();
            self.may_go_on.notified().await;
        }
        Ok(Attempts {
            records,
            complete: true,
        })
    }
}

fn account(id: &PaymentId, expires_at: Option<Timestamp>) -> Record {
    Record {
        transaction_id: TransactionId::parse("imp_account").unwrap(),
        status: Some(TransactionStatus::Ready),
        virtual_account: Some(VirtualAccount {
            bank: "국민은행".to_owned(),
            account_number: "123-45".to_owned(),
            holder: None,
            expires_at,
        }),
        ..paid(id)
    }
}

/// What happens once, before a call is passed on.
type Event = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The real store, with something between the asker and it.
pub(crate) struct Between {
    pub(crate) orders: Arc<dyn OrderStore>,
    /// Happens before the first look for a transaction's owner.
    pub(crate) before_owner: Mutex<Option<Event>>,
    /// Whether a search by a token never comes back.
    pub(crate) holds_tokens: bool,
}

#[async_trait]
impl OrderStore for Between {
    async fn create_order(&self, order: &Order, entry: &Entry) -> Result<Created, StoreError> {
        self.orders.create_order(order, entry).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.orders.ping().await
    }

    async fn find_order(&self, id: &PaymentId) -> Result<Option<Snapshot>, StoreError> {
        self.orders.find_order(id).await
    }

    async fn find_order_by_token(
        &self,
        token: &StatusToken,
    ) -> Result<Option<Snapshot>, StoreError> {
        if self.holds_tokens {
            std::future::pending::<()>().await;
        }
        self.orders.find_order_by_token(token).await
    }

    async fn find_owner(&self, id: &TransactionId) -> Result<Option<PaymentId>, StoreError> {
        let event = self.before_owner.lock().take();
        if let Some(event) = event {
            event.await;
        }
        self.orders.find_owner(id).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        self.orders.commit(commit).await
    }

    async fn append_history(
        &self,
        id: &PaymentId,
        entries: &[Entry],
        per_kind_max: u32,
    ) -> Result<(), StoreError> {
        self.orders.append_history(id, entries, per_kind_max).await
    }

    async fn history(&self, id: &PaymentId) -> Result<Vec<StoredEntry>, StoreError> {
        self.orders.history(id).await
    }

    async fn outbox(&self, id: &PaymentId) -> Result<Vec<OutboxEvent>, StoreError> {
        self.orders.outbox(id).await
    }

    async fn list_orders(&self, filter: &OrderFilter) -> Result<Listed, StoreError> {
        self.orders.list_orders(filter).await
    }

    async fn find_transactions(
        &self,
        ids: &[TransactionId],
    ) -> Result<Vec<Transaction>, StoreError> {
        self.orders.find_transactions(ids).await
    }

    async fn lease_due(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<PaymentId>, StoreError> {
        self.orders.lease_due(now, lease_until, limit).await
    }

    async fn schedule_check(
        &self,
        id: &PaymentId,
        decided_on: i64,
        next_check_at: Option<Timestamp>,
        checks_without_change: i64,
    ) -> Result<(), StoreError> {
        self.orders
            .schedule_check(id, decided_on, next_check_at, checks_without_change)
            .await
    }

    async fn mark_prepared(&self, id: &PaymentId, at: Timestamp) -> Result<(), StoreError> {
        self.orders.mark_prepared(id, at).await
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn after(clock: &HandClock, time: Duration) -> Option<Timestamp> {
    clock.now().checked_add(time).ok()
}

async fn snapshot(core: &Core, id: &PaymentId) -> Snapshot {
    core.orders.find_order(id).await.unwrap().unwrap()
}

async fn told(core: &Core, id: &PaymentId) -> Vec<&'static str> {
    let events = core.orders.outbox(id).await.unwrap();
    events
        .iter()
        .map(|row| row.event.event_type.as_str())
        .collect()
}

on_both_databases! {
    /// The worker's answer is from before the deadline, and the payment from after the answer. Somebody else's answer, from
    /// after the deadline, tells of another attempt alone: it must not stand for the worker's.
    async fn an_order_that_was_paid_in_time_does_not_end_by_somebody_elses_answer(db: TestDatabase) {
        let portone = Arc::new(Slow::default());
        let shop = Shop::open_at(&db, Arc::clone(&portone)).await;
        let deadline = after(&shop.clock, HOUR);
        let id = shop.order_until("ORD-1", deadline).await;
        shop.clock.move_by(HOUR - MINUTE);
        *portone.is_slow.lock() = true;
        let core = Arc::clone(&shop.core);
        let worker = tokio::spawn(async move { reconcile_due(&core, 10).await });
        portone.has_answered.notified().await;

        let in_time = Record { paid_at: Some(shop.clock.now()), ..paid(&id) };
        portone.attempts.lock().extend([in_time, account(&id, None)]);
        shop.clock.move_by(2 * MINUTE);
        sync(&shop.core, shop.ask(&id, "imp_account", Actor::Buyer)).await.unwrap();
        assert!(snapshot(&shop.core, &id).await.order.checked_at > deadline);
        portone.may_go_on.notify_one();
        assert_eq!(worker.await.unwrap().unwrap(), 1);

        assert_eq!(snapshot(&shop.core, &id).await.order.expired_at, None);
        shop.clock.move_by(HOUR);
        reconcile_due(&shop.core, 10).await.unwrap();
        assert_eq!(shop.status(&id).await, OrderStatus::Paid);
        assert_eq!(told(&shop.core, &id).await, ["order.virtual_account_issued", "order.paid"]);
    }

    /// What this version cannot read may be money: the order waits as long as banks may take, and what was paid in time pays it
    /// after that, too.
    async fn an_answer_that_cannot_be_read_ends_no_order_before_banks_had_their_time(db: TestDatabase) {
        let portone = Arc::new(Slow::default());
        let shop = Shop::open_at(&db, Arc::clone(&portone)).await;
        let id = shop.order_until("ORD-1", after(&shop.clock, HOUR)).await;
        let in_time = Record { paid_at: Some(shop.clock.now()), ..paid(&id) };
        portone.attempts.lock().push(Record { status: None, ..in_time.clone() });
        for is_over in [false, false, false, true] {
            shop.clock.move_by(30 * HOUR);
            assert_eq!(reconcile_due(&shop.core, 10).await.unwrap(), 1, "it is asked about until it is known");
            assert_eq!(snapshot(&shop.core, &id).await.order.expired_at.is_some(), is_over);
        }

        *portone.attempts.lock() = vec![in_time];
        shop.clock.move_by(30 * HOUR);
        reconcile_due(&shop.core, 10).await.unwrap();

        assert_eq!((shop.status(&id).await, told(&shop.core, &id).await), (OrderStatus::Paid, vec!["order.expired", "order.paid"]));
    }

    /// A second window hides the attempt that waits for a deposit, and PortOne does not tell of the attempts behind the one
    /// that it shows. It shows the one that succeeds.
    async fn an_order_whose_attempts_portone_does_not_tell_ends_by_what_the_payment_shows(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = TestApp::start_at(&db, TestApp::new_sandbox().await, |_| {}, Arc::clone(&clock) as _).await;
        let deadline = clock.now() + HOUR;
        let account = json!({ "type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "123-456", "expiredAt": "2100-01-01T00:00:00Z" });
        let mut waiting = Vec::new();
        for id in ["UNPAID", "PAID"] {
            app.order_with(id, json!({ "portone": "v2", "channel_key": "channel-key-1", "expires_at": deadline.to_string() })).await;
            let tx_id = app.pay_v2(id, json!({ "status": "VIRTUAL_ACCOUNT_ISSUED", "method": account })).await;
            app.complete(&format!("paymentId={id}&txId={tx_id}")).await;
            app.pay_v2(id, json!({ "status": "READY" })).await;
            waiting.push(tx_id);
        }
        app.sandbox.fault(json!({ "call": "v2_transactions", "kind": "status", "status": 404 })).unwrap();
        let pass = async |time: Duration| {
            clock.push(time);
            app.sandbox.advance_clock(time);
            while reconcile_due(&app.running.core, 10).await.unwrap() > 0 {}
        };

        for time in [HOUR + MINUTE, HOUR, GRACE.unsigned_abs() - 3 * HOUR] {
            pass(time).await;
            for id in ["UNPAID", "PAID"] {
                assert_eq!(app.read_order(id).await["status"], "awaiting_deposit", "{id}");
            }
        }
        // The bank reports late.
        app.patch_v2(&waiting[1], json!({ "status": "PAID", "paidAt": (deadline - MINUTE).to_string() })).await;
        for _ in 0..3 {
            pass(5 * HOUR).await;
        }

        for (id, end) in [("UNPAID", "expired"), ("PAID", "paid")] {
            assert_eq!(app.read_order(id).await["status"], end, "{id}");
            assert_eq!(app.told(id).await, ["order.virtual_account_issued", &format!("order.{end}")]);
        }
        assert!(app.sandbox.calls("v2_transactions") > 0);
    }

    /// The database is slow, and the page says within its time that it does not know.
    async fn a_slow_database_does_not_hold_the_lasting_link(db: TestDatabase) {
        let mut shop = Shop::open(&db).await;
        let id = shop.order("ORD-1").await;
        let token = snapshot(&shop.core, &id).await.order.status_token;
        let core = Arc::get_mut(&mut shop.core).unwrap();
        core.orders = Arc::new(Between {
            orders: Arc::clone(&core.orders),
            before_owner: Mutex::default(),
            holds_tokens: true,
        });
        let began_at = shop.clock.now();

        let core = Arc::clone(&shop.core);
        let page = tokio::spawn(async move { status(&core, Some(token)).await });
        let page = tokio::time::timeout(crate::app::PATIENCE, shop.until(page)).await;

        let page = page.expect("the page is held by the database");
        assert_eq!((page.outcome, page.payment), (Outcome::Unconfirmed, None));
        let took = shop.clock.now().duration_since(began_at).unsigned_abs();
        assert!(took < 2 * PAGE_BUDGET, "{took:?}");
    }
}
