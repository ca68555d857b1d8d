//! Webhooks: PortOne's own, awaited by the journal, and other people's.

use std::sync::PoisonError;

use http::header;
use serde_json::{Value, json};

use super::{Break, Play};
use crate::scenario::target::Feature;
use crate::webhook::ENDS_WITHIN;
use crate::{Event, JournalEntry, WebhookMode};

/// PortOne gives up on a webhook itself, and the journal says so; this is for one that never left.
const NOT_SENT: &str = "the sandbox sent no webhook";

impl Play<'_> {
    /// Answers (or what went wrong) of the webhooks about this scenario's orders, since `mark`, that have ended.
    fn ended_webhooks(
        &self,
        journal: &[JournalEntry],
        mark: u64,
    ) -> Vec<Result<u16, &'static str>> {
        let own = self
            .payment_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let since = journal.iter().filter(|entry| entry.seq > mark);
        since
            .filter_map(|entry| match &entry.event {
                Event::Webhook {
                    merchant_uid,
                    answer,
                    error,
                    duration_ms: Some(_),
                    ..
                } if own.contains(merchant_uid) => Some(answer.ok_or(error.unwrap_or("no answer"))),
                _ => None,
            })
            .collect()
    }

    /// The mode, if the target takes webhooks at all.
    pub(crate) fn webhook_mode(&self, mode: WebhookMode) -> WebhookMode {
        match self.target.supports(Feature::Webhooks) {
            true => mode,
            false => WebhookMode::Never,
        }
    }

    /// Where the journal ends now.
    pub(crate) fn mark(&self) -> u64 {
        self.sandbox.journal().last().map_or(0, |entry| entry.seq)
    }

    /// Waits until PortOne has the answers to `count` webhooks since `mark`: 200 each.
    pub(crate) async fn webhooks_answered(&self, mark: u64, count: usize) -> Result<(), Break> {
        if !self.target.supports(Feature::Webhooks) {
            return Ok(());
        }
        let journal = self
            .sandbox
            .journal_within(ENDS_WITHIN, |journal| {
                self.ended_webhooks(journal, mark).len() >= count
            })
            .await
            .ok_or_else(|| Break::own(NOT_SENT))?;
        let mut answers = self.ended_webhooks(&journal, mark).into_iter();
        answers.try_for_each(|answer| webhook_is(answer, 200))
    }

    /// Waits for the first webhook since `mark` and returns what the target answered.
    pub(crate) async fn webhook_answer(&self, mark: u64) -> Result<u16, Break> {
        let journal = self
            .sandbox
            .journal_within(ENDS_WITHIN, |journal| {
                !self.ended_webhooks(journal, mark).is_empty()
            })
            .await
            .ok_or_else(|| Break::own(NOT_SENT))?;
        match self.ended_webhooks(&journal, mark).first() {
            Some(Ok(answer)) => Ok(*answer),
            Some(Err(error)) => Err(Break::Failed(format!("did not answer a webhook: {error}"))),
            None => Err(Break::own("the journal has lost a webhook")),
        }
    }

    /// How often PortOne sends a webhook again, until the scenario ends.
    pub(crate) fn resend_webhooks(&self, times: u8) -> Result<(), Break> {
        Ok(self.sandbox.configure(json!({"webhook_retries": times}))?)
    }

    /// PortOne sends the payment's webhook (again), with the status it has or the one given.
    pub(crate) async fn send_webhook(
        &self,
        imp_uid: &str,
        status: Option<&str>,
    ) -> Result<(), Break> {
        let body = match status {
            Some(status) => json!({"status": status}),
            None => json!({}),
        };
        let sent = self
            .control(&format!("payments/{imp_uid}/webhook"), &body)
            .await?;
        webhook_is(answer_of(&sent["webhooks"][0]), 200)
    }

    /// Somebody, not PortOne, posts to the webhook address; returns the HTTP status.
    pub(crate) async fn post_webhook(
        &self,
        headers: &[(&str, String)],
        content_type: &str,
        body: String,
    ) -> Result<u16, Break> {
        let mut request = self
            .http
            .post(self.target.webhook_url())
            .header(header::CONTENT_TYPE, content_type)
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send().await.map_err(|error| {
            Break::Failed(format!(
                "did not answer a post to its webhook address: {error}"
            ))
        })?;
        Ok(answer.status().as_u16())
    }

    /// A stranger posts a V1 webhook, which is answered 200 whatever it says.
    pub(crate) async fn forge_webhook(
        &self,
        imp_uid: &str,
        merchant_uid: &str,
        status: &str,
    ) -> Result<(), Break> {
        let body = json!({"imp_uid": imp_uid, "merchant_uid": merchant_uid, "status": status});
        let answer = self
            .post_webhook(&[], "application/json", body.to_string())
            .await?;
        webhook_is(Ok(answer), 200)
    }
}

/// What came of a webhook, by the sandbox's receipt.
pub(crate) fn answer_of(receipt: &Value) -> Result<u16, &str> {
    receipt["answer"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok())
        .ok_or(receipt["error"].as_str().unwrap_or("no answer"))
}

pub(crate) fn webhook_is(answer: Result<u16, &str>, right: u16) -> Result<(), Break> {
    match answer {
        Ok(status) if status == right => Ok(()),
        Ok(status) => Err(Break::Failed(format!(
            "answered a webhook with HTTP {status}, where {right} is right"
        ))),
        Err(error) => Err(Break::Failed(format!("did not answer a webhook: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Sandbox;
    use crate::check::{Rules, RulesTarget};
    use crate::scenario::target::Generation;

    /// A webhook to this address ends at once: nobody listens on TCP port 1.
    const RULES: &str = r#"
        redirect_url = "/done"
        webhook_url = "/hook"
        existing = [{ payment_id = "MINE", amount = 1000 }]
        outcome = [{ is = "paid" }]
    "#;

    #[tokio::test]
    async fn a_webhook_of_an_earlier_scenario_is_not_taken_for_this_ones() {
        let base = "http://127.0.0.1:1/".parse().unwrap();
        let rules = Rules::parse(RULES).unwrap();
        let target = RulesTarget::new(&base, rules, Duration::ZERO).unwrap();
        let sandbox = Sandbox::builder().spawn().await.unwrap();
        let play = Play::new(&sandbox, &target, "run", 1).unwrap();
        play.set_up();
        play.order(Generation::V1).await.unwrap();
        let mark = play.mark();
        let pay = |merchant_uid: &str| {
            let payment = json!({"merchant_uid": merchant_uid, "amount": 1000, "webhook": true});
            sandbox.create_payment(payment).unwrap();
        };
        let all_ended = |count: usize| {
            move |journal: &[JournalEntry]| {
                let ended = |entry: &&JournalEntry| {
                    matches!(
                        entry.event,
                        Event::Webhook {
                            duration_ms: Some(_),
                            ..
                        }
                    )
                };
                journal.iter().filter(ended).count() == count
            }
        };

        pay("EARLIER");
        let journal = sandbox.journal_when(all_ended(1)).await.unwrap();
        assert_eq!(play.ended_webhooks(&journal, mark), []);

        pay("MINE");
        let journal = sandbox.journal_when(all_ended(2)).await.unwrap();
        assert_eq!(play.ended_webhooks(&journal, mark), [Err("connect")]);
    }
}
