//! The subcommands `scenarios` and `check`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};
use portone_sandbox::Builder;
use portone_sandbox::check::{PATIENCE, Rules, Server, ServerKind, select};
use portone_sandbox::scenario::{
    self, Generation, Options, Scenario, ScenarioResult, Target, Verdict,
};
use url::Url;

/// The check could not be run as asked. 1 is kept for a scenario that failed.
const UNUSABLE: u8 = 2;
/// How long the server may take to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The calls by which a server learns how a payment stands.
const QUESTIONS: [&str; 7] = [
    "payment",
    "find",
    "find_all",
    "list",
    "status",
    "v2_payment",
    "v2_list",
];

/// Lists what can happen to a payment, and what a server must make of it.
#[derive(Args)]
pub(crate) struct ScenariosArguments {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the scenarios against a completion server that has this sandbox as its PortOne.
#[derive(Args)]
// A key in the environment does not stand in the way of rules.
#[command(group = ArgGroup::new("server").required(true).multiple(true))]
pub(crate) struct CheckArguments {
    /// The server's address.
    #[arg(long)]
    target: Url,
    /// The server is wanryo: a key from `wanryo key create`.
    #[arg(long, env = "WANRYO_API_KEY", hide_env_values = true, group = "server")]
    api_key: Option<String>,
    /// The server is another one: a file that says how to talk to it.
    #[arg(long, group = "server")]
    rules: Option<PathBuf>,
    /// Where the buyer's browser is redirected to, if not where wanryo or the rules have it.
    #[arg(long)]
    redirect_url: Option<Url>,
    /// Where PortOne sends webhooks, if not where wanryo or the rules have it.
    #[arg(long)]
    webhook_url: Option<Url>,
    /// Which scenarios: numbers, ranges and names, such as 1,7-9,crowd.
    #[arg(long)]
    only: Option<String>,
    /// Only scenarios of PortOne V1.
    #[arg(long, conflicts_with = "v2_only")]
    v1_only: bool,
    /// Only scenarios of PortOne V2.
    #[arg(long)]
    v2_only: bool,
    /// How long to wait for what the server does by itself, in seconds.
    #[arg(long, default_value_t = PATIENCE.as_secs())]
    patience: u64,
    /// The report as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn scenarios(arguments: &ScenariosArguments) -> std::io::Result<()> {
    let all = scenario::all();
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let json = serde_json::to_string_pretty(&all)?;
        return writeln!(out, "{json}");
    }
    let width = all
        .iter()
        .map(|scenario| scenario.name.len())
        .max()
        .unwrap_or_default();
    for Scenario {
        number,
        name,
        about,
        ..
    } in all
    {
        writeln!(out, "{number:>2}  {name:width$}  {about}")?;
    }
    Ok(())
}

/// `builder` carries the sandbox's keys and secrets, which the server knows as PortOne's.
pub(crate) async fn check(builder: Builder, arguments: CheckArguments) -> ExitCode {
    match run(builder, arguments).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            crate::complain(error.as_ref());
            ExitCode::from(UNUSABLE)
        }
    }
}

/// Returns how many scenarios failed.
async fn run(
    builder: Builder,
    arguments: CheckArguments,
) -> Result<usize, Box<dyn std::error::Error>> {
    let scenarios = selected(&arguments)?;
    let target = target(&arguments)?;
    reach(&arguments.target).await?;
    // A server that keeps its orders takes no payment twice, so the ids of the last check must not come again.
    let sandbox = builder.fresh_seed().spawn().await?;
    let colours = std::io::stdout().is_terminal();
    let options = match arguments.json {
        true => Options::default(),
        false => Options::default().observer(move |result| say(&line(result, colours))),
    };
    let report = scenario::run(&sandbox, target.as_ref(), &scenarios, options).await;
    if arguments.json {
        say(&serde_json::to_string_pretty(&report)?);
    } else {
        say(&format!("\n{}", report.sums()));
    }
    let was_asked = QUESTIONS.iter().any(|call| sandbox.calls(call) > 0);
    if report.failed() > 0 && !was_asked {
        eprintln!(
            "portone-sandbox: the server never asked {} about a payment; is that its address of PortOne's API?",
            sandbox.url()
        );
    }
    Ok(report.failed())
}

/// Where nobody listens there is nothing to check, and one sentence says more than a scoreboard of failures.
async fn reach(target: &Url) -> Result<(), Box<dyn std::error::Error>> {
    let host = target.host_str().unwrap_or_default();
    let port = target.port_or_known_default().unwrap_or_default();
    let connected = tokio::net::TcpStream::connect((host, port));
    match tokio::time::timeout(CONNECT_TIMEOUT, connected).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("{target} cannot be reached: {error}").into()),
        Err(_) => Err(format!("{target} cannot be reached: no answer").into()),
    }
}

fn selected(arguments: &CheckArguments) -> Result<Vec<Scenario>, Box<dyn std::error::Error>> {
    let mut scenarios = match &arguments.only {
        Some(text) => select(text)?,
        None => scenario::all(),
    };
    scenarios.retain(|scenario| match scenario.generation {
        Generation::V1 => !arguments.v2_only,
        Generation::V2 => !arguments.v1_only,
    });
    if scenarios.is_empty() {
        return Err(
            "none of the scenarios in --only is about that version of PortOne's API".into(),
        );
    }
    Ok(scenarios)
}

fn target(arguments: &CheckArguments) -> Result<Box<dyn Target>, Box<dyn std::error::Error>> {
    let kind = match &arguments.rules {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            ServerKind::Other(Box::new(Rules::parse(&text)?))
        }
        // clap has seen to it that there is a key when there are no rules.
        None => ServerKind::Wanryo {
            api_key: arguments.api_key.clone().unwrap_or_default(),
        },
    };
    let server = Server {
        base: arguments.target.clone(),
        kind,
        redirect_url: arguments.redirect_url.clone(),
        webhook_url: arguments.webhook_url.clone(),
        patience: Duration::from_secs(arguments.patience),
    };
    Ok(server.target()?)
}

/// A result as the scoreboard shows it, its first word coloured for people.
fn line(result: &ScenarioResult, colours: bool) -> String {
    let text = result.to_string();
    let colour = match (&result.verdict, colours) {
        (_, false) => return text,
        (Verdict::Passed, true) => 32,
        (Verdict::Failed(_), true) => 31,
        (Verdict::Skipped(_), true) => 33,
    };
    match text.split_once(' ') {
        Some((word, rest)) => format!("\x1b[{colour}m{word}\x1b[0m {rest}"),
        None => text,
    }
}

/// A line on stdout. Whoever closed the pipe wants to hear no more, and the exit code still tells.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}
