//! What happened to an order, newest first.
//!
//! An entry's data is JSON whose shape depends on its kind. [`details`] reads it leniently: what is missing is left out, so
//! that an entry of an older version never breaks the page.

use std::cmp::Reverse;

use jiff::Timestamp;
use leptos::prelude::*;
use serde_json::Value;

use super::Request;
use super::checks::value_words;
use super::parts::{foreign, id, stored_money, time, written_down};
use super::text::{Text, Who, webhooks};
use super::webhooks::WEBHOOKS_PATH;
use crate::domain::attention::Settled;
use crate::domain::confirmation::Stop;
use crate::domain::delivery::Delivery;
use crate::domain::history::{Entry, EntryKind, Refusal};
use crate::domain::order::OrderStatus;
use crate::domain::transaction::{TransactionStatus, Verdict};
use crate::domain::verification::Check;
use crate::i18n::Locale;
use crate::ports::notes::KeptNote;
use crate::service::completion::CLAIMED_PARAMETERS_MAX;

/// Things shown. The API has every entry and delivery, and the page every note.
const SHOWN_MAX: usize = 200;
/// Claims shown of one redirect: all that are kept, and the transaction's id, which stands among them.
const CLAIMS_SHOWN_MAX: usize = CLAIMED_PARAMETERS_MAX + 1;

/// A line under an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Detail {
    /// A sentence of ours.
    Says(String),
    /// A sentence of ours about something that is wrong.
    Warns(String),
    /// A label of ours with an identifier.
    Id(&'static str, String),
    /// A label of ours with words of ours.
    Labelled(&'static str, String),
    /// A label of ours with what an outsider said.
    Foreign(&'static str, String),
    /// What an outsider claimed, name and value alike.
    Claim(String, String),
}

/// Something that happened to an order, from wherever it is kept.
pub(super) enum Happened {
    /// What was decided, asked or claimed.
    Entry(Entry),
    /// A person wrote something down.
    Note(KeptNote),
    /// A person took care of something that needed attention.
    Settled(Settled),
    /// An event was sent to the shop's server, or is to be.
    Delivery(Delivery),
}

impl Happened {
    fn at(&self) -> Timestamp {
        match self {
            Self::Entry(entry) => entry.at,
            Self::Note(note) => note.at,
            Self::Settled(settled) => settled.at,
            Self::Delivery(delivery) => delivery.updated_at,
        }
    }
}

/// One record of all that happened, newest first. The entries keep the order in which they were written, whatever their clocks
/// said, and the rest stands among them by its time.
pub(super) fn together(entries: Vec<Entry>, mut others: Vec<Happened>) -> Vec<Happened> {
    others.sort_by_key(|other| Reverse(other.at()));
    let mut others = others.into_iter().peekable();
    let mut together = Vec::new();
    for entry in entries {
        while let Some(newer) = others.next_if(|other| other.at() >= entry.at) {
            together.push(newer);
        }
        together.push(Happened::Entry(entry));
    }
    together.extend(others);
    together
}

/// The newest of what happened.
pub(super) fn timeline(request: &Request, happened: Vec<Happened>) -> AnyView {
    let text = request.text();
    let in_all = happened.len();
    let cut = (in_all > SHOWN_MAX).then(|| (text.history.cut)(SHOWN_MAX, in_all));
    let items = happened.into_iter().take(SHOWN_MAX).map(|one| match one {
        Happened::Entry(entry) => item(text, request.locale, entry),
        Happened::Note(note) => noted(text, note),
        Happened::Settled(settled) => settlement(text, settled),
        Happened::Delivery(delivery) => delivered(request, &delivery),
    });
    let items = items.collect_view();
    view! {
        <section class="office-section">
            <h2>{text.history.title}</h2>
            <p class="office-hint">{text.history.newest_first}" "{cut}</p>
            <ol class="office-timeline" reversed=true>{items}</ol>
        </section>
    }
    .into_any()
}

/// The words stand above, among the order's notes.
fn noted(text: &'static Text, KeptNote { at, by, .. }: KeptNote) -> AnyView {
    view! {
        <li class="office-entry" data-kind="note">
            <p class="office-entry-title"><a href="#notes">{text.history.noted}</a></p>
            <p class="office-entry-when">{time(at)}" · "<bdi>{(text.who)(Who::read(&by))}</bdi></p>
        </li>
    }
    .into_any()
}

fn settlement(text: &'static Text, Settled { item, at, by, note }: Settled) -> AnyView {
    let note = written_down(text, Some(note.as_str()).filter(|note| !note.is_empty()));
    view! {
        <li class="office-entry" data-kind="settled">
            <p class="office-entry-title">{text.history.settled}</p>
            <p class="office-entry-when">{time(at)}" · "<bdi>{(text.who)(Who::read(&by))}</bdi></p>
            <ul class="office-details">
                <li>{(text.attention.kind)(item.kind)}</li>
                <li>{text.order.transaction_id}": "{id(item.transaction_id.as_str())}</li>
            </ul>
            {note}
        </li>
    }
    .into_any()
}

fn delivered(request: &Request, delivery: &Delivery) -> AnyView {
    let text = request.text();
    let words = webhooks::of(request.locale);
    let (number, order) = (delivery.id.to_string(), delivery.payment_id.as_str());
    let details = request.address.link(
        WEBHOOKS_PATH,
        &[("payment_id", order), ("delivery", &number)],
    );
    let what = delivery.event_type;
    view! {
        <li class="office-entry" data-kind="delivery" data-delivery=delivery.status.as_str()>
            <p class="office-entry-title">{(text.history.delivery)(delivery.status)}</p>
            <p class="office-entry-when">{time(delivery.updated_at)}</p>
            <ul class="office-details">
                <li>{(text.event)(what)}" "<code>{what.as_str()}</code></li>
                <li>{words.attempts}": "{delivery.attempts}</li>
                <li><a href=details>{words.details}</a></li>
            </ul>
        </li>
    }
    .into_any()
}

fn item(text: &'static Text, locale: Locale, entry: Entry) -> AnyView {
    let lines: Vec<_> = details(text, locale, &entry)
        .into_iter()
        .map(line)
        .collect();
    let lines = (!lines.is_empty()).then(|| view! { <ul class="office-details">{lines}</ul> });
    let claim = is_claim(entry.kind)
        .then(|| view! { <p class="office-hint">{text.history.claim_note}</p> });
    view! {
        <li class="office-entry" data-kind=entry.kind.as_str()>
            <p class="office-entry-title">{(text.history.kind)(entry.kind)}</p>
            <p class="office-entry-when">{time(entry.at)}" · "<bdi>{(text.who)(Who::read(&entry.actor))}</bdi></p>
            {claim}
            {lines}
        </li>
    }.into_any()
}

fn line(detail: Detail) -> AnyView {
    match detail {
        Detail::Says(words) => view! { <li>{words}</li> }.into_any(),
        Detail::Warns(words) => view! { <li class="office-warning"><bdi>{words}</bdi></li> }.into_any(),
        Detail::Id(label, value) => view! { <li>{label}": "{id(&value)}</li> }.into_any(),
        Detail::Labelled(label, words) => view! { <li>{label}": "{words}</li> }.into_any(),
        Detail::Foreign(label, value) => view! { <li>{label}": "{foreign(&value)}</li> }.into_any(),
        Detail::Claim(name, value) => view! { <li class="office-claim"><code><bdi>{name}</bdi>" = "<bdi>{value}</bdi></code></li> }.into_any(),
    }
}

/// Whether the entry tells what somebody outside said, which decides nothing.
fn is_claim(kind: EntryKind) -> bool {
    match kind {
        EntryKind::Redirect
        | EntryKind::Webhook
        | EntryKind::Confirmed
        | EntryKind::ConfirmRefused => true,
        EntryKind::OrderCreated
        | EntryKind::Prepared
        | EntryKind::PrepareFailed
        | EntryKind::Checked
        | EntryKind::CheckFailed
        | EntryKind::Transition
        | EntryKind::EvidenceRefused
        | EntryKind::Closed
        | EntryKind::Expired
        | EntryKind::RefundRequested
        | EntryKind::RefundDone
        | EntryKind::RefundRefused
        | EntryKind::RefundInDoubt
        | EntryKind::RefundNotDone => false,
    }
}

fn details(text: &'static Text, locale: Locale, entry: &Entry) -> Vec<Detail> {
    let data = &entry.data;
    match entry.kind {
        EntryKind::OrderCreated | EntryKind::Prepared => {
            amount(text, locale, data).into_iter().collect()
        }
        EntryKind::PrepareFailed => problem(text, data).into_iter().collect(),
        EntryKind::CheckFailed => problem(text, data)
            .into_iter()
            .chain(transaction(text, data))
            .collect(),
        EntryKind::Redirect => claims(data),
        EntryKind::Webhook => {
            let status = data
                .get("status")
                .and_then(Value::as_str)
                .map(|status| Detail::Foreign(text.history.claimed_status, status.to_owned()));
            transaction(text, data).into_iter().chain(status).collect()
        }
        EntryKind::Checked => transaction(text, data)
            .into_iter()
            .chain(reading(text, data))
            .chain(checks(text, data))
            .collect(),
        EntryKind::EvidenceRefused => {
            let why =
                data.get("why")
                    .and_then(Value::as_str)
                    .map(|why| match Refusal::from_word(why) {
                        Some(why) => Detail::Warns((text.history.refusal)(why).to_owned()),
                        None => Detail::Foreign(text.history.reason, why.to_owned()),
                    });
            transaction(text, data)
                .into_iter()
                .chain(why)
                .chain(checks(text, data))
                .collect()
        }
        EntryKind::Transition => transition(text, data).into_iter().collect(),
        EntryKind::Confirmed | EntryKind::ConfirmRefused => confirmation(text, data),
        EntryKind::Closed | EntryKind::Expired => Vec::new(),
        EntryKind::RefundRequested
        | EntryKind::RefundDone
        | EntryKind::RefundRefused
        | EntryKind::RefundInDoubt
        | EntryKind::RefundNotDone => refund(text, locale, data),
    }
}

fn amount(text: &'static Text, locale: Locale, data: &Value) -> Option<Detail> {
    let amount = stored_money(
        locale,
        data.get("amount").and_then(Value::as_i64),
        data.get("currency").and_then(Value::as_str),
    )?;
    Some(Detail::Labelled(text.order.amount, amount))
}

/// How much of what was to be given back, and what went wrong with it: in our words, in PortOne's, or in the gateway's.
fn refund(text: &'static Text, locale: Locale, data: &Value) -> Vec<Detail> {
    let word = |name: &str| data.get(name).and_then(Value::as_str);
    let id = word("refund_id").map(|id| Detail::Id(text.history.refund, id.to_owned()));
    let code = word("code").map(|code| {
        match (text.history.trouble)(code).or_else(|| (text.gateway_error)(code)) {
            Some(words) => Detail::Warns(words.to_owned()),
            None => Detail::Foreign(text.history.error, code.to_owned()),
        }
    });
    let message =
        word("message").map(|message| Detail::Foreign(text.history.reason, message.to_owned()));
    amount(text, locale, data)
        .into_iter()
        .chain(transaction(text, data))
        .chain(id)
        .chain(code)
        .chain(message)
        .collect()
}

fn problem(text: &'static Text, data: &Value) -> Option<Detail> {
    let error = data.get("error").and_then(Value::as_str)?;
    Some(match (text.gateway_error)(error) {
        Some(words) => Detail::Warns(words.to_owned()),
        None => Detail::Foreign(text.history.error, error.to_owned()),
    })
}

fn transaction(text: &'static Text, data: &Value) -> Option<Detail> {
    let id = data.get("transaction_id").and_then(Value::as_str)?;
    Some(Detail::Id(text.order.transaction_id, id.to_owned()))
}

/// What PortOne was about to approve, and why it was stopped.
fn confirmation(text: &'static Text, data: &Value) -> Vec<Detail> {
    let word = |name: &str| data.get(name).and_then(Value::as_str);
    let amount = word("amount")
        .map(|figure| Detail::Foreign(text.history.claimed_amount, figure.to_owned()));
    let why = word("why").map(|why| match Stop::from_word(why) {
        Some(why) => Detail::Warns((text.history.stop)(why).to_owned()),
        None => Detail::Foreign(text.history.reason, why.to_owned()),
    });
    transaction(text, data)
        .into_iter()
        .chain(amount)
        .chain(why)
        .collect()
}

fn claims(data: &Value) -> Vec<Detail> {
    let Some(claimed) = data.as_object() else {
        return Vec::new();
    };
    let claims = claimed.iter().take(CLAIMS_SHOWN_MAX).map(|(name, value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Detail::Claim(name.clone(), value)
    });
    claims.collect()
}

/// PortOne's status and our verdict; a word that this version does not know is shown as it is.
fn reading(text: &'static Text, data: &Value) -> Vec<Detail> {
    let status = data.get("status").and_then(Value::as_str).map(|word| {
        match TransactionStatus::from_word(word) {
            Some(status) => Detail::Labelled(
                text.history.status,
                (text.transaction_status)(status).to_owned(),
            ),
            None => Detail::Foreign(text.history.status, word.to_owned()),
        }
    });
    let verdict = data
        .get("verdict")
        .and_then(Value::as_str)
        .map(|word| match Verdict::from_word(word) {
            Some(verdict) => {
                Detail::Labelled(text.history.verdict, (text.verdict)(verdict).to_owned())
            }
            None => Detail::Foreign(text.history.verdict, word.to_owned()),
        });
    status.into_iter().chain(verdict).collect()
}

/// Each check that failed, or one line for all that passed.
fn checks(text: &'static Text, data: &Value) -> Vec<Detail> {
    let checks: Vec<Check> = data
        .get("checks")
        .cloned()
        .and_then(|checks| serde_json::from_value(checks).ok())
        .unwrap_or_default();
    if !checks.is_empty() && checks.iter().all(|check| check.passed) {
        return vec![Detail::Says((text.history.all_passed)(checks.len()))];
    }
    let failed = checks.iter().filter(|check| !check.passed).map(|check| {
        let (expected, actual) = (
            value_words(text, check, &check.expected),
            value_words(text, check, &check.actual),
        );
        Detail::Warns((text.history.failed_check)(
            (text.check)(check.name),
            &expected,
            &actual,
        ))
    });
    failed.collect()
}

fn transition(text: &'static Text, data: &Value) -> Option<Detail> {
    let word = |name: &str| {
        let word = data.get(name).and_then(Value::as_str)?;
        Some(OrderStatus::from_word(word).map_or_else(
            || word.to_owned(),
            |status| (text.status)(status).to_owned(),
        ))
    };
    Some(Detail::Says((text.history.transition)(
        &word("from")?,
        &word("to")?,
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::text;
    use super::*;

    fn told(kind: EntryKind, data: Value) -> Vec<Detail> {
        let entry = Entry {
            at: Timestamp::UNIX_EPOCH,
            kind,
            actor: "buyer".to_owned(),
            data,
            once_key: None,
        };
        details(text::of(Locale::Ko), Locale::Ko, &entry)
    }

    #[test]
    fn what_people_did_stands_among_the_entries_by_its_time() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let entry = |second| Entry {
            at: at(second),
            kind: EntryKind::Checked,
            actor: "worker".to_owned(),
            data: Value::Null,
            once_key: None,
        };
        let note = |second| {
            Happened::Note(KeptNote {
                at: at(second),
                by: "staff".to_owned(),
                note: None,
            })
        };
        // The server that wrote the third entry has a clock that is behind.
        let entries = vec![entry(40), entry(10), entry(30)];

        let all = together(entries, vec![note(5), note(50), note(40), note(20)]);

        let told: Vec<_> = all
            .iter()
            .map(|one| (matches!(one, Happened::Note(_)), one.at().as_second()))
            .collect();
        let expected = [
            (true, 50),
            (true, 40),
            (false, 40),
            (true, 20),
            (false, 10),
            (false, 30),
            (true, 5),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_a_redirect_said_is_told_as_a_claim() {
        let details = told(
            EntryKind::Redirect,
            json!({ "imp_success": "true", "transaction_id": "imp_1" }),
        );

        assert_eq!(
            details,
            [
                Detail::Claim("imp_success".into(), "true".into()),
                Detail::Claim("transaction_id".into(), "imp_1".into())
            ]
        );
        assert!(
            is_claim(EntryKind::Redirect)
                && is_claim(EntryKind::Webhook)
                && !is_claim(EntryKind::Checked)
        );
    }

    #[test]
    fn a_failed_check_says_what_was_wanted_and_what_was_found() {
        let checks = json!([
            { "name": "amount", "expected": "64900", "actual": "100", "passed": false },
            { "name": "channel", "expected": "live", "actual": "test", "passed": false },
            { "name": "currency", "expected": "KRW", "actual": "KRW", "passed": true },
        ]);
        let details = told(
            EntryKind::Checked,
            json!({ "transaction_id": "imp_1", "status": "paid", "verdict": "held", "checks": checks }),
        );

        assert_eq!(
            details,
            [
                Detail::Id("거래번호", "imp_1".into()),
                Detail::Labelled("PortOne 상태", "결제됨".into()),
                Detail::Labelled("판단", "보류".into()),
                Detail::Warns("금액 불일치: 주문 64900, PortOne 100".into()),
                Detail::Warns("실연동·테스트 채널 불일치: 주문 실연동, PortOne 테스트".into()),
            ]
        );
    }

    #[test]
    fn words_of_another_version_are_shown_as_they_are() {
        assert_eq!(
            told(EntryKind::Checked, json!({ "status": "refunding" })),
            [Detail::Foreign("PortOne 상태", "refunding".into())]
        );
        assert_eq!(
            told(EntryKind::CheckFailed, json!({ "error": "eclipse" })),
            [Detail::Foreign("문제", "eclipse".into())]
        );
        assert_eq!(
            told(
                EntryKind::Transition,
                json!({ "from": "open", "to": "lost" })
            ),
            [Detail::Says("결제 전 → lost".into())]
        );
    }

    #[test]
    fn a_stopped_approval_says_what_was_asked_and_why() {
        assert_eq!(
            told(
                EntryKind::ConfirmRefused,
                json!({ "transaction_id": "imp_1", "amount": "100", "why": "amount" })
            ),
            [
                Detail::Id("거래번호", "imp_1".into()),
                Detail::Foreign("결제 금액이라고 한 값", "100".into()),
                Detail::Warns("주문 금액과 다른 금액이에요.".into()),
            ]
        );
    }

    #[test]
    fn a_refund_says_how_much_and_what_went_wrong() {
        let data = |more: Value| {
            let mut data = json!({ "refund_id": "rfd_1", "transaction_id": "imp_1", "amount": 65_000, "currency": "KRW" });
            data.as_object_mut()
                .expect("an object")
                .extend(more.as_object().expect("an object").clone());
            data
        };
        let known = [
            Detail::Labelled("금액", "65,000원".into()),
            Detail::Id("거래번호", "imp_1".into()),
            Detail::Id("환불", "rfd_1".into()),
        ];

        assert_eq!(told(EntryKind::RefundRequested, data(json!({}))), known);
        let refused = told(
            EntryKind::RefundRefused,
            data(json!({ "code": "PG_PROVIDER", "message": "정산 대금 부족" })),
        );
        assert_eq!(
            refused[3..],
            [
                Detail::Foreign("문제", "PG_PROVIDER".into()),
                Detail::Foreign("이유", "정산 대금 부족".into())
            ]
        );
        let given_up = told(
            EntryKind::RefundNotDone,
            data(json!({ "code": "not_shown" })),
        );
        assert_eq!(
            given_up[3..],
            [Detail::Warns(
                "PortOne에 환불 기록이 없어요. 다시 환불을 요청할 수 있어요.".into()
            )]
        );
    }

    #[test]
    fn entries_without_data_tell_nothing_more() {
        for kind in EntryKind::ALL {
            assert_eq!(told(*kind, Value::Null), [], "{kind:?}");
            assert_eq!(
                told(
                    *kind,
                    json!({ "checks": "none", "transaction_id": 7, "amount": [], "currency": 3 })
                )
                .iter()
                .filter(|d| !matches!(d, Detail::Claim(..)))
                .count(),
                0,
                "{kind:?}"
            );
        }
    }
}
