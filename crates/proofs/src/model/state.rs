//! A state of the model, and what may happen in it.

use std::fmt;

use super::configuration::Left;
use super::product::Id;
use super::promises::Promise;
use super::world::{ORDERS_MAX, PAYMENTS_MAX, Phase, Upstream};

/// Handlers at work at the same time at most.
pub const HANDLERS_MAX: usize = 3;
/// Webhooks that one configuration may deliver at most.
pub const MESSAGES_MAX: usize = 3;

/// Everything there is: what PortOne has, what the database has, and what is in the memory of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    /// The time.
    pub tick: u8,
    /// What may still go wrong.
    pub left: Left,
    /// PortOne's side.
    pub upstream: [Upstream; PAYMENTS_MAX],
    /// Durable: the orders.
    pub rows: [Stored; ORDERS_MAX],
    /// Durable: the inbox.
    pub inbox: [Option<Message>; MESSAGES_MAX],
    /// Volatile: who is at work.
    pub handlers: [Option<Handler>; HANDLERS_MAX],
    /// A promise that the last step broke.
    pub broken: Option<Promise>,
}

/// An order in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Stored {
    /// Order and transactions.
    pub row: Id,
    /// The order's events.
    pub outbox: Id,
    /// Events that the shop has received at least once.
    pub heard: u8,
    /// Events whose delivery is written down.
    pub acknowledged: u8,
}

/// A webhook in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Message {
    /// The order that it names.
    pub order: u8,
    /// The payment that it names.
    pub payment: u8,
    /// Where it stands.
    pub stage: MessageStage,
}

/// Where a webhook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MessageStage {
    /// Planted bug: acknowledged and not yet written.
    Unwritten,
    /// Waits for a handler.
    Waiting,
    /// A handler has it.
    Leased,
    /// Worked off.
    Settled,
    /// Acknowledged and gone.
    Lost,
}

/// Why a handler asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// A browser came back.
    Redirect,
    /// A webhook, by its place in the inbox.
    Webhook(u8),
    /// Its turn has come.
    Turn,
    /// The shop wants to close the order.
    Close,
}

/// One run of `wanryo::service::sync`, as far as it has come. Lives in memory alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handler {
    /// Why it asks.
    pub purpose: Purpose,
    /// About which order.
    pub order: u8,
    /// The payment that it was told of.
    pub asked: Option<u8>,
    /// The row that it decides on.
    pub row: Id,
    /// Whether the order's version is still the one of `row`. Versions only grow, so this says all that comparing them would,
    /// and keeps states that differ in nothing but a count from being told apart.
    pub current: bool,
    /// How far it is.
    pub stage: Stage,
}

/// How far a handler is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// PortOne was asked, at this tick of the asker's clock.
    Fetching(u8),
    /// It answered.
    Answered(Id),
    /// It was decided what to write; the answer is kept for deciding again.
    Committing {
        /// What it was decided on.
        answer: Id,
        /// What was decided.
        decided: Id,
    },
    /// The order is over: it is to be expired or closed. With the tick at which its own ask began, when that was answered.
    Ending(Option<u8>),
    /// Planted bug: the row is written, its events are not.
    Owing(Id),
}

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A payment goes on at PortOne.
    Upstream(usize, Phase),
    /// Somebody gives money back at PortOne's console.
    Return(usize, Phase),
    /// Time goes by.
    Tick,
    /// A webhook is received and acknowledged.
    Deliver {
        /// The order that it names.
        order: usize,
        /// The payment that it names.
        payment: usize,
    },
    /// Planted bug: what was acknowledged is written after all.
    WriteMessage(usize),
    /// A browser comes back.
    Redirect {
        /// On which server.
        server: usize,
        /// The order that it names.
        order: usize,
        /// The payment that it names.
        asked: Option<usize>,
    },
    /// A handler takes a webhook.
    Take {
        /// On which server.
        server: usize,
        /// Its place.
        message: usize,
    },
    /// A webhook's lease ends.
    Lapse(usize),
    /// An order's turn to be asked about.
    Turn {
        /// On which server.
        server: usize,
        /// Which order.
        order: usize,
    },
    /// The shop closes an order.
    Close {
        /// On which server.
        server: usize,
        /// Which order.
        order: usize,
    },
    /// PortOne answers a handler.
    Answer(usize),
    /// PortOne does not answer a handler.
    Silence(usize),
    /// A handler decides.
    Decide(usize),
    /// A handler commits.
    Commit(usize),
    /// A handler ends an order.
    End(usize),
    /// Planted bug: a handler writes its events after all.
    WriteEvents(usize),
    /// A handler vanishes.
    Crash(usize),
    /// The shop receives an order's next event.
    Send(usize),
    /// The delivery is written down.
    Acknowledge(usize),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = |order: usize| ["A", "B"].get(order).copied().unwrap_or("?");
        match *self {
            Self::Upstream(payment, phase) => write!(f, "PortOne: payment {payment} {phase:?}"),
            Self::Return(payment, phase) => write!(f, "console: payment {payment} {phase:?}"),
            Self::Tick => f.write_str("time goes by"),
            Self::Deliver { order: o, payment } => {
                write!(f, "webhook for order {} and payment {payment}", order(o))
            }
            Self::WriteMessage(message) => write!(f, "webhook {message} is written"),
            Self::Redirect {
                server,
                order: o,
                asked: Some(asked),
            } => write!(
                f,
                "redirect to handler {server} with order {} and payment {asked}",
                order(o)
            ),
            Self::Redirect {
                server,
                order: o,
                asked: None,
            } => write!(f, "redirect to handler {server} with order {}", order(o)),
            Self::Take { server, message } => write!(f, "handler {server} takes webhook {message}"),
            Self::Lapse(message) => write!(f, "the lease of webhook {message} ends"),
            Self::Turn { server, order: o } => {
                write!(f, "handler {server}: turn of order {}", order(o))
            }
            Self::Close { server, order: o } => {
                write!(f, "handler {server}: the shop closes order {}", order(o))
            }
            Self::Answer(handler) => write!(f, "PortOne answers handler {handler}"),
            Self::Silence(handler) => write!(f, "PortOne does not answer handler {handler}"),
            Self::Decide(handler) => write!(f, "handler {handler} decides"),
            Self::Commit(handler) => write!(f, "handler {handler} commits"),
            Self::End(handler) => write!(f, "handler {handler} ends the order"),
            Self::WriteEvents(handler) => write!(f, "handler {handler} writes its events"),
            Self::Crash(handler) => write!(f, "handler {handler} vanishes"),
            Self::Send(o) => write!(f, "the shop receives the next event of order {}", order(o)),
            Self::Acknowledge(o) => write!(f, "delivery for order {} written down", order(o)),
        }
    }
}
