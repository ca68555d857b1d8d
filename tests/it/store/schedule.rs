//! When an order is asked about again, and by whom.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use wanryo::domain::order::Order;
use wanryo::ports::store::{Committed, OrderStore};

use super::fixtures::{at, commit, order, payment_id};
use super::{created, found, ids, race};
use crate::support::{TestDatabase, on_both_databases};

on_both_databases! {
    async fn schedule_and_preparation_take_no_version(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, order("A")).await;

        database.schedule_check(&order.payment_id, 0, Some(at(60)), 3).await.unwrap();
        database.mark_prepared(&order.payment_id, at(61)).await.unwrap();

        let noted = Order { next_check_at: Some(at(60)), checks_without_change: 3, prepared_at: Some(at(61)), ..order.clone() };
        assert_eq!(found(&database, &order).await.order, noted);

        // A change that was decided before the preparation was known does not undo it.
        assert_eq!(database.commit(&commit(&Order { next_check_at: Some(at(70)), ..order.clone() })).await.unwrap(), Committed::Done);
        assert_eq!(found(&database, &order).await.order.prepared_at, Some(at(61)));
        // News about the version before come too late.
        let current = found(&database, &order).await.order;
        database.schedule_check(&order.payment_id, 0, Some(at(99)), 9).await.unwrap();
        assert_eq!(found(&database, &order).await.order, current);
        database.schedule_check(&order.payment_id, 1, None, 0).await.unwrap();
        assert_eq!(found(&database, &order).await.order.next_check_at, None);
        // And neither makes an order.
        database.schedule_check(&payment_id("nobody"), 0, Some(at(0)), 0).await.unwrap();
        database.mark_prepared(&payment_id("nobody"), at(0)).await.unwrap();
        assert_eq!(database.find_order(&payment_id("nobody")).await.unwrap(), None);
    }

    async fn due_orders_are_leased_longest_due_first(test: TestDatabase) {
        let database = test.open().await;
        for (id, next_check_at) in [("late", Some(at(-100))), ("later", Some(at(-50))), ("now", Some(at(0))), ("soon", Some(at(1))), ("never", None)] {
            created(&database, Order { next_check_at, ..order(id) }).await;
        }
        let lease = async |now, limit| {
            let mut leased = database.lease_due(now, now + SignedDuration::from_secs(60), limit).await.unwrap();
            leased.sort();
            leased
        };

        assert_eq!(ids(&lease(at(0), 2).await), ["late", "later"]);
        assert_eq!(ids(&lease(at(0), 100).await), ["now"]);
        assert_eq!(lease(at(0), 100).await, []);
        assert_eq!(found(&database, &order("late")).await.order.next_check_at, Some(at(60)));
        assert_eq!(found(&database, &order("late")).await.order.version, 0);
        // A worker that died with its lease: somebody else's turn.
        assert_eq!(ids(&lease(at(60), 100).await), ["late", "later", "now", "soon"]);
    }

    async fn no_order_is_leased_twice_at_once(test: TestDatabase) {
        let database = test.open().await;
        for n in 0..30 {
            created(&database, Order { next_check_at: Some(at(-n)), ..order(&format!("order-{n}")) }).await;
        }

        let leases = race(&test, |database, _| async move { database.lease_due(at(0), at(60), 3).await.unwrap() }).await;

        assert!(leases.iter().all(|lease| lease.len() <= 3), "{leases:?}");
        let mut leased: Vec<_> = leases.into_iter().flatten().collect();
        // Rivals may have skipped each other's rows; those are still there.
        leased.extend(database.lease_due(at(0), at(60), 100).await.unwrap());
        assert_eq!(leased.len(), 30);
        assert_eq!(leased.iter().collect::<BTreeSet<_>>().len(), 30);
    }
}
