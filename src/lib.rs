//! reconnectd watches members' health-data connections and gets the broken ones reconnected.
//!
//! Data flows one way: schedule → [`sweep`] (gateway → [`decide`] → [`store`]) → [`plan`] → [`deliver`] (second look →
//! [`mail`]) → link ([`redeem`] → [`recheck`]) → the next answer proves recovery.
//!
//! [`domain`] is the vocabulary. [`decide`], [`plan`], [`backoff`] and [`visitor`] are pure. [`gateway`], [`store`],
//! [`mail`] and [`vault`] are the edges, each the one place that knows its outside. [`access`], [`observe`], [`operate`],
//! [`redeem`] and [`visits`] are services over them; [`sweep`], [`recheck`], [`planner`], [`deliver`], [`recorder`] and
//! [`web`] are actors that speak to each other through rows only. [`app`] puts the components together, [`daemon`] runs
//! them, [`cli`] is the command line.

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
pub mod recorder;
pub mod redeem;
#[cfg(feature = "sim")]
pub mod sim;
pub mod store;
pub mod sweep;
pub mod telemetry;
pub mod vault;
pub mod visitor;
pub mod visits;
pub mod web;
