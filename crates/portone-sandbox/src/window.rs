//! The payment window: what a buyer sees, the choice made there, and how the browser goes back to the shop.
//!
//! It works without JavaScript in the redirect flow: each choice is a submit button, the answer is a redirect. In the
//! frame flow the answer is a page that tells the shop's page, and only that one, by `postMessage`.

mod back;
mod choice;
mod page;

pub(crate) use back::Return;

use std::time::Duration;

use axum::Json;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::html::Language;
use crate::journal::Event;
use crate::ledger::{Flow, Payment, Window};
use crate::record;
use crate::state::{App, State as SandboxState};
use crate::webhook::{self, Delivery, WebhookFormat, WebhookMode};
use back::Leave;
use choice::Choice;

/// How long the API does not know of a payment that was made with `pay_lag`.
const LAG: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(crate) struct ShowQuery {
    lang: Option<String>,
}

/// `GET /_sandbox/window/{imp_uid}`
pub(crate) async fn show(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Response {
    let payment = app.state().ledger.find(&imp_uid).cloned();
    let asked = query.lang.as_deref().and_then(Language::parse);
    match payment
        .as_ref()
        .and_then(|payment| Some((payment, payment.window.as_ref()?)))
    {
        None => page::unknown(asked.unwrap_or_default()),
        Some((payment, window)) => {
            let language = asked.unwrap_or_else(|| window_language(window));
            match window.ended {
                true => page::ended(language, window),
                false => page::choices(language, payment, window, &app.state().config),
            }
        }
    }
}

fn window_language(window: &Window) -> Language {
    match window.english {
        true => Language::English,
        false => Language::Korean,
    }
}

/// The form of the window. An empty text means what is configured.
#[derive(Deserialize)]
pub(crate) struct ChoiceForm {
    choice: String,
    #[serde(default)]
    webhook: String,
    #[serde(default)]
    webhook_format: String,
}

/// `POST /_sandbox/window/{imp_uid}`
pub(crate) async fn choose(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    Query(query): Query<ShowQuery>,
    headers: HeaderMap,
    Form(form): Form<ChoiceForm>,
) -> Response {
    let asked = query.lang.as_deref().and_then(Language::parse);
    let Some(choice) = Choice::parse(&form.choice) else {
        return page::invalid(asked.unwrap_or_default());
    };
    let (Some(mode), Some(format)) = (
        optional(&form.webhook, WebhookMode::parse),
        optional(&form.webhook_format, WebhookFormat::parse),
    ) else {
        return page::invalid(asked.unwrap_or_default());
    };

    let ended = match end(&app, &imp_uid, choice, format) {
        Ok(ended) => ended,
        Err(EndError::Unknown) => return page::unknown(asked.unwrap_or_default()),
        Err(EndError::Ended(window)) => {
            let language = asked.unwrap_or_else(|| window_language(&window));
            return page::ended(language, &window);
        }
    };
    app.notify();

    let mode = mode.unwrap_or(ended.mode);
    if mode == WebhookMode::Before {
        webhook::wait(webhook::start(&app, ended.deliveries.clone())).await;
    }
    let wants_json = headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept == "application/json");
    let language = asked.unwrap_or_else(|| window_language(&ended.window));
    let response = send_back(&app, &ended, language, wants_json);
    match mode {
        WebhookMode::Before | WebhookMode::Never => {}
        WebhookMode::After => webhook::start_after_redirect(&app, ended.deliveries),
        WebhookMode::Twice => {
            let twice = [ended.deliveries.clone(), ended.deliveries].concat();
            webhook::start_after_redirect(&app, twice);
        }
    }
    response
}

/// `Some(None)` for an empty text, `None` for one that means nothing.
fn optional<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        "" => Some(None),
        text => parse(text).map(Some),
    }
}

/// What a choice led to.
struct Ended {
    payment: Payment,
    window: Window,
    leave: Leave,
    mode: WebhookMode,
    deliveries: Vec<Delivery>,
}

enum EndError {
    Unknown,
    Ended(Box<Window>),
}

/// Ends the window, in one step: two clicks at the same time have one effect.
fn end(
    app: &App,
    imp_uid: &str,
    choice: Choice,
    format: Option<WebhookFormat>,
) -> Result<Ended, EndError> {
    let now_ms = app.clock.now_ms();
    let mut state = app.state();
    let window = state
        .ledger
        .find(imp_uid)
        .and_then(|payment| payment.window.clone())
        .ok_or(EndError::Unknown)?;
    if window.ended {
        return Err(EndError::Ended(Box::new(window)));
    }
    state.journal.push(
        now_ms,
        Event::Choice {
            imp_uid: imp_uid.into(),
            choice: choice.name(),
        },
    );
    let SandboxState {
        ledger, details, ..
    } = &mut *state;
    let (payment, leave) = ledger
        .change(imp_uid, |payment| {
            apply(payment, choice, &window, now_ms, &app.base, details);
            let leave = Leave::after(choice, payment);
            if let Some(window) = &mut payment.window {
                window.ended = true;
                window.location = match (&leave, &window.redirect_url) {
                    (Leave::Redirect(back) | Leave::Post(back) | Leave::Link(back), Some(url)) => {
                        Some(back.location(url))
                    }
                    (Leave::Stay, _) | (_, None) => None,
                };
            }
            (payment.clone(), leave)
        })
        .ok_or(EndError::Unknown)?;
    let deliveries = match payment.status() {
        "paid" => state.webhooks(&payment, "paid", None, format),
        "ready" if record::has_vbank(&payment.record) => {
            state.webhooks(&payment, "ready", None, format)
        }
        _ => Vec::new(),
    };
    Ok(Ended {
        window: payment.window.clone().unwrap_or(window),
        payment,
        leave,
        mode: state.config.webhook,
        deliveries,
    })
}

/// The choice's effect on the record.
fn apply(
    payment: &mut Payment,
    choice: Choice,
    window: &Window,
    now_ms: i64,
    base: &Url,
    details: &mut crate::rng::Rng,
) {
    let now = now_ms / 1000;
    if choice.is_paid() {
        // Whoever opens a window for a virtual account and then pays at once has paid by card.
        if record::text(&payment.record, "pay_method") == "vbank" {
            payment.record.insert("pay_method".into(), json!("card"));
        }
        record::approve(&mut payment.record, now, base, details);
    }
    if let Some(refusal) = choice.refusal() {
        record::fail(&mut payment.record, now, refusal.message);
    }
    match choice {
        Choice::IssueVbank => {
            record::issue_vbank(&mut payment.record, now, window.vbank_due, details);
        }
        Choice::PayTamperedAmount => {
            let hundred = Decimal::ONE_HUNDRED;
            let other = match record::decimal_of(&payment.record, "amount") {
                Some(amount) if amount == hundred => hundred + Decimal::ONE,
                Some(_) | None => hundred,
            };
            payment
                .record
                .insert("amount".into(), Value::Number(record::number(other)));
        }
        Choice::PayTamperedCurrency => {
            let other = match record::text(&payment.record, "currency") {
                "KRW" => "JPY",
                _ => "KRW",
            };
            payment.record.insert("currency".into(), json!(other));
        }
        Choice::PayTestChannel => {
            let is_test = payment.record.get("sandbox") == Some(&Value::Bool(true));
            payment.record.insert("sandbox".into(), json!(!is_test));
        }
        Choice::PayLag => {
            let lag = i64::try_from(LAG.as_millis()).unwrap_or(i64::MAX);
            payment.hidden_until_ms = now_ms.saturating_add(lag);
        }
        Choice::Pay
        | Choice::Decline
        | Choice::DeclineLimit
        | Choice::DeclineBalance
        | Choice::DeclineCard
        | Choice::Cancel
        | Choice::Abandon
        | Choice::PayFlagFalse
        | Choice::PayNoFlag
        | Choice::PayNoImpUid
        | Choice::PaySuccessKey
        | Choice::PayPost
        | Choice::PayNoReturn
        | Choice::FailFlagTrue => {}
    }
}

fn send_back(app: &App, ended: &Ended, language: Language, wants_json: bool) -> Response {
    let record_redirect = |method: &'static str, location: &str| {
        app.record(Event::Redirect {
            imp_uid: ended.payment.imp_uid().into(),
            location: location.into(),
            method,
        });
    };
    match (&ended.leave, ended.window.flow) {
        (Leave::Stay, _) => page::stay(language),
        (Leave::Link(_), Flow::Redirect) => page::abandoned(language, &ended.window),
        (Leave::Link(_), Flow::Frame) => page::message(language, &ended.window, &Value::Null),
        (Leave::Redirect(back) | Leave::Post(back), Flow::Frame) => {
            let result = back.callback(&ended.payment.record);
            record_redirect(
                "CALLBACK",
                ended.window.opener_origin.as_deref().unwrap_or("*"),
            );
            match wants_json {
                true => Json(json!({"result": result})).into_response(),
                false => page::message(language, &ended.window, &result),
            }
        }
        (Leave::Redirect(back), Flow::Redirect) => match &ended.window.redirect_url {
            None => page::no_redirect_url(language),
            Some(url) => {
                let location = back.location(url);
                record_redirect("GET", location.as_str());
                (
                    StatusCode::FOUND,
                    [
                        (header::LOCATION, location.as_str()),
                        (header::CACHE_CONTROL, "no-store"),
                    ],
                )
                    .into_response()
            }
        },
        (Leave::Post(back), Flow::Redirect) => match &ended.window.redirect_url {
            None => page::no_redirect_url(language),
            Some(url) => {
                record_redirect("POST", url.as_str());
                page::post_form(language, url, back)
            }
        },
    }
}

/// `GET /_sandbox/receipt/{imp_uid}`: where a record's `receipt_url` leads.
pub(crate) async fn receipt(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Response {
    let language = query
        .lang
        .as_deref()
        .and_then(Language::parse)
        .unwrap_or_default();
    let payment = app.state().ledger.find(&imp_uid).cloned();
    match payment {
        Some(payment) if !record::text(&payment.record, "receipt_url").is_empty() => {
            page::receipt(language, &payment)
        }
        Some(_) | None => page::unknown(language),
    }
}
