//! `GET /orders/{payment_id}`: one order, what came of it, and the whole record of why.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::address::order_path;
use super::parts::{
    fact, fact_if_known, fault, foreign, form_key, id, method, status_chip, table, time, written,
    written_down,
};
use super::refund::refunds_section;
use super::text::{Notice, Text, Who};
use super::timeline::{Happened, timeline, together};
use super::transactions::transactions;
use super::webhooks::WEBHOOKS_PATH;
use super::{Opened, Request, page_for};
use crate::domain::access::Deed;
use crate::domain::ids::PaymentId;
use crate::domain::money::Money;
use crate::domain::note::NOTE_CHARS_MAX;
use crate::domain::order::{Order, OrderStatus, Portone};
use crate::domain::outcome::{Outcome, outcome_of};
use crate::domain::refund::Refund;
use crate::domain::transaction::{Transaction, TransactionStatus, Verdict};
use crate::i18n::{Locale, money};
use crate::ports::deliveries::DeliveryFilter;
use crate::ports::notes::KeptNote;
use crate::ports::store::{OutboxEvent, Snapshot, StoreError};
use crate::service::Core;
use crate::ui::context::{GivenBack, from_request};

/// Events on the page.
const EVENTS_SHOWN_MAX: usize = 100;
/// Deliveries of the order's events that are told of among what happened, the newest.
const DELIVERIES_SHOWN_MAX: u32 = 100;
/// The same of what was settled.
const SETTLED_SHOWN_MAX: u32 = 100;

/// A note as it was typed.
#[derive(Debug, Clone)]
pub struct NoteTyped {
    /// It.
    pub note: String,
}

/// One order.
#[component]
pub fn OrderPage() -> impl IntoView {
    let asked = use_params_map()
        .with_untracked(|params| params.get("payment_id"))
        .unwrap_or_default();
    let back = from_request::<GivenBack<NoteTyped>>();
    page_for(Deed::Look, move |opened| page(opened, asked, back))
}

async fn page(
    Opened {
        request,
        frame,
        core,
        ..
    }: Opened,
    asked: String,
    back: Option<GivenBack<NoteTyped>>,
) -> AnyView {
    let found = match PaymentId::parse(&asked) {
        Ok(payment_id) => load(&core, &payment_id).await,
        Err(_) => Ok(None),
    };
    let text = request.text();
    match found {
        Ok(Some(record)) => {
            let title = (text.order.title)(record.order.payment_id.as_str());
            let frame = frame.counted(&core).await;
            if let Some(back) = &back {
                request.refuse(back.error);
            }
            frame.around(title, content(&request, &core, record, back))
        }
        Ok(None) => frame.no_such_order(),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "an order could not be read for the back office"
            );
            frame.unavailable()
        }
    }
}

/// An order with everything that is remembered of it.
struct Record {
    order: Order,
    transactions: Vec<Transaction>,
    /// Newest first.
    happened: Vec<Happened>,
    /// Newest first.
    notes: Vec<KeptNote>,
    /// Newest first.
    events: Vec<OutboxEvent>,
    refunds: Vec<Refund>,
}

async fn load(core: &Core, payment_id: &PaymentId) -> Result<Option<Record>, StoreError> {
    let Some(Snapshot {
        order,
        transactions,
    }) = core.orders.find_order(payment_id).await?
    else {
        return Ok(None);
    };
    let history = core.orders.history(payment_id).await?;
    let entries = history.into_iter().rev().map(|stored| stored.entry);
    let notes = core.notes.notes(payment_id).await?;
    let settled = core
        .attention
        .list_settled_of(payment_id, SETTLED_SHOWN_MAX)
        .await?;
    let of_order = DeliveryFilter {
        payment_id: Some(payment_id.clone()),
        limit: DELIVERIES_SHOWN_MAX,
        ..DeliveryFilter::default()
    };
    let deliveries = core.deliveries.list_deliveries(&of_order).await?;
    let others = notes.iter().cloned().map(Happened::Note);
    let others = others
        .chain(settled.into_iter().map(Happened::Settled))
        .chain(deliveries.into_iter().map(Happened::Delivery));
    let happened = together(entries.collect(), others.collect());
    let events = core
        .orders
        .outbox(payment_id)
        .await?
        .into_iter()
        .rev()
        .take(EVENTS_SHOWN_MAX)
        .collect();
    let refunds = core.refunds.refunds(payment_id).await?;
    Ok(Some(Record {
        order,
        transactions,
        happened,
        notes,
        events,
        refunds,
    }))
}

fn content(
    request: &Request,
    core: &Core,
    record: Record,
    back: Option<GivenBack<NoteTyped>>,
) -> AnyView {
    let text = request.text();
    let locale = request.locale;
    let Record {
        order,
        transactions: all,
        happened,
        notes,
        events,
        refunds,
    } = record;
    let notes = notes_section(request, core, &order, notes, back);
    view! {
        <nav class="office-back"><a href=request.address.link("/orders", &[])>"← "{text.order.back}</a></nav>
        {notices(request)}
        {summary(text, locale, &order)}
        {attention(text, &all)}
        {unpayable(text, &order)}
        {request.may(Deed::Sync).then(|| actions(request, &order))}
        <div class="office-columns">
            <div class="office-column-main">
                {transactions(request, &order, all.clone())}
                {refunds_section(request, refunds)}
                {notes}
                {timeline(request, happened)}
                {events_section(request, &order, events)}
            </div>
            <div class="office-column-side">
                {buyer_sees(text, core, &order, &all)}
                {buyer(text, &order)}
                {facts(text, locale, order)}
            </div>
        </div>
        <p class="office-note">{text.frame.times}</p>
    }.into_any()
}

/// What the form that led here reported, by code.
pub(super) fn notices(request: &Request) -> AnyView {
    let text = request.text();
    let done = request.address.parameter("done").and_then(Notice::done);
    let error = request.address.parameter("error").and_then(Notice::error);
    let notices = [done, error].into_iter().flatten().map(|notice| {
        let (role, kind) = if notice.is_error() {
            ("alert", "error")
        } else {
            ("status", "done")
        };
        view! { <p class="office-notice" role=role data-kind=kind>{(text.notice)(notice)}</p> }
    });
    notices.collect_view().into_any()
}

fn summary(text: &'static Text, locale: Locale, order: &Order) -> AnyView {
    let amount = money(locale, order.amount);
    let refunded = (order.refunded_minor > 0).then(|| {
        let part = money(
            locale,
            Money {
                minor: order.refunded_minor,
                currency: order.amount.currency,
            },
        );
        view! { <p class="office-refunded">{(text.order.refunded)(&part, &amount)}</p> }
    });
    let kind = if order.status == OrderStatus::Held {
        "attention"
    } else {
        "plain"
    };
    view! {
        <section class="office-summary" data-status=order.status.as_str() data-kind=kind>
            <h1 class="office-title"><bdi>{(text.order.title)(order.payment_id.as_str())}</bdi></h1>
            <p class="office-summary-money"><span class="office-amount">{amount.clone()}</span>" "{status_chip(text, order.status)}</p>
            {refunded}
            <p><bdi>{order.name.clone()}</bdi></p>
            <p class="office-meaning">{(text.status_meaning)(order.status)}</p>
        </section>
    }.into_any()
}

/// Money that nobody has decided about, whatever the order's status says: the order may look paid or closed.
fn attention(text: &'static Text, all: &[Transaction]) -> AnyView {
    let undecided = all.iter().filter(|one| {
        matches!(one.verdict, Verdict::Duplicate | Verdict::Late) && one.holds_money()
    });
    let notices = undecided.map(|one| {
        view! {
            <p class="office-banner" data-kind="attention">
                <strong>{(text.verdict)(one.verdict)}</strong>": "{(text.verdict_meaning)(one.verdict)}" "{id(one.transaction_id.as_str())}
            </p>
        }
    });
    notices.collect_view().into_any()
}

/// What keeps the buyer from paying, which only the shop can mend.
fn unpayable(text: &'static Text, order: &Order) -> Option<AnyView> {
    let lacks_channel = order.portone == Portone::V2 && order.channel_key.is_none();
    (lacks_channel && order.status.is_payable()).then(|| {
        view! { <p class="office-banner" data-kind="attention">{text.order.no_channel_key}</p> }
            .into_any()
    })
}

/// What the shop's people wrote, and where the next one is written. Nothing at all for who may neither read any nor write one.
fn notes_section(
    request: &Request,
    core: &Core,
    order: &Order,
    notes: Vec<KeptNote>,
    back: Option<GivenBack<NoteTyped>>,
) -> Option<AnyView> {
    let text = request.text();
    let may_write = request.may(Deed::Note);
    if notes.is_empty() && !may_write {
        return None;
    }
    let notes = notes.into_iter().map(|KeptNote { at, by, note }| {
        view! {
            <li>
                {written_down(text, note.as_deref())}
                <p class="office-entry-when">{time(at)}" · "<bdi>{(text.who)(Who::read(&by))}</bdi></p>
            </li>
        }
    });
    let notes: Vec<_> = notes.collect();
    let list = (!notes.is_empty()).then(|| view! { <ul class="office-notes">{notes}</ul> });
    let form = may_write.then(|| {
        let action = request.address.link(&order_path(&order.payment_id, Some("note")), &[]);
        let words = back.as_ref().and_then(|back| Notice::error(back.error)).map(text.notice);
        let is_wrong = words.is_some();
        let typed = back.as_ref().map(|back| back.typed.note.as_str());
        view! {
            <form class="office-settle" method="post" action=action>
                <input type="hidden" name="key" value=form_key(core) />
                <div class="office-field">
                    <label for="note">{text.order.note}</label>
                    <textarea id="note" name="note" rows="2" maxlength=NOTE_CHARS_MAX.to_string() required=true
                        autofocus=is_wrong aria-describedby="note-hint note-fault" aria-invalid=is_wrong.then_some("true") inner_html=written(typed)></textarea>
                    <p class="office-hint" id="note-hint">{text.order.note_hint}</p>
                    {fault("note-fault", words.map(str::to_owned))}
                </div>
                <button class="button" type="submit">{text.order.leave_note}</button>
            </form>
        }
    });
    Some(
        view! { <section class="office-section" id="notes"><h2>{text.order.notes}</h2>{list}{form}</section> }
            .into_any(),
    )
}

fn buyer_sees(text: &'static Text, core: &Core, order: &Order, all: &[Transaction]) -> AnyView {
    // As if PortOne confirmed what is stored: the page itself asks again when it is opened.
    let (outcome, spoken_of) = outcome_of(order, all, None, true, core.clock.now());
    let in_review = spoken_of.is_some_and(|one| one.status == TransactionStatus::PayPending);
    let seen = match (outcome, order.status) {
        (Outcome::Pending, _) if in_review => (text.outcome)(outcome),
        (Outcome::Pending, OrderStatus::Expired) => text.order.seen_expired,
        (Outcome::Pending, OrderStatus::Closed) => text.order.seen_closed,
        (outcome, _) => (text.outcome)(outcome),
    };
    let pay_page = order.status.is_payable().then(
        || view! { <li><a href=core.pay_url(&order.payment_id)>{text.order.pay_page}</a></li> },
    );
    view! {
        <section class="office-section">
            <h2>{text.order.buyer_sees}</h2>
            <p>{seen}</p>
            <ul class="office-links">
                <li><a href=core.status_url(&order.status_token)>{text.order.status_page}</a></li>
                {pay_page}
            </ul>
            <p class="office-hint">{text.order.personal_link}</p>
        </section>
    }
    .into_any()
}

fn buyer(text: &'static Text, order: &Order) -> AnyView {
    let known = [
        (text.order.buyer_name, &order.buyer.name),
        (text.order.buyer_email, &order.buyer.email),
        (text.order.buyer_tel, &order.buyer.tel),
    ];
    let rows: Vec<_> = known
        .into_iter()
        .filter_map(|(label, value)| Some(fact(label, foreign(value.as_deref()?))))
        .collect();
    let body = if rows.is_empty() {
        view! { <p class="office-note">{text.order.none}</p> }.into_any()
    } else {
        view! {
            <dl class="office-facts">{rows}</dl>
            <p class="office-hint">{text.order.buyer_note}</p>
        }
        .into_any()
    };
    view! { <section class="office-section"><h2>{text.order.buyer}</h2>{body}</section> }.into_any()
}

fn facts(text: &'static Text, locale: Locale, order: Order) -> AnyView {
    let next_check = match order.next_check_at {
        Some(at) => time(at),
        None => text.order.no_next_check.into_any(),
    };
    let prepared = match order.prepared_at {
        Some(at) => time(at),
        None => text.order.not_prepared.into_any(),
    };
    let checked = match order.checked_at {
        Some(at) => time(at),
        None => text.list.never_checked.into_any(),
    };
    let expires = match order.expires_at {
        Some(at) => time(at),
        None => text.order.none.into_any(),
    };
    let object = |text: String| {
        view! { <pre class="office-metadata" tabindex="0"><bdi>{text}</bdi></pre> }
    };
    let metadata = order.metadata.map(object);
    let window_params = order.window_params.map(|params| object(params.to_text()));
    view! {
        <section class="office-section">
            <h2>{text.order.facts}</h2>
            <dl class="office-facts">
                {fact(text.order.payment_id, id(order.payment_id.as_str()))}
                {fact_if_known(text.order.transaction_id, order.accepted_transaction_id.map(|accepted| id(accepted.as_str())))}
                {fact(text.order.name, foreign(&order.name))}
                {fact(text.order.amount, money(locale, order.amount))}
                {fact(text.order.portone, order.portone.as_str().to_uppercase())}
                {fact_if_known(text.order.asked_method, order.pay_method.as_deref().map(|word| method(locale, word)))}
                {fact_if_known(text.order.channel_key, order.channel_key.as_deref().map(id))}
                {fact(text.order.prepared, prepared)}
                {fact(text.order.created, time(order.created_at))}
                {fact(text.order.updated, time(order.updated_at))}
                {fact(text.order.checked, checked)}
                {fact(text.order.next_check, next_check)}
                {fact(text.order.expires, expires)}
                {fact_if_known(text.order.expired, order.expired_at.map(time))}
                {fact_if_known(text.order.closed, order.closed_at.map(time))}
                {fact_if_known(text.order.return_url, order.return_url.as_deref().map(foreign))}
                {fact_if_known(text.order.locale, order.locale.as_deref().map(foreign))}
                {fact_if_known(text.order.window_params, window_params)}
                {fact_if_known(text.order.metadata, metadata)}
            </dl>
        </section>
    }.into_any()
}

fn actions(request: &Request, order: &Order) -> Option<AnyView> {
    let text = request.text();
    let sync = request
        .address
        .link(&order_path(&order.payment_id, Some("sync")), &[]);
    let may_close = request.may(Deed::Close) && order.status.is_payable();
    let close = may_close.then(|| {
        let action = request.address.link(&order_path(&order.payment_id, Some("close")), &[]);
        // Opened on purpose before it can be pressed: closing cannot be undone, and no script asks "are you sure".
        view! {
            <details class="office-careful">
                <summary>{text.order.close}</summary>
                <p>{text.order.close_note}</p>
                <form method="post" action=action>
                    <button class="button" data-kind="danger" type="submit">{text.order.close_confirm}</button>
                </form>
            </details>
        }
    });
    // All of its money is back: PortOne has nothing more to say of it, and what else is paid under its number comes by itself.
    let sync = (order.status != OrderStatus::Refunded).then(|| {
        view! {
            <form method="post" action=sync>
                <button class="button button-primary" type="submit" aria-describedby="sync-note">{text.order.sync}</button>
                <p class="office-hint" id="sync-note">{text.order.sync_note}</p>
            </form>
        }
    });
    (sync.is_some() || close.is_some()).then(|| {
        view! {
            <section class="office-section office-actions">
                <h2>{text.order.actions}</h2>
                {sync}
                {close}
            </section>
        }
        .into_any()
    })
}

fn events_section(request: &Request, order: &Order, events: Vec<OutboxEvent>) -> AnyView {
    let text = request.text();
    let body = if events.is_empty() {
        view! { <p class="office-note">{text.order.no_events}</p> }.into_any()
    } else {
        let columns = [
            text.order.time,
            text.order.event,
            text.order.status_after,
            text.order.event_id,
        ];
        let rows = events.into_iter().map(|OutboxEvent { event, .. }| {
            view! {
                <tr>
                    <td>{time(event.at)}</td>
                    <td>{(text.event)(event.event_type)}" "<code>{event.event_type.as_str()}</code></td>
                    <td>{(text.status)(event.status)}</td>
                    <td>{id(&event.id)}</td>
                </tr>
            }
        });
        let rows = rows.collect_view().into_any();
        let deliveries = request
            .address
            .link(WEBHOOKS_PATH, &[("payment_id", order.payment_id.as_str())]);
        view! {
            <p class="office-hint">{text.order.events_note}</p>
            {table(text.order.events, &columns, rows)}
            <p><a href=deliveries>{text.order.deliveries}</a></p>
        }
        .into_any()
    };
    view! { <section class="office-section"><h2>{text.order.events}</h2>{body}</section> }
        .into_any()
}
