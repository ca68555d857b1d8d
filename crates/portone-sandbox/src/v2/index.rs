//! V2's part of `GET /_sandbox/`.

use std::fmt::Write;

use super::cancel;
use super::ledger::{Attempt, Stage};
use super::record::{
    FAILED, PAID, PARTIAL_CANCELLED, PAY_PENDING, READY, VIRTUAL_ACCOUNT_ISSUED, text,
};
use super::window::total;
use crate::html::escape;
use crate::state::State;

/// Settings and attempts, newest first, with buttons for what a bank or a merchant would do next.
pub(crate) fn section(state: &State, base: &str, attempts_max: usize) -> String {
    let mut rows = String::new();
    for attempt in state.v2.ledger.newest_first().take(attempts_max) {
        write_row(&mut rows, attempt);
    }
    if rows.is_empty() {
        rows.push_str(r#"<tr><td colspan="5">No payments yet.</td></tr>"#);
    }
    let config = &state.config.v2;
    format!(
        r#"<h2>V2</h2>
<dl>
<div><dt>API</dt><dd>{base}v2</dd></div>
<div><dt>Browser SDK</dt><dd>{base}v2/browser-sdk.js</dd></div>
<div><dt>Store</dt><dd>{store_id}</dd></div>
<div><dt>Webhook version</dt><dd>{version}</dd></div>
</dl>
<p><a href="/_sandbox/v2/payments">All V2 payments</a> · <a href="/_sandbox/v2/config">V2 settings</a></p>
<div class="scroll"><table>
<thead><tr><th>Payment</th><th>Order</th><th class="number">Amount</th><th>Status</th><th>Next</th></tr></thead>
<tbody>{rows}</tbody>
</table></div>"#,
        base = escape(base),
        store_id = escape(&config.store_id),
        version = config.webhook_version.name(),
    )
}

fn write_row(rows: &mut String, attempt: &Attempt) {
    let record = &attempt.record;
    let transaction_id = escape(attempt.transaction_id());
    let mut actions = String::new();
    let mut button = |action: &str, text: &str| {
        let _ = write!(
            actions,
            r#"<form method="post" action="/_sandbox/v2/payments/{transaction_id}/{action}"><button>{text}</button></form> "#,
        );
    };
    match attempt.status() {
        VIRTUAL_ACCOUNT_ISSUED => button("deposit", "Deposit"),
        READY | PAY_PENDING | FAILED => button("approve", "Approve"),
        PAID => button("cancel", "Cancel"),
        PARTIAL_CANCELLED if cancel::cancellable(record) > 0 => button("cancel", "Cancel the rest"),
        _ => {}
    }
    if let Some(window) = &attempt.window {
        let text = match window.stage {
            Stage::Open => "Open window",
            Stage::Confirming | Stage::Ended { .. } => "What happened",
        };
        let _ = write!(
            actions,
            r#"<a href="/_sandbox/v2/window/{transaction_id}">{text}</a>"#
        );
    }
    let _ = write!(
        rows,
        r#"<tr><td><a href="/_sandbox/v2/payments/{transaction_id}">{transaction_id}</a></td><td>{}</td><td class="number">{}</td><td>{}</td><td>{actions}</td></tr>"#,
        escape(attempt.payment_id()),
        escape(&total(record)),
        escape(text(record, "status")),
    );
}
