//! Whole flows: the daemon's components in process, against the simulated gateway and mail server, with a manual clock.
//! One binary, so that everything is linked once.

mod access;
mod addresses;
mod browser;
mod busy;
mod clock_ahead;
mod clocks;
mod completion;
mod confirm;
mod copies;
mod delivery;
mod disconnects;
mod faults;
mod gates;
mod guards;
mod harness;
mod holds;
mod inspect;
mod instances;
mod kinds;
mod link_requests;
mod links;
mod mail;
mod many_connections;
mod members;
mod mismatch;
mod missing;
mod next_steps;
mod notices;
mod outages;
mod overlap;
mod pages;
mod patience;
mod pauses;
mod planning;
#[path = "../support/postgres.rs"]
mod postgres;
mod presses;
mod rate_limits;
mod rechecks;
mod relays;
mod resume;
mod resumed;
mod retries;
mod running;
mod secrets;
mod sign_in_hosts;
#[path = "../support/sqlite.rs"]
mod sqlite;
mod storms;
mod story;
mod sweep;
mod table;
mod time_zones;
mod unsubscribe;
mod watch;
