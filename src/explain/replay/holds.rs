//! The holds of the simulation, and when a storm that has calmed down releases an email.

use super::lapse::SimulatedLapse;
use super::storms::Openings;
use crate::domain::{ActiveHold, MemberId, PastHeld, PastHold, Time};
use chrono::TimeDelta;

#[derive(Clone, Debug, Default)]
pub(super) struct Holds {
    /// In the order in which the planner reads them.
    pub(super) holds: Vec<PastHold>,
    pub(super) openings: Openings,
    pub(super) drip_per_minute: u32,
    /// Lapses of this time count together.
    pub(super) window: TimeDelta,
    /// Whether the storms are those that happened. Otherwise they are simulated, too.
    pub(super) are_real: bool,
}

impl Holds {
    /// Those that can cover connections of the member.
    pub(super) fn active(&self, member: &MemberId, now: Time) -> Vec<ActiveHold> {
        let is_of = |hold: &&PastHold| hold.hold.scope.member_id.as_ref().is_none_or(|of| of == member);
        let active = self.holds.iter().filter(is_of).filter(|hold| hold.is_active(now));
        active.map(|hold| hold.hold.clone()).collect()
    }

    /// Whether the email about the lapse is held then.
    pub(super) fn held_at(&self, lapse: &SimulatedLapse, held: &[PastHeld], now: Time) -> bool {
        let was_held = held.iter().any(|held| {
            held.lapse_id == *lapse.id() && held.from <= now && held.until.is_none_or(|until| now < until)
        });
        // A simulated storm has held all that broke before it calmed down.
        let is_held = was_held || !self.are_real;
        let (member, source) = (lapse.member(), lapse.connection());
        self.active(member, now).iter().any(|hold| hold.covers(member, source, lapse.status(), is_held, now))
    }

    /// When the storm that covers the held lapse releases it: in the order in which the lapses opened. In a storm that happened,
    /// what was held is released when it was.
    pub(super) fn released_at(&self, lapse: &SimulatedLapse, held: &[PastHeld], now: Time) -> Option<Time> {
        let covers = |hold: &&PastHold| {
            let (member, source) = (lapse.member(), lapse.connection());
            hold.hold.is_dripping
                && hold.is_active(now)
                && hold.hold.covers(member, source, lapse.status(), true, now)
        };
        let drip = self.holds.iter().find(covers)?;
        let end = drip.end.unwrap_or(Time::MAX_UTC);
        let is_then = |held: &&PastHeld| {
            held.lapse_id == *lapse.id()
                && held.from < end
                && held.until.is_none_or(|until| until >= drip.from)
        };
        if let Some(held) = held.iter().find(is_then).filter(|_| self.are_real) {
            return Some(held.until.unwrap_or(end));
        }
        let source = drip.hold.scope.source.as_ref();
        let began =
            self.holds.iter().find(|hold| hold.end == Some(drip.from) && hold.hold.scope == drip.hold.scope);
        let earlier = self.openings.before(source, began.unwrap_or(drip).from - self.window);
        let rank = self.openings.before(source, lapse.last_opened_at()).saturating_sub(earlier);
        let minutes = rank / u64::from(self.drip_per_minute.max(1));
        let minutes = TimeDelta::minutes(i64::try_from(minutes).unwrap_or(i64::MAX / 100_000));
        Some(drip.from.checked_add_signed(minutes).unwrap_or(end).min(end))
    }
}
