//! What happened, in order: API requests, window choices, redirects, webhooks.
//!
//! Invariants: `seq` only grows, also over a clear and a reset, so a reader's "everything after n" stays right; an entry
//! is written when its event starts and completed in place when it ends.
//! No body, header or token is ever kept.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

/// Entries kept; the oldest goes first.
pub(crate) const ENTRIES_MAX: usize = 10_000;

/// One line of the sandbox's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JournalEntry {
    /// Grows by one per entry, and never starts over while the sandbox runs.
    pub seq: u64,
    /// When the event began, by the sandbox's clock (RFC 3339).
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What a [`JournalEntry`] tells of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A request to PortOne's API.
    #[non_exhaustive]
    Api {
        /// `token`, `payment`, `find`, `find_all`, `prepare`, `list`, `status`, `balance`, `cancel`, `vbanks`, `codes` or
        /// `unknown`.
        call: &'static str,
        /// HTTP method.
        method: String,
        /// Path as it came, still percent-encoded.
        path: String,
        /// Query as it came; empty if there was none.
        query: String,
        /// Status of the answer; none while there is no answer (and for ever if the client left first).
        status: Option<u16>,
        /// The fault that answered in PortOne's place.
        fault: Option<String>,
    },
    /// A shop's page asked to open a payment window.
    #[non_exhaustive]
    Checkout {
        /// The new payment; none if the request was refused before the window.
        imp_uid: Option<String>,
        /// The shop's order number, if it sent one.
        merchant_uid: Option<String>,
        /// Why it was refused.
        error_code: Option<&'static str>,
    },
    /// A person (or a test) pressed a button in the payment window.
    #[non_exhaustive]
    Choice {
        /// The payment.
        imp_uid: String,
        /// The button's `choice` value.
        choice: &'static str,
    },
    /// The browser was sent back to the shop.
    #[non_exhaustive]
    Redirect {
        /// The payment.
        imp_uid: String,
        /// Where to, with everything PortOne adds to the query.
        location: String,
        /// `GET` (HTTP 302), `POST` (a form), `CALLBACK` (a message to the page that opened the window), or `VISIT` (a GET
        /// of the bank's app, before the browser's own).
        method: &'static str,
    },
    /// PortOne asked the shop whether a payment may be approved.
    #[non_exhaustive]
    Confirm {
        /// The payment.
        imp_uid: String,
        /// Where the question went.
        url: String,
        /// HTTP status of the answer; 200 lets the payment go on. None before the answer, and if there was none.
        answer: Option<u16>,
        /// Why there was no answer.
        error: Option<&'static str>,
        /// How long the answer took; none before the end.
        duration_ms: Option<u64>,
    },
    /// A webhook left for the shop.
    #[non_exhaustive]
    Webhook {
        /// The payment.
        imp_uid: String,
        /// The shop's order number.
        merchant_uid: String,
        /// The status it told of: `paid`, `ready` or `cancelled`.
        status: String,
        /// Where it went.
        url: String,
        /// `json` or `form`.
        format: &'static str,
        /// 1 for the first send, then one more for each resend.
        attempt: u32,
        /// HTTP status of the answer; none before the answer, and if there was none.
        answer: Option<u16>,
        /// Why there was no answer: `timeout`, `connect`, `transport`, `sandbox stopped`, or `dropped` by a fault.
        error: Option<&'static str>,
        /// How long the answer took; none before the end.
        duration_ms: Option<u64>,
    },
    /// A shop's page asked V2 to open a payment window.
    #[non_exhaustive]
    V2Checkout {
        /// The shop's `paymentId`, if it sent one.
        payment_id: Option<String>,
        /// The new attempt; none if the request was refused before the window.
        transaction_id: Option<String>,
        /// Why it was refused: a `code` of PortOne's browser SDK.
        error_code: Option<&'static str>,
    },
    /// A person (or a test) pressed a button in a V2 payment window.
    #[non_exhaustive]
    V2Choice {
        /// The shop's `paymentId`.
        payment_id: String,
        /// The attempt.
        transaction_id: String,
        /// The button's `choice` value.
        choice: &'static str,
    },
    /// The browser was sent back to the shop from a V2 payment window.
    #[non_exhaustive]
    V2Redirect {
        /// The shop's `paymentId`.
        payment_id: String,
        /// The attempt.
        transaction_id: String,
        /// Where to, with everything PortOne adds to the query.
        location: String,
        /// `GET` (HTTP 302), or `PROMISE` (a message to the page that opened the window).
        method: &'static str,
    },
    /// PortOne's V2 asked the shop whether a payment may be approved.
    #[non_exhaustive]
    V2Confirm {
        /// The shop's `paymentId`.
        payment_id: String,
        /// The attempt.
        transaction_id: String,
        /// Where the question went.
        url: String,
        /// HTTP status of the answer; 200 lets the payment go on. None before the answer, and if there was none.
        answer: Option<u16>,
        /// Why there was no answer.
        error: Option<&'static str>,
        /// How long the answer took; none before the end.
        duration_ms: Option<u64>,
    },
    /// A V2 webhook left for the shop.
    #[non_exhaustive]
    V2Webhook {
        /// The shop's `paymentId`.
        payment_id: String,
        /// The attempt.
        transaction_id: String,
        /// The header `webhook-id`, the same for every execution.
        webhook_id: String,
        /// What it tells of: `Transaction.Paid`, or `Paid` in the version of 2024-01-01.
        event: String,
        /// `2024-04-25`, `2024-01-01` or `2024-01-01-form`.
        version: &'static str,
        /// Where it went.
        url: String,
        /// 1 for the first, up to 6; 0 if a fault dropped it.
        execution: u32,
        /// HTTP status of the answer; none before the answer, and if there was none.
        answer: Option<u16>,
        /// Why there was no answer: `timeout`, `connect`, `transport`, `sandbox stopped`, or `dropped` by a fault.
        error: Option<&'static str>,
        /// How long the answer took; none before the end.
        duration_ms: Option<u64>,
    },
}

impl Event {
    /// The payment it tells of, by PortOne's id.
    pub(crate) fn imp_uid(&self) -> Option<&str> {
        match self {
            Event::Api { .. }
            | Event::V2Checkout { .. }
            | Event::V2Choice { .. }
            | Event::V2Redirect { .. }
            | Event::V2Confirm { .. }
            | Event::V2Webhook { .. } => None,
            Event::Checkout { imp_uid, .. } => imp_uid.as_deref(),
            Event::Choice { imp_uid, .. }
            | Event::Confirm { imp_uid, .. }
            | Event::Redirect { imp_uid, .. }
            | Event::Webhook { imp_uid, .. } => Some(imp_uid),
        }
    }
}

impl Event {
    /// The attempt it tells of, by V2's `transactionId`.
    fn transaction_id(&self) -> Option<&str> {
        match self {
            Event::V2Checkout { transaction_id, .. } => transaction_id.as_deref(),
            Event::V2Choice { transaction_id, .. }
            | Event::V2Redirect { transaction_id, .. }
            | Event::V2Confirm { transaction_id, .. }
            | Event::V2Webhook { transaction_id, .. } => Some(transaction_id),
            Event::Api { .. }
            | Event::Checkout { .. }
            | Event::Choice { .. }
            | Event::Confirm { .. }
            | Event::Redirect { .. }
            | Event::Webhook { .. } => None,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<JournalEntry>,
    last_seq: u64,
    calls: BTreeMap<&'static str, usize>,
}

impl Journal {
    pub(crate) fn push(&mut self, at_ms: i64, event: Event) -> u64 {
        if let Event::Api { call, .. } = &event {
            *self.calls.entry(call).or_default() += 1;
        }
        if self.entries.len() == ENTRIES_MAX {
            self.entries.pop_front();
        }
        self.last_seq += 1;
        self.entries.push_back(JournalEntry {
            seq: self.last_seq,
            at: jiff::Timestamp::from_millisecond(at_ms)
                .unwrap_or_default()
                .to_string(),
            event,
        });
        self.last_seq
    }

    /// Completes an entry; does nothing if it has gone from the ring or was cleared.
    pub(crate) fn complete(&mut self, seq: u64, complete: impl FnOnce(&mut Event)) {
        let first = self.entries.front().map_or(u64::MAX, |entry| entry.seq);
        let index = seq
            .checked_sub(first)
            .and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| self.entries.get_mut(index)) {
            complete(&mut entry.event);
        }
    }

    pub(crate) fn since(&self, seq: u64) -> Vec<JournalEntry> {
        self.entries
            .iter()
            .filter(|entry| entry.seq > seq)
            .cloned()
            .collect()
    }

    /// What is kept of one payment, oldest first.
    pub(crate) fn of_payment(&self, imp_uid: &str) -> Vec<JournalEntry> {
        self.entries
            .iter()
            .filter(|entry| entry.event.imp_uid() == Some(imp_uid))
            .cloned()
            .collect()
    }

    /// What is kept of one attempt of V2, oldest first.
    pub(crate) fn of_transaction(&self, transaction_id: &str) -> Vec<JournalEntry> {
        self.entries
            .iter()
            .filter(|entry| entry.event.transaction_id() == Some(transaction_id))
            .cloned()
            .collect()
    }

    pub(crate) fn calls(&self, call: &str) -> usize {
        match call {
            "any" => self.calls.values().sum(),
            call => self.calls.get(call).copied().unwrap_or_default(),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.calls.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(choice: &'static str) -> Event {
        Event::Choice {
            imp_uid: "imp_1".into(),
            choice,
        }
    }

    #[test]
    fn the_ring_is_bounded_and_completes_only_what_it_still_holds() {
        let mut journal = Journal::default();
        let first = journal.push(0, choice("first"));
        let mut last = first;
        for _ in 0..ENTRIES_MAX {
            last = journal.push(0, choice("later"));
        }

        journal.complete(first, |_| panic!("the first entry is gone"));
        journal.complete(last, |event| *event = choice("completed"));

        let entries = journal.since(0);
        assert_eq!(entries.len(), ENTRIES_MAX);
        assert_eq!(entries[0].seq, first + 1);
        assert_eq!(entries[ENTRIES_MAX - 1].event, choice("completed"));
    }

    #[test]
    fn numbers_go_on_after_a_clear() {
        let mut journal = Journal::default();
        let before = journal.push(0, choice("before"));
        journal.clear();

        let after = journal.push(0, choice("after"));

        assert!(after > before);
        assert_eq!(journal.since(before).len(), 1);
        journal.complete(before, |_| panic!("cleared"));
    }
}
