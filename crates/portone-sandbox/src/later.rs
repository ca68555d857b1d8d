//! What happens to a payment after its window has ended, when the sandbox's clock gets there.

use std::sync::Arc;
use std::time::Duration;

use crate::gateway::Gateway;
use crate::ledger::Payment;
use crate::record::{self, Cancellation};
use crate::state::{App, State};
use crate::timer;
use crate::webhook::{self, WebhookFormat, WebhookMode};

/// PortOne's detail of an account that was closed.
pub(crate) const ACCOUNT_CLOSED: &str = "계좌말소";
const ACCOUNT_OVERDUE: &str = "입금기한 만료";

/// Approves a payment that is `ready` or `failed` by then, and tells the shop.
pub(crate) fn approve(
    app: &App,
    imp_uid: &str,
    delay: Duration,
    mode: WebhookMode,
    format: Option<WebhookFormat>,
) {
    let imp_uid = imp_uid.to_owned();
    let later = Arc::clone(app);
    timer::after(app, delay, async move {
        let now = later.clock.now();
        let deliveries = {
            let mut state = later.state();
            let State {
                ledger, details, ..
            } = &mut *state;
            let approved = ledger.change(&imp_uid, |payment| {
                matches!(payment.status(), "ready" | "failed").then(|| {
                    record::approve(&mut payment.record, now, &later.base, details);
                    payment.clone()
                })
            });
            match approved.flatten() {
                Some(payment) => state.webhooks(&payment, "paid", None, format),
                None => Vec::new(),
            }
        };
        later.notify();
        webhook::announce(&later, mode, deliveries);
    });
}

/// Writes a cancel into `cancel_history`, and tells the shop: the result of such a cancel comes by webhook.
pub(crate) fn finish_cancel(app: &App, imp_uid: &str, delay: Duration, cancellation: Cancellation) {
    let imp_uid = imp_uid.to_owned();
    let later = Arc::clone(app);
    timer::after(app, delay, async move {
        let (mode, deliveries) = {
            let mut state = later.state();
            let cancelled = state.ledger.change(&imp_uid, |payment| {
                record::enter_cancellation(&mut payment.record, &cancellation);
                payment.clone()
            });
            let deliveries = match cancelled {
                Some(payment) => state.webhooks(&payment, "cancelled", Some(cancellation.id), None),
                None => Vec::new(),
            };
            (state.config.webhook, deliveries)
        };
        later.notify();
        webhook::announce(&later, mode, deliveries);
    });
}

/// Closes an account that nobody has paid into by its deadline, if the sandbox is set so by then. PortOne documents no
/// change at the deadline, so by default there is none.
pub(crate) fn close_when_overdue(app: &App, payment: &Payment) {
    let imp_uid = payment.imp_uid().to_owned();
    let due = record::integer(&payment.record, "vbank_date");
    let later = Arc::clone(app);
    timer::at(app, due.saturating_mul(1000), async move {
        let now = later.clock.now();
        let mut state = later.state();
        if !state.config.close_overdue_accounts {
            return;
        }
        let is_overdue = state.ledger.find(&imp_uid).is_some_and(|payment| {
            // The deadline may have been put off since.
            is_open_account(payment) && record::integer(&payment.record, "vbank_date") <= now
        });
        if is_overdue {
            state.ledger.change(&imp_uid, |payment| {
                record::fail(&mut payment.record, now, ACCOUNT_OVERDUE);
            });
        }
        drop(state);
        later.notify();
    });
}

/// An account that waits for its deposit.
pub(crate) fn is_open_account(payment: &Payment) -> bool {
    payment.status() == "ready" && record::has_vbank(&payment.record)
}

/// What is left to do about a cancel once it is done, and the id if the shop may be told of it now.
pub(crate) fn after_cancel(
    app: &App,
    payment: &mut Payment,
    cancellation: Cancellation,
) -> Option<String> {
    match Gateway::of(&payment.record).cancel_takes(&payment.record) {
        None => {
            record::enter_cancellation(&mut payment.record, &cancellation);
            Some(cancellation.id)
        }
        Some(delay) => {
            finish_cancel(app, payment.imp_uid(), delay, cancellation);
            None
        }
    }
}
