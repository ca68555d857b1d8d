//! Runs one proof and prints what it counted. `cargo xtask test` runs the quick sizes, `cargo xtask verify` the long ones.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
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
enum Proof {}

fn main() -> ExitCode {
    let args = Args::parse();
    let report: anyhow::Result<Report> = match args.proof {};
    #[expect(unreachable_code, reason = "there is no proof yet")]
    match report {
        Ok(report) => report.print(args.json),
        Err(error) => {
            eprintln!("proofs: {error:#}");
            ExitCode::FAILURE
        }
    }
}
