//! Which events met which states of an order, and what came to pass at all.

use std::collections::{BTreeMap, BTreeSet};

use wanryo::domain::order::OrderStatus;

use super::kinds::Kind;

/// The word for an order that is not there yet.
const NO_ORDER: &str = "no order";

/// What must come to pass, each with its words.
macro_rules! deeds {
    ($($(#[$doc:meta])+ $deed:ident = $words:literal;)+) => {
        /// Something that must come to pass sooner or later, or a run proves nothing about it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Deed { $($(#[$doc])+ $deed),+ }

        impl Deed {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$deed),+];

            /// The words for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$deed => $words),+ }
            }
        }
    };
}
deeds! {
    /// The same request came again after its refund was written.
    SameRequestAgain = "the same refund is asked for again";
    /// The same request came twice, and both wanted to write.
    SameRequestAtOnce = "the same refund is asked for twice at once";
    /// Another refund of the transaction was under way.
    TwoAtOnce = "two refunds of a payment at once";
    /// The order has less than the balance says.
    MoreThanStored = "a refund of more than is stored";
    /// More was asked for than is left.
    MoreThanLeft = "a refund of more than is left";
    /// The deployment's policy gave money back.
    ByPolicy = "a refund by policy";
    /// A call surely had not arrived and was made again.
    CallTriedAgain = "a call that did not arrive is made again";
    /// PortOne gave money back.
    GivenBackAtOnce = "portone gives money back at once";
    /// The gateway took its time.
    GivenBackLater = "portone gives money back later";
    /// Another balance than the one that the call names.
    RefusedByTheGuard = "a balance guard refuses";
    /// The gateway said no.
    RefusedByTheGateway = "a gateway refuses a refund";
    /// PortOne gave money back and nobody heard of it.
    AnswerToRefundLost = "a refund's answer is lost";
    /// A call arrived after whoever made it had gone.
    LateCall = "a call arrives late";
    /// In the console, while a refund was under way.
    ConsoleAtTheSameTime = "the console gives back while a refund is under way";
    /// A gateway decided that no money goes back, after all.
    DecidedAgainst = "a gateway decides against a refund";
    /// PortOne took a refund.
    RefundRequested = "a refund is requested";
    /// Nobody knew whether a call was carried out.
    RefundInDoubt = "a refund is in doubt";
    /// PortOne showed it.
    RefundDone = "a refund is done";
    /// PortOne said no.
    RefundRefused = "a refund is refused";
    /// It was given up.
    RefundNotDone = "a refund is given up";
    /// PortOne told of a payment and not of each attempt.
    PartialAnswer = "a partial answer";
    /// What no message and no check of its own had told of an order.
    SweepMovedAnOrder = "the sweep moves an order";
    /// A payment without an order was found.
    OrphanFound = "the sweep finds an orphan";
    /// What PortOne told of a payment was nothing that could be read.
    UnclearFound = "an answer about a payment cannot be read";
    /// A finding whose cause was gone.
    FindingWithdrawn = "a finding is withdrawn";
    /// A sweep came to its end.
    SweepFinished = "a sweep ends";
}

/// How often each pair of event and state came up, and in how many schedules each deed did.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    pairs: BTreeMap<(Kind, &'static str), u64>,
    deeds: BTreeMap<Deed, u64>,
}

impl Coverage {
    /// Counts one event that met one order.
    pub fn count(&mut self, kind: Kind, status: Option<OrderStatus>) {
        let status = status.map_or(NO_ORDER, OrderStatus::as_str);
        *self.pairs.entry((kind, status)).or_default() += 1;
    }

    /// Counts what came to pass in one schedule.
    pub fn count_deeds(&mut self, deeds: &BTreeSet<Deed>) {
        for deed in deeds {
            *self.deeds.entry(*deed).or_default() += 1;
        }
    }

    /// Adds what another thread counted.
    pub fn add(&mut self, other: &Self) {
        for (pair, count) in &other.pairs {
            *self.pairs.entry(*pair).or_default() += count;
        }
        for (deed, count) in &other.deeds {
            *self.deeds.entry(*deed).or_default() += count;
        }
    }

    /// The pairs that must come up.
    fn wanted() -> impl Iterator<Item = (Kind, &'static str)> {
        Kind::ALL.iter().flat_map(|kind| {
            let statuses = OrderStatus::ALL.iter().map(|status| status.as_str());
            statuses
                // Only an order that is not there is made.
                .filter(|_| *kind != Kind::Make)
                // What waits for its first deposit has a refund only of money that came too late, and most schedules end before.
                .filter(|status| {
                    let of_a_refund = matches!(kind, Kind::Decide | Kind::LateCall);
                    !of_a_refund || *status != OrderStatus::AwaitingDeposit.as_str()
                })
                .map(|status| (*kind, status))
        })
    }

    /// How many pairs and deeds must come up.
    #[must_use]
    pub fn wanted_count() -> usize {
        Self::wanted().count() + Deed::ALL.len()
    }

    /// The pairs and deeds that never came up.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let pairs = Self::wanted()
            .filter(|pair| !self.pairs.contains_key(pair))
            .map(|(kind, status)| format!("{} × {status}", kind.as_str()));
        let deeds = Deed::ALL
            .iter()
            .filter(|deed| !self.deeds.contains_key(deed))
            .map(|deed| deed.as_str().to_owned());
        pairs.chain(deeds).collect()
    }

    /// The pair and the deed that came up least.
    #[must_use]
    pub fn rarest(&self) -> Option<String> {
        let (count, (kind, status)) = Self::wanted()
            .filter_map(|pair| Some((self.pairs.get(&pair)?, pair)))
            .min()?;
        let (rarely, deed) = self.deeds.iter().map(|(deed, n)| (n, deed)).min()?;
        Some(format!(
            "{} × {status}: {count}, {}: {rarely}",
            kind.as_str(),
            deed.as_str()
        ))
    }
}
