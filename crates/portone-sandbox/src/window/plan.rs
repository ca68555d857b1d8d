//! What a choice will do: to the record, now and later, and with what the browser comes back.
//!
//! Pure: the window shows a plan before the choice is made and carries out the same one after, so that the page cannot
//! promise what does not happen.

use std::borrow::Cow;
use std::time::Duration;

use super::choice::Choice;
use crate::gateway::{APPROVAL_OVERTAKEN, APPROVAL_REVIEWED, Approval, Gateway};
use crate::ledger::Flow;

/// How long the API does not know of a payment that was made with `pay_lag`.
const LAG: Duration = Duration::from_secs(1);

const OVERTAKEN: Refusal = Refusal::worded("결제 결과를 확인하는 중 오류가 발생하였습니다.");
/// Paymentwall's words for a payment it reviews.
const REVIEWED: Refusal = Refusal::worded("(PG사 결제 장애) Internal error");

/// A reason not to approve. PortOne passes its gateways' codes through and publishes no table of them: codes are the
/// sandbox's, texts are worded as gateways word them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Option<&'static str>,
    pub(crate) message: Cow<'static, str>,
}

impl Refusal {
    pub(crate) const fn new(code: &'static str, message: &'static str) -> Self {
        Refusal {
            code: Some(code),
            message: Cow::Borrowed(message),
        }
    }

    const fn worded(message: &'static str) -> Self {
        Refusal {
            code: None,
            message: Cow::Borrowed(message),
        }
    }
}

/// What becomes of the record when the choice is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Approve,
    IssueAccount,
    Fail(Refusal),
    /// It stays `ready`.
    Nothing,
}

/// In what the record differs from the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tampering {
    Amount,
    Currency,
    Channel,
}

/// Whether and how the browser goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    Return(Telling),
    /// Not sent back; the page offers a link with the ids.
    Link,
    Stay,
}

/// How it is sent back, and what it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Telling {
    pub(crate) manner: Manner,
    pub(crate) flag: Flag,
    pub(crate) has_imp_uid: bool,
    pub(crate) error: Option<Refusal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Get,
    /// By a submitted form.
    Post,
    /// The bank's app opens the shop's page first, then the browser does.
    Twice,
}

/// The hint of how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    /// By the name the gateway gives it, if it gives one.
    Gateways(bool),
    /// `success` in place of the gateway's name.
    Success(bool),
    Missing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) effect: Effect,
    /// Approved then, whatever the effect was.
    pub(crate) approved_after: Option<Duration>,
    pub(crate) tampering: Option<Tampering>,
    /// How long the API does not know of the payment.
    pub(crate) hidden: Duration,
    pub(crate) leave: Leave,
}

impl Plan {
    pub(crate) fn of(choice: Choice, gateway: &Gateway, pay_method: &str, flow: Flow) -> Self {
        let mut plan = Self::of_choice(choice, gateway);
        if let Leave::Return(telling) = &mut plan.leave
            && telling.manner == Manner::Get
            && gateway.ends_in_the_banks_app(pay_method, flow)
            // Whoever opens a transfer and has an account issued has paid nothing by transfer.
            && plan.effect != Effect::IssueAccount
        {
            telling.manner = Manner::Twice;
            telling.flag = Flag::Missing;
        }
        if gateway.never_returns() && matches!(plan.leave, Leave::Return(_)) {
            plan.leave = Leave::Stay;
        }
        plan
    }

    fn of_choice(choice: Choice, gateway: &Gateway) -> Self {
        match choice {
            Choice::Pay => match gateway.approval {
                Approval::AtOnce => Self::approved(),
                Approval::Overtaken => Self::overtaken(),
                Approval::Reviewed => Self::reviewed(),
            },
            Choice::PayAsync => Self::overtaken(),
            Choice::PayLate => Self::reviewed(),
            Choice::IssueVbank => Plan {
                effect: Effect::IssueAccount,
                approved_after: gateway.deposits_after(),
                ..Self::approved()
            },
            Choice::Cancel
            | Choice::Decline
            | Choice::DeclineLimit
            | Choice::DeclineBalance
            | Choice::DeclineCard => Self::failed(choice.refusal()),
            Choice::CancelReady => Plan {
                effect: Effect::Nothing,
                ..Self::failed(choice.refusal())
            },
            Choice::Abandon => Plan {
                effect: Effect::Nothing,
                leave: Leave::Link,
                ..Self::approved()
            },
            Choice::PayFlagFalse => Plan {
                leave: told(Flag::Gateways(false), Some(OVERTAKEN)),
                ..Self::approved()
            },
            Choice::FailFlagTrue => Plan {
                leave: told(Flag::Gateways(true), None),
                ..Self::failed(choice.refusal())
            },
            Choice::PayNoFlag => Self::approved_and(told(Flag::Missing, None)),
            Choice::PaySuccessKey => Self::approved_and(told(Flag::Success(true), None)),
            Choice::PayNoImpUid => Self::approved_and(Leave::Return(Telling {
                manner: Manner::Get,
                flag: Flag::Missing,
                has_imp_uid: false,
                error: None,
            })),
            Choice::PayPost => Self::approved_and(by(Manner::Post)),
            Choice::PayTwice => Self::approved_and(by(Manner::Twice)),
            Choice::PayNoReturn => Self::approved_and(Leave::Stay),
            Choice::PayLag => Plan {
                hidden: LAG,
                ..Self::approved()
            },
            Choice::PayTamperedAmount => Self::tampered(Tampering::Amount),
            Choice::PayTamperedCurrency => Self::tampered(Tampering::Currency),
            Choice::PayTestChannel => Self::tampered(Tampering::Channel),
        }
    }

    fn approved() -> Self {
        Self::approved_and(told(Flag::Gateways(true), None))
    }

    fn approved_and(leave: Leave) -> Self {
        Plan {
            effect: Effect::Approve,
            approved_after: None,
            tampering: None,
            hidden: Duration::ZERO,
            leave,
        }
    }

    fn tampered(tampering: Tampering) -> Self {
        Plan {
            tampering: Some(tampering),
            ..Self::approved()
        }
    }

    fn overtaken() -> Self {
        Plan {
            effect: Effect::Nothing,
            approved_after: Some(APPROVAL_OVERTAKEN),
            ..Self::approved_and(told(Flag::Gateways(false), Some(OVERTAKEN)))
        }
    }

    fn reviewed() -> Self {
        Plan {
            approved_after: Some(APPROVAL_REVIEWED),
            ..Self::failed(REVIEWED)
        }
    }

    pub(crate) fn failed(refusal: Refusal) -> Self {
        Plan {
            effect: Effect::Fail(refusal.clone()),
            ..Self::approved_and(told(Flag::Gateways(false), Some(refusal)))
        }
    }

    /// Whether the gateway is asked to approve, or to issue an account: what the confirm process comes before.
    pub(crate) fn asks_the_gateway(&self) -> bool {
        matches!(self.effect, Effect::Approve | Effect::IssueAccount)
            || self.approved_after.is_some()
    }

    /// What a webhook will say when the choice is made.
    pub(crate) fn webhook(&self) -> Option<&'static str> {
        match self.effect {
            Effect::Approve => Some("paid"),
            Effect::IssueAccount => Some("ready"),
            Effect::Fail(_) | Effect::Nothing => None,
        }
    }

    /// What the record will say when the choice is made.
    pub(crate) fn status(&self) -> &'static str {
        match self.effect {
            Effect::Approve => "paid",
            Effect::IssueAccount | Effect::Nothing => "ready",
            Effect::Fail(_) => "failed",
        }
    }
}

fn told(flag: Flag, error: Option<Refusal>) -> Leave {
    Leave::Return(Telling {
        manner: Manner::Get,
        flag,
        has_imp_uid: true,
        error,
    })
}

fn by(manner: Manner) -> Leave {
    Leave::Return(Telling {
        manner,
        flag: Flag::Gateways(true),
        has_imp_uid: true,
        error: None,
    })
}
