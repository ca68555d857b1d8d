//! The same hand on the calls beside the orders': events on their way to the shop, the sweep, what needs attention, notes, and
//! forms that count once.

use async_trait::async_trait;
use jiff::Timestamp;
use wanryo::domain::attention::{AttentionItem, AttentionKind, Finding, Settled as SettledItem};
use wanryo::domain::delivery::{Attempt, Delivery, Endpoint, EndpointId, Leased, Sent};
use wanryo::domain::history::Actor;
use wanryo::domain::ids::{PaymentId, TransactionId};
use wanryo::domain::order::Portone;
use wanryo::domain::refund::{Refund, Word};
use wanryo::domain::sweep::Sweep;
use wanryo::domain::target::TargetRefused;
use wanryo::ports::attention::{
    After, AttentionStore, ReceivedWebhook, Seen, Settling, SweepStore,
};
use wanryo::ports::deliveries::{
    Again, AilingEndpoint, DeliveryFilter, DeliveryStore, EndpointChange, Redelivered, Rotated,
    Rotation, Settled, Settlement, WebhookCall, WebhookSender,
};
use wanryo::ports::notes::{KeptNote, NewNote, NoteStore, Noted};
use wanryo::ports::requests::{NamedRequest, RequestStore};
use wanryo::ports::store::StoreError;

use super::{Fused, through};

#[async_trait]
impl DeliveryStore for Fused<dyn DeliveryStore> {
    async fn add_endpoint(
        &self,
        endpoint: &Endpoint,
        endpoints_max: u32,
        by: &Actor,
    ) -> Result<bool, StoreError> {
        through!(
            self,
            "deliveries.add_endpoint",
            add_endpoint(endpoint, endpoints_max, by)
        )
    }
    async fn find_endpoint(&self, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        through!(self, "deliveries.find_endpoint", find_endpoint(id))
    }
    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        through!(self, "deliveries.endpoints", endpoints())
    }
    async fn change_endpoint(
        &self,
        id: &EndpointId,
        change: &EndpointChange,
        by: &Actor,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        through!(
            self,
            "deliveries.change_endpoint",
            change_endpoint(id, change, by, at)
        )
    }
    async fn rotate_secret(
        &self,
        id: &EndpointId,
        rotation: &Rotation,
        by: &Actor,
        at: Timestamp,
    ) -> Result<Rotated, StoreError> {
        through!(
            self,
            "deliveries.rotate_secret",
            rotate_secret(id, rotation, by, at)
        )
    }
    async fn delete_endpoint(
        &self,
        id: &EndpointId,
        by: &Actor,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        through!(
            self,
            "deliveries.delete_endpoint",
            delete_endpoint(id, by, at)
        )
    }
    async fn endpoints_with_work(&self, now: Timestamp) -> Result<Vec<EndpointId>, StoreError> {
        through!(
            self,
            "deliveries.endpoints_with_work",
            endpoints_with_work(now)
        )
    }
    async fn ailing_endpoints(&self) -> Result<Vec<AilingEndpoint>, StoreError> {
        through!(self, "deliveries.ailing_endpoints", ailing_endpoints())
    }
    async fn dismiss_given_up(
        &self,
        id: &EndpointId,
        until: Timestamp,
        by: &Actor,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        through!(
            self,
            "deliveries.dismiss_given_up",
            dismiss_given_up(id, until, by, at)
        )
    }
    async fn lease_deliveries(
        &self,
        endpoint: &EndpointId,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Leased>, StoreError> {
        through!(
            self,
            "deliveries.lease_deliveries",
            lease_deliveries(endpoint, now, lease_until, limit)
        )
    }
    async fn settle_delivery(&self, settlement: &Settlement) -> Result<Settled, StoreError> {
        through!(
            self,
            "deliveries.settle_delivery",
            settle_delivery(settlement)
        )
    }
    async fn list_deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        through!(self, "deliveries.list_deliveries", list_deliveries(filter))
    }
    async fn find_delivery(&self, id: i64) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
        through!(self, "deliveries.find_delivery", find_delivery(id))
    }
    async fn redeliver(
        &self,
        id: i64,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Redelivered, StoreError> {
        through!(self, "deliveries.redeliver", redeliver(id, by, now))
    }
    async fn redeliver_many(
        &self,
        again: &Again,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Vec<i64>, StoreError> {
        through!(
            self,
            "deliveries.redeliver_many",
            redeliver_many(again, by, now)
        )
    }
}

#[async_trait]
impl WebhookSender for Fused<dyn WebhookSender> {
    async fn check(&self, url: &str) -> Result<(), TargetRefused> {
        through!(self, "webhooks.check", check(url))
    }
    async fn send(&self, call: &WebhookCall) -> Sent {
        through!(self, "webhooks.send", send(call))
    }
}

#[async_trait]
impl SweepStore for Fused<dyn SweepStore> {
    async fn find_sweep(&self) -> Result<Option<Sweep>, StoreError> {
        through!(self, "sweep.find_sweep", find_sweep())
    }
    async fn plan_sweep(&self, due_at: Timestamp) -> Result<(), StoreError> {
        through!(self, "sweep.plan_sweep", plan_sweep(due_at))
    }
    async fn lease_sweep(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<Sweep>, StoreError> {
        through!(self, "sweep.lease_sweep", lease_sweep(now, lease_until))
    }
    async fn save_sweep(&self, sweep: &Sweep) -> Result<bool, StoreError> {
        through!(self, "sweep.save_sweep", save_sweep(sweep))
    }
    async fn first_order_at(&self) -> Result<Option<Timestamp>, StoreError> {
        through!(self, "sweep.first_order_at", first_order_at())
    }
}

#[async_trait]
impl AttentionStore for Fused<dyn AttentionStore> {
    async fn report(&self, finding: &Finding) -> Result<(), StoreError> {
        through!(self, "attention.report", report(finding))
    }
    async fn withdraw_unseen(
        &self,
        swept_from: Timestamp,
        paid_from: Timestamp,
        passed_over: &[Portone],
    ) -> Result<(), StoreError> {
        through!(
            self,
            "attention.withdraw_unseen",
            withdraw_unseen(swept_from, paid_from, passed_over)
        )
    }
    async fn withdraw_unclear(
        &self,
        payment_id: &PaymentId,
        read_at: Timestamp,
    ) -> Result<(), StoreError> {
        through!(
            self,
            "attention.withdraw_unclear",
            withdraw_unclear(payment_id, read_at)
        )
    }
    async fn settle(
        &self,
        kind: AttentionKind,
        transaction_id: &TransactionId,
        seen: Option<Seen>,
        by: &Actor,
        note: &str,
        at: Timestamp,
    ) -> Result<Settling, StoreError> {
        through!(
            self,
            "attention.settle",
            settle(kind, transaction_id, seen, by, note, at)
        )
    }
    async fn find_word(&self, refund: &Refund) -> Result<Option<Word>, StoreError> {
        through!(self, "attention.find_word", find_word(refund))
    }
    async fn list_attention(
        &self,
        now: Timestamp,
        after: Option<&After>,
        limit: u32,
    ) -> Result<Vec<AttentionItem>, StoreError> {
        through!(
            self,
            "attention.list_attention",
            list_attention(now, after, limit)
        )
    }
    async fn count_attention(&self, now: Timestamp, max: u32) -> Result<u32, StoreError> {
        through!(self, "attention.count_attention", count_attention(now, max))
    }
    async fn list_settled(&self, limit: u32) -> Result<Vec<SettledItem>, StoreError> {
        through!(self, "attention.list_settled", list_settled(limit))
    }
    async fn list_settled_of(
        &self,
        payment_id: &PaymentId,
        limit: u32,
    ) -> Result<Vec<SettledItem>, StoreError> {
        through!(
            self,
            "attention.list_settled_of",
            list_settled_of(payment_id, limit)
        )
    }
    async fn list_received(&self, limit: u32) -> Result<Vec<ReceivedWebhook>, StoreError> {
        through!(self, "attention.list_received", list_received(limit))
    }
}

#[async_trait]
impl NoteStore for Fused<dyn NoteStore> {
    async fn add_note(&self, new: &NewNote, notes_max: u32) -> Result<Noted, StoreError> {
        through!(self, "notes.add_note", add_note(new, notes_max))
    }
    async fn notes(&self, id: &PaymentId) -> Result<Vec<KeptNote>, StoreError> {
        through!(self, "notes.notes", notes(id))
    }
}

#[async_trait]
impl RequestStore for Fused<dyn RequestStore> {
    async fn keep(&self, request: &NamedRequest) -> Result<String, StoreError> {
        through!(self, "requests.keep", keep(request))
    }
}
