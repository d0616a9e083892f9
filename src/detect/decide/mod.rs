//! Decides what a response means: known state + observed state + policy + time → `Decision`. Pure.
//!
//! The effect of each observed status on the connection's lapse:
//!
//! | observed | no live lapse | suspected | open |
//! | --- | --- | --- | --- |
//! | EXPIRED, DISCONNECTED | suspect, or resume a recent lapse | count; open when confirmed | – |
//! | CONNECTED | end a dismissal | delete | close as recovered |
//! | ERROR, ACCESS_ENDED | – | delete | – |
//! | DELETED, or missing and confirmed | – | delete; close a resumed one as removed | close as removed |
//! | unknown, absent, or hidden | – | – | – |
//!
//! A missing row needs the same confirmation as a break before it counts as DELETED. Only a row whose records were
//! being deleted, or that an operator has just deleted, counts immediately.
//!
//! A row whose records are being deleted counts as DELETED, whatever its status: it remains listed until the deletion is
//! done, and nobody needs to repair it.
//!
//! A *resumed* lapse was open before. It keeps its `opened_at`, and with it its place in the cadence. While it is only
//! suspected again, it also keeps its `outcome` and `closed_at`, so that dropping the suspicion restores it.
//!
//! A *dismissed* lapse stays closed, and no new one starts, until the connection is CONNECTED again. Then its outcome
//! becomes recovered, so that no later response depends on the dismissal. A member who reconnects anyway reopens it;
//! no response does.

mod decision;
mod lapses;
mod policy;

pub use decision::decide;
pub use policy::Policy;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod world;
