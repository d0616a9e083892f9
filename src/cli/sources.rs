//! `sources list`.

use super::completion::Completion;
use super::context::Context;
use super::output::{Rows, outln};
use crate::rows::SourceRow;
use chrono::TimeDelta;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum SourcesCommand {
    /// Show how many connections of each data source broke and recovered in 30 days, and how long both took
    List,
}

pub(super) async fn run(context: &Context, command: &SourcesCommand) -> anyhow::Result<Completion> {
    let SourcesCommand::List = command;
    list(context).await
}

/// Sources with the most open lapses come first.
async fn list(context: &Context) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let sources = store.source_stats(context.clock.now()).await?;
    const COLUMNS: [(&str, usize); 8] = [
        ("SOURCE", 20),
        ("CONNECTIONS", 11),
        ("OPEN", 6),
        ("LAPSED IN 30D", 16),
        ("RECOVERED IN 30D", 16),
        ("TO RECOVERY", 11),
        ("TO LAPSE", 11),
        ("NAME", 0),
    ];
    let mut rows = Rows::new(context.json, &COLUMNS);
    for stats in &sources {
        let row = SourceRow::from(stats);
        rows.row(
            &row,
            &[
                row.source,
                &row.connections.to_string(),
                &row.open_lapses.to_string(),
                &with_rate(row.lapsed_30d, stats.lapse_rate()),
                &with_rate(row.recovered_30d, stats.recovery_rate()),
                &duration(stats.recovery_median),
                &duration(stats.connected_median),
                row.name,
            ],
        )?;
    }
    if sources.is_empty() && !context.json {
        outln!("no sources");
    }
    Ok(Completion::Complete)
}

fn with_rate(count: u64, rate: Option<f64>) -> String {
    rate.map_or_else(|| count.to_string(), |rate| format!("{count} ({:.1} %)", rate * 100.0))
}

/// The two largest units, such as `3d 4h`.
fn duration(median: Option<TimeDelta>) -> String {
    let Some(median) = median else { return String::new() };
    let (days, hours) = (median.num_days(), median.num_hours());
    let (minutes, seconds) = (median.num_minutes(), median.num_seconds());
    match (days, hours, minutes) {
        (1.., ..) => format!("{days}d {}h", hours % 24),
        (_, 1.., _) => format!("{hours}h {}m", minutes % 60),
        (.., 1..) => format!("{minutes}m {}s", seconds % 60),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_at_most_two_units() {
        for (seconds, shown) in [
            (0, "0s"),
            (59, "59s"),
            (125, "2m 5s"),
            (3661, "1h 1m"),
            (86_400, "1d 0h"),
            (5_000_000, "57d 20h"),
        ] {
            assert_eq!(duration(Some(TimeDelta::seconds(seconds))), shown);
        }
        assert_eq!(duration(None), "");
    }

    #[test]
    fn a_rate_is_shown_where_there_is_one() {
        assert_eq!(with_rate(3, Some(0.0315)), "3 (3.1 %)");
        assert_eq!(with_rate(0, None), "0");
    }
}
