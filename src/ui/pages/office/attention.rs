//! `GET /attention`: the payments and endpoints that a person has to look at, and what PortOne sent lately.

use jiff::Timestamp;
use leptos::prelude::*;

use super::address::order_path;
use super::order::notices;
use super::parts::{
    button, empty, fact, fact_if_known, fault, foreign, form_fault, id, stored_money, table, time,
    written,
};
use super::refund::refund_way;
use super::text::{Notice, Text, Who, webhooks};
use super::webhooks::WEBHOOKS_PATH;
use super::{Opened, Request, page_for};
use crate::domain::access::Deed;
use crate::domain::attention::{AttentionItem, AttentionKind, Settled};
use crate::domain::delivery::EndpointStatus;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::note::NOTE_CHARS_MAX;
use crate::domain::sweep::Finished;
use crate::ports::attention::{ReceivedWebhook, Seen};
use crate::ports::deliveries::{AilingEndpoint, UNDELIVERED_COUNTED_MAX};
use crate::ports::store::StoreError;
use crate::service::{Core, cursor};
use crate::ui::context::{GivenBack, from_request};

/// Items on one page.
const PAGE_ITEMS_MAX: u32 = 20;
/// Webhooks on the page.
const WEBHOOKS_MAX: u32 = 20;
/// Settled items on the page; every one is kept.
const SETTLED_MAX: u32 = 20;

/// A person's word about a payment, as it was typed.
#[derive(Debug, Clone)]
pub struct SettleTyped {
    /// Why the payment needs attention.
    pub kind: AttentionKind,
    /// Which one it is.
    pub transaction_id: TransactionId,
    /// What was done.
    pub note: String,
}

impl SettleTyped {
    fn is_of(&self, item: &AttentionItem) -> bool {
        self.kind == item.kind && self.transaction_id == item.transaction_id
    }
}

/// What needs attention, latest first.
#[component]
pub fn AttentionPage() -> impl IntoView {
    let back = from_request::<GivenBack<SettleTyped>>();
    page_for(Deed::Look, move |opened| page(opened, back))
}

async fn page(
    Opened {
        request,
        frame,
        core,
        ..
    }: Opened,
    back: Option<GivenBack<SettleTyped>>,
) -> AnyView {
    let after = request
        .address
        .parameter("after")
        .filter(|place| cursor::read_item(place).is_some())
        .map(str::to_owned);
    match load(&core, after.as_deref()).await {
        Ok(found) => {
            let title = request.text().attention.title.to_owned();
            let frame = frame.counted(&core).await;
            if let Some(back) = &back {
                request.refuse(back.error);
            }
            frame.around(
                title,
                content(&request, after.as_deref(), found, back.as_ref()),
            )
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "what needs attention could not be read"
            );
            frame.unavailable()
        }
    }
}

struct Found {
    /// When it was looked.
    at: Timestamp,
    /// On the first page alone.
    endpoints: Vec<AilingEndpoint>,
    items: Vec<AttentionItem>,
    /// Where the next page begins, when there is one.
    next: Option<String>,
    settled: Vec<Settled>,
    received: Vec<ReceivedWebhook>,
    swept: Option<Finished>,
}

async fn load(core: &Core, after: Option<&str>) -> Result<Found, StoreError> {
    let after = after.and_then(cursor::read_item);
    // One more than is shown, to know whether there is a next page.
    let mut items = core
        .attention
        .list_attention(core.clock.now(), after.as_ref(), PAGE_ITEMS_MAX + 1)
        .await?;
    let shown = PAGE_ITEMS_MAX as usize;
    let more = items.len() > shown;
    items.truncate(shown);
    let at = core.clock.now();
    let endpoints = match after {
        None => core.deliveries.ailing_endpoints().await?,
        Some(_) => Vec::new(),
    };
    Ok(Found {
        at,
        endpoints,
        next: items.last().filter(|_| more).map(cursor::after_item),
        items,
        settled: core.attention.list_settled(SETTLED_MAX).await?,
        received: core.attention.list_received(WEBHOOKS_MAX).await?,
        swept: core
            .sweep
            .find_sweep()
            .await?
            .and_then(|sweep| sweep.finished),
    })
}

fn content(
    request: &Request,
    after: Option<&str>,
    found: Found,
    back: Option<&GivenBack<SettleTyped>>,
) -> AnyView {
    let text = request.text();
    let Found {
        at,
        endpoints,
        items,
        next,
        settled,
        received,
        swept,
    } = found;
    let lost = back.filter(|back| !items.iter().any(|item| back.typed.is_of(item)));
    let body = if items.is_empty() && endpoints.is_empty() {
        empty(&text.attention.none)
    } else {
        let endpoints = endpoints.into_iter().map(|one| endpoint(request, one, at));
        let items = items.into_iter().map(|one| {
            let back = back.filter(|back| back.typed.is_of(&one));
            item(request, after, one, back)
        });
        endpoints.chain(items).collect_view().into_any()
    };
    view! {
        <h1 class="office-title">{text.attention.title}</h1>
        {notices(request)}
        {lost.map(|lost| without_item(text, lost))}
        <p>{text.attention.lead}</p>
        {sweep(text, swept)}
        {body}
        {pages(request, after, next)}
        {settled_section(request, settled)}
        {webhooks(text, received)}
        <p class="office-note">{text.frame.times}</p>
    }
    .into_any()
}

/// What was typed about a payment that is not on the page any more: to be copied, if it is worth it.
fn without_item(text: &'static Text, back: &GivenBack<SettleTyped>) -> AnyView {
    let words = Notice::error(back.error).map(text.notice);
    view! {
        {form_fault(words)}
        <p class="office-hint">{text.attention.not_kept}</p>
        <p class="office-written">{foreign(&back.typed.note)}</p>
    }
    .into_any()
}

/// When PortOne's lists were last compared: an empty page says little before they were.
fn sweep(text: &'static Text, swept: Option<Finished>) -> AnyView {
    let Some(Finished { at, seen, left_out }) = swept else {
        return view! { <p class="office-note">{text.attention.never_swept}</p> }.into_any();
    };
    let left_out = left_out.then(|| view! { " "{text.attention.swept_in_part} });
    view! { <p class="office-note">{(text.attention.swept)(seen)}" "{time(at)}{left_out}</p> }
        .into_any()
}

fn endpoint(request: &Request, ailing: AilingEndpoint, at: Timestamp) -> AnyView {
    let AilingEndpoint {
        endpoint_id,
        url,
        status,
        failing_since,
        undelivered,
        undelivered_since,
        waiting,
    } = ailing;
    let office = request.text();
    let text = webhooks::of(request.locale);
    let action = |action: &str| {
        let path = format!("{WEBHOOKS_PATH}/{endpoint_id}/{action}");
        request.address.link(&path, &[])
    };
    let events = |count| match count {
        0 => None,
        UNDELIVERED_COUNTED_MAX.. => Some((text.events_or_more)(count)),
        count => Some((text.events)(count)),
    };
    let count = events(undelivered);
    // Of one that is served as it should be they wait but for their turn.
    let waiting = events(waiting).filter(|_| status != EndpointStatus::Enabled);
    let meaning = (status != EndpointStatus::Enabled).then(|| (text.meaning)(status));
    let again = (count.is_some() && status.is_served() && request.may(Deed::Redeliver))
        .then(|| button(action("redeliver"), text.redeliver_all));
    let dismiss = (count.is_some() && request.may(Deed::Settle)).then(|| {
        view! {
            <details class="office-careful">
                <summary>{office.attention.settle}</summary>
                <p class="office-hint">{text.dismiss_hint}</p>
                <form method="post" action=action("dismiss")>
                    <input type="hidden" name="until" value=at.to_string() />
                    <button class="button" type="submit">{office.attention.settle_confirm}</button>
                </form>
            </details>
        }
    });
    let page = request.address.link(WEBHOOKS_PATH, &[]);
    view! {
        <article class="office-section office-transaction" data-attention="endpoint">
            <h2>{foreign(&url)}</h2>
            <p class="office-verdict"><span class="office-attention">{(text.ailing)(status)}</span></p>
            {meaning.map(|meaning| view! { <p>{meaning}</p> })}
            <p>{(text.to_do)(status)}</p>
            <dl class="office-facts">
                {fact(text.status_head, (text.status)(status))}
                {fact_if_known(text.failing_since, failing_since.map(time))}
                {fact_if_known(text.waiting, waiting)}
                {fact_if_known(text.undelivered, count)}
                {fact_if_known(text.undelivered_since, undelivered_since.map(time))}
            </dl>
            <div class="office-actions">{again}<a class="button" href=page>{text.open}</a></div>
            {dismiss}
        </article>
    }
    .into_any()
}

fn item(
    request: &Request,
    after: Option<&str>,
    item: AttentionItem,
    back: Option<&GivenBack<SettleTyped>>,
) -> AnyView {
    let text = request.text();
    let locale = request.locale;
    let currency = item.currency.as_deref();
    let amount = stored_money(locale, item.amount_minor, currency);
    let cancelled = (item.cancelled_minor > 0)
        .then(|| stored_money(locale, Some(item.cancelled_minor), currency))
        .flatten();
    let order = PaymentId::parse(&item.payment_id)
        .ok()
        .filter(|_| item.kind.has_order())
        .map(|payment_id| {
            let href = request.address.link(&order_path(&payment_id, None), &[]);
            let refund = is_to_give_back(&item)
                .then(|| refund_way(request, &payment_id, &item.transaction_id))
                .flatten();
            view! { <p><a class="button" href=href>{text.attention.open_order}</a></p>{refund} }
        });
    let settle = request
        .may(Deed::Settle)
        .then(|| settle_form(request, after, &item, back));
    view! {
        <article class="office-section office-transaction" data-attention=item.kind.as_str()>
            <h2>{foreign(&item.payment_id)}</h2>
            <p class="office-verdict"><span class="office-attention">{(text.attention.kind)(item.kind)}</span></p>
            <p>{(text.attention.meaning)(item.kind)}</p>
            <p>{(text.attention.to_do)(item.kind)}</p>
            <dl class="office-facts">
                {fact(text.order.paid_amount, amount.unwrap_or_else(|| text.order.not_told.to_owned()))}
                {fact_if_known(text.order.cancelled_amount, cancelled)}
                {fact(text.order.transaction_id, id(item.transaction_id.as_str()))}
                {fact(text.order.portone, item.portone.as_str().to_uppercase())}
                {fact(text.order.first_seen, time(item.first_seen_at))}
                {fact(text.order.checked, time(item.last_seen_at))}
            </dl>
            {order}
            {settle}
        </article>
    }
    .into_any()
}

/// Whether it is money of an order that does not count as its payment, with some of it left.
fn is_to_give_back(item: &AttentionItem) -> bool {
    let kept = match item.kind {
        AttentionKind::Duplicate | AttentionKind::Late | AttentionKind::Held => true,
        AttentionKind::Orphan
        | AttentionKind::Drift
        | AttentionKind::Unclear
        | AttentionKind::RefundInDoubt => false,
    };
    kept && item
        .amount_minor
        .is_none_or(|amount| item.cancelled_minor < amount)
}

/// Opened on purpose before it can be pressed: a word that was given stays.
fn settle_form(
    request: &Request,
    after: Option<&str>,
    item: &AttentionItem,
    back: Option<&GivenBack<SettleTyped>>,
) -> AnyView {
    let text = request.text();
    let (kind, transaction_id) = (item.kind.as_str(), item.transaction_id.to_string());
    let field = format!("note-{kind}-{transaction_id}");
    let [hint, wrong] = ["hint", "fault"].map(|part| format!("{field}-{part}"));
    // The page that gives the form back is to be the one with this item.
    let after = after.map(|place| ("after", place));
    let after: Vec<_> = after.into_iter().collect();
    let action = request.address.link("/attention/settle", &after);
    let words = back
        .and_then(|back| Notice::error(back.error))
        .map(text.notice);
    let is_wrong = words.is_some();
    let typed = back.map(|back| back.typed.note.as_str());
    view! {
        <details class="office-careful" open=is_wrong>
            <summary>{text.attention.settle}</summary>
            <form class="office-settle" method="post" action=action>
                <input type="hidden" name="kind" value=kind />
                <input type="hidden" name="transaction_id" value=transaction_id />
                <input type="hidden" name="seen" value=Seen::of(item).to_text() />
                <div class="office-field">
                    <label for=field.clone()>{text.attention.note}</label>
                    <textarea id=field name="note" rows="2" maxlength=NOTE_CHARS_MAX.to_string() required=true
                        autofocus=is_wrong aria-describedby=format!("{hint} {wrong}") aria-invalid=is_wrong.then_some("true") inner_html=written(typed)></textarea>
                    <p class="office-hint" id=hint>{text.attention.note_hint}</p>
                    {fault(wrong, words.map(str::to_owned))}
                </div>
                <button class="button" type="submit">{text.attention.settle_confirm}</button>
            </form>
        </details>
    }
    .into_any()
}

fn pages(request: &Request, after: Option<&str>, next: Option<String>) -> Option<AnyView> {
    let text = request.text();
    let first = after.map(|_| {
        let href = request.address.link("/attention", &[]);
        view! { <a class="button" href=href>{text.list.first}</a> }
    });
    let next = next.map(|place| {
        let href = request.address.link("/attention", &[("after", &place)]);
        view! { <a class="button" href=href rel="next">{text.attention.next}</a> }
    });
    (first.is_some() || next.is_some()).then(|| {
        view! { <nav class="office-pages" aria-label=text.attention.pages>{first}{next}</nav> }
            .into_any()
    })
}

/// What was settled, with whose word: nothing that needed attention goes without a trace.
fn settled_section(request: &Request, settled: Vec<Settled>) -> Option<AnyView> {
    let text = request.text();
    if settled.is_empty() {
        return None;
    }
    let columns = [
        text.order.time,
        text.order.payment_id,
        text.attention.why,
        text.attention.who,
        text.attention.note,
    ];
    let rows = settled.into_iter().map(|Settled { item, at, by, note }| {
        view! {
            <tr>
                <td>{time(at)}</td>
                <td>{foreign(&item.payment_id)}" "{id(item.transaction_id.as_str())}</td>
                <td>{(text.attention.kind)(item.kind)}</td>
                <td><bdi>{(text.who)(Who::read(&by))}</bdi></td>
                <td>{foreign(&note)}</td>
            </tr>
        }
    });
    let table = table(
        text.attention.settled,
        &columns,
        rows.collect_view().into_any(),
    );
    Some(
        view! { <section class="office-section"><h2>{text.attention.settled}</h2>{table}</section> }
            .into_any(),
    )
}

fn webhooks(text: &'static Text, received: Vec<ReceivedWebhook>) -> AnyView {
    let body = if received.is_empty() {
        view! { <p class="office-note">{text.attention.no_webhooks}</p> }.into_any()
    } else {
        let columns = [
            text.order.time,
            text.order.portone,
            text.order.payment_id,
            text.order.transaction_id,
            text.history.claimed_status,
            text.attention.arrival_head,
        ];
        let rows = received.into_iter().map(|one| {
            let claimed = one.claimed_status.as_deref().map(foreign);
            let transaction_id = one.transaction_id.as_ref().map(|found| id(found.as_str()));
            view! {
                <tr data-arrival=one.arrival.as_str()>
                    <td>{time(one.at)}</td>
                    <td>{one.portone.as_str().to_uppercase()}</td>
                    <td>{foreign(one.payment_id.as_str())}</td>
                    <td>{transaction_id}</td>
                    <td>{claimed}</td>
                    <td>{(text.attention.arrival)(one.arrival)}</td>
                </tr>
            }
        });
        table(
            text.attention.webhooks,
            &columns,
            rows.collect_view().into_any(),
        )
    };
    view! {
        <section class="office-section">
            <h2>{text.attention.webhooks}</h2>
            <p class="office-hint">{text.attention.webhooks_hint}</p>
            {body}
        </section>
    }
    .into_any()
}
