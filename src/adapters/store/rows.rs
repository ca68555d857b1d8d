//! Rows of the tables and the domain's values they stand for.

use jiff::Timestamp;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::query::Failure;
use crate::domain::event::{Event, EventType};
use crate::domain::history::{Entry, EntryKind, StoredEntry};
use crate::domain::ids::{PayToken, PaymentId, RefundId, StatusToken, TransactionId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::{Buyer, Order, OrderStatus, Portone};
use crate::domain::refund::{Refund, RefundAccount, RefundAmount, RefundState, Trouble};
use crate::domain::transaction::{Transaction, TransactionStatus, Verdict, VirtualAccount};
use crate::domain::window_params::WindowParams;
use crate::ports::store::{InboxEntry, OutboxEvent};

/// A time as the tables keep it.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// Reads the values of one table; an unreadable one is named.
pub(super) struct Table(pub(super) &'static str);

impl Table {
    pub(super) fn read<T>(&self, column: &'static str, value: Option<T>) -> Result<T, Failure> {
        value.ok_or(Failure::Corrupt {
            table: self.0,
            column,
        })
    }

    pub(super) fn time(&self, column: &'static str, micros: i64) -> Result<Timestamp, Failure> {
        self.read(column, Timestamp::from_microsecond(micros).ok())
    }

    pub(super) fn time_or_none(
        &self,
        column: &'static str,
        micros: Option<i64>,
    ) -> Result<Option<Timestamp>, Failure> {
        micros.map(|micros| self.time(column, micros)).transpose()
    }

    pub(super) fn payment_id(&self, text: &str) -> Result<PaymentId, Failure> {
        self.read("payment_id", PaymentId::parse(text).ok())
    }

    pub(super) fn transaction_id(
        &self,
        column: &'static str,
        text: &str,
    ) -> Result<TransactionId, Failure> {
        self.read(column, TransactionId::parse(text).ok())
    }

    pub(super) fn transaction_id_or_none(
        &self,
        column: &'static str,
        text: Option<&str>,
    ) -> Result<Option<TransactionId>, Failure> {
        text.map(|text| self.transaction_id(column, text))
            .transpose()
    }
}

/// A row that only names an order.
#[derive(FromRow)]
pub(super) struct PaymentIdRow {
    payment_id: String,
}

impl PaymentIdRow {
    pub(super) fn into_domain(self, table: &'static str) -> Result<PaymentId, Failure> {
        Table(table).payment_id(&self.payment_id)
    }
}

/// Every column of `orders`.
macro_rules! order_columns {
    () => {
        "payment_id, version, name, amount_minor, currency, portone, pay_method, channel_key, buyer_name, buyer_email, buyer_tel, \
         return_url, locale, metadata, window_params, fingerprint, status_token, pay_token, status, accepted_transaction_id, refunded_minor, expires_at, \
         expired_at, closed_at, checked_at, next_check_at, checks_without_change, prepared_at, created_at, updated_at"
    };
}

#[derive(FromRow)]
pub(super) struct OrderRow {
    payment_id: String,
    version: i64,
    name: String,
    amount_minor: i64,
    currency: String,
    portone: String,
    pay_method: Option<String>,
    channel_key: Option<String>,
    buyer_name: Option<String>,
    buyer_email: Option<String>,
    buyer_tel: Option<String>,
    return_url: Option<String>,
    locale: Option<String>,
    metadata: Option<String>,
    window_params: Option<String>,
    fingerprint: String,
    status_token: String,
    pay_token: String,
    status: String,
    accepted_transaction_id: Option<String>,
    refunded_minor: i64,
    expires_at: Option<i64>,
    expired_at: Option<i64>,
    closed_at: Option<i64>,
    checked_at: Option<i64>,
    next_check_at: Option<i64>,
    checks_without_change: i64,
    prepared_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

impl OrderRow {
    pub(super) fn into_domain(self) -> Result<Order, Failure> {
        let orders = Table("orders");
        let currency = orders.read("currency", Currency::parse(&self.currency).ok())?;
        Ok(Order {
            payment_id: orders.payment_id(&self.payment_id)?,
            version: self.version,
            name: self.name,
            amount: orders.read("amount_minor", Money::new(self.amount_minor, currency).ok())?,
            portone: orders.read("portone", Portone::from_word(&self.portone))?,
            pay_method: self.pay_method,
            channel_key: self.channel_key,
            buyer: Buyer {
                name: self.buyer_name,
                email: self.buyer_email,
                tel: self.buyer_tel,
            },
            return_url: self.return_url,
            locale: self.locale,
            metadata: self.metadata,
            window_params: match self.window_params {
                Some(text) => Some(orders.read("window_params", WindowParams::from_stored(&text))?),
                None => None,
            },
            fingerprint: self.fingerprint,
            status_token: orders
                .read("status_token", StatusToken::parse(&self.status_token).ok())?,
            pay_token: orders.read("pay_token", PayToken::parse(&self.pay_token).ok())?,
            status: orders.read("status", OrderStatus::from_word(&self.status))?,
            accepted_transaction_id: orders.transaction_id_or_none(
                "accepted_transaction_id",
                self.accepted_transaction_id.as_deref(),
            )?,
            refunded_minor: self.refunded_minor,
            expires_at: orders.time_or_none("expires_at", self.expires_at)?,
            expired_at: orders.time_or_none("expired_at", self.expired_at)?,
            closed_at: orders.time_or_none("closed_at", self.closed_at)?,
            checked_at: orders.time_or_none("checked_at", self.checked_at)?,
            next_check_at: orders.time_or_none("next_check_at", self.next_check_at)?,
            checks_without_change: self.checks_without_change,
            prepared_at: orders.time_or_none("prepared_at", self.prepared_at)?,
            created_at: orders.time("created_at", self.created_at)?,
            updated_at: orders.time("updated_at", self.updated_at)?,
        })
    }
}

/// Every column of `orders`, and of `transactions` what [`SnapshotRow`] reads: columns that both tables have keep their plain
/// name for the order. One statement sees one moment.
macro_rules! snapshot_of {
    ($order:literal) => {
        concat!(
            "SELECT orders.payment_id, orders.version, name, orders.amount_minor, orders.currency, portone, orders.pay_method, channel_key, \
             buyer_name, buyer_email, buyer_tel, return_url, locale, metadata, window_params, fingerprint, status_token, pay_token, orders.status, \
             accepted_transaction_id, refunded_minor, expires_at, expired_at, closed_at, orders.checked_at, next_check_at, \
             checks_without_change, prepared_at, created_at, updated_at, transaction_id, transactions.status AS its_status, verdict, \
             transactions.amount_minor AS its_amount_minor, transactions.currency AS its_currency, cancelled_minor, test, \
             transactions.pay_method AS its_pay_method, pg_provider, approval_number, method_name, fail_reason, receipt_url, \
             virtual_account_bank, virtual_account_number, virtual_account_holder, virtual_account_expires_at, paid_at, checks, \
             first_seen_at, transactions.checked_at AS its_checked_at, pay_by \
             FROM orders LEFT JOIN transactions ON transactions.payment_id = orders.payment_id WHERE ",
            $order,
            " ORDER BY first_seen_at, transaction_id"
        )
    };
}

/// Every column of `transactions`.
macro_rules! transaction_columns {
    () => {
        "transaction_id, payment_id, status, verdict, amount_minor, currency, cancelled_minor, test, pay_method, pg_provider, \
         approval_number, method_name, fail_reason, receipt_url, virtual_account_bank, virtual_account_number, \
         virtual_account_holder, virtual_account_expires_at, paid_at, checks, first_seen_at, checked_at, pay_by"
    };
}

/// Every column of `refunds`.
macro_rules! refund_columns {
    () => {
        "refund_id, version, payment_id, transaction_id, amount_minor, currency, tax_free_minor, reason, account_bank, account_number, account_holder, \
         account_tel, requested_by, idempotency_key, fingerprint, state, guard_minor, reserved_minor, cancellation_id, attempts, \
         called_at, next_at, trouble_code, trouble_message, created_at, updated_at"
    };
}

pub(super) use {order_columns, refund_columns, snapshot_of, transaction_columns};

/// An order beside one of its transactions, if it has any.
pub(super) struct SnapshotRow {
    pub(super) order: OrderRow,
    pub(super) transaction: Option<TransactionRow>,
}

impl<'r, R: Row> FromRow<'r, R> for SnapshotRow
where
    OrderRow: FromRow<'r, R>,
    TransactionRow: FromRow<'r, R>,
    &'static str: ColumnIndex<R>,
    Option<String>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let transaction_id: Option<String> = row.try_get("transaction_id")?;
        let transaction = transaction_id.map(|_| TransactionRow::from_row(row));
        Ok(Self {
            order: OrderRow::from_row(row)?,
            transaction: transaction.transpose()?,
        })
    }
}

/// A transaction of the order in the same row, see [`snapshot_of`].
#[derive(FromRow)]
pub(super) struct TransactionRow {
    transaction_id: String,
    payment_id: String,
    #[sqlx(rename = "its_status")]
    status: String,
    verdict: String,
    #[sqlx(rename = "its_amount_minor")]
    amount_minor: Option<i64>,
    #[sqlx(rename = "its_currency")]
    currency: Option<String>,
    cancelled_minor: i64,
    test: Option<bool>,
    #[sqlx(rename = "its_pay_method")]
    pay_method: Option<String>,
    pg_provider: Option<String>,
    approval_number: Option<String>,
    method_name: Option<String>,
    fail_reason: Option<String>,
    receipt_url: Option<String>,
    virtual_account_bank: Option<String>,
    virtual_account_number: Option<String>,
    virtual_account_holder: Option<String>,
    virtual_account_expires_at: Option<i64>,
    paid_at: Option<i64>,
    checks: String,
    first_seen_at: i64,
    #[sqlx(rename = "its_checked_at")]
    checked_at: i64,
    pay_by: Option<i64>,
}

impl TransactionRow {
    pub(super) fn into_domain(self) -> Result<Transaction, Failure> {
        let transactions = Table("transactions");
        let virtual_account = match self.virtual_account_bank {
            Some(bank) => Some(VirtualAccount {
                bank,
                account_number: transactions
                    .read("virtual_account_number", self.virtual_account_number)?,
                holder: self.virtual_account_holder,
                expires_at: transactions.time_or_none(
                    "virtual_account_expires_at",
                    self.virtual_account_expires_at,
                )?,
            }),
            None => None,
        };
        Ok(Transaction {
            transaction_id: transactions.transaction_id("transaction_id", &self.transaction_id)?,
            payment_id: transactions.payment_id(&self.payment_id)?,
            status: transactions.read("status", TransactionStatus::from_word(&self.status))?,
            verdict: transactions.read("verdict", Verdict::from_word(&self.verdict))?,
            amount_minor: self.amount_minor,
            currency: self.currency,
            cancelled_minor: self.cancelled_minor,
            test: self.test,
            pay_method: self.pay_method,
            pg_provider: self.pg_provider,
            approval_number: self.approval_number,
            method_name: self.method_name,
            fail_reason: self.fail_reason,
            receipt_url: self.receipt_url,
            virtual_account,
            pay_by: transactions.time_or_none("pay_by", self.pay_by)?,
            paid_at: transactions.time_or_none("paid_at", self.paid_at)?,
            checks: transactions.read("checks", serde_json::from_str(&self.checks).ok())?,
            first_seen_at: transactions.time("first_seen_at", self.first_seen_at)?,
            checked_at: transactions.time("checked_at", self.checked_at)?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct EntryRow {
    seq: i64,
    at: i64,
    kind: String,
    actor: String,
    data: String,
    once_key: Option<String>,
}

impl EntryRow {
    pub(super) fn into_domain(self) -> Result<StoredEntry, Failure> {
        let history = Table("history");
        let entry = Entry {
            at: history.time("at", self.at)?,
            kind: history.read("kind", EntryKind::from_word(&self.kind))?,
            actor: self.actor,
            data: history.read("data", serde_json::from_str(&self.data).ok())?,
            once_key: self.once_key,
        };
        Ok(StoredEntry {
            seq: self.seq,
            entry,
        })
    }
}

#[derive(FromRow)]
pub(super) struct EventRow {
    id: String,
    payment_id: String,
    seq: i64,
    event_type: String,
    transaction_id: Option<String>,
    status: String,
    refunded_minor: i64,
    at: i64,
}

impl EventRow {
    pub(super) fn into_domain(self) -> Result<OutboxEvent, Failure> {
        let outbox = Table("outbox");
        let event = Event {
            id: self.id,
            event_type: outbox.read("event_type", EventType::from_word(&self.event_type))?,
            payment_id: outbox.payment_id(&self.payment_id)?,
            transaction_id: outbox
                .transaction_id_or_none("transaction_id", self.transaction_id.as_deref())?,
            status: outbox.read("status", OrderStatus::from_word(&self.status))?,
            refunded_minor: self.refunded_minor,
            at: outbox.time("at", self.at)?,
        };
        Ok(OutboxEvent {
            seq: self.seq,
            event,
        })
    }
}

#[derive(FromRow)]
pub(super) struct InboxRow {
    id: i64,
    version: String,
    payment_id: String,
    transaction_id: Option<String>,
    claimed_status: Option<String>,
    received_at: i64,
    attempts: i64,
    lease: i64,
}

impl InboxRow {
    pub(super) fn into_domain(self) -> Result<InboxEntry, Failure> {
        let inbox = Table("inbox");
        Ok(InboxEntry {
            id: self.id,
            portone: inbox.read("version", Portone::from_word(&self.version))?,
            payment_id: inbox.payment_id(&self.payment_id)?,
            transaction_id: inbox
                .transaction_id_or_none("transaction_id", self.transaction_id.as_deref())?,
            claimed_status: self.claimed_status,
            received_at: inbox.time("received_at", self.received_at)?,
            attempts: self.attempts,
            lease: self.lease,
        })
    }
}

#[derive(FromRow)]
pub(super) struct RefundRow {
    refund_id: String,
    version: i64,
    payment_id: String,
    transaction_id: String,
    amount_minor: i64,
    currency: String,
    tax_free_minor: Option<i64>,
    reason: String,
    account_bank: Option<String>,
    account_number: Option<String>,
    account_holder: Option<String>,
    account_tel: Option<String>,
    requested_by: String,
    idempotency_key: String,
    fingerprint: String,
    state: String,
    guard_minor: i64,
    reserved_minor: i64,
    cancellation_id: Option<String>,
    attempts: i64,
    called_at: Option<i64>,
    next_at: Option<i64>,
    trouble_code: Option<String>,
    trouble_message: Option<String>,
    created_at: i64,
    updated_at: i64,
}

impl RefundRow {
    pub(super) fn into_domain(self) -> Result<Refund, Failure> {
        let refunds = Table("refunds");
        let currency = refunds.read("currency", Currency::parse(&self.currency).ok())?;
        let amount = Money {
            minor: self.amount_minor,
            currency,
        };
        let account = match self.account_bank {
            Some(bank) => Some(RefundAccount {
                bank,
                number: refunds.read("account_number", self.account_number)?,
                holder: refunds.read("account_holder", self.account_holder)?,
                tel: self.account_tel,
            }),
            None => None,
        };
        let message = self.trouble_message;
        Ok(Refund {
            id: refunds.read("refund_id", RefundId::parse(&self.refund_id).ok())?,
            version: self.version,
            payment_id: refunds.payment_id(&self.payment_id)?,
            transaction_id: refunds.transaction_id("transaction_id", &self.transaction_id)?,
            amount: refunds.read("amount_minor", RefundAmount::new(amount).ok())?,
            tax_free_minor: self.tax_free_minor,
            reason: self.reason,
            account,
            requested_by: self.requested_by,
            idempotency_key: self.idempotency_key,
            fingerprint: self.fingerprint,
            state: refunds.read("state", RefundState::from_word(&self.state))?,
            guard_minor: self.guard_minor,
            reserved_minor: self.reserved_minor,
            cancellation_id: self.cancellation_id,
            attempts: self.attempts,
            called_at: refunds.time_or_none("called_at", self.called_at)?,
            next_at: refunds.time_or_none("next_at", self.next_at)?,
            trouble: self.trouble_code.map(|code| Trouble { code, message }),
            created_at: refunds.time("created_at", self.created_at)?,
            updated_at: refunds.time("updated_at", self.updated_at)?,
        })
    }
}
