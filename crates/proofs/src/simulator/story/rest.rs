//! The end of a schedule: nothing fails any more, and everything must become as PortOne has it.

use jiff::Timestamp;

use super::super::watch::Violation;
use super::super::world::INSTANCES;
use super::{ATTEMPTS_MAX, Chance, HOUR, OnMismatch, Passage, SECOND, Story};

/// Turns that every order gets to come to rest: one may be a lease that a dead server left behind.
const TURNS: usize = 2;
/// Turns at the most: what a webhook or the sweep asks about one attempt is a turn, too, when it moves the order.
const TURNS_MAX: usize = TURNS + 2 * ATTEMPTS_MAX;
/// From one turn of the orders to the next, at the least: longer than the reconciler's budget needs to fill, which a clock that was
/// set back leaves empty.
const ORDERS_TURN: i64 = 15 * SECOND;
/// Turns of an hour and more that every refund gets: before its call, after a call that got lost, in doubt, and taken.
const REFUND_TURNS: usize = 5;
/// From one turn of a refund to the next: longer than one is in doubt.
const REFUND_TURN: i64 = HOUR + HOUR / 6;
/// Rounds of steps within which a sweep comes to its end: four lists in windows of three days, of at most ninety days.
const SWEEP_ROUNDS: usize = 100;
/// Steps of the sweep in one round.
const SWEEP_STEPS: usize = 20;

impl Story<'_> {
    /// Nothing fails any more, PortOne stands still, and every order gets its turn: then everything must be as PortOne has
    /// it, by the reconciler alone. Webhooks that are still under way are lost.
    pub(super) fn comes_to_rest(&mut self) {
        if self.world.lock().watch.broken.is_some() {
            return;
        }
        {
            let mut world = self.world.lock();
            world.note("the world comes to rest", &[], String::new);
            world.calm = true;
            world.chance = Chance::new(1);
            world.offsets = [0; INSTANCES];
        }
        for instance in 0..INSTANCES {
            if self.servers[instance].is_none() {
                self.start(instance);
            }
        }
        loop {
            {
                let mut world = self.world.lock();
                if world.waiting().is_empty() {
                    break;
                }
                world.release(0, Passage::Through);
            }
            self.run_until_idle();
        }
        // What sleeps between two tries wakes, and PortOne's API has caught up.
        let now = self.world.lock().now;
        self.pass_time(now + 70 * SECOND);
        self.refunds_end();
        let since = self.world.lock().now;
        for turn in 1..=TURNS_MAX {
            self.orders_turn();
            if turn >= TURNS && self.world.lock().all_were_asked(since) {
                break;
            }
        }
        // What a turn gives back by policy moves its order once more, and by then the order may have run out of time, or a sweep
        // that is still going on may have come to the next payment. Each payment is given back once.
        if self.settings.on_mismatch == OnMismatch::Refund {
            for _ in 0..=ATTEMPTS_MAX {
                self.refunds_end();
                self.orders_turn();
                if !self.is_refunding() {
                    break;
                }
            }
        }
        if self.world.lock().watch.broken.is_none() {
            self.world.lock().at_rest(since);
        }
        if self.sweeps && self.world.lock().watch.broken.is_none() {
            self.sweeps_to_the_end();
        }
    }

    fn is_refunding(&self) -> bool {
        let world = self.world.lock();
        let mut refunds = world.tables.refunds.iter();
        refunds.any(|refund| refund.state.is_in_flight())
    }

    /// Every order gets its turn.
    fn orders_turn(&mut self) {
        let (now, last) = {
            let world = self.world.lock();
            let orders = world.tables.orders.values();
            let checks = orders.filter_map(|row| row.snapshot.order.next_check_at);
            (world.now, checks.max())
        };
        let last = last.map_or(now, Timestamp::as_microsecond);
        self.pass_time((last + SECOND).max(now + ORDERS_TURN));
        self.round(0);
        self.run_until_idle();
    }

    /// Every refund gets its turns, and gateways decide about what they have taken.
    fn refunds_end(&mut self) {
        for _ in 0..REFUND_TURNS {
            let now = {
                let mut world = self.world.lock();
                // What is still on the wire never arrives.
                world.portone.wire.clear();
                for which in world.portone.undecided() {
                    let mut chance = Chance::new(world.chance.bits());
                    world.gateway_decides(which, &mut chance);
                }
                world.consoles_end();
                world.now
            };
            if !self.is_refunding() {
                return;
            }
            self.pass_time(now + REFUND_TURN);
            self.round(0);
            self.run_until_idle();
        }
    }

    /// A sweep that begins now comes to its end, and finds what is there.
    fn sweeps_to_the_end(&mut self) {
        let since = self.world.lock().now;
        for _ in 0..SWEEP_ROUNDS {
            let (now, due, swept) = {
                let world = self.world.lock();
                let due = world.tables.sweep.as_ref().map(|sweep| sweep.due_at);
                let due = due.map_or(world.now, Timestamp::as_microsecond);
                (world.now, due, world.watch.swept)
            };
            if let Some(swept) = swept.filter(|swept| swept.began >= since) {
                self.world.lock().swept_at_rest(swept);
                return;
            }
            if self.world.lock().tables.orders.is_empty() {
                return;
            }
            self.pass_time(due.max(now) + SECOND);
            self.sweep_on(0, SWEEP_STEPS);
            self.run_until_idle();
        }
        let mut world = self.world.lock();
        world.watch.broken.get_or_insert(Violation {
            rule: "I15 a sweep comes to its end",
            detail: format!("not within {SWEEP_ROUNDS} rounds"),
        });
    }
}
