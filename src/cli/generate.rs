//! `completions` and `man`: made from the definitions of the commands. Neither reads a configuration.

use super::args::Cli;
use super::completion::Completion;
use super::output::{outln, print_json};
use anyhow::Context as _;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const VERSION: &str = concat!("reconnectd ", env!("CARGO_PKG_VERSION"));

pub(super) fn completions(shell: Shell) -> anyhow::Result<Completion> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    // It panics if its output cannot be written, so it writes to memory.
    clap_complete::generate(shell, &mut command, name, &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Completion::Complete)
}

/// Prints the files.
pub(super) fn man(directory: &Path, json: bool) -> anyhow::Result<Completion> {
    for file in write_pages(directory)? {
        if json {
            print_json(&serde_json::json!({ "file": file }))?;
        } else {
            outln!("{}", file.display());
        }
    }
    Ok(Completion::Complete)
}

/// A page for the program and for each of its commands, such as `reconnectd-members-import.1`. Leaves other files alone.
fn write_pages(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut files = Vec::new();
    let mut commands = vec![program];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands().filter(|command| !command.is_hide_set()).cloned());
        files.push(write_page(directory, command)?);
    }
    files.sort();
    Ok(files)
}

fn write_page(directory: &Path, command: Command) -> anyhow::Result<PathBuf> {
    let page = Man::new(command).source(VERSION).manual("reconnectd");
    let file = directory.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_which_replaces_an_older_one() {
        let directory = tempfile::tempdir().unwrap();
        let nested = directory.path().join("share/man1");
        write_pages(&nested).unwrap();
        let page = nested.join("reconnectd-members-import.1");
        fs::write(&page, "old").unwrap();
        fs::write(nested.join("other.1"), "kept").unwrap();
        let files = write_pages(&nested).unwrap();
        assert!(fs::read_to_string(page).unwrap().starts_with(".ie"));
        assert_eq!(fs::read_dir(&nested).unwrap().count(), files.len() + 1);
        let named = |name: &str| files.contains(&nested.join(name));
        for name in ["reconnectd.1", "reconnectd-run.1", "reconnectd-config-schema.1", "reconnectd-man.1"] {
            assert!(named(name), "{name}: {files:?}");
        }
        assert!(!files.iter().any(|file| file.display().to_string().contains("-help")), "{files:?}");
    }
}
