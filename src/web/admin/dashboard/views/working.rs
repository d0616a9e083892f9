//! Is it working?

use super::super::answer::Answer;
use super::super::charts::{BarChart, Layout, Mark, Series, share_bar};
use super::super::error::PageError;
use super::super::fault;
use super::super::format::{self, count, number};
use super::super::render::{VIEWS, page};
use super::super::shown::shown;
use super::super::state::Dashboard;
use super::super::visit::Visit;
use super::days::DayRange;
use super::gateway_calls;
use crate::base::telemetry::{LastReload, LoopState, StepResult};
use crate::domain::Time;
use crate::store::SweepRecord;
use axum::extract::State;
use axum::response::Response;
use chrono::TimeDelta;
use minijinja::Value;
use std::collections::BTreeMap;

const SWEEPS: u32 = 10;
/// The reasons for which all emails wait.
const MAIL_TROUBLE: [&str; 4] =
    ["mail_server_unreachable", "mail_server_busy", "smtp_misconfigured", "receiver_failing"];
/// An email that waits for longer is late.
const LATE: TimeDelta = TimeDelta::minutes(15);
/// A larger share of members without a usable response needs somebody's attention.
const MANY_UNCLEAR: f64 = 0.1;

/// What decides.
struct Facts<'a> {
    now: Time,
    last_sweep: Option<&'a SweepRecord>,
    sweeps_overdue: bool,
    /// The reason code, and the emails that wait for it.
    mail_trouble: Option<(&'a str, u64)>,
    queue_age: TimeDelta,
    failing_loops: &'a [&'static str],
    /// Since when a changed configuration cannot be loaded.
    reload_failed_since: Option<Time>,
}

fn answer(facts: &Facts<'_>) -> Answer {
    if facts.sweeps_overdue {
        return Answer::bad("No.", "No sweep has started for several periods of the schedule.");
    }
    let Some(sweep) = facts.last_sweep else {
        return Answer::warning("Not yet.", "No sweep has started.");
    };
    let (asked, total) = (sweep.members, sweep.members + sweep.skipped);
    let clear = asked.saturating_sub(sweep.unclear);
    if let Some(code) = &sweep.ended_early_because {
        let whose = fault::words(code).map_or(String::new(), |whose| format!(" ({whose})"));
        return Answer::bad(
            "No.",
            format!("The last sweep ended early after {}: {code}{whose}.", count(asked, "member")),
        );
    }
    if let Some((reason, waiting)) = facts.mail_trouble.filter(|_| facts.queue_age > LATE) {
        let age = format::duration(facts.queue_age);
        return Answer::bad(
            "No.",
            format!("{} could not be sent, the oldest for {age}: {reason}.", count(waiting, "email")),
        );
    }
    let covered = format!("covered {} of {} members", number(clear), number(total));
    let text = match sweep.finished_at {
        Some(at) => format!("The last sweep {covered} {}.", format::ago(at, facts.now)),
        None => format!(
            "A sweep runs since {}; so far it has {covered}.",
            format::words((facts.now - sweep.started_at).num_seconds())
        ),
    };
    if asked > 0 && sweep.unclear as f64 / asked as f64 > MANY_UNCLEAR {
        return Answer::warning("Mostly.", text);
    }
    if facts.queue_age > LATE {
        let age = format::duration(facts.queue_age);
        return Answer::warning(
            "Mostly.",
            format!("{text} The oldest email that is due has waited for {age}."),
        );
    }
    if let Some(name) = facts.failing_loops.first() {
        return Answer::warning("Mostly.", format!("{text} The last step of the {name} loop failed."));
    }
    if let Some(since) = facts.reload_failed_since {
        let age = format::duration(facts.now - since);
        return Answer::warning(
            "Mostly.",
            format!("{text} The changed configuration has had an error for {age}, and the old one goes on."),
        );
    }
    Answer::good("Yes.", text)
}

pub(in super::super) async fn view(
    State(state): State<Dashboard>,
    visit: Visit,
) -> Result<Response, PageError> {
    let (store, now) = (&state.admin.store, visit.now);
    let stats = state.admin.fleet.stats().await?;
    let funnel = state.admin.fleet.funnel().await?;
    let sweeps = store.last_sweeps(SWEEPS).await?;
    let queue = store.queue_state(now - TimeDelta::days(1)).await?;
    let holds = store.active_holds().await?;
    let metrics = state.health.metrics.as_ref().map(|metrics| metrics.render()).unwrap_or_default();
    let loops = state.health.loops.all();
    let failing: Vec<_> = loops
        .iter()
        .filter(|state| state.last_step.is_some_and(|(_, result)| result == StepResult::Failed))
        .map(|state| state.name)
        .collect();
    let trouble = queue.retried.iter().find(|(reason, _)| MAIL_TROUBLE.contains(&reason.as_str()));
    let queue_age = stats.queue_age(now);
    let last_reload = state.admin.config_reloads.last();
    let facts = Facts {
        now,
        last_sweep: sweeps.first(),
        sweeps_overdue: (state.health.sweeps_overdue)(),
        mail_trouble: trouble.map(|(reason, waiting)| (reason.as_str(), *waiting)),
        queue_age,
        failing_loops: &failing,
        reload_failed_since: last_reload.failure.as_ref().map(|failure| failure.since),
    };
    let instances: Vec<Value> = store
        .live_daemons(now)
        .await?
        .iter()
        .map(|instance| {
            shown! { id => instance.id, started_at => instance.started_at, seen_at => instance.seen_at,
            version => instance.version }
        })
        .collect();
    let loops = loop_rows(&loops);
    let content = shown! {
        answer => answer(&facts), sweeps => sweep_rows(&sweeps), queue_age => queue_age.num_milliseconds(),
        queued => stats.notices.get("queued"), sending => stats.notices.get("sending"), sent => queue.sent,
        retried => retried(&queue.retried), connections => shares(&stats.connections),
        credentials => shares(&stats.credentials_by_state()), unclear => coded(&stats.unclear),
        members => stats.members, paused => stats.paused, instances, loops,
        calls => gateway_calls::read(&metrics), reload => reload(&last_reload),
        policy_since => store.policy_since().await?, holds => holds.len(),
        under_old_keys => *state.admin.fleet.under_old_keys().await?,
        held => holds.iter().map(|hold| hold.notices).sum::<u64>(), chart => chart(&state).await?,
        funnel => shown! { lapsed => funnel.lapsed, noticed => funnel.noticed, opened => funnel.opened,
            redeemed => funnel.redeemed, recovered => funnel.recovered },
    };
    Ok(page(&visit, "working.html", VIEWS[0].0, VIEWS[0].2, content))
}

async fn chart(state: &Dashboard) -> Result<Value, PageError> {
    let trends = state.admin.fleet.trends().await?;
    let (from, now) = (state.chart_start(), state.now());
    let range = DayRange::new(from.date_naive(), now.date_naive());
    let series = |name: &str, counts| Series { name: name.to_owned(), values: range.values(counts, None) };
    let chart = BarChart {
        title: format!("Lapses opened and recovered, {}", range.describe()),
        unit: "Day (UTC)",
        labels: range.labels(),
        series: vec![series("opened", &trends.opened), series("recovered", &trends.recovered)],
        layout: Layout::Paired,
        marks: Mark::between(&trends.marks, from, now),
    };
    Ok(Value::from(minijinja::value::Serde(chart.view())))
}

fn reload(last: &LastReload) -> Value {
    let failure = last.failure.as_ref();
    shown! {
        loaded_at => last.loaded_at, is_reloaded => last.is_reloaded, needs_restart => last.needs_restart,
        failed_since => failure.map(|failure| failure.since), reasons => failure.map(|failure| failure.reasons.clone()),
    }
}

/// Loops of the same name share a row.
fn loop_rows(loops: &[LoopState]) -> Vec<Value> {
    let mut by_name: Vec<(&str, Vec<&LoopState>)> = Vec::new();
    for state in loops {
        match by_name.iter_mut().find(|(name, _)| *name == state.name) {
            Some((_, same)) => same.push(state),
            None => by_name.push((state.name, vec![state])),
        }
    }
    let row = |(name, same): (&str, Vec<&LoopState>)| {
        let last = same.iter().filter_map(|state| state.last_step).max_by_key(|(at, _)| *at);
        let failed = same.iter().filter_map(|state| state.last_failure).max_by_key(|(at, _)| *at);
        shown! {
            name, count => same.len(), last_step_at => last.map(|(at, _)| at),
            result => last.map_or("running", |(_, result)| result.as_str()), failed_at => failed.map(|(at, _)| at),
            reason => failed.map(|(_, reason)| reason),
        }
    };
    by_name.into_iter().map(row).collect()
}

fn sweep_rows(sweeps: &[SweepRecord]) -> Vec<Value> {
    let row = |sweep: &SweepRecord| {
        let took = sweep.finished_at.map(|at| (at - sweep.started_at).num_milliseconds());
        let code = sweep.ended_early_because.as_deref();
        shown! {
            started_at => sweep.started_at, took, members => sweep.members, unclear => sweep.unclear,
            skipped => sweep.skipped, transitions => sweep.transitions, complete => sweep.complete, code,
            fault => code.and_then(fault::words),
        }
    };
    sweeps.iter().map(row).collect()
}

fn retried(waiting: &[(String, u64)]) -> Vec<Value> {
    let row = |(reason, emails): &(String, u64)| {
        shown! { reason, emails, fault => fault::words(reason) }
    };
    waiting.iter().map(row).collect()
}

/// Counts with their shares, the largest first.
fn shares(counts: &BTreeMap<String, u64>) -> Vec<Value> {
    let total: u64 = counts.values().sum();
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let row = |(name, count): (&String, &u64)| {
        let share = *count as f64 / total.max(1) as f64;
        shown! { name, count, share, bar => Value::from_safe_string(share_bar(share)),
        fault => fault::words(name) }
    };
    sorted.into_iter().map(row).collect()
}

fn coded(counts: &BTreeMap<String, u64>) -> Vec<Value> {
    counts.iter().map(|(code, count)| shown! { code, count, fault => fault::words(code) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(change: impl FnOnce(&mut SweepRecord)) -> SweepRecord {
        let mut sweep = SweepRecord {
            started_at: Time::UNIX_EPOCH,
            finished_at: Some(Time::UNIX_EPOCH + TimeDelta::minutes(1)),
            members: 100_000,
            unclear: 32,
            skipped: 0,
            transitions: 41,
            complete: true,
            ended_early_because: None,
        };
        change(&mut sweep);
        sweep
    }

    fn facts(last_sweep: Option<&SweepRecord>) -> Facts<'_> {
        Facts {
            now: Time::UNIX_EPOCH + TimeDelta::minutes(5),
            last_sweep,
            sweeps_overdue: false,
            mail_trouble: None,
            queue_age: TimeDelta::zero(),
            failing_loops: &[],
            reload_failed_since: None,
        }
    }

    #[test]
    fn the_first_sentence_says_whether_it_works() {
        let good = sweep(|_| {});
        let running = sweep(|sweep| (sweep.members, sweep.finished_at) = (500, None));
        let early = sweep(|sweep| {
            (sweep.members, sweep.ended_early_because) = (51, Some("most_polls_failed".into()));
        });
        let unclear = sweep(|sweep| sweep.unclear = 20_000);
        let cases = [
            (facts(None), "warn: Not yet. No sweep has started."),
            (facts(Some(&good)), "ok: Yes. The last sweep covered 99,968 of 100,000 members 4 minutes ago."),
            (
                facts(Some(&running)),
                "ok: Yes. A sweep runs since 5 minutes; so far it has covered 468 of 500 members.",
            ),
            (
                facts(Some(&early)),
                "bad: No. The last sweep ended early after 51 members: most_polls_failed (the gateway's).",
            ),
            (
                facts(Some(&unclear)),
                "warn: Mostly. The last sweep covered 80,000 of 100,000 members 4 minutes ago.",
            ),
            (
                Facts { sweeps_overdue: true, ..facts(Some(&good)) },
                "bad: No. No sweep has started for several periods of the schedule.",
            ),
            (
                Facts {
                    mail_trouble: Some(("mail_server_unreachable", 1204)),
                    queue_age: TimeDelta::hours(2),
                    ..facts(Some(&good))
                },
                "bad: No. 1,204 emails could not be sent, the oldest for 2 h: mail_server_unreachable.",
            ),
            (
                Facts { queue_age: TimeDelta::minutes(20), ..facts(Some(&good)) },
                "warn: Mostly. The last sweep covered 99,968 of 100,000 members 4 minutes ago. The oldest email that is due \
                 has waited for 20 min.",
            ),
            (
                Facts { reload_failed_since: Some(Time::UNIX_EPOCH), ..facts(Some(&good)) },
                "warn: Mostly. The last sweep covered 99,968 of 100,000 members 4 minutes ago. The changed configuration has \
                 had an error for 5 min, and the old one goes on.",
            ),
            (
                Facts { failing_loops: &["events"], ..facts(Some(&good)) },
                "warn: Mostly. The last sweep covered 99,968 of 100,000 members 4 minutes ago. The last step of the events \
                 loop failed.",
            ),
        ];
        for (facts, expected) in cases {
            assert_eq!(answer(&facts).sentence(), expected);
        }
    }
}
