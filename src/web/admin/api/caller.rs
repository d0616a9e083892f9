//! The caller of a request, and the store that acts for it.

use crate::domain::{AuditAction, AuditEntry, MemberId};
use crate::store::{INTERACTIVE_WAIT, Store, StoreError};
use crate::web::admin::access::Access;
use crate::web::admin::api::failure::importing;
use crate::web::admin::state::AdminState;
use crate::web::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use std::ops::Deref;
use tokio::sync::MutexGuard;
use tokio::time::timeout;

pub(super) struct Caller {
    state: AdminState,
    /// Its writes are audited.
    pub(super) store: Store,
}

impl FromRequestParts<AdminState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        let access = parts.extensions.get::<Access>();
        let access =
            access.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "the request has no token"))?;
        Ok(Self { state: state.clone(), store: state.store.acting_as(access.actor()) })
    }
}

impl Deref for Caller {
    type Target = AdminState;

    fn deref(&self) -> &AdminState {
        &self.state
    }
}

impl Caller {
    /// Records in the audit that data of members is read, before it is shown.
    pub(super) async fn record_read(
        &self,
        resource: &str,
        member: Option<&MemberId>,
        rows: usize,
    ) -> Result<(), StoreError> {
        let entry = AuditEntry::new(AuditAction::Read).about(member).target(resource).affected(rows as u64);
        self.store.record_audit(entry, self.clock.now()).await
    }

    /// Waits for its turn to import members, but not for a long import.
    pub(super) async fn turn_to_import(&self) -> Result<MutexGuard<'_, ()>, Problem> {
        timeout(INTERACTIVE_WAIT, self.imports.lock()).await.map_err(|_| importing())
    }
}
