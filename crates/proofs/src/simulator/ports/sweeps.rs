//! The sweep: PortOne's lists, what was found in them, and where it stands.

use async_trait::async_trait;
use jiff::Timestamp;
use wanryo::domain::attention::{AttentionItem, AttentionKind, Finding, Settled};
use wanryo::domain::history::Actor;
use wanryo::domain::ids::{PaymentId, TransactionId};
use wanryo::domain::order::Portone;
use wanryo::domain::refund::{Refund, RefundState, Word};
use wanryo::domain::sweep::{Listing, Sweep};
use wanryo::ports::attention::{
    After, AttentionStore, ReceivedWebhook, Seen, Settling, SweepStore,
};
use wanryo::ports::gateway::{GatewayError, Page};
use wanryo::ports::store::StoreError;

use super::super::world::{Passage, Side};
use super::{Server, unavailable};

impl Server {
    pub(super) async fn ask_for_list(
        &self,
        portone: Portone,
        listing: Listing,
        (from, until): (Timestamp, Timestamp),
        page: u32,
    ) -> Result<Page, GatewayError> {
        self.world.lock().list_begins(self.instance);
        let span = (from.as_microsecond(), until.as_microsecond());
        let served = match self
            .pass(Side::Portone, "PortOne is asked for a list")
            .await
        {
            Passage::Through | Passage::AnswerLost => {
                let world = self.world.lock();
                Ok(world.portone.list(portone, listing, span, page, world.now))
            }
            Passage::Refused => Err(GatewayError::Unavailable),
            Passage::Fault(error) => Err(error),
        };
        match self.pass(Side::Portone, "a list is under way").await {
            Passage::Through => served,
            Passage::AnswerLost | Passage::Refused => Err(GatewayError::Unavailable),
            Passage::Fault(error) => Err(error),
        }
    }
}

/// Nobody lists anything in this world's back office.
#[async_trait]
impl AttentionStore for Server {
    async fn report(&self, finding: &Finding) -> Result<(), StoreError> {
        self.statement("report a finding", |world| {
            world.report(self.instance, finding);
            Ok(())
        })
        .await
    }

    async fn withdraw_unseen(
        &self,
        swept_from: Timestamp,
        paid_from: Timestamp,
        passed_over: &[Portone],
    ) -> Result<(), StoreError> {
        self.statement("withdraw what was not seen", |world| {
            world.withdraw_unseen(swept_from, paid_from, passed_over);
            Ok(())
        })
        .await
    }

    async fn withdraw_unclear(
        &self,
        payment_id: &PaymentId,
        read_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.statement("withdraw what can be read", |world| {
            world.tables.withdraw_unclear(payment_id, read_at);
            Ok(())
        })
        .await
    }

    async fn settle(
        &self,
        _: AttentionKind,
        _: &TransactionId,
        _: Option<Seen>,
        _: &Actor,
        _: &str,
        _: Timestamp,
    ) -> Result<Settling, StoreError> {
        Err(unavailable())
    }

    /// A person sees what is in doubt when the world has come to rest.
    async fn find_word(&self, refund: &Refund) -> Result<Option<Word>, StoreError> {
        let in_doubt = refund.state == RefundState::InDoubt;
        self.statement("read a person's word", |world| {
            Ok((in_doubt && world.calm).then(|| Word {
                by: "staff:office@example.com".to_owned(),
                note: "not at PortOne".to_owned(),
            }))
        })
        .await
    }

    async fn list_attention(
        &self,
        _: Timestamp,
        _: Option<&After>,
        _: u32,
    ) -> Result<Vec<AttentionItem>, StoreError> {
        Ok(Vec::new())
    }

    async fn count_attention(&self, _: Timestamp, _: u32) -> Result<u32, StoreError> {
        Ok(0)
    }

    async fn list_settled(&self, _: u32) -> Result<Vec<Settled>, StoreError> {
        Ok(Vec::new())
    }

    async fn list_settled_of(&self, _: &PaymentId, _: u32) -> Result<Vec<Settled>, StoreError> {
        Ok(Vec::new())
    }

    async fn list_received(&self, _: u32) -> Result<Vec<ReceivedWebhook>, StoreError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl SweepStore for Server {
    async fn find_sweep(&self) -> Result<Option<Sweep>, StoreError> {
        self.statement("read where the sweep stands", |world| {
            Ok(world.tables.sweep.clone())
        })
        .await
    }

    async fn plan_sweep(&self, due_at: Timestamp) -> Result<(), StoreError> {
        self.statement("plan a sweep", |world| {
            world.tables.sweep.get_or_insert(Sweep {
                version: 0,
                due_at,
                run: None,
                finished: None,
            });
            Ok(())
        })
        .await
    }

    async fn lease_sweep(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<Sweep>, StoreError> {
        self.statement("take a step of the sweep", |world| {
            world.leases(now, lease_until);
            Ok(world.lease_sweep(now, lease_until))
        })
        .await
    }

    async fn save_sweep(&self, sweep: &Sweep) -> Result<bool, StoreError> {
        self.statement("write where the sweep stands", |world| {
            Ok(world.save_sweep(sweep))
        })
        .await
    }

    async fn first_order_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.statement("read when the first order was made", |world| {
            Ok(world.tables.first_order_at())
        })
        .await
    }
}
