//! Lets a listener change what it serves while connections are open.

use axum::Router;
use axum::extract::Request;
use std::sync::{Arc, PoisonError, RwLock};
use tower::{ServiceExt, service_fn};

/// Cheap to clone. A request in progress stays with the router that it came to.
#[derive(Clone)]
pub(crate) struct RouterSwitch(Arc<RwLock<Router>>);

impl RouterSwitch {
    pub(crate) fn new(router: Router) -> Self {
        Self(Arc::new(RwLock::new(router)))
    }

    /// Also for the next requests of open connections.
    pub(crate) fn set(&self, router: Router) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = router;
    }

    /// A router that passes each request to the one that is set.
    pub(crate) fn router(&self) -> Router {
        let this = self.clone();
        Router::new().fallback_service(service_fn(move |request: Request| this.current().oneshot(request)))
    }

    fn current(&self) -> Router {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
