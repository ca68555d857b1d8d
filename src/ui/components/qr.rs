//! A code for another device's camera, drawn on the server: it needs no script and asks nobody.

use std::fmt::Write;

use leptos::prelude::*;
use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code, without which cameras do not find it (ISO/IEC 18004).
const QUIET_ZONE: usize = 4;

/// Draws a text as a code; nothing when it is too long for one.
#[component]
pub fn Qr(
    /// What the code says.
    text: String,
    /// What it is, for those who do not see it.
    name: &'static str,
) -> impl IntoView {
    // The least correction: on a screen nothing is torn or stained, and fewer modules are easier to catch.
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let size = code.width() + 2 * QUIET_ZONE;
    let path = path(&code.to_colors(), code.width());
    Some(view! {
        <svg class="qr" role="img" aria-label=name viewBox=format!("0 0 {size} {size}") shape-rendering="crispEdges">
            // Dark on light in every theme: not every camera reads it the other way round.
            <path fill="#fff" d=format!("M0 0h{size}v{size}H0z") />
            <path stroke="#000" d=path />
        </svg>
    })
}

/// One stroke for each run of dark modules, from left to right and from the top.
fn path(modules: &[Color], width: usize) -> String {
    let mut path = String::new();
    for (y, row) in modules.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, other| one == other) {
            if run.first() == Some(&Color::Dark) {
                // Writing to a string cannot fail.
                let _written = write!(
                    path,
                    "M{} {}.5h{}",
                    x + QUIET_ZONE,
                    y + QUIET_ZONE,
                    run.len()
                );
            }
            x += run.len();
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_drawn_and_no_other() {
        use Color::{Dark, Light};
        let modules = [Dark, Dark, Light, Light, Light, Light, Dark, Light, Dark];

        assert_eq!(path(&modules, 3), "M4 4.5h2M4 6.5h1M6 6.5h1");
    }
}
