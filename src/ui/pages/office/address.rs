//! Addresses within the back office.
//!
//! The queries are read from the request itself and not from the router, which decodes them twice. A language that was asked
//! for by `?lang=` stays in every link, because no cookie remembers it.

use url::form_urlencoded;

use crate::domain::ids::PaymentId;
use crate::i18n::Locale;

/// Parameters read of one query; the pages know fewer.
const PARAMETERS_MAX: usize = 20;

/// Where a page was opened, and the way to others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Address {
    path: String,
    query: Vec<(String, String)>,
    asked: Option<Locale>,
}

impl Address {
    pub(super) fn new(path: &str, query: Option<&str>, asked: Option<Locale>) -> Self {
        let query = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .into_owned()
            .take(PARAMETERS_MAX)
            .collect();
        Self {
            path: path.to_owned(),
            query,
            asked,
        }
    }

    /// A parameter of the query, when it says anything. The first one counts.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Whether this is the page at a path.
    pub(super) fn is_at(&self, path: &str) -> bool {
        self.path == path
    }

    /// The language as forms hand it on.
    pub(super) fn asked(&self) -> Option<&'static str> {
        self.asked.map(Locale::tag)
    }

    /// A link within the back office, in the language that was asked for.
    pub(super) fn link(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let language = self.asked().map(|tag| ("lang", tag));
        write(path, parameters.iter().copied().chain(language))
    }

    /// This page in another language. What an action reported is said once and not carried on.
    pub(super) fn in_language(&self, locale: Locale) -> String {
        let kept = self
            .query
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "lang" | "done" | "error"));
        let kept = kept.map(|(key, value)| (key.as_str(), value.as_str()));
        write(&self.path, kept.chain([("lang", locale.tag())]))
    }
}

/// The path of an order's page; `action` is what a form there posts to.
#[must_use]
pub fn order_path(id: &PaymentId, action: Option<&str>) -> String {
    let segment = id.to_segment();
    match action {
        None => format!("/orders/{segment}"),
        Some(action) => format!("/orders/{segment}/{action}"),
    }
}

fn write<'p>(path: &str, parameters: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_once() {
        let address = Address::new(
            "/orders",
            Some("q=100%2525+%EC%A3%BC%EB%AC%B8&status=&status=paid"),
            None,
        );

        assert_eq!(address.parameter("q"), Some("100%25 주문"));
        assert_eq!(
            address.parameter("status"),
            None,
            "the first one counts, and it says nothing"
        );
        assert_eq!(address.parameter("after"), None);
    }

    #[test]
    fn the_language_asked_for_stays_in_links() {
        let address = Address::new(
            "/orders",
            Some("lang=en&q=a%26b&done=closed"),
            Some(Locale::En),
        );

        assert_eq!(
            address.link("/orders", &[("status", "held")]),
            "/orders?status=held&lang=en"
        );
        assert_eq!(address.in_language(Locale::Ko), "/orders?q=a%26b&lang=ko");
        assert_eq!(
            Address::new("/orders", None, None).link("/orders", &[]),
            "/orders"
        );
    }

    #[test]
    fn payment_ids_are_one_segment_of_a_path() {
        let id = PaymentId::parse("주문 1+1:a").unwrap();

        assert_eq!(
            order_path(&id, Some("sync")),
            "/orders/%EC%A3%BC%EB%AC%B8%201%2B1%3Aa/sync"
        );
    }
}
