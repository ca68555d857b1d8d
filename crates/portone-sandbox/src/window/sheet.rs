//! What the payment windows of V1 and V2 have in common: the page of buttons, its settings, and the story afterwards.

use std::fmt::Write;

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;
use url::Url;

use crate::html::{Language, escape, page, page_with_script};
use crate::journal::{Event, JournalEntry};
use crate::webhook::WebhookMode;

/// Where a button stands in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Main,
    Fail,
    /// Returns and records that are not what they should be.
    Odd,
}

/// A button for one of a window's choices.
pub(crate) struct Button<C> {
    pub(crate) choice: C,
    pub(crate) group: Group,
    korean: [&'static str; 2],
    english: [&'static str; 2],
}

/// A button with its title and one sentence of what it will do, in both languages.
pub(crate) const fn button<C: Copy>(
    choice: C,
    group: Group,
    korean: [&'static str; 2],
    english: [&'static str; 2],
) -> Button<C> {
    Button {
        choice,
        group,
        korean,
        english,
    }
}

impl<C> Button<C> {
    pub(crate) fn texts(&self, language: Language) -> [&'static str; 2] {
        match language {
            Language::Korean => self.korean,
            Language::English => self.english,
        }
    }
}

/// The order as the window shows it. All of it is text, escaped here.
pub(crate) struct Order<'a> {
    pub(crate) name: &'a str,
    /// With its currency.
    pub(crate) total: &'a str,
    /// The shop's id.
    pub(crate) order_id: &'a str,
    /// PortOne's id.
    pub(crate) payment_id: &'a str,
}

/// Who asks for the money: where the browser goes back to, or else the page that opened the frame.
pub(crate) fn shop(redirect_url: Option<&Url>, opener_origin: Option<&str>) -> String {
    redirect_url
        .map(|url| url.origin().ascii_serialization())
        .or_else(|| opener_origin.map(str::to_owned))
        .unwrap_or_else(|| "–".into())
}

pub(crate) fn channel(language: Language, is_test: bool) -> &'static str {
    match is_test {
        true => language.pick("테스트 채널", "test channel"),
        false => language.pick("실연동 채널", "live channel"),
    }
}

/// The window itself. `buttons` and `settings` are HTML.
pub(crate) fn choices(
    language: Language,
    order: &Order<'_>,
    shop: &str,
    channel: &str,
    buttons: impl Fn(Group) -> String,
    [settings_title, settings]: [&str; 2],
) -> Response {
    let other = match language {
        Language::Korean => Language::English,
        Language::English => Language::Korean,
    };
    let body = format!(
        r#"<main class="sheet">
<header class="order">
<p class="shop">{shop} <a class="language" href="?lang={other}" hreflang="{other}" lang="{other}">{other_name}</a></p>
<h1>{name}</h1>
<p class="amount">{total}</p>
<dl>
<div><dt>{label_order}</dt><dd>{order_id}</dd></div>
<div><dt>{label_id}</dt><dd>{payment_id}</dd></div>
<div><dt>{label_channel}</dt><dd>{channel}</dd></div>
</dl>
</header>
<form method="post" action="?lang={lang}">
<section aria-label="{section_main}">{main}</section>
<section><h2>{section_fail}</h2><div class="choices">{fail}</div></section>
<details class="odd"><summary>{section_odd}</summary><div class="choices">{odd}</div></details>
<details class="advanced"><summary>{settings_title}</summary>{settings}</details>
</form>
</main>"#,
        shop = escape(shop),
        other = other.code(),
        other_name = other.pick("한국어", "English"),
        name = escape(order.name),
        total = escape(order.total),
        label_order = language.pick("주문번호", "Order"),
        order_id = escape(order.order_id),
        label_id = language.pick("거래번호", "Payment"),
        payment_id = escape(order.payment_id),
        label_channel = language.pick("채널", "Channel"),
        channel = escape(channel),
        lang = language.code(),
        section_main = language.pick("결제", "Payment"),
        main = buttons(Group::Main),
        section_fail = language.pick("결제하지 않기", "Do not pay"),
        fail = buttons(Group::Fail),
        section_odd = language.pick("이상한 결과 만들기", "Make something odd happen"),
        odd = buttons(Group::Odd),
    );
    let title = format!("{} – PortOne sandbox", language.pick("결제", "Payment"));
    page(StatusCode::OK, language, &title, &body)
}

/// When the webhook of this one payment is sent.
pub(crate) fn webhook_mode(language: Language, configured: WebhookMode) -> String {
    let modes = [
        (
            WebhookMode::Before,
            language.pick(
                "복귀 전에 (응답까지 기다림)",
                "before the return, answer awaited",
            ),
        ),
        (
            WebhookMode::After,
            language.pick("복귀 후에", "after the return"),
        ),
        (
            WebhookMode::Twice,
            language.pick("복귀 후 두 번", "after the return, twice"),
        ),
        (WebhookMode::Never, language.pick("보내지 않음", "never")),
    ]
    .map(|(mode, text)| (mode.name(), text));
    let label = language.pick("웹훅을 보내는 때", "When it is sent");
    select(language, "webhook", label, configured.name(), &modes)
}

pub(crate) fn select(
    language: Language,
    name: &str,
    label: &str,
    configured: &str,
    options: &[(&str, &str)],
) -> String {
    let mut html = format!(
        r#"<label>{label} <select name="{name}"><option value="">{} ({configured})</option>"#,
        language.pick("설정대로", "as configured"),
    );
    for (value, text) in options {
        let _ = write!(html, r#"<option value="{value}">{text}</option>"#);
    }
    html + "</select></label>"
}

/// A page that says something, and `more` HTML.
pub(crate) fn notice(
    status: StatusCode,
    language: Language,
    title: &str,
    text: &str,
    more: &str,
) -> Response {
    let body = format!(r#"<main class="sheet"><h1>{title}</h1><p>{text}</p>{more}</main>"#);
    page(status, language, title, &body)
}

pub(crate) fn unknown(language: Language) -> Response {
    notice(
        StatusCode::NOT_FOUND,
        language,
        language.pick("결제창이 없습니다", "No such payment window"),
        language.pick(
            "이 번호로 열린 결제창이 없습니다. 샌드박스가 초기화되었을 수 있습니다.",
            "No window was opened under this number. The sandbox may have been reset.",
        ),
        "",
    )
}

pub(crate) fn invalid(language: Language) -> Response {
    notice(
        StatusCode::BAD_REQUEST,
        language,
        language.pick("알 수 없는 선택입니다", "Unknown choice"),
        language.pick(
            "결제창에 없는 선택이 전송되었습니다.",
            "The window offers no such choice.",
        ),
        "",
    )
}

/// What came of the choice: `facts` of the record (names and HTML), the browser's way, and every webhook with its answer.
/// The status says whether that was asked for (200) or came of a second choice (409).
pub(crate) fn outcome(
    status: StatusCode,
    language: Language,
    facts: &[(&str, String)],
    events: &[JournalEntry],
    link: Option<&Url>,
) -> Response {
    let (title, text) = match status {
        StatusCode::CONFLICT => (
            language.pick("이미 끝난 결제창입니다", "This window has ended"),
            language.pick(
                "한 결제창에서는 한 번만 선택할 수 있습니다.",
                "A window takes one choice.",
            ),
        ),
        _ => (
            language.pick("결제창에서 일어난 일", "What happened"),
            language.pick(
                "새로고침하면 그 뒤에 일어난 일도 보입니다.",
                "Reload the page to see what has happened since.",
            ),
        ),
    };
    let mut story = String::from("<dl>");
    for (name, html) in facts {
        let _ = write!(story, "<div><dt>{name}</dt><dd>{html}</dd></div>");
    }
    let _ = write!(
        story,
        r#"</dl><h2>{}</h2><ol class="steps">"#,
        language.pick("무엇이 어디로 보내졌나", "What was sent where"),
    );
    let steps = events.iter().map(|entry| step(language, &entry.event));
    for (title, text) in steps.flatten() {
        let _ = write!(
            story,
            "<li><b>{}</b> <code>{}</code></li>",
            escape(&title),
            escape(&text)
        );
    }
    let _ = write!(
        story,
        r#"</ol>{}<p><a href="/_sandbox/">PortOne sandbox</a></p>"#,
        way_back(language, link),
    );
    notice(status, language, title, text, &story)
}

/// One line of the story; none for what a buyer's choice did not cause.
pub(crate) fn step(language: Language, event: &Event) -> Option<(String, String)> {
    let answered = |answer: Option<u16>, error: Option<&str>| match (answer, error) {
        (Some(status), _) => format!("HTTP {status}"),
        (None, Some(error)) => error.to_owned(),
        (None, None) => language
            .pick("응답 기다리는 중", "waiting for the answer")
            .into(),
    };
    Some(match event {
        Event::Api { .. } => return None,
        Event::Checkout { merchant_uid, .. } => (
            language.pick("결제창 열림", "Window opened").into(),
            merchant_uid.clone().unwrap_or_default(),
        ),
        Event::V2Checkout { payment_id, .. } => (
            language.pick("결제창 열림", "Window opened").into(),
            payment_id.clone().unwrap_or_default(),
        ),
        Event::Choice { choice, .. } | Event::V2Choice { choice, .. } => {
            (language.pick("선택", "Choice").into(), (*choice).to_owned())
        }
        Event::Confirm {
            url, answer, error, ..
        }
        | Event::V2Confirm {
            url, answer, error, ..
        } => (
            language.pick("승인 전 확인", "Confirm process").into(),
            format!("POST {url} → {}", answered(*answer, *error)),
        ),
        Event::Redirect {
            location, method, ..
        }
        | Event::V2Redirect {
            location, method, ..
        } => (
            language.pick("상점으로 복귀", "Back to the shop").into(),
            format!("{method} {location}"),
        ),
        Event::Webhook {
            status,
            url,
            format,
            attempt,
            answer,
            error,
            ..
        } => {
            let title = match attempt {
                1 => format!("{} {status}", language.pick("웹훅", "Webhook")),
                attempt => format!(
                    "{} {status} ({attempt})",
                    language.pick("웹훅 재전송", "Webhook resent")
                ),
            };
            (
                title,
                format!("POST {url} {format} → {}", answered(*answer, *error)),
            )
        }
        Event::V2Webhook {
            event,
            version,
            url,
            execution,
            answer,
            error,
            ..
        } => (
            format!("{} {event} ({execution})", language.pick("웹훅", "Webhook")),
            format!("POST {url} {version} → {}", answered(*answer, *error)),
        ),
    })
}

pub(crate) fn back_to_shop(language: Language) -> &'static str {
    language.pick("상점으로 돌아가기", "Back to the shop")
}

/// A link to the shop, if there is an address to go to.
pub(crate) fn way_back(language: Language, url: Option<&Url>) -> String {
    url.map_or_else(String::new, |url| {
        format!(
            r#"<p><a class="button" href="{}">{}</a></p>"#,
            escape(url.as_str()),
            back_to_shop(language)
        )
    })
}

/// Tells the page that opened the frame. A `null` result only closes the frame.
pub(crate) fn message(language: Language, opener_origin: Option<&str>, result: &Value) -> Response {
    let attributes = format!(
        r#" data-result="{}" data-target="{}""#,
        escape(&result.to_string()),
        // A page without an origin of its own (a file) cannot be named; the result holds nothing secret.
        escape(opener_origin.unwrap_or("*")),
    );
    let title = language.pick("상점에 알렸습니다", "The shop was told");
    let body = format!(
        r#"<main class="sheet"><h1>{title}</h1><p>{}</p></main>"#,
        language.pick("이 창은 곧 닫힙니다.", "This window closes by itself.")
    );
    page_with_script(language, title, &attributes, &body)
}

pub(crate) fn receipt(language: Language, order: &Order<'_>, status: &str) -> Response {
    let title = language.pick("매출전표 (연습용)", "Receipt (sandbox)");
    let body = format!(
        r#"<main class="sheet"><h1>{title}</h1><p class="amount">{total}</p>
<dl>
<div><dt>{label_name}</dt><dd>{name}</dd></div>
<div><dt>{label_order}</dt><dd>{order_id}</dd></div>
<div><dt>{label_id}</dt><dd>{payment_id}</dd></div>
<div><dt>{label_status}</dt><dd>{status}</dd></div>
</dl></main>"#,
        total = escape(order.total),
        label_name = language.pick("주문", "Order name"),
        name = escape(order.name),
        label_order = language.pick("주문번호", "Order"),
        order_id = escape(order.order_id),
        label_id = language.pick("거래번호", "Payment"),
        payment_id = escape(order.payment_id),
        label_status = language.pick("상태", "Status"),
        status = escape(status),
    );
    page(StatusCode::OK, language, title, &body)
}
