//! Why: every check of a verification, with what was wanted, what was found, and the result in words.

use leptos::prelude::*;

use super::text::Text;
use crate::domain::verification::Check;

/// The table of a transaction's latest checks.
pub(super) fn checks_table(text: &'static Text, checks: &[Check], caption: String) -> AnyView {
    if checks.is_empty() {
        return view! { <p class="office-note">{text.order.no_checks}</p> }.into_any();
    }
    let label = caption.clone();
    let columns = [
        text.order.check,
        text.order.result,
        text.order.expected,
        text.order.actual,
    ];
    let heads = columns
        .map(|column| view! { <th scope="col">{column}</th> })
        .into_iter()
        .collect_view();
    let rows = checks.iter().map(|check| row(text, check)).collect_view();
    view! {
        <div class="office-scroll" role="region" aria-label=label tabindex="0">
            <table class="office-table office-checks">
                <caption>{caption}</caption>
                <thead><tr>{heads}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(text: &'static Text, check: &Check) -> AnyView {
    let (mark, result) = if check.passed {
        ("✓", text.order.passed)
    } else {
        ("✕", text.order.failed)
    };
    view! {
        <tr data-passed=check.passed.to_string()>
            <th scope="row">{(text.check)(check.name)}</th>
            <td class="office-result"><span aria-hidden="true">{mark}</span>" "{result}</td>
            <td>{value(text, check, &check.expected)}</td>
            <td>{value(text, check, &check.actual)}</td>
        </tr>
    }
    .into_any()
}

/// What is not ours is set apart as code; what has a word is said in words.
fn value(text: &'static Text, check: &Check, value: &str) -> AnyView {
    match (text.check_value)(check.name, value) {
        Some(words) => words.into_any(),
        None => {
            let value = value.to_owned();
            view! { <code><bdi>{value}</bdi></code> }.into_any()
        }
    }
}

/// A value in a sentence.
pub(super) fn value_words(text: &'static Text, check: &Check, value: &str) -> String {
    (text.check_value)(check.name, value).map_or_else(|| value.to_owned(), str::to_owned)
}
