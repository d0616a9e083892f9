//! reconnectd watches members' health-data connections and gets the broken ones reconnected.

pub mod access;
pub mod app;
pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod decide;
pub mod deliver;
pub mod domain;
pub mod gateway;
pub mod mail;
pub mod observe;
pub mod operate;
pub mod plan;
pub mod planner;
pub mod random;
pub mod recheck;
pub mod redeem;
#[cfg(feature = "sim")]
pub mod sim;
pub mod store;
pub mod sweep;
pub mod telemetry;
pub mod vault;
pub mod web;
