//! How a command ends, and the exit code for it.

use super::output::errln;
use crate::base::config::ConfigError;
use crate::credentials::keyring::KeyringError;
use crate::store::StoreError;
use std::io;
use std::process::ExitCode;

/// The end of a command that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completion {
    Complete,
    /// Some members are unclear or were skipped, or email is waiting for the mail server.
    Incomplete,
}

/// The arguments or the configuration cannot be used. The operator has to change them before a retry can succeed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct UsageError(pub(super) anyhow::Error);

/// The error of components that could not be opened. It is one of the configuration, unless a later start can succeed without
/// a change: a service manager does not start the daemon again after the former.
pub(super) fn not_opened(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<StoreError>() {
        Some(by_store) if !by_store.is_unusable_file() => error,
        _ => UsageError(error).into(),
    }
}

/// Prints the error, if there is one. 0 complete, 1 failed, 2 usage or configuration error, 3 incomplete.
pub(super) fn exit_code(result: anyhow::Result<Completion>) -> ExitCode {
    match result {
        Ok(Completion::Complete) => ExitCode::SUCCESS,
        Ok(Completion::Incomplete) => ExitCode::from(3),
        // The reader of the output, such as `head`, has closed it.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            match error.downcast_ref::<ConfigError>() {
                Some(error) => errln!("reconnectd: {}", error.with_excerpts()),
                None => errln!("reconnectd: {error:#}"),
            }
            ExitCode::from(if is_usage_error(&error) { 2 } else { 1 })
        }
    }
}

fn is_usage_error(error: &anyhow::Error) -> bool {
    let by_store = error.downcast_ref().is_some_and(StoreError::is_unusable_file);
    let by_keyring =
        error.downcast_ref::<KeyringError>().is_some_and(|error| !matches!(error, KeyringError::Exists(_)));
    by_store || by_keyring || error.is::<ConfigError>() || error.is::<UsageError>()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
