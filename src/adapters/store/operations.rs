//! What operators want to know, counted from indexes, and what they may do to the inbox.

use async_trait::async_trait;
use jiff::Timestamp;

use super::query::{Failure, execute, fetch_all, retried};
use super::rows::{Table, micros};
use super::write::{Change, Verdict};
use super::{Connection, Database, Tx};
use crate::domain::order::{OrderStatus, Portone};
use crate::ports::attention::AttentionStore;
use crate::ports::operations::{Backlog, Kept, OperationsStore, Queue};
use crate::ports::store::StoreError;

/// More than this many items of attention are counted as this many.
const ATTENTION_COUNTED_MAX: u32 = 10_000;

#[async_trait]
impl OperationsStore for Database {
    async fn list_kept(&self, limit: u32) -> Result<Vec<Kept>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<(i64, i64, String, String, String)> = fetch_all!(
                &mut conn,
                "SELECT id, received_at, version, state, payment_id FROM inbox ORDER BY id DESC LIMIT $1",
                i64::from(limit)
            )?;
            conn.keep();
            let inbox = Table("inbox");
            let kept = rows.into_iter().map(|(id, at, version, state, payment_id)| {
                Ok(Kept {
                    id,
                    received_at: inbox.time("received_at", at)?,
                    portone: inbox.read("version", Portone::from_word(&version))?,
                    state,
                    payment_id,
                })
            });
            kept.collect()
        })
        .await
    }

    async fn replay(&self, id: i64, now: Timestamp) -> Result<bool, StoreError> {
        self.write(Replay { id, now }).await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        let attention = self.count_attention(now, ATTENTION_COUNTED_MAX).await?;
        retried(|| async {
            let mut conn = self.reader().await?;
            let inbox = queue(&mut conn, now, QueueSql::INBOX).await?;
            let checks = queue(&mut conn, now, QueueSql::CHECKS).await?;
            let refunds = queue(&mut conn, now, QueueSql::REFUNDS).await?;
            let deliveries = queue(&mut conn, now, QueueSql::DELIVERIES).await?;
            let rows: Vec<(String, i64)> = fetch_all!(
                &mut conn,
                "SELECT status, COUNT(*) FROM orders GROUP BY status"
            )?;
            conn.keep();
            let orders = rows.into_iter().map(|(status, count)| {
                let status = Table("orders").read("status", OrderStatus::from_word(&status))?;
                Ok((status, whole(count)))
            });
            Ok(Backlog {
                inbox,
                checks,
                refunds,
                deliveries,
                attention: u64::from(attention),
                orders: orders.collect::<Result<_, Failure>>()?,
            })
        })
        .await
    }
}

struct Replay {
    id: i64,
    now: Timestamp,
}

#[async_trait]
impl Change for Replay {
    type Answer = bool;

    fn may_undo_itself(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        // A new lease: whoever holds it now must not settle what is to be looked at anew.
        let found = execute!(
            tx,
            "UPDATE inbox SET state = 'waiting', try_at = $2, attempts = 0, lease = lease + 1 WHERE id = $1",
            self.id,
            micros(self.now),
        )?;
        Ok(Verdict::Keep(found > 0))
    }

    fn makes_work(&self) -> bool {
        true
    }
}

/// Whether something is sent to an endpoint now.
macro_rules! serves {
    () => {
        "e.status IN ('enabled', 'paused') AND (e.resume_at IS NULL OR e.resume_at <= $1)"
    };
}

/// Two texts, so that each reads its index from one end.
struct QueueSql {
    table: &'static str,
    column: &'static str,
    count: &'static str,
    oldest: &'static str,
}

impl QueueSql {
    const INBOX: Self = Self {
        table: "inbox",
        column: "try_at",
        count: "SELECT COUNT(*), COALESCE(SUM(CASE WHEN try_at <= $1 THEN 1 ELSE 0 END), 0) FROM inbox WHERE state = 'waiting'",
        oldest: "SELECT MIN(try_at) FROM inbox WHERE state = 'waiting' AND try_at <= $1",
    };
    const CHECKS: Self = Self {
        table: "orders",
        column: "next_check_at",
        count: "SELECT COUNT(*), COALESCE(SUM(CASE WHEN next_check_at <= $1 THEN 1 ELSE 0 END), 0) FROM orders WHERE next_check_at IS NOT NULL",
        oldest: "SELECT MIN(next_check_at) FROM orders WHERE next_check_at IS NOT NULL AND next_check_at <= $1",
    };
    const REFUNDS: Self = Self {
        table: "refunds",
        column: "next_at",
        count: "SELECT COUNT(*), COALESCE(SUM(CASE WHEN next_at <= $1 THEN 1 ELSE 0 END), 0) FROM refunds WHERE next_at IS NOT NULL",
        oldest: "SELECT MIN(next_at) FROM refunds WHERE next_at IS NOT NULL AND next_at <= $1",
    };
    /// There are few endpoints, and each has its place in the index. What waited for one that rested is due since it may be sent.
    const DELIVERIES: Self = Self {
        table: "deliveries",
        column: "next_attempt_at",
        count: concat!(
            "SELECT COUNT(*), COALESCE(SUM(CASE WHEN d.next_attempt_at <= $1 AND ",
            serves!(),
            " THEN 1 ELSE 0 END), 0) FROM deliveries AS d JOIN webhook_endpoints AS e ON e.endpoint_id = d.endpoint_id WHERE d.status = 'pending'"
        ),
        oldest: concat!(
            "SELECT MIN(CASE WHEN due.resume_at > due.at THEN due.resume_at ELSE due.at END) FROM (
                SELECT e.resume_at, (SELECT MIN(d.next_attempt_at) FROM deliveries AS d
                    WHERE d.endpoint_id = e.endpoint_id AND d.status = 'pending' AND d.next_attempt_at <= $1) AS at
                FROM webhook_endpoints AS e WHERE ",
            serves!(),
            ") AS due"
        ),
    };
}

async fn queue(conn: &mut Connection, now: Timestamp, sql: QueueSql) -> Result<Queue, Failure> {
    let counted: Vec<(i64, i64)> = fetch_all!(conn, sql.count, micros(now))?;
    let oldest: Vec<(Option<i64>,)> = fetch_all!(conn, sql.oldest, micros(now))?;
    let (waiting, due) = counted.first().copied().unwrap_or_default();
    let due_since = oldest.first().and_then(|(at,)| *at);
    Ok(Queue {
        waiting: whole(waiting),
        due: whole(due),
        due_since: Table(sql.table).time_or_none(sql.column, due_since)?,
    })
}

fn whole(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

    use super::super::connect::SQLITE_MIGRATIONS;
    use super::*;

    #[tokio::test]
    async fn every_queue_is_counted_from_an_index() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        SQLITE_MIGRATIONS.run(&mut conn).await.unwrap();
        for queue in [
            QueueSql::INBOX,
            QueueSql::CHECKS,
            QueueSql::REFUNDS,
            QueueSql::DELIVERIES,
        ] {
            for sql in [queue.count, queue.oldest] {
                let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
                let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
                let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
                // Of an endpoint there are few.
                let mut of_queue = plan.iter().filter(|step| {
                    [format!(" {} ", queue.table), " d ".to_owned()]
                        .iter()
                        .any(|name| step.contains(name))
                });
                let steps: Vec<&String> = of_queue.by_ref().collect();
                assert!(!steps.is_empty(), "{plan:#?}");
                for step in steps {
                    assert!(step.contains(" INDEX "), "{plan:#?}");
                }
            }
        }
    }
}
