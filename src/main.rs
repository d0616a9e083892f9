//! The command `reconnectd`.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Builder;

/// A task that does not end must not keep a finished command from exiting.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let runtime =
        Builder::new_multi_thread().enable_all().on_thread_start(reconnectd::base::random::warm_up).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // Nothing else can report it.
            let _ = writeln!(std::io::stderr(), "reconnectd: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(reconnectd::cli::main());
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    code
}
