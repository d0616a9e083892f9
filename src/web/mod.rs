//! Actors: what is served over HTTP. The public pages and the admin endpoints have a listener each.

mod admin;
mod client;
mod limits;
pub(crate) mod pages;
mod public;
mod serve;

pub(crate) use admin::{AdminState, admin};
pub use public::{PublicState, public};
pub use serve::{Bounds, serve};

pub(crate) use axum::Router;
