//! What every answer carries, and what every request must be before a handler sees it.

use std::any::Any;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument;
use tracing::field::Empty;

use super::client::{Peer, client_address, forwarded_host, forwarded_https, is_trusted};
use super::framed::MayBeFramed;
use super::limits::{
    BODY_BYTES_MAX, FORM_BYTES_MAX, HEADER_BYTES_MAX, has_too_many_parameters, is_form,
};
use super::problem::{Problem, takes_pages};
use super::refusals::{Asked, Refusals};
use super::router::{COMPLETE_PATH, CONFIRM_PATH, HEALTH_PATH, WEBHOOK_PATH};
use super::server::close_after;
use super::shares::{Share, Shares};
use super::wire::Ambiguity;
use super::{App, Network};
use crate::TRACES;
use crate::ports::entropy::draw;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Adds the headers of OWASP's secure headers project, where a handler has not set its own.
/// <https://owasp.org/www-project-secure-headers/>
pub async fn safe_headers(State(app): State<App>, request: Request, next: Next) -> Response {
    let pay_page = request.uri().path().starts_with("/pay/");
    let by_https = app.network.secure || came_by_https(&app, &request);
    let mut response = next.run(request).await;
    let may_be_framed = response.extensions().get::<MayBeFramed>().is_some();
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    default(CACHE_CONTROL, "no-store");
    default(X_CONTENT_TYPE_OPTIONS, "nosniff");
    if !may_be_framed {
        default(X_FRAME_OPTIONS, "DENY");
    }
    default(REFERRER_POLICY, "same-origin");
    default(
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    );
    default(CROSS_ORIGIN_RESOURCE_POLICY, "same-origin");
    // A gateway's pop-up talks to the page that opened it.
    default(
        CROSS_ORIGIN_OPENER_POLICY,
        if pay_page {
            "same-origin-allow-popups"
        } else {
            "same-origin"
        },
    );
    default(
        PERMISSIONS_POLICY,
        if pay_page {
            "camera=(), microphone=(), geolocation=(), payment=*"
        } else {
            "camera=(), microphone=(), geolocation=(), payment=()"
        },
    );
    if by_https {
        default(STRICT_TRANSPORT_SECURITY, "max-age=63072000");
    }
    response
}

/// Says in the log what was answered: no query, no body, no person, and of the address the route alone, for a status page's
/// address opens it.
///
/// Every line that is logged on the way carries the request's id, and so does the answer: who complains can quote it.
pub async fn log_request(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = request_id(&app);
    let span = tracing::info_span!("request", request.id = id);
    let mut response = answered(&id, request, next).instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    response
}

/// Ours alone: one that a client sends could be anything, and twice the same.
fn request_id(app: &App) -> String {
    let bytes: [u8; 8] = draw(app.core.entropy.as_ref());
    format!("{:016x}", u64::from_be_bytes(bytes))
}

async fn answered(id: &str, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let trace = tracing::trace_span!(
        target: TRACES,
        "request",
        otel.name = %format_args!("{} {route}", known(&method)),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = known(&method),
        http.route = route,
        http.response.status_code = Empty,
        request.id = id,
    );
    let response = next.run(request).instrument(trace.clone()).await;
    let status = response.status().as_u16();
    trace.record("http.response.status_code", status);
    if response.status().is_server_error() {
        trace.record("otel.status_code", "ERROR");
        tracing::error!(http.method = %method, http.route = route, http.status = status, "a request failed");
    } else {
        tracing::debug!(http.method = %method, http.route = route, http.status = status, "a request was answered");
    }
    response
}

/// A method as traces name it: whatever a client makes up is one word.
/// <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span>
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

/// Refuses what has no one meaning: two lengths, no host, two hosts, no path (RFC 9112, sections 3.2 and 6.1), or more of anything
/// than anybody needs. A proxy in front could read it in another way than we do.
pub async fn well_formed(request: Request, next: Next) -> Response {
    let has_two_lengths = request
        .extensions()
        .get::<Ambiguity>()
        .is_some_and(Ambiguity::was_seen);
    // `CONNECT` names a host alone, and so does what somebody mistypes: routes and pages begin with a path.
    let has_no_path = request.uri().path_and_query().is_none();
    if has_two_lengths || has_no_path || !names_one_host(&request) {
        return last_answer(Problem::MalformedRequest);
    }
    // hyper's own limit is that of a buffer, which grows ahead of it.
    let headers = request.headers().iter();
    let header_bytes: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if header_bytes > HEADER_BYTES_MAX {
        return last_answer(Problem::HeadersTooLarge);
    }
    let query = request.uri().query().unwrap_or_default();
    if has_too_many_parameters(query.as_bytes()) && !reads_its_own(request.uri()) {
        return Problem::TooManyParameters.response();
    }
    next.run(request).await
}

/// HTTP/1.0 knows no hosts, and what checks a server's health still speaks it.
fn names_one_host(request: &Request) -> bool {
    let hosts = request.headers().get_all(HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}

/// The completion page says of a redirect with too much in it what it says of every redirect that it cannot use.
fn reads_its_own(address: &Uri) -> bool {
    address.path().trim_end_matches('/') == COMPLETE_PATH
}

/// Whether a request says which page sent it, as every browser does where something is posted. The layer against requests from
/// other sites judges what it says, and lets through what says nothing.
pub(super) fn says_from_where(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE)
}

/// Puts the host that the browser asked for where the rest looks for it, when a trusted proxy asked for another one.
///
/// What a page says does not depend on it: addresses are made from the public one. That a form was sent by a page of this site
/// does, which is known by its origin being this host.
pub async fn browsers_host(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let host = peer(&request)
        .and_then(|peer| forwarded_host(peer, request.headers(), &app.network.trusted_proxies));
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
    }
    next.run(request).await
}

fn came_by_https(app: &App, request: &Request) -> bool {
    peer(request)
        .is_some_and(|peer| forwarded_https(peer, request.headers(), &app.network.trusted_proxies))
}

fn peer(request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>()?;
    Some(peer.0.ip())
}

/// Waits for the whole body, for so long. A body longer than any route takes is cut one byte beyond that: the route then
/// answers as it does to every body that is too large.
///
/// A body that comes byte by byte waits here, where it takes no place from requests that are worked on.
pub async fn whole_body(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let read = read_up_to(body, BODY_BYTES_MAX + 1);
    let bytes = match tokio::time::timeout(app.network.limits.body_timeout, read).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_broken)) => return last_answer(Problem::MalformedRequest),
        Err(_elapsed) => return last_answer(Problem::TooSlow),
    };
    if is_form(&parts.headers) && has_too_many_parameters(&bytes) && !reads_its_own(&parts.uri) {
        return Problem::TooManyParameters.response();
    }
    let is_cut = bytes.len() > BODY_BYTES_MAX;
    let mut response = next
        .run(Request::from_parts(parts, Body::from(bytes)))
        .await;
    if is_cut {
        close_after(&mut response);
    }
    response
}

async fn read_up_to(mut body: Body, limit: usize) -> Result<Vec<u8>, axum::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        // Trailers are no part of any body here.
        let data = frame?.into_data().unwrap_or_default();
        let room = limit - bytes.len();
        bytes.extend_from_slice(&data[..data.len().min(room)]);
        if bytes.len() == limit {
            break;
        }
    }
    Ok(bytes)
}

/// Refuses a form that is longer than any of ours. Behind [`whole_body`] its length is known.
pub async fn form_limit(request: Request, next: Next) -> Response {
    if request.body().size_hint().lower() > FORM_BYTES_MAX as u64 {
        return Problem::TooLarge.response();
    }
    next.run(request).await
}

/// The places for requests that are worked on. Beyond them a request is refused at once: one that waits behind a thousand
/// others is answered when nobody listens any more.
pub struct Gate {
    all: Semaphore,
    of_portone: Semaphore,
    by_client: Shares,
    network: Arc<Network>,
}

impl Gate {
    /// As many places as the limits say.
    #[must_use]
    pub fn new(network: Arc<Network>) -> Self {
        let limits = &network.limits;
        Self {
            all: Semaphore::new(limits.requests),
            of_portone: Semaphore::new(limits.requests_of_portone),
            by_client: Shares::of(limits.requests_per_client),
            network,
        }
    }

    fn enter(&self, request: &Request) -> Result<Place<'_>, Problem> {
        let is_of_portone =
            [WEBHOOK_PATH, CONFIRM_PATH].contains(&request.uri().path().trim_end_matches('/'));
        let client = self
            .client(request)
            .filter(|_| !is_of_portone && !is_of_the_shop(request));
        let of_client = match client {
            Some(client) => Some(
                self.by_client
                    .take(client)
                    .ok_or(Problem::TooManyRequests)?,
            ),
            None => None,
        };
        let mut of_all = self.all.try_acquire();
        if of_all.is_err() && is_of_portone {
            of_all = self.of_portone.try_acquire();
        }
        Ok(Place {
            _of_all: of_all.map_err(|_full| Problem::Unavailable)?,
            _of_client: of_client,
        })
    }

    /// Who asks; `None` when it is a proxy that does not say for whom.
    fn client(&self, request: &Request) -> Option<IpAddr> {
        let Peer(peer) = request.extensions().get::<Peer>()?;
        let trusted = &self.network.trusted_proxies;
        let client = client_address(peer.ip(), request.headers(), trusted);
        (!is_trusted(client, trusted)).then_some(client)
    }
}

/// A request's place, free again when it is answered.
struct Place<'g> {
    _of_all: SemaphorePermit<'g>,
    _of_client: Option<Share>,
}

/// Answers 503 when there is no place, and 429 when the client has all of its own, for all but the question whether the server
/// is alive: a server that is restarted because it is busy is busier afterwards.
pub async fn shed_load(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    if request.uri().path() == HEALTH_PATH {
        return next.run(request).await;
    }
    let _place = match gate.enter(&request) {
        Ok(place) => place,
        Err(problem) => {
            tracing::warn!(
                problem = problem.slug(),
                "a request was refused: too many are worked on already"
            );
            return problem.response();
        }
    };
    next.run(request).await
}

/// Ends a request that takes too long.
pub async fn time_limit(State(app): State<App>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(app.network.limits.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => Problem::Unavailable.response(),
    }
}

/// Says why an address does not take a method, where the router alone knows: it answers with nothing but the methods that it takes.
pub async fn say_wrong_method(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allow = response.headers().get(ALLOW).cloned();
    let mut response = Problem::MethodNotAllowed.response();
    if let Some(allow) = allow {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// Says a refusal in a person's language to whoever asked for a page: the edge refuses before any page is rendered.
pub(super) async fn refuse_politely(
    State(refusals): State<Arc<Refusals>>,
    request: Request,
    next: Next,
) -> Response {
    let asked =
        (takes_pages(request.headers()) && !is_of_programs(&request)).then(|| Asked::of(&request));
    let response = next.run(request).await;
    match (asked, response.extensions().get::<Problem>().copied()) {
        (Some(asked), Some(problem)) => refusals.page(problem.refusal(), &asked, response).await,
        (None, _) | (_, None) => response,
    }
}

fn is_of_programs(request: &Request) -> bool {
    let path = request.uri().path();
    path == "/api" || path.starts_with("/api/")
}

/// The API that takes a key. The pages' own server functions lie below `/api/`, too, and anybody may call them.
fn is_of_the_shop(request: &Request) -> bool {
    request.uri().path().starts_with("/api/v1/")
}

/// The answer when the code behind a page broke: this server's fault, said as such.
pub fn broken(_panic: Box<dyn Any + Send>) -> Response {
    Problem::Broken.response()
}

/// An answer after which the connection is of no more use: where the next request would begin is not known.
fn last_answer(problem: Problem) -> Response {
    let mut response = problem.response();
    close_after(&mut response);
    response
}
