use crate::store::SourceStats;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct SourceRow<'a> {
    pub(crate) source: &'a str,
    pub(crate) name: &'a str,
    pub(crate) connections: u64,
    pub(crate) open_lapses: u64,
    pub(crate) lapsed_30d: u64,
    pub(crate) recovered_30d: u64,
    pub(crate) recovery_seconds_median: Option<i64>,
    pub(crate) connected_seconds_median: Option<i64>,
}

impl<'a> From<&'a SourceStats> for SourceRow<'a> {
    fn from(stats: &'a SourceStats) -> Self {
        Self {
            source: stats.source.as_str(),
            name: &stats.name,
            connections: stats.connections,
            open_lapses: stats.open_lapses,
            lapsed_30d: stats.lapsed,
            recovered_30d: stats.recovered,
            recovery_seconds_median: stats.recovery_median.map(|median| median.num_seconds()),
            connected_seconds_median: stats.connected_median.map(|median| median.num_seconds()),
        }
    }
}
