//! Units of work that are cut off at every await, whose writes fail one after another, that a server disconnects, and that
//! cannot read a table. Nothing is lost, doubled, or left half done, and the same unit then runs to its end.

mod deliver;
mod events;
mod files;
mod operators;
mod plan;
mod poll;
mod press;
mod stage;
