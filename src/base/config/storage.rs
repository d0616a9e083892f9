//! `[database]` and `[keys]`.

use super::database_url::DatabaseUrl;
use super::values;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    #[serde(deserialize_with = "values::parsed")]
    url: DatabaseUrl,
    /// Connections to PostgreSQL. Each unit of work uses one.
    #[serde(deserialize_with = "values::integer::<_, _, 2, 1000>")]
    max_connections: u32,
    /// Of PostgreSQL, which ends a statement after this time.
    #[serde(deserialize_with = "values::positive_duration")]
    statement_timeout: Duration,
}

impl Database {
    pub(crate) fn url(&self) -> DatabaseUrl {
        self.url.clone().with_limits(self.max_connections, self.statement_timeout)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// The key ring.
    #[serde(deserialize_with = "values::path")]
    pub(crate) file: PathBuf,
}
