//! The steps of the storm: one source has an outage, and the members get no email about it.

use super::setup::{ORDINARY, STORM_MEMBERS};
use super::steps::{Steps, until};
use crate::cli::hold::effect_of_end;
use crate::domain::{HoldState, Status};
use crate::sim::Simulator;
use crate::store::{HoldRecord, Store};
use anyhow::{Context, ensure};
use std::collections::BTreeSet;

/// Recover by themselves.
const RECOVERING: u32 = STORM_MEMBERS - 5;

/// Prints each step as it happens.
///
/// # Errors
/// A step does not happen in time, or an email goes to somebody who should get none.
pub(super) async fn play(simulator: &Simulator, store: &Store, drip_per_minute: u32) -> anyhow::Result<()> {
    let (steps, world) = (Steps::start(), simulator.world());
    let (member, source) = ORDINARY;
    steps.print(&format!(
        "{STORM_MEMBERS} members with a connection to epic are enrolled, and a few others"
    ))?;
    until("the first sweep", async || {
        let connections = store.connections(None, None, 500).await?;
        let is_connected = connections.iter().filter(|k| k.connection.status == Some(Status::Connected));
        Ok(is_connected.count() > STORM_MEMBERS as usize && store.open_sweep().await?.is_none())
    })
    .await?;
    steps.print("the first sweep found every connection CONNECTED")?;

    for n in 1..=STORM_MEMBERS {
        world.set_status(&format!("m{n}"), "epic", "EXPIRED")?;
    }
    world.set_status(member, source, "EXPIRED")?;
    steps.print(&format!(
        "at the gateway, all {STORM_MEMBERS} expire at once; so does {member}'s connection to {source}"
    ))?;
    until("the hold", async || Ok(!store.active_holds().await?.is_empty())).await?;
    steps.print(
        "two sweeps confirmed it, and the storm brake holds all email about epic, before the first one",
    )?;
    let mut hold = None;
    until("the held notices", async || {
        hold = store.active_holds().await?.pop();
        Ok(hold.as_ref().is_some_and(|hold| hold.would_email == u64::from(STORM_MEMBERS)))
    })
    .await?;
    for n in 1..=RECOVERING {
        world.set_status(&format!("m{n}"), "epic", "CONNECTED")?;
    }
    let hold = hold.context("the hold ended at once")?;
    steps.print(&format!("the operator gets one message: {}", hold.reason))?;
    steps.print(&format!("`hold list` and `status` say: {}", effect_of_end(&hold, drip_per_minute)))?;

    until("the ordinary email", async || Ok(simulator.mailbox().received() > 0)).await?;
    steps.print(&format!("{member} received an email: another source's lapse does not wait"))?;
    until("the recoveries", async || {
        let lapses = store.lapses(None, None, 500).await?;
        let open =
            lapses.iter().filter(|lapse| lapse.closed_at.is_none() && lapse.connection_id.as_str() == "epic");
        Ok(open.count() == (STORM_MEMBERS - RECOVERING) as usize)
    })
    .await?;
    steps.print(&format!(
        "epic is back: {RECOVERING} connections recovered by themselves, and their email was never sent"
    ))?;

    until("the end of the storm", async || Ok(the(store, &hold).await?.state != HoldState::Holding)).await?;
    steps.print("nothing else lapsed for a whole window: what is left goes out, little by little")?;
    until("the last emails", async || Ok(the(store, &hold).await?.state == HoldState::Ended)).await?;
    let left = u64::from(STORM_MEMBERS - RECOVERING);
    until("the last emails", async || Ok(simulator.mailbox().received() > left)).await?;
    let told: BTreeSet<String> =
        simulator.mailbox().mails().iter().flat_map(|mail| mail.to.clone()).collect();
    let mut expected: BTreeSet<String> =
        (RECOVERING + 1..=STORM_MEMBERS).map(|n| format!("m{n}@example.org")).collect();
    expected.insert(format!("{member}@example.org"));
    ensure!(told == expected, "emails went to {told:?}");
    steps.print(&format!("the {left} members whose connections are still broken received an email"))?;
    steps.print(&format!("done: {STORM_MEMBERS} lapses, {left} emails"))?;
    Ok(())
}

async fn the(store: &Store, hold: &HoldRecord) -> anyhow::Result<HoldRecord> {
    let holds = store.holds().await?;
    holds.into_iter().find(|known| known.id == hold.id).context("the hold is gone")
}
