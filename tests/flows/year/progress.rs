//! What must have happened by now.

use super::connection::Time;
use super::model::{Model, key};
use super::policies::CAP;
use super::truth::Truth;
use chrono::TimeDelta;

/// How long an email may take when nothing stands in its way: a retry after a day, the gap, a night, and the time between
/// two steps of the run, and some of these twice.
const PATIENCE: TimeDelta = TimeDelta::hours(84);

impl Model {
    /// What has been due for too long although nothing stood in its way: the member, the source, and what.
    pub(crate) fn late(&mut self, truth: &Truth, now: Time) -> Vec<(String, String, String)> {
        let (mut late, mut clear) = (Vec::new(), Vec::new());
        for (id, member) in self.enrolled() {
            let address = key(&member.address);
            let is_reachable = truth.accepts_email(&address)
                && self.of_month(&address, now) < CAP
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
        for (id, member) in &mut self.members {
            let is_troubled = !truth.accepts_email(&key(&member.address))
                || truth.losses_to_come > 0
                || !truth.is_clear(id)
                || !truth.has_sign_in(id);
            let lapses = member.connections.values_mut().filter_map(|connection| connection.lapse.as_mut());
            lapses.filter(|_| is_troubled).for_each(|lapse| lapse.had_trouble = true);
        }
    }
}
