//! Giving money back: one refund from its intent to its end, as a pure state machine.
//!
//! ```text
//!                 ┌── not made: tried again ──┐
//!                 ▼                           │
//! intent ──► intended ──► calling ────────────┴─► requested ──► done
//!               │            │ nobody knows          ▲    └───► refused
//!               │            ▼                       │
//!               │        in_doubt ── shown ──────────┴────────► done
//!               ▼            └── not shown for an hour ───────► not_done
//!            not_done
//! ```
//!
//! A refund of which PortOne shows neither a trace nor an end waits for a person: from that person's word on, it ends as
//! `not_done` as soon as nothing of it can be under way any more ([`Input::SeenAndSettled`]).
//!
//! The call to PortOne is made at most once for each time that PortOne surely did not see it, and never again after an answer
//! that nobody got. A refund is `done` only by what PortOne shows of the transaction, never by the answer to the call.
//!
//! **Why it is safe to give up a refund in doubt.** Each call names the balance that could be cancelled right before it (V1
//! `checksum`, V2 `currentCancellableAmount`), and PortOne does nothing when that is not the balance any more. Two refunds that
//! follow one another on an unchanged balance name the same one, so whichever PortOne carries out first takes the ground from
//! under the other: a call that turns up hours late cannot give the money back a second time. What was looked at has to be the
//! balance itself for that: no refund begins while PortOne lists a cancellation that may still fail and give its amount back
//! ([`has_one_under_way`]), and one that stands in the refund's place with another amount ends no doubt, as it may be the refund
//! itself, which PortOne adjusts to promotions and V1 adds to others that are under way.
//! <https://developers.portone.io/api/rest-v1/payment.cancel>,
//! <https://developers.portone.io/api/rest-v2/payment#post%20%2Fpayments%2F%7BpaymentId%7D%2Fcancel>
//!
//! That PortOne shows nothing counts by when it was asked, not by when its answer is looked at: an answer that was under way for
//! hours, or in a process that stood still, knows nothing of those hours.
//!
//! Tested below, every state with every input.

use std::num::NonZeroU64;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::history::EntryKind;
use super::ids::{PaymentId, RefundId, TransactionId};
use super::method::PayMethod;
use super::money::{Currency, InvalidMoney, Money};
use super::order::{Mode, words};
use super::transaction::{Transaction, Verdict};
use super::verification::{Check, CheckName};

/// Longest time that one call may take, PortOne's own time-out included. A call without an answer by then is in doubt.
pub const CALL_TIME_MAX: SignedDuration = SignedDuration::from_secs(150);
/// When a worker takes a refund whose call the asking task did not make.
pub const FIRST_TRY: SignedDuration = SignedDuration::from_secs(15);
/// How long a call that did not reach PortOne is tried again. Below the three hours for which PortOne V2 remembers an
/// idempotency key, so that a key is never used after its answer was forgotten.
pub const TRY_FOR: SignedDuration = SignedDuration::from_hours(1);
/// How long PortOne may show nothing of a call in doubt before the refund counts as not made. PortOne asks its callers to wait
/// a minute for an answer; an hour leaves room for a gateway that is slow on top.
pub const IN_DOUBT_FOR: SignedDuration = SignedDuration::from_hours(1);
/// How long, a week, after PortOne took it a refund that it does not show waits although a person gave it up. It passed the
/// guard when it was taken, so that the guard does not hold it any more: nothing but time does. Gateways decide in hours or days.
pub const TAKEN_FOR: SignedDuration = SignedDuration::from_hours(168);

/// Gaps between tries of a call that did not reach PortOne.
const TRY_GAPS_SECONDS: [i64; 5] = [5, 10, 30, 60, 300];
/// Gaps between looks for what a call in doubt has done.
const DOUBT_GAPS_SECONDS: [i64; 6] = [5, 10, 30, 60, 300, 600];
/// Gaps between looks at a refund that PortOne has taken. Banks take days, so the last gap repeats for as long as PortOne says
/// that it is under way: its word stands until PortOne takes it back.
const REQUESTED_GAPS_SECONDS: [i64; 9] = [2, 10, 30, 60, 300, 900, 3600, 10_800, 21_600];
/// Code of a refund that PortOne had taken and the gateway failed to carry out.
pub const CANCELLATION_FAILED: &str = "cancellation_failed";
/// Code of a refund that PortOne and the gateway have booked, and that the buyer's account has not got.
pub const NOT_RECEIVED: &str = "not_received";
/// Code of a refund that ended by a person's word.
pub const SETTLED: &str = "settled";

/// What becomes of a payment that is bound to its order and fails a check. Comes from the deployment's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMismatch {
    /// It is kept, and a person looks.
    Hold,
    /// It is given back, if what fails is about the payment as such; see [`may_go_back_by_policy`].
    Refund,
}
words!(OnMismatch { Hold = "hold", Refund = "refund" });

/// How much is given back: more than nothing, always said. PortOne V1 takes an amount of 0, or none, for everything, so neither
/// can be written down here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundAmount {
    minor: NonZeroU64,
    currency: Currency,
}

impl RefundAmount {
    /// Takes money that is more than nothing.
    ///
    /// # Errors
    /// [`InvalidMoney::Range`] for nothing, less, or too much.
    pub fn new(money: Money) -> Result<Self, InvalidMoney> {
        let Money { minor, currency } = Money::new(money.minor, money.currency)?;
        let minor = u64::try_from(minor)
            .ok()
            .and_then(NonZeroU64::new)
            .ok_or(InvalidMoney::Range)?;
        Ok(Self { minor, currency })
    }

    /// In whole minor units.
    #[must_use]
    pub fn minor(self) -> i64 {
        i64::try_from(self.minor.get()).unwrap_or(i64::MAX)
    }

    /// In whole minor units, as a number that cannot be nothing.
    #[must_use]
    pub fn non_zero(self) -> NonZeroU64 {
        self.minor
    }

    /// As money.
    #[must_use]
    pub fn money(self) -> Money {
        Money {
            minor: self.minor(),
            currency: self.currency,
        }
    }
}

/// Where money goes that cannot go back the way it came: deposits to virtual accounts, telephone bills of another month.
/// Personal data: kept until the call is settled, then gone; `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct RefundAccount {
    /// V1: the gateway's own code of the bank. V2: PortOne's word, such as `SHINHAN`.
    /// <https://developers.portone.io/opi/ko/support/code-info/pg-1>
    pub bank: String,
    /// Number.
    pub number: String,
    /// Holder.
    pub holder: String,
    /// The holder's telephone number; Smartro wants it.
    pub tel: Option<String>,
}

impl std::fmt::Debug for RefundAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefundAccount(..)")
    }
}

/// Longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 200;
/// Longest field of an account, in characters.
pub const ACCOUNT_CHARS_MAX: usize = 100;

/// How far a refund has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundState {
    /// Written down; PortOne has not been called, or surely has not seen the call.
    Intended,
    /// The call is on its way.
    Calling,
    /// PortOne has taken it. The money is back once PortOne shows it.
    Requested,
    /// Nobody knows whether the call was carried out.
    InDoubt,
    /// PortOne shows the money as given back.
    Done,
    /// PortOne or the gateway said no: nothing was given back.
    Refused,
    /// Given up: nothing of it was ever shown. A new refund may be asked for.
    NotDone,
}
words!(RefundState {
    Intended = "intended",
    Calling = "calling",
    Requested = "requested",
    InDoubt = "in_doubt",
    Done = "done",
    Refused = "refused",
    NotDone = "not_done",
});

impl RefundState {
    /// Whether it may still give money back, so that no other refund of the transaction may begin.
    #[must_use]
    pub const fn is_in_flight(self) -> bool {
        match self {
            Self::Intended | Self::Calling | Self::Requested | Self::InDoubt => true,
            Self::Done | Self::Refused | Self::NotDone => false,
        }
    }
}

/// What last went wrong, in codes and cleaned words of PortOne's or our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// PortOne's code, or a word of ours.
    pub code: String,
    /// The gateway's words, for staff.
    pub message: Option<String>,
}

/// A refund as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Ours. Also the idempotency key of the call to PortOne V2.
    pub id: RefundId,
    /// Grows by one with each change; a change names the version it was decided on.
    pub version: i64,
    /// Of which order.
    pub payment_id: PaymentId,
    /// Of which transaction of it.
    pub transaction_id: TransactionId,
    /// How much.
    pub amount: RefundAmount,
    /// How much of it is free of tax, in minor units; not said when absent, which PortOne takes for nothing.
    pub tax_free_minor: Option<i64>,
    /// Why, as PortOne is told. Some gateways show it to the buyer.
    pub reason: String,
    /// Where to, until the call is settled.
    pub account: Option<RefundAccount>,
    /// Who asked, as [`super::history::Actor::to_text`] writes it.
    pub requested_by: String,
    /// The asker's name for the request: the same again is the same refund.
    pub idempotency_key: String,
    /// Fingerprint of the request, its account left out.
    pub fingerprint: String,
    /// How far it has come.
    pub state: RefundState,
    /// The balance that PortOne let be cancelled right before. PortOne does nothing when it is another one by then.
    pub guard_minor: i64,
    /// What had been given back of the transaction right before, or was on its way back.
    pub reserved_minor: i64,
    /// PortOne's id of the cancellation, when it told one.
    pub cancellation_id: Option<String>,
    /// How often the present state's next step was tried in vain.
    pub attempts: i64,
    /// When the call was last made.
    pub called_at: Option<Timestamp>,
    /// When the next step is due; `None` when there is none.
    pub next_at: Option<Timestamp>,
    /// What last went wrong.
    pub trouble: Option<Trouble>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What PortOne answered to the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It has given the money back, or has taken note of it: many gateways decide later. Says nothing about the money itself.
    Taken {
        /// PortOne's id of the cancellation.
        cancellation_id: Option<String>,
    },
    /// A no of PortOne's or the gateway's: nothing was done.
    Refused(Trouble),
    /// The call surely has not been looked at: no connection, no valid key.
    NotMade(Trouble),
    /// Time-out, broken connection, 5xx, an answer that makes no sense: it may have been carried out or not.
    Unknown(Trouble),
}

/// How far one cancellation of a transaction is, by PortOne's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The money is back.
    Done,
    /// The gateway decides later.
    UnderWay,
    /// Cancelled for good, and not known to have reached the account that it goes to: banks pay a deposit back a day or two
    /// later.
    Sending,
    /// Cancelled for good, and the account that it was to go to has not got it: a wrong number, mostly.
    NotReceived,
    /// Nothing was given back.
    Failed,
}

/// One cancellation of a transaction in PortOne's record, whoever asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// PortOne's id.
    pub id: Option<String>,
    /// How much; 0 when PortOne says that something is under way and not how much.
    pub amount_minor: i64,
    /// How far it is.
    pub stage: Stage,
}

/// What can still be given back of a transaction, and what was, as this server fetched it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// What can still be cancelled.
    pub cancellable: Money,
    /// How much of it is free of tax, in minor units; V1 does not tell.
    pub tax_free_minor: Option<i64>,
    /// What was cancelled, cancellations under way included.
    pub reserved_minor: i64,
    /// Each cancellation, first asked for first. May be shorter than the sum says.
    pub cancellations: Vec<Cancellation>,
}

/// A person's word that a refund of which nobody knows the end was taken care of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Who, as [`super::history::Actor::to_text`] writes it.
    pub by: String,
    /// What was done, in that person's words.
    pub note: String,
}

/// A balance, and since when it may be out of date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// What PortOne showed.
    pub balance: Balance,
    /// When it was asked, by this server's clock: the answer says nothing of what came later, however late it is looked at.
    pub asked_at: Timestamp,
}

/// What happens to a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody is about to make the call. To be stored before the call is made.
    CallBegins,
    /// The call was answered, or ended without an answer.
    Answered(Answer),
    /// The time of the call is over, and whoever made it has not come back.
    CallLost,
    /// PortOne was asked about the transaction, and the order stands by the same evidence.
    Seen(Sight),
    /// The same, of a refund that a person does not wait for any more.
    SeenAndSettled(Sight, Word),
    /// PortOne was asked and did not answer.
    NotSeen,
}

/// What an input does to a refund.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The refund as it is to be; its version is still the one the step was decided on.
    pub refund: Refund,
    /// What the history tells of it, when it tells anything.
    pub kind: Option<EntryKind>,
}

/// What `input` does to `refund`, or `None` when it does nothing to a refund in this state. `draw` in 0..=1000 spreads the gaps
/// by up to a fifth.
#[must_use]
pub fn next(refund: &Refund, input: &Input, now: Timestamp, draw: u16) -> Option<Step> {
    let step = Next { refund, now, draw };
    match (refund.state, input) {
        (RefundState::Intended, Input::CallBegins) => Some(step.call()),
        (RefundState::Calling, Input::Answered(answer)) => Some(step.answered(answer)),
        (RefundState::Calling, Input::CallLost) => Some(step.doubt(trouble("call_lost"))),
        // Whoever made the call was given up and comes back: better late than by guessing.
        (RefundState::InDoubt, Input::Answered(answer)) => step.answered_late(answer),
        (RefundState::InDoubt, Input::Seen(sight)) => Some(step.look_in_doubt(sight, None)),
        (RefundState::Requested, Input::Seen(sight)) => Some(step.look_requested(sight, None)),
        (RefundState::InDoubt, Input::SeenAndSettled(sight, word)) => {
            Some(step.look_in_doubt(sight, Some(word)))
        }
        (RefundState::Requested, Input::SeenAndSettled(sight, word)) => {
            Some(step.look_requested(sight, Some(word)))
        }
        (RefundState::InDoubt, Input::NotSeen) => Some(step.again(&DOUBT_GAPS_SECONDS)),
        (RefundState::Requested, Input::NotSeen) => Some(step.again(&REQUESTED_GAPS_SECONDS)),
        (
            RefundState::Intended,
            Input::Answered(_)
            | Input::CallLost
            | Input::Seen(_)
            | Input::SeenAndSettled(..)
            | Input::NotSeen,
        )
        | (
            RefundState::Calling,
            Input::CallBegins | Input::Seen(_) | Input::SeenAndSettled(..) | Input::NotSeen,
        )
        | (RefundState::Requested, Input::CallBegins | Input::Answered(_) | Input::CallLost)
        | (RefundState::InDoubt, Input::CallBegins | Input::CallLost)
        | (
            RefundState::Done | RefundState::Refused | RefundState::NotDone,
            Input::CallBegins
            | Input::Answered(_)
            | Input::CallLost
            | Input::Seen(_)
            | Input::SeenAndSettled(..)
            | Input::NotSeen,
        ) => None,
    }
}

/// What the history says of a refund: no reason and no account, which may be personal. A person's word that ended it is there.
#[must_use]
pub fn history_data(refund: &Refund) -> Value {
    let money = refund.amount.money();
    let mut data = json!({
        "refund_id": refund.id.as_str(),
        "transaction_id": refund.transaction_id.as_str(),
        "amount": money.minor,
        "currency": money.currency.code(),
    });
    if let Some(Trouble { code, message }) = &refund.trouble {
        data["code"] = json!(code);
        data["message"] = json!(message);
    }
    data
}

/// Whether a refund of the transaction may be thought of at all: the order's own, and paid once.
#[must_use]
pub fn is_refundable(transaction: &Transaction) -> bool {
    match transaction.verdict {
        Verdict::Accepted | Verdict::Duplicate | Verdict::Late | Verdict::Held => {
            transaction.holds_money()
        }
        Verdict::Pending | Verdict::AwaitingDeposit | Verdict::Failed => false,
    }
}

/// Whether the policy may give a payment back by itself: it is the order's, and what failed is about the payment as such. One that
/// was made through another generation of PortOne or in another store may be another system's, whose order has the same number;
/// so may one of which PortOne does not say that it is a test, on a server for tests. One whose amount or currency PortOne did not
/// tell is not known to be a wrong one.
#[must_use]
pub fn may_go_back_by_policy(transaction: &Transaction, mode: Mode) -> bool {
    let is_test = transaction.test == Some(true);
    let is_about_the_payment = |check: &Check| match check.name {
        CheckName::Amount | CheckName::Currency => true,
        CheckName::Channel => is_test,
        CheckName::TransactionId
        | CheckName::PaymentId
        | CheckName::Unused
        | CheckName::Portone
        | CheckName::Store => false,
    };
    let mut failed = transaction.checks.iter().filter(|check| !check.passed);
    transaction.verdict == Verdict::Held
        && transaction.holds_money()
        && transaction.amount_minor.is_some()
        && transaction.currency.is_some()
        && (mode == Mode::Live || is_test)
        && failed.all(is_about_the_payment)
}

/// Whether a cancellation of the transaction is under way, whoever asked for it. Until it is over nobody knows what the balance
/// is that a refund could name.
#[must_use]
pub fn has_one_under_way(balance: &Balance) -> bool {
    let mut cancellations = balance.cancellations.iter();
    cancellations.any(|cancellation| cancellation.stage == Stage::UnderWay)
}

/// Why a refund's tax-free part cannot be told to PortOne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaxFreeFault {
    /// The payment is taxed in part, and so may be the refund.
    Needed,
    /// It is more than the refund, or one of the parts is more than is left of it.
    TooMuch,
}

/// How much of a refund is free of tax, as PortOne is to be told: what is not said it takes for taxed as a whole, and refuses it
/// or books a wrong tax. The asker says it; otherwise it is what is left, where all of that goes back or all of that is free.
///
/// # Errors
/// [`TaxFreeFault`] when nobody can say it, or what is said cannot be.
/// <https://developers.portone.io/api/rest-v2/payment#post%20%2Fpayments%2F%7BpaymentId%7D%2Fcancel>,
/// <https://developers.portone.io/opi/ko/support/tax>
pub fn tax_free(
    amount: RefundAmount,
    said: Option<i64>,
    balance: &Balance,
) -> Result<Option<i64>, TaxFreeFault> {
    let (amount, all) = (amount.minor(), balance.cancellable.minor);
    let fits = |part: i64| {
        let taxed = amount.saturating_sub(part);
        (0..=amount).contains(&part)
            && balance
                .tax_free_minor
                .is_none_or(|free| part <= free && taxed <= all.saturating_sub(free))
    };
    match (said, balance.tax_free_minor) {
        (Some(part), _) if fits(part) => Ok(Some(part)),
        (Some(_), _) => Err(TaxFreeFault::TooMuch),
        (None, None | Some(0)) => Ok(None),
        (None, Some(free)) if amount == all || free == all => Ok(Some(free.min(amount))),
        (None, Some(_)) => Err(TaxFreeFault::Needed),
    }
}

/// Whether the money was deposited to an account, so that the gateway has to be told where it goes back to.
/// <https://developers.portone.io/opi/ko/integration/cancel/v1/virtual-account>
#[must_use]
pub fn needs_account(transaction: &Transaction) -> bool {
    transaction.virtual_account.is_some()
}

/// Whether some gateways ask for an account although the money did not come to one: for transfers, and for a telephone's bill of
/// another month.
/// <https://developers.portone.io/opi/ko/integration/pg/v1/smartro-v2>, <https://developers.portone.io/opi/ko/integration/pg/v2/kpn>
#[must_use]
pub fn may_need_account(transaction: &Transaction) -> bool {
    let word = transaction.pay_method.as_deref().unwrap_or_default();
    matches!(
        PayMethod::of_gateway_word(word),
        Some(PayMethod::Transfer | PayMethod::Mobile)
    )
}

/// Whether this can be a field of the account that money goes back to.
#[must_use]
pub fn is_account_field(typed: &str) -> bool {
    let typed = typed.trim();
    (1..=ACCOUNT_CHARS_MAX).contains(&typed.chars().count()) && !typed.contains(char::is_control)
}

fn settled(word: &Word) -> Trouble {
    Trouble {
        code: SETTLED.to_owned(),
        message: Some(word.note.clone()),
    }
}

fn trouble(code: &str) -> Trouble {
    Trouble {
        code: code.to_owned(),
        message: None,
    }
}

/// What PortOne's record says of one refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trace<'b> {
    /// The balance is what it was.
    Absent,
    /// The balance is what it was, and something is on its way back that PortOne does not name yet.
    Moving,
    /// It is there, with PortOne's id when it tells one.
    Shown(Stage, Option<&'b str>),
    /// Another amount stands in its place: somebody else's cancellation, by which the guard keeps the refund out for ever, or
    /// the refund itself as PortOne adjusted it.
    Other,
}

/// Finds a refund in PortOne's record: by its id, else as what was cancelled first from the balance that it named. PortOne
/// carries it out on that balance or not at all, so what stands first there is the refund, or somebody else's cancellation of
/// the same amount in its place; either way the buyer has the money back once.
fn trace<'b>(refund: &Refund, balance: &'b Balance) -> Trace<'b> {
    let own = |cancellation: &&Cancellation| {
        cancellation.id.is_some() && cancellation.id == refund.cancellation_id
    };
    if let Some(own) = balance.cancellations.iter().find(own) {
        return Trace::Shown(own.stage, own.id.as_deref());
    }
    let amount = refund.amount.minor();
    let taken = balance.reserved_minor.saturating_sub(refund.reserved_minor);
    if taken <= 0 {
        let unnamed = |c: &Cancellation| c.stage == Stage::UnderWay && c.amount_minor == 0;
        return if balance.cancellations.iter().any(unnamed) {
            Trace::Moving
        } else {
            Trace::Absent
        };
    }
    let counted = balance
        .cancellations
        .iter()
        .filter(|cancellation| cancellation.stage != Stage::Failed);
    let mut before: i64 = 0;
    for cancellation in counted {
        if before == refund.reserved_minor {
            // V1 tells of all that is under way in one sum, this refund perhaps among it: while anything is under way, another
            // amount settles nothing.
            return if cancellation.amount_minor == amount {
                Trace::Shown(cancellation.stage, cancellation.id.as_deref())
            } else {
                Trace::Other
            };
        }
        before = before.saturating_add(cancellation.amount_minor);
    }
    // The single cancellations do not add up to the sum, so the sum alone speaks. It counts what may still fail, too, and what
    // nobody has got yet.
    if taken < amount {
        return Trace::Other;
    }
    let is_there = |stage: &Stage| balance.cancellations.iter().any(|c| c.stage == *stage);
    let unfinished = [Stage::UnderWay, Stage::NotReceived, Stage::Sending];
    let stage = unfinished.into_iter().find(is_there);
    Trace::Shown(stage.unwrap_or(Stage::Done), None)
}

/// Makes the refund that follows.
struct Next<'r> {
    refund: &'r Refund,
    now: Timestamp,
    draw: u16,
}

impl Next<'_> {
    fn call(&self) -> Step {
        let called = Refund {
            called_at: Some(self.now),
            next_at: self.now.checked_add(CALL_TIME_MAX).ok(),
            ..self.to(RefundState::Calling)
        };
        // The account is still needed: it goes with the call.
        Step {
            refund: Refund {
                account: self.refund.account.clone(),
                attempts: self.refund.attempts,
                ..called
            },
            kind: None,
        }
    }

    fn answered(&self, answer: &Answer) -> Step {
        match answer {
            Answer::Taken { cancellation_id } => self.taken(cancellation_id.clone()),
            Answer::Refused(why) => self.refused(why.clone()),
            Answer::NotMade(why) => self.not_made(why.clone()),
            Answer::Unknown(why) => self.doubt(why.clone()),
        }
    }

    fn answered_late(&self, answer: &Answer) -> Option<Step> {
        match answer {
            Answer::Taken { cancellation_id } => Some(self.taken(cancellation_id.clone())),
            Answer::Refused(why) => Some(self.refused(why.clone())),
            // Its account may be gone by now, and so may its occasion: a person asks again.
            Answer::NotMade(why) => Some(self.given_up(why.clone())),
            Answer::Unknown(_) => None,
        }
    }

    fn taken(&self, cancellation_id: Option<String>) -> Step {
        Step {
            refund: Refund {
                cancellation_id: cancellation_id.or_else(|| self.refund.cancellation_id.clone()),
                next_at: self.after(&REQUESTED_GAPS_SECONDS, 0),
                trouble: None,
                ..self.to(RefundState::Requested)
            },
            kind: None,
        }
    }

    fn not_made(&self, why: Trouble) -> Step {
        let asked_for = self.now.duration_since(self.refund.created_at);
        if asked_for >= TRY_FOR {
            return self.given_up(why);
        }
        let attempts = self.refund.attempts;
        Step {
            refund: Refund {
                account: self.refund.account.clone(),
                attempts: attempts.saturating_add(1),
                next_at: self.after(&TRY_GAPS_SECONDS, attempts),
                trouble: Some(why),
                ..self.to(RefundState::Intended)
            },
            kind: None,
        }
    }

    fn doubt(&self, why: Trouble) -> Step {
        Step {
            refund: Refund {
                next_at: self.after(&DOUBT_GAPS_SECONDS, 0),
                trouble: Some(why),
                ..self.to(RefundState::InDoubt)
            },
            kind: Some(EntryKind::RefundInDoubt),
        }
    }

    fn look_in_doubt(&self, sight: &Sight, word: Option<&Word>) -> Step {
        let (balance, asked_at) = (&sight.balance, self.asked_at(sight));
        let called_at = self.refund.called_at.unwrap_or(self.refund.created_at);
        let is_over = asked_at.duration_since(called_at) >= IN_DOUBT_FOR;
        match (trace(self.refund, balance), word) {
            (Trace::Shown(Stage::Done, _), _) => self.done(),
            // By its id it is known again when the gateway decides against it, and PortOne shows nothing else of that. Without
            // one nobody has said that this refund was taken: it is in doubt until the money shows.
            (Trace::Shown(Stage::UnderWay, Some(id)), _) => self.taken(Some(id.to_owned())),
            // It was carried out, so that its end is all that is missing.
            (Trace::Shown(Stage::Sending | Stage::NotReceived, id), _) => {
                self.taken(id.map(str::to_owned))
            }
            (Trace::Shown(Stage::Failed, _), _) => self.refused(trouble(CANCELLATION_FAILED)),
            (Trace::Absent, _) if is_over => self.given_up(trouble("not_shown")),
            (Trace::Other, Some(word)) if is_over && !has_one_under_way(balance) => {
                self.given_up_by(word)
            }
            (
                Trace::Shown(Stage::UnderWay, None) | Trace::Moving | Trace::Absent | Trace::Other,
                _,
            ) => self.again(&DOUBT_GAPS_SECONDS),
        }
    }

    fn look_requested(&self, sight: &Sight, word: Option<&Word>) -> Step {
        let (balance, asked_at) = (&sight.balance, self.asked_at(sight));
        let taken = balance
            .reserved_minor
            .saturating_sub(self.refund.reserved_minor);
        let is_settled_balance = !has_one_under_way(balance);
        // A refund is what it is since PortOne took it: its call may have been answered long after it was made.
        let is_over = asked_at.duration_since(self.refund.updated_at) >= TAKEN_FOR;
        match (trace(self.refund, balance), word) {
            (Trace::Shown(Stage::Done, _), _) => self.done(),
            (Trace::Shown(Stage::Failed, _), _) => self.refused(trouble(CANCELLATION_FAILED)),
            // The payment is cancelled, so nothing can give the money back a second time: who says that the buyer has it ends it.
            (Trace::Shown(Stage::Sending | Stage::NotReceived, _), Some(word)) => {
                self.done_by(word)
            }
            (Trace::Shown(Stage::Sending, _), None) => self.waiting(None),
            (Trace::Shown(Stage::NotReceived, _), None) => {
                self.waiting(Some(trouble(NOT_RECEIVED)))
            }
            // PortOne said that it took the refund, so another order in its list is the list's own affair.
            (Trace::Other, _) if is_settled_balance && taken >= self.refund.amount.minor() => {
                self.done()
            }
            (Trace::Absent | Trace::Other, Some(word)) if is_over && is_settled_balance => {
                self.given_up_by(word)
            }
            (
                Trace::Shown(Stage::UnderWay, _) | Trace::Moving | Trace::Absent | Trace::Other,
                _,
            ) => self.again(&REQUESTED_GAPS_SECONDS),
        }
    }

    /// Never in the future: a clock may have been set back since.
    fn asked_at(&self, sight: &Sight) -> Timestamp {
        sight.asked_at.min(self.now)
    }

    /// Nothing new; the next look is later than the last one was.
    fn again(&self, gaps: &[i64]) -> Step {
        let attempts = self.refund.attempts.saturating_add(1);
        Step {
            refund: Refund {
                attempts,
                next_at: self.after(gaps, attempts),
                updated_at: self.refund.updated_at,
                ..self.to(self.refund.state)
            },
            kind: None,
        }
    }

    fn done(&self) -> Step {
        Step {
            refund: Refund {
                trouble: None,
                ..self.to(RefundState::Done)
            },
            kind: Some(EntryKind::RefundDone),
        }
    }

    /// The person's own words stand beside the refund's end.
    fn done_by(&self, word: &Word) -> Step {
        let Step { refund, kind } = self.done();
        let trouble = Some(settled(word));
        Step {
            refund: Refund { trouble, ..refund },
            kind,
        }
    }

    /// PortOne has booked it, and what is known of the buyer's account is this.
    fn waiting(&self, why: Option<Trouble>) -> Step {
        let Step { refund, kind } = self.again(&REQUESTED_GAPS_SECONDS);
        Step {
            refund: Refund {
                trouble: why,
                ..refund
            },
            kind,
        }
    }

    fn refused(&self, why: Trouble) -> Step {
        Step {
            refund: Refund {
                trouble: Some(why),
                ..self.to(RefundState::Refused)
            },
            kind: Some(EntryKind::RefundRefused),
        }
    }

    fn given_up(&self, why: Trouble) -> Step {
        Step {
            refund: Refund {
                trouble: Some(why),
                ..self.to(RefundState::NotDone)
            },
            kind: Some(EntryKind::RefundNotDone),
        }
    }

    /// The person's own words stand beside the refund's end.
    fn given_up_by(&self, word: &Word) -> Step {
        self.given_up(settled(word))
    }

    /// The refund in another state: no account any more, nothing due, nothing tried.
    fn to(&self, state: RefundState) -> Refund {
        Refund {
            state,
            account: None,
            attempts: 0,
            next_at: None,
            updated_at: self.now,
            ..self.refund.clone()
        }
    }

    fn after(&self, gaps: &[i64], attempts: i64) -> Option<Timestamp> {
        let step = usize::try_from(attempts)
            .unwrap_or(usize::MAX)
            .min(gaps.len() - 1);
        let gap_ms = gaps[step] * 1000;
        let spread_ms = gap_ms / 5 * i64::from(self.draw.min(1000)) / 1000;
        self.now
            .checked_add(SignedDuration::from_millis(gap_ms + spread_ms))
            .ok()
    }
}

#[cfg(test)]
mod tests;
