//! The steps between the product's decisions: who asks, what is written when, and what is lost when a process dies. This part
//! repeats `wanryo::service` by hand, with the store's contract (`wanryo::ports::store`) in place of a database; the simulator
//! runs the services themselves.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use stateright::{Model, Property};
use wanryo::domain::outcome::Outcome;

use super::configuration::Configuration;
use super::planted::Planted;
use super::product::{Answer, Id, Product, Question, Write, bits};
use super::promises::{Facts, Promise, page_is_true, told_truly, went_back};
use super::state::{
    Action, HANDLERS_MAX, Handler, MESSAGES_MAX, Message, MessageStage, Purpose, Stage, State,
    Stored,
};
use super::world::{ORDERS_MAX, PAYMENTS_MAX, Phase, Upstream};

/// The one property that is checked in each state; which promise it was is asked afterwards.
pub const EVERY_PROMISE: &str = "every promise is kept";

/// What was found out before.
type Remembered<K, V> = RwLock<FxHashMap<K, V>>;

/// The engine in one small world.
pub struct Engine {
    /// The world.
    pub configuration: Configuration,
    /// The product in it.
    pub product: Product,
    planted: Option<Planted>,
    /// From here on states are looked at and not stepped on from.
    stopped: AtomicBool,
    /// By row, upstream and tick: whether one more ask makes the row mirror PortOne.
    mirrored: Remembered<(Id, [Upstream; PAYMENTS_MAX], u8), bool>,
    truths: Remembered<(Id, [Upstream; PAYMENTS_MAX]), Option<Promise>>,
    outboxes: Remembered<(Id, Id), bool>,
    pages: Remembered<(Id, u8), bool>,
}

fn remembered<K: std::hash::Hash + Eq + Copy, V: Copy>(
    table: &Remembered<K, V>,
    key: K,
    call: impl FnOnce() -> V,
) -> V {
    if let Some(&value) = table.read().get(&key) {
        return value;
    }
    let value = call();
    table.write().insert(key, value);
    value
}

impl Engine {
    /// The engine in a world, with a bug planted or as it is.
    #[must_use]
    pub fn new(configuration: Configuration, planted: Option<Planted>) -> Self {
        Self {
            product: Product::new(configuration.payments, planted),
            configuration,
            planted,
            stopped: AtomicBool::new(false),
            mirrored: RwLock::default(),
            truths: RwLock::default(),
            outboxes: RwLock::default(),
            pages: RwLock::default(),
        }
    }

    /// Steps on from no further state; those that are known are still looked at.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the world was cut short.
    pub fn was_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Takes [`Engine::stop`] back.
    pub fn go_on_stepping(&self) {
        self.stopped.store(false, Ordering::Relaxed);
    }

    fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    /// The clock of the server that a handler runs on.
    fn clock(&self, state: &State, handler: usize) -> u8 {
        if handler == 0 {
            state.tick
        } else {
            state.tick.saturating_sub(self.configuration.lag)
        }
    }

    /// Places that a new handler may take: servers with clocks of their own are told apart, others are not.
    fn free(&self, state: &State) -> impl Iterator<Item = usize> {
        let told_apart = self.configuration.lag > 0;
        let handlers = state.handlers;
        let free = (0..self.configuration.handlers).filter(move |&at| handlers[at].is_none());
        free.take(if told_apart { HANDLERS_MAX } else { 1 })
    }

    /// The promise that a state breaks.
    #[must_use]
    pub fn broken(&self, state: &State) -> Option<Promise> {
        if state.broken.is_some() {
            return state.broken;
        }
        (0..self.configuration.orders).find_map(|order| self.broken_for(state, order))
    }

    fn broken_for(&self, state: &State, order: usize) -> Option<Promise> {
        let stored = state.rows[order];
        let facts = |row| Facts {
            payments: self.configuration.payments,
            upstream: &state.upstream,
            row: self.product.digest(row),
        };
        let true_row = remembered(&self.truths, (stored.row, state.upstream), || {
            let watch_lost = self.has(Planted::NoReconciler);
            facts(stored.row)
                .row_is_true()
                .filter(|broken| !watch_lost || *broken != Promise::Mirrors)
        });
        if true_row.is_some() {
            return true_row;
        }
        let told = remembered(&self.outboxes, (stored.row, stored.outbox), || {
            told_truly(
                &self.product.digest(stored.row),
                &self.product.told(stored.outbox),
            )
        });
        if !told {
            return Some(Promise::Told);
        }
        let pages = remembered(&self.pages, (stored.row, state.tick), || {
            let asked = (0..self.configuration.payments.len())
                .map(Some)
                .chain([None]);
            asked
                .flat_map(|asked| [(asked, false), (asked, true)])
                .all(|(asked, answered)| {
                    let page = self.product.page(stored.row, asked, answered, state.tick);
                    let row = self.product.digest(stored.row);
                    page_is_true(&row, asked, answered, state.tick, page)
                })
        });
        if !pages {
            return Some(Promise::PageTrue);
        }
        // Somebody is still on it: what becomes of it is seen in the states after.
        let unfinished = self.has(Planted::NoReconciler) && self.is_pending(state, order);
        let mirrored = unfinished
            || remembered(
                &self.mirrored,
                (stored.row, state.upstream, state.tick),
                || facts(self.after_a_turn(state, order)).mirrors(state.tick),
            );
        (!mirrored).then_some(Promise::Mirrors)
    }

    fn is_pending(&self, state: &State, order: usize) -> bool {
        let mut handlers = state.handlers.iter().flatten();
        let mut waiting = state.inbox.iter().flatten();
        handlers.any(|handler| usize::from(handler.order) == order)
            || waiting.any(|message| usize::from(message.order) == order)
    }

    /// The row after its next turn, when nothing goes wrong any more.
    fn after_a_turn(&self, state: &State, order: usize) -> Id {
        let row = state.rows[order].row;
        if self.has(Planted::NoReconciler) || !self.product.digest(row).watched {
            return row;
        }
        let answer = self.product.answer(Answer {
            order,
            asked: None,
            upstream: state.upstream,
            fetched_at: state.tick,
        });
        let decided = self.product.decided(self.product.decide(Question {
            row,
            answer,
            taken: 0,
            now: state.tick,
            worker: true,
        }));
        let ended = self
            .product
            .expired(decided.row, Some(state.tick), state.tick);
        ended.map_or(decided.row, |(ended, _)| ended)
    }

    fn start(
        &self,
        state: &mut State,
        server: usize,
        purpose: Purpose,
        order: usize,
        asked: Option<usize>,
    ) {
        let row = state.rows[order].row;
        // Another order's transaction: PortOne need not be asked to know that.
        if let Some(payment) = asked
            && self.product.digest(row).seen[payment].is_none()
            && self.taken(state, order) & (1 << payment) != 0
        {
            settle(state, purpose, true);
            return;
        }
        let stage = if purpose == Purpose::Redirect && self.has(Planted::ClaimTrusted) {
            Stage::Answered(self.forged_answer(state, order, asked, Phase::Paid))
        } else {
            Stage::Fetching(self.clock(state, server))
        };
        state.handlers[server] = Some(Handler {
            purpose,
            order: narrow(order),
            asked: asked.map(narrow),
            row,
            current: true,
            stage,
        });
    }

    /// Planted bugs: an answer that PortOne never gave.
    fn forged_answer(&self, state: &State, order: usize, asked: Option<usize>, phase: Phase) -> Id {
        let mut upstream = state.upstream;
        for (index, payment) in self.configuration.payments.iter().enumerate() {
            if payment.order == order && upstream[index].phase != Phase::Absent {
                upstream[index].phase = phase;
            }
        }
        self.product.answer(Answer {
            order,
            asked,
            upstream,
            fetched_at: state.tick,
        })
    }

    /// Payments that other orders have used.
    fn taken(&self, state: &State, order: usize) -> u8 {
        let others = (0..self.configuration.orders).filter(|&other| other != order);
        others
            .flat_map(|other| {
                let seen = self.product.digest(state.rows[other].row).seen;
                (0..PAYMENTS_MAX).filter(move |&payment| seen[payment].is_some())
            })
            .fold(0, |taken, payment| taken | 1 << payment)
    }

    /// Writes a row as a commit does: everybody who decides on an older version finds out.
    fn write(&self, state: &mut State, order: usize, row: Id, events: &[Id]) {
        let before = self.product.digest(state.rows[order].row);
        if went_back(&before, &self.product.digest(row)) {
            state.broken = Some(Promise::NeverBack);
        }
        let stored = &mut state.rows[order];
        stored.row = row;
        stored.outbox = self.product.with_events(stored.outbox, events);
        for other in state.handlers.iter_mut().flatten() {
            if usize::from(other.order) == order {
                other.current = false;
            }
        }
    }

    fn commit(&self, state: &mut State, at: usize, handler: Handler, answer: Id, decided: Id) {
        let decision = self.product.decided(decided);
        let order = usize::from(handler.order);
        let row = state.rows[order].row;
        let mut handler = handler;
        match decision.write {
            Write::Nothing => {}
            Write::Schedule => {
                let watched = self.product.digest(decision.row).watched;
                state.rows[order].row = self.product.watched(row, watched);
            }
            Write::Commit => {
                let conflict = !handler.current && !self.has(Planted::VersionIgnored);
                let taken = decision.speaks_of & self.taken(state, order) != 0;
                let unbound = self.has(Planted::BindingUnchecked);
                if conflict || (taken && !unbound) {
                    handler.row = row;
                    handler.current = true;
                    handler.stage = Stage::Answered(answer);
                    state.handlers[at] = Some(handler);
                    return;
                }
                if self.has(Planted::OutboxAfterCommit) && !decision.events.is_empty() {
                    let owed = self
                        .product
                        .with_events(self.product.empty_outbox(), &decision.events);
                    self.write(state, order, decision.row, &[]);
                    handler.stage = Stage::Owing(owed);
                    state.handlers[at] = Some(handler);
                    return;
                }
                self.write(state, order, decision.row, &decision.events);
                handler.current = true;
            }
        }
        handler.row = decision.row;
        let asked = handler.asked.map(usize::from);
        let foreign = asked.is_some_and(|payment| bits(decision.foreign).any(|f| f == payment));
        let unknown = asked.is_some_and(|payment| {
            self.product.answered(answer).upstream[payment].phase == Phase::Absent
        });
        if handler.purpose == Purpose::Redirect && !foreign && !unknown {
            self.show(state, at, handler, true);
        }
        let asked_at = self.product.answered(answer).fetched_at;
        self.go_on(state, at, handler, !unknown, Some(asked_at));
    }

    /// Shows a page.
    fn show(&self, state: &mut State, at: usize, handler: Handler, answered: bool) {
        let now = self.clock(state, at);
        let asked = handler.asked.map(usize::from);
        let confirmed = answered || self.has(Planted::SilenceConfirms);
        let mut page = self.product.page(handler.row, asked, confirmed, now);
        if self.has(Planted::PageFromClaim) {
            page = (Outcome::Paid, asked);
        }
        let row = self.product.digest(handler.row);
        if !page_is_true(&row, asked, answered, now, page) {
            state.broken = Some(Promise::PageTrue);
        }
    }

    /// After the ask, which began at `asked_at` when it was answered: the handler is done, or has an order to end.
    fn go_on(
        &self,
        state: &mut State,
        at: usize,
        handler: Handler,
        known: bool,
        asked_at: Option<u8>,
    ) {
        let now = self.clock(state, at);
        let ends = match handler.purpose {
            Purpose::Redirect | Purpose::Webhook(_) => false,
            Purpose::Turn => self.product.expired(handler.row, asked_at, now).is_some(),
            Purpose::Close => true,
        };
        settle(state, handler.purpose, known && asked_at.is_some());
        state.handlers[at] = ends.then_some(Handler {
            stage: Stage::Ending(asked_at),
            ..handler
        });
    }

    fn end(&self, state: &mut State, at: usize, handler: Handler, asked_at: Option<u8>) {
        let order = usize::from(handler.order);
        let now = self.clock(state, at);
        state.handlers[at] = None;
        match handler.purpose {
            Purpose::Redirect | Purpose::Webhook(_) => {}
            // A conflict means that something else happened to the order: it is looked at again on its next turn.
            Purpose::Turn if !handler.current => {}
            Purpose::Turn => {
                if let Some((ended, events)) = self.product.expired(handler.row, asked_at, now) {
                    let facts = Facts {
                        payments: self.configuration.payments,
                        upstream: &state.upstream,
                        row: self.product.digest(handler.row),
                    };
                    if !facts.may_expire() {
                        state.broken = Some(Promise::EndedKnowing);
                    }
                    self.write(state, order, ended, &events);
                }
            }
            // Loaded and committed in one step: what may come in between is a conflict, and then it is loaded again.
            Purpose::Close => {
                if let Some(closed) = self.product.closed(state.rows[order].row, now) {
                    self.write(state, order, closed, &[]);
                }
            }
        }
    }

    fn silence(&self, state: &mut State, at: usize, handler: Handler) {
        if self.has(Planted::TimeoutMeansFailed) {
            let asked = handler.asked.map(usize::from);
            let order = usize::from(handler.order);
            let answer = self.forged_answer(state, order, asked, Phase::Failed);
            state.handlers[at] = Some(Handler {
                stage: Stage::Answered(answer),
                ..handler
            });
            return;
        }
        if handler.purpose == Purpose::Redirect {
            self.show(state, at, handler, false);
        }
        self.go_on(state, at, handler, true, None);
    }

    fn handler_step(&self, state: &mut State, at: usize, action: Action) -> Option<()> {
        let handler = state.handlers[at]?;
        let order = usize::from(handler.order);
        match (action, handler.stage) {
            (Action::Answer(_), Stage::Fetching(fetched_at)) => {
                let answer = self.product.answer(Answer {
                    order,
                    asked: handler.asked.map(usize::from),
                    upstream: state.upstream,
                    fetched_at,
                });
                state.handlers[at] = Some(Handler {
                    stage: Stage::Answered(answer),
                    ..handler
                });
            }
            (Action::Silence(_), Stage::Fetching(_)) => {
                state.left.silences -= 1;
                self.silence(state, at, handler);
            }
            (Action::Decide(_), Stage::Answered(answer)) => {
                let decided = self.product.decide(Question {
                    row: handler.row,
                    answer,
                    taken: if self.has(Planted::BindingUnchecked) {
                        0
                    } else {
                        self.taken(state, order)
                    },
                    now: self.clock(state, at),
                    worker: handler.purpose == Purpose::Turn,
                });
                state.handlers[at] = Some(Handler {
                    stage: Stage::Committing { answer, decided },
                    ..handler
                });
            }
            (Action::Commit(_), Stage::Committing { answer, decided }) => {
                self.commit(state, at, handler, answer, decided);
            }
            (Action::End(_), Stage::Ending(asked_at)) => self.end(state, at, handler, asked_at),
            (Action::WriteEvents(_), Stage::Owing(owed)) => {
                let stored = &mut state.rows[order];
                let events = self.product.events(owed);
                stored.outbox = self.product.with_events(stored.outbox, &events);
                settle(state, handler.purpose, true);
                state.handlers[at] = None;
            }
            (Action::Crash(_), _) => {
                state.left.crashes -= 1;
                // Nobody has it any more: its lease ends by itself.
                settle(state, handler.purpose, false);
                state.handlers[at] = None;
                for message in state.inbox.iter_mut().flatten() {
                    if message.stage == MessageStage::Unwritten {
                        message.stage = MessageStage::Lost;
                        state.broken = Some(Promise::AcknowledgedKept);
                    }
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn step(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Upstream(payment, phase) => move_on(state, payment, phase),
            Action::Return(payment, phase) => {
                state.left.returns -= 1;
                move_on(state, payment, phase);
            }
            Action::Tick => state.tick += 1,
            Action::Deliver { order, payment } => {
                state.left.webhooks -= 1;
                let place = state.inbox.iter_mut().find(|place| place.is_none())?;
                *place = Some(Message {
                    order: narrow(order),
                    payment: narrow(payment),
                    stage: if self.has(Planted::AcknowledgedUnwritten) {
                        MessageStage::Unwritten
                    } else {
                        MessageStage::Waiting
                    },
                });
            }
            Action::WriteMessage(message) => {
                state.inbox[message].as_mut()?.stage = MessageStage::Waiting;
            }
            Action::Redirect {
                server,
                order,
                asked,
            } => {
                state.left.redirects -= 1;
                self.start(state, server, Purpose::Redirect, order, asked);
            }
            Action::Take { server, message } => {
                let place = state.inbox[message].as_mut()?;
                place.stage = MessageStage::Leased;
                let (order, payment) = (usize::from(place.order), usize::from(place.payment));
                let purpose = Purpose::Webhook(narrow(message));
                self.start(state, server, purpose, order, Some(payment));
            }
            Action::Lapse(message) => {
                state.left.lapses -= 1;
                state.inbox[message].as_mut()?.stage = MessageStage::Waiting;
            }
            Action::Turn { server, order } => {
                self.start(state, server, Purpose::Turn, order, None);
            }
            Action::Close { server, order } => {
                state.left.closings -= 1;
                self.start(state, server, Purpose::Close, order, None);
            }
            Action::Answer(at)
            | Action::Silence(at)
            | Action::Decide(at)
            | Action::Commit(at)
            | Action::End(at)
            | Action::WriteEvents(at)
            | Action::Crash(at) => self.handler_step(state, at, action)?,
            Action::Send(order) => {
                let stored = &mut state.rows[order];
                stored.heard = stored.acknowledged + 1;
            }
            Action::Acknowledge(order) => {
                let stored = &mut state.rows[order];
                stored.acknowledged = stored.heard;
            }
        }
        Some(())
    }

    fn visitors(&self, state: &State, actions: &mut Vec<Action>) {
        let Configuration {
            orders,
            payments,
            forged,
            ..
        } = self.configuration;
        let exists = |payment: usize| state.upstream[payment].phase != Phase::Absent;
        for order in 0..orders {
            let named = (0..payments.len())
                .filter(|&payment| exists(payment) && (forged || payments[payment].order == order));
            if state.left.webhooks > 0 {
                actions.extend(
                    named
                        .clone()
                        .map(|payment| Action::Deliver { order, payment }),
                );
            }
            for server in self.free(state) {
                if state.left.redirects > 0 {
                    let asked = named.clone().map(Some).chain([None]);
                    actions.extend(asked.map(|asked| Action::Redirect {
                        server,
                        order,
                        asked,
                    }));
                }
                if state.left.closings > 0 {
                    actions.push(Action::Close { server, order });
                }
                let mut at_work = state.handlers.iter().flatten();
                let has_its_turn =
                    at_work.any(|h| h.purpose == Purpose::Turn && usize::from(h.order) == order);
                let watched = self.product.digest(state.rows[order].row).watched;
                if watched && !has_its_turn && !self.has(Planted::NoReconciler) {
                    actions.push(Action::Turn { server, order });
                }
            }
        }
    }

    fn messages(&self, state: &State, actions: &mut Vec<Action>) {
        for (message, place) in state.inbox.iter().enumerate() {
            match place.map(|message| message.stage) {
                Some(MessageStage::Unwritten) => actions.push(Action::WriteMessage(message)),
                Some(MessageStage::Waiting) => {
                    let servers = self.free(state);
                    actions.extend(servers.map(|server| Action::Take { server, message }));
                }
                Some(MessageStage::Leased) if state.left.lapses > 0 => {
                    actions.push(Action::Lapse(message));
                }
                Some(MessageStage::Leased | MessageStage::Settled | MessageStage::Lost) | None => {}
            }
        }
    }

    fn handlers(&self, state: &State, actions: &mut Vec<Action>) {
        for (at, handler) in state.handlers.iter().enumerate() {
            let Some(handler) = handler else { continue };
            match handler.stage {
                Stage::Fetching(_) => {
                    actions.push(Action::Answer(at));
                    if state.left.silences > 0 {
                        actions.push(Action::Silence(at));
                    }
                }
                Stage::Answered(_) => actions.push(Action::Decide(at)),
                Stage::Committing { .. } => actions.push(Action::Commit(at)),
                Stage::Ending(_) => actions.push(Action::End(at)),
                Stage::Owing(_) => actions.push(Action::WriteEvents(at)),
            }
            if state.left.crashes > 0 {
                actions.push(Action::Crash(at));
            }
        }
    }
}

impl Model for Engine {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let Configuration {
            orders, deadline, ..
        } = self.configuration;
        let mut rows = [Stored::default(); ORDERS_MAX];
        for (order, stored) in rows.iter_mut().enumerate().take(orders) {
            stored.row = self.product.new_row(order, deadline);
            stored.outbox = self.product.empty_outbox();
        }
        vec![State {
            tick: 0,
            left: self.configuration.left,
            upstream: [Upstream::default(); PAYMENTS_MAX],
            rows,
            inbox: [None; MESSAGES_MAX],
            handlers: [None; HANDLERS_MAX],
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() || self.was_stopped() {
            return;
        }
        for (index, payment) in self.configuration.payments.iter().enumerate() {
            let phase = state.upstream[index].phase;
            let next = payment.progress(phase).iter();
            actions.extend(next.map(|&phase| Action::Upstream(index, phase)));
            if state.left.returns > 0 {
                let next = payment.returns(phase).iter();
                actions.extend(next.map(|&phase| Action::Return(index, phase)));
            }
        }
        if state.tick < self.configuration.ticks {
            actions.push(Action::Tick);
        }
        self.visitors(state, actions);
        self.messages(state, actions);
        self.handlers(state, actions);
        if self.configuration.sends {
            for order in 0..self.configuration.orders {
                let stored = state.rows[order];
                if usize::from(stored.acknowledged) < self.product.told_count(stored.outbox) {
                    actions.push(Action::Send(order));
                }
                if stored.acknowledged < stored.heard {
                    actions.push(Action::Acknowledge(order));
                }
            }
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = *before;
        self.step(&mut state, action)?;
        // Servers with one clock are alike, and so are webhooks that were settled: states that differ in their order alone are one.
        if self.configuration.lag == 0 {
            state
                .handlers
                .sort_unstable_by_key(|handler| (handler.is_none(), *handler));
        }
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always(EVERY_PROMISE, |model: &Self, state| {
            model.broken(state).is_none()
        })]
    }
}

/// A payment goes on at PortOne.
fn move_on(state: &mut State, payment: usize, phase: Phase) {
    let tick = state.tick;
    let upstream = &mut state.upstream[payment];
    match phase {
        Phase::Paid => upstream.paid_at = tick,
        Phase::Failed => upstream.declined = true,
        Phase::Absent
        | Phase::Ready
        | Phase::Issued
        | Phase::Withdrawn
        | Phase::Returning
        | Phase::PartlyReturned
        | Phase::Returned => {}
    }
    upstream.phase = phase;
}

/// Writes what became of a handler's webhook, when it has one.
fn settle(state: &mut State, purpose: Purpose, done: bool) {
    let Purpose::Webhook(message) = purpose else {
        return;
    };
    let Some(message) = state.inbox[usize::from(message)].as_mut() else {
        return;
    };
    message.stage = match (done, message.stage) {
        (true, _) => MessageStage::Settled,
        (false, MessageStage::Settled) => MessageStage::Settled,
        (
            false,
            MessageStage::Unwritten
            | MessageStage::Waiting
            | MessageStage::Leased
            | MessageStage::Lost,
        ) => MessageStage::Waiting,
    };
}

/// Small numbers of the model fit a byte by the limits of a configuration.
fn narrow(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}
