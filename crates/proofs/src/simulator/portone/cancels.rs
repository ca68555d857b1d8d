//! Giving money back at the simulated PortOne: by a call of the shop's server, in the console, at once or later.

use wanryo::domain::evidence::Record;
use wanryo::domain::ids::{PaymentId, RefundId, TransactionId};
use wanryo::domain::money::{Currency, Money};
use wanryo::domain::order::Portone;
use wanryo::domain::refund::{Answer, Balance, Cancellation, Stage, Trouble};
use wanryo::domain::sweep::Listing;
use wanryo::ports::gateway::{CancelCall, GatewayError, Page};

use super::super::chance::Chance;
use super::{Attempt, Flaw, Phase, View, World};

/// Where every receipt lies. Nobody may see it who brings an order's number alone.
pub const RECEIPT: &str = "https://receipts.example/1";
/// How long V2 remembers an idempotency key. <https://developers.portone.io/api/rest-v2>
const KEY_MICROS: i64 = 3 * 3600 * 1_000_000;
/// From when the API shows what it does not show.
const NEVER: i64 = i64::MAX;
/// Payments of one page of a list. PortOne's are longer; the use of short ones is that there are several.
const PAGE: usize = 2;
/// Calls in a thousand that the gateway refuses.
const REFUSED: u64 = 100;
/// Calls in a thousand that the gateway decides about later.
const LATER: u64 = 300;
/// Decisions in a thousand that are a no; V1 has no word for it.
const FAILED: u64 = 300;

/// One cancellation of an attempt, whoever asked for it.
#[derive(Debug, Clone)]
pub struct Cancel {
    /// PortOne's id, when it tells one.
    pub id: Option<String>,
    /// How much.
    pub amount: i64,
    /// Which refund of the shop's asked for it; none was it the console.
    pub by: Option<RefundId>,
    /// How far it is, each with the time from which the API shows it.
    stages: Vec<(i64, Stage)>,
}

impl Cancel {
    /// How far it is, whether or not the API shows it yet.
    #[must_use]
    pub fn truth(&self) -> Stage {
        self.stages
            .last()
            .map_or(Stage::Failed, |(_, stage)| *stage)
    }

    /// Since when the API shows it, if it does.
    fn shown_since(&self) -> i64 {
        let shown = self.stages.iter().map(|(from, _)| *from);
        shown.min().unwrap_or(NEVER)
    }

    fn shown(&self, now: i64) -> Option<Stage> {
        let shown = self.stages.iter().rev().find(|(from, _)| *from <= now);
        shown.map(|(_, stage)| *stage)
    }
}

/// A call to give money back on its way to PortOne.
#[derive(Debug, Clone)]
pub struct OnTheWire {
    /// Told apart from the others by this.
    pub number: u64,
    /// Where to.
    pub portone: Portone,
    /// What.
    pub call: CancelCall,
    /// Whether whoever made it still waits for an answer.
    pub waits: bool,
}

/// What PortOne made of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// The money is back.
    AtOnce,
    /// The gateway decides later.
    Later,
    /// The balance is not the one that the call names.
    ByTheGuard,
    /// The gateway does not want to.
    ByTheGateway,
    /// The same call was answered before.
    Remembered,
}

fn refused(code: &str) -> Answer {
    Answer::Refused(Trouble {
        code: code.to_owned(),
        message: None,
    })
}

impl Attempt {
    fn in_stage(&self, stage: Stage) -> i64 {
        let cancels = self.cancels.iter().filter(|c| c.truth() == stage);
        cancels.map(|c| c.amount).sum()
    }

    /// What can still be given back.
    #[must_use]
    pub fn left(&self) -> i64 {
        let truth = self.truth();
        if truth.was_paid() {
            self.amount() - truth.cancelled - self.in_stage(Stage::UnderWay)
        } else {
            0
        }
    }

    /// What was given back.
    #[must_use]
    pub fn given_back(&self) -> i64 {
        self.in_stage(Stage::Done)
    }

    /// What a refund has given back, or is about to.
    pub fn cancels_by<'a>(&'a self, id: &'a RefundId) -> impl Iterator<Item = &'a Cancel> {
        self.cancels
            .iter()
            .filter(move |c| c.by.as_ref() == Some(id) && c.truth() != Stage::Failed)
    }

    /// Whether the API told of a cancellation by then, and tells of it still. V1 says that something is under way until a part is
    /// given back, and nothing of it from then on.
    #[must_use]
    pub fn tells_of(&self, cancel: &Cancel, by: i64, now: i64) -> bool {
        let says_under_way = self
            .shown(now)
            .is_some_and(|view| view.phase == Phase::Cancelling);
        let is_hidden =
            self.portone == Portone::V1 && cancel.truth() == Stage::UnderWay && !says_under_way;
        cancel.shown_since() <= by && !is_hidden
    }

    /// What it is over, and of which currency.
    fn currency(&self) -> Currency {
        if self.flaw == Flaw::Currency {
            Currency::parse("JPY").unwrap_or(Currency::KRW)
        } else {
            Currency::KRW
        }
    }
}

impl World {
    pub(super) fn give_back_in_the_console(&mut self, index: usize, amount: i64, from: i64) {
        let id = self.cancellation_id(self.attempts[index].portone);
        self.attempts[index].cancels.push(Cancel {
            id,
            amount,
            by: None,
            stages: vec![(from, Stage::Done)],
        });
    }

    /// V1 has an id for some of its cancellations.
    fn cancellation_id(&mut self, portone: Portone) -> Option<String> {
        self.cancelled += 1;
        let has_one = portone == Portone::V2 || self.cancelled.is_multiple_of(2);
        has_one.then(|| format!("cancellation-{}", self.cancelled))
    }

    /// Puts a call on the wire.
    pub fn send(&mut self, portone: Portone, call: &CancelCall) -> u64 {
        self.sent += 1;
        self.wire.push(OnTheWire {
            number: self.sent,
            portone,
            call: call.clone(),
            waits: true,
        });
        self.sent
    }

    /// A call arrives.
    pub fn cancel(&mut self, sent: &OnTheWire, now: i64, chance: &mut Chance) -> (Answer, Decided) {
        let OnTheWire { portone, call, .. } = sent;
        if *portone == Portone::V2
            && let Some((at, answer)) = self.remembered.get(&call.refund_id)
            && now - at < KEY_MICROS
        {
            return (answer.clone(), Decided::Remembered);
        }
        let (answer, decided) = self.decide_about(*portone, call, now, chance);
        self.remembered
            .insert(call.refund_id.clone(), (now, answer.clone()));
        (answer, decided)
    }

    fn decide_about(
        &mut self,
        portone: Portone,
        call: &CancelCall,
        now: i64,
        chance: &mut Chance,
    ) -> (Answer, Decided) {
        let found = self.attempts.iter().position(|attempt| {
            attempt.id == call.transaction_id
                && attempt.payment_id == call.payment_id
                && attempt.portone == portone
        });
        let Some(index) = found else {
            return (refused("not_found"), Decided::ByTheGuard);
        };
        let (left, amount) = (self.attempts[index].left(), call.amount.minor());
        if left != call.guard.minor || amount > left {
            return (refused("balance"), Decided::ByTheGuard);
        }
        if chance.per_mille(REFUSED) {
            return (refused("gateway"), Decided::ByTheGateway);
        }
        let id = self.cancellation_id(portone);
        let mut cancel = Cancel {
            id: id.clone(),
            amount,
            by: Some(call.refund_id.clone()),
            stages: Vec::new(),
        };
        let decided = if chance.per_mille(LATER) {
            let from = self.begin_to_give_back(index, now, chance);
            cancel.stages.push((from, Stage::UnderWay));
            Decided::Later
        } else {
            let from = self.take_off(index, amount, now, chance);
            cancel.stages.push((from, Stage::Done));
            Decided::AtOnce
        };
        self.attempts[index].cancels.push(cancel);
        let told = match (portone, decided) {
            // V1 tells an id once there is an entry.
            (Portone::V1, Decided::Later) => None,
            _ => id,
        };
        (
            Answer::Taken {
                cancellation_id: told,
            },
            decided,
        )
    }

    /// V1 says `cancelled` as soon as the gateway has been asked, and nothing more of what comes after a part was given back.
    fn begin_to_give_back(&mut self, index: usize, now: i64, chance: &mut Chance) -> i64 {
        let truth = self.attempts[index].truth();
        match (self.attempts[index].portone, truth.phase) {
            (Portone::V1, Phase::Paid) => {
                let view = View {
                    phase: Phase::Cancelling,
                    changed_at: now,
                    ..truth
                };
                self.become_shown(index, view, now, false, chance)
            }
            (Portone::V1, _) => NEVER,
            (Portone::V2, _) => self.shown_from(index, now, chance),
        }
    }

    fn take_off(&mut self, index: usize, amount: i64, now: i64, chance: &mut Chance) -> i64 {
        let truth = self.attempts[index].truth();
        let view = View {
            phase: Phase::Cancelled,
            cancelled: truth.cancelled + amount,
            changed_at: now,
            ..truth
        };
        // V1 tells of what its API has cancelled when it was told to, and nobody tells it to.
        let tells = self.attempts[index].portone == Portone::V2;
        self.become_shown(index, view, now, tells, chance)
    }

    /// The cancellations that a gateway has not decided about: attempt, and place in it.
    #[must_use]
    pub fn undecided(&self) -> Vec<(usize, usize)> {
        let attempts = self.attempts.iter().enumerate();
        attempts
            .flat_map(|(index, attempt)| {
                let cancels = attempt.cancels.iter().enumerate();
                cancels
                    .filter(|(_, cancel)| cancel.truth() == Stage::UnderWay)
                    .map(move |(place, _)| (index, place))
            })
            .collect()
    }

    /// A gateway decides about a cancellation.
    pub fn decide(
        &mut self,
        (index, place): (usize, usize),
        now: i64,
        chance: &mut Chance,
    ) -> Stage {
        let amount = self.attempts[index].cancels[place].amount;
        let may_fail = self.attempts[index].portone == Portone::V2;
        let (from, stage) = if may_fail && chance.per_mille(FAILED) {
            (self.shown_from(index, now, chance), Stage::Failed)
        } else {
            (self.take_off(index, amount, now, chance), Stage::Done)
        };
        self.attempts[index].cancels[place]
            .stages
            .push((from, stage));
        stage
    }

    /// What can be given back of a transaction, and what was.
    ///
    /// # Errors
    /// When the API knows no such transaction of the payment.
    pub fn balance(
        &self,
        portone: Portone,
        payment_id: &PaymentId,
        transaction_id: &TransactionId,
        now: i64,
    ) -> Result<Balance, GatewayError> {
        let attempt = match portone {
            Portone::V1 => self
                .find(transaction_id)
                .filter(|attempt| attempt.portone == Portone::V1),
            Portone::V2 => self.current(payment_id, now),
        };
        let shown = attempt.and_then(|attempt| Some((attempt, attempt.shown(now)?)));
        let (attempt, view) = shown.ok_or(GatewayError::Refused)?;
        if attempt.id != *transaction_id || attempt.payment_id != *payment_id {
            return Err(GatewayError::Garbled);
        }
        let mut cancellations: Vec<Cancellation> = attempt
            .cancels
            .iter()
            .filter_map(|cancel| {
                Some(Cancellation {
                    id: cancel.id.clone(),
                    amount_minor: cancel.amount,
                    stage: cancel.shown(now)?,
                })
            })
            // V1 lists what is over.
            .filter(|c| portone == Portone::V2 || c.stage == Stage::Done)
            .collect();
        // As the adapter says it: something is under way.
        if portone == Portone::V1 && view.phase == Phase::Cancelling {
            cancellations.push(Cancellation {
                id: None,
                amount_minor: 0,
                stage: Stage::UnderWay,
            });
        }
        let under_way = cancellations
            .iter()
            .filter(|c| c.stage == Stage::UnderWay)
            .map(|c| c.amount_minor);
        let (paid, reserved_minor) = if view.was_paid() {
            (attempt.amount(), view.cancelled + under_way.sum::<i64>())
        } else {
            (0, 0)
        };
        Ok(Balance {
            tax_free_minor: None,
            cancellable: Money {
                minor: paid - reserved_minor,
                currency: attempt.currency(),
            },
            reserved_minor,
            cancellations,
        })
    }

    /// One page of the payments that came to a state within some time.
    #[must_use]
    pub fn list(
        &self,
        portone: Portone,
        listing: Listing,
        (from, until): (i64, i64),
        page: u32,
        now: i64,
    ) -> Page {
        let mut listed: Vec<(i64, &Attempt, View)> = self
            .attempts
            .iter()
            .filter(|attempt| attempt.portone == portone)
            .filter_map(|attempt| Some((attempt, attempt.shown(now)?)))
            .filter(|(_, view)| match listing {
                Listing::Paid => view.phase == Phase::Paid,
                Listing::Cancelled => {
                    matches!(view.phase, Phase::Cancelling | Phase::Cancelled)
                }
            })
            .map(|(attempt, view)| (view.changed_at, attempt, view))
            .filter(|(at, ..)| (from..=until).contains(at))
            .collect();
        listed.sort_by_key(|(at, attempt, _)| (*at, attempt.id.clone()));
        let begin = usize::try_from(page).unwrap_or(usize::MAX) * PAGE;
        let records: Vec<Record> = listed
            .iter()
            .skip(begin)
            .take(PAGE)
            .map(|(_, attempt, view)| self.record(attempt, *view, None))
            .collect();
        Page {
            more: listed.len() > begin + records.len(),
            total: Some(listed.len() as u64),
            records,
            unread: false,
        }
    }
}
