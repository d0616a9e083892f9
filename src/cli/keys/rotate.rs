//! `keys rotate`.

use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{errln, outln, print_json};
use crate::credentials::CallError;
use crate::credentials::key_check::KeyReport;
use crate::credentials::keyring::Keyring;
use crate::credentials::rotation::{Pending, Rotation, RotationReport};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Add a key, encrypt everything with it, and remove the old key
///
/// The daemon may run meanwhile, on this machine or on others: it takes over the changed key ring by itself. Old keys leave
/// the key ring when nothing needs them anymore. Copy the key ring first: backups of the database that were made before need
/// the old key.
///
/// If the command is interrupted, or exits with 3, run it again: it goes on, and adds no other key.
#[derive(Args, Debug)]
pub(in crate::cli) struct RotateArgs {
    /// Write the next key ring to this new file, for a key ring that cannot be changed in place, such as a mounted secret
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// How many seconds to wait for instances of the daemon that do not have the new key yet
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
}

#[derive(Serialize)]
struct RotationRow<'a> {
    key_id: &'a str,
    added: bool,
    /// Values that this run encrypted again.
    encrypted: u64,
    /// The old keys that nothing needs anymore.
    removed: &'a [String],
    /// Credentials under keys that the ring lacks.
    locked: u64,
    complete: bool,
    /// A code, if it is not complete.
    reason: Option<&'static str>,
    /// Where the next key ring was written to.
    file: Option<&'a Path>,
    /// The instances or members that are in the way.
    instances: Vec<&'a str>,
    members: Vec<&'a str>,
}

pub(super) async fn rotate(context: &Context, arguments: &RotateArgs) -> anyhow::Result<Completion> {
    let keyring = Keyring::open(&context.config.keys.file)?;
    let store = context.store_to_write().await?;
    KeyReport::new(&store, &keyring).await?.verify_sealing()?;
    context.prepare(&store, &keyring).await?;
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{bar:40} {pos} of {len} values encrypted again, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let rotation = Rotation {
        store: &store,
        keyring: &keyring,
        clock: &context.clock,
        to: arguments.to.clone(),
        patience: Duration::from_secs(arguments.wait),
    };
    let report = rotation
        .run(|progress| {
            bar.set_length(progress.total.max(progress.resealed));
            bar.set_position(progress.resealed);
        })
        .await;
    bar.finish_and_clear();
    store.close().await;
    let report = report.map_err(|error| match error {
        CallError::Keyring(error) => anyhow::Error::from(error),
        CallError::Store(error) => error.into(),
        error => error.into(),
    })?;
    if context.json {
        print_json(&row(&report, arguments.to.as_deref()))?;
    } else {
        print(context, &report, arguments.to.as_deref())?;
    }
    Ok(if report.pending.is_none() { Completion::Complete } else { Completion::Incomplete })
}

fn row<'a>(report: &'a RotationReport, to: Option<&'a Path>) -> RotationRow<'a> {
    let (mut instances, mut members) = (Vec::new(), Vec::new());
    let reason = report.pending.as_ref().map(|pending| match pending {
        Pending::PutInPlace(_) => "ring_not_in_place",
        Pending::WithoutKey(ids) => {
            instances = ids.iter().map(|id| id.as_str()).collect();
            "instances_without_key"
        }
        Pending::SealingWithOld(ids) => {
            instances = ids.iter().map(|id| id.as_str()).collect();
            "instances_with_old_key"
        }
        Pending::Unreadable(ids) => {
            members = ids.iter().map(|id| id.as_str()).collect();
            "credentials_unreadable"
        }
        Pending::Busy => "old_key_needed",
        Pending::RemoveByHand => "ring_read_only",
    });
    RotationRow {
        key_id: &report.key_id,
        added: report.is_new,
        encrypted: report.resealed,
        removed: &report.removed,
        locked: report.locked,
        complete: report.pending.is_none(),
        reason,
        file: to.filter(|_| is_written(report)),
        instances,
        members,
    }
}

/// Whether a file of `--to` was written.
fn is_written(report: &RotationReport) -> bool {
    report.is_new || !report.removed.is_empty()
}

fn print(context: &Context, report: &RotationReport, to: Option<&Path>) -> anyhow::Result<()> {
    let (ring, key) = (context.config.keys.file.display(), &report.key_id);
    if report.is_new {
        let file = to.unwrap_or(&context.config.keys.file).display();
        outln!("added key {key} in {file}; back it up, but not with the database");
    }
    if report.resealed > 0 {
        outln!("{} values encrypted again with key {key}", report.resealed);
    }
    if !report.removed.is_empty() {
        let removed = report.removed.join(", ");
        match to {
            Some(file) => outln!(
                "nothing in the database needs key {removed} anymore; {} is the key ring without it, so put it in the place \
                 of {ring}",
                file.display()
            ),
            None => outln!("nothing in the database needs key {removed} anymore"),
        }
        outln!(
            "backups made before this need key {removed}: keep a copy of the old key ring with the copies of the key ring, \
             apart from the backups"
        );
    }
    if report.locked > 0 {
        errln!(
            "reconnectd: {} credentials are under keys that the key ring lacks; their members stay locked",
            report.locked
        );
    }
    if let Some(pending) = &report.pending {
        errln!("reconnectd: not finished: {}", sentence(pending, key, &ring.to_string()));
    }
    Ok(())
}

fn sentence(pending: &Pending, key: &str, ring: &str) -> String {
    match pending {
        Pending::PutInPlace(file) => format!(
            "put {} in the place of {ring}, on each machine with an instance, and run `keys rotate` again",
            file.display()
        ),
        Pending::WithoutKey(instances) => format!(
            "the instances {} do not have key {key}, so it is not used yet; give them the same key ring, and run `keys \
             rotate` again",
            list(instances)
        ),
        Pending::SealingWithOld(instances) => format!(
            "the instances {} still encrypt with an old key, which stays; run `keys rotate` again",
            list(instances)
        ),
        Pending::Unreadable(members) => format!(
            "an old key stays, because the credentials of {} do not open; import fresh refresh tokens for them, and run \
             `keys rotate` again",
            list(members)
        ),
        Pending::Busy => {
            "an old key stays, because something is still encrypted with it, such as an import under way; run `keys rotate` \
             again"
                .to_owned()
        }
        Pending::RemoveByHand => {
            format!("{ring} cannot be changed; remove the lines of the keys that nothing needs by hand")
        }
    }
}

/// The first ones.
fn list(ids: &[impl Display]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<_> = ids.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if ids.len() > SHOWN { format!(" and {} more", ids.len() - SHOWN) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
