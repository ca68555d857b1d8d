//! How a target did.

use std::fmt;

use serde::Serialize;

use super::play::Break;

/// How one scenario ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "reason", rename_all = "snake_case")]
pub enum Verdict {
    /// The target did what it must.
    Passed,
    /// It did not; the text says what it did instead, for somebody who knows nothing of the scenario.
    Failed(String),
    /// The target lacks what the scenario is about.
    Skipped(String),
}

impl Verdict {
    pub(super) fn of(played: super::Played) -> Self {
        match played {
            Ok(()) => Self::Passed,
            Err(Break::Failed(reason)) => Self::Failed(reason),
            Err(Break::Skipped(reason)) => Self::Skipped(reason),
        }
    }
}

/// One scenario, run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScenarioResult {
    /// The scenario's number.
    pub number: u8,
    /// The scenario's name.
    pub name: &'static str,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What was done, in order; a scenario that failed did so in the last one.
    pub steps: Vec<String>,
    /// How long it took.
    pub duration_ms: u64,
}

/// All that were run. `Display` is a scoreboard without colours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// In the order they were run.
    pub results: Vec<ScenarioResult>,
}

impl Report {
    /// How many passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Passed))
    }

    /// How many failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Failed(_)))
    }

    /// How many were skipped.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Skipped(_)))
    }

    /// The result of one scenario, if it was run.
    #[must_use]
    pub fn of(&self, number: u8) -> Option<&ScenarioResult> {
        self.results.iter().find(|result| result.number == number)
    }

    /// One line: how many passed, failed, were skipped.
    #[must_use]
    pub fn sums(&self) -> String {
        format!(
            "{} passed, {} failed, {} skipped",
            self.passed(),
            self.failed(),
            self.skipped()
        )
    }

    fn count(&self, is: impl Fn(&Verdict) -> bool) -> usize {
        self.results
            .iter()
            .filter(|result| is(&result.verdict))
            .count()
    }
}

impl Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'r> {
            passed: usize,
            failed: usize,
            skipped: usize,
            scenarios: &'r [ScenarioResult],
        }
        Whole {
            passed: self.passed(),
            failed: self.failed(),
            skipped: self.skipped(),
            scenarios: &self.results,
        }
        .serialize(serializer)
    }
}

impl fmt::Display for ScenarioResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, reason) = match &self.verdict {
            Verdict::Passed => ("pass", None),
            Verdict::Failed(reason) => ("FAIL", Some(reason)),
            Verdict::Skipped(reason) => ("skip", Some(reason)),
        };
        write!(formatter, "{word}  {:>2}  {}", self.number, self.name)?;
        if let (Verdict::Failed(_), Some(step)) = (&self.verdict, self.steps.last()) {
            write!(formatter, "\n          when {step}")?;
        }
        if let Some(reason) = reason {
            write!(formatter, "\n          {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for result in &self.results {
            writeln!(formatter, "{result}")?;
        }
        formatter.write_str(&self.sums())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let result = |number, name, verdict| ScenarioResult {
            number,
            name,
            verdict,
            steps: vec!["the buyer comes back".into()],
            duration_ms: 7,
        };
        Report {
            results: vec![
                result(1, "card-paid", Verdict::Passed),
                result(
                    18,
                    "tampered-amount",
                    Verdict::Failed("answered paid".into()),
                ),
                result(48, "v2-return", Verdict::Skipped("no V2".into())),
            ],
        }
    }

    #[test]
    fn the_scoreboard_gives_reasons() {
        assert_eq!(
            report().to_string(),
            "pass   1  card-paid\n\
             FAIL  18  tampered-amount\n          when the buyer comes back\n          answered paid\n\
             skip  48  v2-return\n          no V2\n\
             1 passed, 1 failed, 1 skipped"
        );
    }

    #[test]
    fn json_carries_verdict_and_reason() {
        let json = serde_json::to_value(report()).unwrap();

        assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
        assert_eq!(json["scenarios"][0]["verdict"], "passed");
        assert_eq!(json["scenarios"][1]["verdict"], "failed");
        assert_eq!(json["scenarios"][1]["reason"], "answered paid");
        assert_eq!(json["scenarios"][1]["number"], 18);
    }
}
