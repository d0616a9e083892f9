//! Actor: delivers events to the operator's own systems, from the outbox, several at a time.
//!
//! Claim with a lease and commit; post; record. A crash between the receiver's confirmation and our commit posts the event
//! again, with the same id. The events of one member are posted one after another.

mod courier;
mod due_links;
mod receiver_gate;

pub use courier::{EventCourier, EventsStarted};
pub use due_links::DueLinks;
