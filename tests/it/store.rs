//! The contract of the store: what `ports::store` promises holds on every database, alone and with several instances.

mod access;
mod commits;
mod fixtures;
mod group;
mod history;
mod inbox;
mod opening;
mod orders;
mod overview;
pub(crate) mod postgres;
mod schedule;
mod servers;

use wanryo::adapters::store::Database;
use wanryo::domain::history::{EntryKind, StoredEntry};
use wanryo::domain::ids::PaymentId;
use wanryo::domain::order::Order;
use wanryo::ports::store::{Created, OrderStore, OutboxEvent, Snapshot};

use crate::support::TestDatabase;
use fixtures::entry;

/// How many tasks fight in the tests of races.
const RIVALS: usize = 20;

/// Writes an order and gives it back.
async fn created(database: &Database, order: Order) -> Order {
    assert_eq!(
        database
            .create_order(&order, &entry(EntryKind::OrderCreated))
            .await
            .unwrap(),
        Created::New
    );
    order
}

async fn found(database: &Database, order: &Order) -> Snapshot {
    database
        .find_order(&order.payment_id)
        .await
        .unwrap()
        .unwrap()
}

/// Everything that is stored of an order.
async fn everything(
    database: &Database,
    order: &Order,
) -> (Option<Snapshot>, Vec<StoredEntry>, Vec<OutboxEvent>) {
    let id = &order.payment_id;
    (
        database.find_order(id).await.unwrap(),
        database.history(id).await.unwrap(),
        database.outbox(id).await.unwrap(),
    )
}

/// Runs the tasks at the same time, on the instances in turn.
async fn race<T: Send + 'static, Task: Future<Output = T> + Send + 'static>(
    test: &TestDatabase,
    task: impl Fn(Database, usize) -> Task,
) -> Vec<T> {
    let instances = [test.open().await, test.open().await];
    let tasks: Vec<_> = (0..RIVALS)
        .map(|rival| tokio::spawn(task(instances[rival % 2].clone(), rival)))
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

fn ids(ids: &[PaymentId]) -> Vec<&str> {
    ids.iter().map(PaymentId::as_str).collect()
}
