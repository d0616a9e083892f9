//! `events …`: the events for the operator's own systems.

use super::completion::{Completion, UsageError};
use super::context::Context;
use super::output::{PAGE, Rows, outln, print_json, time};
use crate::base::random;
use crate::domain::{EventId, EventState};
use crate::rows::{EventRow, RetriedEventRow, TestedEventRow};
use crate::store::Store;
use crate::webhook::{Message, WebhookClient};
use anyhow::{anyhow, bail};
use clap::Subcommand;
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(super) enum EventsCommand {
    /// List events, oldest first
    List {
        /// Only those in this state: queued, sending, delivered, or failed
        #[arg(long, value_parser = state)]
        state: Option<EventState>,
    },
    /// Send events now that failed, or wait for their next attempt
    Retry {
        /// An event's id
        #[arg(value_name = "ID", required_unless_present = "all_failed", conflicts_with = "all_failed")]
        id: Option<String>,
        /// All that failed
        #[arg(long)]
        all_failed: bool,
    },
    /// Send a signed event of type `test` to webhook.url, and report the response
    Test,
}

fn state(text: &str) -> Result<EventState, &'static str> {
    text.parse().map_err(|_| "write queued, sending, delivered, or failed")
}

pub(super) async fn run(context: &Context, command: &EventsCommand) -> anyhow::Result<Completion> {
    match command {
        EventsCommand::List { state } => list(context, *state).await,
        EventsCommand::Retry { id, .. } => retry(context, id.as_deref().map(EventId::new)).await,
        EventsCommand::Test => test(context).await,
    }
}

async fn list(context: &Context, state: Option<EventState>) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let mut rows = Rows::new(
        context.json,
        &[
            ("EVENT", 36),
            ("TYPE", 23),
            ("MEMBER", 20),
            ("STATE", 9),
            ("ATTEMPTS", 8),
            ("LAST ERROR", 12),
            ("CREATED", 24),
            ("DELIVERED", 0),
        ],
    );
    let mut after = None;
    loop {
        let page = store.events(state, after, PAGE).await?;
        for row in page.iter().map(EventRow::from) {
            let attempts = row.attempts.to_string();
            let cells = [
                row.event_id,
                row.r#type,
                row.member_id.unwrap_or_default(),
                row.state,
                &attempts,
                row.last_error.unwrap_or_default(),
                &row.created_at,
                row.delivered_at.as_deref().unwrap_or_default(),
            ];
            rows.row(&row, &cells)?;
        }
        match page.last() {
            Some(last) => after = Some(last.sequence),
            None => return Ok(Completion::Complete),
        }
    }
}

async fn retry(context: &Context, id: Option<EventId>) -> anyhow::Result<Completion> {
    let store = context.store_to_write().await?;
    let now = context.clock.now();
    let retried = match id {
        None => store.retry_failed_events(now).await?.into_iter().map(|id| (id, true)).collect(),
        Some(id) => vec![retry_one(&store, id, now).await?],
    };
    let queued = retried.iter().filter(|(_, queued)| *queued).count();
    for (id, queued) in &retried {
        if context.json {
            print_json(&RetriedEventRow { event_id: id.as_str(), queued: *queued })?;
        } else if !queued {
            outln!(
                "{id}: nothing to retry; it is delivered, being sent, or waits for an earlier event of its member"
            );
        }
    }
    if !context.json {
        outln!("{queued} events queued; the daemon or `reconnectd once` sends them");
    }
    Ok(Completion::Complete)
}

async fn retry_one(store: &Store, id: EventId, now: crate::domain::Time) -> anyhow::Result<(EventId, bool)> {
    match store.retry_event(&id, now).await? {
        Some(queued) => Ok((id, queued)),
        None => bail!("there is no event {id}; `reconnectd events list` lists them"),
    }
}

async fn test(context: &Context) -> anyhow::Result<Completion> {
    let client = WebhookClient::new(&context.config.webhook, &context.clock)?;
    let client =
        client.ok_or_else(|| UsageError(anyhow!("webhook.url is empty; set it to your receiver's URL")))?;
    let now = context.clock.now();
    let id = random::id(now);
    let body = json!({ "type": "test", "timestamp": time(now), "data": {} }).to_string();
    let posted = client.post(Message { id: &id, body: &body }).await;
    if context.json {
        let error = posted.as_ref().err().map(|error| error.code());
        print_json(&TestedEventRow { event_id: &id, delivered: posted.is_ok(), error })?;
    }
    match posted {
        Err(error) => bail!("the receiver at webhook.url did not confirm the event: {error}"),
        Ok(()) if !context.json => outln!("delivered: the receiver at webhook.url confirmed event {id}"),
        Ok(()) => {}
    }
    Ok(Completion::Complete)
}
