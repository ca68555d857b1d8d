//! What an address names.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use serde::de::DeserializeOwned;

/// The parts of an address that its route leaves open. One that is not UTF-8 names nothing: it is read as empty, which is no id of
/// anything, so that whoever sends it is told what everybody is told whose id is not there.
pub struct Named<T>(pub T);

impl<T, S> FromRequestParts<S> for Named<T>
where
    T: DeserializeOwned + Default + Send,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        Ok(Self(path.map_or_else(
            |_rejection| T::default(),
            |Path(named)| named,
        )))
    }
}
