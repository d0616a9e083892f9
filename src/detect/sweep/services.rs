use crate::base::clock::Clock;
use crate::credentials::TokenProvider;
use crate::detect::brake::StormBrake;
use crate::detect::poll::Poller;
use crate::store::Store;

#[derive(Clone)]
pub(super) struct Services {
    pub(super) store: Store,
    pub(super) poller: Poller,
    pub(super) tokens: TokenProvider,
    pub(super) clock: Clock,
    pub(super) max_unclear: f64,
    pub(super) brake: StormBrake,
}
