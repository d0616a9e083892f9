//! OAuth sources: the member signs in, by a one-time link.

use super::args::CredentialArgs;
use super::row::report_json;
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{errln, outln, time};
use crate::cli::prompt::usage;
use crate::domain::{Connection, MemberId, Status};
use crate::server::components::App;
use anyhow::bail;

/// Emails the link to the member, or prints it for the operator to pass on.
pub(super) async fn sign_in(
    context: &Context,
    app: &App,
    member: &MemberId,
    connection: &Connection,
    credentials: &CredentialArgs,
) -> anyhow::Result<Completion> {
    let id = &connection.id;
    if credentials.has_credentials() {
        return Err(usage(format!("the member signs in at {id}; omit the user name and the password")));
    }
    if connection.status == Some(Status::Connected) {
        bail!("{id} of {member} is already CONNECTED; to connect it again, disconnect it first");
    }
    if credentials.show {
        let (token, expires_at) = app.operator.create_invitation_link(member, connection).await?;
        let link = app.deliverer.renderer.link(&token);
        if context.json {
            return report_json(member, connection, Some(&link), None);
        }
        errln!("give this link to {member} and nobody else; it works until {}", time(expires_at));
        outln!("{link}");
        return Ok(Completion::Complete);
    }
    if credentials.send {
        let notice = app.operator.send_invitation(member, connection).await?;
        if context.json {
            return report_json(member, connection, None, Some(&notice));
        }
        outln!("{id} of {member}: an email with a link is queued (notice {notice})");
        return Ok(Completion::Complete);
    }
    Err(usage(format!(
        "the member has to sign in at {id}: email a one-time link with --send, or print one with --show"
    )))
}
