//! Runs one proof and prints what it counted. `cargo xtask test` runs the quick sizes, `cargo xtask verify` the long ones.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use proofs::model;
use proofs::processes::powercut::{self, Writer};
use proofs::processes::{Setup, kill, race};
use proofs::report::Report;
use proofs::simulator;

/// What wanryo promises, proven on the shipped code.
#[derive(Debug, Parser)]
struct Args {
    /// Prints the result as one line of JSON, for `cargo xtask verify`.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    proof: Proof,
}

#[derive(Debug, Subcommand)]
enum Proof {
    /// `kill -9` at random moments under load: nothing acknowledged is lost, nothing is paid that is not
    Kill {
        /// How often
        #[arg(long, default_value_t = 200)]
        kills: u64,
        #[command(flatten)]
        setup: Setup,
    },
    /// Two servers on one PostgreSQL, told the same at the same time: one transition, one event, one answer
    Race {
        /// How often
        #[arg(long, default_value_t = 2_000)]
        rounds: u64,
        #[command(flatten)]
        setup: Setup,
    },
    /// The power goes at any moment of a recorded run on SQLite: nothing acknowledged is lost
    Powercut {
        /// How many disks, as they could look afterwards
        #[arg(long, default_value_t = 20_000)]
        images: u64,
        #[command(flatten)]
        setup: Setup,
    },
    /// Recorded by `powercut`, to see that it would find a loss
    #[command(hide = true)]
    CarelessWriter(Writer),
    /// Steps the shipped decisions through every interleaving of a matrix of small worlds
    Model(model::Size),
    /// Runs seeded schedules of the shipped use cases in a simulated world.
    Simulate {
        /// How many.
        #[arg(long, default_value_t = 20_000)]
        schedules: u64,
        /// Where the seeds begin.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Runs this one schedule again, tells it in words, and shrinks it when it breaks a promise.
        #[arg(long, value_name = "SEED")]
        replay: Option<u64>,
        /// Stops at the first broken promise, and does not shrink it.
        #[arg(long)]
        stop_early: bool,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let report: anyhow::Result<Report> = match args.proof {
        Proof::Kill { kills, setup } => with_tokio(kill::run(&setup, kills)),
        Proof::Race { rounds, setup } => with_tokio(race::run(&setup, rounds)),
        Proof::Powercut { images, setup } => with_tokio(powercut::run(&setup, images)),
        Proof::CarelessWriter(writer) => return careless(&writer),
        Proof::Model(size) => Ok(model::run(&size)),
        Proof::Simulate {
            replay: Some(seed), ..
        } => Ok(simulator::replay_report(seed)),
        Proof::Simulate {
            schedules,
            seed,
            replay: None,
            stop_early,
        } => simulator::simulate(&simulator::Settings {
            schedules,
            seed,
            stop_early,
        }),
    };
    match report {
        Ok(report) => report.print(args.json),
        Err(error) => {
            eprintln!("proofs: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Only ends here if it fails.
fn careless(writer: &Writer) -> ExitCode {
    match with_tokio(powercut::write(writer)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("proofs: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// For what talks to processes.
fn with_tokio<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
