//! The confirm process: right before an approval PortOne asks the shop whether it may go on.
//!
//! HTTP 200 lets it; any other answer, or none in time, fails the payment.
//! <https://developers.portone.io/opi/ko/extra/confirm-process/readme-v1>

use serde::Deserialize;
use serde_json::json;
use tokio::time::{Duration, Instant};
use url::Url;

use crate::journal::Event;
use crate::ledger::Payment;
use crate::state::App;
use crate::webhook;

/// Largest answer that is read for its reason.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Longest reason kept, in characters.
const REASON_CHARS_MAX: usize = 200;
/// PortOne's word for a refusal that gives no reason.
const NO_REASON: &str = "알 수 없음";

/// What the shop said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    Approved,
    /// With PortOne's text for the payment's `fail_reason`.
    Refused(String),
}

/// The question, ready to leave.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) url: Url,
    pub(crate) timeout: Duration,
}

/// Asks, and writes question and answer into the journal.
pub(crate) async fn ask(app: &App, question: Question, payment: &Payment) -> Confirmation {
    let seq = app.record(Event::Confirm {
        imp_uid: payment.imp_uid().into(),
        url: question.url.to_string(),
        answer: None,
        error: None,
        duration_ms: None,
    });
    let begun = Instant::now();
    let asked = tokio::select! {
        asked = post(app, question, payment) => asked,
        () = app.stopped() => Err("sandbox stopped"),
    };
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    app.state().journal.complete(seq, |event| {
        if let Event::Confirm {
            answer,
            error,
            duration_ms,
            ..
        } = event
        {
            *answer = asked.as_ref().ok().map(|(status, _)| *status);
            *error = asked.as_ref().err().copied();
            *duration_ms = Some(took_ms);
        }
    });
    app.notify();
    match asked {
        Ok((200, _)) => Confirmation::Approved,
        Ok((_, reason)) => Confirmation::Refused(fail_reason(reason.as_deref())),
        Err(_) => Confirmation::Refused(fail_reason(None)),
    }
}

/// The answer's status, and the reason in its body.
async fn post(
    app: &App,
    question: Question,
    payment: &Payment,
) -> Result<(u16, Option<String>), &'static str> {
    let body = json!({
        "imp_uid": payment.imp_uid(),
        "merchant_uid": payment.merchant_uid(),
        "amount": payment.record.get("amount"),
    });
    let failed = |error: reqwest::Error| webhook::reason(&error);
    let mut answer = app
        .sender
        .client()
        .post(question.url)
        .timeout(question.timeout)
        .json(&body)
        .send()
        .await
        .map_err(failed)?;
    let status = answer.status().as_u16();
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if text.len() + chunk.len() > ANSWER_BYTES_MAX {
            break;
        }
        text.extend_from_slice(&chunk);
    }
    Ok((status, reason(&text)))
}

#[derive(Deserialize)]
struct Refusal {
    reason: String,
}

fn reason(body: &[u8]) -> Option<String> {
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    let reason: String = refusal.reason.chars().take(REASON_CHARS_MAX).collect();
    (!reason.is_empty()).then_some(reason)
}

fn fail_reason(reason: Option<&str>) -> String {
    format!(
        "고객사 요청에 의해 결제를 중단합니다. (상세사유 : {})",
        reason.unwrap_or(NO_REASON)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reason_that_is_a_text_is_taken_and_it_is_cut() {
        let long = format!(r#"{{"reason":"{}"}}"#, "가".repeat(1000));

        assert_eq!(
            reason(br#"{"reason":"sold out"}"#).as_deref(),
            Some("sold out")
        );
        assert_eq!(
            reason(long.as_bytes()).map(|text| text.chars().count()),
            Some(200)
        );
        for bad in [
            &b""[..],
            b"{}",
            br#"{"reason":7}"#,
            br#"{"reason":""}"#,
            b"\xff",
        ] {
            assert_eq!(reason(bad), None);
        }
    }
}
