//! Every attempt to pay of this run, by PortOne's transaction id and by the shop's payment id.
//!
//! A payment id may see several attempts, of which at most one gets the money. What the API shows under a payment id is
//! that one; as long as there is none, the attempt that was started last.
//! Invariant: both indexes follow the records, also when a record's `id` is changed from outside. A `transactionId` never
//! changes.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use url::Url;

use super::method::PayMethod;
use super::record::{self, Record};
use super::webhook::Message;

/// Attempts kept; the sandbox refuses more until it is reset, instead of growing without end.
pub(crate) const ATTEMPTS_MAX: usize = 100_000;
/// Messages kept per attempt for sending again; the oldest goes first.
const MESSAGES_MAX: usize = 100;

/// How the result gets to the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The browser is sent to `redirectUrl`.
    Redirect,
    /// The promise of `requestPayment` resolves.
    Promise,
}

/// How the buyer's browser came to the payment window and where it goes from there.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) flow: Flow,
    pub(crate) redirect_url: Option<Url>,
    /// Where the page that opened the window lives: the only one to be told the result.
    pub(crate) opener_origin: Option<String>,
    pub(crate) english: bool,
    pub(crate) account_bank: String,
    pub(crate) account_expires_at_ms: Option<i64>,
    pub(crate) confirm_url: Option<Url>,
    pub(crate) stage: Stage,
}

/// A window takes one choice.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    Open,
    /// A choice was made and the shop is asked whether it agrees.
    Confirming,
    /// What the browser was sent back with, so that it can be sent back with it again.
    Ended {
        location: Option<Url>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) record: Record,
    pub(crate) method: PayMethod,
    /// None for attempts that the control plane made: nobody opened a window for them.
    pub(crate) window: Option<Window>,
    /// Replaces the configured webhook address, if the shop named its own.
    pub(crate) notice_urls: Vec<Url>,
    /// What manual confirmation asks for; given to the browser when the buyer has authenticated.
    pub(crate) payment_token: Option<String>,
    /// Until then (UNIX milliseconds) the API shows the record as it was before.
    pub(crate) lag: Option<(i64, Record)>,
    pub(crate) messages: Vec<Message>,
    /// Order of creation.
    pub(crate) number: u64,
}

impl Attempt {
    pub(crate) fn new(record: Record, method: PayMethod) -> Self {
        Attempt {
            record,
            method,
            window: None,
            notice_urls: Vec::new(),
            payment_token: None,
            lag: None,
            messages: Vec::new(),
            number: 0,
        }
    }

    pub(crate) fn payment_id(&self) -> &str {
        record::text(&self.record, "id")
    }

    pub(crate) fn transaction_id(&self) -> &str {
        record::text(&self.record, "transactionId")
    }

    pub(crate) fn status(&self) -> &str {
        record::text(&self.record, "status")
    }

    /// What the API shows at this time.
    pub(crate) fn shown(&self, now_ms: i64) -> &Record {
        match &self.lag {
            Some((until_ms, before)) if now_ms < *until_ms => before,
            Some(_) | None => &self.record,
        }
    }

    pub(crate) fn keep_message(&mut self, message: Message) {
        if self.messages.len() == MESSAGES_MAX {
            self.messages.remove(0);
        }
        self.messages.push(message);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InsertError {
    #[error("the sandbox holds {ATTEMPTS_MAX} V2 payments, its limit; reset it")]
    Full,
    #[error("a payment with this transactionId exists")]
    Taken,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    attempts: BTreeMap<u64, Attempt>,
    by_transaction: HashMap<String, u64>,
    by_payment: HashMap<String, Vec<u64>>,
    last_number: u64,
}

impl Ledger {
    pub(crate) fn insert(&mut self, mut attempt: Attempt) -> Result<&Attempt, InsertError> {
        if self.attempts.len() >= ATTEMPTS_MAX {
            return Err(InsertError::Full);
        }
        if self.by_transaction.contains_key(attempt.transaction_id()) {
            return Err(InsertError::Taken);
        }
        self.last_number += 1;
        let number = self.last_number;
        attempt.number = number;
        self.by_transaction
            .insert(attempt.transaction_id().to_owned(), number);
        self.by_payment
            .entry(attempt.payment_id().to_owned())
            .or_default()
            .push(number);
        Ok(self.attempts.entry(number).or_insert(attempt))
    }

    pub(crate) fn find(&self, transaction_id: &str) -> Option<&Attempt> {
        self.attempts.get(self.by_transaction.get(transaction_id)?)
    }

    /// The attempt that stands for a payment id.
    pub(crate) fn of_payment(&self, payment_id: &str) -> Option<&Attempt> {
        let mut last = None;
        for attempt in self.attempts_of(payment_id) {
            if record::is_approved(&attempt.record) {
                return Some(attempt);
            }
            last = Some(attempt);
        }
        last
    }

    /// By either id: a transaction's, or a payment's.
    pub(crate) fn find_any(&self, id: &str) -> Option<&Attempt> {
        self.find(id).or_else(|| self.of_payment(id))
    }

    /// In the order they were started.
    pub(crate) fn attempts_of(&self, payment_id: &str) -> impl Iterator<Item = &Attempt> {
        self.by_payment
            .get(payment_id)
            .into_iter()
            .flatten()
            .filter_map(|number| self.attempts.get(number))
    }

    /// Whether money came in under this payment id.
    pub(crate) fn is_approved(&self, payment_id: &str) -> bool {
        self.attempts_of(payment_id)
            .any(|attempt| record::is_approved(&attempt.record))
    }

    /// Changes one attempt and keeps the indexes right, whatever the change was.
    pub(crate) fn change<T>(
        &mut self,
        transaction_id: &str,
        change: impl FnOnce(&mut Attempt) -> T,
    ) -> Option<T> {
        let number = *self.by_transaction.get(transaction_id)?;
        let attempt = self.attempts.get_mut(&number)?;
        let before = attempt.payment_id().to_owned();
        let result = change(attempt);
        attempt
            .record
            .insert("transactionId".into(), json!(transaction_id));
        let after = attempt.payment_id().to_owned();
        if before != after {
            if let Some(numbers) = self.by_payment.get_mut(&before) {
                numbers.retain(|other| *other != number);
            }
            let numbers = self.by_payment.entry(after).or_default();
            numbers.push(number);
            numbers.sort_unstable();
        }
        Some(result)
    }

    /// One attempt per payment id, the one that stands for it, in the order of the attempts.
    pub(crate) fn payments(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        self.attempts.values().filter(|attempt| {
            self.of_payment(attempt.payment_id())
                .is_some_and(|shown| shown.number == attempt.number)
        })
    }

    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.values().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(payment_id: &str, transaction_id: &str, status: &str) -> Attempt {
        let mut record = Record::new();
        record::set(
            &mut record,
            json!({"id": payment_id, "transactionId": transaction_id, "status": status}),
        );
        Attempt::new(record, PayMethod::Card)
    }

    #[test]
    fn a_payment_shows_the_attempt_with_the_money_or_else_the_last_one() {
        let mut ledger = Ledger::default();
        let shown = |ledger: &Ledger| ledger.of_payment("P").unwrap().transaction_id().to_owned();
        ledger.insert(attempt("P", "first", "FAILED")).unwrap();
        ledger.insert(attempt("P", "second", "READY")).unwrap();
        assert_eq!(shown(&ledger), "second");

        ledger.change("first", |attempt| {
            attempt.record.insert("status".into(), json!("PAID"));
        });

        assert_eq!(shown(&ledger), "first");
        assert_eq!(ledger.payments().count(), 1);
        assert!(ledger.is_approved("P"));
    }

    #[test]
    fn the_indexes_follow_a_changed_payment_id_and_no_transaction_id_changes() {
        let mut ledger = Ledger::default();
        ledger.insert(attempt("P", "T", "READY")).unwrap();

        ledger.change("T", |attempt| {
            record::set(
                &mut attempt.record,
                json!({"id": "Q", "transactionId": "U"}),
            );
        });

        assert!(ledger.of_payment("P").is_none());
        assert_eq!(ledger.of_payment("Q").unwrap().transaction_id(), "T");
        let again = ledger.insert(attempt("P", "T", "READY")).map(drop);
        assert_eq!(again, Err(InsertError::Taken));
    }
}
