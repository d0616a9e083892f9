//! Bars, one place for each day or hour.

use super::super::format::number;
use super::mark::Mark;
use super::scale::top;
use super::svg::{add, escape, percent};
use serde::Serialize;

/// In pixels.
const TOP: f64 = 22.0;
const BASE: f64 = 160.0;
const HEIGHT: u32 = 182;
/// The part of a place that its bars fill.
const FILLED: f64 = 0.72;
/// The share of the width within which the numbers of marks would overlap.
const CLOSE: f64 = 0.03;
/// Styles for so many series.
const SERIES_STYLES: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Layout {
    Paired,
    Stacked,
}

#[derive(Clone, Debug)]
pub(in super::super) struct Series {
    pub(in super::super) name: String,
    /// One for each place.
    pub(in super::super) values: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(in super::super) struct BarChart {
    /// What it shows and over which range.
    pub(in super::super) title: String,
    /// The name of a place: "Day (UTC)".
    pub(in super::super) unit: &'static str,
    /// One for each place.
    pub(in super::super) labels: Vec<String>,
    pub(in super::super) series: Vec<Series>,
    pub(in super::super) layout: Layout,
    pub(in super::super) marks: Vec<Mark>,
}

/// For the template.
#[derive(Clone, Debug, Serialize)]
pub(in super::super) struct ChartView {
    svg: String,
    title: String,
    unit: &'static str,
    legend: Vec<LegendEntry>,
    rows: Vec<Row>,
    marks: Vec<Mark>,
    is_empty: bool,
}

#[derive(Clone, Debug, Serialize)]
struct LegendEntry {
    class: String,
    name: String,
    total: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    label: String,
    values: Vec<u64>,
}

impl BarChart {
    pub(in super::super) fn view(self) -> ChartView {
        let svg = self.svg();
        let legend: Vec<_> = self
            .series
            .iter()
            .enumerate()
            .map(|(place, series)| LegendEntry {
                class: class(place),
                name: series.name.clone(),
                total: series.values.iter().sum(),
            })
            .collect();
        let value = |series: &Series, place: usize| series.values.get(place).copied().unwrap_or(0);
        let rows = self.labels.iter().enumerate().map(|(place, label)| Row {
            label: label.clone(),
            values: self.series.iter().map(|series| value(series, place)).collect(),
        });
        ChartView {
            svg,
            unit: self.unit,
            is_empty: legend.iter().all(|entry| entry.total == 0),
            rows: rows.collect(),
            legend,
            title: self.title,
            marks: self.marks,
        }
    }

    fn svg(&self) -> String {
        let places = self.labels.len().max(1) as f64;
        let top_value = top(self.largest());
        let mut svg = String::new();
        add(
            &mut svg,
            format_args!(
                "<svg class=\"chart\" width=\"100%\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{}. The table below has \
                 the numbers.\">",
                escape(&self.title)
            ),
        );
        for (y, value) in [(TOP, top_value), (BASE, 0)] {
            add(&mut svg, format_args!("<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/>"));
            if value > 0 {
                add(&mut svg, format_args!("<text x=\"0\" y=\"{}\">{}</text>", y - 6.0, number(value)));
            }
        }
        for place in 0..self.labels.len() {
            self.add_bars(&mut svg, place, places, top_value);
        }
        self.add_labels(&mut svg, places);
        self.add_marks(&mut svg);
        svg.push_str("</svg>");
        svg
    }

    fn largest(&self) -> u64 {
        let of_place = |place: usize| {
            let values = self.series.iter().map(|series| series.values.get(place).copied().unwrap_or(0));
            match self.layout {
                Layout::Paired => values.max().unwrap_or(0),
                Layout::Stacked => values.sum(),
            }
        };
        (0..self.labels.len()).map(of_place).max().unwrap_or(0)
    }

    fn add_bars(&self, svg: &mut String, place: usize, places: f64, top_value: u64) {
        let start = (place as f64 + (1.0 - FILLED) / 2.0) / places;
        let (count, mut y) = (self.series.len().max(1) as f64, BASE);
        for (at, series) in self.series.iter().enumerate() {
            let value = series.values.get(place).copied().unwrap_or(0);
            if value == 0 {
                continue;
            }
            // One pixel at least, so that a single lapse among thousands can be seen.
            let height = ((BASE - TOP) * value as f64 / top_value as f64).max(1.0);
            let (x, width) = match self.layout {
                Layout::Paired => (start + FILLED / places / count * at as f64, FILLED / places / count),
                Layout::Stacked => (start, FILLED / places),
            };
            let bottom = if self.layout == Layout::Stacked { y } else { BASE };
            y = bottom - height;
            add(
                svg,
                format_args!(
                    "<rect class=\"{}\" x=\"{}\" width=\"{}\" y=\"{y:.1}\" height=\"{height:.1}\"><title>{}: {} {}</title></rect>",
                    class(at),
                    percent(x),
                    percent(width),
                    escape(&self.labels[place]),
                    number(value),
                    escape(&series.name)
                ),
            );
        }
    }

    /// Numbers that would overlap stand at the first of their lines.
    fn add_marks(&self, svg: &mut String) {
        let mut shown_until = f64::NEG_INFINITY;
        for (place, mark) in self.marks.iter().enumerate() {
            let x = percent(mark.position);
            add(
                svg,
                format_args!(
                    "<g class=\"mark {}\"><title>{}: {}</title><line x1=\"{x}\" x2=\"{x}\" y1=\"{TOP}\" y2=\"{BASE}\"/>",
                    mark.class,
                    mark.at.format("%Y-%m-%d %H:%M UTC"),
                    escape(&mark.text)
                ),
            );
            if mark.position - shown_until > CLOSE {
                shown_until = mark.position;
                let near =
                    self.marks[place..].iter().take_while(|other| other.position - mark.position <= CLOSE);
                let numbers: Vec<String> = near.map(|mark| mark.number.to_string()).collect();
                let anchor = if mark.position > 1.0 - CLOSE { "end" } else { "middle" };
                let y = TOP - 6.0;
                add(
                    svg,
                    format_args!(
                        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>",
                        numbers.join(",")
                    ),
                );
            }
            svg.push_str("</g>");
        }
    }

    /// The first, the middle, and the last.
    fn add_labels(&self, svg: &mut String, places: f64) {
        let last = self.labels.len().saturating_sub(1);
        let shown = [(0, "start"), (last / 2, "middle"), (last, "end")];
        for (place, anchor) in shown.into_iter().take(if last < 2 { 1 } else { 3 }) {
            let x = match anchor {
                "start" => 0.0,
                "end" => 1.0,
                _ => (place as f64 + 0.5) / places,
            };
            if let Some(label) = self.labels.get(place) {
                add(
                    svg,
                    format_args!(
                        "<text x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                        percent(x),
                        BASE + 17.0,
                        escape(label)
                    ),
                );
            }
        }
    }
}

fn class(series: usize) -> String {
    format!("s{}", series % SERIES_STYLES + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;
    use crate::store::{ChartMark, MarkKind};
    use chrono::TimeDelta;

    fn chart(layout: Layout, values: [[u64; 4]; 2]) -> BarChart {
        let [opened, recovered] = values.map(Vec::from);
        let from = Time::UNIX_EPOCH;
        let mark = ChartMark {
            at: from + TimeDelta::hours(36),
            kind: MarkKind::Storm,
            detail: Some("<epic>".into()),
        };
        BarChart {
            title: "Lapses, January 1 to 4".into(),
            unit: "Day (UTC)",
            labels: ["Jan 1", "Jan 2", "Jan 3", "Jan 4"].map(String::from).into(),
            series: vec![
                Series { name: "opened".into(), values: opened },
                Series { name: "recovered".into(), values: recovered },
            ],
            layout,
            marks: Mark::between(&[mark], from, from + TimeDelta::days(4)),
        }
    }

    #[test]
    fn paired_bars_stand_side_by_side() {
        insta::assert_snapshot!(
            chart(Layout::Paired, [[1, 0, 8, 1200], [0, 0, 4, 600]]).svg().replace('>', ">\n")
        );
    }

    #[test]
    fn stacked_bars_stand_on_one_another() {
        insta::assert_snapshot!(
            chart(Layout::Stacked, [[1, 2, 0, 0], [1, 2, 0, 0]]).svg().replace('>', ">\n")
        );
    }

    #[test]
    fn a_chart_without_values_says_so_and_has_a_row_for_each_place() {
        let view = chart(Layout::Paired, [[0; 4], [0; 4]]).view();
        assert!(view.is_empty);
        assert_eq!(view.rows.len(), 4);
        assert!(!view.svg.contains("<rect"));
    }
}
