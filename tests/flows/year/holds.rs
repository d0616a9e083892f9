//! Holds: those of the operator, and the storms that the daemon holds.

use super::connection::Time;
use super::model::Model;
use super::policies::STORM_WINDOW;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) member: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) until: Option<Time>,
    pub(crate) is_storm: bool,
    /// A storm that has calmed down holds only what it held.
    pub(crate) is_dripping: bool,
}

impl Hold {
    pub(crate) fn covers(&self, member: &str, source: &str, status: &str, now: Time) -> bool {
        let is =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        self.until.is_none_or(|until| now < until)
            && is(&self.member, member)
            && is(&self.source, source)
            && is(&self.status, status)
    }

    pub(crate) fn covers_all_email(&self, now: Time) -> bool {
        !self.is_storm
            && self.member.is_none()
            && self.source.is_none()
            && self.status.is_none()
            && self.until.is_none_or(|until| now < until)
    }
}

impl Model {
    /// What holds email about the connection. What a storm that has calmed down holds goes out within minutes.
    pub(crate) fn holding(&self, id: &str, source: &str, status: &str, now: Time) -> Option<&Hold> {
        self.holds.iter().find(|hold| !hold.is_dripping && hold.covers(id, source, status, now))
    }

    /// The lapses that opened, or opened again, within the window of the storm brake: by source, and among how many
    /// connections.
    pub(crate) fn recent_lapses(&self, now: Time) -> BTreeMap<&str, (usize, usize)> {
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let connections = self.members.values().flat_map(|member| &member.connections);
        for (source, connection) in connections.filter(|(_, connection)| connection.known.is_some()) {
            let (recent, all) = counts.entry(source).or_default();
            let confirmed_at = connection.lapse.as_ref().and_then(|lapse| lapse.confirmed_at);
            *recent += usize::from(confirmed_at.is_some_and(|at| now - at < STORM_WINDOW));
            *all += 1;
        }
        counts
    }
}
