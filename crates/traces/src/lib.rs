//! Sends spans to an OpenTelemetry collector, over OTLP's HTTP with Protobuf.
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>
//!
//! Spans alone: what is logged within them stays in the log, where its rules about what may be said are held. The SDK reads
//! its other settings (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`,
//! `OTEL_BSP_*`) from the environment.
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>
//!
//! Invariants: nothing waits for a collector but the end of the program, and that for [`END_TIMEOUT`] at most; what a collector
//! does not take in time is dropped, in memory there are never more spans than the SDK's queue holds (2,048 unless told
//! otherwise).

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, Value};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::{Client, redirect, retry};
use rustls::crypto::{CryptoProvider, ring};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

/// Time for one batch of spans.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for what is left when the program ends.
pub const END_TIMEOUT: Duration = Duration::from_secs(3);
/// Where OTLP has its traces, below the collector's address.
/// <https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp>
const TRACES_PATH: &str = "v1/traces";
/// What the service is called unless `OTEL_SERVICE_NAME` says something else.
const SERVICE_NAME: &str = "wanryo";

/// Collects spans and sends them in batches.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Whether traces are sent. A program that is built without them has something else in this one's place, which says no.
    pub const ARE_SENT: bool = true;

    /// Begins to send to the collector at this address. Asks nothing of it: it may come later.
    ///
    /// # Errors
    /// When TLS cannot be set up, or a setting of the SDK cannot be used.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn start(collector: &Url) -> anyhow::Result<Self> {
        let client = OnRuntime {
            client: client()?,
            runtime: Handle::current(),
        };
        let mut endpoint = collector.clone();
        let path = format!("{}/{TRACES_PATH}", collector.path().trim_end_matches('/'));
        endpoint.set_path(&path);
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_timeout(SEND_TIMEOUT)
            .build()
            .context("traces cannot be sent as the settings say")?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource())
            .build();
        Ok(Self { provider })
    }

    /// Collects the spans of this target, whatever the log shows of them.
    #[must_use]
    pub fn layer<S>(&self, target: &'static str) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(SERVICE_NAME))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(move |metadata| {
                metadata.is_span() && metadata.target() == target
            }))
    }

    /// Sends what is left. Errors are logged: the work of the program is done.
    pub async fn end(self) {
        let ended =
            tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(END_TIMEOUT));
        if let Ok(Err(error)) = ended.await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the last traces were not sent"
            );
        }
    }
}

/// What the SDK finds in its environment, with a name in any case.
fn resource() -> Resource {
    let found = Resource::builder().build();
    let is_named = found
        .get(&Key::from_static_str("service.name"))
        .is_some_and(|name| !is_a_guess(&name));
    if is_named {
        found
    } else {
        Resource::builder().with_service_name(SERVICE_NAME).build()
    }
}

/// The SDK calls a service that nobody named `unknown_service`, or that and its program's name.
/// <https://opentelemetry.io/docs/specs/semconv/resource/#service>
fn is_a_guess(name: &Value) -> bool {
    name.as_str().starts_with("unknown_service")
}

fn client() -> anyhow::Result<Client> {
    if CryptoProvider::get_default().is_none() {
        // An error means that somebody else installed one in the meantime, which serves as well.
        let _installed = ring::default_provider().install_default();
    }
    Client::builder()
        .timeout(SEND_TIMEOUT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .build()
        .context("no client for traces can be made")
}

/// A client whose calls run on the program's runtime: the SDK sends from a thread of its own, which has none.
#[derive(Debug, Clone)]
struct OnRuntime {
    client: Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime
            .spawn(async move { client.send_bytes(request).await })
            .await?
    }
}
