//! The completion page's use case: a buyer came back, or looks again; what do we say?

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::sync::{Ask, Standing, SyncError, sync};
use super::{Core, PAGE_BUDGET, VISITOR_ENTRIES_MAX};
use crate::domain::history::{Actor, Entry, EntryKind};
use crate::domain::ids::{PaymentId, StatusToken, TransactionId};
use crate::domain::money::Money;
use crate::domain::order::{Order, OrderStatus};
use crate::domain::outcome::{
    Outcome, awaits_approval, awaits_deposit, may_have_charged, may_pay_again, outcome_of,
    words_to_show,
};
use crate::domain::text::clean;
use crate::domain::transaction::{Transaction, Verdict, VirtualAccount};
use crate::ports::clock::within;
use crate::ports::observer::Happening;
use crate::ports::store::{Snapshot, StoreError};

/// Claims that are remembered as being on the record.
const CLAIMS_REMEMBERED_MAX: usize = 10_000;
/// Parameters of a redirect that are kept for the record.
pub const CLAIMED_PARAMETERS_MAX: usize = 20;
/// Parameters whose values are kept: what gateways say of the result. Of any other the name alone is kept.
const CLAIM_NAMES: [&str; 14] = [
    "imp_success",
    "success",
    "imp_status",
    "kcp_action",
    "error_code",
    "error_msg",
    "status",
    "code",
    "message",
    "pgCode",
    "pgMessage",
    "transactionType",
    "pay_method",
    "pg_provider",
];
/// Marks the address under which a result page is opened again: who follows it does not come from the window.
pub(super) const AGAIN: (&str, &str) = ("again", "1");
/// Stands for a value that is not kept.
const NOT_KEPT: &str = "(not kept)";

/// What came with a redirect. Ids are hints, everything else is kept for the record and decides nothing.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    /// The merchant's id, when there was a usable one.
    pub payment_id: Option<PaymentId>,
    /// PortOne's id, when there was a usable one.
    pub transaction_id: Option<TransactionId>,
    /// An id was there and is none.
    pub malformed: bool,
    /// Every other parameter as it came.
    pub parameters: Vec<(String, String)>,
}

/// How a visitor came to a page. Decides nothing about the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Back from the payment window, moments ago.
    Redirect,
    /// From a result page that looks again, by the address it gives.
    Again,
    /// By the lasting link, any time later.
    Link,
}

impl Claim {
    /// How whoever brings the claim came.
    #[must_use]
    pub fn arrival(&self) -> Arrival {
        let again = |(name, value): &(String, String)| (name.as_str(), value.as_str()) == AGAIN;
        if self.parameters.iter().any(again) {
            Arrival::Again
        } else {
            Arrival::Redirect
        }
    }

    /// Whether the window said that the payment failed. Changes the words of a page, never its outcome.
    fn says_failed(&self) -> bool {
        self.parameters
            .iter()
            .any(|(name, value)| match name.as_str() {
                "imp_success" | "success" | "imp_status" => value == "false",
                "error_code" | "error_msg" | "code" => !value.is_empty(),
                _ => false,
            })
    }
}

/// What a page or a JSON answer says: one snapshot, nothing of the query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompletionView {
    /// The word.
    pub outcome: Outcome,
    /// The payment, when it may be spoken of.
    pub payment: Option<PaymentFacts>,
    /// The window said "failed", whatever is true.
    pub claimed_failure: bool,
    /// Where the order can be paid, when trying again cannot charge twice.
    pub retry_url: Option<String>,
    /// Where the shop wants the buyer next.
    pub return_url: Option<String>,
    /// When PortOne last answered.
    pub checked_at: Option<Timestamp>,
}

/// An order as its buyer may see it: no personal data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentFacts {
    /// The merchant's id, to quote.
    pub payment_id: PaymentId,
    /// What is sold.
    pub name: String,
    /// What it costs.
    pub amount: Money,
    /// How much was given back of the accepted payment.
    pub refunded: Money,
    /// Where the order stands.
    pub status: OrderStatus,
    /// Where this page is found again: the lasting link for who brought what paid the order, or else the redirect's address
    /// with the ids that were brought.
    pub status_url: String,
    /// Language the shop asked for.
    pub locale: Option<String>,
    /// A deposit to an account of the order may still arrive.
    pub awaits_deposit: bool,
    /// When this was said.
    pub said_at: Timestamp,
    /// The transaction spoken of.
    pub transaction: Option<TransactionFacts>,
}

/// A transaction as its buyer may see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransactionFacts {
    /// PortOne's id, to quote; not told to who does not bring it, because it opens more than an order's number.
    pub transaction_id: Option<TransactionId>,
    /// What was paid, when PortOne's figure is an amount.
    pub amount: Option<Money>,
    /// The buyer has done everything, and the gateway takes its time to approve it.
    pub in_review: bool,
    /// Until when the buyer can pay with the number that was issued, while that is waited for.
    pub pay_by: Option<Timestamp>,
    /// It failed, and may have taken money all the same, see [`may_have_charged`].
    pub may_have_charged: bool,
    /// Why it failed, in the gateway's own words where these are to be shown, see [`words_to_show`].
    pub gateway_words: Option<String>,
    /// Test money.
    pub test: Option<bool>,
    /// `card`, `vbank`, …
    pub pay_method: Option<String>,
    /// Card or bank name.
    pub method_name: Option<String>,
    /// Approval number.
    pub approval_number: Option<String>,
    /// Receipt at the gateway.
    pub receipt_url: Option<String>,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// The account to deposit to, while nothing was deposited.
    pub virtual_account: Option<VirtualAccount>,
}

/// A buyer came back from the payment window.
///
/// Never fails: what cannot be found out within [`PAGE_BUDGET`] is called unconfirmed, and goes on being found out.
pub async fn complete(core: &Arc<Core>, claim: Claim) -> CompletionView {
    if claim.malformed || (claim.payment_id.is_none() && claim.transaction_id.is_none()) {
        return told(core, bare(core, Outcome::Invalid, &claim));
    }
    told(core, look(core, &claim, None).await)
}

/// A buyer opens the lasting link.
pub async fn status(core: &Arc<Core>, token: Option<StatusToken>) -> CompletionView {
    let nothing = Claim::default();
    let Some(token) = token else {
        return told(core, bare(core, Outcome::NotFound, &nothing));
    };
    told(core, look(core, &nothing, Some(&token)).await)
}

/// Counts what a visitor is told.
fn told(core: &Core, view: CompletionView) -> CompletionView {
    core.observer.notice(Happening::Told(view.outcome));
    view
}

/// Everything that may wait is in here, the reading of the order included: a slow database must not hold the page, either.
async fn look(core: &Arc<Core>, claim: &Claim, link: Option<&StatusToken>) -> CompletionView {
    let mut known = None;
    let answer = answer(core, claim, link, &mut known);
    match within(core.clock.as_ref(), PAGE_BUDGET, answer).await {
        Some(view) => view,
        None => as_stored(core, claim, link, known.as_ref()),
    }
}

/// What can be said without PortOne.
fn as_stored(
    core: &Core,
    claim: &Claim,
    link: Option<&StatusToken>,
    known: Option<&Snapshot>,
) -> CompletionView {
    known.map_or_else(
        || bare(core, Outcome::Unconfirmed, claim),
        |snapshot| view(core, snapshot, claim, link.is_some(), false),
    )
}

async fn answer(
    core: &Arc<Core>,
    claim: &Claim,
    link: Option<&StatusToken>,
    known: &mut Option<Snapshot>,
) -> CompletionView {
    let arrival = link.map_or_else(|| claim.arrival(), |_| Arrival::Link);
    let before = match find(core, claim, link).await {
        Ok(Some(snapshot)) => snapshot,
        Ok(None) => return bare(core, Outcome::NotFound, claim),
        Err(error) => return failed(core, &error, claim),
    };
    let payment_id = before.order.payment_id.clone();
    if arrival == Arrival::Redirect {
        keep_for_the_record(core, &payment_id, claim);
    }
    *known = Some(before);

    let ask = Ask {
        payment_id,
        transaction_id: claim.transaction_id.clone(),
        patient: arrival == Arrival::Redirect,
        actor: Actor::Buyer,
    };
    match sync(core, ask).await {
        Ok(synced) if synced.standing == Standing::Ours => view(
            core,
            &synced.snapshot,
            claim,
            link.is_some(),
            synced.confirmed,
        ),
        // An id that PortOne does not know, or that is somebody else's, opens nothing.
        Ok(_) => bare(core, Outcome::NotFound, claim),
        Err(SyncError::NoSuchOrder) => bare(core, Outcome::NotFound, claim),
        // A flood makes the server busy: one line for each of its asks would be a flood of its own.
        Err(SyncError::Busy) => as_stored(core, claim, link, known.as_ref()),
        Err(error @ SyncError::Store(_)) => {
            tracing::error!(payment.id = ?known.as_ref().map(|found| &found.order.payment_id), error = &error as &dyn std::error::Error, "a buyer's payment could not be looked up");
            as_stored(core, claim, link, known.as_ref())
        }
    }
}

/// The order that the link or the claim's ids name; an unknown transaction id alone names none, and costs no call to PortOne.
pub(super) async fn find(
    core: &Core,
    claim: &Claim,
    link: Option<&StatusToken>,
) -> Result<Option<Snapshot>, StoreError> {
    if let Some(token) = link {
        return core.orders.find_order_by_token(token).await;
    }
    let owner = match (&claim.payment_id, &claim.transaction_id) {
        (Some(id), _) => Some(id.clone()),
        (None, Some(id)) => core.orders.find_owner(id).await?,
        (None, None) => None,
    };
    match owner {
        Some(id) => core.orders.find_order(&id).await,
        None => Ok(None),
    }
}

/// Claims that are known to be on the record: a page that is looked at again writes nothing. Others are written again, which
/// leaves one entry all the same.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<HashSet<(PaymentId, Option<String>)>>);

impl Kept {
    fn knows(&self, payment_id: &PaymentId, entry: &Entry) -> bool {
        let key = (payment_id.clone(), entry.once_key.clone());
        self.0.lock().contains(&key)
    }

    fn note(&self, payment_id: PaymentId, once_key: Option<String>) {
        let mut kept = self.0.lock();
        if kept.len() >= CLAIMS_REMEMBERED_MAX {
            kept.clear();
        }
        kept.insert((payment_id, once_key));
    }
}

/// Writes what the redirect claimed into the history, once per distinct claim, without making the buyer wait.
fn keep_for_the_record(core: &Arc<Core>, payment_id: &PaymentId, claim: &Claim) {
    let entry = redirect_entry(core.clock.now(), claim);
    if core.kept.knows(payment_id, &entry) {
        return;
    }
    let (core_for_task, payment_id) = (Arc::clone(core), payment_id.clone());
    core.tasks.spawn(async move {
        let once_key = entry.once_key.clone();
        if let Err(error) = core_for_task.orders.append_history(&payment_id, &[entry], VISITOR_ENTRIES_MAX).await {
            tracing::warn!(payment.id = %payment_id, error = &error as &dyn std::error::Error, "a redirect could not be kept for the record");
        } else {
            core_for_task.kept.note(payment_id, once_key);
        }
    });
}

fn redirect_entry(at: Timestamp, claim: &Claim) -> Entry {
    let mut claimed = Map::new();
    for (name, value) in claim.parameters.iter().take(CLAIMED_PARAMETERS_MAX) {
        // A front end may hand on the whole answer of PortOne's SDK, the buyer's name and card number included.
        let kept = if CLAIM_NAMES.contains(&name.as_str()) {
            clean(value)
        } else {
            NOT_KEPT.to_owned()
        };
        claimed.insert(clean(name), Value::from(kept));
    }
    // Last, so that a parameter of that name does not stand for the id that was read.
    if let Some(id) = &claim.transaction_id {
        claimed.insert("transaction_id".to_owned(), Value::from(id.as_str()));
    }
    let data = Value::Object(claimed);
    let digest = Sha256::digest(data.to_string());
    let hex: String = digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Entry {
        at,
        kind: EntryKind::Redirect,
        actor: Actor::Buyer.to_text(),
        data,
        once_key: Some(format!("redirect:{hex}")),
    }
}

fn failed(core: &Core, error: &StoreError, claim: &Claim) -> CompletionView {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a buyer's order could not be read"
    );
    bare(core, Outcome::Unconfirmed, claim)
}

/// A view that speaks of no order: byte for byte the same whether the order is missing or somebody else's.
fn bare(core: &Core, outcome: Outcome, claim: &Claim) -> CompletionView {
    CompletionView {
        outcome,
        payment: None,
        claimed_failure: outcome == Outcome::Unconfirmed && claim.says_failed(),
        retry_url: None,
        return_url: core.settings.shop_url.clone(),
        checked_at: None,
    }
}

fn view(
    core: &Core,
    snapshot: &Snapshot,
    claim: &Claim,
    by_link: bool,
    confirmed: bool,
) -> CompletionView {
    let Snapshot {
        order,
        transactions,
    } = snapshot;
    let now = core.clock.now();
    let asked = claim.transaction_id.as_ref();
    let (outcome, subject) = outcome_of(order, transactions, asked, confirmed, now);
    // Order numbers can be guessed. Who brings the link or the transaction's own id is told more than who brings a number.
    let brought = subject.filter(|own| Some(&own.transaction_id) == asked);
    let proven = by_link || brought.is_some();
    // Anybody who knows the number can open a window, and so have an attempt. The link shows what paid the order, whoever
    // paid it: only that payment's own id opens as much.
    let is_payer = brought.is_some_and(|own| own.verdict == Verdict::Accepted);
    let refunded_minor = subject
        .filter(|own| own.verdict != Verdict::Accepted && !own.holds_money())
        .map_or(order.refunded_minor, |own| own.cancelled_minor);
    let may_retry = matches!(outcome, Outcome::Failed(_) | Outcome::Pending)
        && may_pay_again(order, transactions, now);
    CompletionView {
        outcome,
        payment: Some(PaymentFacts {
            payment_id: order.payment_id.clone(),
            name: order.name.clone(),
            amount: order.amount,
            refunded: Money {
                minor: refunded_minor,
                currency: order.amount.currency,
            },
            status: order.status,
            status_url: if by_link || is_payer {
                core.status_url(&order.status_token)
            } else {
                core.complete_url(order, brought.map(|own| &own.transaction_id))
            },
            locale: order.locale.clone(),
            awaits_deposit: awaits_deposit(transactions, now),
            said_at: now,
            transaction: subject.map(|transaction| facts(order, transaction, outcome, proven, now)),
        }),
        claimed_failure: claim.says_failed(),
        retry_url: may_retry.then(|| core.pay_url(&order.payment_id)),
        return_url: order
            .return_url
            .clone()
            .or_else(|| core.settings.shop_url.clone()),
        checked_at: if confirmed {
            Some(now)
        } else {
            order.checked_at
        },
    }
}

fn facts(
    order: &Order,
    transaction: &Transaction,
    outcome: Outcome,
    proven: bool,
    now: Timestamp,
) -> TransactionFacts {
    let price = order.amount;
    let in_review = awaits_approval(transaction, now);
    let amount = transaction
        .amount_minor
        .filter(|_| transaction.currency.as_deref() == Some(price.currency.code()));
    // A gateway may keep an account open for longer than the order: a deposit in that time comes too late.
    let in_time = |account: &VirtualAccount| VirtualAccount {
        expires_at: [account.expires_at, order.expires_at]
            .into_iter()
            .flatten()
            .min(),
        ..account.clone()
    };
    TransactionFacts {
        transaction_id: Some(transaction.transaction_id.clone()).filter(|_| proven),
        amount: amount.map(|minor| Money {
            minor,
            currency: price.currency,
        }),
        in_review,
        pay_by: transaction.pay_by.filter(|_| in_review),
        may_have_charged: may_have_charged(transaction),
        gateway_words: words_to_show(transaction)
            .filter(|_| proven)
            .map(str::to_owned),
        test: transaction.test,
        pay_method: transaction.pay_method.clone(),
        method_name: transaction.method_name.clone().filter(|_| proven),
        approval_number: transaction.approval_number.clone().filter(|_| proven),
        receipt_url: transaction.receipt_url.clone().filter(|_| proven),
        paid_at: transaction.paid_at,
        virtual_account: transaction
            .virtual_account
            .as_ref()
            .filter(|_| outcome == Outcome::VirtualAccountIssued)
            .map(in_time),
    }
}
