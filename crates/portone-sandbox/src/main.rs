//! `portone-sandbox`: the sandbox as a program.

mod command;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use portone_sandbox::{Builder, Sandbox};
use tracing_subscriber::EnvFilter;
use url::Url;

/// A local PortOne: its V1 and V2 APIs, a clickable payment window, webhooks and faults. No real money, no account, no network.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 picks a free one.
    #[arg(
        long,
        global = true,
        env = "PORTONE_SANDBOX_ADDR",
        default_value = "127.0.0.1:3900"
    )]
    addr: SocketAddr,
    /// Seed of everything random: the same seed gives the same run.
    #[arg(long, env = "PORTONE_SANDBOX_SEED", default_value_t = 42)]
    seed: u64,
    /// Where webhooks go; nowhere if it is not set.
    #[arg(long, env = "PORTONE_SANDBOX_WEBHOOK_URL")]
    webhook_url: Option<Url>,
    /// Merchant code that `IMP.init` is called with.
    #[arg(
        long,
        env = "PORTONE_SANDBOX_MERCHANT_CODE",
        default_value = "imp00000000"
    )]
    merchant_code: String,
    /// REST key.
    #[arg(long, env = "PORTONE_SANDBOX_API_KEY", default_value = "imp_apikey")]
    api_key: String,
    /// REST secret.
    #[arg(
        long,
        env = "PORTONE_SANDBOX_API_SECRET",
        default_value = "sandbox-secret",
        hide_env_values = true
    )]
    api_secret: String,
    /// V2: store id.
    #[arg(
        long,
        env = "PORTONE_SANDBOX_STORE_ID",
        default_value = Sandbox::V2_STORE_ID
    )]
    store_id: String,
    /// V2: API secret.
    #[arg(
        long,
        env = "PORTONE_SANDBOX_V2_API_SECRET",
        default_value = Sandbox::V2_API_SECRET,
        hide_env_values = true
    )]
    v2_api_secret: String,
    /// V2: secrets that webhooks are signed with, at most two, with a comma between them.
    #[arg(
        long,
        env = "PORTONE_SANDBOX_WEBHOOK_SECRETS",
        default_value = Sandbox::V2_WEBHOOK_SECRET,
        value_delimiter = ',',
        hide_env_values = true
    )]
    webhook_secrets: Vec<String>,
    /// Listen on an address that other machines can reach, although there is no login.
    #[arg(long)]
    allow_remote: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Without a subcommand the sandbox is served. The settings above but `--addr` stand before the subcommand.
#[derive(Subcommand)]
enum Command {
    Scenarios(command::ScenariosArguments),
    Check(Box<command::CheckArguments>),
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let served = match arguments.command.take() {
        None => run(arguments).await,
        Some(Command::Scenarios(asked)) => command::scenarios(&asked).map_err(Into::into),
        Some(Command::Check(asked)) => return command::check(builder(arguments), *asked).await,
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// Says what went wrong, and why, on stderr.
fn complain(error: &dyn std::error::Error) {
    eprintln!("portone-sandbox: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  because: {cause}");
        source = cause.source();
    }
}

fn builder(arguments: Arguments) -> Builder {
    let mut builder = Sandbox::builder()
        .addr(arguments.addr)
        .seed(arguments.seed)
        .merchant_code(arguments.merchant_code)
        .credentials(arguments.api_key, arguments.api_secret)
        .store_id(arguments.store_id)
        .v2_secret(arguments.v2_api_secret)
        .webhook_secrets(arguments.webhook_secrets)
        .allow_remote(arguments.allow_remote);
    if let Some(url) = arguments.webhook_url {
        builder = builder.webhook_url(url);
    }
    builder
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let builder = builder(arguments);
    let sandbox = builder.spawn().await?;
    // Programs that start the sandbox on port 0 read the address from this line.
    println!(
        "portone-sandbox listening on {}",
        sandbox.url().as_str().trim_end_matches('/')
    );
    println!("open {}_sandbox/ to see and drive payments", sandbox.url());
    stop_signal().await?;
    Ok(())
}

#[cfg(unix)]
async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stop_signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
