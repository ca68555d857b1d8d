//! The product's pure functions as the model calls them: `wanryo::domain`, as shipped.
//!
//! Orders, answers, decisions and outboxes are interned, so that a state of the model holds small numbers, and each function is
//! called once per distinct input and remembered. That is sound because they are pure: no I/O, no clock, no chance. What is
//! left out of an interned order is what nothing in the domain decides by: its version (see `super::step`), `updated_at`, the
//! count of checks, and the exact time of its next check beyond whether there is one.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use wanryo::domain::decision::{Asked, Extent, close, decide, expire};
use wanryo::domain::event::{Event, EventType};
use wanryo::domain::history::EntryKind;
use wanryo::domain::ids::TransactionId;
use wanryo::domain::order::{Order, OrderStatus};
use wanryo::domain::outcome::{Outcome, outcome_of};
use wanryo::domain::schedule::{Turn, next_turn};
use wanryo::domain::transaction::{Transaction, TransactionStatus, Verdict};

use super::planted::Planted;
use super::world::{
    self, ORDERS_MAX, PAYMENTS_MAX, Payment, Upstream, answer, at, payment_of, transaction_id,
};

/// Number of an interned value.
pub type Id = u32;

/// The number of each value, and the values by their numbers.
type Numbered<T> = (FxHashMap<Arc<T>, Id>, Vec<Arc<T>>);

/// Values, each with a number.
struct Interned<T> {
    table: RwLock<Numbered<T>>,
}

impl<T: Hash + Eq> Interned<T> {
    fn new() -> Self {
        Self {
            table: RwLock::new((FxHashMap::default(), Vec::new())),
        }
    }

    fn id(&self, value: T) -> Id {
        if let Some(&id) = self.table.read().0.get(&value) {
            return id;
        }
        let mut table = self.table.write();
        if let Some(&id) = table.0.get(&value) {
            return id;
        }
        let value = Arc::new(value);
        let id = Id::try_from(table.1.len()).unwrap_or(Id::MAX);
        table.0.insert(Arc::clone(&value), id);
        table.1.push(value);
        id
    }

    fn get(&self, id: Id) -> Arc<T> {
        Arc::clone(&self.table.read().1[id as usize])
    }

    fn len(&self) -> usize {
        self.table.read().1.len()
    }
}

/// What a pure function gave, by what went in.
struct Memo<K, V> {
    table: RwLock<FxHashMap<K, V>>,
}

impl<K: Hash + Eq + Copy, V: Clone> Memo<K, V> {
    fn new() -> Self {
        Self {
            table: RwLock::new(FxHashMap::default()),
        }
    }

    fn of(&self, key: K, call: impl FnOnce(K) -> V) -> V {
        if let Some(value) = self.table.read().get(&key) {
            return value.clone();
        }
        let value = call(key);
        self.table.write().insert(key, value.clone());
        value
    }
}

/// An order and its transactions as stored, hashed by their debug text: once per new value, never per step.
#[derive(PartialEq, Eq)]
struct Row {
    order: Order,
    transactions: Vec<Transaction>,
}

impl Hash for Row {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let order = &self.order;
        (order.payment_id.as_str(), order.status, order.checked_at).hash(state);
        for t in &self.transactions {
            (t.transaction_id.as_str(), t.status, t.verdict).hash(state);
            (t.cancelled_minor, t.checked_at, t.first_seen_at).hash(state);
        }
    }
}

/// What a row says of one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// PortOne's status.
    pub status: TransactionStatus,
    /// Our reading.
    pub verdict: Verdict,
    /// Given back so far.
    pub cancelled: i64,
    /// Whether it holds the buyer's money, by the product's words.
    pub holds_money: bool,
}

/// What a row says, small enough to look at in every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// Which order.
    pub order: usize,
    /// Where it stands.
    pub status: OrderStatus,
    /// The payment that paid it.
    pub accepted: Option<usize>,
    /// How much of it was given back.
    pub refunded: i64,
    /// Whether PortOne will be asked again without anybody's prompting.
    pub watched: bool,
    /// When it may be paid no more.
    pub deadline: Option<Timestamp>,
    /// Whether its time was seen to have run out.
    pub expired: bool,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// What it says of each payment.
    pub seen: [Option<Seen>; PAYMENTS_MAX],
    /// Whether it speaks of a payment that the configuration does not have, or of one twice.
    pub strange: bool,
}

/// PortOne's answer to one ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Answer {
    /// About which order.
    pub order: usize,
    /// The payment that was asked for.
    pub asked: Option<usize>,
    /// What PortOne knew, of what it shows.
    pub upstream: [Upstream; PAYMENTS_MAX],
    /// When the ask began, by the asker's clock.
    pub fetched_at: u8,
}

/// What a decision is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Question {
    /// The row.
    pub row: Id,
    /// The answer.
    pub answer: Id,
    /// Payments that the other order's row has, a bit each.
    pub taken: u8,
    /// By the decider's clock.
    pub now: u8,
    /// Whether a worker asks, whose turn it was.
    pub worker: bool,
}

/// How a decision is written; see `wanryo::service::sync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Write {
    /// Not at all: it confirms what was confirmed a moment ago.
    Nothing,
    /// The time of the next check alone, whatever the version is.
    Schedule,
    /// In a commit.
    Commit,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decided {
    /// The row as it is to be.
    pub row: Id,
    /// How it is written.
    pub write: Write,
    /// Events to put into the outbox.
    pub events: Vec<Id>,
    /// Payments of the answer that were about something else, a bit each.
    pub foreign: u8,
    /// Payments that the row speaks of afterwards, a bit each.
    pub speaks_of: u8,
}

/// An event in an outbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// What it tells.
    pub event_type: EventType,
    /// Of which payment.
    pub payment: Option<usize>,
    /// Given back so far.
    pub refunded: i64,
}

/// A row, the payment that the visitor asks for, whether PortOne answered, and the tick.
type Visit = (Id, Option<usize>, bool, u8);

/// The row that an ending leads to, and the events that it brings; nothing when it does not end.
type Ended = Option<(Id, Vec<Id>)>;

/// The product, called through memory.
pub struct Product {
    payments: Vec<Payment>,
    planted: Option<Planted>,
    rows: Interned<Row>,
    digests: RwLock<Vec<Digest>>,
    answers: Interned<Answer>,
    told: Interned<Told>,
    outboxes: Interned<Vec<Id>>,
    decided: Interned<Decided>,
    decisions: Memo<Question, Id>,
    endings: Memo<(Id, Option<u8>, u8), Ended>,
    pages: Memo<Visit, (Outcome, Option<usize>)>,
    appended: Memo<(Id, Id), Id>,
    watches: Memo<(Id, bool), Id>,
}

impl Product {
    /// The product over the payments of a configuration, with a bug planted or as it is.
    #[must_use]
    pub fn new(payments: &[Payment], planted: Option<Planted>) -> Self {
        Self {
            payments: payments.to_vec(),
            planted,
            rows: Interned::new(),
            digests: RwLock::default(),
            answers: Interned::new(),
            told: Interned::new(),
            outboxes: Interned::new(),
            decided: Interned::new(),
            decisions: Memo::new(),
            endings: Memo::new(),
            pages: Memo::new(),
            appended: Memo::new(),
            watches: Memo::new(),
        }
    }

    /// The row of an order that was just made.
    pub fn new_row(&self, order: usize, deadline: Option<u8>) -> Id {
        self.intern(world::order(order, deadline), Vec::new())
    }

    /// An outbox without events.
    pub fn empty_outbox(&self) -> Id {
        self.outboxes.id(Vec::new())
    }

    /// How many distinct decisions were taken.
    pub fn decisions_taken(&self) -> usize {
        self.decisions.table.read().len()
    }

    /// Every row that was met, in short.
    pub fn digests(&self) -> Vec<Digest> {
        self.digests.read().clone()
    }

    fn intern(&self, order: Order, transactions: Vec<Transaction>) -> Id {
        let order = Order {
            version: 0,
            updated_at: order.created_at,
            checks_without_change: 0,
            next_check_at: order.next_check_at.map(|_| order.created_at),
            ..order
        };
        let digest = digest(&order, &transactions);
        let id = self.rows.id(Row {
            order,
            transactions,
        });
        let mut digests = self.digests.write();
        // Another thread may have interned later rows first: each fills in what is missing up to its own.
        while digests.len() < self.rows.len() {
            let at = Id::try_from(digests.len()).unwrap_or(Id::MAX);
            let row = self.rows.get(at);
            let missing = if at == id {
                digest
            } else {
                self::digest(&row.order, &row.transactions)
            };
            digests.push(missing);
        }
        id
    }

    /// A row in short.
    pub fn digest(&self, row: Id) -> Digest {
        self.digests.read()[row as usize]
    }

    /// The number of an answer. What PortOne does not show of the order is not part of it.
    pub fn answer(&self, mut answer: Answer) -> Id {
        for (index, upstream) in answer.upstream.iter_mut().enumerate() {
            let shown = self
                .payments
                .get(index)
                .is_some_and(|p| p.order == answer.order || answer.asked == Some(index));
            if !shown {
                *upstream = Upstream::default();
            }
        }
        self.answers.id(answer)
    }

    /// What an answer was.
    pub fn answered(&self, answer: Id) -> Answer {
        *self.answers.get(answer)
    }

    /// The number of a decision.
    pub fn decide(&self, question: Question) -> Id {
        self.decisions.of(question, |question| {
            self.decided.id(self.decide_anew(question))
        })
    }

    /// What a decision was.
    pub fn decided(&self, decided: Id) -> Arc<Decided> {
        self.decided.get(decided)
    }

    fn decide_anew(&self, question: Question) -> Decided {
        let row = self.rows.get(question.row);
        let Answer {
            order,
            asked,
            upstream,
            fetched_at,
        } = self.answered(question.answer);
        let mut evidence = answer(&self.payments, order, asked, &upstream, fetched_at);
        let mut before = row.order.clone();
        let mut known = row.transactions.clone();
        if let Some(planted) = self.planted {
            planted.bend_answer(&mut evidence, &before.payment_id);
            planted.bend_order(&mut before, &mut known, &evidence);
        }
        let taken: BTreeSet<TransactionId> = bits(question.taken).map(transaction_id).collect();
        let now = at(question.now);
        let decision = decide(&before, &known, &evidence, &taken, now, &world::expected());
        let mut transactions = decision.applied_to(&row.transactions);
        let mut after = Order {
            expires_at: row.order.expires_at,
            closed_at: row.order.closed_at,
            ..decision.order
        };
        let turn = if question.worker || decision.moved {
            Turn::Due
        } else {
            Turn::Between
        };
        after.next_check_at = next_turn(&after, &transactions, turn, decision.unclear, now, 0);
        if let Some(planted) = self.planted {
            planted.bend_result(&mut after, &mut transactions);
        }
        let refused_alone = decision
            .notes
            .iter()
            .all(|note| note.kind == EntryKind::EvidenceRefused);
        let write = if decision.moved || !refused_alone {
            Write::Commit
        } else if row.order.checked_at == Some(now) && !question.worker {
            Write::Nothing
        } else if !decision.foreign.is_empty() {
            Write::Schedule
        } else {
            Write::Commit
        };
        let speaks_of = mask(transactions.iter().map(|t| &t.transaction_id));
        Decided {
            write,
            events: decision.events.iter().map(|e| self.told_id(e)).collect(),
            foreign: mask(decision.foreign.iter()),
            speaks_of,
            row: self.intern(after, transactions),
        }
    }

    /// The row whose time ran out, ended; `None` when it is not over. PortOne must have answered `asked_at` or later: an ask that
    /// began at the deadline or after it misses no payment that came in time.
    pub fn expired(&self, row: Id, asked_at: Option<u8>, now: u8) -> Option<(Id, Vec<Id>)> {
        self.endings.of((row, asked_at, now), |_| {
            let row = self.rows.get(row);
            let asked_at = match self.planted {
                Some(Planted::ExpiredUnasked) => Some(at(now)),
                Some(Planted::ExpiredOnHearsay) => row.order.checked_at,
                Some(_) | None => asked_at.map(at),
            };
            let asked = asked_at.map(|at| Asked {
                at,
                extent: Extent::Attempts,
            });
            let ending = expire(&row.order, &row.transactions, asked, at(now))?;
            let events = ending.events.iter().map(|e| self.told_id(e)).collect();
            Some((self.intern(ending.order, row.transactions.clone()), events))
        })
    }

    /// The row closed; `None` when it is closed already or has been paid.
    pub fn closed(&self, row: Id, now: u8) -> Option<Id> {
        let row = self.rows.get(row);
        let closing = close(&row.order, &row.transactions, at(now))
            .ok()
            .flatten()?;
        Some(self.intern(closing.order, row.transactions.clone()))
    }

    /// The row with its next check set or taken away, and nothing else changed.
    pub fn watched(&self, row: Id, watched: bool) -> Id {
        self.watches.of((row, watched), |(row, watched)| {
            let row = self.rows.get(row);
            let next_check_at = watched.then_some(row.order.created_at);
            let order = Order {
                next_check_at,
                ..row.order.clone()
            };
            self.intern(order, row.transactions.clone())
        })
    }

    /// What a visitor who came back with `asked` is told, and the payment it speaks of.
    pub fn page(
        &self,
        row: Id,
        asked: Option<usize>,
        confirmed: bool,
        now: u8,
    ) -> (Outcome, Option<usize>) {
        self.pages.of((row, asked, confirmed, now), |_| {
            let row = self.rows.get(row);
            let asked = asked.map(transaction_id);
            let (outcome, subject) = outcome_of(
                &row.order,
                &row.transactions,
                asked.as_ref(),
                confirmed,
                at(now),
            );
            (outcome, subject.map(|t| payment_of(&t.transaction_id)))
        })
    }

    /// An outbox with more events; one whose id is there already is left as it is.
    pub fn with_events(&self, outbox: Id, events: &[Id]) -> Id {
        events.iter().fold(outbox, |outbox, &event| {
            self.appended.of((outbox, event), |_| {
                let mut list = self.outboxes.get(outbox).as_ref().clone();
                let id = &self.told.get(event).id;
                if !list.iter().any(|&there| &self.told.get(there).id == id) {
                    list.push(event);
                }
                self.outboxes.id(list)
            })
        })
    }

    /// The events of an outbox, oldest first.
    pub fn told(&self, outbox: Id) -> Vec<Arc<Told>> {
        let list = self.outboxes.get(outbox);
        list.iter().map(|&event| self.told.get(event)).collect()
    }

    /// The numbers of an outbox's events, oldest first.
    pub fn events(&self, outbox: Id) -> Arc<Vec<Id>> {
        self.outboxes.get(outbox)
    }

    /// How many events an outbox has.
    pub fn told_count(&self, outbox: Id) -> usize {
        self.outboxes.get(outbox).len()
    }

    fn told_id(&self, event: &Event) -> Id {
        self.told.id(Told {
            id: event.id.clone(),
            event_type: event.event_type,
            payment: event.transaction_id.as_ref().map(payment_of),
            refunded: event.refunded_minor,
        })
    }
}

fn digest(order: &Order, transactions: &[Transaction]) -> Digest {
    let mut seen = [None; PAYMENTS_MAX];
    let mut strange = false;
    for t in transactions {
        let place = seen.get_mut(payment_of(&t.transaction_id));
        let Some(place) = place.filter(|place| place.is_none()) else {
            strange = true;
            continue;
        };
        *place = Some(Seen {
            status: t.status,
            verdict: t.verdict,
            cancelled: t.cancelled_minor,
            holds_money: t.holds_money(),
        });
    }
    Digest {
        order: (0..ORDERS_MAX)
            .find(|&index| world::payment_id(index) == order.payment_id)
            .unwrap_or(ORDERS_MAX),
        status: order.status,
        accepted: order.accepted_transaction_id.as_ref().map(payment_of),
        refunded: order.refunded_minor,
        watched: order.next_check_at.is_some(),
        deadline: order.expires_at,
        expired: order.expired_at.is_some(),
        closed_at: order.closed_at,
        seen,
        strange,
    }
}

/// The payments of a mask.
pub fn bits(mask: u8) -> impl Iterator<Item = usize> {
    (0..PAYMENTS_MAX).filter(move |bit| mask & (1 << bit) != 0)
}

fn mask<'t>(ids: impl Iterator<Item = &'t TransactionId>) -> u8 {
    ids.map(payment_of)
        .filter(|&payment| payment < PAYMENTS_MAX)
        .fold(0, |mask, payment| mask | 1 << payment)
}
