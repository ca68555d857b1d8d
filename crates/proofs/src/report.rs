//! What a proof counted.

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// The result of one proof.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Which proof: `model`, `simulate`, …
    pub proof: String,
    /// What was counted: `states`, `schedules`, `kills`, …
    pub unit: String,
    /// How many of it.
    pub count: u64,
    /// Seeds and sizes, enough to run the very same again.
    pub settings: String,
    /// One line for each promise that was broken, with what replays it. Empty means that the proof holds.
    pub failures: Vec<String>,
    /// Anything else worth a line: coverage, rates, what was left out.
    pub notes: Vec<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Report {
    /// Prints the result; failure when a promise was broken, or when nothing was counted.
    #[must_use]
    pub fn print(&self, json: bool) -> ExitCode {
        if json {
            println!("{}", serde_json::json!(self));
        } else {
            println!(
                "{}: {} {} in {:.1} s ({}), {} failed",
                self.proof,
                self.count,
                self.unit,
                self.seconds,
                self.settings,
                self.failures.len()
            );
            for line in self.notes.iter().chain(&self.failures) {
                println!("  {line}");
            }
        }
        if self.failures.is_empty() && self.count > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
