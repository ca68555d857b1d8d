//! What the gallery shows: typed values, as the use cases make them. None of them is anybody's.

use jiff::Timestamp;

use super::PATH;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::{OrderStatus, Portone};
use crate::domain::outcome::{FailureReason, Outcome};
use crate::domain::transaction::VirtualAccount;
use crate::service::completion::{Arrival, CompletionView, PaymentFacts, TransactionFacts};
use crate::service::orders::{PayView, PaymentWindow, UnderWay};
use crate::ui::Refusal;

/// Every state, by the name it has in addresses.
pub const STATES: [&str; 51] = [
    "paid",
    "paid_despite_window",
    "paid_with_test_money",
    "paid_by_order_number",
    "virtual_account_issued",
    "virtual_account_without_deadline",
    "approving",
    "in_review",
    "number_issued",
    "left",
    "left_with_account",
    "left_without_link",
    "unconfirmed",
    "unconfirmed_without_order",
    "buyer_cancelled",
    "declined",
    "limit_exceeded",
    "insufficient_balance",
    "invalid_card",
    "window_error",
    "refused_by_shop",
    "unknown",
    "failed_and_over",
    "failed_with_account",
    "failed_in_the_gateways_words",
    "refunded",
    "partially_refunded",
    "held",
    "duplicate",
    "late",
    "expired",
    "closed",
    "not_found",
    "invalid",
    "our_error",
    "no_page",
    "too_many_requests",
    "busy",
    "broken",
    "unreadable",
    "framed",
    "pay",
    "pay_awaits_deposit",
    "pay_in_review",
    "pay_number_issued",
    "pay_paid",
    "pay_refunded",
    "pay_held",
    "pay_expired",
    "pay_closed",
    "pay_unavailable",
];

/// What a state is made of.
pub(super) enum Sample {
    /// The result page.
    Result(Box<CompletionView>, Arrival),
    /// The page for a fault of this server.
    OurError,
    /// The page for an address that has none.
    NoPage,
    /// The page of a server that makes no page.
    Refusal(Refusal),
    /// The pay page.
    Pay(Box<PayView>),
}

/// The sample of a state; `None` when there is no such state. Links on its page lead back to it.
pub(super) fn sample(state: &str, public_url: &str) -> Option<Sample> {
    let stage = Stage::set(state, public_url)?;
    if let Some(reason) = FailureReason::from_word(state) {
        return Some(stage.failed(reason, |view| view.retry_url = Some(stage.pay_url())));
    }
    Some(match state {
        "paid" => stage.result(Outcome::Paid, Arrival::Redirect, |_| {}),
        "paid_despite_window" => stage.result(Outcome::Paid, Arrival::Redirect, |view| {
            view.claimed_failure = true;
        }),
        "paid_with_test_money" => stage.transaction(Outcome::Paid, Arrival::Redirect, |own| {
            own.test = Some(true);
        }),
        "paid_by_order_number" => stage.transaction(Outcome::Paid, Arrival::Again, |own| {
            *own = TransactionFacts {
                transaction_id: None,
                method_name: None,
                approval_number: None,
                receipt_url: None,
                ..own.clone()
            };
        }),
        "virtual_account_issued" => stage.account(Some("2026-09-30T14:59:59Z".parse().ok()?)),
        "virtual_account_without_deadline" => stage.account(None),
        "approving" => stage.result(Outcome::Pending, Arrival::Redirect, |_| {}),
        "in_review" => stage.transaction(Outcome::Pending, Arrival::Link, |own| {
            own.in_review = true;
        }),
        "number_issued" => stage.transaction(Outcome::Pending, Arrival::Redirect, |own| {
            own.in_review = true;
            own.pay_by = "2026-09-30T14:59:59Z".parse().ok();
        }),
        "left" => stage.result(Outcome::Pending, Arrival::Link, |view| {
            view.retry_url = Some(stage.pay_url());
        }),
        "left_with_account" => stage.payment(Outcome::Pending, Arrival::Link, |payment| {
            payment.awaits_deposit = true;
        }),
        "left_without_link" => stage.result(Outcome::Pending, Arrival::Link, |_| {}),
        "unconfirmed" => stage.result(Outcome::Unconfirmed, Arrival::Redirect, |_| {}),
        "unconfirmed_without_order" => stage.bare(Outcome::Unconfirmed),
        "failed_and_over" => stage.failed(FailureReason::Declined, |view| {
            if let Some(payment) = &mut view.payment {
                payment.status = OrderStatus::Expired;
            }
        }),
        "failed_with_account" => stage.failed(FailureReason::Declined, |view| {
            if let Some(payment) = &mut view.payment {
                payment.awaits_deposit = true;
            }
        }),
        "failed_in_the_gateways_words" => {
            let failed = Outcome::Failed(FailureReason::InsufficientBalance);
            stage.result(failed, Arrival::Redirect, |view| {
                view.retry_url = Some(stage.pay_url());
                if let Some(own) = view
                    .payment
                    .as_mut()
                    .and_then(|payment| payment.transaction.as_mut())
                {
                    own.gateway_words = Some("네이버페이 머니 잔액이 부족합니다.".to_owned());
                }
            })
        }
        "refunded" => stage.payment(Outcome::Refunded, Arrival::Link, |payment| {
            payment.status = OrderStatus::Refunded;
            payment.refunded = payment.amount;
        }),
        "partially_refunded" => {
            stage.payment(Outcome::PartiallyRefunded, Arrival::Link, |payment| {
                payment.status = OrderStatus::PartiallyRefunded;
                payment.refunded.minor = 20_000;
            })
        }
        "held" => stage.payment(Outcome::Held, Arrival::Redirect, |payment| {
            payment.status = OrderStatus::Held;
        }),
        "duplicate" => stage.payment(Outcome::Duplicate, Arrival::Redirect, |payment| {
            payment.status = OrderStatus::Paid;
        }),
        "late" => stage.payment(Outcome::Late, Arrival::Redirect, |payment| {
            payment.status = OrderStatus::Closed;
        }),
        "expired" => stage.payment(Outcome::Pending, Arrival::Link, |payment| {
            payment.status = OrderStatus::Expired;
        }),
        "closed" => stage.payment(Outcome::Pending, Arrival::Link, |payment| {
            payment.status = OrderStatus::Closed;
        }),
        "not_found" => stage.bare(Outcome::NotFound),
        "invalid" => stage.bare(Outcome::Invalid),
        "our_error" => Sample::OurError,
        "no_page" => Sample::NoPage,
        "too_many_requests" => Sample::Refusal(Refusal::TooMany),
        "busy" => Sample::Refusal(Refusal::Busy),
        "broken" => Sample::Refusal(Refusal::Broken),
        "unreadable" => Sample::Refusal(Refusal::Unreadable),
        "framed" => Sample::Refusal(Refusal::Framed),
        "pay" => stage.pay(OrderStatus::Open, |view| {
            view.window = Some(stage.window(Portone::V1));
        }),
        "pay_awaits_deposit" => stage.pay(OrderStatus::AwaitingDeposit, |view| {
            view.under_way = Some(UnderWay::Deposit);
        }),
        "pay_in_review" => stage.pay(OrderStatus::Open, |view| {
            view.under_way = Some(UnderWay::Review);
        }),
        "pay_number_issued" => stage.pay(OrderStatus::Open, |view| {
            view.under_way = Some(UnderWay::Number);
        }),
        "pay_paid" => stage.pay(OrderStatus::Paid, |_| {}),
        "pay_refunded" => stage.pay(OrderStatus::Refunded, |_| {}),
        "pay_held" => stage.pay(OrderStatus::Held, |_| {}),
        "pay_expired" => stage.pay(OrderStatus::Expired, |view| view.expired = true),
        "pay_closed" => stage.pay(OrderStatus::Closed, |_| {}),
        // An order through V2 that names no channel.
        "pay_unavailable" => stage.pay(OrderStatus::Open, |view| {
            view.window = Some(stage.window(Portone::V2));
        }),
        _ => return None,
    })
}

/// What a state's result page is made of, if it is one.
#[must_use]
pub fn result_of(state: &str, public_url: &str) -> Option<CompletionView> {
    match sample(state, public_url)? {
        Sample::Result(view, _) => Some(*view),
        Sample::OurError | Sample::NoPage | Sample::Refusal(_) | Sample::Pay(_) => None,
    }
}

/// What every sample has in common.
struct Stage {
    payment_id: PaymentId,
    transaction_id: TransactionId,
    amount: Money,
    /// When the page is looked at.
    now: Timestamp,
    /// When it was paid.
    paid_at: Timestamp,
    public_url: String,
    /// Where the sample's page is.
    own_url: String,
}

impl Stage {
    fn set(state: &str, public_url: &str) -> Option<Self> {
        Some(Self {
            payment_id: PaymentId::parse("ORDER-2026-0929-0001").ok()?,
            transaction_id: TransactionId::parse("imp_448280090638").ok()?,
            amount: Money {
                minor: 64_900,
                currency: Currency::KRW,
            },
            now: "2026-09-29T05:30:00Z".parse().ok()?,
            paid_at: "2026-09-29T05:29:30Z".parse().ok()?,
            public_url: public_url.to_owned(),
            own_url: format!("{public_url}{PATH}/{state}"),
        })
    }

    fn pay_url(&self) -> String {
        format!("{}{PATH}/pay", self.public_url)
    }

    fn shop_url(&self) -> Option<String> {
        Some(format!("{}{PATH}", self.public_url))
    }

    fn result(
        &self,
        outcome: Outcome,
        arrival: Arrival,
        change: impl FnOnce(&mut CompletionView),
    ) -> Sample {
        let is_paid = outcome == Outcome::Paid;
        let mut view = CompletionView {
            outcome,
            payment: Some(PaymentFacts {
                payment_id: self.payment_id.clone(),
                name: "제주 노지 감귤 5kg 외 2건".to_owned(),
                amount: self.amount,
                refunded: Money {
                    minor: 0,
                    ..self.amount
                },
                status: if is_paid {
                    OrderStatus::Paid
                } else {
                    OrderStatus::Open
                },
                status_url: self.own_url.clone(),
                locale: None,
                awaits_deposit: false,
                said_at: self.now,
                transaction: Some(self.attempt()),
            }),
            claimed_failure: false,
            retry_url: None,
            return_url: self.shop_url(),
            checked_at: Some(self.now),
        };
        change(&mut view);
        Sample::Result(Box::new(view), arrival)
    }

    fn attempt(&self) -> TransactionFacts {
        TransactionFacts {
            transaction_id: Some(self.transaction_id.clone()),
            amount: Some(self.amount),
            in_review: false,
            pay_by: None,
            may_have_charged: false,
            gateway_words: None,
            test: Some(false),
            pay_method: Some("card".to_owned()),
            method_name: Some("신한카드".to_owned()),
            approval_number: Some("30021845".to_owned()),
            receipt_url: Some(format!("{}{PATH}", self.public_url)),
            paid_at: Some(self.paid_at),
            virtual_account: None,
        }
    }

    fn payment(
        &self,
        outcome: Outcome,
        arrival: Arrival,
        change: impl FnOnce(&mut PaymentFacts),
    ) -> Sample {
        self.result(outcome, arrival, |view| {
            if let Some(payment) = &mut view.payment {
                change(payment);
            }
        })
    }

    fn transaction(
        &self,
        outcome: Outcome,
        arrival: Arrival,
        change: impl FnOnce(&mut TransactionFacts),
    ) -> Sample {
        self.payment(outcome, arrival, |payment| {
            if let Some(transaction) = &mut payment.transaction {
                change(transaction);
            }
        })
    }

    fn failed(&self, reason: FailureReason, change: impl FnOnce(&mut CompletionView)) -> Sample {
        self.result(Outcome::Failed(reason), Arrival::Redirect, change)
    }

    fn account(&self, expires_at: Option<Timestamp>) -> Sample {
        let issued = Outcome::VirtualAccountIssued;
        self.payment(issued, Arrival::Redirect, |payment| {
            payment.status = OrderStatus::AwaitingDeposit;
            payment.awaits_deposit = true;
            if let Some(transaction) = &mut payment.transaction {
                transaction.paid_at = None;
                transaction.virtual_account = Some(VirtualAccount {
                    bank: "신한은행".to_owned(),
                    account_number: "56212345678901".to_owned(),
                    holder: Some("완료상점".to_owned()),
                    expires_at,
                });
            }
        })
    }

    fn bare(&self, outcome: Outcome) -> Sample {
        let view = CompletionView {
            outcome,
            payment: None,
            claimed_failure: false,
            retry_url: None,
            return_url: self.shop_url(),
            checked_at: None,
        };
        Sample::Result(Box::new(view), Arrival::Redirect)
    }

    fn pay(&self, status: OrderStatus, change: impl FnOnce(&mut PayView)) -> Sample {
        let mut view = PayView {
            payment_id: self.payment_id.clone(),
            name: "제주 노지 감귤 5kg 외 2건".to_owned(),
            amount: self.amount,
            status,
            expired: false,
            expires_at: "2026-09-30T14:59:59Z".parse().ok(),
            locale: None,
            status_url: self.own_url.clone(),
            return_url: self.shop_url(),
            under_way: None,
            window: None,
        };
        change(&mut view);
        Sample::Pay(Box::new(view))
    }

    fn window(&self, portone: Portone) -> PaymentWindow {
        PaymentWindow {
            portone,
            pay_method: None,
            channel_key: None,
            buyer_name: None,
            buyer_email: None,
            buyer_tel: None,
            redirect_url: format!("{}{PATH}/paid", self.public_url),
            params: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_state_has_a_sample_and_a_name_of_its_own() {
        let names: BTreeSet<&str> = STATES.into_iter().collect();

        assert_eq!(names.len(), STATES.len());
        for state in STATES {
            assert!(sample(state, "http://pay.example").is_some(), "{state}");
        }
        assert!(sample("no_such_state", "http://pay.example").is_none());
    }

    #[test]
    fn every_outcome_is_shown() {
        let shown: BTreeSet<String> = STATES
            .into_iter()
            .filter_map(|state| match sample(state, "http://pay.example") {
                Some(Sample::Result(view, _)) => Some(format!("{:?}", view.outcome)),
                Some(Sample::OurError | Sample::NoPage | Sample::Refusal(_) | Sample::Pay(_))
                | None => None,
            })
            .collect();
        for outcome in Outcome::every() {
            assert!(shown.contains(&format!("{outcome:?}")), "{outcome:?}");
        }
    }
}
