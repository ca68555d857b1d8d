//! `/payments/complete` and `/o/{token}`: one answer, as a page or as JSON.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use super::limits::is_json;
use super::named::Named;
use super::{App, claim, pages};
use crate::domain::ids::{StatusToken, TransactionId};
use crate::service::completion::{CompletionView, complete, status};

/// `GET, POST /payments/complete`
pub async fn complete_route(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let claim = claim::read(&parts, body).await;
    if wants_json(&parts.headers) {
        return answer(&complete(&app.core, claim).await);
    }
    let mut page = Request::from_parts(parts, Body::empty());
    page.extensions_mut().insert(claim);
    pages::render(&app, page).await
}

/// `GET /o/{token}`
pub async fn status_route(
    State(app): State<App>,
    Named(token): Named<String>,
    request: Request,
) -> Response {
    if wants_json(request.headers()) {
        return answer(&status(&app.core, StatusToken::parse(&token).ok()).await);
    }
    pages::render(&app, request).await
}

/// A browser names `text/html`; a script names JSON, or sends it and takes anything.
fn wants_json(headers: &HeaderMap) -> bool {
    let accepts: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let names = |media: &str| {
        accepts
            .iter()
            .any(|accept| accept.to_ascii_lowercase().contains(media))
    };
    !names("text/html") && (names("application/json") || is_json(headers))
}

fn answer(view: &CompletionView) -> Response {
    let status = StatusCode::from_u16(view.outcome.http_status())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(Completion::from(view))).into_response();
    if let Some(seconds) = view.outcome.retry_after_seconds() {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The contract's JSON. What is not known is `null`, never absent.
#[derive(Debug, Serialize)]
struct Completion<'v> {
    outcome: &'static str,
    reason: Option<&'static str>,
    payment_id: Option<&'v str>,
    transaction_id: Option<&'v str>,
    amount: Option<i64>,
    currency: Option<&'static str>,
    refunded_amount: Option<i64>,
    test: Option<bool>,
    checked_at: Option<Timestamp>,
    virtual_account: Option<Account<'v>>,
    retry_url: Option<&'v str>,
    return_url: Option<&'v str>,
}

#[derive(Debug, Serialize)]
struct Account<'v> {
    /// In PortOne's words: V1 names it, V2 gives a code such as `SHINHAN`.
    bank: Option<&'v str>,
    account_number: &'v str,
    holder: Option<&'v str>,
    expires_at: Option<Timestamp>,
}

impl<'v> From<&'v CompletionView> for Completion<'v> {
    fn from(view: &'v CompletionView) -> Self {
        let payment = view.payment.as_ref();
        let transaction = payment.and_then(|payment| payment.transaction.as_ref());
        Self {
            outcome: view.outcome.as_str(),
            reason: view
                .outcome
                .reason()
                .map(crate::domain::outcome::FailureReason::as_str),
            payment_id: payment.map(|payment| payment.payment_id.as_str()),
            transaction_id: transaction
                .and_then(|transaction| transaction.transaction_id.as_ref())
                .map(TransactionId::as_str),
            amount: payment.map(|payment| payment.amount.minor),
            currency: payment.map(|payment| payment.amount.currency.code()),
            refunded_amount: payment.map(|payment| payment.refunded.minor),
            test: transaction.and_then(|transaction| transaction.test),
            checked_at: view.checked_at,
            virtual_account: transaction
                .and_then(|transaction| transaction.virtual_account.as_ref())
                .map(|account| Account {
                    bank: account.named_bank(),
                    account_number: &account.account_number,
                    holder: account.holder.as_deref(),
                    expires_at: account.expires_at,
                }),
            retry_url: view.retry_url.as_deref(),
            return_url: view.return_url.as_deref(),
        }
    }
}
