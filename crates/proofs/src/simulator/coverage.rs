//! Which events met which states of an order.

use std::collections::BTreeMap;

use wanryo::domain::order::OrderStatus;

use super::kinds::Kind;

/// The word for an order that is not there yet.
const NO_ORDER: &str = "no order";

/// How often each pair of event and state came up.
#[derive(Debug, Clone, Default)]
pub struct Coverage(BTreeMap<(Kind, &'static str), u64>);

impl Coverage {
    /// Counts one event that met one order.
    pub fn count(&mut self, kind: Kind, status: Option<OrderStatus>) {
        let status = status.map_or(NO_ORDER, OrderStatus::as_str);
        *self.0.entry((kind, status)).or_default() += 1;
    }

    /// Adds what another thread counted.
    pub fn add(&mut self, other: &Self) {
        for (pair, count) in &other.0 {
            *self.0.entry(*pair).or_default() += count;
        }
    }

    /// The pairs that must come up.
    fn wanted() -> impl Iterator<Item = (Kind, &'static str)> {
        Kind::ALL.iter().flat_map(|kind| {
            let statuses = OrderStatus::ALL.iter().map(|status| status.as_str());
            statuses
                // Only an order that is not there is made.
                .filter(|_| *kind != Kind::Make)
                .map(|status| (*kind, status))
        })
    }

    /// How many pairs must come up.
    #[must_use]
    pub fn wanted_count() -> usize {
        Self::wanted().count()
    }

    /// The pairs that never came up.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        Self::wanted()
            .filter(|pair| !self.0.contains_key(pair))
            .map(|(kind, status)| format!("{} × {status}", kind.as_str()))
            .collect()
    }

    /// The pair that came up least.
    #[must_use]
    pub fn rarest(&self) -> Option<String> {
        Self::wanted()
            .filter_map(|pair| Some((self.0.get(&pair)?, pair)))
            .min()
            .map(|(count, (kind, status))| format!("{} × {status}: {count}", kind.as_str()))
    }
}
