//! The HTTP servers: member pages and the hooks of mail providers and b.well on the public listener; health, metrics,
//! and the API on the admin listener.

mod admin;
mod client_limits;
mod client_turn;
mod descriptors;
mod hooks;
pub(crate) mod pages;
mod peer_connections;
mod problem;
mod public;
mod rate_limit;
mod rate_limit_key;
mod serve;
mod switch;
mod wrong_passwords;

pub(crate) use admin::{AccessTokens, AdminServices, AdminState, HealthState, admin_router};
pub(crate) use client_limits::ClientLimits;
pub(crate) use hooks::{BwellServices, BwellState, HookServices, HookState};
pub(crate) use public::PublicServices;
pub use public::{PublicState, public};
pub(crate) use serve::serve_peers;
pub use serve::{ServerLimits, serve};
pub(crate) use switch::RouterSwitch;

pub(crate) use axum::Router;
