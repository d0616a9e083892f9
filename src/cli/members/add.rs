//! `members add`.

use crate::cli::completion::{Completion, UsageError};
use crate::cli::context::Context;
use crate::cli::output::{outln, print_json};
use crate::cli::prompt;
use crate::import::{Fields, MemberLine, check};
use crate::rows::AddedMemberRow;
use crate::store::ImportRow;
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(in crate::cli) struct AddArgs {
    /// Member id
    id: String,
    /// Email address; required for a new member
    #[arg(long)]
    email: Option<String>,
    /// Language, such as es or en-GB; an empty text sets the default
    #[arg(long)]
    locale: Option<String>,
    /// IANA time zone, such as Europe/Madrid; an empty text sets the default
    #[arg(long)]
    time_zone: Option<String>,
    /// Identity at the identity provider; an empty text sets the member id
    #[arg(long)]
    subject: Option<String>,
    /// Distinguishes members who share an address, such as a first name
    #[arg(long)]
    label: Option<String>,
    /// Read the refresh token from this file; - for standard input
    #[arg(long, value_name = "FILE")]
    refresh_token_file: Option<PathBuf>,
}

/// Enrolls a member, or changes the given values of an enrolled one.
pub(super) async fn add(context: &Context, args: &AddArgs) -> anyhow::Result<Completion> {
    let token = args.refresh_token_file.as_deref();
    let token = token.map(|file| prompt::secret_file("--refresh-token-file", file)).transpose()?;
    let values = [
        ("member_id", Some(args.id.clone())),
        ("email", args.email.clone()),
        ("locale", args.locale.clone()),
        ("time_zone", args.time_zone.clone()),
        ("subject", args.subject.clone()),
        ("label", args.label.clone()),
        ("refresh_token", token),
    ];
    let fields: Fields = values.into_iter().filter_map(|(field, value)| Some((field, value?))).collect();
    let usage = |text: String| UsageError(anyhow::anyhow!(text));
    let MemberLine { line, edit, refresh_token, .. } =
        check(1, fields).map_err(|error| usage(error.at(0).to_string()))?;
    let (keyring, store) = context.keyring_and_store().await?;
    let is_new = store.member(&edit.id).await?.is_none();
    if is_new && edit.email.is_none() {
        return Err(usage(format!("there is no member {} yet; give --email", edit.id)).into());
    }
    let credential = refresh_token.map(|token| keyring.new_credential(&edit.id, &token)).transpose()?;
    let id = edit.id.clone();
    let rows = [ImportRow { line, edit, credential }];
    let counts = store.import_all(&rows, context.clock.now()).await?;
    if context.json {
        let known_tokens = counts.known_tokens;
        print_json(&AddedMemberRow { member_id: id.as_str(), added: is_new, known_tokens })?;
    } else {
        outln!("{} member {id}", if is_new { "added" } else { "updated" });
        if counts.known_tokens > 0 {
            outln!("the refresh token had been imported before and changed nothing");
        }
    }
    Ok(Completion::Complete)
}
