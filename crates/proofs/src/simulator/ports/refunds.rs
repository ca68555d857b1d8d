//! Refunds: their rows, and the calls that give money back.

use async_trait::async_trait;
use jiff::Timestamp;
use wanryo::domain::history::Entry;
use wanryo::domain::ids::{PaymentId, RefundId, TransactionId};
use wanryo::domain::order::Portone;
use wanryo::domain::refund::{Answer, Balance, Refund, Trouble};
use wanryo::ports::gateway::{CancelCall, GatewayError};
use wanryo::ports::requests::NamedRequest;
use wanryo::ports::store::{Intended, Moved, RefundStore, StoreError};

use super::super::coverage::Deed;
use super::super::world::{Passage, Shared, Side};
use super::Server;

/// A call on its way to PortOne. Who leaves it alone, by dying or by giving up, cannot take it back: it may still arrive.
struct Sent {
    world: Shared,
    number: u64,
}

impl Drop for Sent {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        let number = self.number;
        let on_the_wire = world.portone.wire.iter_mut();
        if let Some(sent) = on_the_wire.into_iter().find(|sent| sent.number == number) {
            sent.waits = false;
        }
    }
}

fn trouble(code: &str) -> Trouble {
    Trouble {
        code: code.to_owned(),
        message: None,
    }
}

impl Server {
    pub(super) async fn ask_for_balance(
        &self,
        portone: Portone,
        id: &PaymentId,
        transaction_id: &TransactionId,
    ) -> Result<Balance, GatewayError> {
        let served = match self
            .pass(Side::Portone, "PortOne is asked for a balance")
            .await
        {
            Passage::Through | Passage::AnswerLost => {
                let world = self.world.lock();
                world
                    .portone
                    .balance(portone, id, transaction_id, world.now)
            }
            Passage::Refused => Err(GatewayError::Unavailable),
            Passage::Fault(error) => Err(error),
        };
        match self.pass(Side::Portone, "a balance is under way").await {
            Passage::Through => served,
            Passage::AnswerLost | Passage::Refused => Err(GatewayError::Unavailable),
            Passage::Fault(error) => Err(error),
        }
    }

    pub(super) async fn give_back(&self, portone: Portone, call: &CancelCall) -> Answer {
        let number = self.world.lock().call_to_give_back(portone, call);
        let sent = Sent {
            world: self.world.clone(),
            number,
        };
        match self
            .pass(Side::Portone, "PortOne is called to give money back")
            .await
        {
            Passage::Through | Passage::AnswerLost => {}
            Passage::Fault(error) => {
                let mut world = self.world.lock();
                // No connection, or no valid key: PortOne surely has not looked at it.
                let not_made = error == GatewayError::Unauthorized
                    || (error == GatewayError::Unavailable && world.chance.per_mille(500));
                if not_made {
                    world.call_was_not_made(number);
                    return Answer::NotMade(trouble(error.as_str()));
                }
                return Answer::Unknown(trouble(error.as_str()));
            }
            Passage::Refused => return Answer::Unknown(trouble("unavailable")),
        }
        let answer = self.world.lock().call_arrives(number);
        drop(sent);
        match self
            .pass(Side::Portone, "the answer to a refund is under way")
            .await
        {
            Passage::Through => answer.unwrap_or(Answer::Unknown(trouble("unavailable"))),
            Passage::AnswerLost | Passage::Refused | Passage::Fault(_) => {
                let mut world = self.world.lock();
                if matches!(answer, Some(Answer::Taken { .. })) {
                    world.did(Deed::AnswerToRefundLost);
                }
                Answer::Unknown(trouble("unavailable"))
            }
        }
    }
}

#[async_trait]
impl RefundStore for Server {
    async fn intend(
        &self,
        refund: &Refund,
        entry: &Entry,
        _name: Option<&NamedRequest>,
    ) -> Result<Intended, StoreError> {
        self.statement("write a refund's intent", |world| {
            Ok(world.intend(refund, entry))
        })
        .await
    }

    async fn find_refund(&self, id: &RefundId) -> Result<Option<Refund>, StoreError> {
        self.statement("read a refund", |world| {
            Ok(world.tables.refund(id).cloned())
        })
        .await
    }

    async fn find_refund_by_key(
        &self,
        id: &PaymentId,
        key: &str,
    ) -> Result<Option<Refund>, StoreError> {
        self.statement("read a refund by its key", |world| {
            Ok(world.tables.refund_by_key(id, key).cloned())
        })
        .await
    }

    async fn refunds(&self, id: &PaymentId) -> Result<Vec<Refund>, StoreError> {
        self.statement("read an order's refunds", |world| {
            let all = world.tables.refunds.iter();
            Ok(all.filter(|r| r.payment_id == *id).cloned().collect())
        })
        .await
    }

    async fn move_refund(
        &self,
        refund: &Refund,
        entry: Option<&Entry>,
    ) -> Result<Moved, StoreError> {
        self.statement("write a refund's state", |world| {
            Ok(world.move_refund(refund, entry))
        })
        .await
    }

    async fn lease_refunds(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        self.statement("lease due refunds", |world| {
            world.leases(now, lease_until);
            Ok(world.tables.lease_refunds(now, lease_until, limit))
        })
        .await
    }

    async fn wake_refunds(&self, id: &PaymentId, now: Timestamp) -> Result<(), StoreError> {
        self.statement("wake an order's refunds", |world| {
            world.tables.wake_refunds(id, now);
            Ok(())
        })
        .await
    }
}
