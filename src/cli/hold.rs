//! `hold …`: orders not to send email.

use super::completion::{Completion, UsageError};
use super::context::Context;
use super::output::{Rows, optional_time, outln, print_json, time};
use crate::domain::{ConnectionId, HoldId, HoldScope, MemberId, Status, Time};
use crate::store::{HoldRecord, NewHold, Release};
use anyhow::{anyhow, bail};
use chrono::TimeDelta;
use clap::Subcommand;
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub(super) enum HoldCommand {
    /// Send no email about what meets every condition given, or none at all without conditions
    Add {
        /// Only about this data source
        #[arg(long, value_name = "ID", value_parser = source)]
        source: Option<ConnectionId>,
        /// Only to this member
        #[arg(long, value_name = "ID", value_parser = member)]
        member: Option<MemberId>,
        /// Only about connections with this status: EXPIRED or DISCONNECTED
        #[arg(long, value_parser = status)]
        status: Option<Status>,
        /// How long, such as 2h
        #[arg(long = "for", value_name = "DURATION", value_parser = duration, conflicts_with = "until")]
        duration: Option<TimeDelta>,
        /// Until when, such as 2026-03-01T08:00:00Z
        #[arg(long, value_name = "TIME")]
        until: Option<Time>,
        /// Why, for those who read the list
        #[arg(long)]
        reason: String,
    },
    /// List holds, the newest first
    List,
    /// End a hold now; what it held goes out, unless another hold covers it
    Release {
        #[arg(value_name = "ID")]
        id: String,
    },
}

fn source(id: &str) -> Result<ConnectionId, String> {
    if id.trim().is_empty() { Err("the id is empty".to_owned()) } else { Ok(ConnectionId::new(id)) }
}

fn member(id: &str) -> Result<MemberId, String> {
    if id.is_empty() { Err("the id is empty".to_owned()) } else { Ok(MemberId::new(id)) }
}

fn status(text: &str) -> Result<Status, String> {
    let status = Status::from(text);
    match status {
        Status::Expired | Status::Disconnected => Ok(status),
        _ => Err("members are emailed only about EXPIRED and DISCONNECTED connections".to_owned()),
    }
}

fn duration(text: &str) -> Result<TimeDelta, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    TimeDelta::from_std(duration)
        .ok()
        .filter(|time| *time > TimeDelta::zero())
        .ok_or("not a usable duration".to_owned())
}

pub(super) async fn run(context: &Context, command: &HoldCommand) -> anyhow::Result<Completion> {
    match command {
        HoldCommand::Add { source, member, status, duration, until, reason } => {
            let now = context.clock.now();
            let until = until.or(duration.and_then(|duration| now.checked_add_signed(duration)));
            if until.is_some_and(|until| until <= now) {
                return Err(UsageError(anyhow!("--until: that time is over")).into());
            }
            let scope =
                HoldScope { source: source.clone(), member_id: member.clone(), status: status.clone() };
            add(context, &NewHold { scope, until, reason: reason.clone() }, now).await
        }
        HoldCommand::List => list(context).await,
        HoldCommand::Release { id } => release(context, &HoldId::new(id.as_str())).await,
    }
}

#[derive(Serialize)]
struct HoldRow<'a> {
    hold_id: &'a HoldId,
    kind: &'static str,
    state: &'static str,
    source: Option<&'a ConnectionId>,
    member_id: Option<&'a MemberId>,
    status: Option<&'a str>,
    since: String,
    until: Option<String>,
    ended_at: Option<String>,
    reason: &'a str,
    lapsed: u64,
    connections: u64,
    notices: u64,
}

impl<'a> From<&'a HoldRecord> for HoldRow<'a> {
    fn from(hold: &'a HoldRecord) -> Self {
        Self {
            hold_id: &hold.id,
            kind: hold.kind.as_str(),
            state: hold.state.as_str(),
            source: hold.scope.source.as_ref(),
            member_id: hold.scope.member_id.as_ref(),
            status: hold.scope.status.as_ref().map(Status::as_str),
            since: time(hold.since),
            until: optional_time(hold.until),
            ended_at: optional_time(hold.ended_at),
            reason: &hold.reason,
            lapsed: hold.lapsed,
            connections: hold.connections,
            notices: hold.notices,
        }
    }
}

/// The conditions, in words.
fn conditions(scope: &HoldScope) -> String {
    let conditions: Vec<String> = [
        scope.source.as_ref().map(|source| format!("source {source}")),
        scope.member_id.as_ref().map(|member| format!("member {member}")),
        scope.status.as_ref().map(|status| format!("status {}", status.as_str())),
    ]
    .into_iter()
    .flatten()
    .collect();
    if conditions.is_empty() { "everything".to_owned() } else { conditions.join(", ") }
}

async fn add(context: &Context, new: &NewHold, now: Time) -> anyhow::Result<Completion> {
    let store = context.store_to_write().await?;
    let Some(hold) = store.add_hold(new, now).await? else {
        let member = new.scope.member_id.as_ref().map_or("", MemberId::as_str);
        bail!("there is no member {member}; see `reconnectd members list`");
    };
    if context.json {
        print_json(&HoldRow::from(&hold))?;
    } else {
        let until = hold.until.map_or("its release".to_owned(), time);
        outln!("hold {} covers {} until {until}", hold.id, conditions(&hold.scope));
        outln!("notices held now: {}", hold.notices);
    }
    Ok(Completion::Complete)
}

async fn list(context: &Context) -> anyhow::Result<Completion> {
    let columns = &[
        ("HOLD", 36),
        ("KIND", 8),
        ("STATE", 8),
        ("SINCE", 24),
        ("UNTIL", 24),
        ("NOTICES", 7),
        ("ABOUT", 24),
        ("REASON", 0),
    ];
    let mut rows = Rows::new(context.json, columns);
    for hold in context.store().await?.holds().await? {
        let row = HoldRow::from(&hold);
        let until = row.ended_at.as_deref().or(row.until.as_deref()).unwrap_or("its release");
        let (notices, about) = (row.notices.to_string(), conditions(&hold.scope));
        rows.row(
            &row,
            &[row.hold_id.as_str(), row.kind, row.state, &row.since, until, &notices, &about, row.reason],
        )?;
    }
    Ok(Completion::Complete)
}

#[derive(Serialize)]
struct ReleasedRow<'a> {
    hold_id: &'a HoldId,
    released: bool,
    notices: u64,
}

async fn release(context: &Context, id: &HoldId) -> anyhow::Result<Completion> {
    let store = context.store_to_write().await?;
    let (released, notices) = match store.release_hold(id, context.clock.now()).await? {
        Release::Unknown => bail!("there is no hold {id}; see `reconnectd hold list`"),
        Release::HadEnded => (false, 0),
        Release::Released(notices) => (true, notices),
    };
    if context.json {
        print_json(&ReleasedRow { hold_id: id, released, notices })?;
    } else if released {
        outln!("the hold has ended; notices queued again: {notices}");
    } else {
        outln!("the hold had ended already");
    }
    Ok(Completion::Complete)
}
