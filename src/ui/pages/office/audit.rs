//! `GET /settings/audit`: who did what, and whether the record of it is whole.

use jiff::Timestamp;
use leptos::prelude::*;

use super::address::order_path;
use super::parts::{empty, foreign, id, stored_money, table, time};
use super::text::audit::{AuditText, of};
use super::text::{Who, people};
use super::{Opened, Request, page_for};
use crate::domain::access::{Deed, Role};
use crate::domain::attention::AttentionKind;
use crate::domain::audit::{Act, BrokenAt, End, Fields, Link};
use crate::domain::ids::PaymentId;
use crate::ports::audit::Chain;

/// Where the page is.
pub const AUDIT_PATH: &str = "/settings/audit";
/// Entries on one page.
const PAGE_ENTRIES: u32 = 50;
/// The newest entries that every view of the page looks at: years of a small shop's, in some ten milliseconds. `wanryo doctor` looks
/// at all of them.
const LOOKED_AT_MAX: u32 = 10_000;
/// Bytes of a digest that a row shows.
const DIGEST_BYTES_SHOWN: usize = 8;

/// The newest entries, or those before a place.
#[component]
pub fn AuditPage() -> impl IntoView {
    page_for(Deed::ReadAudit, page)
}

async fn page(
    Opened {
        request,
        frame,
        core,
        ..
    }: Opened,
) -> AnyView {
    let place = request.address.parameter("before");
    let place = place.and_then(|place| place.parse().ok());
    let read = async {
        // One more than is shown, to know whether there is a next page, and whether the last one shown follows it.
        let links = core.audit.audit_log(place, PAGE_ENTRIES + 1).await?;
        Ok::<_, crate::ports::store::StoreError>((
            links,
            core.audit.audit_chain(LOOKED_AT_MAX).await?,
        ))
    };
    let (mut links, chain) = match read.await {
        Ok(read) => read,
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the audit log could not be read"
            );
            return frame.unavailable();
        }
    };
    let broken_at = [broken_among(&links), chain.broken_at];
    let broken_at = broken_at.into_iter().flatten().min();
    let shown = PAGE_ENTRIES as usize;
    let more = links.len() > shown;
    links.truncate(shown);
    let next = links.last().filter(|_| more).map(|last| last.id);
    let text = of(request.locale);
    let content = view! {
        <h1 class="office-title">{text.title}</h1>
        <p>{text.lead}</p>
        {standing(&request, text, chain, broken_at)}
        {entries(&request, text, links)}
        {pages(&request, text, place, next)}
        <p class="office-note">{request.text().frame.times}</p>
    };
    let frame = frame.counted(&core).await;
    frame.around(text.title.to_owned(), content.into_any())
}

/// The first entry of a page, newest first, that is not on top of the one below it.
fn broken_among(links: &[Link]) -> Option<BrokenAt> {
    let mut links = links.to_vec();
    links.reverse();
    let first = links.first()?;
    let Ok(digest) = first.previous.as_slice().try_into() else {
        return Some(BrokenAt(first.id));
    };
    let before = End {
        id: first.id.saturating_sub(1),
        digest,
    };
    before.follow(&links).err()
}

fn standing(
    request: &Request,
    text: &'static AuditText,
    chain: Chain,
    broken_at: Option<BrokenAt>,
) -> AnyView {
    if let Some(BrokenAt(id)) = broken_at {
        let above = id.saturating_add(1).to_string();
        let there = request.address.link(AUDIT_PATH, &[("before", &above)]);
        return view! {
            <p class="office-notice" role="alert" data-kind="error">{(text.broken)(id)}</p>
            <p><a class="button" href=there>{text.show_broken}</a></p>
        }
        .into_any();
    }
    if chain.end.id == 0 {
        return ().into_any();
    }
    let part = (chain.from > 1).then(|| view! { <p class="office-hint">{text.in_part}</p> });
    view! {
        <p class="office-notice" role="status" data-kind="done">{(text.whole)(chain.from, chain.end.id)}</p>
        {part}
        <p class="office-hint">{text.anchor}" "{id(&hexadecimal(&chain.end.digest))}</p>
    }
    .into_any()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entries(request: &Request, text: &'static AuditText, links: Vec<Link>) -> AnyView {
    if links.is_empty() {
        return empty(&text.none);
    }
    let office = request.text();
    let rows = links.into_iter().map(|Link { id: number, fields, digest, .. }| {
        let act = Act::from_word(&fields.act);
        let at = Timestamp::from_microsecond(fields.at_us).ok();
        let begins = digest.get(..DIGEST_BYTES_SHOWN).unwrap_or(&digest);
        view! {
            <tr data-act=fields.act.clone()>
                <td>{number}</td>
                <td>{at.map_or_else(|| foreign(&fields.at_us.to_string()), time)}</td>
                <td><bdi>{(office.who)(Who::read(&fields.actor))}</bdi></td>
                <td>{act.map_or_else(|| foreign(&fields.act), |act| (text.act)(act).into_any())}</td>
                <td>{target(request, act, &fields)}</td>
                <td>{detail(request, text, act, &fields)}</td>
                <td>{id(&hexadecimal(begins))}</td>
            </tr>
        }
    });
    let heads = [
        text.number,
        text.time,
        text.who,
        text.what,
        text.target,
        text.detail,
        text.digest,
    ];
    table(text.title, &heads, rows.collect_view().into_any())
}

fn target(request: &Request, act: Option<Act>, fields: &Fields) -> Option<AnyView> {
    let target = fields.target.as_deref()?;
    let order = match act {
        Some(Act::OrderClosed | Act::RefundAsked) => PaymentId::parse(target).ok(),
        Some(_) | None => None,
    };
    Some(match order {
        Some(order) => {
            let href = request.address.link(&order_path(&order, None), &[]);
            view! { <a href=href>{foreign(target)}</a> }.into_any()
        }
        None => foreign(target),
    })
}

/// What the entry adds, in words where the program wrote it; whatever else is there stands as it is.
fn detail(
    request: &Request,
    text: &'static AuditText,
    act: Option<Act>,
    fields: &Fields,
) -> Option<AnyView> {
    let detail = fields.detail.as_deref()?;
    let count = || detail.parse::<u64>().ok();
    let words = match act? {
        Act::UserAdded | Act::RoleChanged | Act::PasswordChanged => {
            Role::from_word(detail).map(|role| (people::of(request.locale).role)(role).to_owned())
        }
        Act::WrongPassword | Act::WrongCode | Act::WrongPresentPassword => {
            count().map(text.mistakes)
        }
        Act::Settled => AttentionKind::from_word(detail)
            .map(|kind| (request.text().attention.kind)(kind).to_owned()),
        Act::RefundAsked => detail.split_once(' ').and_then(|(amount, currency)| {
            stored_money(request.locale, amount.parse().ok(), Some(currency))
        }),
        Act::RedeliveredMany | Act::Dismissed => count().map(text.events),
        Act::Redelivered => count().map(text.delivery),
        Act::KeyMade | Act::KeyRevoked => Some(format!("{detail}…")),
        Act::SignedIn
        | Act::RecoveryCodeUsed
        | Act::UserDisabled
        | Act::UserEnabled
        | Act::PasswordHanded
        | Act::SignedOut
        | Act::FactorOn
        | Act::FactorOff
        | Act::NewRecoveryCodes
        | Act::OrderClosed
        | Act::EndpointAdded
        | Act::EndpointChanged
        | Act::EndpointEnabled
        | Act::EndpointDisabled
        | Act::EndpointRotated
        | Act::EndpointDeleted => None,
    };
    Some(foreign(words.as_deref().unwrap_or(detail)))
}

fn pages(
    request: &Request,
    text: &'static AuditText,
    place: Option<i64>,
    next: Option<i64>,
) -> Option<AnyView> {
    let first = place.map(|_| {
        let href = request.address.link(AUDIT_PATH, &[]);
        view! { <a class="button" href=href>{text.newest}</a> }
    });
    let next = next.map(|last| {
        let before = last.to_string();
        let href = request.address.link(AUDIT_PATH, &[("before", &before)]);
        view! { <a class="button" href=href rel="next">{text.older}</a> }
    });
    (first.is_some() || next.is_some()).then(|| {
        view! { <nav class="office-pages" aria-label=text.pages>{first}{next}</nav> }.into_any()
    })
}
