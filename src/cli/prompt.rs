//! Prompts on the terminal, and input that can be secret.

use super::completion::UsageError;
use crate::base::private_files;
use anyhow::{Context as _, anyhow, bail};
use console::Term;
use secrecy::SecretString;
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

/// In bytes. A longer secret is probably the wrong file.
const MAX_SECRET: u64 = 16 * 1024;

pub(super) fn usage(message: impl Into<String>) -> anyhow::Error {
    UsageError(anyhow!(message.into())).into()
}

pub(super) fn can_prompt() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// # Errors
/// The operator declines, or there is no terminal.
pub(super) fn confirm(question: &str) -> anyhow::Result<()> {
    if !can_prompt() {
        return Err(usage("cannot ask for confirmation without a terminal; pass --yes"));
    }
    match prompt(&format!("{question} [y/N] "))?.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing was done"),
    }
}

/// `option`, else what the operator types.
pub(super) fn username(option: Option<&str>) -> anyhow::Result<String> {
    let name = match option {
        Some(name) => name.to_owned(),
        None if can_prompt() => prompt("User name: ")?,
        None => return Err(usage("the user name is missing; pass --username")),
    };
    if name.is_empty() { Err(usage("the user name is empty")) } else { Ok(name) }
}

/// From the file, from standard input, or typed without being shown.
pub(super) fn password(file: Option<&Path>, from_stdin: bool) -> anyhow::Result<SecretString> {
    let text = match file {
        Some(file) => secret_file("--password-file", file)?,
        None if from_stdin => read(io::stdin().lock()).context("--password-stdin")?,
        None if can_prompt() => {
            let term = Term::stderr();
            term.write_str("Password: ")?;
            term.read_secure_line()?
        }
        None => {
            return Err(usage(
                "cannot ask for the password without a terminal; pass --password-file or --password-stdin",
            ));
        }
    };
    let password = without_line_break(&text);
    if password.is_empty() { Err(usage("the password is empty")) } else { Ok(password.to_owned().into()) }
}

/// The text of the file that `option` names, or of standard input for `-`, without the last line break.
///
/// # Errors
/// Also if other users can read or write the file.
pub(super) fn secret_file(option: &str, file: &Path) -> anyhow::Result<String> {
    let context = || format!("{option} {}", file.display());
    let text = if file == Path::new("-") {
        read(io::stdin().lock()).with_context(context)?
    } else {
        let opened = File::open(file).and_then(|opened| Ok((opened.metadata()?, opened)));
        let (metadata, opened) = opened.with_context(context).map_err(UsageError)?;
        if private_files::is_exposed(&metadata) {
            return Err(usage(format!("{}: others can read or write it; run `chmod 600` on it", context())));
        }
        read(opened).with_context(context)?
    };
    Ok(without_line_break(&text).to_owned())
}

fn prompt(question: &str) -> io::Result<String> {
    let mut terminal = io::stderr().lock();
    write!(terminal, "{question}")?;
    terminal.flush()?;
    drop(terminal);
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(without_line_break(&line).to_owned())
}

fn without_line_break(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line))
}

fn read(from: impl Read) -> anyhow::Result<String> {
    let mut text = String::new();
    from.take(MAX_SECRET + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_SECRET { Err(usage("too long for a secret")) } else { Ok(text) }
}
