//! The gateway's responses, as this instance has counted them since its start. Read from the metrics in their text format.

use serde::Serialize;
use std::collections::BTreeMap;

const NAME: &str = "reconnectd_gateway_request_duration_seconds";

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct GatewayCalls {
    operation: String,
    requests: u64,
    failed: u64,
    /// The mean, in milliseconds.
    mean: i64,
}

/// By operation.
pub(super) fn read(metrics: &str) -> Vec<GatewayCalls> {
    let mut calls: BTreeMap<String, (GatewayCalls, f64)> = BTreeMap::new();
    for line in metrics.lines().filter_map(|line| line.strip_prefix(NAME)) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let (Some(operation), Ok(value)) = (label(series, "operation"), value.parse::<f64>()) else {
            continue;
        };
        let (row, sum) = calls.entry(operation.to_owned()).or_default();
        row.operation = operation.to_owned();
        if series.starts_with("_sum{") {
            *sum += value;
        } else if series.starts_with("_count{") {
            row.requests += value as u64;
            if label(series, "outcome") != Some("ok") {
                row.failed += value as u64;
            }
        }
    }
    let row = |(mut row, sum): (GatewayCalls, f64)| {
        row.mean = (sum * 1_000.0 / row.requests.max(1) as f64) as i64;
        row
    };
    calls.into_values().map(row).filter(|row| row.requests > 0).collect()
}

fn label<'a>(series: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = series.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_summed_over_their_outcomes() {
        let text = "# HELP reconnectd_gateway_request_duration_seconds x\n\
            reconnectd_gateway_request_duration_seconds_bucket{operation=\"list\",outcome=\"ok\",le=\"1\"} 3\n\
            reconnectd_gateway_request_duration_seconds_sum{operation=\"list\",outcome=\"ok\"} 0.9\n\
            reconnectd_gateway_request_duration_seconds_count{operation=\"list\",outcome=\"ok\"} 9\n\
            reconnectd_gateway_request_duration_seconds_sum{operation=\"list\",outcome=\"timeout\"} 1.1\n\
            reconnectd_gateway_request_duration_seconds_count{operation=\"list\",outcome=\"timeout\"} 1\n\
            reconnectd_gateway_request_duration_seconds_count{operation=\"oauth_url\",outcome=\"ok\"} 0\n";
        let list = GatewayCalls { operation: "list".into(), requests: 10, failed: 1, mean: 200 };
        assert_eq!(read(text), [list]);
        assert_eq!(read(""), []);
    }
}
