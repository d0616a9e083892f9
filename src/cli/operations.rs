//! `connections establish|disconnect|reconnect|delete`: the gateway's own operations, on behalf of one member.

use super::args::{ConnectionRef, CredentialArgs, DisconnectArgs};
use super::completion::Completion;
use super::connections::ConnectionRow;
use super::context::Context;
use super::output::{Rows, outln, time};
use super::prompt::{self, usage};
use crate::domain::{Connection, IntegrationType, MemberId, NoticeId, Repair, Status};
use crate::gateway::Establish;
use crate::server::components::App;
use anyhow::bail;
use serde::Serialize;
use url::Url;

/// What came of it.
#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(flatten)]
    row: ConnectionRow<'a>,
    /// The one-time link, where it was asked to be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    /// The mail that carries one.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice_id: Option<&'a str>,
}

/// `connections establish`.
pub(super) async fn establish(
    context: &Context,
    which: &ConnectionRef,
    integration_type: Option<&str>,
    means: &CredentialArgs,
) -> anyhow::Result<Completion> {
    let integration_type = integration_type.map(|text| IntegrationType::from(&*text.to_ascii_uppercase()));
    let app = context.app().await?;
    let done = async {
        let source = app.operator.source(&which.member, &which.connection).await?;
        let how = match (integration_type, source.repair()) {
            (Some(IntegrationType::Direct), _) | (None, Repair::Direct) => {
                needs_nothing(&source, means)?;
                Establish::Direct
            }
            (None, Repair::Oauth) => return sign_in(context, &app, &which.member, &source, means).await,
            (integration_type, _) => with_password(context, &source, means, integration_type)?,
        };
        let made = app.operator.establish(&which.member, &which.connection, &how).await?;
        report(context, &which.member, &made)
    };
    let done = done.await;
    app.access.drain().await;
    done
}

/// `connections reconnect`: what repairs a connection of its kind.
pub(super) async fn reconnect(
    context: &Context,
    which: &ConnectionRef,
    means: &CredentialArgs,
) -> anyhow::Result<Completion> {
    let app = context.app().await?;
    let done = async {
        let member = &which.member;
        let broken = app.operator.connection(member, &which.connection).await?;
        if broken.status == Some(Status::Connected) {
            bail!("{} of {member} is CONNECTED: there is nothing to repair", broken.id);
        }
        let repaired = match broken.repair() {
            Repair::Oauth => return sign_in(context, &app, member, &broken, means).await,
            Repair::Direct => {
                needs_nothing(&broken, means)?;
                if broken.status == Some(Status::Disconnected) {
                    app.operator.activate(member, broken).await?
                } else {
                    app.operator.establish(member, &broken.id, &Establish::Direct).await?
                }
            }
            Repair::App => {
                let how = with_password(context, &broken, means, None)?;
                app.operator.establish(member, &broken.id, &how).await?
            }
        };
        report(context, member, &repaired)
    };
    let done = done.await;
    app.access.drain().await;
    done
}

/// `connections disconnect`.
pub(super) async fn disconnect(context: &Context, parting: &DisconnectArgs) -> anyhow::Result<Completion> {
    let DisconnectArgs { which: ConnectionRef { connection, member }, yes } = parting;
    if !yes {
        prompt::confirm(&format!("Disconnect {connection} of {member}?"))?;
    }
    let app = context.app().await?;
    let done = async {
        let listed = app.operator.connection(member, connection).await?;
        report(context, member, &app.operator.disconnect(member, listed).await?)
    };
    let done = done.await;
    app.access.drain().await;
    done
}

/// `connections delete`.
pub(super) async fn delete(context: &Context, parting: &DisconnectArgs) -> anyhow::Result<Completion> {
    let DisconnectArgs { which: ConnectionRef { connection, member }, yes } = parting;
    if !yes {
        prompt::confirm(&format!("Delete {connection} of {member}, and its records?"))?;
    }
    let app = context.app().await?;
    let done = async {
        let listed = app.operator.connection(member, connection).await?;
        report(context, member, &app.operator.delete(member, listed).await?)
    };
    let done = done.await;
    app.access.drain().await;
    done
}

/// The member has to sign in at the source, by a link of ours: mailed to them, or shown to whoever hands it on.
async fn sign_in(
    context: &Context,
    app: &App,
    member: &MemberId,
    source: &Connection,
    means: &CredentialArgs,
) -> anyhow::Result<Completion> {
    let id = &source.id;
    if means.has_credentials() {
        return Err(usage(format!("members sign in at {id} themselves: leave user name and password out")));
    }
    if source.status == Some(Status::Connected) {
        bail!("{id} of {member} is CONNECTED already; disconnect it first to have it made anew");
    }
    if means.show {
        let (token, expires_at) = app.operator.create_invitation_link(member, source).await?;
        let link = app.deliverer.renderer.link(&token);
        if !context.json {
            eprintln!("hand this link to {member} and to nobody else; it works until {}", time(expires_at));
            outln!("{link}");
            return Ok(Completion::Complete);
        }
        return print(member, source, Some(&link), None);
    }
    if means.send {
        let notice = app.operator.send_invitation(member, source).await?;
        if !context.json {
            outln!("{id} of {member}: a mail with a link is queued (notice {notice})");
            return Ok(Completion::Complete);
        }
        return print(member, source, None, Some(&notice));
    }
    Err(usage(format!(
        "the member has to sign in at {id}: mail them a one-time link with --send, or make one to hand on with --show"
    )))
}

fn needs_nothing(source: &Connection, means: &CredentialArgs) -> anyhow::Result<()> {
    if means.has_credentials() || means.send || means.show {
        return Err(usage(format!(
            "{} is connected directly, which needs neither credentials nor a link: leave them out",
            source.id
        )));
    }
    Ok(())
}

fn with_password(
    context: &Context,
    source: &Connection,
    means: &CredentialArgs,
    integration_type: Option<IntegrationType>,
) -> anyhow::Result<Establish> {
    let id = &source.id;
    if means.send || means.show || !(means.has_credentials() || prompt::can_ask()) {
        let app_url = context.config.notices.app_url.as_ref().map(Url::as_str);
        let place = app_url.unwrap_or("your app");
        return Err(usage(format!(
            "{id} takes a user name and a password, not a link: members enter them in {place}, or you give them with \
             --username and --password-file or --password-stdin"
        )));
    }
    let username = prompt::username(means.username.as_deref())?;
    let password = prompt::password(means.password_file.as_deref(), means.password_stdin)?;
    Ok(Establish::Password { username, password, integration_type })
}

fn report(context: &Context, member: &MemberId, connection: &Connection) -> anyhow::Result<Completion> {
    if context.json {
        return print(member, connection, None, None);
    }
    let status = connection.status.as_ref().map_or("without a status", Status::as_str);
    outln!("{} of {member} is {status}", connection.id);
    Ok(Completion::Complete)
}

fn print(
    member: &MemberId,
    connection: &Connection,
    link: Option<&str>,
    notice: Option<&NoticeId>,
) -> anyhow::Result<Completion> {
    let row = ConnectionRow::new(member, connection);
    let outcome = Outcome { row, link, notice_id: notice.map(NoticeId::as_str) };
    Rows::new(true, &[]).row(&outcome, &[])?;
    Ok(Completion::Complete)
}

impl CredentialArgs {
    fn has_credentials(&self) -> bool {
        self.username.is_some() || self.password_file.is_some() || self.password_stdin
    }
}
