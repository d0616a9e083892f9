//! How long history is kept.

use super::time::Time;
use chrono::TimeDelta;

/// `None`: without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub transitions: Option<TimeDelta>,
    pub notices: Option<TimeDelta>,
    pub decisions: Option<TimeDelta>,
    pub audit: Option<TimeDelta>,
}

/// What is older goes. `None`: nothing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Horizons {
    pub(crate) transitions: Option<Time>,
    pub(crate) notices: Option<Time>,
    pub(crate) decisions: Option<Time>,
    pub(crate) audit: Option<Time>,
}

impl Retention {
    pub(crate) fn horizons(&self, now: Time) -> Horizons {
        let horizon = |kept: Option<TimeDelta>| now.checked_sub_signed(kept?);
        Horizons {
            transitions: horizon(self.transitions),
            notices: horizon(self.notices),
            decisions: horizon(self.decisions),
            audit: horizon(self.audit),
        }
    }
}

impl Horizons {
    /// Of lapses, which notices and decisions are about.
    pub(crate) fn lapses(&self) -> Option<Time> {
        Some(self.notices?.min(self.decisions?))
    }

    /// Of what a removed member leaves.
    pub(crate) fn members(&self) -> Option<Time> {
        Some(self.lapses()?.min(self.transitions?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_refer_to_stays_as_long_as_they_do() {
        let now = "2026-03-02T09:00:00Z".parse::<Time>().unwrap();
        let days = |days| Some(TimeDelta::days(days));
        let ago = |days| Some(now - TimeDelta::days(days));
        for (transitions, notices, decisions, lapses, members) in [
            (days(300), days(100), days(200), ago(200), ago(300)),
            (days(60), days(100), days(90), ago(100), ago(100)),
            (None, days(100), days(90), ago(100), None),
            (days(60), None, days(90), None, None),
        ] {
            let horizons = Retention { transitions, notices, decisions, audit: None }.horizons(now);
            assert_eq!((horizons.lapses(), horizons.members()), (lapses, members));
            assert_eq!(horizons.audit, None);
        }
    }
}
