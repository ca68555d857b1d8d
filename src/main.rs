//! The program.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};
use wanryo::cli::{self, Cli};
use wanryo::config::{LogFormat, LogSettings};
use wanryo::{TRACES, Traces};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let traces = match start_log(cli.log()) {
        Ok(traces) => traces,
        Err(error) => return failed(&error),
    };
    let done = cli::run(cli).await;
    if let Some(traces) = traces {
        traces.end().await;
    }
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Says the chain, once: what was tried, and why it did not work.
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("wanryo: {error:#}");
    ExitCode::FAILURE
}

/// Logs to standard error; `RUST_LOG` chooses what. Traces go where the settings say, whatever the log shows.
fn start_log(settings: &LogSettings) -> anyhow::Result<Option<Traces>> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let log: Box<dyn Layer<Registry> + Send + Sync> = match settings.format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let traces = settings.collector.as_ref().map(Traces::start).transpose()?;
    tracing_subscriber::registry()
        .with(log.with_filter(filter))
        .with(traces.as_ref().map(|traces| traces.layer(TRACES)))
        .init();
    if traces.is_some() && !Traces::ARE_SENT {
        tracing::warn!(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but this program was built without the feature `otel`: no traces are sent"
        );
    }
    Ok(traces)
}
