//! Proofs with real processes: the program that is shipped is killed, raced against itself, and cut off from its power.
//!
//! Nothing here reaches into the program. It is started as an operator starts it, spoken to over HTTP, and judged by what its
//! database holds and by what the sandbox, which plays PortOne and survives everything, knows to be true.

pub mod database;
pub mod kill;
pub mod powercut;
pub mod race;
pub mod server;
pub mod shop;

use std::path::PathBuf;

use clap::Args;

/// What every proof with processes takes.
#[derive(Debug, Clone, Args)]
pub struct Setup {
    /// The program under test; `wanryo` beside this program when absent
    #[arg(long, value_name = "PATH")]
    pub wanryo: Option<PathBuf>,
    /// A PostgreSQL in which databases may be made
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Seed of every draw. Processes have their own timing, so the same seed makes a similar run, not the same one
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Setup {
    /// Where the program under test lies.
    fn program(&self) -> anyhow::Result<PathBuf> {
        let path = match &self.wanryo {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("wanryo"),
        };
        anyhow::ensure!(
            path.is_file(),
            "there is no program at {}: build it, or name it with --wanryo",
            path.display()
        );
        Ok(path)
    }
}
