//! `why`: what was decided about a member's connections and emails, and the reasons.

use super::completion::Completion;
use super::context::Context;
use super::members::no_such_member;
use super::output::{errln, outln, print_json, single_line};
use crate::domain::{ConnectionId, MemberId};
use crate::explain::{Explainer, Explanation};
use crate::rows::WhyRow;
use crate::server::policies::planning_policy;
use anyhow::bail;
use clap::Args;
use std::sync::Arc;

/// More than anybody reads, and few enough for the memory.
const MAX_ENTRIES: u32 = 10_000;

/// The width of the output for people.
const WIDTH: usize = 100;

#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// The member's id
    member: MemberId,
    /// Only about this connection
    connection: Option<ConnectionId>,
}

/// Oldest first.
pub(super) async fn why(context: &Context, arguments: &WhyArgs) -> anyhow::Result<Completion> {
    let WhyArgs { member, connection } = arguments;
    let connection = connection.as_ref();
    let policy = Arc::new(planning_policy(&context.config));
    let explainer = Explainer::new(context.store().await?, policy, context.clock.clone());
    let (decisions, is_cut) = match explainer.why(member, connection, MAX_ENTRIES).await? {
        Explanation::Found { decisions, is_cut } => (decisions, is_cut),
        Explanation::NoSuchMember => return Err(no_such_member(member)),
        Explanation::NoSuchConnection => {
            let connection = connection.map_or("", ConnectionId::as_str);
            bail!(
                "member {member} has no connection {connection}; `reconnectd connections list --member ID` lists \
                 them"
            )
        }
    };
    if is_cut {
        let hint = if connection.is_none() { "; name a connection to see more about it" } else { "" };
        errln!("reconnectd: only the newest {MAX_ENTRIES} entries are shown{hint}");
    }
    for row in decisions.iter().map(WhyRow::from) {
        if context.json {
            print_json(&row)?;
        } else {
            print_lines(&row)?;
        }
    }
    if !context.json {
        let next = explainer.next_email(member, connection).await?;
        outln!("next: {}", single_line(&next));
    }
    Ok(Completion::Complete)
}

/// The time and the code, then the sentence below.
fn print_lines(row: &WhyRow<'_>) -> anyhow::Result<()> {
    let about = row.connection_id.map(|connection| format!("  {connection}")).unwrap_or_default();
    let times = match row.count {
        1 => String::new(),
        count => format!("  ({count} times until {})", row.last_at),
    };
    outln!("{}  {:<11} {}{}{times}", row.at, row.what, row.reason, single_line(&about));
    for line in wrap(row.text, WIDTH - INDENT.len()) {
        outln!("{INDENT}{line}");
    }
    Ok(())
}

const INDENT: &str = "    ";

/// Breaks a text at its blanks. A longer word has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sentence_is_broken_between_its_words() {
        assert_eq!(wrap("one two  three", 8), ["one two", "three"]);
        assert_eq!(wrap("extraordinary it is", 8), ["extraordinary", "it is"]);
        assert!(wrap("", 8).is_empty());
    }
}
