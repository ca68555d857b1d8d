//! The checks that stand between a payment and the word "paid".
//!
//! [`Verified`] can be made by [`verify`] alone, and [`super::decision`] needs one to accept a payment: a check that is
//! forgotten does not compile away silently, it leaves no way to "paid" at all.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::evidence::Record;
use super::ids::TransactionId;
use super::money::Currency;
use super::order::{Mode, Order, Portone, words};

/// A check's name, stable in the API and the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckName {
    /// The answer is about the transaction that was asked for.
    TransactionId,
    /// The transaction belongs to this order.
    PaymentId,
    /// No other order has used the transaction.
    Unused,
    /// Paid through the generation of PortOne that the order says.
    Portone,
    /// Paid into our store.
    Store,
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
    Portone = "portone",
    Store = "store",
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

/// What this server takes payments for. Comes from the deployment's settings, never from a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Live or test money.
    pub mode: Mode,
    /// Our store at PortOne V2; without one no payment of V2 is ours.
    pub v2_store_id: Option<String>,
}

/// A verification: every check of the order's generation, none left out, in one fixed order.
///
/// V1 has no stores, and its API knows no payments of V2: its list is [`CheckName::ALL`] without `portone` and `store`.
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
    expected: &Expected,
    taken: &BTreeSet<TransactionId>,
) -> Reading {
    let binding = binding(order, record, taken);
    let value = value(order, record, expected);
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

/// Whether the record is about this order at all.
fn binding(order: &Order, record: &Record, taken: &BTreeSet<TransactionId>) -> [Check; 3] {
    let asked = record.asked.as_ref().unwrap_or(&record.transaction_id);
    let used = if taken.contains(&record.transaction_id) {
        "used"
    } else {
        "unused"
    };
    [
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
        check(CheckName::Unused, "unused", used),
    ]
}

/// Whether what was paid is what the order asks for.
fn value(order: &Order, record: &Record, expected: &Expected) -> Vec<Check> {
    let mut checks = Vec::new();
    // V1's API knows no payments of V2: there the check could only repeat the order.
    if order.portone == Portone::V2 || record.portone != Some(order.portone) {
        checks.push(check(
            CheckName::Portone,
            order.portone.as_str(),
            record.portone.map_or(ABSENT, Portone::as_str),
        ));
    }
    if order.portone == Portone::V2 {
        checks.push(store(record, expected));
    }
    checks.extend([
        currency(order, record),
        amount(order, record),
        channel(expected.mode, record),
    ]);
    checks
}

/// Stands for what PortOne does not say.
const ABSENT: &str = "absent";

fn check(name: CheckName, expected: &str, actual: &str) -> Check {
    Check {
        name,
        expected: expected.to_owned(),
        actual: actual.to_owned(),
        passed: expected == actual,
    }
}

fn store(record: &Record, expected: &Expected) -> Check {
    let ours = expected.v2_store_id.as_deref();
    Check {
        name: CheckName::Store,
        expected: ours.unwrap_or(ABSENT).to_owned(),
        actual: record.store_id.as_deref().unwrap_or(ABSENT).to_owned(),
        // Two that are both absent do not agree on anything.
        passed: ours.is_some() && ours == record.store_id.as_deref(),
    }
}

fn currency(order: &Order, record: &Record) -> Check {
    check(
        CheckName::Currency,
        order.amount.currency.code(),
        record.currency.as_deref().unwrap_or(ABSENT),
    )
}

/// Compares exact numbers of the same currency; a figure that is no amount of its currency fails. Both stand in the unit of
/// PortOne's answer.
fn amount(order: &Order, record: &Record) -> Check {
    let figure = record.reported.amount();
    let paid = record
        .currency
        .as_deref()
        .and_then(|code| Currency::parse(code).ok())
        .and_then(|currency| figure.money(currency).ok());
    Check {
        name: CheckName::Amount,
        expected: figure.of(order.amount).to_string(),
        actual: figure.to_string(),
        passed: paid == Some(order.amount),
    }
}

fn channel(mode: Mode, record: &Record) -> Check {
    let actual = match record.test {
        Some(true) => Mode::Test.as_str(),
        Some(false) => Mode::Live.as_str(),
        None => ABSENT,
    };
    check(CheckName::Channel, mode.as_str(), actual)
}
