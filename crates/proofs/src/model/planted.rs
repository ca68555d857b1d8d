//! Bugs to plant: what a model is worth shows in what it finds. Each bends what goes into the product's pure functions or what is
//! done with what comes out; the functions themselves stay as shipped.

use std::fmt;

use rust_decimal::Decimal;
use wanryo::domain::evidence::{Evidence, Reported};
use wanryo::domain::ids::PaymentId;
use wanryo::domain::order::Order;
use wanryo::domain::transaction::{Transaction, TransactionStatus, Verdict};

use super::world::PRICE;

/// A bug to plant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Planted {
    /// The amount is not compared.
    AmountUnchecked,
    /// The currency is not compared.
    CurrencyUnchecked,
    /// Test money counts as real.
    ChannelUnchecked,
    /// Whose payment it is is not looked at.
    BindingUnchecked,
    /// The redirect's "success" counts as PortOne's word.
    ClaimTrusted,
    /// The page repeats the redirect's "success".
    PageFromClaim,
    /// No answer counts as declined.
    TimeoutMeansFailed,
    /// What was known before no answer came is told as if it had been confirmed.
    SilenceConfirms,
    /// An older answer takes back what a newer one said.
    StaleWins,
    /// A commit does not look at the version.
    VersionIgnored,
    /// Events are written after the commit, not with it.
    OutboxAfterCommit,
    /// Nobody asks without prompting.
    NoReconciler,
    /// A declined payment is never asked about again.
    DeclineIsFinal,
    /// An order ends although PortOne did not answer.
    ExpiredUnasked,
    /// An order ends by an answer that somebody else got, about one of its payments alone.
    ExpiredOnHearsay,
    /// A payment after the end counts.
    LateAccepted,
    /// A second payment is not kept.
    DuplicateSwallowed,
    /// Whoever gives a part back is taken to have given all back.
    PartIsWhole,
    /// A webhook is acknowledged before it is written.
    AcknowledgedUnwritten,
}

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Planted {
    /// Bends what PortOne answered about an order.
    pub(super) fn bend_answer(self, evidence: &mut Evidence, order: &PaymentId) {
        for record in &mut evidence.records {
            match self {
                Self::AmountUnchecked => {
                    let Reported::Major { amount, .. } = &mut record.reported else {
                        continue;
                    };
                    *amount = Decimal::from(PRICE);
                }
                Self::CurrencyUnchecked => record.currency = Some("KRW".to_owned()),
                Self::ChannelUnchecked => record.test = Some(false),
                Self::BindingUnchecked => order.as_str().clone_into(&mut record.payment_id),
                Self::PartIsWhole => {
                    let Reported::Major { amount, cancelled } = &mut record.reported else {
                        continue;
                    };
                    if !cancelled.is_zero() {
                        *cancelled = *amount;
                    }
                }
                Self::ClaimTrusted
                | Self::PageFromClaim
                | Self::TimeoutMeansFailed
                | Self::SilenceConfirms
                | Self::StaleWins
                | Self::VersionIgnored
                | Self::OutboxAfterCommit
                | Self::NoReconciler
                | Self::DeclineIsFinal
                | Self::ExpiredUnasked
                | Self::ExpiredOnHearsay
                | Self::LateAccepted
                | Self::DuplicateSwallowed
                | Self::AcknowledgedUnwritten => {}
            }
        }
    }

    /// Bends the order that a decision is made on.
    pub(super) fn bend_order(
        self,
        order: &mut Order,
        known: &mut [Transaction],
        evidence: &Evidence,
    ) {
        if self == Self::LateAccepted {
            order.closed_at = None;
            order.expires_at = None;
        }
        // As if nothing had been known to be further along. A cancel that has given nothing back yet is read by what is stored,
        // which is not that guard.
        if self == Self::StaleWins {
            for t in known {
                let mut of_it = evidence.records.iter();
                let counts = of_it.any(|r| {
                    let undecided =
                        r.status == Some(TransactionStatus::Cancelled) && r.reported.keeps_all();
                    r.transaction_id == t.transaction_id && !undecided
                });
                if counts {
                    t.status = TransactionStatus::Ready;
                    t.cancelled_minor = 0;
                }
            }
        }
    }

    /// Bends what a decision wants written.
    pub(super) fn bend_result(self, order: &mut Order, transactions: &mut Vec<Transaction>) {
        if self == Self::DuplicateSwallowed {
            transactions.retain(|t| t.verdict != Verdict::Duplicate);
        }
        let declined = |t: &Transaction| t.verdict == Verdict::Failed;
        if self == Self::DeclineIsFinal
            && !transactions.is_empty()
            && transactions.iter().all(declined)
        {
            order.next_check_at = None;
        }
    }
}
