//! The lines that `check` prints.

use crate::cli::output::{outln, single_line};
use serde_json::Value;
use std::io;

/// Prints a line for each check, and remembers whether one failed.
pub(super) struct Checklist {
    json: bool,
    pub(super) has_failed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Ok,
    Warning,
    Failed,
}

impl Checklist {
    pub(super) fn new(json: bool) -> Self {
        Self { json, has_failed: false }
    }

    /// Prints the error, or what `describe` says about the value.
    pub(super) fn result<T>(
        &mut self,
        check: &str,
        result: anyhow::Result<T>,
        describe: impl FnOnce(&T) -> String,
    ) -> io::Result<Option<T>> {
        match result {
            Ok(value) => {
                self.ok(check, &describe(&value))?;
                Ok(Some(value))
            }
            Err(error) => {
                self.has_failed = true;
                self.print(check, Level::Failed, &format!("{error:#}"), &[])?;
                Ok(None)
            }
        }
    }

    pub(super) fn ok(&self, check: &str, message: &str) -> io::Result<()> {
        self.print(check, Level::Ok, message, &[])
    }

    /// For a problem that does not stop the daemon from doing its job.
    pub(super) fn warning(&self, check: &str, message: &str) -> io::Result<()> {
        self.print(check, Level::Warning, message, &[])
    }

    /// A warning about these hosts. As JSON, they are a list of their own.
    pub(super) fn hosts_warning(&self, check: &str, message: &str, hosts: &[String]) -> io::Result<()> {
        let field = ("hosts", hosts.into());
        self.print(
            check,
            Level::Warning,
            message,
            if hosts.is_empty() { &[] } else { std::slice::from_ref(&field) },
        )
    }

    /// What applies to one target. As JSON, it also has these fields.
    pub(super) fn ok_with(&self, check: &str, message: &str, fields: &[(&str, Value)]) -> io::Result<()> {
        self.print(check, Level::Ok, message, fields)
    }

    /// A warning with these fields, as JSON.
    pub(super) fn warning_with(
        &self,
        check: &str,
        message: &str,
        fields: &[(&str, Value)],
    ) -> io::Result<()> {
        self.print(check, Level::Warning, message, fields)
    }

    fn print(&self, check: &str, level: Level, message: &str, fields: &[(&str, Value)]) -> io::Result<()> {
        let word = match level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Failed => "FAILED",
        };
        if self.json {
            let (ok, level) = (level != Level::Failed, word.to_lowercase());
            let mut line =
                serde_json::json!({ "check": check, "ok": ok, "level": level, "message": message });
            for (name, value) in fields {
                line[name] = value.clone();
            }
            outln!("{line}");
        } else {
            outln!("{word:<7} {check:<14} {}", single_line(message));
        }
        Ok(())
    }
}
