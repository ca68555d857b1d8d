//! The pages of the payment window.

use std::fmt::Write;
use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;
use url::Url;

use super::back::Return;
use super::choice::{BUTTONS, Group};
use super::plan::{Leave, Manner, Plan};
use crate::gateway::Gateway;
use crate::html::{Language, escape, money, page, page_with_script};
use crate::journal::{Event, JournalEntry};
use crate::ledger::{Flow, Payment, Window};
use crate::record;
use crate::state::Config;
use crate::webhook::{WebhookFormat, WebhookMode};

/// The window itself.
pub(crate) fn choices(
    language: Language,
    payment: &Payment,
    window: &Window,
    config: &Config,
) -> Response {
    let record = &payment.record;
    let name = match record::text(record, "name") {
        "" => language.pick("이름 없는 주문", "Unnamed order"),
        name => name,
    };
    let gateway = Gateway::of(record);
    let buttons = |group| buttons(language, group, payment, window, config);
    let is_test = record.get("sandbox") == Some(&Value::Bool(true));
    let channel = match is_test {
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
    let total = money(
        record::decimal_of(record, "amount"),
        record::text(record, "currency"),
    );
    let body = format!(
        r#"<main class="sheet">
<header class="order">
<p class="shop">{shop} <a class="language" href="?lang={other}" hreflang="{other}" lang="{other}">{other_name}</a></p>
<h1>{name}</h1>
<p class="amount">{total}</p>
<dl>
<div><dt>{label_order}</dt><dd>{merchant_uid}</dd></div>
<div><dt>{label_id}</dt><dd>{imp_uid}</dd></div>
<div><dt>{label_channel}</dt><dd>{gateway}, {channel}</dd></div>
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
        name = escape(name),
        total = escape(&total),
        label_order = language.pick("주문번호", "Order"),
        merchant_uid = escape(payment.merchant_uid()),
        label_id = language.pick("거래번호", "Payment"),
        imp_uid = escape(payment.imp_uid()),
        label_channel = language.pick("채널", "Channel"),
        gateway = gateway.name,
        lang = language.code(),
        section_main = language.pick("결제", "Payment"),
        main = buttons(Group::Main),
        section_fail = language.pick("결제하지 않기", "Do not pay"),
        fail = buttons(Group::Fail),
        section_odd = language.pick("이상한 결과 만들기", "Make something odd happen"),
        odd = buttons(Group::Odd),
        section_advanced = language.pick("웹훅과 복귀 설정", "Webhook and return"),
        advanced = advanced(language, window.flow, config),
    );
    let title = format!("{} – PortOne sandbox", language.pick("결제", "Payment"));
    page(StatusCode::OK, language, &title, &body)
}

fn buttons(
    language: Language,
    group: Group,
    payment: &Payment,
    window: &Window,
    config: &Config,
) -> String {
    let gateway = Gateway::of(&payment.record);
    let pay_method = record::text(&payment.record, "pay_method");
    let mut html = String::new();
    for button in BUTTONS.iter().filter(|button| button.group == group) {
        let [title, note] = button.texts(language);
        let name = button.choice.name();
        let plan = Plan::of(button.choice, gateway, pay_method, window.flow);
        let _ = write!(
            html,
            r#"<button name="choice" value="{name}" class="{name}"><b>{title}</b> <small>{note}</small> <span class="effect">{effect}</span></button>"#,
            effect = effect(language, &plan, payment, window, config),
        );
    }
    html
}

/// The record, the browser and the webhook after a choice, in a line: `paid · imp_success=true · webhook paid`.
fn effect(
    language: Language,
    plan: &Plan,
    payment: &Payment,
    window: &Window,
    config: &Config,
) -> String {
    let mut status = plan.status().to_owned();
    if let Some(delay) = plan.approved_after {
        let _ = write!(status, " → paid ({})", duration(language, delay));
    }
    let way = match &plan.leave {
        Leave::Return(telling) => {
            let back = Return::told(telling, payment, window, config.error_msg_charset);
            let ids = ["imp_uid", "merchant_uid", "error_msg"];
            let told: Vec<_> = back
                .parameters()
                .into_iter()
                .filter(|(name, _)| !ids.contains(name))
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let told = match (told.is_empty(), telling.has_imp_uid) {
                (false, _) => told.join("&"),
                (true, true) => "imp_uid, merchant_uid".into(),
                (true, false) => "merchant_uid".into(),
            };
            match (telling.manner, window.flow) {
                (_, Flow::Frame) => format!("callback {told}"),
                (Manner::Get, Flow::Redirect) => told,
                (Manner::Post, Flow::Redirect) => format!("POST {told}"),
                (Manner::Twice, Flow::Redirect) => format!("{told} ×2"),
            }
        }
        Leave::Link | Leave::Stay => language.pick("복귀 없음", "no return").into(),
    };
    let webhook = match (plan.webhook(), plan.approved_after) {
        (Some(status), _) => format!("webhook {status}"),
        (None, Some(_)) => language
            .pick("웹훅 paid (승인 후)", "webhook paid (then)")
            .into(),
        (None, None) => language.pick("웹훅 없음", "no webhook").into(),
    };
    [status, way, webhook]
        .map(|text| format!("<code>{}</code>", escape(&text)))
        .join(" · ")
}

fn duration(language: Language, duration: Duration) -> String {
    let (number, unit) = match duration.as_secs() {
        seconds @ 0..60 => (seconds, language.pick("초", " s")),
        seconds => (seconds / 60, language.pick("분", " min")),
    };
    format!("{number}{unit}")
}

fn advanced(language: Language, flow: Flow, config: &Config) -> String {
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
    let formats = [
        (WebhookFormat::Json.name(), "JSON"),
        (WebhookFormat::Form.name(), "form"),
    ];
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
            "webhook_format",
            language.pick("웹훅 형식", "Its format"),
            config.webhook_format.name(),
            &formats,
        ),
        match flow {
            Flow::Redirect => format!(
                r#"<label class="check"><input type="checkbox" name="then" value="show"> {}</label>"#,
                language.pick(
                    "상점으로 돌아가기 전에 결과를 여기서 보기",
                    "Show what happened here before going back to the shop",
                ),
            ),
            // The shop's page closes the frame as soon as it is told.
            Flow::Frame => String::new(),
        },
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

/// A page that only says something.
fn notice(status: StatusCode, language: Language, title: &str, text: &str) -> Response {
    let body = format!(r#"<main class="sheet"><h1>{title}</h1><p>{text}</p></main>"#);
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
    )
}

/// What came of the choice: the record, the browser's way, and every webhook with its answer.
pub(crate) fn outcome(
    status: StatusCode,
    language: Language,
    payment: &Payment,
    window: &Window,
    events: &[JournalEntry],
) -> Response {
    let record = &payment.record;
    let mut steps = String::new();
    for entry in events {
        if let Some((title, text)) = step(language, &entry.event) {
            let _ = write!(
                steps,
                "<li><b>{}</b> <code>{}</code></li>",
                escape(&title),
                escape(&text)
            );
        }
    }
    let link = match (window.flow, &window.location) {
        (Flow::Redirect, Some(url)) => way_back(language, url),
        (Flow::Redirect, None) | (Flow::Frame, _) => String::new(),
    };
    let title = match status {
        StatusCode::CONFLICT => language.pick("이미 끝난 결제창입니다", "This window has ended"),
        _ => language.pick("결제창에서 일어난 일", "What happened"),
    };
    let note = match status {
        StatusCode::CONFLICT => language.pick(
            "한 결제창에서는 한 번만 선택할 수 있습니다.",
            "A window takes one choice.",
        ),
        _ => language.pick(
            "새로고침하면 그 뒤에 일어난 일도 보입니다.",
            "Reload the page to see what has happened since.",
        ),
    };
    let reason = match record::text(record, "fail_reason") {
        "" => String::new(),
        reason => format!(
            "<div><dt>fail_reason</dt><dd>{}</dd></div>\n",
            escape(reason)
        ),
    };
    let account = match record::text(record, "vbank_num") {
        "" => String::new(),
        number => format!(
            "<div><dt>vbank_num</dt><dd>{} {}</dd></div>\n",
            escape(record::text(record, "vbank_name")),
            escape(number)
        ),
    };
    let total = money(
        record::decimal_of(record, "amount"),
        record::text(record, "currency"),
    );
    let body = format!(
        r#"<main class="sheet"><h1>{title}</h1><p>{note}</p>
<dl>
<div><dt>imp_uid</dt><dd><a href="/_sandbox/payments/{imp_uid}">{imp_uid}</a></dd></div>
<div><dt>merchant_uid</dt><dd>{merchant_uid}</dd></div>
<div><dt>status</dt><dd>{payment_status}</dd></div>
<div><dt>amount</dt><dd>{total}</dd></div>
{reason}{account}</dl>
<h2>{section}</h2>
<ol class="steps">{steps}</ol>
{link}
<p><a href="/_sandbox/">PortOne sandbox</a></p></main>"#,
        imp_uid = escape(payment.imp_uid()),
        merchant_uid = escape(payment.merchant_uid()),
        payment_status = escape(payment.status()),
        total = escape(&total),
        section = language.pick("무엇이 어디로 보내졌나", "What was sent where"),
    );
    page(status, language, title, &body)
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

fn way_back(language: Language, url: &Url) -> String {
    format!(
        r#"<p><a class="button" href="{}">{}</a></p>"#,
        escape(url.as_str()),
        back_to_shop(language)
    )
}

/// A page that only says something about a window that has ended, with ways on.
fn end_notice(
    language: Language,
    payment: &Payment,
    title: &str,
    text: &str,
    location: Option<&Url>,
) -> Response {
    let link = location.map_or_else(String::new, |url| way_back(language, url));
    let body = format!(
        r#"<main class="sheet"><h1>{title}</h1><p>{text}</p>{link}<p><a href="/_sandbox/window/{imp_uid}?lang={lang}">{story}</a></p></main>"#,
        imp_uid = escape(payment.imp_uid()),
        lang = language.code(),
        story = language.pick("무슨 일이 일어났는지 보기", "See what happened"),
    );
    page(StatusCode::OK, language, title, &body)
}

pub(crate) fn abandoned(language: Language, payment: &Payment, window: &Window) -> Response {
    end_notice(
        language,
        payment,
        language.pick("결제창을 닫았습니다", "The window was closed"),
        language.pick(
            "결제는 ready 상태로 남았고 상점에는 아무것도 전달되지 않았습니다.",
            "The payment stays ready, and the shop was told nothing.",
        ),
        window.location.as_ref(),
    )
}

pub(crate) fn stay(language: Language, payment: &Payment) -> Response {
    end_notice(
        language,
        payment,
        match payment.status() {
            "paid" => language.pick("결제되었습니다", "Paid"),
            _ => language.pick("상점으로 돌아가지 않습니다", "No return to the shop"),
        },
        language.pick(
            "선택은 처리되었지만 상점으로 돌아가지 않습니다. 이 창을 닫으세요.",
            "It is done, but the browser is not sent back. Close this page.",
        ),
        None,
    )
}

pub(crate) fn no_redirect_url(language: Language, payment: &Payment) -> Response {
    end_notice(
        language,
        payment,
        language.pick("돌아갈 곳이 없습니다", "Nowhere to return to"),
        language.pick(
            "결제 요청에 m_redirect_url이 없어 결과를 상점에 전달할 수 없습니다.",
            "The request named no m_redirect_url, so the shop's page is not told the result.",
        ),
        None,
    )
}

fn back_to_shop(language: Language) -> &'static str {
    language.pick("상점으로 돌아가기", "Back to the shop")
}

/// Returns by POST: at once with JavaScript, at a click without.
pub(crate) fn post_form(language: Language, url: &Url, back: &Return) -> Response {
    let mut fields = String::new();
    for (name, value) in back.parameters() {
        let _ = write!(
            fields,
            r#"<input type="hidden" name="{name}" value="{}">"#,
            escape(value)
        );
    }
    let body = format!(
        r#"<main class="sheet"><h1>{title}</h1><form id="return" method="post" action="{url}">{fields}<button class="pay"><b>{button}</b></button></form></main>"#,
        title = language.pick("상점으로 돌아갑니다", "Returning to the shop"),
        url = escape(url.as_str()),
        button = back_to_shop(language),
    );
    page_with_script(
        language,
        language.pick("상점으로 돌아갑니다", "Returning to the shop"),
        r#" data-submit="return""#,
        &body,
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

pub(crate) fn receipt(language: Language, payment: &Payment) -> Response {
    let record = &payment.record;
    let total = money(
        record::decimal_of(record, "amount"),
        record::text(record, "currency"),
    );
    let title = language.pick("매출전표 (연습용)", "Receipt (sandbox)");
    let body = format!(
        r#"<main class="sheet"><h1>{title}</h1><p class="amount">{total}</p>
<dl>
<div><dt>{label_name}</dt><dd>{name}</dd></div>
<div><dt>{label_order}</dt><dd>{merchant_uid}</dd></div>
<div><dt>{label_id}</dt><dd>{imp_uid}</dd></div>
<div><dt>{label_status}</dt><dd>{status}</dd></div>
</dl></main>"#,
        total = escape(&total),
        label_name = language.pick("주문", "Order name"),
        name = escape(record::text(record, "name")),
        label_order = language.pick("주문번호", "Order"),
        merchant_uid = escape(payment.merchant_uid()),
        label_id = language.pick("거래번호", "Payment"),
        imp_uid = escape(payment.imp_uid()),
        label_status = language.pick("상태", "Status"),
        status = escape(payment.status()),
    );
    page(StatusCode::OK, language, title, &body)
}
