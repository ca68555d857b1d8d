//! The judgements, as sentences that need no explanation.

use super::Break;
use crate::scenario::target::{Answer, OrderState, OrderStatus, Outcome};

/// Whether the target's words hold none that would be right, so that all one can ask is that it does not say `paid`.
fn lacks_words<W: PartialEq>(right: &[W], words: &[W]) -> bool {
    !right.iter().any(|word| words.contains(word))
}

fn list<W: ToString>(words: &[W]) -> String {
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    words.join(" or ")
}

pub(super) fn judge_outcome(
    answer: &Answer,
    right: &[Outcome],
    about: &str,
    words: &[Outcome],
) -> Result<(), Break> {
    // After these the buyer has paid for the order, one way or the other.
    let may_say_paid = right.iter().any(|outcome| {
        matches!(
            outcome,
            Outcome::Paid | Outcome::Duplicate | Outcome::Refunded | Outcome::PartiallyRefunded
        )
    });
    let may_refuse = right.iter().any(|outcome| {
        matches!(
            outcome,
            Outcome::NotFound | Outcome::Invalid | Outcome::Held | Outcome::Failed
        )
    });
    let refused = (400..500).contains(&answer.status);
    match answer.outcome {
        Some(said) if right.contains(&said) => Ok(()),
        Some(said) if lacks_words(right, words) && (said != Outcome::Paid || may_say_paid) => {
            Ok(())
        }
        None if refused && may_refuse => Ok(()),
        Some(said) => Err(Break::Failed(format!(
            "answered {said} {about}; right is {}",
            list(right)
        ))),
        None => Err(Break::Failed(format!(
            "answered HTTP {} {about}, and nothing in it says how the payment stands (\"{}\"); right is {}",
            answer.status,
            answer.excerpt,
            list(right)
        ))),
    }
}

pub(super) fn judge_state(
    state: &OrderState,
    right: &[OrderStatus],
    about: &str,
    words: &[OrderStatus],
) -> Result<(), Break> {
    let is_fulfilled =
        |status: &OrderStatus| matches!(status, OrderStatus::Paid | OrderStatus::PartiallyRefunded);
    let status = state.status;
    let had_money = right
        .iter()
        .any(|status| is_fulfilled(status) || *status == OrderStatus::Refunded);
    let tolerated = lacks_words(right, words) && (!is_fulfilled(&status) || had_money);
    if !right.contains(&status) && !tolerated {
        return Err(Break::Failed(format!(
            "the order is {status} {about}; right is {}",
            list(right)
        )));
    }
    match state.effects {
        None => Ok(()),
        Some(0) if !is_fulfilled(&status) => Ok(()),
        Some(0) => Err(Break::Failed(
            "the order is paid and was never fulfilled".into(),
        )),
        Some(1) if is_fulfilled(&status) || had_money => Ok(()),
        Some(1) => Err(Break::Failed(format!(
            "the order is {status}, and was fulfilled {about}"
        ))),
        Some(effects) => Err(Break::Failed(format!(
            "the order was fulfilled {effects} times; once is right"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, outcome: Option<Outcome>) -> Answer {
        Answer::new(status, outcome, "<p>Danke</p>")
    }

    fn reason(judged: Result<(), Break>) -> String {
        match judged {
            Err(Break::Failed(reason)) => reason,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn an_outcome_must_be_one_of_the_right_ones() {
        let right = [Outcome::Held, Outcome::Failed];
        let judge = |answer: Answer| judge_outcome(&answer, &right, "for 100 won", &Outcome::ALL);

        assert_eq!(judge(said(200, Some(Outcome::Held))), Ok(()));
        assert_eq!(judge(said(400, None)), Ok(()));
        assert_eq!(
            reason(judge(said(200, Some(Outcome::Paid)))),
            "answered paid for 100 won; right is held or failed"
        );
        assert_eq!(
            reason(judge(said(200, None))),
            "answered HTTP 200 for 100 won, and nothing in it says how the payment stands (\"<p>Danke</p>\"); right is held or failed"
        );
    }

    #[test]
    fn a_target_of_few_words_must_only_not_say_paid() {
        let words = [Outcome::Paid, Outcome::Failed];
        let judge = |outcome, right: &[Outcome]| {
            judge_outcome(&said(200, Some(outcome)), right, "", &words)
        };

        assert_eq!(judge(Outcome::Failed, &[Outcome::Held]), Ok(()));
        assert!(judge(Outcome::Paid, &[Outcome::Held]).is_err());
        assert_eq!(judge(Outcome::Paid, &[Outcome::Duplicate]), Ok(()));
        assert!(judge(Outcome::Failed, &[Outcome::Paid]).is_err());
    }

    #[test]
    fn an_order_is_fulfilled_exactly_once_if_it_is_paid_and_never_if_not() {
        let judge = |status, effects, right: &[OrderStatus]| {
            let state = OrderState::new(status).effects(effects);
            judge_state(&state, right, "although nobody paid", &OrderStatus::ALL)
        };
        let paid = [OrderStatus::Paid];
        let open = [OrderStatus::Open, OrderStatus::Held];

        assert_eq!(judge(OrderStatus::Paid, Some(1), &paid), Ok(()));
        assert_eq!(judge(OrderStatus::Paid, None, &paid), Ok(()));
        assert_eq!(judge(OrderStatus::Open, Some(0), &open), Ok(()));
        assert_eq!(
            reason(judge(OrderStatus::Paid, Some(2), &paid)),
            "the order was fulfilled 2 times; once is right"
        );
        assert_eq!(
            reason(judge(OrderStatus::Paid, Some(0), &paid)),
            "the order is paid and was never fulfilled"
        );
        assert_eq!(
            reason(judge(OrderStatus::Open, Some(1), &open)),
            "the order is open, and was fulfilled although nobody paid"
        );
        assert_eq!(
            reason(judge(OrderStatus::Paid, None, &open)),
            "the order is paid although nobody paid; right is open or held"
        );
        let refunded = [OrderStatus::Refunded];
        assert_eq!(judge(OrderStatus::Refunded, Some(1), &refunded), Ok(()));
    }
}
