//! What a person is told when the edge refuses a request: a page like every other.
//!
//! Each is made and compressed when it is first needed, and kept, so that saying it costs a busy server next to nothing. It needs
//! neither the database nor PortOne.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use http::{HeaderValue, Method};
use parking_lot::Mutex;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use super::assets::takes_encoding;
use super::pages::visitor;
use crate::i18n::Locale;
use crate::ui::context::Site;
use crate::ui::{Refusal, refusal_document};

/// How hard a page is compressed, which happens once.
const COMPRESSION: CompressionLevel = CompressionLevel::Precise(9);

/// How the person asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    locale: Locale,
    encoding: Option<&'static str>,
    /// Whether the same address brings the same page again: what was posted does not stand in it.
    by_address: bool,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        let headers = request.headers();
        Self {
            locale: visitor(request.uri().query(), headers).locale(None),
            encoding: ["br", "gzip"]
                .into_iter()
                .find(|name| takes_encoding(headers, name)),
            by_address: [Method::GET, Method::HEAD].contains(request.method()),
        }
    }
}

/// The pages that were needed so far: at most one for each refusal and each way to ask.
pub(super) struct Refusals {
    site: Arc<Site>,
    kept: Mutex<HashMap<(Refusal, Asked), Page>>,
}

#[derive(Clone)]
struct Page {
    body: Bytes,
    policy: HeaderValue,
}

impl Refusals {
    pub(super) fn new(site: Arc<Site>) -> Self {
        Self {
            site,
            kept: Mutex::default(),
        }
    }

    /// The answer for a person, with the status and the headers of the answer that it takes the place of; that answer, should
    /// there be no page.
    pub(super) async fn page(&self, refusal: Refusal, asked: &Asked, answer: Response) -> Response {
        let Some(Page { body, policy }) = self.find(refusal, asked).await else {
            return answer;
        };
        let (mut parts, _body) = answer.into_parts();
        let headers = &mut parts.headers;
        headers.remove(CONTENT_LENGTH);
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        match asked.encoding {
            Some(encoding) => headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding)),
            None => headers.remove(CONTENT_ENCODING),
        };
        Response::from_parts(parts, Body::from(body))
    }

    async fn find(&self, refusal: Refusal, asked: &Asked) -> Option<Page> {
        let key = (refusal, *asked);
        if let Some(page) = self.kept.lock().get(&key) {
            return Some(page.clone());
        }
        let document = refusal_document(&self.site, asked.locale, refusal, asked.by_address);
        let page = Page {
            body: compressed(document.html, asked.encoding).await?,
            policy: HeaderValue::from_str(&document.policy).ok()?,
        };
        self.kept.lock().insert(key, page.clone());
        Some(page)
    }
}

async fn compressed(html: String, encoding: Option<&'static str>) -> Option<Bytes> {
    let Some(encoding) = encoding else {
        return Some(html.into());
    };
    let uncompressed = service_fn(|_| async {
        let mut response = Response::new(Body::from(html.clone()));
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, html);
        Ok::<_, Infallible>(response)
    });
    let request = Request::builder().header(ACCEPT_ENCODING, encoding);
    let Ok(response) = CompressionLayer::new()
        .quality(COMPRESSION)
        .layer(uncompressed)
        .oneshot(request.body(Body::empty()).ok()?)
        .await;
    let body = Body::new(response.into_body());
    axum::body::to_bytes(body, usize::MAX).await.ok()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use http::StatusCode;
    use http::header::ACCEPT;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;
    use crate::domain::order::Mode;
    use crate::web::layers::{broken, refuse_politely};

    #[tokio::test]
    async fn who_meets_broken_code_is_told_of_it_without_a_word_of_the_code() {
        let site = Site {
            shop_name: Some("A & B <i>".to_owned()),
            shop_url: None,
            accent: None,
            logo_url: None,
            support_url: None,
            public_url: "https://pay.example".to_owned(),
            mode: Mode::Live,
            v1: None,
            v2: None,
        };
        let refusals = Arc::new(Refusals::new(Arc::new(site)));
        let breaks = async || -> &'static str { panic!("a secret of the code") };
        let app = Router::new()
            .route("/", get(breaks))
            .layer(CatchPanicLayer::custom(broken))
            .layer(from_fn_with_state(refusals, refuse_politely));
        let request = Request::get("/").header(ACCEPT, "text/html");

        let answer = app
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();

        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let text = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
        let text = String::from_utf8(text.unwrap().to_vec()).unwrap();
        let heading = Locale::Ko.messages().edge.broken.heading;
        assert!(
            text.contains(&format!("<title>{heading} · A &amp; B &lt;i&gt;</title>")),
            "{text}"
        );
        assert!(!text.contains("secret"), "{text}");
    }
}
