//! `GET /orders`.

use leptos::prelude::*;

use super::Request;
use super::address::order_path;
use super::frame::Frame;
use super::parts::{empty, end_of_day, start_of_day, status_chip, time};
use super::text::Text;
use crate::domain::ids::PAYMENT_ID_CHARS_MAX;
use crate::domain::order::{Order, OrderStatus};
use crate::i18n::{Locale, money};
use crate::ports::store::{OrderFilter, StoreError};
use crate::service::{Core, cursor};

/// Orders on one page.
const PAGE_ORDERS_MAX: u32 = 50;
/// Held orders that are counted; beyond it the page says "more than".
const HELD_COUNTED_MAX: u32 = 20;

/// The list of orders, newest first.
#[component]
pub fn OrdersPage() -> impl IntoView {
    let request = Request::read();
    let frame = Frame::new(&request);
    view! { <Suspense>{Suspend::new(async move { page(request, frame).await })}</Suspense> }
}

async fn page(request: Request, frame: Frame) -> AnyView {
    if request.person.is_none() {
        return frame.signed_out();
    }
    let Some(core) = request.core.clone() else {
        return frame.unavailable();
    };
    let asked = Asked::read(&request);
    match load(&core, &asked).await {
        Ok(list) => {
            let text = request.text();
            let frame = frame.counted(&core).await;
            frame.around(text.list.title.to_owned(), content(&request, &asked, list))
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the list of orders could not be read"
            );
            frame.unavailable()
        }
    }
}

/// What the address asks for. A parameter that means nothing is as good as none.
struct Asked {
    status: Option<OrderStatus>,
    query: Option<String>,
    from: Option<String>,
    to: Option<String>,
    after: Option<String>,
}

impl Asked {
    fn read(request: &Request) -> Self {
        let parameter = |name: &str| request.address.parameter(name);
        let day = |name: &str| {
            parameter(name)
                .filter(|day| start_of_day(day).is_some())
                .map(str::to_owned)
        };
        Self {
            status: parameter("status").and_then(OrderStatus::from_word),
            query: parameter("q").map(|query| query.chars().take(PAYMENT_ID_CHARS_MAX).collect()),
            from: day("from"),
            to: day("to"),
            after: parameter("after")
                .filter(|place| cursor::read(place).is_some())
                .map(str::to_owned),
        }
    }

    /// One more than is shown, to know whether there is a next page.
    fn filter(&self) -> OrderFilter {
        OrderFilter {
            status: self.status,
            query: self.query.clone(),
            from: self.from.as_deref().and_then(start_of_day),
            to: self.to.as_deref().and_then(end_of_day),
            after: self.after.as_deref().and_then(cursor::read),
            limit: PAGE_ORDERS_MAX + 1,
        }
    }

    fn is_filtered(&self) -> bool {
        self.status.is_some() || self.query.is_some() || self.from.is_some() || self.to.is_some()
    }

    /// The conditions as parameters of an address, without the place in the list.
    fn conditions(&self) -> Vec<(&'static str, &str)> {
        let status = self.status.map(OrderStatus::as_str);
        let all = [
            ("status", status),
            ("q", self.query.as_deref()),
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

struct List {
    orders: Vec<Order>,
    /// Where the next page begins, when there is one.
    next: Option<String>,
    held: usize,
}

async fn load(core: &Core, asked: &Asked) -> Result<List, StoreError> {
    let mut orders = core.orders.list_orders(&asked.filter()).await?;
    let shown = PAGE_ORDERS_MAX as usize;
    let more = orders.len() > shown;
    orders.truncate(shown);
    let next = orders.last().filter(|_| more).map(cursor::after);
    let held = OrderFilter {
        status: Some(OrderStatus::Held),
        limit: HELD_COUNTED_MAX + 1,
        ..OrderFilter::default()
    };
    let held = core.orders.list_orders(&held).await?.len();
    Ok(List { orders, next, held })
}

fn content(request: &Request, asked: &Asked, list: List) -> AnyView {
    let text = request.text();
    let List { orders, next, held } = list;
    let attention =
        (held > 0 && asked.status != Some(OrderStatus::Held)).then(|| attention(request, held));
    let pages = pages(request, asked, next);
    let body = match (
        orders.is_empty(),
        asked.is_filtered() || asked.after.is_some(),
    ) {
        (true, true) => empty(&text.list.none_match),
        (true, false) => empty(&text.list.none),
        (false, _) => table(request, orders),
    };
    view! {
        <h1 class="office-title">{text.list.title}</h1>
        {attention}
        {filters(request, asked)}
        {body}
        {pages}
        <p class="office-note">{text.frame.times}</p>
    }
    .into_any()
}

fn attention(request: &Request, held: usize) -> AnyView {
    let text = request.text();
    let most = HELD_COUNTED_MAX as usize;
    let words = (text.list.held)(held.min(most), held > most);
    let href = request
        .address
        .link("/orders", &[("status", OrderStatus::Held.as_str())]);
    view! {
        <p class="office-banner" data-kind="attention">
            {words}" "<a href=href>{text.list.show_held}</a>
        </p>
    }
    .into_any()
}

fn filters(request: &Request, asked: &Asked) -> AnyView {
    let text = request.text();
    let options = OrderStatus::ALL.iter().map(|status| {
        let selected = asked.status == Some(*status);
        view! { <option value=status.as_str() selected=selected>{(text.status)(*status)}</option> }
    });
    let options = options.collect_view();
    let language = request
        .address
        .asked()
        .map(|tag| view! { <input type="hidden" name="lang" value=tag /> });
    let reset = asked.is_filtered().then(|| view! { <a class="button" href=request.address.link("/orders", &[])>{text.list.reset}</a> });
    view! {
        <form class="office-filters" method="get" action="/orders" role="search" aria-label=text.list.filters>
            {language}
            <div class="office-field">
                <label for="filter-status">{text.list.status}</label>
                <select id="filter-status" name="status">
                    <option value="" selected=asked.status.is_none()>{text.list.any_status}</option>
                    {options}
                </select>
            </div>
            <div class="office-field office-field-wide">
                <label for="filter-query">{text.list.query}</label>
                <input
                    id="filter-query"
                    name="q"
                    type="search"
                    value=asked.query.clone()
                    maxlength=PAYMENT_ID_CHARS_MAX.to_string()
                    autocomplete="off"
                    spellcheck="false"
                    aria-describedby="filter-query-hint"
                />
                <p class="office-hint" id="filter-query-hint">{text.list.query_hint}</p>
            </div>
            <div class="office-field">
                <label for="filter-from">{text.list.from}</label>
                <input id="filter-from" name="from" type="date" value=asked.from.clone() />
            </div>
            <div class="office-field">
                <label for="filter-to">{text.list.to}</label>
                <input id="filter-to" name="to" type="date" value=asked.to.clone() />
            </div>
            <div class="office-filter-buttons">
                <button class="button button-primary" type="submit">{text.list.search}</button>
                {reset}
            </div>
        </form>
    }.into_any()
}

/// The roles are written out because the style sheet turns rows into cards on a phone, and browsers forget that a table was
/// a table when its display changes.
fn table(request: &Request, orders: Vec<Order>) -> AnyView {
    let text = request.text();
    let rows = orders
        .into_iter()
        .map(|order| row(request, text, order))
        .collect_view();
    let columns = [
        text.list.payment_id,
        text.list.name,
        text.list.amount,
        text.list.status,
        text.list.created,
        text.list.checked,
    ];
    let heads = columns
        .map(|column| view! { <th role="columnheader" scope="col">{column}</th> })
        .into_iter()
        .collect_view();
    view! {
        <div class="office-scroll" role="region" aria-label=text.list.table tabindex="0">
            <table class="office-table office-orders" role="table" aria-label=text.list.table>
                <thead role="rowgroup"><tr role="row">{heads}</tr></thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(request: &Request, text: &'static Text, order: Order) -> AnyView {
    let locale: Locale = request.locale;
    let href = request
        .address
        .link(&order_path(&order.payment_id, None), &[]);
    let attention = (order.status == OrderStatus::Held)
        .then(|| view! { " "<span class="office-attention">{text.list.attention}</span> });
    let checked = match order.checked_at {
        Some(at) => time(at),
        None => text.list.never_checked.into_any(),
    };
    view! {
        <tr role="row" data-status=order.status.as_str()>
            <th role="rowheader" scope="row" data-label=text.list.payment_id><a href=href><bdi>{order.payment_id.to_string()}</bdi></a></th>
            <td role="cell" data-label=text.list.name><bdi>{order.name}</bdi></td>
            <td role="cell" data-label=text.list.amount class="office-money">{money(locale, order.amount)}</td>
            <td role="cell" data-label=text.list.status>{status_chip(text, order.status)}{attention}</td>
            <td role="cell" data-label=text.list.created>{time(order.created_at)}</td>
            <td role="cell" data-label=text.list.checked>{checked}</td>
        </tr>
    }.into_any()
}

fn pages(request: &Request, asked: &Asked, next: Option<String>) -> Option<AnyView> {
    let text = request.text();
    let conditions = asked.conditions();
    let first = asked.after.as_ref().map(|_| {
        let href = request.address.link("/orders", &conditions);
        view! { <a class="button" href=href>{text.list.first}</a> }
    });
    let next = next.map(|place| {
        let mut parameters = conditions.clone();
        parameters.push(("after", &place));
        let href = request.address.link("/orders", &parameters);
        view! { <a class="button" href=href rel="next">{text.list.next}</a> }
    });
    (first.is_some() || next.is_some()).then(|| {
        view! { <nav class="office-pages" aria-label=text.list.pages>{first}{next}</nav> }
            .into_any()
    })
}
