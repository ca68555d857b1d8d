//! Refunds, in a world of their own: two requests for money of one payment, handlers that write intents, call PortOne and look
//! at their own pace, calls that arrive late or never, answers that get lost, processes that vanish, gateways that decide later,
//! and a console beside them. What an input does to a refund is `wanryo::domain::refund::next` as shipped; the service around
//! it is repeated by hand.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use stateright::{Model, Property};
use wanryo::domain::ids::{PaymentId, RefundId, TransactionId};
use wanryo::domain::money::{Currency, Money};
use wanryo::domain::order::Portone;
use wanryo::domain::refund::{
    Answer, Balance, Cancellation, Input, Refund, RefundAmount, RefundState, Sight, Stage, Trouble,
    next,
};

/// What was paid.
const PAID: u8 = 100;
/// What the console gives back at a time.
const CONSOLE: u8 = 40;
/// Requests of the shop.
const REQUESTS: usize = 2;
/// Handlers that may be at work at the same time.
const HANDLERS: usize = 2;
/// Cancellations at PortOne: one for each request, and one of the console's.
const CANCELS: usize = 3;
/// How often a step is decided again because somebody else was faster.
const DECISIONS: usize = 2;
/// From one tick to the next, in seconds: as long as a refund is in doubt.
const TICK: i64 = 3600;

/// A bug to plant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bent {
    /// A call whose answer was lost counts as not made.
    CalledAgain,
    /// A step is written whatever version it was decided on.
    VersionIgnored,
    /// A second refund begins while the first is under way.
    TwoInFlight,
    /// PortOne is not told which balance must be left.
    GuardDropped,
    /// PortOne's yes counts as money.
    DoneByTheAnswer,
    /// An intent may name a balance from before another refund's end.
    StaleBalance,
}

/// One small world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configuration {
    /// Its name, for `--configuration`.
    pub name: &'static str,
    /// What each request is over.
    pub amounts: [u8; REQUESTS],
    /// V2 has a name for every cancellation, and tells of those that failed.
    pub portone: Portone,
    /// How often the rest may happen.
    pub left: Left,
}

/// How often each thing may happen that nobody can stop from happening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    /// A worker takes a refund.
    pub takes: u8,
    /// An answer, or a call, gets lost.
    pub silences: u8,
    /// A handler vanishes with its process.
    pub crashes: u8,
    /// The console gives money back.
    pub returns: u8,
    /// An hour goes by.
    pub ticks: u8,
}

/// The worlds of refunds.
#[must_use]
pub const fn all() -> [Configuration; 2] {
    let left = Left {
        takes: 3,
        silences: 1,
        crashes: 1,
        returns: 1,
        ticks: 1,
    };
    [
        Configuration {
            name: "refunds",
            amounts: [60, 40],
            portone: Portone::V1,
            left,
        },
        Configuration {
            name: "refunds-alike",
            amounts: [40, 40],
            portone: Portone::V2,
            left,
        },
    ]
}

/// A refund on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Row {
    state: RefundState,
    version: u8,
    guard: u8,
    reserved: u8,
    called: Option<u8>,
    /// Its place among PortOne's cancellations.
    cancellation: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fate {
    Done,
    UnderWay,
    Failed,
}

/// A cancellation at PortOne.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Cancel {
    /// The console's have none.
    by: Option<u8>,
    amount: u8,
    fate: Fate,
}

type Cancels = [Option<Cancel>; CANCELS];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reply {
    Taken(Option<u8>),
    Refused,
    NotMade,
    Unknown,
}

/// Where a handler stands: what it has read or heard, and has not written yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Handler {
    /// It has read a balance.
    Intends { request: u8, reserved: u8 },
    /// It has read an intent.
    Holds { refund: u8, row: Row },
    /// `calling` is on disk, the call is not made yet.
    Calls { refund: u8, row: Row },
    /// The call is on its way.
    Waits { refund: u8, row: Row },
    /// The answer is on its way.
    Replied { refund: u8, row: Row, reply: Reply },
    /// The answer is here, or will not come.
    Heard { refund: u8, row: Row, reply: Reply },
    /// It has read a call that nobody came back from.
    Finds { refund: u8, row: Row },
    /// It is about to ask PortOne for the balance.
    Looks { refund: u8, row: Row },
    /// It knows what PortOne shows.
    Seen {
        refund: u8,
        row: Row,
        shown: Cancels,
        asked: u8,
    },
}

/// Everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    tick: u8,
    left: Left,
    rows: [Option<Row>; REQUESTS],
    asked: [bool; REQUESTS],
    handlers: [Option<Handler>; HANDLERS],
    /// Calls that nobody waits for any more, and that may still arrive.
    late: [u8; REQUESTS],
    cancels: Cancels,
    /// Calls that PortOne may have seen.
    calls: [u8; REQUESTS],
    /// What the order shows as given back.
    stored: u8,
}

/// What PortOne makes of a call that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum How {
    /// The money is back.
    AtOnce,
    /// The gateway decides later.
    Later,
    /// The gateway does not want to.
    No,
}

const HOW: [How; 3] = [How::AtOnce, How::Later, How::No];

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The shop asks, and a handler reads the balance.
    Ask(u8),
    /// A worker takes a refund.
    Take(u8),
    /// A handler does its next step.
    GoOn(usize),
    /// The call of a handler cannot leave.
    NotMade(usize),
    /// The call of a handler arrives.
    Arrive(usize, How),
    /// A handler hears nothing any more.
    Silence(usize),
    /// A handler vanishes.
    Crash(usize),
    /// A call arrives that nobody waits for.
    ArriveLate(u8, How),
    /// The console gives money back.
    Return,
    /// A gateway decides.
    Decide(usize, bool),
    /// An hour goes by.
    Tick,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// The world as it is walked.
pub struct Engine {
    configuration: Configuration,
    bent: Option<Bent>,
    like: Refund,
    stopped: AtomicBool,
}

fn at(tick: u8) -> Timestamp {
    Timestamp::from_second(i64::from(tick) * TICK).unwrap_or(Timestamp::MAX)
}

fn won(minor: u8) -> Money {
    Money {
        minor: minor.into(),
        currency: Currency::KRW,
    }
}

fn trouble() -> Trouble {
    Trouble {
        code: "x".to_owned(),
        message: None,
    }
}

fn sum(cancels: &Cancels, counts: impl Fn(&Cancel) -> bool) -> u8 {
    let cancels = cancels.iter().flatten();
    cancels.filter(|c| counts(c)).map(|c| c.amount).sum()
}

/// Given back, or about to be.
fn reserved(cancels: &Cancels) -> u8 {
    sum(cancels, |c| c.fate != Fate::Failed)
}

impl Engine {
    /// A world, with a bug planted or as it is. `None` when the ids it uses are none any more.
    #[must_use]
    pub fn new(configuration: Configuration, bent: Option<Bent>) -> Option<Self> {
        let like = Refund {
            id: RefundId::from_bytes([0; 16]),
            version: 0,
            payment_id: PaymentId::parse("order").ok()?,
            transaction_id: TransactionId::parse("imp_1").ok()?,
            amount: RefundAmount::new(won(1)).ok()?,
            reason: String::new(),
            account: None,
            requested_by: String::new(),
            idempotency_key: String::new(),
            fingerprint: String::new(),
            state: RefundState::Intended,
            tax_free_minor: None,
            guard_minor: 0,
            reserved_minor: 0,
            cancellation_id: None,
            attempts: 0,
            called_at: None,
            next_at: None,
            trouble: None,
            created_at: at(0),
            updated_at: at(0),
        };
        Some(Self {
            configuration,
            bent,
            like,
            stopped: AtomicBool::new(false),
        })
    }

    /// From now on states are looked at and not stepped on from.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether it was stopped.
    pub fn was_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Takes a stop back.
    pub fn go_on_stepping(&self) {
        self.stopped.store(false, Ordering::Relaxed);
    }

    fn is(&self, bent: Bent) -> bool {
        self.bent == Some(bent)
    }

    fn amount(&self, refund: u8) -> u8 {
        self.configuration.amounts[usize::from(refund)]
    }

    fn refund(&self, refund: u8, row: Row) -> Refund {
        Refund {
            version: row.version.into(),
            amount: RefundAmount::new(won(self.amount(refund))).unwrap_or(self.like.amount),
            state: row.state,
            tax_free_minor: None,
            guard_minor: row.guard.into(),
            reserved_minor: row.reserved.into(),
            cancellation_id: row.cancellation.map(|place| place.to_string()),
            called_at: row.called.map(at),
            ..self.like.clone()
        }
    }

    fn row(&self, before: Row, refund: &Refund, tick: u8) -> Row {
        let called = refund.state == RefundState::Calling;
        Row {
            state: refund.state,
            version: before.version + 1,
            called: if called { Some(tick) } else { before.called },
            cancellation: refund
                .cancellation_id
                .as_ref()
                .and_then(|id| id.parse().ok()),
            ..before
        }
    }

    /// Writes what an input does, and decides again when somebody else was faster.
    fn advance(&self, state: &mut State, refund: u8, read: Row, input: &Input) -> Option<Row> {
        let mut row = read;
        for _ in 0..DECISIONS {
            let step = next(&self.refund(refund, row), input, at(state.tick), 0)?;
            let stored = state.rows[usize::from(refund)]?;
            if stored.version == row.version || self.is(Bent::VersionIgnored) {
                let after = self.row(row, &step.refund, state.tick);
                state.rows[usize::from(refund)] = Some(after);
                return Some(after);
            }
            row = stored;
        }
        None
    }

    fn balance(&self, cancels: &Cancels) -> Balance {
        let all = cancels.iter().enumerate();
        let cancellations = all.filter_map(|(place, cancel)| {
            let cancel = (*cancel)?;
            let stage = match cancel.fate {
                Fate::Done => Stage::Done,
                Fate::UnderWay => Stage::UnderWay,
                Fate::Failed => Stage::Failed,
            };
            // V1 says how much is missing from its list, and nothing of what failed.
            let (id, is_told) = match self.configuration.portone {
                Portone::V1 => (
                    (stage == Stage::Done).then(|| place.to_string()),
                    stage != Stage::Failed,
                ),
                Portone::V2 => (Some(place.to_string()), true),
            };
            is_told.then_some(Cancellation {
                id,
                amount_minor: cancel.amount.into(),
                stage,
            })
        });
        Balance {
            tax_free_minor: None,
            cancellable: won(PAID - reserved(cancels)),
            reserved_minor: reserved(cancels).into(),
            cancellations: cancellations.collect(),
        }
    }

    fn answer(&self, reply: Reply) -> Answer {
        match reply {
            Reply::Taken(id) => Answer::Taken {
                cancellation_id: id.map(|place| place.to_string()),
            },
            Reply::Refused => Answer::Refused(trouble()),
            Reply::Unknown if self.is(Bent::CalledAgain) => Answer::NotMade(trouble()),
            Reply::NotMade => Answer::NotMade(trouble()),
            Reply::Unknown => Answer::Unknown(trouble()),
        }
    }

    /// A call arrives at PortOne.
    fn arrive(&self, state: &mut State, refund: u8, how: How) -> Option<Reply> {
        let guard = state.rows[usize::from(refund)]?.guard;
        let left = PAID - reserved(&state.cancels);
        let is_there = left == guard || self.is(Bent::GuardDropped);
        if how == How::No || !is_there || self.amount(refund) > left {
            return Some(Reply::Refused);
        }
        let place = state.cancels.iter().position(Option::is_none)?;
        state.cancels[place] = Some(Cancel {
            by: Some(refund),
            amount: self.amount(refund),
            fate: if how == How::Later {
                Fate::UnderWay
            } else {
                Fate::Done
            },
        });
        let named = self.configuration.portone == Portone::V2 || how == How::AtOnce;
        let id = u8::try_from(place).ok().filter(|_| named);
        Some(Reply::Taken(id))
    }

    fn intend(&self, state: &mut State, request: u8, reserved: u8) -> Option<Handler> {
        let under_way = state.rows.iter().flatten().any(|r| r.state.is_in_flight());
        let stale = state.stored > reserved && !self.is(Bent::StaleBalance);
        if (under_way && !self.is(Bent::TwoInFlight)) || stale {
            return None;
        }
        let row = Row {
            state: RefundState::Intended,
            version: 0,
            guard: PAID - reserved,
            reserved,
            called: None,
            cancellation: None,
        };
        state.rows[usize::from(request)] = Some(row);
        Some(Handler::Holds {
            refund: request,
            row,
        })
    }

    /// A handler's next step. `None` when it is through.
    fn go_on(&self, state: &mut State, handler: Handler) -> Option<Handler> {
        match handler {
            Handler::Intends { request, reserved } => self.intend(state, request, reserved),
            Handler::Holds { refund, row } => self
                .advance(state, refund, row, &Input::CallBegins)
                .map(|row| Handler::Calls { refund, row }),
            Handler::Calls { refund, row } => {
                state.calls[usize::from(refund)] += 1;
                Some(Handler::Waits { refund, row })
            }
            Handler::Replied { refund, row, reply } => Some(Handler::Heard { refund, row, reply }),
            Handler::Heard { refund, row, reply } => {
                let answered = Input::Answered(self.answer(reply));
                let row = self.advance(state, refund, row, &answered);
                let taken = row.filter(|row| row.state == RefundState::Requested);
                if self.is(Bent::DoneByTheAnswer)
                    && let Some(row) = taken
                {
                    state.rows[usize::from(refund)] = Some(Row {
                        state: RefundState::Done,
                        ..row
                    });
                }
                None
            }
            Handler::Finds { refund, row } => {
                self.advance(state, refund, row, &Input::CallLost);
                None
            }
            Handler::Looks { refund, row } => Some(Handler::Seen {
                refund,
                row,
                shown: state.cancels,
                asked: state.tick,
            }),
            Handler::Seen {
                refund,
                row,
                shown,
                asked,
            } => {
                // The order is moved first.
                let given_back = sum(&shown, |c| c.fate == Fate::Done);
                state.stored = state.stored.max(given_back);
                let seen = Input::Seen(Sight {
                    balance: self.balance(&shown),
                    asked_at: at(asked),
                });
                self.advance(state, refund, row, &seen);
                None
            }
            Handler::Waits { .. } => Some(handler),
        }
    }

    fn take(state: &State, refund: u8) -> Option<Handler> {
        let row = state.rows[usize::from(refund)]?;
        match row.state {
            RefundState::Intended => Some(Handler::Holds { refund, row }),
            // Its time is over.
            RefundState::Calling => {
                let over = row.called.is_some_and(|called| called < state.tick);
                over.then_some(Handler::Finds { refund, row })
            }
            RefundState::Requested | RefundState::InDoubt => Some(Handler::Looks { refund, row }),
            RefundState::Done | RefundState::Refused | RefundState::NotDone => None,
        }
    }

    /// What a handler leaves on the wire that hears nothing any more.
    fn leave(state: &mut State, handler: Handler) {
        if let Handler::Waits { refund, .. } = handler {
            state.late[usize::from(refund)] += 1;
        }
    }

    fn step(&self, state: &mut State, action: Action) -> Option<()> {
        let free = state.handlers.iter().position(Option::is_none);
        match action {
            Action::Ask(request) => {
                let reserved = reserved(&state.cancels);
                if PAID - reserved < self.amount(request) {
                    return None;
                }
                state.asked[usize::from(request)] = true;
                state.handlers[free?] = Some(Handler::Intends { request, reserved });
            }
            Action::Take(refund) => {
                state.left.takes -= 1;
                state.handlers[free?] = Some(Self::take(state, refund)?);
            }
            Action::GoOn(place) => {
                state.handlers[place] = self.go_on(state, state.handlers[place]?);
            }
            Action::NotMade(place) => {
                let Handler::Calls { refund, row } = state.handlers[place]? else {
                    return None;
                };
                state.left.silences -= 1;
                let reply = Reply::NotMade;
                state.handlers[place] = Some(Handler::Heard { refund, row, reply });
            }
            Action::Arrive(place, how) => {
                let Handler::Waits { refund, row } = state.handlers[place]? else {
                    return None;
                };
                let reply = self.arrive(state, refund, how)?;
                state.handlers[place] = Some(Handler::Replied { refund, row, reply });
            }
            Action::Silence(place) => {
                let handler = state.handlers[place]?;
                let (Handler::Waits { refund, row } | Handler::Replied { refund, row, .. }) =
                    handler
                else {
                    return None;
                };
                state.left.silences -= 1;
                Self::leave(state, handler);
                let reply = Reply::Unknown;
                state.handlers[place] = Some(Handler::Heard { refund, row, reply });
            }
            Action::Crash(place) => {
                state.left.crashes -= 1;
                Self::leave(state, state.handlers[place]?);
                state.handlers[place] = None;
            }
            Action::ArriveLate(refund, how) => {
                state.late[usize::from(refund)] -= 1;
                self.arrive(state, refund, how)?;
            }
            Action::Return => {
                let place = state.cancels.iter().position(Option::is_none)?;
                if PAID - reserved(&state.cancels) < CONSOLE {
                    return None;
                }
                state.left.returns -= 1;
                state.cancels[place] = Some(Cancel {
                    by: None,
                    amount: CONSOLE,
                    fate: Fate::Done,
                });
            }
            Action::Decide(place, yes) => {
                let cancel = state.cancels[place].as_mut()?;
                cancel.fate = if yes { Fate::Done } else { Fate::Failed };
            }
            Action::Tick => {
                state.left.ticks -= 1;
                state.tick += 1;
            }
        }
        Some(())
    }

    /// The first promise that a state breaks.
    #[must_use]
    pub fn broken(&self, state: &State) -> Option<&'static str> {
        if state.calls.iter().any(|&calls| calls > 1) {
            return Some("I8 a call without an answer is not made again");
        }
        let rows = || {
            (0_u8..)
                .zip(&state.rows)
                .filter_map(|(r, row)| Some((r, (*row)?)))
        };
        if rows().filter(|(_, row)| row.state.is_in_flight()).count() > 1 {
            return Some("I8 one refund of a payment is under way");
        }
        let is_live = |refund: u8| {
            sum(&state.cancels, |c| {
                c.by == Some(refund) && c.fate != Fate::Failed
            }) > 0
        };
        let done: u8 = rows()
            .filter(|(_, row)| row.state == RefundState::Done)
            .map(|(refund, _)| self.amount(refund))
            .sum();
        if done > sum(&state.cancels, |c| c.fate == Fate::Done) {
            return Some("I8 a refund is done when PortOne shows it");
        }
        if rows().any(|(refund, row)| row.state == RefundState::Refused && is_live(refund)) {
            return Some("I8 what was refused gave nothing back");
        }
        let same_ground = rows().any(|(a, first)| {
            rows().any(|(b, second)| {
                a < b && first.reserved == second.reserved && is_live(a) && is_live(b)
            })
        });
        if same_ground {
            return Some("I8 of two refunds on one balance one is carried out");
        }
        None
    }
}

impl Model for Engine {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            tick: 0,
            left: self.configuration.left,
            rows: [None; REQUESTS],
            asked: [false; REQUESTS],
            handlers: [None; HANDLERS],
            late: [0; REQUESTS],
            cancels: [None; CANCELS],
            calls: [0; REQUESTS],
            stored: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if self.was_stopped() || self.broken(state).is_some() {
            return;
        }
        let free = state.handlers.iter().any(Option::is_none);
        for (refund, asked) in (0_u8..).zip(state.asked) {
            if free && !asked {
                actions.push(Action::Ask(refund));
            }
            if free && state.left.takes > 0 && Self::take(state, refund).is_some() {
                actions.push(Action::Take(refund));
            }
            if state.late[usize::from(refund)] > 0 {
                actions.extend(HOW.map(|how| Action::ArriveLate(refund, how)));
            }
        }
        for (place, handler) in state.handlers.iter().enumerate() {
            let Some(handler) = handler else { continue };
            match handler {
                Handler::Waits { .. } => {
                    actions.extend(HOW.map(|how| Action::Arrive(place, how)));
                }
                Handler::Intends { .. }
                | Handler::Holds { .. }
                | Handler::Calls { .. }
                | Handler::Replied { .. }
                | Handler::Heard { .. }
                | Handler::Finds { .. }
                | Handler::Looks { .. }
                | Handler::Seen { .. } => actions.push(Action::GoOn(place)),
            }
            if state.left.silences > 0 {
                actions.push(Action::NotMade(place));
                actions.push(Action::Silence(place));
            }
            if state.left.crashes > 0 {
                actions.push(Action::Crash(place));
            }
        }
        for (place, cancel) in state.cancels.iter().enumerate() {
            if cancel.is_some_and(|c| c.fate == Fate::UnderWay) {
                actions.push(Action::Decide(place, true));
                actions.push(Action::Decide(place, false));
            }
        }
        if state.left.returns > 0 {
            actions.push(Action::Return);
        }
        if state.left.ticks > 0 {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = *before;
        self.step(&mut state, action)?;
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always(
            super::EVERY_PROMISE,
            |model: &Self, state| model.broken(state).is_none(),
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::walk_refunds;

    /// States in which a planted bug must show.
    const STATES_MAX: u64 = 1_000_000;

    fn found(bent: Option<Bent>, states: u64) -> Vec<String> {
        let worlds = all().into_iter();
        let walked = worlds.filter_map(|world| walk_refunds(world, bent, states)?.broken);
        walked.collect()
    }

    #[test]
    fn each_planted_bug_of_refunds_is_found() {
        for bent in [
            Bent::CalledAgain,
            Bent::VersionIgnored,
            Bent::TwoInFlight,
            Bent::GuardDropped,
            Bent::DoneByTheAnswer,
            Bent::StaleBalance,
        ] {
            assert!(!found(Some(bent), STATES_MAX).is_empty(), "{bent:?}");
        }
    }

    #[test]
    fn refunds_as_shipped_keep_every_promise() {
        assert_eq!(found(None, 50_000), Vec::<String>::new());
    }
}
