//! Everything outside of the shipped code, in one place: time, the database, PortOne, the network, and who watches.
//!
//! Whatever the shipped code asks of it passes a gate. Most calls pass at once; some wait until the schedule lets them, lets
//! them fail, or lets them happen and loses the answer. So every interleaving of two handlers can come up, and a crash can
//! fall between any two of their steps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use wanryo::domain::refund::OnMismatch;
use wanryo::ports::gateway::GatewayError;

use super::chance::Chance;
use super::coverage::Deed;
use super::portone;
use super::tables::Tables;
use super::watch::Watch;

/// When the simulated world begins: 2026-01-01T00:00:00Z.
const BEGINNING_MICROS: i64 = 1_767_225_600_000_000;
/// Servers of the simulated shop.
pub const INSTANCES: usize = 2;

/// The world as its parts share it.
pub type Shared = Arc<Mutex<World>>;

/// A time of the world.
#[must_use]
pub fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It is done.
    Through,
    /// The database refuses; nothing happened.
    Refused,
    /// It is done, and the answer is lost on its way back.
    AnswerLost,
    /// PortOne's answer is none.
    Fault(GatewayError),
}

/// Where a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// To the database.
    Store,
    /// To PortOne.
    Portone,
}

/// A call that waits for the schedule.
#[derive(Debug)]
pub struct Waiting {
    /// Whose.
    pub instance: usize,
    /// Which.
    pub what: &'static str,
    /// Where to.
    pub side: Side,
    release: oneshot::Sender<Passage>,
}

impl Waiting {
    /// Nobody waits for it any more.
    fn is_gone(&self) -> bool {
        self.release.is_closed()
    }
}

/// What kind of world it is; drawn once.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Calls to the database that wait for the schedule, in a thousand.
    pub slow_store: u64,
    /// Calls to PortOne that wait for the schedule, in a thousand.
    pub slow_portone: u64,
    /// Calls to PortOne that fail without waiting, in a thousand.
    pub bad_portone: u64,
    /// How far an instance's clock may be off, in microseconds.
    pub skew: i64,
}

/// A sleeper.
#[derive(Debug)]
struct Timer {
    wake: oneshot::Sender<()>,
}

/// The world.
#[derive(Debug)]
pub struct World {
    /// What is drawn within a step of the schedule follows from the step's own seed.
    pub chance: Chance,
    /// What kind of world it is.
    pub profile: Profile,
    /// The true time, in microseconds.
    pub now: i64,
    /// What each instance's clock adds to it.
    pub offsets: [i64; INSTANCES],
    /// Nothing fails and nothing waits any more.
    pub calm: bool,
    timers: BTreeMap<(i64, u64), Timer>,
    next_timer: u64,
    waiting: Vec<Waiting>,
    /// What is on disk.
    pub tables: Tables,
    /// PortOne.
    pub portone: portone::World,
    /// What becomes of payments that fail a check.
    pub policy: OnMismatch,
    /// Who watches.
    pub watch: Watch,
    /// What came to pass.
    pub deeds: BTreeSet<Deed>,
    trace: DefaultHasher,
    lines: Option<Vec<String>>,
}

impl World {
    /// A world in which nothing has happened yet. With `told` it keeps the story in words.
    #[must_use]
    pub fn new(profile: Profile, portone: portone::World, policy: OnMismatch, told: bool) -> Self {
        Self {
            chance: Chance::new(0),
            profile,
            now: BEGINNING_MICROS,
            offsets: [0; INSTANCES],
            calm: false,
            timers: BTreeMap::new(),
            next_timer: 0,
            waiting: Vec::new(),
            tables: Tables::default(),
            portone,
            policy,
            watch: Watch::default(),
            deeds: BTreeSet::new(),
            trace: DefaultHasher::new(),
            lines: told.then(Vec::new),
        }
    }

    /// The time by an instance's clock.
    #[must_use]
    pub fn clock(&self, instance: usize) -> i64 {
        self.now + self.offsets[instance]
    }

    /// Notes what happened: as numbers for the hash of the story, in words when they are wanted.
    pub fn note(&mut self, what: &'static str, numbers: &[i64], words: impl FnOnce() -> String) {
        (what, self.now, numbers).hash(&mut self.trace);
        if let Some(lines) = &mut self.lines {
            let seconds = (self.now - BEGINNING_MICROS) / 1000;
            let mut line = format!("{:>10}.{:03} s  {what}", seconds / 1000, seconds % 1000);
            let words = words();
            if !words.is_empty() {
                let _never_fails = write!(line, ": {words}");
            }
            lines.push(line);
        }
    }

    /// Notes that something came to pass which must come up sooner or later.
    pub fn did(&mut self, deed: Deed) {
        self.deeds.insert(deed);
    }

    /// The same story has the same hash.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// The story so far, in words.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }

    /// Wakes the caller after this time.
    pub fn sleep(&mut self, micros: i64) -> oneshot::Receiver<()> {
        let (wake, woken) = oneshot::channel();
        self.next_timer += 1;
        self.timers
            .insert((self.now + micros, self.next_timer), Timer { wake });
        woken
    }

    /// When the next sleeper wakes.
    pub fn next_timer(&mut self) -> Option<i64> {
        while let Some(first) = self.timers.first_entry() {
            if !first.get().wake.is_closed() {
                return Some(first.key().0);
            }
            first.remove();
        }
        None
    }

    /// Wakes the next sleeper whose time is not after `until`; says whether there was one.
    pub fn wake_next(&mut self, until: i64) -> bool {
        match self.next_timer() {
            Some(due) if due <= until => {
                if let Some((_, timer)) = self.timers.pop_first() {
                    self.now = self.now.max(due);
                    // Who was dropped meanwhile needs no waking.
                    let _gone = timer.wake.send(());
                }
                true
            }
            _ => false,
        }
    }

    /// A call comes to the gate: it passes, or waits for the schedule.
    pub fn gate(
        &mut self,
        instance: usize,
        side: Side,
        what: &'static str,
    ) -> Result<Passage, oneshot::Receiver<Passage>> {
        if self.calm {
            return Ok(Passage::Through);
        }
        let slow = match side {
            Side::Store => self.profile.slow_store,
            Side::Portone => self.profile.slow_portone,
        };
        if !self.chance.per_mille(slow) {
            if side == Side::Portone && self.chance.per_mille(self.profile.bad_portone) {
                return Ok(Passage::Fault(fault(&mut self.chance)));
            }
            return Ok(Passage::Through);
        }
        let (release, released) = oneshot::channel();
        self.waiting.push(Waiting {
            instance,
            what,
            side,
            release,
        });
        Err(released)
    }

    /// The calls that wait.
    pub fn waiting(&mut self) -> &[Waiting] {
        self.waiting.retain(|call| !call.is_gone());
        &self.waiting
    }

    /// Lets one of the waiting calls on.
    pub fn release(&mut self, index: usize, passage: Passage) {
        if index < self.waiting.len() {
            let call = self.waiting.remove(index);
            self.note(
                "call",
                &[i64::try_from(call.instance).unwrap_or_default()],
                || format!("{} of server {}: {passage:?}", call.what, call.instance),
            );
            let _gone = call.release.send(passage);
        }
    }
}

/// One of the ways in which PortOne gives no answer.
pub fn fault(chance: &mut Chance) -> GatewayError {
    chance.one_of(&[
        GatewayError::Unavailable,
        GatewayError::Unavailable,
        GatewayError::Garbled,
        GatewayError::Unauthorized,
        GatewayError::Refused,
    ])
}
