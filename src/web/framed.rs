//! A result that lands in a gateway's frame, because the gateway sent its frame back to the shop and not the window around it.
//!
//! No result is shown in a frame: what stands around it could cover it or dress it up. The page that is shown instead has nothing
//! of the payment on it, and leads out of the frame: by a script where the browser lets it, and by a link. Browsers say where a
//! page will stand (`Sec-Fetch-Dest`); one that does not say so shows nothing, as `X-Frame-Options` asks of it.
//! <https://www.w3.org/TR/fetch-metadata/#sec-fetch-dest-header>

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderName, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::claim;
use super::refusals::{Asked, Refusals};
use super::router::COMPLETE_PATH;
use crate::service::completion::Claim;
use crate::ui::Refusal;

/// What the window claims of the result, which is taken along out of the frame.
const CLAIMED: [&str; 5] = ["imp_success", "success", "imp_status", "error_code", "code"];
/// So much of each claim.
const CLAIMED_CHARS_MAX: usize = 64;
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The mark of an answer that may stand in anybody's frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct MayBeFramed;

/// Leads out of the frame whoever asks from within one.
pub(super) async fn break_out(
    State(refusals): State<Arc<Refusals>>,
    request: Request,
    next: Next,
) -> Response {
    if !is_framed(request.headers()) {
        return next.run(request).await;
    }
    if request.method() == Method::POST {
        // What was posted stands in no address that could be opened outside the frame.
        let (parts, body) = request.into_parts();
        let claim = claim::read(&parts, body).await;
        return Redirect::to(&address(&claim)).into_response();
    }
    let asked = Asked::of(&request);
    let mut answer = Response::new(Body::empty());
    answer.extensions_mut().insert(MayBeFramed);
    refusals.page(Refusal::Framed, &asked, answer).await
}

fn is_framed(headers: &HeaderMap) -> bool {
    headers
        .get(SEC_FETCH_DEST)
        .is_some_and(|place| place == "iframe" || place == "frame")
}

fn address(claim: &Claim) -> String {
    let payment = claim.payment_id.as_ref();
    let transaction = claim.transaction_id.as_ref();
    let ids = [
        ("payment_id", payment.map(ToString::to_string)),
        ("tx_id", transaction.map(ToString::to_string)),
    ];
    let ids = ids.into_iter().filter_map(|(name, id)| Some((name, id?)));
    let claimed = CLAIMED.into_iter().filter_map(|wanted| {
        let mut parameters = claim.parameters.iter();
        let (_, value) = parameters.find(|(name, _)| name == wanted)?;
        Some((wanted, value.chars().take(CLAIMED_CHARS_MAX).collect()))
    });
    let query: Vec<String> = ids
        .chain(claimed)
        .map(|(name, value): (&str, String)| {
            format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC))
        })
        .collect();
    format!("{COMPLETE_PATH}?{}", query.join("&"))
}
