//! The pages of the payment window.

use std::fmt::Write;
use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;
use url::Url;

use super::back::Return;
use super::choice::BUTTONS;
use super::plan::{Leave, Manner, Plan};
use super::sheet::{self, Group, Order};
use crate::gateway::Gateway;
use crate::html::{Language, escape, money, page_with_script};
use crate::journal::JournalEntry;
use crate::ledger::{Flow, Payment, Window};
use crate::record::{self, Record};
use crate::state::Config;
use crate::webhook::WebhookFormat;

/// The window itself.
pub(crate) fn choices(
    language: Language,
    payment: &Payment,
    window: &Window,
    config: &Config,
) -> Response {
    let record = &payment.record;
    let total = total(record);
    let order = Order {
        name: match record::text(record, "name") {
            "" => language.pick("이름 없는 주문", "Unnamed order"),
            name => name,
        },
        ..order(payment, &total)
    };
    let is_test = record.get("sandbox") == Some(&Value::Bool(true));
    let gateway = Gateway::of(record).name;
    sheet::choices(
        language,
        &order,
        &sheet::shop(
            window.redirect_url.as_ref(),
            window.opener_origin.as_deref(),
        ),
        &format!("{gateway}, {}", sheet::channel(language, is_test)),
        |group| buttons(language, group, payment, window, config),
        [
            language.pick("웹훅과 복귀 설정", "Webhook and return"),
            &advanced(language, window.flow, config),
        ],
    )
}

fn total(record: &Record) -> String {
    money(
        record::decimal_of(record, "amount"),
        record::text(record, "currency"),
    )
}

fn order<'a>(payment: &'a Payment, total: &'a str) -> Order<'a> {
    Order {
        name: record::text(&payment.record, "name"),
        total,
        order_id: payment.merchant_uid(),
        payment_id: payment.imp_uid(),
    }
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
    let formats = [
        (WebhookFormat::Json.name(), "JSON"),
        (WebhookFormat::Form.name(), "form"),
    ];
    [
        sheet::webhook_mode(language, config.webhook),
        sheet::select(
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

/// What came of the choice: the record, the browser's way, and every webhook with its answer.
pub(crate) fn outcome(
    status: StatusCode,
    language: Language,
    payment: &Payment,
    window: &Window,
    events: &[JournalEntry],
) -> Response {
    let record = &payment.record;
    let imp_uid = escape(payment.imp_uid());
    let link = format!(r#"<a href="/_sandbox/payments/{imp_uid}">{imp_uid}</a>"#);
    let mut facts = vec![
        ("imp_uid", link),
        ("merchant_uid", escape(payment.merchant_uid())),
        ("status", escape(payment.status())),
        ("amount", escape(&total(record))),
    ];
    let reason = record::text(record, "fail_reason");
    if !reason.is_empty() {
        facts.push(("fail_reason", escape(reason)));
    }
    let number = record::text(record, "vbank_num");
    if !number.is_empty() {
        let account = format!("{} {number}", record::text(record, "vbank_name"));
        facts.push(("vbank_num", escape(&account)));
    }
    let location = match window.flow {
        Flow::Redirect => window.location.as_ref(),
        Flow::Frame => None,
    };
    sheet::outcome(status, language, &facts, events, location)
}

/// A page that only says something about a window that has ended, with ways on.
fn end_notice(
    language: Language,
    payment: &Payment,
    title: &str,
    text: &str,
    location: Option<&Url>,
) -> Response {
    let more = format!(
        r#"{link}<p><a href="/_sandbox/window/{imp_uid}?lang={lang}">{story}</a></p>"#,
        link = sheet::way_back(language, location),
        imp_uid = escape(payment.imp_uid()),
        lang = language.code(),
        story = language.pick("무슨 일이 일어났는지 보기", "See what happened"),
    );
    sheet::notice(StatusCode::OK, language, title, text, &more)
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
        button = sheet::back_to_shop(language),
    );
    page_with_script(
        language,
        language.pick("상점으로 돌아갑니다", "Returning to the shop"),
        r#" data-submit="return""#,
        &body,
    )
}

pub(crate) fn receipt(language: Language, payment: &Payment) -> Response {
    let total = total(&payment.record);
    sheet::receipt(language, &order(payment, &total), payment.status())
}
