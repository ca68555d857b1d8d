//! The PortOne of the simulated world: attempts to pay that move by themselves, an API that shows them late, and an account of
//! what it has told to whom. It shares no rule with the shipped code: what a payment is worth is judged here once more.

mod cancels;

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use wanryo::domain::evidence::{Record, Reported};
use wanryo::domain::ids::{PaymentId, RefundId, TransactionId};
use wanryo::domain::order::{Mode, Portone};
use wanryo::domain::refund::Answer;
use wanryo::domain::transaction::{TransactionStatus, VirtualAccount};
use wanryo::ports::gateway::Attempts;

pub use self::cancels::{Cancel, Decided, OnTheWire, RECEIPT};
use super::chance::Chance;
use super::world::at;

/// What every order of the simulated shop costs.
pub const PRICE: i64 = 10_000;
/// Our store at PortOne V2.
pub const STORE: &str = "store-ours";
/// How long PortOne's API may lag behind what happened.
pub const LAG_MAX_MICROS: u64 = 1_500_000;

/// Where an attempt stands at PortOne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The window is open, or was left.
    Ready,
    /// An account was issued.
    Account,
    /// The gateway thinks about it. V2 alone tells.
    PayPending,
    /// Declined or given up.
    Failed,
    /// Approved.
    Paid,
    /// V1 says `cancelled`, and no money has gone back yet.
    Cancelling,
    /// Something was given back.
    Cancelled,
    /// A status that is younger than this version of the shop's server.
    Strange,
}

/// What is wrong with an attempt, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// Somebody changed the amount in the window.
    Cheap,
    /// The right number of the wrong currency.
    Currency,
    /// Test money where real money is taken, or the other way round.
    OtherChannel,
    /// PortOne does not say whether the money is real.
    NoChannel,
    /// Paid into somebody else's store, V2.
    OtherStore,
}

/// How an attempt looks from some time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Where it stands.
    pub phase: Phase,
    /// Given back so far.
    pub cancelled: i64,
    /// When it was approved.
    pub paid_at: Option<i64>,
    /// Whether it has an account.
    pub account: bool,
    /// When it became so.
    pub changed_at: i64,
}

/// One attempt to pay.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// PortOne's id.
    pub id: TransactionId,
    /// The payment it is for.
    pub payment_id: PaymentId,
    /// Through which generation.
    pub portone: Portone,
    /// What is wrong with it.
    pub flaw: Flaw,
    /// What was given back, or is to be, first asked for first.
    pub cancels: Vec<Cancel>,
    /// Each view with the time from which the API shows it.
    log: Vec<(i64, View)>,
    /// An answer reached a server that said: money is there.
    pub told_money: bool,
    /// … failed.
    pub told_failed: bool,
    /// … deposit here.
    pub told_account: bool,
    /// … something was given back.
    pub told_cancelled: bool,
}

impl Attempt {
    /// How it is, whether or not the API shows it yet.
    #[must_use]
    pub fn truth(&self) -> View {
        self.log.last().map_or(
            View {
                phase: Phase::Strange,
                cancelled: 0,
                paid_at: None,
                account: false,
                changed_at: 0,
            },
            |(_, view)| *view,
        )
    }

    /// What the API shows; nothing when it does not know the attempt yet.
    #[must_use]
    pub fn shown(&self, now: i64) -> Option<View> {
        self.log
            .iter()
            .rev()
            .find(|(from, _)| *from <= now)
            .map(|(_, view)| *view)
    }

    /// What it is over, in minor units of its own currency.
    #[must_use]
    pub const fn amount(&self) -> i64 {
        match self.flaw {
            Flaw::Cheap => PRICE / 100,
            Flaw::None
            | Flaw::Currency
            | Flaw::OtherChannel
            | Flaw::NoChannel
            | Flaw::OtherStore => PRICE,
        }
    }
}

impl View {
    /// Whether the buyer's money is there.
    #[must_use]
    pub const fn holds_money(self, amount: i64) -> bool {
        match self.phase {
            Phase::Paid => true,
            Phase::Cancelled => self.cancelled < amount,
            Phase::Ready
            | Phase::Account
            | Phase::PayPending
            | Phase::Failed
            | Phase::Cancelling
            | Phase::Strange => false,
        }
    }

    /// Whether the buyer's money is or was there.
    #[must_use]
    pub const fn was_paid(self) -> bool {
        matches!(
            self.phase,
            Phase::Paid | Phase::Cancelling | Phase::Cancelled
        )
    }
}

/// A webhook under way.
#[derive(Debug, Clone)]
pub struct Message {
    /// Which generation sent it.
    pub portone: Portone,
    /// PortOne's name for it, V2.
    pub webhook_id: Option<String>,
    /// The payment it speaks of.
    pub payment_id: PaymentId,
    /// The transaction it speaks of.
    pub transaction_id: TransactionId,
    /// The status it claims.
    pub claims: &'static str,
}

/// PortOne.
#[derive(Debug)]
pub struct World {
    /// Every attempt, first opened first.
    pub attempts: Vec<Attempt>,
    /// Webhooks that are under way.
    pub webhooks: Vec<Message>,
    /// What this shop takes.
    pub mode: Mode,
    /// Whether the API lags in this world.
    pub lags: bool,
    /// Calls to give money back that were made and have not arrived.
    pub wire: Vec<OnTheWire>,
    /// What was answered to a call of V2, by its idempotency key, and when.
    remembered: BTreeMap<RefundId, (i64, Answer)>,
    sent: u64,
    cancelled: u64,
}

impl World {
    /// Nobody has paid yet.
    #[must_use]
    pub const fn new(mode: Mode, lags: bool) -> Self {
        Self {
            attempts: Vec::new(),
            webhooks: Vec::new(),
            mode,
            lags,
            wire: Vec::new(),
            remembered: BTreeMap::new(),
            sent: 0,
            cancelled: 0,
        }
    }

    /// The attempt with an id.
    #[must_use]
    pub fn find(&self, id: &TransactionId) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.id == *id)
    }

    fn of<'w>(&'w self, payment_id: &'w PaymentId) -> impl Iterator<Item = &'w Attempt> {
        self.attempts
            .iter()
            .filter(move |attempt| attempt.payment_id == *payment_id)
    }

    /// Opens a window.
    pub fn open(
        &mut self,
        payment_id: &PaymentId,
        portone: Portone,
        flaw: Flaw,
        now: i64,
        chance: &mut Chance,
    ) -> usize {
        let number = self.attempts.len() + 1;
        let name = match portone {
            Portone::V1 => format!("imp_{number}"),
            Portone::V2 => format!("tx-{number}"),
        };
        let Ok(id) = TransactionId::parse(&name) else {
            return 0;
        };
        self.attempts.push(Attempt {
            id,
            payment_id: payment_id.clone(),
            portone,
            flaw,
            cancels: Vec::new(),
            log: Vec::new(),
            told_money: false,
            told_failed: false,
            told_account: false,
            told_cancelled: false,
        });
        let view = View {
            phase: Phase::Ready,
            cancelled: 0,
            paid_at: None,
            account: false,
            changed_at: now,
        };
        self.become_shown(number - 1, view, now, true, chance);
        number - 1
    }

    /// The phases that an attempt may go to by itself.
    #[must_use]
    pub fn next_phases(&self, index: usize) -> Vec<Phase> {
        let attempt = &self.attempts[index];
        let truth = attempt.truth();
        // Of a V2 payment one attempt alone can succeed. https://developers.portone.io/opi/ko/integration/start/v2/checkout
        let decided = attempt.portone == Portone::V2
            && self
                .of(&attempt.payment_id)
                .any(|other| other.id != attempt.id && other.truth().was_paid());
        let mut next = match truth.phase {
            Phase::Ready if attempt.portone == Portone::V2 => vec![
                Phase::Paid,
                Phase::Failed,
                Phase::Account,
                Phase::PayPending,
            ],
            Phase::Ready => vec![Phase::Paid, Phase::Failed, Phase::Account],
            Phase::Account | Phase::PayPending => vec![Phase::Paid, Phase::Failed],
            // Late approvals exist. https://developers.portone.io/opi/ko/integration/pg/v1/paypal
            Phase::Failed => vec![Phase::Paid],
            Phase::Paid if attempt.left() > 0 && attempt.portone == Portone::V1 => {
                vec![Phase::Cancelled, Phase::Cancelling]
            }
            Phase::Paid | Phase::Cancelling | Phase::Cancelled if attempt.left() > 0 => {
                vec![Phase::Cancelled]
            }
            Phase::Paid | Phase::Cancelling | Phase::Cancelled | Phase::Strange => Vec::new(),
        };
        if decided {
            next.retain(|phase| *phase == Phase::Failed);
        }
        next
    }

    /// Moves an attempt on; says whether it moved.
    pub fn advance(&mut self, index: usize, phase: Phase, now: i64, chance: &mut Chance) -> bool {
        if !self.next_phases(index).contains(&phase) {
            return false;
        }
        let attempt = &self.attempts[index];
        let (before, amount) = (attempt.truth(), attempt.amount());
        let left = attempt.left();
        let cancelled = match phase {
            Phase::Cancelled if chance.per_mille(500) => before.cancelled + left,
            Phase::Cancelled => before.cancelled + left.min(amount / 4),
            Phase::Ready
            | Phase::Account
            | Phase::PayPending
            | Phase::Failed
            | Phase::Paid
            | Phase::Cancelling
            | Phase::Strange => before.cancelled,
        };
        let view = View {
            phase,
            cancelled,
            paid_at: if phase == Phase::Paid {
                // PortOne counts whole seconds.
                Some(now / 1_000_000 * 1_000_000)
            } else {
                before.paid_at
            },
            account: before.account || phase == Phase::Account,
            changed_at: now,
        };
        let from = self.become_shown(index, view, now, true, chance);
        if cancelled > before.cancelled {
            self.give_back_in_the_console(index, cancelled - before.cancelled, from);
        }
        true
    }

    /// From when on the API shows a change of an attempt that happens now.
    fn shown_from(&self, index: usize, now: i64, chance: &mut Chance) -> i64 {
        let lag = if self.lags {
            i64::try_from(chance.below(LAG_MAX_MICROS)).unwrap_or_default()
        } else {
            0
        };
        let last = self.attempts[index].log.last();
        last.map_or(now + lag, |(last, _)| (now + lag).max(*last))
    }

    /// Says from when on the API shows it.
    fn become_shown(
        &mut self,
        index: usize,
        view: View,
        now: i64,
        tells: bool,
        chance: &mut Chance,
    ) -> i64 {
        let from = self.shown_from(index, now, chance);
        self.attempts[index].log.push((from, view));
        let attempt = &self.attempts[index];
        let claims = match view.phase {
            Phase::Ready | Phase::Account | Phase::Strange => "ready",
            Phase::PayPending => "pay_pending",
            Phase::Failed => "failed",
            Phase::Paid => "paid",
            Phase::Cancelling | Phase::Cancelled => "cancelled",
        };
        // V1 sends nothing for a window that was merely opened.
        let silent = view.phase == Phase::Ready && attempt.portone == Portone::V1;
        if !tells || silent {
            return from;
        }
        self.sent += 1;
        self.webhooks.push(Message {
            portone: attempt.portone,
            webhook_id: (attempt.portone == Portone::V2).then(|| format!("msg-{}", self.sent)),
            payment_id: attempt.payment_id.clone(),
            transaction_id: attempt.id.clone(),
            claims,
        });
        from
    }

    /// What the API answers to an ask, as the adapters of the shipped code put the calls together.
    #[must_use]
    pub fn answer(
        &self,
        portone: Portone,
        payment_id: &PaymentId,
        asked: Option<&TransactionId>,
        now: i64,
    ) -> Attempts {
        let shown = |attempt: &Attempt| {
            attempt
                .shown(now)
                .map(|view| self.record(attempt, view, asked))
        };
        let listed = || {
            self.of(payment_id)
                .filter(|attempt| attempt.portone == portone)
        };
        let mut records = Vec::new();
        match portone {
            Portone::V1 => {
                let own = asked
                    .and_then(|id| self.find(id))
                    .filter(|attempt| attempt.portone == Portone::V1)
                    .and_then(shown);
                let enough = own.as_ref().is_some_and(|record| {
                    record.payment_id != payment_id.as_str() || record.holds_money()
                });
                records.extend(own);
                if !enough {
                    for record in listed().filter_map(shown) {
                        if records
                            .iter()
                            .all(|known: &Record| known.transaction_id != record.transaction_id)
                        {
                            records.push(record);
                        }
                    }
                }
            }
            Portone::V2 => {
                let current = self.current(payment_id, now);
                records.extend(current.and_then(shown));
                let is_it = asked.is_none_or(|id| current.is_some_and(|found| found.id == *id));
                if current.is_some() && !is_it {
                    let others = listed()
                        .filter(|attempt| current.is_some_and(|found| found.id != attempt.id));
                    records.extend(others.filter_map(shown));
                }
            }
        }
        Attempts {
            records,
            complete: true,
        }
    }

    /// The attempt that V2 shows of a payment.
    fn current(&self, payment_id: &PaymentId, now: i64) -> Option<&Attempt> {
        self.attempts
            .iter()
            .filter(|attempt| attempt.payment_id == *payment_id)
            .filter(|attempt| attempt.portone == Portone::V2 && attempt.shown(now).is_some())
            .max_by_key(|attempt| attempt.shown(now).is_some_and(View::was_paid))
    }

    fn record(&self, attempt: &Attempt, view: View, asked: Option<&TransactionId>) -> Record {
        let amount = attempt.amount();
        let cancelled = view.cancelled;
        let real = self.mode == Mode::Live;
        Record {
            portone: Some(attempt.portone),
            store_id: match (attempt.portone, attempt.flaw) {
                (Portone::V1, _) => None,
                (Portone::V2, Flaw::OtherStore) => Some("store-theirs".to_owned()),
                (Portone::V2, _) => Some(STORE.to_owned()),
            },
            asked: asked.filter(|asked| **asked == attempt.id).cloned(),
            transaction_id: attempt.id.clone(),
            payment_id: attempt.payment_id.as_str().to_owned(),
            status: match view.phase {
                Phase::Ready | Phase::Account => Some(TransactionStatus::Ready),
                Phase::PayPending => Some(TransactionStatus::PayPending),
                Phase::Failed => Some(TransactionStatus::Failed),
                Phase::Paid => Some(TransactionStatus::Paid),
                Phase::Cancelling | Phase::Cancelled => Some(TransactionStatus::Cancelled),
                Phase::Strange => None,
            },
            reported: match attempt.portone {
                Portone::V1 => Reported::Major {
                    amount: Decimal::from(amount),
                    cancelled: Decimal::from(cancelled),
                },
                Portone::V2 => Reported::Minor { amount, cancelled },
            },
            currency: Some(match attempt.flaw {
                Flaw::Currency => "JPY".to_owned(),
                Flaw::None
                | Flaw::Cheap
                | Flaw::OtherChannel
                | Flaw::NoChannel
                | Flaw::OtherStore => "KRW".to_owned(),
            }),
            test: match attempt.flaw {
                Flaw::NoChannel => None,
                Flaw::OtherChannel => Some(real),
                Flaw::None | Flaw::Cheap | Flaw::Currency | Flaw::OtherStore => Some(!real),
            },
            pay_method: Some("card".to_owned()),
            pg_provider: Some("html5_inicis".to_owned()),
            approval_number: Some("30000001".to_owned()),
            method_name: None,
            fail_reason: None,
            receipt_url: Some(RECEIPT.to_owned()),
            pay_by: None,
            given_back_at: None,
            virtual_account: (view.account && !view.was_paid()).then(|| VirtualAccount {
                bank: "신한은행".to_owned(),
                account_number: "110-1".to_owned(),
                holder: None,
                expires_at: None,
            }),
            paid_at: view.paid_at.map(at),
        }
    }

    /// Writes down what an answer told a server.
    pub fn told(&mut self, answer: &Attempts) {
        for record in &answer.records {
            let Some(attempt) = self
                .attempts
                .iter_mut()
                .find(|attempt| attempt.id == record.transaction_id)
            else {
                continue;
            };
            match record.status {
                Some(TransactionStatus::Paid) => attempt.told_money = true,
                Some(TransactionStatus::Cancelled) if !record.reported.keeps_all() => {
                    attempt.told_money = true;
                    attempt.told_cancelled = true;
                }
                Some(TransactionStatus::Failed) => attempt.told_failed = true,
                Some(TransactionStatus::Ready) => {
                    attempt.told_account |= record.virtual_account.is_some();
                }
                Some(TransactionStatus::Cancelled | TransactionStatus::PayPending) | None => {}
            }
        }
    }

    /// Whether some attempt of a payment has told this.
    #[must_use]
    pub fn has_told(&self, payment_id: &PaymentId, what: impl Fn(&Attempt) -> bool) -> bool {
        self.of(payment_id).any(what)
    }

    /// The attempts of a payment for which the API shows money.
    pub fn with_money<'w>(
        &'w self,
        payment_id: &'w PaymentId,
        now: i64,
    ) -> impl Iterator<Item = &'w TransactionId> {
        let attempts = self.of(payment_id).filter(move |attempt| {
            let shown = attempt.shown(now);
            shown.is_some_and(|view| view.holds_money(attempt.amount()))
        });
        attempts.map(|attempt| &attempt.id)
    }
}
