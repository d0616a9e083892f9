//! Actor: delivers notices, from the queue to the mail server, many at a time.
//!
//! Under channel `webhook`, the receiver of events takes the place of the mail server.
//!
//! Claim with a lease and commit; second look at the gateway; verify that reconnecting is possible; wait for a session
//! with the mail server; evaluate the gates again; store the link and the unsubscribe token; send; record. A crash between
//! the server's acceptance and our commit can send the same notice again, with the same Message-ID. Nothing else can.

mod content;
mod deliverer;
mod delivery;
mod domain_shares;
mod gates;
mod mail_sessions;
mod outcome;
mod pipeline;
mod post;
mod preflight;
mod queue_gate;
mod ready;
mod record;
mod wording;

pub use deliverer::{Delivered, Deliverer};
pub(crate) use domain_shares::DomainShares;
pub(crate) use mail_sessions::MailSessions;
pub use pipeline::Pipeline;
pub(crate) use pipeline::Started;
pub(crate) use queue_gate::QueueGate;
