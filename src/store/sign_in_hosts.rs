//! `sign_in_hosts`: the hosts that reconnect URLs led to.

use super::engine::{query, query_scalar};
use super::{Result, Store, millis};
use crate::domain::{OauthUrl, Time};

/// A gateway that sends ever new hosts must not fill the database.
pub(crate) const MAX_SIGN_IN_HOSTS: u32 = 250;

impl Store {
    /// Records the host of a reconnect URL, and nothing else of it. Writes only when the host is new.
    pub(crate) async fn record_sign_in_host(&self, url: &OauthUrl, now: Time) -> Result<()> {
        let Some(host) = url.host() else { return Ok(()) };
        let needs_no_row: bool = query_scalar(
            "SELECT EXISTS (SELECT 1 FROM sign_in_hosts WHERE host = $1)
                OR (SELECT count(*) FROM sign_in_hosts) >= $2",
        )
        .bind(&host)
        .bind(MAX_SIGN_IN_HOSTS)
        .fetch_one(&self.reader)
        .await?;
        if needs_no_row {
            return Ok(());
        }
        self.write(async |mut tx| {
            query(
                "INSERT INTO sign_in_hosts (host, first_seen_at)
                 SELECT $1, $2 WHERE (SELECT count(*) FROM sign_in_hosts) < $3
                 ON CONFLICT (host) DO NOTHING",
            )
            .bind(&host)
            .bind(millis(now))
            .bind(MAX_SIGN_IN_HOSTS)
            .execute(&mut tx)
            .await?;
            Ok(())
        })
        .await
    }

    /// The hosts seen so far, in alphabetical order, at most [`MAX_SIGN_IN_HOSTS`].
    pub(crate) async fn sign_in_hosts(&self) -> Result<Vec<String>> {
        query_scalar("SELECT host FROM sign_in_hosts ORDER BY host").fetch_all(&self.reader).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::new_store;

    #[tokio::test]
    async fn only_host_names_are_recorded_once_each_and_up_to_a_bound() {
        let (store, _folder) = new_store().await;
        let record = async |url: &str| {
            store.record_sign_in_host(&OauthUrl::new(url), Time::UNIX_EPOCH).await.unwrap();
        };
        for url in ["https://b.example/s3cret", "https://a.example:8443/?state=s3cret", "https://b.example/"]
        {
            record(url).await;
        }
        assert_eq!(store.sign_in_hosts().await.unwrap(), ["a.example", "b.example"]);
        for n in 0..=MAX_SIGN_IN_HOSTS {
            record(&format!("https://h{n}.example/")).await;
        }
        assert_eq!(store.sign_in_hosts().await.unwrap().len(), MAX_SIGN_IN_HOSTS as usize);
    }
}
