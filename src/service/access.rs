//! Who may come in: people by password and session, shops by key.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Core, PASSWORD_WAIT};
use crate::ports::clock::within;
use crate::ports::entropy::draw;
use crate::ports::store::{ApiKey, StoreError, User};

/// A session ends after this long at the latest.
pub const SESSION_MAX: SignedDuration = SignedDuration::from_hours(12);
/// A session that was not used for this long is over.
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_mins(30);
/// Shortest password for a new user.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Longest password that is hashed at all, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Longest e-mail address, in bytes (RFC 5321, 4.5.3.1.3).
pub const EMAIL_BYTES_MAX: usize = 254;
/// How every key begins, so that people and scanners know one when they see it.
const KEY_PREFIX: &str = "wr_";
/// A hash that no password opens, so that an unknown user costs as much time as a known one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObGg3yuPRAgA0U";

/// Why nobody came in, or nobody was added.
#[derive(Debug, Error)]
pub enum AccessError {
    /// Wrong address or password; the same for both.
    #[error("the e-mail address or the password is wrong")]
    Refused,
    /// Too many sign-ins at once.
    #[error("too many sign-ins at once")]
    Busy,
    /// Not an e-mail address.
    #[error("this is no e-mail address")]
    Email,
    /// Too short or too long.
    #[error(
        "a password has {PASSWORD_CHARS_MIN} characters at least and {PASSWORD_BYTES_MAX} bytes at most"
    )]
    Password,
    /// The hash function failed.
    #[error("the password could not be hashed")]
    Hash,
    /// The store failed.
    #[error("access data could not be read or written")]
    Store(#[from] StoreError),
}

/// A session's token as the cookie carries it.
pub struct SessionToken(SecretString);

impl SessionToken {
    /// The cookie's value.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Signs a person in and opens a fresh session.
///
/// # Errors
/// [`AccessError::Refused`] for an unknown address as for a wrong password, after the same work.
pub async fn sign_in(
    core: &Core,
    email: &str,
    password: SecretString,
) -> Result<SessionToken, AccessError> {
    let found = core
        .access
        .find_user(&email.trim().to_lowercase().replace(char::is_control, ""))
        .await?;
    let hash = found
        .as_ref()
        .map_or_else(|| NOBODY.to_owned(), |user| user.password_hash.clone());
    let turn = Arc::clone(&core.password_hashes).acquire_owned();
    let permit = within(core.clock.as_ref(), PASSWORD_WAIT, turn)
        .await
        .ok_or(AccessError::Busy)?
        .map_err(|_| AccessError::Busy)?;
    let right = tokio::task::spawn_blocking(move || {
        // Held by the work itself: a visitor who leaves must not free the place of a hash that still runs.
        let _permit = permit;
        matches(&password, &hash)
    })
    .await
    .map_err(|_| AccessError::Hash)?;
    let user = found.filter(|_| right).ok_or(AccessError::Refused)?;

    let token = token(core);
    let now = core.clock.now();
    core.access
        .put_session(
            &digest(&token),
            user.id,
            now,
            now.checked_add(SESSION_MAX).unwrap_or(now),
        )
        .await?;
    Ok(SessionToken(SecretString::from(token)))
}

/// The person of a session.
///
/// # Errors
/// [`StoreError`] when sessions cannot be read.
pub async fn person(core: &Core, token: &str) -> Result<Option<User>, StoreError> {
    let now = core.clock.now();
    core.access
        .find_session(
            &digest(token),
            now,
            now.checked_sub(SESSION_IDLE).unwrap_or(now),
        )
        .await
}

/// Ends a session.
///
/// # Errors
/// [`StoreError`] when it could not be ended.
pub async fn sign_out(core: &Core, token: &str) -> Result<(), StoreError> {
    core.access.delete_session(&digest(token)).await
}

/// Adds a person, or changes the password of one who is there, which ends that person's sessions.
///
/// # Errors
/// [`AccessError`] for an address or a password that cannot be, or a store that fails.
pub async fn put_user(core: &Core, email: &str, password: SecretString) -> Result<(), AccessError> {
    let email = email.trim().to_lowercase();
    let well_formed = email.len() <= EMAIL_BYTES_MAX
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && host.contains('.') && !host.contains('@')
        });
    if !well_formed {
        return Err(AccessError::Email);
    }
    let text = password.expose_secret();
    if text.chars().count() < PASSWORD_CHARS_MIN || text.len() > PASSWORD_BYTES_MAX {
        return Err(AccessError::Password);
    }
    let salt: [u8; 16] = draw(core.entropy.as_ref());
    let hash = tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
            .map(|hash| hash.to_string())
    })
    .await
    .map_err(|_| AccessError::Hash)?
    .map_err(|_| AccessError::Hash)?;
    core.access
        .put_user(&email, &hash, core.clock.now())
        .await?;
    Ok(())
}

/// Makes a key for a shop's server. It is shown this once.
///
/// # Errors
/// [`StoreError`] when it could not be written.
pub async fn make_api_key(core: &Core, name: &str) -> Result<SecretString, StoreError> {
    let key = format!("{KEY_PREFIX}{}", token(core));
    core.access
        .put_api_key(name, &digest(&key), core.clock.now())
        .await?;
    Ok(SecretString::from(key))
}

/// The key that a request carries.
///
/// # Errors
/// [`StoreError`] when keys cannot be read.
pub async fn api_key(core: &Core, key: &str) -> Result<Option<ApiKey>, StoreError> {
    if !key.starts_with(KEY_PREFIX) {
        return Ok(None);
    }
    core.access.find_api_key(&digest(key)).await
}

fn matches(password: &SecretString, hash: &str) -> bool {
    let password = password.expose_secret().as_bytes();
    password.len() <= PASSWORD_BYTES_MAX
        && PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

/// 256 random bits: guessing is hopeless, so a plain digest in the store is enough.
fn token(core: &Core) -> String {
    URL_SAFE_NO_PAD.encode(draw::<32>(core.entropy.as_ref()))
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
