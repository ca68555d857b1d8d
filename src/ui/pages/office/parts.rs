//! Small pieces that several pages of the back office use.

use jiff::Timestamp;
use jiff::civil::Date;
use leptos::prelude::*;

use super::text::people::{PeopleText, Report};
use super::text::{Text, Words};
use super::{FORM_KEY_CHARS, Request};
use crate::domain::money::{Currency, Money};
use crate::domain::order::OrderStatus;
use crate::i18n::{KOREA, Locale, money};
use crate::ports::entropy::draw;
use crate::service::Core;

/// What a form carries so that sending it twice counts once.
pub(super) fn form_key(core: &Core) -> String {
    let drawn: [u8; FORM_KEY_CHARS / 2] = draw(core.entropy.as_ref());
    drawn.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is wrong with a field, beside it. The paragraph is there in any case: the field points at it.
pub(super) fn fault(id: impl Into<String>, words: Option<String>) -> AnyView {
    let role = words.is_some().then_some("alert");
    view! { <p class="office-warning" id=id.into() role=role>{words}</p> }.into_any()
}

/// What stands in a field of several lines, as its `inner_html`: between such tags Leptos escapes nothing, so it is done here.
pub(super) fn written(typed: Option<&str>) -> String {
    let typed = typed.unwrap_or_default();
    // A browser takes the first end of a line there for the page's own.
    let first = if typed.starts_with(['\n', '\r']) {
        "\n"
    } else {
        ""
    };
    let text = typed.replace('&', "&amp;").replace('<', "&lt;");
    format!("{first}{}", text.replace('>', "&gt;"))
}

/// What is wrong with a form and none of its fields, at its top.
pub(super) fn form_fault(words: Option<&'static str>) -> Option<AnyView> {
    words.map(|words| {
        view! { <p class="office-notice" role="alert" data-kind="error" tabindex="-1" autofocus=true>{words}</p> }
            .into_any()
    })
}

/// A moment to the second, because staff compare these with logs. Every page says once which time zone it is.
pub(super) fn time(at: Timestamp) -> AnyView {
    let text = KOREA
        .to_datetime(at)
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string();
    view! { <time class="office-time" datetime=at.to_string()>{text}</time> }.into_any()
}

/// The first moment of a day in Korea, as a date field sends the day.
pub(super) fn start_of_day(day: &str) -> Option<Timestamp> {
    KOREA
        .to_timestamp(day.parse::<Date>().ok()?.at(0, 0, 0, 0))
        .ok()
}

/// The first moment after a day in Korea.
pub(super) fn end_of_day(day: &str) -> Option<Timestamp> {
    let next = day.parse::<Date>().ok()?.tomorrow().ok()?;
    KOREA.to_timestamp(next.at(0, 0, 0, 0)).ok()
}

/// An amount as it was stored, when it is money at all.
pub(super) fn stored_money(
    locale: Locale,
    minor: Option<i64>,
    currency: Option<&str>,
) -> Option<String> {
    let amount = Money::new(minor?, Currency::parse(currency?).ok()?).ok()?;
    Some(money(locale, amount))
}

/// The order's status. The word says it; the colour only helps to find it.
pub(super) fn status_chip(text: &'static Text, status: OrderStatus) -> AnyView {
    view! { <span class="office-chip" data-status=status.as_str()>{(text.status)(status)}</span> }
        .into_any()
}

/// A row of a list of facts.
pub(super) fn fact(label: &'static str, value: impl IntoView) -> AnyView {
    view! {
        <div class="office-fact">
            <dt>{label}</dt>
            <dd>{value}</dd>
        </div>
    }
    .into_any()
}

/// A row that is left out when nothing is known.
pub(super) fn fact_if_known<V: IntoView>(label: &'static str, value: Option<V>) -> Option<AnyView> {
    value.map(|value| fact(label, value))
}

/// Text that others wrote: a gateway, a shop, a browser. Set apart, so that it cannot pass for ours or turn the line around.
pub(super) fn foreign(text: &str) -> AnyView {
    let text = text.to_owned();
    view! { <bdi class="office-foreign">{text}</bdi> }.into_any()
}

/// A way to pay, beside PortOne's word for it.
pub(super) fn method(locale: Locale, word: &str) -> AnyView {
    match (locale.messages().pay_method)(word) {
        Some(name) => {
            let word = word.to_owned();
            view! { {name}" "<code><bdi>{word}</bdi></code> }.into_any()
        }
        None => foreign(word),
    }
}

/// A person's words, or that they were erased.
pub(super) fn written_down(text: &'static Text, note: Option<&str>) -> AnyView {
    match note {
        Some(note) => view! { <p class="office-written">{foreign(note)}</p> }.into_any(),
        None => view! { <p class="office-note">{text.order.erased_note}</p> }.into_any(),
    }
}

/// An identifier, to be selected and copied whole.
pub(super) fn id(text: &str) -> AnyView {
    let text = text.to_owned();
    view! { <code class="office-id"><bdi>{text}</bdi></code> }.into_any()
}

/// A table that scrolls sideways by itself, by keyboard too, where it does not fit.
pub(super) fn table(label: &'static str, columns: &[&'static str], rows: AnyView) -> AnyView {
    let heads = columns
        .iter()
        .map(|column| view! { <th scope="col">{*column}</th> })
        .collect_view();
    view! {
        <div class="office-scroll" role="region" aria-label=label tabindex="0">
            <table class="office-table office-events">
                <thead><tr>{heads}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A button that does something by itself.
pub(super) fn button(action: String, label: &'static str) -> AnyView {
    view! { <form method="post" action=action><button class="button" type="submit">{label}</button></form> }
        .into_any()
}

/// What a form of the pages of people and keys reported, by code.
pub(super) fn reports(request: &Request, text: &'static PeopleText) -> AnyView {
    let done = request.address.parameter("done").and_then(Report::done);
    let error = request.address.parameter("error").and_then(Report::error);
    let done = done.map(|report| {
        view! { <p class="office-notice" role="status" data-kind="done">{(text.report)(report)}</p> }
    });
    let error = error.map(|report| {
        view! { <p class="office-notice" role="alert" data-kind="error">{(text.report)(report)}</p> }
    });
    view! { {done}{error} }.into_any()
}

/// What a page says instead of a list that has nothing in it.
pub(super) fn empty(words: &'static Words) -> AnyView {
    view! {
        <div class="office-empty">
            <p class="office-empty-title">{words.title}</p>
            <p>{words.body}</p>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_and_end_in_korea() {
        assert_eq!(
            start_of_day("2026-11-21").unwrap().to_string(),
            "2026-11-20T15:00:00Z"
        );
        assert_eq!(
            end_of_day("2026-11-21").unwrap().to_string(),
            "2026-11-21T15:00:00Z"
        );
        for text in [
            "",
            "2026-02-30",
            "21.11.2026",
            "9999-12-31T",
            "-009999-01-01x",
        ] {
            assert!(
                start_of_day(text).is_none() && end_of_day(text).is_none(),
                "{text:?} was taken"
            );
        }
        assert!(end_of_day("9999-12-31").is_none(), "there is no day after");
    }

    #[test]
    fn what_was_typed_ends_no_field() {
        assert_eq!(
            written(Some("\r\n</textarea>&lt;script>")),
            "\n\r\n&lt;/textarea&gt;&amp;lt;script&gt;"
        );
        assert_eq!((&*written(Some("전화함")), &*written(None)), ("전화함", ""));
    }

    #[test]
    fn what_is_no_money_is_not_shown_as_money() {
        assert_eq!(
            stored_money(Locale::Ko, Some(64_900), Some("KRW")).as_deref(),
            Some("64,900원")
        );
        assert_eq!(stored_money(Locale::Ko, Some(-1), Some("KRW")), None);
        assert_eq!(stored_money(Locale::Ko, Some(1), Some("XXX")), None);
        assert_eq!(stored_money(Locale::Ko, None, Some("KRW")), None);
    }
}
