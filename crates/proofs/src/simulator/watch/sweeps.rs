//! What the sweep finds is there, what is there it finds, and it comes to its end.

use jiff::Timestamp;
use wanryo::domain::attention::{AttentionKind, Finding};
use wanryo::domain::history::Entry;
use wanryo::domain::ids::{PaymentId, TransactionId};
use wanryo::domain::order::{Mode, Order, Portone};
use wanryo::domain::sweep::{Span, Sweep};
use wanryo::ports::gateway::Attempts;
use wanryo::ports::store::Created;

use super::super::coverage::Deed;
use super::super::portone::{Attempt, Flaw};
use super::super::world::World;

/// Answers of V2 about other attempts, in a thousand, that are a part of the whole.
const PARTIAL: u64 = 500;

/// A sweep that came to its end.
#[derive(Debug, Clone, Copy)]
pub struct Swept {
    /// When it began, by the true time.
    pub began: i64,
    /// What it covered.
    pub span: Span,
    /// PortOne would not tell a part of it.
    pub left_out: bool,
}

fn is_of_mode(attempt: &Attempt, mode: Mode) -> bool {
    match attempt.flaw {
        Flaw::OtherChannel => false,
        // It may be real money.
        Flaw::NoChannel => mode == Mode::Live,
        Flaw::None | Flaw::Cheap | Flaw::Currency | Flaw::OtherStore => true,
    }
}

impl World {
    /// The shop makes an order.
    pub fn create(&mut self, order: &Order, entry: &Entry) -> Created {
        let created = self.tables.create(order, entry);
        let now = self.now;
        let made = &mut self.watch.made;
        made.entry(order.payment_id.clone()).or_insert(now);
        created
    }

    /// What PortOne answers to an ask: mostly everything, and of V2's other attempts sometimes a part.
    pub fn attempts_told(
        &mut self,
        portone: Portone,
        id: &PaymentId,
        asked: Option<&TransactionId>,
    ) -> Attempts {
        let mut answer = self.portone.answer(portone, id, asked, self.now);
        let has_others = portone == Portone::V2
            && asked.is_some_and(|asked| {
                let current = answer.records.first();
                current.is_some_and(|current| current.transaction_id != *asked)
            });
        if has_others && !self.calm && self.chance.per_mille(PARTIAL) {
            answer.records.truncate(1);
            answer.complete = false;
            self.did(Deed::PartialAnswer);
        }
        answer
    }

    /// A server is about to ask for a page of a list.
    pub fn list_begins(&mut self, instance: usize) {
        self.watch.listed_at[instance] = self.now;
    }

    /// Writes a finding, and looks at it.
    pub fn report(&mut self, instance: usize, finding: &Finding) {
        let item = &finding.item;
        let id = item.transaction_id.clone();
        self.note("found", &[item.kind as i64], || {
            format!("{} {id}", item.kind.as_str())
        });
        let detail = || format!("{id} of {}", item.payment_id);
        match (item.kind, self.portone.find(&id).cloned()) {
            (AttentionKind::Orphan, Some(attempt)) => {
                self.did(Deed::OrphanFound);
                let listed_at = self.watch.listed_at[instance];
                let made = self.watch.made.get(&attempt.payment_id);
                if made.is_some_and(|made| *made < listed_at) {
                    self.breaks("I3 an orphan is of no order", detail());
                }
                if !is_of_mode(&attempt, self.portone.mode) {
                    self.breaks("I17 test and live never touch", detail());
                }
                if !attempt.truth().was_paid() {
                    self.breaks("I2 nothing is stored that PortOne did not tell", detail());
                }
            }
            (AttentionKind::Drift, Some(_)) => {}
            // What nobody could read may be of a payment that PortOne does not have, too.
            (AttentionKind::Unclear, _) => self.did(Deed::UnclearFound),
            (_, _) => self.breaks("I2 nothing is stored that PortOne did not tell", detail()),
        }
        self.tables.report(finding);
    }

    /// What was looked for and not seen is gone.
    pub fn withdraw_unseen(
        &mut self,
        from: Timestamp,
        paid_from: Timestamp,
        passed_over: &[Portone],
    ) {
        if self.tables.withdraw_unseen(from, paid_from, passed_over) > 0 {
            self.did(Deed::FindingWithdrawn);
        }
    }

    /// A server takes the sweep's next step: perhaps its first.
    pub fn lease_sweep(&mut self, now: Timestamp, lease_until: Timestamp) -> Option<Sweep> {
        let leased = self.tables.lease_sweep(now, lease_until)?;
        if leased.run.is_none() {
            self.watch.sweep_began = self.now;
        }
        Some(leased)
    }

    /// Writes where the sweep stands.
    pub fn save_sweep(&mut self, sweep: &Sweep) -> bool {
        let before = self.tables.sweep.clone();
        let saved = self.tables.save_sweep(sweep);
        let run = before.and_then(|before| before.run);
        if saved && let (None, Some(run), Some(finished)) = (&sweep.run, run, &sweep.finished) {
            self.did(Deed::SweepFinished);
            self.note("the sweep ends", &[], String::new);
            self.watch.swept = Some(Swept {
                began: self.watch.sweep_began,
                span: run.span,
                left_out: finished.left_out,
            });
        } else if saved && let Some(run) = &sweep.run {
            let place = run.place;
            self.note("the sweep goes on", &[i64::from(place.page)], || {
                format!(
                    "{} {}, page {} of {}",
                    place.portone.as_str(),
                    place.listing.as_str(),
                    place.page,
                    place.window
                )
            });
        }
        saved
    }

    /// A sweep that began when nothing failed any more has come to its end.
    pub fn swept_at_rest(&mut self, swept: Swept) {
        if swept.left_out {
            self.breaks(
                "I7 a sweep tells all that PortOne tells",
                "it left something out".to_owned(),
            );
        }
        let (from, until) = (
            swept.span.from.as_microsecond(),
            swept.span.until.as_microsecond(),
        );
        let covered = |attempt: &&Attempt| {
            let truth = attempt.truth();
            truth.was_paid() && (from..=until).contains(&truth.changed_at)
        };
        let attempts = self.portone.attempts.iter().filter(covered);
        for attempt in attempts.cloned().collect::<Vec<_>>() {
            let truth = attempt.truth();
            match self.tables.find(&attempt.payment_id).cloned() {
                Some(snapshot) => self.is_stored(&snapshot, &attempt),
                None => {
                    let in_span = truth.paid_at.is_none_or(|at| at >= from);
                    let is_one = truth.holds_money(attempt.amount())
                        && is_of_mode(&attempt, self.portone.mode)
                        && in_span;
                    let found = self
                        .tables
                        .orphans()
                        .any(|row| row.finding.item.transaction_id == attempt.id);
                    if is_one != found && in_span {
                        let detail = format!("{} of {}: {found}", attempt.id, attempt.payment_id);
                        self.breaks("I7 the sweep finds each orphan and nothing else", detail);
                    }
                }
            }
        }
    }
}
