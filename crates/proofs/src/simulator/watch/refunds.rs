//! Money goes back once, for what is on disk, and never more than is there: what must be true of every refund, of every call
//! that gives money back, and of all of them once the world has come to rest.

use wanryo::domain::history::{Actor, Entry, EntryKind};
use wanryo::domain::ids::TransactionId;
use wanryo::domain::order::Portone;
use wanryo::domain::refund::{Answer, OnMismatch, Refund, RefundState, SETTLED, Stage};
use wanryo::ports::gateway::CancelCall;
use wanryo::ports::store::{Intended, Moved};

use super::super::chance::Chance;
use super::super::coverage::Deed;
use super::super::portone::{Attempt, Decided, OnTheWire, Phase};
use super::super::world::World;
use super::{HOUR, SECOND, is_good};

/// Where refunds of deposits go in this world. Personal data: nobody may find it but PortOne.
pub const ACCOUNT: &str = "999-88-77777";

/// The calls that were made for one refund.
#[derive(Debug)]
pub(super) struct Called {
    /// When the last one was made.
    began: i64,
    /// PortOne may have seen it.
    may_be_seen: bool,
}

fn note_of(state: RefundState) -> Option<EntryKind> {
    match state {
        RefundState::InDoubt => Some(EntryKind::RefundInDoubt),
        RefundState::Done => Some(EntryKind::RefundDone),
        RefundState::Refused => Some(EntryKind::RefundRefused),
        RefundState::NotDone => Some(EntryKind::RefundNotDone),
        RefundState::Intended | RefundState::Calling | RefundState::Requested => None,
    }
}

fn tells_the_account(entry: &Entry) -> bool {
    entry.data.to_string().contains(ACCOUNT)
}

impl World {
    /// Whether a refund of a transaction may still give money back.
    #[must_use]
    pub fn is_under_way(&self, id: &TransactionId) -> bool {
        let mut refunds = self.tables.refunds.iter();
        refunds.any(|r| r.transaction_id == *id && r.state.is_in_flight())
    }

    fn breaks_for(&mut self, rule: &'static str, refund: &Refund) {
        let detail = format!(
            "{} of {}, {} of {}",
            refund.id,
            refund.transaction_id,
            refund.amount.minor(),
            refund.guard_minor
        );
        self.breaks(rule, detail);
    }

    /// Writes an intent, and looks at it.
    pub fn intend(&mut self, refund: &Refund, entry: &Entry) -> Intended {
        let under_way = self.is_under_way(&refund.transaction_id);
        let same_request = self.tables.refunds.iter().any(|there| {
            there.payment_id == refund.payment_id
                && there.reason == refund.reason
                && there.requested_by == refund.requested_by
                && there.transaction_id == refund.transaction_id
        });
        let intended = self.tables.intend(refund, entry);
        match &intended {
            Intended::Written => {}
            Intended::KeyInUse(_) => {
                self.did(Deed::SameRequestAtOnce);
                return intended;
            }
            Intended::NameInUse => return intended,
            Intended::UnderWay => {
                self.did(Deed::TwoAtOnce);
                return intended;
            }
            Intended::TooMuch => {
                self.did(Deed::MoreThanStored);
                return intended;
            }
        }
        self.note("refund", &[refund.amount.minor()], || {
            format!(
                "{} of {} by {}, {} of {}",
                refund.id,
                refund.transaction_id,
                refund.requested_by,
                refund.amount.minor(),
                refund.guard_minor
            )
        });
        if under_way {
            self.breaks_for("I8 one refund of a payment is under way", refund);
        }
        if same_request {
            self.breaks_for("I8 the same request is the same refund", refund);
        }
        if refund.amount.minor() > refund.guard_minor {
            self.breaks_for("I8 no more is given back than is there", refund);
        }
        if refund.state != RefundState::Intended || refund.next_at.is_none() {
            self.breaks_for("I8 a refund begins with its intent", refund);
        }
        if entry.kind != EntryKind::RefundRequested || tells_the_account(entry) {
            self.breaks_for("I13 the history tells of a refund and no account", refund);
        }
        let Some(attempt) = self.portone.find(&refund.transaction_id).cloned() else {
            self.breaks_for("I8 what is given back was paid", refund);
            return intended;
        };
        if !attempt.told_money || attempt.payment_id != refund.payment_id {
            self.breaks_for("I8 what is given back was paid", refund);
        }
        if refund.requested_by == Actor::Policy.to_text() {
            self.did(Deed::ByPolicy);
            let order = self.tables.find(&refund.payment_id).map(|s| &s.order);
            let unwanted = order.is_some_and(|order| !is_good(order, &attempt));
            if self.policy != OnMismatch::Refund || !unwanted {
                self.breaks_for("I8 no money moves by itself", refund);
            }
        }
        intended
    }

    /// A server calls PortOne to give money back. Returns what the call is known by on the wire.
    pub fn call_to_give_back(&mut self, portone: Portone, call: &CancelCall) -> u64 {
        let (now, id) = (self.now, call.refund_id.clone());
        self.note("call to give back", &[call.amount.minor()], || {
            format!("{id}, {} of {}", call.amount.minor(), call.guard.minor)
        });
        match self.tables.refund(&id).cloned() {
            Some(stored)
                if stored.state == RefundState::Calling || stored.state == RefundState::InDoubt =>
            {
                let same = stored.amount == call.amount
                    && stored.guard_minor == call.guard.minor
                    && stored.transaction_id == call.transaction_id
                    && stored.payment_id == call.payment_id;
                if !same {
                    self.breaks_for("I8 a call says what its intent says", &stored);
                }
            }
            // Whoever was given up may call late, when nothing was seen of it for an hour.
            Some(stored) if stored.state == RefundState::NotDone => {}
            Some(_) | None => {
                let detail = format!("{id} of {}", call.transaction_id);
                self.breaks("I8 a call is on disk before it is made", detail);
            }
        }
        if self.watch.calls.get(&id).is_some_and(|c| c.may_be_seen) {
            let detail = format!("{id} of {}", call.transaction_id);
            self.breaks("I8 a call without an answer is not made again", detail);
        }
        let called = Called {
            began: now,
            may_be_seen: true,
        };
        if self.watch.calls.insert(id, called).is_some() {
            self.did(Deed::CallTriedAgain);
        }
        self.portone.send(portone, call)
    }

    fn take_off_the_wire(&mut self, number: u64) -> Option<OnTheWire> {
        let place = self.portone.wire.iter().position(|c| c.number == number)?;
        Some(self.portone.wire.remove(place))
    }

    /// A call ended before it left.
    pub fn call_was_not_made(&mut self, number: u64) {
        if let Some(sent) = self.take_off_the_wire(number)
            && let Some(called) = self.watch.calls.get_mut(&sent.call.refund_id)
        {
            called.may_be_seen = false;
        }
    }

    /// A call arrives at PortOne, now or long after whoever made it has gone.
    pub fn call_arrives(&mut self, number: u64) -> Option<Answer> {
        let sent = self.take_off_the_wire(number)?;
        let now = self.now;
        let (answer, decided) = self.portone.cancel(&sent, now, &mut self.chance);
        self.note("call arrives", &[decided as i64], || {
            format!(
                "{} of {}: {decided:?}",
                sent.call.refund_id, sent.call.transaction_id
            )
        });
        match decided {
            Decided::AtOnce => self.did(Deed::GivenBackAtOnce),
            Decided::Later => self.did(Deed::GivenBackLater),
            Decided::ByTheGuard => self.did(Deed::RefusedByTheGuard),
            Decided::ByTheGateway => self.did(Deed::RefusedByTheGateway),
            Decided::Remembered => {}
        }
        if !sent.waits {
            self.did(Deed::LateCall);
        }
        Some(answer)
    }

    /// A gateway decides about a cancellation that it has taken.
    pub fn gateway_decides(&mut self, which: (usize, usize), chance: &mut Chance) {
        let now = self.now;
        let stage = self.portone.decide(which, now, chance);
        self.note("gateway", &[stage as i64], || {
            format!("decides about a refund: {stage:?}")
        });
        if stage == Stage::Failed {
            self.did(Deed::DecidedAgainst);
        }
    }

    /// What a console began to give back is given back where a refund waits to hear of it.
    pub fn consoles_end(&mut self) {
        let refunds = self.tables.refunds.iter();
        let awaited: Vec<TransactionId> = refunds
            .filter(|refund| refund.state.is_in_flight())
            .map(|refund| refund.transaction_id.clone())
            .collect();
        let attempts = self.portone.attempts.iter().enumerate();
        let begun: Vec<usize> = attempts
            .filter(|(_, attempt)| {
                attempt.truth().phase == Phase::Cancelling && awaited.contains(&attempt.id)
            })
            .map(|(index, _)| index)
            .collect();
        for index in begun {
            let now = self.now;
            self.portone
                .advance(index, Phase::Cancelled, now, &mut self.chance);
        }
    }

    /// Writes a refund's state, and looks at it.
    pub fn move_refund(&mut self, refund: &Refund, entry: Option<&Entry>) -> Moved {
        let before = self.tables.refund(&refund.id).cloned();
        let moved = self.tables.move_refund(refund, entry);
        if let (Moved::Done, Some(before)) = (&moved, before) {
            self.refund_moved(&before, refund, entry);
        }
        moved
    }

    fn refund_moved(&mut self, before: &Refund, refund: &Refund, entry: Option<&Entry>) {
        let (old, new) = (before.state, refund.state);
        self.note("refund", &[new as i64], || {
            format!("{} is {}", refund.id, new.as_str())
        });
        if !old.is_in_flight() {
            self.breaks_for("I8 a refund that is over stays so", refund);
        }
        if new.is_in_flight() && refund.next_at.is_none() {
            self.breaks_for("I15 what may still change has a next time", refund);
        }
        if refund.account.is_some() && !matches!(new, RefundState::Intended | RefundState::Calling)
        {
            self.breaks_for("I13 an account goes when the call was answered", refund);
        }
        if entry.is_some_and(tells_the_account) {
            self.breaks_for("I13 the history tells of a refund and no account", refund);
        }
        if old == new {
            return;
        }
        if note_of(new).is_some_and(|kind| entry.is_none_or(|entry| entry.kind != kind)) {
            self.breaks_for("I5 a change and its history are one", refund);
        }
        let Some(attempt) = self.portone.find(&refund.transaction_id).cloned() else {
            return;
        };
        match new {
            RefundState::Intended | RefundState::Calling => {}
            RefundState::Requested => self.did(Deed::RefundRequested),
            RefundState::InDoubt => {
                self.did(Deed::RefundInDoubt);
                let now = self.now;
                self.watch.in_doubt.entry(refund.id.clone()).or_insert(now);
            }
            RefundState::Done => {
                self.did(Deed::RefundDone);
                self.is_done(refund, &attempt);
            }
            RefundState::Refused => {
                self.did(Deed::RefundRefused);
                self.gave_nothing_back(refund, &attempt);
            }
            RefundState::NotDone => {
                self.did(Deed::RefundNotDone);
                self.is_not_done(refund, &attempt);
            }
        }
    }

    /// PortOne shows the money, and so does the order.
    fn is_done(&mut self, refund: &Refund, attempt: &Attempt) {
        let done: i64 = self
            .tables
            .refunds
            .iter()
            .filter(|r| r.transaction_id == refund.transaction_id && r.state == RefundState::Done)
            .map(|r| r.amount.minor())
            .sum();
        if done > attempt.given_back() {
            self.breaks_for("I8 a refund is done when PortOne shows it", refund);
        }
        let stored = self.tables.find(&refund.payment_id).and_then(|snapshot| {
            let mut transactions = snapshot.transactions.iter();
            transactions.find(|t| t.transaction_id == refund.transaction_id)
        });
        if stored.is_none_or(|t| t.cancelled_minor < done) {
            self.breaks_for("I8 a refund is done when its order shows it", refund);
        }
    }

    fn gave_nothing_back(&mut self, refund: &Refund, attempt: &Attempt) {
        if attempt.cancels_by(&refund.id).next().is_some() {
            self.breaks_for("I8 what was refused gave nothing back", refund);
        }
    }

    /// It was looked for long enough, can give nothing back any more, or was never seen.
    fn is_not_done(&mut self, refund: &Refund, attempt: &Attempt) {
        let since = self.watch.in_doubt.get(&refund.id).copied();
        let by = since.unwrap_or(self.now);
        let shown = attempt
            .cancels_by(&refund.id)
            .any(|cancel| attempt.tells_of(cancel, by, self.now));
        if shown {
            self.breaks_for("I8 what was given back is not called not done", refund);
        }
        let own: i64 = attempt.cancels_by(&refund.id).map(|c| c.amount).sum();
        let overtaken = attempt.left() + own != refund.guard_minor;
        let by_a_person = refund.trouble.as_ref().is_some_and(|t| t.code == SETTLED);
        if by_a_person && !overtaken {
            self.breaks_for("I8 only what cannot be known waits for a person", refund);
        }
        let slack = 2 * self.profile.skew + 2 * SECOND;
        let (waited, unseen) = match self.watch.calls.get(&refund.id) {
            Some(called) => (self.now - called.began + slack >= HOUR, !called.may_be_seen),
            // The server died between writing that it calls and calling.
            None => (true, true),
        };
        if !(overtaken || waited || unseen) {
            self.breaks_for("I8 a refund in doubt is looked for an hour long", refund);
        }
    }

    /// Nothing is under way any more.
    pub(super) fn refunds_at_rest(&mut self) {
        for refund in self.tables.refunds.clone() {
            if refund.state.is_in_flight() {
                self.breaks_for("I8 every refund comes to an end", &refund);
            }
            if refund.state == RefundState::Refused
                && let Some(attempt) = self.portone.find(&refund.transaction_id).cloned()
            {
                self.gave_nothing_back(&refund, &attempt);
            }
        }
        let over = self
            .portone
            .attempts
            .iter()
            .find(|attempt| attempt.given_back() > attempt.amount());
        if let Some(id) = over.map(|attempt| attempt.id.clone()) {
            self.breaks("I8 no more is given back than is there", id.to_string());
        }
    }
}
