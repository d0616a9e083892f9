//! What are we holding back?

use super::super::answer::Answer;
use super::super::charts::{BarChart, ChartView, Layout, Series};
use super::super::error::PageError;
use super::super::format::{self, count, number};
use super::super::render::{VIEWS, page};
use super::super::shown::shown;
use super::super::state::Dashboard;
use super::super::visit::{Order, Visit};
use super::changes;
use super::confirm::{Confirmation, Field, ask};
use super::names::SourceNames;
use crate::domain::{HoldId, HoldKind, HoldState, Time};
use crate::rows::drip_minutes;
use crate::store::{HoldRecord, HourCount, Release, Upcoming};
use axum::extract::{Query, State};
use axum::response::Response;
use chrono::TimeDelta;
use minijinja::Value;
use serde::Deserialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

const PATH: &str = VIEWS[4].0;
/// Including the rest of the present hour.
const HOURS: usize = 25;
/// The other sources of the chart share a series.
const NAMED_SOURCES: usize = 4;

/// What a hold covers, in words.
fn scope(hold: &HoldRecord, names: &SourceNames) -> String {
    let scope = &hold.scope;
    let parts: Vec<String> = [
        scope.source.as_ref().map(|source| names.of(source)),
        scope.member_id.as_ref().map(|member| format!("member {member}")),
        scope.status.as_ref().map(|status| format!("{} connections", status.as_str())),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() { "everything".to_owned() } else { parts.join(", ") }
}

fn answer(holds: &[HoldRecord], names: &SourceNames) -> Answer {
    if holds.is_empty() {
        return Answer::good("Nothing.", "No hold is active: each email goes out when its time has come.");
    }
    let emails = holds.iter().map(|hold| hold.notices).max().unwrap_or(0);
    let all: Vec<String> = holds
        .iter()
        .map(|hold| {
            let by = match (hold.kind, hold.state) {
                (HoldKind::Storm, HoldState::Dripping) => "the storm brake lets go of",
                (HoldKind::Storm, _) => "the storm brake holds",
                (HoldKind::Operator, _) => "an operator holds",
            };
            format!("{by} {} ({})", scope(hold, names), count(hold.notices, "email"))
        })
        .collect();
    let lead = if holds.len() == 1 { count(emails, "email") } else { count(holds.len() as u64, "hold") };
    let mut text = all.join("; ");
    text.replace_range(..1, &text[..1].to_uppercase());
    Answer::warning(&format!("{lead}."), format!("{text}."))
}

/// What the end of a hold means.
fn effect(hold: &HoldRecord, drip_per_minute: u32) -> String {
    if hold.would_email == 0 {
        return "A release sends nothing.".to_owned();
    }
    let emails = count(hold.would_email, "email");
    let release = format!("A release sends {emails} at once, as fast as the mail server accepts them.");
    let Some(minutes) = drip_minutes(hold, drip_per_minute) else { return release };
    let when = if hold.state == HoldState::Dripping { "from now on" } else { "once the storm is over" };
    format!(
        "{release} Left alone, they go out {when}, {} each minute, over {}.",
        number(drip_per_minute.into()),
        format::words(i64::try_from(minutes).unwrap_or(i64::MAX / 60) * 60)
    )
}

fn row(hold: &HoldRecord, names: &SourceNames, drip_per_minute: u32) -> Value {
    let is_storm = hold.kind == HoldKind::Storm;
    let share = hold.lapsed as f64 / hold.connections.max(1) as f64;
    shown! {
        id => hold.id, scope => scope(hold, names), kind => hold.kind.as_str(), state => hold.state.as_str(),
        since => hold.since, until => hold.until, reason => hold.reason, notices => hold.notices,
        would_email => hold.would_email, is_storm, lapsed => hold.lapsed, connections => hold.connections, share,
        effect => effect(hold, drip_per_minute),
    }
}

pub(in super::super) async fn view(
    State(state): State<Dashboard>,
    visit: Visit,
) -> Result<Response, PageError> {
    let store = &state.admin.store;
    let names = SourceNames::load(&state).await?;
    let holds = store.active_holds().await?;
    let until = visit.now + TimeDelta::hours(24);
    let upcoming = store.upcoming(visit.now, until).await?;
    let drip = state.admin.drip_per_minute;
    let content = shown! {
        answer => answer(&holds, &names), holds => holds.iter().map(|hold| row(hold, &names, drip)).collect::<Vec<_>>(),
        chart => upcoming_chart(&upcoming, visit.now, &names),
        emails => upcoming.emails, reminders => upcoming.reminders.iter().map(|of| of.count).sum::<u64>(), until,
        changes => changes::latest(store, None, visit.now).await?,
    };
    Ok(page(&visit, "held.html", PATH, VIEWS[4].2, content))
}

/// The emails of the next hours, stacked by source.
fn upcoming_chart(upcoming: &Upcoming, now: Time, names: &SourceNames) -> ChartView {
    let hour = now.timestamp() - now.timestamp().rem_euclid(3_600);
    let at = |place: usize| Time::from_timestamp(hour + place as i64 * 3_600, 0).unwrap_or(now);
    let place = |count: &HourCount| usize::try_from((count.hour.timestamp() - hour) / 3_600).ok();
    let mut by_source: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for of in upcoming.queued.iter().chain(&upcoming.reminders) {
        let name = of.source.as_ref().map_or("invitations".to_owned(), |source| names.of(source));
        let values = by_source.entry(name).or_insert_with(|| vec![0; HOURS]);
        if let Some(value) = place(of).and_then(|place| values.get_mut(place)) {
            *value += of.count;
        }
    }
    let mut series: Vec<Series> =
        by_source.into_iter().map(|(name, values)| Series { name, values }).collect();
    series.sort_by_key(|series| Reverse(series.values.iter().sum::<u64>()));
    if series.len() > NAMED_SOURCES + 1 {
        let rest = series.split_off(NAMED_SOURCES);
        let sum = |place: usize| rest.iter().map(|series| series.values[place]).sum();
        let name = format!("{} more sources", rest.len());
        series.push(Series { name, values: (0..HOURS).map(sum).collect() });
    }
    let chart = BarChart {
        title: format!(
            "Emails and reminders by hour and source, {} to {}",
            at(0).format("%Y-%m-%d %H:%M"),
            at(HOURS).format("%Y-%m-%d %H:%M UTC")
        ),
        unit: "Hour (UTC)",
        labels: (0..HOURS).map(|place| at(place).format("%a %H:%M").to_string()).collect(),
        series,
        layout: Layout::Stacked,
        marks: Vec::new(),
    };
    chart.view()
}

#[derive(Deserialize)]
pub(in super::super) struct Chosen {
    hold: String,
}

async fn find(state: &Dashboard, id: &str) -> Result<HoldRecord, PageError> {
    let holds = state.admin.store.active_holds().await?;
    holds.into_iter().find(|hold| hold.id.as_str() == id).ok_or(PageError::NoSuchHold)
}

pub(in super::super) async fn confirm(
    State(state): State<Dashboard>,
    Query(chosen): Query<Chosen>,
    visit: Visit,
) -> Result<Response, PageError> {
    let hold = find(&state, &chosen.hold).await?;
    let names = SourceNames::load(&state).await?;
    let button = match hold.would_email {
        0 => "Release the hold".to_owned(),
        emails => format!("Release {}", count(emails, "email")),
    };
    ask(
        &visit,
        &Confirmation {
            title: "Release this hold?",
            sentences: vec![
                format!("The hold covers {} and has {} now.", scope(&hold, &names), count(hold.notices, "email")),
                effect(&hold, state.admin.drip_per_minute),
                "Each email looks at its connection again just before it is sent; what has recovered is not emailed."
                    .to_owned(),
            ],
            action: "/held/release",
            fields: vec![Field { name: "hold", value: hold.id.as_str() }],
            button: Some(button),
            back: PATH.to_owned(),
            view: PATH,
        },
    )
}

pub(in super::super) async fn release(
    State(state): State<Dashboard>,
    order: Order,
) -> Result<Response, PageError> {
    let id = HoldId::new(order.field("hold").unwrap_or_default());
    let released = order.store(&state).release_hold(&id, state.now()).await?;
    let result = match released {
        Release::Released(emails) => format!("Released the hold; {} queued again.", are(emails)),
        Release::HadEnded => "The hold had ended already. Nothing was changed.".to_owned(),
        Release::Unknown => return Err(PageError::NoSuchHold),
    };
    Ok(order.done(&state, PATH, &result))
}

fn are(emails: u64) -> String {
    format!("{} {}", count(emails, "email"), if emails == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HoldScope;

    fn hold(kind: HoldKind, state: HoldState, notices: u64) -> HoldRecord {
        HoldRecord {
            id: "h1".into(),
            kind,
            state,
            scope: HoldScope { source: Some("epic".into()), ..HoldScope::default() },
            since: Time::UNIX_EPOCH,
            until: None,
            ended_at: None,
            reason: String::new(),
            lapsed: 1731,
            connections: 7500,
            notices,
            would_email: notices,
        }
    }

    #[test]
    fn the_first_sentence_says_what_is_held_and_by_whom() {
        let names = SourceNames::default();
        let storm = hold(HoldKind::Storm, HoldState::Holding, 1204);
        let operators = hold(HoldKind::Operator, HoldState::Holding, 1);
        for (holds, expected) in [
            (vec![], "ok: Nothing. No hold is active: each email goes out when its time has come."),
            (vec![storm.clone()], "warn: 1,204 emails. The storm brake holds epic (1,204 emails)."),
            (
                vec![operators, hold(HoldKind::Storm, HoldState::Dripping, 3)],
                "warn: 2 holds. An operator holds epic (1 email); the storm brake lets go of epic (3 emails).",
            ),
        ] {
            assert_eq!(answer(&holds, &names).sentence(), expected);
        }
        assert_eq!(
            effect(&storm, 60),
            "A release sends 1,204 emails at once, as fast as the mail server accepts them. Left alone, they go out once the \
             storm is over, 60 each minute, over 21 minutes."
        );
        assert_eq!(effect(&hold(HoldKind::Operator, HoldState::Holding, 0), 60), "A release sends nothing.");
    }
}
