//! The matrix: small worlds, each deep enough for one kind of trouble. No single one finds every bug; together they must.

use super::world::{Flaw, Means, Payment};

/// How often each thing may happen that nobody can stop from happening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Left {
    /// A browser comes back with any claim.
    pub redirects: u8,
    /// A webhook is delivered, or delivered again. What is not delivered is lost.
    pub webhooks: u8,
    /// Somebody gives money back at PortOne's console.
    pub returns: u8,
    /// PortOne does not answer.
    pub silences: u8,
    /// A handler vanishes with its process.
    pub crashes: u8,
    /// The shop closes an order.
    pub closings: u8,
    /// A lease ends although its holder is still at work.
    pub lapses: u8,
}

/// One small world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Its name, for `--configuration`.
    pub name: &'static str,
    /// Orders, 1 or 2.
    pub orders: usize,
    /// Payments that exist or come into being at PortOne.
    pub payments: &'static [Payment],
    /// Handlers that may be at work at the same time.
    pub handlers: usize,
    /// The last tick of time.
    pub ticks: u8,
    /// The tick at which the orders may be paid no more.
    pub deadline: Option<u8>,
    /// How many ticks the clock of the second server lies behind that of the first.
    pub lag: u8,
    /// Whether events are sent to the shop, and may be sent again.
    pub sends: bool,
    /// Whether webhooks and redirects name any order with any payment, or those that belong together.
    pub forged: bool,
    /// How often the rest may happen.
    pub left: Left,
}

const fn good(order: usize, means: Means) -> Payment {
    Payment {
        order,
        means,
        flaw: None,
    }
}

const fn flawed(order: usize, flaw: Flaw) -> Payment {
    Payment {
        order,
        means: Means::Card,
        flaw: Some(flaw),
    }
}

const ONE_CARD: &[Payment] = &[good(0, Means::Card)];
const ONE_SLOW: &[Payment] = &[good(0, Means::Slow)];
const ONE_ACCOUNT: &[Payment] = &[good(0, Means::Account)];
const TWO_CARDS: &[Payment] = &[good(0, Means::Card), good(0, Means::Card)];
const CARD_AND_SLOW: &[Payment] = &[good(0, Means::Card), good(0, Means::Slow)];
const TWO_ACCOUNTS: &[Payment] = &[good(0, Means::Account), good(0, Means::Account)];
const TWO_ORDERS: &[Payment] = &[good(0, Means::Card), good(1, Means::Card)];
const FLAWED: &[Payment] = &[
    good(0, Means::Card),
    flawed(0, Flaw::Cheap),
    flawed(0, Flaw::Test),
    flawed(0, Flaw::Currency),
];
const ATTACK: &[Payment] = &[
    good(0, Means::Card),
    good(1, Means::Card),
    flawed(0, Flaw::Cheap),
];

/// A world in which nobody comes and nothing goes wrong; each configuration says what it has more.
const QUIET: Configuration = Configuration {
    name: "",
    orders: 1,
    payments: ONE_CARD,
    handlers: 2,
    ticks: 0,
    deadline: None,
    lag: 0,
    sends: false,
    forged: false,
    left: NOTHING,
};

const NOTHING: Left = Left {
    redirects: 0,
    webhooks: 0,
    returns: 0,
    silences: 0,
    crashes: 0,
    closings: 0,
    lapses: 0,
};

/// Those with more than half a million states, the smallest first.
const LARGE: [&str; 5] = [
    "deadline",
    "two-accounts",
    "flawed",
    "storm",
    "stormy-attack",
];

/// Every configuration, the small ones first: what they leave of a number of states goes to the large ones.
#[must_use]
pub fn all() -> Vec<Configuration> {
    let mut all = one_handler();
    all.extend(two_handlers());
    all.extend(crowds());
    all.sort_by_key(|configuration| LARGE.iter().position(|name| *name == configuration.name));
    all
}

/// One handler after the other: long stories, no races.
fn one_handler() -> Vec<Configuration> {
    let alone = Configuration {
        handlers: 1,
        ..QUIET
    };
    vec![
        Configuration {
            name: "late-approval",
            payments: ONE_SLOW,
            ticks: 1,
            left: Left {
                redirects: 1,
                returns: 2,
                silences: 1,
                crashes: 1,
                ..NOTHING
            },
            ..alone
        },
        Configuration {
            name: "account",
            payments: ONE_ACCOUNT,
            ticks: 2,
            deadline: Some(1),
            left: Left {
                redirects: 1,
                returns: 2,
                silences: 1,
                closings: 1,
                ..NOTHING
            },
            ..alone
        },
        Configuration {
            name: "deadline",
            payments: TWO_CARDS,
            ticks: 2,
            deadline: Some(1),
            left: Left {
                returns: 1,
                silences: 1,
                ..NOTHING
            },
            ..alone
        },
        Configuration {
            name: "outbox",
            payments: TWO_CARDS,
            sends: true,
            left: Left {
                returns: 2,
                crashes: 1,
                ..NOTHING
            },
            ..alone
        },
        Configuration {
            name: "attack",
            orders: 2,
            payments: ATTACK,
            forged: true,
            left: Left {
                redirects: 1,
                ..NOTHING
            },
            ..alone
        },
        Configuration {
            name: "flawed",
            payments: FLAWED,
            left: Left {
                returns: 1,
                ..NOTHING
            },
            ..alone
        },
    ]
}

/// Two handlers at a time: races.
fn two_handlers() -> Vec<Configuration> {
    vec![
        Configuration {
            name: "races",
            left: Left {
                redirects: 1,
                returns: 2,
                silences: 1,
                crashes: 1,
                ..NOTHING
            },
            ..QUIET
        },
        Configuration {
            name: "webhooks",
            left: Left {
                webhooks: 2,
                returns: 1,
                crashes: 1,
                lapses: 1,
                ..NOTHING
            },
            ..QUIET
        },
        Configuration {
            name: "closing",
            payments: ONE_SLOW,
            ticks: 1,
            left: Left {
                redirects: 1,
                closings: 1,
                ..NOTHING
            },
            ..QUIET
        },
        Configuration {
            name: "two-servers",
            payments: ONE_SLOW,
            ticks: 1,
            lag: 1,
            left: Left {
                returns: 1,
                redirects: 1,
                ..NOTHING
            },
            ..QUIET
        },
        Configuration {
            name: "two-accounts",
            payments: TWO_ACCOUNTS,
            ticks: 1,
            deadline: Some(1),
            left: Left {
                redirects: 1,
                returns: 1,
                ..NOTHING
            },
            ..QUIET
        },
        Configuration {
            name: "hearsay",
            payments: TWO_ACCOUNTS,
            ticks: 1,
            deadline: Some(1),
            left: Left {
                redirects: 1,
                ..NOTHING
            },
            ..QUIET
        },
        Configuration {
            name: "two-orders",
            orders: 2,
            payments: TWO_ORDERS,
            forged: true,
            left: Left {
                redirects: 1,
                ..NOTHING
            },
            ..QUIET
        },
    ]
}

/// Everything at once: too much to be walked to its end.
fn crowds() -> Vec<Configuration> {
    let storm = Left {
        redirects: 2,
        webhooks: 2,
        returns: 2,
        silences: 1,
        crashes: 1,
        closings: 1,
        lapses: 1,
    };
    vec![
        Configuration {
            name: "three-handlers",
            handlers: 3,
            left: Left {
                redirects: 1,
                webhooks: 1,
                returns: 1,
                ..NOTHING
            },
            ..QUIET
        },
        Configuration {
            name: "storm",
            payments: CARD_AND_SLOW,
            ticks: 2,
            deadline: Some(1),
            left: storm,
            ..QUIET
        },
        Configuration {
            name: "stormy-attack",
            orders: 2,
            payments: ATTACK,
            forged: true,
            ticks: 1,
            sends: true,
            left: storm,
            ..QUIET
        },
    ]
}
