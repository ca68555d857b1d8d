//! Which scenarios to run: `1,7-9,crowd`.

use crate::scenario::{Scenario, all};

/// A selection that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part:?} names no scenario: a number, a range such as 7-9, or a name is expected")]
#[non_exhaustive]
pub struct SelectError {
    /// The part that names nothing.
    pub part: String,
}

/// The scenarios that a text such as `1,7-9,crowd` names, by number, each once.
///
/// # Errors
/// [`SelectError`] for the first part that names no scenario.
pub fn select(text: &str) -> Result<Vec<Scenario>, SelectError> {
    let mut selected = Vec::new();
    for part in text.split(',').map(str::trim) {
        let before = selected.len();
        selected.extend(
            all()
                .into_iter()
                .filter(|scenario| is_named(scenario, part)),
        );
        if selected.len() == before {
            return Err(SelectError { part: part.into() });
        }
    }
    selected.sort_by_key(|scenario| scenario.number);
    selected.dedup_by_key(|scenario| scenario.number);
    Ok(selected)
}

fn is_named(scenario: &Scenario, part: &str) -> bool {
    if scenario.name == part {
        return true;
    }
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    match (first.parse(), last.parse::<u8>()) {
        (Ok(first), Ok(last)) => (first..=last).contains(&scenario.number),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<u8> {
        let selected = select(text).unwrap();
        selected.iter().map(|scenario| scenario.number).collect()
    }

    #[test]
    fn numbers_ranges_and_names_are_taken() {
        assert_eq!(numbers("1"), [1]);
        assert_eq!(numbers("7-9, 1,crowd,8"), [1, 7, 8, 9, 30]);
        assert_eq!(numbers("no-imp-uid"), [4]);
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for (text, part) in [("", ""), ("1,99", "99"), ("9-7", "9-7"), ("x-1", "x-1")] {
            assert_eq!(select(text).unwrap_err(), SelectError { part: part.into() });
        }
    }
}
