//! Refunds: on disk before PortOne is called.
//!
//! An intent takes the order's lock first, like every change of an order: it is compared with what the order's transaction
//! holds, and two requests that come at once are written one after the other.

use async_trait::async_trait;
use jiff::Timestamp;

use super::audit::append_of_history;
use super::orders::append_entry;
use super::query::{Failure, execute, fetch_all, fetch_optional, retried};
use super::retention::has_to_be_erased;
use super::rows::{PaymentIdRow, RefundRow, micros, refund_columns};
use super::write::{Change, Verdict};
use super::{Database, Tx, requests};
use crate::domain::history::Entry;
use crate::domain::ids::{PaymentId, RefundId};
use crate::domain::refund::Refund;
use crate::ports::requests::NamedRequest;
use crate::ports::store::{Intended, Moved, RefundStore, StoreError};

#[async_trait]
impl RefundStore for Database {
    async fn intend(
        &self,
        refund: &Refund,
        entry: &Entry,
        name: Option<&NamedRequest>,
    ) -> Result<Intended, StoreError> {
        self.write(Intend {
            refund: refund.clone(),
            entry: entry.clone(),
            name: name.cloned(),
        })
        .await
    }

    async fn find_refund(&self, id: &RefundId) -> Result<Option<Refund>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let found: Option<RefundRow> = fetch_optional!(
                &mut conn,
                concat!(
                    "SELECT ",
                    refund_columns!(),
                    " FROM refunds WHERE refund_id = $1"
                ),
                id.as_str()
            )?;
            found.map(RefundRow::into_domain).transpose()
        })
        .await
    }

    async fn find_refund_by_key(
        &self,
        id: &PaymentId,
        key: &str,
    ) -> Result<Option<Refund>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let found: Option<RefundRow> = fetch_optional!(
                &mut conn,
                concat!(
                    "SELECT ",
                    refund_columns!(),
                    " FROM refunds WHERE payment_id = $1 AND idempotency_key = $2"
                ),
                id.as_str(),
                key
            )?;
            found.map(RefundRow::into_domain).transpose()
        })
        .await
    }

    async fn refunds(&self, id: &PaymentId) -> Result<Vec<Refund>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<RefundRow> = fetch_all!(
                &mut conn,
                concat!(
                    "SELECT ",
                    refund_columns!(),
                    " FROM refunds WHERE payment_id = $1 ORDER BY created_at, refund_id"
                ),
                id.as_str()
            )?;
            rows.into_iter().map(RefundRow::into_domain).collect()
        })
        .await
    }

    async fn move_refund(
        &self,
        refund: &Refund,
        entry: Option<&Entry>,
    ) -> Result<Moved, StoreError> {
        self.write(Move {
            refund: refund.clone(),
            entry: entry.cloned(),
        })
        .await
    }

    async fn lease_refunds(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        self.write(Lease {
            now,
            lease_until,
            limit,
        })
        .await
    }

    async fn wake_refunds(&self, id: &PaymentId, now: Timestamp) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(Wake { id, now }).await
    }
}

struct Intend {
    refund: Refund,
    entry: Entry,
    name: Option<NamedRequest>,
}

#[async_trait]
impl Change for Intend {
    type Answer = Intended;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Intended>, Failure> {
        let refund = &self.refund;
        lock_order(tx, &refund.payment_id).await?;
        has_to_be_erased(tx, &refund.payment_id).await?;
        let in_use: Option<RefundRow> = fetch_optional!(
            tx,
            concat!(
                "SELECT ",
                refund_columns!(),
                " FROM refunds WHERE payment_id = $1 AND idempotency_key = $2"
            ),
            refund.payment_id.as_str(),
            &refund.idempotency_key
        )?;
        if let Some(row) = in_use {
            return Ok(Verdict::Undo(Intended::KeyInUse(Box::new(
                row.into_domain()?,
            ))));
        }
        if let Some(name) = &self.name
            && requests::keep(tx, name).await? != name.fingerprint
        {
            return Ok(Verdict::Undo(Intended::NameInUse));
        }
        // What was given back is in `cancelled_minor`; a refund in flight is not, and is refused below.
        let fits: Vec<(i64,)> = fetch_all!(
            tx,
            "SELECT cancelled_minor FROM transactions WHERE payment_id = $1 AND transaction_id = $2 AND amount_minor - cancelled_minor >= $3",
            refund.payment_id.as_str(),
            refund.transaction_id.as_str(),
            refund.amount.minor(),
        )?;
        let Some((cancelled_minor,)) = fits.into_iter().next() else {
            return Ok(Verdict::Undo(Intended::TooMuch));
        };
        // The balance was read before another refund came to its end, and in doubt this one would be taken for that one.
        if cancelled_minor > refund.reserved_minor {
            return Ok(Verdict::Undo(Intended::UnderWay));
        }
        if !insert_refund(tx, refund).await? {
            return Ok(Verdict::Undo(Intended::UnderWay));
        }
        append_entry(tx, &refund.payment_id, &self.entry, u32::MAX).await?;
        append_of_history(tx, &refund.payment_id, [&self.entry]).await?;
        Ok(Verdict::Keep(Intended::Written))
    }

    fn makes_work(&self) -> bool {
        true
    }
}

struct Move {
    refund: Refund,
    entry: Option<Entry>,
}

#[async_trait]
impl Change for Move {
    type Answer = Moved;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Moved>, Failure> {
        let refund = &self.refund;
        // History is numbered under the order's lock.
        lock_order(tx, &refund.payment_id).await?;
        has_to_be_erased(tx, &refund.payment_id).await?;
        let account = refund.account.as_ref();
        let trouble = refund.trouble.as_ref();
        let moved = execute!(
            tx,
            "UPDATE refunds SET version = version + 1, account_bank = $3, account_number = $4, account_holder = $5, account_tel = $6,
                state = $7, cancellation_id = $8, attempts = $9, called_at = $10, next_at = $11, trouble_code = $12,
                trouble_message = $13, updated_at = $14
            WHERE refund_id = $1 AND version = $2",
            refund.id.as_str(),
            refund.version,
            account.map(|account| &account.bank),
            account.map(|account| &account.number),
            account.map(|account| &account.holder),
            account.and_then(|account| account.tel.as_ref()),
            refund.state.as_str(),
            &refund.cancellation_id,
            refund.attempts,
            refund.called_at.map(micros),
            refund.next_at.map(micros),
            trouble.map(|trouble| &trouble.code),
            trouble.and_then(|trouble| trouble.message.as_ref()),
            micros(refund.updated_at),
        )?;
        if moved == 0 {
            return Ok(Verdict::Undo(Moved::Conflict));
        }
        if let Some(entry) = &self.entry {
            append_entry(tx, &refund.payment_id, entry, u32::MAX).await?;
        }
        Ok(Verdict::Keep(Moved::Done))
    }
}

struct Lease {
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
}

#[async_trait]
impl Change for Lease {
    type Answer = Vec<Refund>;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Vec<Refund>>, Failure> {
        // Two texts for the same reasons as in `lease_due`.
        let sql = tx.text(
            concat!(
                "UPDATE refunds SET next_at = $2 WHERE refund_id IN (
                    SELECT refund_id FROM refunds WHERE next_at <= $1 ORDER BY next_at, refund_id LIMIT $3
                ) RETURNING ",
                refund_columns!()
            ),
            concat!(
                "UPDATE refunds SET next_at = $2 WHERE refund_id = ANY(ARRAY(
                    SELECT refund_id FROM refunds WHERE next_at <= $1 ORDER BY next_at, refund_id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
                )) RETURNING ",
                refund_columns!()
            ),
        );
        let rows: Vec<RefundRow> = fetch_all!(
            tx,
            sql,
            micros(self.now),
            micros(self.lease_until),
            i64::from(self.limit)
        )?;
        Ok(Verdict::Keep(readable(rows)))
    }
}

struct Wake {
    id: PaymentId,
    now: Timestamp,
}

#[async_trait]
impl Change for Wake {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        // Those that are due already keep their place in the queue.
        execute!(
            tx,
            "UPDATE refunds SET next_at = $2 WHERE payment_id = $1 AND state IN ('requested', 'in_doubt') AND next_at > $2",
            self.id.as_str(),
            micros(self.now),
        )?;
        Ok(Verdict::Keep(()))
    }
}

pub(super) async fn lock_order(tx: &mut Tx, id: &PaymentId) -> Result<(), Failure> {
    let sql = tx.text(
        "SELECT payment_id FROM orders WHERE payment_id = $1",
        "SELECT payment_id FROM orders WHERE payment_id = $1 FOR NO KEY UPDATE",
    );
    let _locked: Option<PaymentIdRow> = fetch_optional!(tx, sql, id.as_str())?;
    Ok(())
}

/// Says whether it was written; if not, another refund of the transaction is in flight.
async fn insert_refund(tx: &mut Tx, refund: &Refund) -> Result<bool, Failure> {
    let account = refund.account.as_ref();
    let trouble = refund.trouble.as_ref();
    let written = execute!(
        tx,
        concat!(
            "INSERT INTO refunds (",
            refund_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)
            ON CONFLICT DO NOTHING"
        ),
        refund.id.as_str(),
        refund.version,
        refund.payment_id.as_str(),
        refund.transaction_id.as_str(),
        refund.amount.minor(),
        refund.amount.money().currency.code(),
        refund.tax_free_minor,
        &refund.reason,
        account.map(|account| &account.bank),
        account.map(|account| &account.number),
        account.map(|account| &account.holder),
        account.and_then(|account| account.tel.as_ref()),
        &refund.requested_by,
        &refund.idempotency_key,
        &refund.fingerprint,
        refund.state.as_str(),
        refund.guard_minor,
        refund.reserved_minor,
        &refund.cancellation_id,
        refund.attempts,
        refund.called_at.map(micros),
        refund.next_at.map(micros),
        trouble.map(|trouble| &trouble.code),
        trouble.and_then(|trouble| trouble.message.as_ref()),
        micros(refund.created_at),
        micros(refund.updated_at),
    )?;
    Ok(written == 1)
}

/// An unreadable row must not keep the others from their turn.
fn readable(rows: Vec<RefundRow>) -> Vec<Refund> {
    rows.into_iter()
        .filter_map(|row| row.into_domain().inspect_err(|failure| tracing::error!(%failure, "skipping a refund whose row is unreadable")).ok())
        .collect()
}
