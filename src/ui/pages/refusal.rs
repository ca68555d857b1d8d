//! What is said before any page is made: the server is busy, the client asks too much at once, what it asks cannot be read or is not
//! for whoever asks, or the page would stand in a frame.

use leptos::prelude::*;

use crate::i18n::Locale;
use crate::ui::components::frame::Surroundings;
use crate::ui::components::mark::StateMark;
use crate::ui::say::Mark;

/// Why no page was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Too many others ask at once.
    Busy,
    /// Too much is asked at once from where this was asked.
    TooMany,
    /// The server's own fault.
    Broken,
    /// What the browser sent cannot be used.
    Unreadable,
    /// It would stand in somebody's frame.
    Framed,
    /// The person who is signed in may not do it.
    NotAllowed,
}

impl Refusal {
    /// When to ask again, where waiting helps. Long enough for a crowd to thin out, short enough for a person to wait.
    #[must_use]
    pub const fn again_in_seconds(self) -> Option<u32> {
        match self {
            Self::Busy | Self::Broken => Some(5),
            Self::TooMany => Some(10),
            Self::Unreadable | Self::Framed | Self::NotAllowed => None,
        }
    }

    const fn mark(self) -> Mark {
        match self {
            Self::Busy | Self::TooMany => Mark::Clock,
            Self::Broken | Self::NotAllowed => Mark::Alert,
            Self::Unreadable | Self::Framed => Mark::Question,
        }
    }

    /// Heading and title.
    #[must_use]
    pub fn heading(self, locale: Locale) -> &'static str {
        let edge = &locale.messages().edge;
        match self {
            Self::Busy => edge.busy.heading,
            Self::TooMany => edge.too_many.heading,
            Self::Broken => edge.broken.heading,
            Self::Unreadable => edge.unreadable.heading,
            Self::Framed => edge.framed.heading,
            Self::NotAllowed => edge.not_allowed.heading,
        }
    }

    fn next(self, locale: Locale) -> &'static str {
        let edge = &locale.messages().edge;
        match self {
            Self::Busy => edge.busy.next,
            Self::TooMany => edge.too_many.next,
            Self::Broken => edge.broken.next,
            Self::Unreadable => edge.unreadable.next,
            Self::Framed => edge.framed.next,
            Self::NotAllowed => edge.not_allowed.next,
        }
    }
}

/// The page's `<main>`. It claims nothing about a payment, for nothing was looked up.
pub(in crate::ui) fn refusal_main(
    around: &Surroundings,
    refusal: Refusal,
    locale: Locale,
    by_address: bool,
) -> AnyView {
    let words = locale.messages();
    let edge = &words.edge;
    let when = refusal
        .again_in_seconds()
        .map(|seconds| view! { <p class="next">{(edge.again_in)(seconds)}</p> });
    // Without an address of its own it leads to the very address that was asked for: it asks once more, and pays nothing.
    let again = match refusal {
        Refusal::Busy | Refusal::TooMany | Refusal::Broken => Some(edge.again),
        Refusal::Framed => Some(edge.see_result),
        Refusal::Unreadable | Refusal::NotAllowed => None,
    };
    let again = again
        .filter(|_| by_address)
        .map(|label| view! { <a class="button button-primary" href="">{label}</a> });
    let back = around
        .site
        .shop_url
        .clone()
        .map(|url| view! { <a class="button" href=url>{words.back_to_shop}</a> });
    let actions = (again.is_some() || back.is_some())
        .then(|| view! { <div class="actions">{again} {back}</div> });
    // Whoever works in the back office has paid nothing here.
    let if_paid = (refusal != Refusal::NotAllowed)
        .then(|| view! { <p class="warning"><strong>{edge.if_paid}</strong></p> });
    view! {
        <main class="slip">
            <section class="verdict">
                <StateMark mark=refusal.mark() />
                <h1 tabindex="-1" autofocus>{refusal.heading(locale)}</h1>
                <p class="money">{refusal.next(locale)}</p>
                {if_paid}
                {when}
            </section>
            {actions}
        </main>
    }
    .into_any()
}
