//! Stands between the app and the sandbox and answers one call in the way that it was told to, byte by byte: a real server
//! would not let us send half a header.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;
use wanryo::domain::order::Portone;

/// Longer than the app waits for PortOne in these tests. A call to give money back is waited for a minute at least; for that one
/// the stall ends as a connection that breaks.
const STALL: Duration = Duration::from_secs(1);
/// Pause between two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(20);
/// Bytes that drip before the connection breaks: for longer than the app waits, and far from the end of any answer.
const DRIPS: usize = 50;
/// Largest request that is read; the app's calls are far smaller.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// More than the client reads of one answer.
const HUGE_BYTES: usize = 2 * 1024 * 1024;
/// Deeper than any JSON reader should follow.
const DEPTH: usize = 10_000;

/// A call to PortOne, by what it asks for: each generation has an address of its own for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// V1 `POST /users/getToken`, V2 `POST /login/api-secret`
    Token,
    /// V1 `GET /payments/{imp_uid}`, V2 `GET /payments/{paymentId}`
    Payment,
    /// V1 `GET /payments/findAll/{merchant_uid}/…`, V2 `GET /payments/{paymentId}/transactions`
    Attempts,
    /// V1 `GET /payments/status/{status}`, V2 `GET /payments`
    List,
    /// V1 `POST /payments/prepare`, and what follows when that is refused; V2 `POST /payments/{paymentId}/pre-register`
    Prepare,
    /// V1 `POST /payments/cancel`, V2 `POST /payments/{paymentId}/cancel`
    Cancel,
}

impl Call {
    pub(super) const ALL: [Self; 6] = [
        Self::Token,
        Self::Payment,
        Self::Attempts,
        Self::List,
        Self::Prepare,
        Self::Cancel,
    ];

    fn of(path: &str) -> Option<Self> {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match segments.as_slice() {
            ["users", "getToken"] | ["v2", "login" | "token", _] => Some(Self::Token),
            ["payments", "findAll", ..] | ["v2", "payments", _, "transactions"] => {
                Some(Self::Attempts)
            }
            ["payments", "status", _] | ["v2", "payments"] => Some(Self::List),
            ["payments", "prepare", ..] | ["v2", "payments", _, "pre-register"] => {
                Some(Self::Prepare)
            }
            ["payments", "cancel"] | ["v2", "payments", _, "cancel"] => Some(Self::Cancel),
            ["payments", _] | ["v2", "payments", _] => Some(Self::Payment),
            _ => None,
        }
    }
}

/// What happens to the answer of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    ClosedWithoutAnswer,
    ResetWithoutAnswer,
    NoAnswer,
    StallInHeaders,
    StallInBody,
    Drip,
    ResetInBody,
    LengthTooLong,
    LengthTooShort,
    ServerError,
    BadGateway,
    Unavailable,
    GatewayTimeout,
    TooManyRequests,
    Unauthorized,
    Forbidden,
    NotFound,
    BadRequest,
    RedirectElsewhere,
    RedirectHere,
    NonZeroCode,
    Html,
    Empty,
    ByteOrderMark,
    TruncatedJson,
    TrailingJunk,
    TwoDocuments,
    Huge,
    CompressedBomb,
    Deep,
    DuplicateKeys,
    AmountAsText,
    UnknownStatus,
    OtherIds,
}

impl Fault {
    pub(super) const ALL: [Self; 34] = [
        Self::ClosedWithoutAnswer,
        Self::ResetWithoutAnswer,
        Self::NoAnswer,
        Self::StallInHeaders,
        Self::StallInBody,
        Self::Drip,
        Self::ResetInBody,
        Self::LengthTooLong,
        Self::LengthTooShort,
        Self::ServerError,
        Self::BadGateway,
        Self::Unavailable,
        Self::GatewayTimeout,
        Self::TooManyRequests,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::BadRequest,
        Self::RedirectElsewhere,
        Self::RedirectHere,
        Self::NonZeroCode,
        Self::Html,
        Self::Empty,
        Self::ByteOrderMark,
        Self::TruncatedJson,
        Self::TrailingJunk,
        Self::TwoDocuments,
        Self::Huge,
        Self::CompressedBomb,
        Self::Deep,
        Self::DuplicateKeys,
        Self::AmountAsText,
        Self::UnknownStatus,
        Self::OtherIds,
    ];
}

impl Fault {
    /// Whether the call's answer says the same with the fault: it changes only members that this answer does not have.
    pub(super) fn spares(self, portone: Portone, call: Call) -> bool {
        let of_others = matches!(
            self,
            Self::AmountAsText | Self::UnknownStatus | Self::OtherIds
        );
        match (portone, call) {
            (Portone::V1, Call::Token) => of_others,
            // That an amount is registered V2 says by its status alone.
            (Portone::V2, Call::Prepare) => of_others || self == Self::NonZeroCode,
            (Portone::V1, Call::Prepare) => self == Self::UnknownStatus,
            (_, Call::Token | Call::Payment | Call::Attempts | Call::List | Call::Cancel) => false,
        }
    }
}

/// One move of an answer.
enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    Reset,
}

#[derive(Default)]
struct State {
    armed: Option<(Call, Fault)>,
    /// A fault of the token call is met only by who asks for a token: until one was issued, every call refuses what it brings.
    refuse_tokens: bool,
    /// Whether the call with the fault is kept from PortOne: it did nothing then, whatever its answer looks like.
    withheld: bool,
}

/// The proxy.
pub(super) struct FaultProxy {
    pub(super) url: Url,
    portone: Portone,
    state: Arc<Mutex<State>>,
    hits: Arc<AtomicUsize>,
    redirected: Arc<AtomicUsize>,
}

impl FaultProxy {
    /// In front of the sandbox's API of one generation.
    pub(super) async fn start(sandbox: Url, portone: Portone) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let proxy = Self {
            url,
            portone,
            state: Arc::default(),
            hits: Arc::default(),
            redirected: Arc::default(),
        };
        let connection = Connection {
            sandbox,
            portone,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            state: Arc::clone(&proxy.state),
            hits: Arc::clone(&proxy.hits),
            redirected: Arc::clone(&proxy.redirected),
        };
        let connection = Arc::new(connection);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = Arc::clone(&connection);
                tokio::spawn(async move { connection.serve(stream).await });
            }
        });
        proxy
    }

    /// From now on every answer to `call` has the fault.
    pub(super) fn arm(&self, call: Call, fault: Fault) {
        *self.state.lock() = State {
            armed: Some((call, fault)),
            refuse_tokens: call == Call::Token && self.portone == Portone::V1,
            withheld: false,
        };
        self.hits.store(0, Ordering::SeqCst);
    }

    /// [`FaultProxy::arm`], and PortOne never sees the call.
    pub(super) fn arm_withholding(&self, call: Call, fault: Fault) {
        self.arm(call, fault);
        self.state.lock().withheld = true;
    }

    pub(super) fn disarm(&self) {
        *self.state.lock() = State::default();
    }

    /// How many answers had the fault since it was armed.
    pub(super) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    /// How many requests came to the place that a redirect named.
    pub(super) fn redirected(&self) -> usize {
        self.redirected.load(Ordering::SeqCst)
    }
}

struct Connection {
    sandbox: Url,
    portone: Portone,
    client: reqwest::Client,
    state: Arc<Mutex<State>>,
    hits: Arc<AtomicUsize>,
    redirected: Arc<AtomicUsize>,
}

struct Request {
    method: String,
    path: String,
    authorization: Option<String>,
    content_type: Option<String>,
    idempotency_key: Option<String>,
    body: Vec<u8>,
}

impl Connection {
    /// One request, one answer, and the connection is over.
    async fn serve(&self, mut stream: TcpStream) {
        let Some(request) = read_request(&mut stream).await else {
            return;
        };
        if request.path.starts_with("/elsewhere") {
            self.redirected.fetch_add(1, Ordering::SeqCst);
        }
        let call = Call::of(&request.path);
        let (fault, withheld) = self.fault(call);
        let (status, body) = if withheld {
            (500, refusal(self.portone, -1, "INTERNAL", "서버 오류"))
        } else {
            self.forward(&request).await
        };
        let steps = match fault {
            None => vec![Step::Send(answer(status, "application/json", &body))],
            Some(fault) => faulty(self.portone, fault, status, &body),
        };
        for step in steps {
            match step {
                // A client that has left is part of the game.
                Step::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Step::Wait(time) => {
                    let mut nothing = [0];
                    // Ends early when the client leaves, so that no test waits for a stall.
                    let _left_or_over = tokio::time::timeout(time, stream.read(&mut nothing)).await;
                }
                Step::Reset => {
                    let _ = stream.set_zero_linger();
                    return;
                }
            }
        }
        let _ = stream.shutdown().await;
    }

    /// What happens to an answer, and whether the call is kept from PortOne.
    fn fault(&self, call: Option<Call>) -> (Option<Fault>, bool) {
        let state = &mut *self.state.lock();
        match state.armed {
            Some((armed, fault)) if call == Some(armed) => {
                self.hits.fetch_add(1, Ordering::SeqCst);
                state.refuse_tokens &= !fault.spares(self.portone, Call::Token);
                (Some(fault), state.withheld)
            }
            Some(_) if state.refuse_tokens => (Some(Fault::Unauthorized), false),
            _ => (None, false),
        }
    }

    async fn forward(&self, request: &Request) -> (u16, Vec<u8>) {
        let url = self.sandbox.join(&request.path).unwrap();
        let method = request.method.parse().unwrap();
        let mut forwarded = self.client.request(method, url).body(request.body.clone());
        if let Some(value) = &request.authorization {
            forwarded = forwarded.header("authorization", value);
        }
        if let Some(value) = &request.content_type {
            forwarded = forwarded.header("content-type", value);
        }
        if let Some(value) = &request.idempotency_key {
            forwarded = forwarded.header("idempotency-key", value);
        }
        let answer = forwarded.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.bytes().await.unwrap().to_vec())
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let (head, body_start) = loop {
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break (String::from_utf8(bytes[..at].to_vec()).ok()?, at + 4);
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 || bytes.len() > REQUEST_BYTES_MAX {
            return None;
        }
        bytes.extend_from_slice(&chunk[..read]);
    };
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |wanted: &str| {
        head.split("\r\n").skip(1).find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted)
                .then(|| value.trim().to_owned())
        })
    };
    let length = header("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = bytes.split_off(body_start);
    while body.len() < length {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 {
            return None;
        }
        body.extend_from_slice(&chunk[..read]);
    }
    Some(Request {
        method,
        path,
        authorization: header("authorization"),
        content_type: header("content-type"),
        idempotency_key: header("idempotency-key"),
        body,
    })
}

fn head(status: u16, more: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\n{more}\r\n").into_bytes()
}

fn answer(status: u16, content_type: &str, body: &[u8]) -> Vec<u8> {
    let headers = format!(
        "content-type: {content_type}\r\ncontent-length: {}\r\n",
        body.len()
    );
    [head(status, &headers), body.to_vec()].concat()
}

fn whole(status: u16, body: &[u8]) -> Vec<Step> {
    vec![Step::Send(answer(status, "application/json", body))]
}

fn of_length(status: u16, length: usize, body: &[u8]) -> Vec<u8> {
    let headers = format!("content-type: application/json\r\ncontent-length: {length}\r\n");
    [head(status, &headers), body.to_vec()].concat()
}

/// A no in the generation's own words.
fn refusal(portone: Portone, code: i64, kind: &str, message: &str) -> Vec<u8> {
    let refusal = match portone {
        Portone::V1 => json!({ "code": code, "message": message, "response": null }),
        Portone::V2 => json!({ "type": kind, "message": message }),
    };
    refusal.to_string().into_bytes()
}

fn faulty(portone: Portone, fault: Fault, status: u16, body: &[u8]) -> Vec<Step> {
    let half = &body[..body.len() / 2];
    let no = |status: u16, kind: &str, message: &str| {
        whole(status, &refusal(portone, -1, kind, message))
    };
    match fault {
        Fault::ClosedWithoutAnswer => Vec::new(),
        Fault::ResetWithoutAnswer => vec![Step::Reset],
        Fault::NoAnswer => vec![Step::Wait(STALL)],
        Fault::StallInHeaders => vec![
            Step::Send(b"HTTP/1.1 200 OK\r\ncontent-".to_vec()),
            Step::Wait(STALL),
        ],
        Fault::StallInBody => vec![
            Step::Send(of_length(status, body.len(), half)),
            Step::Wait(STALL),
        ],
        Fault::Drip => {
            let whole = answer(status, "application/json", body);
            whole
                .iter()
                .take(DRIPS)
                .flat_map(|byte| [Step::Send(vec![*byte]), Step::Wait(DRIP)])
                .collect()
        }
        Fault::ResetInBody => vec![Step::Send(of_length(status, body.len(), half)), Step::Reset],
        Fault::LengthTooLong => vec![Step::Send(of_length(status, body.len() + 100, body))],
        Fault::LengthTooShort => vec![Step::Send(of_length(status, half.len(), body))],
        Fault::ServerError => no(500, "INTERNAL", "서버 오류"),
        Fault::BadGateway => vec![Step::Send(answer(502, "text/html", b"<h1>502</h1>"))],
        Fault::Unavailable => no(503, "UNAVAILABLE", "점검 중"),
        Fault::GatewayTimeout => vec![Step::Send(answer(504, "text/html", b""))],
        // Rest that is asked for is kept by the client, for all cases: it has tests of its own.
        Fault::TooManyRequests => vec![Step::Send(head(
            429,
            "retry-after: 0\r\ncontent-length: 0\r\n",
        ))],
        Fault::Unauthorized => no(401, "UNAUTHORIZED", "Unauthorized"),
        Fault::Forbidden => no(403, "FORBIDDEN", "Forbidden"),
        Fault::NotFound => no(404, "PAYMENT_NOT_FOUND", "존재하지 않는 결제정보입니다."),
        Fault::BadRequest => no(400, "INVALID_REQUEST", "필수 파라미터가 누락되었습니다."),
        Fault::RedirectElsewhere => vec![Step::Send(head(
            302,
            "location: http://127.0.0.1:9/elsewhere\r\ncontent-length: 0\r\n",
        ))],
        Fault::RedirectHere => vec![Step::Send(head(
            307,
            "location: /elsewhere\r\ncontent-length: 0\r\n",
        ))],
        // V2 has no such codes: its no with a status of success is the nearest to it.
        Fault::NonZeroCode => whole(
            200,
            &refusal(portone, 1, "INVALID_REQUEST", "처리할 수 없습니다"),
        ),
        Fault::Html => vec![Step::Send(answer(
            200,
            "text/html",
            b"<!doctype html><p>ok</p>",
        ))],
        Fault::Empty => whole(200, b""),
        Fault::ByteOrderMark => whole(status, &[b"\xef\xbb\xbf", body].concat()),
        Fault::TruncatedJson => whole(status, half),
        Fault::TrailingJunk => whole(status, &[body, b" x"].concat()),
        Fault::TwoDocuments => whole(status, &[body, body].concat()),
        Fault::Huge => whole(status, &vec![b' '; HUGE_BYTES]),
        // Nobody asked for compression, so nobody may unpack it.
        Fault::CompressedBomb => {
            let headers = format!(
                "content-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n",
                GZIPPED.len()
            );
            vec![Step::Send([head(200, &headers), GZIPPED.to_vec()].concat())]
        }
        Fault::Deep => whole(
            200,
            format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH)).as_bytes(),
        ),
        Fault::DuplicateKeys => whole(status, &doubled(body)),
        Fault::AmountAsText => whole(
            status,
            &changed(body, names(portone).amounts, |value| {
                value.to_string().into()
            }),
        ),
        Fault::UnknownStatus => whole(status, &changed(body, &["status"], |_| "settling".into())),
        Fault::OtherIds => {
            let names = names(portone);
            let other = changed(body, names.transaction_ids, |_| "imp_999999999999".into());
            whole(
                status,
                &changed(&other, names.payment_ids, |_| OTHER.into()),
            )
        }
    }
}

/// The payment that an answer with other ids is about.
pub(super) const OTHER: &str = "OTHER";

/// What a generation calls the members that faults change.
struct Names {
    amounts: &'static [&'static str],
    transaction_ids: &'static [&'static str],
    payment_ids: &'static [&'static str],
}

fn names(portone: Portone) -> Names {
    match portone {
        Portone::V1 => Names {
            amounts: &["amount"],
            transaction_ids: &["imp_uid"],
            payment_ids: &["merchant_uid"],
        },
        Portone::V2 => Names {
            amounts: &["total", "totalAmount"],
            transaction_ids: &["transactionId"],
            payment_ids: &["id", "paymentId"],
        },
    }
}

/// `gzip` of four zero bytes; what matters is that it is not JSON.
const GZIPPED: &[u8] = &[
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x63, 0x60, 0x60, 0x60, 0, 0, 0x1c, 0xdf, 0x44, 0x21, 4, 0,
    0, 0,
];

/// Each member of the answer twice, one of them with another value.
fn doubled(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let value: Value = serde_json::from_slice(body).unwrap();
    let mut others: String = value
        .as_object()
        .unwrap()
        .keys()
        .map(|name| format!("\"{name}\":null,"))
        .collect();
    if others.is_empty() {
        others = r#""again":0,"again":1"#.to_owned();
    }
    text.replacen('{', &format!("{{{others}"), 1).into_bytes()
}

/// The answer with every member of these names changed, wherever it stands.
fn changed(body: &[u8], names: &[&str], change: impl Fn(&Value) -> Value + Copy) -> Vec<u8> {
    fn walk(value: &mut Value, names: &[&str], change: impl Fn(&Value) -> Value + Copy) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    if names.contains(&key.as_str()) && !member.is_null() {
                        *member = change(member);
                    }
                    walk(member, names, change);
                }
            }
            Value::Array(items) => {
                for item in items {
                    walk(item, names, change);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut value: Value = serde_json::from_slice(body).unwrap();
    walk(&mut value, names, change);
    value.to_string().into_bytes()
}
