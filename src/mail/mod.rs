//! Emails: [`Renderer`] writes them (pure: equal input gives equal bytes), [`Transport`] sends them.

mod error;
#[cfg(test)]
mod fixtures;
mod kind;
mod message;
mod notice;
mod render;
pub(crate) mod reports;
mod sample;
mod sample_matrix;
mod sender_records;
mod survey;
mod templates;
mod text;
mod transport;
mod validate;
mod values;

pub use error::{RenderError, SetupError};
pub use kind::EmailKind;
pub(crate) use message::Email;
pub use notice::{ConnectionLabel, NoticeEmail, Section, Template, Urgency};
pub use render::Renderer;
pub(crate) use sender_records::{Dmarc, DmarcPolicy, Resolver, SenderRecords, Spf};
pub(crate) use transport::BadAddress;
pub use transport::{Accepted, Disposition, SendError, Stage, Transport, TransportError};
