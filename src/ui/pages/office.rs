//! The back office: sign-in, the shop at a glance, the list of orders, one order with the whole record of why it stands where it stands,
//! what needs attention, where events go, and who may come in.
//!
//! Plain documents and plain forms: no page here runs a script, and each is whole in its first response. Nothing here moves
//! an order; forms post to handlers that do. Only these pages show a buyer's personal data, and only to a person who is
//! signed in: a page that finds nobody signed in shows nothing, whatever let the request through.
//!
//! Tested by rendering from the outside (`tests/it`, `end2end`); what is pure (addresses, cursors, the reading of history
//! entries) is tested beside its code.

pub mod account;
pub mod address;
pub mod attention;
pub mod audit;
mod checks;
pub mod export;
mod frame;
pub mod keys;
pub mod login;
pub mod login_code;
pub mod order;
pub mod orders;
pub mod overview;
mod parts;
pub mod refund;
mod text;
mod timeline;
mod transactions;
pub mod users;
pub mod webhooks;

pub use account::AccountPage;
pub use attention::AttentionPage;
pub use audit::AuditPage;
pub use keys::KeysPage;
pub use login::LoginPage;
pub use login_code::LoginCodePage;
pub use order::OrderPage;
pub use orders::OrdersPage;
pub use overview::OverviewPage;
pub use refund::RefundPage;
pub use users::UsersPage;
pub use webhooks::WebhooksPage;

use std::sync::Arc;

use http::StatusCode;
use http::request::Parts;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;

use crate::domain::access::Deed;
use crate::i18n::Locale;
use crate::service::Core;
use crate::ui::context::{SignedIn, Visitor, from_request};
use address::Address;
use frame::Frame;
use text::Text;

/// Hexadecimal digits of what a form carries so that sending it twice counts once.
pub const FORM_KEY_CHARS: usize = 32;

/// Everything a page takes from its request. Read before the first await: contexts belong to the render, not to the task.
#[derive(Clone)]
struct Request {
    core: Option<Arc<Core>>,
    person: Option<SignedIn>,
    locale: Locale,
    address: Address,
    response: Option<ResponseOptions>,
}

/// What a page is made of, for somebody who may see it.
struct Opened {
    request: Request,
    frame: Frame,
    me: SignedIn,
    core: Arc<Core>,
}

/// A page for who may do this: what it is made of is read from the request here, and what is missing is said here.
fn page_for<Made>(deed: Deed, make: impl FnOnce(Opened) -> Made + Send + 'static) -> impl IntoView
where
    Made: Future<Output = AnyView> + Send + 'static,
{
    let request = Request::read();
    let frame = Frame::new(&request);
    let page = async move {
        match opened(request, frame, deed) {
            Ok(opened) => make(opened).await,
            Err(missing) => missing,
        }
    };
    view! { <Suspense>{Suspend::new(page)}</Suspense> }
}

fn opened(request: Request, frame: Frame, deed: Deed) -> Result<Opened, AnyView> {
    let Some(me) = request.person.clone() else {
        return Err(frame.signed_out());
    };
    if !me.may(deed) {
        return Err(frame.not_allowed());
    }
    let Some(core) = request.core.clone() else {
        return Err(frame.unavailable());
    };
    Ok(Opened {
        request,
        frame,
        me,
        core,
    })
}

impl Request {
    fn read() -> Self {
        let visitor = from_request::<Visitor>();
        let locale = visitor.map_or(Locale::Ko, |visitor| visitor.locale(None).of_office());
        let asked = visitor.and_then(|visitor| visitor.asked);
        let address = use_context::<Parts>().map_or_else(Address::default, |parts| {
            Address::new(parts.uri.path(), parts.uri.query(), asked)
        });
        Self {
            core: use_context(),
            person: from_request(),
            locale,
            address,
            response: use_context(),
        }
    }

    /// Whether who is signed in may do this: what a person may not do is not offered.
    fn may(&self, deed: Deed) -> bool {
        self.person.as_ref().is_some_and(|person| person.may(deed))
    }

    fn text(&self) -> &'static Text {
        text::of(self.locale)
    }

    /// Says by the status, too, that a form is given back.
    fn refuse(&self, code: &str) {
        self.respond(match code {
            "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "settled_before" | "nothing_there" | "item_changed" => StatusCode::CONFLICT,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        });
    }

    fn respond(&self, status: StatusCode) {
        if let Some(response) = &self.response {
            response.set_status(status);
        }
    }
}
