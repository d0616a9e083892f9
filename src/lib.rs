//! reconnectd watches members' health-data connections and gets the broken ones reconnected.
//!
//! Data flows one way: schedule → [`detect`] (gateway → decide → store) → [`notify`] (plan → second look → email) →
//! [`reconnect`] (link → redemption → recheck) → the next response proves recovery.
//!
//! [`domain`] is the vocabulary. [`gateway`], [`store`], [`mail`] and [`webhook`] are the edges: each is the only module that knows
//! its protocol. [`server`] composes the components and runs the process; [`cli`] is the command line.

pub mod base;
pub mod cli;
pub mod credentials;
pub mod detect;
pub mod domain;
pub mod explain;
pub mod gateway;
pub mod import;
pub mod mail;
pub mod notify;
pub mod reconnect;
pub mod rows;
pub mod server;
#[cfg(feature = "sim")]
pub mod sim;
pub mod store;
pub mod traffic;
pub mod web;
pub mod webhook;
