//! Opens PortOne's payment window and brings the buyer to the result.
//!
//! Both generations answer alike, in other words: with the ids of an attempt, or, when none was made, with a code alone. What
//! the window reports is a hint: it is handed to the completion page, which asks PortOne.
//! <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrt>
//! <https://developers.portone.io/sdk/ko/v2-sdk/payment-response>

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsValue;
use leptos::web_sys::js_sys::{JSON, encode_uri_component};
use serde::{Deserialize, Serialize};

use super::browser::{answer_of, call, get, settled, text};

/// After this long the button can be pressed again: a buyer who closed a pop-up by hand is not reported by every gateway.
const OPENING: Duration = Duration::from_secs(4);
/// PortOne's codes for an order that has been paid, of V1 and of V2.
const ALREADY_PAID: [&str; 2] = ["F1002", "PaymentAlreadyPaid"];
/// What the answer calls an attempt, of V1, of V2 and of V2's beta.
const ATTEMPT: &[&str] = &["imp_uid", "txId", "tx_id"];
/// What the answer calls the order, of V1, of V2 and of V2's beta.
const ORDER: &[&str] = &["merchant_uid", "paymentId", "payment_id"];
/// What the answer calls a failure, of V1 and of V2.
const CODE: &[&str] = &["error_code", "code"];
/// Names of the payment window's answer that the completion page is given, of V1, of V2 and of V2's beta.
const HANDED_ON: [&str; 15] = [
    "imp_uid",
    "merchant_uid",
    "imp_success",
    "success",
    "error_code",
    "error_msg",
    "transactionType",
    "txId",
    "paymentId",
    "tx_id",
    "payment_id",
    "code",
    "message",
    "pgCode",
    "pgMessage",
];

/// Which of PortOne's SDKs opens the window.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Sdk {
    /// `IMP.request_pay`.
    V1 {
        /// What the SDK is initialised with, `imp…`.
        merchant_code: String,
    },
    /// `PortOne.requestPayment`.
    V2,
}

impl Sdk {
    /// Name of the SDK's object in the browser.
    const fn global(&self) -> &'static str {
        match self {
            Self::V1 { .. } => "IMP",
            Self::V2 => "PortOne",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No script has run yet.
    Drawn,
    Ready,
    Opening,
    SdkMissing,
    WindowFailed,
    AlreadyPaid,
}

/// The button that opens the payment window, and what there is to say about it.
#[island]
pub fn PayButton(
    /// Whose window it is.
    sdk: Sdk,
    /// The SDK's first argument as JSON.
    params: String,
    /// Where the result is shown.
    complete_url: String,
    /// Where the order's status is shown.
    status_url: String,
    /// What the button says.
    label: String,
    /// Said until the button can be pressed.
    preparing: String,
    /// Said while the window opens.
    opening: String,
    /// Said when PortOne's SDK is not there.
    sdk_missing: String,
    /// Said when the window did not open.
    window_failed: String,
    /// Said when the order has been paid.
    already_paid: String,
    /// Text of the link to the status.
    see_status: String,
) -> impl IntoView {
    let phase = RwSignal::new(Phase::Drawn);
    let initialised = RwSignal::new(false);
    Effect::new(move |_| phase.set(Phase::Ready));

    let open = move |_| {
        let Some(portone) = get(&window(), sdk.global()) else {
            phase.set(Phase::SdkMissing);
            return;
        };
        phase.set(Phase::Opening);
        // Asked for within the click: a window that opens after it is a pop-up, which browsers block.
        let asked = JSON::parse(&params).ok().and_then(|params| match &sdk {
            Sdk::V1 { merchant_code } => {
                // A second init on one page confuses the SDK.
                if !initialised.get_untracked() {
                    call(&portone, "init", &[merchant_code.as_str().into()]);
                    initialised.set(true);
                }
                answer_of(&portone, "request_pay", params)
            }
            Sdk::V2 => call(&portone, "requestPayment", &[params]),
        });
        let complete_url = complete_url.clone();
        spawn_local(async move {
            let end = match asked {
                Some(promise) => end_of(settled(promise).await, &complete_url),
                None => End::Stays(Phase::WindowFailed),
            };
            match end {
                End::Goes(address) => {
                    let _navigating = window().location().assign(&address);
                }
                End::Stays(next) => phase.set(next),
                End::Leaving => {}
            }
        });
        set_timeout(
            move || {
                if phase.get_untracked() == Phase::Opening {
                    phase.set(Phase::Ready);
                }
            },
            OPENING,
        );
    };
    let said = move || match phase.get() {
        Phase::Drawn => Some(preparing.clone()),
        Phase::Ready => None,
        Phase::Opening => Some(opening.clone()),
        Phase::SdkMissing => Some(sdk_missing.clone()),
        Phase::WindowFailed => Some(window_failed.clone()),
        Phase::AlreadyPaid => Some(already_paid.clone()),
    };
    view! {
        <div class="pay">
            <button
                type="button"
                class="button button-primary button-large"
                disabled=move || matches!(phase.get(), Phase::Drawn | Phase::Opening)
                hidden=move || phase.get() == Phase::AlreadyPaid
                on:click=open
            >
                {label}
            </button>
            <p class="pay-said" role="status">{said}</p>
            <a class="button" href=status_url hidden=move || !matches!(phase.get(), Phase::AlreadyPaid | Phase::WindowFailed)>{see_status}</a>
        </div>
    }
}

/// What comes after the window.
enum End {
    /// The page of the result.
    Goes(String),
    /// This page: no attempt was made, so that there is nothing to ask about.
    Stays(Phase),
    /// The SDK is taking the browser elsewhere by itself.
    Leaving,
}

/// Reads the window's answer, or what it was refused with.
fn end_of(answer: Result<JsValue, JsValue>, complete_url: &str) -> End {
    let (answer, refused) = match answer {
        Ok(answer) => (answer, false),
        Err(error) => (error, true),
    };
    if any(&answer, ATTEMPT).is_none() {
        let code = any(&answer, CODE);
        if code
            .as_deref()
            .is_some_and(|code| ALREADY_PAID.contains(&code))
        {
            return End::Stays(Phase::AlreadyPaid);
        }
        if refused || code.is_some() {
            return End::Stays(Phase::WindowFailed);
        }
        if any(&answer, ORDER).is_none() {
            return End::Leaving;
        }
    }
    End::Goes(destination(complete_url, &answer))
}

/// The first of the names that has a text.
fn any(answer: &JsValue, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(answer, name))
}

/// The completion page's address with what the window said.
fn destination(complete_url: &str, answer: &JsValue) -> String {
    let pairs = HANDED_ON.iter().filter_map(|name| {
        let value = get(answer, name)?;
        let value = value
            .as_string()
            .or_else(|| value.as_bool().map(|yes| yes.to_string()))?;
        Some(format!(
            "{name}={}",
            String::from(encode_uri_component(&value))
        ))
    });
    let query = pairs.collect::<Vec<_>>().join("&");
    let separator = if complete_url.contains('?') { '&' } else { '?' };
    format!("{complete_url}{separator}{query}")
}
