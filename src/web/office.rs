//! The back office's doors and buttons: plain forms, answered by a redirect. Pages are rendered by [`crate::ui`].

mod refund;

use axum::Form;
use axum::extract::{Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;
use serde::Deserialize;

pub use refund::refund_order;

use super::{App, Network};
use crate::domain::attention::AttentionKind;
use crate::domain::history::Actor;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::service::access::{self, AccessError};
use crate::service::attention::{self, SettleError};
use crate::service::orders::{self, CloseError};
use crate::service::sync::{Ask, SyncError, sync};
use crate::ui::context::SignedIn;
use crate::ui::pages::office::address::order_path;

/// Lets signed-in people through and sends everybody else to the sign-in page.
pub async fn require_person(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let token = session_cookie(request.headers(), &app.network);
    let person = match &token {
        Some(token) => access::person(&app.core, token).await,
        None => Ok(None),
    };
    match person {
        Ok(Some(user)) => {
            request
                .extensions_mut()
                .insert(SignedIn { email: user.email });
            next.run(request).await
        }
        Ok(None) => {
            // After signing in only a page is opened again, never an action.
            let wanted = if request.method() == http::Method::GET {
                request.uri().path()
            } else {
                "/orders"
            };
            see_other(&format!(
                "/login?next={}",
                utf8_percent_encode(wanted, NON_ALPHANUMERIC)
            ))
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "sessions could not be read"
            );
            see_other("/login?error=unavailable")
        }
    }
}

/// The sign-in form.
#[derive(Deserialize)]
pub struct SignInForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: SecretString,
    #[serde(default)]
    next: String,
}

/// `POST /login`
pub async fn sign_in(State(app): State<App>, Form(form): Form<SignInForm>) -> Response {
    let next = utf8_percent_encode(own_page(&form.next), NON_ALPHANUMERIC).to_string();
    match access::sign_in(&app.core, &form.email, form.password).await {
        Ok(token) => {
            let mut response = see_other(own_page(&form.next));
            let cookie = cookie(&app.network, token.expose(), access::SESSION_MAX.as_secs());
            if let Ok(mut value) = HeaderValue::from_str(&cookie) {
                value.set_sensitive(true);
                response.headers_mut().insert(SET_COOKIE, value);
            }
            response
        }
        Err(AccessError::Refused) => see_other(&format!("/login?error=refused&next={next}")),
        Err(AccessError::Busy) => see_other(&format!("/login?error=busy&next={next}")),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a sign-in failed");
            see_other(&format!("/login?error=unavailable&next={next}"))
        }
    }
}

/// `POST /logout`
pub async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(token) = session_cookie(&headers, &app.network)
        && let Err(error) = access::sign_out(&app.core, &token).await
    {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a session could not be ended"
        );
    }
    let mut response = see_other("/login");
    if let Ok(value) = HeaderValue::from_str(&cookie(&app.network, "", 0)) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

/// `POST /orders/{payment_id}/sync`
pub async fn sync_order(
    State(app): State<App>,
    axum::Extension(person): axum::Extension<SignedIn>,
    Path(id): Path<String>,
) -> Response {
    let Ok(payment_id) = PaymentId::parse(&id) else {
        return see_other("/orders");
    };
    let back = order_path(&payment_id, None);
    let ask = Ask {
        payment_id,
        transaction_id: None,
        patient: false,
        actor: Actor::Staff(person.email),
    };
    let result = match sync(&app.core, ask).await {
        Ok(synced) if synced.confirmed => "done=synced",
        Ok(_) => "error=unconfirmed",
        Err(error) => not_synced(&error),
    };
    see_other(&format!("{back}?{result}"))
}

fn not_synced(error: &SyncError) -> &'static str {
    match error {
        SyncError::NoSuchOrder => "error=not_found",
        SyncError::Busy => "error=busy",
        SyncError::Store(_) => "error=unavailable",
    }
}

/// `POST /orders/{payment_id}/close`
pub async fn close_order(
    State(app): State<App>,
    axum::Extension(person): axum::Extension<SignedIn>,
    Path(id): Path<String>,
) -> Response {
    let Ok(payment_id) = PaymentId::parse(&id) else {
        return see_other("/orders");
    };
    let result = match orders::close(&app.core, &payment_id, Actor::Staff(person.email)).await {
        Ok(_) => "done=closed",
        Err(error) => not_closed(&error),
    };
    see_other(&format!("{}?{result}", order_path(&payment_id, None)))
}

fn not_closed(error: &CloseError) -> &'static str {
    match error {
        CloseError::Paid => "error=paid",
        CloseError::NotFound => "error=not_found",
        CloseError::Busy => "error=busy",
        CloseError::Store(_) => "error=unavailable",
    }
}

/// A person's word about a payment.
#[derive(Deserialize)]
pub struct SettleForm {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    transaction_id: String,
    #[serde(default)]
    note: String,
}

/// `POST /attention/settle`
pub async fn settle_attention(
    State(app): State<App>,
    axum::Extension(person): axum::Extension<SignedIn>,
    Form(form): Form<SettleForm>,
) -> Response {
    let kind = AttentionKind::from_word(&form.kind);
    let id = TransactionId::parse(&form.transaction_id);
    let (Some(kind), Ok(id)) = (kind, id) else {
        return see_other("/attention?error=nothing_there");
    };
    let actor = Actor::Staff(person.email);
    let result = match attention::settle(&app.core, kind, &id, &form.note, &actor).await {
        Ok(()) => "done=settled",
        Err(SettleError::NoNote | SettleError::NoteTooLong) => "error=no_note",
        Err(SettleError::SettledBefore) => "error=settled_before",
        Err(SettleError::NothingThere) => "error=nothing_there",
        Err(SettleError::Store(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a person's word could not be kept"
            );
            "error=unavailable"
        }
    };
    see_other(&format!("/attention?{result}"))
}

/// Where a form may send a person on: our own back office, nothing else, however it is spelled.
fn own_page(next: &str) -> &str {
    let harmless = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') && !next.contains("//");
    let office = ["/orders", "/attention", "/settings/webhooks"]
        .iter()
        .any(|page| {
            next.strip_prefix(page)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        });
    if harmless && office { next } else { "/orders" }
}

pub(super) fn see_other(path: &str) -> Response {
    match HeaderValue::from_str(path) {
        Ok(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// `__Host-` binds the cookie to this host and to TLS; a plain-HTTP site on a developer's machine cannot have it.
fn cookie_name(network: &Network) -> &'static str {
    if network.secure {
        "__Host-wanryo"
    } else {
        "wanryo"
    }
}

fn cookie(network: &Network, value: &str, seconds: i64) -> String {
    let secure = if network.secure { "; Secure" } else { "" };
    format!(
        "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
        cookie_name(network)
    )
}

fn session_cookie(headers: &HeaderMap, network: &Network) -> Option<String> {
    let cookies = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let mut found = cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    found
        .find(|(name, value)| *name == cookie_name(network) && !value.is_empty())
        .map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ports::store::StoreError;

    #[test]
    fn a_busy_order_is_told_from_a_store_that_fails() {
        let failure = || StoreError::Unavailable("gone".into());

        assert_eq!(not_synced(&SyncError::Busy), "error=busy");
        assert_eq!(not_closed(&CloseError::Busy), "error=busy");
        assert_eq!(
            not_synced(&SyncError::Store(Arc::new(failure()))),
            "error=unavailable"
        );
        assert_eq!(
            not_closed(&CloseError::Store(failure())),
            "error=unavailable"
        );
    }

    #[test]
    fn nobody_is_sent_away_from_the_back_office() {
        for next in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https:evil.example",
            "/orders//evil",
            "/orders\r\nx: y",
            "/login",
            "/orders\\@evil",
            "/ordersx",
            "/attention//evil",
            "/settings",
        ] {
            assert_eq!(own_page(next), "/orders", "{next:?}");
        }
        for page in [
            "/orders",
            "/orders/ORD%2D1",
            "/attention",
            "/attention?after=a",
            "/settings/webhooks",
        ] {
            assert_eq!(own_page(page), page);
        }
    }

    #[test]
    fn cookies_are_bound_to_the_host_where_browsers_speak_tls() {
        let network = Network {
            secure: true,
            ..Network::default()
        };
        assert_eq!(
            cookie(&network, "t", 5),
            "__Host-wanryo=t; Path=/; Max-Age=5; HttpOnly; SameSite=Lax; Secure"
        );
        let mut headers = HeaderMap::new();
        headers.insert(
            COOKIE,
            HeaderValue::from_static("wanryo=plain; __Host-wanryo=bound"),
        );
        assert_eq!(session_cookie(&headers, &network).as_deref(), Some("bound"));
        assert_eq!(
            session_cookie(&headers, &Network::default()).as_deref(),
            Some("plain")
        );
    }
}
