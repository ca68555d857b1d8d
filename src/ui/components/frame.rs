//! What surrounds the `<main>` of every buyer's page: title, shop, notices, help, language.

use std::sync::Arc;

use leptos::hydration::HydrationScripts;
use leptos::prelude::*;
use leptos_meta::{Html, Meta, Title};

use crate::domain::order::Mode;
use crate::i18n::Locale;
use crate::ui::context::{Site, Visitor, from_request, site};

/// What a page knows of its request. Taken before anything is awaited.
#[derive(Clone)]
pub struct Surroundings {
    /// The site's settings.
    pub site: Arc<Site>,
    /// Who looks.
    pub visitor: Visitor,
    /// Where the browser code is, when this server carries any.
    pub scripts: Option<LeptosOptions>,
}

impl Surroundings {
    /// Takes them from the request that is being answered.
    #[must_use]
    pub fn take() -> Self {
        let visitor = from_request::<Visitor>().unwrap_or(Visitor {
            asked: None,
            accepted: Locale::negotiate(None),
        });
        Self {
            site: site(),
            visitor,
            scripts: use_context::<LeptosOptions>(),
        }
    }

    /// An address of ours as a path, so that a page works under whatever name the browser reached it. Keeps the language
    /// that the visitor asked for.
    #[must_use]
    pub fn path(&self, address: &str) -> String {
        let path = address
            .strip_prefix(self.site.public_url.as_str())
            .filter(|path| path.starts_with('/'))
            .unwrap_or(address);
        match self.visitor.asked {
            Some(locale) => in_language(path, locale),
            None => path.to_owned(),
        }
    }
}

fn in_language(path: &str, locale: Locale) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}lang={}", locale.tag())
}

/// A page's title: what it says, and whose it is.
#[must_use]
pub fn title_of(site: &Site, title: &str) -> String {
    match &site.shop_name {
        Some(shop) => format!("{title} · {shop}"),
        None => title.to_owned(),
    }
}

/// The page around its `<main>`, with what its document says of it.
#[component]
pub fn Frame(
    /// What the page knows of its request.
    around: Surroundings,
    /// The page's language.
    locale: Locale,
    /// What the page says first, for tabs, histories and screen readers.
    title: &'static str,
    /// Whether the payment was made with test money, and the page may say so.
    #[prop(default = false)]
    test: bool,
    /// Path of the same page without a language; `None` where the address cannot be repeated.
    #[prop(default = None)]
    same_page: Option<String>,
    /// Whether anything on the page is live.
    #[prop(default = false)]
    live: bool,
    /// The `<main>`.
    children: Children,
) -> impl IntoView {
    let title = title_of(&around.site, title);
    let scripts = around.scripts.clone().filter(|_| live);
    view! {
        <Html attr:lang=locale.tag() />
        <Title text=title />
        <Meta name="robots" content="noindex" />
        <Furniture around locale test same_page>
            {children()}
        </Furniture>
        // At the end, so that nothing of it delays what there is to read.
        {scripts.map(|options| view! { <HydrationScripts options islands=true /> })}
    }
}

/// What stands around every `<main>`: the shop above, help and the other languages below.
#[component]
pub fn Furniture(
    /// What the page knows of its request.
    around: Surroundings,
    /// The page's language.
    locale: Locale,
    /// Whether the payment was made with test money, and the page may say so.
    #[prop(default = false)]
    test: bool,
    /// Path of the same page without a language; `None` where the address cannot be repeated.
    #[prop(default = None)]
    same_page: Option<String>,
    /// The `<main>`.
    children: Children,
) -> impl IntoView {
    let words = locale.messages();
    let Surroundings { site, .. } = around;
    let shop = site.shop_name.clone().map(|name| {
        // The name stands beside it, so there is nothing more to say about the picture.
        let logo = site
            .logo_url
            .clone()
            .map(|src| view! { <img class="shop-logo" src=src alt="" width="32" height="32" /> });
        match site.shop_url.clone() {
            Some(url) => view! { <a class="shop" href=url>{logo}{name}</a> }.into_any(),
            None => view! { <span class="shop">{logo}{name}</span> }.into_any(),
        }
    });
    // A server in test mode says so on every page. What a payment there was made with it need not know: a live one is held.
    let notice = if test {
        Some(words.test_notice)
    } else {
        (site.mode == Mode::Test).then_some(words.test_mode)
    };
    let help = site
        .support_url
        .clone()
        .map(|url| view! { <a href=url>{words.help}</a> });
    let languages = same_page.map(|path| {
        let links = Locale::ALL.into_iter().filter(|other| *other != locale).map(|other| {
            view! { <a href=in_language(&path, other) lang=other.tag() hreflang=other.tag()>{other.own_name()}</a> }
        });
        view! { <nav class="languages" aria-label=words.languages>{links.collect_view()}</nav> }
    });
    view! {
        <header class="site-header">{shop}</header>
        {notice.map(|notice| view! { <p class="test-notice">{notice}</p> })}
        {children()}
        <footer class="site-footer">{help} {languages}</footer>
    }
}
