//! What a bank, a gateway or a merchant in the console does to an attempt.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    DEFAULT_CANCEL_REASON, conflict, declined, done, from_fields, no_payment, record_of,
    transaction_id_of,
};
use crate::control::{Refusal, parse};
use crate::rng::Rng;
use crate::state::App;
use crate::v2::api::{carry_out, settle};
use crate::v2::cancel::{self, Cancel};
use crate::v2::ledger::Attempt;
use crate::v2::method::PayMethod;
use crate::v2::record::{
    self, FAILED, Failure, PAID, PAY_PENDING, READY, Record, VIRTUAL_ACCOUNT_ISSUED,
};
use crate::v2::webhook::{self, Kind, Notice};

const DEFAULT_DISPUTE_REASON: &str = "MERCHANDISE_OR_SERVICE_NOT_RECEIVED";

/// What has to be so before an attempt is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// No attempt of the payment has the money yet.
    Unpaid,
}

/// Changes an attempt by a rule and starts the webhooks that PortOne would send.
fn act(
    app: &App,
    id: &str,
    needs: Needs,
    action: impl FnOnce(&mut Attempt, &mut Rng, i64) -> Result<Notice, Refusal>,
) -> Result<Record, Refusal> {
    let now_ms = app.clock.now_ms();
    let mut state = app.state();
    let transaction_id = transaction_id_of(&state, id)?;
    let v2 = &mut state.v2;
    let attempt = v2.ledger.find(&transaction_id).ok_or_else(no_payment)?;
    if needs == Needs::Unpaid && v2.ledger.is_approved(attempt.payment_id()) {
        return Err(conflict("this payment is paid already"));
    }
    let details = &mut v2.details;
    let notice = v2
        .ledger
        .change(&transaction_id, |attempt| action(attempt, details, now_ms))
        .ok_or_else(no_payment)??;
    let messages = webhook::messages(&mut state, &transaction_id, &notice, None, now_ms);
    let record = record_of(&state, &transaction_id)?;
    let mode = state.config.webhook;
    drop(state);
    webhook::send(app, messages, mode);
    Ok(record)
}

pub(crate) async fn deposit_payment(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    Ok(done(&headers, deposit(&app, &id)?))
}

/// Money arrives on the virtual account.
pub(crate) fn deposit(app: &App, id: &str) -> Result<Record, Refusal> {
    act(app, id, Needs::Unpaid, |attempt, details, now_ms| {
        if attempt.status() != VIRTUAL_ACCOUNT_ISSUED {
            return Err(conflict("only an issued virtual account takes a deposit"));
        }
        let method = PayMethod::VirtualAccount;
        record::approve(&mut attempt.record, method, now_ms, &app.base, details);
        Ok(Notice::of(Kind::Paid).triggered("VIRTUAL_ACCOUNT_DEPOSIT"))
    })
}

pub(crate) async fn approve_payment(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    Ok(done(&headers, approve(&app, &id)?))
}

/// A late approval.
pub(crate) fn approve(app: &App, id: &str) -> Result<Record, Refusal> {
    act(app, id, Needs::Unpaid, |attempt, details, now_ms| {
        if !matches!(attempt.status(), READY | PAY_PENDING | FAILED) {
            return Err(conflict(
                "only a ready, pending or failed payment can be approved late",
            ));
        }
        let method = attempt.method;
        record::approve(&mut attempt.record, method, now_ms, &app.base, details);
        Ok(Notice::of(Kind::Paid).triggered("ASYNC_PAY_APPROVED"))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FailBody {
    reason: Option<String>,
    pg_code: Option<String>,
    pg_message: Option<String>,
}

pub(crate) async fn fail_payment(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let record = fail(&app, &id, parse(&headers, &body)?)?;
    Ok(done(&headers, record))
}

/// The gateway says no, or an account closes.
pub(crate) fn fail(app: &App, id: &str, fields: Map<String, Value>) -> Result<Record, Refusal> {
    let body: FailBody = from_fields(fields)?;
    let default = declined();
    let failure = match (body.reason, body.pg_code, body.pg_message) {
        (None, None, None) => default,
        (reason, pg_code, pg_message) => Failure {
            reason: reason.unwrap_or(default.reason),
            pg_code,
            pg_message,
        },
    };
    act(app, id, Needs::Nothing, |attempt, _, now_ms| {
        if !matches!(
            attempt.status(),
            READY | PAY_PENDING | VIRTUAL_ACCOUNT_ISSUED
        ) {
            return Err(conflict("only a payment that is not finished can fail"));
        }
        let was_pending = attempt.status() == PAY_PENDING;
        record::fail(&mut attempt.record, &failure, now_ms);
        let notice = Notice::of(Kind::Failed);
        Ok(match was_pending {
            true => notice.triggered("ASYNC_PAY_FAILED"),
            false => notice,
        })
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CancelBody {
    amount: Option<i64>,
    tax_free_amount: Option<i64>,
    vat_amount: Option<i64>,
    reason: Option<String>,
}

pub(crate) async fn cancel_payment(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let (record, _) = cancel_in_console(&app, &id, parse(&headers, &body)?)?;
    Ok(done(&headers, record))
}

/// A cancel in the console: partial if an amount is given. Returns the record and the cancellation's id.
pub(crate) fn cancel_in_console(
    app: &App,
    id: &str,
    fields: Map<String, Value>,
) -> Result<(Record, String), Refusal> {
    let body: CancelBody = from_fields(fields)?;
    let cancel = Cancel {
        amount: body.amount,
        tax_free: body.tax_free_amount,
        vat: body.vat_amount,
        current_cancellable: None,
        reason: body.reason.unwrap_or_else(|| DEFAULT_CANCEL_REASON.into()),
        trigger: cancel::Trigger::Console,
    };
    let now_ms = app.clock.now_ms();
    let mut state = app.state();
    let transaction_id = transaction_id_of(&state, id)?;
    let (cancellation, notice) = carry_out(&mut state, &transaction_id, &cancel, now_ms)
        .map_err(|error| conflict(error.name()))?;
    let messages = webhook::messages(&mut state, &transaction_id, &notice, None, now_ms);
    let record = record_of(&state, &transaction_id)?;
    let mode = state.config.webhook;
    drop(state);
    webhook::send(app, messages, mode);
    let cancellation_id = cancellation["id"].as_str().unwrap_or_default().to_owned();
    Ok((record, cancellation_id))
}

/// Path of an asynchronous cancellation.
#[derive(Deserialize)]
pub(crate) struct CancellationPath {
    id: String,
    cancellation_id: String,
}

/// How the gateway decides on it.
#[derive(Clone, Copy, Deserialize)]
enum Settlement {
    #[serde(rename = "SUCCEEDED")]
    Succeeded,
    #[serde(rename = "FAILED")]
    Failed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettleBody {
    status: Settlement,
}

pub(crate) async fn settle_payment_cancellation(
    State(app): State<App>,
    Path(path): Path<CancellationPath>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body: SettleBody = parse(&headers, &body)?;
    let succeeded = matches!(body.status, Settlement::Succeeded);
    let record = settle_cancellation(&app, &path.id, &path.cancellation_id, succeeded)?;
    Ok(done(&headers, record))
}

/// The gateway decides on a cancellation that was asked for.
pub(crate) fn settle_cancellation(
    app: &App,
    id: &str,
    cancellation_id: &str,
    succeeded: bool,
) -> Result<Record, Refusal> {
    let now_ms = app.clock.now_ms();
    let mut state = app.state();
    let transaction_id = transaction_id_of(&state, id)?;
    let notice = settle(
        &mut state,
        &transaction_id,
        cancellation_id,
        succeeded,
        now_ms,
    )
    .ok_or_else(|| conflict("no such cancellation is under way"))?;
    let messages = match notice {
        Some(notice) => webhook::messages(&mut state, &transaction_id, &notice, None, now_ms),
        None => Vec::new(),
    };
    let record = record_of(&state, &transaction_id)?;
    let mode = state.config.webhook;
    drop(state);
    webhook::send(app, messages, mode);
    Ok(record)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DisputeBody {
    #[serde(default)]
    resolved: bool,
    reason: Option<String>,
}

pub(crate) async fn dispute_payment(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let record = change_dispute(&app, &id, parse(&headers, &body)?)?;
    Ok(done(&headers, record))
}

/// The buyer disputes a paid payment, or with `resolved: true` the dispute ends.
pub(crate) fn change_dispute(
    app: &App,
    id: &str,
    fields: Map<String, Value>,
) -> Result<Record, Refusal> {
    let body: DisputeBody = from_fields(fields)?;
    act(app, id, Needs::Nothing, |attempt, details, now_ms| {
        if attempt.status() != PAID {
            return Err(conflict("only a paid payment shows disputes"));
        }
        let record = &mut attempt.record;
        if !body.resolved {
            let reason = body.reason.as_deref().unwrap_or(DEFAULT_DISPUTE_REASON);
            record::open_dispute(record, reason, now_ms, details);
            return Ok(Notice::of(Kind::DisputeCreated).triggered("DISPUTE_CREATED"));
        }
        match record::resolve_dispute(record, now_ms) {
            true => Ok(Notice::of(Kind::DisputeResolved).triggered("DISPUTE_RESOLVED")),
            false => Err(conflict("there is no open dispute")),
        }
    })
}
