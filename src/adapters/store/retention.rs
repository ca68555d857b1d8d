//! Personal data whose time is over.

use async_trait::async_trait;
use jiff::Timestamp;

use super::query::{Failure, execute, fetch_all, retried};
use super::rows::{Table, micros};
use super::write::{Change, Verdict};
use super::{Connection, Database, Dialect, Tx};
use crate::ports::retention::{PersonalData, RetentionStore};
use crate::ports::store::StoreError;

/// What an order's other rows have of people, each with the statement that takes it away.
const ERASE_BESIDE: [&str; 4] = [
    "UPDATE transactions SET virtual_account_bank = NULL, virtual_account_number = NULL, virtual_account_holder = NULL,
        virtual_account_expires_at = NULL, receipt_url = NULL, fail_reason = NULL WHERE payment_id = $1",
    // What the redirect's address brought.
    "UPDATE history SET data = '{}' WHERE payment_id = $1 AND kind = 'redirect'",
    "UPDATE refunds SET reason = '', trouble_message = NULL, fingerprint = '' WHERE payment_id = $1",
    "UPDATE delivery_attempts SET answer = NULL WHERE delivery_id IN (SELECT id FROM deliveries WHERE payment_id = $1)",
];

/// Orders that were erased and have something of a person all the same.
macro_rules! count_left_over {
    () => {
        "SELECT COUNT(*) FROM orders AS o WHERE o.erased_at IS NOT NULL AND (
    o.buyer_name IS NOT NULL OR o.buyer_email IS NOT NULL OR o.buyer_tel IS NOT NULL OR o.metadata IS NOT NULL
    OR o.return_url IS NOT NULL OR o.fingerprint <> ''
    OR EXISTS (SELECT 1 FROM transactions AS t WHERE t.payment_id = o.payment_id
        AND (t.virtual_account_number IS NOT NULL OR t.virtual_account_holder IS NOT NULL OR t.receipt_url IS NOT NULL
            OR t.fail_reason IS NOT NULL))
    OR EXISTS (SELECT 1 FROM history AS h WHERE h.payment_id = o.payment_id AND h.kind = 'redirect' AND h.data <> '{}')
    OR EXISTS (SELECT 1 FROM refunds AS r WHERE r.payment_id = o.payment_id
        AND (r.reason <> '' OR r.fingerprint <> '' OR r.trouble_message IS NOT NULL OR r.account_number IS NOT NULL))
    OR EXISTS (SELECT 1 FROM deliveries AS d JOIN delivery_attempts AS a ON a.delivery_id = d.id
        WHERE d.payment_id = o.payment_id AND a.answer IS NOT NULL))"
    };
}

#[async_trait]
impl RetentionStore for Database {
    async fn erase(
        &self,
        before: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<u32, StoreError> {
        self.write(Erase { before, now, limit }).await
    }

    /// SQLite overwrites in its pages what is deleted (`secure_delete`), but the write-ahead log still has the pages as they were.
    /// A reader that needs them puts it off to the next time. PostgreSQL's own vacuum clears its pages.
    /// <https://sqlite.org/pragma.html#pragma_secure_delete>
    async fn wipe(&self) -> Result<(), StoreError> {
        retried(|| async {
            match self.reader().await? {
                Dialect::Sqlite(mut conn) => {
                    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                        .execute(&mut *conn)
                        .await?;
                    Connection::Sqlite(conn).keep();
                }
                Dialect::Postgres(_) => {}
            }
            Ok(())
        })
        .await
    }

    async fn personal_data(&self, before: Timestamp) -> Result<PersonalData, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let counts: Vec<(i64, i64)> = fetch_all!(
                &mut conn,
                concat!("SELECT (SELECT COUNT(*) FROM orders WHERE erased_at IS NOT NULL), (", count_left_over!(), ")")
            )?;
            let open: Vec<(i64, Option<i64>)> = fetch_all!(
                &mut conn,
                "SELECT COALESCE(SUM(CASE WHEN created_at < $1 AND updated_at < $1 THEN 1 ELSE 0 END), 0), MIN(created_at)
                FROM orders WHERE erased_at IS NULL",
                micros(before)
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

struct Erase {
    before: Timestamp,
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
            "UPDATE orders SET erased_at = $2, buyer_name = NULL, buyer_email = NULL, buyer_tel = NULL, metadata = NULL,
                return_url = NULL, fingerprint = ''
            WHERE payment_id IN (SELECT payment_id FROM orders AS o WHERE erased_at IS NULL AND created_at < $1 AND updated_at < $1
                AND NOT EXISTS (SELECT 1 FROM refunds AS r WHERE r.payment_id = o.payment_id AND r.next_at IS NOT NULL)
                ORDER BY created_at, payment_id LIMIT $3)
            RETURNING payment_id",
            "UPDATE orders SET erased_at = $2, buyer_name = NULL, buyer_email = NULL, buyer_tel = NULL, metadata = NULL,
                return_url = NULL, fingerprint = ''
            WHERE payment_id = ANY(ARRAY(SELECT payment_id FROM orders AS o WHERE erased_at IS NULL AND created_at < $1
                AND updated_at < $1
                AND NOT EXISTS (SELECT 1 FROM refunds AS r WHERE r.payment_id = o.payment_id AND r.next_at IS NOT NULL)
                ORDER BY created_at, payment_id LIMIT $3 FOR NO KEY UPDATE OF o SKIP LOCKED))
            RETURNING payment_id",
        );
        let rows: Vec<(String,)> = fetch_all!(
            tx,
            sql,
            micros(self.before),
            micros(self.now),
            i64::from(self.limit)
        )?;
        for (payment_id,) in &rows {
            for sql in ERASE_BESIDE {
                execute!(tx, sql, payment_id)?;
            }
        }
        execute!(
            tx,
            "UPDATE settled SET note = '' WHERE note <> '' AND settled_at < $1",
            micros(self.before)
        )?;
        Ok(Verdict::Keep(u32::try_from(rows.len()).unwrap_or(u32::MAX)))
    }
}
