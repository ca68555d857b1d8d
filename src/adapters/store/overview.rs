//! The shop at a glance, from indexes alone.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::query::{Failure, fetch_all, fetch_optional, retried};
use super::rows::{Table, micros};
use super::{Connection, Database};
use crate::ports::overview::{
    COUNTED_MAX, DaySum, DeliveryHealth, Overview, OverviewStore, Spans, Sum, WebhookHealth,
};
use crate::ports::store::StoreError;

/// The conditions of partial indexes stand in the statements as they stand in the tables: SQLite takes an index for no others.
const PAID: &str = "SELECT (COALESCE(paid_at, first_seen_at) - $1) / 86400000000, currency, COUNT(*), CAST(SUM(amount_minor) AS BIGINT)
    FROM transactions
    WHERE verdict = 'accepted' AND currency IS NOT NULL AND amount_minor IS NOT NULL
        AND COALESCE(paid_at, first_seen_at) >= $1 AND COALESCE(paid_at, first_seen_at) < $2
    GROUP BY 1, 2";
/// An event tells how much was given back so far; the one before it, how much of that is old. No join: for a few thousand refunds
/// PostgreSQL would read every order.
const REFUNDED: &str = "SELECT (e.at - $1) / 86400000000, (SELECT o.currency FROM orders AS o WHERE o.payment_id = e.payment_id), COUNT(*),
        CAST(SUM(e.refunded_minor - COALESCE(
            (SELECT MAX(b.refunded_minor) FROM outbox AS b WHERE b.payment_id = e.payment_id AND b.seq < e.seq), 0)) AS BIGINT)
    FROM outbox AS e
    WHERE e.event_type IN ('order.refunded', 'order.partially_refunded') AND e.at >= $1 AND e.at < $2
    GROUP BY 1, 2";
const PENDING: &str = "SELECT currency, COUNT(*), CAST(SUM(amount_minor) AS BIGINT) FROM orders
    WHERE status IN ('open', 'awaiting_deposit') AND created_at >= $1 AND created_at < $2
    GROUP BY currency ORDER BY currency";
const HELD: &str = "SELECT COALESCE(t.currency, o.currency), COUNT(*),
        CAST(SUM(COALESCE(t.amount_minor, 0) - CASE WHEN t.cancelled_minor < t.amount_minor THEN t.cancelled_minor ELSE 0 END) AS BIGINT)
    FROM transactions AS t JOIN orders AS o ON o.payment_id = t.payment_id
    WHERE t.verdict IN ('duplicate', 'late', 'held') AND t.verdict = 'held' AND t.first_seen_at >= $1 AND t.first_seen_at < $2
        AND (t.status = 'paid' OR (t.status = 'cancelled' AND (t.amount_minor IS NULL OR t.cancelled_minor < t.amount_minor)))
    GROUP BY 1 ORDER BY 1";

const LAST_WEBHOOK: &str = "SELECT received_at FROM inbox ORDER BY id DESC LIMIT 1";
const WEBHOOKS: &str = "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM inbox WHERE state <> 'waiting' AND received_at >= $1 LIMIT $2) AS s)
    + (SELECT COUNT(*) FROM (SELECT 1 FROM inbox WHERE state = 'waiting' AND received_at >= $1 LIMIT $2) AS w)";
/// V1 and V2 name what the webhook tells of in their own words.
const LAGS: &str = "SELECT i.transaction_id, (i.received_at - t.paid_at) / 1000
    FROM (SELECT transaction_id, received_at, claimed_status FROM inbox ORDER BY id DESC LIMIT 1000) AS i
        JOIN transactions AS t ON t.transaction_id = i.transaction_id
    WHERE i.received_at >= $1 AND t.paid_at >= $1 AND lower(i.claimed_status) IN ('paid', 'transaction.paid')";

const ENDPOINTS: &str =
    "SELECT COUNT(*), COALESCE(SUM(CASE status WHEN 'paused' THEN 1 ELSE 0 END), 0)
    FROM webhook_endpoints WHERE status <> 'deleted'";
const ATTEMPTS: &str = "SELECT COUNT(*), COUNT(error) FROM (SELECT error FROM delivery_attempts WHERE at >= $1 LIMIT $2) AS lately";
/// What waits for an endpoint that gets nothing is no sign of how events go out. There is no more of it than there was when the
/// endpoint ended.
const WAITING: &str = "SELECT d.created_at FROM deliveries AS d WHERE d.status = 'pending'
        AND EXISTS (SELECT 1 FROM webhook_endpoints AS e WHERE e.endpoint_id = d.endpoint_id AND e.status IN ('enabled', 'paused'))
    ORDER BY d.created_at LIMIT 1";

#[async_trait]
impl OverviewStore for Database {
    async fn overview(&self, spans: &Spans) -> Result<Overview, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let overview = Overview {
                paid: days(&mut conn, PAID, spans).await?,
                refunded: days(&mut conn, REFUNDED, spans).await?,
                pending: today(&mut conn, PENDING, spans).await?,
                held: today(&mut conn, HELD, spans).await?,
                webhooks: webhooks(&mut conn, spans).await?,
                deliveries: deliveries(&mut conn, spans).await?,
            };
            conn.keep();
            Ok(overview)
        })
        .await
    }
}

async fn days(
    conn: &mut Connection,
    sql: &'static str,
    spans: &Spans,
) -> Result<Vec<DaySum>, Failure> {
    let rows: Vec<(i64, String, i64, i64)> =
        fetch_all!(conn, sql, micros(spans.first_day), micros(spans.tomorrow))?;
    let sums = rows
        .into_iter()
        .map(|(day, currency, count, minor)| DaySum {
            day,
            sum: sum(currency, count, minor),
        });
    Ok(sums.collect())
}

async fn today(
    conn: &mut Connection,
    sql: &'static str,
    spans: &Spans,
) -> Result<Vec<Sum>, Failure> {
    let rows: Vec<(String, i64, i64)> =
        fetch_all!(conn, sql, micros(spans.today), micros(spans.tomorrow))?;
    let sums = rows.into_iter();
    Ok(sums
        .map(|(currency, count, minor)| sum(currency, count, minor))
        .collect())
}

fn sum(currency: String, count: i64, minor: i64) -> Sum {
    Sum {
        currency,
        count: u64::try_from(count).unwrap_or_default(),
        minor,
    }
}

async fn webhooks(conn: &mut Connection, spans: &Spans) -> Result<WebhookHealth, Failure> {
    let since = micros(spans.lately);
    let last: Option<(i64,)> = fetch_optional!(conn, LAST_WEBHOOK)?;
    let lately: Option<(i64,)> = fetch_optional!(conn, WEBHOOKS, since, i64::from(COUNTED_MAX))?;
    let lags: Vec<(String, i64)> = fetch_all!(conn, LAGS, since)?;
    // Messages come more than once; the first one counts.
    let mut first: BTreeMap<String, i64> = BTreeMap::new();
    for (transaction, lag_ms) in lags {
        let known = first.entry(transaction).or_insert(lag_ms);
        *known = lag_ms.min(*known);
    }
    // PortOne V1 tells whole seconds, and no clock is exact: none can come before what it tells of.
    let mut lags_ms: Vec<i64> = first.into_values().map(|lag_ms| lag_ms.max(0)).collect();
    lags_ms.sort_unstable();
    let last = last.map(|(at,)| at);
    Ok(WebhookHealth {
        last_at: Table("inbox").time_or_none("received_at", last)?,
        lately: counted(lately.map_or(0, |(count,)| count)),
        lags_ms,
    })
}

async fn deliveries(conn: &mut Connection, spans: &Spans) -> Result<DeliveryHealth, Failure> {
    let endpoints: Option<(i64, i64)> = fetch_optional!(conn, ENDPOINTS)?;
    let (since, most) = (micros(spans.lately), i64::from(COUNTED_MAX));
    let attempts: Option<(i64, i64)> = fetch_optional!(conn, ATTEMPTS, since, most)?;
    let waiting: Option<(i64,)> = fetch_optional!(conn, WAITING)?;
    let (endpoints, paused) = endpoints.unwrap_or_default();
    let (attempts, failed) = attempts.unwrap_or_default();
    let waiting = waiting.map(|(at,)| at);
    Ok(DeliveryHealth {
        endpoints: counted(endpoints),
        paused: counted(paused),
        attempts: counted(attempts),
        failed: counted(failed),
        waiting_since: Table("deliveries").time_or_none("created_at", waiting)?,
    })
}

fn counted(count: i64) -> u32 {
    u32::try_from(count).unwrap_or_default().min(COUNTED_MAX)
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

    use super::super::connect::SQLITE_MIGRATIONS;
    use super::*;

    /// What is read is as much as the spans hold, however much lies before them.
    #[tokio::test]
    async fn every_sum_is_of_a_range_of_an_index() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        SQLITE_MIGRATIONS.run(&mut conn).await.unwrap();
        for (sql, index) in [
            (PAID, "transactions_paid_idx (<expr>>? AND <expr><?)"),
            (REFUNDED, "outbox_refunded_idx (at>? AND at<?)"),
            (
                PENDING,
                "orders_status_idx (status=? AND created_at>? AND created_at<?)",
            ),
            (
                HELD,
                "transactions_attention_idx (first_seen_at>? AND first_seen_at<?)",
            ),
            (WEBHOOKS, "inbox_settled_idx (received_at>?)"),
            (ATTEMPTS, "delivery_attempts_at_idx (at>?)"),
            (WAITING, "deliveries_waiting_idx"),
        ] {
            let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            assert!(
                plan.iter().any(|step| step.ends_with(index)),
                "{index}: {plan:#?}"
            );
            let whole = [
                "SCAN t",
                "SCAN e",
                "SCAN orders",
                "SCAN transactions",
                "SCAN outbox",
                "SCAN inbox",
                "SCAN delivery_attempts",
                "SCAN deliveries",
            ];
            assert!(
                !plan.iter().any(|step| whole.contains(&step.as_str())),
                "{plan:#?}"
            );
        }
    }
}
