//! The confirm process: PortOne asks right before an approval, and waits for the answer with a buyer in front of it.
//!
//! Answered from what is stored alone: asking PortOne back would add its own slowness to the wait. Nobody can tell whether
//! the question really came from PortOne, and nothing depends on it: what is answered, anybody who knows the order's number
//! and price can work out, and what is written is bounded like what visitors cause.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{Core, VISITOR_ENTRIES_MAX};
use crate::domain::confirmation::{Stop, may_go_on};
use crate::domain::evidence::Figure;
use crate::domain::history::{Actor, Entry, EntryKind};
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::order::Portone;
use crate::ports::clock::within;
use crate::ports::store::Snapshot;

/// How long the order is looked for. PortOne's help centre says that it waits 5 s, its documents say 10 s.
const LOOKUP_BUDGET: Duration = Duration::from_millis(1_800);

/// What PortOne is about to approve.
#[derive(Debug, Clone)]
pub struct Question {
    /// Through which generation.
    pub portone: Portone,
    /// For which order.
    pub payment_id: PaymentId,
    /// In which of PortOne's stores, when it says so.
    pub store_id: Option<String>,
    /// By which transaction.
    pub transaction_id: Option<TransactionId>,
    /// Over how much, in the generation's unit.
    pub amount: Figure,
}

/// Why the payment must stop, and the language of whoever reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The reason.
    pub why: Stop,
    /// Language tag that the shop asked for.
    pub locale: Option<String>,
}

/// Whether the payment may go on.
///
/// # Errors
/// [`Stopped`] when it may not, or when that cannot be found out in time: a payment that nobody vouches for does not go on.
pub async fn confirm(core: &Arc<Core>, question: Question) -> Result<(), Stopped> {
    let lookup = core.orders.find_order(&question.payment_id);
    let found = match within(core.clock.as_ref(), LOOKUP_BUDGET, lookup).await {
        Some(Ok(found)) => found,
        Some(Err(error)) => {
            tracing::error!(payment.id = %question.payment_id, error = &error as &dyn std::error::Error, "a payment was stopped because its order could not be read");
            return Err(stopped(Stop::Unavailable, None));
        }
        None => {
            tracing::error!(payment.id = %question.payment_id, "a payment was stopped because its order could not be read in time");
            return Err(stopped(Stop::Unavailable, None));
        }
    };
    let Some(Snapshot { order, .. }) = found else {
        return Err(stopped(Stop::UnknownOrder, None));
    };
    // What another store is paid is not accepted afterwards.
    let ours = core.settings.expected.v2_store_id.as_deref();
    if question.store_id.is_some() && question.store_id.as_deref() != ours {
        return Err(stopped(Stop::UnknownOrder, order.locale));
    }
    let answer = may_go_on(&order, question.portone, question.amount, core.clock.now());
    keep_for_the_record(core, question, answer);
    answer.map_err(|why| stopped(why, order.locale))
}

fn stopped(why: Stop, locale: Option<String>) -> Stopped {
    Stopped { why, locale }
}

/// Writes question and answer into the history, once per distinct pair, without making PortOne wait.
fn keep_for_the_record(core: &Arc<Core>, question: Question, answer: Result<(), Stop>) {
    let kind = match answer {
        Ok(()) => EntryKind::Confirmed,
        Err(_) => EntryKind::ConfirmRefused,
    };
    let transaction_id = question.transaction_id.as_ref().map(TransactionId::as_str);
    let why = answer.err().map(Stop::as_str);
    let amount = question.amount.to_string();
    let entry = Entry {
        at: core.clock.now(),
        kind,
        actor: Actor::Confirm.to_text(),
        data: json!({ "transaction_id": transaction_id, "amount": amount, "why": why }),
        once_key: Some(format!(
            "confirm:{}:{amount}:{}",
            transaction_id.unwrap_or_default(),
            why.unwrap_or_default()
        )),
    };
    let (core_for_task, payment_id) = (Arc::clone(core), question.payment_id);
    core.tasks.spawn(async move {
        if let Err(error) = core_for_task.orders.append_history(&payment_id, &[entry], VISITOR_ENTRIES_MAX).await {
            tracing::warn!(payment.id = %payment_id, error = &error as &dyn std::error::Error, "a question before an approval could not be kept for the record");
        }
    });
}
