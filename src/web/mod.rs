//! The HTTP servers: member pages and the hooks of mail providers and b.well on the public listener; health, metrics,
//! and the API on the admin listener.

mod admin;
mod hooks;
pub(crate) mod pages;
mod peer_connections;
mod problem;
mod public;
mod rate_limit;
mod rate_limit_key;
mod serve;
mod wrong_passwords;

pub(crate) use admin::{AccessTokens, AdminServices, AdminState, HealthState, admin_router};
pub(crate) use hooks::{BwellServices, BwellState, HookServices, HookState};
pub(crate) use public::PublicServices;
pub use public::{PublicState, public};
pub use serve::{ServerLimits, serve};
pub(crate) use wrong_passwords::WrongPasswords;

pub(crate) use axum::Router;
