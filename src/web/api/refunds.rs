//! `/api/v1/orders/{payment_id}/refunds`: the shop's server gives money back.
//!
//! Asking is idempotent by `Idempotency-Key`, which is kept for as long as the refund: the same request again is answered with
//! the same refund, as far as it has come. Beyond its order a key is kept as the names of all requests are ([`once`]): for a day it
//! is no other order's.
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::answers::{self, RefundList};
use super::body::{Refusal, fingerprint, present, text};
use super::once::{self, Key};
use super::{App, Shop, json_body, unavailable};
use crate::domain::ids::{PaymentId, TRANSACTION_ID_BYTES_MAX, TransactionId};
use crate::domain::money::AMOUNT_MINOR_MAX;
use crate::domain::refund::{ACCOUNT_CHARS_MAX, REASON_CHARS_MAX, RefundAccount, TaxFreeFault};
use crate::ports::requests::NamedRequest;
use crate::service::refunds::{self, AskError, Asked, NewRefund};
use crate::web::named::Named;
use crate::web::problem::Problem;

const FIELDS: [&str; 5] = [
    "amount",
    "tax_free_amount",
    "reason",
    "transaction_id",
    "refund_account",
];
const TAX_FREE: &str = "tax_free_amount";
const ACCOUNT_FIELDS: [&str; 4] = ["bank", "number", "holder", "tel"];

/// `POST /api/v1/orders/{payment_id}/refunds`
#[utoipa::path(post, path = "/api/v1/orders/{payment_id}/refunds", tag = "refunds", summary = "Gives money back",
    description = "The same request with the same Idempotency-Key is the same refund. Its state says how far it is.",
    params(("payment_id" = String, Path, description = "The shop's id of the payment", min_length = 1, max_length = 64),
        ("Idempotency-Key" = String, Header, description = "Printable ASCII, a new one for each refund. With another body it is refused as long as the order is kept, with another order for 24 hours", min_length = 1, max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$")),
    request_body = NewRefundBody,
    responses((status = 201, description = "The refund, new", body = answers::Refund), (status = 200, description = "The refund, asked for before by the same request", body = answers::Refund)))]
pub async fn make_refund(
    shop: Shop,
    State(app): State<App>,
    Named(id): Named<String>,
    request: Request,
) -> Response {
    let Ok(payment_id) = PaymentId::parse(&id) else {
        return Problem::NotFound.response();
    };
    let Key::Usable(key) = once::key(request.headers()) else {
        return Problem::IdempotencyKeyNeeded.response();
    };
    let bytes = match json_body(request).await {
        Ok(bytes) => bytes,
        Err(problem) => return problem.response(),
    };
    let mut new = match parse(&bytes, payment_id, format!("shop:{key}")) {
        Ok(new) => new,
        Err(refusal) => return refusal.response(),
    };
    new.name = Some(name(&shop, &key, &new, app.core.clock.now()));
    match refunds::request(&app.core, new, shop.actor()).await {
        Ok(Asked::New(refund)) => {
            (StatusCode::CREATED, Json(answers::Refund::of(&refund))).into_response()
        }
        Ok(Asked::Same(refund)) => Json(answers::Refund::of(&refund)).into_response(),
        Err(error) => refused(&error),
    }
}

/// The request among all that the shop named. A header has no line break: no order's key is taken for a refund's.
fn name(shop: &Shop, key: &str, new: &NewRefund, at: Timestamp) -> NamedRequest {
    let of_order = [
        ("payment_id".to_owned(), json!(new.payment_id.as_str())),
        ("refund".to_owned(), json!(new.fingerprint)),
    ];
    NamedRequest {
        shop: shop.name.clone(),
        name: format!("refund\n{key}"),
        fingerprint: fingerprint(&Map::from_iter(of_order)),
        at,
    }
}

/// `GET /api/v1/orders/{payment_id}/refunds`
#[utoipa::path(get, path = "/api/v1/orders/{payment_id}/refunds", tag = "refunds", summary = "Lists the refunds of an order",
    description = "Those made in PortOne's console are not among them; the order's refunded_amount has them.",
    params(("payment_id" = String, Path, description = "The shop's id of the payment", min_length = 1, max_length = 64)),
    responses((status = 200, description = "The refunds", body = answers::RefundList)))]
pub async fn list_refunds(
    _shop: Shop,
    State(app): State<App>,
    Named(id): Named<String>,
) -> Response {
    let Ok(id) = PaymentId::parse(&id) else {
        return Problem::NotFound.response();
    };
    match app.core.orders.find_order(&id).await {
        Ok(Some(_)) => {}
        Ok(None) => return Problem::NotFound.response(),
        Err(error) => return unavailable(&error),
    }
    match app.core.refunds.refunds(&id).await {
        Ok(refunds) => {
            let list = RefundList {
                payment_id: id.as_str().to_owned(),
                refunds: refunds.iter().map(answers::Refund::of).collect(),
            };
            Json(list).into_response()
        }
        Err(error) => unavailable(&error),
    }
}

/// A refund to be made
#[derive(ToSchema)]
pub struct NewRefundBody {
    /// In the currency's minor unit; all that is left when absent
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub amount: Option<i64>,
    /// How much of it is free of tax, in the currency's minor unit. For a payment that was taxed in part or not at all: PortOne
    /// takes what is not said for taxed. When absent, V2 is asked what is left free of tax, which tells it where all of the rest is
    /// given back; V1 cannot be asked
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    pub tax_free_amount: Option<i64>,
    /// Why; some gateways show it to the buyer
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
    /// A duplicate, late or held payment instead of the one that paid the order
    #[schema(min_length = 1, max_length = 64)]
    pub transaction_id: Option<String>,
    /// Where a deposit to a virtual account goes back to, and what a gateway wants an account for; forgotten as soon as PortOne has answered
    pub refund_account: Option<RefundAccountBody>,
}

/// An account that money goes back to
#[derive(ToSchema)]
pub struct RefundAccountBody {
    /// The gateway's own code (V1) or PortOne's word (V2)
    #[schema(min_length = 1, max_length = 100)]
    pub bank: String,
    /// As the bank writes it
    #[schema(min_length = 1, max_length = 100)]
    pub number: String,
    /// Whose it is
    #[schema(min_length = 1, max_length = 100)]
    pub holder: String,
    /// Where the gateway wants it
    #[schema(min_length = 1, max_length = 100)]
    pub tel: Option<String>,
}

fn refused(error: &AskError) -> Response {
    match error {
        AskError::NoSuchOrder | AskError::NoSuchTransaction => Problem::NotFound.response(),
        AskError::NotPaid => Problem::OrderNotPaid.response(),
        AskError::KeyReused => Problem::IdempotencyKeyReused.response(),
        AskError::KeyInUse => Problem::IdempotencyKeyInUse.response(),
        AskError::UnderWay => Problem::RefundUnderWay.response(),
        // A shop's server is told of no balance beforehand, so none can have changed.
        AskError::TooMuch(left) | AskError::Changed(left) => {
            Problem::refundable(left.minor, left.currency.code())
        }
        AskError::TaxFree(TaxFreeFault::Needed) => Problem::field(
            TAX_FREE,
            "must say how much of the refund is free of tax: so is a part of what is left of the payment",
        ),
        AskError::TaxFree(TaxFreeFault::TooMuch) => Problem::field(
            TAX_FREE,
            "must leave the taxed and the tax-free part each within the refund and what is left of the payment",
        ),
        AskError::AccountNeeded => Problem::RefundAccountNeeded.response(),
        AskError::Unavailable => Problem::Unavailable.response(),
        AskError::Store(error) => unavailable(error),
    }
}

fn parse(
    bytes: &[u8],
    payment_id: PaymentId,
    idempotency_key: String,
) -> Result<NewRefund, Refusal> {
    let mut object: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|_| Refusal::Malformed)?;
    if let Some(unknown) = object.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(Refusal::UnknownField(crate::domain::text::clean(unknown)));
    }
    let amount_minor = match present(&object, "amount") {
        None => None,
        Some(value) => Some(
            value
                .as_i64()
                .filter(|minor| (1..=AMOUNT_MINOR_MAX).contains(minor))
                .ok_or(Refusal::Field("amount", "must be a whole number above 0 in the currency's minor unit; leave it out to give back all that is left"))?,
        ),
    };
    let tax_free_minor = match present(&object, TAX_FREE) {
        None => None,
        Some(value) => Some(
            value
                .as_i64()
                .filter(|minor| (0..=amount_minor.unwrap_or(AMOUNT_MINOR_MAX)).contains(minor))
                .ok_or(Refusal::Field(
                    TAX_FREE,
                    "must be a whole number in the currency's minor unit, 0 or more and no more than the amount",
                ))?,
        ),
    };
    let transaction_id = match text(&object, "transaction_id", TRANSACTION_ID_BYTES_MAX)? {
        None => None,
        Some(id) => Some(TransactionId::parse(&id).map_err(|_| {
            Refusal::Field(
                "transaction_id",
                "must be the id of one of the order's transactions",
            )
        })?),
    };
    let reason = text(&object, "reason", REASON_CHARS_MAX)?.ok_or(Refusal::Field(
        "reason",
        "must say why, in 1 to 200 characters; some gateways show it to the buyer",
    ))?;
    let account = account(&object)?;
    // The account is gone once the call is settled, and a digest of it could be guessed back: it leaves no trace here.
    object.insert("refund_account".to_owned(), json!(account.is_some()));
    Ok(NewRefund {
        payment_id,
        transaction_id,
        amount_minor,
        tax_free_minor,
        left_minor: None,
        reason,
        account,
        idempotency_key,
        fingerprint: fingerprint(&object),
        name: None,
    })
}

fn account(object: &Map<String, Value>) -> Result<Option<RefundAccount>, Refusal> {
    const RIGHT: &str = "must be an object with bank, number and holder, and tel where the gateway wants it; bank is the gateway's own code (V1) or PortOne's word (V2)";
    let Some(value) = present(object, "refund_account") else {
        return Ok(None);
    };
    let refusal = || Refusal::Field("refund_account", RIGHT);
    let account = value.as_object().ok_or_else(refusal)?;
    if account
        .keys()
        .any(|key| !ACCOUNT_FIELDS.contains(&key.as_str()))
    {
        return Err(refusal());
    }
    let field = |name| text(account, name, ACCOUNT_CHARS_MAX).map_err(|_| refusal());
    Ok(Some(RefundAccount {
        bank: field("bank")?.ok_or_else(refusal)?,
        number: field("number")?.ok_or_else(refusal)?,
        holder: field("holder")?.ok_or_else(refusal)?,
        tel: field("tel")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<NewRefund, Refusal> {
        let id = PaymentId::parse("ORD-1").expect("an id");
        parse(body.as_bytes(), id, "shop:1".to_owned())
    }

    #[test]
    fn a_refund_needs_a_reason_alone() {
        let refund = read(r#"{"reason":"단순 변심"}"#).expect("a refund");

        assert_eq!(
            (refund.amount_minor, refund.transaction_id, refund.account),
            (None, None, None)
        );
    }

    #[test]
    fn a_refusal_names_the_field() {
        let with = |field: &str| format!(r#"{{"reason":"x",{field}}}"#);
        assert_eq!(read("[]").expect_err("no object"), Refusal::Malformed);
        for (body, field) in [
            ("{}".to_owned(), "reason"),
            (r#"{"reason":""}"#.to_owned(), "reason"),
            (with(r#""amount":0"#), "amount"),
            (with(r#""amount":-1"#), "amount"),
            (with(r#""amount":1.5"#), "amount"),
            (with(r#""tax_free_amount":-1"#), "tax_free_amount"),
            (with(r#""tax_free_amount":"1""#), "tax_free_amount"),
            (
                with(r#""amount":10,"tax_free_amount":11"#),
                "tax_free_amount",
            ),
            (with(r#""amount":"1""#), "amount"),
            (with(r#""amount":9007199254740992"#), "amount"),
            (with(r#""transaction_id":"a/b""#), "transaction_id"),
            (with(r#""refund_account":{}"#), "refund_account"),
            (
                with(r#""refund_account":{"bank":"04","number":"1"}"#),
                "refund_account",
            ),
            (
                with(r#""refund_account":{"bank":"04","number":"1","holder":"h","pin":"1"}"#),
                "refund_account",
            ),
        ] {
            let refusal = read(&body).expect_err(&body);
            assert!(
                matches!(refusal, Refusal::Field(name, _) if name == field),
                "{body}: {refusal:?}"
            );
        }
        assert_eq!(
            read(&with(r#""to":"me""#)).expect_err("unknown"),
            Refusal::UnknownField("to".to_owned())
        );
    }

    #[test]
    fn the_account_leaves_no_trace_in_the_fingerprint() {
        let with = |number: &str| {
            let body = format!(
                r#"{{"reason":"x","refund_account":{{"bank":"04","number":"{number}","holder":"h"}}}}"#
            );
            read(&body).expect("a refund").fingerprint
        };

        assert_eq!(with("1"), with("2"));
        assert_ne!(
            with("1"),
            read(r#"{"reason":"x"}"#).expect("a refund").fingerprint
        );
    }
}
