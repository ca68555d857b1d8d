//! `POST /payments/confirm`: PortOne asks right before an approval whether the payment may go on. 200 lets it; anything else
//! stops it, and the buyer reads why in PortOne's window.
//!
//! <https://developers.portone.io/opi/ko/extra/confirm-process/readme-v1>,
//! <https://developers.portone.io/opi/ko/extra/confirm-process/readme-v2>

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use portone::v1::ImpUid;
use portone::{v2, webhook};
use serde_json::json;

use super::App;
use super::limits::{BODY_BYTES_MAX, is_json, is_too_deep};
use super::webhook::{Signature, content_type, signature};
use crate::domain::confirmation::Stop;
use crate::domain::evidence::Figure;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::order::Portone;
use crate::i18n::Locale;
use crate::service::confirmation::{Question, Stopped, confirm};

/// Answers from what is stored, within 2 s: PortOne waits 5 to 10, with a buyer in front of it.
///
/// A signature is checked when there is one and a secret to check it with. PortOne advises to check a call of V2 like a webhook; one
/// that has none is answered all the same. Nothing here is worth forging, as the answer tells nothing that an order's number and
/// price do not, while refusing what PortOne may not sign everywhere would stop every payment of the shop.
pub async fn confirm_route(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return refuse(None, Stop::Unreadable, None);
    };
    if is_json(&parts.headers) && is_too_deep(&bytes) {
        return refuse(None, Stop::Unreadable, None);
    }
    match signature(&app, &parts.headers, &bytes) {
        Signature::Wrong => return refuse(Some(Portone::V2), Stop::Unreadable, None),
        Signature::Good(_) | Signature::None | Signature::NotConfigured => {}
    }
    let question = match question(content_type(&parts.headers), &bytes) {
        Ok(question) => question,
        Err(portone) => return refuse(portone, Stop::Unreadable, None),
    };
    let portone = question.portone;
    match confirm(&app.core, question).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(Stopped { why, locale }) => refuse(Some(portone), why, locale.as_deref()),
    }
}

/// Reads the question; its generation is known by the names of its fields. An error carries the generation, when it is known.
fn question(content_type: Option<&str>, body: &[u8]) -> Result<Question, Option<Portone>> {
    if let Ok(asked) = webhook::v1::parse_confirm(content_type, body) {
        return ids(
            Portone::V1,
            asked.merchant_uid.as_str(),
            asked.imp_uid.as_ref().map(ImpUid::as_str),
            Figure::Major(asked.amount),
            None,
        );
    }
    let Ok(asked) = webhook::v2::parse_confirm(content_type, body) else {
        return Err(None);
    };
    ids(
        Portone::V2,
        asked.payment_id.as_str(),
        asked.transaction_id.as_ref().map(v2::TransactionId::as_str),
        Figure::Minor(asked.total_amount),
        asked.store_id,
    )
}

fn ids(
    portone: Portone,
    payment_id: &str,
    transaction_id: Option<&str>,
    amount: Figure,
    store_id: Option<String>,
) -> Result<Question, Option<Portone>> {
    Ok(Question {
        portone,
        store_id,
        payment_id: PaymentId::parse(payment_id).map_err(|_| Some(portone))?,
        transaction_id: transaction_id
            .map(TransactionId::parse)
            .transpose()
            .map_err(|_| Some(portone))?,
        amount,
    })
}

fn refuse(portone: Option<Portone>, why: Stop, locale: Option<&str>) -> Response {
    let status = match why {
        Stop::Unreadable => StatusCode::BAD_REQUEST,
        Stop::UnknownOrder => StatusCode::NOT_FOUND,
        Stop::Over | Stop::Paid | Stop::Held | Stop::Amount => StatusCode::CONFLICT,
        Stop::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    };
    let locale = locale.and_then(Locale::from_tag).unwrap_or(Locale::Ko);
    let text = (locale.messages().stopped)(why);
    let body = match portone {
        Some(Portone::V1) => json!({ "reason": text }),
        Some(Portone::V2) => json!({ "errorMessage": text }),
        None => json!({ "reason": text, "errorMessage": text }),
    };
    (status, Json(body)).into_response()
}
