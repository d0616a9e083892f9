use super::bench::Bench;
use axum::extract::{Form, State};
use axum::routing::post;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use reconnectd::sim::{Fault, FaultKind, Operation, Simulator};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

type Seen = Arc<Mutex<Vec<String>>>;

/// A token endpoint that remembers the ID tokens it is shown, before the simulator's own.
async fn eavesdrop(token_url: String) -> (String, Seen) {
    let seen = Seen::default();
    async fn pass_on(
        State((seen, url)): State<(Seen, String)>,
        Form(form): Form<HashMap<String, String>>,
    ) -> (axum::http::StatusCode, String) {
        seen.lock().unwrap().push(form["subject_token"].clone());
        let answer = reqwest::Client::new().post(url).form(&form).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }
    let router = axum::Router::new().route("/token", post(pass_on)).with_state((seen.clone(), token_url));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

fn exchange_settings(token_url: &str, algorithm: &str, key: &KeyPair) -> String {
    format!(
        "mode = \"token_exchange\"\ntoken_url = \"{token_url}\"\nalgorithm = \"{algorithm}\"\nkey_id = \"k1\"\n\
         issuer = \"https://id.example.org\"\naudience = \"bwell\"\nsigning_key = '''\n{}'''\n",
        key.serialize_pem()
    )
}

async fn exchange(algorithm: &str) -> (Bench, Seen) {
    let key = match algorithm {
        "ES256" => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        _ => KeyPair::generate_for(&PKCS_RSA_SHA256),
    };
    let key = key.unwrap();
    let mut bench =
        Bench::with_auth(|_| exchange_settings("http://127.0.0.1:1/token", algorithm, &key)).await;
    let (url, seen) = eavesdrop(bench.sim.token_url()).await;
    bench.home.set("gateway.auth.token_url", url);
    bench.enrol(&["alice", "bob"], false).await;
    (bench, seen)
}

#[tokio::test]
async fn a_signed_token_is_exchanged_and_verifies_under_the_printed_key() {
    for (name, algorithm) in [("RS256", Algorithm::RS256), ("ES256", Algorithm::ES256)] {
        let (bench, seen) = exchange(name).await;
        bench.pass().await;
        let world = bench.sim.world();
        assert_eq!(
            (world.request_count(Operation::TokenExchange), world.request_count(Operation::Refresh)),
            (2, 0)
        );
        assert_eq!(bench.status("connections disconnect epic --member alice --yes").await, "DISCONNECTED");
        bench.pass().await;
        assert_eq!(
            world.request_count(Operation::TokenExchange),
            2,
            "a restart asks for no token that is good"
        );

        let set: JwkSet = serde_json::from_str(&bench.done("keys jwks").await).unwrap();
        let jwk = set.find("k1").unwrap();
        let mut expected = Validation::new(algorithm);
        expected.set_audience(&["bwell"]);
        expected.set_issuer(&["https://id.example.org"]);
        let mut subjects: Vec<String> = Vec::new();
        for token in seen.lock().unwrap().iter() {
            let key = DecodingKey::from_jwk(jwk).unwrap();
            let token = jsonwebtoken::decode::<Value>(token, &key, &expected).unwrap();
            assert_eq!(token.header.kid.as_deref(), Some("k1"));
            subjects.push(token.claims["sub"].as_str().unwrap().to_owned());
        }
        subjects.sort();
        assert_eq!(subjects, ["alice", "bob"]);
        assert!(!bench.done("keys jwks --json").await.contains("\"d\""), "the private half stays here");
    }
}

#[tokio::test]
async fn without_a_key_there_is_no_public_half() {
    let bench = Bench::with_auth(|_| String::new()).await;
    assert!(bench.fails(2, "keys jwks").await.contains("gateway.auth.signing_key"));
}

async fn members_and_reasons(bench: &Bench) -> Vec<(Value, Value, String)> {
    let rows = bench.json("members list").await.into_iter();
    let reason = |row: &Value| row["credential_reason"].as_str().unwrap_or_default().to_owned();
    rows.map(|row| (row["member_id"].clone(), row["credential"].clone(), reason(&row))).collect()
}

#[tokio::test]
async fn in_exchange_mode_a_refused_subject_is_rejected_and_changes_no_connection() {
    let (bench, _) = exchange("ES256").await;
    bench.sim.world().revoke("bob").unwrap();
    assert_eq!(bench.run("once").await.code, 3);
    let rows = members_and_reasons(&bench).await;
    assert_eq!(rows[0], ("alice".into(), "ok".into(), String::new()));
    assert_eq!((&rows[1].0, &rows[1].1), (&"bob".into(), &"rejected".into()));
    assert!(bench.transitions("bob", "epic").await.is_empty());
    let asked = bench.sim.world().request_count(Operation::TokenExchange);
    let again = bench.run("once --json").await;
    assert_eq!(again.code, 3, "half of the members are skipped");
    let counts: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!((&counts["members"], &counts["skipped"]), (&1.into(), &1.into()));
    assert_eq!(
        bench.sim.world().request_count(Operation::TokenExchange),
        asked,
        "its next try has a time of its own"
    );
}

fn broker(sim: &Simulator) -> String {
    format!("mode = \"broker\"\nbroker_url = \"{}\"\nbroker_token = \"b\"\n", sim.broker_url())
}

#[tokio::test]
async fn a_broker_gives_tokens_or_says_why_not() {
    let bench = Bench::with_auth(broker).await;
    bench.enrol(&["alice", "bob", "carol", "mallory"], false).await;
    let world = bench.sim.world();
    world.revoke("carol").unwrap();
    assert_eq!(bench.run("once").await.code, 3);
    assert_eq!(world.request_count(Operation::Broker), 4);
    let rows = members_and_reasons(&bench).await;
    let credentials: Vec<_> = rows.iter().map(|(_, credential, _)| credential.as_str().unwrap()).collect();
    assert_eq!(credentials, ["ok", "ok", "rejected", "rejected"]);
    assert!(rows[2].2.contains("consent") && !rows[3].2.contains("consent"), "{rows:?}");
    let said = bench.fails(1, "connections list --member carol").await;
    assert!(said.contains("consent"), "{said}");
}

#[tokio::test]
async fn a_herd_without_tokens_is_bounded_by_max_in_flight() {
    let mut bench = Bench::with_auth(broker).await;
    let sim = reconnectd::sim::Options { members: 60, ..Default::default() };
    let sim = Simulator::start(sim).await.unwrap();
    bench
        .home
        .set("gateway.max_in_flight", 3)
        .set("gateway.url", sim.gateway_url())
        .set("gateway.auth.broker_url", sim.broker_url());
    sim.world().add_fault(Fault::new(FaultKind::Delay { ms: 20 }).on(Operation::Broker));
    let members: Vec<String> = (1..=60).map(|n| format!("m{n}")).collect();
    bench.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>(), false).await;
    bench.pass().await;
    assert_eq!(sim.world().request_count(Operation::Broker), 60);
    assert_eq!(sim.world().peak_in_flight(), 3);
    bench.pass().await;
    assert_eq!(sim.world().request_count(Operation::Broker), 60, "a restart asks for no token that is good");
}
