//! The document around every page.

use std::sync::Arc;

use leptos::prelude::*;
use leptos_meta::MetaTags;

use super::app::App;
use super::components::frame::{Furniture, Surroundings, title_of};
use super::context::{Site, Visitor};
use super::gallery::{self, Gallery};
use super::pages::refusal::{Refusal, refusal_main};
use super::policy;
use crate::domain::look::Accent;
use crate::i18n::Locale;

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

/// Leads out of a frame. Browsers let a page of ours do it to a page of ours around it, and to others only after a touch.
const BREAK_OUT: &str = "try{top.location.replace(location.href)}catch{}";

/// A page for a refusal, made outside any request, with the content policy that it needs.
pub struct RefusalDocument {
    /// The whole document.
    pub html: String,
    /// Its `Content-Security-Policy`. It names styles and scripts by their digests, for a nonce would have to be another one each time.
    pub policy: String,
}

/// The page for a refusal. `by_address` says whether the same address, asked for again, asks the same.
#[must_use]
pub fn refusal_document(
    site: &Arc<Site>,
    locale: Locale,
    refusal: Refusal,
    by_address: bool,
) -> RefusalDocument {
    let around = Surroundings {
        site: Arc::clone(site),
        visitor: Visitor {
            asked: None,
            accepted: locale,
        },
        scripts: None,
    };
    let accent = site.accent.map(accent_css);
    let leads_out = refusal == Refusal::Framed;
    let styles = std::iter::once(STYLE).chain(accent.as_deref());
    let policy = policy::for_text(styles, leads_out.then_some(BREAK_OUT));
    let html = Owner::new().with(|| {
        let main = refusal_main(&around, refusal, locale, by_address);
        let title = title_of(site, refusal.heading(locale));
        view! {
            <!DOCTYPE html>
            <html lang=locale.tag()>
                <head>
                    {about_every_page()}
                    <meta name="robots" content="noindex" />
                    <title>{title}</title>
                    <style inner_html=STYLE></style>
                    {accent.map(|accent| view! { <style inner_html=accent></style> })}
                    {leads_out.then(|| view! { <base target="_top" /> <script inner_html=BREAK_OUT></script> })}
                </head>
                <body>
                    <Furniture around=around.clone() locale>{main}</Furniture>
                </body>
            </html>
        }
        .to_html()
    });
    RefusalDocument { html, policy }
}

fn document(more_style: Option<String>, page: impl FnOnce() -> AnyView) -> AnyView {
    let accent = use_context::<Arc<Site>>().and_then(|site| site.accent);
    let accent = accent.map(accent_css).unwrap_or_default();
    let more_style = more_style.unwrap_or_default() + &accent;
    let more_style = (!more_style.is_empty())
        .then(|| view! { <style nonce=use_nonce() inner_html=more_style></style> });
    view! {
        <!DOCTYPE html>
        <html>
            <head>
                {about_every_page()}
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

/// What every document says of itself.
fn about_every_page() -> impl IntoView {
    view! {
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        // Account and card numbers are no telephone numbers.
        <meta name="format-detection" content="telephone=no" />
        <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
    }
}

/// The shop's colour, outside every layer, so that it wins.
fn accent_css(accent: Accent) -> String {
    let (light, dark) = (accent.light.hex(), accent.dark.hex());
    format!(":root{{--accent:light-dark({light},{dark})}}")
}
