//! `connections establish`.

use super::args::{ConnectionRef, CredentialArgs};
use super::password::{reject_credentials, with_password};
use super::row::report;
use super::sign_in::sign_in;
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::domain::{IntegrationType, Repair};
use crate::gateway::Establish;

pub(super) async fn establish(
    context: &Context,
    connection: &ConnectionRef,
    integration_type: Option<&str>,
    credentials: &CredentialArgs,
) -> anyhow::Result<Completion> {
    let ConnectionRef { connection, member } = connection;
    let integration_type = integration_type.map(|text| IntegrationType::from(&*text.to_ascii_uppercase()));
    context
        .with_app(async |app| {
            let source = app.operator.source(member, connection).await?;
            let method = match (integration_type, source.repair()) {
                (Some(IntegrationType::Direct), _) | (None, Repair::Direct) => {
                    reject_credentials(&source, credentials)?;
                    Establish::Direct
                }
                (None, Repair::Oauth) => return sign_in(context, app, member, &source, credentials).await,
                (integration_type, _) => with_password(context, &source, credentials, integration_type)?,
            };
            report(context, member, &app.operator.establish(member, connection, &method).await?)
        })
        .await
}
