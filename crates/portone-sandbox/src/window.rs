//! The payment window: what a buyer sees, the choice made there, and how the browser goes back to the shop.
//!
//! It works without JavaScript in the redirect flow: each choice is a submit button, the answer is a redirect. In the
//! frame flow the answer is a page that tells the shop's page, and only that one, by `postMessage`.
//! A choice runs to its end even if the browser leaves while the shop is being asked to confirm.

mod back;
mod choice;
mod page;
mod plan;
pub(crate) mod sheet;

pub(crate) use back::Return;

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Duration;

use crate::confirm::{self, Confirmation, Question};
use crate::gateway::Gateway;
use crate::html::Language;
use crate::journal::Event;
use crate::later;
use crate::ledger::{Flow, Payment, Window};
use crate::record;
use crate::rng::Rng;
use crate::state::{App, State as SandboxState};
use crate::webhook::{self, Delivery, WebhookFormat, WebhookMode};
use choice::Choice;
use plan::{Effect, Leave, Manner, Plan, Refusal, Tampering};

/// Error code of a payment that the shop refused to have approved; the sandbox's own.
const REFUSED_BY_SHOP: &str = "F0006";
/// How long the bank's app waits for the shop's page before the browser is sent there as well.
const VISIT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
pub(crate) struct ShowQuery {
    lang: Option<String>,
}

impl ShowQuery {
    fn language(&self) -> Option<Language> {
        self.lang.as_deref().and_then(Language::parse)
    }
}

/// `GET /_sandbox/window/{imp_uid}`: the choices, and after one of them what came of it.
pub(crate) async fn show(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Response {
    let state = app.state();
    let payment = state.ledger.find(&imp_uid);
    match payment.and_then(|payment| Some((payment, payment.window.as_ref()?))) {
        None => sheet::unknown(query.language().unwrap_or_default()),
        Some((payment, window)) => {
            let language = query.language().unwrap_or_else(|| window_language(window));
            match window.ended {
                true => page::outcome(
                    StatusCode::OK,
                    language,
                    payment,
                    window,
                    &state.journal.of_payment(&imp_uid),
                ),
                false => page::choices(language, payment, window, &state.config),
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
    /// `show`: what came of the choice is shown first, with a link back to the shop.
    #[serde(default)]
    then: String,
}

/// `POST /_sandbox/window/{imp_uid}`
pub(crate) async fn choose(
    State(app): State<App>,
    Path(imp_uid): Path<String>,
    Query(query): Query<ShowQuery>,
    headers: HeaderMap,
    Form(form): Form<ChoiceForm>,
) -> Response {
    let asked = query.language();
    let (Some(choice), Some(mode), Some(format), Some(shows_first)) = (
        Choice::parse(&form.choice),
        optional(&form.webhook, WebhookMode::parse),
        optional(&form.webhook_format, WebhookFormat::parse),
        optional(&form.then, |then| (then == "show").then_some(())),
    ) else {
        return sheet::invalid(asked.unwrap_or_default());
    };

    let accepts_json = headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept == "application/json");
    let way = match (accepts_json, shows_first) {
        (true, _) => Way::Json,
        (false, Some(())) => Way::ShowFirst,
        (false, None) => Way::AtOnce,
    };
    // On its own, so that a browser that leaves stops neither the payment nor the webhooks halfway.
    tokio::spawn(async move {
        match end(Arc::clone(&app), imp_uid.clone(), choice, mode, format).await {
            Ok(ended) => tell(&app, ended, asked, way).await,
            Err(EndError::Unknown) => sheet::unknown(asked.unwrap_or_default()),
            Err(EndError::Ended) => ended_before(&app, &imp_uid, asked),
        }
    })
    .await
    .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Sends the browser back and the webhooks out, in the order that is set.
async fn tell(app: &App, ended: Ended, asked: Option<Language>, way: Way) -> Response {
    let language = asked.unwrap_or_else(|| window_language(&ended.window));
    if ended.mode == WebhookMode::Before {
        webhook::wait(webhook::start(app, ended.deliveries.clone())).await;
    }
    let response = send_back(app, &ended, language, way).await;
    if ended.mode != WebhookMode::Before {
        webhook::announce_after_redirect(app, ended.mode, ended.deliveries);
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

fn ended_before(app: &App, imp_uid: &str, asked: Option<Language>) -> Response {
    let state = app.state();
    let payment = state.ledger.find(imp_uid);
    match payment.and_then(|payment| Some((payment, payment.window.as_ref()?))) {
        None => sheet::unknown(asked.unwrap_or_default()),
        Some((payment, window)) => page::outcome(
            StatusCode::CONFLICT,
            asked.unwrap_or_else(|| window_language(window)),
            payment,
            window,
            &state.journal.of_payment(imp_uid),
        ),
    }
}

/// How the answer reaches whoever made the choice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    AtOnce,
    ShowFirst,
    /// The browser SDK closes its frame.
    Json,
}

/// What a choice led to.
struct Ended {
    payment: Payment,
    window: Window,
    going: Going,
    mode: WebhookMode,
    deliveries: Vec<Delivery>,
}

/// Where the browser goes.
enum Going {
    Back(Return, Manner),
    Link,
    Stay,
}

enum EndError {
    Unknown,
    Ended,
}

/// Ends the window: claims it, asks the shop to confirm where that is configured, and does what the choice says.
async fn end(
    app: App,
    imp_uid: String,
    choice: Choice,
    mode: Option<WebhookMode>,
    format: Option<WebhookFormat>,
) -> Result<Ended, EndError> {
    let (payment, mut plan, question) = claim(&app, &imp_uid, choice)?;
    app.notify();
    if let Some(question) = question
        && let Confirmation::Refused(reason) = confirm::ask(&app, question, &payment).await
    {
        plan = Plan::failed(Refusal {
            code: Some(REFUSED_BY_SHOP),
            message: Cow::Owned(reason),
        });
    }
    settle(&app, &imp_uid, &plan, mode, format)
}

/// Takes the window for one choice, in one step: two clicks at the same time have one effect.
fn claim(
    app: &App,
    imp_uid: &str,
    choice: Choice,
) -> Result<(Payment, Plan, Option<Question>), EndError> {
    let mut state = app.state();
    let window = state
        .ledger
        .find(imp_uid)
        .and_then(|payment| payment.window.as_ref())
        .ok_or(EndError::Unknown)?;
    if window.ended {
        return Err(EndError::Ended);
    }
    let flow = window.flow;
    let confirm_url = window.confirm_url.clone();
    state.journal.push(
        app.clock.now_ms(),
        Event::Choice {
            imp_uid: imp_uid.into(),
            choice: choice.name(),
        },
    );
    let payment = state
        .ledger
        .change(imp_uid, |payment| {
            if let Some(window) = &mut payment.window {
                window.ended = true;
            }
            payment.clone()
        })
        .ok_or(EndError::Unknown)?;
    let gateway = Gateway::of(&payment.record);
    let plan = Plan::of(
        choice,
        gateway,
        record::text(&payment.record, "pay_method"),
        flow,
    );
    let question = confirm_url
        .or_else(|| state.config.confirm_url.clone())
        .filter(|_| gateway.confirms && plan.asks_the_gateway())
        .map(|url| Question {
            url,
            timeout: state.config.confirm_timeout.0,
        });
    Ok((payment, plan, question))
}

/// Carries the plan out.
fn settle(
    app: &App,
    imp_uid: &str,
    plan: &Plan,
    mode: Option<WebhookMode>,
    format: Option<WebhookFormat>,
) -> Result<Ended, EndError> {
    let now_ms = app.clock.now_ms();
    let mut state = app.state();
    let charset = state.config.error_msg_charset;
    let SandboxState {
        ledger, details, ..
    } = &mut *state;
    let (payment, window, going) = ledger
        .change(imp_uid, |payment| {
            let mut window = payment.window.clone()?;
            apply(app, payment, plan, &window, now_ms, details);
            let going = match &plan.leave {
                Leave::Return(telling) => Going::Back(
                    Return::told(telling, payment, &window, charset),
                    telling.manner,
                ),
                Leave::Link => Going::Link,
                Leave::Stay => Going::Stay,
            };
            let back = match &going {
                Going::Back(back, _) => Some(back.clone()),
                Going::Link => Some(Return::ids(payment)),
                Going::Stay => None,
            };
            window.location = back
                .zip(window.redirect_url.as_ref())
                .map(|(back, url)| back.location(url));
            payment.window = Some(window.clone());
            Some((payment.clone(), window, going))
        })
        .flatten()
        .ok_or(EndError::Unknown)?;
    let deliveries = match plan.webhook() {
        Some(status) => state.webhooks(&payment, status, None, format),
        None => Vec::new(),
    };
    let mode = mode.unwrap_or(state.config.webhook);
    drop(state);
    if let Some(delay) = plan.approved_after {
        later::approve(app, imp_uid, delay, mode, format);
    }
    if plan.effect == Effect::IssueAccount {
        later::close_when_overdue(app, &payment);
    }
    Ok(Ended {
        payment,
        window,
        going,
        mode,
        deliveries,
    })
}

/// The plan's effect on the record.
fn apply(
    app: &App,
    payment: &mut Payment,
    plan: &Plan,
    window: &Window,
    now_ms: i64,
    details: &mut Rng,
) {
    let now = now_ms / 1000;
    match &plan.effect {
        Effect::Approve => {
            // Whoever opens a window for a virtual account and then pays at once has paid by card.
            if record::text(&payment.record, "pay_method") == "vbank" {
                payment.record.insert("pay_method".into(), json!("card"));
            }
            record::approve(&mut payment.record, now, &app.base, details);
        }
        Effect::IssueAccount => {
            record::issue_vbank(&mut payment.record, now, window.vbank_due, details);
        }
        Effect::Fail(refusal) => record::fail(&mut payment.record, now, &refusal.message),
        Effect::Nothing => {}
    }
    if let Some(tampering) = plan.tampering {
        tamper(payment, tampering);
    }
    let hidden_ms = i64::try_from(plan.hidden.as_millis()).unwrap_or(i64::MAX);
    if hidden_ms > 0 {
        payment.hidden_until_ms = now_ms.saturating_add(hidden_ms);
    }
}

fn tamper(payment: &mut Payment, tampering: Tampering) {
    let record = &mut payment.record;
    match tampering {
        Tampering::Amount => {
            let hundred = Decimal::ONE_HUNDRED;
            let other = match record::decimal_of(record, "amount") {
                Some(amount) if amount == hundred => hundred + Decimal::ONE,
                Some(_) | None => hundred,
            };
            record.insert("amount".into(), Value::Number(record::number(other)));
        }
        Tampering::Currency => {
            let other = match record::text(record, "currency") {
                "KRW" => "JPY",
                _ => "KRW",
            };
            record.insert("currency".into(), json!(other));
        }
        Tampering::Channel => {
            let is_test = record.get("sandbox") == Some(&Value::Bool(true));
            record.insert("sandbox".into(), json!(!is_test));
        }
    }
}

async fn send_back(app: &App, ended: &Ended, language: Language, way: Way) -> Response {
    let record_redirect = |method: &'static str, location: &str| {
        app.record(Event::Redirect {
            imp_uid: ended.payment.imp_uid().into(),
            location: location.into(),
            method,
        });
    };
    let (back, manner) = match (&ended.going, ended.window.flow) {
        (Going::Stay, _) => return page::stay(language, &ended.payment),
        (Going::Link, Flow::Redirect) => {
            return page::abandoned(language, &ended.payment, &ended.window);
        }
        (Going::Link, Flow::Frame) => {
            return sheet::message(
                language,
                ended.window.opener_origin.as_deref(),
                &Value::Null,
            );
        }
        (Going::Back(back, _), Flow::Frame) => {
            let result = back.callback(&ended.payment.record);
            record_redirect(
                "CALLBACK",
                ended.window.opener_origin.as_deref().unwrap_or("*"),
            );
            return match way {
                Way::Json => Json(json!({"result": result})).into_response(),
                Way::AtOnce | Way::ShowFirst => {
                    sheet::message(language, ended.window.opener_origin.as_deref(), &result)
                }
            };
        }
        (Going::Back(back, manner), Flow::Redirect) => (back, *manner),
    };
    let Some(url) = &ended.window.redirect_url else {
        return page::no_redirect_url(language, &ended.payment);
    };
    let location = back.location(url);
    if manner == Manner::Twice {
        record_redirect("VISIT", location.as_str());
        visit(app, &location).await;
    }
    if manner == Manner::Post {
        record_redirect("POST", url.as_str());
        return page::post_form(language, url, back);
    }
    if way == Way::ShowFirst {
        return to(&format!(
            "/_sandbox/window/{}?lang={}",
            ended.payment.imp_uid(),
            language.code()
        ));
    }
    record_redirect("GET", location.as_str());
    to(location.as_str())
}

fn to(location: &str) -> Response {
    (
        StatusCode::FOUND,
        [
            (header::LOCATION, location),
            (header::CACHE_CONTROL, "no-store"),
        ],
    )
        .into_response()
}

/// Opens the shop's page as the bank's app would; what it answers is not looked at.
async fn visit(app: &App, location: &url::Url) {
    let visited = app
        .sender
        .client()
        .get(location.clone())
        .timeout(VISIT_TIMEOUT)
        .send();
    tokio::select! {
        visited = visited => {
            if let Err(error) = visited {
                tracing::debug!(reason = webhook::reason(&error), "the bank's app could not open the shop's page");
            }
        }
        () = app.stopped() => {}
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
        Some(_) | None => sheet::unknown(language),
    }
}
