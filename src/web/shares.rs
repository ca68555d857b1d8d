//! How much one client holds of what all clients share: connections, streams, requests that are worked on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::domain::pace::holder;

/// How many places each client has.
type OfClients = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The places of each client, of which none may have more than so many.
#[derive(Debug, Clone)]
pub(super) struct Shares {
    held: OfClients,
    each: usize,
}

impl Shares {
    /// So many places for each client.
    pub(super) fn of(each: usize) -> Self {
        Self {
            held: Arc::default(),
            each,
        }
    }

    /// A place for a client; `None` when it has as many as it may.
    pub(super) fn take(&self, client: IpAddr) -> Option<Share> {
        let client = holder(client);
        let mut held = self.held.lock();
        let of_client = held.entry(client).or_default();
        if *of_client >= self.each {
            return None;
        }
        *of_client += 1;
        Some(Share {
            client,
            held: Arc::clone(&self.held),
        })
    }

    /// Whether nobody has any.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.held.lock().is_empty()
    }
}

/// A client's place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    client: IpAddr,
    held: OfClients,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        if let Some(of_client) = held.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                held.remove(&self.client);
            }
        }
    }
}
