//! Opens PortOne's payment window and brings the buyer to the result.
//!
//! What the window reports is a hint: it is handed to the completion page, which asks PortOne.
//! <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrq>

use std::time::Duration;

use leptos::prelude::*;
use leptos::wasm_bindgen::JsValue;
use leptos::web_sys::js_sys::{JSON, encode_uri_component};

use super::browser::{call, callback, get, text};

/// After this long the button can be pressed again: a buyer who closed a pop-up by hand is not reported by every gateway.
const OPENING: Duration = Duration::from_secs(4);
/// PortOne's code for an order that has been paid.
const ALREADY_PAID: &str = "F1002";
/// Names of the payment window's answer that the completion page is given.
const HANDED_ON: [&str; 6] = [
    "imp_uid",
    "merchant_uid",
    "imp_success",
    "success",
    "error_code",
    "error_msg",
];

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
    /// PortOne's merchant code.
    merchant_code: String,
    /// `IMP.request_pay`'s first argument as JSON.
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
        let Some(sdk) = get(&window(), "IMP") else {
            phase.set(Phase::SdkMissing);
            return;
        };
        // A second init on one page confuses the SDK.
        if !initialised.get_untracked() {
            call(&sdk, "init", &[merchant_code.as_str().into()]);
            initialised.set(true);
        }
        let complete_url = complete_url.clone();
        let answered = callback(move |answer| match destination(&complete_url, &answer) {
            Some(address) => {
                let _navigating = window().location().assign(&address);
            }
            None if text(&answer, "error_code").as_deref() == Some(ALREADY_PAID) => {
                phase.set(Phase::AlreadyPaid);
            }
            None => phase.set(Phase::WindowFailed),
        });
        phase.set(Phase::Opening);
        let opened = JSON::parse(&params)
            .ok()
            .and_then(|params| call(&sdk, "request_pay", &[params, answered]));
        if opened.is_none() {
            phase.set(Phase::WindowFailed);
        }
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
            <a class="button" href=status_url hidden=move || phase.get() != Phase::AlreadyPaid>{see_status}</a>
        </div>
    }
}

/// Where the buyer goes by the window's answer; `None` when no attempt was made, so that there is nothing to ask about.
fn destination(complete_url: &str, answer: &JsValue) -> Option<String> {
    if text(answer, "imp_uid").is_none() && text(answer, "error_code").is_some() {
        return None;
    }
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
    Some(format!("{complete_url}{separator}{query}"))
}
