//! Which storms another policy would have seen in the lapses that opened.

use crate::domain::{
    ActiveHold, ConnectionId, HoldKind, HoldScope, PastHold, PastOpenings, PastSweep, SourceLapses,
    StormPolicy, Time, has_calmed,
};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// The lapses that opened or resumed, by source.
#[derive(Clone, Debug, Default)]
pub(super) struct Openings {
    /// For each time the number of all lapses until then. `None`: of all sources together.
    totals: BTreeMap<Option<ConnectionId>, Vec<(Time, u64)>>,
}

impl Openings {
    pub(super) fn new(openings: &[PastOpenings]) -> Self {
        let mut totals: BTreeMap<Option<ConnectionId>, Vec<(Time, u64)>> = BTreeMap::new();
        for PastOpenings { at, source, count } in openings {
            for source in [Some(ConnectionId::new(source.as_str())), None] {
                let times = totals.entry(source).or_default();
                let total = times.last().map_or(0, |(_, total)| *total) + count;
                times.push((*at, total));
            }
        }
        Self { totals }
    }

    /// The lapses that opened before a time.
    pub(super) fn before(&self, source: Option<&ConnectionId>, time: Time) -> u64 {
        let Some(times) = self.totals.get(&source.cloned()) else { return 0 };
        let place = times.partition_point(|(at, _)| *at < time);
        place.checked_sub(1).and_then(|place| times.get(place)).map_or(0, |(_, total)| *total)
    }

    fn between(&self, source: Option<&ConnectionId>, after: Time, until: Time) -> u64 {
        let second = TimeDelta::seconds(1);
        self.before(source, until + second) - self.before(source, after + second)
    }

    fn times(&self) -> impl Iterator<Item = Time> {
        self.totals.get(&None).into_iter().flatten().map(|(at, _)| *at)
    }
}

/// A storm that has not ended.
struct Storm {
    since: Time,
    lapsed: u64,
    /// When it calmed down.
    calmed_at: Option<Time>,
}

#[derive(Default)]
struct Brake {
    storms: BTreeMap<Option<ConnectionId>, Storm>,
    /// Lapses until then start no other storm.
    counted_until: BTreeMap<Option<ConnectionId>, Time>,
    holds: Vec<PastHold>,
}

/// The holds of the storms that the policy sees: at the end of each sweep, and when a lapse opens between two.
pub(super) fn simulate(
    openings: &Openings,
    connections: &BTreeMap<ConnectionId, u64>,
    sweeps: &[PastSweep],
    policy: &StormPolicy,
    drip_per_minute: u32,
) -> Vec<PastHold> {
    let mut brake = Brake::default();
    let is_in_sweep =
        |at: &Time| sweeps.iter().any(|sweep| sweep.started_at <= *at && *at < sweep.finished_at);
    let mut times: Vec<Time> = sweeps.iter().map(|sweep| sweep.finished_at).collect();
    times.extend(openings.times().filter(|at| !is_in_sweep(at)));
    times.sort_unstable();
    times.dedup();
    for now in times {
        brake.evaluate(openings, connections, policy, drip_per_minute, now);
    }
    let sources: Vec<_> = brake.storms.keys().cloned().collect();
    for source in sources {
        brake.end_if_over(&source, Time::MAX_UTC, drip_per_minute);
    }
    brake.holds
}

impl Brake {
    fn evaluate(
        &mut self,
        openings: &Openings,
        connections: &BTreeMap<ConnectionId, u64>,
        policy: &StormPolicy,
        drip_per_minute: u32,
        now: Time,
    ) {
        let from = now - policy.window;
        let keys: Vec<_> = self.storms.keys().cloned().collect();
        for source in &keys {
            self.end_if_over(source, now, drip_per_minute);
        }
        let uncounted = |source: Option<&ConnectionId>| {
            let counted = self.counted_until.get(&source.cloned()).copied();
            openings.between(source, counted.map_or(from, |until| until.max(from)), now)
        };
        let total = uncounted(None);
        let found = if policy.is_suspicious(openings.between(None, from, now)) {
            let lapses = |(source, connections): (&ConnectionId, &u64)| SourceLapses {
                source: Some(source.clone()),
                lapsed: uncounted(Some(source)),
                connections: *connections,
            };
            policy.storms(&connections.iter().map(lapses).collect::<Vec<_>>(), total)
        } else {
            Vec::new()
        };
        for SourceLapses { source, lapsed, .. } in found {
            match self.storms.get_mut(&source) {
                Some(storm) if storm.calmed_at.is_none() => storm.lapsed = storm.lapsed.max(lapsed),
                Some(storm) => {
                    // It flares up while its emails still go out.
                    let calmed_at = storm.calmed_at.take();
                    self.holds.push(part(&source, true, calmed_at.unwrap_or(now), Some(now)));
                    (storm.since, storm.lapsed) = (now, lapsed);
                }
                None => {
                    self.storms.insert(source, Storm { since: now, lapsed, calmed_at: None });
                }
            }
        }
        for (source, storm) in &mut self.storms {
            let lapsed = openings.between(source.as_ref(), from, now);
            if storm.calmed_at.is_none() && storm.since <= from && has_calmed(storm.lapsed, lapsed) {
                storm.calmed_at = Some(now);
                self.counted_until.insert(source.clone(), now);
                self.holds.push(part(source, false, storm.since, Some(now)));
            }
        }
    }

    /// Ends a storm whose emails have all gone out.
    fn end_if_over(&mut self, source: &Option<ConnectionId>, now: Time, drip_per_minute: u32) {
        let Some(storm) = self.storms.get(source) else { return };
        let Some(calmed_at) = storm.calmed_at else {
            if now == Time::MAX_UTC {
                self.holds.push(part(source, false, storm.since, None));
            }
            return;
        };
        let minutes = storm.lapsed / u64::from(drip_per_minute.max(1)) + 1;
        let end = calmed_at + TimeDelta::minutes(i64::try_from(minutes.min(1_000_000)).unwrap_or(0));
        if end <= now {
            self.holds.push(part(source, true, calmed_at, Some(end)));
            self.storms.remove(source);
        }
    }
}

fn part(source: &Option<ConnectionId>, is_dripping: bool, from: Time, end: Option<Time>) -> PastHold {
    let scope = HoldScope { source: source.clone(), ..HoldScope::default() };
    PastHold { hold: ActiveHold { kind: HoldKind::Storm, is_dripping, scope, until: None }, from, end }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Time {
        Time::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute)
    }

    fn opened(minute: i64, source: &str, count: u64) -> PastOpenings {
        PastOpenings { at: at(minute), source: source.into(), count }
    }

    /// The minutes of the parts of the storms, and whether they go out little by little.
    fn parts(openings: &[PastOpenings], min_members: u64) -> Vec<(i64, i64, bool)> {
        let sweeps: Vec<_> =
            (0..12).map(|n| PastSweep { started_at: at(n * 15), finished_at: at(n * 15 + 5) }).collect();
        let connections = BTreeMap::from([("cerner".into(), 1_000), ("epic".into(), 50)]);
        let policy = StormPolicy { min_members, share: 0.2, fleet_share: 0.5, window: TimeDelta::hours(1) };
        let holds = simulate(&Openings::new(openings), &connections, &sweeps, &policy, 10);
        let minute = |time: Time| (time - at(0)).num_minutes();
        holds
            .iter()
            .map(|hold| (minute(hold.from), hold.end.map_or(-1, minute), hold.hold.is_dripping))
            .collect()
    }

    #[test]
    fn a_storm_begins_with_the_end_of_its_sweep_and_goes_out_little_by_little() {
        let openings = [opened(16, "epic", 12), opened(17, "epic", 8), opened(18, "cerner", 20)];
        assert_eq!(parts(&openings, 20), [(20, 80, false), (80, 83, true)]);
        assert_eq!(parts(&openings, 21), [], "cerner has too many connections");
    }

    #[test]
    fn a_lapse_between_two_sweeps_can_begin_a_storm() {
        let openings = [opened(16, "epic", 19), opened(25, "epic", 1)];
        assert_eq!(parts(&openings, 20).first(), Some(&(25, 95, false)));
    }
}
