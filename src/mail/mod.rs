//! Mails: [`Renderer`] makes them (pure: equal input gives equal bytes), [`Transport`] hands them over.

mod message;
mod render;
mod templates;
mod text;
mod transport;

pub use message::Mail;
pub use render::{Kind, Named, NoticeMail, RenderError, Renderer, SetupError};
pub use templates::TemplateError;
pub use transport::{Accepted, SendError, Stage, Transport, TransportError, Verdict};
