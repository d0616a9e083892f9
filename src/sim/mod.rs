//! A simulated gateway and mailbox: a small world of members and data sources behind a real GraphQL engine
//! and a real SMTP conversation. `demo`, `simulate`, and the tests of whole flows use it.
//!
//! | path | is |
//! | --- | --- |
//! | `POST /v1/graphql` | the gateway's operations, or a fault in place of a response |
//! | `POST /identity/oauth/token` | token exchange (RFC 8693) |
//! | `POST /broker/token` | the operator's token broker |
//! | `/oauth/authorize`, `/oauth/done` | the sign-in at a data source |
//! | `/` | members and their connections, with buttons |
//! | `/control/…` | the same controls and more, as a JSON API |
//! | `/mail`, `/mail/{n}` | the received emails |

mod app;
mod control;
mod credentials;
mod faults;
mod fhir;
mod gateway;
mod graphql_error;
mod http;
mod identity;
mod ids;
mod inbox;
mod mailbox;
mod oauth;
mod operations;
mod pages;
mod paths;
mod pending_sign_ins;
mod person;
mod quota;
mod requests;
mod response;
mod rows;
mod schema;
mod sdk;
mod settings;
mod simulator;
mod smtp;
mod subscriptions;
mod tokens;
mod types;
mod wire;
mod world;

#[cfg(test)]
mod tests;

pub use faults::{Fault, FaultKind};
pub use ids::NoSuchMember;
pub use mailbox::{Mailbox, ReceivedEmail, SmtpAction, SmtpFault, SmtpStage};
pub use oauth::InvalidSignIn;
pub use operations::Operation;
pub use person::{PageResponse, TestBrowser};
pub use rows::{Change, Row};
pub use settings::Settings;
pub use simulator::{Error, Options, Simulator};
#[cfg(test)]
pub(crate) use smtp::serve_smtp;
pub use smtp::{DISCONNECT, SmtpRecord, SmtpScript, SmtpTls};
pub use world::World;
