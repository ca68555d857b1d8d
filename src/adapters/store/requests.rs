//! Requests by their names.

use async_trait::async_trait;

use super::query::{Failure, execute, fetch_optional};
use super::rows::micros;
use super::write::{Change, Verdict};
use super::{Database, Tx};
use crate::ports::requests::{NamedRequest, RequestStore};
use crate::ports::store::StoreError;

#[async_trait]
impl RequestStore for Database {
    async fn keep(&self, request: &NamedRequest) -> Result<String, StoreError> {
        let request = request.clone();
        self.write(Keep { request }).await
    }
}

struct Keep {
    request: NamedRequest,
}

#[async_trait]
impl Change for Keep {
    type Answer = String;

    fn may_undo_itself(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<String>, Failure> {
        Ok(Verdict::Keep(keep(tx, &self.request).await?))
    }
}

/// [`RequestStore::keep`] as a part of a change.
pub(super) async fn keep(tx: &mut Tx, request: &NamedRequest) -> Result<String, Failure> {
    let NamedRequest {
        shop,
        name,
        fingerprint,
        at,
    } = request;
    execute!(
        tx,
        "DELETE FROM named_requests WHERE created_at < $1",
        micros(request.forgotten_before())
    )?;
    // An update that changes nothing, so that the row is returned whoever wrote it.
    let kept: Option<(String,)> = fetch_optional!(
        tx,
        "INSERT INTO named_requests (shop, name, fingerprint, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (shop, name) DO UPDATE SET created_at = named_requests.created_at RETURNING fingerprint",
        shop,
        name,
        fingerprint,
        micros(*at),
    )?;
    Ok(kept.map_or_else(|| fingerprint.clone(), |(kept,)| kept))
}
