//! An operator acts for one member from the command line.

mod acts;
mod audit;
mod bench;
mod events;
mod hold;
mod invitations;
mod link_activity;
mod modes;
mod pause;
mod replay;
mod retry;
mod rotation;
mod runbooks;
mod sources;
mod suppress;
mod why;
