//! One attempt to pay an order, as PortOne reported it, and our verdict on it.

use jiff::Timestamp;

use super::ids::{PaymentId, TransactionId};
use super::order::words;
use super::verification::Check;

/// PortOne's status of a transaction, in the words of its V1 API and with V2's `PAY_PENDING`, which V1 cannot tell. V2 tells
/// more states apart: `READY` and `VIRTUAL_ACCOUNT_ISSUED` are `ready`, `PARTIAL_CANCELLED` and `CANCELLED` are `cancelled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionStatus {
    /// The window is open or was left; or an account was issued and waits for the deposit.
    Ready,
    /// The buyer has done everything, and the gateway takes its time to approve: PayPal's reviews take days.
    /// <https://developers.portone.io/opi/ko/integration/webhook/readme-v2>
    PayPending,
    /// Declined, cancelled by the buyer, or interrupted. May still become paid: late approvals exist.
    Failed,
    /// Approved, or the deposit arrived.
    Paid,
    /// Given back, in full or in part.
    Cancelled,
}
words!(TransactionStatus {
    Ready = "ready",
    PayPending = "pay_pending",
    Failed = "failed",
    Paid = "paid",
    Cancelled = "cancelled",
});

impl TransactionStatus {
    /// How far along it is. Evidence with a lower rank than what is stored is old news.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Ready => 0,
            Self::PayPending => 1,
            Self::Failed => 2,
            Self::Paid => 3,
            Self::Cancelled => 4,
        }
    }
}

/// Our reading of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Not finished.
    Pending,
    /// An account was issued; nothing is paid yet.
    AwaitingDeposit,
    /// PortOne says failed.
    Failed,
    /// Paid, verified, and the one that the order accepts.
    Accepted,
    /// Paid and verified, but the order had been paid by another transaction.
    Duplicate,
    /// Paid and verified, but after the order had expired or was closed.
    Late,
    /// Bound to the order, and a check failed.
    Held,
}
words!(Verdict {
    Pending = "pending",
    AwaitingDeposit = "awaiting_deposit",
    Failed = "failed",
    Accepted = "accepted",
    Duplicate = "duplicate",
    Late = "late",
    Held = "held",
});

impl Verdict {
    /// Verified once as paid: nothing that is reported later makes it anything else.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Accepted | Self::Duplicate | Self::Late => true,
            Self::Pending | Self::AwaitingDeposit | Self::Failed | Self::Held => false,
        }
    }
}

/// An account to deposit to.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VirtualAccount {
    /// The bank as PortOne gives it: V1 by name, or by code when there is no name; V2 by a code such as `SHINHAN`. Empty when
    /// PortOne gives none, see [`VirtualAccount::named_bank`].
    /// <https://developers.portone.io/api/rest-v2/type-def#Bank>
    pub bank: String,
    /// May have dashes.
    pub account_number: String,
    /// Some gateways give none.
    pub holder: Option<String>,
    /// Deadline of the deposit.
    pub expires_at: Option<Timestamp>,
}

impl VirtualAccount {
    /// The bank, when PortOne gives one.
    #[must_use]
    pub fn named_bank(&self) -> Option<&str> {
        Some(self.bank.as_str()).filter(|bank| !bank.is_empty())
    }
}

impl std::fmt::Debug for VirtualAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VirtualAccount")
            .field("bank", &self.bank)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A transaction as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// PortOne's id.
    pub transaction_id: TransactionId,
    /// The order it belongs to.
    pub payment_id: PaymentId,
    /// PortOne's status.
    pub status: TransactionStatus,
    /// Our reading.
    pub verdict: Verdict,
    /// Amount in minor units; `None` when PortOne's figure is no amount of its currency.
    pub amount_minor: Option<i64>,
    /// Currency as PortOne reported it.
    pub currency: Option<String>,
    /// How much was given back, in minor units.
    pub cancelled_minor: i64,
    /// Test channel; `None` when PortOne did not say.
    pub test: Option<bool>,
    /// `card`, `vbank`, …; V2 `CARD`, `VIRTUAL_ACCOUNT`, …
    pub pay_method: Option<String>,
    /// Payment gateway, such as `html5_inicis`.
    pub pg_provider: Option<String>,
    /// The card company's approval number.
    pub approval_number: Option<String>,
    /// Card or bank name.
    pub method_name: Option<String>,
    /// The gateway's own words for a failure. For staff only.
    pub fail_reason: Option<String>,
    /// Receipt at the gateway.
    pub receipt_url: Option<String>,
    /// Account to deposit to.
    pub virtual_account: Option<VirtualAccount>,
    /// Until when the buyer can pay with the number that was issued, where there is a number and no account: at a store in
    /// Japan.
    pub pay_by: Option<Timestamp>,
    /// When it was paid, by PortOne's clock.
    pub paid_at: Option<Timestamp>,
    /// The latest verification's checks.
    pub checks: Vec<Check>,
    /// When this server first saw it.
    pub first_seen_at: Timestamp,
    /// When PortOne was last asked about it.
    pub checked_at: Timestamp,
}

impl Transaction {
    /// Paid once, and not given back in full.
    #[must_use]
    pub fn holds_money(&self) -> bool {
        match self.status {
            TransactionStatus::Paid => true,
            TransactionStatus::Cancelled => self
                .amount_minor
                .is_none_or(|amount| self.cancelled_minor < amount),
            TransactionStatus::Ready
            | TransactionStatus::PayPending
            | TransactionStatus::Failed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::fixtures::left_open;

    #[test]
    fn money_is_held_while_it_was_paid_and_not_given_back_whole() {
        let [ready, review, failed, paid, cancelled] = [
            TransactionStatus::Ready,
            TransactionStatus::PayPending,
            TransactionStatus::Failed,
            TransactionStatus::Paid,
            TransactionStatus::Cancelled,
        ];
        let amount = Some(65_000);
        for (status, amount_minor, cancelled_minor, holds_money) in [
            (ready, amount, 0, false),
            (review, amount, 0, false),
            (failed, amount, 0, false),
            (paid, amount, 0, true),
            (cancelled, amount, 64_999, true),
            (cancelled, amount, 65_000, false),
            (cancelled, amount, 65_001, false),
            // How much there was is not known, so neither is that all of it is gone.
            (cancelled, None, 65_000, true),
        ] {
            let transaction = Transaction {
                status,
                amount_minor,
                cancelled_minor,
                ..left_open("tx-1")
            };
            assert_eq!(transaction.holds_money(), holds_money, "{transaction:?}");
        }
    }

    #[test]
    fn an_account_number_is_never_printed_and_no_bank_has_no_name() {
        let account = VirtualAccount {
            bank: "SHINHAN".to_owned(),
            account_number: "110-123-456789".to_owned(),
            holder: Some("홍길동".to_owned()),
            expires_at: None,
        };
        let nameless = VirtualAccount {
            bank: String::new(),
            ..account.clone()
        };

        assert_eq!(
            format!("{account:?}"),
            "VirtualAccount { bank: \"SHINHAN\", expires_at: None, .. }"
        );
        assert_eq!(
            (account.named_bank(), nameless.named_bank()),
            (Some("SHINHAN"), None)
        );
    }
}
