//! Orders with their transactions, history and events.
//!
//! A change begins with the order's own row: on PostgreSQL its lock lines up everybody who changes the order, on SQLite
//! there is one writer anyway. So the numbers in history and outbox have no gaps and no races.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use super::audit::append_of_history;
use super::deliveries::fan_out;
use super::query::{Failure, execute, fetch_all, fetch_optional, is_taken, retried};
use super::retention::has_to_be_erased;
use super::rows::{
    EntryRow, EventRow, PaymentIdRow, SnapshotRow, TransactionRow, micros, order_columns,
    snapshot_of, transaction_columns,
};
use super::write::{Change, Verdict};
use super::{Database, Dialect, Tx};
use crate::domain::event::Event;
use crate::domain::history::{Entry, StoredEntry};
use crate::domain::ids::{PaymentId, StatusToken, TransactionId};
use crate::domain::order::Order;
use crate::domain::transaction::Transaction;
use crate::domain::window_params::WindowParams;
use crate::ports::store::{
    Commit, Committed, Created, Listed, OrderFilter, OrderStore, OutboxEvent, Snapshot, StoreError,
};

/// What the shop ordered is written once, when the order is made; a commit moves its state and nothing else.
#[async_trait]
impl OrderStore for Database {
    async fn create_order(&self, order: &Order, entry: &Entry) -> Result<Created, StoreError> {
        let change = CreateOrder {
            order: order.clone(),
            entry: entry.clone(),
        };
        if self.write(change).await? {
            return Ok(Created::New);
        }
        let existing = retried(|| async {
            let existing = self.try_find(&order.payment_id).await?;
            existing.ok_or(Failure::TokenInUse)
        })
        .await?;
        Ok(Created::Existing(Box::new(existing)))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            // A bare `SELECT 1` would not touch SQLite's file.
            let _rows: Vec<(i64,)> = fetch_all!(&mut conn, "SELECT version FROM orders LIMIT 1")?;
            Ok(())
        })
        .await
    }

    async fn find_order(&self, id: &PaymentId) -> Result<Option<Snapshot>, StoreError> {
        retried(|| self.try_find(id)).await
    }

    async fn find_order_by_token(
        &self,
        token: &StatusToken,
    ) -> Result<Option<Snapshot>, StoreError> {
        retried(|| async {
            let sql = snapshot_of!("orders.status_token = $1");
            let mut conn = self.reader().await?;
            let rows = fetch_all!(&mut conn, sql, token.as_str())?;
            conn.keep();
            snapshot(rows)
        })
        .await
    }

    async fn find_owner(&self, id: &TransactionId) -> Result<Option<PaymentId>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let found: Option<PaymentIdRow> = fetch_optional!(
                &mut conn,
                "SELECT payment_id FROM transactions WHERE transaction_id = $1",
                id.as_str()
            )?;
            conn.keep();
            found.map(|row| row.into_domain("transactions")).transpose()
        })
        .await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        self.write(CommitOrder(commit.clone())).await
    }

    async fn append_history(
        &self,
        id: &PaymentId,
        entries: &[Entry],
        per_kind_max: u32,
    ) -> Result<(), StoreError> {
        self.write(AppendHistory {
            id: id.clone(),
            entries: entries.to_vec(),
            per_kind_max,
        })
        .await
    }

    async fn history(&self, id: &PaymentId) -> Result<Vec<StoredEntry>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<EntryRow> =
                fetch_all!(&mut conn, "SELECT seq, at, kind, actor, data, once_key FROM history WHERE payment_id = $1 ORDER BY seq", id.as_str())?;
            rows.into_iter().map(EntryRow::into_domain).collect()
        })
        .await
    }

    async fn outbox(&self, id: &PaymentId) -> Result<Vec<OutboxEvent>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<EventRow> = fetch_all!(
                &mut conn,
                "SELECT id, payment_id, seq, event_type, transaction_id, status, refunded_minor, at FROM outbox WHERE payment_id = $1 ORDER BY seq",
                id.as_str(),
            )?;
            rows.into_iter().map(EventRow::into_domain).collect()
        })
        .await
    }

    async fn list_orders(&self, filter: &OrderFilter) -> Result<Listed, StoreError> {
        retried(|| self.try_list(filter)).await
    }

    async fn find_transactions(
        &self,
        ids: &[TransactionId],
    ) -> Result<Vec<Transaction>, StoreError> {
        retried(|| self.try_find_transactions(ids)).await
    }

    async fn lease_due(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<PaymentId>, StoreError> {
        self.write(LeaseDue {
            now,
            lease_until,
            limit,
        })
        .await
    }

    async fn schedule_check(
        &self,
        id: &PaymentId,
        decided_on: i64,
        next_check_at: Option<Timestamp>,
        checks_without_change: i64,
    ) -> Result<(), StoreError> {
        self.write(ScheduleCheck {
            id: id.clone(),
            decided_on,
            next_check_at,
            checks_without_change,
        })
        .await
    }

    async fn mark_prepared(&self, id: &PaymentId, at: Timestamp) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(MarkPrepared { id, at }).await
    }
}

impl Database {
    async fn try_find(&self, id: &PaymentId) -> Result<Option<Snapshot>, Failure> {
        let sql = snapshot_of!("orders.payment_id = $1");
        let mut conn = self.reader().await?;
        let rows = fetch_all!(&mut conn, sql, id.as_str())?;
        conn.keep();
        snapshot(rows)
    }
}

/// Each of the rows has the same order.
fn snapshot(rows: Vec<SnapshotRow>) -> Result<Option<Snapshot>, Failure> {
    let mut order = None;
    let mut transactions = Vec::new();
    for row in rows {
        transactions.extend(row.transaction);
        order.get_or_insert(row.order);
    }
    let Some(order) = order else { return Ok(None) };
    Ok(Some(Snapshot {
        order: order.into_domain()?,
        transactions: transactions
            .into_iter()
            .map(TransactionRow::into_domain)
            .collect::<Result<_, _>>()?,
    }))
}

/// Says whether it was made; if not, an order has its id or its status token.
struct CreateOrder {
    order: Order,
    entry: Entry,
}

#[async_trait]
impl Change for CreateOrder {
    type Answer = bool;

    fn may_undo_itself(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        if !insert_order(tx, &self.order).await? {
            return Ok(Verdict::Undo(false));
        }
        append_entry(tx, &self.order.payment_id, &self.entry, u32::MAX).await?;
        Ok(Verdict::Keep(true))
    }
}

struct CommitOrder(Commit);

#[async_trait]
impl Change for CommitOrder {
    type Answer = Committed;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Committed>, Failure> {
        Ok(match write_commit(tx, &self.0).await? {
            Committed::Done => {
                let Commit { order, entries, .. } = &self.0;
                append_of_history(tx, &order.payment_id, entries).await?;
                Verdict::Keep(Committed::Done)
            }
            refused @ (Committed::Conflict | Committed::TransactionTaken) => Verdict::Undo(refused),
        })
    }

    /// That a transaction is somebody else's is found out when the order has been moved.
    fn may_undo_itself(&self) -> bool {
        !self.0.transactions.is_empty()
    }

    /// Events are for somebody to deliver.
    fn makes_work(&self) -> bool {
        !self.0.events.is_empty()
    }

    /// What moved is in the history. A commit without an entry says only when the order was looked at.
    fn moves(&self) -> Option<&PaymentId> {
        (!self.0.entries.is_empty()).then_some(&self.0.order.payment_id)
    }
}

/// Writes nothing when there is no such order: history belongs to one.
struct AppendHistory {
    id: PaymentId,
    entries: Vec<Entry>,
    per_kind_max: u32,
}

#[async_trait]
impl Change for AppendHistory {
    type Answer = ();

    fn may_undo_itself(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        match tx {
            Dialect::Sqlite(_) => {}
            Dialect::Postgres(_) => {
                let _locked: Option<PaymentIdRow> = fetch_optional!(
                    tx,
                    "SELECT payment_id FROM orders WHERE payment_id = $1 FOR NO KEY UPDATE",
                    self.id.as_str()
                )?;
            }
        }
        for entry in &self.entries {
            append_entry(tx, &self.id, entry, self.per_kind_max).await?;
        }
        // A redirect's address may have brought anything.
        has_to_be_erased(tx, &self.id).await?;
        Ok(Verdict::Keep(()))
    }
}

struct LeaseDue {
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
}

#[async_trait]
impl Change for LeaseDue {
    type Answer = Vec<PaymentId>;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Vec<PaymentId>>, Failure> {
        // PostgreSQL: ARRAY(…) is worked out once. A plain IN (…) may be planned as a loop that locks again and again and
        // takes more than the limit. A row that another worker is just taking is skipped, not waited for.
        let sql = tx.text(
            "UPDATE orders SET next_check_at = $2 WHERE payment_id IN (
                SELECT payment_id FROM orders WHERE next_check_at <= $1 ORDER BY next_check_at, payment_id LIMIT $3
            ) RETURNING payment_id",
            "UPDATE orders SET next_check_at = $2 WHERE payment_id = ANY(ARRAY(
                SELECT payment_id FROM orders WHERE next_check_at <= $1 ORDER BY next_check_at, payment_id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
            )) RETURNING payment_id",
        );
        let rows: Vec<PaymentIdRow> = fetch_all!(
            tx,
            sql,
            micros(self.now),
            micros(self.lease_until),
            i64::from(self.limit)
        )?;
        Ok(Verdict::Keep(readable(rows)))
    }
}

struct ScheduleCheck {
    id: PaymentId,
    decided_on: i64,
    next_check_at: Option<Timestamp>,
    checks_without_change: i64,
}

#[async_trait]
impl Change for ScheduleCheck {
    type Answer = ();

    fn may_undo_itself(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        execute!(
            tx,
            "UPDATE orders SET next_check_at = $3, checks_without_change = $4 WHERE payment_id = $1 AND version = $2",
            self.id.as_str(),
            self.decided_on,
            self.next_check_at.map(micros),
            self.checks_without_change,
        )?;
        Ok(Verdict::Keep(()))
    }
}

struct MarkPrepared {
    id: PaymentId,
    at: Timestamp,
}

#[async_trait]
impl Change for MarkPrepared {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        execute!(
            tx,
            "UPDATE orders SET prepared_at = $2 WHERE payment_id = $1",
            self.id.as_str(),
            micros(self.at)
        )?;
        Ok(Verdict::Keep(()))
    }
}

/// Says whether it was written; if not, an order has its id or its status token.
async fn insert_order(tx: &mut Tx, order: &Order) -> Result<bool, Failure> {
    // No key is named after ON CONFLICT: two instances that write the same order at once may clash on either one first.
    let written = execute!(
        tx,
        concat!(
            "INSERT INTO orders (",
            order_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, \
             $26, $27, $28, $29, $30) ON CONFLICT DO NOTHING"
        ),
        order.payment_id.as_str(),
        order.version,
        &order.name,
        order.amount.minor,
        order.amount.currency.code(),
        order.portone.as_str(),
        &order.pay_method,
        &order.channel_key,
        &order.buyer.name,
        &order.buyer.email,
        &order.buyer.tel,
        &order.return_url,
        &order.locale,
        &order.metadata,
        order.window_params.as_ref().map(WindowParams::to_text),
        &order.fingerprint,
        order.status_token.as_str(),
        order.pay_token.as_str(),
        order.status.as_str(),
        order
            .accepted_transaction_id
            .as_ref()
            .map(TransactionId::as_str),
        order.refunded_minor,
        order.expires_at.map(micros),
        order.expired_at.map(micros),
        order.closed_at.map(micros),
        order.checked_at.map(micros),
        order.next_check_at.map(micros),
        order.checks_without_change,
        order.prepared_at.map(micros),
        micros(order.created_at),
        micros(order.updated_at),
    )?;
    Ok(written == 1)
}

/// Writes a change up to, not including, the commit. Anything but `Done` must be rolled back.
async fn write_commit(tx: &mut Tx, commit: &Commit) -> Result<Committed, Failure> {
    let id = &commit.order.payment_id;
    match move_order(tx, &commit.order).await? {
        Committed::Done => {}
        refused @ (Committed::Conflict | Committed::TransactionTaken) => return Ok(refused),
    }
    // In one order for everybody, so that two changes that want the same transactions wait for, and do not lock out, each other.
    let mut transactions: Vec<&Transaction> = commit.transactions.iter().collect();
    transactions.sort_by_key(|transaction| &transaction.transaction_id);
    for transaction in transactions {
        if transaction.payment_id != *id || !put_transaction(tx, transaction).await? {
            return Ok(Committed::TransactionTaken);
        }
    }
    for entry in &commit.entries {
        append_entry(tx, id, entry, u32::MAX).await?;
    }
    for event in &commit.events {
        append_event(tx, id, event).await?;
    }
    Ok(Committed::Done)
}

/// Moves an order's state if its version is the expected one. `prepared_at` is kept once it is known: it is noted without
/// taking a version, so a change that was decided before must not undo it.
async fn move_order(tx: &mut Tx, order: &Order) -> Result<Committed, Failure> {
    let moved = execute!(
        tx,
        "UPDATE orders SET version = version + 1, status = $3, accepted_transaction_id = $4, refunded_minor = $5, expires_at = $6,
            expired_at = $7, closed_at = $8, checked_at = $9, next_check_at = $10, checks_without_change = $11,
            prepared_at = COALESCE($12, prepared_at), updated_at = $13, to_erase = 1
        WHERE payment_id = $1 AND version = $2",
        order.payment_id.as_str(),
        order.version,
        order.status.as_str(),
        order.accepted_transaction_id.as_ref().map(TransactionId::as_str),
        order.refunded_minor,
        order.expires_at.map(micros),
        order.expired_at.map(micros),
        order.closed_at.map(micros),
        order.checked_at.map(micros),
        order.next_check_at.map(micros),
        order.checks_without_change,
        order.prepared_at.map(micros),
        micros(order.updated_at),
    );
    match moved {
        Ok(0) => Ok(Committed::Conflict),
        Ok(_) => Ok(Committed::Done),
        // The accepted transaction is the only key among these columns.
        Err(error) if is_taken(&error) => Ok(Committed::TransactionTaken),
        Err(error) => Err(error.into()),
    }
}

/// Inserts or replaces a transaction; says whether it was the order's to write.
async fn put_transaction(tx: &mut Tx, transaction: &Transaction) -> Result<bool, Failure> {
    let account = transaction.virtual_account.as_ref();
    let written = execute!(
        tx,
        concat!(
            "INSERT INTO transactions (",
            transaction_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
            ON CONFLICT (transaction_id) DO UPDATE SET status = excluded.status, verdict = excluded.verdict,
                amount_minor = excluded.amount_minor, currency = excluded.currency, cancelled_minor = excluded.cancelled_minor,
                test = excluded.test, pay_method = excluded.pay_method, pg_provider = excluded.pg_provider,
                approval_number = excluded.approval_number, method_name = excluded.method_name, fail_reason = excluded.fail_reason,
                receipt_url = excluded.receipt_url, virtual_account_bank = excluded.virtual_account_bank,
                virtual_account_number = excluded.virtual_account_number, virtual_account_holder = excluded.virtual_account_holder,
                virtual_account_expires_at = excluded.virtual_account_expires_at, paid_at = excluded.paid_at,
                checks = excluded.checks, first_seen_at = excluded.first_seen_at, checked_at = excluded.checked_at,
                pay_by = excluded.pay_by
            WHERE transactions.payment_id = excluded.payment_id"
        ),
        transaction.transaction_id.as_str(),
        transaction.payment_id.as_str(),
        transaction.status.as_str(),
        transaction.verdict.as_str(),
        transaction.amount_minor,
        &transaction.currency,
        transaction.cancelled_minor,
        transaction.test,
        &transaction.pay_method,
        &transaction.pg_provider,
        &transaction.approval_number,
        &transaction.method_name,
        &transaction.fail_reason,
        &transaction.receipt_url,
        account.map(|account| &account.bank),
        account.map(|account| &account.account_number),
        account.and_then(|account| account.holder.as_ref()),
        account.and_then(|account| account.expires_at).map(micros),
        transaction.paid_at.map(micros),
        json!(transaction.checks).to_string(),
        micros(transaction.first_seen_at),
        micros(transaction.checked_at),
        transaction.pay_by.map(micros),
    )?;
    Ok(written == 1)
}

/// Appends an entry unless there is no such order, or it has the `once_key`, or enough of the kind.
pub(super) async fn append_entry(
    tx: &mut Tx,
    id: &PaymentId,
    entry: &Entry,
    per_kind_max: u32,
) -> Result<(), Failure> {
    execute!(
        tx,
        "INSERT INTO history (payment_id, seq, at, kind, actor, data, once_key)
        SELECT $1, last.seq + 1, $2, $3, $4, $5, $6
        FROM (SELECT COALESCE(MAX(seq), 0) AS seq FROM history WHERE payment_id = $1) AS last
        WHERE EXISTS (SELECT 1 FROM orders WHERE payment_id = $1)
        AND (SELECT COUNT(*) FROM history WHERE payment_id = $1 AND kind = $3) < $7
        ON CONFLICT (payment_id, once_key) DO NOTHING",
        id.as_str(),
        micros(entry.at),
        entry.kind.as_str(),
        &entry.actor,
        entry.data.to_string(),
        &entry.once_key,
        i64::from(per_kind_max),
    )?;
    Ok(())
}

/// Puts an event into the outbox unless it is there, and makes it a delivery for each endpoint that wants it.
async fn append_event(tx: &mut Tx, id: &PaymentId, event: &Event) -> Result<(), Failure> {
    let written = execute!(
        tx,
        "INSERT INTO outbox (id, payment_id, seq, event_type, transaction_id, status, refunded_minor, at)
        VALUES ($1, $2, (SELECT COALESCE(MAX(seq), 0) + 1 FROM outbox WHERE payment_id = $2), $3, $4, $5, $6, $7)
        ON CONFLICT (id) DO NOTHING",
        &event.id,
        id.as_str(),
        event.event_type.as_str(),
        event.transaction_id.as_ref().map(TransactionId::as_str),
        event.status.as_str(),
        event.refunded_minor,
        micros(event.at),
    )?;
    if written == 1 {
        fan_out(tx, &event.id).await?;
    }
    Ok(())
}

/// For background work: an order with an unreadable id must not keep the others from their turn.
fn readable(rows: Vec<PaymentIdRow>) -> Vec<PaymentId> {
    rows.into_iter()
        .filter_map(|row| row.into_domain("orders").inspect_err(|failure| tracing::error!(%failure, "skipping an order whose row is unreadable")).ok())
        .collect()
}
