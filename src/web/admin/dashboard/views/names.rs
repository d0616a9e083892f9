//! The names of the sources, by their ids in lower case.

use crate::domain::ConnectionId;
use crate::store::{Result, SourceStats};
use crate::web::admin::dashboard::state::Dashboard;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct SourceNames(BTreeMap<String, String>);

impl SourceNames {
    pub(super) async fn load(state: &Dashboard) -> Result<Self> {
        Ok(Self::new(&state.admin.fleet.sources().await?))
    }

    pub(super) fn new(sources: &[SourceStats]) -> Self {
        let name = |stats: &SourceStats| (stats.source.as_str().to_owned(), stats.name.clone());
        Self(sources.iter().map(name).collect())
    }

    /// The id, if the source has no name.
    pub(super) fn of(&self, source: &ConnectionId) -> String {
        let name = self.0.get(&source.folded()).filter(|name| !name.is_empty());
        name.map_or_else(|| source.as_str().to_owned(), Clone::clone)
    }
}
