//! Every state with every input, and what PortOne's record says of a refund.

use super::*;
use crate::domain::decision::fixtures::{at, left_open};
use crate::domain::transaction::{TransactionStatus, VirtualAccount};

const AMOUNT: i64 = 20_000;
/// What had been given back before.
const BEFORE: i64 = 5_000;
const PAID: i64 = 65_000;

fn won(minor: i64) -> Money {
    Money::new(minor, Currency::KRW).expect("an amount")
}

fn refund(state: RefundState) -> Refund {
    let is_called = state != RefundState::Intended;
    let has_account = matches!(state, RefundState::Intended | RefundState::Calling);
    Refund {
        id: RefundId::from_bytes([1; 16]),
        version: 4,
        payment_id: PaymentId::parse("ORD-1").expect("an id"),
        transaction_id: TransactionId::parse("imp_1").expect("an id"),
        amount: RefundAmount::new(won(AMOUNT)).expect("more than nothing"),
        reason: "단순 변심".to_owned(),
        account: has_account.then(|| RefundAccount {
            bank: "04".to_owned(),
            number: "110-123".to_owned(),
            holder: "김하나".to_owned(),
            tel: None,
        }),
        requested_by: "shop:test".to_owned(),
        idempotency_key: "shop:1".to_owned(),
        fingerprint: "f".to_owned(),
        state,
        tax_free_minor: None,
        guard_minor: PAID - BEFORE,
        reserved_minor: BEFORE,
        cancellation_id: None,
        attempts: 0,
        called_at: is_called.then(|| at(0)),
        next_at: state.is_in_flight().then(|| at(5)),
        trouble: None,
        created_at: at(0),
        updated_at: at(0),
    }
}

fn known(state: RefundState) -> Refund {
    Refund {
        cancellation_id: Some("own".to_owned()),
        ..refund(state)
    }
}

fn entry(id: Option<&str>, amount_minor: i64, stage: Stage) -> Cancellation {
    Cancellation {
        id: id.map(str::to_owned),
        amount_minor,
        stage,
    }
}

/// A record of PortOne's, asked for after everything else.
fn shown(balance: Balance) -> Input {
    Input::Seen(Sight {
        balance,
        asked_at: Timestamp::MAX,
    })
}

/// PortOne's record when these follow what was there before.
fn seen(then: &[Cancellation]) -> Input {
    let mut cancellations = vec![entry(Some("before"), BEFORE, Stage::Done)];
    cancellations.extend_from_slice(then);
    let reserved_minor = cancellations
        .iter()
        .filter(|cancellation| cancellation.stage != Stage::Failed)
        .map(|cancellation| cancellation.amount_minor)
        .sum();
    shown(Balance {
        tax_free_minor: None,
        cancellable: won(PAID - reserved_minor),
        reserved_minor,
        cancellations,
    })
}

/// PortOne's record when it names no single cancellation.
fn sum(reserved_minor: i64) -> Input {
    shown(Balance {
        tax_free_minor: None,
        cancellable: won(PAID - reserved_minor),
        reserved_minor,
        cancellations: Vec::new(),
    })
}

/// The same record, after a person has said that the refund was taken care of.
fn settled(seen: &Input) -> Input {
    let word = Word {
        by: "staff:a@example.com".to_owned(),
        note: "PortOne says it never was".to_owned(),
    };
    match seen {
        Input::Seen(sight) => Input::SeenAndSettled(sight.clone(), word),
        other => panic!("{other:?} shows nothing"),
    }
}

fn taken() -> Input {
    Input::Answered(Answer::Taken {
        cancellation_id: Some("own".to_owned()),
    })
}

fn refused() -> Input {
    Input::Answered(Answer::Refused(trouble("PG_PROVIDER")))
}

fn not_made() -> Input {
    Input::Answered(Answer::NotMade(trouble("unauthorized")))
}

fn unknown() -> Input {
    Input::Answered(Answer::Unknown(trouble("unavailable")))
}

/// The state that follows, and what the history tells.
fn after(refund: &Refund, input: &Input, second: i64) -> Option<(RefundState, Option<EntryKind>)> {
    next(refund, input, at(second), 0).map(|step| (step.refund.state, step.kind))
}

#[test]
fn every_state_with_every_input() {
    use EntryKind::{RefundDone, RefundInDoubt, RefundNotDone, RefundRefused};
    use RefundState::{Calling, Done, InDoubt, Intended, NotDone, Refused, Requested};
    let inputs = [
        Input::CallBegins,
        taken(),
        refused(),
        not_made(),
        unknown(),
        Input::CallLost,
        seen(&[]),
        seen(&[entry(Some("x"), AMOUNT, Stage::Done)]),
        seen(&[entry(Some("x"), AMOUNT, Stage::UnderWay)]),
        seen(&[entry(Some("x"), AMOUNT - 1, Stage::Done)]),
        Input::NotSeen,
    ];
    let nothing = [None; 11];
    let told = |state, kind| Some((state, Some(kind)));
    let quiet = |state| Some((state, None));
    let table = [
        (
            Intended,
            [
                quiet(Calling),
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
            ],
        ),
        (
            Calling,
            [
                None,
                quiet(Requested),
                told(Refused, RefundRefused),
                quiet(Intended),
                told(InDoubt, RefundInDoubt),
                told(InDoubt, RefundInDoubt),
                None,
                None,
                None,
                None,
                None,
            ],
        ),
        (
            Requested,
            [
                None,
                None,
                None,
                None,
                None,
                None,
                quiet(Requested),
                told(Done, RefundDone),
                quiet(Requested),
                quiet(Requested),
                quiet(Requested),
            ],
        ),
        (
            InDoubt,
            [
                None,
                quiet(Requested),
                told(Refused, RefundRefused),
                told(NotDone, RefundNotDone),
                None,
                None,
                quiet(InDoubt),
                told(Done, RefundDone),
                quiet(Requested),
                quiet(InDoubt),
                quiet(InDoubt),
            ],
        ),
        (Done, nothing),
        (Refused, nothing),
        (NotDone, nothing),
    ];
    assert_eq!(table.len(), RefundState::ALL.len());
    for (state, row) in table {
        for (input, expected) in inputs.iter().zip(row) {
            assert_eq!(
                after(&refund(state), input, 60),
                expected,
                "{state:?} with {input:?}"
            );
        }
    }
}

/// What holds whatever happens: the rules that the tables hold, too.
#[test]
fn no_step_breaks_a_rule() {
    let inputs = [
        Input::CallBegins,
        taken(),
        refused(),
        not_made(),
        unknown(),
        Input::CallLost,
        seen(&[]),
        seen(&[entry(Some("own"), AMOUNT, Stage::Done)]),
        seen(&[entry(Some("own"), AMOUNT, Stage::Failed)]),
        seen(&[entry(None, AMOUNT, Stage::UnderWay)]),
        sum(PAID),
        sum(BEFORE + 1),
        settled(&seen(&[])),
        settled(&sum(BEFORE + 1)),
        Input::NotSeen,
    ];
    for state in RefundState::ALL {
        for before in [refund(*state), known(*state)] {
            for input in &inputs {
                for second in [0, 60, 2 * 3600, 90 * 24 * 3600] {
                    let Some(Step {
                        refund: after,
                        kind,
                    }) = next(&before, input, at(second), 1000)
                    else {
                        continue;
                    };
                    let case = format!("{before:?} with {input:?}");
                    assert!(before.state.is_in_flight(), "{case}");
                    assert_eq!(
                        after.state.is_in_flight(),
                        after.next_at.is_some(),
                        "{case}"
                    );
                    assert!(after.next_at.is_none_or(|next| next > at(second)), "{case}");
                    let keeps = matches!(after.state, RefundState::Intended | RefundState::Calling);
                    assert!(keeps || after.account.is_none(), "{case}");
                    assert!(!keeps || after.account == before.account, "{case}");
                    // Only what PortOne shows is done, and only an intent is called.
                    assert!(
                        after.state != RefundState::Done
                            || matches!(input, Input::Seen(_) | Input::SeenAndSettled(..)),
                        "{case}"
                    );
                    assert!(
                        after.state != RefundState::Calling
                            || before.state == RefundState::Intended,
                        "{case}"
                    );
                    // Only a call that PortOne did not see may be made again.
                    assert!(
                        after.state != RefundState::Intended
                            || matches!(input, Input::Answered(Answer::NotMade(_))),
                        "{case}"
                    );
                    assert_eq!(
                        kind.is_none(),
                        after.state == before.state
                            || !matches!(
                                after.state,
                                RefundState::Done
                                    | RefundState::Refused
                                    | RefundState::NotDone
                                    | RefundState::InDoubt
                            ),
                        "{case}"
                    );
                    assert_eq!(
                        (after.version, &after.id, after.amount, after.guard_minor),
                        (
                            before.version,
                            &before.id,
                            before.amount,
                            before.guard_minor
                        ),
                        "{case}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_was_taken_is_known_by_its_id() {
    for (stage, state) in [
        (Stage::Done, RefundState::Done),
        (Stage::UnderWay, RefundState::Requested),
        (Stage::Failed, RefundState::Refused),
    ] {
        // Somebody else's cancellation stands before it in the list: the id counts, not the place.
        let input = seen(&[
            entry(Some("other"), 1, Stage::Done),
            entry(Some("own"), AMOUNT, stage),
        ]);
        let step = next(&known(RefundState::Requested), &input, at(60), 0).expect("a step");

        assert_eq!(step.refund.state, state, "{stage:?}");
    }
    let failed = seen(&[entry(Some("own"), AMOUNT, Stage::Failed)]);
    let step = next(&known(RefundState::Requested), &failed, at(60), 0).expect("a step");
    assert_eq!(
        step.refund.trouble.expect("a reason").code,
        CANCELLATION_FAILED
    );
}

/// A deposit goes back by a transfer of its own: that the payment is cancelled does not say that the buyer has the money.
#[test]
fn a_deposit_is_back_once_its_account_has_it_or_a_person_says_so() {
    for (stage, code) in [
        (Stage::Sending, None),
        (Stage::NotReceived, Some(NOT_RECEIVED)),
    ] {
        for id in [Some("own"), None] {
            let waits = seen(&[entry(id, AMOUNT, stage)]);
            for state in [RefundState::Requested, RefundState::InDoubt] {
                let taken = next(&known(state), &waits, at(60), 0).expect("a step");
                assert_eq!(taken.refund.state, RefundState::Requested, "{stage:?}");

                let looked = next(&taken.refund, &waits, at(120), 0).expect("a step");
                assert_eq!(
                    (looked.refund.state, looked.kind),
                    (RefundState::Requested, None)
                );
                assert_eq!(looked.refund.trouble.map(|t| t.code).as_deref(), code);
            }

            let requested = known(RefundState::Requested);
            let step = next(&requested, &settled(&waits), at(60), 0).expect("a step");
            assert_eq!(
                (step.refund.state, step.kind),
                (RefundState::Done, Some(EntryKind::RefundDone))
            );
            assert_eq!(
                step.refund.trouble.map(|t| t.code).as_deref(),
                Some(SETTLED)
            );
        }
        // Nor does the sum say so.
        let mut listed = seen(&[entry(None, AMOUNT - 1, stage)]);
        if let Input::Seen(sight) = &mut listed {
            sight.balance.reserved_minor += 1;
            sight.balance.cancellations.remove(0);
        }
        assert_eq!(
            after(&known(RefundState::Requested), &listed, 60),
            Some((RefundState::Requested, None))
        );
    }
    // What did not arrive, and then did.
    let back = seen(&[entry(Some("own"), AMOUNT, Stage::Done)]);
    let missing = seen(&[entry(Some("own"), AMOUNT, Stage::NotReceived)]);
    let step = next(&known(RefundState::Requested), &missing, at(60), 0).expect("a step");
    let step = next(&step.refund, &back, at(120), 0).expect("a step");
    assert_eq!(
        (step.refund.state, step.refund.trouble),
        (RefundState::Done, None)
    );
}

#[test]
fn in_doubt_the_first_cancellation_of_the_balance_tells() {
    let doubt = refund(RefundState::InDoubt);
    for (input, state) in [
        // Ours, and then somebody else's.
        (
            seen(&[
                entry(None, AMOUNT, Stage::Done),
                entry(None, 1, Stage::Done),
            ]),
            RefundState::Done,
        ),
        // Another amount first: somebody else's, or ours less what a promotion took. A person finds out.
        (
            seen(&[
                entry(Some("x"), AMOUNT - 1, Stage::Done),
                entry(Some("y"), AMOUNT, Stage::Done),
            ]),
            RefundState::InDoubt,
        ),
        (
            seen(&[entry(None, PAID - BEFORE, Stage::Done)]),
            RefundState::InDoubt,
        ),
        // V1 adds up what is under way, ours perhaps among it; V2 tells each by its id.
        (
            seen(&[entry(None, AMOUNT + 5_000, Stage::UnderWay)]),
            RefundState::InDoubt,
        ),
        (
            seen(&[entry(None, AMOUNT - 1, Stage::UnderWay)]),
            RefundState::InDoubt,
        ),
        (
            seen(&[entry(Some("x"), AMOUNT + 5_000, Stage::UnderWay)]),
            RefundState::InDoubt,
        ),
        // One that failed has given its place back.
        (
            seen(&[
                entry(None, 1, Stage::Failed),
                entry(None, AMOUNT, Stage::Done),
            ]),
            RefundState::Done,
        ),
        (
            seen(&[entry(None, AMOUNT, Stage::Failed)]),
            RefundState::InDoubt,
        ),
        // Without single cancellations the sum tells.
        (sum(BEFORE), RefundState::InDoubt),
        (sum(BEFORE + AMOUNT), RefundState::Done),
        (sum(BEFORE + AMOUNT - 1), RefundState::InDoubt),
        (sum(0), RefundState::InDoubt),
    ] {
        assert_eq!(
            after(&doubt, &input, 60).map(|(state, _)| state),
            Some(state),
            "{input:?}"
        );
    }
}

#[test]
fn what_is_seen_under_way_in_doubt_is_known_again_when_the_gateway_decides_against_it() {
    let under_way = seen(&[entry(Some("x"), AMOUNT, Stage::UnderWay)]);
    let failed = seen(&[entry(Some("x"), AMOUNT, Stage::Failed)]);

    let taken = next(&refund(RefundState::InDoubt), &under_way, at(60), 0).expect("a step");

    assert_eq!(taken.refund.state, RefundState::Requested);
    assert_eq!(
        after(&taken.refund, &failed, 120),
        Some((RefundState::Refused, Some(EntryKind::RefundRefused)))
    );
}

#[test]
fn doubt_lasts_while_something_without_a_name_is_under_way() {
    let doubt = refund(RefundState::InDoubt);
    let late = 2 * IN_DOUBT_FOR.as_secs();
    let unnamed = seen(&[entry(None, 0, Stage::UnderWay)]);
    let without_id = seen(&[entry(None, AMOUNT, Stage::UnderWay)]);

    for input in [&unnamed, &without_id] {
        assert_eq!(
            after(&doubt, input, late),
            Some((RefundState::InDoubt, None))
        );
    }
    // It came to nothing, and its time is over.
    for nothing in [seen(&[]), seen(&[entry(None, 0, Stage::Done)])] {
        assert_eq!(
            after(&doubt, &nothing, late).map(|(state, _)| state),
            Some(RefundState::NotDone),
            "{nothing:?}"
        );
    }
    assert_eq!(
        after(&known(RefundState::Requested), &unnamed, late),
        Some((RefundState::Requested, None))
    );
}

#[test]
fn doubt_ends_after_its_time_and_not_before() {
    let doubt = refund(RefundState::InDoubt);
    let end = IN_DOUBT_FOR.as_secs();

    assert_eq!(
        after(&doubt, &seen(&[]), end - 1).map(|(state, _)| state),
        Some(RefundState::InDoubt)
    );
    assert_eq!(
        after(&doubt, &seen(&[]), end),
        Some((RefundState::NotDone, Some(EntryKind::RefundNotDone)))
    );
    // Not knowing is no reason to give up.
    assert_eq!(
        after(&doubt, &Input::NotSeen, 90 * 24 * 3600).map(|(state, _)| state),
        Some(RefundState::InDoubt)
    );
    // PortOne's word that it took the refund does not run out.
    assert_eq!(
        after(&known(RefundState::Requested), &seen(&[]), 90 * 24 * 3600).map(|(state, _)| state),
        Some(RefundState::Requested)
    );
}

/// A word ends what PortOne shows neither done nor under way, and not before nothing can come of the call any more.
#[test]
fn a_persons_word_ends_what_portone_does_not_show() {
    let (hour, week) = (IN_DOUBT_FOR.as_secs(), TAKEN_FOR.as_secs());
    let (doubt, requested) = (refund(RefundState::InDoubt), known(RefundState::Requested));
    let smaller = seen(&[entry(Some("x"), AMOUNT - 1, Stage::Done)]);
    let beside = seen(&[
        entry(Some("x"), AMOUNT - 1, Stage::Done),
        entry(Some("y"), AMOUNT, Stage::UnderWay),
    ]);
    let own_under_way = seen(&[entry(Some("own"), AMOUNT, Stage::UnderWay)]);
    let own_done = seen(&[entry(Some("own"), AMOUNT, Stage::Done)]);
    let in_a_sum = seen(&[entry(None, AMOUNT + 5_000, Stage::UnderWay)]);
    for (refund, input, second, state) in [
        (&doubt, &smaller, hour - 1, RefundState::InDoubt),
        (&doubt, &smaller, hour, RefundState::NotDone),
        (&doubt, &beside, week, RefundState::InDoubt),
        (&doubt, &in_a_sum, week, RefundState::InDoubt),
        (&doubt, &own_done, week, RefundState::Done),
        (&doubt, &seen(&[]), hour - 1, RefundState::InDoubt),
        (&requested, &seen(&[]), week - 1, RefundState::Requested),
        (&requested, &seen(&[]), week, RefundState::NotDone),
        (&requested, &smaller, week, RefundState::NotDone),
        (&requested, &own_under_way, 9 * week, RefundState::Requested),
        (&requested, &beside, 9 * week, RefundState::Requested),
        (&requested, &in_a_sum, 9 * week, RefundState::Requested),
        (&requested, &own_done, week, RefundState::Done),
    ] {
        let found = next(refund, &settled(input), at(second), 0).expect("a step");
        assert_eq!(found.refund.state, state, "{input:?} after {second} s");
        let without = after(refund, input, second).map(|(state, _)| state);
        let is_by_the_word = state == RefundState::NotDone;
        assert_eq!(without == Some(state), !is_by_the_word, "{input:?}");
        if is_by_the_word {
            let why = found.refund.trouble.expect("a reason");
            let told = (why.code.as_str(), why.message.as_deref());
            assert_eq!(told, (SETTLED, Some("PortOne says it never was")));
            assert_eq!(found.kind, Some(EntryKind::RefundNotDone));
        }
    }
}

/// An answer that was under way while the time ran out says nothing of that time: by then the money may be back.
#[test]
fn what_was_not_shown_counts_by_when_it_was_asked() {
    let (hour, week) = (IN_DOUBT_FOR.as_secs(), TAKEN_FOR.as_secs());
    let asked = |second: i64, input: Input| match input {
        Input::Seen(sight) => Input::Seen(Sight {
            asked_at: at(second),
            ..sight
        }),
        other => panic!("{other:?} shows nothing"),
    };
    let later = 90 * 24 * 3600;
    let other = [entry(Some("x"), AMOUNT - 1, Stage::Done)];

    let doubt = refund(RefundState::InDoubt);
    for (second, state) in [
        (0, RefundState::InDoubt),
        (hour - 1, RefundState::InDoubt),
        (hour, RefundState::NotDone),
    ] {
        for input in [
            asked(second, seen(&[])),
            settled(&asked(second, seen(&other))),
        ] {
            let found = after(&doubt, &input, later).map(|(state, _)| state);
            assert_eq!(found, Some(state), "asked after {second} s: {input:?}");
        }
    }
    let requested = known(RefundState::Requested);
    for (second, state) in [
        (week - 1, RefundState::Requested),
        (week, RefundState::NotDone),
    ] {
        let input = settled(&asked(second, seen(&[])));
        let found = after(&requested, &input, later).map(|(state, _)| state);
        assert_eq!(found, Some(state), "asked after {second} s");
    }
    // What it does show is true all the same.
    let own = asked(0, seen(&[entry(Some("own"), AMOUNT, Stage::Done)]));
    let found = after(&doubt, &own, later).map(|(state, _)| state);
    assert_eq!(found, Some(RefundState::Done));
}

/// The answer to a call may come long after the call: what was taken just then is no older than that.
#[test]
fn what_was_taken_late_waits_a_week_from_then() {
    let doubt = refund(RefundState::InDoubt);
    let week = TAKEN_FOR.as_secs();
    let answer = Input::Answered(Answer::Taken {
        cancellation_id: None,
    });
    let taken = next(&doubt, &answer, at(week), 0).expect("a step").refund;
    for (second, state) in [
        (week, RefundState::Requested),
        (2 * week - 1, RefundState::Requested),
        (2 * week, RefundState::NotDone),
    ] {
        let looked = next(&taken, &settled(&seen(&[])), at(second), 0).expect("a step");
        assert_eq!(looked.refund.state, state, "after {second} s");
    }
    // A look in vain makes it no younger.
    let looked = next(&taken, &seen(&[]), at(2 * week - 1), 0).expect("a step");
    let ended = next(&looked.refund, &settled(&seen(&[])), at(2 * week), 0).expect("a step");
    assert_eq!(ended.refund.state, RefundState::NotDone);
}

/// What was taken and is not in the list by its id is done once the sum has it, and nothing that may fail is left in the sum.
#[test]
fn what_was_taken_is_not_done_while_something_may_still_fail() {
    let requested = refund(RefundState::Requested);
    for (stage, state) in [
        (Stage::Done, RefundState::Done),
        (Stage::UnderWay, RefundState::Requested),
    ] {
        let input = seen(&[entry(None, 5_000, Stage::Done), entry(None, AMOUNT, stage)]);
        assert_eq!(
            after(&requested, &input, 60).map(|(state, _)| state),
            Some(state),
            "{stage:?}"
        );
    }
}

/// With a promotion PortOne's sum may be another one than that of its list.
#[test]
fn a_sum_that_counts_what_may_still_fail_shows_nothing_done() {
    for (stage, is_done) in [(Stage::Done, true), (Stage::UnderWay, false)] {
        let input = shown(Balance {
            tax_free_minor: None,
            cancellable: won(PAID - BEFORE - AMOUNT),
            reserved_minor: BEFORE + AMOUNT,
            cancellations: vec![
                entry(Some("before"), BEFORE + 500, Stage::Done),
                entry(Some("x"), AMOUNT, stage),
            ],
        });
        for before in [RefundState::InDoubt, RefundState::Requested] {
            let found = after(&refund(before), &input, 60).map(|(state, _)| state);
            let state = if is_done { RefundState::Done } else { before };
            assert_eq!(found, Some(state), "{before:?} {stage:?}");
        }
    }
}

#[test]
fn a_cancellation_is_under_way_until_it_is_done_or_failed() {
    for (stages, expected) in [
        (vec![], false),
        (vec![Stage::Done, Stage::Failed], false),
        (vec![Stage::Done, Stage::UnderWay, Stage::Failed], true),
    ] {
        let cancellations = stages.into_iter().map(|stage| entry(None, 1, stage));
        let Input::Seen(sight) = seen(&cancellations.collect::<Vec<_>>()) else {
            panic!("a record");
        };
        assert_eq!(has_one_under_way(&sight.balance), expected, "{sight:?}");
    }
}

/// The policy gives back what failed a check of its own, and nothing that another system may have been paid.
#[test]
fn the_policy_returns_what_fails_by_itself_alone() {
    let failing = |names: &[CheckName]| -> Vec<Check> {
        let check = |name: &CheckName| Check {
            name: *name,
            expected: "a".to_owned(),
            actual: "b".to_owned(),
            passed: !names.contains(name),
        };
        CheckName::ALL.iter().map(check).collect()
    };
    let held = |names: &[CheckName], test| Transaction {
        verdict: Verdict::Held,
        status: TransactionStatus::Paid,
        checks: failing(names),
        test,
        ..left_open("imp_1")
    };
    use CheckName::{Amount, Channel, Currency, PaymentId, Portone, Store, Unused};
    let (live, test) = (Some(false), Some(true));
    for (names, is_test, on_live, on_test) in [
        (&[Amount][..], live, true, false),
        (&[Currency], live, true, false),
        (&[Amount, Currency], live, true, false),
        (&[Amount], test, true, true),
        (&[Amount], None, true, false),
        // Test money that is taken for live; live money on a server for tests; money of which PortOne says neither.
        (&[Channel], test, true, true),
        (&[Channel], live, false, false),
        (&[Channel], None, false, false),
        (&[Amount, Channel], None, false, false),
        (&[Amount, Channel], test, true, true),
        // Another system's, whatever else is wrong with it.
        (&[Portone], live, false, false),
        (&[Store], live, false, false),
        (&[Store, Amount], live, false, false),
        (&[Portone, Amount], test, false, false),
        (&[Store, Channel], test, false, false),
        (&[PaymentId], live, false, false),
        (&[Unused, Amount], live, false, false),
    ] {
        let transaction = held(names, is_test);
        let found = [Mode::Live, Mode::Test].map(|mode| may_go_back_by_policy(&transaction, mode));
        assert_eq!(found, [on_live, on_test], "{names:?} {is_test:?}");
    }
    for kept in [
        Transaction {
            verdict: Verdict::Accepted,
            ..held(&[], live)
        },
        Transaction {
            verdict: Verdict::Late,
            ..held(&[], live)
        },
        Transaction {
            status: TransactionStatus::Ready,
            ..held(&[Amount], live)
        },
        // What was not told is not known to be wrong.
        Transaction {
            currency: None,
            ..held(&[Amount, Currency], live)
        },
        Transaction {
            amount_minor: None,
            ..held(&[Amount], live)
        },
    ] {
        assert!(!may_go_back_by_policy(&kept, Mode::Live), "{kept:?}");
    }
}

#[test]
fn a_call_that_did_not_reach_portone_is_tried_for_its_time() {
    let mut intended = refund(RefundState::Intended);
    let mut second = 0;
    let mut gaps = Vec::new();
    loop {
        let calling = next(&intended, &Input::CallBegins, at(second), 0).expect("a call");
        assert_eq!(calling.refund.called_at, Some(at(second)));
        assert_eq!(
            calling.refund.next_at,
            at(second).checked_add(CALL_TIME_MAX).ok()
        );
        let step = next(&calling.refund, &not_made(), at(second), 0).expect("an answer");
        if step.refund.state == RefundState::NotDone {
            break;
        }
        let due = step.refund.next_at.expect("due").as_second() - at(0).as_second();
        gaps.push(due - second);
        second = due;
        intended = step.refund;
        assert!(intended.account.is_some(), "the next call needs it");
    }

    assert_eq!(gaps[..6], [5, 10, 30, 60, 300, 300]);
    assert!(second >= TRY_FOR.as_secs() && second <= TRY_FOR.as_secs() + 300);
    assert!(
        TRY_FOR + SignedDuration::from_mins(5) + CALL_TIME_MAX < SignedDuration::from_hours(3),
        "the key is remembered that long"
    );
}

#[test]
fn trouble_is_the_last_there_was() {
    let before = Refund {
        trouble: Some(trouble("call_lost")),
        ..refund(RefundState::InDoubt)
    };
    let under_way = seen(&[entry(Some("x"), AMOUNT, Stage::UnderWay)]);
    let taken = next(&before, &under_way, at(60), 0).expect("a step").refund;
    assert_eq!((taken.state, taken.trouble), (RefundState::Requested, None));

    let calling = refund(RefundState::Calling);
    let doubt = next(&calling, &unknown(), at(1), 0).expect("a step").refund;
    assert_eq!(
        (doubt.state, doubt.trouble),
        (RefundState::InDoubt, Some(trouble("unavailable")))
    );
    let again = next(&calling, &not_made(), at(1), 0)
        .expect("a step")
        .refund;
    assert_eq!(
        (again.state, again.trouble),
        (RefundState::Intended, Some(trouble("unauthorized")))
    );
}

#[test]
fn a_look_that_shows_nothing_only_counts_and_an_end_leaves_nothing_due() {
    let before = Refund {
        attempts: 3,
        trouble: Some(trouble("unavailable")),
        ..refund(RefundState::InDoubt)
    };

    let again = next(&before, &seen(&[]), at(60), 0).expect("a step").refund;
    let waiting = Refund {
        attempts: 4,
        next_at: Some(at(60 + DOUBT_GAPS_SECONDS[4])),
        ..before.clone()
    };
    assert_eq!(again, waiting);

    let shown = seen(&[entry(None, AMOUNT, Stage::Done)]);
    let done = next(&before, &shown, at(60), 0).expect("a step").refund;
    let ended = Refund {
        state: RefundState::Done,
        attempts: 0,
        next_at: None,
        trouble: None,
        updated_at: at(60),
        ..before
    };
    assert_eq!(done, ended);
}

#[test]
fn looks_grow_rarer_and_are_spread() {
    let gap = |refund: &Refund, input: &Input, draw| {
        let step = next(refund, input, at(60), draw).expect("a step");
        step.refund.next_at.expect("due").as_millisecond() - at(60).as_millisecond()
    };
    let tried = |state, attempts| Refund {
        attempts,
        ..refund(state)
    };

    let doubt =
        [0, 1, 4, 100].map(|tries| gap(&tried(RefundState::InDoubt, tries), &Input::NotSeen, 0));
    assert_eq!(doubt, [10_000, 30_000, 600_000, 600_000]);
    let requested =
        [0, 7, 100].map(|tries| gap(&tried(RefundState::Requested, tries), &Input::NotSeen, 0));
    assert_eq!(requested, [10_000, 6 * 3_600_000, 6 * 3_600_000]);
    assert_eq!(
        gap(&refund(RefundState::InDoubt), &Input::NotSeen, 1000),
        12_000
    );
}

#[test]
fn nothing_is_no_amount() {
    assert_eq!(RefundAmount::new(won(0)), Err(InvalidMoney::Range));
    for minor in [-1, i64::MIN, i64::MAX] {
        let money = Money {
            minor,
            currency: Currency::KRW,
        };
        assert_eq!(RefundAmount::new(money), Err(InvalidMoney::Range));
    }
    for minor in [1, 65_000] {
        let all = RefundAmount::new(won(minor)).expect("more than nothing");
        let non_zero = i64::try_from(all.non_zero().get());
        assert_eq!(
            (all.minor(), non_zero, all.money()),
            (minor, Ok(minor), won(minor))
        );
    }
}

#[test]
fn what_holds_money_of_the_order_may_be_given_back() {
    let of = |verdict, status, cancelled_minor| Transaction {
        verdict,
        status,
        cancelled_minor,
        ..left_open("imp_1")
    };
    for verdict in Verdict::ALL {
        let ours = matches!(
            verdict,
            Verdict::Accepted | Verdict::Duplicate | Verdict::Late | Verdict::Held
        );
        assert_eq!(
            is_refundable(&of(*verdict, TransactionStatus::Paid, 0)),
            ours,
            "{verdict:?}"
        );
        assert!(
            !is_refundable(&of(*verdict, TransactionStatus::Ready, 0)),
            "{verdict:?}"
        );
        assert!(!is_refundable(&of(
            *verdict,
            TransactionStatus::Cancelled,
            PAID
        )));
    }
    assert!(is_refundable(&of(
        Verdict::Accepted,
        TransactionStatus::Cancelled,
        1
    )));
}

#[test]
fn a_deposit_goes_back_to_an_account() {
    let card = left_open("imp_1");
    let deposit = Transaction {
        virtual_account: Some(VirtualAccount {
            bank: "국민은행".to_owned(),
            account_number: "1".to_owned(),
            holder: None,
            expires_at: None,
        }),
        ..left_open("imp_1")
    };

    assert!(!needs_account(&card));
    assert!(needs_account(&deposit));
}

#[test]
fn some_gateways_ask_for_an_account_besides() {
    let by = |word: Option<&str>| Transaction {
        pay_method: word.map(str::to_owned),
        ..left_open("imp_1")
    };
    for (word, may) in [
        (Some("trans"), true),
        (Some("TRANSFER"), true),
        (Some("phone"), true),
        (Some("card"), false),
        (None, false),
    ] {
        assert_eq!(may_need_account(&by(word)), may, "{word:?}");
    }
}

#[test]
fn what_is_free_of_tax_goes_back_free_of_tax() {
    const NEEDED: Result<Option<i64>, TaxFreeFault> = Err(TaxFreeFault::Needed);
    const TOO_MUCH: Result<Option<i64>, TaxFreeFault> = Err(TaxFreeFault::TooMuch);
    // Of 100 that are left.
    for (amount, said, free, expected) in [
        // V1 does not tell: what the asker says counts.
        (100, None, None, Ok(None)),
        (100, Some(0), None, Ok(Some(0))),
        (40, Some(40), None, Ok(Some(40))),
        (40, Some(41), None, TOO_MUCH),
        (40, Some(-1), None, TOO_MUCH),
        // Nothing is free of tax.
        (100, None, Some(0), Ok(None)),
        (40, None, Some(0), Ok(None)),
        (40, Some(0), Some(0), Ok(Some(0))),
        (40, Some(1), Some(0), TOO_MUCH),
        // Everything is.
        (100, None, Some(100), Ok(Some(100))),
        (40, None, Some(100), Ok(Some(40))),
        (40, Some(39), Some(100), TOO_MUCH),
        // Some of it is.
        (100, None, Some(30), Ok(Some(30))),
        (100, Some(29), Some(30), TOO_MUCH),
        (100, Some(31), Some(30), TOO_MUCH),
        (40, None, Some(30), NEEDED),
        (40, Some(0), Some(30), Ok(Some(0))),
        (40, Some(30), Some(30), Ok(Some(30))),
        (40, Some(31), Some(30), TOO_MUCH),
        (80, Some(10), Some(30), Ok(Some(10))),
        (80, Some(9), Some(30), TOO_MUCH),
    ] {
        let balance = Balance {
            tax_free_minor: free,
            cancellable: won(100),
            reserved_minor: 0,
            cancellations: Vec::new(),
        };
        let amount = RefundAmount::new(won(amount)).expect("an amount");

        assert_eq!(
            tax_free(amount, said, &balance),
            expected,
            "{amount:?} {said:?} of {free:?}"
        );
    }
}

#[test]
fn neither_reason_nor_account_leaves_the_refund() {
    let refund = Refund {
        trouble: Some(Trouble {
            code: "PG_PROVIDER".to_owned(),
            message: Some("정산 대금 부족".to_owned()),
        }),
        ..refund(RefundState::Intended)
    };

    let (data, debug) = (
        history_data(&refund).to_string(),
        format!("{:?}", refund.account),
    );

    assert!(data.contains("PG_PROVIDER") && data.contains("정산 대금 부족"));
    for secret in ["110-123", "김하나"] {
        assert!(!data.contains(secret));
    }
    assert_eq!(debug, "Some(RefundAccount(..))");
    assert!(!data.contains("단순 변심"));
}

#[test]
fn a_field_of_an_account_has_some_text_and_not_too_much() {
    let longest = "가".repeat(ACCOUNT_CHARS_MAX);
    for typed in ["1", " 110-123 ", longest.as_str()] {
        assert!(is_account_field(typed), "{typed:?}");
    }
    let too_long = format!("{longest}가");
    for typed in ["", "  ", "110\u{0}123", "110\n123", too_long.as_str()] {
        assert!(!is_account_field(typed), "{typed:?}");
    }
}
