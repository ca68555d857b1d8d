//! The second factor: codes of an app, and recovery codes for who has lost it.

use jiff::SignedDuration;
use secrecy::SecretString;

use super::door::Key;
use super::{
    AccessError, CameIn, SessionToken, change_user, count_mistake, digest, known, open_session,
    token,
};
use crate::domain::audit::Act;
use crate::domain::history::Actor;
use crate::domain::one_time_code::CodeSecret;
use crate::ports::entropy::draw;
use crate::ports::store::{Opening, StoreError, User, UserChange};
use crate::service::Core;

/// How long a code may be waited for after the password.
pub const HALF_SIGN_IN_LASTS: SignedDuration = SignedDuration::from_mins(10);
/// Longest code that is looked at, in characters.
pub const CODE_CHARS_MAX: usize = 40;
/// Recovery codes that a person gets.
pub const RECOVERY_CODES: usize = 10;
/// Random bytes of one: too many to be guessed back from a digest.
const RECOVERY_BYTES: usize = 10;
/// Letters in a group of a recovery code, for people to read.
const RECOVERY_GROUP: usize = 4;
/// Unlike one another in print and in speech.
const RECOVERY_LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// Keeps in mind who gave the right password and owes a code.
pub(super) async fn half_way(core: &Core, user: &User) -> Result<SessionToken, AccessError> {
    let token = token(core);
    let now = core.clock.now();
    let until = now.checked_add(HALF_SIGN_IN_LASTS).unwrap_or(now);
    let is_still_right = core
        .access
        .put_half_sign_in(&digest(&token), user, until)
        .await?;
    if !is_still_right {
        return Err(AccessError::Refused);
    }
    Ok(SessionToken(SecretString::from(token)))
}

/// Gives the code after the password, and opens a fresh session.
///
/// Wrong codes are counted by account, and by browser for one that signed in before, as passwords are; the waits are longer,
/// because there are few codes.
///
/// # Errors
/// [`AccessError::NotFound`] when no password was given lately, [`AccessError::Refused`] for a wrong code.
pub async fn give_code(
    core: &Core,
    half: &str,
    code: &str,
    browser: Option<&str>,
) -> Result<CameIn, AccessError> {
    let now = core.clock.now();
    let found = core.access.find_half_sign_in(&digest(half), now).await?;
    let user = found.ok_or(AccessError::NotFound)?;
    let nonce = browser.and_then(|browser| known(browser, &user.email, &user.password_hash));
    let key = nonce.map_or_else(|| Key::code(user.id), |nonce| Key::code_by_browser(&nonce));
    take(core, &user, code, key, &Actor::Stranger).await?;
    // Everything of the person's may have been ended meanwhile.
    if !core.access.delete_half_sign_in(&digest(half)).await? {
        return Err(AccessError::NotFound);
    }
    open_session(core, &user, Opening::SignIn).await
}

/// Uses a code up, slowly for who guesses.
async fn take(
    core: &Core,
    user: &User,
    code: &str,
    key: Key,
    by: &Actor,
) -> Result<(), AccessError> {
    core.door
        .enter(&[key], core.clock.now())
        .map_err(AccessError::Wait)?;
    match use_up(core, user, code).await {
        Ok(true) => {
            core.door.forgive(&key);
            Ok(())
        }
        Ok(false) => {
            let account = Some(user.email.clone());
            count_mistake(core, Act::WrongCode, by.clone(), account);
            Err(AccessError::Refused)
        }
        Err(error) => {
            core.door.take_back(&[key]);
            Err(error.into())
        }
    }
}

/// Whether the code counts; it does not again.
async fn use_up(core: &Core, user: &User, code: &str) -> Result<bool, StoreError> {
    let Some(factor) = &user.second_factor else {
        return Ok(false);
    };
    let now = core.clock.now();
    match factor.secret.step_of(code, now, factor.used_step) {
        Some(step) => core.access.use_code(user.id, step).await,
        None => {
            let digest = recovery_digest(code);
            core.access.use_recovery_code(user.id, &digest, now).await
        }
    }
}

/// A secret to set up an app with. Nothing is kept until a code proves that the app has it.
#[must_use]
pub fn draw_secret(core: &Core) -> CodeSecret {
    CodeSecret::new(draw(core.entropy.as_ref()))
}

/// Turns the second factor on. Every session of the person ends, and a fresh one begins here; the recovery codes are shown this
/// once.
///
/// # Errors
/// [`AccessError::Exists`] when there is one, [`AccessError::Refused`] when the code is not of the secret.
pub async fn turn_on(
    core: &Core,
    email: &str,
    secret: CodeSecret,
    code: &str,
) -> Result<(CameIn, Vec<SecretString>), AccessError> {
    let found = core.access.find_user(email).await?;
    let user = found.ok_or(AccessError::NotFound)?;
    if user.second_factor.is_some() {
        return Err(AccessError::Exists);
    }
    let step = secret.step_of(code, core.clock.now(), None);
    let step = step.ok_or(AccessError::Refused)?;
    let (codes, recovery) = recovery_codes(core);
    let change = UserChange::SecondFactor {
        secret,
        step,
        recovery,
    };
    let by = Actor::Staff(user.email.clone());
    match change_user(core, user.id, &change, &by).await {
        // Another form was faster, and its recovery codes are the ones that count.
        Err(AccessError::NotFound) => return Err(AccessError::Exists),
        changed => changed?,
    }
    let came_in = open_session(core, &user, Opening::Again).await?;
    Ok((came_in, codes))
}

/// Makes recovery codes in the place of those that there are, with a code of the second factor. They are shown this once.
///
/// # Errors
/// [`AccessError::Refused`] for a wrong code, [`AccessError::Wait`] when there were too many.
pub async fn renew_recovery(
    core: &Core,
    email: &str,
    code: &str,
) -> Result<Vec<SecretString>, AccessError> {
    let found = core.access.find_user(email).await?;
    let user = found.ok_or(AccessError::NotFound)?;
    let by = Actor::Staff(user.email.clone());
    take(core, &user, code, Key::code(user.id), &by).await?;
    let (codes, recovery) = recovery_codes(core);
    change_user(core, user.id, &UserChange::RecoveryCodes(recovery), &by).await?;
    Ok(codes)
}

/// Turns the second factor off, with a code of it. Every session of the person ends, and a fresh one begins here.
///
/// # Errors
/// [`AccessError::Refused`] for a wrong code, [`AccessError::Wait`] when there were too many.
pub async fn turn_off(core: &Core, email: &str, code: &str) -> Result<CameIn, AccessError> {
    let found = core.access.find_user(email).await?;
    let user = found.ok_or(AccessError::NotFound)?;
    let by = Actor::Staff(user.email.clone());
    take(core, &user, code, Key::code(user.id), &by).await?;
    change_user(core, user.id, &UserChange::DropSecondFactor, &by).await?;
    open_session(core, &user, Opening::Again).await
}

/// Takes a person's second factor away, for who runs the commands.
///
/// # Errors
/// [`AccessError::NotFound`], or a store that fails.
pub async fn drop_of(core: &Core, email: &str) -> Result<(), AccessError> {
    let found = core.access.find_user(&email.trim().to_lowercase()).await?;
    let user = found.ok_or(AccessError::NotFound)?;
    let change = UserChange::DropSecondFactor;
    change_user(core, user.id, &change, &Actor::Command).await
}

/// Codes to show, and what is kept of them.
fn recovery_codes(core: &Core) -> (Vec<SecretString>, Vec<[u8; 32]>) {
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code(core)).collect();
    let kept = codes.iter().map(|code| recovery_digest(code)).collect();
    (codes.into_iter().map(SecretString::from).collect(), kept)
}

fn recovery_code(core: &Core) -> String {
    let bytes: [u8; RECOVERY_BYTES] = draw(core.entropy.as_ref());
    let bits = bytes
        .iter()
        .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let mut code = String::new();
    for place in 0..RECOVERY_BYTES * 8 / 5 {
        if place > 0 && place % RECOVERY_GROUP == 0 {
            code.push('-');
        }
        let letter = usize::try_from((bits >> (5 * place)) & 31).unwrap_or_default();
        code.push(char::from(RECOVERY_LETTERS[letter]));
    }
    code
}

/// However it was typed.
fn recovery_digest(code: &str) -> [u8; 32] {
    let typed = code.chars().take(CODE_CHARS_MAX);
    let letters: String = typed.filter(char::is_ascii_alphanumeric).collect();
    digest(&letters.to_ascii_lowercase())
}
