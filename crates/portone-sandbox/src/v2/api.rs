//! The payment calls of PortOne's V2 REST API. <https://developers.portone.io/api/rest-v2/payment>

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{Method, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::auth::Authorized;
use super::cancel::{self, Cancel};
use super::config::CancelMode;
use super::ledger::Attempt;
use super::record::{self, CANCELLED, Failure, PARTIAL_CANCELLED, VIRTUAL_ACCOUNT_ISSUED};
use super::refusal::{ApiRefusal, ErrorType};
use super::uuid;
use super::webhook::{self, Kind, Notice, Retry};
use crate::state::{App, PREPARED_MAX, State as SandboxState};

pub(crate) type Answer = Result<Response, ApiRefusal>;

/// A JSON body; an empty one stands for `{}`.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiRefusal> {
    let body = match body {
        [] => b"{}",
        body => body,
    };
    serde_json::from_slice(body).map_err(|error| ApiRefusal::invalid(error.to_string()))
}

/// The credential is of one store; naming another is refused.
pub(crate) fn check_store(state: &SandboxState, store_id: Option<&str>) -> Result<(), ApiRefusal> {
    match store_id {
        Some(store_id) if store_id != state.config.v2.store_id => Err(ApiRefusal::new(
            ErrorType::Forbidden,
            "접근 권한이 없는 상점 아이디입니다.",
        )),
        Some(_) | None => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoreQuery {
    store_id: Option<String>,
}

fn find<'a>(
    state: &'a SandboxState,
    payment_id: &str,
    store_id: Option<&str>,
) -> Result<&'a Attempt, ApiRefusal> {
    check_store(state, store_id)?;
    state
        .v2
        .ledger
        .of_payment(payment_id)
        .ok_or_else(ApiRefusal::no_payment)
}

/// `GET /payments/{paymentId}`
pub(crate) async fn payment(
    _: Authorized,
    State(app): State<App>,
    Path(payment_id): Path<String>,
    Query(query): Query<StoreQuery>,
) -> Answer {
    let state = app.state();
    let attempt = find(&state, &payment_id, query.store_id.as_deref())?;
    Ok(Json(attempt.shown(app.clock.now_ms())).into_response())
}

/// `GET /payments/{paymentId}/transactions`: every attempt, newest first.
pub(crate) async fn transactions(
    _: Authorized,
    State(app): State<App>,
    Path(payment_id): Path<String>,
    Query(query): Query<StoreQuery>,
) -> Answer {
    let state = app.state();
    find(&state, &payment_id, query.store_id.as_deref())?;
    let mut items: Vec<_> = state
        .v2
        .ledger
        .attempts_of(&payment_id)
        .map(|attempt| record::transaction(attempt.shown(app.clock.now_ms())))
        .collect();
    items.reverse();
    Ok(Json(json!({"items": items})).into_response())
}

/// What a shop has said a payment will be, before it is made.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Prepared {
    store_id: Option<String>,
    pub(crate) total_amount: Option<i64>,
    pub(crate) tax_free_amount: Option<i64>,
    pub(crate) currency: Option<String>,
}

/// `POST /payments/{paymentId}/pre-register`: the last one counts.
pub(crate) async fn pre_register(
    _: Authorized,
    State(app): State<App>,
    Path(payment_id): Path<String>,
    body: Bytes,
) -> Answer {
    let prepared: Prepared = parse(&body)?;
    let mut state = app.state();
    check_store(&state, prepared.store_id.as_deref())?;
    let negative = |amount: Option<i64>| amount.is_some_and(|amount| amount < 0);
    if negative(prepared.total_amount) || negative(prepared.tax_free_amount) {
        return Err(ApiRefusal::invalid("금액은 0 이상이어야 합니다."));
    }
    let v2 = &mut state.v2;
    if v2.ledger.is_approved(&payment_id) {
        return Err(already_paid());
    }
    if v2.prepared.len() >= PREPARED_MAX && !v2.prepared.contains_key(&payment_id) {
        return Err(ApiRefusal::invalid(
            "portone-sandbox: too many pre-registrations; reset it",
        ));
    }
    v2.prepared.insert(payment_id, prepared);
    Ok(Json(json!({})).into_response())
}

fn already_paid() -> ApiRefusal {
    ApiRefusal::new(ErrorType::AlreadyPaid, "결제가 이미 완료되었습니다.")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfirmBody {
    store_id: Option<String>,
    payment_token: String,
    tx_id: Option<String>,
    currency: Option<String>,
    total_amount: Option<i64>,
    tax_free_amount: Option<i64>,
    is_test: Option<bool>,
    #[serde(default)]
    skip_webhook: bool,
}

impl ConfirmBody {
    /// Whether everything the shop expects is so. What it does not name is not looked at.
    fn matches(&self, attempt: &Attempt) -> bool {
        let record = &attempt.record;
        let same = |expected: Option<i64>, part| {
            expected.is_none_or(|amount| amount == record::amount_of(record, part))
        };
        let same_text = |expected: Option<&str>, actual: &str| {
            expected.is_none_or(|expected| expected == actual)
        };
        same(self.total_amount, "total")
            && same(self.tax_free_amount, "taxFree")
            && same_text(self.currency.as_deref(), record::text(record, "currency"))
            && same_text(self.tx_id.as_deref(), attempt.transaction_id())
            && self
                .is_test
                .is_none_or(|is_test| is_test == record::is_test(record))
    }
}

/// `POST /payments/{paymentId}/confirm`: approves what the buyer has authenticated.
pub(crate) async fn confirm(
    _: Authorized,
    State(app): State<App>,
    Path(payment_id): Path<String>,
    body: Bytes,
) -> Answer {
    let body: ConfirmBody = parse(&body)?;
    let now_ms = app.clock.now_ms();
    let (answer, messages, mode) = {
        let mut state = app.state();
        find(&state, &payment_id, body.store_id.as_deref())?;
        let SandboxState { v2, config, .. } = &mut *state;
        if v2.ledger.is_approved(&payment_id) {
            return Err(already_paid());
        }
        let attempt = v2
            .ledger
            .attempts_of(&payment_id)
            .find(|attempt| attempt.payment_token.as_ref() == Some(&body.payment_token))
            .filter(|attempt| attempt.status() == record::READY)
            .ok_or_else(|| {
                ApiRefusal::new(
                    ErrorType::InvalidPaymentToken,
                    "유효하지 않은 결제 토큰입니다.",
                )
            })?;
        if !body.matches(attempt) {
            return Err(ApiRefusal::new(
                ErrorType::InformationMismatch,
                "요청한 정보가 결제 건과 일치하지 않습니다.",
            ));
        }
        let transaction_id = attempt.transaction_id().to_owned();
        let details = &mut v2.details;
        let answer = v2
            .ledger
            .change(&transaction_id, |attempt| {
                record::approve(
                    &mut attempt.record,
                    attempt.method,
                    now_ms,
                    &app.base,
                    details,
                );
                attempt.payment_token = None;
                json!({
                    "pgTxId": attempt.record.get("pgTxId"),
                    "paidAt": attempt.record.get("paidAt"),
                })
            })
            .ok_or_else(ApiRefusal::no_payment)?;
        let mode = config.webhook;
        let notice = Notice::of(Kind::Paid);
        let messages = match body.skip_webhook {
            true => Vec::new(),
            false => webhook::messages(&mut state, &transaction_id, &notice, None, now_ms),
        };
        (answer, messages, mode)
    };
    webhook::send(&app, messages, mode);
    Ok(Json(answer).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancelBody {
    store_id: Option<String>,
    amount: Option<i64>,
    tax_free_amount: Option<i64>,
    vat_amount: Option<i64>,
    reason: String,
    current_cancellable_amount: Option<i64>,
    refund_account: Option<RefundAccount>,
    #[serde(default)]
    skip_webhook: bool,
}

/// Where the money of a virtual account goes back to. Checked for its shape, then forgotten.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "required by PortOne; there is no bank here to send it to"
)]
struct RefundAccount {
    bank: String,
    number: String,
    holder_name: String,
}

/// `POST /payments/{paymentId}/cancel`
pub(crate) async fn cancel(
    _: Authorized,
    State(app): State<App>,
    Path(payment_id): Path<String>,
    body: Bytes,
) -> Answer {
    let body: CancelBody = parse(&body)?;
    let now_ms = app.clock.now_ms();
    let (cancellation, messages, mode) = {
        let mut state = app.state();
        let attempt = find(&state, &payment_id, body.store_id.as_deref())?;
        let transaction_id = attempt.transaction_id().to_owned();
        let needs_account = attempt.status() == record::PAID
            && attempt
                .record
                .get("method")
                .is_some_and(|method| method["type"] == "PaymentMethodVirtualAccount");
        if needs_account && body.refund_account.is_none() {
            return Err(ApiRefusal::new(
                ErrorType::PgProvider,
                "가상계좌 환불에는 환불 계좌 정보가 필요합니다.",
            ));
        }
        let cancel = Cancel {
            amount: body.amount,
            tax_free: body.tax_free_amount,
            vat: body.vat_amount,
            current_cancellable: body.current_cancellable_amount,
            reason: body.reason,
            trigger: cancel::Trigger::Api,
        };
        let (cancellation, notice) = carry_out(&mut state, &transaction_id, &cancel, now_ms)
            .map_err(|error| ApiRefusal::new(error, error.name()))?;
        let messages = match body.skip_webhook {
            true => Vec::new(),
            false => webhook::messages(&mut state, &transaction_id, &notice, None, now_ms),
        };
        (cancellation, messages, state.config.webhook)
    };
    webhook::send(&app, messages, mode);
    Ok(Json(json!({"cancellation": cancellation})).into_response())
}

/// Asks for a cancellation, and carries it out at once unless the gateway is one that decides later.
pub(crate) fn carry_out(
    state: &mut SandboxState,
    transaction_id: &str,
    cancel: &Cancel,
    now_ms: i64,
) -> Result<(Value, Notice), ErrorType> {
    let later = state.config.v2.cancel == CancelMode::Asynchronous;
    let refund_status = state.config.v2.refund_status;
    let v2 = &mut state.v2;
    let cancellation_id = uuid(&mut v2.ids);
    let pg_id = v2.details.digits(20);
    v2.ledger
        .change(transaction_id, |attempt| {
            let requested = cancel::request(&mut attempt.record, cancel, &cancellation_id, now_ms)?;
            let done = match later {
                true => None,
                false => cancel::succeed(
                    &mut attempt.record,
                    &cancellation_id,
                    now_ms,
                    &pg_id,
                    refund_status,
                ),
            };
            let kind = match attempt.status() {
                _ if later => Kind::CancelPending,
                CANCELLED => Kind::Cancelled,
                _ => Kind::PartialCancelled,
            };
            let notice = Notice {
                cancellation_id: Some(cancellation_id.clone()),
                ..Notice::of(kind)
            };
            Ok((done.unwrap_or(requested), notice))
        })
        .unwrap_or(Err(ErrorType::PaymentNotFound))
}

/// How an asynchronous cancellation ends.
pub(crate) fn settle(
    state: &mut SandboxState,
    transaction_id: &str,
    cancellation_id: &str,
    succeeded: bool,
    now_ms: i64,
) -> Option<Option<Notice>> {
    let pg_id = state.v2.details.digits(20);
    let refund_status = state.config.v2.refund_status;
    state.v2.ledger.change(transaction_id, |attempt| {
        let record = &mut attempt.record;
        if !succeeded {
            cancel::fail(record, cancellation_id, now_ms)?;
            return Some(None);
        }
        cancel::succeed(record, cancellation_id, now_ms, &pg_id, refund_status)?;
        let kind = match attempt.status() {
            PARTIAL_CANCELLED => Kind::PartialCancelled,
            _ => Kind::Cancelled,
        };
        let notice = Notice {
            cancellation_id: Some(cancellation_id.to_owned()),
            ..Notice::of(kind).triggered("ASYNC_CANCEL_APPROVED")
        };
        Some(Some(notice))
    })?
}

/// Path of a cancellation.
#[derive(Deserialize)]
pub(crate) struct CancellationPath {
    payment_id: String,
    cancellation_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoreBody {
    store_id: Option<String>,
}

/// `POST /payments/{paymentId}/cancellations/{cancellationId}/stop`
pub(crate) async fn stop_cancellation(
    _: Authorized,
    State(app): State<App>,
    Path(path): Path<CancellationPath>,
    body: Bytes,
) -> Answer {
    let body: StoreBody = parse(&body)?;
    let now_ms = app.clock.now_ms();
    let mut state = app.state();
    let attempt = find(&state, &path.payment_id, body.store_id.as_deref())?;
    match cancel::status(&attempt.record, &path.cancellation_id) {
        Some("REQUESTED") => {}
        Some(_) => {
            return Err(ApiRefusal::new(
                ErrorType::PaymentCancellationNotPending,
                "취소 요청 상태가 아닙니다.",
            ));
        }
        None => {
            return Err(ApiRefusal::new(
                ErrorType::PaymentCancellationNotFound,
                "취소 내역이 존재하지 않습니다.",
            ));
        }
    }
    let transaction_id = attempt.transaction_id().to_owned();
    settle(
        &mut state,
        &transaction_id,
        &path.cancellation_id,
        false,
        now_ms,
    );
    Ok(Json(json!({"stoppedAt": record::moment(now_ms)})).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResendBody {
    store_id: Option<String>,
    webhook_id: Option<String>,
}

/// `POST /payments/{paymentId}/resend-webhook`: once, now, and waits for the answer.
pub(crate) async fn resend_webhook(
    _: Authorized,
    State(app): State<App>,
    Path(payment_id): Path<String>,
    body: Bytes,
) -> Answer {
    let body: ResendBody = parse(&body)?;
    let no_webhook =
        || ApiRefusal::new(ErrorType::WebhookNotFound, "웹훅 내역이 존재하지 않습니다.");
    let message = {
        let state = app.state();
        let attempt = find(&state, &payment_id, body.store_id.as_deref())?;
        let message = match &body.webhook_id {
            None => attempt.messages.last(),
            Some(id) => attempt.messages.iter().find(|message| message.id == *id),
        };
        let message = message.ok_or_else(no_webhook)?;
        if message.executions >= state.config.v2.webhook_executions {
            return Err(ApiRefusal::new(
                ErrorType::MaxWebhookRetryCountReached,
                "웹훅 최대 발송 횟수를 초과하였습니다.",
            ));
        }
        message.clone()
    };
    let id = message.id.clone();
    webhook::execute(app.clone(), message, Retry::No).await;

    let state = app.state();
    let attempt = find(&state, &payment_id, None)?;
    let entry = attempt
        .record
        .get("webhooks")
        .and_then(Value::as_array)
        .and_then(|list| list.iter().find(|entry| entry["id"] == id))
        .ok_or_else(no_webhook)?;
    Ok(Json(json!({"webhook": entry})).into_response())
}

/// `POST /payments/{paymentId}/virtual-account/close`: the payment fails, and the shop is told so. PortOne documents
/// neither.
pub(crate) async fn close_virtual_account(
    _: Authorized,
    State(app): State<App>,
    Path(payment_id): Path<String>,
    Query(query): Query<StoreQuery>,
) -> Answer {
    let now_ms = app.clock.now_ms();
    let (messages, mode) = {
        let mut state = app.state();
        let attempt = find(&state, &payment_id, query.store_id.as_deref())?;
        if attempt.status() != VIRTUAL_ACCOUNT_ISSUED {
            return Err(ApiRefusal::new(
                ErrorType::PaymentNotWaitingForDeposit,
                "입금 대기 상태가 아닙니다.",
            ));
        }
        let transaction_id = attempt.transaction_id().to_owned();
        let failure = Failure {
            reason: "가상계좌가 말소되었습니다.".into(),
            pg_code: None,
            pg_message: None,
        };
        state.v2.ledger.change(&transaction_id, |attempt| {
            record::fail(&mut attempt.record, &failure, now_ms);
        });
        let notice = Notice::of(Kind::Failed);
        let messages = webhook::messages(&mut state, &transaction_id, &notice, None, now_ms);
        (messages, state.config.webhook)
    };
    webhook::send(&app, messages, mode);
    Ok(Json(json!({"closedAt": record::moment(now_ms)})).into_response())
}

/// Everything else: says plainly that it is the sandbox that lacks it.
pub(crate) async fn unknown(method: Method, uri: Uri) -> Response {
    let message = format!(
        "portone-sandbox does not imitate {method} /v2{}",
        uri.path()
    );
    super::refusal::body(http::StatusCode::NOT_FOUND, Some("NOT_FOUND"), &message)
}
