//! Whether tasks are kept waiting: a call that blocks, or too little processor for what there is to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Metrics;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// What is no longer a busy moment: a page has three seconds in all.
const WORTH_A_LINE: Duration = Duration::from_secs(1);

/// Measures for ever how late a task goes on that had nothing to wait for but the time.
pub async fn watch(metrics: Arc<Metrics>) {
    loop {
        let begun = Instant::now();
        tokio::time::sleep(EVERY).await;
        let late = begun.elapsed().saturating_sub(EVERY);
        metrics.lagged(late);
        if late >= WORTH_A_LINE {
            tracing::warn!(
                late_ms = u64::try_from(late.as_millis()).unwrap_or(u64::MAX),
                "tasks were kept waiting: something blocks, or the machine is too busy"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_blocks_is_noticed() {
        let metrics = Arc::new(Metrics::default());
        let watching = tokio::spawn(watch(Arc::clone(&metrics)));
        tokio::task::yield_now().await;
        // The only thread that there is does nothing else meanwhile.
        std::thread::sleep(EVERY + Duration::from_millis(300));
        let counted = |line: &str| metrics.render(|_| false).lines().any(|found| found == line);
        while counted("wanryo_runtime_lag_seconds_count 0") {
            tokio::task::yield_now().await;
        }
        watching.abort();

        assert!(counted("wanryo_runtime_lag_seconds_count 1"));
        assert!(counted("wanryo_runtime_lag_seconds_bucket{le=\"0.25\"} 0"));
    }
}
