use super::*;
use crate::sim::Operation;
use chrono::TimeDelta;
use jsonwebtoken::{EncodingKey, Header};

#[tokio::test]
async fn without_rotation_a_refresh_token_works_again_and_again() {
    let sim = Sim::start().await;
    for _ in 0..2 {
        let answer = sim.refresh("rt-alice").await;
        let tokens = &answer["data"]["refresh"];
        assert_eq!(tokens["refreshToken"], Value::Null);
        assert_eq!(tokens["accessToken"].as_str().unwrap().split('.').count(), 3);
    }
}

#[tokio::test]
async fn with_rotation_a_refresh_spends_the_token_and_answers_the_next() {
    let sim = Sim::start().await;
    sim.simulator.world().configure(|settings| settings.rotate = true);
    let answer = sim.refresh("rt-alice").await;
    let second = answer["data"]["refresh"]["refreshToken"].as_str().unwrap().to_owned();
    assert_eq!(issue(&sim.refresh("rt-alice").await), "login");
    let answer = sim.refresh(&second).await;
    let third = answer["data"]["refresh"]["refreshToken"].as_str().unwrap();
    assert_ne!(second, third);
    assert_eq!(issue(&sim.refresh(&second).await), "login");
    assert_eq!(sim.simulator.world().refresh_token("alice").unwrap(), third);
}

#[tokio::test]
async fn with_grace_a_spent_token_is_good_until_its_successor_is_used() {
    let sim = Sim::start().await;
    sim.simulator.world().configure(|settings| (settings.rotate, settings.rotation_grace) = (true, true));
    let next = async |token: &str| {
        let answer = sim.refresh(token).await;
        answer["data"]["refresh"]["refreshToken"].as_str().map(str::to_owned)
    };
    let lost = next("rt-alice").await.unwrap();
    let second = next("rt-alice").await.expect("the answer was lost: it may be asked again");
    assert_eq!(next(&lost).await, None, "the lost token is invalid");
    let third = next(&second).await.unwrap();
    assert_eq!(next("rt-alice").await, None, "its successor was used");
    assert!(next(&second).await.is_some() && next(&third).await.is_none());
}

#[tokio::test]
async fn of_many_who_spend_one_refresh_token_at_once_one_wins() {
    let sim = Sim::start().await;
    sim.simulator.world().configure(|settings| settings.rotate = true);
    let answers = futures_util::future::join_all((0..16).map(|_| sim.refresh("rt-bob"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.get("errors").is_none()).count(), 1);
}

#[tokio::test]
async fn a_refresh_needs_a_known_token_and_a_client_key() {
    let sim = Sim::start().await;
    for token in ["rt-dave", "rt-m61", "alice", "rt-", "rt-alice~forged"] {
        assert_eq!(issue(&sim.refresh(token).await), "login", "{token}");
    }
    let (_, answer) = sim.ask(&[("refresh_token", "rt-alice")], REFRESH, json!({})).await;
    assert_eq!(issue(&answer), "required");
    let (_, answer) = sim.ask(&[("clientkey", "any")], REFRESH, json!({})).await;
    assert_eq!(issue(&answer), "required");
}

#[tokio::test]
async fn an_expired_or_foreign_access_token_is_refused_as_the_settings_say() {
    let sim = Sim::start().await;
    let good = sim.token("alice").await;
    let other = Sim::start().await.token("alice").await;
    let list =
        async |token: &str| sim.ask(&[("authorization", &format!("Bearer {token}"))], LIST, json!({})).await;
    assert_eq!(list(&good).await.0, 200);
    sim.clock.advance(TimeDelta::seconds(3600));
    for token in [&good, &other, "garbage"] {
        let (status, answer) = list(token).await;
        assert_eq!((status, issue(&answer)), (401, "login"));
    }
    sim.simulator.world().configure(|settings| settings.login_issue = true);
    let (status, answer) = list(&good).await;
    assert_eq!((status, issue(&answer), &answer["data"]), (200, "login", &Value::Null));
    let (status, answer) = sim.ask(&[], LIST, json!({})).await;
    assert_eq!((status, issue(&answer)), (200, "login"));
}

#[tokio::test]
async fn an_access_token_lives_as_long_as_it_says() {
    #[derive(serde::Deserialize)]
    struct Claims {
        sub: String,
        exp: i64,
    }
    let sim = Sim::start().await;
    sim.simulator.world().configure(|settings| settings.access_token_lifetime = 60);
    let token = sim.token("m3").await;
    let claims = jsonwebtoken::dangerous::insecure_decode::<Claims>(&token).unwrap().claims;
    assert_eq!(claims.sub, "m3");
    assert_eq!(claims.exp, sim.clock.now().timestamp() + 60);
}

#[tokio::test]
async fn a_revoked_members_credentials_are_refused_until_they_are_restored() {
    let sim = Sim::start().await;
    let token = sim.token("alice").await;
    let bearer = format!("Bearer {token}");
    let world = sim.simulator.world();
    world.revoke("alice").unwrap();
    assert_eq!(issue(&sim.refresh("rt-alice").await), "login");
    assert_eq!(sim.ask(&[("authorization", &bearer)], LIST, json!({})).await.0, 401);
    assert_eq!(sim.list("bob").await.len(), 3);
    world.restore("alice").unwrap();
    assert_eq!(sim.ask(&[("authorization", &bearer)], LIST, json!({})).await.0, 200);
}

fn id_token(claims: Value) -> String {
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(b"an identity provider"))
        .unwrap()
}

async fn exchange(sim: &Sim, change: impl FnOnce(&mut Vec<(&'static str, String)>)) -> (u16, Value) {
    let exp = sim.clock.now().timestamp() + 60;
    let mut form = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange".to_owned()),
        ("subject_token", id_token(json!({ "sub": "alice", "exp": exp }))),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt".to_owned()),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token".to_owned()),
    ];
    change(&mut form);
    let response = sim.http.post(sim.simulator.token_url()).form(&form).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn an_id_token_is_exchanged_for_an_access_token_that_works() {
    let sim = Sim::start().await;
    let (status, answer) = exchange(&sim, |_| {}).await;
    assert_eq!((status, &answer["expires_in"], &answer["token_type"]), (200, &json!(3600), &json!("Bearer")));
    let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    assert_eq!(sim.ask(&[("authorization", &bearer)], LIST, json!({})).await.0, 200);
    assert_eq!(sim.simulator.world().request_count_for("alice", Operation::TokenExchange), Ok(1));
}

#[tokio::test]
async fn a_wrong_token_exchange_is_refused_in_oauths_form() {
    let sim = Sim::start().await;
    sim.simulator.world().revoke("carol").unwrap();
    let past = sim.clock.now().timestamp();
    let cases = [
        (0, "password".to_owned(), "unsupported_grant_type"),
        (1, String::new(), "invalid_request"),
        (1, "a.b.c".to_owned(), "invalid_grant"),
        (1, id_token(json!({ "sub": "dave" })), "invalid_grant"),
        (1, id_token(json!({ "sub": "carol" })), "invalid_grant"),
        (1, id_token(json!({ "sub": "alice", "exp": past })), "invalid_grant"),
        (2, "urn:ietf:params:oauth:token-type:saml2".to_owned(), "invalid_request"),
        (3, "urn:ietf:params:oauth:token-type:refresh_token".to_owned(), "invalid_request"),
    ];
    for (field, value, error) in cases {
        let (status, answer) = exchange(&sim, |form| form[field].1 = value).await;
        assert_eq!((status, answer["error"].as_str().unwrap()), (400, error));
    }
}

#[tokio::test]
async fn the_broker_answers_a_token_or_why_there_is_none() {
    let sim = Sim::start().await;
    sim.simulator.world().revoke("carol").unwrap();
    for (member, expected) in [("alice", 200), ("dave", 404), ("carol", 403)] {
        let (status, answer) = sim.post("/broker/token", json!({ "member_id": member })).await;
        assert_eq!(status, expected, "{member}");
        assert_eq!(answer["expires_in"].as_u64(), (status == 200).then_some(3600));
    }
    assert_eq!(sim.post("/broker/token", json!({})).await.0, 400);
}

#[tokio::test]
async fn b_wells_own_clients_find_their_configuration_and_sign_in() {
    const INITIALIZE: &str = "query initialize($clientKey: String!) { initSdk(clientKey: $clientKey) {
        httpClient { requestTimeout retry { interval attempts } }
        graphQLClient { url authUrl fetchPolicy cache { maxSizeBytes } }
        logLevel telemetry { enabled collectorUrl } } }";
    const TOKENS: &str = "{ accessToken { jwtToken } idToken { jwtToken } refreshToken { token } }";
    let sim = Sim::start().await;
    let (_, answer) = sim.ask(&[], INITIALIZE, json!({ "clientKey": "any" })).await;
    let config = &answer["data"]["initSdk"];
    assert_eq!(config["graphQLClient"]["url"], sim.simulator.gateway_url());
    assert_eq!(config["telemetry"]["collectorUrl"], sim.simulator.base_url());
    assert!(config["httpClient"]["requestTimeout"].as_u64().unwrap() >= 1000);

    let authenticate = format!("query authenticate {{ getToken {TOKENS} }}");
    let headers = [("authorization", "alice"), ("clientkey", "any")];
    let (_, answer) = sim.ask(&headers, &authenticate, json!({})).await;
    let tokens = &answer["data"]["getToken"];
    assert_eq!(tokens["refreshToken"]["token"], "rt-alice");
    let bearer = format!("Bearer {}", tokens["accessToken"]["jwtToken"].as_str().unwrap());
    assert_eq!(sim.ask(&[("authorization", &bearer)], LIST, json!({})).await.0, 200);
    let (_, answer) =
        sim.ask(&[("authorization", "dave"), ("clientkey", "any")], &authenticate, json!({})).await;
    assert_eq!(issue(&answer), "login");

    let login = format!(
        "query login($email: String!, $password: String!) {{
        login(email: $email, password: $password) {TOKENS} }}"
    );
    for (email, password, works) in
        [("bob@x.example", "p", true), ("bob@x.example", "", false), ("dave@x", "p", false)]
    {
        let variables = json!({ "email": email, "password": password });
        let (_, answer) = sim.ask(&[("clientkey", "any")], &login, variables).await;
        assert_eq!(answer["data"]["login"].is_object(), works);
    }
}

#[tokio::test]
async fn sync_errors_by_source_come_in_the_same_document_as_the_list() {
    // As b.well's own clients write it: with a fragment on FHIR's type.
    const BOTH: &str = "query { getMemberConnections { id } subscription_subscription { entry { resource { service_slug
        subscriptionStatus { error { ...F } extension { id url valueString } } } } } }
        fragment F on CodeableConcept { id text coding { ...G } extension { id url valueString } }
        fragment G on Coding { id system version code display userSelected extension { id url valueString } }";
    let sim = Sim::start().await;
    let (_, answer) = sim.as_member("alice", BOTH, json!({})).await;
    assert_eq!(answer["data"]["subscription_subscription"]["entry"], json!([]));
    let change = json!({ "syncErrors": ["PATIENT_RETRIEVAL_ERROR"] });
    sim.post("/control/members/alice/connections/epic", change).await;
    let (_, answer) = sim.as_member("alice", BOTH, json!({})).await;
    let resource = &answer["data"]["subscription_subscription"]["entry"][0]["resource"];
    assert_eq!(resource["service_slug"], "epic");
    assert_eq!(resource["subscriptionStatus"][0]["error"][0]["coding"][0]["code"], "PATIENT_RETRIEVAL_ERROR");
}

#[tokio::test]
async fn the_list_is_there_as_fhir_resources_too() {
    const SUBSCRIPTIONS: &str = "query { subscriptions(_source: {value: \"https://example.org/a\"}) { entry { resource {
        id meta { source } subscriptionStatus { meta { lastUpdated } error { text } extension { id url valueString }
        notificationEvent { id timestamp } } } } } }";
    let sim = Sim::start().await;
    sim.simulator.world().set_status("alice", "basicins", "EXPIRED").unwrap();
    let (_, answer) = sim.as_member("alice", SUBSCRIPTIONS, json!({})).await;
    let resource = &answer["data"]["subscriptions"]["entry"][1]["resource"];
    assert_eq!(resource["meta"]["source"], "https://example.org/a");
    let status = &resource["subscriptionStatus"][0];
    let extensions = status["extension"].as_array().unwrap();
    let value = |id: &str| extensions.iter().find(|one| one["id"] == id).unwrap()["valueString"].clone();
    let values = ["service_slug", "token-status", "connection_type", "category"].map(value);
    assert_eq!(values, ["basicins", "EXPIRED", "hapi", "INSURANCE"].map(Value::from));
    assert_eq!(status["notificationEvent"][0]["id"], "created-date");
}
