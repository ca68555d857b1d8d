//! Who is told of what happens, to count it. Nothing depends on it: an observer cannot refuse, fail or wait.

use jiff::SignedDuration;

use crate::domain::delivery::Trouble;
use crate::domain::outcome::Outcome;
use crate::ports::store::InboxResult;

/// Whose budget an ask for PortOne uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// Somebody who proved who it is, about what this server knows.
    Known,
    /// Anybody, about what this server knows.
    Visitor,
    /// Anybody, about a transaction that no order has seen.
    Stranger,
    /// The background worker.
    Reconciler,
}

impl Asker {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Known, Self::Visitor, Self::Stranger, Self::Reconciler];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Visitor => "visitor",
            Self::Stranger => "stranger",
            Self::Reconciler => "reconciler",
        }
    }
}

/// What became of an ask for PortOne before it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It is made.
    Yes,
    /// Its budget is used up, or its places are taken.
    OverBudget,
    /// PortOne is taken to be down.
    PortoneDown,
}

impl Admitted {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Yes, Self::OverBudget, Self::PortoneDown];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "made",
            Self::OverBudget => "over_budget",
            Self::PortoneDown => "portone_down",
        }
    }
}

/// Something that happened. Holds no id and nothing of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A visitor was told how a payment stands.
    Told(Outcome),
    /// An ask for PortOne was admitted, or was not.
    Asked(Asker, Admitted),
    /// A webhook was worked off, this long after it came. One that is tried again is not worked off.
    WebhookWorkedOff(InboxResult, SignedDuration),
    /// An event was sent to an endpoint of the shop, once: taken, or this is why not.
    EventSent(Option<Trouble>),
}

/// Takes notice. An implementation MUST return at once.
pub trait Observer: Send + Sync {
    /// Takes notice of this.
    fn notice(&self, happening: Happening);
}

/// Nobody looks.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Observer for Nobody {
    fn notice(&self, _: Happening) {}
}
