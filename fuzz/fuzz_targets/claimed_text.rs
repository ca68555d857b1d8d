//! What a stranger writes into a redirect, on its way to the merchant's page and to the log.

#![no_main]

use leptos::prelude::*;
use libfuzzer_sys::fuzz_target;
use portone::redirect::{parse_form, parse_json, parse_query};
use wanryo::domain::text::{CLAIMED_CHARS_MAX, clean};

fuzz_target!(|data: &[u8]| {
    for redirect in [parse_query(data), parse_form(data), parse_json(data)]
        .into_iter()
        .flatten()
    {
        for (name, value) in redirect.parameters().iter() {
            check(name);
            check(value);
        }
    }
});

fn check(claimed: &str) {
    let kept = clean(claimed);
    assert!(kept.chars().count() <= CLAIMED_CHARS_MAX);
    assert!(!kept.chars().any(char::is_control));
    // Nothing that reorders or hides what stands beside it.
    assert!(!kept.contains(|c: char| {
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    }));

    let page = view! { <dd title=kept.clone()>{kept.clone()}</dd> }.to_html();
    let inside = page
        .strip_prefix("<dd title=\"")
        .and_then(|rest| rest.strip_suffix("</dd>"))
        .expect("the element that the page has");
    let (attribute, text) = inside.split_once("\">").expect("one attribute");
    assert!(!attribute.contains(['"', '<']), "the attribute was left");
    assert!(!text.contains('<'), "an element came from outside");

    let line = serde_json::json!({ "claimed": kept }).to_string();
    assert!(!line.contains(['\n', '\r', '\u{1b}']), "one entry is one line");
}
