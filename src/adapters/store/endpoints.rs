//! The shop's endpoints.

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sqlx::FromRow;

use async_trait::async_trait;

use super::query::{Failure, execute, fetch_all, fetch_optional};
use super::rows::{Table, micros};
use super::write::{Change, Verdict};
use super::{Database, Tx, audit};
use crate::domain::audit::{Act, Entry};
use crate::domain::delivery::{
    Endpoint, EndpointId, EndpointStatus, LEASE, News, Secrets, Standing,
};
use crate::domain::event::EventType;
use crate::domain::history::Actor;
use crate::ports::deliveries::{EndpointChange, Rotated, Rotation};

/// How much later than a change's own time a lease may have been taken that it does not see: a change waits half of this at most, and
/// servers' clocks may differ by the other half.
const LEASE_MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// Every column of an endpoint.
macro_rules! endpoint_columns {
    () => {
        "endpoint_id, url, secret, previous_secret, previous_valid_until, event_types, status, failing_since, resume_at, created_at, updated_at"
    };
}

#[derive(FromRow)]
struct EndpointRow {
    endpoint_id: String,
    url: String,
    secret: Option<String>,
    previous_secret: Option<String>,
    previous_valid_until: Option<i64>,
    event_types: Option<String>,
    status: String,
    failing_since: Option<i64>,
    resume_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

impl EndpointRow {
    fn into_domain(self) -> Result<Endpoint, Failure> {
        let endpoints = Table("webhook_endpoints");
        let until = endpoints.time_or_none("previous_valid_until", self.previous_valid_until)?;
        let event_types = self.event_types.map(|words| {
            let types = words.split_whitespace().map(EventType::from_word);
            endpoints.read("event_types", types.collect::<Option<Vec<_>>>())
        });
        Ok(Endpoint {
            id: endpoint_id(&endpoints, &self.endpoint_id)?,
            url: self.url,
            secrets: Secrets {
                newest: endpoints
                    .read("secret", self.secret)
                    .map(SecretString::from)?,
                previous: self.previous_secret.map(SecretString::from).zip(until),
            },
            event_types: event_types.transpose()?,
            status: endpoints.read("status", EndpointStatus::from_word(&self.status))?,
            failing_since: endpoints.time_or_none("failing_since", self.failing_since)?,
            resume_at: endpoints.time_or_none("resume_at", self.resume_at)?,
            created_at: endpoints.time("created_at", self.created_at)?,
            updated_at: endpoints.time("updated_at", self.updated_at)?,
        })
    }
}

pub(super) fn endpoint_id(table: &Table, text: &str) -> Result<EndpointId, Failure> {
    table.read("endpoint_id", EndpointId::parse(text).ok())
}

/// Each type between spaces, so that one is found by looking for it with its spaces.
fn stored_types(types: Option<&[EventType]>) -> Option<String> {
    types.map(|types| {
        let words: Vec<&str> = types.iter().map(|one| one.as_str()).collect();
        format!(" {} ", words.join(" "))
    })
}

impl Database {
    pub(super) async fn try_find_endpoint(
        &self,
        id: &EndpointId,
    ) -> Result<Option<Endpoint>, Failure> {
        let mut conn = self.reader().await?;
        let found: Option<EndpointRow> = fetch_optional!(
            &mut conn,
            concat!(
                "SELECT ",
                endpoint_columns!(),
                " FROM webhook_endpoints WHERE endpoint_id = $1 AND status <> 'deleted'"
            ),
            id.as_str()
        )?;
        conn.keep();
        found.map(EndpointRow::into_domain).transpose()
    }

    pub(super) async fn try_endpoints(&self) -> Result<Vec<Endpoint>, Failure> {
        let mut conn = self.reader().await?;
        let rows: Vec<EndpointRow> = fetch_all!(
            &mut conn,
            concat!(
                "SELECT ",
                endpoint_columns!(),
                " FROM webhook_endpoints WHERE status <> 'deleted' ORDER BY created_at, endpoint_id"
            ),
        )?;
        conn.keep();
        rows.into_iter().map(EndpointRow::into_domain).collect()
    }
}

/// Says whether there was room.
pub(super) struct AddEndpoint {
    pub(super) endpoint: Endpoint,
    pub(super) endpoints_max: u32,
    pub(super) by: Actor,
}

#[async_trait]
impl Change for AddEndpoint {
    type Answer = bool;

    fn may_undo_itself(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        let endpoint = &self.endpoint;
        // Of two at the same time the second is to count the first; SQLite has one writer anyway.
        let wait = tx.text(
            "SELECT length($1)",
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        );
        execute!(tx, wait, "webhook_endpoints")?;
        let (previous, until) = endpoint.secrets.previous.clone().unzip();
        let written = execute!(
            tx,
            concat!(
                "INSERT INTO webhook_endpoints (",
                endpoint_columns!(),
                ") SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
                WHERE (SELECT COUNT(*) FROM webhook_endpoints WHERE status <> 'deleted') < $12"
            ),
            endpoint.id.as_str(),
            &endpoint.url,
            endpoint.secrets.newest.expose_secret(),
            previous.as_ref().map(ExposeSecret::expose_secret),
            until.map(micros),
            stored_types(endpoint.event_types.as_deref()),
            endpoint.status.as_str(),
            endpoint.failing_since.map(micros),
            endpoint.resume_at.map(micros),
            micros(endpoint.created_at),
            micros(endpoint.updated_at),
            i64::from(self.endpoints_max),
        )?;
        if written == 0 {
            return Ok(Verdict::Undo(false));
        }
        let (at, url) = (endpoint.created_at, Some(endpoint.url.as_str()));
        let entry = Entry::of_endpoint(at, &self.by, Act::EndpointAdded, &endpoint.id, url);
        audit::append(tx, &entry).await?;
        Ok(Verdict::Keep(true))
    }
}

/// Says whether there is such an endpoint.
pub(super) struct ChangeEndpoint {
    pub(super) id: EndpointId,
    pub(super) change: EndpointChange,
    pub(super) by: Actor,
    pub(super) at: Timestamp,
}

#[async_trait]
impl Change for ChangeEndpoint {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        let EndpointChange {
            url,
            event_types,
            enabled,
        } = &self.change;
        if let Some(url) = url {
            // What an address answered is no news of another one: the new one begins anew, and what waited need not wait any longer.
            execute!(
                tx,
                "UPDATE deliveries SET next_attempt_at = $2 WHERE endpoint_id = $1 AND status = 'pending' AND next_attempt_at > $3
                AND EXISTS (SELECT 1 FROM webhook_endpoints AS e WHERE e.endpoint_id = $1 AND e.url <> $4 AND e.status <> 'disabled')",
                self.id.as_str(),
                micros(self.at),
                micros(unleased_beyond(self.at)),
                url,
            )?;
            execute!(
                tx,
                "UPDATE webhook_endpoints SET failing_since = NULL, resume_at = NULL,
                    status = CASE WHEN status IN ('paused', 'gone') THEN 'enabled' ELSE status END
                WHERE endpoint_id = $1 AND status <> 'deleted' AND url <> $2",
                self.id.as_str(),
                url,
            )?;
        }
        let found = execute!(
            tx,
            "UPDATE webhook_endpoints SET url = COALESCE($2, url),
                event_types = CASE WHEN $3 = 1 THEN $4 ELSE event_types END, updated_at = $5
            WHERE endpoint_id = $1 AND status <> 'deleted'",
            self.id.as_str(),
            url,
            i64::from(event_types.is_some()),
            stored_types(event_types.as_ref().and_then(Option::as_deref)),
            micros(self.at),
        )?;
        if found == 0 {
            return Ok(Verdict::Undo(false));
        }
        match enabled {
            None => {}
            Some(false) => {
                execute!(
                    tx,
                    "UPDATE webhook_endpoints SET status = 'disabled', resume_at = NULL
                    WHERE endpoint_id = $1 AND status IN ('enabled', 'paused')",
                    self.id.as_str(),
                )?;
            }
            Some(true) => {
                // What waited need not wait any longer. Of one that is enabled already nothing waits but for its turn.
                execute!(
                    tx,
                    "UPDATE deliveries SET next_attempt_at = $2 WHERE endpoint_id = $1 AND status = 'pending' AND next_attempt_at > $3
                    AND EXISTS (SELECT 1 FROM webhook_endpoints AS e WHERE e.endpoint_id = $1 AND e.status <> 'enabled')",
                    self.id.as_str(),
                    micros(self.at),
                    micros(unleased_beyond(self.at)),
                )?;
                execute!(
                    tx,
                    "UPDATE webhook_endpoints SET status = 'enabled', resume_at = NULL, failing_since = NULL WHERE endpoint_id = $1",
                    self.id.as_str(),
                )?;
            }
        }
        let is_other = url.is_some() || event_types.is_some();
        let enabled = enabled.map(|enabled| {
            if enabled {
                Act::EndpointEnabled
            } else {
                Act::EndpointDisabled
            }
        });
        for act in is_other
            .then_some(Act::EndpointChanged)
            .into_iter()
            .chain(enabled)
        {
            let url = url.as_deref().filter(|_| act == Act::EndpointChanged);
            let entry = Entry::of_endpoint(self.at, &self.by, act, &self.id, url);
            audit::append(tx, &entry).await?;
        }
        Ok(Verdict::Keep(true))
    }

    fn makes_work(&self) -> bool {
        true
    }
}

/// Whatever is due later than this nobody holds: a lease ends before, though it was taken while this change waited for its turn, and by
/// a server whose clock is ahead by what is left of the margin. What is held is not made due, or it would be sent twice.
pub(super) fn unleased_beyond(now: Timestamp) -> Timestamp {
    now.checked_add(LEASE + LEASE_MARGIN).unwrap_or(now)
}

pub(super) struct RotateSecret {
    pub(super) id: EndpointId,
    pub(super) rotation: Rotation,
    pub(super) by: Actor,
    pub(super) at: Timestamp,
}

#[async_trait]
impl Change for RotateSecret {
    type Answer = Rotated;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Rotated>, Failure> {
        let Rotation {
            secret,
            seen,
            previous_until,
        } = &self.rotation;
        // No time of ours is 0.
        let written = execute!(
            tx,
            "UPDATE webhook_endpoints SET
                previous_secret = CASE WHEN previous_valid_until > $4 THEN previous_secret ELSE secret END,
                previous_valid_until = $3, secret = $2, updated_at = $4
            WHERE endpoint_id = $1 AND status <> 'deleted' AND COALESCE(previous_valid_until, 0) = $5",
            self.id.as_str(),
            secret.expose_secret(),
            micros(*previous_until),
            micros(self.at),
            seen.map_or(0, micros),
        )?;
        if written == 0 {
            let there: Option<(String,)> = fetch_optional!(
                tx,
                "SELECT endpoint_id FROM webhook_endpoints WHERE endpoint_id = $1 AND status <> 'deleted'",
                self.id.as_str(),
            )?;
            return Ok(Verdict::Undo(match there {
                None => Rotated::NotFound,
                Some(_) => Rotated::Before,
            }));
        }
        let act = Act::EndpointRotated;
        let entry = Entry::of_endpoint(self.at, &self.by, act, &self.id, None);
        audit::append(tx, &entry).await?;
        Ok(Verdict::Keep(Rotated::Done))
    }
}

/// Says whether there was such an endpoint.
pub(super) struct DeleteEndpoint {
    pub(super) id: EndpointId,
    pub(super) by: Actor,
    pub(super) at: Timestamp,
}

#[async_trait]
impl Change for DeleteEndpoint {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        // Events that are being written for it are waited for, and are given up with the others.
        let lock = tx.text(
            "SELECT endpoint_id FROM webhook_endpoints WHERE endpoint_id = $1",
            "SELECT endpoint_id FROM webhook_endpoints WHERE endpoint_id = $1 FOR UPDATE",
        );
        let _locked: Option<(String,)> = fetch_optional!(tx, lock, self.id.as_str())?;
        let found = execute!(
            tx,
            "UPDATE webhook_endpoints SET status = 'deleted', secret = NULL, previous_secret = NULL, previous_valid_until = NULL,
                resume_at = NULL, updated_at = $2
            WHERE endpoint_id = $1 AND status <> 'deleted'",
            self.id.as_str(),
            micros(self.at),
        )?;
        if found == 0 {
            return Ok(Verdict::Undo(false));
        }
        execute!(
            tx,
            "UPDATE deliveries SET status = 'given_up', next_attempt_at = NULL, lease = lease + 1, updated_at = $2
            WHERE endpoint_id = $1 AND status = 'pending'",
            self.id.as_str(),
            micros(self.at),
        )?;
        let act = Act::EndpointDeleted;
        let entry = Entry::of_endpoint(self.at, &self.by, act, &self.id, None);
        audit::append(tx, &entry).await?;
        Ok(Verdict::Keep(true))
    }
}

#[derive(FromRow)]
struct StandingRow {
    status: String,
    failing_since: Option<i64>,
    resume_at: Option<i64>,
}

impl StandingRow {
    /// `None` for one that was deleted.
    fn into_domain(self) -> Result<Option<Standing>, Failure> {
        let endpoints = Table("webhook_endpoints");
        let Some(status) = EndpointStatus::from_word(&self.status) else {
            return Ok(None);
        };
        Ok(Some(Standing {
            status,
            failing_since: endpoints.time_or_none("failing_since", self.failing_since)?,
            resume_at: endpoints.time_or_none("resume_at", self.resume_at)?,
        }))
    }
}

/// Writes what an attempt at this address says about its endpoint; returns how it stood and how it stands, when that differs. Most attempts change
/// nothing, and those do not wait for each other.
pub(super) async fn note_news(
    tx: &mut Tx,
    id: &EndpointId,
    url: &str,
    news: News,
    at: Timestamp,
) -> Result<Option<(Standing, Standing)>, Failure> {
    let unlocked = "SELECT status, failing_since, resume_at FROM webhook_endpoints WHERE endpoint_id = $1 AND url = $2";
    let seen = standing(tx, unlocked, id, url).await?;
    if seen.is_none_or(|seen| seen.after(news, at) == seen) {
        return Ok(None);
    }
    let locked = tx.text(
        unlocked,
        "SELECT status, failing_since, resume_at FROM webhook_endpoints WHERE endpoint_id = $1 AND url = $2 FOR NO KEY UPDATE",
    );
    let Some(before) = standing(tx, locked, id, url).await? else {
        return Ok(None);
    };
    let after = before.after(news, at);
    if after == before {
        return Ok(None);
    }
    execute!(
        tx,
        "UPDATE webhook_endpoints SET status = $2, failing_since = $3, resume_at = $4 WHERE endpoint_id = $1",
        id.as_str(),
        after.status.as_str(),
        after.failing_since.map(micros),
        after.resume_at.map(micros),
    )?;
    Ok(Some((before, after)))
}

async fn standing(
    tx: &mut Tx,
    sql: &'static str,
    id: &EndpointId,
    url: &str,
) -> Result<Option<Standing>, Failure> {
    let row: Option<StandingRow> = fetch_optional!(tx, sql, id.as_str(), url)?;
    Ok(row.map(StandingRow::into_domain).transpose()?.flatten())
}
