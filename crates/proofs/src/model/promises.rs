//! What must hold, written down a second time and without the product's help: from what PortOne's side of the model really is, from
//! what a row says and from what was told. Nothing here calls `wanryo::domain` to judge `wanryo::domain`.

use std::fmt;
use std::sync::Arc;

use wanryo::domain::event::EventType;
use wanryo::domain::order::OrderStatus;
use wanryo::domain::outcome::Outcome;
use wanryo::domain::transaction::{TransactionStatus, Verdict};

use super::product::{Digest, Seen, Told};
use super::world::{Means, PAYMENTS_MAX, PRICE, Payment, Phase, Upstream, at};

/// A promise. What each says in full stands at the function that looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Promise {
    /// A page says "paid", "failed" or "given back" only when it is so.
    PageTrue,
    /// A row is paid only by a payment that is good in every respect and whose money arrived.
    PaidProven,
    /// One payment pays an order, and each further one is kept for a person to see.
    OnePays,
    /// What is known of a payment never goes back.
    NeverBack,
    /// Events are written with the change that they tell of, once, and none of them lies.
    Told,
    /// When everything goes quiet, each order mirrors PortOne.
    Mirrors,
    /// Not knowing is not failing.
    UnknownIsNotFailed,
    /// An order ends only after PortOne said that nothing was paid in time.
    EndedKnowing,
    /// A webhook that was acknowledged is not lost.
    AcknowledgedKept,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PageTrue => "a page says paid, failed or given back only when it is so (I1)",
            Self::PaidProven => "paid only by a payment that is good and whose money arrived (I2)",
            Self::OnePays => "one payment pays, each further one is kept for a person (I3)",
            Self::NeverBack => "what is known of a payment never goes back (I4)",
            Self::Told => "events are written with their change, once, and none lies (I5)",
            Self::Mirrors => "when everything goes quiet each order mirrors PortOne (I7)",
            Self::UnknownIsNotFailed => "not knowing is not failing (I9)",
            Self::EndedKnowing => "an order ends only after PortOne said that nothing was paid",
            Self::AcknowledgedKept => "a webhook that was acknowledged is not lost (I10)",
        })
    }
}

/// Everything about one order that the promises look at.
pub struct Facts<'a> {
    /// The configuration's payments.
    pub payments: &'a [Payment],
    /// What they are at PortOne.
    pub upstream: &'a [Upstream; PAYMENTS_MAX],
    /// What the row says.
    pub row: Digest,
}

impl Facts<'_> {
    /// The order's own payments that exist at PortOne.
    fn own(&self) -> impl Iterator<Item = (usize, Payment, Upstream)> + '_ {
        let all = self.payments.iter().copied().zip(self.upstream).enumerate();
        all.filter(|(_, (payment, upstream))| {
            payment.order == self.row.order && upstream.phase != Phase::Absent
        })
        .map(|(index, (payment, upstream))| (index, payment, *upstream))
    }

    /// Whether a payment's money arrived before the order ended. A payment in the very second of the end came late.
    fn in_time(&self, upstream: Upstream) -> bool {
        let paid_at = at(upstream.paid_at);
        let before = |end: Option<jiff::Timestamp>| end.is_none_or(|end| paid_at < end);
        before(self.row.deadline) && before(self.row.closed_at)
    }

    /// I1–I4, I9 of the row alone: nothing in it is ahead of PortOne, or other than PortOne has it.
    #[must_use]
    pub fn row_is_true(&self) -> Option<Promise> {
        let row = &self.row;
        if row.strange {
            return Some(Promise::PaidProven);
        }
        let mut accepted = 0;
        for (index, seen) in row.seen.iter().enumerate() {
            let Some(seen) = seen else { continue };
            let Some(payment) = self.payments.get(index) else {
                return Some(Promise::PaidProven);
            };
            let upstream = self.upstream[index];
            if let Some(broken) = self.seen_is_true(*payment, upstream, *seen) {
                return Some(broken);
            }
            if seen.verdict == Verdict::Accepted {
                accepted += 1;
                if row.accepted != Some(index) || row.refunded != seen.cancelled {
                    return Some(Promise::PaidProven);
                }
            }
        }
        let says_paid = match row.status {
            OrderStatus::Paid | OrderStatus::PartiallyRefunded | OrderStatus::Refunded => true,
            OrderStatus::Open
            | OrderStatus::AwaitingDeposit
            | OrderStatus::Held
            | OrderStatus::Expired
            | OrderStatus::Closed => false,
        };
        if accepted > 1 {
            return Some(Promise::OnePays);
        }
        if says_paid != (accepted == 1) || says_paid != row.accepted.is_some() {
            return Some(Promise::PaidProven);
        }
        let duplicate = |seen: &Seen| seen.verdict == Verdict::Duplicate;
        if accepted == 0 && row.seen.iter().flatten().any(duplicate) {
            return Some(Promise::OnePays);
        }
        // Not watched is an order that was given back whole, and nothing else within the model's time.
        if !row.watched && row.status != OrderStatus::Refunded {
            return Some(Promise::Mirrors);
        }
        None
    }

    fn seen_is_true(&self, payment: Payment, upstream: Upstream, seen: Seen) -> Option<Promise> {
        let good = payment.flaw.is_none();
        let money_came = upstream.phase.was_paid();
        let says_money = match seen.status {
            TransactionStatus::Paid | TransactionStatus::Cancelled => true,
            TransactionStatus::Ready | TransactionStatus::PayPending => false,
            TransactionStatus::Failed => {
                return (!upstream.declined || seen.verdict != Verdict::Failed)
                    .then_some(Promise::UnknownIsNotFailed);
            }
        };
        let belongs = payment.order == self.row.order;
        let ahead =
            (says_money && !money_came) || seen.cancelled > payment.returned_minor(upstream.phase);
        let verdict_right = match seen.verdict {
            Verdict::Accepted => good && says_money && self.in_time(upstream),
            Verdict::Late => good && says_money && !self.in_time(upstream),
            Verdict::Duplicate => good && says_money,
            Verdict::Held => !good,
            Verdict::Failed => false,
            Verdict::Pending => !says_money,
            Verdict::AwaitingDeposit => good && !says_money && payment.means == Means::Account,
        };
        (!belongs || ahead || !verdict_right).then_some(Promise::PaidProven)
    }

    /// I7: the row after PortOne was asked once more says all that PortOne knows.
    #[must_use]
    pub fn mirrors(&self, now: u8) -> bool {
        let row = &self.row;
        if row.status == OrderStatus::Refunded && !row.watched {
            return true;
        }
        let each = self.own().all(|(index, payment, upstream)| {
            let Some(seen) = row.seen[index] else {
                return false;
            };
            let returned = payment.returned_minor(upstream.phase);
            // PortOne says "cancelled" and gives nothing back yet: what is known stays.
            let undecided = upstream.phase == Phase::Returning;
            let status_right = undecided
                || match upstream.phase {
                    Phase::Ready | Phase::Issued | Phase::Absent => {
                        seen.status == TransactionStatus::Ready
                    }
                    // First seen like this it looks like a payment that is being given back: nobody is told to pay again.
                    Phase::Withdrawn => matches!(
                        seen.status,
                        TransactionStatus::Ready | TransactionStatus::PayPending
                    ),
                    Phase::Failed => seen.status == TransactionStatus::Failed,
                    Phase::Paid | Phase::Returning => seen.status == TransactionStatus::Paid,
                    Phase::PartlyReturned | Phase::Returned => {
                        seen.status == TransactionStatus::Cancelled
                    }
                };
            status_right && (undecided || seen.cancelled == returned)
        });
        let good_came = self.own().any(|(_, payment, upstream)| {
            payment.flaw.is_none()
                && upstream.phase.was_paid()
                && upstream.phase != Phase::Returning
                && self.in_time(upstream)
        });
        each && (!good_came || row.accepted.is_some()) && row.status == self.status(now)
    }

    /// Where an order stands that says what this row says.
    fn status(&self, now: u8) -> OrderStatus {
        let row = &self.row;
        let seen = |verdict| {
            row.seen
                .iter()
                .flatten()
                .filter(move |s| s.verdict == verdict)
        };
        let over = row.deadline.is_some_and(|end| end <= at(now));
        if row.accepted.is_some() {
            match row.refunded {
                0 => OrderStatus::Paid,
                part if part < PRICE => OrderStatus::PartiallyRefunded,
                _ => OrderStatus::Refunded,
            }
        } else if seen(Verdict::Held).any(|s| s.holds_money) {
            OrderStatus::Held
        } else if row.closed_at.is_some() {
            OrderStatus::Closed
        } else if row.expired || over {
            OrderStatus::Expired
        } else if seen(Verdict::AwaitingDeposit).next().is_some() {
            OrderStatus::AwaitingDeposit
        } else {
            OrderStatus::Open
        }
    }

    /// An order ends by its deadline only when nothing good was paid before it. A payment that is being given back with a delay
    /// is no payment by PortOne's words for as long as that takes, and may have been at it when the order was asked about.
    #[must_use]
    pub fn may_expire(&self) -> bool {
        !self.own().any(|(_, payment, upstream)| {
            let undecided = match upstream.phase {
                Phase::Returning => true,
                Phase::Returned => payment.means == Means::Slow,
                Phase::Absent
                | Phase::Ready
                | Phase::Issued
                | Phase::Withdrawn
                | Phase::Failed
                | Phase::Paid
                | Phase::PartlyReturned => false,
            };
            payment.flaw.is_none()
                && upstream.phase.was_paid()
                && !undecided
                && self.in_time(upstream)
        })
    }
}

/// I4: how far along each payment is, what was given back and a verdict that was settled only ever grow.
#[must_use]
pub fn went_back(before: &Digest, after: &Digest) -> bool {
    let rank = |status| match status {
        TransactionStatus::Ready => 0,
        TransactionStatus::PayPending => 1,
        TransactionStatus::Failed => 2,
        TransactionStatus::Paid => 3,
        TransactionStatus::Cancelled => 4,
    };
    let settled = |verdict| match verdict {
        Verdict::Accepted | Verdict::Duplicate | Verdict::Late => true,
        Verdict::Pending | Verdict::AwaitingDeposit | Verdict::Failed | Verdict::Held => false,
    };
    before.seen.iter().zip(&after.seen).any(|pair| match pair {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(old), Some(new)) => {
            (rank(new.status), new.cancelled) < (rank(old.status), old.cancelled)
                || (settled(old.verdict) && new.verdict != old.verdict)
        }
    }) || (before.closed_at.is_some() && after.closed_at != before.closed_at)
        || (before.expired && !after.expired)
}

/// I5: the outbox tells of everything that the row has come to, once, and of nothing else.
#[must_use]
pub fn told_truly(row: &Digest, told: &[Arc<Told>]) -> bool {
    let mut due: Vec<(EventType, Option<usize>)> = Vec::new();
    for (index, seen) in row.seen.iter().enumerate() {
        let Some(seen) = seen else { continue };
        match seen.verdict {
            Verdict::Accepted => {
                if seen.cancelled < PRICE {
                    due.push((EventType::OrderPaid, Some(index)));
                }
                if seen.cancelled >= PRICE {
                    due.push((EventType::OrderRefunded, Some(index)));
                } else if seen.cancelled > 0 {
                    due.push((EventType::OrderPartiallyRefunded, Some(index)));
                }
            }
            Verdict::Duplicate => due.push((EventType::OrderDuplicatePayment, Some(index))),
            Verdict::Late => due.push((EventType::OrderLatePayment, Some(index))),
            Verdict::Held if seen.holds_money => due.push((EventType::OrderHeld, Some(index))),
            Verdict::Failed => due.push((EventType::OrderPaymentFailed, Some(index))),
            Verdict::AwaitingDeposit => {
                due.push((EventType::OrderVirtualAccountIssued, Some(index)));
            }
            Verdict::Held | Verdict::Pending => {}
        }
    }
    if row.expired {
        due.push((EventType::OrderExpired, None));
    }
    let key = |event: &Told| (event.event_type, event.payment, event.refunded);
    let twice = told
        .iter()
        .enumerate()
        .any(|(at, event)| told[..at].iter().any(|earlier| key(earlier) == key(event)));
    let all_due = due.iter().all(|(event_type, payment)| {
        told.iter()
            .any(|event| event.event_type == *event_type && event.payment == *payment)
    });
    let lies = told.iter().any(|event| {
        let seen = event
            .payment
            .and_then(|index| row.seen.get(index).copied().flatten());
        let verdict = seen.map(|seen| seen.verdict);
        match event.event_type {
            EventType::OrderPaid | EventType::OrderRefunded | EventType::OrderPartiallyRefunded => {
                verdict != Some(Verdict::Accepted)
            }
            EventType::OrderDuplicatePayment => verdict != Some(Verdict::Duplicate),
            EventType::OrderLatePayment => verdict != Some(Verdict::Late),
            EventType::OrderHeld => verdict != Some(Verdict::Held),
            EventType::OrderExpired => !row.expired,
            // A declined payment may be approved later, and an account be paid: these were true when they were told.
            EventType::OrderPaymentFailed | EventType::OrderVirtualAccountIssued => seen.is_none(),
        }
    });
    all_due && !twice && !lies
}

/// I1, I9: what a page may say over a row. `answered` says whether PortOne answered to this very ask.
#[must_use]
pub fn page_is_true(
    row: &Digest,
    asked: Option<usize>,
    answered: bool,
    now: u8,
    (outcome, subject): (Outcome, Option<usize>),
) -> bool {
    let spoken_of = subject.and_then(|index| row.seen[index]);
    let verdict = spoken_of.map(|seen| seen.verdict);
    let any_money = row.seen.iter().flatten().any(|seen| seen.holds_money);
    let payable = matches!(row.status, OrderStatus::Open | OrderStatus::AwaitingDeposit);
    let unseen = asked.is_some_and(|index| row.seen[index].is_none());
    match outcome {
        Outcome::Paid => {
            row.status == OrderStatus::Paid && subject.is_some() && subject == row.accepted
        }
        Outcome::PartiallyRefunded => {
            row.status == OrderStatus::PartiallyRefunded && subject == row.accepted
        }
        Outcome::Refunded => spoken_of.is_some_and(|seen| seen.cancelled > 0 && !seen.holds_money),
        Outcome::Failed(_) => {
            answered && !any_money && verdict == Some(Verdict::Failed) && !(unseen && payable)
        }
        Outcome::Pending => answered && !any_money,
        Outcome::VirtualAccountIssued => {
            verdict == Some(Verdict::AwaitingDeposit)
                && payable
                && row.deadline.is_none_or(|end| at(now) < end)
        }
        Outcome::Held => verdict == Some(Verdict::Held) && any_money,
        Outcome::Duplicate => verdict == Some(Verdict::Duplicate),
        Outcome::Late => verdict == Some(Verdict::Late),
        Outcome::Unconfirmed => true,
        Outcome::NotFound | Outcome::Invalid => false,
    }
}
