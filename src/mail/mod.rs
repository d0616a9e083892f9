//! Mails: [`Renderer`] makes them (pure: equal input gives equal bytes), [`Transport`] hands them over.

#[cfg(test)]
mod fixtures;
mod html;
mod leaks;
mod message;
mod notice;
mod render;
mod sample_matrix;
mod templates;
mod text;
mod transport;
mod words;

pub(crate) use leaks::Leak;
pub(crate) use message::Email;
pub use notice::{ConnectionLabel, NoticeEmail, RenderError, SetupError, Template};
pub use render::Renderer;
pub use transport::{Accepted, Disposition, SendError, Stage, Transport, TransportError};
