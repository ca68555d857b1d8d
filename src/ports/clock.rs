//! The time.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// Tells the time, and waits. Correctness never depends on it; deadlines and schedules do.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time now, UTC.
    fn now(&self) -> Timestamp;

    /// Returns after this time, by a clock that nobody sets back.
    async fn sleep(&self, time: Duration);
}

/// What `work` comes to, or `None` when it takes longer than `limit`; it is dropped then.
pub async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = clock.sleep(limit) => None,
    }
}
