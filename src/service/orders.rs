//! Orders as the shop makes, reads and closes them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::sync::{Ask, SyncError, sync};
use super::{Core, VISITOR_ENTRIES_MAX};
use crate::domain::decision::{self, AlreadyPaid};
use crate::domain::history::{Actor, Entry, EntryKind};
use crate::domain::ids::{PayToken, PaymentId, StatusToken};
use crate::domain::money::Money;
use crate::domain::note::{InvalidNote, Note};
use crate::domain::order::{Buyer, Order, OrderStatus, Portone};
use crate::domain::outcome::{awaits_approval, awaits_deposit, may_pay_again, was_paid_once};
use crate::domain::transaction::Transaction;
use crate::domain::window_params::WindowParams;
use crate::ports::clock::within;
use crate::ports::entropy::draw;
use crate::ports::notes::{NewNote, Noted};
use crate::ports::store::{Commit, Committed, Created, Listed, OrderFilter, Snapshot, StoreError};

/// How long making an order waits for PortOne to register the amount. The order is made whether or not it does.
const PREPARE_WAIT: Duration = Duration::from_secs(2);
/// When an order is first asked about without anybody's prompting.
const FIRST_CHECK: SignedDuration = SignedDuration::from_secs(120);
/// How often closing is tried again because the order changed in between.
const CLOSE_TRIES_MAX: u32 = 5;

/// What a shop asks for, checked.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// The merchant's id of the payment.
    pub payment_id: PaymentId,
    /// What is sold.
    pub name: String,
    /// What it costs; more than nothing.
    pub amount: Money,
    /// Which PortOne.
    pub portone: Portone,
    /// The way to pay, in PortOne's words.
    pub pay_method: Option<String>,
    /// PortOne's channel key.
    pub channel_key: Option<String>,
    /// Who pays.
    pub buyer: Buyer,
    /// Where the buyer goes on.
    pub return_url: Option<String>,
    /// Until when it may be paid.
    pub expires_at: Option<Timestamp>,
    /// Language tag.
    pub locale: Option<String>,
    /// The shop's own JSON as text.
    pub metadata: Option<String>,
    /// What else PortOne's payment window is told.
    pub window_params: Option<WindowParams>,
    /// Fingerprint of the whole request.
    pub fingerprint: String,
}

/// What came of making an order.
#[derive(Debug)]
pub enum Made {
    /// It is new.
    New(Box<Snapshot>),
    /// The very same order was there.
    Same(Box<Snapshot>),
    /// Another order has the id.
    Different,
}

/// Makes an order and registers its amount at PortOne.
///
/// # Errors
/// [`StoreError`] when it could not be written.
pub async fn make(core: &Arc<Core>, new: NewOrder, actor: Actor) -> Result<Made, StoreError> {
    let now = core.clock.now();
    // A deadline is a moment to look, also one that comes before the first look otherwise would.
    let first_check = now.checked_add(FIRST_CHECK).ok();
    let order = Order {
        payment_id: new.payment_id,
        version: 0,
        name: new.name,
        amount: new.amount,
        portone: new.portone,
        pay_method: new.pay_method,
        channel_key: new.channel_key,
        buyer: new.buyer,
        return_url: new.return_url,
        locale: new.locale,
        metadata: new.metadata,
        window_params: new.window_params,
        fingerprint: new.fingerprint,
        status_token: StatusToken::from_bytes(draw(core.entropy.as_ref())),
        pay_token: PayToken::from_bytes(draw(core.entropy.as_ref())),
        status: OrderStatus::Open,
        accepted_transaction_id: None,
        refunded_minor: 0,
        expires_at: new.expires_at,
        expired_at: None,
        closed_at: None,
        checked_at: None,
        next_check_at: first_check.into_iter().chain(new.expires_at).min(),
        checks_without_change: 0,
        prepared_at: None,
        created_at: now,
        updated_at: now,
    };
    let entry = Entry {
        at: now,
        kind: EntryKind::OrderCreated,
        actor: actor.to_text(),
        data: json!({ "amount": order.amount.minor, "currency": order.amount.currency.code(), "portone": order.portone.as_str() }),
        once_key: None,
    };
    match core.orders.create_order(&order, &entry).await? {
        Created::Existing(existing) if existing.order.fingerprint == order.fingerprint => {
            Ok(Made::Same(existing))
        }
        Created::Existing(_) => Ok(Made::Different),
        Created::New => {
            register(core, order.clone(), actor).await;
            // Webhooks that came before the order did have waited for it.
            core.inbox.wake_inbox(&order.payment_id, now).await?;
            let stored = core.orders.find_order(&order.payment_id).await?;
            Ok(Made::New(Box::new(stored.unwrap_or(Snapshot {
                order,
                transactions: Vec::new(),
            }))))
        }
    }
}

/// How often the list is looked into for one page, when few orders fit: whoever waits for the answer goes on by its cursor.
const LOOKS_MAX: u32 = 5;

/// Lists orders, and looks further while the page is not full, up to a limit.
///
/// # Errors
/// [`StoreError`] when they cannot be read.
pub async fn list(core: &Core, filter: &OrderFilter) -> Result<Listed, StoreError> {
    let mut page = core.orders.list_orders(filter).await?;
    for _ in 1..LOOKS_MAX {
        let found = u32::try_from(page.orders.len()).unwrap_or(u32::MAX);
        let left = filter.limit.saturating_sub(found);
        if left == 0 || page.further.is_none() {
            break;
        }
        let rest = OrderFilter {
            after: page.further.take(),
            limit: left,
            ..filter.clone()
        };
        let more = core.orders.list_orders(&rest).await?;
        page.orders.extend(more.orders);
        page.further = more.further;
    }
    Ok(page)
}

/// What the pay page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PayView {
    /// The merchant's id, to quote.
    pub payment_id: PaymentId,
    /// What is sold.
    pub name: String,
    /// What it costs.
    pub amount: Money,
    /// Where the order stands.
    pub status: OrderStatus,
    /// Whether its time is over, noted yet or not.
    pub expired: bool,
    /// Until when it may be paid.
    pub expires_at: Option<Timestamp>,
    /// Language the shop asked for.
    pub locale: Option<String>,
    /// The lasting link to the order's status.
    pub status_url: String,
    /// Where the buyer goes on.
    pub return_url: Option<String>,
    /// What of an earlier attempt may still become a payment.
    pub under_way: Option<UnderWay>,
    /// How to open PortOne's window, when the order may be paid.
    pub window: Option<PaymentWindow>,
}

/// An earlier attempt that may still become a payment: beside it, another one would be paid twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnderWay {
    /// A deposit to an issued account may still arrive.
    Deposit,
    /// The buyer has done everything, and the gateway has not approved it yet.
    Review,
    /// The buyer has got a number to pay with at a store.
    Number,
}

/// What PortOne's payment window has to know beside the order itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentWindow {
    /// Whose window it is.
    pub portone: Portone,
    /// The way to pay.
    pub pay_method: Option<String>,
    /// PortOne's channel key.
    pub channel_key: Option<String>,
    /// The shop's prefill.
    pub buyer_name: Option<String>,
    /// The shop's prefill.
    pub buyer_email: Option<String>,
    /// The shop's prefill.
    pub buyer_tel: Option<String>,
    /// Where PortOne sends the browser back to.
    pub redirect_url: String,
    /// What else the shop wants said.
    pub params: Option<WindowParams>,
}

/// The order that a pay page is for; `None` when there is none. Who pays is told to the holder of the order's token alone:
/// order numbers can be guessed.
///
/// # Errors
/// [`StoreError`] when it cannot be read.
pub async fn payment_to_make(
    core: &Core,
    id: &PaymentId,
    token: Option<&PayToken>,
) -> Result<Option<PayView>, StoreError> {
    let Some(snapshot) = core.orders.find_order(id).await? else {
        return Ok(None);
    };
    let Snapshot {
        order,
        transactions,
    } = snapshot;
    let now = core.clock.now();
    let expired = order.expired_at.is_some() || order.expires_at.is_some_and(|at| at <= now);
    let may_pay = may_pay_again(&order, &transactions, now);
    let under_way = (order.status.is_payable() && !may_pay)
        .then(|| under_way(&transactions, now))
        .flatten();
    // A token has 128 random bits: what comparing it could leak by its time is of no use to anybody.
    let proven = token == Some(&order.pay_token);
    let status_url = if proven {
        core.status_url(&order.status_token)
    } else {
        core.complete_url(&order, None)
    };
    let buyer = if proven {
        order.buyer
    } else {
        Buyer::default()
    };
    let window = (may_pay && !expired).then(|| PaymentWindow {
        portone: order.portone,
        pay_method: order.pay_method,
        channel_key: order.channel_key,
        buyer_name: buyer.name,
        buyer_email: buyer.email,
        buyer_tel: buyer.tel,
        redirect_url: format!("{}/payments/complete", core.settings.public_url),
        params: order.window_params,
    });
    Ok(Some(PayView {
        status_url,
        payment_id: order.payment_id,
        name: order.name,
        amount: order.amount,
        status: if order.status.is_payable() && was_paid_once(&transactions) {
            // What was held and has been given back: the order is open, and PortOne takes no payment under its number any more.
            OrderStatus::Refunded
        } else {
            order.status
        },
        expired,
        expires_at: order.expires_at,
        locale: order.locale,
        return_url: order.return_url.or_else(|| core.settings.shop_url.clone()),
        under_way,
        window,
    }))
}

fn under_way(transactions: &[Transaction], now: Timestamp) -> Option<UnderWay> {
    let mut waiting = transactions.iter().filter(|own| awaits_approval(own, now));
    if let Some(first) = waiting.next() {
        let of_numbers = first.pay_by.is_some() && waiting.all(|own| own.pay_by.is_some());
        return Some(match of_numbers {
            true => UnderWay::Number,
            false => UnderWay::Review,
        });
    }
    awaits_deposit(transactions, now).then_some(UnderWay::Deposit)
}

/// Registers the amount, detached, and waits a moment for it: a shop's checkout must not hang on PortOne.
async fn register(core: &Arc<Core>, order: Order, actor: Actor) {
    let detached = Arc::clone(core);
    let task = core
        .tasks
        .spawn(async move { prepare(&detached, &order, &actor).await });
    // Beyond the wait the task goes on; a worker tries again should it fail.
    let _done_or_late = within(core.clock.as_ref(), PREPARE_WAIT, task).await;
}

/// Registers the amount of an order at PortOne. A failure is noted and tried again by a worker: what is verified afterwards
/// does not depend on it.
pub async fn prepare(core: &Core, order: &Order, actor: &Actor) {
    let result = core
        .gateway
        .prepare(order.portone, &order.payment_id, order.amount)
        .await;
    let at = core.clock.now();
    let (kind, data) = match result {
        Ok(()) => (
            EntryKind::Prepared,
            json!({ "amount": order.amount.minor, "currency": order.amount.currency.code() }),
        ),
        Err(error) => (EntryKind::PrepareFailed, json!({ "error": error.as_str() })),
    };
    let once_key = Some(format!("{}:{}", kind.as_str(), data));
    let written = async {
        if result.is_ok() {
            core.orders.mark_prepared(&order.payment_id, at).await?;
        }
        core.orders
            .append_history(
                &order.payment_id,
                &[Entry {
                    at,
                    kind,
                    actor: actor.to_text(),
                    data,
                    once_key,
                }],
                VISITOR_ENTRIES_MAX,
            )
            .await
    };
    if let Err(error) = written.await {
        tracing::warn!(payment.id = %order.payment_id, error = &error as &dyn std::error::Error, "the registration of an amount could not be written down");
    }
}

/// Notes that one order may have.
pub const NOTES_MAX: u32 = 50;

/// Why a note was not kept.
#[derive(Debug, Error)]
pub enum NoteError {
    /// What was typed is no note.
    #[error(transparent)]
    Note(#[from] InvalidNote),
    /// No such order.
    #[error("no such order")]
    NotFound,
    /// The order has [`NOTES_MAX`] of them.
    #[error("the order has as many notes as it may have")]
    TooMany,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Keeps a person's note on an order. What the same form, by its key, sends twice is kept once.
///
/// # Errors
/// See [`NoteError`].
pub async fn note(
    core: &Core,
    payment_id: &PaymentId,
    typed: &str,
    form_key: &str,
    actor: &Actor,
) -> Result<(), NoteError> {
    let note = Note::parse(typed)?;
    let new = NewNote {
        payment_id: payment_id.clone(),
        form_key: once(form_key, &note),
        by: actor.clone(),
        at: core.clock.now(),
        note,
    };
    match core.notes.add_note(&new, NOTES_MAX).await? {
        Noted::Kept => Ok(()),
        Noted::TooMany => Err(NoteError::TooMany),
        Noted::NoOrder => Err(NoteError::NotFound),
    }
}

/// Tells a note that was sent twice from another one written into a form that the browser brought back.
fn once(form_key: &str, note: &Note) -> String {
    let digest = Sha256::new()
        .chain_update(form_key)
        .chain_update(note.as_str())
        .finalize();
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Why an order was not closed.
#[derive(Debug, Error)]
pub enum CloseError {
    /// No such order.
    #[error("there is no such order")]
    NotFound,
    /// It has been paid: what is to be done is a refund.
    #[error("the order has been paid")]
    Paid,
    /// The order kept changing.
    #[error("the order kept changing")]
    Busy,
    /// The store failed.
    #[error("the order could not be closed")]
    Store(#[from] StoreError),
}

/// Closes an order: no payment is wanted any more, one that arrives later is `late`. PortOne is asked first, so that a
/// payment made before the closing is not called late. Closing a closed order changes nothing.
///
/// # Errors
/// See [`CloseError`].
pub async fn close(
    core: &Arc<Core>,
    payment_id: &PaymentId,
    actor: Actor,
) -> Result<Snapshot, CloseError> {
    let ask = Ask {
        payment_id: payment_id.clone(),
        transaction_id: None,
        patient: false,
        actor: actor.clone(),
    };
    match sync(core, ask).await {
        Ok(_) | Err(SyncError::Busy | SyncError::Store(_)) => {}
        Err(SyncError::NoSuchOrder) => return Err(CloseError::NotFound),
    }
    for _ in 0..CLOSE_TRIES_MAX {
        let snapshot = core
            .orders
            .find_order(payment_id)
            .await?
            .ok_or(CloseError::NotFound)?;
        let now = core.clock.now();
        let decision = decision::close(&snapshot.order, &snapshot.transactions, now)
            .map_err(|AlreadyPaid| CloseError::Paid)?;
        let Some(decision) = decision else {
            return Ok(snapshot);
        };
        let transactions = decision.applied_to(&snapshot.transactions);
        let mut commit = Commit {
            entries: decision.entries(now, &actor),
            order: decision.order,
            transactions: decision.transactions,
            events: decision.events,
        };
        if core.orders.commit(&commit).await? == Committed::Done {
            commit.order.version += 1;
            core.moves.tell(payment_id.clone());
            return Ok(Snapshot {
                order: commit.order,
                transactions,
            });
        }
    }
    Err(CloseError::Busy)
}
