//! SQLite's connections.
//!
//! sqlx's pool tries a connection out whenever it comes back: by a task, and a round trip to the connection's own thread.
//! Most of our reads are one look into an index and cost less than that. So a connection whose work went well is kept at
//! hand for the next. Any other, whose statement failed or was given up half way, goes back to the pool, which tries it out
//! and makes a new one in its place.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long one waits for those before it.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    pool: SqlitePool,
    /// As many as the pool has connections, so that who has one finds a connection at hand or in the pool.
    places: Arc<Semaphore>,
    at_hand: AtHand,
}

/// None of them once the database was closed.
type AtHand = Arc<Mutex<Option<Vec<PoolConnection<Sqlite>>>>>;

impl Connections {
    /// Takes over a pool.
    pub(super) fn new(pool: SqlitePool) -> Self {
        let connections = pool.options().get_max_connections();
        Self {
            pool,
            places: Arc::new(Semaphore::new(connections as usize)),
            at_hand: Arc::new(Mutex::new(Some(Vec::new()))),
        }
    }

    /// A connection of one's own, once there is one.
    pub(super) async fn take(&self) -> Result<Held, sqlx::Error> {
        let place = Arc::clone(&self.places).acquire_owned();
        let place = tokio::time::timeout(ACQUIRE_TIMEOUT, place)
            .await
            .map_err(|_elapsed| sqlx::Error::PoolTimedOut)?
            .map_err(|_closed| sqlx::Error::PoolClosed)?;
        let kept = self.at_hand.lock().as_mut().and_then(Vec::pop);
        let conn = match kept {
            Some(conn) => conn,
            None => self.pool.acquire().await?,
        };
        Ok(Held {
            conn,
            at_hand: Arc::clone(&self.at_hand),
            _place: place,
        })
    }

    /// Waits for what is under way, and closes every connection.
    pub(super) async fn close(&self) {
        self.places.close();
        drop(self.at_hand.lock().take());
        self.pool.close().await;
    }
}

/// A connection that nobody else uses.
#[derive(Debug)]
pub(super) struct Held {
    conn: PoolConnection<Sqlite>,
    at_hand: AtHand,
    // Free again after the connection is.
    _place: OwnedSemaphorePermit,
}

impl Held {
    /// Keeps the connection at hand: what was done with it was done to the end.
    pub(super) fn keep(self) {
        if let Some(at_hand) = self.at_hand.lock().as_mut() {
            at_hand.push(self.conn);
        }
    }
}

impl Deref for Held {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.conn
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.conn
    }
}
