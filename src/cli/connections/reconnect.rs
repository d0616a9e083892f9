//! `connections reconnect`.

use super::args::{ConnectionRef, CredentialArgs};
use super::password::{reject_credentials, with_password};
use super::row::report;
use super::sign_in::sign_in;
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::domain::{Repair, Status};
use crate::gateway::Establish;
use anyhow::bail;

pub(super) async fn reconnect(
    context: &Context,
    connection: &ConnectionRef,
    credentials: &CredentialArgs,
) -> anyhow::Result<Completion> {
    let ConnectionRef { connection, member } = connection;
    context
        .with_app(async |app| {
            let broken = app.operator.connection(member, connection).await?;
            if broken.status == Some(Status::Connected) {
                bail!("{} of {member} is CONNECTED: there is nothing to repair", broken.id);
            }
            let repaired = match broken.source.repair() {
                Repair::Oauth => return sign_in(context, app, member, &broken, credentials).await,
                Repair::Direct => {
                    reject_credentials(&broken, credentials)?;
                    if broken.status == Some(Status::Disconnected) {
                        app.operator.activate(member, broken).await?
                    } else {
                        app.operator.establish(member, &broken.id, &Establish::Direct).await?
                    }
                }
                Repair::App => {
                    let method = with_password(context, &broken, credentials, None)?;
                    app.operator.establish(member, &broken.id, &method).await?
                }
            };
            report(context, member, &repaired)
        })
        .await
}
