//! What a page may know of its surroundings.

use std::sync::Arc;

use http::request::Parts;
use leptos::prelude::use_context;
use secrecy::{ExposeSecret, SecretString};

use crate::domain::access::{Deed, Role};
use crate::domain::history::Actor;
use crate::domain::look::Accent;
use crate::domain::one_time_code::CodeSecret;
use crate::domain::order::Mode;
use crate::i18n::Locale;

/// The site's own settings, the same for every request.
#[derive(Debug, Clone)]
pub struct Site {
    /// Shown to buyers.
    pub shop_name: Option<String>,
    /// The shop's front page.
    pub shop_url: Option<String>,
    /// The shop's colour, made readable.
    pub accent: Option<Accent>,
    /// Address of the shop's logo, on this site.
    pub logo_url: Option<String>,
    /// Where buyers get help.
    pub support_url: Option<String>,
    /// Address that browsers see, without a slash at the end.
    pub public_url: String,
    /// Live or test money.
    pub mode: Mode,
    /// PortOne's V1 browser SDK.
    pub v1: Option<V1Sdk>,
    /// PortOne's V2 browser SDK.
    pub v2: Option<V2Sdk>,
}

/// What the pay page needs to open PortOne's V1 window.
#[derive(Debug, Clone)]
pub struct V1Sdk {
    /// Address of `iamport.js`.
    pub sdk_url: String,
    /// The merchant code, `imp…`.
    pub merchant_code: String,
}

/// What the pay page needs to open PortOne's V2 window.
#[derive(Debug, Clone)]
pub struct V2Sdk {
    /// Address of `browser-sdk.js`.
    pub sdk_url: String,
    /// The store, `store-…`.
    pub store_id: String,
}

/// Who looks at the page, as far as a request tells.
#[derive(Debug, Clone, Copy)]
pub struct Visitor {
    /// `?lang=`: wins over everything.
    pub asked: Option<Locale>,
    /// By `Accept-Language`: the last resort.
    pub accepted: Locale,
}

impl Visitor {
    /// The page's language: `?lang`, then the order's, then the browser's.
    #[must_use]
    pub fn locale(self, of_order: Option<&str>) -> Locale {
        self.asked
            .or_else(|| of_order.and_then(Locale::from_tag))
            .unwrap_or(self.accepted)
    }
}

/// The person signed in, on back-office pages.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Row id.
    pub id: i64,
    /// E-mail address.
    pub email: String,
    /// What the person is to the shop.
    pub role: Role,
    /// Whether the password was made by somebody else, and has to be replaced before anything else.
    pub has_handed_password: bool,
}

impl SignedIn {
    /// Whether the person may do this.
    #[must_use]
    pub const fn may(&self, deed: Deed) -> bool {
        self.role.may(deed)
    }

    /// The person as who does something.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Staff(self.email.clone())
    }
}

/// Why the sign-in page asks for patience.
#[derive(Debug, Clone, Copy)]
pub enum TryAgain {
    /// Many people sign in.
    Busy,
    /// Too many sign-ins were wrong.
    After {
        /// How long to wait.
        seconds: i64,
    },
}

/// A form that is given back.
#[derive(Debug, Clone)]
pub struct GivenBack<Typed> {
    /// What was typed into it.
    pub typed: Typed,
    /// What is wrong with it: a code, as an address would carry it.
    pub error: &'static str,
}

/// A secret that was just made, for the one page that shows it.
#[derive(Debug, Clone)]
pub struct NewSecret {
    /// Whose it is: address of an endpoint, name of a key, address of a person.
    pub of: String,
    secret: SecretString,
}

impl NewSecret {
    /// What the page is to show.
    #[must_use]
    pub const fn new(of: String, secret: SecretString) -> Self {
        Self { of, secret }
    }

    /// The secret.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.secret.expose_secret()
    }
}

/// What the page of one's account shows of a second factor, once.
#[derive(Debug, Clone)]
pub enum FactorShown {
    /// A secret to set up an app with.
    SetUp {
        /// It.
        secret: CodeSecret,
        /// Whether the code that was given for it is not of it.
        is_wrong: bool,
    },
    /// The recovery codes.
    Recovery(Vec<SecretString>),
}

/// What a handler or a layer put into the request for the page.
#[must_use]
pub fn from_request<T: Clone + Send + Sync + 'static>() -> Option<T> {
    use_context::<Parts>()?.extensions.get::<T>().cloned()
}

/// The site's settings. Every route provides them.
#[must_use]
pub fn site() -> Arc<Site> {
    use_context().expect("the router provides the site to every page")
}
