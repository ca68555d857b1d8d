//! Stands between the app and the sandbox and answers one call in the way that it was told to, byte by byte: a real server
//! would not let us send half a header.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// Longer than the app waits for PortOne in these tests. A call to give money back is waited for a minute at least; for that one
/// the stall ends as a connection that breaks.
const STALL: Duration = Duration::from_secs(2);
/// Pause between two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(20);
/// Largest request that is read; the app's calls are far smaller.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// More than the client reads of one answer.
const HUGE_BYTES: usize = 2 * 1024 * 1024;
/// Deeper than any JSON reader should follow.
const DEPTH: usize = 10_000;

/// A call to PortOne V1, by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// `POST /users/getToken`
    Token,
    /// `GET /payments/{imp_uid}`
    Payment,
    /// `GET /payments/findAll/{merchant_uid}/…`
    FindAll,
    /// `GET /payments/status/{status}`
    List,
    /// `POST /payments/prepare`, and what follows when that is refused.
    Prepare,
    /// `POST /payments/cancel`
    Cancel,
}

impl Call {
    pub(super) const ALL: [Self; 6] = [
        Self::Token,
        Self::Payment,
        Self::FindAll,
        Self::List,
        Self::Prepare,
        Self::Cancel,
    ];

    fn of(path: &str) -> Option<Self> {
        let mut segments = path.trim_start_matches('/').split(['/', '?']);
        match (segments.next()?, segments.next()?) {
            ("users", "getToken") => Some(Self::Token),
            ("payments", "findAll") => Some(Self::FindAll),
            ("payments", "status") => Some(Self::List),
            ("payments", "prepare") => Some(Self::Prepare),
            ("payments", "cancel") => Some(Self::Cancel),
            ("payments", _) => Some(Self::Payment),
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
    /// Whether it changes only members that the answer to a login does not have.
    pub(super) fn spares_tokens(self) -> bool {
        matches!(
            self,
            Self::AmountAsText | Self::UnknownStatus | Self::OtherIds
        )
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
    state: Arc<Mutex<State>>,
    hits: Arc<AtomicUsize>,
    redirected: Arc<AtomicUsize>,
}

impl FaultProxy {
    pub(super) async fn start(sandbox: Url) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let proxy = Self {
            url,
            state: Arc::default(),
            hits: Arc::default(),
            redirected: Arc::default(),
        };
        let connection = Connection {
            sandbox,
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
            refuse_tokens: call == Call::Token,
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
            (
                500,
                br#"{"code":-1,"message":null,"response":null}"#.to_vec(),
            )
        } else {
            self.forward(&request).await
        };
        let steps = match fault {
            None => vec![Step::Send(answer(status, "application/json", &body))],
            Some(fault) => faulty(fault, status, &body),
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
                state.refuse_tokens &= !fault.spares_tokens();
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

fn json(status: u16, body: &[u8]) -> Vec<Step> {
    vec![Step::Send(answer(status, "application/json", body))]
}

fn of_length(status: u16, length: usize, body: &[u8]) -> Vec<u8> {
    let headers = format!("content-type: application/json\r\ncontent-length: {length}\r\n");
    [head(status, &headers), body.to_vec()].concat()
}

fn faulty(fault: Fault, status: u16, body: &[u8]) -> Vec<Step> {
    let half = &body[..body.len() / 2];
    let envelope = |code: i64, message: &str| {
        serde_json::json!({ "code": code, "message": message, "response": null })
            .to_string()
            .into_bytes()
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
                .flat_map(|byte| [Step::Send(vec![*byte]), Step::Wait(DRIP)])
                .collect()
        }
        Fault::ResetInBody => vec![Step::Send(of_length(status, body.len(), half)), Step::Reset],
        Fault::LengthTooLong => vec![Step::Send(of_length(status, body.len() + 100, body))],
        Fault::LengthTooShort => vec![Step::Send(of_length(status, half.len(), body))],
        Fault::ServerError => json(500, &envelope(-1, "서버 오류")),
        Fault::BadGateway => vec![Step::Send(answer(502, "text/html", b"<h1>502</h1>"))],
        Fault::Unavailable => json(503, &envelope(-1, "점검 중")),
        Fault::GatewayTimeout => vec![Step::Send(answer(504, "text/html", b""))],
        // Rest that is asked for is kept by the client, for all cases: it has tests of its own.
        Fault::TooManyRequests => vec![Step::Send(head(
            429,
            "retry-after: 0\r\ncontent-length: 0\r\n",
        ))],
        Fault::Unauthorized => json(401, &envelope(-1, "Unauthorized")),
        Fault::Forbidden => json(403, &envelope(-1, "Forbidden")),
        Fault::NotFound => json(404, &envelope(-1, "존재하지 않는 결제정보입니다.")),
        Fault::BadRequest => json(400, &envelope(-1, "필수 파라미터가 누락되었습니다.")),
        Fault::RedirectElsewhere => vec![Step::Send(head(
            302,
            "location: http://127.0.0.1:9/elsewhere\r\ncontent-length: 0\r\n",
        ))],
        Fault::RedirectHere => vec![Step::Send(head(
            307,
            "location: /elsewhere\r\ncontent-length: 0\r\n",
        ))],
        Fault::NonZeroCode => json(200, &envelope(1, "처리할 수 없습니다")),
        Fault::Html => vec![Step::Send(answer(
            200,
            "text/html",
            b"<!doctype html><p>ok</p>",
        ))],
        Fault::Empty => json(200, b""),
        Fault::ByteOrderMark => json(status, &[b"\xef\xbb\xbf", body].concat()),
        Fault::TruncatedJson => json(status, half),
        Fault::TrailingJunk => json(status, &[body, b" x"].concat()),
        Fault::TwoDocuments => json(status, &[body, body].concat()),
        Fault::Huge => json(status, &vec![b' '; HUGE_BYTES]),
        // Nobody asked for compression, so nobody may unpack it.
        Fault::CompressedBomb => {
            let headers = format!(
                "content-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n",
                GZIPPED.len()
            );
            vec![Step::Send([head(200, &headers), GZIPPED.to_vec()].concat())]
        }
        Fault::Deep => json(
            200,
            format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH)).as_bytes(),
        ),
        Fault::DuplicateKeys => json(status, &doubled(body)),
        Fault::AmountAsText => json(
            status,
            &changed(body, "amount", |value| value.to_string().into()),
        ),
        Fault::UnknownStatus => json(status, &changed(body, "status", |_| "settling".into())),
        Fault::OtherIds => {
            let other = changed(body, "imp_uid", |_| "imp_999999999999".into());
            json(status, &changed(&other, "merchant_uid", |_| "OTHER".into()))
        }
    }
}

/// `gzip` of four zero bytes; what matters is that it is not JSON.
const GZIPPED: &[u8] = &[
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x63, 0x60, 0x60, 0x60, 0, 0, 0x1c, 0xdf, 0x44, 0x21, 4, 0,
    0, 0,
];

/// Each member of the answer twice, the second one with another value.
fn doubled(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let second = r#""code":0,"message":"twice","response":null,"#;
    text.replacen('{', &format!("{{{second}"), 1).into_bytes()
}

/// The answer with every member of a name changed, wherever it stands.
fn changed(body: &[u8], name: &str, change: impl Fn(&Value) -> Value + Copy) -> Vec<u8> {
    fn walk(value: &mut Value, name: &str, change: impl Fn(&Value) -> Value + Copy) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    if key == name && !member.is_null() {
                        *member = change(member);
                    }
                    walk(member, name, change);
                }
            }
            Value::Array(items) => {
                for item in items {
                    walk(item, name, change);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut value: Value = serde_json::from_slice(body).unwrap();
    walk(&mut value, name, change);
    value.to_string().into_bytes()
}
