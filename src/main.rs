//! The command `reconnectd`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    reconnectd::cli::main().await
}
