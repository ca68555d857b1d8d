//! Access tokens of `POST /users/getToken`, by the rule PortOne documents: one token at a time, the same one until it
//! expires, and five minutes more if it is asked for in its last minute.
//! <https://developers.portone.io/api/rest-v1/auth>

use crate::rng::Rng;

/// A token lives for 30 minutes.
const LIFETIME_S: i64 = 30 * 60;
/// Asked for with this much or less left, the token is extended.
const EXTENSION_WINDOW_S: i64 = 60;
/// By how much.
const EXTENSION_S: i64 = 5 * 60;
const TOKEN_HEX_DIGITS: usize = 40;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) value: String,
    pub(crate) expired_at: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Tokens {
    current: Option<Token>,
}

impl Tokens {
    pub(crate) fn issue(&mut self, now: i64, rng: &mut Rng) -> Token {
        let token = match self.current.take() {
            Some(token) if token.expired_at - now > EXTENSION_WINDOW_S => token,
            Some(token) if token.expired_at > now => Token {
                expired_at: token.expired_at + EXTENSION_S,
                ..token
            },
            Some(_) | None => Token {
                value: rng.hex(TOKEN_HEX_DIGITS),
                expired_at: now + LIFETIME_S,
            },
        };
        self.current = Some(token.clone());
        token
    }

    pub(crate) fn accepts(&self, value: &str, now: i64) -> bool {
        self.current
            .as_ref()
            .is_some_and(|token| token.value == value && token.expired_at > now)
    }

    /// Takes the current token back, as if PortOne had forgotten it.
    pub(crate) fn revoke(&mut self) {
        self.current = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    const START: i64 = 1_800_000_000;

    #[test]
    fn reused_extended_in_the_last_minute_and_replaced_after_expiry() {
        let mut rng = Rng::new(42, Stream::Tokens);
        let mut tokens = Tokens::default();

        let first = tokens.issue(START, &mut rng);
        let reused = tokens.issue(START + LIFETIME_S - 61, &mut rng);
        let extended = tokens.issue(START + LIFETIME_S - 60, &mut rng);
        let reused_again = tokens.issue(START + LIFETIME_S, &mut rng);
        let replaced = tokens.issue(extended.expired_at, &mut rng);

        assert_eq!(first.expired_at, START + 1800);
        assert_eq!(reused, first);
        assert_eq!(extended.value, first.value);
        assert_eq!(extended.expired_at, first.expired_at + 300);
        assert_eq!(reused_again, extended);
        assert_ne!(replaced.value, first.value);
        assert_eq!(replaced.expired_at, extended.expired_at + 1800);
    }

    #[test]
    fn accepts_only_the_current_token_before_its_expiry() {
        let mut rng = Rng::new(42, Stream::Tokens);
        let mut tokens = Tokens::default();
        assert!(!tokens.accepts("", START));

        let token = tokens.issue(START, &mut rng);

        assert!(tokens.accepts(&token.value, token.expired_at - 1));
        assert!(!tokens.accepts(&token.value, token.expired_at));
        assert!(!tokens.accepts("another", START));
        tokens.revoke();
        assert!(!tokens.accepts(&token.value, START));
    }
}
