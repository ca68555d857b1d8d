//! `GET /orders/{payment_id}/refund`: giving money back, in two looks. The first asks how much; the second names the amount and
//! what will happen, and its form is the one that moves money. The amount may stand in the address, an account may not.

use http::StatusCode;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::address::{Address, order_path};
use super::parts::{fact, fact_if_known, foreign, form_key, id, stored_money, table, time};
use super::text::{Text, Who};
use super::{Opened, Request, page_for};
use crate::domain::access::Deed;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::Portone;
use crate::domain::refund::{
    ACCOUNT_CHARS_MAX, REASON_CHARS_MAX, Refund, is_refundable, needs_account,
};
use crate::domain::transaction::Transaction;
use crate::i18n::{BANKS, Locale, institution, money};
use crate::ports::store::Snapshot;
use crate::service::Core;

/// What is wrong with a refund as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundFault {
    /// It is no amount above 0 of this currency.
    NoAmount,
    /// It is more than is left.
    TooMuch,
    /// It has to be said why.
    NoReason,
    /// The gateway has to be told where the money goes.
    NoAccount,
}

impl RefundFault {
    const ALL: [Self; 4] = [
        Self::NoAmount,
        Self::TooMuch,
        Self::NoReason,
        Self::NoAccount,
    ];

    /// How it travels in an address.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoAmount => "no_amount",
            Self::TooMuch => "too_much",
            Self::NoReason => "no_reason",
            Self::NoAccount => "no_account",
        }
    }

    fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.code() == code)
    }
}

/// One refund, before it is made.
#[component]
pub fn RefundPage() -> impl IntoView {
    let asked = use_params_map()
        .with_untracked(|params| params.get("payment_id"))
        .unwrap_or_default();
    page_for(Deed::Refund, move |opened| page(opened, asked))
}

async fn page(
    Opened {
        request,
        frame,
        core,
        ..
    }: Opened,
    asked: String,
) -> AnyView {
    let found = match PaymentId::parse(&asked) {
        Ok(payment_id) => core.orders.find_order(&payment_id).await,
        Err(_) => Ok(None),
    };
    let text = request.text();
    let snapshot = match found {
        Ok(Some(snapshot)) => snapshot,
        Ok(None) => return frame.no_such_order(),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "an order to be refunded could not be read for the back office"
            );
            return frame.unavailable();
        }
    };
    let payment_id = snapshot.order.payment_id.clone();
    let Some(subject) = Subject::find(&request.address, snapshot) else {
        let back = request.address.link(&order_path(&payment_id, None), &[]);
        let back = (back, text.refund.back);
        return frame.around_words(StatusCode::NOT_FOUND, &text.refund.nothing, Some(back));
    };
    let title = (text.refund.title)(payment_id.as_str());
    let typed = request.address.parameter("amount").map(str::to_owned);
    let amount = typed
        .as_deref()
        .map(|typed| read_amount(typed, subject.left));
    let step = match amount {
        Some(Ok(amount)) => confirm(&request, &core, &subject, amount),
        Some(Err(fault)) => choose(&request, &subject, typed, Some(fault)),
        None => choose(&request, &subject, None, None),
    };
    let back = request.address.link(&order_path(&payment_id, None), &[]);
    let content = view! {
        <nav class="office-back"><a href=back>"← "{text.refund.back}</a></nav>
        {step}
    };
    frame.counted(&core).await.around(title, content.into_any())
}

/// The money that may go back.
struct Subject {
    payment_id: PaymentId,
    portone: Portone,
    transaction: Transaction,
    /// What is left of it, as far as this server knows; above 0.
    left: Money,
}

impl Subject {
    fn find(address: &Address, snapshot: Snapshot) -> Option<Self> {
        let asked = TransactionId::parse(address.parameter("transaction_id")?).ok()?;
        let transaction = snapshot
            .transactions
            .into_iter()
            .find(|one| one.transaction_id == asked && is_refundable(one))?;
        let currency = Currency::parse(transaction.currency.as_deref()?).ok()?;
        let left = transaction.amount_minor? - transaction.cancelled_minor;
        Some(Self {
            payment_id: snapshot.order.payment_id,
            portone: snapshot.order.portone,
            left: Money::new(left, currency)
                .ok()
                .filter(|left| left.minor > 0)?,
            transaction,
        })
    }

    /// This page, with an amount in the major unit.
    fn link(&self, address: &Address, amount: Option<&str>) -> String {
        let transaction = ("transaction_id", self.transaction.transaction_id.as_str());
        let amount = amount.map(|amount| ("amount", amount));
        let parameters: Vec<_> = std::iter::once(transaction).chain(amount).collect();
        address.link(&order_path(&self.payment_id, Some("refund")), &parameters)
    }
}

/// Reads an amount as a person types it.
fn read_amount(typed: &str, left: Money) -> Result<Money, RefundFault> {
    match Money::typed(typed, left.currency) {
        Ok(amount) if amount.minor > left.minor => Err(RefundFault::TooMuch),
        Ok(amount) if amount.minor > 0 => Ok(amount),
        Ok(_) | Err(_) => Err(RefundFault::NoAmount),
    }
}

fn choose(
    request: &Request,
    subject: &Subject,
    typed: Option<String>,
    fault: Option<RefundFault>,
) -> AnyView {
    let text = request.text();
    let left = money(request.locale, subject.left);
    let whole = subject.link(&request.address, Some(&subject.left.to_major().to_string()));
    let action = order_path(&subject.payment_id, Some("refund"));
    let language = request
        .address
        .asked()
        .map(|tag| view! { <input type="hidden" name="lang" value=tag /> });
    view! {
        <section class="office-section">
            <h1 class="office-title">{(text.refund.title)(subject.payment_id.as_str())}</h1>
            {what(text, request.locale, subject)}
            <form class="office-settle" method="get" action=action>
                <input type="hidden" name="transaction_id" value=subject.transaction.transaction_id.to_string() />
                {language}
                <div class="office-field">
                    <label for="amount">{(text.refund.amount)(subject.left.currency.code())}</label>
                    <input id="amount" name="amount" type="text" inputmode="decimal" autocomplete="off" required=true value=typed
                        aria-describedby="amount-hint amount-fault" aria-invalid=fault.map(|_| "true") />
                    <p class="office-hint" id="amount-hint">{(text.refund.amount_hint)(&left)}</p>
                    {fault_words("amount-fault", text, fault)}
                </div>
                <button class="button button-primary" type="submit">{text.refund.next}</button>
            </form>
            <p><a class="button" href=whole>{(text.refund.whole)(&left)}</a></p>
        </section>
    }
    .into_any()
}

fn confirm(request: &Request, core: &Core, subject: &Subject, amount: Money) -> AnyView {
    let text = request.text();
    let shown = money(request.locale, amount);
    let left = Money {
        minor: subject.left.minor - amount.minor,
        ..subject.left
    };
    let typed = amount.to_major().to_string();
    let fault = request
        .address
        .parameter("error")
        .and_then(RefundFault::from_code);
    // The same form sent twice is the same refund.
    let key = form_key(core);
    let action = request
        .address
        .link(&order_path(&subject.payment_id, Some("refund")), &[]);
    let reason_fault = fault.filter(|fault| *fault == RefundFault::NoReason);
    let other_fault = fault
        .filter(|fault| *fault != RefundFault::NoReason)
        .map(|fault| view! { <p class="office-notice" role="alert" data-kind="error">{(text.refund.fault)(fault)}</p> });
    let account = needs_account(&subject.transaction).then(|| account(request, subject.portone));
    view! {
        <section class="office-section">
            <h1 class="office-title">{(text.refund.confirm_title)(&shown)}</h1>
            {other_fault}
            {what(text, request.locale, subject)}
            <dl class="office-facts">
                {fact(text.refund.going_back, view! { <strong>{shown.clone()}</strong> })}
                {fact(text.refund.left_after, money(request.locale, left))}
            </dl>
            <form class="office-settle" method="post" action=action>
                <input type="hidden" name="transaction_id" value=subject.transaction.transaction_id.to_string() />
                <input type="hidden" name="amount" value=typed />
                <input type="hidden" name="key" value=key />
                <div class="office-field">
                    <label for="reason">{text.refund.reason}</label>
                    <input id="reason" name="reason" type="text" maxlength=REASON_CHARS_MAX.to_string() required=true autocomplete="off"
                        aria-describedby="reason-hint reason-fault" aria-invalid=reason_fault.map(|_| "true") />
                    <p class="office-hint" id="reason-hint">{text.refund.reason_hint}</p>
                    {fault_words("reason-fault", text, reason_fault)}
                </div>
                {account}
                <p>{text.refund.confirm_note}</p>
                <button class="button" data-kind="danger" type="submit">{(text.refund.submit)(&shown)}</button>
            </form>
            <p><a href=subject.link(&request.address, None)>{text.refund.change}</a></p>
        </section>
    }
    .into_any()
}

/// What is wrong with a field, beside it. The paragraph is there in any case: fields point at it.
fn fault_words(name: &'static str, text: &'static Text, fault: Option<RefundFault>) -> AnyView {
    view! { <p class="office-warning" id=name>{fault.map(|fault| (text.refund.fault)(fault))}</p> }
        .into_any()
}

fn what(text: &'static Text, locale: Locale, subject: &Subject) -> AnyView {
    let one = &subject.transaction;
    let paid = stored_money(locale, one.amount_minor, one.currency.as_deref());
    let returned = (one.cancelled_minor > 0)
        .then(|| stored_money(locale, Some(one.cancelled_minor), one.currency.as_deref()))
        .flatten();
    view! {
        <dl class="office-facts">
            {fact(text.order.transaction_id, id(one.transaction_id.as_str()))}
            {fact(text.order.paid_amount, paid)}
            {fact_if_known(text.order.cancelled_amount, returned)}
            {fact(text.refund.left, money(locale, subject.left))}
        </dl>
    }
    .into_any()
}

/// Where the money goes that came by a deposit.
fn account(request: &Request, portone: Portone) -> AnyView {
    let text = request.text();
    let locale = request.locale;
    let bank = match portone {
        Portone::V1 => view! {
            <input id="bank" name="bank" type="text" required=true maxlength=ACCOUNT_CHARS_MAX.to_string() autocomplete="off" aria-describedby="bank-hint" />
            <p class="office-hint" id="bank-hint">{text.refund.bank_code_hint}</p>
        }
        .into_any(),
        Portone::V2 => {
            let banks = BANKS
                .iter()
                .map(|code| view! { <option value=*code>{institution(locale, code)}</option> })
                .collect_view();
            view! {
                <select id="bank" name="bank" required=true>
                    <option value="">{text.refund.choose_bank}</option>
                    {banks}
                </select>
            }
            .into_any()
        }
    };
    let field = |name: &'static str, label: &'static str, required: bool, kind: &'static str| {
        view! {
            <div class="office-field">
                <label for=name>{label}</label>
                <input id=name name=name type=kind required=required maxlength=ACCOUNT_CHARS_MAX.to_string() autocomplete="off" />
            </div>
        }
    };
    view! {
        <fieldset class="office-group">
            <legend>{text.refund.account}</legend>
            <p class="office-hint">{text.refund.account_hint}</p>
            <div class="office-field"><label for="bank">{text.refund.bank}</label>{bank}</div>
            {field("number", text.refund.number, true, "text")}
            {field("holder", text.refund.holder, true, "text")}
            {field("tel", text.refund.tel, false, "tel")}
        </fieldset>
    }
    .into_any()
}

/// The way to give a transaction's money back, when it holds any.
pub(super) fn refund_link(
    request: &Request,
    payment_id: &PaymentId,
    transaction: &Transaction,
) -> Option<AnyView> {
    is_refundable(transaction)
        .then(|| refund_way(request, payment_id, &transaction.transaction_id))
        .flatten()
}

/// The same for one that is known to hold some.
pub(super) fn refund_way(
    request: &Request,
    payment_id: &PaymentId,
    transaction_id: &TransactionId,
) -> Option<AnyView> {
    let href = request.address.link(
        &order_path(payment_id, Some("refund")),
        &[("transaction_id", transaction_id.as_str())],
    );
    request.may(Deed::Refund).then(|| {
        view! { <p><a class="button" href=href>{request.text().refund.start}</a></p> }.into_any()
    })
}

/// The refunds of an order, the newest first.
pub(super) fn refunds_section(request: &Request, refunds: Vec<Refund>) -> Option<AnyView> {
    let (text, locale) = (request.text(), request.locale);
    if refunds.is_empty() {
        return None;
    }
    let columns = [
        text.order.time,
        text.order.amount,
        text.order.result,
        text.refund.reason,
        text.attention.who,
    ];
    let rows = refunds.into_iter().rev().map(|refund| {
        let trouble = refund.trouble.map(|trouble| {
            let words = (text.history.trouble)(&trouble.code);
            let told = trouble.message.unwrap_or(trouble.code);
            match words {
                Some(words) => words.into_any(),
                None => foreign(&told),
            }
        });
        view! {
            <tr data-refund=refund.state.as_str()>
                <td>{time(refund.created_at)}</td>
                <td>{money(locale, refund.amount.money())}</td>
                <td>{(text.refund.state)(refund.state)}" "{trouble}</td>
                <td>{foreign(&refund.reason)}</td>
                <td><bdi>{(text.who)(Who::read(&refund.requested_by))}</bdi></td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    Some(
        view! {
            <section class="office-section">
                <h2>{text.refund.heading}</h2>
                {table(text.refund.heading, &columns, rows)}
            </section>
        }
        .into_any(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_above_nothing_and_no_more_than_is_left() {
        let left = Money::new(64_900, Currency::KRW).expect("an amount");
        for (typed, minor) in [
            ("1", Ok(1)),
            ("64,900", Ok(64_900)),
            ("64901", Err(RefundFault::TooMuch)),
            ("0", Err(RefundFault::NoAmount)),
            ("1e3", Err(RefundFault::NoAmount)),
        ] {
            let read = read_amount(typed, left).map(|amount| amount.minor);
            assert_eq!(read, minor, "{typed}");
        }
    }
}
