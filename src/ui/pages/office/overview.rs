//! `GET /overview`: the shop at a glance.
//!
//! The days are a table, and the bars are drawn beside its figures: who cannot see them misses nothing.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use leptos::prelude::*;

use super::keys::KEYS_PATH;
use super::parts::{fact, time};
use super::text::overview::{self as texts, OverviewText};
use super::webhooks::WEBHOOKS_PATH;
use super::{Opened, Request, page_for};
use crate::domain::access::Deed;
use crate::domain::money::{Currency, Money};
use crate::domain::order::OrderStatus;
use crate::i18n::{KOREA, Locale, money};
use crate::ports::overview::{
    COUNTED_MAX, DaySum, DeliveryHealth, Overview, Spans, Sum, WebhookHealth,
};
use crate::ports::store::StoreError;
use crate::service::Core;

/// Where the page is.
pub const OVERVIEW_PATH: &str = "/overview";
/// Days that are shown, today among them.
const DAYS: i64 = 14;
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The longest bar.
const BAR_MAX: i64 = 100;

/// The overview.
#[component]
pub fn OverviewPage() -> impl IntoView {
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
    let now = core.clock.now();
    match load(&core, now).await {
        Ok(found) => {
            let content = content(&request, found, now);
            let title = texts::of(request.locale).title.to_owned();
            frame.counted(&core).await.around(title, content)
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the overview could not be read"
            );
            frame.unavailable()
        }
    }
}

/// `None` in a shop without orders.
async fn load(core: &Core, now: Timestamp) -> Result<Option<(Overview, Date)>, StoreError> {
    // Beyond the years of the calendar there is no day to show.
    let Some((spans, today)) = spans(now) else {
        return Ok(None);
    };
    if core.sweep.first_order_at().await?.is_none() {
        return Ok(None);
    }
    Ok(Some((core.overview.overview(&spans).await?, today)))
}

/// The days up to today in Korea, and the last 24 hours.
fn spans(now: Timestamp) -> Option<(Spans, Date)> {
    let date = KOREA.to_datetime(now).date();
    let today = KOREA.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    let spans = Spans {
        first_day: today
            .checked_sub(SignedDuration::from_hours(24 * (DAYS - 1)))
            .ok()?,
        today,
        tomorrow: today.checked_add(DAY).ok()?,
        lately: now.checked_sub(DAY).ok()?,
    };
    Some((spans, date))
}

fn content(request: &Request, found: Option<(Overview, Date)>, now: Timestamp) -> AnyView {
    let text = request.text();
    let words = texts::of(request.locale);
    let Some((overview, today)) = found else {
        return view! { <h1 class="office-title">{words.title}</h1>{first_steps(request, words)} }
            .into_any();
    };
    let of_today = |days: &[DaySum]| -> Vec<Sum> {
        let days = days.iter().filter(|day| day.day == DAYS - 1);
        days.map(|day| day.sum.clone()).collect()
    };
    let locale = request.locale;
    let held = request
        .address
        .link("/orders", &[("status", OrderStatus::Held.as_str())]);
    let held = (!overview.held.is_empty())
        .then(|| view! { <p><a href=held>{words.show_held}</a></p> }.into_any());
    let card =
        |title, note, kind, sums, link| figures(locale, words, title, note, kind, sums, link);
    view! {
        <h1 class="office-title">{words.title}</h1>
        <section class="office-today" aria-labelledby="today">
            <h2 id="today">{words.today}" "<span class="office-hint">{today.to_string()}</span></h2>
            <div class="office-figures">
                {card(words.paid, words.paid_note, "paid", of_today(&overview.paid), None)}
                {card(words.pending, words.pending_note, "pending", overview.pending, None)}
                {card(words.held, words.held_note, "held", overview.held, held)}
                {card(words.refunded, words.refunded_note, "refunded", of_today(&overview.refunded), None)}
            </div>
        </section>
        {days(locale, words, &overview.paid, &overview.refunded, today)}
        <div class="office-halves">
            {webhooks(words, &overview.webhooks, now)}
            {deliveries(request, words, &overview.deliveries, now)}
        </div>
        <p class="office-note">{text.frame.times}</p>
    }
    .into_any()
}

fn first_steps(request: &Request, words: &'static OverviewText) -> AnyView {
    let steps = [
        (Deed::ManageKeys, KEYS_PATH, words.make_key),
        (Deed::Look, "/api/v1/docs", words.read_docs),
        (Deed::ChangeEndpoints, WEBHOOKS_PATH, words.add_endpoint),
    ];
    let steps = steps.into_iter().filter(|(deed, ..)| request.may(*deed));
    let steps = steps.map(|(_, path, label)| {
        view! { <li><a href=request.address.link(path, &[])>{label}</a></li> }
    });
    view! {
        <section class="office-empty">
            <p class="office-empty-title">{words.empty.title}</p>
            <p>{words.empty.body}</p>
            <h2>{words.first_steps}</h2>
            <ul class="office-links">{steps.collect_view()}</ul>
        </section>
    }
    .into_any()
}

/// What today brought of one kind, by currency.
fn figures(
    locale: Locale,
    words: &'static OverviewText,
    title: &'static str,
    note: &'static str,
    kind: &'static str,
    sums: Vec<Sum>,
    link: Option<AnyView>,
) -> AnyView {
    let none = sums
        .is_empty()
        .then(|| view! { <p class="office-hint">{words.none_today}</p> });
    let sums = sums.into_iter().map(|sum| {
        let count = (words.count)(sum.count);
        view! {
            <p class="office-figure">
                <span class="office-amount">{amount(locale, &sum)}</span>" "
                <span class="office-hint">{count}</span>
            </p>
        }
    });
    view! {
        <article class="office-section" data-figure=kind>
            <h3>{title}</h3>
            {none}
            {sums.collect_view()}
            <p class="office-hint">{note}</p>
            {link}
        </article>
    }
    .into_any()
}

/// What is stored is shown also when it is no money as we know it.
fn amount(locale: Locale, sum: &Sum) -> String {
    let known = Currency::parse(&sum.currency);
    match known.map(|currency| Money::new(sum.minor, currency)) {
        Ok(Ok(amount)) => money(locale, amount),
        Ok(Err(_)) | Err(_) => format!("{} {}", sum.minor, sum.currency),
    }
}

/// A table of the days for each currency.
fn days(
    locale: Locale,
    words: &'static OverviewText,
    paid: &[DaySum],
    refunded: &[DaySum],
    today: Date,
) -> AnyView {
    let all = paid.iter().chain(refunded);
    let mut currencies: Vec<&str> = all.map(|day| day.sum.currency.as_str()).collect();
    currencies.sort_unstable();
    currencies.dedup();
    // The shop's own first.
    currencies.sort_by_key(|code| *code != Currency::KRW.code());
    if currencies.is_empty() {
        return view! { <section class="office-section"><p>{words.no_days}</p></section> }
            .into_any();
    }
    let tables = currencies.into_iter().map(|code| {
        let of = |days: &[DaySum]| -> Vec<DaySum> {
            let days = days.iter().filter(|day| day.sum.currency == code);
            days.cloned().collect()
        };
        table(locale, words, code, &of(paid), &of(refunded), today)
    });
    view! {
        {tables.collect_view()}
        <p class="office-note">{words.days_note}</p>
    }
    .into_any()
}

/// The latest day first. The roles are written out because the style sheet makes cards of the rows on a phone.
fn table(
    locale: Locale,
    words: &'static OverviewText,
    currency: &str,
    paid: &[DaySum],
    refunded: &[DaySum],
    today: Date,
) -> AnyView {
    let all = paid.iter().chain(refunded);
    let largest = all.map(|day| day.sum.minor).max().unwrap_or_default();
    let rows = (0..DAYS).map(|back| {
        let day = DAYS - 1 - back;
        let date = today.saturating_sub(SignedDuration::from_hours(24 * back));
        let is_today = (back == 0).then(|| view! { " "<span class="office-hint">{words.is_today}</span> });
        let cell = |label, kind, days: &[DaySum]| {
            let sum = days.iter().find(|own| own.day == day).map(|own| &own.sum);
            bar(locale, words, label, kind, sum, largest)
        };
        view! {
            <tr role="row">
                <th role="rowheader" scope="row"><time datetime=date.to_string()>{date.strftime("%m-%d").to_string()}</time>{is_today}</th>
                {cell(words.paid, "paid", paid)}
                {cell(words.refunded, "refunded", refunded)}
            </tr>
        }
    });
    let caption = (words.days)(currency);
    view! {
        <section class="office-section">
            <table class="office-table office-days" role="table">
                <caption>{caption}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        <th role="columnheader" scope="col">{words.day}</th>
                        <th role="columnheader" scope="col">{words.paid}</th>
                        <th role="columnheader" scope="col">{words.refunded}</th>
                    </tr>
                </thead>
                <tbody role="rowgroup">{rows.collect_view()}</tbody>
            </table>
        </section>
    }
    .into_any()
}

/// The figure in words, and as a bar to who sees it.
fn bar(
    locale: Locale,
    words: &'static OverviewText,
    label: &'static str,
    kind: &'static str,
    sum: Option<&Sum>,
    largest: i64,
) -> AnyView {
    let figure = sum.map(|sum| {
        let count = (words.count)(sum.count);
        let width = length(sum.minor, largest).to_string();
        view! {
            <span class="office-money">{amount(locale, sum)}</span>" "
            <span class="office-hint">{count}</span>
            <svg class="office-bar" data-kind=kind aria-hidden="true" viewBox="0 0 100 1" preserveAspectRatio="none">
                <rect width=width height="1" />
            </svg>
        }
    });
    let nothing = sum
        .is_none()
        .then(|| view! { <span class="office-hint">"0"</span> });
    view! { <td role="cell" data-label=label>{figure}{nothing}</td> }.into_any()
}

/// How long a bar is; what is there at all can be seen.
fn length(minor: i64, largest: i64) -> i64 {
    if minor <= 0 || largest <= 0 {
        return 0;
    }
    let share = i128::from(minor) * i128::from(BAR_MAX) / i128::from(largest);
    i64::try_from(share).unwrap_or(BAR_MAX).clamp(1, BAR_MAX)
}

fn webhooks(words: &'static OverviewText, health: &WebhookHealth, now: Timestamp) -> AnyView {
    let last = match health.last_at {
        Some(at) => moment(words, at, now),
        None => words.no_webhook.into_any(),
    };
    let lags = &health.lags_ms;
    let lag = match (lags.get(lags.len().saturating_sub(1) / 2), lags.last()) {
        (Some(middle), Some(longest)) => (words.lags)(&seconds(*middle), &seconds(*longest)),
        (None, _) | (_, None) => words.not_known.to_owned(),
    };
    view! {
        <section class="office-section" aria-labelledby="webhooks">
            <h2 id="webhooks">{words.webhooks}</h2>
            <dl class="office-facts">
                {fact(words.last_webhook, last)}
                {fact(words.received, counted(words, health.lately))}
                {fact(words.lag, lag)}
            </dl>
            <p class="office-hint">{words.lag_note}</p>
        </section>
    }
    .into_any()
}

fn deliveries(
    request: &Request,
    words: &'static OverviewText,
    health: &DeliveryHealth,
    now: Timestamp,
) -> AnyView {
    let link = request.address.link(WEBHOOKS_PATH, &[]);
    let none = (health.endpoints == 0).then(|| view! { <p>{words.no_endpoints}</p> });
    let failures = if health.attempts == 0 {
        words.no_attempts.to_owned()
    } else {
        let share = share(health.failed, health.attempts);
        let attempts = counted(words, health.attempts);
        (words.failed)(&share, &health.failed.to_string(), &attempts)
    };
    let waiting = match health.waiting_since {
        Some(at) => moment(words, at, now),
        None => words.nothing_waits.into_any(),
    };
    let facts = (health.endpoints > 0).then(|| {
        let paused = (words.paused_of)(health.paused, health.endpoints);
        let paused = view! { <span data-paused=health.paused.to_string()>{paused}</span> };
        view! {
            <dl class="office-facts">
                {fact(words.failures, failures)}
                {fact(words.paused, paused)}
                {fact(words.waiting, waiting)}
            </dl>
        }
    });
    view! {
        <section class="office-section" aria-labelledby="deliveries">
            <h2 id="deliveries">{words.deliveries}</h2>
            {none}
            {facts}
            <p><a href=link>{words.to_endpoints}</a></p>
        </section>
    }
    .into_any()
}

fn moment(words: &'static OverviewText, at: Timestamp, now: Timestamp) -> AnyView {
    let ago = (words.ago)(now.duration_since(at).as_secs().max(0));
    view! { {time(at)}" "<span class="office-hint">{ago}</span> }.into_any()
}

fn counted(words: &'static OverviewText, count: u32) -> String {
    if count < COUNTED_MAX {
        count.to_string()
    } else {
        (words.at_least)(&count.to_string())
    }
}

/// In percent, with one decimal, rounded up: what failed once is not 0.
fn share(part: u32, whole: u32) -> String {
    let tenths = (u64::from(part) * 1_000).div_ceil(u64::from(whole.max(1)));
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn seconds(ms: i64) -> String {
    format!("{}.{}", ms / 1_000, ms % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_in_korea() {
        for (now, today, first_day) in [
            (
                "2026-11-21T14:59:59.999999Z",
                "2026-11-20T15:00:00Z",
                "2026-11-07T15:00:00Z",
            ),
            (
                "2026-11-21T15:00:00Z",
                "2026-11-21T15:00:00Z",
                "2026-11-08T15:00:00Z",
            ),
        ] {
            let (spans, date) = spans(now.parse().unwrap()).unwrap();
            assert_eq!(
                (spans.today.to_string(), spans.first_day.to_string()),
                (today.to_owned(), first_day.to_owned())
            );
            assert_eq!(spans.tomorrow, spans.today + DAY);
            assert_eq!(KOREA.to_datetime(spans.today).date(), date);
        }
        assert_eq!(spans(Timestamp::MIN), None);
    }

    #[test]
    fn a_bar_is_as_long_as_its_share_and_can_always_be_seen() {
        for (minor, largest, wanted) in [
            (0, 100, 0),
            (100, 100, 100),
            (50, 100, 50),
            (1, 1_000_000, 1),
            (i64::MAX, i64::MAX, 100),
            (0, 0, 0),
            (-1, 5, 0),
        ] {
            assert_eq!(length(minor, largest), wanted, "{minor} of {largest}");
        }
    }

    #[test]
    fn a_failure_is_never_rounded_away() {
        for (part, whole, wanted) in [
            (0, 10, "0.0"),
            (1, 100_000, "0.1"),
            (1, 3, "33.4"),
            (3, 3, "100.0"),
        ] {
            assert_eq!(share(part, whole), wanted);
        }
        assert_eq!(
            (seconds(0), seconds(1_250), seconds(61_000)),
            ("0.0".to_owned(), "1.2".to_owned(), "61.0".to_owned())
        );
    }
}
