//! A simulated gateway and mailbox: a small world of members and data sources behind a real GraphQL engine
//! and a real SMTP conversation. It is what `demo` and `simulate` run, and what tests of whole flows talk to.
//!
//! | path | is |
//! | --- | --- |
//! | `POST /v1/graphql` | the gateway: the operations, or a fault in place of an answer |
//! | `POST /identity/oauth/token` | token exchange (RFC 8693) |
//! | `POST /broker/token` | the operator's own way to an access token |
//! | `/oauth/authorize`, `/oauth/done` | the sign-in at a data source |
//! | `/` | members and their connections, with buttons |
//! | `/control/…` | the same levers and more, for machines |
//! | `/mail`, `/mail/{n}` | what the mail server took in |

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
