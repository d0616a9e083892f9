//! `[database]` and `[keys]`.

use super::database_url::DatabaseUrl;
use super::values;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    #[serde(deserialize_with = "values::parsed")]
    url: DatabaseUrl,
    /// Connections to PostgreSQL. Each unit of work uses one.
    #[serde(deserialize_with = "values::integer::<_, _, 2, 1000>")]
    max_connections: u32,
}

impl Database {
    pub(crate) fn url(&self) -> DatabaseUrl {
        self.url.clone().with_max_connections(self.max_connections)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// The key ring.
    #[serde(deserialize_with = "values::path")]
    pub(crate) file: PathBuf,
}
