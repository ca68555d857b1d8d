//! Who may come in: people with sessions, shops with keys.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::query::{Failure, execute, fetch_all, fetch_optional, retried};
use super::rows::{Table, micros};
use super::write::{Change, Verdict};
use super::{Database, Tx, audit};
use crate::domain::access::Role;
use crate::domain::audit::{Act, Entry};
use crate::domain::history::Actor;
use crate::domain::one_time_code::CodeSecret;
use crate::ports::store::{
    AccessStore, ApiKey, KeptKey, KeyRoom, NewApiKey, NewUser, Opening, Person, SecondFactor,
    StoreError, User, UserChange, UserChanged,
};

/// How exact "last seen" is: a page view writes at most this often.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How exact a key's "last used" is.
const USED_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Bytes of a key's hash that name it.
const KEY_ID_BYTES: usize = 8;

const USERS: Table = Table("users");
const API_KEYS: Table = Table("api_keys");

#[derive(FromRow)]
struct UserRow {
    id: i64,
    email: String,
    password_hash: String,
    role: String,
    password_until: Option<i64>,
    code_secret: Option<String>,
    code_step: Option<i64>,
    recovery_left: i64,
}

/// Every column of a user that signs in.
macro_rules! user_columns {
    () => {
        "users.id, users.email, users.password_hash, users.role, users.password_until, users.code_secret, users.code_step, \
         (SELECT COUNT(*) FROM recovery_codes WHERE recovery_codes.user_id = users.id) AS recovery_left"
    };
}

/// The owners who can be counted on: a password that was handed over may never be used.
macro_rules! owners {
    ($end:literal) => {
        concat!(
            "SELECT id FROM users WHERE role = 'owner' AND disabled_at IS NULL AND password_until IS NULL ",
            $end
        )
    };
}

/// Adds a row for who signs in, while the password is the one that was given.
macro_rules! insert_for_password {
    ($columns:literal, $values:literal, $end:literal) => {
        concat!(
            "INSERT INTO ",
            $columns,
            " SELECT ",
            $values,
            " FROM users WHERE id = $2 AND password_hash = $3 AND disabled_at IS NULL",
            $end
        )
    };
}

impl UserRow {
    fn into_domain(self) -> Result<User, Failure> {
        Ok(User {
            id: self.id,
            email: self.email,
            password_hash: self.password_hash,
            role: USERS.read("role", Role::from_word(&self.role))?,
            password_until: USERS.time_or_none("password_until", self.password_until)?,
            second_factor: self
                .code_secret
                .map(|secret| {
                    Ok::<_, Failure>(SecondFactor {
                        secret: USERS.read("code_secret", CodeSecret::from_base32(&secret))?,
                        used_step: self.code_step,
                        recovery_left: self.recovery_left,
                    })
                })
                .transpose()?,
        })
    }
}

#[derive(FromRow)]
struct PersonRow {
    id: i64,
    email: String,
    role: String,
    disabled_at: Option<i64>,
    password_until: Option<i64>,
    created_at: i64,
    seen_at: Option<i64>,
    code_secret: Option<String>,
}

impl PersonRow {
    fn into_domain(self) -> Result<Person, Failure> {
        Ok(Person {
            id: self.id,
            email: self.email,
            role: USERS.read("role", Role::from_word(&self.role))?,
            disabled_at: USERS.time_or_none("disabled_at", self.disabled_at)?,
            password_until: USERS.time_or_none("password_until", self.password_until)?,
            created_at: USERS.time("created_at", self.created_at)?,
            seen_at: USERS.time_or_none("seen_at", self.seen_at)?,
            has_second_factor: self.code_secret.is_some(),
        })
    }
}

#[derive(FromRow)]
struct KeyRow {
    key_hash: Vec<u8>,
    name: String,
    hint: Option<String>,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl KeyRow {
    fn into_domain(self) -> Result<KeptKey, Failure> {
        let id = API_KEYS.read("key_hash", self.key_hash.first_chunk::<KEY_ID_BYTES>())?;
        Ok(KeptKey {
            id: format!("{:016x}", u64::from_be_bytes(*id)),
            name: self.name,
            hint: self.hint,
            created_at: API_KEYS.time("created_at", self.created_at)?,
            last_used_at: API_KEYS.time_or_none("last_used_at", self.last_used_at)?,
        })
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
        role: Option<Role>,
        at: Timestamp,
    ) -> Result<UserChanged, StoreError> {
        self.write(PutUser {
            email: email.to_owned(),
            password_hash: password_hash.to_owned(),
            role,
            at,
        })
        .await
    }

    async fn add_user(&self, new: &NewUser, by: &Actor, at: Timestamp) -> Result<bool, StoreError> {
        self.write(AddUser {
            new: new.clone(),
            by: by.clone(),
            at,
        })
        .await
    }

    async fn change_user(
        &self,
        id: i64,
        change: &UserChange,
        by: &Actor,
        at: Timestamp,
    ) -> Result<UserChanged, StoreError> {
        self.write(ChangeUser {
            id,
            change: change.clone(),
            by: by.clone(),
            at,
        })
        .await
    }

    async fn users(&self, now: Timestamp, limit: u32) -> Result<Vec<Person>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<PersonRow> = fetch_all!(
                &mut conn,
                "SELECT id, email, role, disabled_at, password_until, created_at, code_secret,
                    (SELECT MAX(seen_at) FROM sessions WHERE user_id = users.id AND expires_at > $1) AS seen_at
                FROM users ORDER BY email LIMIT $2",
                micros(now),
                i64::from(limit),
            )?;
            rows.into_iter().map(PersonRow::into_domain).collect()
        })
        .await
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let found: Option<UserRow> = fetch_optional!(
                &mut conn,
                concat!(
                    "SELECT ",
                    user_columns!(),
                    " FROM users WHERE email = $1 AND disabled_at IS NULL"
                ),
                email
            )?;
            found.map(UserRow::into_domain).transpose()
        })
        .await
    }

    async fn put_api_key(
        &self,
        new: &NewApiKey,
        room: KeyRoom,
        by: &Actor,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(PutApiKey {
            new: new.clone(),
            room,
            by: by.clone(),
            at,
        })
        .await
    }

    async fn api_keys(&self, limit: u32) -> Result<Vec<KeptKey>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<KeyRow> = fetch_all!(
                &mut conn,
                "SELECT key_hash, name, hint, created_at, last_used_at FROM api_keys ORDER BY created_at DESC, key_hash LIMIT $1",
                i64::from(limit),
            )?;
            rows.into_iter().map(KeyRow::into_domain).collect()
        })
        .await
    }

    async fn delete_api_key(
        &self,
        id: &str,
        by: &Actor,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let Ok(id) = u64::from_str_radix(id, 16) else {
            return Ok(false);
        };
        self.write(DeleteApiKey {
            id: id.to_be_bytes(),
            by: by.clone(),
            at,
        })
        .await
    }

    async fn find_api_key(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<ApiKey>, StoreError> {
        let found: Option<(String, Option<i64>)> = retried(|| async {
            let mut conn = self.reader().await?;
            Ok(fetch_optional!(
                &mut conn,
                "SELECT name, last_used_at FROM api_keys WHERE key_hash = $1",
                hash.as_slice()
            )?)
        })
        .await?;
        let Some((name, last_used_at)) = found else {
            return Ok(None);
        };
        let long_ago = now.saturating_sub(USED_EVERY).unwrap_or(now);
        if last_used_at.is_none_or(|at| at <= micros(long_ago)) {
            let noted = self
                .write(UseApiKey {
                    hash: *hash,
                    now,
                    long_ago,
                })
                .await;
            // Only a note: a shop is not refused for it.
            if let Err(error) = noted {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "when a key was used could not be noted"
                );
            }
        }
        Ok(Some(ApiKey { name }))
    }

    async fn put_session(
        &self,
        hash: &[u8; 32],
        user: &User,
        opening: Opening,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(PutSession {
            hash: *hash,
            user_id: user.id,
            email: user.email.clone(),
            password_hash: user.password_hash.clone(),
            has_second_factor: user.second_factor.is_some(),
            opening,
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
            let seen = SeeSession {
                hash: *hash,
                now,
                seen_long_ago,
            };
            // Only a note: whoever is signed in reads on while nothing can be written. The session ends the sooner for it.
            if let Err(error) = self.write(seen).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the use of a session could not be noted"
                );
            }
        }
        Ok(Some(user.into_domain()?))
    }

    async fn delete_session(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        self.write(DeleteSession { hash: *hash }).await
    }

    async fn put_half_sign_in(
        &self,
        hash: &[u8; 32],
        user: &User,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(PutHalfSignIn {
            hash: *hash,
            user_id: user.id,
            password_hash: user.password_hash.clone(),
            expires_at,
        })
        .await
    }

    async fn find_half_sign_in(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let found: Option<UserRow> = fetch_optional!(
                &mut conn,
                concat!(
                    "SELECT ",
                    user_columns!(),
                    " FROM half_sign_ins JOIN users ON users.id = half_sign_ins.user_id
                    WHERE half_sign_ins.token_hash = $1 AND half_sign_ins.expires_at > $2 AND users.disabled_at IS NULL"
                ),
                hash.as_slice(),
                micros(now),
            )?;
            found.map(UserRow::into_domain).transpose()
        })
        .await
    }

    async fn delete_half_sign_in(&self, hash: &[u8; 32]) -> Result<bool, StoreError> {
        self.write(DeleteHalfSignIn { hash: *hash }).await
    }

    async fn use_code(&self, user_id: i64, step: i64) -> Result<bool, StoreError> {
        self.write(UseCode { user_id, step }).await
    }

    async fn use_recovery_code(
        &self,
        user_id: i64,
        hash: &[u8; 32],
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(UseRecoveryCode {
            user_id,
            hash: *hash,
            at,
        })
        .await
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
            concat!(
                "SELECT sessions.seen_at, ",
                user_columns!(),
                " FROM sessions JOIN users ON users.id = sessions.user_id
                WHERE sessions.token_hash = $1 AND sessions.expires_at > $2 AND sessions.seen_at >= $3 AND users.disabled_at IS NULL"
            ),
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
    role: Option<Role>,
    at: Timestamp,
}

#[async_trait]
impl Change for PutUser {
    type Answer = UserChanged;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<UserChanged>, Failure> {
        let had_owner = lock_owners(tx).await?;
        let before: Option<(i64,)> =
            fetch_optional!(tx, "SELECT id FROM users WHERE email = $1", &self.email)?;
        let rows: Vec<(i64,)> = fetch_all!(
            tx,
            "INSERT INTO users (email, password_hash, role, created_at, updated_at) VALUES ($1, $2, $3, $5, $5)
            ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash, role = COALESCE($4, users.role),
                disabled_at = NULL, password_until = NULL, updated_at = excluded.updated_at
            RETURNING id",
            &self.email,
            &self.password_hash,
            self.role.unwrap_or(Role::Owner).as_str(),
            self.role.map(Role::as_str),
            micros(self.at),
        )?;
        for (user_id,) in rows {
            end_sessions(tx, user_id).await?;
        }
        if had_owner && !has_owner(tx).await? {
            return Ok(Verdict::Undo(UserChanged::LastOwner));
        }
        let act = if before.is_some() {
            Act::PasswordChanged
        } else {
            Act::UserAdded
        };
        let entry = Entry::new(self.at, &Actor::Command, act, &self.email);
        let role = match (before, self.role) {
            (Some(_), role) => role,
            (None, role) => Some(role.unwrap_or(Role::Owner)),
        };
        audit::append(tx, &with_role(entry, role)).await?;
        Ok(Verdict::Keep(UserChanged::Done))
    }
}

fn with_role(entry: Entry, role: Option<Role>) -> Entry {
    match role {
        Some(role) => entry.with(role.as_str()),
        None => entry,
    }
}

struct AddUser {
    new: NewUser,
    by: Actor,
    at: Timestamp,
}

#[async_trait]
impl Change for AddUser {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        let added = execute!(
            tx,
            "INSERT INTO users (email, password_hash, role, password_until, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)
            ON CONFLICT (email) DO NOTHING",
            &self.new.email,
            &self.new.password_hash,
            self.new.role.as_str(),
            self.new.password_until.map(micros),
            micros(self.at),
        )?;
        if added == 0 {
            return Ok(Verdict::Undo(false));
        }
        let entry = Entry::new(self.at, &self.by, Act::UserAdded, &self.new.email);
        audit::append(tx, &with_role(entry, Some(self.new.role))).await?;
        Ok(Verdict::Keep(true))
    }
}

/// What the audit log says of a change, and the role if it is one.
fn told(change: &UserChange) -> (Act, Option<Role>) {
    match change {
        UserChange::Role(role) => (Act::RoleChanged, Some(*role)),
        UserChange::Disable => (Act::UserDisabled, None),
        UserChange::Enable => (Act::UserEnabled, None),
        UserChange::Password { until: None, .. } => (Act::PasswordChanged, None),
        UserChange::Password { until: Some(_), .. } => (Act::PasswordHanded, None),
        UserChange::SignOut => (Act::SignedOut, None),
        UserChange::SecondFactor { .. } => (Act::FactorOn, None),
        UserChange::RecoveryCodes(_) => (Act::NewRecoveryCodes, None),
        UserChange::DropSecondFactor => (Act::FactorOff, None),
    }
}

struct ChangeUser {
    id: i64,
    change: UserChange,
    by: Actor,
    at: Timestamp,
}

#[async_trait]
impl Change for ChangeUser {
    type Answer = UserChanged;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<UserChanged>, Failure> {
        let had_owner = lock_owners(tx).await?;
        let (id, at) = (self.id, micros(self.at));
        let changed = match &self.change {
            UserChange::Role(role) => execute!(
                tx,
                "UPDATE users SET role = $2, updated_at = $3 WHERE id = $1",
                id,
                role.as_str(),
                at
            )?,
            UserChange::Disable => execute!(
                tx,
                "UPDATE users SET disabled_at = COALESCE(disabled_at, $2), updated_at = $2 WHERE id = $1",
                id,
                at
            )?,
            UserChange::Enable => execute!(
                tx,
                "UPDATE users SET disabled_at = NULL, updated_at = $2 WHERE id = $1",
                id,
                at
            )?,
            UserChange::Password {
                hash,
                before,
                until,
            } => execute!(
                tx,
                "UPDATE users SET password_hash = $2, password_until = $3, updated_at = $4 WHERE id = $1 AND password_hash = COALESCE($5, password_hash)",
                id,
                hash,
                until.map(micros),
                at,
                before.as_deref()
            )?,
            UserChange::SecondFactor { secret, step, .. } => execute!(
                tx,
                "UPDATE users SET code_secret = $2, code_step = $3, updated_at = $4 WHERE id = $1 AND code_secret IS NULL",
                id,
                secret.to_base32(),
                *step,
                at
            )?,
            UserChange::RecoveryCodes(_) => execute!(
                tx,
                "UPDATE users SET updated_at = $2 WHERE id = $1 AND code_secret IS NOT NULL",
                id,
                at
            )?,
            UserChange::DropSecondFactor => execute!(
                tx,
                "UPDATE users SET code_secret = NULL, code_step = NULL, updated_at = $2 WHERE id = $1",
                id,
                at
            )?,
            UserChange::SignOut => {
                execute!(tx, "UPDATE users SET updated_at = $2 WHERE id = $1", id, at)?
            }
        };
        if changed == 0 {
            return Ok(Verdict::Undo(UserChanged::NotFound));
        }
        match self.change {
            // Who was let in again had no sessions; who was in all along keeps them.
            UserChange::Role(_) | UserChange::RecoveryCodes(_) | UserChange::Enable => {}
            UserChange::Disable
            | UserChange::Password { .. }
            | UserChange::SecondFactor { .. }
            | UserChange::DropSecondFactor
            | UserChange::SignOut => end_sessions(tx, id).await?,
        }
        match &self.change {
            UserChange::SecondFactor { recovery, .. } | UserChange::RecoveryCodes(recovery) => {
                put_recovery_codes(tx, id, recovery).await?;
            }
            UserChange::DropSecondFactor => put_recovery_codes(tx, id, &[]).await?,
            UserChange::Role(_)
            | UserChange::Disable
            | UserChange::Enable
            | UserChange::Password { .. }
            | UserChange::SignOut => {}
        }
        if had_owner && !has_owner(tx).await? {
            return Ok(Verdict::Undo(UserChanged::LastOwner));
        }
        let (act, role) = told(&self.change);
        let entry = Entry::new(self.at, &self.by, act, &email_of(tx, id).await?);
        audit::append(tx, &with_role(entry, role)).await?;
        Ok(Verdict::Keep(UserChanged::Done))
    }
}

async fn email_of(tx: &mut Tx, user_id: i64) -> Result<String, Failure> {
    let found: Option<(String,)> =
        fetch_optional!(tx, "SELECT email FROM users WHERE id = $1", user_id)?;
    let (email,) = found.ok_or(sqlx::Error::RowNotFound)?;
    Ok(email)
}

/// Whether there are owners who can be counted on. Two who demote each other at the same time do it one after the other; SQLite
/// has one writer anyway.
async fn lock_owners(tx: &mut Tx) -> Result<bool, Failure> {
    let sql = tx.text(owners!("ORDER BY id"), owners!("ORDER BY id FOR UPDATE"));
    let locked: Vec<(i64,)> = fetch_all!(tx, sql)?;
    Ok(!locked.is_empty())
}

async fn has_owner(tx: &mut Tx) -> Result<bool, Failure> {
    let found: Option<(i64,)> = fetch_optional!(tx, owners!("LIMIT 1"))?;
    Ok(found.is_some())
}

async fn end_sessions(tx: &mut Tx, user_id: i64) -> Result<(), Failure> {
    execute!(tx, "DELETE FROM sessions WHERE user_id = $1", user_id)?;
    execute!(tx, "DELETE FROM half_sign_ins WHERE user_id = $1", user_id)?;
    Ok(())
}

/// In the place of those that were there.
async fn put_recovery_codes(tx: &mut Tx, user_id: i64, codes: &[[u8; 32]]) -> Result<(), Failure> {
    execute!(tx, "DELETE FROM recovery_codes WHERE user_id = $1", user_id)?;
    for code in codes {
        execute!(
            tx,
            "INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)",
            user_id,
            code.as_slice()
        )?;
    }
    Ok(())
}

/// Like a session, only while the password is the one that was given. A change of it waits until this is written, or is there
/// before: PostgreSQL looks at the row anew after it waited for it, SQLite has one writer.
struct PutHalfSignIn {
    hash: [u8; 32],
    user_id: i64,
    password_hash: String,
    expires_at: Timestamp,
}

#[async_trait]
impl Change for PutHalfSignIn {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        let sql = tx.text(
            insert_for_password!(
                "half_sign_ins (token_hash, user_id, expires_at)",
                "$1, id, $4",
                ""
            ),
            insert_for_password!(
                "half_sign_ins (token_hash, user_id, expires_at)",
                "$1, id, $4",
                " FOR SHARE"
            ),
        );
        let put = execute!(
            tx,
            sql,
            self.hash.as_slice(),
            self.user_id,
            &self.password_hash,
            micros(self.expires_at),
        )?;
        Ok(Verdict::Keep(put == 1))
    }
}

struct DeleteHalfSignIn {
    hash: [u8; 32],
}

#[async_trait]
impl Change for DeleteHalfSignIn {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        let deleted = execute!(
            tx,
            "DELETE FROM half_sign_ins WHERE token_hash = $1",
            self.hash.as_slice()
        )?;
        Ok(Verdict::Keep(deleted == 1))
    }
}

struct UseCode {
    user_id: i64,
    step: i64,
}

#[async_trait]
impl Change for UseCode {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        // Of two who bring the same code at the same time, one is too late.
        let used = execute!(
            tx,
            "UPDATE users SET code_step = $2 WHERE id = $1 AND code_secret IS NOT NULL AND (code_step IS NULL OR code_step < $2)",
            self.user_id,
            self.step,
        )?;
        Ok(Verdict::Keep(used == 1))
    }
}

struct UseRecoveryCode {
    user_id: i64,
    hash: [u8; 32],
    at: Timestamp,
}

#[async_trait]
impl Change for UseRecoveryCode {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        let used = execute!(
            tx,
            "DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2",
            self.user_id,
            self.hash.as_slice(),
        )?;
        if used == 0 {
            return Ok(Verdict::Undo(false));
        }
        let email = email_of(tx, self.user_id).await?;
        let by = Actor::Staff(email.clone());
        let entry = Entry::new(self.at, &by, Act::RecoveryCodeUsed, &email);
        audit::append(tx, &entry).await?;
        Ok(Verdict::Keep(true))
    }
}

struct PutApiKey {
    new: NewApiKey,
    room: KeyRoom,
    by: Actor,
    at: Timestamp,
}

#[async_trait]
impl Change for PutApiKey {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        let NewApiKey { name, hash, hint } = &self.new;
        // Of two at the same time the second is to see the first; SQLite has one writer anyway.
        let wait = tx.text(
            "SELECT length($1)",
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        );
        execute!(tx, wait, "api_keys")?;
        let others: Vec<(String,)> = fetch_all!(
            tx,
            "SELECT name FROM api_keys WHERE key_hash <> $1 LIMIT $2",
            hash.as_slice(),
            i64::from(self.room.in_all)
        )?;
        let of_name = others.iter().filter(|(other,)| other == name).count();
        if others.len() >= self.room.in_all as usize || of_name >= self.room.of_name as usize {
            return Ok(Verdict::Undo(false));
        }
        let made = execute!(
            tx,
            "INSERT INTO api_keys (key_hash, name, hint, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (key_hash) DO NOTHING",
            hash.as_slice(),
            name,
            hint,
            micros(self.at),
        )?;
        if made == 1 {
            let entry = Entry::new(self.at, &self.by, Act::KeyMade, name);
            audit::append(tx, &entry.with(hint)).await?;
        }
        Ok(Verdict::Keep(true))
    }
}

struct DeleteApiKey {
    id: [u8; KEY_ID_BYTES],
    by: Actor,
    at: Timestamp,
}

#[async_trait]
impl Change for DeleteApiKey {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        let deleted: Vec<(String, Option<String>)> = fetch_all!(
            tx,
            "DELETE FROM api_keys WHERE substr(key_hash, 1, 8) = $1 RETURNING name, hint",
            self.id.as_slice()
        )?;
        if deleted.is_empty() {
            return Ok(Verdict::Undo(false));
        }
        for (name, hint) in deleted {
            let entry = Entry {
                detail: hint,
                ..Entry::new(self.at, &self.by, Act::KeyRevoked, &name)
            };
            audit::append(tx, &entry).await?;
        }
        Ok(Verdict::Keep(true))
    }
}

struct UseApiKey {
    hash: [u8; 32],
    now: Timestamp,
    long_ago: Timestamp,
}

#[async_trait]
impl Change for UseApiKey {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<()>, Failure> {
        // Once when several calls come at the same time.
        execute!(
            tx,
            "UPDATE api_keys SET last_used_at = $2 WHERE key_hash = $1 AND (last_used_at IS NULL OR last_used_at <= $3)",
            self.hash.as_slice(),
            micros(self.now),
            micros(self.long_ago),
        )?;
        Ok(Verdict::Keep(()))
    }
}

struct PutSession {
    hash: [u8; 32],
    user_id: i64,
    email: String,
    password_hash: String,
    has_second_factor: bool,
    opening: Opening,
    at: Timestamp,
    expires_at: Timestamp,
}

#[async_trait]
impl Change for PutSession {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<bool>, Failure> {
        let sql = tx.text(
            insert_for_password!(
                "sessions (token_hash, user_id, created_at, expires_at, seen_at)",
                "$1, id, $4, $5, $4",
                " AND ($6 IS NULL OR (code_secret IS NOT NULL) = $6)"
            ),
            insert_for_password!(
                "sessions (token_hash, user_id, created_at, expires_at, seen_at)",
                "$1, id, $4, $5, $4",
                " AND ($6 IS NULL OR (code_secret IS NOT NULL) = $6) FOR SHARE"
            ),
        );
        // A sign-in that was under way when the second factor was turned on has given no code. Whoever changes the factor has, and
        // comes in again as the person was before.
        let has_second_factor = match self.opening {
            Opening::SignIn => Some(self.has_second_factor),
            Opening::Again => None,
        };
        let put = execute!(
            tx,
            sql,
            self.hash.as_slice(),
            self.user_id,
            &self.password_hash,
            micros(self.at),
            micros(self.expires_at),
            has_second_factor,
        )?;
        if put == 0 {
            return Ok(Verdict::Undo(false));
        }
        match self.opening {
            Opening::SignIn => {
                let by = Actor::Staff(self.email.clone());
                let entry = Entry::new(self.at, &by, Act::SignedIn, &self.email);
                audit::append(tx, &entry).await?;
            }
            Opening::Again => {}
        }
        Ok(Verdict::Keep(true))
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
        execute!(
            tx,
            "DELETE FROM half_sign_ins WHERE expires_at <= $1",
            micros(self.now)
        )?;
        Ok(Verdict::Keep(()))
    }
}
