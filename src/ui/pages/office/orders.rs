//! `GET /orders`.

mod conditions;

use jiff::Timestamp;
use leptos::prelude::*;

use super::address::order_path;
use super::parts::{empty, status_chip, time};
use super::text::Text;
use super::text::list::{self as texts, ListText};
use super::{Opened, Request, page_for};
use crate::domain::access::Deed;
use crate::domain::ids::PAYMENT_ID_CHARS_MAX;
use crate::domain::method::PayMethod;
use crate::domain::money::Currency;
use crate::domain::order::{Order, OrderStatus};
use crate::i18n::{Locale, money};
use crate::ports::store::{Listed, OrderFilter, Place, StoreError};
use crate::service::orders::list;
use crate::service::{Core, cursor};

pub use conditions::{Conditions, Fault};

use conditions::{Field, place};

/// Orders on one page.
const PAGE_ORDERS_MAX: u32 = 50;
/// Held orders that are counted; beyond it the page says "more than".
const HELD_COUNTED_MAX: u32 = 20;

/// Currencies that are offered. Any other may stand in the address.
const CURRENCIES: [&str; 12] = [
    "KRW", "USD", "JPY", "EUR", "CNY", "HKD", "TWD", "SGD", "THB", "VND", "GBP", "AUD",
];

/// The list of orders, newest first.
#[component]
pub fn OrdersPage() -> impl IntoView {
    page_for(Deed::Look, page)
}

async fn page(
    Opened {
        request,
        frame,
        core,
        ..
    }: Opened,
) -> AnyView {
    let asked = Conditions::of(&request.address);
    let after = place(&request.address);
    match load(&core, &asked, after.clone().unwrap_or_default()).await {
        Ok(list) => {
            let text = request.text();
            let frame = frame.counted(&core).await;
            let content = content(&request, &asked, after.map(|after| after.is_some()), list);
            frame.around(text.list.title.to_owned(), content)
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

struct List {
    orders: Vec<Order>,
    further: Option<Further>,
    held: usize,
}

/// Where the list goes on.
enum Further {
    /// The next page.
    Next(String),
    /// This page is not full: looking stopped here.
    Unseen(Timestamp, String),
}

/// Nothing is looked for while a condition cannot be read.
async fn load(core: &Core, asked: &Conditions, after: Option<Place>) -> Result<List, StoreError> {
    let filter = OrderFilter {
        after,
        limit: PAGE_ORDERS_MAX,
        ..asked.filter(core.clock.now())
    };
    let Listed { orders, further } = if asked.are_faulty() {
        Listed::default()
    } else {
        list(core, &filter).await?
    };
    let is_full = orders.len() == PAGE_ORDERS_MAX as usize;
    let further = further.map(|place| {
        let after = cursor::after(&place);
        if is_full {
            Further::Next(after)
        } else {
            Further::Unseen(place.0, after)
        }
    });
    let held = OrderFilter {
        status: Some(OrderStatus::Held),
        limit: HELD_COUNTED_MAX + 1,
        ..OrderFilter::default()
    };
    let held = core.orders.list_orders(&held).await?.orders.len();
    Ok(List {
        orders,
        further,
        held,
    })
}

fn content(request: &Request, asked: &Conditions, after: Result<bool, ()>, list: List) -> AnyView {
    let text = request.text();
    let words = texts::of(request.locale);
    let List {
        orders,
        further,
        held,
    } = list;
    let attention =
        (held > 0 && asked.status() != Some(OrderStatus::Held)).then(|| attention(request, held));
    let lost = after.is_err().then(
        || view! { <p class="office-notice" role="alert" data-kind="error">{words.no_place}</p> },
    );
    let is_further_on = after == Ok(true);
    let is_narrowed = asked.are_any() || is_further_on;
    let orders_are_none = orders.is_empty() && further.is_none();
    let body = match (&further, orders.is_empty()) {
        _ if asked.are_faulty() => Some(empty(&words.faulty)),
        (_, false) => Some(table(request, orders)),
        // Whether none matches is not known yet.
        (Some(_), true) => None,
        (None, true) if is_narrowed => Some(empty(&text.list.none_match)),
        (None, true) => Some(empty(&text.list.none)),
    };
    let export = (!orders_are_none).then(|| {
        let href = request.address.link("/orders.csv", &asked.parameters());
        view! { <p><a class="button" href=href download="">{words.export}</a></p> }
    });
    let pages = pages(request, asked, is_further_on, further);
    view! {
        <h1 class="office-title">{text.list.title}</h1>
        {attention}
        {lost}
        {filters(request, asked)}
        {body}
        {pages}
        {export}
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

fn filters(request: &Request, asked: &Conditions) -> AnyView {
    let text = request.text();
    let words = texts::of(request.locale);
    let statuses = OrderStatus::ALL.iter().map(|status| {
        let chosen = asked.typed(Field::Status) == Some(status.as_str());
        (status.as_str(), (text.status)(*status), chosen)
    });
    let methods = PayMethod::ALL.iter().map(|method| {
        let chosen = asked.typed(Field::Method) == Some(method.as_str());
        (method.as_str(), (words.method_name)(*method), chosen)
    });
    let currency = asked.currency().map(Currency::code);
    let other = currency.filter(|code| !CURRENCIES.contains(code));
    let currencies = CURRENCIES.into_iter().chain(other);
    let currencies = currencies.map(|code| (code, code, currency == Some(code)));
    let language = request
        .address
        .asked()
        .map(|tag| view! { <input type="hidden" name="lang" value=tag /> });
    let reset = asked.are_any().then(|| view! { <a class="button" href=request.address.link("/orders", &[])>{text.list.reset}</a> });
    let field = |field, label, hint, kind| input(words, asked, field, label, hint, kind);
    let is_on = asked.typed(Field::Attention) == Some("1");
    view! {
        <form class="office-filters" method="get" action="/orders" role="search" aria-label=text.list.filters>
            {language}
            {select(words, asked, Field::Status, text.list.status, text.list.any_status, statuses.collect())}
            {select(words, asked, Field::Method, words.method, words.any_method, methods.collect())}
            {field(Field::Query, text.list.query, Some(text.list.query_hint), Kind::Search)}
            {field(Field::From, text.list.from, None, Kind::Day)}
            {field(Field::To, text.list.to, None, Kind::Day)}
            {field(Field::Min, words.min, Some(words.amount_hint), Kind::Amount)}
            {field(Field::Max, words.max, None, Kind::Amount)}
            {select(words, asked, Field::Currency, words.currency, words.any_currency, currencies.collect())}
            <div class="office-filter-buttons">
                <label class="office-choice">
                    <input type="checkbox" name=Field::Attention.name() value="1" checked=is_on aria-describedby="filter-attention-fault" />
                    {words.needs_attention}
                </label>
                {fault(words, asked, Field::Attention)}
                <button class="button button-primary" type="submit">{text.list.search}</button>
                {reset}
            </div>
        </form>
    }.into_any()
}

/// What is typed into a field.
#[derive(Clone, Copy)]
enum Kind {
    Search,
    Day,
    Amount,
}

fn input(
    words: &'static ListText,
    asked: &Conditions,
    field: Field,
    label: &'static str,
    hint: Option<&'static str>,
    kind: Kind,
) -> AnyView {
    let name = field.name();
    let (kind, mode, class) = match kind {
        Kind::Search => ("search", None, "office-field office-field-wide"),
        // A browser empties a date field that holds no date, and what was typed would be lost.
        Kind::Day if asked.fault(field) == Some(Fault::NoDay) => ("text", None, "office-field"),
        Kind::Day => ("date", None, "office-field"),
        Kind::Amount => ("text", Some("decimal"), "office-field"),
    };
    let id = format!("filter-{name}");
    let described = match hint {
        Some(_) => format!("{id}-hint {id}-fault"),
        None => format!("{id}-fault"),
    };
    let hint = hint.map(|hint| view! { <p class="office-hint" id=format!("{id}-hint")>{hint}</p> });
    view! {
        <div class=class>
            <label for=id.clone()>{label}</label>
            <input
                id=id.clone()
                name=name
                type=kind
                inputmode=mode
                value=asked.typed(field).map(str::to_owned)
                maxlength=PAYMENT_ID_CHARS_MAX.to_string()
                autocomplete="off"
                spellcheck="false"
                aria-describedby=described
                aria-invalid=asked.fault(field).map(|_| "true")
            />
            {hint}
            {fault(words, asked, field)}
        </div>
    }
    .into_any()
}

fn select(
    words: &'static ListText,
    asked: &Conditions,
    field: Field,
    label: &'static str,
    any: &'static str,
    options: Vec<(&'static str, &'static str, bool)>,
) -> AnyView {
    let name = field.name();
    let id = format!("filter-{name}");
    let fault_id = format!("{id}-fault");
    let options = options.into_iter().map(
        |(value, label, chosen)| view! { <option value=value selected=chosen>{label}</option> },
    );
    // What is no choice stays the one that was made, until another one is.
    let unknown = asked.fault(field).and(asked.typed(field)).map(|typed| {
        let typed = typed.to_owned();
        view! { <option value=typed selected=true>{asked.typed(field).map(str::to_owned)}</option> }
    });
    view! {
        <div class="office-field">
            <label for=id.clone()>{label}</label>
            <select id=id name=name aria-describedby=fault_id aria-invalid=asked.fault(field).map(|_| "true")>
                <option value="" selected=asked.typed(field).is_none()>{any}</option>
                {options.collect_view()}
                {unknown}
            </select>
            {fault(words, asked, field)}
        </div>
    }
    .into_any()
}

fn fault(words: &'static ListText, asked: &Conditions, field: Field) -> AnyView {
    let id = format!("filter-{}-fault", field.name());
    let fault = asked.fault(field).map(words.fault);
    view! { <p class="office-warning" id=id>{fault}</p> }.into_any()
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

fn pages(
    request: &Request,
    asked: &Conditions,
    is_further_on: bool,
    further: Option<Further>,
) -> Option<AnyView> {
    let text = request.text();
    let words = texts::of(request.locale);
    let first = is_further_on.then(|| {
        let href = request.address.link("/orders", &asked.parameters());
        view! { <a class="button" href=href>{text.list.first}</a> }
    });
    let link = |place: String| {
        let mut parameters = asked.parameters();
        parameters.push(("after", &place));
        request.address.link("/orders", &parameters)
    };
    let (seen, next) = match further {
        Some(Further::Next(place)) => {
            let next = view! { <a class="button" href=link(place) rel="next">{text.list.next}</a> };
            (None, Some(next.into_any()))
        }
        Some(Further::Unseen(at, place)) => {
            let seen = view! { <p class="office-notice" role="status" data-kind="seen">{words.looked_back_to}" "{time(at)}</p> };
            let next =
                view! { <a class="button" href=link(place) rel="next">{words.look_further}</a> };
            (Some(seen), Some(next.into_any()))
        }
        None => (None, None),
    };
    (first.is_some() || next.is_some()).then(|| {
        view! { {seen}<nav class="office-pages" aria-label=text.list.pages>{first}{next}</nav> }
            .into_any()
    })
}
