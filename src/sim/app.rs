//! The state that every HTTP handler needs.

use super::{mailbox::Mailbox, schema, world::World};
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
pub(super) struct App {
    pub(super) world: World,
    pub(super) mailbox: Mailbox,
    pub(super) schema: schema::Schema,
    pub(super) stop: CancellationToken,
}
