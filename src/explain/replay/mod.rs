//! Replays the recorded past under another policy: who would have received what, next to what happened.
//!
//! The simulation is pure (`simulation.rs`). It runs the real planner on the recorded facts, in simulated time, and takes an
//! email as handed over when the policy sends it. An email that was on its way at that time arrives when it did
//! (`handovers.rs`): no policy makes a mail server faster. Members recover when they did.

mod addresses;
mod email;
mod handovers;
mod holds;
mod lapse;
mod replayer;
mod row;
mod simulation;
mod storms;
mod summary;
mod world;

pub use replayer::{Replay, Replayer};
pub use row::ReplayRow;
pub use summary::{Summary, Totals};
