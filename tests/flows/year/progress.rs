//! What must have happened by now.

use super::connection::Time;
use super::model::Model;
use super::policies::CAP;
use super::truth::Truth;
use chrono::TimeDelta;
use std::collections::BTreeSet;

/// How long an email may take when nothing stands in its way: a retry after a day, the gap, a night, and the time between
/// two steps of the run, and some of these twice.
const PATIENCE: TimeDelta = TimeDelta::hours(108);

impl Model {
    /// What has been due for too long although nothing stood in its way: the member, the source, and what.
    pub(crate) fn late(&mut self, truth: &Truth, now: Time) -> Vec<(String, String, String)> {
        let (mut late, mut clear) = (Vec::new(), Vec::new());
        for (id, member) in self.enrolled() {
            let is_reachable = self.can_arrive(&member.address, truth)
                && self.of_month(&self.recipient(id, &member.address), now) < CAP
                && self.has_token(id, truth);
            for (source, connection) in &member.connections {
                let Some(lapse) = connection.open_lapse() else { continue };
                let status = truth.row(id, source).unwrap_or_default();
                let next = lapse.next(status, self.policy).filter(|next| now >= next.not_before);
                // What a storm that has calmed down holds goes out within minutes.
                let is_held = self.holding(id, source, status, now).is_some();
                let is_waiting = is_held || lapse.is_snoozed(now) || lapse.is_abandoned;
                let is_clear =
                    is_reachable && !is_waiting && self.forbidden(id, source, truth, now).is_none();
                let since = next.filter(|_| is_clear).map(|_| lapse.clear_since.unwrap_or(now));
                if let (Some(since), Some(next)) = (since.filter(|since| now - *since > PATIENCE), next) {
                    let what =
                        format!("step {} is late, and nothing stands in its way since {since}", next.step);
                    late.push((id.clone(), source.clone(), what));
                }
                clear.push((id.clone(), source.clone(), since));
            }
        }
        for (id, source, since) in clear {
            if let Some(lapse) = self.lapse(&id, &source) {
                lapse.clear_since = since;
            }
        }
        late
    }

    /// Remembers the lapses about which no email can go out because of the gateway or the mail server.
    pub(crate) fn note_trouble(&mut self, truth: &Truth) {
        let unreachable: BTreeSet<_> = self
            .members
            .iter()
            .filter(|(_, member)| !self.can_arrive(&member.address, truth))
            .map(|(id, _)| id.clone())
            .collect();
        for (id, member) in &mut self.members {
            let is_troubled = unreachable.contains(id)
                || truth.losses_to_come > 0
                || !truth.is_clear(id)
                || !truth.has_sign_in(id);
            let lapses = member.connections.values_mut().filter_map(|connection| connection.lapse.as_mut());
            lapses.filter(|_| is_troubled).for_each(|lapse| lapse.had_trouble = true);
        }
    }
}
