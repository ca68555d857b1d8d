//! Reads an order's state back out of its history. What the two tables say must agree: a row that no entry explains, or an
//! entry that no row follows, is a change that was written in part.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{Entry, EntryKind};
use crate::domain::ids::TransactionId;
use crate::domain::order::OrderStatus;
use crate::domain::transaction::{Transaction, TransactionStatus, Verdict};

/// What the history says of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Where it stands.
    pub status: OrderStatus,
    /// Its transactions.
    pub transactions: BTreeMap<TransactionId, ReplayedTransaction>,
}

/// What the history says of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayedTransaction {
    /// PortOne's status.
    pub status: TransactionStatus,
    /// Our reading.
    pub verdict: Verdict,
    /// How much was given back, in minor units.
    pub cancelled_minor: i64,
}

impl Replayed {
    /// What a history that explains these rows says.
    #[must_use]
    pub fn of_rows(status: OrderStatus, transactions: &[Transaction]) -> Self {
        let told = |t: &Transaction| ReplayedTransaction {
            status: t.status,
            verdict: t.verdict,
            cancelled_minor: t.cancelled_minor,
        };
        Self {
            status,
            transactions: transactions
                .iter()
                .map(|t| (t.transaction_id.clone(), told(t)))
                .collect(),
        }
    }
}

/// Why a history cannot be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BrokenHistory {
    /// It does not begin with the making of the order, or tells of it twice.
    #[error("the history does not begin with the order")]
    Beginning,
    /// An entry of this kind lacks what it must say.
    #[error("an entry of kind {} is incomplete", .0.as_str())]
    Incomplete(EntryKind),
    /// An entry of this kind starts from another status than the one before it led to.
    #[error("an entry of kind {} does not follow from those before", .0.as_str())]
    Gap(EntryKind),
}

/// Reads the state out of the entries, oldest first.
///
/// # Errors
/// [`BrokenHistory`] when the entries are no whole history.
pub fn replay<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Result<Replayed, BrokenHistory> {
    let mut entries = entries.into_iter();
    if entries.next().map(|entry| entry.kind) != Some(EntryKind::OrderCreated) {
        return Err(BrokenHistory::Beginning);
    }
    let mut replayed = Replayed {
        status: OrderStatus::Open,
        transactions: BTreeMap::new(),
    };
    for entry in entries {
        match entry.kind {
            EntryKind::OrderCreated => return Err(BrokenHistory::Beginning),
            EntryKind::Transition | EntryKind::Closed | EntryKind::Expired => {
                let (from, to) = step(entry).ok_or(BrokenHistory::Incomplete(entry.kind))?;
                if from != replayed.status {
                    return Err(BrokenHistory::Gap(entry.kind));
                }
                replayed.status = to;
            }
            EntryKind::Checked => {
                let (id, told) = checked(entry).ok_or(BrokenHistory::Incomplete(entry.kind))?;
                replayed.transactions.insert(id, told);
            }
            EntryKind::Prepared
            | EntryKind::PrepareFailed
            | EntryKind::Redirect
            | EntryKind::Webhook
            | EntryKind::CheckFailed
            | EntryKind::EvidenceRefused
            | EntryKind::Confirmed
            | EntryKind::ConfirmRefused
            | EntryKind::RefundRequested
            | EntryKind::RefundDone
            | EntryKind::RefundRefused
            | EntryKind::RefundInDoubt
            | EntryKind::RefundNotDone => {}
        }
    }
    Ok(replayed)
}

fn step(entry: &Entry) -> Option<(OrderStatus, OrderStatus)> {
    Some((
        OrderStatus::from_word(text(entry, "from")?)?,
        OrderStatus::from_word(text(entry, "to")?)?,
    ))
}

fn checked(entry: &Entry) -> Option<(TransactionId, ReplayedTransaction)> {
    let id = TransactionId::parse(text(entry, "transaction_id")?).ok()?;
    let told = ReplayedTransaction {
        status: TransactionStatus::from_word(text(entry, "status")?)?,
        verdict: Verdict::from_word(text(entry, "verdict")?)?,
        cancelled_minor: entry.data.get("cancelled_minor")?.as_i64()?,
    };
    Some((id, told))
}

fn text<'e>(entry: &'e Entry, name: &str) -> Option<&'e str> {
    entry.data.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::decision::fixtures::at;

    fn entry(kind: EntryKind, data: serde_json::Value) -> Entry {
        Entry {
            at: at(0),
            kind,
            actor: "worker".to_owned(),
            data,
            once_key: None,
        }
    }

    fn made() -> Entry {
        entry(EntryKind::OrderCreated, json!({}))
    }

    fn checked(verdict: &str) -> Entry {
        entry(
            EntryKind::Checked,
            json!({ "transaction_id": "imp_1", "status": "paid", "verdict": verdict, "cancelled_minor": 5 }),
        )
    }

    fn step(from: &str, to: &str) -> Entry {
        entry(EntryKind::Transition, json!({ "from": from, "to": to }))
    }

    #[test]
    fn the_last_word_of_each_transaction_and_of_the_order_counts() {
        let replayed = replay(&[
            made(),
            checked("held"),
            step("open", "held"),
            checked("accepted"),
            step("held", "paid"),
        ])
        .expect("a whole history");

        assert_eq!(replayed.status, OrderStatus::Paid);
        assert_eq!(
            replayed.transactions,
            BTreeMap::from([(
                TransactionId::parse("imp_1").expect("an id"),
                ReplayedTransaction {
                    status: TransactionStatus::Paid,
                    verdict: Verdict::Accepted,
                    cancelled_minor: 5
                }
            )])
        );
    }

    #[test]
    fn what_others_claim_moves_nothing() {
        let claims = [
            EntryKind::Prepared,
            EntryKind::PrepareFailed,
            EntryKind::Redirect,
            EntryKind::Webhook,
            EntryKind::CheckFailed,
            EntryKind::EvidenceRefused,
            EntryKind::Confirmed,
            EntryKind::ConfirmRefused,
        ];
        for kind in claims {
            let data = json!({ "from": "open", "to": "paid", "transaction_id": "imp_1", "status": "paid", "verdict": "accepted", "cancelled_minor": 0 });
            assert_eq!(
                replay(&[made(), entry(kind, data)]),
                Ok(Replayed::of_rows(OrderStatus::Open, &[])),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_history_with_a_hole_is_not_replayed() {
        let without = |name: &str| {
            let mut entry = checked("held");
            entry
                .data
                .as_object_mut()
                .expect("an object")
                .remove(name)
                .expect("it was there");
            entry
        };

        assert_eq!(replay(&[]), Err(BrokenHistory::Beginning));
        assert_eq!(replay(&[checked("held")]), Err(BrokenHistory::Beginning));
        assert_eq!(replay(&[made(), made()]), Err(BrokenHistory::Beginning));
        assert_eq!(
            replay(&[made(), step("held", "paid")]),
            Err(BrokenHistory::Gap(EntryKind::Transition))
        );
        assert_eq!(
            replay(&[made(), entry(EntryKind::Closed, json!({ "from": "open" }))]),
            Err(BrokenHistory::Incomplete(EntryKind::Closed))
        );
        for name in ["transaction_id", "status", "verdict", "cancelled_minor"] {
            assert_eq!(
                replay(&[made(), without(name)]),
                Err(BrokenHistory::Incomplete(EntryKind::Checked)),
                "{name}"
            );
        }
    }
}
