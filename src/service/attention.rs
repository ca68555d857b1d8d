//! What needs attention, as the shop's people read and settle it.

use thiserror::Error;

use super::Core;
use crate::domain::attention::{AttentionKind, NOTE_CHARS_MAX};
use crate::domain::history::Actor;
use crate::domain::ids::TransactionId;
use crate::ports::attention::Settling;
use crate::ports::store::StoreError;

/// Why an item was not settled.
#[derive(Debug, Error)]
pub enum SettleError {
    /// Nothing was said about what was done.
    #[error("a note is needed")]
    NoNote,
    /// The note is too long to be kept whole.
    #[error("the note is longer than {NOTE_CHARS_MAX} characters")]
    NoteTooLong,
    /// Somebody settled it before; that word stays.
    #[error("it was settled before")]
    SettledBefore,
    /// Nothing of the kind needs attention.
    #[error("nothing of the kind needs attention")]
    NothingThere,
    /// The store failed.
    #[error("it could not be settled")]
    Store(#[from] StoreError),
}

/// Notes that a person took care of a payment. Moves neither the order nor money.
///
/// # Errors
/// See [`SettleError`].
pub async fn settle(
    core: &Core,
    kind: AttentionKind,
    transaction_id: &TransactionId,
    note: &str,
    actor: &Actor,
) -> Result<(), SettleError> {
    // Lines stay; what else has no glyph would only disturb, and PostgreSQL refuses one of them.
    let note: String = note
        .replace("\r\n", "\n")
        .chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .collect();
    let note = note.trim();
    if note.is_empty() {
        return Err(SettleError::NoNote);
    }
    if note.chars().count() > NOTE_CHARS_MAX {
        return Err(SettleError::NoteTooLong);
    }
    let by = actor.to_text();
    let at = core.clock.now();
    match core
        .attention
        .settle(kind, transaction_id, &by, note, at)
        .await?
    {
        Settling::Done => Ok(()),
        Settling::Before => Err(SettleError::SettledBefore),
        Settling::NothingThere => Err(SettleError::NothingThere),
    }
}
