//! How fast somebody may guess. Nobody is locked out for good: the wait grows with each failure up to a limit, and ends by itself.
//! Whoever goes on guessing at an account does make its owner wait, who comes with a browser that never signed in to it.

use std::net::{IpAddr, Ipv6Addr};

use jiff::{SignedDuration, Timestamp};

/// Who is counted by an address: with IPv6 whoever has one address has its network of 64 bits (RFC 6177).
#[must_use]
pub fn holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// Tries that failed, or are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How many.
    pub failed: u32,
    /// When the last of them began.
    pub last_at: Timestamp,
}

/// How the wait grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Failures that cost no wait: people mistype.
    pub free: u32,
    /// The first wait; each failure doubles it.
    pub first: SignedDuration,
    /// The longest wait.
    pub longest: SignedDuration,
}

impl Pace {
    /// Passwords for one account, from browsers that never signed in to it.
    pub const ACCOUNT: Self = Self {
        free: 5,
        first: SignedDuration::from_secs(1),
        longest: SignedDuration::from_secs(60),
    };
    /// Passwords from one address, for whatever accounts: an office shares one.
    pub const SOURCE: Self = Self {
        free: 20,
        first: SignedDuration::from_secs(1),
        longest: SignedDuration::from_secs(60),
    };
    /// Passwords from a browser that signed in to the account before.
    pub const BROWSER: Self = Self {
        free: 10,
        first: SignedDuration::from_secs(1),
        longest: SignedDuration::from_secs(60),
    };
    /// Codes of a second factor: three of a million count at any time.
    pub const CODE: Self = Self {
        free: 5,
        first: SignedDuration::from_secs(1),
        longest: SignedDuration::from_mins(15),
    };
    /// Tries are forgotten when there was none for so long.
    pub const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(1);

    /// How long the next try has to wait.
    #[must_use]
    pub fn wait(self, tries: Tries, now: Timestamp) -> SignedDuration {
        if Self::is_forgotten(tries, now) {
            return SignedDuration::ZERO;
        }
        let passed = now.duration_since(tries.last_at);
        (self.after(tries.failed) - passed).max(SignedDuration::ZERO)
    }

    /// Whether tries count no more. A clock that was set back must not make a wait longer.
    #[must_use]
    pub fn is_forgotten(tries: Tries, now: Timestamp) -> bool {
        let passed = now.duration_since(tries.last_at);
        !(SignedDuration::ZERO..Self::FORGOTTEN_AFTER).contains(&passed)
    }

    fn after(self, failed: u32) -> SignedDuration {
        let Some(beyond) = failed.checked_sub(self.free) else {
            return SignedDuration::ZERO;
        };
        // Sixteen doublings are more than any limit has.
        self.first
            .checked_mul(1 << beyond.min(16))
            .map_or(self.longest, |wait| wait.min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_network_is_one_holder_of_all_its_addresses() {
        let holder = |text: &str| holder(text.parse().expect("an address")).to_string();
        for (address, of) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
            ("2001:db8:1:3::", "2001:db8:1:3::"),
        ] {
            assert_eq!(holder(address), of, "{address}");
        }
    }

    use crate::domain::decision::fixtures::at;

    fn wait(failed: u32, now: i64) -> i64 {
        let tries = Tries {
            failed,
            last_at: at(0),
        };
        Pace::ACCOUNT.wait(tries, at(now)).as_secs()
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit_and_passes() {
        let waits: Vec<i64> = (0..14).map(|failed| wait(failed, 0)).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait(u32::MAX, 0), 60);
        assert_eq!((wait(9, 10), wait(9, 16), wait(9, 17)), (6, 0, 0));
    }

    #[test]
    fn what_is_long_ago_or_in_the_future_is_forgotten() {
        let tries = Tries {
            failed: 50,
            last_at: at(0),
        };
        assert!(!Pace::is_forgotten(tries, at(3_599)));
        assert!(Pace::is_forgotten(tries, at(3_600)));
        assert!(Pace::is_forgotten(tries, at(-1)));
        assert_eq!(wait(50, -1), 0);
    }
}
