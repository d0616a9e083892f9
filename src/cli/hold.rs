//! `hold …`: orders not to send email.

use super::completion::{Completion, UsageError};
use super::context::Context;
use super::output::{Rows, outln, print_json, time};
use crate::domain::{ConnectionId, HoldId, HoldScope, HoldState, MemberId, Status, Time};
use crate::rows::{HoldRow, ReleasedHoldRow, TakenHoldRow, drip_minutes};
use crate::store::{HoldRecord, NewHold, Release, Takeover};
use anyhow::{anyhow, bail};
use chrono::TimeDelta;
use clap::Subcommand;

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
    /// List holds, the newest first, and how many emails the release of each would send
    List,
    /// Replace a storm's hold with your own, which lasts until you release it; nothing is sent in between
    Take {
        #[arg(value_name = "ID")]
        id: String,
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
    /// End a hold now; what it held goes out at once, unless another hold covers it
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
            let until = end(*duration, *until, now)?;
            let scope =
                HoldScope { source: source.clone(), member_id: member.clone(), status: status.clone() };
            add(context, &NewHold { scope, until, reason: reason.clone() }, now).await
        }
        HoldCommand::List => list(context).await,
        HoldCommand::Take { id, duration, until, reason } => {
            let now = context.clock.now();
            take(context, &HoldId::new(id.as_str()), end(*duration, *until, now)?, reason, now).await
        }
        HoldCommand::Release { id } => release(context, &HoldId::new(id.as_str())).await,
    }
}

fn end(duration: Option<TimeDelta>, until: Option<Time>, now: Time) -> anyhow::Result<Option<Time>> {
    let until = until.or(duration.and_then(|duration| now.checked_add_signed(duration)));
    if until.is_some_and(|until| until <= now) {
        return Err(UsageError(anyhow!("--until: that time is over")).into());
    }
    Ok(until)
}

/// What the end of a hold means, for a person.
pub(super) fn effect_of_end(hold: &HoldRecord, drip_per_minute: u32) -> String {
    let emails = match hold.would_email {
        0 => return "a release sends nothing".to_owned(),
        1 => "1 email".to_owned(),
        many => format!("{many} emails"),
    };
    let release = format!("a release sends {emails} at once");
    match drip_minutes(hold, drip_per_minute) {
        None => release,
        Some(minutes) => {
            let minutes = if minutes == 1 { "1 minute".to_owned() } else { format!("{minutes} minutes") };
            let begin =
                if hold.state == HoldState::Dripping { "from now on" } else { "once the storm is over" };
            format!(
                "{release}; left alone, they go out {begin}, {drip_per_minute} each minute, over {minutes}"
            )
        }
    }
}

/// The conditions, in words.
pub(super) fn conditions(scope: &HoldScope) -> String {
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
    show(context, &hold)
}

fn show(context: &Context, hold: &HoldRecord) -> anyhow::Result<Completion> {
    if context.json {
        print_json(&HoldRow::new(hold, context.config.storm.drip_per_minute))?;
    } else {
        let until = hold.until.map_or("its release".to_owned(), time);
        outln!("hold {} covers {} until {until}", hold.id, conditions(&hold.scope));
        outln!("notices held now: {}", hold.notices);
    }
    Ok(Completion::Complete)
}

async fn take(
    context: &Context,
    id: &HoldId,
    until: Option<Time>,
    reason: &str,
    now: Time,
) -> anyhow::Result<Completion> {
    let store = context.store_to_write().await?;
    match store.take_over_hold(id, until, reason, now).await? {
        Takeover::Taken(hold) if context.json => {
            let row = HoldRow::new(&hold, context.config.storm.drip_per_minute);
            print_json(&TakenHoldRow { hold_id: id, taken: true, hold: Some(row) })?;
        }
        Takeover::Taken(hold) => return show(context, &hold),
        Takeover::Unknown => bail!("there is no hold {id}; see `reconnectd hold list`"),
        Takeover::IsOperators => bail!("hold {id} is no storm's: it lasts until its own end or its release"),
        Takeover::HadEnded if context.json => {
            print_json(&TakenHoldRow { hold_id: id, taken: false, hold: None })?;
        }
        Takeover::HadEnded => outln!("the hold had ended already; `hold add` adds one"),
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
        ("WOULD EMAIL", 11),
        ("ABOUT", 24),
        ("REASON", 0),
    ];
    let mut rows = Rows::new(context.json, columns);
    let drip_per_minute = context.config.storm.drip_per_minute;
    let holds = context.store().await?.holds().await?;
    for hold in &holds {
        let row = HoldRow::new(hold, drip_per_minute);
        let until = row.ended_at.as_deref().or(row.until.as_deref()).unwrap_or("its release");
        let (notices, would_email) = (row.notices.to_string(), row.would_email.to_string());
        let about = conditions(&hold.scope);
        rows.row(
            &row,
            &[
                row.hold_id.as_str(),
                row.kind,
                row.state,
                &row.since,
                until,
                &notices,
                &would_email,
                &about,
                row.reason,
            ],
        )?;
    }
    let mut active = holds.iter().filter(|hold| hold.state != HoldState::Ended).peekable();
    if !context.json && active.peek().is_some() {
        outln!();
        for hold in active {
            outln!("{}: {}", hold.id, effect_of_end(hold, drip_per_minute));
        }
        outln!("`notices list` shows what is held; `hold take ID` and `hold release ID` decide about it");
    }
    Ok(Completion::Complete)
}

async fn release(context: &Context, id: &HoldId) -> anyhow::Result<Completion> {
    let store = context.store_to_write().await?;
    let (released, notices) = match store.release_hold(id, context.clock.now()).await? {
        Release::Unknown => bail!("there is no hold {id}; see `reconnectd hold list`"),
        Release::HadEnded => (false, 0),
        Release::Released(notices) => (true, notices),
    };
    if context.json {
        print_json(&ReleasedHoldRow { hold_id: id, released, notices })?;
    } else if released {
        outln!("the hold has ended; notices queued again: {notices}");
    } else {
        outln!("the hold had ended already");
    }
    Ok(Completion::Complete)
}
