//! The daily sweep: PortOne's own lists, compared with what is stored. It finds what neither redirect, webhook nor an order's
//! own checks can: payments that no order is for, and changes that sent no message, such as a refund in PortOne's console.
//!
//! A list entry is a hint. What differs is asked about by [`sync`], the one path; what has no order becomes a finding that a
//! person looks at. Each step reads one page and says where the next begins, so that a sweep is cut short anywhere, by a crash
//! or by PortOne being down, and goes on there, at whichever instance comes first.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Core;
use super::sync::{Ask, SyncError, sync};
use crate::domain::attention::{AttentionKind, Finding};
use crate::domain::evidence::Record;
use crate::domain::history::Actor;
use crate::domain::ids::PaymentId;
use crate::domain::order::Portone;
use crate::domain::sweep::{Finished, Place, Reading, Run, Span, Sweep, is_ahead, read};
use crate::domain::text::clean;
use crate::ports::entropy::draw_per_mille;
use crate::ports::gateway::{GatewayError, Page};
use crate::ports::store::{Snapshot, StoreError};

/// The first sweep of a new server comes this soon at the earliest.
const FIRST_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// ...and up to this much later, so that servers which start together do not sweep together.
const FIRST_SPREAD: SignedDuration = SignedDuration::from_mins(50);
/// From the beginning of a sweep to the next, at the least.
const DAY_AT_LEAST: SignedDuration = SignedDuration::from_hours(23);
/// ...and up to this much more.
const DAY_SPREAD: SignedDuration = SignedDuration::from_hours(2);
/// How long a step may take before another instance takes it.
const LEASE: SignedDuration = SignedDuration::from_mins(5);
/// Orders that one step asks about at the most; the rest of the page is left to the next.
const ASKS_PER_STEP_MAX: usize = 20;
/// Pages of one window: what PortOne lists of it.
const PAGES_MAX: u32 = 600;
/// Pauses while PortOne does not answer. After the last one, what it does not tell is left out until the next day.
const PAUSES_SECONDS: [i64; 6] = [60, 300, 900, 1800, 3600, 3600];
/// Pause while this server itself is too busy to ask, which says nothing about PortOne.
const BUSY_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// Such pauses at one payment. Beyond them it counts as not answered: one payment must not hold up the sweep for good.
const BUSY_PAUSES_MAX: u32 = 10;
/// How often a window whose list moves while it is read is begun anew. Beyond that it is read as it comes, and nothing counts as
/// looked for in vain.
const MOVES_MAX: u32 = 5;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// None is due, or another instance has it.
    Idle,
    /// The sweep goes on with the next step.
    Going,
    /// The sweep came to its end.
    Finished,
}

/// One step of the sweep, if one is due: one page, and what it leads to.
///
/// # Errors
/// [`StoreError`] when something could not be read or written; the same step is taken again when its lease is over.
pub async fn step(core: &Arc<Core>) -> Result<Step, StoreError> {
    let now = core.clock.now();
    match core.sweep.find_sweep().await? {
        Some(sweep) if sweep.due_at <= now => {}
        Some(_) => return Ok(Step::Idle),
        None => {
            let due_at = later(core, now, FIRST_AFTER, FIRST_SPREAD);
            core.sweep.plan_sweep(due_at).await?;
            return Ok(Step::Idle);
        }
    }
    let lease_until = now.checked_add(LEASE).unwrap_or(now);
    let Some(sweep) = core.sweep.lease_sweep(now, lease_until).await? else {
        return Ok(Step::Idle);
    };
    let run = match &sweep.run {
        Some(run) => Some(run.clone()),
        None => begin(core, now).await?,
    };
    let Some(mut run) = run else {
        // Nothing to compare with yet.
        let due_at = later(core, now, DAY_AT_LEAST, DAY_SPREAD);
        core.sweep.save_sweep(&Sweep { due_at, ..sweep }).await?;
        return Ok(Step::Idle);
    };
    match take(core, &mut run, now).await? {
        Some(due_at) => {
            let run = Some(run);
            let sweep = Sweep {
                due_at,
                run,
                ..sweep
            };
            // Another instance took over meanwhile: what it does is the same.
            let _written = core.sweep.save_sweep(&sweep).await?;
            Ok(Step::Going)
        }
        None => finish(core, sweep, run).await,
    }
}

async fn begin(core: &Core, now: Timestamp) -> Result<Option<Run>, StoreError> {
    let first_order = core.sweep.first_order_at().await?;
    let span = first_order.and_then(|first| Span::ending(now, first));
    Ok(span.map(|span| Run {
        started_at: now,
        span,
        place: span.start(),
        failures: 0,
        busy: 0,
        total: None,
        moves: 0,
        seen: 0,
        left_out: false,
        passed_over: Vec::new(),
    }))
}

async fn finish(core: &Core, sweep: Sweep, run: Run) -> Result<Step, StoreError> {
    // What was not looked for was not missed.
    if !run.left_out {
        core.attention
            .withdraw_unseen(run.started_at, run.span.from, &run.passed_over)
            .await?;
    }
    let finished = Finished {
        at: core.clock.now(),
        seen: run.seen,
        left_out: run.left_out,
    };
    tracing::info!(
        payments = finished.seen,
        left_out = finished.left_out,
        "PortOne's lists were compared with the orders"
    );
    let sweep = Sweep {
        due_at: later(core, run.started_at, DAY_AT_LEAST, DAY_SPREAD),
        run: None,
        finished: Some(finished),
        ..sweep
    };
    if core.sweep.save_sweep(&sweep).await? {
        Ok(Step::Finished)
    } else {
        Ok(Step::Idle)
    }
}

/// Some time after a moment, spread by chance.
fn later(core: &Core, at: Timestamp, least: SignedDuration, spread: SignedDuration) -> Timestamp {
    let draw = i64::from(draw_per_mille(core.entropy.as_ref()));
    let spread = SignedDuration::from_millis(spread.as_secs() * draw);
    at.checked_add(least)
        .and_then(|at| at.checked_add(spread))
        .unwrap_or(at)
}

/// Reads the page that the run stands at and moves the run on. When the next step is due; `None` at the end.
async fn take(
    core: &Arc<Core>,
    run: &mut Run,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let place = run.place;
    let until = run.span.window_end(place);
    let page = core
        .gateway
        .list(
            place.portone,
            place.listing,
            place.window,
            until,
            place.page,
        )
        .await;
    let next = match page {
        Ok(page) if has_moved(run, &page) => {
            run.moves += 1;
            (run.place.page, run.place.done) = (0, 0);
            return Ok(Some(now));
        }
        Ok(page) => match compare(core, run, &page, now).await? {
            Compared::Whole => {
                count(run, u32::try_from(page.records.len()).unwrap_or(u32::MAX));
                after_page(run, page.more)
            }
            Compared::Upto(done) => {
                (run.failures, run.busy) = (0, 0);
                count(run, done);
                return Ok(Some(now));
            }
            Compared::Busy(done) if is_worth_waiting(run, done) => {
                count(run, done);
                return Ok(Some(now.checked_add(BUSY_PAUSE).unwrap_or(now)));
            }
            Compared::Unanswered(done) | Compared::Busy(done) => {
                run.busy = 0;
                count(run, done);
                if let Some(due_at) = pause(run, now) {
                    return Ok(Some(due_at));
                }
                // Its own checks go on asking about the order.
                run.left_out = true;
                count(run, done.saturating_add(1));
                return Ok(Some(now));
            }
        },
        Err(GatewayError::NotConfigured) => {
            run.passed_over.push(place.portone);
            run.span.next_generation(place)
        }
        Err(error) => {
            tracing::warn!(
                portone = place.portone.as_str(),
                listing = place.listing.as_str(),
                error = error.as_str(),
                "a list of PortOne's could not be read; it is tried again later"
            );
            if let Some(due_at) = pause(run, now) {
                return Ok(Some(due_at));
            }
            run.left_out = true;
            match error {
                GatewayError::Unavailable
                | GatewayError::Unauthorized
                | GatewayError::NotConfigured => run.span.next_generation(place),
                GatewayError::Garbled | GatewayError::Refused | GatewayError::AlreadyPaid => {
                    run.span.next_window(place)
                }
            }
        }
    };
    (run.failures, run.busy) = (0, 0);
    Ok(next.map(|next| {
        if next.page == 0 {
            run.moves = 0;
        }
        run.place = next;
        now
    }))
}

/// Whether the window's list is another than when its first page was read. When a payment leaves it, by being given back, all
/// behind it move up, and the one that comes to the end of a page that was read would be passed over. A list that has moved too
/// often is read as it comes: the sweep goes on whatever it does. So is one of which the first page did not say how long it is.
fn has_moved(run: &mut Run, page: &Page) -> bool {
    let is_its_first = run.place.page == 0 && run.place.done == 0;
    if is_its_first || run.total.is_none() || run.total == page.total {
        run.total = page.total;
        return false;
    }
    run.left_out |= run.moves == MOVES_MAX;
    run.moves < MOVES_MAX
}

/// The page was dealt with up to this payment.
fn count(run: &mut Run, done: u32) {
    run.seen += u64::from(done.saturating_sub(run.place.done));
    run.place.done = done;
}

/// Counts a pause at the payment that this server was too busy to ask about. Whether there may be one more.
fn is_worth_waiting(run: &mut Run, done: u32) -> bool {
    if done > run.place.done {
        run.busy = 0;
    }
    run.busy += 1;
    run.busy <= BUSY_PAUSES_MAX
}

/// When the place is tried again, or `None` when it was tried enough.
fn pause(run: &mut Run, now: Timestamp) -> Option<Timestamp> {
    let tried = usize::try_from(run.failures).unwrap_or(usize::MAX);
    let Some(seconds) = PAUSES_SECONDS.get(tried) else {
        run.failures = 0;
        return None;
    };
    run.failures += 1;
    now.checked_add(SignedDuration::from_secs(*seconds)).ok()
}

fn after_page(run: &mut Run, more: bool) -> Option<Place> {
    let place = run.place;
    if more && place.page + 1 < PAGES_MAX {
        return Some(Place {
            page: place.page + 1,
            done: 0,
            ..place
        });
    }
    run.left_out |= more;
    run.span.next_window(place)
}

/// How far a page was compared.
enum Compared {
    /// To its end.
    Whole,
    /// Up to this payment, because enough was asked for one step.
    Upto(u32),
    /// Up to this payment, because PortOne did not answer about it.
    Unanswered(u32),
    /// Up to this payment, because this server was too busy to ask about it.
    Busy(u32),
}

/// What became of an ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Answered,
    Unanswered,
    Busy,
}

/// Compares the rest of a page with what is stored.
async fn compare(
    core: &Arc<Core>,
    run: &mut Run,
    page: &Page,
    now: Timestamp,
) -> Result<Compared, StoreError> {
    let mut asks = Vec::new();
    let mut asked = Vec::new();
    let mut upto = Compared::Whole;
    // What is there and cannot be read, or is in a state that this version does not know, may be a finding of another day.
    run.left_out |= page.unread || page.records.iter().any(|record| record.status.is_none());
    for (index, record) in (0_u32..).zip(&page.records).skip(run.place.done as usize) {
        if asks.len() == ASKS_PER_STEP_MAX {
            upto = Compared::Upto(index);
            break;
        }
        let portone = record.portone.unwrap_or(run.place.portone);
        let order = order_of(core, record, portone).await?;
        let mode = core.settings.expected.mode;
        let stored = order
            .as_ref()
            .map(|stored| (&stored.order, stored.transactions.as_slice()));
        match (read(record, stored, mode, run.span.from), order) {
            (Reading::Drift, Some(stored)) => {
                let core = Arc::clone(core);
                let (record, id) = (record.clone(), stored.order.payment_id);
                asks.push(async move { ask(&core, record, portone, id, now).await });
                asked.push(index);
            }
            (Reading::Orphan, _) => {
                let found = finding(AttentionKind::Orphan, portone, record, now);
                core.attention.report(&found).await?;
            }
            (Reading::Known | Reading::Drift, _) => {}
        }
    }
    // In the order of the page: the first that was not answered is where the sweep goes on.
    let answers = core.side_by_side("sweep", asks).await;
    for (index, answer) in asked.into_iter().zip(answers) {
        match answer.unwrap_or(Ok(Asked::Unanswered))? {
            Asked::Answered => {}
            Asked::Unanswered => return Ok(Compared::Unanswered(index)),
            Asked::Busy => return Ok(Compared::Busy(index)),
        }
    }
    Ok(upto)
}

/// The order with a listed payment's number, if that generation's payments are what it is paid by.
async fn order_of(
    core: &Core,
    record: &Record,
    portone: Portone,
) -> Result<Option<Snapshot>, StoreError> {
    let Ok(id) = PaymentId::parse(&record.payment_id) else {
        return Ok(None);
    };
    let found = core.orders.find_order(&id).await?;
    Ok(found.filter(|found| found.order.portone == portone))
}

/// Asks about an order that PortOne lists more of than is stored.
async fn ask(
    core: &Arc<Core>,
    record: Record,
    portone: Portone,
    payment_id: PaymentId,
    now: Timestamp,
) -> Result<Asked, StoreError> {
    let ask = Ask {
        payment_id,
        transaction_id: Some(record.transaction_id.clone()),
        patient: false,
        actor: Actor::Sweep,
    };
    let synced = match sync(core, ask).await {
        Ok(synced) if synced.confirmed => synced,
        Ok(_) => return Ok(Asked::Unanswered),
        Err(error) => {
            tracing::warn!(transaction.id = %record.transaction_id, error = &error as &dyn std::error::Error, "an order that the sweep found could not be asked about");
            return Ok(match error {
                SyncError::Busy | SyncError::Store(_) => Asked::Busy,
                SyncError::NoSuchOrder => Asked::Unanswered,
            });
        }
    };
    if is_ahead(
        &record,
        synced.snapshot.order.portone,
        &synced.snapshot.transactions,
    ) {
        let found = finding(AttentionKind::Drift, portone, &record, now);
        core.attention.report(&found).await?;
    }
    Ok(Asked::Answered)
}

fn finding(kind: AttentionKind, portone: Portone, record: &Record, now: Timestamp) -> Finding {
    Finding::of(kind, portone, clean(&record.payment_id), record, now)
}
