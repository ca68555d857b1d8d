//! The little HTML the sandbox writes: escaping, two languages, one page frame.

use std::fmt::Write;

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, StatusCode, header};
use rust_decimal::Decimal;

/// Only the sandbox's own style and script; nothing inline, so escaped text that was not escaped still runs nothing.
/// `form-action` is left out: browsers would apply it to the shop's address after the redirect as well.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    Korean,
    English,
}

impl Language {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "ko" => Some(Language::Korean),
            "en" => Some(Language::English),
            _ => None,
        }
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Language::Korean => "ko",
            Language::English => "en",
        }
    }

    pub(crate) fn pick(self, korean: &'static str, english: &'static str) -> &'static str {
        match self {
            Language::Korean => korean,
            Language::English => english,
        }
    }
}

/// Text as it may stand in an element or in a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// ₩64,900 or 14.2 USD.
pub(crate) fn money(amount: Option<Decimal>, currency: &str) -> String {
    let Some(amount) = amount else {
        return format!("? {currency}");
    };
    let digits = amount.abs().to_string();
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits.as_str(), None),
    };
    let mut text = String::new();
    if amount.is_sign_negative() {
        text.push('-');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        let _ = write!(text, ".{fraction}");
    }
    match currency {
        "KRW" => format!("₩{text}"),
        currency => format!("{text} {currency}"),
    }
}

/// A whole page. `title` is plain text; `body` is HTML.
pub(crate) fn page(status: StatusCode, language: Language, title: &str, body: &str) -> Response {
    framed(status, language, title, "", body)
}

/// Like [`page`], with attributes on `body` and the script that reads them.
pub(crate) fn page_with_script(
    language: Language,
    title: &str,
    attributes: &str,
    body: &str,
) -> Response {
    framed(StatusCode::OK, language, title, attributes, body)
}

fn framed(
    status: StatusCode,
    language: Language,
    title: &str,
    attributes: &str,
    body: &str,
) -> Response {
    let script = match attributes {
        "" => "",
        _ => r#"<script src="/_sandbox/window.js" defer></script>"#,
    };
    let html = format!(
        r#"<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{title}</title>
<link rel="stylesheet" href="/_sandbox/style.css">
{script}
</head>
<body{attributes}>
<header class="banner"><strong>PortOne sandbox</strong> <span>{banner}</span></header>
{body}
</body>
</html>
"#,
        lang = language.code(),
        title = escape(title),
        banner = language.pick("연습용 · 실제 돈이 오가지 않습니다", "no real money"),
    );
    (
        status,
        [
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (header::CACHE_CONTROL, "no-store"),
            // Form pages must not use `no-referrer`: some shops look at where a POST comes from.
            (header::REFERRER_POLICY, "origin"),
            (HeaderName::from_static("x-content-type-options"), "nosniff"),
        ],
        Html(html),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_everything_that_ends_text_or_an_attribute() {
        assert_eq!(
            escape(r#"<a href="x" title='y'>&"#),
            "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;"
        );
    }

    #[test]
    fn money_is_grouped_and_keeps_its_decimals() {
        let cases = [
            ("64900", "KRW", "₩64,900"),
            ("999", "KRW", "₩999"),
            ("1234567", "KRW", "₩1,234,567"),
            ("14.20", "USD", "14.20 USD"),
            ("1234.5", "USD", "1,234.5 USD"),
        ];
        for (amount, currency, text) in cases {
            assert_eq!(money(amount.parse().ok(), currency), text);
        }
    }
}
