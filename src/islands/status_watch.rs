//! Watches a payment that is not finished, and opens its page anew when it has moved.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::browser::{fetch_json, is_hidden, pause, text};

/// Time before the first look.
const PAUSE_MS_FIRST: u32 = 2_000;
/// Longest time between two looks.
const PAUSE_MS_MAX: u32 = 15_000;
/// Looks before the page gives up: with the growing pause, about ten minutes.
const LOOKS_MAX: u32 = 45;
/// Time to hear that something changed before the page is replaced.
const ANNOUNCE_MS: u32 = 1_200;

/// Says that the page keeps looking, and looks. A hidden page does not look; it does at once when it is shown again.
#[island]
pub fn StatusWatch(
    /// Address that answers with the outcome, and shows it: a path of this site.
    address: String,
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
        let (address, outcome, changed, ended) = (
            address.clone(),
            outcome.clone(),
            changed.clone(),
            ended.clone(),
        );
        spawn_local(async move {
            if moved(&address, &outcome).await {
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
async fn moved(address: &str, outcome: &str) -> bool {
    let mut milliseconds = PAUSE_MS_FIRST;
    let mut looks = 0;
    while looks < LOOKS_MAX {
        pause(milliseconds).await;
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
