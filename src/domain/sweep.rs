//! The daily sweep through PortOne's lists: where it goes, and what a listed payment says about what is stored. Pure.
//!
//! The lists are walked in windows of time, page by page, so that a sweep can stop anywhere and go on there. A list entry is a
//! hint like any other: it moves nothing, it only says which order is to be asked about, or that there is none.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::decision::{cancelled_minor, effective_status};
use super::evidence::Record;
use super::order::{Mode, Order, Portone, words};
use super::transaction::Transaction;

/// How far back a sweep looks: PortOne's lists allow no more than 90 days in one question.
/// <https://developers.portone.io/api/rest-v1/payment>
pub const LOOK_BACK: SignedDuration = SignedDuration::from_hours(90 * 24);
/// What is younger than this is on its way by redirect or webhook.
pub const SETTLING: SignedDuration = SignedDuration::from_mins(10);
/// Length of a window. PortOne refuses pages beyond the first 60,000 payments, which is 20,000 a day.
/// <https://developers.portone.io/api/rest-v2/payment>
pub const WINDOW: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Which of PortOne's payments are listed. Those that failed or were left hold no money; each order's own checks follow them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listing {
    /// Paid, and nothing given back.
    Paid,
    /// Given back, in full or in part.
    Cancelled,
}
words!(Listing { Paid = "paid", Cancelled = "cancelled" });

/// The lists of a sweep, in the order in which they are walked.
const WALK: [(Portone, Listing); 4] = [
    (Portone::V1, Listing::Paid),
    (Portone::V1, Listing::Cancelled),
    (Portone::V2, Listing::Paid),
    (Portone::V2, Listing::Cancelled),
];

/// The time that a sweep covers, in whole seconds as V1 asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// From this moment on.
    pub from: Timestamp,
    /// Up to this one.
    pub until: Timestamp,
}

/// Where in the lists a sweep stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Whose list.
    pub portone: Portone,
    /// Which list.
    pub listing: Listing,
    /// Beginning of the window.
    pub window: Timestamp,
    /// Page of the window, from 0.
    pub page: u32,
    /// Payments of the page that were dealt with before.
    pub done: u32,
}

impl Span {
    /// What a sweep that begins now covers, or `None` when nothing lies in it. Payments from before the first order were made
    /// for something else than this server's orders.
    #[must_use]
    pub fn ending(now: Timestamp, first_order: Timestamp) -> Option<Self> {
        let back = now.checked_sub(LOOK_BACK).unwrap_or(Timestamp::MIN);
        let whole = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
        let span = Self {
            from: whole(back.max(first_order)),
            until: whole(now.checked_sub(SETTLING).unwrap_or(Timestamp::MIN)),
        };
        (span.from < span.until).then_some(span)
    }

    /// Where a sweep begins.
    #[must_use]
    pub fn start(self) -> Place {
        let (portone, listing) = WALK[0];
        self.beginning_of(portone, listing)
    }

    /// The end of a place's window. Windows touch, and a payment on their border is looked at twice, which changes nothing.
    #[must_use]
    pub fn window_end(self, place: Place) -> Timestamp {
        let end = place.window.checked_add(WINDOW).unwrap_or(self.until);
        end.min(self.until)
    }

    /// The window after, or the next list when it was the list's last.
    #[must_use]
    pub fn next_window(self, place: Place) -> Option<Place> {
        let window = self.window_end(place);
        if window < self.until {
            return Some(Place {
                window,
                page: 0,
                done: 0,
                ..place
            });
        }
        let here = WALK
            .iter()
            .position(|list| *list == (place.portone, place.listing))?;
        let (portone, listing) = *WALK.get(here + 1)?;
        Some(self.beginning_of(portone, listing))
    }

    /// The lists of the next generation, when there is one.
    #[must_use]
    pub fn next_generation(self, place: Place) -> Option<Place> {
        match place.portone {
            Portone::V1 => Some(self.beginning_of(Portone::V2, Listing::Paid)),
            Portone::V2 => None,
        }
    }

    fn beginning_of(self, portone: Portone, listing: Listing) -> Place {
        Place {
            portone,
            listing,
            window: self.from,
            page: 0,
            done: 0,
        }
    }
}

/// A sweep under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// When it began.
    pub started_at: Timestamp,
    /// What it covers.
    pub span: Span,
    /// Where it stands.
    pub place: Place,
    /// How often the place was tried in vain.
    pub failures: u32,
    /// How often this server was too busy to ask about the payment where the sweep stands.
    #[serde(default)]
    pub busy: u32,
    /// Payments that the window had when its first page was read.
    #[serde(default)]
    pub total: Option<u64>,
    /// How often the window was begun anew because its list had moved.
    #[serde(default)]
    pub moves: u32,
    /// Payments looked at.
    pub seen: u64,
    /// Whether a part had to be left out.
    pub left_out: bool,
    /// Whose lists a server did not look at because it has no keys for them.
    #[serde(default)]
    pub passed_over: Vec<Portone>,
}

/// A sweep that came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// When.
    pub at: Timestamp,
    /// Payments looked at.
    pub seen: u64,
    /// Whether a part had to be left out, because PortOne would not tell it, or told it in a way that cannot be read.
    pub left_out: bool,
}

/// What is remembered of the sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Grows with each change; who writes names the one that was read.
    pub version: i64,
    /// When its next step is due.
    pub due_at: Timestamp,
    /// The one under way.
    pub run: Option<Run>,
    /// The last that came to its end.
    pub finished: Option<Finished>,
}

/// What a listed payment says about what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Nothing that is not known.
    Known,
    /// More than is stored of an order: PortOne is to be asked about it.
    Drift,
    /// Money that no order here is for.
    Orphan,
}

/// Reads a listed payment. `order` is the one with its number at its generation.
///
/// Without an order, a payment counts when it holds money of this server's mode and was made since `since`. In live mode a
/// test channel's payment moved no money; a test server beside a live one would take every payment of its account for an
/// orphan.
#[must_use]
pub fn read(
    record: &Record,
    order: Option<(&Order, &[Transaction])>,
    mode: Mode,
    since: Timestamp,
) -> Reading {
    match order {
        Some((order, transactions)) if is_ahead(record, order.portone, transactions) => {
            Reading::Drift
        }
        Some(_) => Reading::Known,
        None if record.holds_money()
            && is_of_mode(record, mode)
            && record.paid_at.is_none_or(|at| at >= since) =>
        {
            Reading::Orphan
        }
        None => Reading::Known,
    }
}

/// Whether a listed payment is further along than what is stored of it. One that is behind was listed before the row was
/// written.
#[must_use]
pub fn is_ahead(record: &Record, portone: Portone, transactions: &[Transaction]) -> bool {
    let stored = transactions
        .iter()
        .find(|one| one.transaction_id == record.transaction_id);
    let Some(status) = effective_status(record, portone, stored.map(|one| one.status)) else {
        return false;
    };
    stored.is_none_or(|one| {
        (status.rank(), cancelled_minor(record)) > (one.status.rank(), one.cancelled_minor)
    })
}

fn is_of_mode(record: &Record, mode: Mode) -> bool {
    match mode {
        // Money that PortOne does not call test money may be real.
        Mode::Live => record.test != Some(true),
        Mode::Test => record.test == Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::fixtures::{at, left_open, order, record};
    use crate::domain::transaction::TransactionStatus;

    const DAY: i64 = 24 * 3600;

    fn stored(status: TransactionStatus, cancelled_minor: i64) -> Transaction {
        Transaction {
            status,
            cancelled_minor,
            ..left_open("imp_1")
        }
    }

    #[test]
    fn what_portone_has_more_of_is_drift() {
        use TransactionStatus::{Cancelled, Failed, Paid, Ready};
        let cases = [
            (Paid, 0, None, Reading::Drift),
            (Paid, 0, Some((Ready, 0)), Reading::Drift),
            (Paid, 0, Some((Failed, 0)), Reading::Drift),
            (Paid, 0, Some((Paid, 0)), Reading::Known),
            (Cancelled, 1_000, Some((Paid, 0)), Reading::Drift),
            (Cancelled, 2_000, Some((Cancelled, 1_000)), Reading::Drift),
            (Cancelled, 1_000, Some((Cancelled, 1_000)), Reading::Known),
            // Listed before the row was written.
            (Paid, 0, Some((Cancelled, 1_000)), Reading::Known),
            (Cancelled, 1_000, Some((Cancelled, 2_000)), Reading::Known),
            // A cancel that is under way has moved nothing yet.
            (Cancelled, 0, Some((Paid, 0)), Reading::Known),
        ];
        for (status, cancelled, known, expected) in cases {
            let known: Vec<Transaction> = known
                .map(|(status, cancelled)| stored(status, cancelled))
                .into_iter()
                .collect();

            let reading = read(
                &record(status, cancelled),
                Some((&order(), &known)),
                Mode::Live,
                at(0),
            );

            assert_eq!(reading, expected, "{status:?} {cancelled} {known:?}");
        }
    }

    #[test]
    fn only_money_of_this_servers_own_time_and_mode_is_an_orphan() {
        use TransactionStatus::{Cancelled, Paid};
        let of = |test, mode| {
            let record = Record {
                test,
                ..record(Paid, 0)
            };
            read(&record, None, mode, at(0))
        };
        assert_eq!(of(Some(false), Mode::Live), Reading::Orphan);
        assert_eq!(of(None, Mode::Live), Reading::Orphan);
        assert_eq!(of(Some(true), Mode::Live), Reading::Known);
        assert_eq!(of(Some(true), Mode::Test), Reading::Orphan);
        assert_eq!(of(Some(false), Mode::Test), Reading::Known);
        assert_eq!(of(None, Mode::Test), Reading::Known);

        let reading = |record: &Record, since| read(record, None, Mode::Live, since);
        assert_eq!(
            reading(&record(Cancelled, 1_000), at(0)),
            Reading::Orphan,
            "a part is still here"
        );
        assert_eq!(reading(&record(Cancelled, 65_000), at(0)), Reading::Known);
        assert_eq!(
            reading(&record(Paid, 0), at(1)),
            Reading::Known,
            "from before the first order"
        );
    }

    #[test]
    fn every_list_is_walked_window_by_window_to_the_end() {
        let now = at(7 * DAY + 600);
        let span = Span::ending(now, at(0)).expect("a span");
        let mut walked = vec![span.start()];
        while let Some(next) = walked.last().and_then(|place| span.next_window(*place)) {
            walked.push(next);
        }

        let windows: Vec<i64> = walked
            .iter()
            .take(3)
            .map(|place| (place.window.as_second() - at(0).as_second()) / DAY)
            .collect();
        assert_eq!(windows, [0, 3, 6]);
        assert_eq!(span.window_end(walked[2]), at(7 * DAY));
        let lists: Vec<(Portone, Listing)> = walked
            .iter()
            .step_by(3)
            .map(|place| (place.portone, place.listing))
            .collect();
        assert_eq!((lists.as_slice(), walked.len()), (WALK.as_slice(), 12));
        assert_eq!(
            span.next_generation(walked[1])
                .map(|place| (place.portone, place.window)),
            Some((Portone::V2, at(0)))
        );
        assert_eq!(span.next_generation(walked[11]), None);

        // Wherever a window is left, the next begins at its beginning.
        let inside = Place {
            page: 3,
            done: 7,
            ..walked[0]
        };
        assert_eq!(span.next_window(inside), Some(walked[1]));
    }

    #[test]
    fn a_sweep_looks_back_ninety_days_and_not_beyond_the_first_order() {
        let now = at(0);
        let ago = |time: SignedDuration| now.checked_sub(time).expect("in range");
        let span = |first_order| Span::ending(now, first_order);

        assert_eq!(
            span(Timestamp::UNIX_EPOCH).map(|span| (span.from, span.until)),
            Some((ago(LOOK_BACK), ago(SETTLING)))
        );
        let yesterday = ago(SignedDuration::from_hours(24));
        assert_eq!(span(yesterday).map(|span| span.from), Some(yesterday));
        assert_eq!(
            span(ago(SETTLING)),
            None,
            "what just began has nothing to sweep"
        );
    }
}
