//! A shop's server that hands what PortOne sends it to the test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use url::Url;

/// How long a test waits for what PortOne sends.
const NEXT_WAIT: Duration = Duration::from_secs(10);
/// More answers than any test needs.
pub(crate) const ENOUGH: usize = 100;

#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) content_type: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

type Answers = Arc<Mutex<VecDeque<(u16, &'static str)>>>;

/// It answers as often as the test lets it: 200, unless the test said otherwise.
pub(crate) struct Shop {
    pub(crate) url: Url,
    pub(crate) received: mpsc::UnboundedReceiver<Received>,
    pub(crate) permits: Arc<Semaphore>,
    answers: Answers,
}

impl Shop {
    pub(crate) async fn start(permits: usize) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let permits = Arc::new(Semaphore::new(permits));
        let answers = Answers::default();
        let (own_permits, own_answers) = (permits.clone(), answers.clone());
        let app = Router::new().fallback(async move |request: Request| {
            let (parts, body) = request.into_parts();
            let content_type = parts
                .headers
                .get("content-type")
                .map_or("", |value| value.to_str().unwrap())
                .to_owned();
            let body = axum::body::to_bytes(body, 4096).await.unwrap();
            let _ = sender.send(Received {
                method: parts.method.to_string(),
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                content_type,
                headers: parts.headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            });
            own_permits.acquire().await.unwrap().forget();
            let answer = own_answers.lock().unwrap().pop_front();
            let (status, body) = answer.unwrap_or((200, ""));
            (StatusCode::from_u16(status).unwrap(), body)
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Shop {
            url: url.parse().unwrap(),
            received,
            permits,
            answers,
        }
    }

    /// What the next requests are answered with, one each.
    pub(crate) fn answer_next<const N: usize>(&self, answers: [(u16, &'static str); N]) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// What PortOne sends next; a test that waits in vain fails.
    pub(crate) async fn next(&mut self) -> Received {
        tokio::time::timeout(NEXT_WAIT, self.received.recv())
            .await
            .expect("PortOne should have sent something")
            .unwrap()
    }

    pub(crate) async fn next_json(&mut self) -> Value {
        let received = self.next().await;
        assert_eq!(received.content_type, "application/json");
        assert_eq!(received.path, "/hook");
        serde_json::from_str(&received.body).unwrap()
    }
}
