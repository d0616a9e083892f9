//! The services of the public pages.

use crate::base::clock::Clock;
use crate::reconnect::links::LinkService;
use crate::store::Store;
use crate::traffic::RequestRecorder;
use crate::web::client_limits::ClientLimits;
use crate::web::hooks::{BwellState, HookState};
use crate::web::pages::Pages;
use std::ops::Deref;
use std::sync::Arc;

/// Cheap to clone: each request does it several times.
#[derive(Clone)]
pub struct PublicState(Arc<PublicServices>);

pub struct PublicServices {
    pub(crate) links: LinkService,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) request_recorder: RequestRecorder,
    pub(crate) pages: Arc<Pages>,
    /// The public URL's own path, without a slash at the end.
    pub(crate) prefix: String,
    /// The public URL is https.
    pub(crate) secure: bool,
    /// The operator's own proxies in front of the listener.
    pub(crate) trusted_proxies: usize,
    pub(crate) client_limits: ClientLimits,
    /// `None`: the hooks of mail providers do not exist.
    pub(crate) hooks: Option<HookState>,
    /// `None`: the hook of b.well does not exist.
    pub(crate) bwell: Option<BwellState>,
}

impl PublicState {
    pub(crate) fn new(services: PublicServices) -> Self {
        Self(Arc::new(services))
    }
}

impl Deref for PublicState {
    type Target = PublicServices;

    fn deref(&self) -> &PublicServices {
        &self.0
    }
}
