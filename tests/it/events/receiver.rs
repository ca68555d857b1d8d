//! A shop's server that takes webhooks, answers as a test says, and keeps what came.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use portone::webhook::Verifier;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A webhook as it came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) id: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    pub(crate) fn payment_id(&self) -> String {
        self.json()["data"]["payment_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn timestamp(&self) -> i64 {
        self.headers["webhook-timestamp"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Whether the signature fits this secret, at the time that the webhook says.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let verifier = Verifier::new([secret]).unwrap();
        let delivery = verifier.verify(&self.headers, &self.body, self.timestamp());
        delivery.is_ok_and(|delivery| delivery.id == self.id)
    }
}

type Answer = Box<dyn FnMut(&Got) -> Response + Send>;

struct Shared {
    got: Mutex<Vec<Got>>,
    answer: Mutex<Answer>,
    came: Notify,
    /// Requests wait here before they are answered.
    gate: tokio::sync::RwLock<()>,
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

impl Receiver {
    /// Answers 200.
    pub(crate) async fn start() -> Self {
        Self::answering(|_| StatusCode::OK.into_response()).await
    }

    pub(crate) async fn answering(answer: impl FnMut(&Got) -> Response + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?shop=1", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            got: Mutex::default(),
            answer: Mutex::new(Box::new(answer)),
            came: Notify::new(),
            gate: tokio::sync::RwLock::default(),
        });
        let app = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            let serving = axum::serve(listener, app);
            tokio::select! { served = serving => served.unwrap(), () = stopped => {} }
        });
        Self {
            url,
            shared,
            _stop: stop.drop_guard(),
        }
    }

    /// From now on answers like this.
    pub(crate) fn answer(&self, answer: impl FnMut(&Got) -> Response + Send + 'static) {
        *self.shared.answer.lock() = Box::new(answer);
    }

    pub(crate) fn answer_with(&self, code: StatusCode) {
        self.answer(move |_| code.into_response());
    }

    /// Answers nothing until the guard is dropped.
    pub(crate) async fn hold(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.shared.gate.write().await
    }

    /// What came so far, in order.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.got.lock().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.got.lock().len()
    }

    /// The types that came so far, in order.
    pub(crate) fn kinds(&self) -> Vec<String> {
        self.got().iter().map(Got::kind).collect()
    }

    /// Waits until this many came.
    pub(crate) async fn until(&self, count: usize) {
        let wait = async {
            loop {
                let came = self.shared.came.notified();
                if self.count() >= count {
                    return;
                }
                came.await;
            }
        };
        let waited = tokio::time::timeout(crate::app::PATIENCE, wait).await;
        assert!(waited.is_ok(), "{count} webhooks: {:?}", self.kinds());
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let got = Got {
        id: headers["webhook-id"].to_str().unwrap().to_owned(),
        headers,
        body,
    };
    shared.got.lock().push(got.clone());
    shared.came.notify_waiters();
    let _open = shared.gate.read().await;
    (shared.answer.lock())(&got)
}
