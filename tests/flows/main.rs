//! Whole flows: the daemon's components in process, against the simulated gateway and mail server, with a manual clock.
//! One binary, so that everything is linked once.

mod access;
mod addresses;
#[path = "../support/aged_database/mod.rs"]
mod aged_database;
mod api;
mod api_client;
mod api_writes;
mod bounces;
#[path = "../support/broken_http.rs"]
mod broken_http;
#[path = "../support/broken_smtp.rs"]
mod broken_smtp;
mod browser;
mod busy;
mod bwell;
mod channels;
mod clock_ahead;
mod clock_jumps;
mod clocks;
mod completion;
mod confirm;
mod copies;
#[path = "../support/cut.rs"]
mod cut;
mod cuts;
mod dashboard;
mod delivery;
#[path = "../support/dice.rs"]
mod dice;
mod disclosures;
mod disconnects;
mod events;
#[path = "../support/fault_document.rs"]
mod fault_document;
mod fault_table;
mod faults;
mod gates;
mod guards;
mod handovers;
mod harness;
mod holds;
mod hooks;
mod inspect;
mod instances;
#[path = "../support/invariants.rs"]
mod invariants;
mod key_rotation;
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
mod path_watch;
mod patience;
mod pauses;
mod planning;
#[path = "../support/postgres.rs"]
mod postgres;
mod posts;
mod presses;
mod queue_age;
mod rate_limits;
mod receiver;
mod rechecks;
mod relays;
mod replay;
mod resume;
mod resumed;
mod retention;
mod retries;
mod running;
mod secrets;
mod served_pages;
mod shared;
mod sign_in_hosts;
mod snooze;
mod sources;
#[path = "../support/sqlite.rs"]
mod sqlite;
#[path = "../support/stoppable_listener.rs"]
mod stoppable_listener;
mod storms;
mod story;
mod sweep;
mod table;
#[path = "../support/tcp_proxy.rs"]
mod tcp_proxy;
mod time_zones;
mod unreachable;
mod unsubscribe;
mod upgrades;
mod waiting;
mod watch;
mod why;
mod year;
