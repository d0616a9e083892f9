//! The simulator as its clients see it: over loopback, in GraphQL, HTTP and SMTP.

mod control;
mod faults;
mod gateway;
mod identity;
mod inbox;
mod oauth;
mod oddities;
mod smtp;
mod tls;

use super::{Options, Simulator};
use crate::base::clock::{Clock, ManualClock};
use serde_json::{Value, json};

const LIST: &str =
    "query getMemberConnections($integrationType: [String!], $status: [String!], $syncStatus: [String!]) {
    getMemberConnections(integrationType: $integrationType, status: $status, syncStatus: $syncStatus) {
        id name category type integrationType isDirect status syncStatus statusUpdated lastSynced created
        syncErrors { text coding { code display system } } } }";
const REFRESH: &str = "query refreshTokens { refresh { accessToken idToken refreshToken } }";
const OAUTH_URL: &str =
    "query getOauthUrl($connectionId: String!) { getOauthUrl(connectionId: $connectionId) { redirectUrl } }";

/// A simulator at noon, a clock to move, and a client.
struct Sim {
    simulator: Simulator,
    clock: ManualClock,
    http: reqwest::Client,
}

impl Sim {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let clock = ManualClock::at("2026-11-23T12:00:00Z".parse().unwrap());
        let mut options = Options { clock: Clock::Manual(clock.clone()), members: 60, ..Options::default() };
        change(&mut options);
        let simulator = Simulator::start(options).await.unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { simulator, clock, http }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.base_url())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let response = self.http.get(self.url(path)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let response = self.http.post(self.url(path)).json(&body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    async fn delete(&self, path: &str) -> u16 {
        self.http.delete(self.url(path)).send().await.unwrap().status().as_u16()
    }

    fn request(&self, headers: &[(&str, &str)], query: &str, variables: Value) -> reqwest::RequestBuilder {
        let body = json!({ "query": query, "variables": variables });
        let request = self.http.post(self.simulator.gateway_url()).json(&body);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    }

    async fn ask(&self, headers: &[(&str, &str)], query: &str, variables: Value) -> (u16, Value) {
        let response = self.request(headers, query, variables).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn refresh(&self, token: &str) -> Value {
        self.ask(&[("refresh_token", token), ("clientkey", "any")], REFRESH, json!({})).await.1
    }

    async fn token(&self, member: &str) -> String {
        let token = self.simulator.world().refresh_token(member).unwrap();
        let answer = self.refresh(&token).await;
        answer["data"]["refresh"]["accessToken"].as_str().unwrap().to_owned()
    }

    /// Asks as a member.
    async fn as_member(&self, member: &str, query: &str, variables: Value) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.token(member).await);
        self.ask(&[("authorization", &bearer)], query, variables).await
    }

    /// A member's connections, each as `id status syncStatus`.
    async fn list(&self, member: &str) -> Vec<String> {
        let (status, answer) = self.as_member(member, LIST, json!({})).await;
        assert_eq!((status, answer.get("errors")), (200, None));
        let text = |value: &Value| value.as_str().unwrap_or("null").to_owned();
        let rows = answer["data"]["getMemberConnections"].as_array().unwrap();
        rows.iter()
            .map(|row| format!("{} {} {}", text(&row["id"]), text(&row["status"]), text(&row["syncStatus"])))
            .collect()
    }

    async fn oauth_url(&self, member: &str, connection: &str) -> String {
        let (_, answer) = self.as_member(member, OAUTH_URL, json!({ "connectionId": connection })).await;
        answer["data"]["getOauthUrl"]["redirectUrl"].as_str().unwrap().to_owned()
    }
}

/// The code of the first issue of an answer's first error.
fn issue(answer: &Value) -> &str {
    let resource = &answer["errors"][0]["extensions"]["resource"];
    assert_eq!(resource["resourceType"], "OperationOutcome", "{answer}");
    resource["issue"][0]["code"].as_str().unwrap()
}
