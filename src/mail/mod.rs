//! Mails: [`Renderer`] makes them (pure: equal input gives equal bytes), [`Transport`] hands them over.

mod cases;
mod html;
mod leaks;
mod message;
mod notice;
mod render;
#[cfg(test)]
mod samples;
mod templates;
mod text;
mod transport;
mod words;

pub(crate) use leaks::Leak;
pub(crate) use message::Mail;
pub use notice::{Kind, Named, NoticeMail, RenderError, SetupError};
pub use render::Renderer;
pub use transport::{Accepted, SendError, Stage, Transport, TransportError, Verdict};
