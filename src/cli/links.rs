//! `links activity`: link views and button presses by email domain. `links revoke`: ends a member's links.

use super::completion::Completion;
use super::context::Context;
use super::output::{Rows, outln, print_json};
use super::since::since;
use crate::domain::MemberId;
use crate::rows::{LinkActivityRow, RevokedLinksRow};
use crate::store::RevokedLinks;
use anyhow::bail;
use chrono::TimeDelta;
use clap::Subcommand;

/// Domains with fewer enrolled members are shown as `other`.
const MIN_MEMBERS: u32 = 5;

#[derive(Debug, Subcommand)]
pub(super) enum LinksCommand {
    /// Count link views and button presses by email domain, bots and people separately
    Activity {
        /// Start this long ago, at the beginning of that day (UTC)
        #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = since)]
        since: TimeDelta,
    },
    /// Revoke all links and unsubscribe links of a member, such as after an email to a wrong address
    Revoke {
        #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
        member: String,
    },
}

pub(super) async fn links(context: &Context, command: &LinksCommand) -> anyhow::Result<Completion> {
    match command {
        LinksCommand::Activity { since } => activity(context, *since).await,
        LinksCommand::Revoke { member } => revoke(context, &MemberId::from(member.as_str())).await,
    }
}

async fn revoke(context: &Context, member: &MemberId) -> anyhow::Result<Completion> {
    let store = context.store_to_write().await?;
    let Some(revoked) = store.revoke_links(member, context.clock.now()).await? else {
        bail!("there is no member {member}; see `reconnectd members list`");
    };
    if context.json {
        print_json(&RevokedLinksRow { member_id: member.as_str(), revoked })?;
    } else {
        let RevokedLinks { links, unsubscribe_links } = revoked;
        outln!("{member}: revoked {links} links and {unsubscribe_links} unsubscribe links");
    }
    Ok(Completion::Complete)
}

/// Domains with the most presses by bots come first.
async fn activity(context: &Context, since: TimeDelta) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let domains = store.link_activity(context.clock.now() - since, MIN_MEMBERS).await?;
    const COLUMNS: [(&str, usize); 6] = [
        ("DOMAIN", 28),
        ("BOT VIEWS", 9),
        ("HUMAN VIEWS", 11),
        ("BOT PRESSES", 11),
        ("HUMAN PRESSES", 13),
        ("HINT", 0),
    ];
    let mut rows = Rows::new(context.json, &COLUMNS);
    for row in domains.iter().map(LinkActivityRow::from) {
        let hint = hint(row.bot_presses, row.human_presses, context.config.links.max_redemptions);
        let numbers = [row.bot_views, row.human_views, row.bot_presses, row.human_presses];
        let [bot_views, human_views, bot_presses, human_presses] = numbers.map(|number| number.to_string());
        rows.row(&row, &[row.domain, &bot_views, &human_views, &bot_presses, &human_presses, &hint])?;
    }
    if domains.is_empty() && !context.json {
        outln!("no link activity");
    }
    Ok(Completion::Complete)
}

/// Fewer bot presses can be people who press quickly.
const MIN_BOT_PRESSES: u64 = 3;

/// Empty while bots make at most 5 % as many presses as people.
fn hint(bot_presses: u64, human_presses: u64, max_redemptions: u32) -> String {
    match max_redemptions {
        _ if bot_presses < MIN_BOT_PRESSES || bot_presses * 20 <= human_presses => String::new(),
        1 => "email scanners use up links here: set links.max_redemptions to 3".to_owned(),
        _ => format!("email scanners press here; links.max_redemptions is {max_redemptions}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_appears_when_bots_press_and_depends_on_the_limit() {
        for (bots, people) in [(0, 0), (2, 0), (0, 100), (5, 100)] {
            assert_eq!(hint(bots, people, 1), "", "{bots} presses by bots, {people} by people");
        }
        for (bots, people) in [(3, 0), (6, 100), (100, 1)] {
            assert!(hint(bots, people, 1).contains("set links.max_redemptions"));
            let raised = hint(bots, people, 3);
            assert!(raised.contains("is 3") && !raised.contains("set"));
        }
    }
}
