//! Actors: what is served over HTTP. The public pages and the admin endpoints have a listener each.

mod admin;
pub mod pages;
mod public;

pub use admin::{AdminState, admin};
pub use public::{PublicState, public};

pub use axum::Router;

use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests under way may take once the daemon ends; connections that idle are not waited for longer.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves `router` until `ending` is called and the requests under way are answered.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, router: Router, ending: CancellationToken) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(ending.clone().cancelled_owned());
    tokio::select! {
        served = server => served,
        () = async { ending.cancelled().await; tokio::time::sleep(DRAIN).await } => Ok(()),
    }
}
