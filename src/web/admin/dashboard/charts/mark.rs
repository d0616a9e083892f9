//! Marks of what explains a change in a chart.

use crate::domain::Time;
use crate::store::{ChartMark, MarkKind};
use serde::Serialize;

/// More would hide the bars.
pub(super) const MAX_MARKS: usize = 12;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in super::super) struct Mark {
    /// In the chart, from 1 on.
    pub(super) number: usize,
    /// From 0 to 1.
    #[serde(skip)]
    pub(super) position: f64,
    pub(in super::super) at: Time,
    pub(super) class: &'static str,
    pub(super) text: String,
}

impl Mark {
    /// The newest marks between two times.
    pub(in super::super) fn between(marks: &[ChartMark], from: Time, until: Time) -> Vec<Self> {
        let span = (until - from).num_milliseconds().max(1) as f64;
        let within: Vec<_> = marks.iter().filter(|mark| mark.at >= from && mark.at < until).collect();
        let newest = within.iter().skip(within.len().saturating_sub(MAX_MARKS));
        newest
            .enumerate()
            .map(|(place, mark)| Self {
                number: place + 1,
                position: (mark.at - from).num_milliseconds() as f64 / span,
                at: mark.at,
                class: class(mark.kind),
                text: describe(mark),
            })
            .collect()
    }
}

fn class(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Start => "start",
        MarkKind::Policy => "policy",
        MarkKind::OperatorHold | MarkKind::Storm => "hold",
    }
}

fn describe(mark: &ChartMark) -> String {
    let detail = mark.detail.as_deref();
    match mark.kind {
        MarkKind::Start => format!("an instance started, version {}", detail.unwrap_or("unknown")),
        MarkKind::Policy => "the policy changed".to_owned(),
        MarkKind::OperatorHold => format!("an operator held {}", detail.unwrap_or("every source")),
        MarkKind::Storm => format!("the storm brake held {}", detail.unwrap_or("every source")),
    }
}
