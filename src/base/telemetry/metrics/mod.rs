//! The metrics. Label values come from fixed sets, never from ids or foreign text: each value is a time series.

mod catalog;
mod counts;
mod gauges;
mod names;

pub(crate) use counts::*;
pub(crate) use gauges::*;

use metrics_exporter_prometheus::{BuildError, PrometheusHandle};
use metrics_process::Collector;

/// The process's recorder. Cheap to clone.
#[derive(Clone)]
pub struct MetricsPage {
    handle: PrometheusHandle,
    process: Collector,
}

impl MetricsPage {
    /// Installs the process's recorder. Values that are counted before are lost.
    ///
    /// # Errors
    /// When a recorder is already installed.
    pub(crate) fn install() -> Result<Self, BuildError> {
        let handle = catalog::builder()?.install_recorder()?;
        catalog::describe();
        catalog::create_series();
        let process = Collector::default();
        process.describe();
        Ok(Self { handle, process })
    }

    /// All metrics, in the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        self.process.collect();
        self.handle.render()
    }

    /// Merges the values of the histograms, which take memory until then, or until the page is rendered.
    pub(crate) fn merge_histograms(&self) {
        self.handle.run_upkeep();
    }
}
