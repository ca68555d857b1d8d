//! Refunds and sweeps in the story: what the shop asks for, what gateways make of it, and a worker that walks PortOne's lists.

use std::sync::Arc;

use wanryo::domain::history::Actor;
use wanryo::domain::ids::PaymentId;
use wanryo::domain::refund::RefundAccount;
use wanryo::service::refunds::{AskError, Asked};

use super::super::watch::ACCOUNT;
use super::{
    Chance, Deed, JoinHandle, NewRefund, PRICE, REACH, Story, SweepStep, refunding, sweep,
};

/// Steps of the sweep in one event.
const SWEEP_STEPS: usize = 12;

impl Story<'_> {
    /// The shop asks for a refund of what paid an order, or of another payment of it: whole or in part, once or twice at once.
    pub(super) fn ask_for_refund(&mut self, order: Option<PaymentId>, chance: &mut Chance) {
        let Some(payment_id) = order else { return };
        let transaction_id = {
            let world = self.world.lock();
            let found = world.tables.find(&payment_id);
            let transactions = found.map(|found| found.transactions.as_slice());
            let transactions = transactions.unwrap_or_default();
            if transactions.is_empty() || chance.per_mille(500) {
                None
            } else {
                let index = chance.index(transactions.len());
                Some(transactions[index].transaction_id.clone())
            }
        };
        for _ in 0..chance.one_of(&[1, 1, 2]) {
            let number = self.requests.len();
            let new = NewRefund {
                payment_id: payment_id.clone(),
                transaction_id: transaction_id.clone(),
                amount_minor: chance.one_of(&[
                    None,
                    None,
                    Some(PRICE / 4),
                    Some(PRICE / 4),
                    Some(PRICE / 2),
                    Some(PRICE - 1),
                    Some(2 * PRICE),
                ]),
                tax_free_minor: None,
                left_minor: None,
                reason: format!("request {number}"),
                account: chance.per_mille(600).then(|| RefundAccount {
                    bank: "SHINHAN".to_owned(),
                    number: ACCOUNT.to_owned(),
                    holder: "홍길동".to_owned(),
                    tel: None,
                }),
                idempotency_key: format!("key-{number}"),
                fingerprint: format!("request {number}"),
                // Shops that name two requests alike are tests/it's.
                name: None,
            };
            self.requests.push(new.clone());
            self.request(new, chance);
        }
    }

    /// The shop did not hear the answer, or does not trust it.
    pub(super) fn ask_for_it_again(&self, chance: &mut Chance) {
        if !self.requests.is_empty() {
            let new = self.requests[chance.index(self.requests.len())].clone();
            self.request(new, chance);
        }
    }

    fn request(&self, new: NewRefund, chance: &mut Chance) {
        let Some(instance) = self.some_server(chance) else {
            return;
        };
        let Some(server) = &self.servers[instance] else {
            return;
        };
        self.world.lock().note("asks for money back", &[], || {
            format!(
                "{}, {:?} of {:?} at server {instance}",
                new.reason, new.amount_minor, new.transaction_id
            )
        });
        let (core, world) = (Arc::clone(&server.core), Arc::clone(&self.world));
        server.runtime.spawn(async move {
            let asked = refunding::request(&core, new, Actor::Shop("shop".to_owned())).await;
            match asked {
                Ok(Asked::Same(_)) => world.lock().did(Deed::SameRequestAgain),
                Err(AskError::TooMuch(_)) => world.lock().did(Deed::MoreThanLeft),
                Ok(Asked::New(_)) | Err(_) => {}
            }
        });
    }

    pub(super) fn decide_about_refund(&self, chance: &mut Chance) {
        let mut world = self.world.lock();
        let undecided = world.portone.undecided();
        if !undecided.is_empty() {
            let which = chance.one_of(&undecided);
            world.gateway_decides(which, chance);
        }
    }

    pub(super) fn let_a_late_call_arrive(&self, chance: &mut Chance) {
        let mut world = self.world.lock();
        let on_the_wire = world.portone.wire.iter();
        let late: Vec<u64> = on_the_wire
            .filter(|sent| !sent.waits)
            .map(|sent| sent.number)
            .collect();
        if !late.is_empty() {
            let _nobody_hears_it = world.call_arrives(chance.one_of(&late));
        }
    }

    /// A worker walks on through PortOne's lists, often just when that is due.
    pub(super) fn sweep(&mut self, chance: &mut Chance) {
        let Some(instance) = self.some_server(chance) else {
            return;
        };
        let (now, offset, due) = {
            let world = self.world.lock();
            let due = world.tables.sweep.as_ref().map(|sweep| sweep.due_at);
            (world.now, world.offsets[instance].min(0), due)
        };
        if let Some(due) = due
            && chance.per_mille(700)
        {
            self.pass_time((due.as_microsecond() - offset).clamp(now, now + REACH));
        }
        self.sweep_on(instance, SWEEP_STEPS);
    }

    pub(super) fn sweep_on(&mut self, instance: usize, steps: usize) {
        if let Some(server) = &mut self.servers[instance]
            && server.sweeper.as_ref().is_none_or(JoinHandle::is_finished)
        {
            let core = Arc::clone(&server.core);
            server.sweeper = Some(server.runtime.spawn(async move {
                for _ in 0..steps {
                    // What fails is tried again in the next round.
                    match sweep::step(&core).await {
                        Ok(SweepStep::Going) => {}
                        Ok(SweepStep::Idle | SweepStep::Finished) | Err(_) => break,
                    }
                }
            }));
        }
    }
}
