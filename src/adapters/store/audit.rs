//! What people did, chained.
//!
//! A change that somebody made appends its entry as its last statement. The row of the chain's end is locked from there to the end
//! of the transaction: on PostgreSQL it lines up whoever appends, and taken last it is waited for by nobody who holds what
//! another one wants; SQLite has one writer anyway.
//!
//! Tested by `tests/it/audit.rs`.

use std::ops::DerefMut;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::{FromRow, PgConnection, SqliteConnection};

use super::query::{Failure, execute, fetch_all, fetch_optional, retried};
use super::rows::{Table, micros};
use super::write::{Change, Verdict};
use super::{Database, Dialect, Tx};
use crate::domain::audit::{
    BrokenAt, End, Entry, Fields, Link, MISTAKES_TOGETHER, digest, is_written_down,
};
use crate::domain::history;
use crate::domain::ids::PaymentId;
use crate::ports::audit::{AuditStore, Chain, Mistake};
use crate::ports::store::StoreError;

/// Entries that are read at once while the chain is followed.
const FOLLOWED_AT_ONCE: i64 = 1_000;
/// Most entries that one page lists, whatever the caller asks for.
const PAGE_ENTRIES_MAX: u32 = 200;

const HEAD: Table = Table("audit_head");

/// Every column of an entry.
macro_rules! entry_columns {
    () => {
        "id, at, actor, act, target, detail, previous_digest, digest"
    };
}

#[derive(FromRow)]
struct LinkRow {
    id: i64,
    at: i64,
    actor: String,
    act: String,
    target: Option<String>,
    detail: Option<String>,
    previous_digest: Vec<u8>,
    digest: Vec<u8>,
}

impl From<LinkRow> for Link {
    fn from(row: LinkRow) -> Self {
        Self {
            id: row.id,
            fields: Fields {
                at_us: row.at,
                actor: row.actor,
                act: row.act,
                target: row.target,
                detail: row.detail,
            },
            previous: row.previous_digest,
            digest: row.digest,
        }
    }
}

#[async_trait]
impl AuditStore for Database {
    async fn count_mistake(&self, mistake: &Mistake) -> Result<(), StoreError> {
        self.write(CountMistake(mistake.clone())).await
    }

    async fn audit_log(&self, before: Option<i64>, limit: u32) -> Result<Vec<Link>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<LinkRow> = fetch_all!(
                &mut conn,
                concat!(
                    "SELECT ",
                    entry_columns!(),
                    " FROM audit_log WHERE id < $1 ORDER BY id DESC LIMIT $2"
                ),
                before.unwrap_or(i64::MAX),
                i64::from(limit.clamp(1, PAGE_ENTRIES_MAX)),
            )?;
            conn.keep();
            Ok(rows.into_iter().map(Link::from).collect())
        })
        .await
    }

    async fn audit_chain(&self, newest: u32) -> Result<Chain, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let chain = follow(&mut conn, Some(newest)).await?;
            conn.keep();
            Ok(chain)
        })
        .await
    }
}

/// Follows the chain to its end, from its beginning or through its newest entries alone. What is appended meanwhile is left out.
pub(super) async fn follow<S, P>(
    conn: &mut Dialect<S, P>,
    newest: Option<u32>,
) -> Result<Chain, Failure>
where
    S: DerefMut<Target = SqliteConnection> + Send,
    P: DerefMut<Target = PgConnection> + Send,
{
    // One statement, so that both are of the same moment.
    let head: Option<(i64, Vec<u8>, Option<i64>)> = fetch_optional!(
        conn,
        "SELECT last_id, last_digest, (SELECT MAX(id) FROM audit_log) FROM audit_head"
    )?;
    let Some((last_id, last_digest, newest_id)) = head else {
        // Nothing says any more where it ends.
        return Ok(Chain {
            end: End::BEGINNING,
            from: 1,
            broken_at: Some(BrokenAt(1)),
        });
    };
    let end = End {
        id: last_id,
        // One that is none fits to nothing.
        digest: last_digest.try_into().unwrap_or_default(),
    };
    let newest_id = newest_id.unwrap_or(0);
    let last_read = newest_id.max(end.id);
    let skipped = newest.map_or(0, |newest| {
        newest_id
            .min(end.id)
            .saturating_sub(i64::from(newest))
            .max(0)
    });
    let mut chain = Chain {
        end,
        from: skipped + 1,
        broken_at: None,
    };
    let mut reached = (skipped == 0).then_some(End::BEGINNING);
    // Whatever stands before the first one does not belong there.
    let mut after = if skipped == 0 { i64::MIN } else { skipped };
    loop {
        let rows: Vec<LinkRow> = fetch_all!(
            conn,
            concat!(
                "SELECT ",
                entry_columns!(),
                " FROM audit_log WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3"
            ),
            after,
            last_read,
            FOLLOWED_AT_ONCE,
        )?;
        let links: Vec<Link> = rows.into_iter().map(Link::from).collect();
        let Some(last) = links.last() else { break };
        after = last.id;
        let from = reached.unwrap_or_else(|| End {
            id: skipped,
            digest: links
                .first()
                .and_then(|first| first.previous.as_slice().try_into().ok())
                .unwrap_or_default(),
        });
        match from.follow(&links) {
            Ok(end) => reached = Some(end),
            Err(broken) => {
                chain.broken_at = Some(broken);
                return Ok(chain);
            }
        }
    }
    // Nothing is left of what should have been looked at.
    let found = match reached {
        None => Err(BrokenAt(chain.from)),
        Some(reached) => reached.is(end),
    };
    chain.broken_at = found.err();
    Ok(chain)
}

/// Appends an entry. Must be the last statement of its change.
pub(super) async fn append(tx: &mut Tx, entry: &Entry) -> Result<(), Failure> {
    let sql = tx.text(
        "SELECT last_id, last_digest FROM audit_head WHERE only_row = 1",
        "SELECT last_id, last_digest FROM audit_head WHERE only_row = 1 FOR UPDATE",
    );
    let head: Option<(i64, Vec<u8>)> = fetch_optional!(tx, sql)?;
    let (last_id, last_digest) = HEAD.read("only_row", head)?;
    let previous = HEAD.read("last_digest", last_digest.try_into().ok())?;
    let id = last_id.saturating_add(1);
    let fields = entry.fields();
    let digest = digest(&previous, id, &fields);
    execute!(
        tx,
        concat!(
            "INSERT INTO audit_log (",
            entry_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        ),
        id,
        fields.at_us,
        &fields.actor,
        &fields.act,
        &fields.target,
        &fields.detail,
        previous.as_slice(),
        digest.as_slice(),
    )?;
    execute!(
        tx,
        "UPDATE audit_head SET last_id = $1, last_digest = $2 WHERE only_row = 1",
        id,
        digest.as_slice(),
    )?;
    Ok(())
}

/// Appends what entries of an order's history say here, if anything.
pub(super) async fn append_of_history<'e>(
    tx: &mut Tx,
    id: &PaymentId,
    entries: impl IntoIterator<Item = &'e history::Entry>,
) -> Result<(), Failure> {
    let told: Vec<Entry> = entries
        .into_iter()
        .filter_map(|entry| Entry::of_history(id, entry))
        .collect();
    for entry in told {
        append(tx, &entry).await?;
    }
    Ok(())
}

struct CountMistake(Mistake);

#[async_trait]
impl Change for CountMistake {
    type Answer = ();

    fn may_undo_itself(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        let Mistake {
            at,
            by,
            act,
            account,
        } = &self.0;
        let long_ago = at.checked_sub(MISTAKES_TOGETHER).unwrap_or(Timestamp::MIN);
        // A clock that was set back begins anew.
        let counts: Vec<(i64,)> = fetch_all!(
            tx,
            "INSERT INTO audit_mistakes (account, act, since, count) VALUES ($1, $2, $3, 1)
            ON CONFLICT (account, act) DO UPDATE SET
                count = CASE WHEN audit_mistakes.since > $4 AND audit_mistakes.since <= $3 THEN audit_mistakes.count + 1 ELSE 1 END,
                since = CASE WHEN audit_mistakes.since > $4 AND audit_mistakes.since <= $3 THEN audit_mistakes.since ELSE $3 END
            RETURNING count",
            account.as_deref().unwrap_or_default(),
            act.as_str(),
            micros(*at),
            micros(long_ago),
        )?;
        let counts = counts.into_iter().next();
        let count = counts.and_then(|(count,)| u64::try_from(count).ok());
        let count = Table("audit_mistakes").read("count", count)?;
        if is_written_down(count) {
            let entry = Entry {
                at: *at,
                by: by.to_text(),
                act: *act,
                target: account.clone(),
                detail: Some(count.to_string()),
            };
            append(tx, &entry).await?;
        }
        Ok(Verdict::Keep(()))
    }
}
