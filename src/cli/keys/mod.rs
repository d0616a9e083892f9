//! `keys …`.

mod rotate;

use super::completion::{Completion, UsageError};
use super::context::Context;
use super::output::outln;
use crate::credentials::keyring::Keyring;
use crate::gateway;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Create a key ring
    Generate,
    Rotate(rotate::RotateArgs),
    /// Print the public half of the token-exchange signing key as a JSON Web Key Set
    Jwks,
}

pub(super) async fn run(context: &Context, command: &KeysCommand) -> anyhow::Result<Completion> {
    match command {
        KeysCommand::Generate => generate(context),
        KeysCommand::Rotate(arguments) => rotate::rotate(context, arguments).await,
        KeysCommand::Jwks => jwks(context),
    }
}

fn generate(context: &Context) -> anyhow::Result<Completion> {
    let path = &context.config.keys.file;
    let id = Keyring::generate(path)?;
    if context.json {
        outln!("{}", serde_json::json!({ "key_id": id, "file": path }));
    } else {
        outln!("created key {id} in {}; back it up, but not with the database", path.display());
    }
    Ok(Completion::Complete)
}

/// The operator publishes it for the gateway to verify ID tokens.
fn jwks(context: &Context) -> anyhow::Result<Completion> {
    let jwks = gateway::jwks(&context.config.gateway.auth).map_err(|error| UsageError(error.into()))?;
    if context.json {
        outln!("{jwks}");
    } else {
        outln!("{jwks:#}");
    }
    Ok(Completion::Complete)
}
