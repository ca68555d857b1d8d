//! Copies a number to the clipboard.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::browser::{call, get, promised};

/// A button that copies a text. It appears once it can work; the text beside it can be selected without it.
#[island]
pub fn CopyButton(
    /// What to copy.
    text: String,
    /// What the button is for.
    label: String,
    /// Said when it worked.
    done: String,
    /// Said when the browser refused.
    refused: String,
) -> impl IntoView {
    let live = RwSignal::new(false);
    let said = RwSignal::new(None);
    Effect::new(move |_| live.set(true));

    let copy = move |_| {
        let (text, done, refused) = (text.clone(), done.clone(), refused.clone());
        spawn_local(async move {
            let clipboard =
                get(&window(), "navigator").and_then(|navigator| get(&navigator, "clipboard"));
            let promise =
                clipboard.and_then(|clipboard| call(&clipboard, "writeText", &[text.into()]));
            let copied = match promise {
                Some(promise) => promised(promise).await.is_some(),
                None => false,
            };
            said.set(Some(if copied { done } else { refused }));
        });
    };
    view! {
        <span class="copy">
            <button type="button" class="button button-small" hidden=move || !live.get() on:click=copy>{label}</button>
            <span class="copy-said" role="status">{move || said.get()}</span>
        </span>
    }
}
