//! What an answer of the gateway means: known + seen + policy + now → [`Decision`]. Pure.
//!
//! Each status, and a row that is missing, does one thing to the connection's lapse:
//!
//! | seen | no live lapse | suspected | open |
//! | --- | --- | --- | --- |
//! | EXPIRED, DISCONNECTED | suspect, or resume a lapse just closed | count; open once confirmed | – |
//! | CONNECTED | end a dismissal | forget | close, recovered |
//! | ERROR, ACCESS_ENDED | – | forget | – |
//! | DELETED, missing and confirmed | – | forget; one that was resumed: close, removed | close, removed |
//! | a status we do not know, none, hidden | – | – | – |
//!
//! A row that is missing is not yet DELETED. That needs the same confirmation as a break; until then nothing changes.
//! Only a row whose records were being deleted, or that an operator has just deleted, is gone at once.
//!
//! A row whose records are being deleted does what a DELETED one does, whatever its status: it lingers until that is
//! done, and nobody needs to repair it.
//!
//! A *resumed* lapse is one that was open before: it keeps its `opened_at`, and with it its place in the
//! cadence. While it is only suspected again it keeps its `outcome` and `closed_at` too, so that forgetting
//! the suspicion makes it what it was.
//!
//! A lapse that the member *dismissed* stays closed, and no new one begins, until the connection is CONNECTED
//! again. That is written into the lapse, whose outcome becomes recovered: no later answer needs to know how
//! it once ended. A member who reconnects after all opens it again, which no answer decides.

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
