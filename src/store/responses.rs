//! Applies responses of the gateway: the known states, the decisions, and their effects, in one unit of work.

use super::convert::millis;
use super::error::Result;
use super::events::NewEvents;
use super::poll_result::{ApplyReport, PollResult};
use super::response_effects::ResponseEffects;
use super::row_locks::lock_members;
use super::sqlite::Store;
use super::{clamp, known_states};
use crate::domain::{ConnectionState, Decision, Listing, MemberId, Time, turned_empty};

impl Store {
    /// Applies responses, at most one about each member. Writes each together with the decision that `decide` derives from
    /// the known state and the list. Returns the reports in the order of `answers`.
    ///
    /// # Errors
    /// None of them was applied.
    pub async fn apply_responses(
        &self,
        answers: &[PollResult<'_>],
        now: Time,
        decide: impl Fn(&[ConnectionState], &Listing) -> Decision,
    ) -> Result<Vec<ApplyReport>> {
        let members: Vec<&MemberId> = answers.iter().map(|answer| answer.member_id).collect();
        self.write(async |mut tx| {
            lock_members(&mut tx, &members).await?;
            clamp::clamp(&mut tx, &members, now).await?;
            let known = known_states::read(&mut tx, &members).await?;
            let mut effects = ResponseEffects::new(NewEvents::new(&tx));
            let mut reports = Vec::with_capacity(answers.len());
            for answer in answers {
                let known = known.get(answer.member_id.as_str());
                // A time in the future proves nothing: a clock was ahead.
                let is_late = |at: i64| millis(answer.asked_at) < at && at <= millis(now);
                let Some(known) = known.filter(|known| !known.answered_at.is_some_and(is_late)) else {
                    reports.push(ApplyReport { stale: true, ..ApplyReport::default() });
                    continue;
                };
                let turned_empty = turned_empty(&known.connections, answer.seen);
                let mut report = ApplyReport { turned_empty, ..ApplyReport::default() };
                if !turned_empty || answer.accept_empty {
                    let decision = decide(&known.connections, answer.seen);
                    report.mismatched = effects.add(answer, known, &decision, now);
                    report.has_opened = decision.changes.iter().any(|change| change.lapse.is_to_open());
                    report.transitions =
                        decision.changes.into_iter().filter_map(|change| change.transition).collect();
                }
                reports.push(report);
            }
            effects.write(&mut tx, now).await?;
            Ok(reports)
        })
        .await
    }
}
