//! Who may come in: people with sessions, shops with keys.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::query::{Failure, execute, fetch_all, fetch_optional, retried};
use super::rows::micros;
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
        retried(|| async {
            let mut tx = self.begin_write().await?;
            write_user(&mut tx, email, password_hash, at).await?;
            tx.commit().await
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

    /// The same key again only renames it.
    async fn put_api_key(
        &self,
        name: &str,
        hash: &[u8; 32],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        retried(|| async {
            let mut conn = self.writer().await?;
            execute!(
                &mut conn,
                "INSERT INTO api_keys (key_hash, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (key_hash) DO UPDATE SET name = excluded.name",
                hash.as_slice(),
                name,
                micros(at),
            )?;
            Ok(())
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
        retried(|| async {
            let mut conn = self.writer().await?;
            execute!(
                &mut conn,
                "INSERT INTO sessions (token_hash, user_id, created_at, expires_at, seen_at) VALUES ($1, $2, $3, $4, $3)",
                hash.as_slice(),
                user_id,
                micros(at),
                micros(expires_at),
            )?;
            Ok(())
        })
        .await
    }

    async fn find_session(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        retried(|| self.try_find_session(hash, now, idle_since)).await
    }

    async fn delete_session(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        retried(|| async {
            let mut conn = self.writer().await?;
            execute!(
                &mut conn,
                "DELETE FROM sessions WHERE token_hash = $1",
                hash.as_slice()
            )?;
            Ok(())
        })
        .await
    }

    async fn purge_sessions(&self, now: Timestamp) -> Result<(), StoreError> {
        retried(|| async {
            let mut conn = self.writer().await?;
            execute!(
                &mut conn,
                "DELETE FROM sessions WHERE expires_at <= $1",
                micros(now)
            )?;
            Ok(())
        })
        .await
    }
}

impl Database {
    async fn try_find_session(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Option<User>, Failure> {
        let mut conn = self.reader().await?;
        let found: Option<SessionRow> = fetch_optional!(
            &mut conn,
            "SELECT sessions.seen_at, users.id, users.email, users.password_hash FROM sessions JOIN users ON users.id = sessions.user_id
            WHERE sessions.token_hash = $1 AND sessions.expires_at > $2 AND sessions.seen_at >= $3",
            hash.as_slice(),
            micros(now),
            micros(idle_since),
        )?;
        // Given back first: holding one connection while waiting for another can starve a pool.
        drop(conn);
        let Some(SessionRow { seen_at, user }) = found else {
            return Ok(None);
        };
        let seen_long_ago = micros(now.saturating_sub(SEEN_EVERY).unwrap_or(now));
        if seen_at <= seen_long_ago {
            let mut conn = self.writer().await?;
            // Only forward, and once when several pages load at the same time.
            execute!(
                &mut conn,
                "UPDATE sessions SET seen_at = $2 WHERE token_hash = $1 AND seen_at <= $3",
                hash.as_slice(),
                micros(now),
                seen_long_ago,
            )?;
        }
        Ok(Some(user.into()))
    }
}

/// A new password ends the person's sessions: whoever knew the old one is out.
async fn write_user(
    tx: &mut Tx,
    email: &str,
    password_hash: &str,
    at: Timestamp,
) -> Result<(), Failure> {
    let rows: Vec<(i64,)> = fetch_all!(
        tx,
        "INSERT INTO users (email, password_hash, created_at, updated_at) VALUES ($1, $2, $3, $3)
        ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash, updated_at = excluded.updated_at RETURNING id",
        email,
        password_hash,
        micros(at),
    )?;
    for (user_id,) in rows {
        execute!(tx, "DELETE FROM sessions WHERE user_id = $1", user_id)?;
    }
    Ok(())
}
