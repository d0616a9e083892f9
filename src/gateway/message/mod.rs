//! What b.well posts to the operator's side (pure).

mod bundle;
mod signature;

pub(crate) use bundle::{GatewayMessage, InvalidMessage};
pub(crate) use signature::{SIGNATURE_HEADER, is_signed};
