//! One schedule: a world, two servers in it, and a sequence of events that a seed draws or a recording repeats.

mod refunds;
mod rest;

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use wanryo::config::RETENTION_DAYS;
use wanryo::domain::evidence::Figure;
use wanryo::domain::history::Actor;
use wanryo::domain::ids::{PaymentId, TransactionId};
use wanryo::domain::money::{Currency, Money};
use wanryo::domain::order::{Buyer, Mode, OrderStatus, Portone};
use wanryo::domain::refund::OnMismatch;
use wanryo::domain::verification::Expected;
use wanryo::ports::store::Received;
use wanryo::service::completion::{self, Claim};
use wanryo::service::confirmation::{self, Question};
use wanryo::service::orders::{self, NewOrder};
use wanryo::service::refunds::{self as refunding, NewRefund};
use wanryo::service::sweep::{self, Step as SweepStep};
use wanryo::service::sync::{self, Ask};
use wanryo::service::{Core, ServiceSettings, Stores, inbox, reconciliation};

use super::chance::Chance;
use super::coverage::{Coverage, Deed};
use super::kinds::Kind;
use super::portone::{self, Flaw, PRICE, Phase, STORE};
use super::ports::Server;
use super::tables::InboxState;
use super::watch::{Violation, Visit};
use super::world::{INSTANCES, Passage, Profile, Shared, Side, World, at, fault};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
/// Events of one schedule, before it comes to rest.
pub const EVENTS: usize = 60;
/// Pages that buyers and strangers have open at once.
const TABS_MAX: usize = 3;
/// Attempts of one schedule.
const ATTEMPTS_MAX: usize = 6;
/// Forged returns in one flood: more asks than the budget for strangers lets in.
const FLOOD: usize = 90;
/// Schedules in a thousand that end with one more sweep. It takes as long as the rest of a schedule.
const SWEPT_TO_REST: u64 = 300;
/// Rows that a worker takes in one step; more than a world has.
const BATCH: u32 = 20;
/// The farthest that time is moved on to reach what is due.
const REACH: i64 = 8 * 24 * HOUR;

/// One event of a schedule: what kind, and the seed of everything that is drawn while it happens. So one event can be left out
/// without changing the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What happens.
    pub kind: Kind,
    /// What it draws from.
    pub seed: u64,
}

/// Where the events come from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'s> {
    /// Drawn from the schedule's seed.
    Drawn,
    /// These, as far as they are possible.
    Recorded(&'s [Step]),
}

/// What came of a schedule.
#[derive(Debug)]
pub struct Told {
    /// The first broken promise.
    pub violation: Option<Violation>,
    /// What happened.
    pub steps: Vec<Step>,
    /// Equal for equal stories.
    #[cfg_attr(not(test), expect(dead_code, reason = "what tests compare"))]
    pub trace: u64,
    /// In words, when they were asked for.
    pub lines: Vec<String>,
}

/// How some schedules begin: what chance alone would hardly ever come to.
const BEGINNINGS: [&[Kind]; 1] = [
    // A second window is opened while what the first one brought is not decided, and the order's time runs out.
    &[
        Kind::Make,
        Kind::Open,
        Kind::Review,
        Kind::Sync,
        Kind::Open,
        Kind::Days,
        Kind::Work,
    ],
];
/// How many in a thousand do.
const BEGUN: u64 = 100;

/// A running server. Dropping it is a crash: every task of it ends at the await where it stands.
struct Running {
    core: Arc<Core>,
    runtime: Runtime,
    worker: Option<JoinHandle<()>>,
    sweeper: Option<JoinHandle<()>>,
}

/// An order that the shop makes sooner or later.
struct Planned {
    id: PaymentId,
    portone: Portone,
    lasts: Option<i64>,
    /// It is sold by somebody else through the same account: no order here will ever be for it.
    elsewhere: bool,
}

/// An open page.
struct Tab {
    instance: usize,
    visit: Arc<Visit>,
    task: JoinHandle<()>,
}

struct Story<'c> {
    world: Shared,
    servers: [Option<Running>; INSTANCES],
    settings: ServiceSettings,
    planned: Vec<Planned>,
    tabs: Vec<Tab>,
    /// What the shop has asked to be given back, to be asked for again.
    requests: Vec<NewRefund>,
    /// Whether the world rests only after one more sweep.
    sweeps: bool,
    coverage: &'c mut Coverage,
}

/// Runs one schedule.
pub fn tell(seed: u64, source: Source<'_>, in_words: bool, coverage: &mut Coverage) -> Told {
    let mut chance = Chance::new(seed);
    let mut story = Story::begin(&mut chance, in_words, coverage);
    let mut steps = Vec::new();
    match source {
        Source::Drawn => {
            let begins = if chance.per_mille(BEGUN) {
                chance.one_of(&BEGINNINGS)
            } else {
                &[]
            };
            for number in 0..EVENTS {
                let meant = begins.get(number).copied();
                let meant = meant.filter(|kind| story.is_possible(*kind));
                let Some(kind) = meant.or_else(|| story.draw(&mut chance)) else {
                    break;
                };
                let step = Step {
                    kind,
                    seed: chance.bits(),
                };
                steps.push(step);
                if story.happens(step) {
                    break;
                }
            }
        }
        Source::Recorded(recorded) => {
            for step in recorded {
                if story.is_possible(step.kind) {
                    steps.push(*step);
                    if story.happens(*step) {
                        break;
                    }
                }
            }
        }
    }
    story.comes_to_rest();
    let mut world = story.world.lock();
    story.coverage.count_deeds(&world.deeds);
    Told {
        violation: world.watch.broken.take(),
        steps,
        trace: world.trace(),
        lines: world.take_lines(),
    }
}

impl<'c> Story<'c> {
    fn begin(chance: &mut Chance, in_words: bool, coverage: &'c mut Coverage) -> Self {
        let mode = chance.one_of(&[Mode::Live, Mode::Test]);
        let profile = Profile {
            slow_store: chance.one_of(&[0, 0, 100, 500]),
            slow_portone: chance.one_of(&[0, 300, 800]),
            bad_portone: chance.one_of(&[0, 0, 100]),
            skew: chance.one_of(&[0, 0, 2 * SECOND, HOUR]),
        };
        let planned = (0..=chance.below(3))
            .filter_map(|number| {
                Some(Planned {
                    id: PaymentId::parse(&format!("order-{number}")).ok()?,
                    portone: chance.one_of(&[Portone::V1, Portone::V2]),
                    lasts: chance.one_of(&[None, Some(HOUR / 6), Some(30 * HOUR)]),
                    elsewhere: number > 0 && chance.per_mille(200),
                })
            })
            .collect();
        let portone = portone::World::new(mode, chance.per_mille(500));
        let policy = chance.one_of(&[OnMismatch::Hold, OnMismatch::Hold, OnMismatch::Refund]);
        let world = World::new(profile, portone, policy, in_words);
        let mut story = Self {
            world: Arc::new(Mutex::new(world)),
            servers: [None, None],
            settings: ServiceSettings {
                expected: Expected {
                    mode,
                    v2_store_id: Some(STORE.to_owned()),
                },
                on_mismatch: policy,
                retention_days: RETENTION_DAYS,
                public_url: "https://pay.example".to_owned(),
                shop_url: None,
            },
            planned,
            tabs: Vec::new(),
            requests: Vec::new(),
            sweeps: chance.per_mille(SWEPT_TO_REST),
            coverage,
        };
        story.world.lock().note("begin", &[], || {
            format!(
                "{} mode, {profile:?}, orders {:?}",
                mode.as_str(),
                story
                    .planned
                    .iter()
                    .map(|p| (p.id.as_str(), p.portone, p.lasts))
                    .collect::<Vec<_>>()
            )
        });
        for instance in 0..INSTANCES {
            story.start(instance);
        }
        story
    }

    fn start(&mut self, instance: usize) {
        let server = Arc::new(Server {
            world: Arc::clone(&self.world),
            instance,
        });
        // All of what is ready runs before the schedule goes on: a round of the runtime has no end but an empty queue.
        let built = tokio::runtime::Builder::new_current_thread()
            .event_interval(u32::MAX)
            .build();
        let Ok(runtime) = built else { return };
        let stores = Stores {
            orders: Arc::clone(&server) as _,
            refunds: Arc::clone(&server) as _,
            inbox: Arc::clone(&server) as _,
            attention: Arc::clone(&server) as _,
            sweep: Arc::clone(&server) as _,
            access: Arc::clone(&server) as _,
            audit: Arc::clone(&server) as _,
            deliveries: Arc::clone(&server) as _,
            overview: Arc::clone(&server) as _,
            notes: Arc::clone(&server) as _,
            retention: Arc::clone(&server) as _,
        };
        let core = Arc::new(Core::new(
            stores,
            Arc::clone(&server) as _,
            Arc::clone(&server) as _,
            Arc::clone(&server) as _,
            server,
            self.settings.clone(),
        ));
        self.servers[instance] = Some(Running {
            core,
            runtime,
            worker: None,
            sweeper: None,
        });
    }

    fn crash(&mut self, instance: usize) {
        self.servers[instance] = None;
        self.tabs.retain(|tab| tab.instance != instance);
        self.world.lock().forget_calls_of(instance);
    }

    /// Runs every server until it waits for the world.
    fn run_until_idle(&self) {
        for server in self.servers.iter().flatten() {
            server.runtime.block_on(async {
                // The first lets everything run that is ready, the second what the first found at its end.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            });
        }
    }

    /// Lets time pass, and wakes who sleeps until then.
    fn pass_time(&self, until: i64) {
        loop {
            let woken = self.world.lock().wake_next(until);
            if !woken {
                break;
            }
            self.run_until_idle();
        }
        let mut world = self.world.lock();
        world.now = world.now.max(until);
    }

    fn running(&self) -> Vec<usize> {
        (0..INSTANCES)
            .filter(|instance| self.servers[*instance].is_some())
            .collect()
    }

    fn is_made(&self, world: &World, planned: &Planned) -> bool {
        world.tables.find(&planned.id).is_some()
    }

    fn is_possible(&self, kind: Kind) -> bool {
        let mut world = self.world.lock();
        let running = self.servers.iter().flatten().count();
        let waits = |world: &mut World, side| world.waiting().iter().any(|call| call.side == side);
        match kind {
            Kind::Make => {
                let missing = |p: &Planned| !p.elsewhere && !self.is_made(&world, p);
                running > 0 && self.planned.iter().any(missing)
            }
            Kind::Open => world.portone.attempts.len() < ATTEMPTS_MAX,
            Kind::Approve => self.can_move(&world, Phase::Paid),
            Kind::Decline => self.can_move(&world, Phase::Failed),
            Kind::Issue => self.can_move(&world, Phase::Account),
            Kind::Review => self.can_move(&world, Phase::PayPending),
            Kind::GiveBack => self.can_move(&world, Phase::Cancelled),
            Kind::BeginToGiveBack => self.can_move(&world, Phase::Cancelling),
            Kind::Refund => running > 0 && self.planned.iter().any(|p| self.is_made(&world, p)),
            Kind::RefundAgain => running > 0 && !self.requests.is_empty(),
            Kind::Decide => !world.portone.undecided().is_empty(),
            Kind::LateCall => world.portone.wire.iter().any(|sent| !sent.waits),
            Kind::Return | Kind::Look | Kind::Forge => running > 0 && self.tabs.len() < TABS_MAX,
            Kind::CloseTab => !self.tabs.is_empty(),
            Kind::Flood => running > 0 && self.planned.iter().any(|p| self.is_made(&world, p)),
            Kind::Deliver | Kind::Repeat => running > 0 && !world.portone.webhooks.is_empty(),
            Kind::Lose => !world.portone.webhooks.is_empty(),
            Kind::ForgeWebhook | Kind::Confirm | Kind::Work | Kind::Sweep => running > 0,
            Kind::Sync | Kind::Close => {
                running > 0 && self.planned.iter().any(|p| self.is_made(&world, p))
            }
            Kind::LetStore | Kind::FailStore | Kind::LoseAnswer => waits(&mut world, Side::Store),
            Kind::LetPortone | Kind::FailPortone => waits(&mut world, Side::Portone),
            Kind::Wait | Kind::Days => true,
            Kind::Crash => running > 0,
            Kind::Start => running < INSTANCES,
            Kind::TurnClock => world.profile.skew > 0,
        }
    }

    fn can_move(&self, world: &World, phase: Phase) -> bool {
        (0..world.portone.attempts.len())
            .any(|index| world.portone.next_phases(index).contains(&phase))
    }

    fn draw(&self, chance: &mut Chance) -> Option<Kind> {
        let possible: Vec<Kind> = Kind::ALL
            .iter()
            .copied()
            .filter(|kind| self.is_possible(*kind))
            .collect();
        let all: u64 = possible.iter().map(|kind| kind.weight()).sum();
        let mut drawn = chance.below(all);
        possible.into_iter().find(|kind| {
            let is_it = drawn < kind.weight();
            drawn = drawn.saturating_sub(kind.weight());
            is_it
        })
    }

    /// One event happens, and everything that follows from it at once. Says whether a promise is broken.
    fn happens(&mut self, step: Step) -> bool {
        let mut chance = Chance::new(step.seed);
        self.world.lock().chance = Chance::new(chance.bits());
        let order = self.choose_order(step.kind, &mut chance);
        self.cover(step.kind, order.as_ref());
        self.world
            .lock()
            .note(step.kind.as_str(), &[step.kind as i64], || {
                order.as_ref().map(ToString::to_string).unwrap_or_default()
            });
        self.act(step.kind, order, &mut chance);
        self.run_until_idle();
        self.tabs.retain(|tab| !tab.task.is_finished());
        let mut world = self.world.lock();
        for tab in &self.tabs {
            world.page_is_silent(&tab.visit);
        }
        world.watch.broken.is_some()
    }

    /// The order that an event is about, when it is about one.
    fn choose_order(&self, kind: Kind, chance: &mut Chance) -> Option<PaymentId> {
        let world = self.world.lock();
        let of = |planned: Vec<&Planned>, chance: &mut Chance| {
            (!planned.is_empty()).then(|| planned[chance.index(planned.len())].id.clone())
        };
        let made = || {
            self.planned
                .iter()
                .filter(|p| self.is_made(&world, p))
                .collect::<Vec<_>>()
        };
        match kind {
            Kind::Make => {
                let of_ours = self.planned.iter().filter(|p| !p.elsewhere);
                let missing = of_ours.filter(|p| !self.is_made(&world, p));
                of(missing.collect(), chance)
            }
            // PortOne does not ask whether the shop knows the order, and strangers do not either.
            Kind::Open if made().is_empty() || chance.per_mille(200) => {
                of(self.planned.iter().collect(), chance)
            }
            Kind::Forge | Kind::ForgeWebhook | Kind::Confirm => {
                of(self.planned.iter().collect(), chance)
            }
            Kind::Open | Kind::Look | Kind::Flood | Kind::Sync | Kind::Close | Kind::Refund => {
                of(made(), chance)
            }
            Kind::Approve
            | Kind::Decline
            | Kind::Issue
            | Kind::Review
            | Kind::GiveBack
            | Kind::BeginToGiveBack
            | Kind::RefundAgain
            | Kind::Decide
            | Kind::LateCall
            | Kind::Sweep
            | Kind::Return
            | Kind::Deliver
            | Kind::Repeat
            | Kind::Lose
            | Kind::CloseTab
            | Kind::Work
            | Kind::LetStore
            | Kind::FailStore
            | Kind::LoseAnswer
            | Kind::LetPortone
            | Kind::FailPortone
            | Kind::Wait
            | Kind::Days
            | Kind::Crash
            | Kind::Start
            | Kind::TurnClock => None,
        }
    }

    fn cover(&mut self, kind: Kind, order: Option<&PaymentId>) {
        let world = self.world.lock();
        match order {
            Some(id) => {
                let status = world.tables.find(id).map(|found| found.order.status);
                self.coverage.count(kind, status);
            }
            // What is about the whole world meets every order in it.
            None => {
                for row in world.tables.orders.values() {
                    self.coverage.count(kind, Some(row.snapshot.order.status));
                }
            }
        }
    }

    fn act(&mut self, kind: Kind, order: Option<PaymentId>, chance: &mut Chance) {
        match kind {
            Kind::Make => self.make(order, chance),
            Kind::Open => self.open(order, chance),
            Kind::Approve => self.move_attempt(Phase::Paid, chance),
            Kind::Decline => self.move_attempt(Phase::Failed, chance),
            Kind::Issue => self.move_attempt(Phase::Account, chance),
            Kind::Review => self.move_attempt(Phase::PayPending, chance),
            Kind::GiveBack => self.move_attempt(Phase::Cancelled, chance),
            Kind::BeginToGiveBack => self.move_attempt(Phase::Cancelling, chance),
            Kind::Refund => self.ask_for_refund(order, chance),
            Kind::RefundAgain => self.ask_for_it_again(chance),
            Kind::Decide => self.decide_about_refund(chance),
            Kind::LateCall => self.let_a_late_call_arrive(chance),
            Kind::Sweep => self.sweep(chance),
            Kind::Return => self.come_back(chance),
            Kind::Look => self.look(order, chance),
            Kind::Forge => self.forge(order, chance),
            Kind::CloseTab => {
                if !self.tabs.is_empty() {
                    let tab = self.tabs.swap_remove(chance.index(self.tabs.len()));
                    tab.task.abort();
                }
            }
            Kind::Flood => self.flood(order, chance),
            Kind::Deliver => self.deliver(true, chance),
            Kind::Repeat => self.deliver(false, chance),
            Kind::Lose => {
                let mut world = self.world.lock();
                let index = chance.index(world.portone.webhooks.len());
                if index < world.portone.webhooks.len() {
                    world.portone.webhooks.remove(index);
                }
            }
            Kind::ForgeWebhook => self.forge_webhook(order, chance),
            Kind::Confirm => self.confirm(order, chance),
            Kind::Sync => self.sync(order, chance),
            Kind::Close => self.close(order, chance),
            Kind::Work => self.work(chance),
            Kind::LetStore => self.release(Side::Store, Passage::Through, chance),
            Kind::FailStore => self.release(Side::Store, Passage::Refused, chance),
            Kind::LoseAnswer => self.release(Side::Store, Passage::AnswerLost, chance),
            Kind::LetPortone => self.release(Side::Portone, Passage::Through, chance),
            Kind::FailPortone => {
                let error = fault(chance);
                self.release(Side::Portone, Passage::Fault(error), chance);
            }
            Kind::Wait => {
                let now = self.world.lock().now;
                let millis = chance.one_of(&[5, 100, 700, 2_500, 20_000, 600_000]);
                self.pass_time(now + millis * 1000);
            }
            Kind::Days => {
                let now = self.world.lock().now;
                let hours = chance.one_of(&[2, 13, 25, 73, 200]);
                self.pass_time(now + hours * HOUR);
            }
            Kind::Crash => {
                if let Some(instance) = self.some_server(chance) {
                    self.crash(instance);
                }
            }
            Kind::Start => {
                if let Some(instance) = (0..INSTANCES).find(|i| self.servers[*i].is_none()) {
                    self.start(instance);
                }
            }
            Kind::TurnClock => {
                let mut world = self.world.lock();
                let skew = world.profile.skew;
                let span = u64::try_from(2 * skew).unwrap_or_default();
                let offset = i64::try_from(chance.below(span)).unwrap_or_default() - skew;
                world.offsets[chance.index(INSTANCES)] = offset;
            }
        }
    }

    fn some_server(&self, chance: &mut Chance) -> Option<usize> {
        let running = self.running();
        (!running.is_empty()).then(|| chance.one_of(&running))
    }

    fn planned(&self, id: &PaymentId) -> Option<&Planned> {
        self.planned.iter().find(|planned| planned.id == *id)
    }

    fn make(&self, order: Option<PaymentId>, chance: &mut Chance) {
        let Some((id, instance)) = order.zip(self.some_server(chance)) else {
            return;
        };
        let Some((server, planned)) = self.servers[instance].as_ref().zip(self.planned(&id)) else {
            return;
        };
        let now = self.world.lock().now;
        let new = NewOrder {
            payment_id: id,
            name: "사과".to_owned(),
            amount: Money {
                minor: PRICE,
                currency: Currency::KRW,
            },
            portone: planned.portone,
            pay_method: None,
            channel_key: None,
            buyer: Buyer::default(),
            return_url: None,
            expires_at: planned.lasts.map(|lasts| at(now + lasts)),
            locale: None,
            metadata: None,
            window_params: None,
            fingerprint: "f".to_owned(),
        };
        let core = Arc::clone(&server.core);
        server.runtime.spawn(async move {
            // What could not be written, the shop asks for again some other time.
            let _made = orders::make(&core, new, Actor::Shop("shop".to_owned())).await;
        });
    }

    fn open(&self, order: Option<PaymentId>, chance: &mut Chance) {
        let Some(id) = order else { return };
        let Some(planned) = self.planned(&id) else {
            return;
        };
        let flaw = match (chance.below(10), planned.portone) {
            (0, _) => Flaw::Cheap,
            (1, _) => Flaw::Currency,
            (2, _) => Flaw::OtherChannel,
            (3, _) => Flaw::NoChannel,
            (4, Portone::V2) => Flaw::OtherStore,
            _ => Flaw::None,
        };
        let mut world = self.world.lock();
        let now = world.now;
        world.portone.open(&id, planned.portone, flaw, now, chance);
    }

    fn move_attempt(&self, phase: Phase, chance: &mut Chance) {
        let mut world = self.world.lock();
        let ready: Vec<usize> = (0..world.portone.attempts.len())
            .filter(|index| world.portone.next_phases(*index).contains(&phase))
            .collect();
        if !ready.is_empty() {
            let (index, now) = (chance.one_of(&ready), world.now);
            let id = world.portone.attempts[index].id.clone();
            if phase == Phase::Cancelled && world.is_under_way(&id) {
                world.did(Deed::ConsoleAtTheSameTime);
            }
            world.portone.advance(index, phase, now, chance);
            let attempt = &world.portone.attempts[index];
            let words = format!("{} of {}: {phase:?}", attempt.id, attempt.payment_id);
            world.note("portone", &[index as i64], || words);
        }
    }

    /// A buyer comes back with what PortOne's window made of it: mostly the right ids, sometimes a part of them.
    fn come_back(&mut self, chance: &mut Chance) {
        let (payment_id, transaction_id) = {
            let world = self.world.lock();
            let attempts = &world.portone.attempts;
            if attempts.is_empty() {
                return;
            }
            let attempt = &attempts[chance.index(attempts.len())];
            (attempt.payment_id.clone(), attempt.id.clone())
        };
        let claim = Claim {
            payment_id: (!chance.per_mille(80)).then_some(payment_id),
            transaction_id: (!chance.per_mille(150)).then_some(transaction_id),
            malformed: false,
            parameters: flags(chance),
        };
        self.visit(claim, chance);
    }

    /// A stranger who knows every public id puts some of them together.
    fn forge(&mut self, order: Option<PaymentId>, chance: &mut Chance) {
        let claim = Claim {
            payment_id: order.filter(|_| !chance.per_mille(200)),
            transaction_id: self.some_transaction(chance),
            malformed: chance.per_mille(30),
            parameters: flags(chance),
        };
        self.visit(claim, chance);
    }

    fn some_transaction(&self, chance: &mut Chance) -> Option<TransactionId> {
        let world = self.world.lock();
        let attempts = &world.portone.attempts;
        if attempts.is_empty() || chance.per_mille(300) {
            let invented = format!("imp_{}", 1_000 + chance.below(1_000_000));
            TransactionId::parse(&invented).ok()
        } else {
            Some(attempts[chance.index(attempts.len())].id.clone())
        }
    }

    fn visit(&mut self, claim: Claim, chance: &mut Chance) {
        let visit = Arc::new(self.visitor(
            claim.payment_id.as_ref(),
            claim.transaction_id.as_ref(),
            true,
        ));
        let Some(instance) = self.some_server(chance) else {
            return;
        };
        let Some(server) = &self.servers[instance] else {
            return;
        };
        self.world.lock().note("asks for", &[], || {
            format!(
                "{:?}, {:?}, at server {instance}",
                claim.payment_id, claim.transaction_id
            )
        });
        let (core, world) = (Arc::clone(&server.core), Arc::clone(&self.world));
        let seen = Arc::clone(&visit);
        let task = server.runtime.spawn(async move {
            let view = completion::complete(&core, claim).await;
            world.lock().page_said(&seen, &view);
        });
        self.tabs.push(Tab {
            instance,
            visit,
            task,
        });
    }

    fn visitor(
        &self,
        payment_id: Option<&PaymentId>,
        transaction_id: Option<&TransactionId>,
        redirect: bool,
    ) -> Visit {
        let world = self.world.lock();
        let owner = transaction_id.and_then(|id| world.tables.owner(id));
        let payment_id = payment_id.or(owner).cloned();
        let order = payment_id.as_ref().and_then(|id| world.tables.find(id));
        let listed = order.map(|found| {
            let order = &found.order;
            world
                .portone
                .answer(order.portone, &order.payment_id, None, world.now)
        });
        let own = listed.is_some_and(|listed| {
            let mut records = listed.records.iter();
            records.any(|record| Some(&record.transaction_id) == transaction_id)
        });
        Visit {
            began: world.now,
            brought: transaction_id.cloned(),
            own: redirect && own,
            money: payment_id
                .iter()
                .flat_map(|id| world.portone.with_money(id, world.now).cloned())
                .collect(),
            status: order.map(|found| found.order.status),
            payment_id,
            redirect,
        }
    }

    fn look(&mut self, order: Option<PaymentId>, chance: &mut Chance) {
        let token = {
            let world = self.world.lock();
            let found = order.as_ref().and_then(|id| world.tables.find(id));
            found.map(|found| found.order.status_token.clone())
        };
        let visit = Arc::new(self.visitor(order.as_ref(), None, false));
        let Some(instance) = self.some_server(chance) else {
            return;
        };
        let Some(server) = &self.servers[instance] else {
            return;
        };
        let (core, world) = (Arc::clone(&server.core), Arc::clone(&self.world));
        let seen = Arc::clone(&visit);
        let task = server.runtime.spawn(async move {
            let view = completion::status(&core, token).await;
            world.lock().page_said(&seen, &view);
        });
        self.tabs.push(Tab {
            instance,
            visit,
            task,
        });
    }

    /// A stranger tries many transactions of one order.
    fn flood(&self, order: Option<PaymentId>, chance: &mut Chance) {
        let Some((id, instance)) = order.zip(self.some_server(chance)) else {
            return;
        };
        let Some(server) = &self.servers[instance] else {
            return;
        };
        for number in 0..FLOOD {
            let core = Arc::clone(&server.core);
            let claim = Claim {
                payment_id: Some(id.clone()),
                transaction_id: TransactionId::parse(&format!("imp_9{number}")).ok(),
                ..Claim::default()
            };
            server.runtime.spawn(async move {
                let _nobody_reads_it = completion::complete(&core, claim).await;
            });
        }
    }

    fn deliver(&self, once: bool, chance: &mut Chance) {
        let Some(instance) = self.some_server(chance) else {
            return;
        };
        let Some(server) = &self.servers[instance] else {
            return;
        };
        let mut world = self.world.lock();
        if world.portone.webhooks.is_empty() {
            return;
        }
        let index = chance.index(world.portone.webhooks.len());
        let message = if once {
            world.portone.webhooks.remove(index)
        } else {
            world.portone.webhooks[index].clone()
        };
        let received = Received {
            at: at(world.clock(instance)),
            portone: message.portone,
            webhook_id: message.webhook_id.clone(),
            payment_id: message.payment_id.clone(),
            transaction_id: Some(message.transaction_id.clone()),
            claimed_status: Some(message.claims.to_owned()),
        };
        world.note("webhook", &[], || {
            format!(
                "{} of {} says {}",
                message.transaction_id, message.payment_id, message.claims
            )
        });
        drop(world);
        let (core, world) = (Arc::clone(&server.core), Arc::clone(&self.world));
        server.runtime.spawn(async move {
            let answer = inbox::receive(&core, received).await.map(drop);
            let mut world = world.lock();
            match answer {
                Ok(()) => world.acknowledged(&message.payment_id, &message.transaction_id),
                // What is not acknowledged is sent again.
                Err(_) => world.portone.webhooks.push(message),
            }
        });
    }

    /// Anybody can post a webhook of V1.
    fn forge_webhook(&self, order: Option<PaymentId>, chance: &mut Chance) {
        let transaction_id = self.some_transaction(chance);
        let Some((payment_id, instance)) = order.zip(self.some_server(chance)) else {
            return;
        };
        let Some(server) = &self.servers[instance] else {
            return;
        };
        let now = self.world.lock().clock(instance);
        let received = Received {
            at: at(now),
            portone: Portone::V1,
            webhook_id: None,
            payment_id,
            transaction_id,
            claimed_status: Some("paid".to_owned()),
        };
        let core = Arc::clone(&server.core);
        server.runtime.spawn(async move {
            let _nobody_reads_it = inbox::receive(&core, received).await;
        });
    }

    fn confirm(&self, order: Option<PaymentId>, chance: &mut Chance) {
        let Some((payment_id, instance)) = order.zip(self.some_server(chance)) else {
            return;
        };
        let Some(server) = &self.servers[instance] else {
            return;
        };
        let amount = chance.one_of(&[PRICE, PRICE, PRICE - 1]);
        let portone = self.planned(&payment_id).map_or(Portone::V1, |p| p.portone);
        let question = Question {
            portone,
            payment_id: payment_id.clone(),
            store_id: None,
            transaction_id: self.some_transaction(chance),
            amount: match portone {
                Portone::V1 => Figure::Major(amount.into()),
                Portone::V2 => Figure::Minor(amount),
            },
        };
        let (core, world) = (Arc::clone(&server.core), Arc::clone(&self.world));
        let before = wants_payment(&self.world.lock(), &payment_id);
        server.runtime.spawn(async move {
            let goes_on = confirmation::confirm(&core, question).await.is_ok();
            let mut world = world.lock();
            let wanted = before || wants_payment(&world, &payment_id);
            if goes_on && (!wanted || amount != PRICE) {
                world.approval_goes_on(&payment_id);
            }
        });
    }

    fn sync(&self, order: Option<PaymentId>, chance: &mut Chance) {
        let Some((payment_id, instance)) = order.zip(self.some_server(chance)) else {
            return;
        };
        let Some(server) = &self.servers[instance] else {
            return;
        };
        let ask = Ask {
            payment_id,
            transaction_id: None,
            patient: false,
            actor: Actor::Staff("staff@shop.example".to_owned()),
        };
        let core = Arc::clone(&server.core);
        server.runtime.spawn(async move {
            let _read_from_the_tables = sync::sync(&core, ask).await;
        });
    }

    fn close(&self, order: Option<PaymentId>, chance: &mut Chance) {
        let Some((payment_id, instance)) = order.zip(self.some_server(chance)) else {
            return;
        };
        let Some(server) = &self.servers[instance] else {
            return;
        };
        let core = Arc::clone(&server.core);
        server.runtime.spawn(async move {
            let _read_from_the_tables =
                orders::close(&core, &payment_id, Actor::Shop("shop".to_owned())).await;
        });
    }

    /// A round of one server's worker, often just when something has become due.
    fn work(&mut self, chance: &mut Chance) {
        let Some(instance) = self.some_server(chance) else {
            return;
        };
        if chance.per_mille(600)
            && let Some(due) = self.next_due()
        {
            let now = self.world.lock().now;
            // By the server's own clock, which may be behind.
            let offset = self.world.lock().offsets[instance].min(0);
            self.pass_time((due - offset).clamp(now, now + REACH));
        }
        self.round(instance);
    }

    fn round(&mut self, instance: usize) {
        if let Some(server) = &mut self.servers[instance]
            && server.worker.as_ref().is_none_or(JoinHandle::is_finished)
        {
            let core = Arc::clone(&server.core);
            server.worker = Some(server.runtime.spawn(async move {
                // What fails is tried again in the next round.
                let _webhooks = inbox::work_off_due(&core, BATCH).await;
                let _orders = reconciliation::reconcile_due(&core, BATCH).await;
                let _refunds = refunding::work_off_due(&core, BATCH).await;
                let _sweep = sweep::step(&core).await;
            }));
        }
    }

    fn next_due(&self) -> Option<i64> {
        let world = self.world.lock();
        let orders = world.tables.orders.values();
        let orders = orders.filter_map(|row| row.snapshot.order.next_check_at);
        let webhooks = world.tables.inbox.values();
        let webhooks = webhooks.filter_map(|row| match row.state {
            InboxState::Waiting(at) => Some(at),
            InboxState::Done | InboxState::Dropped => None,
        });
        let refunds = world.tables.refunds.iter();
        let refunds = refunds.filter_map(|refund| refund.next_at);
        orders
            .chain(webhooks)
            .chain(refunds)
            .min()
            .map(Timestamp::as_microsecond)
    }

    fn release(&self, side: Side, passage: Passage, chance: &mut Chance) {
        let mut world = self.world.lock();
        let calls = world.waiting().iter().enumerate();
        let ready: Vec<usize> = calls
            .filter(|(_, call)| call.side == side)
            .map(|(index, _)| index)
            .collect();
        if !ready.is_empty() {
            let index = chance.one_of(&ready);
            world.release(index, passage);
        }
    }
}

fn flags(chance: &mut Chance) -> Vec<(String, String)> {
    match chance.below(4) {
        0 => Vec::new(),
        1 => vec![("imp_success".to_owned(), "false".to_owned())],
        2 => vec![("code".to_owned(), "FAILURE_TYPE_PG".to_owned())],
        _ => vec![("imp_success".to_owned(), "true".to_owned())],
    }
}

fn wants_payment(world: &World, id: &PaymentId) -> bool {
    world.tables.find(id).is_some_and(|found| {
        matches!(
            found.order.status,
            OrderStatus::Open | OrderStatus::AwaitingDeposit
        )
    })
}
