//! Every payment of this run, by PortOne's id and by the merchant's.
//!
//! Invariant: both indexes follow the records, also when a record's `merchant_uid` is changed from outside.
//! An `imp_uid` never changes.

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;
use serde_json::Value;
use url::Url;

use crate::record::{self, Record};

/// Payments kept; the sandbox refuses more until it is reset, instead of growing without end.
pub(crate) const PAYMENTS_MAX: usize = 100_000;

/// How the buyer's browser came to the payment window and where it goes from there.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) flow: Flow,
    pub(crate) redirect_url: Option<Url>,
    /// Where the page that opened the window lives: the only one to be told the result.
    pub(crate) opener_origin: Option<String>,
    pub(crate) english: bool,
    pub(crate) vbank_due: Option<i64>,
    /// `bypass.kcpQuick.actionType` of the request, which KCP QuickPay brings back.
    pub(crate) kcp_action: String,
    /// Asked before an approval, in place of the configured address.
    pub(crate) confirm_url: Option<Url>,
    pub(crate) ended: bool,
    /// What the browser was sent back with, so that it can be sent back with it again.
    pub(crate) location: Option<Url>,
}

/// Phones leave the shop's page and come back by redirect; desktops keep it and show the window in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Redirect,
    Frame,
}

#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) record: Record,
    /// None for payments that the control plane made: nobody opened a window for them.
    pub(crate) window: Option<Window>,
    /// Where its webhooks go in place of the configured address, if the shop named addresses.
    pub(crate) notice_urls: Vec<Url>,
    /// What can still be cancelled free of tax. PortOne's V1 tells nobody.
    pub(crate) tax_free: Decimal,
    /// Order of creation, which settles equal times.
    pub(crate) number: u64,
    /// Order of the last change.
    pub(crate) updated: u64,
    /// Until then (UNIX milliseconds) the API answers as if the payment did not exist.
    pub(crate) hidden_until_ms: i64,
}

impl Payment {
    pub(crate) fn imp_uid(&self) -> &str {
        record::text(&self.record, "imp_uid")
    }

    pub(crate) fn merchant_uid(&self) -> &str {
        record::text(&self.record, "merchant_uid")
    }

    pub(crate) fn status(&self) -> &str {
        record::text(&self.record, "status")
    }

    pub(crate) fn is_visible(&self, now_ms: i64) -> bool {
        now_ms >= self.hidden_until_ms
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    payments: BTreeMap<u64, Payment>,
    by_imp_uid: HashMap<String, u64>,
    by_merchant_uid: HashMap<String, Vec<u64>>,
    changes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InsertError {
    #[error("the sandbox holds {PAYMENTS_MAX} payments, its limit; reset it")]
    Full,
    #[error("a payment with this imp_uid exists")]
    Taken,
}

impl Ledger {
    pub(crate) fn contains(&self, imp_uid: &str) -> bool {
        self.by_imp_uid.contains_key(imp_uid)
    }

    pub(crate) fn insert(
        &mut self,
        record: Record,
        window: Option<Window>,
    ) -> Result<&Payment, InsertError> {
        if self.payments.len() >= PAYMENTS_MAX {
            return Err(InsertError::Full);
        }
        let imp_uid = record::text(&record, "imp_uid").to_owned();
        if self.contains(&imp_uid) {
            return Err(InsertError::Taken);
        }
        let merchant_uid = record::text(&record, "merchant_uid").to_owned();
        self.changes += 1;
        let number = self.changes;
        self.by_imp_uid.insert(imp_uid, number);
        self.by_merchant_uid
            .entry(merchant_uid)
            .or_default()
            .push(number);
        Ok(self.payments.entry(number).or_insert(Payment {
            record,
            window,
            notice_urls: Vec::new(),
            tax_free: Decimal::ZERO,
            number,
            updated: number,
            hidden_until_ms: 0,
        }))
    }

    pub(crate) fn find(&self, imp_uid: &str) -> Option<&Payment> {
        self.payments.get(self.by_imp_uid.get(imp_uid)?)
    }

    /// Changes one payment and keeps the indexes right, whatever the change was.
    pub(crate) fn change<T>(
        &mut self,
        imp_uid: &str,
        change: impl FnOnce(&mut Payment) -> T,
    ) -> Option<T> {
        let number = *self.by_imp_uid.get(imp_uid)?;
        let payment = self.payments.get_mut(&number)?;
        let before = payment.merchant_uid().to_owned();
        let result = change(payment);
        self.changes += 1;
        payment.updated = self.changes;
        payment
            .record
            .insert("imp_uid".into(), Value::from(imp_uid));
        let after = payment.merchant_uid().to_owned();
        if before != after {
            if let Some(numbers) = self.by_merchant_uid.get_mut(&before) {
                numbers.retain(|other| *other != number);
            }
            self.by_merchant_uid.entry(after).or_default().push(number);
        }
        Some(result)
    }

    pub(crate) fn of_merchant(&self, merchant_uid: &str) -> impl Iterator<Item = &Payment> {
        self.by_merchant_uid
            .get(merchant_uid)
            .into_iter()
            .flatten()
            .filter_map(|number| self.payments.get(number))
    }

    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Payment> {
        self.payments.values().rev()
    }

    /// A payment of this order that holds money (or held it), which is what makes its number used up.
    pub(crate) fn is_approved(&self, merchant_uid: &str) -> bool {
        self.of_merchant(merchant_uid)
            .any(|payment| matches!(payment.status(), "paid" | "cancelled"))
    }
}

/// `sorting` of `find` and `findAll`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sorting {
    key: SortKey,
    descending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SortKey {
    Started,
    Paid,
    Updated,
}

impl Sorting {
    pub(crate) fn parse(text: Option<&str>) -> Option<Self> {
        let text = text.unwrap_or("-started");
        let (descending, key) = match text.strip_prefix('-') {
            Some(key) => (true, key),
            None => (false, text),
        };
        let key = match key {
            "started" => SortKey::Started,
            "paid" => SortKey::Paid,
            "updated" => SortKey::Updated,
            _ => return None,
        };
        Some(Sorting { key, descending })
    }

    pub(crate) fn sort(self, payments: &mut [&Payment]) {
        payments.sort_by_key(|payment| match self.key {
            SortKey::Started => (
                record::integer(&payment.record, "started_at"),
                payment.number,
            ),
            SortKey::Paid => (record::integer(&payment.record, "paid_at"), payment.number),
            SortKey::Updated => (0, payment.updated),
        });
        if self.descending {
            payments.reverse();
        }
    }
}
