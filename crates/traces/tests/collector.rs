//! A collector on this machine, and what reaches it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what is not as expected here fails the test"
)]

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use traces::Traces;
use tracing_subscriber::layer::SubscriberExt;
use url::Url;

const TARGET: &str = "test::traces";

/// One batch as it came.
struct Batch {
    path: String,
    content_type: String,
    body: Bytes,
}

impl Batch {
    fn request(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(self.body.clone()).unwrap()
    }

    fn spans(&self) -> Vec<Span> {
        let resources = self.request().resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

async fn take(
    State(batches): State<UnboundedSender<Batch>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let content_type = headers["content-type"].to_str().unwrap().to_owned();
    let path = uri.path().to_owned();
    let _ = batches.send(Batch {
        path,
        content_type,
        body,
    });
    StatusCode::OK
}

async fn collector() -> (Url, UnboundedReceiver<Batch>) {
    let (sender, batches) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let router = Router::new().fallback(take).with_state(sender);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address(addr), batches)
}

fn address(addr: SocketAddr) -> Url {
    format!("http://{addr}/otlp/").parse().unwrap()
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        other => panic!("{key} is {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_of_the_target_arrive_and_nothing_else_does() {
    let (url, mut batches) = collector().await;
    let traces = Traces::start(&url).unwrap();
    let subscriber = tracing_subscriber::registry().with(traces.layer(TARGET));
    tracing::subscriber::with_default(subscriber, || {
        let outer = tracing::trace_span!(target: TARGET, "outer", otel.name = "GET /x", otel.kind = "server");
        outer.in_scope(|| {
            tracing::error!(target: TARGET, person = "canary-event", "canary-message");
            // As the log has it, between two of ours.
            tracing::info_span!("log", canary = "canary-span").in_scope(|| {
                tracing::trace_span!(target: TARGET, "inner", call = "attempts").in_scope(|| {});
            });
        });
    });
    traces.end().await;

    let batch = batches.recv().await.unwrap();
    assert_eq!(batch.path, "/otlp/v1/traces");
    assert_eq!(batch.content_type, "application/x-protobuf");
    let spans = batch.spans();
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["inner", "GET /x"]);
    let (inner, outer) = (&spans[0], &spans[1]);
    assert_eq!(inner.parent_span_id, outer.span_id);
    assert_eq!(inner.trace_id, outer.trace_id);
    assert_eq!(text(&inner.attributes, "call"), Some("attempts"));
    assert!(outer.events.is_empty(), "{:?}", outer.events);
    assert!(!String::from_utf8_lossy(&batch.body).contains("canary"));
    let resource = batch.request().resource_spans.remove(0).resource.unwrap();
    assert_eq!(text(&resource.attributes, "service.name"), Some("wanryo"));
    assert!(
        batches.try_recv().is_err(),
        "one batch is enough for two spans"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = address(listener.local_addr().unwrap());
    drop(listener);
    let traces = Traces::start(&url).unwrap();
    let subscriber = tracing_subscriber::registry().with(traces.layer(TARGET));

    let worked = tracing::subscriber::with_default(subscriber, || {
        tracing::trace_span!(target: TARGET, "work").in_scope(|| 7)
    });
    traces.end().await;

    assert_eq!(worked, 7);
}
