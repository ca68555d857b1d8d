//! The back office's doors and buttons: plain forms, answered by a redirect. Pages are rendered by [`crate::ui`].

pub mod doors;
pub mod export;
mod refund;

use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use axum::extract::{Extension, MatchedPath, OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_LANGUAGE, COOKIE, LOCATION, REFERER, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;
use serde::Deserialize;

pub use refund::refund_order;

use super::client::{Peer, client_address};
use super::forms::{Form, give_back, is_form_key};
use super::layers::says_from_where;
use super::named::Named;
use super::pages::render;
use super::problem::Problem;
use super::{App, Network, language};
use crate::domain::access::Deed;
use crate::domain::attention::AttentionKind;
use crate::domain::history::Actor;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::ports::attention::Seen;
use crate::service::access::{self, AccessError, CameIn, Entered, SignIn, factor};
use crate::service::attention::{self, SettleError};
use crate::service::orders::{self, CloseError, NoteError};
use crate::service::sync::{Ask, SyncError, sync};
use crate::ui::context::{GivenBack, SignedIn, TryAgain};
use crate::ui::pages::office::address::order_path;
use crate::ui::pages::office::attention::SettleTyped;
use crate::ui::pages::office::order::NoteTyped;

/// Lets signed-in people through to what they may do, and sends everybody else to the sign-in page.
pub async fn require_person(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let token = cookie_value(request.headers(), session_cookie(&app.network));
    let person = match &token {
        Some(token) => access::person(&app.core, token).await,
        None => Ok(None),
    };
    match person {
        Ok(Some(user)) => {
            let person = SignedIn {
                id: user.id,
                email: user.email,
                role: user.role,
                has_handed_password: user.password_until.is_some(),
            };
            if let Some(refusal) = refusal(&person, &request) {
                return refusal;
            }
            request.extensions_mut().insert(person);
            next.run(request).await
        }
        Ok(None) => {
            // After signing in only a page is opened again, never an action.
            let (wanted, ended) = if request.method().is_safe() {
                (wanted_page(request.uri()), "")
            } else {
                (page_of_form(request.headers()), "error=ended&")
            };
            see_other(&format!(
                "/login?{ended}next={}",
                utf8_percent_encode(&wanted, NON_ALPHANUMERIC)
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

/// Asks [`doors`] what the request does, and the person's role whether that may be done. `None` when it may.
fn refusal(person: &SignedIn, request: &Request) -> Option<Response> {
    let path = request.extensions().get::<MatchedPath>();
    let deed = path.and_then(|path| doors::deed(path.as_str(), request.method()));
    let is_asked = deed.is_none() && request.method().is_safe();
    if let Some(page) = path
        .filter(|_| is_asked)
        .and_then(|path| doors::page_of(path.as_str(), request.uri().path()))
    {
        return Some(see_other(page));
    }
    let Some(deed) = deed.filter(|deed| person.may(*deed)) else {
        return Some(Problem::NotAllowed.response());
    };
    // Nobody but a browser has a session.
    if request.method() == Method::POST && !says_from_where(request.headers()) {
        return Some(Problem::NotAllowed.response());
    }
    if person.has_handed_password && deed != Deed::OwnAccount {
        return Some(see_other("/settings/account?error=choose_password"));
    }
    None
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
pub async fn sign_in(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Response {
    let SignInForm {
        email,
        password,
        next,
    } = form;
    let browser = cookie_value(&headers, browser_cookie(&app.network));
    let sign_in = SignIn {
        email: &email,
        password,
        source: source(&app.network, peer, &headers),
        browser: browser.as_deref(),
    };
    let next = own_page(&next);
    let code = match access::sign_in(&app.core, sign_in).await {
        Ok(Entered::In(came_in)) => return let_in(&app.network, next, &came_in),
        Ok(Entered::CodeNeeded(half)) => {
            let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
            let mut response = see_other(&format!("/login/code?next={next}"));
            let seconds = factor::HALF_SIGN_IN_LASTS.as_secs();
            let cookie = cookie(
                half_cookie(&app.network),
                &app.network,
                half.expose(),
                seconds,
            );
            set_cookie(&mut response, &cookie);
            return response;
        }
        Err(AccessError::Refused) => "refused",
        Err(AccessError::Busy) => {
            let wait = TryAgain::Busy;
            return try_again(&app, wait, BUSY_SECONDS, next, uri.query(), &headers).await;
        }
        Err(AccessError::Wait(wait)) => {
            // Rounded up: whoever waits so long need not wait again.
            let seconds = wait.as_secs() + i64::from(wait.subsec_nanos() > 0);
            let wait = TryAgain::After { seconds };
            return try_again(&app, wait, seconds, next, uri.query(), &headers).await;
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a sign-in failed");
            "unavailable"
        }
    };
    let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
    see_other(&format!("/login?error={code}&next={next}"))
}

/// When a sign-in is to be tried again that found too many others.
const BUSY_SECONDS: i64 = 5;

/// Whoever comes from nowhere shares one address.
fn source(network: &Network, peer: Option<Extension<Peer>>, headers: &HeaderMap) -> IpAddr {
    peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |Extension(Peer(peer))| {
        client_address(peer.ip(), headers, &network.trusted_proxies)
    })
}

pub(super) fn let_in(network: &Network, next: &str, came_in: &CameIn) -> Response {
    let mut response = see_other(next);
    set_cookies(network, &mut response, came_in);
    response
}

/// Gives the browser its fresh session.
pub(super) fn set_cookies(network: &Network, response: &mut Response, came_in: &CameIn) {
    let session = cookie(
        session_cookie(network),
        network,
        came_in.session.expose(),
        access::SESSION_MAX.as_secs(),
    );
    let browser = cookie(
        browser_cookie(network),
        network,
        came_in.browser.expose(),
        access::BROWSER_KNOWN.as_secs(),
    );
    for cookie in [session, browser] {
        set_cookie(response, &cookie);
    }
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(mut value) = HeaderValue::from_str(cookie) {
        value.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// The second factor.
#[derive(Deserialize)]
pub struct CodeForm {
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// `POST /login/code`
pub async fn give_code(
    State(app): State<App>,
    headers: HeaderMap,
    Form(form): Form<CodeForm>,
) -> Response {
    let next = own_page(&form.next);
    let Some(half) = cookie_value(&headers, half_cookie(&app.network)) else {
        return see_other("/login");
    };
    let browser = cookie_value(&headers, browser_cookie(&app.network));
    let given = factor::give_code(&app.core, &half, &form.code, browser.as_deref()).await;
    let code = match given {
        Ok(came_in) => {
            let mut response = let_in(&app.network, next, &came_in);
            let over = cookie(half_cookie(&app.network), &app.network, "", 0);
            set_cookie(&mut response, &over);
            return response;
        }
        // It took too long, or everything was ended meanwhile.
        Err(AccessError::NotFound) => return see_other("/login"),
        Err(AccessError::Refused) => "refused",
        Err(AccessError::Wait(_)) => "wait",
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a code could not be looked at"
            );
            "unavailable"
        }
    };
    let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
    see_other(&format!("/login/code?error={code}&next={next}"))
}

/// The sign-in page itself, and when it may be used again.
async fn try_again(
    app: &App,
    why: TryAgain,
    seconds: i64,
    next: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Response {
    let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
    let language = language::asked(query);
    let language = language.map_or_else(String::new, |locale| format!("&lang={}", locale.tag()));
    let Ok(mut request) = Request::get(format!("/login?next={next}{language}")).body(Body::empty())
    else {
        return see_other("/login?error=unavailable");
    };
    if let Some(language) = headers.get(ACCEPT_LANGUAGE) {
        request
            .headers_mut()
            .insert(ACCEPT_LANGUAGE, language.clone());
    }
    request.extensions_mut().insert(why);
    let mut response = render(app, request).await;
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// `POST /logout`
pub async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(token) = cookie_value(&headers, session_cookie(&app.network))
        && let Err(error) = access::sign_out(&app.core, &token).await
    {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a session could not be ended"
        );
    }
    let mut response = see_other("/login");
    // The browser stays known: whoever signs in here the next time is no stranger to the account.
    let cookie = cookie(session_cookie(&app.network), &app.network, "", 0);
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

/// `POST /orders/{payment_id}/sync`
pub async fn sync_order(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
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

/// A note on an order.
#[derive(Debug, Deserialize)]
pub struct NoteForm {
    #[serde(default)]
    note: String,
    /// The form's own, by which it counts once.
    #[serde(default)]
    key: String,
}

/// `POST /orders/{payment_id}/note`
pub async fn note_order(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Form(form): Form<NoteForm>,
) -> Response {
    let Ok(payment_id) = PaymentId::parse(&id) else {
        return see_other("/orders");
    };
    let page = order_path(&payment_id, None);
    if !is_form_key(&form.key) {
        return see_other(&format!("{page}?error=unavailable"));
    }
    let actor = person.actor();
    let kept = orders::note(&app.core, &payment_id, &form.note, &form.key, &actor).await;
    let error = match kept {
        Ok(()) => return see_other(&format!("{page}?done=noted")),
        // The page says so.
        Err(NoteError::NotFound) => return see_other(&page),
        Err(NoteError::Note(_)) => "bad_note",
        Err(NoteError::TooMany) => "too_many_notes",
        Err(NoteError::Store(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a person's note could not be kept"
            );
            "unavailable"
        }
    };
    let typed = NoteTyped { note: form.note };
    let asked = (uri.query(), &headers);
    give_back(&app, &page, asked, person, GivenBack { typed, error }).await
}

/// `POST /orders/{payment_id}/close`
pub async fn close_order(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    Named(id): Named<String>,
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
    /// The item as the page showed it.
    #[serde(default)]
    seen: String,
    #[serde(default)]
    note: String,
}

/// `POST /attention/settle`
pub async fn settle_attention(
    State(app): State<App>,
    Extension(person): Extension<SignedIn>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Form(form): Form<SettleForm>,
) -> Response {
    let kind = AttentionKind::from_word(&form.kind);
    let id = TransactionId::parse(&form.transaction_id);
    let (Some(kind), Ok(transaction_id)) = (kind, id) else {
        return see_other("/attention?error=nothing_there");
    };
    let actor = person.actor();
    let (id, seen) = (&transaction_id, Seen::from_text(&form.seen));
    let settled = attention::settle(&app.core, kind, id, seen, &form.note, &actor).await;
    let error = match settled {
        Ok(()) => return see_other("/attention?done=settled"),
        Err(SettleError::SettledBefore) => "settled_before",
        Err(SettleError::NothingThere) => "nothing_there",
        Err(SettleError::Changed) => "item_changed",
        Err(SettleError::Note(_)) => "no_note",
        Err(SettleError::Store(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a person's word could not be kept"
            );
            "unavailable"
        }
    };
    let typed = SettleTyped {
        kind,
        transaction_id,
        note: form.note,
    };
    let asked = (uri.query(), &headers);
    give_back(
        &app,
        "/attention",
        asked,
        person,
        GivenBack { typed, error },
    )
    .await
}

/// The pages that a person may come to by signing in.
const OWN_PAGES: [&str; 8] = [
    "/overview",
    "/orders",
    "/attention",
    "/settings/webhooks",
    "/settings/users",
    "/settings/keys",
    "/settings/audit",
    "/settings/account",
];

/// With its filters and places. The language is the sign-in page's to keep: a person may choose another there.
fn wanted_page(uri: &Uri) -> String {
    let query = uri.query().unwrap_or_default().split('&');
    let kept: Vec<&str> = query
        .filter(|pair| !pair.is_empty() && !pair.starts_with("lang="))
        .collect();
    let path = uri.path();
    match kept.as_slice() {
        [] => path.to_owned(),
        kept => format!("{path}?{}", kept.join("&")),
    }
}

/// The page on which a form stood, as the browser tells: it is asked to by our `Referrer-Policy`.
fn page_of_form(headers: &HeaderMap) -> String {
    let page = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let page = page.and_then(|page| page.parse::<Uri>().ok());
    // What stands behind it may be news of what was done there before.
    own_page(page.as_ref().map_or("", Uri::path)).to_owned()
}

/// Where a form may send a person on: our own back office, nothing else, however it is spelled.
fn own_page(next: &str) -> &str {
    let harmless = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') && !next.contains("//");
    let office = OWN_PAGES.iter().any(|page| {
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
fn session_cookie(network: &Network) -> &'static str {
    if network.secure {
        "__Host-wanryo"
    } else {
        "wanryo"
    }
}

fn browser_cookie(network: &Network) -> &'static str {
    if network.secure {
        "__Host-wanryo-browser"
    } else {
        "wanryo-browser"
    }
}

fn half_cookie(network: &Network) -> &'static str {
    if network.secure {
        "__Host-wanryo-half"
    } else {
        "wanryo-half"
    }
}

fn cookie(name: &str, network: &Network, value: &str, seconds: i64) -> String {
    let secure = if network.secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

fn cookie_value(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let cookies = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let mut found = cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    found
        .find(|(name, value)| *name == wanted && !value.is_empty())
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
            "/orders/ORD-1",
            "/overview",
            "/attention",
            "/attention?after=a",
            "/settings/webhooks",
            "/settings/account",
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
            cookie(session_cookie(&network), &network, "t", 5),
            "__Host-wanryo=t; Path=/; Max-Age=5; HttpOnly; SameSite=Lax; Secure"
        );
        let mut headers = HeaderMap::new();
        headers.insert(
            COOKIE,
            HeaderValue::from_static("wanryo=plain; __Host-wanryo=bound"),
        );
        let found = |network: &Network| cookie_value(&headers, session_cookie(network));
        assert_eq!(found(&network).as_deref(), Some("bound"));
        assert_eq!(found(&Network::default()).as_deref(), Some("plain"));
    }
}
