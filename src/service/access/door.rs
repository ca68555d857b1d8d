//! Who is guessing. Counted in memory, per process: a restart forgets, and every server of several has its own count.

use std::collections::HashMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::domain::pace::{Pace, Tries, holder};

/// Keys whose tries are remembered. Beyond it the one that was quiet for longest is forgotten.
const KEYS_MAX: usize = 20_000;

/// What tries are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    digest: [u8; 32],
    pace: Pace,
}

impl Key {
    fn new(kind: &str, name: &[u8], pace: Pace) -> Self {
        let digest = Sha256::new()
            .chain_update(kind)
            .chain_update([0])
            .chain_update(name)
            .finalize()
            .into();
        Self { digest, pace }
    }

    /// An account, whether there is one or not.
    pub(super) fn account(email: &str) -> Self {
        Self::new("account", email.as_bytes(), Pace::ACCOUNT)
    }

    /// Where it comes from.
    pub(super) fn source(address: IpAddr) -> Self {
        Self::new(
            "source",
            holder(address).to_string().as_bytes(),
            Pace::SOURCE,
        )
    }

    /// The password of a person who is signed in and asked for it again.
    pub(super) fn present_password(user_id: i64) -> Self {
        Self::new("present", &user_id.to_be_bytes(), Pace::BROWSER)
    }

    /// Codes of a person's second factor.
    pub(super) fn code(user_id: i64) -> Self {
        Self::new("code", &user_id.to_be_bytes(), Pace::CODE)
    }

    /// Codes from a browser that is known.
    pub(super) fn code_by_browser(nonce: &[u8]) -> Self {
        Self::new("code by browser", nonce, Pace::CODE)
    }

    /// A browser that is known.
    pub(super) fn browser(nonce: &[u8]) -> Self {
        Self::new("browser", nonce, Pace::BROWSER)
    }
}

/// The tries of everybody who tries.
#[derive(Debug, Default)]
pub(crate) struct Door(Mutex<HashMap<[u8; 32], Tries>>);

impl Door {
    /// Counts a try by each of the keys, before it is made: of many at the same time no more get through than of one after
    /// the other. When one of them has to wait, nothing is counted, and the longest wait is the answer.
    pub(super) fn enter(&self, keys: &[Key], now: Timestamp) -> Result<(), SignedDuration> {
        let mut all = self.0.lock();
        let waits = keys.iter().map(|key| {
            let tries = all.get(&key.digest);
            tries.map_or(SignedDuration::ZERO, |tries| key.pace.wait(*tries, now))
        });
        let wait = waits.max().unwrap_or_default();
        if wait > SignedDuration::ZERO {
            return Err(wait);
        }
        for key in keys {
            make_room(&mut all, &key.digest, now);
            let tries = all.entry(key.digest).or_insert(Tries {
                failed: 0,
                last_at: now,
            });
            if Pace::is_forgotten(*tries, now) {
                tries.failed = 0;
            }
            tries.failed = tries.failed.saturating_add(1);
            tries.last_at = now;
        }
        Ok(())
    }

    /// Takes a try back that was none: nobody guessed.
    pub(super) fn take_back(&self, keys: &[Key]) {
        let mut all = self.0.lock();
        for key in keys {
            if let Some(tries) = all.get_mut(&key.digest) {
                tries.failed = tries.failed.saturating_sub(1);
                if tries.failed == 0 {
                    all.remove(&key.digest);
                }
            }
        }
    }

    /// Forgets all tries by a key: whoever made them knows the secret.
    pub(super) fn forgive(&self, key: &Key) {
        self.0.lock().remove(&key.digest);
    }
}

fn make_room(all: &mut HashMap<[u8; 32], Tries>, key: &[u8; 32], now: Timestamp) {
    if all.len() < KEYS_MAX || all.contains_key(key) {
        return;
    }
    all.retain(|_, tries| !Pace::is_forgotten(*tries, now));
    if all.len() < KEYS_MAX {
        return;
    }
    let quietest = all.iter().min_by_key(|(_, tries)| tries.last_at);
    if let Some(quietest) = quietest.map(|(key, _)| *key) {
        all.remove(&quietest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::fixtures::at;

    #[test]
    fn tries_at_the_same_time_count_before_they_fail() {
        let door = Door::default();
        let keys = [
            Key::account("a@b.c"),
            Key::source("192.0.2.1".parse().unwrap()),
        ];

        let entered: Vec<bool> = (0..8).map(|_| door.enter(&keys, at(0)).is_ok()).collect();

        assert_eq!(entered, [true, true, true, true, true, false, false, false]);
        assert_eq!(
            door.enter(&keys, at(0)).unwrap_err(),
            SignedDuration::from_secs(1)
        );
        let elsewhere = [
            Key::account("other@b.c"),
            Key::source("192.0.2.1".parse().unwrap()),
        ];
        assert!(
            door.enter(&elsewhere, at(0)).is_ok(),
            "what waited took nothing from the address"
        );
        door.forgive(&keys[0]);
        assert!(door.enter(&keys, at(0)).is_ok());
    }

    #[test]
    fn a_try_that_was_none_is_taken_back() {
        let door = Door::default();
        let keys = [Key::browser(b"1")];
        for _ in 0..100 {
            assert!(door.enter(&keys, at(0)).is_ok());
            door.take_back(&keys);
        }
    }

    #[test]
    fn an_address_is_a_network_where_everybody_has_many() {
        let key = |text: &str| Key::source(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8:0:0:ffff::9"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn many_keys_push_out_the_quiet_ones_alone() {
        let door = Door::default();
        let victim = [Key::account("victim")];
        for second in 0..5 {
            assert!(door.enter(&victim, at(second)).is_ok());
        }
        for n in 0..KEYS_MAX {
            let key = [Key::account(&n.to_string())];
            assert!(door.enter(&key, at(if n < 10 { -60 } else { 4 })).is_ok());
        }

        assert_eq!(door.0.lock().len(), KEYS_MAX);
        assert!(door.enter(&victim, at(4)).is_err());
    }
}
