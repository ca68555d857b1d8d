//! Events on their way to the shop's server: where they go, what is sent, and what an answer makes of it.
//!
//! Webhooks are those of Standard Webhooks 1.0: an id that stays the same however often an event is sent, a time of this
//! attempt, and a signature by each secret that is valid. Only an answer of 200 to 299 delivers an event; a redirect is a
//! failure, and 410 says that nobody wants any more.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::json;

use super::event::{Event, EventType};
use super::ids::{InvalidId, PaymentId, TransactionId};
use super::money::Money;
use super::order::words;

/// Endpoints that there may be at once. Each has a lane of its own, so this bounds what is under way in all.
pub const ENDPOINTS_MAX: u32 = 32;
/// Deliveries under way at once to one endpoint, from one server.
pub const PER_ENDPOINT_MAX: u32 = 4;
/// How long a delivery is held by who sends it. Longer than one can take to be sent.
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Time for one webhook, from looking its name up to the end of the answer.
pub const SEND_TIMEOUT: SignedDuration = SignedDuration::from_secs(15);
/// How long the secret before the newest signs, too.
pub const ROTATION: SignedDuration = SignedDuration::from_hours(24);
/// Gaps between attempts: 5 seconds, 1, 5 and 15 minutes, 1, 3, 6 and 12 hours, then every 12 hours up to five days after the
/// first attempt.
const GAPS_SECONDS: [i64; 17] = [
    5, 55, 240, 600, 2_700, 7_200, 10_800, 21_600, 43_200, 43_200, 43_200, 43_200, 43_200, 43_200,
    43_200, 43_200, 43_200,
];
/// Longest that an endpoint may put one delivery off by `Retry-After`.
const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_hours(1);
/// How long an endpoint that has too much to do rests at least, and at most.
const REST_MIN: SignedDuration = SignedDuration::from_secs(10);
const REST_MAX: SignedDuration = SignedDuration::from_mins(10);
/// An endpoint that nothing but failures came back from for this long is paused.
pub const PAUSE_AFTER: SignedDuration = SignedDuration::from_hours(120);
/// Pause between two attempts to a paused endpoint.
pub const PROBE_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// A paused endpoint is tried with what happened so long ago at most, before its own time; later in its own time only.
pub const PROBED_WITH: SignedDuration = SignedDuration::from_hours(720);

/// Our id of an endpoint.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(String);

impl EndpointId {
    const PREFIX: &str = "we_";

    /// Writes 16 random bytes as hexadecimal digits.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let digits: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        Self(format!("{}{digits}", Self::PREFIX))
    }

    /// Takes what [`EndpointId::from_bytes`] writes.
    ///
    /// # Errors
    /// [`InvalidId`] when the text is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let digits = text
            .strip_prefix(Self::PREFIX)
            .ok_or(InvalidId::Character)?;
        let well_formed = digits.len() == 32
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId::Character)
        }
    }

    /// The id as the shop knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether anything is sent to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndpointStatus {
    /// Events are sent to it.
    Enabled,
    /// It failed for so long that it is tried once an hour only. What happens meanwhile waits.
    Paused,
    /// A person wants nothing sent. What happens meanwhile is not for it.
    Disabled,
    /// It answered 410: as disabled.
    Gone,
}
words!(EndpointStatus {
    Enabled = "enabled",
    Paused = "paused",
    Disabled = "disabled",
    Gone = "gone",
});

impl EndpointStatus {
    /// Whether events become deliveries for it, and deliveries attempts.
    #[must_use]
    pub const fn is_served(self) -> bool {
        match self {
            Self::Enabled | Self::Paused => true,
            Self::Disabled | Self::Gone => false,
        }
    }
}

/// What webhooks to an endpoint are signed with. `Debug` shows nothing of it.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// The newest, `whsec_…`.
    pub newest: SecretString,
    /// The one before, and until when it signs, too.
    pub previous: Option<(SecretString, Timestamp)>,
}

impl Secrets {
    /// Those that a webhook carries a signature of, newest first.
    #[must_use]
    pub fn valid(&self, now: Timestamp) -> Vec<SecretString> {
        let previous = self
            .previous
            .iter()
            .filter(|(_, until)| now < *until)
            .map(|(secret, _)| secret.clone());
        std::iter::once(self.newest.clone())
            .chain(previous)
            .collect()
    }
}

/// An address of the shop that is told what happens.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its name here.
    pub id: EndpointId,
    /// Where events are posted to.
    pub url: String,
    /// What they are signed with.
    pub secrets: Secrets,
    /// The types that it wants; all when absent.
    pub event_types: Option<Vec<EventType>>,
    /// Whether anything is sent.
    pub status: EndpointStatus,
    /// Since when nothing but failures came back.
    pub failing_since: Option<Timestamp>,
    /// Nothing is sent before.
    pub resume_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// It is sent when its time comes.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// Nobody took it for five days, or the endpoint was deleted.
    GivenUp,
}
words!(DeliveryStatus {
    Pending = "pending",
    Delivered = "delivered",
    GivenUp = "given_up",
});

/// An event for an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Key.
    pub id: i64,
    /// For whom.
    pub endpoint_id: EndpointId,
    /// The event's id, which the webhook carries.
    pub event_id: String,
    /// What happened.
    pub event_type: EventType,
    /// To which order.
    pub payment_id: PaymentId,
    /// How far it is.
    pub status: DeliveryStatus,
    /// How often it was sent.
    pub attempts: i64,
    /// When it is sent next, unless an earlier event of the order is still on its way.
    pub next_attempt_at: Option<Timestamp>,
    /// When the event was written.
    pub created_at: Timestamp,
    /// When anything happened to it last.
    pub updated_at: Timestamp,
}

/// A delivery that somebody took to send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// Key.
    pub id: i64,
    /// Which lease this is.
    pub lease: i64,
    /// How often it was sent.
    pub attempts: i64,
    /// How often of that since it was last asked for.
    pub tries: i64,
    /// The event's place among its order's.
    pub seq: i64,
    /// The event.
    pub event: Event,
    /// What the order is about.
    pub amount: Money,
}

/// One sending of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which one, from 1.
    pub number: i64,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
    /// The answer's status code, when there was an answer.
    pub code: Option<u16>,
    /// Why it was none that delivers.
    pub trouble: Option<Trouble>,
    /// The beginning of what was answered.
    pub answer: Option<String>,
}

/// Why an attempt did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Another status than 200 to 299.
    Status,
    /// A redirect. Nobody follows it: it would carry the event to who knows where.
    Redirect,
    /// 410.
    Gone,
    /// The address leads where nothing may be sent to.
    TargetRefused,
    /// Nobody there, or nobody who can be trusted: no such name, no connection, a bad certificate.
    ConnectFailed,
    /// No answer in time.
    Timeout,
    /// The connection broke before there was an answer.
    Interrupted,
}
words!(Trouble {
    Status = "status",
    Redirect = "redirect",
    Gone = "gone",
    TargetRefused = "target_refused",
    ConnectFailed = "connect_failed",
    Timeout = "timeout",
    Interrupted = "interrupted",
});

/// When an endpoint wants to be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// After this long.
    Seconds(i64),
    /// At this time.
    At(Timestamp),
}

/// What came of sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// An answer.
    Answered {
        /// Its status code.
        code: u16,
        /// When it wants to be asked again.
        retry_after: Option<RetryAfter>,
        /// The beginning of its body.
        answer: String,
    },
    /// None.
    Failed(Trouble),
}

impl Sent {
    /// The answer's status code.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::Answered { code, .. } => Some(*code),
            Self::Failed(_) => None,
        }
    }

    /// Why it does not deliver; `None` when it does.
    #[must_use]
    pub const fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Answered { code, .. } => match code {
                200..=299 => None,
                300..=399 => Some(Trouble::Redirect),
                410 => Some(Trouble::Gone),
                _ => Some(Trouble::Status),
            },
            Self::Failed(trouble) => Some(*trouble),
        }
    }
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Delivered.
    Delivered,
    /// Sent again at this time.
    Again(Timestamp),
    /// Given up.
    GivenUp,
}

/// What it says about the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It takes events.
    Works,
    /// It does not, and is to be left alone until then.
    Fails(Option<Timestamp>),
    /// It wants no more.
    Gone,
}

/// How an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether anything is sent.
    pub status: EndpointStatus,
    /// Since when nothing but failures came back.
    pub failing_since: Option<Timestamp>,
    /// Nothing is sent before.
    pub resume_at: Option<Timestamp>,
}

impl Standing {
    /// How it stands after this news. What a person has switched off stays off.
    #[must_use]
    pub fn after(self, news: News, at: Timestamp) -> Self {
        if !self.status.is_served() {
            return self;
        }
        match news {
            News::Works => Self {
                status: EndpointStatus::Enabled,
                failing_since: None,
                // Another attempt, at the same time, may have been asked to leave it alone.
                resume_at: self
                    .resume_at
                    .filter(|_| self.status == EndpointStatus::Enabled),
            },
            News::Fails(rest) => {
                let since = self.failing_since.unwrap_or(at);
                let is_over = at.duration_since(since) >= PAUSE_AFTER;
                if is_over || self.status == EndpointStatus::Paused {
                    Self {
                        status: EndpointStatus::Paused,
                        failing_since: Some(since),
                        resume_at: Some(later(at, PROBE_PAUSE)),
                    }
                } else {
                    Self {
                        status: self.status,
                        failing_since: Some(since),
                        resume_at: self.resume_at.max(rest),
                    }
                }
            }
            News::Gone => Self {
                status: EndpointStatus::Gone,
                failing_since: self.failing_since,
                resume_at: None,
            },
        }
    }
}

/// Reads an attempt. `tries` were made before it since the delivery was last asked for; `draw` in 0..=1000 moves the next by up to a
/// fifth to either side, so that what failed together does not come back together.
#[must_use]
pub fn judge(sent: &Sent, tries: i64, now: Timestamp, draw: u16) -> (Next, News) {
    let Some(trouble) = sent.trouble() else {
        return (Next::Delivered, News::Works);
    };
    if trouble == Trouble::Gone {
        // It waits, as all that waits for the endpoint, until a person enables it.
        return (Next::Again(now), News::Gone);
    }
    let asked = match sent {
        Sent::Answered {
            retry_after: Some(RetryAfter::Seconds(seconds)),
            ..
        } => Some(SignedDuration::from_secs((*seconds).max(0))),
        Sent::Answered {
            retry_after: Some(RetryAfter::At(at)),
            ..
        } => Some(at.duration_since(now).max(SignedDuration::ZERO)),
        Sent::Answered {
            retry_after: None, ..
        }
        | Sent::Failed(_) => None,
    };
    let rest = match sent.code() {
        Some(429 | 502 | 504) => Some(later(
            now,
            asked.unwrap_or(REST_MIN).clamp(REST_MIN, REST_MAX),
        )),
        _ => None,
    };
    let gap = usize::try_from(tries)
        .ok()
        .and_then(|tries| GAPS_SECONDS.get(tries));
    let next = match gap {
        None => Next::GivenUp,
        Some(seconds) => {
            let gap = spread(*seconds, draw);
            Next::Again(later(
                now,
                gap.max(asked.unwrap_or_default().min(RETRY_AFTER_MAX)),
            ))
        }
    };
    (next, News::Fails(rest))
}

/// From four to six fifths of it.
fn spread(seconds: i64, draw: u16) -> SignedDuration {
    SignedDuration::from_millis(seconds * (800 + 400 * i64::from(draw.min(1000)) / 1000))
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// What is posted: ids, status and amounts, never who pays. The same event has the same bytes in every attempt.
#[must_use]
pub fn body(event: &Event, amount: Money) -> String {
    json!({
        "type": event.event_type.as_str(),
        "timestamp": event.at,
        "data": {
            "payment_id": event.payment_id.as_str(),
            "transaction_id": event.transaction_id.as_ref().map(TransactionId::as_str),
            "status": event.status.as_str(),
            "amount": amount.minor,
            "currency": amount.currency.code(),
            "refunded_amount": event.refunded_minor,
        },
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::fixtures::{at, order};
    use crate::domain::order::OrderStatus;

    fn answered(code: u16, retry_after: Option<RetryAfter>) -> Sent {
        Sent::Answered {
            code,
            retry_after,
            answer: String::new(),
        }
    }

    fn seconds_until(next: Next) -> Option<i64> {
        match next {
            Next::Again(time) => Some(time.as_second() - at(0).as_second()),
            Next::Delivered | Next::GivenUp => None,
        }
    }

    #[test]
    fn an_endpoints_id_is_written_as_it_is() {
        let id = EndpointId::parse("we_00112233445566778899aabbccddeeff").unwrap();
        assert_eq!(format!("{id} {id:?}"), [id.as_str(), id.as_str()].join(" "));
    }

    #[test]
    fn what_is_posted_has_ids_status_and_amounts_and_nothing_else() {
        let order = order();
        let mut event = Event {
            id: "evt_1".to_owned(),
            event_type: EventType::OrderPartiallyRefunded,
            payment_id: order.payment_id,
            transaction_id: Some(TransactionId::parse("imp_1").unwrap()),
            status: OrderStatus::PartiallyRefunded,
            refunded_minor: 1_000,
            at: at(0),
        };
        let told = json!({
            "type": "order.partially_refunded",
            "timestamp": "2023-11-14T22:13:20Z",
            "data": {
                "payment_id": "ORD-1", "transaction_id": "imp_1", "status": "partially_refunded",
                "amount": 65_000, "currency": "KRW", "refunded_amount": 1_000,
            },
        });
        assert_eq!(body(&event, order.amount), told.to_string());

        event.transaction_id = None;
        let told: serde_json::Value = serde_json::from_str(&body(&event, order.amount)).unwrap();
        assert!(
            told["data"]["transaction_id"].is_null()
                && told["data"].get("transaction_id").is_some()
        );
    }

    #[test]
    fn only_the_two_hundreds_deliver() {
        for code in 100..=999 {
            let (next, news) = judge(&answered(code, None), 0, at(0), 500);
            match code {
                200..=299 => assert_eq!((next, news), (Next::Delivered, News::Works), "{code}"),
                410 => assert_eq!((next, news), (Next::Again(at(0)), News::Gone)),
                429 | 502 | 504 => {
                    assert_eq!(seconds_until(next), Some(5), "{code}");
                    assert_eq!(news, News::Fails(Some(at(10))), "{code}");
                }
                _ => {
                    assert_eq!(seconds_until(next), Some(5), "{code}");
                    assert_eq!(news, News::Fails(None), "{code}");
                }
            }
        }
        let redirect = answered(302, None).trouble();
        assert_eq!(redirect, Some(Trouble::Redirect));
    }

    #[test]
    fn eighteen_attempts_take_five_days() {
        let offsets = |draw| {
            let mut offsets = vec![0];
            for tries in 0.. {
                let (next, _) = judge(&Sent::Failed(Trouble::Timeout), tries, at(0), draw);
                match seconds_until(next) {
                    Some(gap) => offsets.push(offsets[offsets.len() - 1] + gap),
                    None => break,
                }
            }
            offsets
        };
        let (minute, hour) = (60, 3_600);
        let mut expected = vec![
            0,
            5,
            minute,
            5 * minute,
            15 * minute,
            hour,
            3 * hour,
            6 * hour,
        ];
        expected.extend((1..=10).map(|half_days| half_days * 12 * hour));

        assert_eq!(offsets(500), expected);
        assert_eq!(expected.len(), 18);
        assert_eq!(offsets(0)[1..3], [4, 48]);
        assert_eq!(offsets(1000)[1..3], [6, 72]);
    }

    #[test]
    fn an_endpoint_may_ask_for_time_within_bounds() {
        let wait = |code, asked, tries| {
            let (next, news) = judge(&answered(code, Some(asked)), tries, at(0), 500);
            let rest = match news {
                News::Fails(until) => until.map(|until| until.as_second() - at(0).as_second()),
                News::Works | News::Gone => None,
            };
            (seconds_until(next), rest)
        };
        assert_eq!(wait(503, RetryAfter::Seconds(90), 0), (Some(90), None));
        assert_eq!(wait(503, RetryAfter::At(at(90)), 0), (Some(90), None));
        assert_eq!(wait(503, RetryAfter::At(at(-90)), 0), (Some(5), None));
        assert_eq!(
            wait(500, RetryAfter::Seconds(i64::MAX), 0),
            (Some(3_600), None)
        );
        // The schedule's own gap is longer.
        assert_eq!(wait(503, RetryAfter::Seconds(90), 5), (Some(7_200), None));
        assert_eq!(wait(429, RetryAfter::Seconds(90), 0), (Some(90), Some(90)));
        assert_eq!(wait(429, RetryAfter::Seconds(1), 0), (Some(5), Some(10)));
        assert_eq!(wait(429, RetryAfter::Seconds(-1), 0), (Some(5), Some(10)));
        assert_eq!(
            wait(429, RetryAfter::Seconds(i64::MAX), 0),
            (Some(3_600), Some(600))
        );
    }

    #[test]
    fn an_endpoint_is_paused_after_five_days_of_failures_and_one_success_ends_it() {
        const HOUR: i64 = 3_600;
        let works = Standing {
            status: EndpointStatus::Enabled,
            failing_since: None,
            resume_at: None,
        };
        let fails = works.after(News::Fails(None), at(0));
        assert_eq!(fails.failing_since, Some(at(0)));
        assert_eq!(fails.after(News::Works, at(1)), works);
        let almost = fails.after(News::Fails(None), at(120 * HOUR - 1));
        assert_eq!(almost, fails);

        let paused = almost.after(News::Fails(None), at(120 * HOUR));

        assert_eq!(paused.status, EndpointStatus::Paused);
        assert_eq!(paused.resume_at, Some(at(121 * HOUR)));
        let still = paused.after(News::Fails(None), at(121 * HOUR));
        assert_eq!(still.status, EndpointStatus::Paused);
        assert_eq!(still.resume_at, Some(at(122 * HOUR)));
        assert_eq!(still.after(News::Works, at(122 * HOUR)), works);
        assert_eq!(still.after(News::Gone, at(0)).status, EndpointStatus::Gone);
    }

    #[test]
    fn a_rest_outlasts_a_success_beside_it_and_what_is_off_stays_off() {
        let rests = Standing {
            status: EndpointStatus::Enabled,
            failing_since: Some(at(0)),
            resume_at: Some(at(10)),
        };
        assert_eq!(rests.after(News::Works, at(1)).resume_at, Some(at(10)));
        let shorter = rests.after(News::Fails(Some(at(5))), at(1));
        assert_eq!(shorter.resume_at, Some(at(10)));
        for status in [EndpointStatus::Disabled, EndpointStatus::Gone] {
            let off = Standing { status, ..rests };
            for news in [News::Works, News::Fails(None), News::Gone] {
                assert_eq!(off.after(news, at(1_000_000)), off);
            }
        }
    }

    #[test]
    fn the_secret_before_signs_until_its_time_is_over() {
        let secrets = Secrets {
            newest: SecretString::from("whsec_new"),
            previous: Some((SecretString::from("whsec_old"), at(10))),
        };

        assert_eq!(secrets.valid(at(9)).len(), 2);
        assert_eq!(secrets.valid(at(10)).len(), 1);
        assert!(!format!("{secrets:?}").contains("whsec_"));
    }

    #[test]
    fn ids_read_back_and_nothing_else_does() {
        let id = EndpointId::from_bytes([0xab; 16]);
        assert_eq!(EndpointId::parse(id.as_str()), Ok(id));
        for text in ["", "we_", "we_AB", &format!("we_{}", "g".repeat(32))] {
            assert!(EndpointId::parse(text).is_err(), "{text:?} was taken");
        }
    }
}
