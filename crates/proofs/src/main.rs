//! Runs one proof and prints what it counted. `cargo xtask test` runs the quick sizes, `cargo xtask verify` the long ones.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use proofs::processes::{Setup, kill, race};
use proofs::report::Report;

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
}

fn main() -> ExitCode {
    let args = Args::parse();
    let report: anyhow::Result<Report> = match args.proof {
        Proof::Kill { kills, setup } => with_tokio(kill::run(&setup, kills)),
        Proof::Race { rounds, setup } => with_tokio(race::run(&setup, rounds)),
    };
    match report {
        Ok(report) => report.print(args.json),
        Err(error) => {
            eprintln!("proofs: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// For the proofs that talk to processes.
fn with_tokio(proof: impl Future<Output = anyhow::Result<Report>>) -> anyhow::Result<Report> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(proof)
}
