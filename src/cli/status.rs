//! `status`.

use super::completion::Completion;
use super::context::{Context, locked_warning};
use super::hold::{HoldRow, conditions, effect_of_end};
use super::output::{errln, optional_time, outln, print_json, time};
use crate::detect::sweep::UNREACHABLE_AFTER;
use crate::domain::Time;
use crate::explain::FUNNEL_DAYS;
use crate::store::{Funnel, HoldRecord, InstanceRecord, Stats, SweepRecord};
use chrono::TimeDelta;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Status<'a> {
    members: u64,
    paused: u64,
    suppressed: u64,
    unreachable: u64,
    /// By reason code.
    unreachable_reasons: BTreeMap<String, u64>,
    /// By reason code.
    unclear: BTreeMap<String, u64>,
    /// The latest usable response of any member.
    last_answer_at: Option<String>,
    credentials: BTreeMap<String, u64>,
    connections: BTreeMap<String, u64>,
    person_mismatches: u64,
    lapses_open: u64,
    notices: BTreeMap<String, u64>,
    /// The age of the oldest notice that was due and is not sent.
    queue_age_seconds: u64,
    events: BTreeMap<String, u64>,
    /// Those that have not ended.
    holds: u64,
    active_holds: Vec<HoldRow<'a>>,
    funnel: FunnelCounts,
    last_sweep: Option<LastSweep>,
    instances: Vec<LiveInstance>,
}

#[derive(Serialize)]
struct LiveInstance {
    instance_id: String,
    started_at: String,
    seen_at: String,
    version: String,
}

#[derive(Serialize)]
struct FunnelCounts {
    lapsed: u64,
    noticed: u64,
    opened: u64,
    redeemed: u64,
    recovered: u64,
    /// Of these, the lapses without an email.
    recovered_unnoticed: u64,
}

#[derive(Serialize)]
struct LastSweep {
    started_at: String,
    finished_at: Option<String>,
    members: u64,
    unclear: u64,
    skipped: u64,
    transitions: u64,
    complete: bool,
    ended_early_because: Option<String>,
}

impl<'a> Status<'a> {
    fn new(
        fleet: Stats,
        now: Time,
        funnel: Funnel,
        active_holds: Vec<HoldRow<'a>>,
        instances: Vec<InstanceRecord>,
        events: BTreeMap<String, u64>,
    ) -> Self {
        let queue_age_seconds = fleet.queue_age(now).num_seconds().unsigned_abs();
        let credentials = fleet.credentials_by_state();
        let last_sweep = fleet.last_sweep.map(|sweep: SweepRecord| LastSweep {
            started_at: time(sweep.started_at),
            finished_at: optional_time(sweep.finished_at),
            members: sweep.members,
            unclear: sweep.unclear,
            skipped: sweep.skipped,
            transitions: sweep.transitions,
            complete: sweep.complete,
            ended_early_because: sweep.ended_early_because,
        });
        let Funnel { lapsed, noticed, opened, redeemed, recovered, recovered_unnoticed } = funnel;
        Self {
            members: fleet.members,
            paused: fleet.paused,
            suppressed: fleet.suppressed,
            unreachable: fleet.unreachable.values().sum(),
            unreachable_reasons: fleet.unreachable,
            unclear: fleet.unclear,
            last_answer_at: optional_time(fleet.last_answer_at),
            credentials,
            connections: fleet.connections,
            person_mismatches: fleet.person_mismatches,
            lapses_open: fleet.lapses_open,
            queue_age_seconds,
            notices: fleet.notices,
            events,
            holds: active_holds.len() as u64,
            active_holds,
            funnel: FunnelCounts { lapsed, noticed, opened, redeemed, recovered, recovered_unnoticed },
            last_sweep,
            instances: instances
                .into_iter()
                .map(|instance| LiveInstance {
                    instance_id: instance.id.to_string(),
                    started_at: time(instance.started_at),
                    seen_at: time(instance.seen_at),
                    version: instance.version,
                })
                .collect(),
        }
    }
}

fn print_holds(holds: &[HoldRecord], drip_per_minute: u32) -> std::io::Result<()> {
    for hold in holds {
        outln!(
            "hold         {}: {} about {}, {} held notices (`notices list`); {}",
            hold.id,
            hold.kind.as_str(),
            conditions(&hold.scope),
            hold.notices,
            effect_of_end(hold, drip_per_minute)
        );
    }
    Ok(())
}

pub(super) async fn status(context: &Context) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let now = context.clock.now();
    let rules = context.credential_rules(&store).await?;
    let funnel = store.funnel(now - TimeDelta::days(FUNNEL_DAYS)).await?;
    let fleet = store.stats(&rules, now - UNREACHABLE_AFTER).await?;
    let (holds, drip_per_minute) = (store.active_holds().await?, context.config.storm.drip_per_minute);
    let rows = holds.iter().map(|hold| HoldRow::new(hold, drip_per_minute)).collect();
    let status =
        Status::new(fleet, now, funnel, rows, store.live_daemons(now).await?, store.count_events().await?);
    if let Some(locked) = status.credentials.get("locked") {
        errln!("reconnectd: {}", locked_warning(*locked));
    }
    if context.json {
        print_json(&status)?;
        return Ok(Completion::Complete);
    }
    let counts = |counts: &BTreeMap<String, u64>| {
        let shown: Vec<_> = counts.iter().map(|(key, count)| format!("{key} {count}")).collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    };
    outln!(
        "members      {} ({} paused, {} with a suppressed address)",
        status.members,
        status.paused,
        status.suppressed
    );
    outln!("credentials  {}", counts(&status.credentials));
    outln!("unclear      {}", counts(&status.unclear));
    outln!(
        "unreachable  {} (no usable response for 24 hours, or no more email: `members list --unreachable`)",
        counts(&status.unreachable_reasons)
    );
    outln!("connections  {}", counts(&status.connections));
    if status.person_mismatches > 0 {
        outln!(
            "mismatched   {} (CONNECTED, but probably to another person's records: `connections list`)",
            status.person_mismatches
        );
    }
    outln!("lapses open  {}", status.lapses_open);
    if status.holds > 0 {
        outln!("holds        {} (no email about what they cover: `hold list`)", status.holds);
    }
    print_holds(&holds, drip_per_minute)?;
    outln!("notices      {}", counts(&status.notices));
    if status.queue_age_seconds > 0 {
        outln!(
            "queue age    {} s (the oldest notice that was due and is not sent)",
            status.queue_age_seconds
        );
    }
    if !status.events.is_empty() {
        outln!("events       {}", counts(&status.events));
    }
    let FunnelCounts { lapsed, noticed, opened, redeemed, recovered, recovered_unnoticed } = status.funnel;
    outln!(
        "in {FUNNEL_DAYS} days   {lapsed} lapsed, {noticed} noticed, {opened} opened, {redeemed} redeemed, {recovered} recovered ({recovered_unnoticed} before any email)"
    );
    match &status.last_sweep {
        None => outln!("last sweep   none yet"),
        Some(sweep) => {
            let end = match (&sweep.finished_at, &sweep.ended_early_because) {
                (None, _) => "running or interrupted".to_owned(),
                (Some(_), Some(reason)) => format!("stopped early: {reason}"),
                (Some(at), None) => format!("finished {at}"),
            };
            outln!(
                "last sweep   {}: {} members, {} unclear, {} skipped, {} transitions, {end}",
                sweep.started_at,
                sweep.members,
                sweep.unclear,
                sweep.skipped,
                sweep.transitions
            );
        }
    }
    if status.instances.is_empty() {
        outln!("instances    none is running");
    }
    for LiveInstance { instance_id, started_at, seen_at, version } in &status.instances {
        outln!("instance     {instance_id}: version {version}, running since {started_at}, seen {seen_at}");
    }
    Ok(Completion::Complete)
}
