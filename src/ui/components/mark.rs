//! The mark beside a heading: a drawing of what the heading says, hidden from those who hear the heading.

use leptos::prelude::*;

use crate::ui::say::Mark;

/// Draws the mark.
#[component]
pub fn StateMark(
    /// Which one.
    mark: Mark,
) -> impl IntoView {
    let strokes = match mark {
        Mark::Check => "M15 24.5l6.5 6.5L34 18",
        Mark::Clock => "M24 14v10.5l6.5 4",
        Mark::Cross => "M17.5 17.5l13 13M30.5 17.5l-13 13",
        Mark::Alert => "M24 14v12.5M24 33v.5",
        Mark::Return => "M19 15l-6 6 6 6M14 21h13a6.5 6.5 0 0 1 0 13h-6",
        Mark::Question => "M18.5 19a5.5 5.5 0 1 1 8.5 4.6c-1.9 1.3-3 2.1-3 4.4M24 33.5v.5",
    };
    view! {
        <svg class=format!("mark {}", mark.tone()) viewBox="0 0 48 48" width="56" height="56" aria-hidden="true" focusable="false">
            <circle class="mark-disc" cx="24" cy="24" r="23" />
            <path class="mark-line" d=strokes pathLength="1" />
        </svg>
    }
}
