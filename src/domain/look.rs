//! The shop's own look: a colour, in which everything stays readable, and a logo.
//!
//! A colour is not taken as it is. It becomes two, one for light and one for dark pages, each moved only as far as its contrast
//! needs (WCAG 2.2, 1.4.3), so that no colour of a shop can make a button or a link unreadable.

use std::sync::Arc;

/// What texts need beside their background.
const CONTRAST_MIN: f64 = 4.5;
/// Steps between a colour and black or white.
const STEPS: u8 = 64;
/// Largest logo, 128 KiB. It is sent beside a page that has fourteen kilobytes.
pub const LOGO_BYTES_MAX: usize = 131_072;

/// A colour of sRGB, eight bits each of red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color(pub [u8; 3]);

impl Color {
    /// Reads `#1f3a68` or `#abc`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix('#')?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let digit = |at: usize| u8::from_str_radix(digits.get(at..=at)?, 16).ok();
        match digits.len() {
            3 => Some(Self([digit(0)? * 17, digit(1)? * 17, digit(2)? * 17])),
            6 => {
                let pair = |at: usize| Some(digit(at)? * 16 + digit(at + 1)?);
                Some(Self([pair(0)?, pair(2)?, pair(4)?]))
            }
            _ => None,
        }
    }

    /// As style sheets write it.
    #[must_use]
    pub fn hex(self) -> String {
        let Self([red, green, blue]) = self;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// `part` of 64 of this colour, the rest of the other.
    fn mixed(self, other: Self, part: u8) -> Self {
        let channel = |at: usize| {
            let (own, its) = (u32::from(self.0[at]), u32::from(other.0[at]));
            let (part, rest) = (u32::from(part), u32::from(STEPS - part));
            u8::try_from((own * part + its * rest) / u32::from(STEPS)).unwrap_or(u8::MAX)
        };
        Self([channel(0), channel(1), channel(2)])
    }

    /// Relative luminance. <https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// The nearest colour on the way to `end` that is readable on all backgrounds.
    fn readable_on(self, backgrounds: &[Self], end: Self) -> Self {
        (0..=STEPS)
            .map(|step| self.mixed(end, STEPS - step))
            .find(|color| {
                backgrounds
                    .iter()
                    .all(|background| contrast(*color, *background) >= CONTRAST_MIN)
            })
            .unwrap_or(end)
    }
}

/// How well two colours can be told apart, from 1 to 21. <https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio>
#[must_use]
pub fn contrast(one: Color, other: Color) -> f64 {
    let (one, other) = (one.luminance(), other.luminance());
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// What the accent stands on, in light and in dark pages: the ground and the slip of `style/tokens.css`, and the slip where it is
/// tinted by the tone of what it says, in the tone that is hardest to read on.
const LIGHT: [Color; 3] = [
    Color([0xf2, 0xef, 0xe8]),
    Color([0xff, 0xfd, 0xf9]),
    Color([0xf4, 0xe3, 0xde]),
];
const DARK: [Color; 3] = [
    Color([0x12, 0x14, 0x19]),
    Color([0x1b, 0x1e, 0x26]),
    Color([0x37, 0x33, 0x2f]),
];

/// A shop's colour, made readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accent {
    /// On light pages, below white text.
    pub light: Color,
    /// On dark pages, below dark text.
    pub dark: Color,
}

impl Accent {
    /// The accent nearest to a colour.
    #[must_use]
    pub fn of(color: Color) -> Self {
        Self {
            light: color.readable_on(&LIGHT, Color([0; 3])),
            dark: color.readable_on(&DARK, Color([255; 3])),
        }
    }
}

/// A shop's logo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    /// Media type, by what the file is and not by what it is called.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Arc<[u8]>,
}

impl Logo {
    /// Takes a file that browsers show as an image; nothing else, and nothing too large.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let media_type = media_type(bytes).filter(|_| bytes.len() <= LOGO_BYTES_MAX)?;
        Some(Self {
            media_type,
            bytes: bytes.into(),
        })
    }
}

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some("image/png");
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Some("image/jpeg");
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some("image/webp");
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let begins = ["<svg", "<?xml", "<!--", "<!DOCTYPE svg"];
    let is_svg = begins.iter().any(|begin| text.starts_with(begin)) && text.contains("<svg");
    is_svg.then_some("image/svg+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: Color = Color([255; 3]);
    const BLACK: Color = Color([0; 3]);

    /// Every 15th step of each channel, both ends among them: 5,832 colours.
    fn many() -> impl Iterator<Item = Color> {
        let steps = || (0..=u8::MAX).step_by(15);
        steps().flat_map(move |red| {
            steps().flat_map(move |green| steps().map(move |blue| Color([red, green, blue])))
        })
    }

    /// CSS's `color-mix(in srgb, one part%, other)`.
    fn css_mix(one: Color, percent: f64, other: Color) -> Color {
        let channel = |at: usize| {
            let mixed = f64::from(one.0[at]) * percent + f64::from(other.0[at]) * (100.0 - percent);
            (mixed / 100.0).round() as u8
        };
        Color([channel(0), channel(1), channel(2)])
    }

    fn token(name: &str) -> [Color; 2] {
        let css = include_str!("../../style/tokens.css");
        let (_, rest) = css.split_once(&format!("--{name}: light-dark(")).unwrap();
        let (both, _) = rest.split_once(')').unwrap();
        let (light, dark) = both.split_once(',').unwrap();
        [light, dark].map(|text| Color::parse(text).unwrap())
    }

    /// Both sides of the place where the definition changes.
    #[test]
    fn dark_colours_have_the_luminance_of_the_definition() {
        for (grey, luminance) in [
            (0, 0.0),
            (10, 0.003_035),
            (11, 0.003_347),
            (128, 0.215_861),
            (255, 1.0),
        ] {
            let found = Color([grey; 3]).luminance();
            assert!((found - luminance).abs() < 0.000_001, "{grey}: {found}");
        }
    }

    #[test]
    fn colours_are_read_as_style_sheets_write_them() {
        assert_eq!(Color::parse("#1f3a68"), Some(Color([0x1f, 0x3a, 0x68])));
        assert_eq!(Color::parse(" #AbC "), Some(Color([0xaa, 0xbb, 0xcc])));
        assert_eq!(Color([1, 2, 255]).hex(), "#0102ff");
        for wrong in [
            "",
            "#",
            "1f3a68",
            "#1f3a6",
            "#1f3a688",
            "#gggggg",
            "red",
            "#12\u{e9}",
            "#+1+1+1",
        ] {
            assert_eq!(Color::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((contrast(BLACK, WHITE) - 21.0).abs() < 0.01);
        assert!((contrast(Color([0x77; 3]), WHITE) - 4.48).abs() < 0.01);
    }

    #[test]
    fn the_backgrounds_are_those_of_the_style_sheet() {
        let (ground, surface) = (token("ground"), token("surface"));
        assert_eq!(LIGHT[..2], [ground[0], surface[0]]);
        assert_eq!(DARK[..2], [ground[1], surface[1]]);
    }

    #[test]
    fn whatever_the_colour_everything_stays_readable() {
        let (ink, muted, on_accent) = (token("ink"), token("muted"), token("on-accent"));
        let tones = ["good", "wait", "bad", "alert", "calm"].map(token);
        let mut least = f64::MAX;
        let mut count = 0;
        for color in many() {
            let Accent { light, dark } = Accent::of(color);
            for (theme, accent, [ground, surface, _]) in [(0, light, LIGHT), (1, dark, DARK)] {
                // Links and the button under the pointer; the button's label, and again under the pointer.
                let hover = css_mix(accent, 86.0, ink[theme]);
                // The pay page's slip is tinted with the accent, most at its top.
                let tinted = css_mix(accent, 13.0, surface);
                let on_tones = tones.map(|tone| (accent, css_mix(tone[theme], 13.0, surface)));
                let others = [
                    (accent, ground),
                    (accent, surface),
                    (on_accent[theme], accent),
                    (on_accent[theme], hover),
                    (ink[theme], tinted),
                    (muted[theme], tinted),
                ];
                for (text, background) in others.into_iter().chain(on_tones) {
                    let contrast = contrast(text, background);
                    least = least.min(contrast);
                    assert!(
                        contrast >= CONTRAST_MIN,
                        "{color:?} as {accent:?}: {text:?} on {background:?} has {contrast:.2}"
                    );
                }
            }
            count += 1;
        }
        assert_eq!(count, 5_832);
        assert!(
            least < 4.7,
            "colours are moved no further than they must: {least}"
        );
    }

    #[test]
    fn a_colour_that_is_readable_stays_as_it_is() {
        let navy = Color([0x1f, 0x3a, 0x68]);
        let pale = Color([0xb9, 0xcd, 0xf4]);
        assert_eq!(Accent::of(navy).light, navy);
        assert_eq!(Accent::of(pale).dark, pale);
        assert_ne!(Accent::of(WHITE).light, WHITE);
        assert_ne!(Accent::of(BLACK).dark, BLACK);
    }

    #[test]
    fn a_logo_is_known_by_what_it_is() {
        let read = |bytes: &[u8]| Logo::read(bytes).map(|logo| logo.media_type);

        assert_eq!(read(b"\x89PNG\r\n\x1a\nrest"), Some("image/png"));
        assert_eq!(read(b"\xff\xd8\xff\xe0rest"), Some("image/jpeg"));
        assert_eq!(read(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        assert_eq!(
            read(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            Some("image/svg+xml")
        );
        assert_eq!(
            read("\u{feff}<?xml version='1.0'?>\n<svg/>".as_bytes()),
            Some("image/svg+xml")
        );
        for wrong in [
            &b""[..],
            b"GIF89a",
            b"<html><svg/></html>",
            b"<script>",
            b"RIFF\0\0\0\0WAVE",
            b"<?xml version='1.0'?><a/>",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
        let mut large = b"\x89PNG\r\n\x1a\n".to_vec();
        large.resize(LOGO_BYTES_MAX, 0);
        assert!(read(&large).is_some());
        large.push(0);
        assert_eq!(read(&large), None, "too large");
    }
}
