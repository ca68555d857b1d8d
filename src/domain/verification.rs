//! The checks that stand between a payment and the word "paid".
//!
//! [`Verified`] can be made by [`verify`] alone, and [`super::decision`] needs one to accept a payment: a check that is
//! forgotten does not compile away silently, it leaves no way to "paid" at all.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::evidence::Record;
use super::ids::TransactionId;
use super::money::{Currency, Money};
use super::order::{Mode, Order, words};

/// A check's name, stable in the API and the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckName {
    /// The answer is about the transaction that was asked for.
    TransactionId,
    /// The transaction belongs to this order.
    PaymentId,
    /// No other order has used the transaction.
    Unused,
    /// Paid in the order's currency.
    Currency,
    /// Paid exactly the order's amount.
    Amount,
    /// Live money in live mode, test money in test mode, and PortOne says which.
    Channel,
}
words!(CheckName {
    TransactionId = "transaction_id",
    PaymentId = "payment_id",
    Unused = "unused",
    Currency = "currency",
    Amount = "amount",
    Channel = "channel",
});

/// One check with what was wanted and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which check.
    pub name: CheckName,
    /// What the order asks for.
    pub expected: String,
    /// What PortOne reports.
    pub actual: String,
    /// Whether the two agree.
    pub passed: bool,
}

/// A verification: every check, none left out, in one fixed order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// All checks.
    pub checks: Vec<Check>,
}

/// Proof that every check passed for one record. Only [`verify`] makes it.
#[derive(Debug)]
pub struct Verified(());

/// How a record relates to the order.
#[derive(Debug)]
pub enum Reading {
    /// The record is about something else: it must not touch the order.
    Foreign(Verification),
    /// The record is about this order, and a check failed.
    Mismatched(Verification),
    /// Everything agrees.
    Matched(Verification, Verified),
}

/// Checks a record against an order.
///
/// `taken` holds the transactions that other orders have used. The order's openness is not a check but a question of time,
/// answered by [`super::decision`]: a good payment that comes too late is `late`, not mismatched.
#[must_use]
pub fn verify(
    order: &Order,
    record: &Record,
    mode: Mode,
    taken: &BTreeSet<TransactionId>,
) -> Reading {
    let asked = record.asked.as_ref().unwrap_or(&record.transaction_id);
    let binding = [
        check(
            CheckName::TransactionId,
            asked.as_str(),
            record.transaction_id.as_str(),
        ),
        check(
            CheckName::PaymentId,
            order.payment_id.as_str(),
            &record.payment_id,
        ),
        check(
            CheckName::Unused,
            "unused",
            if taken.contains(&record.transaction_id) {
                "used"
            } else {
                "unused"
            },
        ),
    ];
    let value = [
        currency(order, record),
        amount(order, record),
        channel(mode, record),
    ];

    let bound = binding.iter().all(|check| check.passed);
    let matched = value.iter().all(|check| check.passed);
    let verification = Verification {
        checks: binding.into_iter().chain(value).collect(),
    };
    match (bound, matched) {
        (false, _) => Reading::Foreign(verification),
        (true, false) => Reading::Mismatched(verification),
        (true, true) => Reading::Matched(verification, Verified(())),
    }
}

fn check(name: CheckName, expected: &str, actual: &str) -> Check {
    Check {
        name,
        expected: expected.to_owned(),
        actual: actual.to_owned(),
        passed: expected == actual,
    }
}

fn currency(order: &Order, record: &Record) -> Check {
    check(
        CheckName::Currency,
        order.amount.currency.code(),
        record.currency.as_deref().unwrap_or("absent"),
    )
}

/// Compares exact numbers of the same currency; a figure that is no amount of its currency fails.
fn amount(order: &Order, record: &Record) -> Check {
    let reported = record
        .currency
        .as_deref()
        .and_then(|code| Currency::parse(code).ok())
        .and_then(|currency| Money::from_major(record.amount_major, currency).ok());
    Check {
        name: CheckName::Amount,
        expected: order.amount.to_major().to_string(),
        actual: record.amount_major.normalize().to_string(),
        passed: reported == Some(order.amount),
    }
}

fn channel(mode: Mode, record: &Record) -> Check {
    let actual = match record.test {
        Some(true) => Mode::Test.as_str(),
        Some(false) => Mode::Live.as_str(),
        None => "absent",
    };
    check(CheckName::Channel, mode.as_str(), actual)
}
