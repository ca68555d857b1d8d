//! What the shop's people write down about an order.

use async_trait::async_trait;

use super::query::{Failure, execute, fetch_all, fetch_optional, retried};
use super::retention::has_to_be_erased;
use super::rows::{Table, micros};
use super::write::{Change, Verdict};
use super::{Database, Dialect, Tx};
use crate::domain::ids::PaymentId;
use crate::ports::notes::{KeptNote, NewNote, NoteStore, Noted};
use crate::ports::store::StoreError;

#[async_trait]
impl NoteStore for Database {
    async fn add_note(&self, new: &NewNote, notes_max: u32) -> Result<Noted, StoreError> {
        let new = new.clone();
        self.write(AddNote { new, notes_max }).await
    }

    async fn notes(&self, id: &PaymentId) -> Result<Vec<KeptNote>, StoreError> {
        retried(|| async {
            let mut conn = self.reader().await?;
            let rows: Vec<(i64, String, String)> = fetch_all!(
                &mut conn,
                "SELECT written_at, written_by, note FROM notes WHERE payment_id = $1 ORDER BY written_at DESC, form_key",
                id.as_str(),
            )?;
            conn.keep();
            let kept = rows.into_iter().map(|(at, by, note)| {
                Ok(KeptNote {
                    at: Table("notes").time("written_at", at)?,
                    by,
                    note: Some(note).filter(|note| !note.is_empty()),
                })
            });
            kept.collect()
        })
        .await
    }
}

struct AddNote {
    new: NewNote,
    notes_max: u32,
}

#[async_trait]
impl Change for AddNote {
    type Answer = Noted;

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<Noted>, Failure> {
        let NewNote {
            payment_id,
            form_key,
            by,
            at,
            note,
        } = &self.new;
        // Who holds the order's lock counts alone. SQLite has one writer at a time anyway.
        let lock = match tx {
            Dialect::Sqlite(_) => "SELECT payment_id FROM orders WHERE payment_id = $1",
            Dialect::Postgres(_) => {
                "SELECT payment_id FROM orders WHERE payment_id = $1 FOR NO KEY UPDATE"
            }
        };
        let order: Option<(String,)> = fetch_optional!(tx, lock, payment_id.as_str())?;
        if order.is_none() {
            return Ok(Verdict::Undo(Noted::NoOrder));
        }
        let keys: Vec<(String,)> = fetch_all!(
            tx,
            "SELECT form_key FROM notes WHERE payment_id = $1",
            payment_id.as_str()
        )?;
        if keys.iter().any(|(key,)| key == form_key) {
            return Ok(Verdict::Undo(Noted::Kept));
        }
        if keys.len() >= self.notes_max as usize {
            return Ok(Verdict::Undo(Noted::TooMany));
        }
        execute!(
            tx,
            "INSERT INTO notes (payment_id, form_key, written_at, written_by, note) VALUES ($1, $2, $3, $4, $5)",
            payment_id.as_str(),
            form_key.as_str(),
            micros(*at),
            by.to_text(),
            note.as_str(),
        )?;
        has_to_be_erased(tx, payment_id).await?;
        Ok(Verdict::Keep(Noted::Kept))
    }
}
