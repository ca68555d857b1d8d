//! Refunds: the intent is on disk before PortOne is called, and what PortOne shows afterwards decides what became of it.
//!
//! What follows what is [`crate::domain::refund`]'s; here it is acted out. Every step is written with the version that it was
//! decided on, and `calling` is written before the call is made, so of any number of tasks and instances one makes the call. The
//! order itself is moved by [`super::sync`] alone, by evidence: an answer to the call moves nothing but the refund.
//!
//! A crash at any point leaves a row with a time at which a worker takes it: before the call it is made then, after the call
//! began it is in doubt, and PortOne is asked.
//!
//! Tested against the sandbox on both databases, `tests/it/refunds.rs` and beside it.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use thiserror::Error;

use super::Core;
use super::sync::{Ask, Standing, SyncError, Synced, sync};
use crate::domain::history::{Actor, Entry, EntryKind};
use crate::domain::ids::{PaymentId, RefundId, TransactionId};
use crate::domain::money::Money;
use crate::domain::order::Portone;
use crate::domain::refund::{
    self, Balance, FIRST_TRY, Input, OnMismatch, Refund, RefundAccount, RefundAmount, RefundState,
    Sight, Step, TaxFreeFault,
};
use crate::domain::transaction::{Transaction, Verdict};
use crate::ports::entropy::{draw, draw_per_mille};
use crate::ports::gateway::CancelCall;
use crate::ports::requests::NamedRequest;
use crate::ports::store::{Intended, Moved, Snapshot, StoreError};

/// How long an asker waits for PortOne's answer to a refund. The refund goes on without it.
pub const ANSWER_WAIT: Duration = Duration::from_secs(15);
/// How long PortOne is waited for in all, from the question what is left to the answer to the refund. Leaves room for the
/// database within the time that a request has, so that the asker hears how far the refund is.
pub const REQUEST_TIME: Duration = Duration::from_secs(25);
/// How long a worker holds a refund.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How often a step is decided again because somebody else moved the refund in between.
const DECISIONS_MAX: u32 = 5;
/// What PortOne, and with some gateways the buyer, is told of a refund that the policy made.
const POLICY_REASON: &str = "주문과 일치하지 않는 결제";

/// What is asked for, checked.
#[derive(Debug, Clone)]
pub struct NewRefund {
    /// Of which order.
    pub payment_id: PaymentId,
    /// Of which transaction; the one that paid the order when absent.
    pub transaction_id: Option<TransactionId>,
    /// How much, in minor units; all that is left when absent.
    pub amount_minor: Option<i64>,
    /// How much of it is free of tax, in minor units; PortOne is asked when absent.
    pub tax_free_minor: Option<i64>,
    /// What the asker was told can be given back, in minor units: when it is another sum by now, nothing is. Not compared when
    /// absent.
    pub left_minor: Option<i64>,
    /// Why.
    pub reason: String,
    /// Where to, when the money cannot go the way it came.
    pub account: Option<RefundAccount>,
    /// The asker's name for this request.
    pub idempotency_key: String,
    /// Fingerprint of the request, its account left out.
    pub fingerprint: String,
    /// The request among all that a shop named: of whichever order, a name is that of one.
    pub name: Option<NamedRequest>,
}

/// What came of asking for a refund.
#[derive(Debug)]
pub enum Asked {
    /// It is new; this is how far it came while the asker waited.
    New(Box<Refund>),
    /// The very same request was made before; this is how far its refund is.
    Same(Box<Refund>),
}

/// Why no refund was written down.
#[derive(Debug, Error)]
pub enum AskError {
    /// No such order.
    #[error("there is no such order")]
    NoSuchOrder,
    /// The order has no such transaction.
    #[error("the order has no such transaction")]
    NoSuchTransaction,
    /// The order, or the transaction, holds no money.
    #[error("nothing is paid")]
    NotPaid,
    /// Something else was asked for with the same key.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The first request with this key is being answered.
    #[error("a request with this idempotency key is being answered")]
    KeyInUse,
    /// Another refund of the transaction, made here or elsewhere, may still give money back.
    #[error("another refund of the transaction is in flight")]
    UnderWay,
    /// More than can be given back.
    #[error("more than {} can be given back", .0.minor)]
    TooMuch(Money),
    /// What can be given back is not what the asker was told.
    #[error("what can be given back has changed; it is {} now", .0.minor)]
    Changed(Money),
    /// How much of it is free of tax has to be said, or is wrong.
    #[error("the tax-free part is missing or too much")]
    TaxFree(TaxFreeFault),
    /// The gateway has to be told where the money goes.
    #[error("a refund of a deposit needs an account")]
    AccountNeeded,
    /// What can be given back could not be confirmed, because of PortOne or of us; nothing was written.
    #[error("what can be given back could not be confirmed")]
    Unavailable,
    /// The store failed.
    #[error("the refund could not be read or written")]
    Store(#[from] StoreError),
}

/// Asks for a refund: writes the intent, calls PortOne, and waits a while for what becomes of it.
///
/// # Errors
/// See [`AskError`]. Whatever PortOne does once the intent is written is no error: the refund says it.
pub async fn request(core: &Arc<Core>, new: NewRefund, actor: Actor) -> Result<Asked, AskError> {
    if let Some(there) = core
        .refunds
        .find_refund_by_key(&new.payment_id, &new.idempotency_key)
        .await?
    {
        return repeated(there, &new, &actor);
    }
    let mut time_is_up = core.clock.sleep(REQUEST_TIME);
    let look = async {
        let snapshot = look_again(core, &new, &actor).await?;
        find_left(core, &snapshot, &new).await
    };
    let left = tokio::select! {
        biased;
        left = look => left,
        () = &mut time_is_up => Err(AskError::Unavailable),
    };
    let written = match left {
        Ok(left) => intend(core, left, &new, &actor).await,
        Err(error) => Err(error),
    };
    let refund = match written {
        Ok(Written::New(refund)) => refund,
        Ok(Written::There(there)) => return repeated(*there, &new, &actor),
        Err(error) => return refused_unless_repeated(core, error, &new, &actor).await,
    };
    let written = refund.clone();
    let detached = Arc::clone(core);
    let task = core
        .tasks
        .spawn(async move { work_off(&detached, *refund).await });
    // Beyond the wait the task goes on; a worker takes over should it fail.
    tokio::select! {
        biased;
        _done = task => {}
        () = core.clock.sleep(ANSWER_WAIT) => {}
        () = time_is_up => {}
    }
    // It is on disk, and the money may be on its way: whoever asked must not hear that it failed and ask for it again.
    match core.refunds.find_refund(&written.id).await {
        Ok(Some(stored)) => Ok(Asked::New(Box::new(stored))),
        Ok(None) => Ok(Asked::New(written)),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "how far a refund came could not be read"
            );
            Ok(Asked::New(written))
        }
    }
}

/// Works off what is due. Returns how many were taken.
///
/// # Errors
/// [`StoreError`] when the due refunds cannot be read; a single one that fails is left for its next turn.
pub async fn work_off_due(core: &Arc<Core>, limit: u32) -> Result<usize, StoreError> {
    let now = core.clock.now();
    let lease_until = now.checked_add(LEASE).unwrap_or(now);
    let due = core.refunds.lease_refunds(now, lease_until, limit).await?;
    let count = due.len();
    let work = due.into_iter().map(|refund| {
        let core = Arc::clone(core);
        async move { work_off(&core, refund).await }
    });
    core.side_by_side("refunds", work).await;
    Ok(count)
}

/// Gives back what the deployment's policy says, by what PortOne has just told. Goes on by itself.
pub(crate) fn by_policy(core: &Arc<Core>, synced: &Synced) {
    match core.settings.on_mismatch {
        OnMismatch::Hold => return,
        OnMismatch::Refund if !synced.confirmed => return,
        OnMismatch::Refund => {}
    }
    let mode = core.settings.expected.mode;
    let transactions = synced.snapshot.transactions.iter();
    for transaction in transactions.filter(|one| refund::may_go_back_by_policy(one, mode)) {
        let (detached, snapshot) = (Arc::clone(core), synced.snapshot.clone());
        let id = transaction.transaction_id.clone();
        core.tasks
            .spawn(async move { refund_by_policy(&detached, &snapshot, id).await });
    }
}

/// Makes the refunds that wait to be shown by PortOne due when a change gave something back.
pub(crate) async fn wake(core: &Core, before: &Snapshot, changed: &[Transaction]) {
    let gave_back = changed.iter().any(|after| {
        let known = before
            .transactions
            .iter()
            .find(|before| before.transaction_id == after.transaction_id);
        after.cancelled_minor > known.map_or(0, |before| before.cancelled_minor)
    });
    if !gave_back {
        return;
    }
    make_due(core, &before.order.payment_id).await;
}

/// Makes the refunds of an order that wait to be shown by PortOne due. Should it fail, they are due on their own time.
pub(crate) async fn make_due(core: &Core, payment_id: &PaymentId) {
    if let Err(error) = core
        .refunds
        .wake_refunds(payment_id, core.clock.now())
        .await
    {
        tracing::warn!(payment.id = %payment_id, error = &error as &dyn std::error::Error, "the refunds of an order could not be woken");
    }
}

async fn refund_by_policy(core: &Arc<Core>, snapshot: &Snapshot, transaction_id: TransactionId) {
    let idempotency_key = format!("policy:{}", transaction_id.as_str());
    let (portone, id) = (snapshot.order.portone, transaction_id.clone());
    let new = NewRefund {
        payment_id: snapshot.order.payment_id.clone(),
        transaction_id: Some(transaction_id),
        amount_minor: None,
        tax_free_minor: None,
        left_minor: None,
        reason: POLICY_REASON.to_owned(),
        account: None,
        // Once for each transaction, whatever becomes of it: what PortOne refused waits for a person.
        fingerprint: idempotency_key.clone(),
        idempotency_key,
        name: None,
    };
    let result = async {
        let there = core.refunds.refunds(&new.payment_id).await?;
        let settles_it = |refund: &Refund| {
            refund.idempotency_key == new.idempotency_key
                || (refund.transaction_id == id && refund.state.is_in_flight())
        };
        let now = core.clock.now();
        if there.iter().any(settles_it)
            || !core
                .admission
                .admits_policy(portone, &new.payment_id, &id, now)
        {
            return Ok(());
        }
        let left = find_left(core, snapshot, &new).await?;
        match intend(core, left, &new, &Actor::Policy).await? {
            Written::New(refund) => carry_out(core, *refund).await?,
            Written::There(_) => {}
        }
        Ok::<(), AskError>(())
    };
    if let Err(error) = result.await {
        tracing::warn!(payment.id = %new.payment_id, error = &error as &dyn std::error::Error, "a payment that fails a check was not given back; it is held, and a later check tries again");
    }
}

/// How far the refund of the same request is, unless the request is another one.
fn repeated(there: Refund, new: &NewRefund, actor: &Actor) -> Result<Asked, AskError> {
    // An account is compared while it is there; afterwards nobody here knows it any more.
    let same_account = there.account.is_none() || there.account == new.account;
    // Two shops that name their requests alike must not take each other's refund for their own.
    let same_asker = there.requested_by == actor.to_text();
    if there.fingerprint != new.fingerprint || !same_account || !same_asker {
        return Err(AskError::KeyReused);
    }
    match there.state {
        RefundState::Calling => Err(AskError::KeyInUse),
        RefundState::Intended
        | RefundState::Requested
        | RefundState::InDoubt
        | RefundState::Done
        | RefundState::Refused
        | RefundState::NotDone => Ok(Asked::Same(Box::new(there))),
    }
}

/// What stands against a refund may be the very same request, which somebody else has answered in the meantime.
async fn refused_unless_repeated(
    core: &Core,
    error: AskError,
    new: &NewRefund,
    actor: &Actor,
) -> Result<Asked, AskError> {
    let there = core
        .refunds
        .find_refund_by_key(&new.payment_id, &new.idempotency_key);
    match there.await {
        Ok(Some(there)) => repeated(there, new, actor),
        Ok(None) | Err(_) => Err(error),
    }
}

/// Asks PortOne about the transaction first, so that what was given back elsewhere is known.
async fn look_again(
    core: &Arc<Core>,
    new: &NewRefund,
    actor: &Actor,
) -> Result<Snapshot, AskError> {
    let ask = Ask {
        payment_id: new.payment_id.clone(),
        transaction_id: new.transaction_id.clone(),
        patient: false,
        actor: actor.clone(),
    };
    match sync(core, ask).await {
        Ok(synced) if !synced.confirmed => Err(AskError::Unavailable),
        Ok(synced) => match synced.standing {
            Standing::Ours => Ok(synced.snapshot),
            Standing::Foreign | Standing::Unknown => Err(AskError::NoSuchTransaction),
        },
        Err(SyncError::NoSuchOrder) => Err(AskError::NoSuchOrder),
        Err(SyncError::Busy) => Err(AskError::Unavailable),
        Err(SyncError::Store(error)) => {
            tracing::error!(payment.id = %new.payment_id, error = error.as_ref() as &dyn std::error::Error, "an order to be refunded could not be read");
            Err(AskError::Unavailable)
        }
    }
}

enum Written {
    New(Box<Refund>),
    There(Box<Refund>),
}

/// What can be given back, and of what.
struct Left {
    transaction_id: TransactionId,
    balance: Balance,
    /// What this server knows to be left, in minor units. Of an account that took less than was ordered it is less than what
    /// PortOne lets be given back, and of a payment with a discount more.
    known_minor: i64,
    /// Whether PortOne shows nothing given back that this server does not know.
    is_current: bool,
}

impl Left {
    /// What may be asked for: no more than came, and no more than PortOne gives back.
    fn askable(&self) -> Money {
        let cancellable = self.balance.cancellable;
        Money {
            minor: cancellable.minor.min(self.known_minor).max(0),
            ..cancellable
        }
    }

    /// Whether it is not what the asker was told.
    fn is_news(&self, told_minor: i64) -> bool {
        let is_known = self.is_current && told_minor == self.known_minor;
        !is_known && told_minor != self.askable().minor
    }
}

/// Asks PortOne what can still be given back of the transaction.
async fn find_left(core: &Core, snapshot: &Snapshot, new: &NewRefund) -> Result<Left, AskError> {
    let transaction = subject(snapshot, new.transaction_id.as_ref())?;
    if refund::needs_account(transaction) && new.account.is_none() {
        return Err(AskError::AccountNeeded);
    }
    let portone = snapshot.order.portone;
    let balance = core
        .gateway
        .balance(portone, &new.payment_id, &transaction.transaction_id)
        .await
        .map_err(|error| {
            tracing::warn!(payment.id = %new.payment_id, error = error.as_str(), "the balance of a payment to be refunded could not be read");
            AskError::Unavailable
        })?;
    if refund::has_one_under_way(&balance) {
        return Err(AskError::UnderWay);
    }
    Ok(Left {
        transaction_id: transaction.transaction_id.clone(),
        is_current: balance.reserved_minor == transaction.cancelled_minor,
        balance,
        known_minor: transaction.amount_minor.map_or(0, |amount| {
            amount.saturating_sub(transaction.cancelled_minor)
        }),
    })
}

/// Writes the intent, with the balance that PortOne shows right now as its guard.
async fn intend(
    core: &Core,
    left: Left,
    new: &NewRefund,
    actor: &Actor,
) -> Result<Written, AskError> {
    let askable = left.askable();
    // Before the amount: whoever was told another sum decides anew, also about an amount that would still fit.
    if new.left_minor.is_some_and(|told| left.is_news(told)) {
        return Err(AskError::Changed(askable));
    }
    let Left {
        transaction_id,
        balance,
        ..
    } = left;
    let too_much = || AskError::TooMuch(askable);
    let wanted = Money {
        minor: new.amount_minor.unwrap_or(askable.minor),
        currency: askable.currency,
    };
    let amount = RefundAmount::new(wanted).map_err(|_| too_much())?;
    if amount.minor() > askable.minor {
        return Err(too_much());
    }
    let tax_free_minor =
        refund::tax_free(amount, new.tax_free_minor, &balance).map_err(AskError::TaxFree)?;
    let now = core.clock.now();
    let refund = Refund {
        id: RefundId::from_bytes(draw(core.entropy.as_ref())),
        version: 0,
        payment_id: new.payment_id.clone(),
        transaction_id,
        amount,
        tax_free_minor,
        reason: new.reason.clone(),
        account: new.account.clone(),
        requested_by: actor.to_text(),
        idempotency_key: new.idempotency_key.clone(),
        fingerprint: new.fingerprint.clone(),
        state: RefundState::Intended,
        guard_minor: balance.cancellable.minor,
        reserved_minor: balance.reserved_minor,
        cancellation_id: None,
        attempts: 0,
        called_at: None,
        next_at: now.checked_add(FIRST_TRY).ok(),
        trouble: None,
        created_at: now,
        updated_at: now,
    };
    let entry = entry(&refund, EntryKind::RefundRequested, actor.to_text());
    let intended = core.refunds.intend(&refund, &entry, new.name.as_ref());
    match intended.await? {
        Intended::Written => Ok(Written::New(Box::new(refund))),
        Intended::KeyInUse(there) => Ok(Written::There(there)),
        Intended::NameInUse => Err(AskError::KeyReused),
        Intended::UnderWay => Err(AskError::UnderWay),
        Intended::TooMuch => Err(too_much()),
    }
}

/// The transaction to be refunded: the one that was named, or the one that paid the order.
fn subject<'s>(
    snapshot: &'s Snapshot,
    named: Option<&TransactionId>,
) -> Result<&'s Transaction, AskError> {
    let transaction = match named {
        Some(id) => snapshot
            .transactions
            .iter()
            .find(|transaction| &transaction.transaction_id == id)
            .ok_or(AskError::NoSuchTransaction)?,
        None => snapshot
            .transactions
            .iter()
            .find(|transaction| transaction.verdict == Verdict::Accepted)
            .ok_or(AskError::NotPaid)?,
    };
    // One that was given back whole is left to the balance, which says how much is left: nothing.
    if refund::is_refundable(transaction) || transaction.cancelled_minor > 0 {
        Ok(transaction)
    } else {
        Err(AskError::NotPaid)
    }
}

/// Makes the call, unless somebody else has begun to, and looks at what came of it.
async fn carry_out(core: &Arc<Core>, intended: Refund) -> Result<(), StoreError> {
    let Some(portone) = portone_of(core, &intended).await? else {
        return Ok(());
    };
    let call = CancelCall {
        refund_id: intended.id.clone(),
        payment_id: intended.payment_id.clone(),
        transaction_id: intended.transaction_id.clone(),
        amount: intended.amount,
        tax_free: intended.tax_free_minor.map(|minor| Money {
            minor,
            ..intended.amount.money()
        }),
        guard: Money {
            minor: intended.guard_minor,
            ..intended.amount.money()
        },
        reason: intended.reason.clone(),
        account: intended.account.clone(),
    };
    let Some(calling) = advance(core, intended, &Input::CallBegins).await? else {
        return Ok(());
    };
    let answer = core.gateway.cancel(portone, &call).await;
    let Some(refund) = advance(core, calling, &Input::Answered(answer)).await? else {
        return Ok(());
    };
    match refund.state {
        RefundState::Requested => look(core, refund).await,
        RefundState::Refused => {
            // PortOne may know of something that this server does not; whether it says so now changes nothing about the refund.
            let _known_better_or_not = ask_about(core, &refund).await;
            Ok(())
        }
        RefundState::Intended
        | RefundState::Calling
        | RefundState::InDoubt
        | RefundState::Done
        | RefundState::NotDone => Ok(()),
    }
}

/// Runs the one path for the order of a refund; says whether PortOne told of the refund's transaction.
async fn ask_about(core: &Arc<Core>, refund: &Refund) -> bool {
    let ask = Ask {
        payment_id: refund.payment_id.clone(),
        transaction_id: Some(refund.transaction_id.clone()),
        patient: false,
        actor: Actor::Refund,
    };
    sync(core, ask)
        .await
        .is_ok_and(|synced| synced.confirmed && synced.standing == Standing::Ours)
}

async fn work_off(core: &Arc<Core>, refund: Refund) {
    let id = refund.id.clone();
    let worked = match refund.state {
        RefundState::Intended => carry_out(core, refund).await,
        // Its time is over, and whoever made the call has not come back.
        RefundState::Calling => advance(core, refund, &Input::CallLost).await.map(drop),
        RefundState::Requested | RefundState::InDoubt => look(core, refund).await,
        RefundState::Done | RefundState::Refused | RefundState::NotDone => Ok(()),
    };
    if let Err(error) = worked {
        tracing::warn!(refund.id = %id, error = &error as &dyn std::error::Error, "a refund could not be moved on; it is due again later");
    }
}

/// Asks PortOne what has become of a refund. The order is moved first, by the one path, so that a refund is `done` only when
/// the order shows it.
async fn look(core: &Arc<Core>, refund: Refund) -> Result<(), StoreError> {
    let Some(portone) = portone_of(core, &refund).await? else {
        return Ok(());
    };
    let (payment_id, transaction_id) = (&refund.payment_id, &refund.transaction_id);
    let asked_at = core.clock.now();
    let balance = core
        .gateway
        .balance(portone, payment_id, transaction_id)
        .await;
    let input = match balance {
        Ok(balance) if ask_about(core, &refund).await => {
            let sight = Sight { balance, asked_at };
            match core.attention.find_word(&refund).await? {
                Some(word) => Input::SeenAndSettled(sight, word),
                None => Input::Seen(sight),
            }
        }
        Ok(_) | Err(_) => Input::NotSeen,
    };
    advance(core, refund, &input).await.map(drop)
}

async fn portone_of(core: &Core, refund: &Refund) -> Result<Option<Portone>, StoreError> {
    let order = core.orders.find_order(&refund.payment_id).await?;
    Ok(order.map(|snapshot| snapshot.order.portone))
}

/// Writes what an input does to a refund, and decides again when somebody else was faster. `None` when it does nothing to the
/// refund as it is by then.
async fn advance(
    core: &Core,
    mut refund: Refund,
    input: &Input,
) -> Result<Option<Refund>, StoreError> {
    for _ in 0..DECISIONS_MAX {
        let spread = draw_per_mille(core.entropy.as_ref());
        let Some(Step {
            refund: mut moved,
            kind,
        }) = refund::next(&refund, input, core.clock.now(), spread)
        else {
            return Ok(None);
        };
        let note = kind.map(|kind| entry(&moved, kind, actor_of(&moved, input)));
        match core.refunds.move_refund(&moved, note.as_ref()).await? {
            Moved::Done => {
                moved.version += 1;
                tell(&moved, kind);
                return Ok(Some(moved));
            }
            Moved::Conflict => {}
        }
        let Some(there) = core.refunds.find_refund(&moved.id).await? else {
            return Ok(None);
        };
        refund = there;
    }
    Ok(None)
}

/// Who ended a refund: a person, when it ended by that person's word.
fn actor_of(moved: &Refund, input: &Input) -> String {
    let trouble = moved.trouble.as_ref();
    match input {
        Input::SeenAndSettled(_, word)
            if trouble.is_some_and(|trouble| trouble.code == refund::SETTLED) =>
        {
            word.by.clone()
        }
        Input::SeenAndSettled(..)
        | Input::CallBegins
        | Input::Answered(_)
        | Input::CallLost
        | Input::Seen(_)
        | Input::NotSeen => Actor::Refund.to_text(),
    }
}

fn tell(refund: &Refund, kind: Option<EntryKind>) {
    let code = refund
        .trouble
        .as_ref()
        .map(|trouble| trouble.code.as_str())
        .unwrap_or_default();
    match kind {
        Some(EntryKind::RefundInDoubt | EntryKind::RefundRefused | EntryKind::RefundNotDone) => {
            tracing::warn!(refund.id = %refund.id, payment.id = %refund.payment_id, state = refund.state.as_str(), code, "a refund did not go through as asked");
        }
        Some(_) | None => {
            tracing::info!(refund.id = %refund.id, payment.id = %refund.payment_id, state = refund.state.as_str(), "a refund moved on");
        }
    }
}

fn entry(refund: &Refund, kind: EntryKind, actor: String) -> Entry {
    Entry {
        at: refund.updated_at,
        kind,
        actor,
        data: refund::history_data(refund),
        once_key: None,
    }
}
