//! What the sweep found, and where it stands.

use jiff::Timestamp;
use wanryo::domain::attention::{AttentionKind, Finding};
use wanryo::domain::ids::PaymentId;
use wanryo::domain::order::Portone;
use wanryo::domain::sweep::Sweep;

use super::Tables;

/// A finding on disk.
#[derive(Debug, Clone)]
pub struct FindingRow {
    /// What was found.
    pub finding: Finding,
    /// When its cause was gone.
    pub gone_at: Option<Timestamp>,
}

impl Tables {
    /// The finding of a kind about the same transaction.
    pub fn finding(&mut self, finding: &Finding) -> Option<&mut FindingRow> {
        self.findings.iter_mut().find(|row| {
            let (there, new) = (&row.finding.item, &finding.item);
            there.kind == new.kind && there.transaction_id == new.transaction_id
        })
    }

    /// The orphans whose cause is not gone, as the view `attention` shows them.
    pub fn orphans(&self) -> impl Iterator<Item = &FindingRow> {
        self.findings.iter().filter(|row| {
            row.gone_at.is_none()
                && row.finding.item.kind == AttentionKind::Orphan
                && self.owner(&row.finding.item.transaction_id).is_none()
        })
    }

    /// Writes a finding; one that is there is seen again.
    pub fn report(&mut self, finding: &Finding) {
        match self.finding(finding) {
            Some(row) => {
                let first_seen_at = row.finding.item.first_seen_at;
                row.finding = finding.clone();
                row.finding.item.first_seen_at = first_seen_at;
                row.gone_at = None;
            }
            None => self.findings.push(FindingRow {
                finding: finding.clone(),
                gone_at: None,
            }),
        }
    }

    /// What was looked for and not seen is gone. Says how many were.
    pub fn withdraw_unseen(
        &mut self,
        swept_from: Timestamp,
        paid_from: Timestamp,
        passed_over: &[Portone],
    ) -> usize {
        let mut gone = 0;
        for row in &mut self.findings {
            let item = &row.finding.item;
            let paid_at = row.finding.paid_at.unwrap_or(item.first_seen_at);
            let is_swept = item.kind != AttentionKind::Unclear
                && row.gone_at.is_none()
                && !passed_over.contains(&item.portone);
            if is_swept && item.last_seen_at < swept_from && paid_at >= paid_from {
                row.gone_at = Some(swept_from);
                gone += 1;
            }
        }
        gone
    }

    /// What could not be read of an order is gone.
    pub fn withdraw_unclear(&mut self, payment_id: &PaymentId, read_at: Timestamp) {
        for row in &mut self.findings {
            let item = &row.finding.item;
            let is_of_order =
                item.kind == AttentionKind::Unclear && item.payment_id == payment_id.as_str();
            if is_of_order && row.gone_at.is_none() && item.last_seen_at < read_at {
                row.gone_at = Some(read_at);
            }
        }
    }

    /// Takes the next step when it is due.
    pub fn lease_sweep(&mut self, now: Timestamp, lease_until: Timestamp) -> Option<Sweep> {
        let sweep = self.sweep.as_mut().filter(|sweep| sweep.due_at <= now)?;
        sweep.version += 1;
        sweep.due_at = lease_until;
        Some(sweep.clone())
    }

    /// Writes where the sweep stands, unless somebody else took it since.
    pub fn save_sweep(&mut self, sweep: &Sweep) -> bool {
        let stored = self.sweep.as_mut();
        let Some(stored) = stored.filter(|stored| stored.version == sweep.version) else {
            return false;
        };
        *stored = Sweep {
            version: sweep.version + 1,
            ..sweep.clone()
        };
        true
    }

    /// When the first order was made.
    #[must_use]
    pub fn first_order_at(&self) -> Option<Timestamp> {
        let orders = self.orders.values();
        orders.map(|row| row.snapshot.order.created_at).min()
    }
}
