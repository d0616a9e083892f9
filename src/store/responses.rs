//! Applies responses of the gateway: the known states, the decisions, and their effects, in one unit of work.

use super::convert::millis;
use super::error::Result;
use super::events::NewEvents;
use super::poll_result::{ApplyReport, PollResult};
use super::response_effects::ResponseEffects;
use super::row_locks::lock_members;
use super::sqlite::Store;
use super::{clamp, known_states};
use crate::domain::{
    Change, ConnectionState, Decision, LapseChange, LapseState, Listing, MemberId, Outcome, Time,
    turned_empty,
};
use chrono::TimeDelta;

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
                    let opened = decision.changes.iter().filter(|change| change.lapse.is_to_open());
                    report.opened_lapses = opened.count() as u64;
                    let ended =
                        decision.changes.iter().filter_map(|change| ended(change, &known.connections, now));
                    report.closed_lapses = ended.collect();
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

/// The end of an open lapse, with the time since the first observation of its break.
fn ended(change: &Change, known: &[ConnectionState], now: Time) -> Option<(Outcome, TimeDelta)> {
    let LapseChange::Update(id, fields) = &change.lapse else { return None };
    let mut lapses = known.iter().filter_map(|known| known.lapse.as_ref());
    let is_open = lapses.any(|lapse| lapse.id == *id && lapse.state == LapseState::Open);
    let outcome = fields.outcome.filter(|_| is_open && fields.state == LapseState::Closed)?;
    Some((outcome, (now - fields.suspected_at).max(TimeDelta::zero())))
}

#[cfg(test)]
mod tests;
