//! V2's access and refresh tokens.
//!
//! An access token lives for 30 minutes and a refresh token for a day; every login and every refresh ends the refresh tokens
//! issued before (<https://developers.portone.io/api/rest-v2>). So a refresh token may be gone at any time, and a login
//! with the API secret always helps.

use std::time::{Duration, Instant};

use secrecy::SecretString;

use crate::{Error, json::Object, token::Token};

/// PortOne's 30 minutes, less the last one.
const FRESH_FOR: Duration = Duration::from_secs(29 * 60);

/// What a login or a refresh brings.
pub(super) struct Tokens {
    pub(super) access: Token,
    pub(super) refresh: SecretString,
}

impl Tokens {
    /// Reads the answer of `POST /login/api-secret` or `POST /token/refresh`. `asked_at` is from before the call was sent.
    pub(super) fn parse(json: &str, asked_at: Instant) -> Result<Self, Error> {
        let object = Object::parse("the token", json)?;
        let access_token = object.required_text("accessToken")?;
        let refresh_token = object.required_text("refreshToken")?;
        Ok(Self {
            access: Token::new(&access_token, asked_at, FRESH_FOR)?,
            refresh: refresh_token.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_token_is_used_for_a_minute_less_than_it_lives() {
        let asked_at = Instant::now();
        let json = r#"{"accessToken":"a","refreshToken":"r"}"#;

        let tokens = Tokens::parse(json, asked_at).expect("the tokens are well formed");

        assert_eq!(tokens.access.authorization.as_bytes(), b"Bearer a");
        assert!(tokens.access.is_fresh(asked_at + Duration::from_secs(1739)));
        assert!(!tokens.access.is_fresh(asked_at + Duration::from_secs(1740)));
    }

    #[test]
    fn half_an_answer_is_none() {
        for json in [
            "{}",
            r#"{"accessToken":"a"}"#,
            r#"{"refreshToken":"r"}"#,
            r#"{"accessToken":"se\ncret","refreshToken":"r"}"#,
        ] {
            let error = Tokens::parse(json, Instant::now())
                .err()
                .expect("something is missing");
            assert!(matches!(error, Error::Garbled(_)), "{json}");
            assert!(!format!("{error} {error:?}").contains("cret"), "{json}");
        }
    }
}
