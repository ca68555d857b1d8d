//! Every word of the back office, in each language. A language that lacks a message does not compile.

pub(super) mod audit;
mod en;
pub(super) mod factor;
mod ko;
pub(super) mod list;
pub(super) mod overview;
pub(super) mod people;
pub(super) mod webhooks;

use super::refund::RefundFault;
use crate::domain::attention::{Arrival, AttentionKind};
use crate::domain::confirmation::Stop;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::event::EventType;
use crate::domain::history::{EntryKind, Refusal};
use crate::domain::order::OrderStatus;
use crate::domain::outcome::Outcome;
use crate::domain::refund::RefundState;
use crate::domain::transaction::{TransactionStatus, Verdict};
use crate::domain::verification::CheckName;
use crate::i18n::Locale;

/// The texts of a language.
pub(super) const fn of(locale: Locale) -> &'static Text {
    match locale {
        Locale::Ko => &ko::TEXT,
        Locale::En | Locale::Ja | Locale::Zh => &en::TEXT,
    }
}

/// What a form reported back through the address: a code, never words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// PortOne was asked and answered.
    Synced,
    /// The order is closed.
    Closed,
    /// A payment is marked as taken care of.
    Settled,
    /// The note is kept.
    Noted,
    /// The money is back.
    Refunded,
    /// The refund is on its way.
    RefundUnderWay,
    /// PortOne or the gateway said no.
    RefundRefused,
    /// Another refund of the transaction is on its way.
    RefundBefore,
    /// Whether the refund was written down is not known.
    RefundUnknown,
    /// Nothing is left to give back.
    NothingLeft,
    /// What was done has to be said.
    NoNote,
    /// What was written is no note.
    BadNote,
    /// The order has as many notes as it may have.
    TooManyNotes,
    /// Somebody was faster.
    SettledBefore,
    /// It does not need attention any more.
    NothingThere,
    /// It is not as it was on the page.
    ItemChanged,
    /// PortOne could not be asked.
    Unconfirmed,
    /// The order is paid, so it cannot be closed.
    Paid,
    /// The order kept changing, or too much is asked at once.
    Busy,
    /// The server cannot do it now.
    Unavailable,
}

impl Notice {
    pub(super) fn done(code: &str) -> Option<Self> {
        match code {
            "synced" => Some(Self::Synced),
            "closed" => Some(Self::Closed),
            "settled" => Some(Self::Settled),
            "noted" => Some(Self::Noted),
            "refunded" => Some(Self::Refunded),
            "refund_under_way" => Some(Self::RefundUnderWay),
            _ => None,
        }
    }

    pub(super) fn error(code: &str) -> Option<Self> {
        match code {
            "unconfirmed" => Some(Self::Unconfirmed),
            "refund_refused" => Some(Self::RefundRefused),
            "refund_before" => Some(Self::RefundBefore),
            "refund_unknown" => Some(Self::RefundUnknown),
            "nothing_left" => Some(Self::NothingLeft),
            "paid" => Some(Self::Paid),
            "no_note" => Some(Self::NoNote),
            "bad_note" => Some(Self::BadNote),
            "too_many_notes" => Some(Self::TooManyNotes),
            "settled_before" => Some(Self::SettledBefore),
            "nothing_there" => Some(Self::NothingThere),
            "item_changed" => Some(Self::ItemChanged),
            "busy" => Some(Self::Busy),
            "unavailable" => Some(Self::Unavailable),
            _ => None,
        }
    }

    pub(super) fn is_error(self) -> bool {
        match self {
            Self::Synced
            | Self::Closed
            | Self::Settled
            | Self::Noted
            | Self::Refunded
            | Self::RefundUnderWay => false,
            Self::NoNote
            | Self::RefundRefused
            | Self::RefundBefore
            | Self::RefundUnknown
            | Self::NothingLeft
            | Self::BadNote
            | Self::TooManyNotes
            | Self::SettledBefore
            | Self::NothingThere
            | Self::ItemChanged
            | Self::Unconfirmed
            | Self::Paid
            | Self::Busy
            | Self::Unavailable => true,
        }
    }
}

/// Why nobody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoginError {
    /// Wrong address or password; the same for both.
    Refused,
    /// Too many sign-ins at once.
    Busy,
    /// Too many wrong ones.
    Wait { seconds: i64 },
    /// The server cannot check now.
    Unavailable,
    /// A form came when nobody was signed in any more.
    Ended,
}

impl LoginError {
    pub(super) fn from_code(code: &str) -> Option<Self> {
        match code {
            "refused" => Some(Self::Refused),
            "unavailable" => Some(Self::Unavailable),
            "ended" => Some(Self::Ended),
            _ => None,
        }
    }
}

/// Who caused a history entry, read back from what [`crate::domain::history::Actor::to_text`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who<'a> {
    Buyer,
    Webhook,
    Confirm,
    Worker,
    Refund,
    Policy,
    Sweep,
    Command,
    Stranger,
    Shop(&'a str),
    Staff(&'a str),
    Unrecognized(&'a str),
}

impl<'a> Who<'a> {
    pub(super) fn read(actor: &'a str) -> Self {
        match actor.split_once(':') {
            Some(("shop", name)) => Self::Shop(name),
            Some(("staff", email)) => Self::Staff(email),
            _ => match actor {
                "buyer" => Self::Buyer,
                "webhook" => Self::Webhook,
                "confirm" => Self::Confirm,
                "worker" => Self::Worker,
                "refund" => Self::Refund,
                "policy" => Self::Policy,
                "sweep" => Self::Sweep,
                "command" => Self::Command,
                "stranger" => Self::Stranger,
                other => Self::Unrecognized(other),
            },
        }
    }
}

/// A heading with a sentence.
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) body: &'static str,
}

/// The messages.
pub(super) struct Text {
    pub(super) frame: Frame,
    pub(super) login: Login,
    pub(super) list: List,
    pub(super) attention: Attention,
    pub(super) order: OrderText,
    pub(super) refund: RefundText,
    pub(super) history: History,
    pub(super) status: fn(OrderStatus) -> &'static str,
    /// What the status means for the shop, and what is to be done.
    pub(super) status_meaning: fn(OrderStatus) -> &'static str,
    pub(super) transaction_status: fn(TransactionStatus) -> &'static str,
    pub(super) verdict: fn(Verdict) -> &'static str,
    pub(super) verdict_meaning: fn(Verdict) -> &'static str,
    /// What the buyer's page says, if the order can still be paid.
    pub(super) outcome: fn(Outcome) -> &'static str,
    pub(super) check: fn(CheckName) -> &'static str,
    /// Words for a check's value; `None` when the value speaks for itself.
    pub(super) check_value: fn(CheckName, &str) -> Option<&'static str>,
    pub(super) event: fn(EventType) -> &'static str,
    pub(super) gateway_error: fn(&str) -> Option<&'static str>,
    pub(super) notice: fn(Notice) -> &'static str,
    pub(super) who: fn(Who<'_>) -> String,
}

/// Around every page.
pub(super) struct Frame {
    pub(super) office: &'static str,
    pub(super) pages: &'static str,
    pub(super) other_language: &'static str,
    pub(super) sign_out: &'static str,
    pub(super) test_mode: &'static str,
    pub(super) signed_out: Words,
    pub(super) sign_in: &'static str,
    pub(super) unavailable: Words,
    /// In what time zone times are shown.
    pub(super) times: &'static str,
}

pub(super) struct Login {
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    pub(super) email: &'static str,
    pub(super) password: &'static str,
    pub(super) submit: &'static str,
    pub(super) error: fn(LoginError) -> String,
}

pub(super) struct List {
    pub(super) title: &'static str,
    pub(super) filters: &'static str,
    pub(super) status: &'static str,
    pub(super) any_status: &'static str,
    pub(super) query: &'static str,
    pub(super) query_hint: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) search: &'static str,
    pub(super) reset: &'static str,
    /// So many orders are held; `true` when there are more than were counted.
    pub(super) held: fn(usize, bool) -> String,
    pub(super) show_held: &'static str,
    pub(super) table: &'static str,
    pub(super) payment_id: &'static str,
    pub(super) name: &'static str,
    pub(super) amount: &'static str,
    pub(super) created: &'static str,
    pub(super) checked: &'static str,
    pub(super) never_checked: &'static str,
    pub(super) attention: &'static str,
    pub(super) pages: &'static str,
    pub(super) next: &'static str,
    pub(super) first: &'static str,
    pub(super) none: Words,
    pub(super) none_match: Words,
}

pub(super) struct Attention {
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    /// So many payments of PortOne's lists were compared; the time follows.
    pub(super) swept: fn(u64) -> String,
    pub(super) swept_in_part: &'static str,
    pub(super) never_swept: &'static str,
    pub(super) kind: fn(AttentionKind) -> &'static str,
    pub(super) meaning: fn(AttentionKind) -> &'static str,
    pub(super) to_do: fn(AttentionKind) -> &'static str,
    pub(super) open_order: &'static str,
    pub(super) settle: &'static str,
    pub(super) note: &'static str,
    /// Over what was typed and is kept nowhere.
    pub(super) not_kept: &'static str,
    pub(super) note_hint: &'static str,
    pub(super) settle_confirm: &'static str,
    pub(super) settled: &'static str,
    pub(super) why: &'static str,
    pub(super) who: &'static str,
    pub(super) pages: &'static str,
    pub(super) next: &'static str,
    pub(super) none: Words,
    pub(super) webhooks: &'static str,
    pub(super) webhooks_hint: &'static str,
    pub(super) no_webhooks: &'static str,
    pub(super) arrival_head: &'static str,
    pub(super) arrival: fn(Arrival) -> &'static str,
}

pub(super) struct OrderText {
    pub(super) title: fn(&str) -> String,
    pub(super) back: &'static str,
    pub(super) not_found: Words,
    /// How much of what was given back.
    pub(super) refunded: fn(&str, &str) -> String,
    pub(super) buyer_sees: &'static str,
    /// What the buyer's page says of an order whose time ran out, and of one that was closed.
    pub(super) seen_expired: &'static str,
    pub(super) seen_closed: &'static str,
    pub(super) status_page: &'static str,
    pub(super) pay_page: &'static str,
    pub(super) personal_link: &'static str,
    pub(super) notes: &'static str,
    pub(super) note: &'static str,
    pub(super) note_hint: &'static str,
    pub(super) leave_note: &'static str,
    pub(super) erased_note: &'static str,
    pub(super) transactions: &'static str,
    pub(super) no_transactions: &'static str,
    pub(super) accepted_one: &'static str,
    pub(super) portone_status: &'static str,
    pub(super) transaction_id: &'static str,
    pub(super) paid_amount: &'static str,
    pub(super) cancelled_amount: &'static str,
    pub(super) method: &'static str,
    pub(super) method_name: &'static str,
    pub(super) gateway: &'static str,
    pub(super) approval_number: &'static str,
    pub(super) channel: &'static str,
    pub(super) live: &'static str,
    pub(super) test: &'static str,
    pub(super) not_told: &'static str,
    pub(super) fail_reason: &'static str,
    pub(super) account: &'static str,
    pub(super) account_deadline: &'static str,
    pub(super) paid_at: &'static str,
    pub(super) first_seen: &'static str,
    pub(super) checked: &'static str,
    pub(super) receipt: &'static str,
    pub(super) why: &'static str,
    pub(super) check: &'static str,
    pub(super) expected: &'static str,
    pub(super) actual: &'static str,
    pub(super) result: &'static str,
    pub(super) passed: &'static str,
    pub(super) failed: &'static str,
    pub(super) no_checks: &'static str,
    pub(super) events: &'static str,
    pub(super) events_note: &'static str,
    pub(super) no_events: &'static str,
    pub(super) deliveries: &'static str,
    pub(super) event: &'static str,
    pub(super) status_after: &'static str,
    pub(super) time: &'static str,
    pub(super) event_id: &'static str,
    pub(super) facts: &'static str,
    pub(super) payment_id: &'static str,
    pub(super) name: &'static str,
    pub(super) amount: &'static str,
    pub(super) portone: &'static str,
    pub(super) asked_method: &'static str,
    pub(super) channel_key: &'static str,
    /// V2 opens no window without a channel.
    pub(super) no_channel_key: &'static str,
    pub(super) created: &'static str,
    pub(super) updated: &'static str,
    pub(super) expires: &'static str,
    pub(super) expired: &'static str,
    pub(super) closed: &'static str,
    pub(super) next_check: &'static str,
    pub(super) no_next_check: &'static str,
    pub(super) prepared: &'static str,
    pub(super) not_prepared: &'static str,
    pub(super) return_url: &'static str,
    pub(super) locale: &'static str,
    pub(super) window_params: &'static str,
    pub(super) metadata: &'static str,
    pub(super) none: &'static str,
    pub(super) buyer: &'static str,
    pub(super) buyer_note: &'static str,
    pub(super) buyer_name: &'static str,
    pub(super) buyer_email: &'static str,
    pub(super) buyer_tel: &'static str,
    pub(super) actions: &'static str,
    pub(super) sync: &'static str,
    pub(super) sync_note: &'static str,
    pub(super) close: &'static str,
    pub(super) close_note: &'static str,
    pub(super) close_confirm: &'static str,
}

/// Giving money back.
pub(super) struct RefundText {
    /// Over the refunds of an order.
    pub(super) heading: &'static str,
    pub(super) start: &'static str,
    pub(super) title: fn(&str) -> String,
    pub(super) back: &'static str,
    pub(super) nothing: Words,
    pub(super) left: &'static str,
    /// The field, with its currency.
    pub(super) amount: fn(&str) -> String,
    /// What is the most.
    pub(super) amount_hint: fn(&str) -> String,
    pub(super) next: &'static str,
    pub(super) whole: fn(&str) -> String,
    pub(super) confirm_title: fn(&str) -> String,
    pub(super) confirm_note: &'static str,
    pub(super) going_back: &'static str,
    pub(super) left_after: &'static str,
    pub(super) reason: &'static str,
    pub(super) reason_hint: &'static str,
    pub(super) account: &'static str,
    pub(super) account_optional: &'static str,
    pub(super) account_hint: &'static str,
    /// Where the money did not come to an account.
    pub(super) account_offer: &'static str,
    /// The field, with its currency.
    pub(super) tax_free: fn(&str) -> String,
    pub(super) tax_free_hint: &'static str,
    pub(super) bank: &'static str,
    pub(super) bank_code_hint: &'static str,
    pub(super) choose_bank: &'static str,
    pub(super) number: &'static str,
    pub(super) holder: &'static str,
    pub(super) tel: &'static str,
    pub(super) submit: fn(&str) -> String,
    pub(super) change: &'static str,
    /// What is wrong, and how much is left.
    pub(super) fault: fn(RefundFault, &str) -> String,
    pub(super) state: fn(RefundState) -> &'static str,
}

pub(super) struct History {
    pub(super) title: &'static str,
    pub(super) newest_first: &'static str,
    /// Only the newest so many of so many are shown.
    pub(super) cut: fn(usize, usize) -> String,
    pub(super) kind: fn(EntryKind) -> &'static str,
    pub(super) claim_note: &'static str,
    pub(super) claimed_status: &'static str,
    pub(super) claimed_amount: &'static str,
    pub(super) transition: fn(&str, &str) -> String,
    pub(super) status: &'static str,
    pub(super) verdict: &'static str,
    pub(super) all_passed: fn(usize) -> String,
    pub(super) failed_check: fn(&str, &str, &str) -> String,
    pub(super) error: &'static str,
    pub(super) reason: &'static str,
    /// Words for why evidence was not used.
    pub(super) refusal: fn(Refusal) -> &'static str,
    pub(super) refund: &'static str,
    /// Words for what went wrong with a refund, when it is ours to say.
    pub(super) trouble: fn(&str) -> Option<&'static str>,
    /// Words for why a payment was stopped right before its approval.
    pub(super) stop: fn(Stop) -> &'static str,
    pub(super) noted: &'static str,
    pub(super) settled: &'static str,
    /// What became of an event for the shop's server.
    pub(super) delivery: fn(DeliveryStatus) -> &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_nobody_here_writes_are_ignored() {
        assert_eq!(LoginError::from_code("refused"), Some(LoginError::Refused));
        for code in ["", "Refused", "<b>", "wrong%20password"] {
            assert_eq!(LoginError::from_code(code), None);
            assert_eq!(Notice::done(code), None);
            assert_eq!(Notice::error(code), None);
        }
        assert_eq!(Notice::done("paid"), None, "an error is no success");
    }

    #[test]
    fn every_actor_is_read_back() {
        use crate::domain::history::Actor;
        let cases = [
            (Actor::Buyer, Who::Buyer),
            (Actor::Webhook, Who::Webhook),
            (Actor::Confirm, Who::Confirm),
            (Actor::Worker, Who::Worker),
            (Actor::Refund, Who::Refund),
            (Actor::Policy, Who::Policy),
            (Actor::Sweep, Who::Sweep),
            (Actor::Command, Who::Command),
            (Actor::Stranger, Who::Stranger),
            (Actor::Shop("a:b".to_owned()), Who::Shop("a:b")),
            (Actor::Staff("a@b.c".to_owned()), Who::Staff("a@b.c")),
        ];
        for (actor, who) in cases {
            assert_eq!(Who::read(&actor.to_text()), who);
        }
        assert_eq!(Who::read("robot"), Who::Unrecognized("robot"));
    }

    /// The history keeps the gateway's errors as words; each must be one that is known here.
    #[test]
    fn every_gateway_error_has_words() {
        use crate::ports::gateway::GatewayError;
        let errors = [
            GatewayError::Unavailable,
            GatewayError::Garbled,
            GatewayError::Unauthorized,
            GatewayError::Refused,
            GatewayError::AlreadyPaid,
            GatewayError::NotConfigured,
        ];
        for error in errors {
            for text in [of(Locale::Ko), of(Locale::En)] {
                assert!(
                    (text.gateway_error)(error.as_str()).is_some(),
                    "no words for {error:?}"
                );
            }
        }
    }
}
