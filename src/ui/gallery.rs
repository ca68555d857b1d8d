//! The gallery: every state that a buyer's page can be in, made of sample values, rendered by the very components that the real
//! pages are made of.
//!
//! For people to look at and for tests to measure. It reads no order, asks nobody and shows nobody's data; `wanryo demo` alone
//! routes it.

mod samples;

use leptos::prelude::*;
use leptos_meta::{Html, Meta, Title, provide_meta_context};

use super::components::frame::{Frame, Surroundings};
use super::context::from_request;
use super::pages::{no_page, pay, refusal, result};
use crate::i18n::Locale;

use samples::Sample;
pub use samples::{STATES, result_of};

/// Where the gallery is.
pub const PATH: &str = "/_gallery";

/// Light or dark, whatever the browser prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Light, Self::Dark];

    /// The word in an address.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads the word of an address.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == word)
    }

    /// Outside every layer, so that it wins.
    const fn css(self) -> &'static str {
        match self {
            Self::Light => ":root{color-scheme:light}",
            Self::Dark => ":root{color-scheme:dark}",
        }
    }
}

/// What of the gallery an address asks for. Handlers put it into the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// One of [`STATES`]; the list of them when absent.
    pub state: Option<String>,
    /// As the browser prefers when absent.
    pub theme: Option<Theme>,
}

/// What the gallery's document needs beside the product's own style.
#[must_use]
pub fn css() -> String {
    let wanted = from_request::<Wanted>();
    let theme = wanted.as_ref().and_then(|wanted| wanted.theme);
    let theme = theme.map_or("", Theme::css);
    match wanted {
        Some(Wanted { state: None, .. }) => format!("{theme}{LIST_CSS}"),
        Some(_) | None => theme.to_owned(),
    }
}

const LIST_CSS: &str = "main{max-width:60rem;margin:0 auto;padding:1rem}li{margin:.75rem 0;list-style:none}li a{display:inline-block;padding:.25rem .5rem;min-width:1.5rem}";

/// The list, or one state.
#[component]
pub fn Gallery() -> impl IntoView {
    provide_meta_context();
    let wanted = from_request::<Wanted>();
    let around = Surroundings::take();
    match wanted.and_then(|wanted| wanted.state) {
        None => list().into_any(),
        Some(state) => match samples::sample(&state, &around.site.public_url) {
            Some(Sample::Result(view, arrival)) => result::result_page(&around, &view, arrival),
            Some(Sample::OurError) => result::our_error_page(&around),
            Some(Sample::Refusal(refusal)) => {
                let locale = around.visitor.locale(None);
                let main = refusal::refusal_main(&around, refusal, locale, true);
                let title = refusal.heading(locale);
                view! { <Frame around locale title>{main}</Frame> }.into_any()
            }
            Some(Sample::Pay(view)) => pay::pay_page(&around, *view, None),
            Some(Sample::NoPage) | None => view! { <no_page::NoPage /> }.into_any(),
        },
    }
}

fn list() -> impl IntoView {
    let states = STATES.map(|state| {
        let links = Theme::ALL
            .into_iter()
            .flat_map(|theme| Locale::ALL.map(|locale| (theme, locale)))
            .map(|(theme, locale)| {
                let (theme, tag) = (theme.as_str(), locale.tag());
                let href = format!("{PATH}/{state}?lang={tag}&theme={theme}");
                let name = format!("{state} {tag} {theme}");
                view! { <a href=href aria-label=name>{tag}" "{theme}</a>" " }
            });
        view! { <li><h2>{state}</h2>{links.collect_view()}</li> }
    });
    view! {
        <Html attr:lang="en" />
        <Title text="Gallery" />
        <Meta name="robots" content="noindex" />
        <main>
            <h1>"Every state of the buyer’s pages"</h1>
            <ul>{states.collect_view()}</ul>
        </main>
    }
}
