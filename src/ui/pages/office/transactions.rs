//! Every attempt to pay an order, with the verdict on it and why.

use leptos::prelude::*;

use super::Request;
use super::checks::checks_table;
use super::parts::{fact, fact_if_known, foreign, id, method, stored_money, time};
use super::refund::refund_link;
use super::text::Text;
use crate::domain::ids::PaymentId;
use crate::domain::order::Order;
use crate::domain::transaction::{Transaction, VirtualAccount};
use crate::i18n::{Locale, institution};

pub(super) fn transactions(request: &Request, order: &Order, all: Vec<Transaction>) -> AnyView {
    let text = request.text();
    let body = if all.is_empty() {
        view! { <p class="office-note">{text.order.no_transactions}</p> }.into_any()
    } else {
        let accepted = order.accepted_transaction_id.clone();
        // The newest attempt first: it is the one that somebody calls about.
        let cards = all.into_iter().rev().map(|one| {
            let is_accepted = accepted.as_ref() == Some(&one.transaction_id);
            card(request, &order.payment_id, one, is_accepted)
        });
        cards.collect_view().into_any()
    };
    view! { <section class="office-section"><h2>{text.order.transactions}</h2>{body}</section> }
        .into_any()
}

fn card(request: &Request, payment_id: &PaymentId, one: Transaction, is_accepted: bool) -> AnyView {
    let (text, locale) = (request.text(), request.locale);
    let refund = refund_link(request, payment_id, &one);
    let paid = stored_money(locale, one.amount_minor, one.currency.as_deref());
    let cancelled = (one.cancelled_minor > 0)
        .then(|| stored_money(locale, Some(one.cancelled_minor), one.currency.as_deref()))
        .flatten();
    let channel = match one.test {
        Some(true) => text.order.test,
        Some(false) => text.order.live,
        None => text.order.not_told,
    };
    let accepted = is_accepted
        .then(|| view! { " "<span class="office-accepted">{text.order.accepted_one}</span> });
    let caption = format!("{}: {}", text.order.why, one.transaction_id);
    view! {
        <article class="office-transaction" data-verdict=one.verdict.as_str()>
            <h3>{id(one.transaction_id.as_str())}</h3>
            <p class="office-verdict"><span class="office-chip" data-verdict=one.verdict.as_str()>{(text.verdict)(one.verdict)}</span>{accepted}</p>
            <p>{(text.verdict_meaning)(one.verdict)}</p>
            <dl class="office-facts">
                {fact(text.order.portone_status, view! { {(text.transaction_status)(one.status)}" "<code>{one.status.as_str()}</code> })}
                {fact(text.order.paid_amount, paid.unwrap_or_else(|| text.order.not_told.to_owned()))}
                {fact_if_known(text.order.cancelled_amount, cancelled)}
                {fact_if_known(text.order.fail_reason, one.fail_reason.as_deref().map(foreign))}
                {fact_if_known(text.order.account, one.virtual_account.as_ref().map(|one| account(locale, one)))}
                {fact_if_known(text.order.account_deadline, one.virtual_account.as_ref().and_then(|account| account.expires_at).map(time))}
                {fact_if_known(text.order.method, one.pay_method.as_deref().map(|word| method(locale, word)))}
                {fact_if_known(text.order.method_name, one.method_name.as_deref().map(|name| foreign(institution(locale, name))))}
                {fact_if_known(text.order.approval_number, one.approval_number.as_deref().map(id))}
                {fact_if_known(text.order.gateway, one.pg_provider.as_deref().map(foreign))}
                {fact(text.order.channel, channel)}
                {fact_if_known(text.order.paid_at, one.paid_at.map(time))}
                {fact(text.order.first_seen, time(one.first_seen_at))}
                {fact(text.order.checked, time(one.checked_at))}
            </dl>
            {receipt(text, one.receipt_url)}
            {refund}
            {checks_table(text, &one.checks, caption)}
        </article>
    }.into_any()
}

fn account(locale: Locale, account: &VirtualAccount) -> AnyView {
    let VirtualAccount {
        bank,
        account_number,
        holder,
        ..
    } = account;
    let holder = holder
        .as_deref()
        .map(|holder| view! { " "{foreign(holder)} });
    view! { {foreign(institution(locale, bank))}" "{id(account_number)}{holder} }.into_any()
}

/// The gateway's address, if it is one that a browser may be sent to: never `javascript:` and the like.
fn receipt(text: &'static Text, url: Option<String>) -> Option<AnyView> {
    let url = url.filter(|url| is_web_address(url))?;
    Some(view! { <p><a href=url rel="noreferrer noopener" target="_blank">{text.order.receipt}</a></p> }.into_any())
}

fn is_web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_become_links() {
        assert!(is_web_address("https://iniweb.inicis.com/receipt?noTid=1"));
        for text in [
            "javascript:alert(1)",
            " JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "//evil.example",
            "/logout",
            "",
        ] {
            assert!(!is_web_address(text), "{text:?} was taken");
        }
    }
}
