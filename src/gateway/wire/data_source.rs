//! A data source as the gateway sends it, whether or not the member is connected to it.

use super::values;
use crate::domain::{Category, ConnectionId, IntegrationType, SourceType};
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataSource {
    #[serde(deserialize_with = "values::id")]
    pub(crate) id: ConnectionId,
    pub(crate) name: String,
    pub(crate) category: Option<Category>,
    #[serde(rename = "type")]
    pub(crate) source_type: Option<SourceType>,
    #[serde(default, deserialize_with = "values::or_false")]
    pub(crate) is_direct: bool,
    pub(crate) integration_type: Option<IntegrationType>,
}
