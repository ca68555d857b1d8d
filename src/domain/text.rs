//! Text that strangers wrote.

/// Characters kept of one claimed value.
pub const CLAIMED_CHARS_MAX: usize = 300;

/// Cuts a stranger's text and takes out what could reorder or hide other text.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| stays_in_its_place(*c))
        .take(CLAIMED_CHARS_MAX)
        .collect()
}

/// Whether a character is none that could reorder or hide other text, or begin a line: no control character, none of direction
/// (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>), no separator of lines, none without a width.
#[must_use]
pub fn stays_in_its_place(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_hide_or_reorder_text_is_taken_out() {
        let cases = [
            ("한도 초과 (limit) 🙂", "한도 초과 (limit) 🙂"),
            ("a\u{0}b\nc\u{7f}d\u{85}e", "abcde"),
            ("a\u{200a}b", "a\u{200a}b"),
            ("a\u{200b}b\u{200d}c\u{200f}d", "abcd"),
            ("a\u{2010}b", "a\u{2010}b"),
            ("a\u{61c}b\u{2028}c\u{2029}d\u{2060}e", "abcde"),
            ("a\u{202f}b\u{206a}c", "a\u{202f}b\u{206a}c"),
            ("a\u{202a}b\u{202e}c\u{2066}d\u{2069}e\u{feff}f", "abcdef"),
        ];
        for (text, kept) in cases {
            assert_eq!(clean(text), kept, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_by_its_characters() {
        assert_eq!(clean(&"가".repeat(301)), "가".repeat(300));
        assert_eq!(clean(&"a".repeat(299)).len(), 299);
    }
}
