//! A browser leaves, a proxy loses patience: the future of a handler is dropped at whatever `await` it stands, at every one of
//! them. What it had begun to find out is found out all the same, and nothing is written in half.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use tower::ServiceExt;
use wanryo::domain::history::EntryKind;
use wanryo::domain::ids::PaymentId;
use wanryo::domain::order::{OrderStatus, Portone};
use wanryo::domain::refund::RefundState;

use crate::support::{TestDatabase, on_both_databases};
use crate::world::{Payment, Place, World, get, posted_redirect, redirect, sign_in, webhook};

/// Polls after which every handler must have answered.
const POLLS_MAX: usize = 400;

/// Drops a future once it has been polled so often without being done.
struct CancelAt<F> {
    future: Option<Pin<Box<F>>>,
    polls_left: usize,
}

/// Polls `future` at most `polls` times, and drops it then; `None` when it was not done.
fn cancel_at<F: Future>(future: F, polls: usize) -> CancelAt<F> {
    CancelAt {
        future: Some(Box::pin(future)),
        polls_left: polls,
    }
}

impl<F: Future> Future for CancelAt<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls_left > 0
            && let Some(future) = &mut self.future
            && let Poll::Ready(done) = future.as_mut().poll(context)
        {
            self.future = None;
            return Poll::Ready(Some(done));
        }
        self.polls_left = self.polls_left.saturating_sub(1);
        if self.polls_left > 0 {
            return Poll::Pending;
        }
        self.future = None;
        Poll::Ready(None)
    }
}

/// Whose future is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Redirect(Portone),
    PostedRedirect,
    Webhook(Portone),
    Confirm,
    PayPage,
    StatusLink,
    LookUp,
    Create,
    Read,
    List,
    Events,
    Sync,
    Close,
    Refund(Portone),
    Refunds,
    OfficeList,
    OfficeOrder,
    OfficeSync,
    OfficeClose,
    SignIn,
}

/// What must be true of the order afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is paid, once.
    Paid,
    /// It is paid, and some of it was given back, once at most; asking again gives it back.
    GivenBack,
    /// It is closed or still open, and closing it again closes it, once.
    Closed,
}

impl Door {
    fn portone(self) -> Portone {
        if let Self::Redirect(portone) | Self::Webhook(portone) | Self::Refund(portone) = self {
            portone
        } else {
            Portone::V1
        }
    }

    fn end(self) -> End {
        if matches!(self, Self::Close | Self::OfficeClose) {
            End::Closed
        } else if matches!(self, Self::Refund(_)) {
            End::GivenBack
        } else {
            End::Paid
        }
    }

    fn request(
        self,
        place: &Place,
        world: &World,
        payment: &Payment,
        token: &str,
    ) -> Request<Body> {
        let id = &payment.id;
        match self {
            Self::Redirect(portone) => redirect(payment, portone),
            Self::PostedRedirect => posted_redirect(payment),
            Self::Webhook(portone) => webhook(payment, portone, world.core.clock.now()),
            Self::Confirm => {
                let body = serde_json::json!({ "imp_uid": payment.transaction_id, "merchant_uid": id, "amount": 65_000 });
                Request::post("/payments/confirm")
                    .header("host", "shop.test")
                    .header("content-type", "application/json")
                    .body(Body::from(body.to_string()))
                    .unwrap()
            }
            Self::PayPage => get(&format!("/pay/{id}")),
            Self::StatusLink => get(&format!("/o/{token}")),
            Self::LookUp => Request::post("/api/payments/look-up")
                .header("host", "shop.test")
                .header("sec-fetch-site", "same-origin")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from(format!("token={token}")))
                .unwrap(),
            Self::Create => place.new_order(id, Portone::V1),
            Self::Read => place.shop("GET", &format!("/api/v1/orders/{id}"), None),
            Self::List => place.shop("GET", "/api/v1/orders", None),
            Self::Events => place.shop("GET", &format!("/api/v1/orders/{id}/events"), None),
            Self::Sync => place.shop("POST", &format!("/api/v1/orders/{id}/sync"), None),
            Self::Close => place.shop("POST", &format!("/api/v1/orders/{id}/close"), None),
            Self::Refund(_) => place.refund(id),
            Self::Refunds => place.shop("GET", &format!("/api/v1/orders/{id}/refunds"), None),
            Self::OfficeList => place.staff("GET", "/orders"),
            Self::OfficeOrder => place.staff("GET", &format!("/orders/{id}")),
            Self::OfficeSync => place.staff("POST", &format!("/orders/{id}/sync")),
            Self::OfficeClose => place.staff("POST", &format!("/orders/{id}/close")),
            Self::SignIn => sign_in(),
        }
    }
}

/// An order behind a door, whose future was dropped.
struct Dropped {
    payment: Payment,
    name: String,
}

/// Drops the door's future at its `polls`-th poll; whether it was done before.
async fn drop_once(
    place: &Place,
    world: &World,
    door: Door,
    id: String,
    polls: usize,
) -> (Dropped, bool) {
    let mut token = String::new();
    if door != Door::Create {
        assert_eq!(
            world.ask(place.new_order(&id, door.portone())).await,
            StatusCode::CREATED
        );
        let found = world
            .core
            .orders
            .find_order(&PaymentId::parse(&id).unwrap())
            .await;
        found
            .unwrap()
            .unwrap()
            .order
            .status_token
            .as_str()
            .clone_into(&mut token);
    }
    let payment = match door.end() {
        End::Paid | End::GivenBack => place.pay(&id, door.portone()).await,
        End::Closed => Payment {
            id,
            transaction_id: String::new(),
        },
    };
    if door.end() == End::GivenBack {
        let path = format!("/api/v1/orders/{}/sync", payment.id);
        let known = world.ask(place.shop("POST", &path, None)).await;
        assert_eq!(known, StatusCode::OK);
    }
    world.settled().await;
    let name = format!("{door:?} dropped at poll {polls}");
    let before = world.fuse.passed().len();

    let request = door.request(place, world, &payment, &token);
    let answer = cancel_at(world.router.clone().oneshot(request), polls).await;
    world.settled().await;

    let passed = world.fuse.passed().split_off(before);
    if door.end() == End::Paid && passed.contains(&"gateway.attempts:before") {
        // Who asked is gone; what was asked is known all the same, without any recovery.
        world.assert_paid_once(&payment, &name).await;
    }
    if passed.contains(&"gateway.cancel:before") {
        // Whatever was begun at PortOne is followed to its end.
        let end = world
            .assert_given_back_once_or_not(&payment, door.portone(), &name)
            .await;
        assert_eq!(end, Some(RefundState::Done), "{name}");
    }
    if passed.contains(&"inbox.receive:after") {
        let row = format!("{} done", payment.id);
        let is_webhook_settled = place.inbox().await.contains(&row);
        assert!(is_webhook_settled || answer.is_none(), "{name}");
    }
    if let Some(answer) = &answer {
        let status = answer.as_ref().unwrap().status();
        assert!(!status.is_server_error(), "{name}: {status}");
    }
    (Dropped { payment, name }, answer.is_some())
}

/// Drops each door's future at each of its polls.
async fn drop_everywhere(db: &TestDatabase, doors: &[Door]) {
    let place = Place::new(db).await;
    for (number, door) in doors.iter().copied().enumerate() {
        let world = place.open(Duration::ZERO, None).await;
        let mut all = Vec::new();
        loop {
            assert!(all.len() < POLLS_MAX, "{door:?} never ends");
            let (dropped, is_done) = drop_once(
                &place,
                &world,
                door,
                format!("D{number}-{}", all.len()),
                all.len(),
            )
            .await;
            all.push(dropped);
            if is_done {
                break;
            }
        }
        world.close().await;
        assert!(all.len() > 1, "{door:?} was never dropped");
        recover(&place, door, &all).await;
    }
}

/// Another app finds what was left.
async fn recover(place: &Place, door: Door, all: &[Dropped]) {
    let world = place.open(Duration::ZERO, None).await;
    for Dropped {
        payment: Payment { id, .. },
        name,
    } in all
    {
        if door == Door::Create {
            let again = world.ask(place.new_order(id, Portone::V1)).await;
            assert!(
                [StatusCode::OK, StatusCode::CREATED].contains(&again),
                "{name}: {again}"
            );
            assert_eq!(world.noted(id, EntryKind::OrderCreated).await, 1, "{name}");
        }
        if door.end() == End::Closed {
            let path = format!("/api/v1/orders/{id}/close");
            assert_eq!(
                world.ask(place.shop("POST", &path, None)).await,
                StatusCode::OK,
                "{name}"
            );
        }
    }
    world.recover().await;
    for Dropped { payment, name } in all {
        match door.end() {
            End::Paid => world.assert_paid_once(payment, name).await,
            End::GivenBack => {
                let portone = door.portone();
                world
                    .assert_given_back_once_or_not(payment, portone, name)
                    .await;
                let again = world.ask(place.refund(&payment.id)).await;
                assert!(again.is_success(), "{name}: {again}");
                world.settled().await;
                let end = world
                    .assert_given_back_once_or_not(payment, portone, name)
                    .await;
                assert_eq!(end, Some(RefundState::Done), "{name}");
            }
            End::Closed => {
                assert_eq!(
                    world.status(&payment.id).await,
                    Some(OrderStatus::Closed),
                    "{name}"
                );
                assert_eq!(
                    world.noted(&payment.id, EntryKind::Closed).await,
                    1,
                    "{name}"
                );
            }
        }
    }
    world.close().await;
}

on_both_databases! {
    async fn redirects(db: TestDatabase) {
        drop_everywhere(&db, &[Door::Redirect(Portone::V1), Door::Redirect(Portone::V2), Door::PostedRedirect]).await;
    }

    async fn calls_of_portone(db: TestDatabase) {
        drop_everywhere(&db, &[Door::Webhook(Portone::V1), Door::Webhook(Portone::V2), Door::Confirm]).await;
    }

    async fn pages(db: TestDatabase) {
        drop_everywhere(&db, &[Door::PayPage, Door::StatusLink, Door::LookUp]).await;
    }

    async fn the_api(db: TestDatabase) {
        drop_everywhere(&db, &[Door::Create, Door::Read, Door::List, Door::Events, Door::Sync, Door::Close]).await;
    }

    async fn refunds(db: TestDatabase) {
        drop_everywhere(&db, &[Door::Refund(Portone::V1), Door::Refund(Portone::V2), Door::Refunds]).await;
    }

    async fn the_back_office(db: TestDatabase) {
        drop_everywhere(&db, &[Door::OfficeList, Door::OfficeOrder, Door::OfficeSync, Door::OfficeClose, Door::SignIn]).await;
    }
}
