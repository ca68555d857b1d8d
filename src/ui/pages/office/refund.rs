//! `GET /orders/{payment_id}/refund`: giving money back, in two looks. The first asks how much; the second names the amount and
//! what will happen, and its form is the one that moves money. The amount may stand in the address, an account may not.

use http::StatusCode;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::address::{Address, order_path};
use super::parts::{
    fact, fact_if_known, fault as fault_beside, foreign, form_key, id, stored_money, table, time,
};
use super::text::{Text, Who};
use super::{Opened, Request, page_for};
use crate::domain::access::Deed;
use crate::domain::bank::refund_banks;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::money::{Currency, InvalidMoney, Money};
use crate::domain::order::Portone;
use crate::domain::refund::{
    ACCOUNT_CHARS_MAX, REASON_CHARS_MAX, Refund, TaxFreeFault, is_account_field, is_refundable,
    may_need_account, needs_account,
};
use crate::domain::transaction::Transaction;
use crate::i18n::{BANKS, Locale, institution, money};
use crate::ports::store::Snapshot;
use crate::service::Core;
use crate::ui::context::from_request;

/// Why a refund was not made as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundFault {
    /// It is no amount above 0.
    NoAmount,
    /// It has more decimals than the currency: than so many.
    TooFine(u32),
    /// It is more than is left; than this, when PortOne has just said so.
    TooMuch(Option<Money>),
    /// So much is left by now, and not what the page had said.
    Changed(Money),
    /// It has to be said why.
    NoReason,
    /// How much of it is free of tax has to be said, or cannot be so much.
    TaxFree(TaxFreeFault),
    /// The tax-free part is no amount of this currency.
    TaxFreeUnread,
    /// The gateway has to be told where the money goes.
    NoAccount,
    /// Another refund of the transaction is on its way.
    UnderWay,
    /// What is left could not be confirmed: PortOne could not be asked, or the order not be read.
    Unasked,
}

impl RefundFault {
    /// With what the form is given back.
    const fn status(self) -> StatusCode {
        match self {
            Self::UnderWay => StatusCode::CONFLICT,
            Self::Unasked => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoAmount
            | Self::TooFine(_)
            | Self::TooMuch(_)
            | Self::Changed(_)
            | Self::NoReason
            | Self::TaxFree(_)
            | Self::TaxFreeUnread
            | Self::NoAccount => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    /// Whether no field is to be mended.
    const fn is_of_the_moment(self) -> bool {
        matches!(self, Self::Changed(_) | Self::UnderWay | Self::Unasked)
    }
}

/// A refund's form that was posted, for the page that gives it back.
#[derive(Clone)]
pub struct RefundTyped {
    /// In the major unit.
    pub amount: String,
    /// Why.
    pub reason: String,
    /// How much of the amount is free of tax, in the major unit.
    pub tax_free: String,
    /// The account's bank.
    pub bank: String,
    /// Its number.
    pub number: String,
    /// Whose it is.
    pub holder: String,
    /// The holder's telephone number.
    pub tel: String,
    /// What is wrong; nothing when another amount is to be looked at.
    pub fault: Option<RefundFault>,
}

impl RefundTyped {
    /// What PortOne has just said is left.
    const fn left(&self) -> Option<Money> {
        match self.fault {
            Some(RefundFault::TooMuch(left)) => left,
            Some(RefundFault::Changed(left)) => Some(left),
            Some(
                RefundFault::NoAmount
                | RefundFault::TooFine(_)
                | RefundFault::NoReason
                | RefundFault::TaxFree(_)
                | RefundFault::TaxFreeUnread
                | RefundFault::NoAccount
                | RefundFault::UnderWay
                | RefundFault::Unasked,
            )
            | None => None,
        }
    }
}

/// One refund, before it is made.
#[component]
pub fn RefundPage() -> impl IntoView {
    let asked = use_params_map()
        .with_untracked(|params| params.get("payment_id"))
        .unwrap_or_default();
    let typed = from_request::<RefundTyped>();
    page_for(Deed::Refund, move |opened| page(opened, asked, typed))
}

async fn page(
    Opened {
        request,
        frame,
        core,
        ..
    }: Opened,
    asked: String,
    posted: Option<RefundTyped>,
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
    let Some(mut subject) = Subject::find(&request.address, snapshot) else {
        let back = request.address.link(&order_path(&payment_id, None), &[]);
        let back = (back, text.refund.back);
        return frame.around_words(StatusCode::NOT_FOUND, &text.refund.nothing, Some(back));
    };
    let title = (text.refund.title)(payment_id.as_str());
    if let Some(left) = posted.as_ref().and_then(RefundTyped::left)
        && left.currency == subject.left.currency
    {
        subject.left = left;
    }
    let typed = match &posted {
        Some(posted) => Some(posted.amount.as_str()),
        None => request.address.parameter("amount"),
    };
    let amount = typed.map(|typed| read_amount_of(typed, subject.left));
    if let Some(posted) = &posted {
        let unread = amount.and_then(Result::err);
        if let Some(fault) = posted.fault.or(unread) {
            request.respond(fault.status());
        }
    }
    let step = match amount {
        Some(Ok(amount)) => confirm(&request, &core, &subject, amount, posted.as_ref()),
        Some(Err(fault)) => choose(&request, &subject, typed, Some(fault), posted.as_ref()),
        None => choose(&request, &subject, None, None, None),
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

/// Reads an amount to give back as a person types it.
///
/// # Errors
/// [`RefundFault::NoAmount`], [`RefundFault::TooFine`], or [`RefundFault::TooMuch`] of what no payment can have been.
pub fn read_amount(typed: &str, currency: Currency) -> Result<Money, RefundFault> {
    match Money::typed(typed, currency) {
        Ok(amount) if amount.minor > 0 => Ok(amount),
        // What is typed has no sign.
        Err(InvalidMoney::Range) => Err(RefundFault::TooMuch(None)),
        Err(InvalidMoney::Fraction) => Err(RefundFault::TooFine(currency.exponent())),
        Ok(_) | Err(InvalidMoney::Unreadable | InvalidMoney::Currency) => {
            Err(RefundFault::NoAmount)
        }
    }
}

/// Reads an amount of which so much is left.
fn read_amount_of(typed: &str, left: Money) -> Result<Money, RefundFault> {
    let amount = read_amount(typed, left.currency)?;
    if amount.minor > left.minor {
        return Err(RefundFault::TooMuch(None));
    }
    Ok(amount)
}

fn choose(
    request: &Request,
    subject: &Subject,
    typed: Option<&str>,
    fault: Option<RefundFault>,
    posted: Option<&RefundTyped>,
) -> AnyView {
    let text = request.text();
    let left = money(request.locale, subject.left);
    let path = order_path(&subject.payment_id, Some("refund"));
    // What was typed beside the amount goes on by a form that is posted: neither a reason nor an account stands in an address.
    let (method, action, carried, whole) = match posted {
        Some(posted) => (
            "post",
            request.address.link(&path, &[]),
            Some(carried(posted)),
            None,
        ),
        None => {
            let whole = subject.link(&request.address, Some(&subject.left.to_major().to_string()));
            let whole =
                view! { <p><a class="button" href=whole>{(text.refund.whole)(&left)}</a></p> };
            ("get", path, None, Some(whole))
        }
    };
    let language = request
        .address
        .asked()
        .filter(|_| posted.is_none())
        .map(|tag| view! { <input type="hidden" name="lang" value=tag /> });
    let alert = posted.and_then(|posted| alert(request, posted, subject.left));
    view! {
        <section class="office-section">
            <h1 class="office-title">{(text.refund.title)(subject.payment_id.as_str())}</h1>
            {alert}
            {what(text, request.locale, subject)}
            <form class="office-settle" method=method action=action>
                <input type="hidden" name="transaction_id" value=subject.transaction.transaction_id.to_string() />
                {language}
                {carried}
                <div class="office-field">
                    <label for="amount">{(text.refund.amount)(subject.left.currency.code())}</label>
                    <input id="amount" name="amount" type="text" inputmode="decimal" autocomplete="off" required=true value=typed.map(str::to_owned)
                        autofocus=fault.is_some() aria-describedby="amount-hint amount-fault" aria-invalid=fault.map(|_| "true") />
                    <p class="office-hint" id="amount-hint">{(text.refund.amount_hint)(&left)}</p>
                    {fault_words("amount-fault", request, subject, fault)}
                </div>
                <button class="button button-primary" type="submit">{text.refund.next}</button>
            </form>
            {whole}
        </section>
    }
    .into_any()
}

/// What was typed beside the amount, on its way to the next look.
fn carried(posted: &RefundTyped) -> AnyView {
    let fields = [
        ("look", "1"),
        ("reason", &posted.reason),
        ("tax_free", &posted.tax_free),
        ("bank", &posted.bank),
        ("number", &posted.number),
        ("holder", &posted.holder),
        ("tel", &posted.tel),
    ];
    let fields = fields.into_iter().map(|(name, value)| {
        let value = value.to_owned();
        view! { <input type="hidden" name=name value=value /> }
    });
    fields.collect_view().into_any()
}

/// Says what came between the form and the refund.
fn alert(request: &Request, posted: &RefundTyped, left: Money) -> Option<AnyView> {
    let fault = posted.fault.filter(|fault| fault.is_of_the_moment())?;
    let words = (request.text().refund.fault)(fault, &money(request.locale, left));
    Some(
        view! { <p class="office-notice" role="alert" data-kind="error" tabindex="-1" autofocus=true>{words}</p> }
            .into_any(),
    )
}

fn confirm(
    request: &Request,
    core: &Core,
    subject: &Subject,
    amount: Money,
    posted: Option<&RefundTyped>,
) -> AnyView {
    let text = request.text();
    let shown = money(request.locale, amount);
    let left = Money {
        minor: subject.left.minor - amount.minor,
        ..subject.left
    };
    let typed = amount.to_major().to_string();
    let fault = posted.and_then(|posted| posted.fault);
    // The same form sent twice is the same refund.
    let key = form_key(core);
    let action = request
        .address
        .link(&order_path(&subject.payment_id, Some("refund")), &[]);
    let reason_fault = fault.filter(|fault| *fault == RefundFault::NoReason);
    let alert = posted.and_then(|posted| alert(request, posted, subject.left));
    let too_much = fault
        .filter(|fault| matches!(fault, RefundFault::TooMuch(_)))
        .map(|fault| view! { <p class="office-notice" role="alert" data-kind="error">{(text.refund.fault)(fault, &money(request.locale, subject.left))}</p> });
    let reason = posted.map(|posted| posted.reason.clone());
    let tax_free_fault =
        fault.filter(|fault| matches!(fault, RefundFault::TaxFree(_) | RefundFault::TaxFreeUnread));
    let tax_free = posted.map(|posted| posted.tax_free.clone());
    let account = match needs_account(&subject.transaction) {
        true => Some(account(request, subject, posted, true)),
        false if may_need_account(&subject.transaction) => {
            Some(account(request, subject, posted, false))
        }
        false => None,
    };
    view! {
        <section class="office-section">
            <h1 class="office-title">{(text.refund.confirm_title)(&shown)}</h1>
            {alert}
            {too_much}
            {what(text, request.locale, subject)}
            <dl class="office-facts">
                {fact(text.refund.going_back, view! { <strong>{shown.clone()}</strong> })}
                {fact(text.refund.left_after, money(request.locale, left))}
            </dl>
            <form class="office-settle" method="post" action=action>
                <input type="hidden" name="transaction_id" value=subject.transaction.transaction_id.to_string() />
                <input type="hidden" name="amount" value=typed />
                <input type="hidden" name="left" value=subject.left.minor.to_string() />
                <input type="hidden" name="key" value=key />
                <div class="office-field">
                    <label for="reason">{text.refund.reason}</label>
                    <input id="reason" name="reason" type="text" maxlength=REASON_CHARS_MAX.to_string() required=true autocomplete="off" value=reason
                        autofocus=reason_fault.is_some() aria-describedby="reason-hint reason-fault" aria-invalid=reason_fault.map(|_| "true") />
                    <p class="office-hint" id="reason-hint">{text.refund.reason_hint}</p>
                    {fault_words("reason-fault", request, subject, reason_fault)}
                </div>
                <div class="office-field">
                    <label for="tax_free">{(text.refund.tax_free)(subject.left.currency.code())}</label>
                    <input id="tax_free" name="tax_free" type="text" inputmode="decimal" autocomplete="off" value=tax_free
                        autofocus=tax_free_fault.is_some() aria-describedby="tax-free-hint tax-free-fault" aria-invalid=tax_free_fault.map(|_| "true") />
                    <p class="office-hint" id="tax-free-hint">{text.refund.tax_free_hint}</p>
                    {fault_words("tax-free-fault", request, subject, tax_free_fault)}
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
fn fault_words(
    name: &'static str,
    request: &Request,
    subject: &Subject,
    fault: Option<RefundFault>,
) -> AnyView {
    let left = money(request.locale, subject.left);
    let words = fault.map(|fault| (request.text().refund.fault)(fault, &left));
    fault_beside(name, words)
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

/// Where the money goes that came by a deposit, and, where it is not `needed`, what some gateways ask for.
fn account(
    request: &Request,
    subject: &Subject,
    posted: Option<&RefundTyped>,
    needed: bool,
) -> AnyView {
    let text = request.text();
    let locale = request.locale;
    let fault = posted
        .and_then(|posted| posted.fault)
        .filter(|fault| *fault == RefundFault::NoAccount);
    let typed = |of: fn(&RefundTyped) -> &String| posted.map(of).cloned().unwrap_or_default();
    let is_wrong = |typed: &str, required: bool| {
        fault.is_some() && !(is_account_field(typed) || (!required && typed.trim().is_empty()))
    };
    let typed_bank = typed(|posted| &posted.bank);
    let wrong_bank = is_wrong(&typed_bank, true);
    let mut is_first = true;
    let mut focused = |is_wrong: bool| is_wrong && std::mem::take(&mut is_first);
    let focused_bank = focused(wrong_bank);
    let option = |code: String, name: &'static str, selected: bool| {
        view! { <option value=code selected=selected>{institution(locale, name)}</option> }
    };
    let bank = match subject.portone {
        Portone::V1 => {
            let gateway = subject.transaction.pg_provider.as_deref();
            let known = refund_banks(gateway.unwrap_or_default()).into_iter();
            let known: Vec<_> = known
                .map(|(code, name)| option(code, name, false))
                .collect();
            // A code may be typed that is not among them: the gateways know more banks than PortOne tells.
            view! {
                <input id="bank" name="bank" type="text" required=needed maxlength=ACCOUNT_CHARS_MAX.to_string() autocomplete="off" value=typed_bank list="banks"
                    autofocus=focused_bank aria-describedby="bank-hint account-fault" aria-invalid=wrong_bank.then_some("true") />
                <datalist id="banks">{known}</datalist>
                <p class="office-hint" id="bank-hint">{text.refund.bank_code_hint}</p>
            }
            .into_any()
        }
        Portone::V2 => {
            let banks = BANKS
                .iter()
                .map(|code| option((*code).to_owned(), code, *code == typed_bank));
            let banks = banks.collect_view();
            view! {
                <select id="bank" name="bank" required=needed autofocus=focused_bank aria-describedby="account-fault" aria-invalid=wrong_bank.then_some("true")>
                    <option value="">{text.refund.choose_bank}</option>
                    {banks}
                </select>
            }
            .into_any()
        }
    };
    let mut field = |name: &'static str,
                     label: &'static str,
                     required: bool,
                     kind: &'static str,
                     typed: String| {
        let is_wrong = is_wrong(&typed, required);
        let focused = focused(is_wrong);
        view! {
            <div class="office-field">
                <label for=name>{label}</label>
                <input id=name name=name type=kind required=required maxlength=ACCOUNT_CHARS_MAX.to_string() autocomplete="off" value=typed
                    autofocus=focused aria-describedby="account-fault" aria-invalid=is_wrong.then_some("true") />
            </div>
        }
    };
    let (legend, hint) = match needed {
        true => (text.refund.account, text.refund.account_hint),
        false => (text.refund.account_optional, text.refund.account_offer),
    };
    view! {
        <fieldset class="office-group" aria-describedby="account-hint">
            <legend>{legend}</legend>
            <p class="office-hint" id="account-hint">{hint}</p>
            {fault_words("account-fault", request, subject, fault)}
            <div class="office-field"><label for="bank">{text.refund.bank}</label>{bank}</div>
            {field("number", text.refund.number, needed, "text", typed(|posted| &posted.number))}
            {field("holder", text.refund.holder, needed, "text", typed(|posted| &posted.holder))}
            {field("tel", text.refund.tel, false, "tel", typed(|posted| &posted.tel))}
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
            let code = trouble.code.as_str();
            let words = (text.history.trouble)(code).or_else(|| (text.gateway_error)(code));
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
            ("64901", Err(RefundFault::TooMuch(None))),
            ("9007199254740992", Err(RefundFault::TooMuch(None))),
            ("1000.00", Err(RefundFault::TooFine(0))),
            ("0", Err(RefundFault::NoAmount)),
            ("1e3", Err(RefundFault::NoAmount)),
        ] {
            let read = read_amount_of(typed, left).map(|amount| amount.minor);
            assert_eq!(read, minor, "{typed}");
        }
    }
}
