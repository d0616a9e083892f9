//! Did we reach people?

use super::super::answer::Answer;
use super::super::charts::{BarChart, Layout, Mark, Series, share_bar};
use super::super::error::PageError;
use super::super::format::{self, number, percent};
use super::super::render::{VIEWS, page};
use super::super::shown::shown;
use super::super::state::Dashboard;
use super::super::visit::Visit;
use super::days::DayRange;
use crate::store::{Funnel, RecoveryTimes};
use axum::extract::State;
use axum::response::Response;
use minijinja::Value;

/// Of the lapses that did not recover before an email.
const MOST: f64 = 0.9;

/// Lapses about which there was something to tell.
fn to_tell(funnel: &Funnel) -> u64 {
    funnel.lapsed.saturating_sub(funnel.recovered_unnoticed)
}

fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

fn answer(funnel: &Funnel, times: &RecoveryTimes) -> Answer {
    if funnel.lapsed == 0 {
        return Answer::good("There was no need.", "No connection broke in the last 30 days.");
    }
    let (told, told_share) = (to_tell(funnel), share(funnel.noticed, to_tell(funnel)));
    let recovered = format!(
        "{} of {} lapses of the last 30 days have recovered ({})",
        number(funnel.recovered),
        number(funnel.lapsed),
        percent(share(funnel.recovered, funnel.lapsed))
    );
    let median = times.median.map_or(String::new(), |median| {
        format!("; a recovery takes {} (the median)", format::duration(median))
    });
    let text = format!(
        "We told the members about {} of {} lapses that did not recover by themselves. {recovered}{median}.",
        number(funnel.noticed),
        number(told)
    );
    match told_share {
        share if share >= MOST || told == 0 => Answer::good("Yes.", text),
        share if share >= 0.5 => Answer::warning("Mostly.", text),
        _ => Answer::warning("Not yet.", text),
    }
}

/// The steps from a lapse to its recovery.
fn steps(funnel: &Funnel) -> Vec<Value> {
    let steps = [
        ("Lapsed", funnel.lapsed, "opened in the range"),
        ("Recovered without us", funnel.recovered_unnoticed, "before any email"),
        ("Told", funnel.noticed, "an email about it was sent"),
        ("Opened the page", funnel.opened, "a person opened a link"),
        ("Pressed the button", funnel.redeemed, "a link was redeemed"),
        ("Recovered", funnel.recovered, "CONNECTED again, with or without us"),
    ];
    steps
        .into_iter()
        .map(|(name, count, meaning)| {
            let share = share(count, funnel.lapsed);
            shown! { name, count, meaning, share, bar => Value::from_safe_string(share_bar(share)) }
        })
        .collect()
}

pub(in super::super) async fn view(
    State(state): State<Dashboard>,
    visit: Visit,
) -> Result<Response, PageError> {
    let funnel = state.admin.fleet.funnel().await?;
    let times = state.admin.fleet.recovery_times().await?;
    let trends = state.admin.fleet.trends().await?;
    let from = state.chart_start();
    let range = DayRange::new(from.date_naive(), visit.now.date_naive());
    let chart = BarChart {
        title: format!("Emails sent, and connections recovered, {}", range.describe()),
        unit: "Day (UTC)",
        labels: range.labels(),
        series: vec![
            Series { name: "emails sent".into(), values: range.values(&trends.sent, None) },
            Series { name: "recovered".into(), values: range.values(&trends.recovered, None) },
        ],
        layout: Layout::Paired,
        marks: Mark::between(&trends.marks, from, visit.now),
    };
    let content = shown! {
        answer => answer(&funnel, &times), steps => steps(&funnel), chart => chart.view(), recovered => times.recovered,
        median => times.median.map(|time| time.num_milliseconds()),
        nine_of_ten => times.nine_of_ten.map(|time| time.num_milliseconds()),
    };
    Ok(page(&visit, "reached.html", VIEWS[2].0, VIEWS[2].2, content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn the_first_sentence_counts_those_whom_an_email_reached() {
        let funnel = |lapsed, noticed, recovered, recovered_unnoticed| Funnel {
            lapsed,
            noticed,
            opened: 0,
            redeemed: 0,
            recovered,
            recovered_unnoticed,
        };
        let times = RecoveryTimes { median: Some(TimeDelta::minutes(552)), ..RecoveryTimes::default() };
        let none = RecoveryTimes::default();
        for (funnel, times, expected) in [
            (funnel(0, 0, 0, 0), none, "ok: There was no need. No connection broke in the last 30 days."),
            (
                funnel(2914, 2180, 1689, 612),
                times,
                "ok: Yes. We told the members about 2,180 of 2,302 lapses that did not recover by themselves. 1,689 of 2,914 \
                 lapses of the last 30 days have recovered (58 %); a recovery takes 9 h 12 min (the median).",
            ),
            (
                funnel(10, 5, 1, 1),
                none,
                "warn: Mostly. We told the members about 5 of 9 lapses that did not recover by themselves. 1 of 10 lapses of \
                 the last 30 days have recovered (10 %).",
            ),
            (
                funnel(10, 1, 0, 0),
                none,
                "warn: Not yet. We told the members about 1 of 10 lapses that did not recover by themselves. 0 of 10 lapses \
                 of the last 30 days have recovered (0 %).",
            ),
        ] {
            assert_eq!(answer(&funnel, &times).sentence(), expected);
        }
    }
}
