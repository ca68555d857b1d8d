//! The pages of the payment window.

use std::fmt::Write;

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;
use url::Url;

use super::back::Return;
use super::choice::{BUTTONS, Group};
use crate::html::{Language, escape, money, page, page_with_script};
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
        name = escape(name),
        total = escape(&total),
        label_order = language.pick("주문번호", "Order"),
        merchant_uid = escape(payment.merchant_uid()),
        label_id = language.pick("거래번호", "Payment"),
        imp_uid = escape(payment.imp_uid()),
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

/// A page that only says something, with a way on where there is one.
fn notice(
    status: StatusCode,
    language: Language,
    title: &str,
    text: &str,
    link: Option<(&Url, &str)>,
) -> Response {
    let link = link.map_or_else(String::new, |(url, text)| {
        format!(
            r#"<p><a class="button" href="{}">{text}</a></p>"#,
            escape(url.as_str())
        )
    });
    let body = format!(r#"<main class="sheet"><h1>{title}</h1><p>{text}</p>{link}</main>"#);
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
        None,
    )
}

pub(crate) fn ended(language: Language, window: &Window) -> Response {
    let link = match window.flow {
        Flow::Redirect => window.location.as_ref(),
        Flow::Frame => None,
    };
    notice(
        StatusCode::CONFLICT,
        language,
        language.pick("이미 끝난 결제창입니다", "This window has ended"),
        language.pick(
            "한 결제창에서는 한 번만 선택할 수 있습니다.",
            "A window takes one choice.",
        ),
        link.map(|url| (url, back_to_shop(language))),
    )
}

pub(crate) fn abandoned(language: Language, window: &Window) -> Response {
    notice(
        StatusCode::OK,
        language,
        language.pick("결제창을 닫았습니다", "The window was closed"),
        language.pick(
            "결제는 ready 상태로 남았고 상점에는 아무것도 전달되지 않았습니다.",
            "The payment stays ready, and the shop was told nothing.",
        ),
        window
            .location
            .as_ref()
            .map(|url| (url, back_to_shop(language))),
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
        None,
    )
}

pub(crate) fn no_redirect_url(language: Language) -> Response {
    notice(
        StatusCode::OK,
        language,
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
