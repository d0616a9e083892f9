//! Verifies that the member can reconnect, before the email promises it.

use super::deliverer::Deliverer;
use super::outcome::Step;
use crate::base::telemetry::traces;
use crate::credentials::CallError;
use crate::domain::{ConnectionId, Member, NoticeReason, Repair};
use crate::gateway::Verdict;
use crate::store::{Claim, StoredConnection};

/// A member can have thousands of connections. The email covers those beyond this number without a call, and the press
/// of a button gets a fresh URL anyway.
const MAX_VERIFIED: usize = 50;

impl Deliverer {
    /// Gets the OAuth URL of each OAuth connection, up to [`MAX_VERIFIED`], records its host, and discards it. Drops the
    /// connections for which the gateway permanently refuses a URL; defers the notice when that leaves no verified one.
    /// Also returns the sources of the URLs.
    pub(super) async fn verify_oauth_urls<T>(
        &self,
        claim: &Claim,
        member: &Member,
        connections: Vec<(T, StoredConnection)>,
    ) -> Step<(Vec<(T, StoredConnection)>, Vec<ConnectionId>)> {
        let (mut verified, mut unverified, mut sources) = (Vec::new(), Vec::new(), Vec::new());
        let mut refused = Vec::new();
        let mut calls = 0;
        let mut detail = String::new();
        for (item, connection) in connections {
            if connection.repair() != Repair::Oauth {
                verified.push((item, connection));
                continue;
            }
            if calls == MAX_VERIFIED {
                unverified.push((item, connection));
                continue;
            }
            calls += 1;
            let credentials = match self.tokens.credentials(&member.id).await {
                Ok(credentials) => credentials,
                Err(error) => return Err(self.defer_for(claim, NoticeReason::TokenUnavailable, &error)),
            };
            let (source, id) = (&connection.connection.id, &connection.gateway_id);
            let fetch = |token| async move { self.gateway.oauth_url(&token, id).await };
            let fetched = async {
                let url = self.tokens.call_as(&member.id, &credentials, fetch).await;
                url.inspect_err(|error| traces::record_failure(error.code()))
            };
            match traces::in_child_span("oauth_url", &[("connection_id", source)], fetched).await {
                Ok(url) => {
                    self.store.record_sign_in_host(&url, self.clock.now()).await?;
                    sources.push(source.clone());
                    verified.push((item, connection));
                }
                Err(CallError::Gateway(error)) if error.verdict() == Verdict::Permanent => {
                    tracing::warn!(
                        event = "oauth_url_refused", member_id = %member.id, connection_id = %source,
                        request_id = error.request_id(), %error, "oauth url refused"
                    );
                    detail = error.to_string();
                    refused.push(source.clone());
                }
                Err(error) => return Err(self.defer_for(claim, NoticeReason::OauthUrlUnavailable, &error)),
            }
        }
        if verified.is_empty() && !refused.is_empty() {
            return Err(self.oauth_url_refused(claim, &refused, detail).await?);
        }
        verified.extend(unverified);
        Ok((verified, sources))
    }
}
