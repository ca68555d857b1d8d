//! What needs attention, what was settled, what was received, and where the sweep stands.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;

use super::query::{Failure, execute, fetch_all, fetch_optional, retried};
use super::rows::{Table, micros};
use super::write::{Change, Verdict};
use super::{Database, Tx, audit};
use crate::domain::attention::{Arrival, AttentionItem, AttentionKind, Finding, Settled};
use crate::domain::audit::{Act, Entry};
use crate::domain::history::Actor;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::order::Portone;
use crate::domain::refund::{Refund, Word};
use crate::domain::sweep::Sweep;
use crate::ports::attention::{After, AttentionStore, ReceivedWebhook, Seen, Settling, SweepStore};
use crate::ports::store::StoreError;

/// Most rows that one list has, whatever the caller asks for.
const ROWS_MAX: u32 = 100;
/// Most items that need attention: a page, and the one that tells whether another follows.
const ITEMS_MAX: u32 = ROWS_MAX + 1;
/// Payments of one order that are kept although nothing of them could be read: whoever knows its number can name PortOne any others.
const UNREADABLE_PER_ORDER_MAX: usize = 20;

/// Every column of an item, in `attention` and in `settled`.
macro_rules! item_columns {
    () => {
        "kind, portone, payment_id, transaction_id, amount_minor, currency, cancelled_minor, first_seen_at, last_seen_at"
    };
}

#[derive(FromRow)]
struct ItemRow {
    kind: String,
    portone: String,
    payment_id: String,
    transaction_id: String,
    amount_minor: Option<i64>,
    currency: Option<String>,
    cancelled_minor: i64,
    first_seen_at: i64,
    last_seen_at: i64,
}

impl ItemRow {
    fn into_domain(self) -> Result<AttentionItem, Failure> {
        let attention = Table("attention");
        Ok(AttentionItem {
            kind: attention.read("kind", AttentionKind::from_word(&self.kind))?,
            portone: attention.read("portone", Portone::from_word(&self.portone))?,
            payment_id: self.payment_id,
            transaction_id: attention.transaction_id("transaction_id", &self.transaction_id)?,
            amount_minor: self.amount_minor,
            currency: self.currency,
            cancelled_minor: self.cancelled_minor,
            first_seen_at: attention.time("first_seen_at", self.first_seen_at)?,
            last_seen_at: attention.time("last_seen_at", self.last_seen_at)?,
        })
    }
}

#[derive(FromRow)]
struct SettledRow {
    #[sqlx(flatten)]
    item: ItemRow,
    settled_at: i64,
    settled_by: String,
    note: String,
}

impl SettledRow {
    fn into_domain(self) -> Result<Settled, Failure> {
        Ok(Settled {
            item: self.item.into_domain()?,
            at: Table("settled").time("settled_at", self.settled_at)?,
            by: self.settled_by,
            note: self.note,
        })
    }
}

#[derive(FromRow)]
struct ReceivedRow {
    received_at: i64,
    version: String,
    payment_id: String,
    transaction_id: Option<String>,
    claimed_status: Option<String>,
    state: String,
    order_portone: Option<String>,
}

impl ReceivedRow {
    fn into_domain(self) -> Result<ReceivedWebhook, Failure> {
        let inbox = Table("inbox");
        let portone = inbox.read("version", Portone::from_word(&self.version))?;
        let of_order = self
            .order_portone
            .map(|word| Table("orders").read("portone", Portone::from_word(&word)));
        Ok(ReceivedWebhook {
            at: inbox.time("received_at", self.received_at)?,
            portone,
            arrival: Arrival::of(
                portone,
                &self.payment_id,
                of_order.transpose()?,
                self.state == "waiting",
            ),
            payment_id: inbox.payment_id(&self.payment_id)?,
            transaction_id: inbox
                .transaction_id_or_none("transaction_id", self.transaction_id.as_deref())?,
            claimed_status: self.claimed_status,
        })
    }
}

#[derive(FromRow)]
struct SweepRow {
    version: i64,
    due_at: i64,
    run: Option<String>,
    finished: Option<String>,
}

impl SweepRow {
    fn into_domain(self) -> Result<Sweep, Failure> {
        Ok(Sweep {
            version: self.version,
            due_at: Table("sweep").time("due_at", self.due_at)?,
            run: from_json("run", self.run),
            finished: from_json("finished", self.finished),
        })
    }
}

/// What this version cannot read is as good as not there: a sweep that cannot go on begins anew.
fn from_json<T: serde::de::DeserializeOwned>(column: &str, text: Option<String>) -> Option<T> {
    serde_json::from_str(&text?)
        .inspect_err(|error| {
            tracing::warn!(column, %error, "where the sweep stands cannot be read");
        })
        .ok()
}

#[async_trait]
impl AttentionStore for Database {
    async fn report(&self, finding: &Finding) -> Result<(), StoreError> {
        self.write(Report(finding.clone())).await
    }

    async fn withdraw_unseen(
        &self,
        swept_from: Timestamp,
        paid_from: Timestamp,
        passed_over: &[Portone],
    ) -> Result<(), StoreError> {
        self.write(WithdrawUnseen {
            swept_from,
            paid_from,
            passed_over: passed_over.to_vec(),
        })
        .await
    }

    async fn withdraw_unclear(
        &self,
        payment_id: &PaymentId,
        read_at: Timestamp,
    ) -> Result<(), StoreError> {
        let is_one = retried(|| async {
            let mut conn = self.reader().await?;
            let found: Option<(String,)> = fetch_optional!(
                &mut conn,
                "SELECT transaction_id FROM findings WHERE kind = 'unclear' AND payment_id = $1 AND gone_at IS NULL LIMIT 1",
                payment_id.as_str(),
            )?;
            Ok(found.is_some())
        });
        // There hardly ever is one, and reading costs no turn at the writer.
        if !is_one.await? {
            return Ok(());
        }
        let payment_id = payment_id.clone();
        self.write(WithdrawUnclear {
            payment_id,
            read_at,
        })
        .await
    }

    async fn settle(
        &self,
        kind: AttentionKind,
        transaction_id: &TransactionId,
        seen: Option<Seen>,
        by: &Actor,
        note: &str,
        at: Timestamp,
    ) -> Result<Settling, StoreError> {
        self.write(Settle {
            kind,
            transaction_id: transaction_id.clone(),
            seen,
            by: by.clone(),
            note: note.to_owned(),
            at,
        })
        .await
    }

    async fn find_word(&self, refund: &Refund) -> Result<Option<Word>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let found: Option<(String, String)> = fetch_optional!(
                &mut conn,
                "SELECT settled_by, note FROM settled WHERE kind = $1 AND transaction_id = $2 AND refund_id = $3",
                AttentionKind::RefundInDoubt.as_str(),
                refund.transaction_id.as_str(),
                refund.id.as_str()
            )?;
            Ok(found.map(|(by, note)| Word { by, note }))
        })
        .await
    }

    async fn list_attention(
        &self,
        now: Timestamp,
        after: Option<&After>,
        limit: u32,
    ) -> Result<Vec<AttentionItem>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<ItemRow> = fetch_all!(
                &mut conn,
                concat!(
                    "SELECT ",
                    item_columns!(),
                    " FROM attention
                    WHERE needs_from <= $1 AND ($2 IS NULL OR (first_seen_at, kind, transaction_id) < ($2, $3, $4))
                    ORDER BY first_seen_at DESC, kind DESC, transaction_id DESC LIMIT $5"
                ),
                micros(now),
                after.map(|after| micros(after.first_seen_at)),
                after.map(|after| after.kind.as_str()),
                after.map(|after| after.transaction_id.as_str()),
                i64::from(limit.min(ITEMS_MAX)),
            )?;
            rows.into_iter().map(ItemRow::into_domain).collect()
        })
        .await
    }

    async fn count_attention(&self, now: Timestamp, max: u32) -> Result<u32, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<(i64,)> = fetch_all!(
                &mut conn,
                "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM attention WHERE needs_from <= $1 LIMIT $2) AS items)
                    + (SELECT COUNT(*) FROM webhook_endpoints AS e WHERE e.status IN ('paused', 'gone')
                        OR (e.status = 'enabled' AND EXISTS (SELECT 1 FROM deliveries AS d
                            WHERE d.endpoint_id = e.endpoint_id AND d.status = 'given_up' AND d.dismissed_at IS NULL)))",
                micros(now),
                i64::from(max),
            )?;
            let count = rows.into_iter().next().map_or(0, |(count,)| count);
            Ok(u32::try_from(count).map_or(max, |count| count.min(max)))
        })
        .await
    }

    async fn list_settled(&self, limit: u32) -> Result<Vec<Settled>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<SettledRow> = fetch_all!(
                &mut conn,
                concat!(
                    "SELECT ",
                    item_columns!(),
                    ", settled_at, settled_by, note FROM settled ORDER BY settled_at DESC, transaction_id DESC LIMIT $1"
                ),
                i64::from(limit.min(ROWS_MAX)),
            )?;
            rows.into_iter().map(SettledRow::into_domain).collect()
        })
        .await
    }

    async fn list_settled_of(
        &self,
        payment_id: &PaymentId,
        limit: u32,
    ) -> Result<Vec<Settled>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<SettledRow> = fetch_all!(
                &mut conn,
                concat!(
                    "SELECT ",
                    item_columns!(),
                    ", settled_at, settled_by, note FROM settled WHERE payment_id = $1
                    ORDER BY settled_at DESC, transaction_id DESC LIMIT $2"
                ),
                payment_id.as_str(),
                i64::from(limit.min(ROWS_MAX)),
            )?;
            rows.into_iter().map(SettledRow::into_domain).collect()
        })
        .await
    }

    async fn list_received(&self, limit: u32) -> Result<Vec<ReceivedWebhook>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<ReceivedRow> = fetch_all!(
                &mut conn,
                "SELECT i.received_at, i.version, i.payment_id, i.transaction_id, i.claimed_status, i.state, o.portone AS order_portone
                FROM inbox AS i LEFT JOIN orders AS o ON o.payment_id = i.payment_id
                ORDER BY i.id DESC LIMIT $1",
                i64::from(limit.min(ROWS_MAX)),
            )?;
            rows.into_iter().map(ReceivedRow::into_domain).collect()
        })
        .await
    }
}

#[async_trait]
impl SweepStore for Database {
    async fn find_sweep(&self) -> Result<Option<Sweep>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let found: Option<SweepRow> = fetch_optional!(
                &mut conn,
                "SELECT version, due_at, run, finished FROM sweep WHERE id = 1"
            )?;
            found.map(SweepRow::into_domain).transpose()
        })
        .await
    }

    async fn plan_sweep(&self, due_at: Timestamp) -> Result<(), StoreError> {
        self.write(Plan(due_at)).await
    }

    async fn lease_sweep(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<Sweep>, StoreError> {
        self.write(Lease { now, lease_until }).await
    }

    async fn save_sweep(&self, sweep: &Sweep) -> Result<bool, StoreError> {
        self.write(Save(sweep.clone())).await
    }

    async fn first_order_at(&self) -> Result<Option<Timestamp>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<(i64,)> = fetch_all!(
                &mut conn,
                "SELECT created_at FROM orders ORDER BY created_at, payment_id LIMIT 1"
            )?;
            rows.into_iter()
                .next()
                .map(|(at,)| Table("orders").time("created_at", at))
                .transpose()
        })
        .await
    }
}

struct Report(Finding);

#[async_trait]
impl Change for Report {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        let Finding { item, paid_at } = &self.0;
        // PortOne named this one, and a record of PortOne's is no stranger's word.
        let is_named_by_portone = item.currency.is_some();
        if item.kind == AttentionKind::Unclear && !is_named_by_portone {
            let there: Vec<(String,)> = fetch_all!(
                tx,
                "SELECT transaction_id FROM findings WHERE kind = 'unclear' AND payment_id = $1 AND gone_at IS NULL AND currency IS NULL",
                &item.payment_id
            )?;
            let is_there = |(id,): &(String,)| id == item.transaction_id.as_str();
            if there.len() >= UNREADABLE_PER_ORDER_MAX && !there.iter().any(is_there) {
                tracing::warn!(payment.id = %item.payment_id, transaction.id = %item.transaction_id, "one more payment of the order cannot be read, and is not kept");
                return Ok(Verdict::Keep(()));
            }
        }
        execute!(
            tx,
            "INSERT INTO findings (kind, transaction_id, portone, payment_id, amount_minor, currency, cancelled_minor, paid_at,
                first_seen_at, last_seen_at, gone_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL)
            ON CONFLICT (kind, transaction_id) DO UPDATE SET amount_minor = excluded.amount_minor, currency = excluded.currency,
                cancelled_minor = excluded.cancelled_minor, paid_at = excluded.paid_at, last_seen_at = excluded.last_seen_at,
                first_seen_at = CASE WHEN findings.kind = 'unclear' AND findings.gone_at IS NOT NULL
                    THEN excluded.first_seen_at ELSE findings.first_seen_at END,
                portone = CASE WHEN excluded.currency IS NULL THEN findings.portone ELSE excluded.portone END,
                payment_id = CASE WHEN excluded.currency IS NULL THEN findings.payment_id ELSE excluded.payment_id END,
                gone_at = NULL",
            item.kind.as_str(),
            item.transaction_id.as_str(),
            item.portone.as_str(),
            &item.payment_id,
            item.amount_minor,
            &item.currency,
            item.cancelled_minor,
            paid_at.map(micros),
            micros(item.first_seen_at),
            micros(item.last_seen_at),
        )?;
        Ok(Verdict::Keep(()))
    }
}

struct WithdrawUnseen {
    swept_from: Timestamp,
    paid_from: Timestamp,
    passed_over: Vec<Portone>,
}

#[async_trait]
impl Change for WithdrawUnseen {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        for portone in [Portone::V1, Portone::V2] {
            if self.passed_over.contains(&portone) {
                continue;
            }
            execute!(
                tx,
                "UPDATE findings SET gone_at = $1
                WHERE kind <> 'unclear' AND gone_at IS NULL AND last_seen_at < $1 AND COALESCE(paid_at, first_seen_at) >= $2
                    AND portone = $3",
                micros(self.swept_from),
                micros(self.paid_from),
                portone.as_str(),
            )?;
        }
        Ok(Verdict::Keep(()))
    }
}

struct WithdrawUnclear {
    payment_id: PaymentId,
    read_at: Timestamp,
}

#[async_trait]
impl Change for WithdrawUnclear {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        execute!(
            tx,
            "UPDATE findings SET gone_at = $1
            WHERE kind = 'unclear' AND payment_id = $2 AND last_seen_at < $1 AND gone_at IS NULL",
            micros(self.read_at),
            self.payment_id.as_str(),
        )?;
        Ok(Verdict::Keep(()))
    }
}

struct Settle {
    kind: AttentionKind,
    transaction_id: TransactionId,
    seen: Option<Seen>,
    by: Actor,
    note: String,
    at: Timestamp,
}

#[async_trait]
impl Change for Settle {
    type Answer = Settling;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Settling>, Failure> {
        let written = execute!(
            tx,
            concat!(
                "INSERT INTO settled (",
                item_columns!(),
                ", refund_id, settled_at, settled_by, note) SELECT ",
                item_columns!(),
                ", refund_id, $3, $4, $5 FROM attention WHERE kind = $1 AND transaction_id = $2 AND needs_from <= $3
                AND ($6 IS NULL OR (cancelled_minor = $6 AND first_seen_at = $7)) ON CONFLICT DO NOTHING"
            ),
            self.kind.as_str(),
            self.transaction_id.as_str(),
            micros(self.at),
            self.by.to_text(),
            &self.note,
            self.seen.map(|seen| seen.cancelled_minor),
            self.seen.map(|seen| micros(seen.first_seen_at)),
        )?;
        if written == 1 {
            let id = self.transaction_id.as_str();
            let entry = Entry::new(self.at, &self.by, Act::Settled, id);
            audit::append(tx, &entry.with(self.kind.as_str())).await?;
            return Ok(Verdict::Keep(Settling::Done));
        }
        let other: Option<(i64,)> = fetch_optional!(
            tx,
            "SELECT cancelled_minor FROM attention WHERE kind = $1 AND transaction_id = $2 AND needs_from <= $3",
            self.kind.as_str(),
            self.transaction_id.as_str(),
            micros(self.at),
        )?;
        if other.is_some() {
            return Ok(Verdict::Undo(Settling::Changed));
        }
        let before: Vec<(String, String)> = fetch_all!(
            tx,
            "SELECT settled_by, note FROM settled WHERE kind = $1 AND transaction_id = $2",
            self.kind.as_str(),
            self.transaction_id.as_str(),
        )?;
        let by = self.by.to_text();
        let is_own =
            |(settled_by, note): &(String, String)| *settled_by == by && *note == self.note;
        Ok(Verdict::Undo(if before.iter().any(is_own) {
            Settling::Done
        } else if before.is_empty() {
            Settling::NothingThere
        } else {
            Settling::Before
        }))
    }
}

struct Plan(Timestamp);

#[async_trait]
impl Change for Plan {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        execute!(
            tx,
            "INSERT INTO sweep (id, version, due_at) VALUES (1, 0, $1) ON CONFLICT (id) DO NOTHING",
            micros(self.0),
        )?;
        Ok(Verdict::Keep(()))
    }
}

struct Lease {
    now: Timestamp,
    lease_until: Timestamp,
}

#[async_trait]
impl Change for Lease {
    type Answer = Option<Sweep>;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Option<Sweep>>, Failure> {
        // One statement: of two instances that want it at once, the second finds that it is due no more.
        let rows: Vec<SweepRow> = fetch_all!(
            tx,
            "UPDATE sweep SET version = version + 1, due_at = $2 WHERE id = 1 AND due_at <= $1
            RETURNING version, due_at, run, finished",
            micros(self.now),
            micros(self.lease_until),
        )?;
        let leased = rows.into_iter().next().map(SweepRow::into_domain);
        Ok(Verdict::Keep(leased.transpose()?))
    }
}

struct Save(Sweep);

#[async_trait]
impl Change for Save {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        let Sweep {
            version,
            due_at,
            run,
            finished,
        } = &self.0;
        let run = run.as_ref().map(|run| serde_json::json!(run).to_string());
        let finished = finished
            .as_ref()
            .map(|finished| serde_json::json!(finished).to_string());
        let written = execute!(
            tx,
            "UPDATE sweep SET version = version + 1, due_at = $2, run = $3, finished = $4 WHERE id = 1 AND version = $1",
            version,
            micros(*due_at),
            &run,
            &finished,
        )?;
        Ok(if written == 1 {
            Verdict::Keep(true)
        } else {
            Verdict::Undo(false)
        })
    }
}
