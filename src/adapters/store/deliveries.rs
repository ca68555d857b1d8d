//! Deliveries: events for endpoints, and their attempts.
//!
//! An event becomes deliveries in the transaction that writes it ([`fan_out`]), so none is lost and none is there twice. That of
//! one order a later one waits is a condition of taking one ([`LeaseDeliveries`]); the times that are set beside it only keep
//! those that wait from being looked at again and again.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;

use super::endpoints::{
    AddEndpoint, ChangeEndpoint, DeleteEndpoint, RotateSecret, endpoint_id, note_news,
    unleased_beyond,
};
use super::query::{Failure, execute, fetch_all, fetch_optional, retried};
use super::refunds::lock_order;
use super::retention::has_to_be_erased;
use super::rows::{EventRow, Table, micros};
use super::write::{Change, Verdict};
use super::{Database, Tx, audit};
use crate::domain::audit::{Act, Entry};
use crate::domain::delivery::{
    Attempt, Delivery, DeliveryStatus, Endpoint, EndpointId, EndpointStatus, Leased, Next,
    PROBED_WITH, Trouble,
};
use crate::domain::event::EventType;
use crate::domain::history::Actor;
use crate::domain::money::{Currency, Money};
use crate::ports::deliveries::{
    Again, AilingEndpoint, DeliveryFilter, DeliveryStore, EndpointChange, Redelivered, Rotated,
    Rotation, Settled, Settlement, UNDELIVERED_COUNTED_MAX,
};
use crate::ports::store::StoreError;

/// Most deliveries that one list has, whatever the caller asks for: a page, and the one that tells whether another follows.
const LISTED_MAX: u32 = 101;

#[async_trait]
impl DeliveryStore for Database {
    async fn add_endpoint(
        &self,
        endpoint: &Endpoint,
        endpoints_max: u32,
        by: &Actor,
    ) -> Result<bool, StoreError> {
        let endpoint = endpoint.clone();
        self.write(AddEndpoint {
            endpoint,
            endpoints_max,
            by: by.clone(),
        })
        .await
    }

    async fn find_endpoint(&self, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        retried(|| self.try_find_endpoint(id)).await
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        retried(|| self.try_endpoints()).await
    }

    async fn change_endpoint(
        &self,
        id: &EndpointId,
        change: &EndpointChange,
        by: &Actor,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(ChangeEndpoint {
            id: id.clone(),
            change: change.clone(),
            by: by.clone(),
            at,
        })
        .await
    }

    async fn rotate_secret(
        &self,
        id: &EndpointId,
        rotation: &Rotation,
        by: &Actor,
        at: Timestamp,
    ) -> Result<Rotated, StoreError> {
        self.write(RotateSecret {
            id: id.clone(),
            rotation: rotation.clone(),
            by: by.clone(),
            at,
        })
        .await
    }

    async fn delete_endpoint(
        &self,
        id: &EndpointId,
        by: &Actor,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, by) = (id.clone(), by.clone());
        self.write(DeleteEndpoint { id, by, at }).await
    }

    async fn endpoints_with_work(&self, now: Timestamp) -> Result<Vec<EndpointId>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<(String,)> = fetch_all!(
                &mut conn,
                "SELECT endpoint_id FROM webhook_endpoints AS e
                WHERE status IN ('enabled', 'paused') AND (resume_at IS NULL OR resume_at <= $1)
                AND EXISTS (SELECT 1 FROM deliveries AS d
                    WHERE d.endpoint_id = e.endpoint_id AND d.status = 'pending' AND d.next_attempt_at <= $1)
                ORDER BY endpoint_id",
                micros(now),
            )?;
            conn.keep();
            let endpoints = Table("webhook_endpoints");
            rows.iter()
                .map(|(id,)| endpoint_id(&endpoints, id))
                .collect()
        })
        .await
    }

    async fn ailing_endpoints(&self) -> Result<Vec<AilingEndpoint>, StoreError> {
        retried(|| self.try_ailing_endpoints()).await
    }

    async fn dismiss_given_up(
        &self,
        id: &EndpointId,
        until: Timestamp,
        by: &Actor,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let (id, by) = (id.clone(), by.clone());
        self.write(Dismiss { id, until, by, at }).await
    }

    async fn lease_deliveries(
        &self,
        endpoint: &EndpointId,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Leased>, StoreError> {
        self.write(LeaseDeliveries {
            endpoint: endpoint.clone(),
            now,
            lease_until,
            limit,
        })
        .await
    }

    async fn settle_delivery(&self, settlement: &Settlement) -> Result<Settled, StoreError> {
        self.write(SettleDelivery(settlement.clone())).await
    }

    async fn list_deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        retried(|| self.try_list_deliveries(filter)).await
    }

    async fn find_delivery(&self, id: i64) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
        retried(|| self.try_find_delivery(id)).await
    }

    async fn redeliver(
        &self,
        id: i64,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Redelivered, StoreError> {
        let by = by.clone();
        self.write(Redeliver { id, by, now }).await
    }

    async fn redeliver_many(
        &self,
        again: &Again,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Vec<i64>, StoreError> {
        let (again, by) = (again.clone(), by.clone());
        self.write(RedeliverMany { again, by, now }).await
    }
}

/// Every column of a delivery, beside its event.
macro_rules! delivery_columns {
    () => {
        "d.id, d.endpoint_id, d.event_id, o.event_type, d.payment_id, d.status, d.attempts, d.next_attempt_at, d.created_at, d.updated_at"
    };
}

/// The deliveries of a filter. The condition that an index serves stands in the text: `$1 IS NULL OR` it takes none for, and
/// without one a page of what is rare is looked for among all that ever was.
macro_rules! list_deliveries {
    ($indexed:literal) => {
        concat!(
            "SELECT ",
            delivery_columns!(),
            " FROM deliveries AS d JOIN outbox AS o ON o.id = d.event_id
            WHERE ",
            $indexed,
            " AND ($1 IS NULL OR d.endpoint_id = $1)
            AND ($2 IS NULL OR d.status = $2)
            AND ($3 IS NULL OR d.payment_id = $3)
            AND ($4 IS NULL OR d.event_id = $4)
            AND ($5 IS NULL OR o.event_type = $5)
            AND d.id < $6
            ORDER BY d.id DESC LIMIT $7"
        )
    };
}

/// The condition of the partial index stands here as it stands in the table: SQLite takes the index for no other.
macro_rules! undelivered {
    () => {
        "d.endpoint_id = e.endpoint_id AND d.status = 'given_up' AND d.dismissed_at IS NULL"
    };
}

#[derive(FromRow)]
struct AilingRow {
    endpoint_id: String,
    url: String,
    status: String,
    failing_since: Option<i64>,
    undelivered: i64,
    undelivered_since: Option<i64>,
    waiting: i64,
}

impl AilingRow {
    fn into_domain(self) -> Result<AilingEndpoint, Failure> {
        let endpoints = Table("webhook_endpoints");
        Ok(AilingEndpoint {
            endpoint_id: endpoint_id(&endpoints, &self.endpoint_id)?,
            url: self.url,
            status: endpoints.read("status", EndpointStatus::from_word(&self.status))?,
            failing_since: endpoints.time_or_none("failing_since", self.failing_since)?,
            undelivered: u32::try_from(self.undelivered).unwrap_or(UNDELIVERED_COUNTED_MAX),
            waiting: u32::try_from(self.waiting).unwrap_or(UNDELIVERED_COUNTED_MAX),
            undelivered_since: Table("deliveries")
                .time_or_none("updated_at", self.undelivered_since)?,
        })
    }
}

impl Database {
    async fn try_ailing_endpoints(&self) -> Result<Vec<AilingEndpoint>, Failure> {
        let mut conn = self.reader().await?;
        let rows: Vec<AilingRow> = fetch_all!(
            &mut conn,
            concat!(
                "SELECT * FROM (SELECT e.endpoint_id, e.url, e.status, e.failing_since, e.created_at,
                    (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries AS d WHERE ",
                undelivered!(),
                " LIMIT $1) AS counted) AS undelivered,
                    (SELECT MIN(d.updated_at) FROM (SELECT d.updated_at FROM deliveries AS d WHERE ",
                undelivered!(),
                " ORDER BY d.id LIMIT $1) AS d) AS undelivered_since,
                    (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries AS d WHERE d.endpoint_id = e.endpoint_id AND d.status = 'pending'
                        LIMIT $1) AS waits) AS waiting
                FROM webhook_endpoints AS e WHERE e.status IN ('enabled', 'paused', 'gone')) AS served
                WHERE status <> 'enabled' OR undelivered > 0
                ORDER BY created_at, endpoint_id"
            ),
            i64::from(UNDELIVERED_COUNTED_MAX),
        )?;
        conn.keep();
        rows.into_iter().map(AilingRow::into_domain).collect()
    }

    async fn try_list_deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, Failure> {
        let mut conn = self.reader().await?;
        // From what leaves the fewest to what leaves the most. An event is its order's, and few deliveries are of one order.
        let sql = if filter.payment_id.is_some() {
            list_deliveries!("d.payment_id = $3")
        } else if filter.event_id.is_some() {
            list_deliveries!("d.payment_id = (SELECT payment_id FROM outbox WHERE id = $4)")
        } else if filter.status == Some(DeliveryStatus::GivenUp) {
            list_deliveries!("d.status = 'given_up'")
        } else if filter.status == Some(DeliveryStatus::Pending) {
            list_deliveries!("d.status = 'pending'")
        } else if filter.endpoint_id.is_some() {
            list_deliveries!("d.endpoint_id = $1")
        } else {
            list_deliveries!("TRUE")
        };
        let rows: Vec<DeliveryRow> = fetch_all!(
            &mut conn,
            sql,
            filter.endpoint_id.as_ref().map(EndpointId::as_str),
            filter.status.map(|status| status.as_str()),
            filter.payment_id.as_ref().map(|id| id.as_str()),
            filter.event_id.as_deref(),
            filter.event_type.map(|one| one.as_str()),
            filter.after.unwrap_or(i64::MAX),
            i64::from(filter.limit.clamp(1, LISTED_MAX)),
        )?;
        conn.keep();
        rows.into_iter().map(DeliveryRow::into_domain).collect()
    }

    async fn try_find_delivery(
        &self,
        id: i64,
    ) -> Result<Option<(Delivery, Vec<Attempt>)>, Failure> {
        let mut conn = self.reader().await?;
        let found: Option<DeliveryRow> = fetch_optional!(
            &mut conn,
            concat!(
                "SELECT ",
                delivery_columns!(),
                " FROM deliveries AS d JOIN outbox AS o ON o.id = d.event_id WHERE d.id = $1"
            ),
            id
        )?;
        let Some(row) = found else {
            conn.keep();
            return Ok(None);
        };
        let attempts: Vec<AttemptRow> = fetch_all!(
            &mut conn,
            "SELECT number, at, duration_ms, code, error, answer FROM delivery_attempts WHERE delivery_id = $1 ORDER BY number",
            id
        )?;
        conn.keep();
        let attempts: Result<_, _> = attempts.into_iter().map(AttemptRow::into_domain).collect();
        Ok(Some((row.into_domain()?, attempts?)))
    }
}

#[derive(FromRow)]
struct DeliveryRow {
    id: i64,
    endpoint_id: String,
    event_id: String,
    event_type: String,
    payment_id: String,
    status: String,
    attempts: i64,
    next_attempt_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

impl DeliveryRow {
    fn into_domain(self) -> Result<Delivery, Failure> {
        let deliveries = Table("deliveries");
        Ok(Delivery {
            id: self.id,
            endpoint_id: endpoint_id(&deliveries, &self.endpoint_id)?,
            event_id: self.event_id,
            event_type: Table("outbox")
                .read("event_type", EventType::from_word(&self.event_type))?,
            payment_id: deliveries.payment_id(&self.payment_id)?,
            status: deliveries.read("status", DeliveryStatus::from_word(&self.status))?,
            attempts: self.attempts,
            next_attempt_at: deliveries.time_or_none("next_attempt_at", self.next_attempt_at)?,
            created_at: deliveries.time("created_at", self.created_at)?,
            updated_at: deliveries.time("updated_at", self.updated_at)?,
        })
    }
}

#[derive(FromRow)]
struct AttemptRow {
    number: i64,
    at: i64,
    duration_ms: i64,
    code: Option<i64>,
    error: Option<String>,
    answer: Option<String>,
}

impl AttemptRow {
    fn into_domain(self) -> Result<Attempt, Failure> {
        let attempts = Table("delivery_attempts");
        let code = self.code.map(u16::try_from).transpose();
        let trouble = self
            .error
            .map(|word| attempts.read("error", Trouble::from_word(&word)));
        Ok(Attempt {
            number: self.number,
            at: attempts.time("at", self.at)?,
            duration_ms: self.duration_ms,
            code: attempts.read("code", code.ok())?,
            trouble: trouble.transpose()?,
            answer: self.answer,
        })
    }
}

/// A delivery beside its event and what the order is about.
#[derive(FromRow)]
struct LeasedRow {
    delivery_id: i64,
    lease: i64,
    attempts: i64,
    tries: i64,
    amount_minor: i64,
    currency: String,
    #[sqlx(flatten)]
    event: EventRow,
}

impl LeasedRow {
    fn into_domain(self) -> Result<Leased, Failure> {
        let orders = Table("orders");
        let currency = orders.read("currency", Currency::parse(&self.currency).ok())?;
        let stored = self.event.into_domain()?;
        Ok(Leased {
            id: self.delivery_id,
            lease: self.lease,
            attempts: self.attempts,
            tries: self.tries,
            seq: stored.seq,
            event: stored.event,
            amount: orders.read("amount_minor", Money::new(self.amount_minor, currency).ok())?,
        })
    }
}

/// `replace` and not LIKE: it knows no wildcards, and `_` is in the words.
macro_rules! fan_out {
    () => {
        "INSERT INTO deliveries (endpoint_id, event_id, payment_id, seq, status, attempts, tries, next_attempt_at, lease, created_at, updated_at)
        SELECT e.endpoint_id, o.id, o.payment_id, o.seq, 'pending', 0, 0, o.at, 0, o.at, o.at
        FROM outbox AS o CROSS JOIN webhook_endpoints AS e
        WHERE o.id = $1 AND e.status IN ('enabled', 'paused')
        AND (e.event_types IS NULL OR replace(e.event_types, ' ' || o.event_type || ' ', '') <> e.event_types)
        ORDER BY e.endpoint_id"
    };
}

/// Makes an event a delivery for each endpoint that is served and wants it. On PostgreSQL who deletes an endpoint meanwhile is waited
/// for, or waits: nothing stays behind for one that is gone.
pub(super) async fn fan_out(tx: &mut Tx, event_id: &str) -> Result<(), Failure> {
    let sql = tx.text(fan_out!(), concat!(fan_out!(), " FOR KEY SHARE OF e"));
    execute!(tx, sql, event_id)?;
    Ok(())
}

/// Whether an endpoint is served. On PostgreSQL who deletes it meanwhile is waited for, or waits.
async fn is_served(tx: &mut Tx, endpoint_id: &str) -> Result<bool, Failure> {
    let sql = tx.text(
        "SELECT endpoint_id FROM webhook_endpoints WHERE endpoint_id = $1 AND status IN ('enabled', 'paused')",
        "SELECT endpoint_id FROM webhook_endpoints WHERE endpoint_id = $1 AND status IN ('enabled', 'paused') FOR KEY SHARE",
    );
    let served: Option<(String,)> = fetch_optional!(tx, sql, endpoint_id)?;
    Ok(served.is_some())
}

struct LeaseDeliveries {
    endpoint: EndpointId,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
}

#[async_trait]
impl Change for LeaseDeliveries {
    type Answer = Vec<Leased>;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Vec<Leased>>, Failure> {
        // Two texts for the same reasons as in `LeaseDue`.
        let sql = tx.text(
            "UPDATE deliveries SET next_attempt_at = $3, lease = lease + 1 WHERE id IN (
                SELECT id FROM deliveries AS d WHERE endpoint_id = $1 AND status = 'pending' AND next_attempt_at <= $2
                AND NOT EXISTS (SELECT 1 FROM deliveries AS earlier WHERE earlier.endpoint_id = d.endpoint_id
                    AND earlier.payment_id = d.payment_id AND earlier.status = 'pending' AND earlier.seq < d.seq)
                AND EXISTS (SELECT 1 FROM webhook_endpoints AS e WHERE e.endpoint_id = $1 AND e.status IN ('enabled', 'paused'))
                ORDER BY next_attempt_at, id LIMIT $4
            ) RETURNING id",
            "UPDATE deliveries SET next_attempt_at = $3, lease = lease + 1 WHERE id = ANY(ARRAY(
                SELECT id FROM deliveries AS d WHERE endpoint_id = $1 AND status = 'pending' AND next_attempt_at <= $2
                AND NOT EXISTS (SELECT 1 FROM deliveries AS earlier WHERE earlier.endpoint_id = d.endpoint_id
                    AND earlier.payment_id = d.payment_id AND earlier.status = 'pending' AND earlier.seq < d.seq)
                AND EXISTS (SELECT 1 FROM webhook_endpoints AS e WHERE e.endpoint_id = $1 AND e.status IN ('enabled', 'paused'))
                ORDER BY next_attempt_at, id LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED
            )) RETURNING id",
        );
        let ids: Vec<(i64,)> = fetch_all!(
            tx,
            sql,
            self.endpoint.as_str(),
            micros(self.now),
            micros(self.lease_until),
            i64::from(self.limit)
        )?;
        let mut leased = Vec::with_capacity(ids.len());
        for (id,) in ids {
            let row: Option<LeasedRow> = fetch_optional!(
                tx,
                "SELECT d.id AS delivery_id, d.lease, d.attempts, d.tries, orders.amount_minor, orders.currency,
                    o.id, o.payment_id, o.seq, o.event_type, o.transaction_id, o.status, o.refunded_minor, o.at
                FROM deliveries AS d JOIN outbox AS o ON o.id = d.event_id JOIN orders ON orders.payment_id = d.payment_id
                WHERE d.id = $1",
                id
            )?;
            // An unreadable row must not keep the others from their turn.
            match row.map(LeasedRow::into_domain).transpose() {
                Ok(row) => leased.extend(row),
                Err(failure) => {
                    tracing::error!(%failure, "skipping a delivery whose row is unreadable");
                }
            }
        }
        Ok(Verdict::Keep(leased))
    }
}

struct SettleDelivery(Settlement);

#[async_trait]
impl Change for SettleDelivery {
    type Answer = Settled;

    fn may_undo_itself(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Settled>, Failure> {
        let Settlement {
            delivery,
            endpoint_id,
            url,
            attempt,
            next,
            news,
            at,
        } = &self.0;
        if attempt.answer.is_some() {
            lock_order(tx, &delivery.event.payment_id).await?;
        }
        let (status, next_attempt_at) = match next {
            Next::Delivered => (DeliveryStatus::Delivered, None),
            Next::Again(at) => (DeliveryStatus::Pending, Some(*at)),
            Next::GivenUp => (DeliveryStatus::GivenUp, None),
        };
        // It may have been asked for once more while it was on its way: then a failure counts for nothing.
        let held: Option<(Option<i64>,)> = fetch_optional!(
            tx,
            "UPDATE deliveries SET
                status = CASE WHEN tries = $7 OR $3 = 'delivered' THEN $3 ELSE status END,
                next_attempt_at = CASE WHEN tries = $7 OR $3 = 'delivered' THEN $5 ELSE next_attempt_at END,
                tries = CASE WHEN tries = $7 THEN tries + 1 ELSE tries END,
                attempts = $4, lease = lease + 1, updated_at = $6, dismissed_at = NULL
            WHERE id = $1 AND lease = $2 AND status = 'pending' RETURNING next_attempt_at",
            delivery.id,
            delivery.lease,
            status.as_str(),
            attempt.number,
            next_attempt_at.map(micros),
            micros(*at),
            delivery.tries,
        )?;
        let Some((next_attempt_at,)) = held else {
            return Ok(Verdict::Undo(Settled::NotHeld));
        };
        execute!(
            tx,
            "INSERT INTO delivery_attempts (delivery_id, number, at, duration_ms, code, error, answer) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            delivery.id,
            attempt.number,
            micros(attempt.at),
            attempt.duration_ms,
            attempt.code.map(i64::from),
            attempt.trouble.map(|trouble| trouble.as_str()),
            &attempt.answer,
        )?;
        if attempt.answer.is_some() {
            has_to_be_erased(tx, &delivery.event.payment_id).await?;
        }
        match next_attempt_at {
            // They would be looked at in every round, and not be taken.
            Some(next) => execute!(
                tx,
                "UPDATE deliveries SET next_attempt_at = $4 WHERE endpoint_id = $1 AND payment_id = $2 AND seq > $3
                AND status = 'pending' AND next_attempt_at < $4",
                endpoint_id.as_str(),
                delivery.event.payment_id.as_str(),
                delivery.seq,
                next,
            )?,
            None => execute!(
                tx,
                "UPDATE deliveries SET next_attempt_at = $4 WHERE endpoint_id = $1 AND payment_id = $2 AND seq > $3
                AND status = 'pending' AND next_attempt_at > $5",
                endpoint_id.as_str(),
                delivery.event.payment_id.as_str(),
                delivery.seq,
                micros(*at),
                micros(unleased_beyond(*at)),
            )?,
        };
        let Some((before, after)) = note_news(tx, endpoint_id, url, *news, *at).await? else {
            return Ok(Verdict::Keep(Settled::Written));
        };
        if let (EndpointStatus::Paused, Some(probe_at), Next::Again(_)) =
            (after.status, after.resume_at, next)
            && at.duration_since(delivery.event.at) < PROBED_WITH
        {
            // It is what tells whether the endpoint is back, if nothing else is due. That uses up none of its attempts.
            execute!(
                tx,
                "UPDATE deliveries SET next_attempt_at = $2, tries = $3 WHERE id = $1 AND status = 'pending' AND next_attempt_at > $2
                AND tries = $3 + 1",
                delivery.id,
                micros(probe_at),
                delivery.tries,
            )?;
        }
        if before.status == after.status {
            return Ok(Verdict::Keep(Settled::Written));
        }
        if after.status == EndpointStatus::Enabled {
            // It is back: what waited for it need not wait any longer.
            execute!(
                tx,
                "UPDATE deliveries SET next_attempt_at = $2 WHERE endpoint_id = $1 AND status = 'pending' AND next_attempt_at > $3",
                endpoint_id.as_str(),
                micros(*at),
                micros(unleased_beyond(*at)),
            )?;
        }
        Ok(Verdict::Keep(Settled::WithEndpoint(after.status)))
    }
}

struct Redeliver {
    id: i64,
    by: Actor,
    now: Timestamp,
}

#[async_trait]
impl Change for Redeliver {
    type Answer = Redelivered;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Redelivered>, Failure> {
        let found: Option<(String,)> = fetch_optional!(
            tx,
            "SELECT endpoint_id FROM deliveries WHERE id = $1",
            self.id
        )?;
        let Some((endpoint_id,)) = found else {
            return Ok(Verdict::Undo(Redelivered::NothingThere));
        };
        if !is_served(tx, &endpoint_id).await? {
            return Ok(Verdict::Undo(Redelivered::NotServed));
        }
        // The lease stays: whoever is just sending it may still say how that ended, unless it is taken again before.
        execute!(
            tx,
            "UPDATE deliveries SET status = 'pending', tries = 0, next_attempt_at = $2, updated_at = $2, dismissed_at = NULL WHERE id = $1",
            self.id,
            micros(self.now),
        )?;
        let entry = Entry::new(self.now, &self.by, Act::Redelivered, &endpoint_id);
        audit::append(tx, &entry.with(self.id.to_string())).await?;
        Ok(Verdict::Keep(Redelivered::Done))
    }

    fn makes_work(&self) -> bool {
        true
    }
}

/// The ids of what is to be sent again; `LIMIT` comes last.
macro_rules! to_send_again {
    () => {
        "SELECT id FROM deliveries WHERE endpoint_id = $1 AND status = $2 AND created_at >= $3 AND created_at < $4
        AND ($7 = 1 OR dismissed_at IS NULL) AND id > $8 ORDER BY id LIMIT $6"
    };
}

macro_rules! send_again {
    () => {
        "UPDATE deliveries SET status = 'pending', tries = 0, next_attempt_at = $5, updated_at = $5, dismissed_at = NULL WHERE status = $2 AND id"
    };
}

struct RedeliverMany {
    again: Again,
    by: Actor,
    now: Timestamp,
}

#[async_trait]
impl Change for RedeliverMany {
    type Answer = Vec<i64>;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Vec<i64>>, Failure> {
        let Again {
            endpoint_id,
            status,
            dismissed,
            from,
            to,
            after,
            limit,
        } = &self.again;
        if !is_served(tx, endpoint_id.as_str()).await? {
            return Ok(Verdict::Undo(Vec::new()));
        }
        // On PostgreSQL those that somebody else is just sending again are waited for before they are counted: who asks beside
        // another is given the next ones, and does not hear that none are left.
        let sql = tx.text(
            concat!(send_again!(), " IN (", to_send_again!(), ") RETURNING id"),
            concat!(
                send_again!(),
                " = ANY(ARRAY(",
                to_send_again!(),
                " FOR NO KEY UPDATE)) RETURNING id"
            ),
        );
        let rows: Vec<(i64,)> = fetch_all!(
            tx,
            sql,
            endpoint_id.as_str(),
            status.as_str(),
            from.map_or(i64::MIN, micros),
            to.map_or(i64::MAX, micros),
            micros(self.now),
            i64::from(*limit),
            i64::from(*dismissed),
            after.unwrap_or_default(),
        )?;
        if rows.is_empty() {
            return Ok(Verdict::Undo(Vec::new()));
        }
        let mut ids: Vec<i64> = rows.into_iter().map(|(id,)| id).collect();
        ids.sort_unstable();
        let id = endpoint_id.as_str();
        let entry = Entry::new(self.now, &self.by, Act::RedeliveredMany, id);
        audit::append(tx, &entry.with(ids.len().to_string())).await?;
        Ok(Verdict::Keep(ids))
    }

    fn makes_work(&self) -> bool {
        true
    }
}

struct Dismiss {
    id: EndpointId,
    until: Timestamp,
    by: Actor,
    at: Timestamp,
}

#[async_trait]
impl Change for Dismiss {
    type Answer = u64;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<u64>, Failure> {
        let id = self.id.as_str();
        let count = execute!(
            tx,
            // What somebody else is just changing is looked at again by the outer condition alone.
            "UPDATE deliveries SET dismissed_at = $2 WHERE status = 'given_up' AND dismissed_at IS NULL AND id IN (
                SELECT id FROM deliveries WHERE endpoint_id = $1 AND status = 'given_up' AND dismissed_at IS NULL AND updated_at <= $4
                ORDER BY id LIMIT $3
            )",
            id,
            micros(self.at),
            i64::from(UNDELIVERED_COUNTED_MAX),
            micros(self.until),
        )?;
        if count == 0 {
            return Ok(Verdict::Undo(0));
        }
        let entry = Entry::new(self.at, &self.by, Act::Dismissed, id);
        audit::append(tx, &entry.with(count.to_string())).await?;
        Ok(Verdict::Keep(count))
    }
}
