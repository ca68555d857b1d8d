//! What needs attention, as the shop's people read and settle it.

use thiserror::Error;

use super::{Core, refunds};
use crate::domain::attention::AttentionKind;
use crate::domain::history::Actor;
use crate::domain::ids::TransactionId;
use crate::domain::note::{InvalidNote, Note};
use crate::ports::attention::{Seen, Settling};
use crate::ports::store::StoreError;

/// Why an item was not settled.
#[derive(Debug, Error)]
pub enum SettleError {
    /// What was said about what was done is no note.
    #[error(transparent)]
    Note(#[from] InvalidNote),
    /// Somebody settled it before; that word stays.
    #[error("it was settled before")]
    SettledBefore,
    /// It is another one by now than the person saw.
    #[error("it changed meanwhile")]
    Changed,
    /// Nothing of the kind needs attention.
    #[error("nothing of the kind needs attention")]
    NothingThere,
    /// The store failed.
    #[error("it could not be settled")]
    Store(#[from] StoreError),
}

/// Notes that a person took care of a payment. Moves neither the order nor money. A refund of which nobody knew the end ends by
/// this word once PortOne was asked again and nothing of it can be under way any more.
///
/// # Errors
/// See [`SettleError`].
pub async fn settle(
    core: &Core,
    kind: AttentionKind,
    transaction_id: &TransactionId,
    seen: Option<Seen>,
    note: &str,
    actor: &Actor,
) -> Result<(), SettleError> {
    let note = Note::parse(note)?;
    let at = core.clock.now();
    match core
        .attention
        .settle(kind, transaction_id, seen, actor, note.as_str(), at)
        .await?
    {
        Settling::Done => {
            if kind == AttentionKind::RefundInDoubt {
                wake_refund(core, transaction_id).await;
            }
            Ok(())
        }
        Settling::Before => Err(SettleError::SettledBefore),
        Settling::Changed => Err(SettleError::Changed),
        Settling::NothingThere => Err(SettleError::NothingThere),
    }
}

/// Makes the refund due, so that the word counts at once. Should it fail, it is due on its own time.
async fn wake_refund(core: &Core, transaction_id: &TransactionId) {
    match core.orders.find_owner(transaction_id).await {
        Ok(Some(payment_id)) => refunds::make_due(core, &payment_id).await,
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the order of a settled refund could not be read"
            );
        }
    }
}
