//! From OpenMetrics, which the library writes, to the text format that every version of Prometheus and every tool reads. They
//! differ in how a counter's family is named, and in the last line.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::collections::HashSet;
use std::fmt::Write;

/// The same families as text of version 0.0.4.
pub(super) fn for_prometheus(open_metrics: &str) -> String {
    let counters: HashSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len() + 256);
    for line in open_metrics.lines() {
        let described = line
            .strip_prefix("# HELP ")
            .map(|rest| ("HELP", rest))
            .or_else(|| line.strip_prefix("# TYPE ").map(|rest| ("TYPE", rest)))
            .and_then(|(what, rest)| rest.split_once(' ').map(|(name, rest)| (what, name, rest)));
        // Writing to a String does not fail.
        let _written = match described {
            Some((what, name, rest)) if counters.contains(name) => {
                writeln!(text, "# {what} {name}_total {rest}")
            }
            _ => writeln!(text, "{line}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_described_by_the_name_of_its_samples() {
        let open_metrics = "# HELP a What.\n# TYPE a counter\na_total{b=\"c\"} 1\n# HELP d_seconds How long.\n# TYPE d_seconds histogram\nd_seconds_sum 0.5\n";

        assert_eq!(
            for_prometheus(open_metrics),
            "# HELP a_total What.\n# TYPE a_total counter\na_total{b=\"c\"} 1\n# HELP d_seconds How long.\n# TYPE d_seconds histogram\nd_seconds_sum 0.5\n"
        );
    }
}
