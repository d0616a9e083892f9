//! `check`: one line for each thing that the daemon depends on.

mod brand;
mod checklist;
mod clock;
mod credentials;
mod database;
mod domains;
mod email;
mod exposure;
mod file_system;
mod keys;
mod proxies;
mod readability;
mod sender;
mod sign_in_hosts;
mod templates;
mod webhook;

use super::completion::Completion;
use super::context::Context;
use crate::base::config::{Channel, Links};
use crate::base::instances::Instances;
use crate::domain::{EmailAddress, MemberId};
use crate::gateway::Gateway;
use anyhow::{Context as _, bail};
use checklist::Checklist;
use clap::Args;
use std::io;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Get an access token for this member, to check the credentials [default: a member with a stored credential]
    #[arg(long, value_name = "ID")]
    member: Option<MemberId>,
    /// Send a test email to this address
    #[arg(long, value_name = "ADDR")]
    send_test: Option<EmailAddress>,
}

pub(super) async fn check(context: &Context, arguments: &CheckArgs) -> anyhow::Result<Completion> {
    let config = &context.config;
    let mut checklist = Checklist::new(context.json);
    exposure::check_configuration(&context.loaded, &context.source_name(), &checklist)?;
    let mut seen = Vec::new();
    let database = database::check(&config.database.url(), &context.clock, &mut checklist).await?;
    if let database::Outcome::Opened(store) = &database {
        seen = store.sign_in_hosts().await?;
    }
    keys::check(context, &database, &mut checklist).await?;
    if let database::Outcome::Opened(store) = &database {
        store.close().await;
    }
    proxies::check(config, &checklist)?;
    check_gateway(context, &mut checklist).await?;
    sign_in_hosts::check(&config.gateway.oauth_hosts, &seen, &checklist)?;

    let next = config.sweep.schedule.describe_next(context.clock.now());
    checklist.ok("schedule", &format!("{:?}; next sweeps at {next}", config.sweep.schedule.as_str()))?;
    brand::check(&config.brand(), &checklist)?;
    let renderer = templates::check(config, &mut checklist)?;
    // Starts the daemon's components, so that an error above would repeat itself.
    let credentials = match (&arguments.member, &database) {
        (None, database::Outcome::Absent) => Ok(credentials::Outcome::NotTried("there is no database yet")),
        (None, _) if checklist.has_failed => {
            Ok(credentials::Outcome::NotTried("correct the errors above first"))
        }
        (member, _) => credentials::check(context, member.as_ref()).await,
    };
    checklist.result("credentials", credentials, credentials::Outcome::message)?;
    exposure::check(&context.loaded, &checklist)?;
    let transport = match config.notices.channel {
        Channel::Webhook => {
            checklist.ok("mail", "not used: notices.channel is \"webhook\"")?;
            None
        }
        Channel::Email | Channel::Both => email::check_transport(&config.email, &mut checklist).await?,
    };
    sender::check(config, &checklist).await?;
    webhook::check(&config.webhook, &checklist)?;
    check_public_url(&config.links, &checklist)?;
    domains::check(config, &checklist)?;
    if let Some(to) = &arguments.send_test {
        email::send_test(context, to, renderer, transport, &mut checklist).await?;
    }
    if checklist.has_failed {
        bail!("some checks failed");
    }
    Ok(Completion::Complete)
}

async fn check_gateway(context: &Context, checklist: &mut Checklist) -> io::Result<()> {
    let url = &context.config.gateway.url;
    let gateway = async {
        let gateway = Gateway::new(&context.config.gateway, context.clock.clone(), &Instances::alone())?;
        gateway.probe().await.with_context(|| {
            format!("no usable response; check gateway.url, and that this machine can connect to {url}")
        })?;
        Ok(gateway)
    };
    match checklist.result("gateway", gateway.await, |_| format!("{url} responds"))? {
        Some(gateway) => clock::check(&gateway, checklist),
        None => Ok(()),
    }
}

fn check_public_url(links: &Links, checklist: &Checklist) -> io::Result<()> {
    let url = &links.public_url;
    let message = match url.scheme() {
        // The daemon serves plain http, so a proxy serves https.
        "https" if links.trusted_proxies == 0 => format!(
            "{url}: if a proxy is in front of links.listen, set links.trusted_proxies; else all members share one \
             links.requests_per_minute"
        ),
        "https" => format!("{url} (not requested: this machine may be unable to reach it)"),
        _ => format!("{url}: links open on this machine only; set links.public_url"),
    };
    checklist.ok("public URL", &message)
}
