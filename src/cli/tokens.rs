//! `tokens …`: who may use the admin API and the dashboard.

use super::completion::Completion;
use super::output::{errln, outln, print_json};
use crate::base::config::is_token_name;
use crate::base::random;
use crate::domain::{Scope, TokenDigest};
use clap::Subcommand;
use secrecy::ExposeSecret;
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub(super) enum TokensCommand {
    /// Print a new token, and the configuration line that accepts it; the token is stored nowhere
    Generate {
        /// The name that the audit shows: letters, digits, dots, underscores, and hyphens
        #[arg(long, value_parser = name)]
        name: String,
        /// What it permits: read, or write, which includes reading
        #[arg(long, value_parser = scope)]
        scope: Scope,
    },
}

fn name(text: &str) -> Result<String, String> {
    if is_token_name(text) {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 64 letters, digits, dots, underscores, or hyphens".to_owned())
    }
}

fn scope(text: &str) -> Result<Scope, String> {
    text.parse().map_err(|_| "write read or write".to_owned())
}

#[derive(Serialize)]
struct TokenRow<'a> {
    name: &'a str,
    scope: &'static str,
    token: &'a str,
    sha256: &'a str,
}

/// Reads no configuration, so that a token can be made on any machine.
pub(super) fn run(json: bool, command: &TokensCommand) -> anyhow::Result<Completion> {
    let TokensCommand::Generate { name, scope } = command;
    let token = random::admin_token();
    let token = token.expose_secret();
    let sha256 = TokenDigest::of(token.as_bytes()).to_string();
    let scope = scope.as_str();
    if json {
        print_json(&TokenRow { name, scope, token, sha256: &sha256 })?;
        return Ok(Completion::Complete);
    }
    outln!("{token}");
    outln!("{{ name = \"{name}\", sha256 = \"{sha256}\", scope = \"{scope}\" }}");
    errln!(
        "reconnectd: first the token, which is not shown again; then its entry for `tokens` under [admin]: \
         tokens = [{{ … }}, {{ … }}]"
    );
    Ok(Completion::Complete)
}
