//! What a person writes down for the others of the shop.

use thiserror::Error;

/// Longest note, in characters.
pub const NOTE_CHARS_MAX: usize = 500;

/// A note: 1 to [`NOTE_CHARS_MAX`] characters in lines, without what has no glyph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note(String);

/// Why a text is no note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidNote {
    /// Nothing was written.
    #[error("a note is needed")]
    Empty,
    /// It is too long to be kept whole.
    #[error("the note is longer than {NOTE_CHARS_MAX} characters")]
    TooLong,
}

impl Note {
    /// Reads what was typed.
    ///
    /// # Errors
    /// See [`InvalidNote`].
    pub fn parse(typed: &str) -> Result<Self, InvalidNote> {
        // Lines stay; what else has no glyph would only disturb, and PostgreSQL refuses one of them.
        let kept: String = typed
            .replace("\r\n", "\n")
            .chars()
            .filter(|c| !c.is_control() || *c == '\n')
            .collect();
        let kept = kept.trim();
        if kept.is_empty() {
            return Err(InvalidNote::Empty);
        }
        if kept.chars().count() > NOTE_CHARS_MAX {
            return Err(InvalidNote::TooLong);
        }
        Ok(Self(kept.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_and_what_has_no_glyph_goes() {
        let note = Note::parse(" 전화함\r\n\u{0}내일 \u{1b}다시 ").unwrap();
        assert_eq!(note.as_str(), "전화함\n내일 다시");
        assert_eq!(Note::parse(" \r\n\u{0} "), Err(InvalidNote::Empty));
    }

    #[test]
    fn the_longest_counts_in_characters() {
        assert!(Note::parse(&"가".repeat(NOTE_CHARS_MAX)).is_ok());
        let long = "가".repeat(NOTE_CHARS_MAX + 1);
        assert_eq!(Note::parse(&long), Err(InvalidNote::TooLong));
    }
}
