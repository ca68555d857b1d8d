//! Webhooks on disk before they are acknowledged.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Database;
use super::query::{execute, fetch_all, retried};
use super::rows::{InboxRow, micros};
use crate::domain::ids::{PaymentId, TransactionId};
use crate::ports::store::{InboxEntry, InboxResult, InboxStore, Received, StoreError};

#[async_trait]
impl InboxStore for Database {
    async fn receive(
        &self,
        received: &Received,
        try_at: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        retried(|| async {
            let mut conn = self.writer().await?;
            let rows: Vec<(i64,)> = fetch_all!(
                &mut conn,
                "INSERT INTO inbox (received_at, version, payment_id, transaction_id, claimed_status, webhook_id, state, try_at, attempts, lease)
                VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, 0, 0) ON CONFLICT (webhook_id) DO NOTHING RETURNING id",
                micros(received.at),
                received.portone.as_str(),
                received.payment_id.as_str(),
                received.transaction_id.as_ref().map(TransactionId::as_str),
                &received.claimed_status,
                &received.webhook_id,
                micros(try_at),
            )?;
            Ok(rows.into_iter().next().map(|(id,)| id))
        })
        .await
    }

    async fn settle(&self, id: i64, lease: i64, result: InboxResult) -> Result<(), StoreError> {
        let (state, try_at, attempts) = match result {
            InboxResult::Done => ("done", None, 0),
            InboxResult::Dropped => ("dropped", None, 0),
            InboxResult::Again(at) => ("waiting", Some(micros(at)), 1_i64),
        };
        retried(|| async {
            let mut conn = self.writer().await?;
            execute!(
                &mut conn,
                "UPDATE inbox SET state = $2, try_at = $3, attempts = attempts + $4 WHERE id = $1 AND lease = $5 AND state = 'waiting'",
                id,
                state,
                try_at,
                attempts,
                lease,
            )?;
            Ok(())
        })
        .await
    }

    async fn lease_inbox(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        retried(|| async {
            let mut conn = self.writer().await?;
            // Two texts for the same reasons as in `lease_due`.
            let sql = conn.text(
                "UPDATE inbox SET try_at = $2, lease = lease + 1 WHERE id IN (
                    SELECT id FROM inbox WHERE state = 'waiting' AND try_at <= $1 ORDER BY try_at, id LIMIT $3
                ) RETURNING id, version, payment_id, transaction_id, claimed_status, received_at, attempts, lease",
                "UPDATE inbox SET try_at = $2, lease = lease + 1 WHERE id = ANY(ARRAY(
                    SELECT id FROM inbox WHERE state = 'waiting' AND try_at <= $1 ORDER BY try_at, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
                )) RETURNING id, version, payment_id, transaction_id, claimed_status, received_at, attempts, lease",
            );
            let rows: Vec<InboxRow> = fetch_all!(&mut conn, sql, micros(now), micros(lease_until), i64::from(limit))?;
            Ok(readable(rows))
        })
        .await
    }

    async fn wake_inbox(&self, id: &PaymentId, now: Timestamp) -> Result<(), StoreError> {
        retried(|| async {
            let mut conn = self.writer().await?;
            // Those that are due already keep their place in the queue.
            execute!(
                &mut conn,
                "UPDATE inbox SET try_at = CASE WHEN try_at > $2 THEN $2 ELSE try_at END, lease = lease + 1 WHERE payment_id = $1 AND state = 'waiting'",
                id.as_str(),
                micros(now),
            )?;
            Ok(())
        })
        .await
    }

    async fn purge_inbox(
        &self,
        settled_before: Timestamp,
        unknown_max: u32,
        limit: u32,
    ) -> Result<u64, StoreError> {
        retried(|| async {
            let mut conn = self.writer().await?;
            let settled = execute!(
                &mut conn,
                "DELETE FROM inbox WHERE id IN (
                    SELECT id FROM inbox WHERE state <> 'waiting' AND received_at < $1 ORDER BY received_at, id LIMIT $2
                ) AND state <> 'waiting'",
                micros(settled_before),
                i64::from(limit),
            )?;
            // 'v2' comes after 'v1'. The order is looked up twice: while the first look was taken, it may have been made.
            let unknown = execute!(
                &mut conn,
                "DELETE FROM inbox WHERE id IN (
                    SELECT id FROM inbox WHERE state = 'waiting' AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.payment_id = inbox.payment_id)
                    ORDER BY version DESC, id DESC LIMIT $2 OFFSET $1
                ) AND state = 'waiting' AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.payment_id = inbox.payment_id)",
                i64::from(unknown_max),
                i64::from(limit),
            )?;
            Ok(settled + unknown)
        })
        .await
    }
}

/// An unreadable row must not keep the others from their turn.
fn readable(rows: Vec<InboxRow>) -> Vec<InboxEntry> {
    rows.into_iter()
        .filter_map(|row| row.into_domain().inspect_err(|failure| tracing::error!(%failure, "skipping a webhook whose row is unreadable")).ok())
        .collect()
}
