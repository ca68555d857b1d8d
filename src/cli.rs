//! The program's commands.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::adapters::store;
use crate::adapters::system::SystemClock;
use crate::compose;
use crate::config::{LogSettings, RawSettings, Settings};
use crate::developer::{listen, trigger};
use crate::doctor::{self, Level};
use crate::domain::access::Role;
use crate::domain::event::EventType;
use crate::domain::history::Actor;
use crate::domain::order::Portone;
use crate::ports::deliveries::Redelivered;
use crate::ports::operations::{Kept, OperationsStore};
use crate::ports::retention::PersonalData;
use crate::service::access::{self, AccessError, KEYS_MAX};
use crate::service::retention;

/// Webhooks in one list.
const REPLAY_LISTED_MAX: u32 = 20;

/// wanryo (완료): the moment a PortOne payment is done, verified before it is shown
#[derive(Debug, Parser)]
#[command(
    name = "wanryo",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    log: LogSettings,
    #[command(flatten)]
    settings: Box<RawSettings>,
}

impl Cli {
    /// How the log is to be written, and where traces go.
    #[must_use]
    pub const fn log(&self) -> &LogSettings {
        &self.log
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the site (the default)
    Serve {
        #[command(flatten)]
        settings: Box<RawSettings>,
    },
    /// Serve the site on a fresh database, with a local PortOne, a sample shop and sample orders
    Demo(crate::demo::Options),
    /// Bring the database up to date and end
    Migrate {
        #[command(flatten)]
        settings: Box<RawSettings>,
    },
    /// Look for what is set up wrongly, beside the running server, and say how to mend it; ends with 1 when it found an error
    Doctor {
        #[command(flatten)]
        settings: Box<RawSettings>,
    },
    /// Show how much personal data is kept and since when; ends with 1 when some is kept beyond its time
    Retention {
        #[command(flatten)]
        settings: Box<RawSettings>,
    },
    /// Work a received webhook off once more, or send an event to the shop again; without a number, list the webhooks that came last
    Replay {
        /// Number of the webhook, as the list has it
        id: Option<i64>,
        /// Number of a delivery to send again, as the API has it (GET /api/v1/deliveries)
        #[arg(long, value_name = "ID", conflicts_with = "id")]
        delivery: Option<i64>,
        #[command(flatten)]
        settings: Box<RawSettings>,
    },
    /// For a shop's developer: show events as they are delivered, and hand them on to a server that only this machine can reach
    Listen {
        /// Where to post them, such as http://localhost:8080/webhooks
        #[arg(long, value_name = "URL")]
        forward_to: Option<Url>,
        /// Only these events, separated by commas; all of them when absent
        #[arg(long, value_delimiter = ',', value_parser = event_type)]
        events: Vec<EventType>,
        #[command(flatten)]
        settings: Box<RawSettings>,
    },
    /// For a shop's developer: make an event happen to a new order, with portone-sandbox as PortOne
    Trigger {
        /// Which one, such as order.paid
        #[arg(value_parser = event_type)]
        event: EventType,
        /// PortOne's generation to pay through: v1 or v2; the one that is set up when absent
        #[arg(long, value_parser = generation)]
        portone: Option<Portone>,
        #[command(flatten)]
        settings: Box<RawSettings>,
    },
    /// Copy a SQLite database as it is at this moment, while the server runs
    Backup {
        /// File to make; must not exist
        file: PathBuf,
        #[command(flatten)]
        settings: Box<RawSettings>,
    },
    /// API keys of the shop's server
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// People who may sign in to the back office
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key and print it, this once
    Create {
        /// What the key is for, as the history names it
        #[arg(long)]
        name: String,
        #[command(flatten)]
        settings: Box<RawSettings>,
    },
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a person, or give one a new password; one who was disabled may sign in again
    Add {
        /// E-mail address
        email: String,
        /// What the person may do: viewer, staff or owner; left out, a new person is an owner, and another keeps the role
        #[arg(long, value_parser = role)]
        role: Option<Role>,
        /// Take the person's second factor away, for one who has lost it
        #[arg(long)]
        drop_second_factor: bool,
        /// Read the password from standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        settings: Box<RawSettings>,
    },
}

/// Runs the command.
///
/// # Errors
/// What stopped it, to be printed once.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    let Some(command) = cli.command else {
        return serve(cli.settings.check()?).await;
    };
    match command {
        Command::Serve { settings } => serve(settings.check()?).await,
        Command::Demo(options) => crate::demo::run(options).await,
        Command::Migrate { settings } => {
            let (_, database) = compose::offline(&settings.check()?).await?;
            database.close().await;
            Ok(())
        }
        Command::Doctor { settings } => examine(*settings).await,
        Command::Retention { settings } => show_retention(&settings.check()?).await,
        Command::Replay {
            delivery: Some(delivery),
            settings,
            ..
        } => redeliver(&settings.check()?, delivery).await,
        Command::Replay { id, settings, .. } => replay(&settings.check()?, id).await,
        Command::Listen {
            forward_to,
            events,
            settings,
        } => {
            let events = (!events.is_empty()).then_some(events);
            listen::run(&settings.check()?, forward_to, events).await
        }
        Command::Trigger {
            event,
            portone,
            settings,
        } => {
            let id = trigger::run(&settings.check()?, event, portone).await?;
            print_line(id.as_str())
        }
        Command::Backup { file, settings } => {
            store::back_up(&settings.check()?.database_url, &file)
                .await
                .context("the database was not copied")
        }
        Command::Key {
            command: KeyCommand::Create { name, settings },
        } => make_key(&settings.check()?, &name).await,
        Command::User {
            command:
                UserCommand::Add {
                    email,
                    role,
                    drop_second_factor,
                    password_stdin,
                    settings,
                },
        } => {
            let settings = settings.check()?;
            add_user(&settings, &email, role, drop_second_factor, password_stdin).await
        }
    }
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    if settings.v1.is_none() && settings.v2.is_none() {
        tracing::warn!(
            "no PortOne is configured: orders are not taken; set PORTONE_V1_MERCHANT_CODE, PORTONE_V1_API_KEY and PORTONE_V1_API_SECRET, or PORTONE_V2_STORE_ID and PORTONE_V2_API_SECRET"
        );
    }
    if settings
        .v2
        .as_ref()
        .is_some_and(|v2| v2.webhook_secrets.is_empty())
    {
        tracing::warn!(
            "webhooks of PortOne V2 are refused, because nothing can verify them; set PORTONE_V2_WEBHOOK_SECRETS"
        );
    }
    let mut running = compose::start(settings).await?;
    let broken = tokio::select! {
        asked = stop_asked() => { asked?; false }
        () = running.broken() => true,
    };
    tracing::info!("stopping: no new requests are taken");
    running.stop().await;
    anyhow::ensure!(!broken, "a part of the server ended by itself; see the log");
    Ok(())
}

async fn examine(settings: RawSettings) -> anyhow::Result<()> {
    let findings = doctor::examine(settings, &SystemClock).await?;
    for finding in &findings {
        print_line(&finding.to_string())?;
    }
    let errors = findings.iter();
    let errors = errors
        .filter(|finding| finding.level == Level::Error)
        .count();
    anyhow::ensure!(
        errors == 0,
        "{errors} found to be wrong; below each stands how to mend it"
    );
    Ok(())
}

async fn replay(settings: &Settings, id: Option<i64>) -> anyhow::Result<()> {
    let (core, database) = compose::offline(settings).await?;
    match id {
        Some(id) => {
            let found = database.replay(id, core.clock.now()).await?;
            anyhow::ensure!(
                found,
                "the inbox has no webhook {id}; it keeps them for 30 days"
            );
        }
        None => {
            for kept in database.list_kept(REPLAY_LISTED_MAX).await? {
                let Kept {
                    id,
                    received_at,
                    portone,
                    state,
                    payment_id,
                } = kept;
                let portone = portone.as_str();
                print_line(&format!(
                    "{id}\t{received_at}\t{portone}\t{state}\t{payment_id}"
                ))?;
            }
        }
    }
    database.close().await;
    Ok(())
}

async fn redeliver(settings: &Settings, id: i64) -> anyhow::Result<()> {
    let (core, database) = compose::offline(settings).await?;
    let now = core.clock.now();
    match core.deliveries.redeliver(id, &Actor::Command, now).await? {
        Redelivered::Done => {}
        Redelivered::NothingThere => {
            anyhow::bail!(
                "there is no delivery {id}; GET /api/v1/deliveries lists those that there are"
            )
        }
        Redelivered::NotServed => anyhow::bail!(
            "nothing is sent to the endpoint of delivery {id}: it was disabled, answered 410, or was deleted; enable it on the back office's page of webhooks first"
        ),
    }
    database.close().await;
    Ok(())
}

/// What is kept of people, for who has to answer for it.
async fn show_retention(settings: &Settings) -> anyhow::Result<()> {
    let (core, database) = compose::offline(settings).await?;
    let PersonalData {
        erased,
        left_over,
        overdue,
        oldest,
    } = retention::personal_data(&core).await?;
    database.close().await;
    let oldest = oldest.map_or_else(|| "-".to_owned(), |at| at.to_string());
    print_line(&format!("kept for days\t{}", settings.retention_days))?;
    print_line(&format!("oldest order with personal data\t{oldest}"))?;
    print_line(&format!("orders that are overdue\t{overdue}"))?;
    print_line(&format!("orders that were erased\t{erased}"))?;
    print_line(&format!("of these with personal data\t{left_over}"))?;
    anyhow::ensure!(
        left_over == 0,
        "{left_over} orders that were erased have personal data all the same: please report it as a defect"
    );
    anyhow::ensure!(
        overdue == 0,
        "personal data is kept beyond its time; the running server erases it, once a minute"
    );
    Ok(())
}

/// Waits for Ctrl-C or a service manager's SIGTERM.
///
/// # Errors
/// When signals cannot be listened to.
pub async fn stop_asked() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened to")?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt.context("Ctrl-C cannot be listened to"),
        _ = terminate.recv() => Ok(()),
    }
}

async fn make_key(settings: &Settings, name: &str) -> anyhow::Result<()> {
    let (core, database) = compose::offline(settings).await?;
    let key = match access::make_api_key(&core, name, &Actor::Command).await {
        Err(AccessError::TooMany) => anyhow::bail!(
            "two keys are called {name:?} already, or there are {KEYS_MAX} in all; revoke one on the back office's page of keys, or choose another name"
        ),
        made => made?,
    };
    print_line(key.expose_secret())?;
    database.close().await;
    Ok(())
}

async fn add_user(
    settings: &Settings,
    email: &str,
    role: Option<Role>,
    drop_second_factor: bool,
    password_stdin: bool,
) -> anyhow::Result<()> {
    let password = read_password(password_stdin)?;
    let (core, database) = compose::offline(settings).await?;
    access::put_user(&core, email, password, role).await?;
    if drop_second_factor {
        access::factor::drop_of(&core, email).await?;
    }
    database.close().await;
    Ok(())
}

fn read_password(from_stdin: bool) -> anyhow::Result<SecretString> {
    if from_stdin {
        let mut line = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut line)
            .context("the password cannot be read from standard input")?;
        return Ok(SecretString::from(
            line.trim_end_matches(['\r', '\n']).to_owned(),
        ));
    }
    anyhow::ensure!(
        std::io::stdin().is_terminal(),
        "there is no terminal to ask for the password; use --password-stdin"
    );
    let first = rpassword::prompt_password("Password: ").context("the password cannot be read")?;
    let second =
        rpassword::prompt_password("Once more: ").context("the password cannot be read")?;
    anyhow::ensure!(first == second, "the two passwords differ");
    Ok(SecretString::from(first))
}

fn role(word: &str) -> Result<Role, String> {
    Role::from_word(word).ok_or_else(|| one_of(Role::ALL.iter().map(|one| one.as_str())))
}

fn event_type(word: &str) -> Result<EventType, String> {
    EventType::from_word(word).ok_or_else(|| one_of(EventType::ALL.iter().map(|one| one.as_str())))
}

fn generation(word: &str) -> Result<Portone, String> {
    Portone::from_word(word).ok_or_else(|| one_of(Portone::ALL.iter().map(|one| one.as_str())))
}

fn one_of<'w>(words: impl Iterator<Item = &'w str>) -> String {
    format!("must be one of {}", words.collect::<Vec<_>>().join(", "))
}

/// What a command makes goes to standard output, alone on its line; the log goes to standard error.
pub(crate) fn print_line(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout().lock(), "{text}").context("standard output cannot be written")
}
