//! `status`: the fleet at a glance.

use super::output::{Rows, maybe_time, say, time};
use super::{Context, Done};
use crate::store::{Fleet, SweepReport};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Status {
    members: u64,
    paused: u64,
    suppressed: u64,
    credentials: BTreeMap<String, u64>,
    connections: BTreeMap<String, u64>,
    person_mismatches: u64,
    lapses_open: u64,
    notices: BTreeMap<String, u64>,
    last_sweep: Option<LastSweep>,
}

#[derive(Serialize)]
struct LastSweep {
    started_at: String,
    finished_at: Option<String>,
    members: u64,
    unclear: u64,
    transitions: u64,
    complete: bool,
    stopped: Option<String>,
}

impl From<Fleet> for Status {
    fn from(fleet: Fleet) -> Self {
        let mut credentials = fleet.credentials;
        let troubled: u64 = credentials.values().sum();
        credentials.insert("ok".into(), fleet.members.saturating_sub(troubled));
        let last_sweep = fleet.last_sweep.map(|sweep: SweepReport| LastSweep {
            started_at: time(sweep.started_at),
            finished_at: maybe_time(sweep.finished_at),
            members: sweep.members,
            unclear: sweep.unclear,
            transitions: sweep.transitions,
            complete: sweep.complete,
            stopped: sweep.stopped,
        });
        Self {
            members: fleet.members,
            paused: fleet.paused,
            suppressed: fleet.suppressed,
            credentials,
            connections: fleet.connections,
            person_mismatches: fleet.person_mismatches,
            lapses_open: fleet.lapses_open,
            notices: fleet.notices,
            last_sweep,
        }
    }
}

/// `status`.
pub(super) async fn status(context: &Context) -> anyhow::Result<Done> {
    let store = context.store().await?;
    let status = Status::from(store.fleet(context.needs_token()).await?);
    if context.json {
        Rows::new(true, &[]).row(&status, &[])?;
        return Ok(Done::All);
    }
    let counts = |counts: &BTreeMap<String, u64>| {
        let shown: Vec<_> = counts.iter().map(|(key, count)| format!("{key} {count}")).collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    };
    say!(
        "members      {} ({} paused, {} with mail suppressed)",
        status.members,
        status.paused,
        status.suppressed
    );
    say!("credentials  {}", counts(&status.credentials));
    say!("connections  {}", counts(&status.connections));
    if status.person_mismatches > 0 {
        say!(
            "mismatched   {} (CONNECTED, but for another person: `connections list`)",
            status.person_mismatches
        );
    }
    say!("lapses open  {}", status.lapses_open);
    say!("notices      {}", counts(&status.notices));
    match &status.last_sweep {
        None => say!("last sweep   none yet"),
        Some(sweep) => {
            let end = match (&sweep.finished_at, &sweep.stopped) {
                (None, _) => "under way, or cut off".to_owned(),
                (Some(_), Some(stopped)) => format!("ended early: {stopped}"),
                (Some(at), None) => format!("finished {at}"),
            };
            say!(
                "last sweep   {}: {} members, {} unclear, {} transitions, {end}",
                sweep.started_at,
                sweep.members,
                sweep.unclear,
                sweep.transitions
            );
        }
    }
    Ok(Done::All)
}
