//! The document around every page.

use std::sync::Arc;

use leptos::prelude::*;
use leptos_meta::MetaTags;

use super::app::App;
use super::context::Site;
use super::gallery::{self, Gallery};
use crate::domain::look::Accent;

/// The whole style sheet, minified by the build. It stands in the document, so that one answer is all a page needs: on a
/// train, behind a window that is about to close, or saved to disk.
const STYLE: &str = include_str!(concat!(env!("OUT_DIR"), "/wanryo.css"));

/// The document. Language, title and robots come from the page inside; scripts only from pages that have something live.
#[must_use]
pub fn shell() -> AnyView {
    document(None, || view! { <App /> }.into_any())
}

/// The document around the gallery.
#[must_use]
pub fn gallery_shell() -> AnyView {
    document(Some(gallery::css()), || view! { <Gallery /> }.into_any())
}

fn document(more_style: Option<String>, page: impl FnOnce() -> AnyView) -> AnyView {
    let accent = accent().unwrap_or_default();
    let more_style = more_style.unwrap_or_default() + &accent;
    let more_style = (!more_style.is_empty())
        .then(|| view! { <style nonce=use_nonce() inner_html=more_style></style> });
    view! {
        <!DOCTYPE html>
        <html>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                // Account and card numbers are no telephone numbers.
                <meta name="format-detection" content="telephone=no" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <MetaTags />
                <style nonce=use_nonce() inner_html=STYLE></style>
                {more_style}
            </head>
            <body>
                {page()}
            </body>
        </html>
    }
    .into_any()
}

/// The shop's colour, outside every layer, so that it wins.
fn accent() -> Option<String> {
    let Accent { light, dark } = use_context::<Arc<Site>>()?.accent?;
    let (light, dark) = (light.hex(), dark.hex());
    Some(format!(":root{{--accent:light-dark({light},{dark})}}"))
}
