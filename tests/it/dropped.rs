//! A browser leaves, a proxy loses patience: the future of a handler is dropped at whatever `await` it stands, at every one of
//! them. What it had begun to find out is found out all the same, nothing is written in half, and no place is held any more.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use hyper::body::Body as _;
use jiff::Timestamp;
use tower::ServiceExt;
use wanryo::domain::attention::{AttentionItem, AttentionKind, Finding};
use wanryo::domain::history::{Actor, EntryKind};
use wanryo::domain::ids::{PaymentId, TransactionId};
use wanryo::domain::order::{OrderStatus, Portone};
use wanryo::domain::refund::RefundState;
use wanryo::service::access;
use wanryo::web::client::Peer;

use crate::app::PATIENCE;
use crate::support::{TestDatabase, on_both_databases};
use crate::world::{
    Payment, Place, WORD, World, form_key, get, posted_redirect, redirect, sign_in, webhook,
};

/// Polls after which every handler must have answered.
const POLLS_MAX: usize = 400;
/// Files that are written at once.
const EXPORTS: usize = 4;
/// Streams that one client has at once.
const STREAMS: usize = 16;
/// Longer than any page or file of these tests.
const BYTES_MAX: usize = 1 << 20;

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
    OfficeRefund(Portone),
    Attention,
    Export,
    Stream,
    RedirectStream,
    Settle,
    Note,
    MakeEndpoint,
    MakeKey,
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
    /// What was sent counts at most once, and sent again it counts, or is known to have counted.
    Once,
}

impl Door {
    fn portone(self) -> Portone {
        if let Self::Redirect(portone)
        | Self::Webhook(portone)
        | Self::Refund(portone)
        | Self::OfficeRefund(portone) = self
        {
            portone
        } else {
            Portone::V1
        }
    }

    fn end(self) -> End {
        if matches!(self, Self::Close | Self::OfficeClose) {
            End::Closed
        } else if matches!(self, Self::Refund(_) | Self::OfficeRefund(_)) {
            End::GivenBack
        } else if matches!(
            self,
            Self::Settle | Self::Note | Self::MakeEndpoint | Self::MakeKey
        ) {
            End::Once
        } else {
            End::Paid
        }
    }

    /// How many of its answers can be under way at once, where each takes a place.
    fn places(self) -> Option<usize> {
        match self {
            Self::Export => Some(EXPORTS),
            Self::Stream | Self::RedirectStream => Some(STREAMS),
            _ => None,
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
            Self::OfficeRefund(_) => place.office_refund(payment),
            Self::Attention => place.staff("GET", "/attention"),
            Self::Export => place.staff("GET", "/orders.csv"),
            Self::Stream => stream(&format!("/o/{token}/events"), id),
            Self::RedirectStream => {
                stream(&format!("/payments/complete/events?merchant_uid={id}"), id)
            }
            Self::Settle => place.settle(AttentionKind::Orphan, payment),
            Self::Note => place.note(id),
            Self::MakeEndpoint => make_endpoint(place, id, &form_key(id)),
            Self::MakeKey => make_key(place, id, &form_key(id)),
        }
    }
}

/// A page that stays open asks for its stream, each from a client of its own.
fn stream(path: &str, id: &str) -> Request<Body> {
    let number: u32 = id.rsplit('-').next().unwrap().parse().unwrap();
    let client = Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + number);
    let mut request = get(path);
    request
        .extensions_mut()
        .insert(Peer(SocketAddr::from((client, 50_000))));
    request
}

fn make_endpoint(place: &Place, id: &str, key: &str) -> Request<Body> {
    let url = endpoint_url(id);
    place.form("/settings/webhooks", &[("url", &url), ("key", key)])
}

fn endpoint_url(id: &str) -> String {
    format!("http://127.0.0.1:9/{id}")
}

fn make_key(place: &Place, id: &str, key: &str) -> Request<Body> {
    place.form("/settings/keys", &[("name", id), ("key", key)])
}

/// A payment that no order is for, as a sweep finds it.
/// Nobody has an order of this number.
fn orphan_id(payment: &Payment) -> String {
    format!("{}-ORPHAN", payment.id)
}

fn orphan(payment: &Payment, now: Timestamp) -> Finding {
    Finding {
        item: AttentionItem {
            kind: AttentionKind::Orphan,
            portone: Portone::V1,
            payment_id: orphan_id(payment),
            transaction_id: TransactionId::parse(&payment.transaction_id).unwrap(),
            amount_minor: Some(1_000),
            currency: Some("KRW".to_owned()),
            cancelled_minor: 0,
            first_seen_at: now,
            last_seen_at: now,
        },
        paid_at: Some(now),
    }
}

/// Asks, and takes of the answer what a browser takes: a file to its end, and what a stream says first.
async fn ask(world: &World, door: Door, request: Request<Body>) -> StatusCode {
    let answer = world.router.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    match door {
        Door::Export => drop(read(answer).await),
        Door::Stream | Door::RedirectStream => {
            let mut body = answer.into_body();
            let said = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            let said = said.await.expect("a stream says something").unwrap();
            assert_eq!(said.into_data().unwrap(), "retry: 5000\n\n");
        }
        _ => {}
    }
    status
}

async fn read(answer: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(answer.into_body(), BYTES_MAX).await;
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
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
        End::Closed | End::Once => Payment {
            transaction_id: format!("imp_{id}"),
            id,
        },
    };
    if matches!(door, Door::Settle | Door::Attention) {
        let found = orphan(&payment, world.core.clock.now());
        world.core.attention.report(&found).await.unwrap();
    }
    if door.end() == End::GivenBack {
        let path = format!("/api/v1/orders/{}/sync", payment.id);
        let known = world.ask(place.shop("POST", &path, None)).await;
        assert_eq!(known, StatusCode::OK);
    }
    world.settled().await;
    let name = format!("{door:?} dropped at poll {polls}");
    let before = world.fuse.passed().len();

    let request = door.request(place, world, &payment, &token);
    let answer = cancel_at(ask(world, door, request), polls).await;
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
    if let Some(status) = answer {
        assert!(!status.is_server_error(), "{name}: {status}");
    }
    if let Some(places) = door.places() {
        let again = || door.request(place, world, &payment, &token);
        every_place_is_free(world, (door, places), again, &name).await;
    }
    (Dropped { payment, name }, answer.is_some())
}

/// As many can be under way at once as ever: what was dropped holds no place. A file as short as these is written before it is
/// read, so there a place that is lost shows when all are.
async fn every_place_is_free(
    world: &World,
    (door, places): (Door, usize),
    request: impl Fn() -> Request<Body>,
    name: &str,
) {
    let mut answers = Vec::new();
    let all = async {
        while answers.len() < places {
            let answer = world.router.clone().oneshot(request()).await.unwrap();
            // Who wrote the answer may not have seen yet that nobody takes it.
            if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                tokio::task::yield_now().await;
            } else {
                assert_eq!(answer.status(), StatusCode::OK, "{name}");
                answers.push(answer);
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, all).await;
    assert!(waited.is_ok(), "{name}: a place is not free again");
    if door == Door::Export {
        // A file that was read to its end has given its place back.
        for answer in answers {
            drop(read(answer).await);
        }
    } else {
        let more = world.router.clone().oneshot(request()).await.unwrap();
        assert_eq!(more.status(), StatusCode::SERVICE_UNAVAILABLE, "{name}");
    }
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
            if door.end() == End::Once {
                // One by one: there may be so many endpoints and no more.
                recover(&place, door, std::slice::from_ref(&dropped)).await;
            }
            all.push(dropped);
            if is_done {
                break;
            }
        }
        world.close().await;
        assert!(all.len() > 1, "{door:?} was never dropped");
        if door.end() != End::Once {
            recover(&place, door, &all).await;
        }
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
    if door.end() == End::Once {
        for dropped in all {
            assert_counts_once(place, &world, door, dropped).await;
        }
        world.close().await;
        return;
    }
    world.recover().await;
    if matches!(door, Door::OfficeRefund(_)) {
        place.let_in(&world).await;
    }
    for Dropped { payment, name } in all {
        match door.end() {
            End::Paid => world.assert_paid_once(payment, name).await,
            End::GivenBack => {
                let portone = door.portone();
                world
                    .assert_given_back_once_or_not(payment, portone, name)
                    .await;
                if matches!(door, Door::OfficeRefund(_)) {
                    let led = world.leads(place.office_refund(payment)).await;
                    assert!(led.ends_with("?done=refunded"), "{name}: {led}");
                } else {
                    let again = world.ask(place.refund(&payment.id)).await;
                    assert!(again.is_success(), "{name}: {again}");
                }
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
            End::Once => unreachable!("it was looked at before"),
        }
    }
    world.close().await;
}

/// The form counted at most once, and whoever does not know sends it again.
async fn assert_counts_once(place: &Place, world: &World, door: Door, dropped: &Dropped) {
    let Dropped { payment, name } = dropped;
    let id = &payment.id;
    match door {
        Door::Note => {
            let before = world.notes(id).await;
            let led = world.leads(place.note(id)).await;
            assert!(led.ends_with("?done=noted"), "{name}: {led}");
            assert_eq!(world.notes(id).await, [WORD], "{name}, after {before:?}");
        }
        Door::Settle => {
            let before = world.words(&orphan_id(payment)).await;
            let led = world
                .leads(place.settle(AttentionKind::Orphan, payment))
                .await;
            assert_eq!(led, "/attention?done=settled", "{name}");
            let words = world.words(&orphan_id(payment)).await;
            assert_eq!(words, [WORD], "{name}, after {before:?}");
        }
        Door::MakeEndpoint | Door::MakeKey => {
            assert_made_once(place, world, door, dropped).await;
        }
        _ => unreachable!("{door:?} is no form that counts once"),
    }
}

/// What shows a secret is made at most once by one form, whether its page was seen or not, and by another form always.
async fn assert_made_once(place: &Place, world: &World, door: Door, dropped: &Dropped) {
    let Dropped { payment, name } = dropped;
    let id = &payment.id;
    let form = |key: &str| match door {
        Door::MakeKey => make_key(place, id, key),
        _ => make_endpoint(place, id, key),
    };
    let before = made(world, door, id).await;
    assert!(before <= 1, "{name}: {before}");

    let again = world.ask(form(&form_key(id))).await;
    let by_the_same = made(world, door, id).await;
    if again == StatusCode::OK {
        assert_eq!((before, by_the_same), (0, 1), "{name}");
    } else {
        // The form has counted. Whether anything came of it, the page shows.
        assert_eq!(again, StatusCode::SEE_OTHER, "{name}");
        assert_eq!(by_the_same, before, "{name}");
    }
    let another = world.ask(form(&form_key(&format!("new {id}")))).await;
    assert_eq!(another, StatusCode::OK, "{name}");
    assert_eq!(made(world, door, id).await, by_the_same + 1, "{name}");
    unmake(world, door, id).await;
}

/// How many endpoints, or keys, the door has made for an order's form.
async fn made(world: &World, door: Door, id: &str) -> usize {
    if door == Door::MakeKey {
        let keys = world.core.access.api_keys(access::KEYS_MAX).await;
        keys.unwrap().iter().filter(|key| key.name == id).count()
    } else {
        let endpoints = world.core.deliveries.endpoints().await.unwrap();
        let url = endpoint_url(id);
        endpoints
            .iter()
            .filter(|endpoint| endpoint.url == url)
            .count()
    }
}

/// Takes the endpoints away again.
async fn unmake(world: &World, door: Door, id: &str) {
    if door == Door::MakeEndpoint {
        let (now, url) = (world.core.clock.now(), endpoint_url(id));
        let deliveries = &world.core.deliveries;
        for endpoint in deliveries.endpoints().await.unwrap() {
            if endpoint.url == url {
                let deleted = deliveries.delete_endpoint(&endpoint.id, &Actor::Command, now);
                assert!(deleted.await.unwrap());
            }
        }
    }
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

    async fn refunds_by_a_person(db: TestDatabase) {
        drop_everywhere(&db, &[Door::OfficeRefund(Portone::V1), Door::OfficeRefund(Portone::V2)]).await;
    }

    async fn what_needs_attention_and_files(db: TestDatabase) {
        drop_everywhere(&db, &[Door::Attention, Door::Export]).await;
    }

    async fn streams(db: TestDatabase) {
        drop_everywhere(&db, &[Door::Stream, Door::RedirectStream]).await;
    }

    async fn forms_that_count_once(db: TestDatabase) {
        drop_everywhere(&db, &[Door::Settle, Door::Note, Door::MakeEndpoint, Door::MakeKey]).await;
    }
}
