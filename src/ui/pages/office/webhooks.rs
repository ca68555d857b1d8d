//! `GET /settings/webhooks`: the shop's endpoints, and what was sent to them.

use jiff::Timestamp;
use leptos::prelude::*;

use super::address::order_path;
use super::parts::{
    button, empty, fact, fact_if_known, fault, foreign, form_fault, form_key, id, table, time,
};
use super::text::Text;
use super::text::webhooks::{Report, WebhooksText, of};
use super::{Opened, Request, page_for};
use crate::domain::access::Deed;
use crate::domain::delivery::{Attempt, Delivery, Endpoint, EndpointStatus};
use crate::domain::event::EventType;
use crate::domain::ids::PaymentId;
use crate::domain::target::URL_BYTES_MAX;
use crate::ports::deliveries::DeliveryFilter;
use crate::ports::store::StoreError;
use crate::service::Core;
use crate::ui::context::{GivenBack, NewSecret, from_request};

/// Where the page is.
pub const WEBHOOKS_PATH: &str = "/settings/webhooks";
/// Deliveries on one page.
const PAGE_DELIVERIES: u32 = 20;

/// An endpoint to add, as it was typed.
#[derive(Debug, Clone)]
pub struct EndpointTyped {
    /// Its address.
    pub url: String,
    /// The types that were chosen.
    pub types: Vec<EventType>,
}

/// The endpoints with their forms, and the deliveries.
#[component]
pub fn WebhooksPage() -> impl IntoView {
    let new = from_request::<NewSecret>();
    let back = from_request::<GivenBack<EndpointTyped>>();
    page_for(Deed::Look, move |opened| page(opened, new, back))
}

async fn page(
    Opened {
        request,
        frame,
        core,
        ..
    }: Opened,
    new: Option<NewSecret>,
    back: Option<GivenBack<EndpointTyped>>,
) -> AnyView {
    match load(&core, &request).await {
        Ok(found) => {
            let text = of(request.locale);
            let frame = frame.counted(&core).await;
            let now = core.clock.now();
            let endpoints = found.endpoints.into_iter();
            let endpoints: Vec<AnyView> = endpoints
                .map(|one| endpoint(&request, text, &one, now))
                .collect();
            let endpoints = if endpoints.is_empty() {
                empty(&text.none)
            } else {
                endpoints.collect_view().into_any()
            };
            if let Some(back) = &back {
                request.refuse(back.error);
            }
            let add = request
                .may(Deed::ChangeEndpoints)
                .then(|| add_form(&request, &core, text, back));
            let content = view! {
                <h1 class="office-title">{text.title}</h1>
                {reports(&request, text)}
                {new.map(|new| new_secret(text, &new))}
                <p>{text.lead}</p>
                {endpoints}
                {add}
                {found.one.map(|(delivery, attempts)| one_delivery(request.text(), text, &delivery, attempts))}
                {deliveries(&request, text, found.deliveries, found.next)}
                <p class="office-note">{request.text().frame.times}</p>
            }
            .into_any();
            frame.around(text.title.to_owned(), content)
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "endpoints and deliveries could not be read"
            );
            frame.unavailable()
        }
    }
}

struct Found {
    endpoints: Vec<Endpoint>,
    deliveries: Vec<Delivery>,
    /// Where the next page begins, when there is one.
    next: Option<i64>,
    /// The delivery whose attempts are shown.
    one: Option<(Delivery, Vec<Attempt>)>,
}

async fn load(core: &Core, request: &Request) -> Result<Found, StoreError> {
    let number = |name| request.address.parameter(name)?.parse::<i64>().ok();
    let filter = DeliveryFilter {
        payment_id: order_of(request),
        after: number("after"),
        // One more than is shown, to know whether there is a next page.
        limit: PAGE_DELIVERIES + 1,
        ..DeliveryFilter::default()
    };
    let mut deliveries = core.deliveries.list_deliveries(&filter).await?;
    let shown = PAGE_DELIVERIES as usize;
    let more = deliveries.len() > shown;
    deliveries.truncate(shown);
    let one = match number("delivery") {
        Some(id) => core.deliveries.find_delivery(id).await?,
        None => None,
    };
    Ok(Found {
        endpoints: core.deliveries.endpoints().await?,
        next: deliveries.last().filter(|_| more).map(|last| last.id),
        deliveries,
        one,
    })
}

/// The order whose deliveries alone are asked for.
fn order_of(request: &Request) -> Option<PaymentId> {
    PaymentId::parse(request.address.parameter("payment_id")?).ok()
}

fn reports(request: &Request, text: &'static WebhooksText) -> AnyView {
    let reports = ["done", "error"].into_iter().filter_map(|name| {
        let (report, is_error) = Report::read(request.address.parameter(name)?)?;
        let (role, kind) = if is_error {
            ("alert", "error")
        } else {
            ("status", "done")
        };
        // A code under the wrong name is nobody's.
        (is_error == (name == "error")).then(|| {
            view! { <p class="office-notice" role=role data-kind=kind>{(text.report)(report)}</p> }
        })
    });
    reports.collect_view().into_any()
}

fn new_secret(text: &'static WebhooksText, new: &NewSecret) -> AnyView {
    view! {
        <section class="office-section" role="status">
            <h2>{text.new_secret}</h2>
            <p>{foreign(&new.of)}</p>
            <p>{id(new.expose())}</p>
            <p class="office-hint">{text.new_secret_hint}</p>
        </section>
    }
    .into_any()
}

fn endpoint(
    request: &Request,
    text: &'static WebhooksText,
    endpoint: &Endpoint,
    now: Timestamp,
) -> AnyView {
    let types = match &endpoint.event_types {
        None => text.all_types.to_owned(),
        Some(types) => {
            let words: Vec<&str> = types.iter().map(|one| one.as_str()).collect();
            words.join(", ")
        }
    };
    let seen = endpoint.secrets.previous.as_ref().map(|(_, until)| *until);
    let previous = seen.filter(|until| now < *until);
    let resume_at = endpoint.resume_at.filter(|at| now < *at);
    let action = |action: &str| {
        let path = format!("{WEBHOOKS_PATH}/{}/{action}", endpoint.id);
        request.address.link(&path, &[])
    };
    let may_change = request.may(Deed::ChangeEndpoints);
    let switch = may_change.then(|| {
        if endpoint.status.is_served() {
            button(action("disable"), text.disable)
        } else {
            button(action("enable"), text.enable)
        }
    });
    // A paused one need not wait for its hour.
    let resume = (may_change && endpoint.status == EndpointStatus::Paused)
        .then(|| button(action("enable"), text.enable));
    let again = (endpoint.status.is_served() && request.may(Deed::Redeliver))
        .then(|| button(action("redeliver"), text.redeliver_all));
    let careful = may_change.then(|| {
        view! {
            <details class="office-careful">
                <summary>{text.change}</summary>
                {rotate_form(text, action("rotate"), seen, previous.is_some())}
                <p class="office-hint">{text.delete_hint}</p>
                {button(action("delete"), text.delete)}
            </details>
        }
    });
    view! {
        <article class="office-section" data-endpoint=endpoint.status.as_str()>
            <h2>{foreign(&endpoint.url)}</h2>
            <p>{(text.meaning)(endpoint.status)}</p>
            <dl class="office-facts">
                {fact(text.status_head, (text.status)(endpoint.status))}
                {fact(text.types, types)}
                {fact_if_known(text.failing_since, endpoint.failing_since.map(time))}
                {fact_if_known(text.resume_at, resume_at.map(time))}
                {fact_if_known(text.previous_until, previous.map(time))}
                {fact(text.created, time(endpoint.created_at))}
            </dl>
            <div class="office-actions">{resume}{switch}{again}</div>
            {careful}
        </article>
    }
    .into_any()
}

/// Carries which secrets it was decided on, so that sending it twice, or two people at once, make one secret.
fn rotate_form(
    text: &'static WebhooksText,
    action: String,
    seen: Option<Timestamp>,
    is_under_way: bool,
) -> AnyView {
    let (hint, label) = if is_under_way {
        (text.rotate_again_hint, text.rotate_again)
    } else {
        (text.rotate_hint, text.rotate)
    };
    let seen = seen.map(|until| until.to_string());
    view! {
        <p class="office-hint">{hint}</p>
        <form method="post" action=action>
            <input type="hidden" name="seen" value=seen.unwrap_or_default() />
            <button class="button" type="submit">{label}</button>
        </form>
    }
    .into_any()
}

fn add_form(
    request: &Request,
    core: &Core,
    text: &'static WebhooksText,
    back: Option<GivenBack<EndpointTyped>>,
) -> AnyView {
    let action = request.address.link(WEBHOOKS_PATH, &[]);
    let report = back
        .as_ref()
        .and_then(|back| Report::read(back.error))
        .map(|(report, _)| report);
    let words = |at: fn(Report) -> bool| report.filter(|one| at(*one)).map(text.report);
    let wrong_url = words(|report| report == Report::Target);
    let wrong_types = words(|report| report == Report::Types);
    let wrong = words(|report| !matches!(report, Report::Target | Report::Types));
    let (url, chosen) =
        back.map_or_else(Default::default, |back| (back.typed.url, back.typed.types));
    let types = EventType::ALL.iter().enumerate().map(|(place, one)| {
        let word = one.as_str();
        let is_chosen = chosen.contains(one);
        let is_focused = wrong_types.is_some() && place == 0;
        view! {
            <label class="office-choice"><input type="checkbox" name="event_types" value=word checked=is_chosen
                autofocus=is_focused aria-describedby=wrong_types.map(|_| "endpoint-types-fault") aria-invalid=wrong_types.map(|_| "true") /><span>{(request.text().event)(*one)}" "<code>{word}</code></span></label>
        }
    });
    view! {
        <section class="office-section">
            <h2>{text.add}</h2>
            {form_fault(wrong)}
            <form class="office-settle" method="post" action=action>
                <input type="hidden" name="key" value=form_key(core) />
                <div class="office-field">
                    <label for="endpoint-url">{text.address}</label>
                    <input id="endpoint-url" name="url" type="url" required=true maxlength=URL_BYTES_MAX.to_string() autocomplete="off" value=url
                        autofocus=wrong_url.is_some() aria-describedby="endpoint-url-hint endpoint-url-fault" aria-invalid=wrong_url.map(|_| "true") />
                    <p class="office-hint" id="endpoint-url-hint">{text.address_hint}</p>
                    {fault("endpoint-url-fault", wrong_url.map(str::to_owned))}
                </div>
                <fieldset class="office-group" aria-describedby="endpoint-types-hint endpoint-types-fault">
                    <legend>{text.types}</legend>
                    <p class="office-hint" id="endpoint-types-hint">{text.types_hint}</p>
                    {fault("endpoint-types-fault", wrong_types.map(str::to_owned))}
                    {types.collect_view()}
                </fieldset>
                <button class="button" type="submit">{text.add}</button>
            </form>
        </section>
    }
    .into_any()
}

fn deliveries(
    request: &Request,
    text: &'static WebhooksText,
    deliveries: Vec<Delivery>,
    next: Option<i64>,
) -> AnyView {
    let office = request.text();
    let order = order_of(request);
    let of_order = order.as_ref().map(|order| {
        let all = request.address.link(WEBHOOKS_PATH, &[]);
        view! { <p>{office.order.payment_id}": "{foreign(order.as_str())}" · "<a href=all>{text.all_deliveries}</a></p> }
    });
    if deliveries.is_empty() {
        return view! { <section class="office-section"><h2>{text.deliveries}</h2>{of_order}<p class="office-note">{text.no_deliveries}</p></section> }.into_any();
    }
    let rows = deliveries.into_iter().map(|one| {
        let order = request
            .address
            .link(&order_path(&one.payment_id, None), &[]);
        let number = one.id.to_string();
        let details = deliveries_link(request, ("delivery", &number));
        let again = request.may(Deed::Redeliver).then(|| {
            let path = format!("/settings/deliveries/{number}/redeliver");
            button(request.address.link(&path, &[]), text.redeliver)
        });
        view! {
            <tr data-delivery=one.status.as_str()>
                <td>{time(one.created_at)}</td>
                <td>{(office.event)(one.event_type)}</td>
                <td><a href=order>{foreign(one.payment_id.as_str())}</a></td>
                <td>{(text.delivery_status)(one.status)}</td>
                <td>{one.attempts}</td>
                <td>{one.next_attempt_at.map(time)}</td>
                <td><a href=details>{text.details}</a></td>
                <td>{again}</td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    let heads = [
        office.order.time,
        text.event,
        office.order.payment_id,
        text.status_head,
        text.attempts,
        text.next_attempt,
        text.details,
        text.redeliver,
    ];
    let next = next.map(|last| {
        let href = deliveries_link(request, ("after", &last.to_string()));
        view! { <nav class="office-pages" aria-label=text.deliveries><a class="button" href=href rel="next">{text.older}</a></nav> }
    });
    view! {
        <section class="office-section">
            <h2>{text.deliveries}</h2>
            {of_order}
            {table(text.deliveries, &heads, rows)}
            {next}
        </section>
    }
    .into_any()
}

/// The page again, of the same order if it is of one.
fn deliveries_link(request: &Request, parameter: (&str, &str)) -> String {
    let order = order_of(request);
    let order = order.as_ref().map(|order| ("payment_id", order.as_str()));
    let parameters: Vec<_> = order.into_iter().chain([parameter]).collect();
    request.address.link(WEBHOOKS_PATH, &parameters)
}

fn one_delivery(
    office: &'static Text,
    text: &'static WebhooksText,
    delivery: &Delivery,
    attempts: Vec<Attempt>,
) -> AnyView {
    let rows = attempts.into_iter().map(|one| {
        view! {
            <tr>
                <td>{one.number}</td>
                <td>{time(one.at)}</td>
                <td>{format!("{} ms", one.duration_ms)}</td>
                <td>{one.code}" "{one.trouble.map(text.trouble)}</td>
                <td>{one.answer.as_deref().map(foreign)}</td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    let heads = [
        text.attempts,
        office.order.time,
        text.duration,
        text.status_head,
        text.answer,
    ];
    view! {
        <section class="office-section" id="delivery">
            <h2>{text.details}</h2>
            <p>{id(&delivery.event_id)}" "{(text.delivery_status)(delivery.status)}</p>
            {table(text.attempts, &heads, rows)}
        </section>
    }
    .into_any()
}
