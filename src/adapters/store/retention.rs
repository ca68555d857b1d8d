//! Personal data whose time is over.

use async_trait::async_trait;
use jiff::Timestamp;

use super::query::{Failure, execute, fetch_all, retried};
use super::rows::{Table, micros};
use super::write::{Change, Verdict};
use super::{Connection, Database, Dialect, Tx};
use crate::domain::ids::PaymentId;
use crate::ports::retention::{Due, PersonalData, RetentionStore};
use crate::ports::store::StoreError;

/// What an order's other rows have of people, each with the statement that takes it away.
const ERASE_BESIDE: [&str; 5] = [
    "UPDATE transactions SET virtual_account_bank = NULL, virtual_account_number = NULL, virtual_account_holder = NULL,
        virtual_account_expires_at = NULL, receipt_url = NULL, fail_reason = NULL WHERE payment_id = $1",
    // What the redirect's address brought.
    "UPDATE history SET data = '{}' WHERE payment_id = $1 AND kind = 'redirect'",
    "UPDATE notes SET note = '' WHERE payment_id = $1",
    // One that began just now is left as it is; moving on, it has its order erased again.
    "UPDATE refunds SET reason = '', trouble_message = NULL, fingerprint = '' WHERE payment_id = $1 AND next_at IS NULL",
    "UPDATE delivery_attempts SET answer = NULL WHERE delivery_id IN (SELECT id FROM deliveries WHERE payment_id = $1)",
];

/// The words of the gateway, or of staff, about a refund's end.
const ERASE_WORDS_SQLITE: &str = "UPDATE history SET data = json_remove(data, '$.message')
    WHERE payment_id = $1 AND kind IN ('refund_refused', 'refund_in_doubt', 'refund_not_done')";
const ERASE_WORDS_POSTGRES: &str = "UPDATE history SET data = (data::jsonb - 'message')::text
    WHERE payment_id = $1 AND kind IN ('refund_refused', 'refund_in_doubt', 'refund_not_done')";

/// Orders that were erased, have nothing to erase, and have something of a person all the same.
macro_rules! count_left_over {
    () => {
        "SELECT COUNT(*) FROM orders AS o WHERE o.to_erase = 0 AND (
    o.buyer_name IS NOT NULL OR o.buyer_email IS NOT NULL OR o.buyer_tel IS NOT NULL OR o.metadata IS NOT NULL
    OR o.window_params IS NOT NULL OR o.return_url IS NOT NULL OR o.fingerprint <> ''
    OR EXISTS (SELECT 1 FROM transactions AS t WHERE t.payment_id = o.payment_id
        AND (t.virtual_account_bank IS NOT NULL OR t.virtual_account_number IS NOT NULL OR t.virtual_account_holder IS NOT NULL
            OR t.receipt_url IS NOT NULL OR t.fail_reason IS NOT NULL))
    OR EXISTS (SELECT 1 FROM history AS h WHERE h.payment_id = o.payment_id
        AND ((h.kind = 'redirect' AND h.data <> '{}')
            OR (h.kind IN ('refund_refused', 'refund_in_doubt', 'refund_not_done')
                AND replace(h.data, '\"message\":\"', '') <> h.data)))
    OR EXISTS (SELECT 1 FROM notes AS n WHERE n.payment_id = o.payment_id AND n.note <> '')
    OR EXISTS (SELECT 1 FROM refunds AS r WHERE r.payment_id = o.payment_id
        AND (r.reason <> '' OR r.fingerprint <> '' OR r.trouble_message IS NOT NULL OR r.account_number IS NOT NULL))
    OR EXISTS (SELECT 1 FROM deliveries AS d JOIN delivery_attempts AS a ON a.delivery_id = d.id
        WHERE d.payment_id = o.payment_id AND a.answer IS NOT NULL))"
    };
}

/// Whether the time of an order `o` is over: what was written to one that was erased before stays for a shorter time. A refund
/// under way may need the account, and what people wrote of an erased order has the shorter time of its own.
macro_rules! is_due {
    () => {
        "o.to_erase = 1 AND o.created_at < $1 AND (o.updated_at < $1 OR (o.erased_at IS NOT NULL AND o.updated_at < $2))
            AND NOT EXISTS (SELECT 1 FROM refunds AS r WHERE r.payment_id = o.payment_id AND r.next_at IS NOT NULL)
            AND (o.erased_at IS NULL OR NOT EXISTS (SELECT 1 FROM notes AS n WHERE n.payment_id = o.payment_id
                AND n.note <> '' AND n.written_at >= $2))"
    };
}

/// Takes away what the orders themselves have, oldest first.
macro_rules! erase {
    ($before:literal, $after:literal) => {
        concat!(
            "UPDATE orders SET erased_at = $3, to_erase = 0, buyer_name = NULL, buyer_email = NULL, buyer_tel = NULL, metadata = NULL,
                window_params = NULL, return_url = NULL, fingerprint = ''
            WHERE payment_id ",
            $before,
            "SELECT o.payment_id FROM orders AS o WHERE ",
            is_due!(),
            " ORDER BY o.created_at, o.payment_id LIMIT $4",
            $after,
            " RETURNING payment_id"
        )
    };
}

#[async_trait]
impl RetentionStore for Database {
    async fn erase(&self, due: Due, now: Timestamp, limit: u32) -> Result<u32, StoreError> {
        self.write(Erase { due, now, limit }).await
    }

    /// SQLite overwrites in its pages what is deleted (`secure_delete`), but the write-ahead log still has the pages as they were.
    /// Nobody is waited for, as writers would wait as well. PostgreSQL's own vacuum clears its pages.
    /// <https://sqlite.org/pragma.html#pragma_secure_delete>, <https://sqlite.org/pragma.html#pragma_wal_checkpoint>
    async fn wipe(&self) -> Result<bool, StoreError> {
        retried(|| async {
            let mut conn = match self.reader().await? {
                Dialect::Sqlite(conn) => conn,
                Dialect::Postgres(_) => return Ok(true),
            };
            let (waits,): (i64,) = sqlx::query_as("PRAGMA busy_timeout")
                .fetch_one(&mut *conn)
                .await?;
            sqlx::query("PRAGMA busy_timeout = 0")
                .execute(&mut *conn)
                .await?;
            let folded: Result<(i64, i64, i64), _> =
                sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
                    .fetch_one(&mut *conn)
                    .await;
            // A number that SQLite itself has told.
            let again = sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {waits}"));
            sqlx::query(again).execute(&mut *conn).await?;
            let (is_busy, ..) = folded?;
            Connection::Sqlite(conn).keep();
            Ok(is_busy == 0)
        })
        .await
    }

    async fn personal_data(&self, due: Due) -> Result<PersonalData, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let counts: Vec<(i64, i64)> = fetch_all!(
                &mut conn,
                concat!(
                    "SELECT (SELECT COUNT(*) FROM orders WHERE to_erase = 0), (",
                    count_left_over!(),
                    ")"
                )
            )?;
            let open: Vec<(i64, Option<i64>)> = fetch_all!(
                &mut conn,
                concat!(
                    "SELECT (SELECT COUNT(*) FROM orders AS o WHERE ",
                    is_due!(),
                    "), (SELECT MIN(created_at) FROM orders WHERE to_erase = 1)"
                ),
                micros(due.untouched_since),
                micros(due.again_since),
            )?;
            conn.keep();
            let whole = |count: i64| u64::try_from(count).unwrap_or_default();
            let (erased, left_over) = counts.first().copied().unwrap_or_default();
            let (overdue, oldest) = open.first().copied().unwrap_or_default();
            Ok(PersonalData {
                erased: whole(erased),
                left_over: whole(left_over),
                overdue: whole(overdue),
                oldest: Table("orders").time_or_none("created_at", oldest)?,
            })
        })
        .await
    }
}

/// Notes that something of a person may have been written beside an order. With the change that writes it, after it took the
/// order's lock.
pub(super) async fn has_to_be_erased(tx: &mut Tx, id: &PaymentId) -> Result<(), Failure> {
    execute!(
        tx,
        "UPDATE orders SET to_erase = 1 WHERE payment_id = $1 AND to_erase = 0",
        id.as_str()
    )?;
    Ok(())
}

struct Erase {
    due: Due,
    now: Timestamp,
    limit: u32,
}

#[async_trait]
impl Change for Erase {
    type Answer = u32;

    fn may_undo_itself(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<u32>, Failure> {
        // On PostgreSQL a row that is just changed is skipped: it is not as old as it seems.
        let sql = tx.text(
            erase!("IN (", ")"),
            erase!("= ANY(ARRAY(", " FOR NO KEY UPDATE OF o SKIP LOCKED))"),
        );
        let rows: Vec<(String,)> = fetch_all!(
            tx,
            sql,
            micros(self.due.untouched_since),
            micros(self.due.again_since),
            micros(self.now),
            i64::from(self.limit)
        )?;
        let words = tx.text(ERASE_WORDS_SQLITE, ERASE_WORDS_POSTGRES);
        for (payment_id,) in &rows {
            for sql in ERASE_BESIDE.into_iter().chain([words]) {
                execute!(tx, sql, payment_id)?;
            }
        }
        execute!(
            tx,
            "UPDATE settled SET note = '' WHERE note <> '' AND settled_at < $1",
            micros(self.due.untouched_since)
        )?;
        Ok(Verdict::Keep(u32::try_from(rows.len()).unwrap_or(u32::MAX)))
    }
}
