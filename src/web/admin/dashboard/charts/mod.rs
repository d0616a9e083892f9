//! Charts as inline SVG, each with a table behind it. Pure.
//!
//! Horizontal positions are percentages, so that a chart fills its place while its text keeps its size.

mod bars;
mod mark;
mod scale;
mod svg;

pub(super) use bars::{BarChart, ChartView, Layout, Series};
pub(super) use mark::Mark;
pub(super) use svg::share_bar;
