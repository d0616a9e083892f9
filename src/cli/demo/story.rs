//! The steps of the demo: a connection expires, and its member reconnects it.

use super::steps::{STEP_TIMEOUT, Steps, until};
use crate::domain::{Lapse, LapseState, MemberId, Outcome, Status};
use crate::sim::{Simulator, TestBrowser};
use crate::store::Store;
use anyhow::{Context, ensure};

/// Prints each step as it happens.
///
/// # Errors
/// A step does not happen in time.
pub(super) async fn play(simulator: &Simulator, store: &Store) -> anyhow::Result<()> {
    let steps = Steps::start();
    let step = |words: &str| steps.print(words);
    let (member, source) = (MemberId::from("alice"), "epic");
    let browser = TestBrowser::new()?;

    step("alice, bob, and carol are enrolled; the first sweep polls their connections")?;
    until(
        "the first sweep",
        async || Ok(status_of(store, &member, source).await? == Some(Status::Connected)),
    )
    .await?;
    step("alice's connection to epic is CONNECTED")?;

    simulator.world().set_status("alice", source, "EXPIRED")?;
    step("at the gateway, it expires")?;
    until("the transition", async || Ok(status_of(store, &member, source).await? == Some(Status::Expired)))
        .await?;
    step("a sweep observed it and recorded the transition CONNECTED → EXPIRED")?;
    until("the lapse", async || {
        Ok(lapse(store, &member).await?.is_some_and(|l| l.state == LapseState::Open))
    })
    .await?;
    step("another sweep confirmed it: a lapse is open")?;

    let emails = tokio::time::timeout(STEP_TIMEOUT, simulator.mailbox().wait_for(1)).await;
    let emails = emails.context("no email arrived")?;
    let email = emails.first().context("no email arrived")?;
    step(&format!("alice received an email: “{}”", email.subject().unwrap_or_default()))?;
    let link = email.links().into_iter().find(|link| link.contains("/r/"));
    let link = link.context("the email contains no link")?;

    for _ in 0..2 {
        let page = browser.open(&link).await?;
        ensure!(page.status == 200 && page.has_button(), "the link's page has no button");
    }
    step("its link opens a page with one button; opening it twice does not use it up")?;
    let pressed = browser.press(&link, &[]).await?;
    let destination = pressed.location.context("the button does not redirect")?;
    ensure!(pressed.status == 303, "the button responded with {}", pressed.status);
    step("the button redirects to the sign-in at epic (303)")?;
    browser.allow(&destination).await?;
    step("alice signs in and allows access")?;

    until("the recovery", async || {
        Ok(lapse(store, &member).await?.is_some_and(|lapse| lapse.outcome == Some(Outcome::Recovered)))
    })
    .await?;
    step("a recheck observed CONNECTED: the lapse is closed as recovered")?;
    let again = browser.press(&link, &[]).await?;
    ensure!(again.location.is_none() && again.states() == ["recovered"], "the link works twice");
    step("the link's page says that the connection works again; it has no button anymore")?;
    let transitions = store.transitions(Some(&member), None, 100).await?;
    let path: Vec<&str> = transitions
        .iter()
        .filter(|transition| transition.connection_id.as_str() == source)
        .map(|transition| transition.to.as_str())
        .collect();
    ensure!(path == ["CONNECTED", "EXPIRED", "CONNECTED"], "the transitions are {path:?}");
    step("done: CONNECTED → EXPIRED → CONNECTED")?;
    Ok(())
}

async fn status_of(store: &Store, member: &MemberId, connection: &str) -> anyhow::Result<Option<Status>> {
    let all = store.connections(Some(member), None, 100).await?;
    Ok(all
        .into_iter()
        .find(|stored| stored.connection.id.as_str() == connection)
        .and_then(|stored| stored.connection.status))
}

async fn lapse(store: &Store, member: &MemberId) -> anyhow::Result<Option<Lapse>> {
    Ok(store.lapses(Some(member), None, 1).await?.pop())
}
