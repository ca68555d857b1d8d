//! Faults: answers given in PortOne's place, and what happens to webhooks on their way, so that a client can be shown
//! what a bad day looks like.
//!
//! The first fault that names the call, is not used up, not over, and drawn if it has a probability, answers. Draws are
//! seeded. Every wait ends when the sandbox stops.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::api::envelope_error;
use crate::net::Scissors;
use crate::rng::Rng;
use crate::v2;

/// Faults kept at a time.
pub(crate) const FAULTS_MAX: usize = 100;
/// Longest wait that a fault may cause; also how long `stall` holds a request whose client stays.
const WAIT_MS_MAX: u64 = 120_000;
/// Longest delay of a webhook, which passes on the sandbox's clock: ten days.
pub(crate) const WEBHOOK_DELAY_MS_MAX: u64 = 10 * 24 * 60 * 60 * 1000;
/// Copies that `duplicate` may make of one webhook.
const COPIES_MAX: u32 = 10;
/// Size of a `huge` answer: well past what any client should read.
const HUGE_BODY_BYTES: usize = 32 * 1024 * 1024;
/// Largest answer that `truncated` cuts in half; PortOne's own are far smaller.
const TRUNCATED_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a fault can hit, by the name that faults and the journal use: the calls of PortOne's API, the request that opens
/// a payment window, and a webhook that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
    Token,
    Payment,
    Find,
    FindAll,
    Prepare,
    List,
    Status,
    Balance,
    Cancel,
    Vbanks,
    Codes,
    Unknown,
    Checkout,
    Webhook,
    V2Token,
    V2Payment,
    V2List,
    V2Transactions,
    V2PreRegister,
    V2Confirm,
    V2Cancel,
    V2StopCancellation,
    V2ResendWebhook,
    V2CloseVirtualAccount,
    V2Banks,
    V2Unknown,
    V2Webhook,
}

impl Call {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Call::Token => "token",
            Call::Payment => "payment",
            Call::Find => "find",
            Call::FindAll => "find_all",
            Call::Prepare => "prepare",
            Call::List => "list",
            Call::Status => "status",
            Call::Balance => "balance",
            Call::Cancel => "cancel",
            Call::Vbanks => "vbanks",
            Call::Codes => "codes",
            Call::Unknown => "unknown",
            Call::Checkout => "checkout",
            Call::Webhook => "webhook",
            Call::V2Token => "v2_token",
            Call::V2Payment => "v2_payment",
            Call::V2List => "v2_list",
            Call::V2Transactions => "v2_transactions",
            Call::V2PreRegister => "v2_pre_register",
            Call::V2Confirm => "v2_confirm",
            Call::V2Cancel => "v2_cancel",
            Call::V2StopCancellation => "v2_stop_cancellation",
            Call::V2ResendWebhook => "v2_resend_webhook",
            Call::V2CloseVirtualAccount => "v2_close_virtual_account",
            Call::V2Banks => "v2_banks",
            Call::V2Unknown => "v2_unknown",
            Call::V2Webhook => "v2_webhook",
        }
    }

    /// The call that a path belongs to; none if the path is not PortOne's API at all.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let mut segments = path.split('/').skip(1);
        Some(
            match (segments.next().unwrap_or_default(), segments.next()) {
                ("" | "_sandbox" | "v1" | "favicon.ico", _) => return None,
                ("v2", Some(_)) => return v2::call_of_path(path),
                ("users", Some("getToken")) => Call::Token,
                ("users", Some("pg")) | ("banks" | "cards", _) => Call::Codes,
                ("payments", None) => Call::List,
                ("payments", Some("prepare")) => Call::Prepare,
                ("payments", Some("find")) => Call::Find,
                ("payments", Some("findAll")) => Call::FindAll,
                ("payments", Some("status")) => Call::Status,
                ("payments", Some("cancel")) => Call::Cancel,
                ("payments", Some(imp_uid)) if !imp_uid.is_empty() => match segments.next() {
                    None => Call::Payment,
                    Some("balance") => Call::Balance,
                    Some(_) => Call::Unknown,
                },
                ("vbanks", _) => Call::Vbanks,
                _ => Call::Unknown,
            },
        )
    }

    fn is_v2(self) -> bool {
        self.name().starts_with("v2_")
    }

    /// Whether it is a request to PortOne's REST API.
    fn is_api(self) -> bool {
        !matches!(self, Call::Checkout | Call::Webhook | Call::V2Webhook)
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
    List,
    Status,
    Balance,
    Cancel,
    Vbanks,
    Codes,
    Checkout,
    Webhook,
    V2Token,
    V2Payment,
    V2List,
    V2Transactions,
    V2PreRegister,
    V2Confirm,
    V2Cancel,
    V2StopCancellation,
    V2ResendWebhook,
    V2CloseVirtualAccount,
    V2Banks,
    V2Webhook,
}

impl Target {
    fn names(self, call: Call) -> bool {
        match self {
            Target::Any => call.is_api(),
            Target::Token => call == Call::Token,
            Target::Payment => call == Call::Payment,
            Target::Find => call == Call::Find,
            Target::FindAll => call == Call::FindAll,
            Target::Prepare => call == Call::Prepare,
            Target::List => call == Call::List,
            Target::Status => call == Call::Status,
            Target::Balance => call == Call::Balance,
            Target::Cancel => call == Call::Cancel,
            Target::Vbanks => call == Call::Vbanks,
            Target::Codes => call == Call::Codes,
            Target::Checkout => call == Call::Checkout,
            Target::Webhook => call == Call::Webhook,
            Target::V2Token => call == Call::V2Token,
            Target::V2Payment => call == Call::V2Payment,
            Target::V2List => call == Call::V2List,
            Target::V2Transactions => call == Call::V2Transactions,
            Target::V2PreRegister => call == Call::V2PreRegister,
            Target::V2Confirm => call == Call::V2Confirm,
            Target::V2Cancel => call == Call::V2Cancel,
            Target::V2StopCancellation => call == Call::V2StopCancellation,
            Target::V2ResendWebhook => call == Call::V2ResendWebhook,
            Target::V2CloseVirtualAccount => call == Call::V2CloseVirtualAccount,
            Target::V2Banks => call == Call::V2Banks,
            Target::V2Webhook => call == Call::V2Webhook,
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
    /// A webhook that is lost.
    Drop,
    /// A webhook that leaves several times.
    Duplicate,
    /// A webhook that waits until it is released.
    Hold,
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
            Kind::Drop => "drop",
            Kind::Duplicate => "duplicate",
            Kind::Hold => "hold",
        }
    }

    fn can_hit(self, target: Target) -> bool {
        match target {
            Target::Webhook | Target::V2Webhook => matches!(
                self,
                Kind::Drop | Kind::Duplicate | Kind::Hold | Kind::Delay
            ),
            // Refusals before the window are JSON for the browser SDK, never anything else.
            Target::Checkout => self == Kind::Code,
            Target::Any
            | Target::Token
            | Target::Payment
            | Target::Find
            | Target::FindAll
            | Target::Prepare
            | Target::List
            | Target::Status
            | Target::Balance
            | Target::Cancel
            | Target::Vbanks
            | Target::Codes
            | Target::V2Token
            | Target::V2Payment
            | Target::V2List
            | Target::V2Transactions
            | Target::V2PreRegister
            | Target::V2Confirm
            | Target::V2Cancel
            | Target::V2StopCancellation
            | Target::V2ResendWebhook
            | Target::V2CloseVirtualAccount
            | Target::V2Banks => !matches!(self, Kind::Drop | Kind::Duplicate | Kind::Hold),
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
    /// HTTP status of `status`, `html`, `garbage` and `empty`.
    #[serde(default)]
    status: Option<u16>,
    /// Wait before any kind of answer; for a webhook, how late it leaves by the sandbox's clock.
    #[serde(default)]
    pub(crate) delay_ms: u64,
    /// The envelope's code, for `code`.
    #[serde(default)]
    code: Option<i64>,
    /// The envelope's message.
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// How many calls it answers before it is gone; unlimited if absent.
    #[serde(default)]
    times: Option<u32>,
    /// How long it is there, by the sandbox's clock; unlimited if absent.
    #[serde(default)]
    for_ms: Option<u64>,
    #[serde(skip)]
    until_ms: Option<i64>,
    /// How many of a hundred calls it hits; all if absent.
    #[serde(default)]
    percent: Option<u8>,
    /// How many leave instead of one, for `duplicate`; two if absent.
    #[serde(default)]
    copies: Option<u32>,
    /// V2's error `type`, for `status`, `code`, `unauthorized` and `not_found`.
    #[serde(default)]
    r#type: Option<String>,
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
    #[error("delay_ms must be at most {WAIT_MS_MAX}, for a webhook {WEBHOOK_DELAY_MS_MAX}")]
    Delay,
    #[error("times must be at least 1")]
    Times,
    #[error(
        "this kind cannot happen to this call: drop, duplicate, hold and delay happen to webhooks, code to checkout, and all but drop, duplicate and hold to calls of an API"
    )]
    Kind,
    #[error("percent must be from 1 to 100")]
    Percent,
    #[error("copies must be from 2 to {COPIES_MAX}")]
    Copies,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    faults: Vec<Fault>,
    last_id: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, mut fault: Fault, now_ms: i64) -> Result<Fault, FaultError> {
        // What is over makes room.
        self.faults.retain(|fault| fault.is_there(now_ms));
        if self.faults.len() >= FAULTS_MAX {
            return Err(FaultError::Full);
        }
        if fault
            .status
            .is_some_and(|status| !(200..600).contains(&status))
        {
            return Err(FaultError::Status);
        }
        let is_webhook = fault.call.names(Call::Webhook) || fault.call.names(Call::V2Webhook);
        let delay_ms_max = match is_webhook {
            true => WEBHOOK_DELAY_MS_MAX,
            false => WAIT_MS_MAX,
        };
        if fault.delay_ms > delay_ms_max {
            return Err(FaultError::Delay);
        }
        if !fault.kind.can_hit(fault.call) {
            return Err(FaultError::Kind);
        }
        if fault
            .percent
            .is_some_and(|percent| !(1..=100).contains(&percent))
        {
            return Err(FaultError::Percent);
        }
        if fault
            .copies
            .is_some_and(|copies| !(2..=COPIES_MAX).contains(&copies))
        {
            return Err(FaultError::Copies);
        }
        fault.until_ms = fault
            .for_ms
            .map(|for_ms| now_ms.saturating_add(i64::try_from(for_ms).unwrap_or(i64::MAX)));
        if fault.times == Some(0) {
            return Err(FaultError::Times);
        }
        self.last_id += 1;
        fault.id = self.last_id;
        self.faults.push(fault.clone());
        Ok(fault)
    }

    /// The fault for this call, counted down; it is gone after its last time.
    pub(crate) fn take(&mut self, call: Call, now_ms: i64, rng: &mut Rng) -> Option<Fault> {
        let index = self.faults.iter().position(|fault| {
            fault.call.names(call)
                && fault.is_there(now_ms)
                // Drawn last, and only if there is something to draw: other runs' draws stay as they are.
                && fault
                    .percent
                    .is_none_or(|percent| rng.next() % 100 < u64::from(percent))
        })?;
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
    fn is_there(&self, now_ms: i64) -> bool {
        self.until_ms.is_none_or(|until_ms| now_ms < until_ms)
    }

    /// How many webhooks leave in place of one.
    pub(crate) fn copies(&self) -> usize {
        self.copies
            .and_then(|copies| usize::try_from(copies).ok())
            .unwrap_or(2)
    }

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
            | Kind::NotFound
            | Kind::Drop
            | Kind::Duplicate
            | Kind::Hold => Duration::from_millis(self.delay_ms),
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
            r#type,
            ..
        } = self;
        let status = |default: StatusCode| {
            status
                .and_then(|status| StatusCode::from_u16(status).ok())
                .unwrap_or(default)
        };
        let message = |default: &str| message.unwrap_or_else(|| default.into());
        let refuse = |status: StatusCode, code: i64, message: &str| match call.is_v2() {
            true => v2::refusal_body(status, r#type.as_deref(), message),
            false => envelope_error(status, code, message),
        };
        match self.kind {
            Kind::Delay => answer.unwrap_or_else(unanswered),
            Kind::Truncated => truncate(answer.unwrap_or_else(unanswered)).await,
            Kind::Status => {
                let status = status(StatusCode::INTERNAL_SERVER_ERROR);
                match body {
                    Some(body) => json_text(status, body),
                    None => refuse(status, -1, &message("sandbox fault")),
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
            // The last three are webhooks' alone.
            Kind::Stall | Kind::Drop | Kind::Duplicate | Kind::Hold => unanswered(),
            Kind::Reset => {
                if let Some(scissors) = scissors {
                    scissors.cut();
                }
                unanswered()
            }
            // V2 has no such thing as an error with HTTP 200; a conflict is the nearest.
            Kind::Code if call.is_v2() => {
                refuse(status(StatusCode::CONFLICT), -1, &message("sandbox fault"))
            }
            Kind::Code => refuse(
                StatusCode::OK,
                self.code.unwrap_or(1),
                &message("sandbox fault"),
            ),
            Kind::Unauthorized => {
                let text = match call == Call::Token {
                    true => crate::api::BAD_CREDENTIALS,
                    false => crate::api::UNAUTHORIZED,
                };
                refuse(StatusCode::UNAUTHORIZED, -1, &message(text))
            }
            Kind::NotFound => refuse(StatusCode::NOT_FOUND, -1, &message(crate::api::NOT_FOUND)),
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
