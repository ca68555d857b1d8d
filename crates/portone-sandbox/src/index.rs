//! `GET /_sandbox/`: what has happened, with buttons for what a bank or a merchant would do next.

use std::fmt::Write;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::html::{Language, escape, money, page};
use crate::ledger::Payment;
use crate::record;
use crate::state::App;
use crate::v2;

/// Payments on the page; the JSON list has them all.
const RECENT_MAX: usize = 50;

pub(crate) async fn show(State(app): State<App>) -> Response {
    let state = app.state();
    let mut rows = String::new();
    for payment in state.ledger.newest_first().take(RECENT_MAX) {
        write_row(&mut rows, payment);
    }
    if rows.is_empty() {
        rows.push_str(r#"<tr><td colspan="5">No payments yet.</td></tr>"#);
    }
    let config = &state.config;
    let webhook_url = config
        .webhook_url
        .as_ref()
        .map_or_else(|| "none".into(), ToString::to_string);
    let test_call = match config.webhook_url {
        Some(_) => {
            r#"<form class="inline" method="post" action="/_sandbox/webhooks/test"><button>Send a test webhook</button></form>"#
        }
        None => "",
    };
    let body = format!(
        r#"<main class="sheet wide">
<h1>PortOne sandbox</h1>
<dl>
<div><dt>API</dt><dd>{base}</dd></div>
<div><dt>Browser SDK</dt><dd>{base}v1/iamport.js</dd></div>
<div><dt>Merchant code</dt><dd>{merchant_code}</dd></div>
<div><dt>Webhook</dt><dd>{webhook_url} ({mode}, {format})</dd></div>
<div><dt>Gateway</dt><dd>{gateway}</dd></div>
<div><dt>Channel</dt><dd>{channel:?}</dd></div>
<div><dt>Seed</dt><dd>{seed}</dd></div>
<div><dt>Faults</dt><dd><a href="/_sandbox/faults">{faults}</a></dd></div>
</dl>
{test_call}<p><a href="/_sandbox/journal">Journal</a> · <a href="/_sandbox/payments">All payments</a> · <a href="/_sandbox/config">Settings</a></p>
<h2>Recent payments</h2>
<div class="scroll"><table>
<thead><tr><th>Payment</th><th>Order</th><th class="number">Amount</th><th>Status</th><th>Next</th></tr></thead>
<tbody>{rows}</tbody>
</table></div>
{v2}
</main>"#,
        v2 = v2::index_section(&state, app.base.as_str(), RECENT_MAX),
        base = escape(app.base.as_str()),
        merchant_code = escape(&app.settings.merchant_code),
        webhook_url = escape(&webhook_url),
        mode = config.webhook.name(),
        format = config.webhook_format.name(),
        gateway = config.gateway.name,
        channel = config.channel,
        seed = state.seed,
        faults = state.faults.list().len(),
    );
    page(StatusCode::OK, Language::English, "PortOne sandbox", &body)
}

fn write_row(rows: &mut String, payment: &Payment) {
    let record = &payment.record;
    let imp_uid = escape(payment.imp_uid());
    let mut actions = String::new();
    let mut button = |action: &str, text: &str| {
        let _ = write!(
            actions,
            r#"<form method="post" action="/_sandbox/payments/{imp_uid}/{action}"><button>{text}</button></form> "#,
        );
    };
    match payment.status() {
        "ready" if record::has_vbank(record) => {
            button("deposit", "Deposit");
            button("close", "Close the account");
        }
        "ready" | "failed" => button("approve", "Approve"),
        "paid" => button("cancel", "Cancel"),
        "cancelled" if record::left_to_cancel(record) => button("cancel", "Cancel the rest"),
        _ => {}
    }
    if let Some(window) = &payment.window {
        let text = match window.ended {
            true => "What happened",
            false => "Open window",
        };
        let _ = write!(
            actions,
            r#"<a href="/_sandbox/window/{imp_uid}">{text}</a>"#
        );
    }
    let amount = money(
        record::decimal_of(record, "amount"),
        record::text(record, "currency"),
    );
    let _ = write!(
        rows,
        r#"<tr><td><a href="/_sandbox/payments/{imp_uid}">{imp_uid}</a></td><td>{}</td><td class="number">{}</td><td>{}</td><td>{actions}</td></tr>"#,
        escape(payment.merchant_uid()),
        escape(&amount),
        escape(payment.status()),
    );
}
