//! What a buyer's bank, a gateway or the merchant does to a payment next.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Number;

use super::{Refusal, done, parse};
use crate::gateway::{Account, Gateway};
use crate::later;
use crate::ledger::Payment;
use crate::record::{self, Record};
use crate::rng::Rng;
use crate::state::{App, State as SandboxState};
use crate::webhook::{self, Delivery};

pub(super) const DEFAULT_FAIL_REASON: &str = "[승인거절] 카드사에서 승인이 거절되었습니다.";
pub(super) const DEFAULT_CANCEL_REASON: &str = "관리자 콘솔에서 취소";
const DEFAULT_DEPOSITOR: &str = "포트원샌드박스";

/// Changes a payment by a rule and starts the webhooks that PortOne would send.
fn act(
    app: &App,
    imp_uid: &str,
    action: impl FnOnce(&mut Payment, &mut Rng) -> Result<Notice, Refusal>,
) -> Result<Record, Refusal> {
    let mut state = app.state();
    let SandboxState {
        ledger, details, ..
    } = &mut *state;
    let (notice, payment) = ledger
        .change(imp_uid, |payment| {
            let notice = action(payment, details)?;
            Ok::<_, Refusal>((notice, payment.clone()))
        })
        .ok_or_else(Refusal::no_payment)??;
    let deliveries: Vec<Delivery> = match notice {
        Notice::None => Vec::new(),
        Notice::Paid => state.webhooks(&payment, "paid", None, None),
        Notice::Cancelled(id) => state.webhooks(&payment, "cancelled", Some(id), None),
    };
    let mode = state.config.webhook;
    drop(state);
    app.notify();
    webhook::announce(app, mode, deliveries);
    Ok(payment.record)
}

enum Notice {
    None,
    Paid,
    Cancelled(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DepositBody {
    /// The payment's own amount, if absent; only an account that takes any deposit takes another.
    amount: Option<Number>,
    depositor_name: Option<String>,
}

pub(crate) async fn deposit(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body: DepositBody = parse(&headers, &body)?;
    let now = app.clock.now();
    let base = app.base.clone();
    let record = act(&app, &imp_uid, |payment, details| {
        let record = &mut payment.record;
        let is_unlimited = Gateway::of(record).account == Account::Unlimited;
        let due = record::decimal_of(record, "amount");
        let amount = match &body.amount {
            Some(amount) => record::decimal(amount),
            None => due,
        };
        // Banks refuse another amount on an ordinary account, and any on one that is not open.
        let takes_it = match record::text(record, "status") {
            "ready" => is_unlimited || amount == due,
            "paid" | "cancelled" => is_unlimited,
            _ => false,
        };
        let Some(amount) = amount.filter(|_| takes_it && record::has_vbank(record)) else {
            return Err(Refusal::conflict(
                "only a ready payment with a virtual account takes a deposit, and only of its amount",
            ));
        };
        if is_unlimited {
            let name = body.depositor_name.as_deref().unwrap_or(DEFAULT_DEPOSITOR);
            record::enter_deposit(record, now, amount, name, details);
        }
        // A deposit on an account that was paid into, or refunded, changes no status; no webhook is documented for it.
        if record::text(record, "status") != "ready" {
            return Ok(Notice::None);
        }
        record::approve(record, now, &base, details);
        Ok(Notice::Paid)
    })?;
    Ok(done(&headers, record))
}

/// The account is closed, as by `DELETE /vbanks/{imp_uid}`.
pub(crate) async fn close(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let now = app.clock.now();
    let record = act(&app, &imp_uid, |payment, _| {
        if !later::is_open_account(payment) {
            return Err(Refusal::conflict(
                "only a ready payment with a virtual account can be closed",
            ));
        }
        record::fail(&mut payment.record, now, later::ACCOUNT_CLOSED);
        Ok(Notice::None)
    })?;
    Ok(done(&headers, record))
}

pub(crate) async fn approve(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let now = app.clock.now();
    let base = app.base.clone();
    let record = act(&app, &imp_uid, |payment, details| {
        if !matches!(payment.status(), "ready" | "failed") {
            return Err(Refusal::conflict(
                "only a ready or failed payment can be approved late",
            ));
        }
        record::approve(&mut payment.record, now, &base, details);
        Ok(Notice::Paid)
    })?;
    Ok(done(&headers, record))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailBody {
    code: Option<String>,
    reason: Option<String>,
}

pub(crate) async fn fail(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body: FailBody = parse(&headers, &body)?;
    let reason = body.reason.unwrap_or_else(|| DEFAULT_FAIL_REASON.into());
    // A record has no field for the code; gateways put it in front of their text.
    let reason = match body.code {
        Some(code) => format!("[{code}] {reason}"),
        None => reason,
    };
    let now = app.clock.now();
    let record = act(&app, &imp_uid, |payment, _| {
        if payment.status() != "ready" {
            return Err(Refusal::conflict("only a ready payment can fail"));
        }
        record::fail(&mut payment.record, now, &reason);
        Ok(Notice::None)
    })?;
    Ok(done(&headers, record))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelBody {
    amount: Option<Number>,
    reason: Option<String>,
}

pub(crate) async fn cancel(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body: CancelBody = parse(&headers, &body)?;
    let reason = body.reason.unwrap_or_else(|| DEFAULT_CANCEL_REASON.into());
    let now = app.clock.now();
    let amount = body
        .amount
        .map(|amount| {
            record::decimal(&amount).ok_or_else(|| Refusal::bad_request("amount is too long"))
        })
        .transpose()?;
    let record = act(&app, &imp_uid, |payment, details| {
        let cancellation = record::cancel(&mut payment.record, now, amount, &reason, details)
            .map_err(|error| Refusal::conflict(error.to_string()))?;
        Ok(match later::after_cancel(&app, payment, cancellation) {
            Some(id) => Notice::Cancelled(id),
            None => Notice::None,
        })
    })?;
    Ok(done(&headers, record))
}
