//! What the numbers were measured on.

use std::fs;

use anyhow::Context;

/// The processors, the system and the time, for whoever reads the numbers later.
#[expect(
    clippy::disallowed_methods,
    reason = "a report says when it was made; nothing is decided by it"
)]
pub(crate) fn describe() -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism()?;
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let system = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{} on {cores} cores of {model}, Linux {}",
        jiff::Timestamp::now().strftime("%F %R UTC"),
        system.trim()
    ))
}

/// Processes that ran or wanted to, on average over a minute.
pub(crate) fn load_average() -> anyhow::Result<String> {
    let averages = fs::read_to_string("/proc/loadavg")?;
    let minute = averages.split(' ').next();
    Ok(minute.context("reading /proc/loadavg")?.to_owned())
}
