//! The pages of the V2 payment window.

use std::fmt::Write;

use axum::response::Response;
use http::StatusCode;
use iso_currency::Currency;
use rust_decimal::Decimal;
use serde_json::Value;
use url::Url;

use super::choice::{BUTTONS, Group};
use crate::html::{Language, escape, money, page, page_with_script};
use crate::journal::JournalEntry;
use crate::state::Config;
use crate::v2::ledger::{Attempt, Flow, Stage, Window};
use crate::v2::record::{self, Record};
use crate::v2::webhook::WebhookVersion;
use crate::webhook::WebhookMode;
use crate::window::step;

/// The total in the currency's major unit, as people write it.
pub(crate) fn total(record: &Record) -> String {
    let currency = record::text(record, "currency");
    let decimals = Currency::from_code(currency)
        .and_then(|currency| currency.exponent())
        .unwrap_or(0);
    let amount = Decimal::new(record::amount_of(record, "total"), u32::from(decimals));
    money(Some(amount), currency)
}

/// The window itself.
pub(crate) fn choices(
    language: Language,
    attempt: &Attempt,
    window: &Window,
    config: &Config,
) -> Response {
    let record = &attempt.record;
    let channel = match record::is_test(record) {
        true => language.pick("테스트 채널", "test channel"),
        false => language.pick("실연동 채널", "live channel"),
    };
    let shop = window
        .redirect_url
        .as_ref()
        .map(|url| url.origin().ascii_serialization())
        .or_else(|| window.opener_origin.clone())
        .unwrap_or_else(|| "–".into());
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
<div><dt>{label_order}</dt><dd>{payment_id}</dd></div>
<div><dt>{label_id}</dt><dd>{transaction_id}</dd></div>
<div><dt>{label_channel}</dt><dd>{channel}</dd></div>
</dl>
</header>
<form method="post" action="?lang={lang}">
<section aria-label="{section_main}">{main}</section>
<section><h2>{section_fail}</h2><div class="choices">{fail}</div></section>
<details class="odd"><summary>{section_odd}</summary><div class="choices">{odd}</div></details>
<details class="advanced"><summary>{section_advanced}</summary>{advanced}</details>
</form>
</main>"#,
        shop = escape(&shop),
        other = other.code(),
        other_name = other.pick("한국어", "English"),
        name = escape(record::text(record, "orderName")),
        total = escape(&total(record)),
        label_order = language.pick("주문번호", "Order"),
        payment_id = escape(attempt.payment_id()),
        label_id = language.pick("거래번호", "Payment"),
        transaction_id = escape(attempt.transaction_id()),
        label_channel = language.pick("채널", "Channel"),
        lang = language.code(),
        section_main = language.pick("결제", "Payment"),
        main = buttons(language, Group::Main),
        section_fail = language.pick("결제하지 않기", "Do not pay"),
        fail = buttons(language, Group::Fail),
        section_odd = language.pick("이상한 결과 만들기", "Make something odd happen"),
        odd = buttons(language, Group::Odd),
        section_advanced = language.pick("웹훅 설정", "Webhook"),
        advanced = advanced(language, config),
    );
    let title = format!("{} – PortOne sandbox", language.pick("결제", "Payment"));
    page(StatusCode::OK, language, &title, &body)
}

fn buttons(language: Language, group: Group) -> String {
    let mut html = String::new();
    for button in BUTTONS.iter().filter(|button| button.group == group) {
        let [title, note] = button.texts(language);
        let name = button.choice.name();
        let _ = write!(
            html,
            r#"<button name="choice" value="{name}" class="{name}"><b>{title}</b> <small>{note}</small></button>"#,
        );
    }
    html
}

fn advanced(language: Language, config: &Config) -> String {
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
    let versions = WebhookVersion::ALL.map(|version| (version.name(), version.name()));
    [
        select(
            language,
            "webhook",
            language.pick("웹훅을 보내는 때", "When it is sent"),
            config.webhook.name(),
            &modes,
        ),
        select(
            language,
            "webhook_version",
            language.pick("웹훅 버전", "Its version"),
            config.v2.webhook_version.name(),
            &versions,
        ),
    ]
    .concat()
}

fn select(
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

/// A page that only says something, with more HTML and a way on where there is one.
fn notice(
    status: StatusCode,
    language: Language,
    title: &str,
    text: &str,
    more: &str,
    link: Option<&Url>,
) -> Response {
    let link = link.map_or_else(String::new, |url| {
        format!(
            r#"<p><a class="button" href="{}">{}</a></p>"#,
            escape(url.as_str()),
            language.pick("상점으로 돌아가기", "Back to the shop"),
        )
    });
    let body = format!(r#"<main class="sheet"><h1>{title}</h1><p>{text}</p>{more}{link}</main>"#);
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
        None,
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
        None,
    )
}

/// What became of an attempt whose window has ended: its record, and what was sent where. The status says whether that
/// was asked for (200) or came of a second choice (409).
pub(crate) fn outcome(
    status: StatusCode,
    language: Language,
    attempt: &Attempt,
    window: &Window,
    events: &[JournalEntry],
) -> Response {
    let location = match &window.stage {
        Stage::Ended {
            location: Some(location),
        } if window.flow == Flow::Redirect => Some(location),
        Stage::Open | Stage::Confirming | Stage::Ended { .. } => None,
    };
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
    let story = story(language, attempt, events);
    notice(status, language, title, text, &story, location)
}

fn story(language: Language, attempt: &Attempt, events: &[JournalEntry]) -> String {
    let mut html = format!(
        r#"<dl>
<div><dt>paymentId</dt><dd>{payment_id}</dd></div>
<div><dt>transactionId</dt><dd><a href="/_sandbox/v2/payments/{transaction_id}">{transaction_id}</a></dd></div>
<div><dt>status</dt><dd>{status}</dd></div>
<div><dt>amount</dt><dd>{total}</dd></div>
"#,
        payment_id = escape(attempt.payment_id()),
        transaction_id = escape(attempt.transaction_id()),
        status = escape(attempt.status()),
        total = escape(&total(&attempt.record)),
    );
    let nested = |object: &str, field: &str| {
        let text = attempt.record.get(object)?.get(field)?.as_str()?;
        Some(escape(text))
    };
    if let Some(reason) = nested("failure", "reason") {
        let _ = writeln!(html, "<div><dt>failure</dt><dd>{reason}</dd></div>");
    }
    if let Some(number) = nested("method", "accountNumber") {
        let bank = nested("method", "bank").unwrap_or_default();
        let _ = writeln!(
            html,
            "<div><dt>accountNumber</dt><dd>{bank} {number}</dd></div>"
        );
    }
    let _ = write!(
        html,
        r#"</dl><h2>{}</h2><ol class="steps">"#,
        language.pick("무엇이 어디로 보내졌나", "What was sent where"),
    );
    for (title, text) in events
        .iter()
        .filter_map(|entry| step(language, &entry.event))
    {
        let _ = write!(
            html,
            "<li><b>{}</b> <code>{}</code></li>",
            escape(&title),
            escape(&text)
        );
    }
    html + "</ol>"
}

pub(crate) fn abandoned(language: Language, link: Option<&Url>) -> Response {
    notice(
        StatusCode::OK,
        language,
        language.pick("결제창을 닫았습니다", "The window was closed"),
        language.pick(
            "결제는 READY 상태로 남았고 상점에는 아무것도 전달되지 않았습니다.",
            "The payment stays READY, and the shop was told nothing.",
        ),
        "",
        link,
    )
}

pub(crate) fn stay(language: Language) -> Response {
    notice(
        StatusCode::OK,
        language,
        language.pick("결제되었습니다", "Paid"),
        language.pick(
            "결제는 승인되었지만 상점으로 돌아가지 않습니다. 이 창을 닫으세요.",
            "Approved, but the browser is not sent back. Close this page.",
        ),
        "",
        None,
    )
}

/// Tells the page that opened the frame. A `null` result only closes the frame.
pub(crate) fn message(language: Language, window: &Window, result: &Value) -> Response {
    let attributes = format!(
        r#" data-result="{}" data-target="{}""#,
        escape(&result.to_string()),
        // A page without an origin of its own (a file) cannot be named; the result holds nothing secret.
        escape(window.opener_origin.as_deref().unwrap_or("*")),
    );
    let title = language.pick("상점에 알렸습니다", "The shop was told");
    let body = format!(
        r#"<main class="sheet"><h1>{title}</h1><p>{}</p></main>"#,
        language.pick("이 창은 곧 닫힙니다.", "This window closes by itself.")
    );
    page_with_script(language, title, &attributes, &body)
}

pub(crate) fn receipt(language: Language, attempt: &Attempt) -> Response {
    let record = &attempt.record;
    let title = language.pick("매출전표 (연습용)", "Receipt (sandbox)");
    let body = format!(
        r#"<main class="sheet"><h1>{title}</h1><p class="amount">{total}</p>
<dl>
<div><dt>{label_name}</dt><dd>{name}</dd></div>
<div><dt>{label_order}</dt><dd>{payment_id}</dd></div>
<div><dt>{label_id}</dt><dd>{transaction_id}</dd></div>
<div><dt>{label_status}</dt><dd>{status}</dd></div>
</dl></main>"#,
        total = escape(&total(record)),
        label_name = language.pick("주문", "Order name"),
        name = escape(record::text(record, "orderName")),
        label_order = language.pick("주문번호", "Order"),
        payment_id = escape(attempt.payment_id()),
        label_id = language.pick("거래번호", "Payment"),
        transaction_id = escape(attempt.transaction_id()),
        label_status = language.pick("상태", "Status"),
        status = escape(attempt.status()),
    );
    page(StatusCode::OK, language, title, &body)
}
