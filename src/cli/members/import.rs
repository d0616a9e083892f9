//! `members import`.

use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::import::{Import, ImportRow};
use crate::cli::output::{PAGE, errln, outln, print_json};
use crate::credentials::keyring::Keyring;
use crate::store::ImportCounts;
use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;

/// An import stops after this many invalid lines.
const MAX_ERRORS: usize = 20;

/// Imports the whole file or nothing.
pub(super) async fn import(context: &Context, file: &Path) -> anyhow::Result<Completion> {
    let keyring = Keyring::open(&context.config.keys.file)?;
    let store = context.store().await?;
    let mut rows = Import::open(file).with_context(|| file.display().to_string())?;
    let progress = progress(file);
    let mut import = store.import(context.clock.now()).await?;
    let (mut batch, mut errors) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next() {
        progress.set_position(rows.bytes_read());
        match row {
            Err(error) => {
                errors.push(error.to_string());
                if errors.len() == MAX_ERRORS {
                    break;
                }
            }
            // After an error the remaining lines are only checked.
            Ok(_) if !errors.is_empty() => {}
            Ok(ImportRow { member, refresh_token }) => {
                let credential =
                    refresh_token.map(|token| keyring.new_credential(&member.id, &token)).transpose()?;
                batch.push((member, credential));
                if batch.len() == PAGE as usize {
                    import.add(&batch).await?;
                    batch.clear();
                }
            }
        }
    }
    progress.finish_and_clear();
    if !errors.is_empty() {
        for error in &errors {
            errln!("{}: {error}", file.display());
        }
        bail!("nothing was imported; correct the lines above and import the file again");
    }
    import.add(&batch).await?;
    let ImportCounts { members, known_tokens } = import.commit().await?;
    if context.json {
        print_json(&serde_json::json!({ "imported": members, "known_tokens": known_tokens }))?;
    } else {
        outln!("{members} members imported");
        if known_tokens > 0 {
            outln!("{known_tokens} refresh tokens had been imported before and changed nothing");
        }
    }
    Ok(Completion::Complete)
}

/// A bar; for standard input, whose length is unknown, a spinner.
fn progress(file: &Path) -> ProgressBar {
    let (bar, template) = match std::fs::metadata(file) {
        Ok(file) if file.is_file() => {
            (ProgressBar::new(file.len()), "{bar:40} {bytes} of {total_bytes}, {eta} left")
        }
        _ => (ProgressBar::new_spinner(), "{spinner} {bytes} in {elapsed}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
