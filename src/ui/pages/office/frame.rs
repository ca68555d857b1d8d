//! What stands around every page of the back office.

use std::sync::Arc;

use http::StatusCode;
use leptos::prelude::*;
use leptos_meta::{Html, Meta, Title};

use super::Request;
use super::account::ACCOUNT_PATH;
use super::audit::AUDIT_PATH;
use super::keys::KEYS_PATH;
use super::overview::OVERVIEW_PATH;
use super::text::{Words, audit, overview, people, webhooks};
use super::users::USERS_PATH;
use super::webhooks::WEBHOOKS_PATH;
use crate::domain::access::Deed;
use crate::domain::order::Mode;
use crate::i18n::Locale;
use crate::service::Core;
use crate::ui::context::{Site, site};

/// Payments needing attention that are counted; beyond it the navigation says "more than".
const ATTENTION_COUNTED_MAX: u32 = 99;

/// What a page needs of the site and its request to be framed; read before the first await, like [`Request`] itself.
pub(super) struct Frame {
    request: Request,
    site: Arc<Site>,
    /// How many payments need attention, as far as they were counted.
    attention: u32,
}

impl Frame {
    pub(super) fn new(request: &Request) -> Self {
        Self {
            request: request.clone(),
            site: site(),
            attention: 0,
        }
    }

    /// Counts what needs attention, so that every page says it. Not being able to is no reason to show no page.
    pub(super) async fn counted(self, core: &Core) -> Self {
        let counted = core
            .attention
            .count_attention(core.clock.now(), ATTENTION_COUNTED_MAX + 1)
            .await;
        match counted {
            Ok(attention) => Self { attention, ..self },
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "what needs attention could not be counted"
                );
                self
            }
        }
    }

    /// The document: header, banner, and the page's own content.
    pub(super) fn around(self, title: String, content: AnyView) -> AnyView {
        let Self {
            request,
            site,
            attention,
        } = self;
        let text = request.text();
        let other = match request.locale {
            Locale::Ko => Locale::En,
            Locale::En | Locale::Ja | Locale::Zh => Locale::Ko,
        };
        let home = request.address.link("/orders", &[]);
        let brand = site
            .shop_name
            .clone()
            .unwrap_or_else(|| "wanryo".to_owned());
        let sign_out = request.address.link("/logout", &[]);
        let account = request.address.link(ACCOUNT_PATH, &[]);
        let person = request.person.clone().map(|person| {
            view! {
                <a class="office-person" href=account.clone()><bdi>{person.email}</bdi></a>
                <form class="office-sign-out" method="post" action=sign_out>
                    <button class="button" type="submit">{text.frame.sign_out}</button>
                </form>
            }
        });
        let navigation = request
            .person
            .is_some()
            .then(|| navigation(&request, attention));
        let test_mode = (site.mode == Mode::Test).then(
            || view! { <p class="office-banner" data-kind="test">{text.frame.test_mode}</p> },
        );
        let title = match &site.shop_name {
            Some(shop) => format!("{title} · {shop}"),
            None => title,
        };
        view! {
            <Html attr:lang=request.locale.tag() />
            <Title text=title />
            <Meta name="robots" content="noindex" />
            <div class="office">
                <header class="office-header">
                    <a class="office-brand" href=home><bdi>{brand}</bdi>" "<span>{text.frame.office}</span></a>
                    {navigation}
                    <div class="office-header-end">
                        <a class="office-language" href=request.address.in_language(other) hreflang=other.tag() lang=other.tag()>{text.frame.other_language}</a>
                        {person}
                    </div>
                </header>
                {test_mode}
                <main class="office-main" id="main">{content}</main>
            </div>
        }.into_any()
    }

    /// A page that has nothing to show but why.
    pub(super) fn around_words(
        self,
        status: StatusCode,
        words: &'static Words,
        link: Option<(String, &'static str)>,
    ) -> AnyView {
        self.request.respond(status);
        let link =
            link.map(|(href, label)| view! { <p><a class="button" href=href>{label}</a></p> });
        let content = view! {
            <h1 class="office-title">{words.title}</h1>
            <p>{words.body}</p>
            {link}
        }
        .into_any();
        self.around(words.title.to_owned(), content)
    }

    /// Nobody is signed in. The layer in front sends strangers to the sign-in page; this is for the day it does not.
    pub(super) fn signed_out(self) -> AnyView {
        let text = self.request.text();
        let link = self.request.address.link("/login", &[]);
        self.around_words(
            StatusCode::UNAUTHORIZED,
            &text.frame.signed_out,
            Some((link, text.frame.sign_in)),
        )
    }

    /// No order has this number.
    pub(super) fn no_such_order(self) -> AnyView {
        let text = self.request.text();
        let back = (self.request.address.link("/orders", &[]), text.order.back);
        self.around_words(StatusCode::NOT_FOUND, &text.order.not_found, Some(back))
    }

    /// The person who is signed in may not see the page. The layer in front refuses before; this is for the day it does not.
    pub(super) fn not_allowed(self) -> AnyView {
        let words = &people::of(self.request.locale).not_allowed;
        self.around_words(StatusCode::FORBIDDEN, words, None)
    }

    /// The store does not answer.
    pub(super) fn unavailable(self) -> AnyView {
        let text = self.request.text();
        self.around_words(
            StatusCode::SERVICE_UNAVAILABLE,
            &text.frame.unavailable,
            None,
        )
    }
}

/// The pages of the back office, for who is signed in.
fn navigation(request: &Request, attention: u32) -> AnyView {
    let text = request.text();
    let count = (attention > 0).then(|| {
        let shown = if attention > ATTENTION_COUNTED_MAX {
            format!("{ATTENTION_COUNTED_MAX}+")
        } else {
            attention.to_string()
        };
        view! { " "<span class="office-count">{shown}</span> }
    });
    let current = |path| request.address.is_at(path).then_some("page");
    let people = people::of(request.locale);
    let settings = [
        (USERS_PATH, people.users.title, Deed::ManageUsers),
        (KEYS_PATH, people.keys.title, Deed::ManageKeys),
        (AUDIT_PATH, audit::of(request.locale).title, Deed::ReadAudit),
    ];
    let settings = settings.into_iter().filter(|(.., deed)| request.may(*deed));
    let settings = settings.map(|(path, title, _)| {
        view! { <a href=request.address.link(path, &[]) aria-current=current(path)>{title}</a> }
    });
    view! {
        <nav class="office-nav" aria-label=text.frame.pages>
            <a href=request.address.link(OVERVIEW_PATH, &[]) aria-current=current(OVERVIEW_PATH)>{overview::of(request.locale).title}</a>
            <a href=request.address.link("/orders", &[]) aria-current=current("/orders")>{text.list.title}</a>
            <a href=request.address.link("/attention", &[]) aria-current=current("/attention")>{text.attention.title}{count}</a>
            <a href=request.address.link(WEBHOOKS_PATH, &[]) aria-current=current(WEBHOOKS_PATH)>{webhooks::of(request.locale).title}</a>
            {settings.collect_view()}
        </nav>
    }
    .into_any()
}
