//! Pure: the state of a link and of its buttons.

mod button;
mod link;

pub(crate) use button::{ButtonState, ButtonView, Resume};
pub(crate) use link::LinkState;
