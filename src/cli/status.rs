//! `status`.

use super::completion::Completion;
use super::context::{Context, locked_warning};
use super::hold::{conditions, effect_of_end};
use super::output::{errln, outln, print_json};
use crate::detect::sweep::UNREACHABLE_AFTER;
use crate::explain::FUNNEL_DAYS;
use crate::rows::{FunnelRow, HoldRow, InstanceRow, StatusRow};
use crate::store::HoldRecord;
use chrono::TimeDelta;
use std::collections::BTreeMap;

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
    let status = StatusRow::new(
        &fleet,
        &funnel,
        rows,
        store.live_daemons(now).await?,
        store.count_events().await?,
        now,
    );
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
    let FunnelRow { lapsed, noticed, opened, redeemed, recovered, recovered_unnoticed } = status.funnel;
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
    for InstanceRow { instance_id, started_at, seen_at, version } in &status.instances {
        outln!("instance     {instance_id}: version {version}, running since {started_at}, seen {seen_at}");
    }
    Ok(Completion::Complete)
}
