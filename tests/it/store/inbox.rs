//! Webhooks on disk.

use std::collections::BTreeSet;

use wanryo::domain::order::Portone;
use wanryo::ports::store::{InboxResult, InboxStore, Received};

use super::fixtures::{at, order, payment_id, transaction_id, webhook};
use super::{created, race};
use crate::support::{TestDatabase, on_both_databases};

on_both_databases! {
    async fn a_webhook_waits_until_it_is_settled(test: TestDatabase) {
        let database = test.open().await;
        let full = Received {
            at: at(3),
            portone: Portone::V2,
            webhook_id: Some("wh-0001".to_owned()),
            payment_id: payment_id("주문-1"),
            transaction_id: Some(transaction_id("imp_1")),
            claimed_status: Some("Transaction.Paid ✓".to_owned()),
        };
        let first = database.receive(&full, at(10)).await.unwrap().unwrap();
        let second = database.receive(&webhook("B"), at(9)).await.unwrap().unwrap();
        let third = database.receive(&webhook("B"), at(11)).await.unwrap().unwrap();
        let lease = async |now, until, limit| {
            let mut leased = database.lease_inbox(now, until, limit).await.unwrap();
            leased.sort_by_key(|entry| entry.id);
            leased
        };
        let keys = |entries: &[wanryo::ports::store::InboxEntry]| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();

        assert_eq!(lease(at(8), at(20), 10).await, []);
        assert_eq!(keys(&lease(at(10), at(20), 1).await), [second]);
        let leased = lease(at(10), at(20), 10).await;
        assert_eq!(keys(&leased), [first]);
        assert_eq!((leased[0].portone, &leased[0].payment_id), (Portone::V2, &full.payment_id));
        assert_eq!(leased[0].transaction_id, full.transaction_id);
        assert_eq!(leased[0].claimed_status, full.claimed_status);
        assert_eq!((leased[0].received_at, leased[0].attempts), (full.at, 0));

        database.settle(first, 1, InboxResult::Done).await.unwrap();
        database.settle(second, 1, InboxResult::Again(at(15))).await.unwrap();
        database.settle(third, 0, InboxResult::Dropped).await.unwrap();
        // What was settled stays so.
        database.settle(first, 1, InboxResult::Again(at(15))).await.unwrap();
        database.settle(third, 0, InboxResult::Again(at(15))).await.unwrap();

        assert_eq!(lease(at(14), at(30), 10).await, []);
        let again = lease(at(100), at(130), 10).await;
        assert_eq!(keys(&again), [second]);
        assert_eq!(again[0].attempts, 1);
        assert_eq!((again[0].transaction_id.clone(), again[0].claimed_status.clone()), (None, None));
    }

    async fn a_message_that_comes_again_is_one_entry(test: TestDatabase) {
        let database = test.open().await;
        let message = |id: Option<&str>| Received { portone: Portone::V2, webhook_id: id.map(str::to_owned), ..webhook("A") };

        let receipts = race(&test, |database, _| async move {
            let message = Received { portone: Portone::V2, webhook_id: Some("wh-0001".to_owned()), ..webhook("A") };
            database.receive(&message, at(0)).await.unwrap()
        }).await;
        let first = receipts.iter().flatten().copied().collect::<Vec<_>>();

        assert_eq!(first.len(), 1, "{receipts:?}");
        database.settle(first[0], 0, InboxResult::Done).await.unwrap();
        assert_eq!(database.receive(&message(Some("wh-0001")), at(0)).await.unwrap(), None, "worked off, and not forgotten");
        assert!(database.receive(&message(Some("WH-0001")), at(0)).await.unwrap().is_some());
        assert!(database.receive(&message(None), at(0)).await.unwrap().is_some());
        assert!(database.receive(&message(None), at(0)).await.unwrap().is_some(), "messages without a name are all kept");
    }

    async fn a_new_order_wakes_its_webhooks(test: TestDatabase) {
        let database = test.open().await;
        let waiting = database.receive(&webhook("A"), at(1000)).await.unwrap().unwrap();
        let done = database.receive(&webhook("A"), at(1000)).await.unwrap().unwrap();
        database.settle(done, 0, InboxResult::Done).await.unwrap();
        let due = database.receive(&webhook("A"), at(-10)).await.unwrap().unwrap();
        database.receive(&webhook("a"), at(1000)).await.unwrap();

        database.wake_inbox(&payment_id("A"), at(5)).await.unwrap();

        assert_eq!(database.lease_inbox(at(0), at(60), 10).await.unwrap().iter().map(|entry| entry.id).collect::<Vec<_>>(), [due]);
        assert_eq!(database.lease_inbox(at(5), at(60), 10).await.unwrap().iter().map(|entry| entry.id).collect::<Vec<_>>(), [waiting]);
    }

    async fn who_lost_the_lease_settles_nothing(test: TestDatabase) {
        let database = test.open().await;
        let id = database.receive(&webhook("A"), at(15)).await.unwrap().unwrap();
        let take = async |now: i64| {
            let entries = database.lease_inbox(at(now), at(now + 60), 10).await.unwrap();
            entries.iter().map(|entry| (entry.id, entry.attempts, entry.lease)).collect::<Vec<_>>()
        };

        assert_eq!(take(15).await, [(id, 0, 1)]);
        // The task that received it was slow, and is not asked any more.
        database.settle(id, 0, InboxResult::Done).await.unwrap();
        assert_eq!(take(75).await, [(id, 0, 2)], "the first worker was slow, too");
        database.settle(id, 1, InboxResult::Again(at(9000))).await.unwrap();
        assert_eq!(take(135).await, [(id, 0, 3)]);
        // Its order is made while the third looks in vain.
        database.wake_inbox(&payment_id("A"), at(140)).await.unwrap();
        database.settle(id, 3, InboxResult::Again(at(9000))).await.unwrap();
        assert_eq!(take(140).await, [(id, 0, 5)]);
        database.settle(id, 5, InboxResult::Again(at(150))).await.unwrap();
        assert_eq!(take(150).await, [(id, 1, 6)]);
        database.settle(id, 6, InboxResult::Done).await.unwrap();
        assert_eq!(take(9000).await, []);
    }

    async fn an_order_made_while_its_webhook_is_overdue_wakes_it_too(test: TestDatabase) {
        let database = test.open().await;
        let id = database.receive(&webhook("A"), at(15)).await.unwrap().unwrap();

        // Whoever received it looks for longer than its lease, nobody else has taken it, and then the order is made.
        database.wake_inbox(&payment_id("A"), at(20)).await.unwrap();
        database.settle(id, 0, InboxResult::Again(at(9000))).await.unwrap();

        assert_eq!(database.lease_inbox(at(20), at(80), 10).await.unwrap().len(), 1);
    }

    async fn what_was_settled_is_kept_for_a_time(test: TestDatabase) {
        let database = test.open().await;
        let message = |n: i64| Received { at: at(n), portone: Portone::V2, webhook_id: Some(format!("wh-{n}")), ..webhook("A") };
        for n in 0..5 {
            let id = database.receive(&message(n), at(n)).await.unwrap().unwrap();
            if n != 1 {
                database.settle(id, 0, if n == 0 { InboxResult::Dropped } else { InboxResult::Done }).await.unwrap();
            }
        }

        assert_eq!(database.purge_inbox(at(0), 100, 10).await.unwrap(), 0);
        assert_eq!(database.purge_inbox(at(4), 100, 2).await.unwrap(), 2, "oldest first, and no more than asked for");
        assert_eq!(database.receive(&message(3), at(3)).await.unwrap(), None);
        assert_eq!(database.purge_inbox(at(4), 100, 2).await.unwrap(), 1);
        assert_eq!(database.purge_inbox(at(4), 100, 2).await.unwrap(), 0);

        assert_eq!(database.receive(&message(4), at(4)).await.unwrap(), None, "not old enough");
        assert_eq!(database.receive(&message(1), at(1)).await.unwrap(), None, "old, but it waits");
        assert!(database.receive(&message(0), at(0)).await.unwrap().is_some(), "forgotten");
    }

    async fn webhooks_of_no_order_are_bounded_and_those_of_an_order_are_not(test: TestDatabase) {
        let database = test.open().await;
        created(&database, order("known")).await;
        let signed = Received { portone: Portone::V2, webhook_id: Some("wh-1".to_owned()), ..webhook("nobody") };
        let signed = database.receive(&signed, at(0)).await.unwrap().unwrap();
        let mut ids = Vec::new();
        for id in ["known", "x1", "known", "x2", "x3", "known", "x4"] {
            ids.push(database.receive(&webhook(id), at(0)).await.unwrap().unwrap());
        }

        assert_eq!(database.purge_inbox(at(-1000), 5, 10).await.unwrap(), 0);
        assert_eq!(database.purge_inbox(at(-1000), 2, 1).await.unwrap(), 1, "no more than asked for");
        assert_eq!(database.purge_inbox(at(-1000), 2, 10).await.unwrap(), 2);

        let mut left: Vec<_> = database.lease_inbox(at(0), at(60), 100).await.unwrap().iter().map(|entry| entry.id).collect();
        left.sort_unstable();
        assert_eq!(left, [signed, ids[0], ids[2], ids[5], ids[6]], "the signed one and the newest one");
    }

    async fn no_webhook_is_leased_twice_at_once(test: TestDatabase) {
        let database = test.open().await;
        let mut received = BTreeSet::new();
        for n in 0..30 {
            received.insert(database.receive(&webhook(&format!("order-{n}")), at(0)).await.unwrap().unwrap());
        }

        let leases = race(&test, |database, _| async move { database.lease_inbox(at(0), at(60), 3).await.unwrap() }).await;

        assert!(leases.iter().all(|lease| lease.len() <= 3), "{leases:?}");
        let mut leased: Vec<_> = leases.into_iter().flatten().map(|entry| entry.id).collect();
        leased.extend(database.lease_inbox(at(0), at(60), 100).await.unwrap().iter().map(|entry| entry.id));
        assert_eq!(leased.len(), received.len());
        assert_eq!(leased.into_iter().collect::<BTreeSet<_>>(), received);
    }
}
