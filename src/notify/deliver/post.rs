//! Channel `webhook`: the operator's own systems get the notice as an event, and tell the member by their own means.

use super::content::{Draft, Prepared, PreparedSection};
use super::deliverer::Deliverer;
use super::outcome::{Consequence, Step, final_result};
use super::queue_gate::Pass;
use super::ready::LeftOut;
use crate::base::instances::Term;
use crate::base::telemetry::traces;
use crate::domain::{EventType, NoticeReason, Time};
use crate::store::{AttemptOutcome, AttemptResult, Claim};
use crate::webhook::{Message, PostError, WebhookClient};
use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

/// How soon a delivery asks again while this instance must not send.
const OBSTACLE: TimeDelta = TimeDelta::seconds(1);

impl Deliverer {
    /// Hands the notice to the receiver. Its confirmation counts like the mail server's acceptance.
    pub(super) async fn post(
        &self,
        claim: &Claim,
        term: &Term,
        pass: &Pass,
        draft: Draft,
        left_out: LeftOut,
        receiver: &WebhookClient,
    ) -> Step<(AttemptResult, Consequence)> {
        let prepared = self.store_handover(claim, draft).await?;
        if term.may_send().is_err() {
            return Err(self.defer_until(prepared.now + OBSTACLE));
        }
        for (place, section) in prepared.sections.iter().enumerate() {
            let body = self.due_event(claim, &prepared, section).to_string();
            // A notice that was planned as a shared email has several parts. Each attempt has the same ids.
            let id = match place {
                0 => claim.notice.id.as_str().to_owned(),
                _ => format!("{}-{place}", claim.notice.id),
            };
            let handover = async {
                let posted = receiver.post(Message { id: &id, body: &body }).await;
                posted.inspect_err(|error| traces::record_failure(&error.code()))
            };
            if let Err(error) = traces::in_child_span("handover", &[], handover).await {
                return self.post_failure(claim, pass, &error).await;
            }
        }
        if pass.accepted() {
            self.wake.notify_waiters();
        }
        let result = final_result(AttemptOutcome::Sent, NoticeReason::Accepted, None);
        Ok((AttemptResult { included: prepared.included, left_out, ..result }, Consequence::Nothing))
    }

    /// The event has the link, so it is never stored or logged.
    fn due_event(&self, claim: &Claim, prepared: &Prepared, section: &PreparedSection) -> Value {
        let PreparedSection { member, link, items, connections } = section;
        let notice = &claim.notice;
        let ttl = TimeDelta::from_std(self.link_ttl).unwrap_or(TimeDelta::days(7));
        let connections: Vec<&str> = connections.iter().map(|row| row.connection.id.as_str()).collect();
        json!({
            "type": EventType::NoticeDue.as_str(),
            "timestamp": text(prepared.now),
            "data": {
                "member_id": member.id.as_str(),
                "notice_id": notice.id.as_str(),
                "kind": notice.kind.as_str(),
                "step": items.iter().map(|item| item.step).min().unwrap_or(notice.step),
                "connections": connections,
                "url": link.as_ref().map(|token| self.renderer.link(token)),
                "expires_at": link.as_ref().map(|_| text(prepared.now + ttl)),
            },
        })
    }

    /// The same verdicts as for a mail server. All notices have one receiver, so most failures pause them all.
    async fn post_failure(
        &self,
        claim: &Claim,
        pass: &Pass,
        error: &PostError,
    ) -> Step<(AttemptResult, Consequence)> {
        let (detail, failing) = (Some(error.to_string()), NoticeReason::ReceiverFailing);
        let is_about_this_notice = match error {
            PostError::Unreachable => false,
            // The member may get the link, so it must work.
            PostError::TimedOut | PostError::Interrupted => {
                let (_, pause) = self.close_queue(pass, failing, None);
                let result = self.outcome_unknown(claim, detail);
                return Ok((result, pause));
            }
            PostError::Status { status, .. } => matches!(status, 400 | 409 | 413 | 415 | 422),
        };
        if is_about_this_notice {
            let refused = NoticeReason::PermanentFailure;
            return Ok((
                self.abandon_unless_server_rejects_all(claim, refused, detail).await?,
                Consequence::Nothing,
            ));
        }
        let is_server_error = matches!(error, PostError::Status { status: 500.., .. });
        // Some receivers fail with one notice only.
        if is_server_error && self.is_receiver_confirming_others(claim, pass).await? {
            return Ok((self.retry_or_abandon(claim, detail).await?, Consequence::Nothing));
        }
        Ok(self.close_queue(pass, failing, detail))
    }
}

fn text(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
