//! Requests by their names.

use async_trait::async_trait;
use jiff::Timestamp;

use super::query::{Failure, execute, fetch_optional};
use super::rows::micros;
use super::write::{Change, Verdict};
use super::{Database, Tx};
use crate::ports::requests::{NamedRequest, RequestStore};
use crate::ports::store::StoreError;

#[async_trait]
impl RequestStore for Database {
    async fn keep(&self, request: &NamedRequest, since: Timestamp) -> Result<String, StoreError> {
        let request = request.clone();
        self.write(Keep { request, since }).await
    }
}

struct Keep {
    request: NamedRequest,
    since: Timestamp,
}

#[async_trait]
impl Change for Keep {
    type Answer = String;

    fn may_undo_itself(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx) -> Result<Verdict<String>, Failure> {
        let NamedRequest {
            shop,
            name,
            fingerprint,
            at,
        } = &self.request;
        execute!(
            tx,
            "DELETE FROM named_requests WHERE created_at < $1",
            micros(self.since)
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
        let kept = kept.map_or_else(|| fingerprint.clone(), |(kept,)| kept);
        Ok(Verdict::Keep(kept))
    }
}
