//! The time.

use jiff::Timestamp;

/// Tells the time. Correctness never depends on it; deadlines and schedules do.
pub trait Clock: Send + Sync {
    /// The time now, UTC.
    fn now(&self) -> Timestamp;
}
