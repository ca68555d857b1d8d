//! The sandbox's clock: the machine's, which the control plane can push forward and stop.
//!
//! Nothing else in the crate reads the time of day, so a token or a lagging payment can be aged without waiting.
//! Invariants: the clock never goes back, but for a reset and at the end of a scenario; whoever waits for a time hears of
//! every push, stop and reset.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// Furthest the clock can be pushed: ten years, far below where a timestamp would overflow.
const OFFSET_MS_MAX: i64 = 10 * 366 * 24 * 60 * 60 * 1000;

#[derive(Debug, Default)]
pub(crate) struct Clock {
    reading: Mutex<Reading>,
    /// Sent to when the clock moves otherwise than by itself.
    moves: watch::Sender<()>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    offset_ms: i64,
    /// The machine's time at which the clock was stopped.
    stopped_at_ms: Option<i64>,
}

impl Clock {
    pub(crate) fn now_ms(&self) -> i64 {
        let reading = self.reading();
        reading
            .stopped_at_ms
            .unwrap_or_else(machine_ms)
            .saturating_add(reading.offset_ms)
    }

    /// UNIX seconds, the unit of every time in PortOne's V1 API.
    pub(crate) fn now(&self) -> i64 {
        self.now_ms() / 1000
    }

    pub(crate) fn offset_ms(&self) -> i64 {
        self.reading().offset_ms
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.reading().stopped_at_ms.is_some()
    }

    pub(crate) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(OFFSET_MS_MAX);
        let mut reading = self.reading();
        reading.offset_ms = reading.offset_ms.saturating_add(by).min(OFFSET_MS_MAX);
        drop(reading);
        self.moves.send_replace(());
    }

    /// Stops the clock, or lets it go on from the machine's time.
    pub(crate) fn freeze(&self, freeze: bool) {
        let mut reading = self.reading();
        reading.stopped_at_ms = match (freeze, reading.stopped_at_ms) {
            (true, None) => Some(machine_ms()),
            (true, stopped) => stopped,
            (false, _) => None,
        };
        drop(reading);
        self.moves.send_replace(());
    }

    /// Takes back what was pushed, for those who lend the clock out.
    pub(crate) fn rewind(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(OFFSET_MS_MAX);
        let mut reading = self.reading();
        reading.offset_ms = reading.offset_ms.saturating_sub(by).max(0);
        drop(reading);
        self.moves.send_replace(());
    }

    pub(crate) fn reset(&self) {
        *self.reading() = Reading::default();
        self.moves.send_replace(());
    }

    /// Ends once the clock shows `at_ms` or later; never while it is stopped before that.
    pub(crate) async fn reaches(&self, at_ms: i64) {
        let mut moves = self.moves.subscribe();
        loop {
            moves.mark_unchanged();
            let left_ms = at_ms.saturating_sub(self.now_ms());
            let Ok(left_ms @ 1..) = u64::try_from(left_ms) else {
                return;
            };
            let is_frozen = self.is_frozen();
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left_ms)), if !is_frozen => {}
                // The sender lives as long as the clock: this is a move, never an error.
                _ = moves.changed() => {}
            }
        }
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        // Two plain numbers: whatever a panicking holder left is still a reading.
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the time of day"
)]
fn machine_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
