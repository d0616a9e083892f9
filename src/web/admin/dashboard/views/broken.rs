//! What broke?

use super::super::answer::Answer;
use super::super::charts::{BarChart, Layout, Mark, Series, share_bar};
use super::super::error::PageError;
use super::super::format::{count, number};
use super::super::render::{VIEWS, page};
use super::super::shown::shown;
use super::super::state::Dashboard;
use super::super::visit::Visit;
use super::days::DayRange;
use super::names::SourceNames;
use crate::domain::ConnectionId;
use crate::store::OpenByAge;
use axum::extract::{Query, State};
use axum::response::Response;
use chrono::{NaiveTime, TimeDelta};
use minijinja::Value;
use serde::Deserialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The ages that separate the columns, and their headings.
const AGES: [(TimeDelta, &str); 5] = [
    (TimeDelta::hours(6), "under 6 h"),
    (TimeDelta::hours(24), "6 to 24 h"),
    (TimeDelta::days(3), "1 to 3 days"),
    (TimeDelta::days(10), "3 to 10 days"),
    (TimeDelta::days(30), "10 to 30 days"),
];
const OLDEST: &str = "over 30 days";
const BANDS: usize = AGES.len() + 1;

#[derive(Deserialize)]
pub(in super::super) struct Filter {
    /// The id of a source.
    source: Option<String>,
}

/// The open lapses of one source, by age.
struct SourceRow {
    source: ConnectionId,
    name: String,
    ages: [u64; BANDS],
}

impl SourceRow {
    fn total(&self) -> u64 {
        self.ages.iter().sum()
    }
}

/// The sources with the most open lapses first.
fn rows(open: &[OpenByAge], names: &SourceNames) -> Vec<SourceRow> {
    let mut sources: BTreeMap<&str, SourceRow> = BTreeMap::new();
    for of in open {
        let row = sources.entry(of.source.as_str()).or_insert_with(|| SourceRow {
            source: of.source.clone(),
            name: names.of(&of.source),
            ages: [0; BANDS],
        });
        row.ages[of.band.min(BANDS - 1)] += of.count;
    }
    let mut rows: Vec<_> = sources.into_values().collect();
    rows.sort_by_cached_key(|row| (Reverse(row.total()), row.name.to_lowercase()));
    rows
}

fn answer(rows: &[SourceRow], opened_today: u64) -> Answer {
    let total: u64 = rows.iter().map(SourceRow::total).sum();
    let Some(first) = rows.first() else {
        return Answer::good(
            "Nothing.",
            "Every connection that we watch works, or needs nothing from its member.",
        );
    };
    let sources = count(rows.len() as u64, "source");
    let most = if rows.len() == 1 {
        format!("at {}", first.name)
    } else {
        format!("at {sources}; the most, {}, at {}", number(first.total()), first.name)
    };
    let need = if total == 1 { "It needs its member" } else { "They need their members" };
    Answer::warning(
        &format!("{}.", count(total, "connection")),
        format!("{need}, {most}. Since midnight UTC, {} broke.", number(opened_today)),
    )
}

pub(in super::super) async fn view(
    State(state): State<Dashboard>,
    Query(filter): Query<Filter>,
    visit: Visit,
) -> Result<Response, PageError> {
    let names = SourceNames::load(&state).await?;
    let limits = AGES.map(|(age, _)| age);
    let open = state.admin.store.open_lapses_by_age(&limits, visit.now).await?;
    let rows = rows(&open, &names);
    let trends = state.admin.fleet.trends().await?;
    let from = state.chart_start();
    let range = DayRange::new(from.date_naive(), visit.now.date_naive());
    let source = filter.source.map(|id| id.to_ascii_lowercase()).filter(|id| !id.is_empty());
    let opened = range.values(&trends.opened, source.as_deref());
    // The trends can be some minutes old.
    let midnight = visit.now.date_naive().and_time(NaiveTime::MIN).and_utc();
    let opened_today = state.admin.store.lapses_by_day(midnight).await?.iter().map(|of| of.count).sum();
    let about = source.as_ref().map(|id| names.of(&ConnectionId::new(id.as_str())));
    let of = about.as_ref().map_or(String::new(), |name| format!(" at {name}"));
    let recovered =
        Series { name: "recovered".into(), values: range.values(&trends.recovered, source.as_deref()) };
    let chart = BarChart {
        title: format!("Lapses opened and recovered{of}, {}", range.describe()),
        unit: "Day (UTC)",
        labels: range.labels(),
        series: vec![Series { name: "opened".into(), values: opened }, recovered],
        layout: Layout::Paired,
        marks: Mark::between(&trends.marks, from, visit.now),
    };
    let largest = rows.first().map_or(1, SourceRow::total).max(1);
    let shown: Vec<Value> = rows
        .iter()
        .filter(|row| source.as_deref().is_none_or(|id| row.source.as_str() == id))
        .map(|row| {
            let share = row.total() as f64 / largest as f64;
            shown! { id => row.source, name => row.name, ages => row.ages, total => row.total(),
            bar => Value::from_safe_string(share_bar(share)) }
        })
        .collect();
    let ages: Vec<_> = AGES.iter().map(|(_, heading)| *heading).chain([OLDEST]).collect();
    let sources: Vec<Value> = rows.iter().map(|row| shown! { id => row.source, name => row.name }).collect();
    let content = shown! {
        answer => answer(&rows, opened_today), rows => shown, ages, chart => chart.view(), source, about, sources,
    };
    Ok(page(&visit, "broken.html", VIEWS[1].0, VIEWS[1].2, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_names_the_source_with_the_most_open_lapses() {
        let names = SourceNames::default();
        let open = |source: &str, band, count| OpenByAge { source: source.into(), band, count };
        assert_eq!(
            answer(&rows(&[], &names), 0).sentence(),
            "ok: Nothing. Every connection that we watch works, or needs nothing from its member."
        );
        assert_eq!(
            answer(&rows(&[open("epic", 0, 1)], &names), 1).sentence(),
            "warn: 1 connection. It needs its member, at epic. Since midnight UTC, 1 broke."
        );
        let several = [open("cigna", 0, 3), open("epic", 0, 2), open("epic", 9, 2)];
        let rows = rows(&several, &names);
        assert_eq!(rows[0].ages, [2, 0, 0, 0, 0, 2]);
        assert_eq!(
            answer(&rows, 1200).sentence(),
            "warn: 7 connections. They need their members, at 2 sources; the most, 4, at epic. Since midnight UTC, 1,200 \
             broke."
        );
    }
}
