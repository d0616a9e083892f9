//! `replay`: what another policy would have sent in the recorded past.

use super::completion::Completion;
use super::context::Context;
use super::output::{Rows, errln, outln, print_json, time};
use super::since::since;
use crate::base::config::Config;
use crate::domain::Time;
use crate::explain::{ReplayRow, Replayer, Summary};
use crate::rows::ReplayedRow;
use crate::server::replay::{Exactness, prepare_replay};
use chrono::TimeDelta;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// Rows that differ, in the output for people.
const SHOWN: usize = 50;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// A complete configuration file, of which the sections notices and storm apply; environment variables do not
    #[arg(long, value_name = "FILE")]
    with: PathBuf,
    /// Start this long ago
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = since)]
    since: TimeDelta,
    /// Count the members with more emails than this within any 30 days
    #[arg(long, value_name = "N", default_value_t = 6)]
    above: usize,
}

pub(super) async fn replay(context: &Context, arguments: &ReplayArgs) -> anyhow::Result<Completion> {
    let ReplayArgs { with, since, above } = arguments;
    let other = Config::load(Some(with), std::iter::empty::<(OsString, OsString)>())?.config;
    let store = context.store().await?;
    let until = context.clock.now();
    let from = until - *since;
    let (replay, exactness) = prepare_replay(&store, &other, *since, until, *above).await?;
    let notes = notes(&exactness, from);
    if context.json {
        notes.iter().for_each(|note| errln!("reconnectd: {note}"));
    }
    let mut differing = Vec::new();
    let show = |row: &ReplayRow| -> anyhow::Result<()> {
        if context.json {
            print_json(&ReplayedRow::from(row))?;
        } else if row.differs() && differing.len() < SHOWN {
            differing.push(row.clone());
        }
        Ok(())
    };
    let summary = Replayer::new(store).replay(&replay, show).await?;
    if !context.json {
        outln!("{} replayed from {} to {}", with.display(), time(from), time(until));
        for note in &notes {
            outln!("{note}");
        }
        print_summary(&summary, *above)?;
        print_differing(&summary, &differing)?;
    }
    Ok(Completion::Complete)
}

fn notes(exactness: &Exactness, from: Time) -> Vec<String> {
    let Exactness { recorded_since, has_other_storms, policy_changed_at } = exactness;
    let mut notes = Vec::new();
    match recorded_since {
        None => notes.push("not exact: the daemon has not recorded its past yet".to_owned()),
        Some(since) if *since > from => notes.push(format!(
            "exact since {}; of the time before, only the latest break of each connection is known",
            time(*since)
        )),
        Some(_) => {}
    }
    if *has_other_storms {
        notes
            .push("[storm] differs from the one that was in force: the storms are simulated, too".to_owned());
    }
    if let Some(at) = policy_changed_at {
        notes.push(format!("the policy in force changed meanwhile, last at {}", time(*at)));
    }
    notes
}

fn print_summary(summary: &Summary, above: usize) -> anyhow::Result<()> {
    let Summary { would, did, .. } = summary;
    outln!();
    outln!("{:<24}{:>12}{:>12}", "", "would send", "sent");
    let above = format!("members above {above}");
    for (title, would, did) in [
        ("members with email", would.members, did.members),
        ("emails", would.emails, did.emails),
        ("emails at night", would.at_night, did.at_night),
        (&above, would.above, did.above),
    ] {
        outln!("{title:<24}{would:>12}{did:>12}");
    }
    Ok(())
}

fn print_differing(summary: &Summary, differing: &[ReplayRow]) -> anyhow::Result<()> {
    outln!();
    if differing.is_empty() {
        outln!("no email differs");
        return Ok(());
    }
    let mut table = Rows::new(
        false,
        &[
            ("MEMBER", 20),
            ("STEP", 4),
            ("WOULD SEND AT", 24),
            ("SENT AT", 24),
            ("REASON", 20),
            ("CONNECTIONS", 0),
        ],
    );
    for row in differing.iter().map(ReplayedRow::from) {
        let cells = [
            row.member_id,
            &row.step.to_string(),
            row.would_send_at.as_deref().unwrap_or_default(),
            row.sent_at.as_deref().unwrap_or_default(),
            row.reason,
            &row.connections.join(", "),
        ];
        table.row(&row, &cells)?;
    }
    let more = summary.differing.saturating_sub(differing.len() as u64);
    if more > 0 {
        outln!("and {more} more; --json prints all rows");
    }
    Ok(())
}
