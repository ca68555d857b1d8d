//! The pages of the V2 payment window.

use std::fmt::Write;

use axum::response::Response;
use http::StatusCode;
use iso_currency::Currency;
use rust_decimal::Decimal;
use url::Url;

use super::choice::BUTTONS;
use crate::html::{Language, escape, money};
use crate::journal::JournalEntry;
use crate::state::Config;
use crate::v2::ledger::{Attempt, Flow, Stage, Window};
use crate::v2::record::{self, Record};
use crate::v2::webhook::WebhookVersion;
use crate::window::sheet::{self, Group, Order};

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
    let total = total(record);
    sheet::choices(
        language,
        &order(attempt, &total),
        &sheet::shop(
            window.redirect_url.as_ref(),
            window.opener_origin.as_deref(),
        ),
        sheet::channel(language, record::is_test(record)),
        |group| buttons(language, group),
        [
            language.pick("웹훅 설정", "Webhook"),
            &advanced(language, config),
        ],
    )
}

fn order<'a>(attempt: &'a Attempt, total: &'a str) -> Order<'a> {
    Order {
        name: record::text(&attempt.record, "orderName"),
        total,
        order_id: attempt.payment_id(),
        payment_id: attempt.transaction_id(),
    }
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
    let versions = WebhookVersion::ALL.map(|version| (version.name(), version.name()));
    [
        sheet::webhook_mode(language, config.webhook),
        sheet::select(
            language,
            "webhook_version",
            language.pick("웹훅 버전", "Its version"),
            config.v2.webhook_version.name(),
            &versions,
        ),
    ]
    .concat()
}

/// What became of an attempt whose window has ended.
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
    let id = escape(attempt.transaction_id());
    let link = format!(r#"<a href="/_sandbox/v2/payments/{id}">{id}</a>"#);
    let mut facts = vec![
        ("paymentId", escape(attempt.payment_id())),
        ("transactionId", link),
        ("status", escape(attempt.status())),
        ("amount", escape(&total(&attempt.record))),
    ];
    let nested = |object: &str, field: &str| {
        let text = attempt.record.get(object)?.get(field)?.as_str()?;
        Some(escape(text))
    };
    if let Some(reason) = nested("failure", "reason") {
        facts.push(("failure", reason));
    }
    if let Some(number) = nested("method", "accountNumber") {
        let bank = nested("method", "bank").unwrap_or_default();
        facts.push(("accountNumber", format!("{bank} {number}")));
    }
    sheet::outcome(status, language, &facts, events, location)
}

pub(crate) fn abandoned(language: Language, link: Option<&Url>) -> Response {
    sheet::notice(
        StatusCode::OK,
        language,
        language.pick("결제창을 닫았습니다", "The window was closed"),
        language.pick(
            "결제는 READY 상태로 남았고 상점에는 아무것도 전달되지 않았습니다.",
            "The payment stays READY, and the shop was told nothing.",
        ),
        &sheet::way_back(language, link),
    )
}

pub(crate) fn stay(language: Language) -> Response {
    sheet::notice(
        StatusCode::OK,
        language,
        language.pick("결제되었습니다", "Paid"),
        language.pick(
            "결제는 승인되었지만 상점으로 돌아가지 않습니다. 이 창을 닫으세요.",
            "Approved, but the browser is not sent back. Close this page.",
        ),
        "",
    )
}

pub(crate) fn receipt(language: Language, attempt: &Attempt) -> Response {
    let total = total(&attempt.record);
    sheet::receipt(language, &order(attempt, &total), attempt.status())
}
