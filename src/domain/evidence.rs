//! What PortOne says, as this server fetched it. Nobody but the gateway makes evidence.

use std::fmt;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::ids::TransactionId;
use super::money::{Currency, InvalidMoney, Money};
use super::order::Portone;
use super::transaction::{TransactionStatus, VirtualAccount};

/// One figure as PortOne's API writes it. The two generations count in different units, so a bare number would say nothing:
/// fourteen dollars and twenty cents are `14.2` in V1 and `1420` in V2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// V1: a decimal of the currency's major unit.
    /// <https://developers.portone.io/api/rest-v1/payment>
    Major(Decimal),
    /// V2: whole minor units.
    /// <https://developers.portone.io/api/rest-v2/payment>
    Minor(i64),
}

impl Figure {
    /// The figure as money of a currency. Nothing is ever rounded.
    ///
    /// # Errors
    /// [`InvalidMoney`] when it is no amount of that currency.
    pub fn money(self, currency: Currency) -> Result<Money, InvalidMoney> {
        match self {
            Self::Major(major) => Money::from_major(major, currency),
            Self::Minor(minor) => Money::new(minor, currency),
        }
    }

    /// An amount of ours in the unit of this figure, to be read beside it.
    #[must_use]
    pub fn of(self, money: Money) -> Self {
        match self {
            Self::Major(_) => Self::Major(money.to_major()),
            Self::Minor(_) => Self::Minor(money.minor),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Major(major) => major.normalize().fmt(f),
            Self::Minor(minor) => minor.fmt(f),
        }
    }
}

/// The amounts of a transaction, both in the unit of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// V1.
    Major {
        /// What was ordered.
        amount: Decimal,
        /// Given back so far.
        cancelled: Decimal,
    },
    /// V2.
    Minor {
        /// What was ordered.
        amount: i64,
        /// Given back so far.
        cancelled: i64,
    },
}

impl Reported {
    /// What was ordered.
    #[must_use]
    pub fn amount(self) -> Figure {
        match self {
            Self::Major { amount, .. } => Figure::Major(amount),
            Self::Minor { amount, .. } => Figure::Minor(amount),
        }
    }

    /// Given back so far.
    #[must_use]
    pub fn cancelled(self) -> Figure {
        match self {
            Self::Major { cancelled, .. } => Figure::Major(cancelled),
            Self::Minor { cancelled, .. } => Figure::Minor(cancelled),
        }
    }

    /// Whether nothing was given back.
    #[must_use]
    pub fn keeps_all(self) -> bool {
        match self {
            Self::Major { cancelled, .. } => cancelled.is_zero(),
            Self::Minor { cancelled, .. } => cancelled == 0,
        }
    }

    /// Whether less was given back than was ordered.
    #[must_use]
    pub fn keeps_some(self) -> bool {
        match self {
            Self::Major { amount, cancelled } => cancelled < amount,
            Self::Minor { amount, cancelled } => cancelled < amount,
        }
    }
}

/// One transaction as PortOne reports it, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The generation that the payment was made through; absent is refused. V2's API shows payments of V1 as well, so this is
    /// the answer's word, not the address that was asked.
    pub portone: Option<Portone>,
    /// The store that the payment was made in. V1 knows no stores.
    pub store_id: Option<String>,
    /// The id that was asked for, when one was; the answer must echo it.
    pub asked: Option<TransactionId>,
    /// PortOne's id in the answer.
    pub transaction_id: TransactionId,
    /// The merchant's id in the answer.
    pub payment_id: String,
    /// `None` for a status this version does not know: it decides nothing.
    pub status: Option<TransactionStatus>,
    /// The amounts.
    pub reported: Reported,
    /// ISO 4217 code; absent is refused.
    pub currency: Option<String>,
    /// Made through a test channel; absent is refused.
    pub test: Option<bool>,
    /// `card`, `vbank`, …; V2 `CARD`, `VIRTUAL_ACCOUNT`, …
    pub pay_method: Option<String>,
    /// Payment gateway.
    pub pg_provider: Option<String>,
    /// The card company's approval number.
    pub approval_number: Option<String>,
    /// Card or bank name.
    pub method_name: Option<String>,
    /// The gateway's own words.
    pub fail_reason: Option<String>,
    /// Receipt at the gateway.
    pub receipt_url: Option<String>,
    /// The account, when one was issued.
    pub virtual_account: Option<VirtualAccount>,
    /// Until when the buyer can pay with the number that was issued, where there is a number and no account: at a store in
    /// Japan.
    pub pay_by: Option<Timestamp>,
    /// When it was paid, by PortOne's clock.
    pub paid_at: Option<Timestamp>,
    /// When giving it back was first asked for, by PortOne's clock.
    pub given_back_at: Option<Timestamp>,
}

impl Record {
    /// Paid, by PortOne's words, and not given back whole.
    #[must_use]
    pub fn holds_money(&self) -> bool {
        match self.status {
            Some(TransactionStatus::Paid) => true,
            Some(TransactionStatus::Cancelled) => {
                !self.reported.keeps_all() && self.reported.keeps_some()
            }
            Some(
                TransactionStatus::Ready
                | TransactionStatus::PayPending
                | TransactionStatus::Failed,
            )
            | None => false,
        }
    }
}

/// Everything one ask brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// When the first call of the ask began.
    pub fetched_at: Timestamp,
    /// What PortOne knows; empty when it knows nothing.
    pub records: Vec<Record>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: Option<TransactionStatus>, reported: Reported) -> Record {
        Record {
            portone: None,
            store_id: None,
            asked: None,
            transaction_id: TransactionId::parse("tx-1").expect("an id"),
            payment_id: "ORD-1".to_owned(),
            status,
            reported,
            currency: None,
            test: None,
            pay_method: None,
            pg_provider: None,
            approval_number: None,
            method_name: None,
            fail_reason: None,
            receipt_url: None,
            virtual_account: None,
            pay_by: None,
            paid_at: None,
            given_back_at: None,
        }
    }

    fn reports(cancelled: i64) -> [Reported; 2] {
        [
            Reported::Major {
                amount: 10.into(),
                cancelled: cancelled.into(),
            },
            Reported::Minor {
                amount: 10,
                cancelled,
            },
        ]
    }

    #[test]
    fn what_was_given_back_is_nothing_a_part_or_all() {
        for (cancelled, keeps_all, keeps_some) in [
            (0, true, true),
            (9, false, true),
            (10, false, false),
            (11, false, false),
        ] {
            for reported in reports(cancelled) {
                assert_eq!(
                    (reported.keeps_all(), reported.keeps_some()),
                    (keeps_all, keeps_some),
                    "{reported:?}"
                );
            }
        }
    }

    #[test]
    fn money_is_held_while_it_was_paid_and_not_given_back_whole() {
        let [ready, review, failed, paid, cancelled] = [
            TransactionStatus::Ready,
            TransactionStatus::PayPending,
            TransactionStatus::Failed,
            TransactionStatus::Paid,
            TransactionStatus::Cancelled,
        ]
        .map(Some);
        for (status, given_back, holds_money) in [
            (ready, 0, false),
            (review, 0, false),
            (failed, 0, false),
            (None, 0, false),
            (paid, 0, true),
            (cancelled, 9, true),
            (cancelled, 10, false),
            // A cancel in progress: it is not said that there was money.
            (cancelled, 0, false),
        ] {
            for reported in reports(given_back) {
                let record = record(status, reported);
                assert_eq!(record.holds_money(), holds_money, "{record:?}");
            }
        }
    }
}
