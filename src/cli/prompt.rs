//! What is asked of the person at the terminal, and read from where secrets may stand.

use super::completion::UsageError;
use anyhow::{Context as _, anyhow, bail};
use console::Term;
use secrecy::SecretString;
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

/// A password is far shorter; what is longer is the wrong file.
const LONGEST: u64 = 4 * 1024;

/// A mistake of the caller's.
pub(super) fn usage(text: impl Into<String>) -> anyhow::Error {
    UsageError(anyhow!(text.into())).into()
}

/// Whether there is somebody to ask.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks whether to go on. Without a terminal to ask on it has to be said beforehand.
pub(super) fn confirm(question: &str) -> anyhow::Result<()> {
    if !can_ask() {
        return Err(usage("there is no terminal to ask on; say --yes to go on without being asked"));
    }
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing was done"),
    }
}

/// A user name: as given, else asked for.
pub(super) fn username(given: Option<&str>) -> anyhow::Result<String> {
    let name = match given {
        Some(name) => name.to_owned(),
        None if can_ask() => {
            eprint!("User name: ");
            io::stderr().flush()?;
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line)?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
        None => return Err(usage("say whose account it is with --username")),
    };
    if name.is_empty() { Err(usage("the user name is empty")) } else { Ok(name) }
}

/// A password: from the file, from standard input, else asked for without being shown.
pub(super) fn password(file: Option<&Path>, from_stdin: bool) -> anyhow::Result<SecretString> {
    let text = match file {
        Some(file) => {
            let named = || format!("--password-file {}", file.display());
            let open = File::open(file).with_context(named);
            read(open.map_err(|error| anyhow::Error::from(UsageError(error)))?).with_context(named)?
        }
        None if from_stdin => read(io::stdin().lock()).context("--password-stdin")?,
        None if can_ask() => {
            let term = Term::stderr();
            term.write_str("Password: ")?;
            term.read_secure_line()?
        }
        None => {
            return Err(usage(
                "there is no terminal to ask for a password on; use --password-file or --password-stdin",
            ));
        }
    };
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if text.is_empty() { Err(usage("the password is empty")) } else { Ok(text.to_owned().into()) }
}

fn read(from: impl Read) -> anyhow::Result<String> {
    let mut text = String::new();
    from.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST { Err(usage("is far too long for a password")) } else { Ok(text) }
}
