//! The shipped code's ports into the simulated world: clock, chance, database, PortOne.

mod deliveries;
mod refunds;
mod sweeps;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use wanryo::domain::access::Role;
use wanryo::domain::audit::Link;
use wanryo::domain::history::{Actor, Entry, StoredEntry};
use wanryo::domain::ids::{PaymentId, StatusToken, TransactionId};
use wanryo::domain::money::Money;
use wanryo::domain::order::{Order, Portone};
use wanryo::domain::refund::{Answer, Balance};
use wanryo::domain::sweep::Listing;
use wanryo::domain::transaction::Transaction;
use wanryo::ports::audit::{AuditStore, Chain, Mistake};
use wanryo::ports::clock::Clock;
use wanryo::ports::entropy::Entropy;
use wanryo::ports::gateway::{Attempts, CancelCall, Gateway, GatewayError, Page};
use wanryo::ports::notes::{KeptNote, NewNote, NoteStore, Noted};
use wanryo::ports::retention::{Due, PersonalData, RetentionStore};
use wanryo::ports::store::{
    AccessStore, ApiKey, Commit, Committed, Created, InboxEntry, InboxResult, InboxStore, KeptKey,
    KeyRoom, Listed, NewApiKey, NewUser, Opening, OrderFilter, OrderStore, OutboxEvent, Person,
    Received, Snapshot, StoreError, User, UserChange, UserChanged,
};

use super::world::{Passage, Shared, Side, World, at};

/// One server's way out into the world.
#[derive(Clone)]
pub struct Server {
    /// The world.
    pub world: Shared,
    /// Which server.
    pub instance: usize,
}

/// What a broken database says.
#[derive(Debug, thiserror::Error)]
#[error("the simulated database failed")]
struct Broken;

fn unavailable() -> StoreError {
    StoreError::Unavailable(Box::new(Broken))
}

impl Server {
    async fn pass(&self, side: Side, what: &'static str) -> Passage {
        let gate = self.world.lock().gate(self.instance, side, what);
        match gate {
            Ok(passage) => passage,
            // A world that ends lets nothing through.
            Err(released) => released.await.unwrap_or(Passage::Refused),
        }
    }

    /// One statement of the database, whole or not at all.
    async fn statement<T>(
        &self,
        what: &'static str,
        run: impl FnOnce(&mut World) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        match self.pass(Side::Store, what).await {
            Passage::Through => run(&mut self.world.lock()),
            Passage::AnswerLost => {
                run(&mut self.world.lock())?;
                Err(unavailable())
            }
            Passage::Refused | Passage::Fault(_) => Err(unavailable()),
        }
    }
}

#[async_trait]
impl Clock for Server {
    fn now(&self) -> Timestamp {
        at(self.world.lock().clock(self.instance))
    }

    async fn sleep(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4);
        let woken = self.world.lock().sleep(micros);
        // A world that ends wakes everybody.
        let _ended = woken.await;
    }
}

impl Entropy for Server {
    fn fill(&self, bytes: &mut [u8]) {
        let mut world = self.world.lock();
        for part in bytes.chunks_mut(8) {
            let bits = world.chance.bits().to_be_bytes();
            part.copy_from_slice(&bits[..part.len()]);
        }
    }
}

#[async_trait]
impl OrderStore for Server {
    async fn create_order(&self, order: &Order, entry: &Entry) -> Result<Created, StoreError> {
        self.statement("create an order", |world| Ok(world.create(order, entry)))
            .await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.statement("read a row", |_| Ok(())).await
    }

    async fn find_order(&self, id: &PaymentId) -> Result<Option<Snapshot>, StoreError> {
        self.statement("read an order", |world| Ok(world.tables.find(id).cloned()))
            .await
    }

    async fn find_order_by_token(
        &self,
        token: &StatusToken,
    ) -> Result<Option<Snapshot>, StoreError> {
        self.statement("read an order by its link", |world| {
            let mut rows = world.tables.orders.values();
            Ok(rows
                .find(|row| row.snapshot.order.status_token == *token)
                .map(|row| row.snapshot.clone()))
        })
        .await
    }

    async fn find_owner(&self, id: &TransactionId) -> Result<Option<PaymentId>, StoreError> {
        self.statement("find a transaction's order", |world| {
            Ok(world.tables.owner(id).cloned())
        })
        .await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        let instance = self.instance;
        self.statement("write a change", move |world| {
            world.commit(instance, commit).ok_or_else(unavailable)
        })
        .await
    }

    async fn append_history(
        &self,
        id: &PaymentId,
        entries: &[Entry],
        per_kind_max: u32,
    ) -> Result<(), StoreError> {
        self.statement("append history", |world| {
            world.tables.append(id, entries, per_kind_max);
            Ok(())
        })
        .await
    }

    async fn history(&self, id: &PaymentId) -> Result<Vec<StoredEntry>, StoreError> {
        self.statement("read history", |world| {
            let row = world.tables.orders.get(id);
            Ok(row.map(|row| row.history.clone()).unwrap_or_default())
        })
        .await
    }

    async fn outbox(&self, id: &PaymentId) -> Result<Vec<OutboxEvent>, StoreError> {
        self.statement("read the outbox", |world| {
            let row = world.tables.orders.get(id);
            Ok(row.map(|row| row.outbox.clone()).unwrap_or_default())
        })
        .await
    }

    /// Nobody in this world reads lists.
    async fn list_orders(&self, _filter: &OrderFilter) -> Result<Listed, StoreError> {
        Ok(Listed::default())
    }

    /// As [`list_orders`](Self::list_orders).
    async fn find_transactions(
        &self,
        _ids: &[TransactionId],
    ) -> Result<Vec<Transaction>, StoreError> {
        Ok(Vec::new())
    }

    async fn lease_due(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<PaymentId>, StoreError> {
        self.statement("lease due orders", |world| {
            world.leases(now, lease_until);
            Ok(world.tables.lease_due(now, lease_until, limit))
        })
        .await
    }

    async fn schedule_check(
        &self,
        id: &PaymentId,
        decided_on: i64,
        next_check_at: Option<Timestamp>,
        checks_without_change: i64,
    ) -> Result<(), StoreError> {
        self.statement("set the next check", |world| {
            if let Some(row) = world.tables.orders.get_mut(id)
                && row.snapshot.order.version == decided_on
            {
                row.snapshot.order.next_check_at = next_check_at;
                row.snapshot.order.checks_without_change = checks_without_change;
            }
            Ok(())
        })
        .await
    }

    async fn mark_prepared(&self, id: &PaymentId, at: Timestamp) -> Result<(), StoreError> {
        self.statement("note that the amount is registered", |world| {
            if let Some(row) = world.tables.orders.get_mut(id) {
                row.snapshot.order.prepared_at = Some(at);
            }
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl InboxStore for Server {
    async fn receive(
        &self,
        received: &Received,
        try_at: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        self.statement("write a webhook", |world| {
            let now = world.now;
            Ok(world.tables.receive(received, try_at, now))
        })
        .await
    }

    async fn settle(&self, id: i64, lease: i64, result: InboxResult) -> Result<(), StoreError> {
        self.statement("settle a webhook", |world| {
            world.settle(id, lease, result);
            Ok(())
        })
        .await
    }

    async fn lease_inbox(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        self.statement("lease due webhooks", |world| {
            world.leases(now, lease_until);
            Ok(world.tables.lease_inbox(now, lease_until, limit))
        })
        .await
    }

    async fn is_untaken(&self, id: i64) -> Result<bool, StoreError> {
        self.statement("see whether a webhook was taken", |world| {
            Ok(world.tables.inbox.get(&id).is_some_and(|row| {
                row.entry.lease == 0 && matches!(row.state, super::tables::InboxState::Waiting(_))
            }))
        })
        .await
    }

    async fn wake_inbox(&self, id: &PaymentId, now: Timestamp) -> Result<(), StoreError> {
        self.statement("wake waiting webhooks", |world| {
            world.tables.wake(id, now);
            Ok(())
        })
        .await
    }

    /// A world ends before anything is old enough to be removed.
    async fn purge_inbox(&self, _: Timestamp, _: u32, _: u32) -> Result<u64, StoreError> {
        Ok(0)
    }
}

#[async_trait]
impl Gateway for Server {
    async fn attempts(
        &self,
        portone: Portone,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Result<Attempts, GatewayError> {
        let call = self
            .world
            .lock()
            .call_begins(self.instance, portone, id, asked);
        let served = match self.pass(Side::Portone, "PortOne is asked").await {
            Passage::Through | Passage::AnswerLost => {
                Ok(self.world.lock().attempts_told(portone, id, asked))
            }
            Passage::Refused => Err(GatewayError::Unavailable),
            Passage::Fault(error) => Err(error),
        };
        // What was true when PortOne answered may be old when the answer arrives.
        let answer = match self
            .pass(Side::Portone, "PortOne's answer is under way")
            .await
        {
            Passage::Through => served,
            Passage::AnswerLost | Passage::Refused => Err(GatewayError::Unavailable),
            Passage::Fault(error) => Err(error),
        };
        self.world.lock().call_ends(&call, answer.as_ref().ok());
        answer
    }

    async fn prepare(
        &self,
        _portone: Portone,
        _id: &PaymentId,
        _amount: Money,
    ) -> Result<(), GatewayError> {
        match self.pass(Side::Portone, "the amount is registered").await {
            Passage::Through => Ok(()),
            Passage::AnswerLost | Passage::Refused => Err(GatewayError::Unavailable),
            Passage::Fault(error) => Err(error),
        }
    }

    async fn balance(
        &self,
        portone: Portone,
        id: &PaymentId,
        transaction_id: &TransactionId,
    ) -> Result<Balance, GatewayError> {
        self.ask_for_balance(portone, id, transaction_id).await
    }

    async fn cancel(&self, portone: Portone, call: &CancelCall) -> Answer {
        self.give_back(portone, call).await
    }

    async fn list(
        &self,
        portone: Portone,
        listing: Listing,
        from: Timestamp,
        until: Timestamp,
        page: u32,
    ) -> Result<Page, GatewayError> {
        self.ask_for_list(portone, listing, (from, until), page)
            .await
    }
}

/// No story in this world is as long as what is kept.
#[async_trait]
impl RetentionStore for Server {
    async fn erase(&self, _: Due, _: Timestamp, _: u32) -> Result<u32, StoreError> {
        Ok(0)
    }

    async fn wipe(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn personal_data(&self, _: Due) -> Result<PersonalData, StoreError> {
        Ok(PersonalData::default())
    }
}

/// Nobody writes anything down in this world.
#[async_trait]
impl NoteStore for Server {
    async fn add_note(&self, _: &NewNote, _: u32) -> Result<Noted, StoreError> {
        Err(unavailable())
    }

    async fn notes(&self, _: &PaymentId) -> Result<Vec<KeptNote>, StoreError> {
        Ok(Vec::new())
    }
}

/// Nobody signs in in this world.
#[async_trait]
impl AccessStore for Server {
    async fn put_user(
        &self,
        _: &str,
        _: &str,
        _: Option<Role>,
        _: Timestamp,
    ) -> Result<UserChanged, StoreError> {
        Err(unavailable())
    }

    async fn add_user(&self, _: &NewUser, _: &Actor, _: Timestamp) -> Result<bool, StoreError> {
        Err(unavailable())
    }

    async fn change_user(
        &self,
        _: i64,
        _: &UserChange,
        _: &Actor,
        _: Timestamp,
    ) -> Result<UserChanged, StoreError> {
        Ok(UserChanged::NotFound)
    }

    async fn users(&self, _: Timestamp, _: u32) -> Result<Vec<Person>, StoreError> {
        Ok(Vec::new())
    }

    async fn find_user(&self, _: &str) -> Result<Option<User>, StoreError> {
        Ok(None)
    }

    async fn put_api_key(
        &self,
        _: &NewApiKey,
        _: KeyRoom,
        _: &Actor,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        Err(unavailable())
    }

    async fn api_keys(&self, _: u32) -> Result<Vec<KeptKey>, StoreError> {
        Ok(Vec::new())
    }

    async fn delete_api_key(&self, _: &str, _: &Actor, _: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn find_api_key(&self, _: &[u8; 32], _: Timestamp) -> Result<Option<ApiKey>, StoreError> {
        Ok(None)
    }

    async fn put_session(
        &self,
        _: &[u8; 32],
        _: &User,
        _: Opening,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        Err(unavailable())
    }

    async fn find_session(
        &self,
        _: &[u8; 32],
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        Ok(None)
    }

    async fn delete_session(&self, _: &[u8; 32]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn put_half_sign_in(
        &self,
        _: &[u8; 32],
        _: &User,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        Err(unavailable())
    }

    async fn find_half_sign_in(
        &self,
        _: &[u8; 32],
        _: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        Ok(None)
    }

    async fn delete_half_sign_in(&self, _: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn use_code(&self, _: i64, _: i64) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn use_recovery_code(
        &self,
        _: i64,
        _: &[u8; 32],
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn purge_sessions(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl AuditStore for Server {
    async fn count_mistake(&self, _: &Mistake) -> Result<(), StoreError> {
        Err(unavailable())
    }

    async fn audit_log(&self, _: Option<i64>, _: u32) -> Result<Vec<Link>, StoreError> {
        Ok(Vec::new())
    }

    async fn audit_chain(&self, _: u32) -> Result<Chain, StoreError> {
        Err(unavailable())
    }
}
