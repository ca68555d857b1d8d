//! Server functions: public endpoints that take hints, call one use case, and answer with what a buyer may know.

use std::sync::Arc;

use leptos::prelude::{FromServerFnError, ServerFnErrorErr, server, use_context};
use leptos::server_fn::codec::JsonEncoding;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{PayToken, PaymentId, StatusToken, TransactionId};
use crate::service::Core;
use crate::service::completion::{self, Claim, CompletionView};
use crate::service::orders::{self, PayView};
use crate::ui::context::from_request;

/// Why an action has no answer. Closed and free of text: it may travel through an address bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionError {
    /// No such thing here.
    NotFound,
    /// The arguments could not be read.
    Invalid,
    /// The server cannot answer now.
    Unavailable,
}

impl FromServerFnError for ActionError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(_)
            | ServerFnErrorErr::MissingArg(_)
            | ServerFnErrorErr::Deserialization(_) => Self::Invalid,
            _ => Self::Unavailable,
        }
    }
}

fn core() -> Result<Arc<Core>, ActionError> {
    use_context().ok_or(ActionError::Unavailable)
}

/// Asks PortOne about a payment, checks it, and says where it stands. The ids are hints; they prove nothing.
#[server(prefix = "/api", endpoint = "payments/complete")]
pub async fn complete_payment(
    /// The merchant's id of the payment.
    payment_id: Option<String>,
    /// PortOne's id of the transaction.
    transaction_id: Option<String>,
) -> Result<CompletionView, ActionError> {
    let core = core()?;
    // On the page itself the whole redirect is at hand; a bare call brings ids alone.
    let claim = from_request::<Claim>()
        .unwrap_or_else(|| claim_of(payment_id.as_deref(), transaction_id.as_deref()));
    Ok(completion::complete(&core, claim).await)
}

/// Says where the payment stands that a status token opens.
#[server(prefix = "/api", endpoint = "payments/look-up")]
pub async fn look_up(
    /// The token, as the address has it.
    token: String,
) -> Result<CompletionView, ActionError> {
    Ok(completion::status(&core()?, StatusToken::parse(&token).ok()).await)
}

/// The order that a pay page is for.
///
/// Not a public endpoint: with the order's token it carries what the shop filled in for its buyer.
pub async fn payment_to_make(
    payment_id: String,
    token: Option<String>,
) -> Result<PayView, ActionError> {
    let core = core()?;
    let id = PaymentId::parse(&payment_id).map_err(|_| ActionError::NotFound)?;
    let token = token.and_then(|text| PayToken::parse(&text).ok());
    match orders::payment_to_make(&core, &id, token.as_ref()).await {
        Ok(found) => found.ok_or(ActionError::NotFound),
        Err(error) => {
            tracing::error!(payment.id = %id, error = &error as &dyn std::error::Error, "an order could not be read for its pay page");
            Err(ActionError::Unavailable)
        }
    }
}

fn claim_of(payment_id: Option<&str>, transaction_id: Option<&str>) -> Claim {
    let payment = payment_id
        .filter(|text| !text.is_empty())
        .map(PaymentId::parse);
    let transaction = transaction_id
        .filter(|text| !text.is_empty())
        .map(TransactionId::parse);
    Claim {
        malformed: matches!(payment, Some(Err(_))) || matches!(transaction, Some(Err(_))),
        payment_id: payment.and_then(Result::ok),
        transaction_id: transaction.and_then(Result::ok),
        parameters: Vec::new(),
    }
}
