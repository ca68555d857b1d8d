//! V1's access token.
//!
//! Its lifetime is PortOne's (`expired_at - now`, <https://developers.portone.io/api/rest-v1>), whatever the clock here says.

use std::time::{Duration, Instant};

use crate::{Error, json::Object, token::Token};

/// A token is renewed this long before its end. Less than the last minute, in which PortOne extends a token by five
/// minutes: asked earlier, it would return the same token with the same end.
const MARGIN: Duration = Duration::from_secs(30);
/// PortOne's tokens live for 30 minutes; a longer one is asked for again after this.
const LIFETIME_MAX: Duration = Duration::from_secs(60 * 60);

/// Reads `response` of `POST /users/getToken`. `asked_at` is from before the call was sent.
pub(super) fn parse(response: &str, asked_at: Instant) -> Result<Token, Error> {
    let object = Object::parse("the token", response)?;
    let access_token = object.required_text("access_token")?;
    let now = object.required_integer("now")?;
    let expired_at = object.required_integer("expired_at")?;

    let lifetime =
        u64::try_from(expired_at.saturating_sub(now)).map_or(Duration::ZERO, Duration::from_secs);
    let fresh_for = lifetime.min(LIFETIME_MAX).saturating_sub(MARGIN);
    Token::new(&access_token, asked_at, fresh_for)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(lifetime: i64, asked_at: Instant) -> Token {
        let now = 1_700_000_000_i64;
        let response = format!(
            r#"{{"access_token":"t","now":{now},"expired_at":{}}}"#,
            now.saturating_add(lifetime)
        );
        parse(&response, asked_at).expect("the token is well formed")
    }

    #[test]
    fn a_token_is_fresh_for_its_lifetime_less_the_margin() {
        let asked_at = Instant::now();
        let token = token(1800, asked_at);

        assert!(token.is_fresh(asked_at));
        assert!(token.is_fresh(asked_at + Duration::from_secs(1769)));
        assert!(!token.is_fresh(asked_at + Duration::from_secs(1770)));
    }

    #[test]
    fn absurd_lifetimes_are_bounded() {
        let asked_at = Instant::now();

        for short in [i64::MIN, -1, 0, 1, 30] {
            assert!(!token(short, asked_at).is_fresh(asked_at), "{short}");
        }
        assert!(!token(i64::MAX, asked_at).is_fresh(asked_at + LIFETIME_MAX));
    }

    #[test]
    fn a_token_that_cannot_be_a_header_is_refused_without_showing_it() {
        for response in [
            r#"{"access_token":"se\ncret","now":0,"expired_at":1}"#,
            r#"{"access_token":"","now":0,"expired_at":1}"#,
            r#"{"access_token":"secret","now":"secret","expired_at":1}"#,
            r#"{"access_token":"secret","expired_at":1}"#,
            r#"{"access_token":"secret","now":1}"#,
            r#"{"now":0,"expired_at":1}"#,
        ] {
            let error = parse(response, Instant::now())
                .err()
                .expect("the token is malformed");

            assert!(matches!(error, Error::Garbled(_)));
            assert!(!format!("{error} {error:?}").contains("cret"), "{response}");
        }
    }

    #[test]
    fn the_header_shows_no_token() {
        let token = token(1800, Instant::now());

        assert_eq!(format!("{:?}", token.authorization), "Sensitive");
        assert_eq!(token.authorization.as_bytes(), b"Bearer t");
    }
}
