//! `connections disconnect` and `connections delete`.

use super::args::{ConnectionRef, DisconnectArgs};
use super::row::report;
use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::prompt;

pub(super) async fn disconnect(context: &Context, arguments: &DisconnectArgs) -> anyhow::Result<Completion> {
    let DisconnectArgs { connection: ConnectionRef { connection, member }, yes } = arguments;
    if !yes {
        prompt::confirm(&format!("Disconnect {connection} of {member}?"))?;
    }
    context
        .with_app(async |app| {
            let listed = app.operator.connection(member, connection).await?;
            report(context, member, &app.operator.disconnect(member, listed).await?)
        })
        .await
}

pub(super) async fn delete(context: &Context, arguments: &DisconnectArgs) -> anyhow::Result<Completion> {
    let DisconnectArgs { connection: ConnectionRef { connection, member }, yes } = arguments;
    if !yes {
        prompt::confirm(&format!("Delete {connection} of {member} and its records?"))?;
    }
    context
        .with_app(async |app| {
            let listed = app.operator.connection(member, connection).await?;
            report(context, member, &app.operator.delete(member, listed).await?)
        })
        .await
}
