//! Webhooks on disk before they are acknowledged.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::group::Waiting;
use super::query::{Failure, execute, fetch_all, fetch_optional, retried};
use super::rows::{InboxRow, micros};
use super::write::{Change, Verdict};
use super::{Database, Tx};
use crate::domain::ids::{PaymentId, TransactionId};
use crate::ports::store::{InboxEntry, InboxResult, InboxStore, Received, StoreError};

#[async_trait]
impl InboxStore for Database {
    async fn receive(
        &self,
        received: &Received,
        try_at: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let received = received.clone();
        self.write(Receive { received, try_at }).await
    }

    async fn settle(&self, id: i64, lease: i64, result: InboxResult) -> Result<(), StoreError> {
        self.write(Settle { id, lease, result }).await
    }

    async fn is_untaken(&self, id: i64) -> Result<bool, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let found: Option<(i64,)> = fetch_optional!(
                &mut conn,
                "SELECT id FROM inbox WHERE id = $1 AND lease = 0 AND state = 'waiting'",
                id
            )?;
            Ok(found.is_some())
        })
        .await
    }

    async fn lease_inbox(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        self.write(LeaseInbox {
            now,
            lease_until,
            limit,
        })
        .await
    }

    async fn wake_inbox(&self, id: &PaymentId, now: Timestamp) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(WakeInbox { id, now }).await
    }

    async fn purge_inbox(
        &self,
        settled_before: Timestamp,
        unknown_max: u32,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.write(PurgeInbox {
            settled_before,
            unknown_max,
            limit,
        })
        .await
    }
}

/// Answers with the webhook's key, or with none when its message was received before.
pub(super) struct Receive {
    received: Received,
    try_at: Timestamp,
}

#[async_trait]
impl Change for Receive {
    type Answer = Option<i64>;

    fn may_undo_itself(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Option<i64>>, Failure> {
        let received = &self.received;
        let row: Option<(i64,)> = fetch_optional!(
            tx,
            "INSERT INTO inbox (received_at, version, payment_id, transaction_id, claimed_status, webhook_id, state, try_at, attempts, lease)
            VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, 0, 0) ON CONFLICT (webhook_id) DO NOTHING RETURNING id",
            micros(received.at),
            received.portone.as_str(),
            received.payment_id.as_str(),
            received.transaction_id.as_ref().map(TransactionId::as_str),
            &received.claimed_status,
            &received.webhook_id,
            micros(self.try_at),
        )?;
        Ok(Verdict::Keep(row.map(|(id,)| id)))
    }

    fn as_webhook(waiting: &mut Waiting<Self>) -> Option<&mut Waiting<Receive>> {
        Some(waiting)
    }
}

/// Receives several webhooks in one transaction, and answers each.
///
/// They are given their keys here, for the rows of a RETURNING come in no order that SQLite would promise
/// (<https://sqlite.org/lang_returning.html>). Nobody else writes meanwhile.
pub(super) async fn receive_all(
    conn: &mut SqliteConnection,
    webhooks: &[&Receive],
) -> Result<Vec<Option<i64>>, Failure> {
    let last: Option<(i64,)> =
        sqlx::query_as("SELECT seq FROM sqlite_sequence WHERE name = 'inbox'")
            .fetch_optional(&mut *conn)
            .await?;
    let mut next = last.map_or(0, |(seq,)| seq) + 1;
    let mut answers = Vec::with_capacity(webhooks.len());
    let mut rest = webhooks;
    while !rest.is_empty() {
        let (these, others) = rest.split_at(previous_power_of_two(rest.len()));
        rest = others;
        let keys = next..next + these.len() as i64;
        next = keys.end;
        let written = insert_with_keys(conn, these, keys.start).await?;
        answers.extend(keys.map(|key| Some(key).filter(|key| written.contains(key))));
    }
    Ok(answers)
}

/// The rows that one statement inserts: each number of them is a text of its own, and SQLite's driver keeps a hundred.
fn previous_power_of_two(rows: usize) -> usize {
    1 << rows.ilog2()
}

/// Inserts the webhooks with these keys and the ones that follow; says which are new.
async fn insert_with_keys(
    conn: &mut SqliteConnection,
    webhooks: &[&Receive],
    first: i64,
) -> Result<BTreeSet<i64>, Failure> {
    let rows = vec!["(?, ?, ?, ?, ?, ?, ?, 'waiting', ?, 0, 0)"; webhooks.len()].join(", ");
    let sql = format!(
        "INSERT INTO inbox (id, received_at, version, payment_id, transaction_id, claimed_status, webhook_id, state, try_at, attempts, lease)
        VALUES {rows} ON CONFLICT (webhook_id) DO NOTHING RETURNING id"
    );
    // No value is in the text.
    let mut query = sqlx::query_as(AssertSqlSafe(sql));
    for (key, Receive { received, try_at }) in (first..).zip(webhooks) {
        query = query
            .bind(key)
            .bind(micros(received.at))
            .bind(received.portone.as_str())
            .bind(received.payment_id.as_str())
            .bind(received.transaction_id.as_ref().map(TransactionId::as_str))
            .bind(&received.claimed_status)
            .bind(&received.webhook_id)
            .bind(micros(*try_at));
    }
    let new: Vec<(i64,)> = query.fetch_all(conn).await?;
    Ok(new.into_iter().map(|(key,)| key).collect())
}

/// A webhook's result.
pub(super) struct Settle {
    id: i64,
    lease: i64,
    result: InboxResult,
}

#[async_trait]
impl Change for Settle {
    type Answer = ();

    fn may_undo_itself(&self) -> bool {
        false
    }

    fn as_settling(waiting: &mut Waiting<Self>) -> Option<&mut Waiting<Settle>> {
        Some(waiting)
    }

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        let (state, try_at, attempts) = self.columns();
        execute!(
            tx,
            "UPDATE inbox SET state = $2, try_at = $3, attempts = attempts + $4 WHERE id = $1 AND lease = $5 AND state = 'waiting'",
            self.id,
            state,
            try_at,
            attempts,
            self.lease,
        )?;
        Ok(Verdict::Keep(()))
    }
}

impl Settle {
    /// The new state, when it is tried again, and by how much its tries go up.
    fn columns(&self) -> (&'static str, Option<i64>, i64) {
        match self.result {
            InboxResult::Done => ("done", None, 0),
            InboxResult::Dropped => ("dropped", None, 0),
            InboxResult::Again(at) => ("waiting", Some(micros(at)), 1),
        }
    }
}

/// Writes the results of several webhooks. Of each webhook only the holder of the last lease
/// has a result that counts, so it does not matter in which order they are written.
pub(super) async fn write_results(
    conn: &mut SqliteConnection,
    all: &[&Settle],
) -> Result<(), Failure> {
    let mut rest = all;
    while !rest.is_empty() {
        let (these, others) = rest.split_at(previous_power_of_two(rest.len()));
        rest = others;
        let rows = vec!["(?, ?, ?, ?, ?)"; these.len()].join(", ");
        let sql = format!(
            "WITH settled(id, lease, state, try_at, attempts) AS (VALUES {rows})
            UPDATE inbox SET state = settled.state, try_at = settled.try_at, attempts = inbox.attempts + settled.attempts
            FROM settled WHERE inbox.id = settled.id AND inbox.lease = settled.lease AND inbox.state = 'waiting'"
        );
        // No value is in the text.
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for settle in these {
            let (state, try_at, attempts) = settle.columns();
            query = query
                .bind(settle.id)
                .bind(settle.lease)
                .bind(state)
                .bind(try_at)
                .bind(attempts);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

struct LeaseInbox {
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
}

#[async_trait]
impl Change for LeaseInbox {
    type Answer = Vec<InboxEntry>;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Vec<InboxEntry>>, Failure> {
        // Two texts for the same reasons as in `LeaseDue`.
        let sql = tx.text(
            "UPDATE inbox SET try_at = $2, lease = lease + 1 WHERE id IN (
                SELECT id FROM inbox WHERE state = 'waiting' AND try_at <= $1 ORDER BY try_at, id LIMIT $3
            ) RETURNING id, version, payment_id, transaction_id, claimed_status, received_at, attempts, lease",
            "UPDATE inbox SET try_at = $2, lease = lease + 1 WHERE id = ANY(ARRAY(
                SELECT id FROM inbox WHERE state = 'waiting' AND try_at <= $1 ORDER BY try_at, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
            )) RETURNING id, version, payment_id, transaction_id, claimed_status, received_at, attempts, lease",
        );
        let rows: Vec<InboxRow> = fetch_all!(
            tx,
            sql,
            micros(self.now),
            micros(self.lease_until),
            i64::from(self.limit)
        )?;
        Ok(Verdict::Keep(readable(rows)))
    }
}

struct WakeInbox {
    id: PaymentId,
    now: Timestamp,
}

#[async_trait]
impl Change for WakeInbox {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        // Those that are due already keep their place in the queue.
        execute!(
            tx,
            "UPDATE inbox SET try_at = CASE WHEN try_at > $2 THEN $2 ELSE try_at END, lease = lease + 1
            WHERE payment_id = $1 AND state = 'waiting'",
            self.id.as_str(),
            micros(self.now),
        )?;
        Ok(Verdict::Keep(()))
    }

    fn makes_work(&self) -> bool {
        true
    }
}

/// 'v2' comes after 'v1'. An order that is made in the same moment learns by its own checks what is deleted here.
const PURGE_UNKNOWN: &str = "DELETE FROM inbox WHERE id IN (
        SELECT id FROM inbox WHERE state = 'waiting' AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.payment_id = inbox.payment_id)
        ORDER BY version DESC, id DESC LIMIT $2 OFFSET $1
    ) AND state = 'waiting'";

struct PurgeInbox {
    settled_before: Timestamp,
    unknown_max: u32,
    limit: u32,
}

#[async_trait]
impl Change for PurgeInbox {
    type Answer = u64;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<u64>, Failure> {
        let settled = execute!(
            tx,
            "DELETE FROM inbox WHERE id IN (
                SELECT id FROM inbox WHERE state <> 'waiting' AND received_at < $1 ORDER BY received_at, id LIMIT $2
            ) AND state <> 'waiting'",
            micros(self.settled_before),
            i64::from(self.limit),
        )?;
        let unknown = execute!(
            tx,
            PURGE_UNKNOWN,
            i64::from(self.unknown_max),
            i64::from(self.limit),
        )?;
        Ok(Verdict::Keep(settled + unknown))
    }
}

/// An unreadable row must not keep the others from their turn.
fn readable(rows: Vec<InboxRow>) -> Vec<InboxEntry> {
    rows.into_iter()
        .filter_map(|row| row.into_domain().inspect_err(|failure| tracing::error!(%failure, "skipping a webhook whose row is unreadable")).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

    use super::super::connect::SQLITE_MIGRATIONS;
    use super::PURGE_UNKNOWN;

    /// A flood makes no step longer: the newest are passed over in the order of an index, and nothing is sorted.
    #[tokio::test]
    async fn what_is_too_much_is_removed_in_the_order_of_an_index() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        SQLITE_MIGRATIONS.run(&mut conn).await.unwrap();

        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {PURGE_UNKNOWN}"));
        let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();

        assert!(
            plan.iter().any(|step| step.contains("inbox_waiting_idx")),
            "{plan:#?}"
        );
        assert!(
            !plan.iter().any(|step| step.contains("B-TREE")),
            "{plan:#?}"
        );
    }
}
