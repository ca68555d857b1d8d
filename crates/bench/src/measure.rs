//! What a process cost: its processor time and memory by the kernel's own books, and how long its answers took.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::task::JoinSet;

use crate::machine;

/// The unit of the times in `/proc/PID/stat`: 100 a second for every program, whatever the kernel's own clock does.
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
const TICKS_PER_SECOND: f64 = 100.0;

/// What some requests cost.
#[derive(Debug)]
pub(crate) struct Cost {
    pub(crate) name: String,
    pub(crate) requests: usize,
    pub(crate) per_second: f64,
    /// Of the server's processor time, its background work included.
    pub(crate) cpu_us: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Most that was resident so far.
    pub(crate) resident_mb: f64,
    /// Of the machine in the minute before the end: what else ran beside it.
    pub(crate) load_average: String,
}

/// Sends `requests` requests, `at_once` of them at a time, to a process. Any that fails ends the measurement.
pub(crate) async fn measure<Sent>(
    name: &'static str,
    pid: u32,
    requests: usize,
    at_once: usize,
    send: impl Fn(usize) -> Sent + Send + Sync + 'static,
) -> anyhow::Result<Cost>
where
    Sent: Future<Output = anyhow::Result<()>> + Send,
{
    let before = cpu_seconds(pid)?;
    let began = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let send = Arc::new(send);
    let mut senders = JoinSet::new();
    for _ in 0..at_once {
        let (next, send) = (Arc::clone(&next), Arc::clone(&send));
        senders.spawn(async move {
            let mut times = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= requests {
                    return anyhow::Ok(times);
                }
                let began = Instant::now();
                send(number).await?;
                times.push(began.elapsed());
            }
        });
    }
    let mut times = Vec::with_capacity(requests);
    while let Some(sender) = senders.join_next().await {
        times.extend(sender?.with_context(|| name.to_owned())?);
    }
    let took = began.elapsed();
    let cpu = cpu_seconds(pid)? - before;
    times.sort_unstable();
    Ok(Cost {
        name: name.to_owned(),
        requests,
        per_second: requests as f64 / took.as_secs_f64(),
        cpu_us: cpu * 1e6 / requests as f64,
        p50: percentile(&times, 50),
        p99: percentile(&times, 99),
        resident_mb: most_resident_mb(pid)?,
        load_average: machine::load_average()?,
    })
}

/// Of times in order.
pub(crate) fn percentile(times: &[Duration], per_cent: usize) -> Duration {
    let last = times.len().saturating_sub(1);
    times
        .get((times.len() * per_cent / 100).min(last))
        .copied()
        .unwrap_or_default()
}

fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the server is gone")?;
    ticks(&stat)
        .map(|ticks| ticks / TICKS_PER_SECOND)
        .context("reading /proc/PID/stat")
}

/// User and system time: the 14th and 15th field, counted behind the name, which may hold spaces.
fn ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11);
    let (user, system): (f64, f64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some(user + system)
}

fn most_resident_mb(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .context("reading /proc/PID/status")?
        .parse()?;
    Ok(kilobytes * 1_024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 120 30 0 0 20 0 4 0 100 1000 10";

        assert_eq!(ticks(stat), Some(150.0));
    }
}
