//! The V2 payment window: what a buyer sees, the choice made there, and how the result gets to the shop.
//!
//! It works without JavaScript in the redirect flow, like V1's: each choice is a submit button, the answer is a redirect.
//! In the promise flow the answer is a page that tells the shop's page, and only that one, by `postMessage`.

mod back;
mod choice;
mod page;

use std::time::Duration;

use axum::Json;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::config::{LIVE_CHANNEL_KEY, TEST_CHANNEL_KEY};
use super::confirm;
use super::control::default_expiry_ms;
use super::ledger::{Attempt, Flow, Stage, Window};
use super::record::{self, Failure, READY};
use super::uuid;
use super::webhook::{self, Kind, Message, Notice, WebhookVersion};
use crate::html::Language;
use crate::journal::{Event, JournalEntry};
use crate::rng::Rng;
use crate::state::{App, State as SandboxState};
use crate::webhook::WebhookMode;
use crate::window::sheet;
use back::{Leave, Return, Stopped};
use choice::{Choice, Effect};

pub(crate) use page::total;

/// How long the API shows the state before a payment that was made with `pay_lag`.
const LAG: Duration = Duration::from_secs(1);
/// What a tampered payment is about; whole won and cents alike.
const TAMPERED_TOTAL: i64 = 100;
const OTHER_STORE_ID: &str = "store-ffffffff-ffff-ffff-ffff-ffffffffffff";

/// `GET /v2/browser-sdk.js`
pub(crate) async fn browser_sdk() -> Response {
    crate::assets::javascript(include_str!("../../assets/browser-sdk.js"))
}

#[derive(Deserialize)]
pub(crate) struct ShowQuery {
    lang: Option<String>,
}

impl ShowQuery {
    fn language(&self) -> Option<Language> {
        self.lang.as_deref().and_then(Language::parse)
    }
}

fn window_language(window: &Window) -> Language {
    match window.english {
        true => Language::English,
        false => Language::Korean,
    }
}

/// `GET /_sandbox/v2/window/{transactionId}`
pub(crate) async fn show(
    State(app): State<App>,
    Path(transaction_id): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Response {
    let asked = query.language();
    let state = app.state();
    let attempt = state.v2.ledger.find(&transaction_id);
    match attempt.and_then(|attempt| Some((attempt, attempt.window.as_ref()?))) {
        None => sheet::unknown(asked.unwrap_or_default()),
        Some((attempt, window)) => {
            let language = asked.unwrap_or_else(|| window_language(window));
            match window.stage {
                Stage::Open => page::choices(language, attempt, window, &state.config),
                Stage::Confirming | Stage::Ended { .. } => {
                    let events = state.journal.of_transaction(&transaction_id);
                    page::outcome(StatusCode::OK, language, attempt, window, &events)
                }
            }
        }
    }
}

/// The form of the window. An empty text means what is configured.
#[derive(Deserialize)]
pub(crate) struct ChoiceForm {
    choice: String,
    #[serde(default)]
    webhook: String,
    #[serde(default)]
    webhook_version: String,
}

/// `POST /_sandbox/v2/window/{transactionId}`
pub(crate) async fn choose(
    State(app): State<App>,
    Path(transaction_id): Path<String>,
    Query(query): Query<ShowQuery>,
    headers: HeaderMap,
    Form(form): Form<ChoiceForm>,
) -> Response {
    let asked = query.language();
    let Some(choice) = Choice::parse(&form.choice) else {
        return sheet::invalid(asked.unwrap_or_default());
    };
    let (Some(mode), Some(version)) = (
        optional(&form.webhook, WebhookMode::parse),
        optional(&form.webhook_version, WebhookVersion::parse),
    ) else {
        return sheet::invalid(asked.unwrap_or_default());
    };

    let begun = match begin(&app, &transaction_id, choice) {
        Ok(begun) => begun,
        Err(not_taken) => return not_taken.page(asked),
    };
    let wants_json = headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept == "application/json");
    // On its own, so that a browser that leaves stops neither the payment nor the webhooks halfway.
    tokio::spawn(async move {
        app.notify();
        let agreed = match begun.question {
            None => Ok(()),
            Some(question) => question.ask(&app).await,
        };
        let decision = Decision {
            choice,
            agreed,
            run: begun.run,
        };
        let Some(ended) = end(&app, &transaction_id, decision, version) else {
            return sheet::unknown(asked.unwrap_or_default());
        };
        app.notify();

        let mode = mode.unwrap_or(ended.mode);
        webhook::send_before(&app, &ended.messages, mode).await;
        let language = asked.unwrap_or_else(|| window_language(&ended.window));
        let response = send_back(&app, &ended, language, wants_json);
        webhook::send_after(&app, ended.messages, mode);
        response
    })
    .await
    .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// `Some(None)` for an empty text, `None` for one that means nothing.
fn optional<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        "" => Some(None),
        text => parse(text).map(Some),
    }
}

/// Why a choice was not taken.
enum NotTaken {
    Unknown,
    Ended(Box<Over>),
}

/// A window that took its choice before.
struct Over {
    attempt: Attempt,
    window: Window,
    events: Vec<JournalEntry>,
}

impl NotTaken {
    fn page(self, asked: Option<Language>) -> Response {
        match self {
            NotTaken::Unknown => sheet::unknown(asked.unwrap_or_default()),
            NotTaken::Ended(over) => {
                let Over {
                    attempt,
                    window,
                    events,
                } = *over;
                let language = asked.unwrap_or_else(|| window_language(&window));
                page::outcome(StatusCode::CONFLICT, language, &attempt, &window, &events)
            }
        }
    }
}

/// A choice that was taken.
struct Begun {
    /// What the shop has to be asked first, if anything.
    question: Option<confirm::Question>,
    /// After a reset the same transaction id may be another window's.
    run: u64,
}

/// Takes the window's one choice, in one step: two clicks at the same time have one effect.
fn begin(app: &App, transaction_id: &str, choice: Choice) -> Result<Begun, NotTaken> {
    let now_ms = app.clock.now_ms();
    let mut state = app.state();
    let attempt = state
        .v2
        .ledger
        .find(transaction_id)
        .ok_or(NotTaken::Unknown)?
        .clone();
    let window = attempt.window.clone().ok_or(NotTaken::Unknown)?;
    if !matches!(window.stage, Stage::Open) {
        let events = state.journal.of_transaction(transaction_id);
        return Err(NotTaken::Ended(Box::new(Over {
            attempt,
            window,
            events,
        })));
    }
    state.v2.ledger.change(transaction_id, |attempt| {
        if let Some(window) = &mut attempt.window {
            window.stage = Stage::Confirming;
        }
    });
    let event = Event::V2Choice {
        payment_id: attempt.payment_id().into(),
        transaction_id: transaction_id.into(),
        choice: choice.name(),
    };
    state.journal.push(now_ms, event);
    let confirm_url = window
        .confirm_url
        .or_else(|| state.config.v2.confirm_url.clone())
        .filter(|_| choice.effect().needs_approval());
    let question =
        confirm_url.map(|url| confirm::Question::new(&mut state, &attempt.record, url, now_ms));
    Ok(Begun {
        question,
        run: state.run,
    })
}

/// What the buyer chose, and what the shop said to it.
struct Decision {
    choice: Choice,
    agreed: Result<(), String>,
    run: u64,
}

/// What a choice led to.
struct Ended {
    attempt: Attempt,
    window: Window,
    leave: Leave,
    mode: WebhookMode,
    messages: Vec<Message>,
}

/// None if the sandbox was reset while the shop was asked.
fn end(
    app: &App,
    transaction_id: &str,
    decision: Decision,
    version: Option<WebhookVersion>,
) -> Option<Ended> {
    let Decision {
        choice,
        agreed,
        run,
    } = decision;
    let now_ms = app.clock.now_ms();
    let mut state = app.state();
    if state.run != run {
        return None;
    }
    let SandboxState { v2, .. } = &mut *state;
    let payment_id = v2.ledger.find(transaction_id)?.payment_id().to_owned();
    let is_paid = v2.ledger.is_approved(&payment_id);
    let (effect, stopped) = match (choice.effect(), agreed) {
        (effect, _) if effect.needs_approval() && is_paid => (
            Effect::Fail(Failure {
                reason: "이미 결제가 완료된 건입니다.".into(),
                pg_code: None,
                pg_message: None,
            }),
            Some(Stopped::AlreadyPaid),
        ),
        (_, Err(reason)) => (
            Effect::Fail(Failure {
                reason: format!("고객사 요청에 의해 결제를 중단합니다. (상세사유 : {reason})"),
                pg_code: None,
                pg_message: None,
            }),
            Some(Stopped::Refused),
        ),
        (effect, Ok(())) => (effect, None),
    };
    let (ids, details) = (&mut v2.ids, &mut v2.details);
    let (attempt, leave) = v2.ledger.change(transaction_id, |attempt| {
        if choice == Choice::PayLag && stopped.is_none() {
            let lag_ms = i64::try_from(LAG.as_millis()).unwrap_or(i64::MAX);
            attempt.lag = Some((now_ms.saturating_add(lag_ms), attempt.record.clone()));
        }
        apply(attempt, &effect, now_ms, app, ids, details);
        if stopped.is_none() {
            tamper(attempt, choice);
        }
        let leave = Leave::after(choice, attempt, stopped);
        if let Some(window) = &mut attempt.window {
            let location = match (&leave, &window.redirect_url) {
                (Leave::Back(back) | Leave::Link(back), Some(url)) => Some(back.location(url)),
                (Leave::Stay, _) | (_, None) => None,
            };
            window.stage = Stage::Ended { location };
        }
        (attempt.clone(), leave)
    })?;
    let kind = match effect {
        Effect::Pay | Effect::IssueVirtualAccount | Effect::Pend | Effect::Fail(_) => {
            Kind::of_status(attempt.status())
        }
        Effect::Authenticate | Effect::Nothing => None,
    };
    let messages = kind.map_or_else(Vec::new, |kind| {
        let notice = Notice::of(kind);
        webhook::messages(&mut state, transaction_id, &notice, version, now_ms)
    });
    Some(Ended {
        window: attempt.window.clone()?,
        attempt,
        leave,
        mode: state.config.webhook,
        messages,
    })
}

fn apply(
    attempt: &mut Attempt,
    effect: &Effect,
    now_ms: i64,
    app: &App,
    ids: &mut Rng,
    details: &mut Rng,
) {
    // The control plane may have settled it while the window was open: what is settled is not unsettled.
    if attempt.status() != READY {
        return;
    }
    let record = &mut attempt.record;
    match effect {
        Effect::Pay => {
            let method = attempt.method.at_once();
            record::approve(record, method, now_ms, &app.base, details);
        }
        Effect::IssueVirtualAccount => {
            let asked = attempt.window.as_ref();
            let bank = asked.map_or("SHINHAN", |window| window.account_bank.as_str());
            let expires_at_ms = asked
                .and_then(|window| window.account_expires_at_ms)
                .unwrap_or_else(|| default_expiry_ms(now_ms));
            record::issue_virtual_account(record, bank, expires_at_ms, now_ms, details);
        }
        Effect::Pend => record::pend(record, attempt.method, now_ms, details),
        Effect::Authenticate => attempt.payment_token = Some(uuid(ids)),
        Effect::Fail(failure) => record::fail(record, failure, now_ms),
        Effect::Nothing => {}
    }
}

/// Makes the record another one than the shop asked for.
fn tamper(attempt: &mut Attempt, choice: Choice) {
    let record = &mut attempt.record;
    match choice {
        Choice::PayTamperedAmount => {
            let total = match record::amount_of(record, "total") {
                TAMPERED_TOTAL => TAMPERED_TOTAL + 1,
                _ => TAMPERED_TOTAL,
            };
            record.insert("amount".into(), record::amount(total, 0, None));
        }
        Choice::PayTamperedCurrency => {
            let other = match record::text(record, "currency") {
                "KRW" => "JPY",
                _ => "KRW",
            };
            record.insert("currency".into(), json!(other));
        }
        Choice::PayTestChannel => {
            let (key, test) = match record::is_test(record) {
                true => (LIVE_CHANNEL_KEY, false),
                false => (TEST_CHANNEL_KEY, true),
            };
            record.insert("channel".into(), record::channel(key, test));
        }
        Choice::PayOtherStore => {
            record.insert("storeId".into(), json!(OTHER_STORE_ID));
        }
        Choice::Pay
        | Choice::IssueVirtualAccount
        | Choice::Cancel
        | Choice::Decline
        | Choice::DeclineLimit
        | Choice::DeclineBalance
        | Choice::DeclineCard
        | Choice::Abandon
        | Choice::PayWithCode
        | Choice::FailWithoutCode
        | Choice::PayPaymentIdOnly
        | Choice::PayBetaNames
        | Choice::PayNoReturn
        | Choice::PayLag
        | Choice::PayPending
        | Choice::Authenticate => {}
    }
}

fn send_back(app: &App, ended: &Ended, language: Language, wants_json: bool) -> Response {
    let location = match &ended.window.stage {
        Stage::Ended { location } => location.as_ref(),
        Stage::Open | Stage::Confirming => None,
    };
    let record_redirect = |method: &'static str, location: &str| {
        app.record(Event::V2Redirect {
            payment_id: ended.attempt.payment_id().into(),
            transaction_id: ended.attempt.transaction_id().into(),
            location: location.into(),
            method,
        });
    };
    match (&ended.leave, ended.window.flow) {
        (Leave::Stay, _) => page::stay(language),
        (Leave::Link(_), Flow::Redirect) => page::abandoned(language, location),
        (Leave::Link(_), Flow::Promise) => sheet::message(
            language,
            ended.window.opener_origin.as_deref(),
            &Value::Null,
        ),
        (Leave::Back(back), Flow::Promise) => {
            record_redirect(
                "PROMISE",
                ended.window.opener_origin.as_deref().unwrap_or("*"),
            );
            resolve(back, &ended.window, language, wants_json)
        }
        (Leave::Back(_), Flow::Redirect) => match location {
            // A redirect flow always has an address; without one there is nothing to go back to.
            None => page::abandoned(language, None),
            Some(location) => {
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
    }
}

fn resolve(back: &Return, window: &Window, language: Language, wants_json: bool) -> Response {
    let result = back.resolved();
    match wants_json {
        true => Json(json!({"result": result})).into_response(),
        false => sheet::message(language, window.opener_origin.as_deref(), &result),
    }
}

/// `GET /_sandbox/v2/receipt/{transactionId}`: where a record's `receiptUrl` leads.
pub(crate) async fn receipt(
    State(app): State<App>,
    Path(transaction_id): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Response {
    let language = query.language().unwrap_or_default();
    let state = app.state();
    match state.v2.ledger.find(&transaction_id) {
        Some(attempt) if record::is_approved(&attempt.record) => page::receipt(language, attempt),
        Some(_) | None => sheet::unknown(language),
    }
}
