//! Faults: answers given in PortOne's place, so that a client can be shown what a bad day looks like.
//!
//! The first fault that names the call and is not used up answers. Every wait ends when the sandbox stops.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::api::envelope_error;
use crate::net::Scissors;

/// Faults kept at a time.
pub(crate) const FAULTS_MAX: usize = 100;
/// Longest wait that a fault may cause; also how long `stall` holds a request whose client stays.
const WAIT_MS_MAX: u64 = 120_000;
/// Size of a `huge` answer: well past what any client should read.
const HUGE_BODY_BYTES: usize = 32 * 1024 * 1024;
/// Largest answer that `truncated` cuts in half; PortOne's own are far smaller.
const TRUNCATED_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An API call of PortOne's, by the name that faults and the journal use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
    Token,
    Payment,
    Find,
    FindAll,
    Prepare,
    Unknown,
}

impl Call {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Call::Token => "token",
            Call::Payment => "payment",
            Call::Find => "find",
            Call::FindAll => "find_all",
            Call::Prepare => "prepare",
            Call::Unknown => "unknown",
        }
    }

    /// The call that a path belongs to; none if the path is not PortOne's API at all.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let mut segments = path.split('/').skip(1);
        Some(
            match (segments.next().unwrap_or_default(), segments.next()) {
                ("" | "_sandbox" | "v1" | "favicon.ico", _) => return None,
                ("users", Some("getToken")) => Call::Token,
                ("payments", Some("prepare")) => Call::Prepare,
                ("payments", Some("find")) => Call::Find,
                ("payments", Some("findAll")) => Call::FindAll,
                ("payments", Some(imp_uid)) if !imp_uid.is_empty() && segments.next().is_none() => {
                    Call::Payment
                }
                _ => Call::Unknown,
            },
        )
    }
}

/// Which calls a fault answers.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    Any,
    Token,
    Payment,
    Find,
    FindAll,
    Prepare,
}

impl Target {
    fn names(self, call: Call) -> bool {
        match self {
            Target::Any => true,
            Target::Token => call == Call::Token,
            Target::Payment => call == Call::Payment,
            Target::Find => call == Call::Find,
            Target::FindAll => call == Call::FindAll,
            Target::Prepare => call == Call::Prepare,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Status,
    Delay,
    Garbage,
    Html,
    Empty,
    Truncated,
    Huge,
    Stall,
    Reset,
    Code,
    Unauthorized,
    NotFound,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Status => "status",
            Kind::Delay => "delay",
            Kind::Garbage => "garbage",
            Kind::Html => "html",
            Kind::Empty => "empty",
            Kind::Truncated => "truncated",
            Kind::Huge => "huge",
            Kind::Stall => "stall",
            Kind::Reset => "reset",
            Kind::Code => "code",
            Kind::Unauthorized => "unauthorized",
            Kind::NotFound => "not_found",
        }
    }

    /// Whether the real answer is still needed.
    pub(crate) fn keeps_the_answer(self) -> bool {
        matches!(self, Kind::Delay | Kind::Truncated)
    }
}

/// A fault as the control plane takes and shows it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    #[serde(default, skip_deserializing)]
    pub(crate) id: u64,
    call: Target,
    pub(crate) kind: Kind,
    /// HTTP status of `status`, `html` and `garbage`.
    #[serde(default)]
    status: Option<u16>,
    /// Wait before any kind of answer.
    #[serde(default)]
    delay_ms: u64,
    /// The envelope's code, for `code`.
    #[serde(default)]
    code: Option<i64>,
    /// The envelope's message.
    #[serde(default)]
    message: Option<String>,
    /// How many calls it answers before it is gone; unlimited if absent.
    #[serde(default)]
    times: Option<u32>,
    /// The raw body, for `garbage`, `html` and `status`.
    #[serde(default)]
    body: Option<String>,
}

/// Why a fault was not taken.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum FaultError {
    #[error("{FAULTS_MAX} faults are set, the limit; delete them first")]
    Full,
    #[error("status must be from 200 to 599")]
    Status,
    #[error("delay_ms must be at most {WAIT_MS_MAX}")]
    Delay,
    #[error("times must be at least 1")]
    Times,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    faults: Vec<Fault>,
    last_id: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, mut fault: Fault) -> Result<Fault, FaultError> {
        if self.faults.len() >= FAULTS_MAX {
            return Err(FaultError::Full);
        }
        if fault
            .status
            .is_some_and(|status| !(200..600).contains(&status))
        {
            return Err(FaultError::Status);
        }
        if fault.delay_ms > WAIT_MS_MAX {
            return Err(FaultError::Delay);
        }
        if fault.times == Some(0) {
            return Err(FaultError::Times);
        }
        self.last_id += 1;
        fault.id = self.last_id;
        self.faults.push(fault.clone());
        Ok(fault)
    }

    /// The fault for this call, counted down; it is gone after its last time.
    pub(crate) fn take(&mut self, call: Call) -> Option<Fault> {
        let index = self
            .faults
            .iter()
            .position(|fault| fault.call.names(call))?;
        let fault = &mut self.faults[index];
        match &mut fault.times {
            Some(1) => Some(self.faults.remove(index)),
            Some(times) => {
                *times -= 1;
                Some(fault.clone())
            }
            None => Some(fault.clone()),
        }
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.faults
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }
}

impl Fault {
    pub(crate) fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub(crate) fn wait(&self) -> Duration {
        match self.kind {
            Kind::Stall => Duration::from_millis(WAIT_MS_MAX),
            Kind::Status
            | Kind::Delay
            | Kind::Garbage
            | Kind::Html
            | Kind::Empty
            | Kind::Truncated
            | Kind::Huge
            | Kind::Reset
            | Kind::Code
            | Kind::Unauthorized
            | Kind::NotFound => Duration::from_millis(self.delay_ms),
        }
    }

    /// The answer in PortOne's place. `answer` is the real one, for the kinds that keep it.
    pub(crate) async fn spoil(
        self,
        call: Call,
        answer: Option<Response>,
        scissors: Option<Scissors>,
    ) -> Response {
        let Fault {
            status,
            message,
            body,
            ..
        } = self;
        let status = |default: StatusCode| {
            status
                .and_then(|status| StatusCode::from_u16(status).ok())
                .unwrap_or(default)
        };
        let message = |default: &str| message.unwrap_or_else(|| default.into());
        match self.kind {
            Kind::Delay => answer.unwrap_or_else(unanswered),
            Kind::Truncated => truncate(answer.unwrap_or_else(unanswered)).await,
            Kind::Status => {
                let status = status(StatusCode::INTERNAL_SERVER_ERROR);
                match body {
                    Some(body) => json_text(status, body),
                    None => envelope_error(status, -1, &message("sandbox fault")),
                }
            }
            Kind::Garbage => {
                let body = body.unwrap_or_else(|| "}{ not JSON \u{fffd}".into());
                json_text(status(StatusCode::OK), body)
            }
            Kind::Html => {
                let status = status(StatusCode::BAD_GATEWAY);
                let body = body.unwrap_or_else(|| {
                    "<html><head><title>502 Bad Gateway</title></head>\
                     <body><h1>502 Bad Gateway</h1></body></html>"
                        .into()
                });
                (status, [(header::CONTENT_TYPE, "text/html")], body).into_response()
            }
            Kind::Empty => json_text(status(StatusCode::OK), String::new()),
            Kind::Huge => huge(),
            Kind::Stall => unanswered(),
            Kind::Reset => {
                if let Some(scissors) = scissors {
                    scissors.cut();
                }
                unanswered()
            }
            Kind::Code => envelope_error(
                StatusCode::OK,
                self.code.unwrap_or(1),
                &message("sandbox fault"),
            ),
            Kind::Unauthorized => {
                let text = match call {
                    Call::Token => crate::api::BAD_CREDENTIALS,
                    Call::Payment | Call::Find | Call::FindAll | Call::Prepare | Call::Unknown => {
                        crate::api::UNAUTHORIZED
                    }
                };
                envelope_error(StatusCode::UNAUTHORIZED, -1, &message(text))
            }
            Kind::NotFound => {
                envelope_error(StatusCode::NOT_FOUND, -1, &message(crate::api::NOT_FOUND))
            }
        }
    }
}

/// What is sent when a wait ran out; the client has usually left by then.
fn unanswered() -> Response {
    StatusCode::GATEWAY_TIMEOUT.into_response()
}

fn json_text(status: StatusCode, body: String) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "application/json; charset=utf-8")],
        body,
    )
        .into_response()
}

/// The first half of the answer, with a length that says it is complete.
async fn truncate(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, TRUNCATED_BODY_BYTES_MAX).await else {
        return unanswered();
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(bytes.slice(..bytes.len() / 2)))
}

/// A success envelope around one endless text.
fn huge() -> Response {
    const HEAD: &[u8] = br#"{"code":0,"message":null,"response":{"imp_uid":""#;
    const TAIL: &[u8] = br#""}}"#;
    let mut body = Vec::with_capacity(HEAD.len() + HUGE_BODY_BYTES + TAIL.len());
    body.extend_from_slice(HEAD);
    body.resize(HEAD.len() + HUGE_BODY_BYTES, b'0');
    body.extend_from_slice(TAIL);
    (
        [(header::CONTENT_TYPE, "application/json; charset=utf-8")],
        body,
    )
        .into_response()
}
