//! An operator acts for one member from the command line: the real binary against the simulated gateway.

#[path = "operations/acts.rs"]
mod acts;
#[path = "operations/bench.rs"]
mod bench;
#[path = "operations/invitations.rs"]
mod invitations;
#[path = "operations/link_activity.rs"]
mod link_activity;
#[path = "operations/modes.rs"]
mod modes;
#[path = "operations/retry.rs"]
mod retry;
#[path = "operations/rotation.rs"]
mod rotation;
#[path = "operations/suppress.rs"]
mod suppress;
