//! Who may come in: people with sessions, shops with keys.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::query::{Failure, execute, fetch_all, fetch_optional, retried};
use super::rows::micros;
use super::write::{Change, Verdict};
use super::{Database, Tx};
use crate::ports::store::{AccessStore, ApiKey, StoreError, User};

/// How exact "last seen" is: a page view writes at most this often.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);

#[derive(FromRow)]
struct UserRow {
    id: i64,
    email: String,
    password_hash: String,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id,
            email: row.email,
            password_hash: row.password_hash,
        }
    }
}

/// A session's person, and whether it is time to note that the session was seen.
#[derive(FromRow)]
struct SessionRow {
    seen_at: i64,
    #[sqlx(flatten)]
    user: UserRow,
}

#[async_trait]
impl AccessStore for Database {
    async fn put_user(
        &self,
        email: &str,
        password_hash: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(PutUser {
            email: email.to_owned(),
            password_hash: password_hash.to_owned(),
            at,
        })
        .await
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let found: Option<UserRow> = fetch_optional!(
                &mut conn,
                "SELECT id, email, password_hash FROM users WHERE email = $1",
                email
            )?;
            Ok(found.map(User::from))
        })
        .await
    }

    async fn put_api_key(
        &self,
        name: &str,
        hash: &[u8; 32],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(PutApiKey {
            name: name.to_owned(),
            hash: *hash,
            at,
        })
        .await
    }

    async fn find_api_key(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let found: Option<(String,)> = fetch_optional!(
                &mut conn,
                "SELECT name FROM api_keys WHERE key_hash = $1",
                hash.as_slice()
            )?;
            Ok(found.map(|(name,)| ApiKey { name }))
        })
        .await
    }

    async fn put_session(
        &self,
        hash: &[u8; 32],
        user_id: i64,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(PutSession {
            hash: *hash,
            user_id,
            at,
            expires_at,
        })
        .await
    }

    async fn find_session(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        let found = retried(|| self.try_find_session(hash, now, idle_since)).await?;
        let Some(SessionRow { seen_at, user }) = found else {
            return Ok(None);
        };
        let seen_long_ago = now.saturating_sub(SEEN_EVERY).unwrap_or(now);
        if seen_at <= micros(seen_long_ago) {
            self.write(SeeSession {
                hash: *hash,
                now,
                seen_long_ago,
            })
            .await?;
        }
        Ok(Some(user.into()))
    }

    async fn delete_session(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        self.write(DeleteSession { hash: *hash }).await
    }

    async fn purge_sessions(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(PurgeSessions { now }).await
    }
}

impl Database {
    async fn try_find_session(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Option<SessionRow>, Failure> {
        let mut conn = self.reader().await?;
        Ok(fetch_optional!(
            &mut conn,
            "SELECT sessions.seen_at, users.id, users.email, users.password_hash FROM sessions JOIN users ON users.id = sessions.user_id
            WHERE sessions.token_hash = $1 AND sessions.expires_at > $2 AND sessions.seen_at >= $3",
            hash.as_slice(),
            micros(now),
            micros(idle_since),
        )?)
    }
}

/// A new password ends the person's sessions: whoever knew the old one is out.
struct PutUser {
    email: String,
    password_hash: String,
    at: Timestamp,
}

#[async_trait]
impl Change for PutUser {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        let rows: Vec<(i64,)> = fetch_all!(
            tx,
            "INSERT INTO users (email, password_hash, created_at, updated_at) VALUES ($1, $2, $3, $3)
            ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash, updated_at = excluded.updated_at RETURNING id",
            &self.email,
            &self.password_hash,
            micros(self.at),
        )?;
        for (user_id,) in rows {
            execute!(tx, "DELETE FROM sessions WHERE user_id = $1", user_id)?;
        }
        Ok(Verdict::Keep(()))
    }
}

/// The same key again only renames it.
struct PutApiKey {
    name: String,
    hash: [u8; 32],
    at: Timestamp,
}

#[async_trait]
impl Change for PutApiKey {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        execute!(
            tx,
            "INSERT INTO api_keys (key_hash, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (key_hash) DO UPDATE SET name = excluded.name",
            self.hash.as_slice(),
            &self.name,
            micros(self.at),
        )?;
        Ok(Verdict::Keep(()))
    }
}

struct PutSession {
    hash: [u8; 32],
    user_id: i64,
    at: Timestamp,
    expires_at: Timestamp,
}

#[async_trait]
impl Change for PutSession {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        execute!(
            tx,
            "INSERT INTO sessions (token_hash, user_id, created_at, expires_at, seen_at) VALUES ($1, $2, $3, $4, $3)",
            self.hash.as_slice(),
            self.user_id,
            micros(self.at),
            micros(self.expires_at),
        )?;
        Ok(Verdict::Keep(()))
    }
}

struct SeeSession {
    hash: [u8; 32],
    now: Timestamp,
    seen_long_ago: Timestamp,
}

#[async_trait]
impl Change for SeeSession {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        // Only forward, and once when several pages load at the same time.
        execute!(
            tx,
            "UPDATE sessions SET seen_at = $2 WHERE token_hash = $1 AND seen_at <= $3",
            self.hash.as_slice(),
            micros(self.now),
            micros(self.seen_long_ago),
        )?;
        Ok(Verdict::Keep(()))
    }
}

struct DeleteSession {
    hash: [u8; 32],
}

#[async_trait]
impl Change for DeleteSession {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        execute!(
            tx,
            "DELETE FROM sessions WHERE token_hash = $1",
            self.hash.as_slice()
        )?;
        Ok(Verdict::Keep(()))
    }
}

struct PurgeSessions {
    now: Timestamp,
}

#[async_trait]
impl Change for PurgeSessions {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        execute!(
            tx,
            "DELETE FROM sessions WHERE expires_at <= $1",
            micros(self.now)
        )?;
        Ok(Verdict::Keep(()))
    }
}
