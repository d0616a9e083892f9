//! Sources that take a user name and a password, and sources that need neither.

use super::args::CredentialArgs;
use crate::cli::context::Context;
use crate::cli::prompt::{self, usage};
use crate::domain::{Connection, IntegrationType};
use crate::gateway::Establish;
use url::Url;

/// # Errors
/// Credentials or a link were asked for, but the source is connected directly.
pub(super) fn reject_credentials(
    connection: &Connection,
    credentials: &CredentialArgs,
) -> anyhow::Result<()> {
    if credentials.has_credentials() || credentials.wants_link() {
        return Err(usage(format!(
            "{} is connected directly and needs neither credentials nor a link; omit these options",
            connection.id
        )));
    }
    Ok(())
}

pub(super) fn with_password(
    context: &Context,
    connection: &Connection,
    credentials: &CredentialArgs,
    integration_type: Option<IntegrationType>,
) -> anyhow::Result<Establish> {
    let id = &connection.id;
    if credentials.wants_link() || !(credentials.has_credentials() || prompt::can_prompt()) {
        let app = context.config.notices.app_url.as_ref().map_or("your app", Url::as_str);
        return Err(usage(format!(
            "{id} needs a user name and a password, not a link: the member enters them in {app}, or you pass them with \
             --username and --password-file or --password-stdin"
        )));
    }
    let username = prompt::username(credentials.username.as_deref())?;
    let password = prompt::password(credentials.password_file.as_deref(), credentials.password_stdin)?;
    Ok(Establish::Password { username, password, integration_type })
}
