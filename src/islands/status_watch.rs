//! Watches a payment that is not finished, and opens its page anew when it has moved.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsValue;

use super::browser::{call, construct, fetch_json, get, is_hidden, pause, pause_or, text};

/// Time before the first look.
const PAUSE_MS_FIRST: u32 = 2_000;
/// Longest time between two looks.
const PAUSE_MS_MAX: u32 = 15_000;
/// Looks before the page gives up: with the growing pause, about ten minutes.
const LOOKS_MAX: u32 = 45;
/// Time to hear that something changed before the page is replaced.
const ANNOUNCE_MS: u32 = 700;
/// What an event source that is connected says of itself.
const OPEN: f64 = 1.0;

/// Says that the page keeps looking, and looks. A hidden page does not look; it does at once when it is shown again.
#[island]
pub fn StatusWatch(
    /// Address that answers with the outcome, and shows it: a path of this site.
    address: String,
    /// Address that tells when to look; where there is none, or it does not answer, looks alone have to do.
    events: String,
    /// The outcome that the page shows.
    outcome: String,
    /// Said while looking.
    watching: String,
    /// Said when the outcome is another one.
    changed: String,
    /// Said when looking has ended.
    ended: String,
) -> impl IntoView {
    let said = RwSignal::new(watching);
    Effect::new(move |_| {
        let (address, events, outcome, changed, ended) = (
            address.clone(),
            events.clone(),
            outcome.clone(),
            changed.clone(),
            ended.clone(),
        );
        spawn_local(async move {
            let source = construct("EventSource", &events);
            let moved = moved(&address, source.as_ref(), &outcome).await;
            if let Some(source) = source {
                call(&source, "close", &[]);
            }
            if moved {
                said.set(changed);
                pause(ANNOUNCE_MS).await;
                // Replaced, so that "back" does not lead to a page that says less.
                let _navigating = window().location().replace(&address);
            } else {
                said.set(ended);
            }
        });
    });
    view! { <p class="watch" role="status">{move || said.get()}</p> }
}

/// Looks until the outcome differs, or often enough. What cannot be read is no news.
///
/// While the server tells when to look, looks by the clock are rare. The first one is not: the payment may have moved before
/// anybody listened.
async fn moved(address: &str, source: Option<&JsValue>, outcome: &str) -> bool {
    let mut milliseconds = PAUSE_MS_FIRST;
    let mut looks = 0;
    while looks < LOOKS_MAX {
        let is_told = looks > 0
            && source
                .and_then(|source| get(source, "readyState")?.as_f64())
                .is_some_and(|state| state == OPEN);
        let milliseconds_now = if is_told { PAUSE_MS_MAX } else { milliseconds };
        pause_or(milliseconds_now, source, "moved").await;
        if is_hidden() {
            continue;
        }
        looks += 1;
        let now = fetch_json(address)
            .await
            .and_then(|answer| text(&answer, "outcome"));
        if now.is_some_and(|now| now != outcome) {
            return true;
        }
        milliseconds = (milliseconds + milliseconds / 2).min(PAUSE_MS_MAX);
    }
    false
}
