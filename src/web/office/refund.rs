//! The form that gives money back, by a person who is signed in.

use axum::extract::{Extension, OriginalUri, State};
use axum::response::Response;
use http::header::ACCEPT_LANGUAGE;
use http::{HeaderMap, Uri};
use serde::Deserialize;
use url::form_urlencoded;

use super::{App, see_other};
use crate::domain::history::Actor;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::{Currency, Money};
use crate::domain::refund::{REASON_CHARS_MAX, RefundAccount, RefundState, is_account_field};
use crate::service::refunds::{self, AskError, Asked, NewRefund};
use crate::ui::context::SignedIn;
use crate::ui::pages::office::address::order_path;
use crate::ui::pages::office::refund::{RefundFault, RefundTyped, read_amount};
use crate::web::forms::{Form, is_form_key};
use crate::web::language;
use crate::web::named::Named;
use crate::web::pages::render_with;

/// A refund, as a person confirmed it.
#[derive(Deserialize)]
pub struct RefundForm {
    /// Set when another amount was typed into a form that was given back: it is to be looked at first, and no money moves.
    #[serde(default)]
    look: String,
    #[serde(default)]
    transaction_id: String,
    /// In the major unit, as the page before showed it.
    #[serde(default)]
    amount: String,
    /// What the page before said is left, in minor units.
    #[serde(default)]
    left: String,
    #[serde(default)]
    reason: String,
    /// How much of the amount is free of tax, in the major unit; empty where nothing is to be said.
    #[serde(default)]
    tax_free: String,
    /// Drawn for the form, so that sending it twice is asking once.
    #[serde(default)]
    key: String,
    #[serde(default)]
    bank: String,
    #[serde(default)]
    number: String,
    #[serde(default)]
    holder: String,
    #[serde(default)]
    tel: String,
}

/// `POST /orders/{payment_id}/refund`
pub async fn refund_order(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Form(form): Form<RefundForm>,
) -> Response {
    let Ok(payment_id) = PaymentId::parse(&id) else {
        return see_other("/orders");
    };
    let fault = if form.look.is_empty() {
        match refund(&app, &payment_id, &form, person.actor()).await {
            Ok(result) => {
                return see_other(&format!("{}?{result}", order_path(&payment_id, None)));
            }
            Err(fault) => Some(fault),
        }
    } else {
        None
    };
    give_back(&app, &payment_id, (person, form, fault), &uri, &headers).await
}

/// The form with everything that was typed into it. An account and a reason stay out of the address.
async fn give_back(
    app: &App,
    payment_id: &PaymentId,
    (person, form, fault): (SignedIn, RefundForm, Option<RefundFault>),
    uri: &Uri,
    headers: &HeaderMap,
) -> Response {
    let language = language::asked(uri.query()).map(|locale| ("lang", locale.tag()));
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("transaction_id", &form.transaction_id)
        .append_pair("amount", &form.amount)
        .extend_pairs(language)
        .finish();
    let typed = RefundTyped {
        amount: form.amount,
        reason: form.reason,
        tax_free: form.tax_free,
        bank: form.bank,
        number: form.number,
        holder: form.holder,
        tel: form.tel,
        fault,
    };
    let page = order_path(payment_id, Some("refund"));
    let language = headers.get(ACCEPT_LANGUAGE).cloned();
    let rendered = render_with(app, &page, Some(&query), language, (person, typed)).await;
    rendered.unwrap_or_else(|| {
        let order = order_path(payment_id, None);
        see_other(&format!("{order}?error=unavailable"))
    })
}

/// What the order's page is to say, or why the form is given back.
async fn refund(
    app: &App,
    payment_id: &PaymentId,
    form: &RefundForm,
    actor: Actor,
) -> Result<&'static str, RefundFault> {
    let Ok(transaction_id) = TransactionId::parse(&form.transaction_id) else {
        return Ok("error=nothing_left");
    };
    let snapshot = match app.core.orders.find_order(payment_id).await {
        Ok(snapshot) => snapshot,
        Err(error) => return not_refunded(AskError::Store(error)),
    };
    let currency = snapshot
        .iter()
        .flat_map(|snapshot| &snapshot.transactions)
        .find(|one| one.transaction_id == transaction_id)
        .and_then(|one| Currency::parse(one.currency.as_deref()?).ok());
    let Some(currency) = currency else {
        return Ok("error=nothing_left");
    };
    let amount = read_amount(&form.amount, currency)?;
    let reason = form.reason.trim();
    let fits = (1..=REASON_CHARS_MAX).contains(&reason.chars().count());
    if !fits || reason.contains(char::is_control) {
        return Err(RefundFault::NoReason);
    }
    let tax_free = match form.tax_free.trim() {
        "" => None,
        typed => Some(
            Money::typed(typed, currency)
                .ok()
                .filter(|part| part.minor >= 0)
                .ok_or(RefundFault::TaxFreeUnread)?,
        ),
    };
    let account = refund_account(form)?;
    if !is_form_key(&form.key) {
        return Ok("error=unavailable");
    }
    let new = NewRefund {
        payment_id: payment_id.clone(),
        fingerprint: format!(
            "staff {} {} {:?} {} {reason}",
            transaction_id.as_str(),
            amount.minor,
            tax_free.map(|part| part.minor),
            account.is_some()
        ),
        transaction_id: Some(transaction_id),
        amount_minor: Some(amount.minor),
        tax_free_minor: tax_free.map(|part| part.minor),
        // What cannot be read is nothing that a page has said, and no sum that is left either.
        left_minor: Some(form.left.parse().unwrap_or_default()),
        reason: reason.to_owned(),
        account,
        idempotency_key: format!("staff:{}", form.key),
        name: None,
    };
    match refunds::request(&app.core, new, actor).await {
        Ok(Asked::New(refund) | Asked::Same(refund)) => Ok(match refund.state {
            RefundState::Done => "done=refunded",
            RefundState::Intended
            | RefundState::Calling
            | RefundState::Requested
            | RefundState::InDoubt => "done=refund_under_way",
            RefundState::Refused | RefundState::NotDone => "error=refund_refused",
        }),
        Err(error) => not_refunded(error),
    }
}

/// All of it, or none where none is needed.
fn refund_account(form: &RefundForm) -> Result<Option<RefundAccount>, RefundFault> {
    let RefundForm {
        bank,
        number,
        holder,
        tel,
        ..
    } = form;
    let fields = [bank, number, holder, tel].map(|field| field.trim());
    if fields.iter().all(|field| field.is_empty()) {
        return Ok(None);
    }
    let [bank, number, holder, tel] = fields;
    let is_whole = [bank, number, holder].into_iter().all(is_account_field);
    if !(is_whole && (tel.is_empty() || is_account_field(tel))) {
        return Err(RefundFault::NoAccount);
    }
    Ok(Some(RefundAccount {
        bank: bank.to_owned(),
        number: number.to_owned(),
        holder: holder.to_owned(),
        tel: Some(tel.to_owned()).filter(|tel| !tel.is_empty()),
    }))
}

fn not_refunded(error: AskError) -> Result<&'static str, RefundFault> {
    match error {
        AskError::TooMuch(left) | AskError::Changed(left) if left.minor == 0 => {
            Ok("error=nothing_left")
        }
        AskError::TooMuch(left) => Err(RefundFault::TooMuch(Some(left))),
        AskError::Changed(left) => Err(RefundFault::Changed(left)),
        AskError::TaxFree(fault) => Err(RefundFault::TaxFree(fault)),
        AskError::AccountNeeded => Err(RefundFault::NoAccount),
        AskError::NoSuchOrder | AskError::NoSuchTransaction | AskError::NotPaid => {
            Ok("error=nothing_left")
        }
        AskError::UnderWay => Err(RefundFault::UnderWay),
        AskError::Unavailable => Err(RefundFault::Unasked),
        // Of this very form: given back with a new key, it would be another refund.
        AskError::KeyInUse => Ok("done=refund_under_way"),
        AskError::KeyReused => Ok("error=refund_before"),
        AskError::Store(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a refund could not be written for the back office"
            );
            Ok("error=refund_unknown")
        }
    }
}
