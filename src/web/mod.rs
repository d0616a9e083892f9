//! The HTTP servers: member pages on the public listener, health and metrics on the admin listener.

mod admin;
pub(crate) mod pages;
mod peer_connections;
mod public;
mod rate_limit;
mod rate_limit_key;
mod serve;

pub(crate) use admin::{AdminState, admin_router};
pub(crate) use public::PublicServices;
pub use public::{PublicState, public};
pub use serve::{ServerLimits, serve};

pub(crate) use axum::Router;
