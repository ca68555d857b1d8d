//! What needs attention: money that nobody has decided about. A person looks at each, and settles it or does what ends it.
//!
//! Most of it is in the transactions already, as their verdict, or in the refunds, as their state. What no row of an order tells
//! is kept as a [`Finding`]: of the daily sweep ([`super::sweep`]), or of an answer that cannot be read. Nothing here moves money
//! or an order.

use jiff::Timestamp;

use super::decision::{cancelled_minor, minor};
use super::evidence::Record;
use super::ids::TransactionId;
use super::order::{Portone, words};

/// Why it needs attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttentionKind {
    /// PortOne holds a payment, and no order here has its number.
    Orphan,
    /// PortOne's list shows more of a payment than PortOne tells when it is asked about the order.
    Drift,
    /// PortOne tells of an order's payment in a way that cannot be read here: it may be money, and it may be nothing.
    Unclear,
    /// An order was paid a second time.
    Duplicate,
    /// Paid after the order's time was over.
    Late,
    /// Paid, and a check failed.
    Held,
    /// A refund was asked for, and nobody knows whether the money went back, or it takes longer than a day.
    RefundInDoubt,
}
words!(AttentionKind {
    Orphan = "orphan",
    Drift = "drift",
    Unclear = "unclear",
    Duplicate = "duplicate",
    Late = "late",
    Held = "held",
    RefundInDoubt = "refund_in_doubt",
});

impl AttentionKind {
    /// Whether an order here belongs to it.
    #[must_use]
    pub const fn has_order(self) -> bool {
        match self {
            Self::Orphan => false,
            Self::Drift
            | Self::Unclear
            | Self::Duplicate
            | Self::Late
            | Self::Held
            | Self::RefundInDoubt => true,
        }
    }
}

/// A payment that needs attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttentionItem {
    /// Why.
    pub kind: AttentionKind,
    /// The generation of PortOne that it was made through.
    pub portone: Portone,
    /// The merchant's id as PortOne has it. An orphan's need not be one that an order could have.
    pub payment_id: String,
    /// PortOne's id.
    pub transaction_id: TransactionId,
    /// Amount in minor units; `None` when PortOne's figure is no amount of its currency.
    pub amount_minor: Option<i64>,
    /// Currency as PortOne reports it.
    pub currency: Option<String>,
    /// How much was given back, in minor units.
    pub cancelled_minor: i64,
    /// When this server first saw it.
    pub first_seen_at: Timestamp,
    /// When this server last saw it.
    pub last_seen_at: Timestamp,
}

/// A payment that needed attention, and a person's word that it was taken care of. Kept as it stood then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What it was about.
    pub item: AttentionItem,
    /// When.
    pub at: Timestamp,
    /// Who, as [`super::history::Actor::to_text`] writes it.
    pub by: String,
    /// What was done, in that person's words.
    pub note: String,
}

/// What was found that no row of an order tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The payment; both its times are when it was found.
    pub item: AttentionItem,
    /// When it was paid, by PortOne's clock.
    pub paid_at: Option<Timestamp>,
}

impl Finding {
    /// A payment as PortOne lists it, found now.
    #[must_use]
    pub fn of(
        kind: AttentionKind,
        portone: Portone,
        payment_id: String,
        record: &Record,
        now: Timestamp,
    ) -> Self {
        Self {
            item: AttentionItem {
                kind,
                portone,
                payment_id,
                transaction_id: record.transaction_id.clone(),
                amount_minor: minor(record, record.reported.amount()).filter(|minor| *minor >= 0),
                currency: record.currency.clone(),
                cancelled_minor: cancelled_minor(record).max(0),
                first_seen_at: now,
                last_seen_at: now,
            },
            paid_at: record.paid_at,
        }
    }

    /// A payment of an order that PortOne was asked for now, and told of as nobody here can read.
    #[must_use]
    pub fn unreadable(
        portone: Portone,
        payment_id: String,
        transaction_id: TransactionId,
        now: Timestamp,
    ) -> Self {
        Self {
            item: AttentionItem {
                kind: AttentionKind::Unclear,
                portone,
                payment_id,
                transaction_id,
                amount_minor: None,
                currency: None,
                cancelled_minor: 0,
                first_seen_at: now,
                last_seen_at: now,
            },
            paid_at: None,
        }
    }
}

/// What became of a received webhook, as far as its ids tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// It speaks of an order.
    Matched,
    /// Its order may still come.
    Waiting,
    /// No order came.
    NoOrder,
    /// Its order is paid through the other generation of PortOne, so it was not followed.
    OtherGeneration,
    /// The call that PortOne's console sends to try the address.
    TestCall,
}
words!(Arrival {
    Matched = "matched",
    Waiting = "waiting",
    NoOrder = "no_order",
    OtherGeneration = "other_generation",
    TestCall = "test_call",
});

/// The ids in the test call of V1's console. PortOne documents no more than that such a payment does not exist, so this is
/// what shops' published code knows it by, and it decides nothing but a word on a page.
/// <https://developers.portone.io/opi/ko/integration/webhook/readme-v1>
const TEST_CALL_PAYMENT_ID: &str = "merchant_1234567890";

impl Arrival {
    /// Reads it from what is stored: the message's ids and generation, the generation of the order with its payment id, when
    /// there is one, and whether it still waits.
    #[must_use]
    pub fn of(portone: Portone, payment_id: &str, order: Option<Portone>, waits: bool) -> Self {
        match order {
            Some(of_order) if of_order == portone => Self::Matched,
            Some(_) => Self::OtherGeneration,
            None if portone == Portone::V1 && payment_id == TEST_CALL_PAYMENT_ID => Self::TestCall,
            None if waits => Self::Waiting,
            None => Self::NoOrder,
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::decision::fixtures::{at, record};
    use crate::domain::evidence::Reported;
    use crate::domain::transaction::TransactionStatus;

    #[test]
    fn only_an_orphan_has_no_order() {
        for &kind in AttentionKind::ALL {
            assert_eq!(kind.has_order(), kind != AttentionKind::Orphan, "{kind:?}");
        }
    }

    #[test]
    fn a_finding_shows_figures_that_can_be_an_amount() {
        let finding = |amount: i64, cancelled: i64| {
            let record = Record {
                reported: Reported::Major {
                    amount: Decimal::from(amount),
                    cancelled: Decimal::from(cancelled),
                },
                ..record(TransactionStatus::Paid, 0)
            };
            let now = at(60);
            Finding::of(
                AttentionKind::Orphan,
                Portone::V1,
                "ORD-1".to_owned(),
                &record,
                now,
            )
            .item
        };

        for (amount, cancelled, shown) in [
            (65_000, 0, (Some(65_000), 0)),
            (65_000, 1_000, (Some(65_000), 1_000)),
            (0, 0, (Some(0), 0)),
            (-1, -1, (None, 0)),
        ] {
            let item = finding(amount, cancelled);
            assert_eq!(
                (item.amount_minor, item.cancelled_minor),
                shown,
                "{amount} {cancelled}"
            );
        }
    }

    #[test]
    fn a_webhook_is_what_its_order_makes_of_it() {
        use Portone::{V1, V2};
        let cases = [
            (V1, "ORD-1", Some(V1), true, Arrival::Matched),
            (V1, "ORD-1", Some(V1), false, Arrival::Matched),
            (V1, "ORD-1", Some(V2), false, Arrival::OtherGeneration),
            (V2, "ORD-1", None, true, Arrival::Waiting),
            (V2, "ORD-1", None, false, Arrival::NoOrder),
            (V1, TEST_CALL_PAYMENT_ID, None, true, Arrival::TestCall),
            (V1, TEST_CALL_PAYMENT_ID, None, false, Arrival::TestCall),
            // A shop may use the number after all, and V2's console sends others.
            (V1, TEST_CALL_PAYMENT_ID, Some(V1), false, Arrival::Matched),
            (V2, TEST_CALL_PAYMENT_ID, None, false, Arrival::NoOrder),
        ];
        for (portone, id, order, waits, expected) in cases {
            assert_eq!(
                Arrival::of(portone, id, order, waits),
                expected,
                "{portone:?} {id} {order:?} {waits}"
            );
        }
    }
}
