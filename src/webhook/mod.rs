//! Edge: posts events to the operator's own systems, signed as the Standard Webhooks specification says.

mod client;
mod signature;

pub use client::WebhookClient;
pub(crate) use client::{Message, PostError};
