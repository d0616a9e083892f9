use crate::store::{DomainStats, RevokedLinks};
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct LinkActivityRow<'a> {
    pub(crate) domain: &'a str,
    pub(crate) bot_views: u64,
    pub(crate) human_views: u64,
    pub(crate) bot_presses: u64,
    pub(crate) human_presses: u64,
}

impl<'a> From<&'a DomainStats> for LinkActivityRow<'a> {
    fn from(stats: &'a DomainStats) -> Self {
        let &DomainStats { ref domain, bot_views, human_views, bot_presses, human_presses } = stats;
        Self { domain, bot_views, human_views, bot_presses, human_presses }
    }
}

#[derive(Serialize)]
pub(crate) struct RevokedLinksRow<'a> {
    pub(crate) member_id: &'a str,
    #[serde(flatten)]
    pub(crate) revoked: RevokedLinks,
}
