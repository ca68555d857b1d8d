//! What the shop's people write down about an order.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::StoreError;
use crate::domain::history::Actor;
use crate::domain::ids::PaymentId;
use crate::domain::note::Note;

/// A note to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNote {
    /// On which order.
    pub payment_id: PaymentId,
    /// Of the form and what was written in it: sent twice, it is kept once.
    pub form_key: String,
    /// Who wrote it.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// What.
    pub note: Note,
}

/// A note as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptNote {
    /// When.
    pub at: Timestamp,
    /// Who, as [`Actor::to_text`] writes it.
    pub by: String,
    /// What; `None` once its time was over.
    pub note: Option<String>,
}

/// What came of keeping a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It is kept, now or since before.
    Kept,
    /// The order has as many as it may have.
    TooMany,
    /// No such order.
    NoOrder,
}

/// Notes on orders. Nothing else reads them, and no order moves by one.
#[async_trait]
pub trait NoteStore: Send + Sync {
    /// Keeps a note, unless the order has `notes_max`.
    async fn add_note(&self, new: &NewNote, notes_max: u32) -> Result<Noted, StoreError>;

    /// An order's notes, newest first.
    async fn notes(&self, id: &PaymentId) -> Result<Vec<KeptNote>, StoreError>;
}
