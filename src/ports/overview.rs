//! The shop at a glance: what its days brought, and how webhooks come in and events go out.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::StoreError;

/// Attempts and webhooks are counted up to so many.
pub const COUNTED_MAX: u32 = 100_000;

/// Which times are meant. Days are those of the shop's time zone, which knows no summer time, so each has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spans {
    /// Begin of the first day.
    pub first_day: Timestamp,
    /// Begin of the last day, which is today.
    pub today: Timestamp,
    /// End of the last day.
    pub tomorrow: Timestamp,
    /// Since when webhooks and attempts are counted.
    pub lately: Timestamp,
}

/// Money of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The currency as it is stored: PortOne's word for what is held.
    pub currency: String,
    /// Of so many orders, transactions or refunds.
    pub count: u64,
    /// In minor units.
    pub minor: i64,
}

/// Money of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaySum {
    /// Which day, the first one being 0.
    pub day: i64,
    /// How much.
    pub sum: Sum,
}

/// How webhooks come in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookHealth {
    /// When the last one came.
    pub last_at: Option<Timestamp>,
    /// How many came lately, up to [`COUNTED_MAX`].
    pub lately: u32,
    /// How long after the payment those came that told of it, by PortOne's time and ours, in milliseconds, shortest first. Of the
    /// last thousand webhooks.
    pub lags_ms: Vec<i64>,
}

/// How events go out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryHealth {
    /// Endpoints that were not deleted.
    pub endpoints: u32,
    /// Those of them that are paused, for they only fail.
    pub paused: u32,
    /// Attempts lately, up to [`COUNTED_MAX`].
    pub attempts: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// Since when the delivery waits that waits for longest.
    pub waiting_since: Option<Timestamp>,
}

/// The shop at a glance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    /// Orders that were paid, by the day that PortOne says they were paid on.
    pub paid: Vec<DaySum>,
    /// What was given back of orders, by the day that this server learnt of it.
    pub refunded: Vec<DaySum>,
    /// Orders made today that wait to be paid.
    pub pending: Vec<Sum>,
    /// What was first seen today, is held, and was not given back.
    pub held: Vec<Sum>,
    /// Webhooks.
    pub webhooks: WebhookHealth,
    /// Events.
    pub deliveries: DeliveryHealth,
}

/// The shop at a glance. An implementation MUST read indexes of the spans alone: a shop may have a million orders from before.
#[async_trait]
pub trait OverviewStore: Send + Sync {
    /// Sums everything up.
    async fn overview(&self, spans: &Spans) -> Result<Overview, StoreError>;
}
