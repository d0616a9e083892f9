//! The HTTP clients: one that keeps connections open, and one that does not.

use reqwest::{Client, ClientBuilder, Error};
use std::sync::OnceLock;

pub(super) type BuildClient = Box<dyn Fn() -> ClientBuilder + Send + Sync>;

pub(super) struct Clients {
    keeping: Client,
    /// Created when it is first needed, because each client reads the machine's certificates.
    fresh: OnceLock<Client>,
    build: BuildClient,
}

impl Clients {
    pub(super) fn new(build: BuildClient) -> Result<Self, Error> {
        Ok(Self { keeping: build().build()?, fresh: OnceLock::new(), build })
    }

    pub(super) fn keeping(&self) -> &Client {
        &self.keeping
    }

    /// A client whose requests have a new connection each. When one connection that was kept open has died, the others may
    /// have, too, and retries would meet one after another.
    pub(super) fn fresh(&self) -> Result<&Client, Error> {
        if let Some(client) = self.fresh.get() {
            return Ok(client);
        }
        let client = (self.build)().pool_max_idle_per_host(0).build()?;
        Ok(self.fresh.get_or_init(|| client))
    }
}
