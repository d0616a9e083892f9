//! Units of work that are cut off at every await, and whose writes fail one after another. Nothing is lost, doubled, or left
//! half done, and the same unit then runs to its end.

mod deliver;
mod events;
mod files;
mod operators;
mod plan;
mod poll;
mod press;
mod stage;
