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
    target: &ConnectionRef,
    integration_type: Option<&str>,
    credentials: &CredentialArgs,
) -> anyhow::Result<Completion> {
    let ConnectionRef { connection: id, member } = target;
    let integration_type = integration_type.map(|text| IntegrationType::from(&*text.to_ascii_uppercase()));
    context
        .with_app(async |app| {
            let connection = app.operator.connection_or_source(member, id).await?;
            let method = match (integration_type, connection.source.repair()) {
                (Some(IntegrationType::Direct), _) | (None, Repair::Direct) => {
                    reject_credentials(&connection, credentials)?;
                    Establish::Direct
                }
                (None, Repair::Oauth) => {
                    return sign_in(context, app, member, &connection, credentials).await;
                }
                (integration_type, _) => with_password(context, &connection, credentials, integration_type)?,
            };
            report(context, member, &app.operator.establish(member, id, &method).await?)
        })
        .await
}
