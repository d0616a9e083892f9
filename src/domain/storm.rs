//! When many lapses at once look like the trouble of a source, not of its members.

use super::ConnectionId;
use chrono::TimeDelta;

/// The settings of the storm brake.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StormPolicy {
    /// Fewer lapses are never a storm. 0: no brake.
    pub min_members: u64,
    /// The share of a source's connections, from 0 to 1, from which on it is a storm.
    pub share: f64,
    /// The same for all sources together.
    pub fleet_share: f64,
    /// The lapses of this time count together.
    pub window: TimeDelta,
}

/// The recent lapses of a source, and all its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLapses {
    /// In lower case. `None`: all sources together.
    pub source: Option<ConnectionId>,
    pub lapsed: u64,
    pub connections: u64,
}

impl StormPolicy {
    /// Whether so many lapses can be a storm, however many connections there are.
    pub fn is_suspicious(&self, lapsed: u64) -> bool {
        self.min_members > 0 && lapsed >= self.min_members
    }

    /// The sources, perhaps with all of them together, whose lapses are a storm. `lapsed`: of all sources together.
    pub fn storms(&self, sources: &[SourceLapses], lapsed: u64) -> Vec<SourceLapses> {
        let connections = sources.iter().map(|source| source.connections).sum();
        let fleet = SourceLapses { source: None, lapsed, connections };
        sources.iter().chain([&fleet]).filter(|lapses| self.is_storm(lapses)).cloned().collect()
    }

    fn is_storm(&self, lapses: &SourceLapses) -> bool {
        let share = if lapses.source.is_some() { self.share } else { self.fleet_share };
        self.is_suspicious(lapses.lapsed) && lapses.lapsed as f64 >= share * lapses.connections as f64
    }
}

/// Whether fewer than half as many lapses as triggered the storm have opened since.
pub fn has_calmed(triggered_by: u64, lapsed: u64) -> bool {
    lapsed * 2 < triggered_by
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> StormPolicy {
        StormPolicy { min_members: 25, share: 0.2, fleet_share: 0.1, window: TimeDelta::hours(1) }
    }

    fn lapses(source: &str, lapsed: u64, connections: u64) -> SourceLapses {
        SourceLapses { source: Some(source.into()), lapsed, connections }
    }

    fn storms(policy: StormPolicy, sources: &[SourceLapses]) -> Vec<String> {
        let name = |storm: SourceLapses| storm.source.map_or("all".to_owned(), |source| source.to_string());
        let lapsed = sources.iter().map(|source| source.lapsed).sum();
        policy.storms(sources, lapsed).into_iter().map(name).collect()
    }

    #[test]
    fn a_storm_is_many_lapses_and_a_large_share() {
        for (sources, expected) in [
            (vec![lapses("epic", 25, 125), lapses("cerner", 0, 1_000)], vec!["epic"]),
            (vec![lapses("epic", 24, 24)], vec![]),
            (vec![lapses("epic", 25, 126), lapses("cerner", 0, 1_000)], vec![]),
            (vec![lapses("epic", 50, 500), lapses("cerner", 50, 500)], vec!["all"]),
            (vec![lapses("epic", 40, 40), lapses("cerner", 3, 300)], vec!["epic", "all"]),
        ] {
            assert_eq!(storms(policy(), &sources), expected, "{sources:?}");
        }
        let none = StormPolicy { min_members: 0, ..policy() };
        assert_eq!(storms(none, &[lapses("epic", 100, 100)]), Vec::<String>::new());
    }

    #[test]
    fn a_storm_is_over_when_fewer_than_half_as_many_lapse() {
        assert_eq!([has_calmed(100, 50), has_calmed(100, 49), has_calmed(0, 0)], [false, true, false]);
    }
}
