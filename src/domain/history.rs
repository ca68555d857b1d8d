//! What happened to an order, in order, and by whom: append-only. [`replay`] reads the order's state back out of it.

mod replay;

pub use replay::{BrokenHistory, Replayed, ReplayedTransaction, replay};

use jiff::Timestamp;
use serde_json::Value;

use super::order::words;

/// What a history entry tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// The shop made the order.
    OrderCreated,
    /// The amount was registered at PortOne.
    Prepared,
    /// Registering the amount failed; it is tried again.
    PrepareFailed,
    /// A buyer's browser came back, with what its query claimed.
    Redirect,
    /// PortOne's webhook came, with what it claimed.
    Webhook,
    /// PortOne was asked and answered; holds every check.
    Checked,
    /// PortOne could not be asked.
    CheckFailed,
    /// The order or one of its transactions moved.
    Transition,
    /// Evidence was not used: it was older than what is known, or about something else.
    EvidenceRefused,
    /// The shop closed the order.
    Closed,
    /// The order's time ran out.
    Expired,
    /// PortOne asked right before an approval, and was told to go on.
    Confirmed,
    /// PortOne asked right before an approval, and was told to stop.
    ConfirmRefused,
    /// A refund was asked for; it is on disk, and PortOne is called next.
    RefundRequested,
    /// PortOne shows a refund of ours as given back.
    RefundDone,
    /// PortOne or the gateway refused a refund.
    RefundRefused,
    /// Nobody knows whether PortOne carried a refund out; it is asked about.
    RefundInDoubt,
    /// A refund was given up: PortOne never showed anything of it.
    RefundNotDone,
}
words!(EntryKind {
    OrderCreated = "order_created",
    Prepared = "prepared",
    PrepareFailed = "prepare_failed",
    Redirect = "redirect",
    Webhook = "webhook",
    Checked = "checked",
    CheckFailed = "check_failed",
    Transition = "transition",
    EvidenceRefused = "evidence_refused",
    Closed = "closed",
    Expired = "expired",
    Confirmed = "confirmed",
    ConfirmRefused = "confirm_refused",
    RefundRequested = "refund_requested",
    RefundDone = "refund_done",
    RefundRefused = "refund_refused",
    RefundInDoubt = "refund_in_doubt",
    RefundNotDone = "refund_not_done",
});

/// Why evidence was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The transaction belongs to something else.
    Foreign,
    /// A status this version does not know, or one that says nothing yet.
    TellsNothing,
    /// Older than what is known.
    Stale,
}
words!(Refusal { Foreign = "foreign", TellsNothing = "tells_nothing", Stale = "stale" });

/// Who caused it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The buyer's browser.
    Buyer,
    /// PortOne's webhook.
    Webhook,
    /// PortOne, right before an approval. Nobody can tell whether it really was.
    Confirm,
    /// The shop's server, by its API key's name.
    Shop(String),
    /// A person of the shop, by e-mail address.
    Staff(String),
    /// The background worker.
    Worker,
    /// A refund of ours, which waits to be shown by PortOne.
    Refund,
    /// The deployment's own rule for payments that fail a check.
    Policy,
    /// The daily sweep, which found in PortOne's lists what was not known here.
    Sweep,
    /// Whoever runs the program's commands.
    Command,
    /// Somebody who did not prove to be anybody.
    Stranger,
}

/// Begins the text of a person.
const PERSON: &str = "staff:";

impl Actor {
    /// Text for the database and the page.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Buyer => "buyer".to_owned(),
            Self::Webhook => "webhook".to_owned(),
            Self::Confirm => "confirm".to_owned(),
            Self::Worker => "worker".to_owned(),
            Self::Refund => "refund".to_owned(),
            Self::Policy => "policy".to_owned(),
            Self::Sweep => "sweep".to_owned(),
            Self::Command => "command".to_owned(),
            Self::Stranger => "stranger".to_owned(),
            Self::Shop(name) => format!("shop:{name}"),
            Self::Staff(email) => format!("{PERSON}{email}"),
        }
    }

    /// Whether a text is that of a person of the shop.
    #[must_use]
    pub fn is_person(text: &str) -> bool {
        text.starts_with(PERSON)
    }
}

/// One entry to append.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EntryKind,
    /// Who, as [`Actor::to_text`] writes it.
    pub actor: String,
    /// Details, by kind. No personal data.
    pub data: Value,
    /// Entries of one order with the same key are kept once: a repeated redirect is one entry, however often it comes.
    pub once_key: Option<String>,
}

/// One entry as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEntry {
    /// Grows within the order.
    pub seq: i64,
    /// The entry.
    pub entry: Entry,
}

#[cfg(test)]
mod tests {
    use super::Actor;

    #[test]
    fn actors_are_told_apart_in_the_history() {
        for (actor, text) in [
            (Actor::Buyer, "buyer"),
            (Actor::Webhook, "webhook"),
            (Actor::Confirm, "confirm"),
            (Actor::Worker, "worker"),
            (Actor::Shop("web".to_owned()), "shop:web"),
            (Actor::Staff("a@b.example".to_owned()), "staff:a@b.example"),
        ] {
            assert_eq!(actor.to_text(), text);
            assert_eq!(Actor::is_person(text), matches!(actor, Actor::Staff(_)));
        }
    }
}
