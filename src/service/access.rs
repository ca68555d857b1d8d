//! Who may come in: people by password and session, shops by key.

mod door;
pub mod factor;

use std::net::IpAddr;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Core, PASSWORD_WAIT};
use crate::domain::access::Role;
use crate::domain::audit::Act;
use crate::domain::history::Actor;
use crate::ports::audit::Mistake;
use crate::ports::clock::within;
use crate::ports::entropy::draw;
use crate::ports::store::{
    ApiKey, KeyRoom, NewApiKey, NewUser, Opening, StoreError, User, UserChange, UserChanged,
};

pub(crate) use door::Door;
use door::Key;

/// A session ends after this long at the latest.
pub const SESSION_MAX: SignedDuration = SignedDuration::from_hours(12);
/// A session that was not used for this long is over.
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_mins(30);
/// Shortest password for a new user.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// How long a password counts that was made for somebody: time enough to hand it over.
pub const HANDED_PASSWORD_LASTS: SignedDuration = SignedDuration::from_hours(72);
/// People in the list, and with it people at all.
pub const USERS_MAX: u32 = 500;
/// Keys of one name at once: the old one and the new one, while a shop changes over.
pub const KEYS_OF_NAME_MAX: u32 = 2;
/// Keys in the list, and with it keys at all: one that is not listed could not be revoked.
pub const KEYS_MAX: u32 = 200;
/// Longest name of a key, in characters.
pub const KEY_NAME_CHARS_MAX: usize = 60;
/// Characters of a key that its list shows.
const KEY_HINT_CHARS: usize = 9;
/// Random bytes of a password that is made for somebody.
const HANDED_PASSWORD_BYTES: usize = 12;
/// Longest password that is hashed at all, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Longest e-mail address, in bytes (RFC 5321, 4.5.3.1.3).
pub const EMAIL_BYTES_MAX: usize = 254;
/// How long a browser stays known.
pub const BROWSER_KNOWN: SignedDuration = SignedDuration::from_hours(180 * 24);
/// Bytes by which one known browser is told from another.
const BROWSER_NONCE_BYTES: usize = 16;
/// How every key begins, so that people and scanners know one when they see it.
const KEY_PREFIX: &str = "wr_";
/// A hash that no password opens, so that an unknown user costs as much time as a known one.
pub const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObGg3yuPRAgA0U";

/// Why nobody came in, or nobody was added.
#[derive(Debug, Error)]
pub enum AccessError {
    /// Wrong address or password; the same for both.
    #[error("the e-mail address or the password is wrong")]
    Refused,
    /// Too many sign-ins at once.
    #[error("too many sign-ins at once")]
    Busy,
    /// Too many wrong ones: the next one counts after this time.
    #[error("too many wrong sign-ins; the next one is looked at in {} seconds", .0.as_secs())]
    Wait(SignedDuration),
    /// Not an e-mail address.
    #[error("this is no e-mail address")]
    Email,
    /// Too short or too long.
    #[error(
        "a password has {PASSWORD_CHARS_MIN} characters at least and {PASSWORD_BYTES_MAX} bytes at most"
    )]
    Password,
    /// Somebody has this address.
    #[error("somebody has this address")]
    Exists,
    /// There are as many as there may be.
    #[error("there are as many as there may be")]
    TooMany,
    /// Not a key's name.
    #[error(
        "a key's name has 1 to {KEY_NAME_CHARS_MAX} characters, none of them control characters"
    )]
    Name,
    /// Nobody has this id.
    #[error("there is no such person")]
    NotFound,
    /// Nobody would be left who may do everything.
    #[error("one owner must be left who may sign in")]
    LastOwner,
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

/// Somebody who wants to come in.
pub struct SignIn<'a> {
    /// Address as it was typed.
    pub email: &'a str,
    /// Password.
    pub password: SecretString,
    /// Where the request comes from.
    pub source: IpAddr,
    /// What the browser keeps from an earlier sign-in.
    pub browser: Option<&'a str>,
}

/// What somebody gets who came in.
pub struct CameIn {
    /// The session.
    pub session: SessionToken,
    /// By this the browser is known the next time.
    pub browser: SessionToken,
}

/// How far a password leads.
pub enum Entered {
    /// In.
    In(CameIn),
    /// To the question for the code, which is answered with this token.
    CodeNeeded(SessionToken),
}

/// Signs a person in and opens a fresh session, or asks for the second factor.
///
/// Wrong passwords are counted by account and by where they come from, and cost growing waits. A browser that signed in to the
/// account before has a count of its own instead: whoever guesses at an account does not keep its owner out.
/// <https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies>
///
/// # Errors
/// [`AccessError::Refused`] for an unknown address as for a wrong password, after the same work and the same waits.
pub async fn sign_in(core: &Core, sign_in: SignIn<'_>) -> Result<Entered, AccessError> {
    let email = sign_in
        .email
        .trim()
        .to_lowercase()
        .replace(char::is_control, "");
    let found = core.access.find_user(&email).await?;
    let hash = found
        .as_ref()
        .map_or_else(|| NOBODY.to_owned(), |user| user.password_hash.clone());
    // Of nobody the hash is known to everybody, and so would be the proof.
    let known = found.as_ref().and_then(|user| {
        let browser = sign_in.browser?;
        known(browser, &email, &user.password_hash)
    });
    let (counted, keys) = match known {
        Some(nonce) => (Key::browser(&nonce), vec![Key::browser(&nonce)]),
        None => {
            let account = Key::account(&email);
            (account, vec![account, Key::source(sign_in.source)])
        }
    };
    core.door
        .enter(&keys, core.clock.now())
        .map_err(AccessError::Wait)?;
    let right = match is_right(core, sign_in.password, hash).await {
        Ok(right) => right,
        Err(error) => {
            core.door.take_back(&keys);
            return Err(error);
        }
    };
    let now = core.clock.now();
    let account = found.as_ref().map(|user| user.email.clone());
    // A password that was handed over and never replaced is worth nothing to who finds it later.
    let found = found.filter(|user| user.password_until.is_none_or(|until| now < until));
    let Some(user) = found.filter(|_| right) else {
        count_mistake(core, Act::WrongPassword, Actor::Stranger, account);
        return Err(AccessError::Refused);
    };
    core.door.take_back(&keys);
    // Not where it comes from: whoever has an account could guess at the others without end.
    core.door.forgive(&counted);

    if user.second_factor.is_some() {
        return Ok(Entered::CodeNeeded(factor::half_way(core, &user).await?));
    }
    Ok(Entered::In(
        open_session(core, &user, Opening::SignIn).await?,
    ))
}

/// Has a wrong password or code counted, and maybe written down. Nobody waits for it: an address that is somebody's is not to be
/// told from another by how long the answer takes.
fn count_mistake(core: &Core, act: Act, by: Actor, account: Option<String>) {
    let store = Arc::clone(&core.audit);
    let mistake = Mistake {
        at: core.clock.now(),
        by,
        act,
        account,
    };
    core.tasks.spawn(async move {
        if let Err(error) = store.count_mistake(&mistake).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a wrong password or code could not be counted in the audit log"
            );
        }
    });
}

/// Opens a session of a person whose password, as it was looked at, is still the password.
async fn open_session(core: &Core, user: &User, opening: Opening) -> Result<CameIn, AccessError> {
    let token = token(core);
    let now = core.clock.now();
    let until = now.checked_add(SESSION_MAX).unwrap_or(now);
    if !core
        .access
        .put_session(&digest(&token), user, opening, now, until)
        .await?
    {
        return Err(AccessError::Refused);
    }
    Ok(CameIn {
        session: SessionToken(SecretString::from(token)),
        browser: SessionToken(SecretString::from(browser_token(core, user))),
    })
}

/// Compares, when it is its turn.
async fn is_right(core: &Core, password: SecretString, hash: String) -> Result<bool, AccessError> {
    in_turn(core, move || matches(&password, &hash)).await
}

/// Hashing takes a core and much memory, so few do it at once, few wait for it, and nobody for long.
async fn in_turn<T: Send + 'static>(
    core: &Core,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AccessError> {
    let _place = core
        .password_places
        .try_acquire()
        .map_err(|_| AccessError::Busy)?;
    let turn = Arc::clone(&core.password_hashes).acquire_owned();
    let permit = within(core.clock.as_ref(), PASSWORD_WAIT, turn)
        .await
        .ok_or(AccessError::Busy)?
        .map_err(|_| AccessError::Busy)?;
    tokio::task::spawn_blocking(move || {
        // Held by the work itself: a visitor who leaves must not free the place of a hash that still runs.
        let _permit = permit;
        work()
    })
    .await
    .map_err(|_| AccessError::Hash)
}

/// What a browser keeps: a number, and a proof that it was given out for this account with this password. A new password makes
/// every browser a stranger, and nothing has to be remembered here.
fn browser_token(core: &Core, user: &User) -> String {
    let nonce: [u8; BROWSER_NONCE_BYTES] = draw(core.entropy.as_ref());
    let proof = proof(&nonce, &user.email, &user.password_hash).finalize();
    let bytes = [nonce.as_slice(), proof.into_bytes().as_slice()].concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The number of a browser that is known for the account.
fn known(browser: &str, email: &str, hash: &str) -> Option<[u8; BROWSER_NONCE_BYTES]> {
    let bytes = URL_SAFE_NO_PAD.decode(browser).ok()?;
    let (nonce, given) = bytes.split_first_chunk::<BROWSER_NONCE_BYTES>()?;
    proof(nonce, email, hash).verify_slice(given).ok()?;
    Some(*nonce)
}

/// The key is the stored hash with its salt: nobody outside knows it.
fn proof(nonce: &[u8], email: &str, hash: &str) -> Hmac<Sha256> {
    let mut key = [0; 64];
    key[..32].copy_from_slice(&digest(hash));
    let mut proof = <Hmac<Sha256> as KeyInit>::new(&key.into());
    proof.update(nonce);
    proof.update(email.as_bytes());
    proof
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

/// Adds a person, or changes the password of one who is there, which ends that person's sessions. For commands: who runs them
/// can do everything, so whoever is added is an owner unless a role is named, and one who was disabled is let in again.
///
/// # Errors
/// [`AccessError`] for an address or a password that cannot be, for the last owner's role, or a store that fails.
pub async fn put_user(
    core: &Core,
    email: &str,
    password: SecretString,
    role: Option<Role>,
) -> Result<(), AccessError> {
    let email = address(email)?;
    let hash = hashed(core, password).await?;
    let now = core.clock.now();
    done(core.access.put_user(&email, &hash, role, now).await?)
}

/// Adds a person, with a password that is to be replaced. It is shown this once.
///
/// # Errors
/// [`AccessError::Exists`], [`AccessError::TooMany`], or what keeps anybody from being added.
pub async fn add_user(
    core: &Core,
    email: &str,
    role: Role,
    by: &Actor,
) -> Result<SecretString, AccessError> {
    let email = address(email)?;
    let now = core.clock.now();
    if core.access.users(now, USERS_MAX).await?.len() >= USERS_MAX as usize {
        return Err(AccessError::TooMany);
    }
    let password = handed_password(core);
    let new = NewUser {
        email,
        password_hash: hashed(core, password.clone()).await?,
        role,
        password_until: now.checked_add(HANDED_PASSWORD_LASTS).ok(),
    };
    if core.access.add_user(&new, by, now).await? {
        Ok(password)
    } else {
        Err(AccessError::Exists)
    }
}

/// Gives a person another password, to be replaced, and ends the sessions. It is shown this once, with the person's address.
///
/// # Errors
/// [`AccessError::NotFound`], or a store that fails.
pub async fn hand_password(
    core: &Core,
    id: i64,
    by: &Actor,
) -> Result<(String, SecretString), AccessError> {
    let users = core.access.users(core.clock.now(), USERS_MAX).await?;
    let person = users.into_iter().find(|person| person.id == id);
    let email = person.ok_or(AccessError::NotFound)?.email;
    let user = core.access.find_user(&email).await?;
    let before = user.ok_or(AccessError::NotFound)?.password_hash;
    let password = handed_password(core);
    let change = UserChange::Password {
        hash: hashed(core, password.clone()).await?,
        before: Some(before),
        until: core.clock.now().checked_add(HANDED_PASSWORD_LASTS).ok(),
    };
    match change_user(core, id, &change, by).await {
        // Pressed twice: the one that was made meanwhile counts, and this one must not be shown.
        Err(AccessError::NotFound) => Err(AccessError::Busy),
        changed => changed.map(|()| (email, password)),
    }
}

/// Changes a person.
///
/// # Errors
/// [`AccessError::NotFound`], [`AccessError::LastOwner`], or a store that fails.
pub async fn change_user(
    core: &Core,
    id: i64,
    change: &UserChange,
    by: &Actor,
) -> Result<(), AccessError> {
    done(
        core.access
            .change_user(id, change, by, core.clock.now())
            .await?,
    )
}

/// A person chooses another password. Every session of the person ends, and a fresh one begins here.
///
/// # Errors
/// [`AccessError::Refused`] when the present password is another one, [`AccessError::Wait`] when it was wrong too often,
/// [`AccessError::Password`] for a new one that cannot be.
pub async fn change_password(
    core: &Core,
    email: &str,
    present: SecretString,
    new: SecretString,
) -> Result<CameIn, AccessError> {
    fits(&new)?;
    let user = core.access.find_user(email).await?;
    let mut user = user.ok_or(AccessError::NotFound)?;
    let keys = [Key::present_password(user.id)];
    core.door
        .enter(&keys, core.clock.now())
        .map_err(AccessError::Wait)?;
    match is_right(core, present, user.password_hash.clone()).await {
        Ok(true) => core.door.take_back(&keys),
        Ok(false) => {
            let by = Actor::Staff(user.email.clone());
            count_mistake(core, Act::WrongPresentPassword, by, Some(user.email));
            return Err(AccessError::Refused);
        }
        Err(error) => {
            core.door.take_back(&keys);
            return Err(error);
        }
    }
    let before = std::mem::replace(&mut user.password_hash, hashed(core, new).await?);
    let change = UserChange::Password {
        hash: user.password_hash.clone(),
        before: Some(before),
        until: None,
    };
    let by = Actor::Staff(user.email.clone());
    match change_user(core, user.id, &change, &by).await {
        // The present password, which was right, is another one by now.
        Err(AccessError::NotFound) => Err(AccessError::Refused),
        Err(error) => Err(error),
        Ok(()) => open_session(core, &user, Opening::Again).await,
    }
}

fn done(changed: UserChanged) -> Result<(), AccessError> {
    match changed {
        UserChanged::Done => Ok(()),
        UserChanged::NotFound => Err(AccessError::NotFound),
        UserChanged::LastOwner => Err(AccessError::LastOwner),
    }
}

/// Reads an e-mail address as it is kept.
///
/// # Errors
/// [`AccessError::Email`].
pub fn address(email: &str) -> Result<String, AccessError> {
    let email = email.trim().to_lowercase();
    let well_formed = email.len() <= EMAIL_BYTES_MAX
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && host.contains('.') && !host.contains('@')
        });
    if well_formed {
        Ok(email)
    } else {
        Err(AccessError::Email)
    }
}

fn fits(password: &SecretString) -> Result<(), AccessError> {
    let text = password.expose_secret();
    if text.chars().count() < PASSWORD_CHARS_MIN || text.len() > PASSWORD_BYTES_MAX {
        return Err(AccessError::Password);
    }
    Ok(())
}

/// Hashes, when it is its turn.
async fn hashed(core: &Core, password: SecretString) -> Result<String, AccessError> {
    fits(&password)?;
    let salt: [u8; 16] = draw(core.entropy.as_ref());
    let work = move || {
        Argon2::default()
            .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
            .map(|hash| hash.to_string())
    };
    in_turn(core, work).await?.map_err(|_| AccessError::Hash)
}

fn handed_password(core: &Core) -> SecretString {
    let bytes: [u8; HANDED_PASSWORD_BYTES] = draw(core.entropy.as_ref());
    SecretString::from(URL_SAFE_NO_PAD.encode(bytes))
}

/// Reads a key's name as it is kept.
///
/// # Errors
/// [`AccessError::Name`].
pub fn key_name(name: &str) -> Result<&str, AccessError> {
    let name = name.trim();
    let fits = (1..=KEY_NAME_CHARS_MAX).contains(&name.chars().count());
    if fits && !name.contains(char::is_control) {
        Ok(name)
    } else {
        Err(AccessError::Name)
    }
}

/// Makes a key for a shop's server. It is shown this once.
///
/// # Errors
/// [`AccessError::Name`], [`AccessError::TooMany`] of this name or in all, or a store that fails.
pub async fn make_api_key(
    core: &Core,
    name: &str,
    by: &Actor,
) -> Result<SecretString, AccessError> {
    let name = key_name(name)?;
    let key = format!("{KEY_PREFIX}{}", token(core));
    let new = NewApiKey {
        name: name.to_owned(),
        hash: digest(&key),
        hint: key.chars().take(KEY_HINT_CHARS).collect(),
    };
    let now = core.clock.now();
    let room = KeyRoom {
        of_name: KEYS_OF_NAME_MAX,
        in_all: KEYS_MAX,
    };
    let put = core.access.put_api_key(&new, room, by, now);
    if put.await? {
        Ok(SecretString::from(key))
    } else {
        Err(AccessError::TooMany)
    }
}

/// The key that a request carries.
///
/// # Errors
/// [`StoreError`] when keys cannot be read.
pub async fn api_key(core: &Core, key: &str) -> Result<Option<ApiKey>, StoreError> {
    if !key.starts_with(KEY_PREFIX) {
        return Ok(None);
    }
    core.access
        .find_api_key(&digest(key), core.clock.now())
        .await
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
