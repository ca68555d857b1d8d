//! `Idempotency-Key`: a request that was answered is not done again, its answer is given again.
//!
//! Kept for three hours of the sandbox's clock; while the first is under way, a second is refused. Only for methods that
//! change something. A request with a key is finished although its client leaves.
//! <https://developers.portone.io/api/rest-v2/overview>

use std::collections::HashMap;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::config::IdempotencyMismatch;
use super::refusal::{ApiRefusal, ErrorType};
use crate::router::REQUEST_BODY_BYTES_MAX;
use crate::state::App;

const HEADER: &str = "idempotency-key";
/// A quoted string of RFC 8941 with this many characters in it.
const KEY_CHARS: std::ops::RangeInclusive<usize> = 16..=256;
const KEPT_MS: i64 = 3 * 60 * 60 * 1000;
/// Keys kept at a time; with as many under way or fresh, a new one is refused.
const KEYS_MAX: usize = 10_000;
/// Largest answer kept; PortOne's own to a write are far smaller.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// What makes two requests the same one.
type Fingerprint = [u8; 32];

struct Entry {
    fingerprint: Fingerprint,
    begun_at_ms: i64,
    /// None while the request is under way.
    answer: Option<Answer>,
}

#[derive(Clone)]
struct Answer {
    status: StatusCode,
    content_type: Option<http::HeaderValue>,
    body: Bytes,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = self.content_type {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        (self.status, headers, self.body).into_response()
    }
}

#[derive(Default)]
pub(crate) struct Answers(HashMap<String, Entry>);

/// What a key leads to.
enum Begun {
    First,
    Again(Answer),
    UnderWay,
    Different,
    Full,
}

impl Answers {
    fn begin(&mut self, key: &str, fingerprint: Fingerprint, now_ms: i64) -> Begun {
        self.0
            .retain(|_, entry| entry.answer.is_none() || now_ms - entry.begun_at_ms < KEPT_MS);
        match self.0.get(key) {
            Some(entry) if entry.answer.is_none() => Begun::UnderWay,
            Some(entry) if entry.fingerprint != fingerprint => Begun::Different,
            Some(entry) => entry.answer.clone().map_or(Begun::UnderWay, Begun::Again),
            None if self.0.len() >= KEYS_MAX => Begun::Full,
            None => {
                let entry = Entry {
                    fingerprint,
                    begun_at_ms: now_ms,
                    answer: None,
                };
                self.0.insert(key.to_owned(), entry);
                Begun::First
            }
        }
    }

    fn answer_of(&self, key: &str) -> Option<Answer> {
        self.0.get(key)?.answer.clone()
    }

    fn finish(&mut self, key: &str, answer: Answer) {
        if let Some(entry) = self.0.get_mut(key) {
            entry.answer = Some(answer);
        }
    }

    fn forget(&mut self, key: &str) {
        self.0.remove(key);
    }
}

/// The key inside the quotes; none if it is not one.
fn key(headers: &HeaderMap) -> Option<Result<String, ApiRefusal>> {
    let value = headers.get(HEADER)?;
    let key = value
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix('"')?.strip_suffix('"'))
        .filter(|key| KEY_CHARS.contains(&key.len()) && !key.contains(['"', '\\']));
    Some(key.map(str::to_owned).ok_or_else(|| {
        ApiRefusal::invalid(
            "Idempotency-Key는 따옴표로 감싼 16자 이상 256자 이하의 ASCII 문자열이어야 합니다.",
        )
    }))
}

/// Does a request with a key once.
pub(crate) async fn answer_once(State(app): State<App>, request: Request, next: Next) -> Response {
    let changes = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let key = match key(request.headers()) {
        Some(Ok(key)) if changes => key,
        Some(Err(refusal)) if changes => return refusal.into_response(),
        Some(_) | None => return next.run(request).await,
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, REQUEST_BODY_BYTES_MAX).await else {
        return ApiRefusal::invalid("요청 본문이 너무 큽니다.").into_response();
    };
    let fingerprint = Sha256::new()
        .chain_update(parts.method.as_str())
        .chain_update([0])
        .chain_update(parts.uri.to_string())
        .chain_update([0])
        .chain_update(&body)
        .finalize()
        .into();
    let (begun, run, processing) = {
        let mut state = app.state();
        let begun = state
            .v2
            .idempotency
            .begin(&key, fingerprint, app.clock.now_ms());
        let begun = match begun {
            Begun::Different => match state.config.v2.idempotency_mismatch {
                IdempotencyMismatch::Refuse => Begun::Different,
                IdempotencyMismatch::Replay => state
                    .v2
                    .idempotency
                    .answer_of(&key)
                    .map_or(Begun::Different, Begun::Again),
            },
            Begun::First | Begun::Again(_) | Begun::UnderWay | Begun::Full => begun,
        };
        (begun, state.run, state.config.v2.processing)
    };
    match begun {
        Begun::Again(answer) => return answer.into_response(),
        Begun::UnderWay => {
            return ApiRefusal::new(
                ErrorType::IdempotencyOutstandingRequest,
                "같은 멱등 키의 요청이 처리되고 있습니다.",
            )
            .into_response();
        }
        Begun::Different => {
            return ApiRefusal::invalid("같은 멱등 키로 다른 요청이 전송되었습니다.")
                .into_response();
        }
        Begun::Full => {
            return ApiRefusal::invalid("portone-sandbox: too many idempotency keys; reset it")
                .into_response();
        }
        Begun::First => {}
    }

    let request = Request::from_parts(parts, Body::from(body));
    // On its own, because closing the connection does not undo a request.
    let finished = tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(processing) => {}
            () = app.stopped() => {}
        }
        let response = next.run(request).await;
        finish(&app, run, &key, response).await
    });
    finished
        .await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn finish(app: &App, run: u64, key: &str, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await;
    let mut state = app.state();
    let is_current = state.run == run;
    match body {
        // Who could not say who they are has not used the key.
        Ok(body) if is_current && parts.status != StatusCode::UNAUTHORIZED => {
            let answer = Answer {
                status: parts.status,
                content_type: parts.headers.get(header::CONTENT_TYPE).cloned(),
                body: body.clone(),
            };
            state.v2.idempotency.finish(key, answer);
            Response::from_parts(parts, Body::from(body))
        }
        Ok(body) => {
            if is_current {
                state.v2.idempotency.forget(key);
            }
            Response::from_parts(parts, Body::from(body))
        }
        Err(_) => {
            state.v2.idempotency.forget(key);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
