//! Why PortOne says no: a `type` that decides the HTTP status, and a text.
//! <https://developers.portone.io/api/rest-v2/overview>

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

/// A gateway's code that says nothing.
const PG_CODE: &str = "9999";

/// The types that the sandbox answers with; PortOne has more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorType {
    InvalidRequest,
    InvalidPaymentToken,
    MaxWebhookRetryCountReached,
    Unauthorized,
    Forbidden,
    PaymentNotFound,
    WebhookNotFound,
    PaymentCancellationNotFound,
    AlreadyPaid,
    InformationMismatch,
    PaymentNotPaid,
    PaymentAlreadyCancelled,
    CancellableAmountConsistencyBroken,
    CancelAmountExceedsCancellableAmount,
    SumOfPartsExceedsCancelAmount,
    CancelTaxFreeAmountExceedsCancellableTaxFreeAmount,
    CancelTaxAmountExceedsCancellableTaxAmount,
    MaxCancelCountReached,
    PaymentCancellationNotPending,
    PaymentNotWaitingForDeposit,
    IdempotencyOutstandingRequest,
    PgProvider,
}

impl ErrorType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            ErrorType::InvalidRequest => "INVALID_REQUEST",
            ErrorType::InvalidPaymentToken => "INVALID_PAYMENT_TOKEN",
            ErrorType::MaxWebhookRetryCountReached => "MAX_WEBHOOK_RETRY_COUNT_REACHED",
            ErrorType::Unauthorized => "UNAUTHORIZED",
            ErrorType::Forbidden => "FORBIDDEN",
            ErrorType::PaymentNotFound => "PAYMENT_NOT_FOUND",
            ErrorType::WebhookNotFound => "WEBHOOK_NOT_FOUND",
            ErrorType::PaymentCancellationNotFound => "PAYMENT_CANCELLATION_NOT_FOUND",
            ErrorType::AlreadyPaid => "ALREADY_PAID",
            ErrorType::InformationMismatch => "INFORMATION_MISMATCH",
            ErrorType::PaymentNotPaid => "PAYMENT_NOT_PAID",
            ErrorType::PaymentAlreadyCancelled => "PAYMENT_ALREADY_CANCELLED",
            ErrorType::CancellableAmountConsistencyBroken => {
                "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN"
            }
            ErrorType::CancelAmountExceedsCancellableAmount => {
                "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT"
            }
            ErrorType::SumOfPartsExceedsCancelAmount => "SUM_OF_PARTS_EXCEEDS_CANCEL_AMOUNT",
            ErrorType::CancelTaxFreeAmountExceedsCancellableTaxFreeAmount => {
                "CANCEL_TAX_FREE_AMOUNT_EXCEEDS_CANCELLABLE_TAX_FREE_AMOUNT"
            }
            ErrorType::CancelTaxAmountExceedsCancellableTaxAmount => {
                "CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT"
            }
            ErrorType::MaxCancelCountReached => "MAX_CANCEL_COUNT_REACHED",
            ErrorType::PaymentCancellationNotPending => "PAYMENT_CANCELLATION_NOT_PENDING",
            ErrorType::PaymentNotWaitingForDeposit => "PAYMENT_NOT_WAITING_FOR_DEPOSIT",
            ErrorType::IdempotencyOutstandingRequest => "IDEMPOTENCY_OUTSTANDING_REQUEST",
            ErrorType::PgProvider => "PG_PROVIDER",
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            ErrorType::InvalidRequest
            | ErrorType::InvalidPaymentToken
            | ErrorType::MaxWebhookRetryCountReached => StatusCode::BAD_REQUEST,
            ErrorType::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorType::Forbidden => StatusCode::FORBIDDEN,
            ErrorType::PaymentNotFound
            | ErrorType::WebhookNotFound
            | ErrorType::PaymentCancellationNotFound => StatusCode::NOT_FOUND,
            ErrorType::AlreadyPaid
            | ErrorType::InformationMismatch
            | ErrorType::PaymentNotPaid
            | ErrorType::PaymentAlreadyCancelled
            | ErrorType::CancellableAmountConsistencyBroken
            | ErrorType::CancelAmountExceedsCancellableAmount
            | ErrorType::SumOfPartsExceedsCancelAmount
            | ErrorType::CancelTaxFreeAmountExceedsCancellableTaxFreeAmount
            | ErrorType::CancelTaxAmountExceedsCancellableTaxAmount
            | ErrorType::MaxCancelCountReached
            | ErrorType::PaymentCancellationNotPending
            | ErrorType::PaymentNotWaitingForDeposit
            | ErrorType::IdempotencyOutstandingRequest => StatusCode::CONFLICT,
            ErrorType::PgProvider => StatusCode::BAD_GATEWAY,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ApiRefusal {
    pub(crate) error: ErrorType,
    pub(crate) message: String,
}

impl ApiRefusal {
    pub(crate) fn new(error: ErrorType, message: impl Into<String>) -> Self {
        ApiRefusal {
            error,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        ApiRefusal::new(ErrorType::InvalidRequest, message)
    }

    pub(crate) fn no_payment() -> Self {
        ApiRefusal::new(ErrorType::PaymentNotFound, "결제 건이 존재하지 않습니다.")
    }
}

impl IntoResponse for ApiRefusal {
    fn into_response(self) -> Response {
        let mut body = json!({"type": self.error.name(), "message": self.message});
        if self.error == ErrorType::PgProvider {
            body["pgCode"] = json!(PG_CODE);
            body["pgMessage"] = json!(self.message);
        }
        (self.error.status(), Json(body)).into_response()
    }
}

/// A refusal that a fault makes up; without a type, the one that goes with the status.
pub(crate) fn body(status: StatusCode, error: Option<&str>, message: &str) -> Response {
    let error = error.unwrap_or(match status {
        StatusCode::BAD_REQUEST => "INVALID_REQUEST",
        StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
        StatusCode::FORBIDDEN => "FORBIDDEN",
        StatusCode::NOT_FOUND => "PAYMENT_NOT_FOUND",
        StatusCode::BAD_GATEWAY => "PG_PROVIDER",
        _ => "SANDBOX_FAULT",
    });
    let mut body = json!({"type": error, "message": message});
    if error == ErrorType::PgProvider.name() {
        body["pgCode"] = json!(PG_CODE);
        body["pgMessage"] = json!(message);
    }
    (status, Json(body)).into_response()
}
