//! Virtual accounts: the buyer returns happily, and nothing is paid.

use super::play::{Break, Play};
use super::target::{Feature, Generation, Order, OrderStatus, Outcome, Visit};
use super::{Played, Scenario, scenario};
use crate::WebhookMode;
use serde_json::json;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!(
        21,
        "account-then-deposit",
        V1,
        [VirtualAccounts],
        account_then_deposit,
        "An account is issued, returning imp_success=true, and paid into later: shown as not paid, then paid once."
    ),
    scenario!(
        22,
        "account-never-paid",
        V1,
        [VirtualAccounts],
        account_never_paid,
        "An account is issued, never paid into, and closed: no goods."
    ),
    scenario!(
        23,
        "deposit-after-the-end",
        V1,
        [VirtualAccounts],
        deposit_after_the_end,
        "Money arrives on an account whose order was closed, and on one whose payment was given back (Hecto): no goods."
    ),
    scenario!(
        24,
        "two-accounts-both-paid",
        V1,
        [VirtualAccounts],
        two_accounts,
        "Two accounts are issued for one order, and both are paid into: one effect, and the second payment is not hidden."
    ),
];

const AWAITING: [OrderStatus; 1] = [OrderStatus::AwaitingDeposit];
const ISSUED: [Outcome; 1] = [Outcome::VirtualAccountIssued];
const NOT_DEPOSITED: &str = "for an account that nobody has paid into yet";

impl Play<'_> {
    /// An account is issued, the buyer comes back and is told where to pay.
    async fn issue_account(&self, order: &Order) -> Result<(String, Visit), Break> {
        let mark = self.mark();
        let (imp_uid, visit) = self
            .buy(order, "issue_vbank", self.webhook_mode(WebhookMode::After))
            .await?;
        self.come_back(&visit, &ISSUED, NOT_DEPOSITED).await?;
        self.webhooks_answered(mark, 1).await?;
        self.order_is(order, &AWAITING, NOT_DEPOSITED).await?;
        Ok((imp_uid, visit))
    }

    /// The buyer's bank sends the money.
    async fn deposit(&self, imp_uid: &str) -> Played {
        let mark = self.mark();
        self.control(&format!("payments/{imp_uid}/deposit"), &json!({}))
            .await?;
        self.webhooks_answered(mark, 1).await
    }
}

async fn account_then_deposit(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    play.step("an account is issued and the buyer comes back with imp_success=true");
    let (imp_uid, visit) = play.issue_account(&order).await?;
    play.step("the deposit arrives");
    play.deposit(&imp_uid).await?;
    play.paid_once(&order).await?;
    play.step("the buyer looks again");
    play.come_back_until(
        &visit,
        &[Outcome::Paid],
        "for an account that was paid into",
    )
    .await?;
    play.paid_once(&order).await
}

async fn account_never_paid(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    play.step("an account is issued and the buyer comes back");
    let (imp_uid, visit) = play.issue_account(&order).await?;
    play.step("the account is closed without a deposit, of which no webhook tells");
    play.control(
        &format!("payments/{imp_uid}/fail"),
        &json!({"reason": "입금기한 만료"}),
    )
    .await?;
    play.come_back_until(
        &visit,
        &[Outcome::Failed, Outcome::Pending, Outcome::Unconfirmed],
        "for an account that was closed without a deposit",
    )
    .await?;
    play.order_is(
        &order,
        &[
            OrderStatus::Open,
            OrderStatus::AwaitingDeposit,
            OrderStatus::Expired,
            OrderStatus::Closed,
        ],
        "although nothing was deposited",
    )
    .await
}

async fn deposit_after_the_end(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    play.step("an account is issued, paid into, and the payment given back");
    let (imp_uid, visit) = play.issue_account(&order).await?;
    play.deposit(&imp_uid).await?;
    play.paid_once(&order).await?;
    play.cancel_in_console(&imp_uid, None).await?;
    play.step("money arrives again on that account, which stays cancelled at PortOne");
    let again = json!({"deposit_history": [{"amount": order.amount, "deposited_at": 0}]});
    play.sandbox.patch_payment(&imp_uid, again)?;
    if play.target.supports(Feature::Webhooks) {
        play.send_webhook(&imp_uid, Some("paid")).await?;
    }
    let right = [Outcome::Refunded];
    if play.target.supports(Feature::Refunds) {
        play.come_back_until(&visit, &right, "for a payment that was given back")
            .await?;
        let right = [OrderStatus::Refunded];
        play.order_becomes(&order, &right, "although it was given back")
            .await?;
    }

    play.need(Feature::Close)?;
    let order = play.order(Generation::V1).await?;
    play.step("an account is issued, the shop closes the order and leaves the account open");
    let (imp_uid, visit) = play.issue_account(&order).await?;
    play.target.close(&order).await?;
    play.step("the deposit arrives after the order was closed");
    play.deposit(&imp_uid).await?;
    play.come_back_until(
        &visit,
        &[Outcome::Late, Outcome::Held, Outcome::Refunded],
        "for a deposit that came after the order was closed",
    )
    .await?;
    play.order_is(
        &order,
        &[
            OrderStatus::Closed,
            OrderStatus::Held,
            OrderStatus::Refunded,
        ],
        "although it was closed before the deposit",
    )
    .await
}

async fn two_accounts(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    play.step("two accounts are issued for the same order");
    let (first, first_visit) = play.issue_account(&order).await?;
    let (second, second_visit) = play.issue_account(&order).await?;
    play.step("money arrives on the first");
    play.deposit(&first).await?;
    play.paid_once(&order).await?;
    play.step("money arrives on the second, too");
    play.deposit(&second).await?;
    play.come_back_until(
        &second_visit,
        &[Outcome::Duplicate, Outcome::Held, Outcome::Refunded],
        "for the second payment of an order",
    )
    .await?;
    play.come_back_until(
        &first_visit,
        &[Outcome::Paid],
        "for the payment that paid the order",
    )
    .await?;
    play.paid_once(&order).await
}
