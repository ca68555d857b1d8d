//! What happens between two reads of one ask, made to happen there.

use std::sync::Arc;

use parking_lot::Mutex;
use wanryo::domain::history::Actor;
use wanryo::domain::order::OrderStatus;
use wanryo::service::sync::{Standing, sync};

use crate::by_hand::{Counting, Shop, paid};
use crate::deadlines::Between;
use crate::support::{TestDatabase, on_both_databases};

on_both_databases! {
    /// The webhook's ask writes the transaction after the buyer's ask has read the order without it, and before it looks whose
    /// transaction that is.
    async fn a_transaction_that_another_ask_has_just_seen_is_the_orders_own(db: TestDatabase) {
        let portone = Arc::new(Counting::of_a_paid_order());
        let mut shop = Shop::open_at(&db, Arc::clone(&portone)).await;
        let faster = Shop::open_at(&db, portone).await;
        let id = shop.order("ORD-1").await;
        let tx = paid(&id).transaction_id;
        let webhook = shop.ask(&id, tx.as_str(), Actor::Webhook);
        let core = Arc::get_mut(&mut shop.core).unwrap();
        core.orders = Arc::new(Between {
            orders: Arc::clone(&core.orders),
            before_owner: Mutex::new(Some(Box::pin(async move {
                sync(&faster.core, webhook).await.unwrap();
            }))),
            holds_tokens: false,
        });

        let synced = sync(&shop.core, shop.ask(&id, tx.as_str(), Actor::Buyer)).await.unwrap();

        assert_eq!((synced.standing, synced.confirmed), (Standing::Ours, true));
        assert_eq!(synced.snapshot.order.status, OrderStatus::Paid);
        assert_eq!(synced.snapshot.transactions.len(), 1);
        assert_eq!(shop.core.orders.outbox(&id).await.unwrap().len(), 1);
    }
}
