//! A stand-in for PortOne: an HTTP server on a free port of this machine that remembers what it was asked.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body::Frame;
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore},
};

/// No test opens as many doors.
pub const OPEN: usize = 1000;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// The request target, byte by byte as the client wrote it.
    pub uri: String,
    headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn authorization(&self) -> Option<&str> {
        self.header("authorization")
    }

    /// The method and the target.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.uri)
    }
}

type Answer = dyn Fn(&Seen) -> Response + Send + Sync;

struct Inner {
    seen: Mutex<Vec<Seen>>,
    answer: Box<Answer>,
    /// Where access tokens come from, and what stands before it.
    token_path: &'static str,
    token_door: Semaphore,
    token_asked: Notify,
}

/// The server.
pub struct Server {
    pub url: String,
    inner: Arc<Inner>,
}

impl Server {
    /// Answers with `answer`. As many requests to `token_path` as there are `doors` are let through at once.
    pub async fn start(
        token_path: &'static str,
        doors: usize,
        answer: impl Fn(&Seen) -> Response + Send + Sync + 'static,
    ) -> Self {
        let inner = Arc::new(Inner {
            seen: Mutex::default(),
            answer: Box::new(answer),
            token_path,
            token_door: Semaphore::new(doors),
            token_asked: Notify::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(serve).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().expect("nobody panicked").clone()
    }

    pub fn tokens_asked(&self) -> usize {
        self.seen().len() - self.calls().len()
    }

    /// The requests other than for a token.
    pub fn calls(&self) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|seen| seen.uri != self.inner.token_path);
        seen
    }

    /// The one request other than for a token.
    pub fn call(&self) -> Seen {
        let calls = self.calls();
        let [call] = calls.as_slice() else {
            unreachable!("one call, not {calls:?}")
        };
        call.clone()
    }

    /// Waits until a token was asked for.
    pub async fn token_asked(&self) {
        self.inner.token_asked.notified().await;
    }

    /// Lets everybody through.
    pub fn open_door(&self) {
        self.inner.token_door.add_permits(OPEN);
    }
}

async fn serve(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 64 * 1024).await.expect("a small body");
    let seen = Seen {
        method: parts.method.to_string(),
        uri: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).expect("a body of text"),
    };
    inner
        .seen
        .lock()
        .expect("nobody panicked")
        .push(seen.clone());
    if seen.uri == inner.token_path {
        inner.token_asked.notify_one();
        inner
            .token_door
            .acquire()
            .await
            .expect("the door is never removed")
            .forget();
    }
    (inner.answer)(&seen)
}

/// A body that starts and then either says nothing more or breaks off.
struct Unfinished {
    start: Option<&'static str>,
    breaks: bool,
}

impl http_body::Body for Unfinished {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match self.start.take() {
            Some(start) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(start.as_bytes()))))),
            None if self.breaks => Poll::Ready(Some(Err(std::io::Error::other("the server died")))),
            None => Poll::Pending,
        }
    }
}

/// An answer whose body starts like this and then says nothing more, or breaks off.
pub fn unfinished(start: &'static str, breaks: bool) -> Response {
    let start = Some(start);
    Body::new(Unfinished { start, breaks }).into_response()
}

pub fn json(status: u16, body: impl Into<String>) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        body.into(),
    )
        .into_response()
}
