//! Endpoints that fail, each in its way.

use std::collections::BTreeSet;
use std::time::Instant;

use axum::response::IntoResponse;
use http::StatusCode;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wanryo::domain::delivery::{
    Attempt, DeliveryStatus, EndpointId, LEASE, News, Next, SEND_TIMEOUT, Trouble,
};
use wanryo::domain::event::EventType;
use wanryo::domain::history::Actor;
use wanryo::ports::deliveries::{Again, Settled, Settlement};
use wanryo::service::{deliveries, endpoints};

use super::receiver::Receiver;
use super::{HOUR, MINUTE, SECOND, Shop};
use crate::support::{ClosedPort, TestDatabase, on_both_databases};

on_both_databases! {
    async fn what_fails_is_sent_again_at_growing_gaps_for_five_days_and_given_up(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::answering(|got| match got.kind().as_str() {
            "order.expired" => StatusCode::OK.into_response(),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "down\u{0} for \u{1b}maintenance").into_response(),
        })
        .await;
        shop.endpoint(&receiver).await;
        shop.happened("A", &[EventType::OrderPaid, EventType::OrderRefunded]).await;
        shop.deliver().await;
        // Each step goes on until long after the longest gaps that are measured by it.
        shop.pass(SECOND, 7).await;
        shop.pass(10 * SECOND, 12).await;
        shop.pass(MINUTE, 120).await;
        shop.pass(30 * MINUTE, 40).await;
        // An endpoint that takes others is not paused, and tried hourly, when the gaps happen to add up to more than five days.
        shop.pass(HOUR, 24 * 2).await;
        shop.happened("B", &[EventType::OrderExpired]).await;
        shop.pass(HOUR, 24 * 4).await;

        let first: Vec<_> = receiver.got().into_iter().filter(|got| got.kind() == "order.paid").collect();
        assert_eq!(first.len(), 18);
        let gaps: Vec<i64> = first.windows(2).map(|pair| pair[1].timestamp() - pair[0].timestamp()).collect();
        let schedule = [5, 55, 240, 600, 2_700, 7_200, 10_800, 21_600].into_iter().chain([43_200; 9]);
        for (gap, expected) in gaps.iter().zip(schedule) {
            // A fifth to either side, and the step by which time moves here.
            let slack = match expected { ..10 => 2, 10..2_000 => 62, 2_000..40_000 => 1_802, _ => 3_602 };
            assert!((expected * 4 / 5 - 1..=expected * 6 / 5 + slack).contains(gap), "{gap} for {expected}: {gaps:?}");
        }
        assert!(first.iter().all(|got| got.id == first[0].id));
        let delivery = shop.deliveries().await.remove(0);
        assert_eq!((&delivery["status"], &delivery["attempt_count"], &delivery["next_attempt_at"]), (&json!("given_up"), &json!(18), &Value::Null));
        let attempts = shop.delivery(&delivery["id"]).await["attempts"].clone();
        assert_eq!(attempts.as_array().unwrap().len(), 18);
        assert_eq!((&attempts[17]["code"], &attempts[17]["error"], &attempts[17]["answer"]), (&json!(503), &json!("status"), &json!("down for maintenance")));
        // The next one of the order has its turn then.
        assert!(receiver.kinds().contains(&"order.refunded".to_owned()));
    }

    async fn an_endpoint_is_paused_after_five_days_tried_hourly_and_told_of(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::answering(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
        let (id, _) = shop.endpoint(&receiver).await;
        for day in 0..5 {
            for order in 0..3 {
                shop.happened(&format!("ORD-{day}-{order}"), &[EventType::OrderPaid]).await;
            }
            shop.deliver().await;
            shop.pass(HOUR, 23).await;
            assert_eq!(shop.read_endpoint(&id).await["status"], "enabled", "day {day}");
            shop.pass(HOUR, 1).await;
        }
        shop.happened("FRESH", &[EventType::OrderPaid]).await;
        shop.pass(MINUTE, 1).await;
        let endpoint = shop.read_endpoint(&id).await;
        assert_eq!(endpoint["status"], "paused");
        assert!(endpoint["failing_since"].is_string() && endpoint["resume_at"].is_string(), "{endpoint}");

        // One an hour, however much waits.
        let before = receiver.count();
        for order in 0..5 {
            shop.happened(&format!("LATER-{order}"), &[EventType::OrderPaid]).await;
        }
        shop.pass(MINUTE, 58).await;
        assert_eq!(receiver.count(), before);
        shop.pass(MINUTE, 3).await;
        assert_eq!(receiver.count(), before + 1);
        shop.pass(MINUTE, 121).await;
        assert_eq!(receiver.count(), before + 3);

        // It is back: everything that waited is sent at once.
        receiver.answer_with(StatusCode::OK);
        shop.pass(MINUTE, 61).await;
        let endpoint = shop.read_endpoint(&id).await;
        assert_eq!((&endpoint["status"], &endpoint["failing_since"], &endpoint["resume_at"]), (&json!("enabled"), &Value::Null, &Value::Null));
        assert_eq!(shop.read("/api/v1/deliveries?status=pending").await["deliveries"], json!([]));
    }

    /// Its server is mended: nobody waits for the long gaps that it brought upon itself.
    async fn what_waited_is_sent_as_soon_as_a_person_enables_an_endpoint(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::answering(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
        let (id, _) = shop.endpoint(&receiver).await;
        shop.happened("A", &[EventType::OrderPaid, EventType::OrderRefunded]).await;
        shop.deliver().await;
        shop.pass(HOUR, 20).await;
        let path = format!("/api/v1/webhook-endpoints/{id}");
        receiver.answer_with(StatusCode::OK);
        let before = receiver.count();
        let change = |enabled: bool| shop.app.api(Method::PATCH, &path, Some(json!({ "enabled": enabled })));

        // Enabled already: what is next has its time, and perhaps is on its way.
        assert_eq!(change(true).await.json()["status"], "enabled");
        shop.deliver().await;
        assert_eq!(receiver.count(), before);
        assert_eq!(change(false).await.json()["status"], "disabled");
        shop.deliver().await;
        assert_eq!(receiver.count(), before);

        assert_eq!(change(true).await.json()["status"], "enabled");
        shop.deliver().await;
        assert_eq!(receiver.kinds()[before..], ["order.paid", "order.refunded"]);
    }

    async fn an_endpoint_that_answers_410_gets_nothing_until_a_person_enables_it(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::answering(|_| StatusCode::GONE.into_response()).await;
        let (id, _) = shop.endpoint(&receiver).await;
        shop.happened("A", &[EventType::OrderPaid, EventType::OrderRefunded]).await;
        shop.deliver().await;
        shop.happened("B", &[EventType::OrderPaid]).await;
        shop.pass(HOUR, 48).await;

        assert_eq!(receiver.count(), 1);
        assert_eq!(shop.read_endpoint(&id).await["status"], "gone");
        let [paid, refunded] = &shop.deliveries().await[..] else { panic!("B is not for it") };
        assert_eq!((&paid["status"], &refunded["status"]), (&json!("pending"), &json!("pending")));
        let attempts = shop.delivery(&paid["id"]).await["attempts"].clone();
        assert_eq!((&attempts[0]["code"], &attempts[0]["error"]), (&json!(410), &json!("gone")));
        let (status, problem) = shop.post(&format!("/api/v1/deliveries/{}/redeliver", paid["id"]), None).await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("/problems/endpoint-off")));
        let many = format!("/api/v1/webhook-endpoints/{id}/redeliver");
        assert_eq!(shop.post(&many, None).await.0, StatusCode::CONFLICT);

        receiver.answer_with(StatusCode::NO_CONTENT);
        let path = format!("/api/v1/webhook-endpoints/{id}");
        let enabled = shop.app.api(Method::PATCH, &path, Some(json!({ "enabled": true }))).await;
        assert_eq!(enabled.json()["status"], "enabled");
        shop.deliver().await;
        assert_eq!(receiver.kinds(), ["order.paid", "order.paid", "order.refunded"], "what waited, in order");
    }

    /// Its new address has answered nothing yet, whatever the old one did.
    async fn another_address_begins_anew(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let (gone, failing) = (Receiver::answering(|_| StatusCode::GONE.into_response()).await, Receiver::answering(|_| StatusCode::BAD_GATEWAY.into_response()).await);
        let (id, _) = shop.endpoint(&gone).await;
        let path = format!("/api/v1/webhook-endpoints/{id}");
        let change = async |body: Value| shop.app.api(Method::PATCH, &path, Some(body)).await.json();
        shop.happened("A", &[EventType::OrderPaid, EventType::OrderRefunded]).await;
        shop.deliver().await;
        assert_eq!(shop.read_endpoint(&id).await["status"], "gone");

        assert_eq!(change(json!({ "url": failing.url })).await["status"], "enabled");
        for _ in 0..5 {
            shop.deliver().await;
            shop.pass(HOUR, 24).await;
        }
        shop.happened("B", &[EventType::OrderPaid]).await;
        shop.pass(MINUTE, 1).await;
        assert_eq!(shop.read_endpoint(&id).await["status"], "paused");
        assert_eq!(change(json!({ "url": failing.url })).await["status"], "paused", "the same address");

        let receiver = Receiver::start().await;
        let moved = change(json!({ "url": receiver.url })).await;
        assert_eq!((&moved["status"], &moved["failing_since"], &moved["resume_at"]), (&json!("enabled"), &Value::Null, &Value::Null));
        shop.pass(MINUTE, 2).await;
        assert!(receiver.kinds().contains(&"order.paid".to_owned()), "B does not wait for what the old address brought upon it");
        assert_eq!(shop.read("/api/v1/deliveries?status=pending").await["deliveries"], json!([]));

        assert_eq!(change(json!({ "enabled": false })).await["status"], "disabled");
        assert_eq!(change(json!({ "url": failing.url })).await["status"], "disabled", "a person's word stays");
    }

    /// In a quiet shop nothing else is due when the hour is over.
    async fn what_failed_tells_within_the_hour_that_a_paused_endpoint_is_back(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::answering(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
        let (id, _) = shop.endpoint(&receiver).await;
        shop.happened("A", &[EventType::OrderPaid]).await;
        shop.deliver().await;
        shop.pass(HOUR, 24 * 4).await;
        shop.happened("B", &[EventType::OrderPaid]).await;
        shop.deliver().await;
        shop.pass(HOUR, 36).await;
        assert_eq!(shop.read_endpoint(&id).await["status"], "paused");
        let before = receiver.count();
        shop.pass(10 * MINUTE, 180).await;
        let tried = receiver.count() - before;
        assert!((25..=30).contains(&tried), "{tried} in 30 hours");
        let delivery = shop.deliveries().await.pop().unwrap();
        assert_eq!((&delivery["payment_id"], &delivery["status"]), (&json!("B"), &json!("pending")), "tries by the hour use up nothing");

        receiver.answer_with(StatusCode::OK);
        shop.pass(MINUTE, 62).await;

        assert_eq!(shop.read_endpoint(&id).await["status"], "enabled");
        assert_eq!(shop.delivery(&delivery["id"]).await["status"], "delivered");
    }

    /// A person asks for an event that is just on its way for the last time.
    async fn what_fails_does_not_undo_what_was_asked_for_meanwhile(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        let (id, _) = shop.endpoint(&receiver).await;
        shop.happened("A", &[EventType::OrderPaid]).await;
        db.run("UPDATE deliveries SET tries = 17, attempts = 17").await;
        let core = &shop.app.running.core;
        let (now, endpoint_id) = (core.clock.now(), EndpointId::parse(&id).unwrap());
        let lease_until = now + SignedDuration::from_mins(1);
        let delivery = core.deliveries.lease_deliveries(&endpoint_id, now, lease_until, 10).await.unwrap().remove(0);
        let its_id = json!(delivery.id);
        assert_eq!(shop.post(&format!("/api/v1/deliveries/{its_id}/redeliver"), None).await.0, StatusCode::ACCEPTED);

        let attempt = Attempt { number: 18, at: now, duration_ms: 10, code: Some(500), trouble: Some(Trouble::Status), answer: None };
        let failed = Settlement { delivery, endpoint_id, url: receiver.url.clone(), attempt, next: Next::GivenUp, news: News::Fails(None), at: now };
        assert_eq!(core.deliveries.settle_delivery(&failed).await.unwrap(), Settled::Written);

        assert_eq!(shop.delivery(&its_id).await["status"], "pending");
        shop.deliver().await;
        assert_eq!((receiver.kinds(), &shop.delivery(&its_id).await["status"]), (vec!["order.paid".to_owned()], &json!("delivered")));
    }

    /// Whatever else makes events due, one that somebody is just sending is sent by nobody else.
    async fn what_is_on_its_way_is_made_due_by_nobody(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        let (id, _) = shop.endpoint(&receiver).await;
        shop.happened("A", &[EventType::OrderPaid]).await;
        let core = &shop.app.running.core;
        let endpoint_id = EndpointId::parse(&id).unwrap();
        let lease = async || {
            let now = core.clock.now();
            core.deliveries.lease_deliveries(&endpoint_id, now, now + LEASE, 10).await.unwrap().len()
        };
        let path = format!("/api/v1/webhook-endpoints/{id}");
        // By a server whose clock is ahead, or while the change below waited for its turn.
        let ahead = core.clock.now() + 50 * SECOND;
        let leased = core.deliveries.lease_deliveries(&endpoint_id, ahead, ahead + LEASE, 10).await;
        assert_eq!(leased.unwrap().len(), 1);

        for change in [json!({ "enabled": false }), json!({ "enabled": true }), json!({ "url": format!("{}&moved", receiver.url) })] {
            shop.app.api(Method::PATCH, &path, Some(change)).await;
            assert_eq!(lease().await, 0);
        }
        db.run("UPDATE webhook_endpoints SET status = 'paused', failing_since = 0").await;
        shop.happened("B", &[EventType::OrderPaid]).await;
        shop.deliver().await;
        assert_eq!((shop.read_endpoint(&id).await["status"].as_str(), receiver.kinds().len()), (Some("enabled"), 1), "B has told that it is back");
        assert_eq!(lease().await, 0);

        shop.clock.push(2 * MINUTE);
        assert_eq!(lease().await, 1);
    }

    /// The shop gave its endpoint another address while an event was on its way to the old one.
    async fn what_an_old_address_answers_is_no_news_of_the_new_one(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        let (id, _) = shop.endpoint(&receiver).await;
        shop.happened("A", &[EventType::OrderPaid]).await;
        let core = &shop.app.running.core;
        let (now, endpoint_id) = (core.clock.now(), EndpointId::parse(&id).unwrap());
        let lease_until = now + SignedDuration::from_mins(1);
        let delivery = core.deliveries.lease_deliveries(&endpoint_id, now, lease_until, 10).await.unwrap().remove(0);
        let attempt = Attempt { number: 1, at: now, duration_ms: 10_000, code: Some(410), trouble: Some(Trouble::Gone), answer: None };
        let gone = Settlement { delivery, endpoint_id, url: "https://old.example/hooks".to_owned(), attempt, next: Next::Again(now), news: News::Gone, at: now };

        assert_eq!(core.deliveries.settle_delivery(&gone).await.unwrap(), Settled::Written);

        assert_eq!(shop.read_endpoint(&id).await["status"], "enabled");
        shop.deliver().await;
        assert_eq!(receiver.kinds(), ["order.paid"]);
    }

    async fn a_redirect_is_a_failure_and_followed_by_nobody(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let elsewhere = Receiver::start().await;
        let to = elsewhere.url.clone();
        let codes = [301_u16, 302, 303, 307, 308];
        let mut answers = codes.into_iter();
        let receiver = Receiver::answering(move |_| {
            let code = StatusCode::from_u16(answers.next().unwrap_or(200)).unwrap();
            (code, [("location", to.clone())]).into_response()
        })
        .await;
        shop.endpoint(&receiver).await;
        shop.happened("A", &[EventType::OrderPaid]).await;
        shop.deliver().await;
        shop.pass(2 * HOUR, 10).await;

        assert_eq!((receiver.count(), elsewhere.count()), (6, 0));
        let delivery = shop.deliveries().await.remove(0);
        let attempts = shop.delivery(&delivery["id"]).await["attempts"].clone();
        for (attempt, code) in attempts.as_array().unwrap().iter().zip(codes) {
            assert_eq!((&attempt["code"], &attempt["error"]), (&json!(code), &json!("redirect")));
        }
        assert_eq!(delivery["status"], "delivered");
    }

    async fn an_endpoint_with_too_much_to_do_is_left_alone_for_a_while(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::answering(|_| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "120")]).into_response()).await;
        let (id, _) = shop.endpoint(&receiver).await;
        for order in 0..20 {
            shop.happened(&format!("ORD-{order}"), &[EventType::OrderPaid]).await;
        }
        shop.deliver().await;
        let before = receiver.count();
        assert!(before <= 4, "no more than were under way: {before}");
        assert!(shop.read_endpoint(&id).await["resume_at"].is_string());
        shop.pass(10 * SECOND, 11).await;
        assert_eq!(receiver.count(), before);

        receiver.answer_with(StatusCode::OK);
        shop.pass(MINUTE, 10).await;
        assert_eq!(shop.read("/api/v1/deliveries?status=pending").await["deliveries"], json!([]));
    }

    async fn an_endpoint_that_does_not_answer_holds_up_no_other(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let [slow, good] = [Receiver::start().await, Receiver::start().await];
        shop.endpoint(&slow).await;
        shop.endpoint(&good).await;
        for order in 0..30 {
            shop.happened(&format!("ORD-{order}"), &[EventType::OrderPaid]).await;
        }
        let gate = slow.hold().await;
        let began = Instant::now();
        let stop = CancellationToken::new();
        deliveries::begin_due(shop.core(), &stop).await.unwrap();
        slow.until(4).await;
        good.until(30).await;
        // Rounds go on, and the slow one has no more under way than before.
        shop.happened("MORE", &[EventType::OrderPaid]).await;
        deliveries::begin_due(shop.core(), &stop).await.unwrap();
        good.until(31).await;
        // Four at once, until they have had their time.
        let turns = 1 + began.elapsed().as_secs() / SEND_TIMEOUT.unsigned_abs().as_secs();
        assert!(slow.count() as u64 <= 4 * turns, "{} in {turns}", slow.count());

        drop(gate);
        slow.until(31).await;
        stop.cancel();
    }

    async fn nobody_there_is_a_failure_like_any_other(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        let (id, _) = shop.endpoint(&receiver).await;
        let nobody = ClosedPort::keep();
        let path = format!("/api/v1/webhook-endpoints/{id}");
        let body = json!({ "url": nobody.url() });
        assert_eq!(shop.app.api(Method::PATCH, &path, Some(body)).await.status, StatusCode::OK);
        shop.happened("A", &[EventType::OrderPaid]).await;
        shop.deliver().await;

        let delivery = shop.deliveries().await.remove(0);
        let attempts = shop.delivery(&delivery["id"]).await["attempts"].clone();
        assert_eq!((&attempts[0]["code"], &attempts[0]["error"], &attempts[0]["answer"]), (&Value::Null, &json!("connect_failed"), &Value::Null));
        // To its old address it goes in its own time.
        let body = json!({ "url": receiver.url });
        assert_eq!(shop.app.api(Method::PATCH, &path, Some(body)).await.status, StatusCode::OK);
        shop.pass(10 * SECOND, 1).await;
        assert_eq!(receiver.count(), 1);
    }

    async fn what_was_given_up_or_delivered_is_sent_again_when_asked_for(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        let (id, secret) = shop.endpoint(&receiver).await;
        shop.happened("TAKEN", &[EventType::OrderPaid]).await;
        shop.deliver().await;
        receiver.answer_with(StatusCode::BAD_REQUEST);
        for order in 0..5 {
            shop.happened(&format!("ORD-{order}"), &[EventType::OrderPaid, EventType::OrderRefunded]).await;
        }
        shop.deliver().await;
        // As if five days were over.
        db.run("UPDATE deliveries SET status = 'given_up', next_attempt_at = NULL WHERE status = 'pending'").await;
        receiver.answer_with(StatusCode::OK);
        let taken = shop.deliveries().await.remove(0);
        let (status, again) = shop.post(&format!("/api/v1/deliveries/{}/redeliver", taken["id"]), None).await;
        assert_eq!((status, &again["status"]), (StatusCode::ACCEPTED, &json!("pending")));
        shop.deliver().await;
        let last = receiver.got().pop().unwrap();
        assert_eq!((last.id.as_str(), last.is_signed_with(&secret)), (taken["event_id"].as_str().unwrap(), true));
        assert_eq!(shop.delivery(&taken["id"]).await["attempt_count"], 2);

        let before = receiver.count();
        let many = format!("/api/v1/webhook-endpoints/{id}/redeliver");
        assert_eq!(shop.post(&many, None).await, (StatusCode::ACCEPTED, json!({ "redelivered": 10, "more": false, "next_cursor": null })));
        shop.deliver().await;
        let sent = receiver.got().split_off(before);
        assert_eq!(sent.len(), 10);
        for order in 0..5 {
            let of_order = sent.iter().filter(|got| got.payment_id() == format!("ORD-{order}"));
            assert_eq!(of_order.map(|got| got.kind()).collect::<Vec<_>>(), ["order.paid", "order.refunded"], "in order");
        }
        assert_eq!(shop.post(&many, None).await.1["redelivered"], 0, "nothing is left");
        let none = json!({ "status": "delivered", "to": "2020-01-01T00:00:00Z" });
        assert_eq!(shop.post(&many, Some(none)).await.1["redelivered"], 0);
        assert_eq!(shop.post(&many, Some(json!({ "status": "delivered" }))).await.1["redelivered"], 11);

        // Portion by portion, whatever has been taken again in the meantime.
        shop.deliver().await;
        let (mut after, mut portions) = (None, Vec::new());
        loop {
            let again = Again {
                endpoint_id: EndpointId::parse(&id).unwrap(),
                status: DeliveryStatus::Delivered,
                dismissed: true,
                from: None,
                to: None,
                after,
                limit: 4,
            };
            let core = &shop.app.running.core;
            let ids = endpoints::redeliver(core, &again, &Actor::Command).await.unwrap();
            shop.deliver().await;
            let Some(last) = ids.last() else { break };
            after = Some(*last);
            portions.push(ids);
        }
        assert_eq!(portions.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 3]);
        let all: BTreeSet<i64> = portions.into_iter().flatten().collect();
        assert_eq!(all.len(), 11, "each of them once");
        let behind = json!({ "status": "delivered", "cursor": after.unwrap().to_string() });
        assert_eq!(shop.post(&many, Some(behind)).await.1["redelivered"], 0);
        let (status, problem) = shop.post(&many, Some(json!({ "cursor": 4 }))).await;
        assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("cursor")));
    }
}
