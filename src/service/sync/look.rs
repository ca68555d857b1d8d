//! One look at PortOne: who asks for what, whether it may be asked for, and what came back.

use std::sync::Arc;

use tokio::sync::SemaphorePermit;

use super::admission::{Class, Entry};
use super::flights::Takeoff;
use super::settle::{load, note_failure, settle};
use super::{Ask, Standing, SyncError, Synced};
use crate::domain::evidence::Evidence;
use crate::domain::history::Actor;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::order::Portone;
use crate::domain::transaction::{TransactionStatus, Verdict};
use crate::ports::gateway::{Attempts, GatewayError};
use crate::ports::observer::{Admitted, Asker, Happening};
use crate::ports::store::Snapshot;
use crate::service::{Core, refunds};

/// What a look brought.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    /// The order afterwards.
    pub(super) synced: Synced,
    /// PortOne answered and knows nothing of what was asked for: so soon after a redirect it may know it in a moment.
    pub(super) may_lag: bool,
    /// PortOne was asked for the very transaction, and answered.
    pub(super) asked_for_it: bool,
}

impl Looked {
    /// What PortOne said of the transaction.
    pub(super) fn told(&self) -> Told {
        if self.asked_for_it && self.synced.standing == Standing::Unknown {
            Told::Unknown
        } else {
            Told::Nothing
        }
    }
}

/// What PortOne is asked for.
struct Question<'a> {
    class: Class,
    /// By this transaction, or by the order's number alone.
    transaction_id: Option<&'a TransactionId>,
    /// A stranger's place, when it needs none of its class.
    place: Option<SemaphorePermit<'a>>,
}

/// What PortOne said of the transaction when it was asked for just before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It was not asked for.
    Nothing,
    /// It does not know it.
    Unknown,
}

/// Looks once. What PortOne has just said it does not know, a stranger's ask looks for under the order's number: it must turn
/// up there, too, and costs nothing of the strangers' budget.
pub(super) async fn look(core: &Arc<Core>, ask: &Ask, told: Told) -> Result<Looked, SyncError> {
    let takeoff = core.flights.takeoff();
    let key = (ask.payment_id.clone(), ask.transaction_id.clone());
    core.flights
        .share(key, &takeoff, admit(core, ask, told, &takeoff))
        .await
}

/// Finds out who asks for what, and asks for as much of it as may be asked for.
async fn admit(
    core: &Arc<Core>,
    ask: &Ask,
    told: Told,
    takeoff: &Takeoff<'_>,
) -> Result<Looked, SyncError> {
    let snapshot = load(core, ask).await?;
    let class = class(ask, &snapshot);
    let asked = ask.transaction_id.as_ref();
    let Some(id) = asked.filter(|id| !knows(&snapshot, id)) else {
        return fetch_known(core, ask, class, snapshot, takeoff).await;
    };
    match core.orders.find_owner(id).await? {
        // Somebody else has just seen it for the first time, between the two reads.
        Some(owner) if owner == ask.payment_id => {
            let snapshot = load(core, ask).await?;
            return fetch_known(core, ask, class, snapshot, takeoff).await;
        }
        // Another order's transaction: PortOne need not be asked to know that.
        Some(_) => {
            return Ok(Looked {
                synced: Synced {
                    snapshot,
                    confirmed: true,
                    asked: None,
                    standing: Standing::Foreign,
                },
                may_lag: false,
                asked_for_it: false,
            });
        }
        None => {}
    }
    let place = match class {
        Class::Known | Class::Reconciler => None,
        Class::Visitor => {
            let entry = match told {
                Told::Nothing => core
                    .admission
                    .stranger(&ask.payment_id, id, core.clock.now()),
                Told::Unknown => Entry::KnownNotToBe,
            };
            match entry {
                Entry::Place(place) => Some(place),
                Entry::KnownNotToBe => {
                    return Box::pin(look_by_number(core, ask, id, Told::Unknown, takeoff)).await;
                }
                Entry::Full => {
                    let refused = Happening::Asked(Asker::Stranger, Admitted::OverBudget);
                    core.observer.notice(refused);
                    return Box::pin(look_by_number(core, ask, id, Told::Nothing, takeoff)).await;
                }
            }
        }
    };
    let question = Question {
        class,
        transaction_id: asked,
        place,
    };
    Box::pin(fetch(core, ask, question, snapshot, takeoff)).await
}

/// Asks for a transaction that the order knows, or by the order's number alone.
async fn fetch_known(
    core: &Arc<Core>,
    ask: &Ask,
    class: Class,
    snapshot: Snapshot,
    takeoff: &Takeoff<'_>,
) -> Result<Looked, SyncError> {
    let question = Question {
        class,
        transaction_id: ask.transaction_id.as_ref(),
        place: None,
    };
    Box::pin(fetch(core, ask, question, snapshot, takeoff)).await
}

/// What the order's number alone brings, for somebody who brought a transaction that PortOne is not asked for now. Everybody
/// who asks for the order shares it, and whoever waits for the same transaction shares that with `asker`.
async fn look_by_number(
    core: &Arc<Core>,
    ask: &Ask,
    id: &TransactionId,
    told: Told,
    asker: &Takeoff<'_>,
) -> Result<Looked, SyncError> {
    let by_number = Ask {
        transaction_id: None,
        ..ask.clone()
    };
    let takeoff = core.flights.takeoff();
    let key = (by_number.payment_id.clone(), None);
    let question = Question {
        class: Class::Visitor,
        transaction_id: None,
        place: None,
    };
    let answer = async {
        let snapshot = load(core, &by_number).await?;
        Box::pin(fetch(core, &by_number, question, snapshot, &takeoff)).await
    };
    // The answer by number begins after this, whoever fetches it.
    asker.now();
    let looked = core.flights.share(key, &takeoff, answer).await?;
    let synced = looked.synced;
    let standing = if synced.confirmed {
        standing_by_number(id, &synced.snapshot, told)
    } else {
        synced.standing
    };
    Ok(Looked {
        may_lag: synced.confirmed && standing == Standing::Unknown,
        synced: Synced { standing, ..synced },
        asked_for_it: false,
    })
}

/// Whose budget an ask uses. V2 signs its webhooks: what a stranger guesses must not make them wait.
fn class(ask: &Ask, snapshot: &Snapshot) -> Class {
    match (&ask.actor, snapshot.order.portone) {
        (Actor::Buyer | Actor::Stranger, _) | (Actor::Webhook, Portone::V1) => Class::Visitor,
        (Actor::Webhook, Portone::V2)
        | (
            Actor::Confirm
            | Actor::Shop(_)
            | Actor::Staff(_)
            | Actor::Command
            | Actor::Refund
            | Actor::Policy,
            _,
        ) => Class::Known,
        (Actor::Worker | Actor::Sweep, _) => Class::Reconciler,
    }
}

/// Whether a transaction is one of the order's.
pub(super) fn knows(snapshot: &Snapshot, id: &TransactionId) -> bool {
    snapshot
        .transactions
        .iter()
        .any(|t| &t.transaction_id == id)
}

/// Asks PortOne when its turn has come, decides and writes.
async fn fetch(
    core: &Arc<Core>,
    ask: &Ask,
    question: Question<'_>,
    snapshot: Snapshot,
    takeoff: &Takeoff<'_>,
) -> Result<Looked, SyncError> {
    let Question {
        class,
        transaction_id,
        place,
    } = question;
    let portone = snapshot.order.portone;
    let (asker, _place) = match place {
        Some(place) => (Asker::Stranger, place),
        None => (
            asker(class),
            turn(core, class, portone, &ask.payment_id).await?,
        ),
    };
    takeoff.now();
    let fetched_at = core.clock.now();
    let asked = transaction_id.or_else(|| waiting(&snapshot)).cloned();
    let answer = if core.admission.admits(class, portone, fetched_at) {
        core.observer.notice(Happening::Asked(asker, Admitted::Yes));
        let answer = core
            .gateway
            .attempts(portone, &ask.payment_id, asked.as_ref())
            .await;
        core.admission.hear(portone, &answer, core.clock.now());
        answer
    } else {
        core.observer
            .notice(Happening::Asked(asker, Admitted::PortoneDown));
        Err(GatewayError::Unavailable)
    };
    let attempts = match answer {
        Ok(attempts) => attempts,
        Err(error) => {
            return Ok(Looked {
                synced: note_failure(core, ask, snapshot, asked.as_ref(), error).await?,
                may_lag: false,
                asked_for_it: false,
            });
        }
    };
    let standing = transaction_id.map_or(Standing::Ours, |id| standing(id, &snapshot, &attempts));
    let extent = transaction_id.is_none().then(|| attempts.extent());
    let found_nothing = attempts.records.is_empty();
    let evidence = Evidence {
        fetched_at,
        records: attempts.records,
    };
    let synced = settle(core, ask, snapshot, evidence, extent, standing).await?;
    // Here, and not for each who shares the answer.
    refunds::by_policy(core, &synced);
    Ok(Looked {
        may_lag: found_nothing || synced.standing == Standing::Unknown,
        synced,
        asked_for_it: transaction_id.is_some(),
    })
}

/// Waits for the turn of an ask about what is known, and takes its place.
async fn turn<'core>(
    core: &'core Core,
    class: Class,
    portone: Portone,
    payment_id: &PaymentId,
) -> Result<SemaphorePermit<'core>, SyncError> {
    let refused = |error: SyncError| {
        core.observer
            .notice(Happening::Asked(asker(class), Admitted::OverBudget));
        error
    };
    let now = core.clock.now();
    let wait = core
        .admission
        .pace(class, portone, payment_id, now)
        .map_err(refused)?;
    if !wait.is_zero() {
        core.clock.sleep(wait).await;
    }
    core.admission.place(class).map_err(refused)
}

const fn asker(class: Class) -> Asker {
    match class {
        Class::Known => Asker::Known,
        Class::Visitor => Asker::Visitor,
        Class::Reconciler => Asker::Reconciler,
    }
}

/// The attempt that may still bring money without anything more from the buyer, when PortOne might not show it by itself: of a
/// V2 payment it shows one attempt, and the buyer may have opened another window since. V1 lists them all.
fn waiting(snapshot: &Snapshot) -> Option<&TransactionId> {
    let Snapshot {
        order,
        transactions,
    } = snapshot;
    let may_hide = order.portone == Portone::V2 && order.accepted_transaction_id.is_none();
    let waiting = transactions.iter().find(|t| {
        t.status == TransactionStatus::PayPending || t.verdict == Verdict::AwaitingDeposit
    });
    waiting.filter(|_| may_hide).map(|t| &t.transaction_id)
}

/// How the transaction that was asked for relates to the order, by what PortOne answered.
fn standing(id: &TransactionId, snapshot: &Snapshot, attempts: &Attempts) -> Standing {
    let answer = attempts
        .records
        .iter()
        .find(|record| record.asked.as_ref() == Some(id) || &record.transaction_id == id);
    match answer {
        Some(record) if record.payment_id != snapshot.order.payment_id.as_str() => {
            Standing::Foreign
        }
        Some(_) => Standing::Ours,
        None if attempts.complete => Standing::Unknown,
        // PortOne told of the payment and would not tell of this attempt: the visitor is told what a payment id alone tells.
        None => Standing::Ours,
    }
}

/// The same, by what the order's number alone brought. V1 lists every attempt under it. V2 shows one: who brought another one
/// that PortOne was not asked for is told what a payment id alone tells.
fn standing_by_number(id: &TransactionId, snapshot: &Snapshot, told: Told) -> Standing {
    let is_hidden = match (snapshot.order.portone, told) {
        (Portone::V2, Told::Nothing) => !snapshot.transactions.is_empty(),
        (Portone::V1, Told::Nothing) | (_, Told::Unknown) => false,
    };
    if knows(snapshot, id) || is_hidden {
        Standing::Ours
    } else {
        Standing::Unknown
    }
}
