//! Who may ask: `Authorization: PortOne SECRET`, or a bearer token from `POST /login/api-secret`.
//!
//! Access tokens live for 30 minutes, refresh tokens for a day; a login or a refresh ends the refresh token before it.
//! <https://developers.portone.io/api/rest-v2/auth>

use std::collections::VecDeque;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::header;
use http::request::Parts;
use serde::Deserialize;
use serde_json::json;

use super::api::parse;
use super::refusal::{ApiRefusal, ErrorType};
use crate::rng::Rng;
use crate::state::App;

const ACCESS_LIFETIME_S: i64 = 30 * 60;
const REFRESH_LIFETIME_S: i64 = 24 * 60 * 60;
/// Access tokens kept; the oldest goes first.
const ACCESS_TOKENS_MAX: usize = 1000;
const TOKEN_HEX_DIGITS: usize = 64;

#[derive(Clone, Debug)]
struct Token {
    value: String,
    expires_at: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Tokens {
    access: VecDeque<Token>,
    refresh: Option<Token>,
}

/// What a login and a refresh give.
struct Pair {
    access: String,
    refresh: String,
}

impl Tokens {
    fn issue(&mut self, now: i64, rng: &mut Rng) -> Pair {
        let access = rng.hex(TOKEN_HEX_DIGITS);
        let refresh = rng.hex(TOKEN_HEX_DIGITS);
        if self.access.len() == ACCESS_TOKENS_MAX {
            self.access.pop_front();
        }
        self.access.push_back(Token {
            value: access.clone(),
            expires_at: now + ACCESS_LIFETIME_S,
        });
        self.refresh = Some(Token {
            value: refresh.clone(),
            expires_at: now + REFRESH_LIFETIME_S,
        });
        Pair { access, refresh }
    }

    fn accepts(&self, value: &str, now: i64) -> bool {
        self.access
            .iter()
            .any(|token| token.value == value && token.expires_at > now)
    }

    fn may_refresh(&self, value: &str, now: i64) -> bool {
        self.refresh
            .as_ref()
            .is_some_and(|token| token.value == value && token.expires_at > now)
    }
}

fn unauthorized() -> ApiRefusal {
    ApiRefusal::new(ErrorType::Unauthorized, "인증 정보가 올바르지 않습니다.")
}

/// A request that may ask.
pub(crate) struct Authorized;

impl FromRequestParts<App> for Authorized {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiRefusal> {
        let value = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let Some((scheme, credential)) = value.split_once(' ') else {
            return Err(unauthorized());
        };
        let credential = credential.trim();
        let state = app.state();
        let accepted = if scheme.eq_ignore_ascii_case("portone") {
            credential == state.config.v2.api_secret
        } else if scheme.eq_ignore_ascii_case("bearer") {
            state.v2.tokens.accepts(credential, app.clock.now())
        } else {
            false
        };
        match accepted {
            true => Ok(Authorized),
            false => Err(unauthorized()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginBody {
    api_secret: String,
}

/// `POST /login/api-secret`
pub(crate) async fn login(State(app): State<App>, body: Bytes) -> Result<Response, ApiRefusal> {
    let body: LoginBody = parse(&body)?;
    let mut state = app.state();
    if body.api_secret != state.config.v2.api_secret {
        return Err(unauthorized());
    }
    let v2 = &mut state.v2;
    Ok(answer(
        v2.tokens.issue(app.clock.now(), &mut v2.token_draws),
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefreshBody {
    refresh_token: String,
}

/// `POST /token/refresh`
pub(crate) async fn refresh(State(app): State<App>, body: Bytes) -> Result<Response, ApiRefusal> {
    let body: RefreshBody = parse(&body)?;
    let now = app.clock.now();
    let mut state = app.state();
    let v2 = &mut state.v2;
    if !v2.tokens.may_refresh(&body.refresh_token, now) {
        return Err(unauthorized());
    }
    Ok(answer(v2.tokens.issue(now, &mut v2.token_draws)))
}

fn answer(pair: Pair) -> Response {
    Json(json!({"accessToken": pair.access, "refreshToken": pair.refresh})).into_response()
}
