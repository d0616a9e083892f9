//! What crosses a process: the real binary, its signals, exit codes, output and files. The simulator runs within the
//! test, so that a test can let connections expire and read the emails.
#![cfg(all(unix, feature = "sim"))]

#[path = "../support/aged_database/mod.rs"]
mod aged_database;
mod backups;
mod checks;
mod copies;
mod crash;
mod database;
mod demo;
#[path = "../support/dice.rs"]
mod dice;
mod disk;
#[path = "../support/fault_document.rs"]
mod fault_document;
mod fault_rows;
mod faults;
mod full_server;
mod fuzz;
mod harness;
mod hooks;
mod imports;
mod instance;
#[path = "../support/invariants.rs"]
mod invariants;
mod keys;
mod listeners;
mod operations;
mod outage;
mod output;
mod overload;
mod permissions;
#[path = "../support/postgres.rs"]
mod postgres;
mod preview;
mod proxies;
mod refusals;
mod reload;
mod renewals;
mod schedule;
mod secrets;
mod server_troubles;
mod servers;
mod service_manager;
mod settings;
mod shutdown;
mod storm;
mod story;
#[path = "../support/tcp_proxy.rs"]
mod tcp_proxy;
mod tls;
#[cfg(feature = "otlp")]
mod traces;
mod upgrades;
