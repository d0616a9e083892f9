//! Watches whether people press the links in emails as often as usual.

use crate::base::telemetry::metrics;
use crate::explain::FleetReports;
use crate::server::components::App;
use crate::server::runner::{Loop, Progress};
use crate::traffic::{PathAlarm, PathKind};
use std::collections::BTreeMap;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(60 * 60);

pub(super) struct PathWatchLoop {
    fleet: FleetReports,
    /// The alarms of the last evaluation.
    active: BTreeMap<(PathKind, String), PathAlarm>,
}

impl PathWatchLoop {
    pub(super) fn new(app: &App) -> Self {
        Self { fleet: app.fleet.clone(), active: BTreeMap::new() }
    }
}

impl Loop for PathWatchLoop {
    const NAME: &'static str = "path_watch";

    async fn step(&mut self) -> anyhow::Result<Progress> {
        let alarms = self.fleet.path_alarms().await?;
        for kind in [PathKind::Source, PathKind::Domain] {
            let of_kind = alarms.iter().filter(|alarm| alarm.kind == kind);
            metrics::set_path_alarms(kind.as_str(), of_kind.count());
        }
        let key = |alarm: &PathAlarm| (alarm.kind, alarm.name.clone());
        let active: BTreeMap<_, _> = alarms.iter().map(|alarm| (key(alarm), alarm.clone())).collect();
        for (key, alarm) in &active {
            if !self.active.contains_key(key) {
                log_begin(alarm);
            }
        }
        for (key, alarm) in &self.active {
            if !active.contains_key(key) {
                log_end(alarm);
            }
        }
        self.active = active;
        Ok(Progress::Pause(INTERVAL))
    }
}

fn log_begin(alarm: &PathAlarm) {
    let PathAlarm { kind, name, usual, recent } = alarm;
    tracing::error!(
        event = "path_alarm",
        state = "began",
        kind = kind.as_str(),
        %name,
        usual_emails = usual.emails,
        usual_pressed = usual.pressed,
        recent_emails = recent.emails,
        recent_pressed = recent.pressed,
        "people press far fewer links in emails than usual: are the links broken, rewritten, or in spam folders?"
    );
}

fn log_end(alarm: &PathAlarm) {
    tracing::warn!(
        event = "path_alarm",
        state = "ended",
        kind = alarm.kind.as_str(),
        name = %alarm.name,
        "people press links in emails as usual again, or too few emails go out to tell"
    );
}
