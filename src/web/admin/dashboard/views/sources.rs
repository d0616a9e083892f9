//! Which sources are trouble?

use super::super::answer::Answer;
use super::super::charts::share_bar;
use super::super::error::PageError;
use super::super::format::{number, percent};
use super::super::render::{VIEWS, page};
use super::super::shown::shown;
use super::super::state::Dashboard;
use super::super::visit::Visit;
use crate::store::SourceStats;
use axum::extract::State;
use axum::response::Response;
use minijinja::Value;

/// Fewer lapses prove nothing.
const MIN_LAPSES: u64 = 5;
/// A source stands out when it breaks so many times as often as all together.
const TIMES: f64 = 2.0;

/// The sources that break far more often than all together, the worst first.
fn trouble(sources: &[SourceStats]) -> Vec<&SourceStats> {
    let (lapsed, connections) =
        sources.iter().fold((0, 0), |(lapsed, all), of| (lapsed + of.lapsed, all + of.connections));
    let overall = lapsed as f64 / u64::max(connections, 1) as f64;
    let rate = |of: &SourceStats| of.lapse_rate().unwrap_or(0.0);
    let mut found: Vec<_> =
        sources.iter().filter(|of| of.lapsed >= MIN_LAPSES && rate(of) >= overall * TIMES).collect();
    found.sort_by(|one, other| rate(other).total_cmp(&rate(one)));
    found
}

fn answer(sources: &[SourceStats]) -> Answer {
    if sources.is_empty() {
        return Answer::good("None.", "No source has a connection yet.");
    }
    let trouble = trouble(sources);
    let Some(worst) = trouble.first() else {
        return Answer::good(
            "None stands out.",
            "No source breaks at least twice as often as all sources together (last 30 days).",
        );
    };
    let recovered =
        worst.recovery_rate().map_or(String::new(), |rate| format!("; {} have recovered", percent(rate)));
    let others = match trouble.len() {
        1 => String::new(),
        2 => " One more source stands out.".to_owned(),
        many => format!(" {} more sources stand out.", many - 1),
    };
    Answer::warning(
        &format!("{}.", name(worst)),
        format!(
            "In 30 days, {} lapses among its {} connections ({}){recovered}.{others}",
            number(worst.lapsed),
            number(worst.connections),
            percent(worst.lapse_rate().unwrap_or(0.0))
        ),
    )
}

fn name(source: &SourceStats) -> &str {
    if source.name.is_empty() { source.source.as_str() } else { &source.name }
}

pub(in super::super) async fn view(
    State(state): State<Dashboard>,
    visit: Visit,
) -> Result<Response, PageError> {
    let sources = state.admin.fleet.sources().await?;
    let trouble: Vec<&str> = trouble(&sources).iter().map(|of| of.source.as_str()).collect();
    let highest =
        sources.iter().filter_map(SourceStats::lapse_rate).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let rows: Vec<Value> = sources
        .iter()
        .map(|of| {
            let rate = of.lapse_rate();
            shown! {
                id => of.source, name => name(of), connections => of.connections, open => of.open_lapses,
                lapsed => of.lapsed, recovered => of.recovered, lapse_rate => rate, recovery_rate => of.recovery_rate(),
                bar => Value::from_safe_string(share_bar(rate.unwrap_or(0.0) / highest)),
                recovery => of.recovery_median.map(|time| time.num_milliseconds()),
                connected => of.connected_median.map(|time| time.num_milliseconds()),
                is_trouble => trouble.contains(&of.source.as_str()),
            }
        })
        .collect();
    let content = shown! { answer => answer(&sources), rows };
    Ok(page(&visit, "sources.html", VIEWS[3].0, VIEWS[3].2, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, connections: u64, lapsed: u64, recovered: u64) -> SourceStats {
        SourceStats {
            source: name.into(),
            name: name.to_uppercase(),
            connections,
            open_lapses: 0,
            lapsed,
            recovered,
            recovery_median: None,
            connected_median: None,
        }
    }

    #[test]
    fn the_first_sentence_names_the_source_that_breaks_most_often() {
        let calm = source("calm", 1000, 10, 10);
        let bad = source("bad", 100, 23, 9);
        for (sources, expected) in [
            (vec![], "ok: None. No source has a connection yet."),
            (
                vec![calm.clone(), source("few", 2, 2, 0)],
                "ok: None stands out. No source breaks at least twice as often as all sources together (last 30 days).",
            ),
            (
                vec![calm.clone(), bad.clone()],
                "warn: BAD. In 30 days, 23 lapses among its 100 connections (23 %); 39 % have recovered.",
            ),
            (
                vec![calm, bad, source("worse", 10, 10, 0)],
                "warn: WORSE. In 30 days, 10 lapses among its 10 connections (100 %); 0 % have recovered. \
                 One more source stands out.",
            ),
        ] {
            assert_eq!(answer(&sources).sentence(), expected);
        }
    }
}
