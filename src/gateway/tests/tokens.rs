//! Getting access tokens: refresh, token exchange, broker.

use super::{
    CLIENT_KEY, RETRY, Verdict, clock, gateway, gateway_with, settings, shown,
    stub::{StubResponse, StubServer, disconnecting},
};
use crate::base::instances::Instances;
use crate::{
    base::config::{self, AuthMode, SigningAlgorithm},
    base::random,
    domain::RefreshToken,
    gateway::{Gateway, GatewayError, TokenResponse, jwks},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};
use rcgen::KeyPair;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const OLD: &str = "rt-alice";

async fn refresh(answer: StubResponse) -> Result<TokenResponse, GatewayError> {
    gateway(&StubServer::responding([answer]).await).refresh(&RefreshToken::new(OLD)).await
}

fn tokens(access: Value, refresh: Value) -> StubResponse {
    let tokens = json!({ "accessToken": access, "refreshToken": refresh });
    StubResponse::ok(json!({ "data": { "refresh": tokens } }).to_string())
}

#[tokio::test]
async fn a_refresh_sends_its_token_and_the_client_key_and_no_authorisation() {
    let stub = StubServer::responding([tokens(json!("alice"), Value::Null)]).await;
    gateway(&stub).refresh(&RefreshToken::new(OLD)).await.unwrap();
    let request = &stub.requests()[0];
    assert_eq!(request.header("refresh_token"), Some(OLD));
    assert_eq!(request.header("clientkey"), Some(CLIENT_KEY));
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.json()["operationName"], "refreshTokens");
}

#[tokio::test]
async fn a_refresh_answers_the_new_tokens() {
    let jwt = "e30.eyJleHAiOjE3NjcyMjU2MDB9.c2ln";
    let response = refresh(tokens(json!(jwt), json!("rt-new"))).await.unwrap();
    assert_eq!(response.access_token.expose(), jwt);
    assert_eq!(response.expires_at, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(response.refresh_token.unwrap().expose(), "rt-new");
    for keep_the_old_one in [Value::Null, json!("")] {
        let response = refresh(tokens(json!("alice"), keep_the_old_one)).await.unwrap();
        assert!(response.refresh_token.is_none() && response.expires_at.is_none());
    }
    let without = json!({ "data": { "refresh": { "accessToken": "alice" } } });
    assert!(refresh(StubResponse::ok(without.to_string())).await.is_ok());
}

#[tokio::test]
async fn a_refresh_token_is_given_up_only_when_the_gateway_itself_refuses_it() {
    let issue = |code: &str| {
        json!({ "errors": [{ "message": "m", "extensions": { "resource": { "issue": [
            { "code": code, "details": { "text": format!("{OLD} of {CLIENT_KEY}") } },
        ] } } }] })
        .to_string()
    };
    let page = |status| StubResponse::new(status, "<html>").with("content-type", "Text/HTML; charset=utf-8");
    let json = |status, body: &str| StubResponse::new(status, body).with("content-type", "application/json");
    let router =
        |code: &str| json!({ "errors": [{ "message": "m", "extensions": { "code": code } }] }).to_string();
    for (what, answer, expected) in [
        ("401", StubResponse::new(401, ""), RETRY),
        ("401 in words", StubResponse::new(401, "Unauthorized"), RETRY),
        ("401 of a proxy", json(401, r#"{"message":"Unauthorized"}"#), RETRY),
        ("400", json(400, r#"{"errors": [{"message": "bad token"}]}"#), RETRY),
        ("400 in words", StubResponse::new(400, "Bad Request"), RETRY),
        ("403", json(403, r#"{"message":"Forbidden"}"#), RETRY),
        ("403 of a firewall", StubResponse::new(403, "error code: 1020"), RETRY),
        ("a page, 401", page(401), RETRY),
        ("a page, 403", page(403), RETRY),
        ("a document that a router finds wrong", json(400, &router("GRAPHQL_VALIDATION_FAILED")), RETRY),
        ("a document that a router does not list", json(200, &router("PERSISTED_QUERY_NOT_IN_LIST")), RETRY),
        ("a router's forbidden", json(200, &router("FORBIDDEN")), RETRY),
        ("a router's unauthenticated", json(200, &router("unauthenticated")), Verdict::Rejected),
        ("a router's unauthenticated under 401", json(401, &router("UNAUTHENTICATED")), Verdict::Rejected),
        ("a bare code 401", json(200, &router("401")), RETRY),
        ("login", StubResponse::ok(issue("login")), Verdict::Rejected),
        ("login under 401", StubResponse::new(401, issue("LOGIN")), Verdict::Rejected),
        ("login under 400", StubResponse::new(400, issue("login")), Verdict::Rejected),
        ("security", StubResponse::ok(issue("SECURITY")), Verdict::Rejected),
        ("expired", StubResponse::ok(issue("Expired")), Verdict::Rejected),
        ("unknown", StubResponse::ok(issue("unknown")), Verdict::Rejected),
        ("forbidden", StubResponse::ok(issue("forbidden")), Verdict::Forbidden),
        ("forbidden under 403", StubResponse::new(403, issue("FORBIDDEN")), Verdict::Forbidden),
        ("suppressed", StubResponse::ok(issue("suppressed")), Verdict::Forbidden),
        ("invalid", StubResponse::ok(issue("invalid")), RETRY),
        ("invalid under 401", StubResponse::new(401, issue("invalid")), RETRY),
        ("not-found", StubResponse::ok(issue("NOT_FOUND")), RETRY),
        ("a header that is required", StubResponse::ok(issue("required")), RETRY),
        ("404", StubResponse::new(404, ""), RETRY),
        ("429", StubResponse::new(429, issue("login")), RETRY),
        ("500", StubResponse::new(500, issue("login")), RETRY),
        ("503", StubResponse::new(503, ""), RETRY),
        ("a passing error under 400", StubResponse::new(400, issue("throttled")), RETRY),
        ("throttled", StubResponse::ok(issue("throttled")), RETRY),
        ("exception", StubResponse::ok(issue("exception")), RETRY),
        ("a new code", StubResponse::ok(issue("some-new-code")), RETRY),
        ("not JSON", StubResponse::ok("<html>"), RETRY),
        ("no data", StubResponse::ok(r#"{"data": null}"#), RETRY),
        ("no token", tokens(Value::Null, json!("rt-new")), RETRY),
        ("an empty token", tokens(json!(""), Value::Null), RETRY),
        ("a token that fits no header", tokens(json!("a\nb"), Value::Null), RETRY),
        ("cut off", StubResponse::Cut("{"), RETRY),
    ] {
        let stub = StubServer::responding([answer]).await;
        let error = gateway(&stub).refresh(&RefreshToken::new(OLD)).await.expect_err(what);
        assert_eq!(error.verdict(), expected, "{what}: {error}");
        assert_eq!(stub.requests().len(), 1, "{what}: never asked twice, for the token may be spent");
        for secret in [OLD, CLIENT_KEY, "rt-new"] {
            assert!(!shown(&error).contains(secret), "{what}: {}", shown(&error));
        }
    }
}

#[tokio::test]
async fn an_error_names_what_the_operator_is_to_check() {
    for (answer, words) in
        [(StubResponse::new(401, ""), "gateway.client_key"), (StubResponse::new(403, "<p>"), "firewall")]
    {
        let error = refresh(answer).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let stub = StubServer::responding([StubResponse::new(403, "")]).await;
    let error = gateway_with(&auth(AuthMode::Broker, &stub.url())).broker(&"a".into()).await.unwrap_err();
    assert!(error.to_string().contains("gateway.auth.broker_token"), "{error}");
    let stub = StubServer::responding([StubResponse::new(401, r#"{"error": "invalid_client"}"#)]).await;
    let error = gateway_with(&auth(AuthMode::TokenExchange, &stub.url())).exchange("a").await.unwrap_err();
    assert!(error.to_string().contains("invalid_client") && error.to_string().contains("issuer"), "{error}");
}

#[tokio::test]
async fn a_refresh_token_that_fits_no_header_is_not_sent() {
    let stub = StubServer::responding([tokens(json!("a"), Value::Null)]).await;
    let error = gateway(&stub).refresh(&RefreshToken::new("s3\ncret")).await.unwrap_err();
    assert_eq!((error.verdict(), stub.requests().len()), (Verdict::Permanent, 0));
    assert!(!shown(&error).contains("cret"), "{error}");
}

#[tokio::test]
async fn an_access_token_tells_whom_it_is_for_when_it_is_a_jwt_that_says_so() {
    let jwt = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    for (access, subject) in [
        (jwt(r#"{"sub":"alice","exp":1767225600}"#), Some("alice")),
        (jwt(r#"{"sub":"alice"}"#), Some("alice")),
        (jwt(r#"{"sub":""}"#), None),
        (jwt(r#"{"sub":7}"#), None),
        (jwt(r#"{"exp":1767225600}"#), None),
        ("opaque".to_owned(), None),
        ("a.b.c".to_owned(), None),
    ] {
        let response = refresh(tokens(json!(access), Value::Null)).await.unwrap();
        assert_eq!(response.subject.as_deref(), subject, "{access}");
    }
}

#[tokio::test]
async fn a_refresh_is_not_sent_again_when_the_connection_breaks() {
    let (url, times) = disconnecting().await;
    let error = gateway_with(&settings(&url)).refresh(&RefreshToken::new(OLD)).await.unwrap_err();
    assert_eq!((error.verdict(), times.load(Ordering::SeqCst)), (RETRY, 1));
}

/// A new private key, as `openssl genpkey` would write it.
fn signing_key(algorithm: SigningAlgorithm) -> String {
    match algorithm {
        SigningAlgorithm::Rs256 => KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap().serialize_pem(),
        SigningAlgorithm::Es256 => KeyPair::generate().unwrap().serialize_pem(),
        SigningAlgorithm::EdDsa => {
            let version_1 = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
            let der = [&version_1[..], &random::bytes::<32>()].concat();
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
        }
    }
}

fn auth(mode: AuthMode, url: &str) -> config::Gateway {
    let mut settings = settings("http://127.0.0.1:1/");
    settings.auth.mode = mode;
    settings.auth.token_url = url.to_owned();
    settings.auth.broker_url = url.to_owned();
    settings.auth.broker_token = "for-the-broker".into();
    settings.auth.key_id = "k1".to_owned();
    settings.auth.issuer = "https://op.example".to_owned();
    settings.auth.audience = "bwell".to_owned();
    settings.auth.algorithm = SigningAlgorithm::Es256;
    settings.auth.signing_key = signing_key(SigningAlgorithm::Es256).into();
    settings
}

#[tokio::test]
async fn a_token_exchange_shows_an_id_token_that_the_published_key_verifies() {
    for algorithm in [SigningAlgorithm::Rs256, SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
        let answer = r#"{"access_token": "alice", "token_type": "Bearer", "expires_in": 3600}"#;
        let stub = StubServer::responding([StubResponse::new(503, ""), StubResponse::ok(answer)]).await;
        let mut settings = auth(AuthMode::TokenExchange, &stub.url());
        settings.auth.algorithm = algorithm;
        settings.auth.signing_key = signing_key(algorithm).into();
        let response = gateway_with(&settings).exchange("subject 1").await.unwrap();
        assert_eq!(response.access_token.expose(), "alice");
        assert_eq!(response.expires_at, Some("2026-03-01T13:00:00Z".parse().unwrap()));

        let keys: JwkSet = serde_json::from_value(jwks(&settings.auth).unwrap()).unwrap();
        let key = DecodingKey::from_jwk(keys.find("k1").unwrap()).unwrap();
        let mut validation = Validation::new(algorithm.as_str().parse().unwrap());
        validation.set_audience(&["bwell"]);
        validation.validate_exp = false;
        let claims: Vec<Value> = stub
            .requests()
            .iter()
            .map(|request| {
                let form: Vec<(String, String)> =
                    url::form_urlencoded::parse(&request.body).into_owned().collect();
                let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
                assert_eq!(
                    names,
                    ["grant_type", "subject_token", "subject_token_type", "requested_token_type"]
                );
                assert_eq!(request.header("authorization"), None);
                jsonwebtoken::decode(&form[1].1, &key, &validation).unwrap().claims
            })
            .collect();
        let now = clock().now().timestamp();
        for claims in &claims {
            assert_eq!(claims["iss"], "https://op.example");
            assert_eq!(claims["sub"], "subject 1");
            assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now - 30), &json!(now + 300)));
        }
        assert_ne!(claims[0]["jti"], claims[1]["jti"], "no ID token is shown twice");
    }
}

#[tokio::test]
async fn the_published_keys_hold_nothing_private() {
    for (algorithm, public) in [
        (SigningAlgorithm::Rs256, &["alg", "e", "kid", "kty", "n", "use"][..]),
        (SigningAlgorithm::Es256, &["alg", "crv", "kid", "kty", "use", "x", "y"]),
        (SigningAlgorithm::EdDsa, &["alg", "crv", "kid", "kty", "use", "x"]),
    ] {
        let mut auth = auth(AuthMode::TokenExchange, "https://x.example").auth;
        auth.algorithm = algorithm;
        auth.signing_key = signing_key(algorithm).into();
        let keys = jwks(&auth).unwrap();
        let mut names: Vec<&String> = keys["keys"][0].as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, public);
    }
}

#[tokio::test]
async fn a_token_endpoint_refuses_a_subject_or_us() {
    for (status, body, expected) in [
        (
            400,
            r#"{"error": "invalid_grant", "error_description": "no s3cret@example.org"}"#,
            Verdict::Rejected,
        ),
        (200, r#"{"error": "invalid_grant"}"#, Verdict::Rejected),
        (401, r#"{"error": "INVALID_GRANT"}"#, Verdict::Rejected),
        (200, "\u{feff}{\"error\": \"invalid_grant\"}", Verdict::Rejected),
        (403, r#"{"error": "access_denied"}"#, Verdict::Forbidden),
        (400, r#"{"error": "invalid_request"}"#, RETRY),
        (401, r#"{"error": "invalid_client"}"#, RETRY),
        (200, r#"{"error": "invalid_client"}"#, RETRY),
        (400, r#"{"error": "unauthorized_client"}"#, RETRY),
        (400, r#"{"error": "unsupported_grant_type"}"#, RETRY),
        (401, "", RETRY),
        (429, r#"{"error": "invalid_grant"}"#, RETRY),
        (400, r#"{"error": "temporarily_unavailable"}"#, RETRY),
        (503, r#"{"error": "invalid_grant"}"#, RETRY),
        (403, "<html>s3cret</html>", RETRY),
        (200, r#"{"token_type": "Bearer"}"#, RETRY),
    ] {
        let stub = StubServer::responding([StubResponse::new(status, body)]).await;
        let gateway = gateway_with(&auth(AuthMode::TokenExchange, &stub.url()));
        let error = gateway.exchange("alice").await.unwrap_err();
        assert_eq!(error.verdict(), expected, "{body}: {error}");
        assert!(!shown(&error).contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn a_broker_is_asked_with_our_token_and_answers_one_of_the_members() {
    let stub =
        StubServer::responding([StubResponse::ok(r#"{"access_token": "alice", "expires_in": 60}"#)]).await;
    let response =
        gateway_with(&auth(AuthMode::Broker, &stub.url())).broker(&"al\"ice".into()).await.unwrap();
    assert_eq!(response.expires_at, Some("2026-03-01T12:01:00Z".parse().unwrap()));
    let request = &stub.requests()[0];
    assert_eq!(request.path, "/v1/graphql");
    assert_eq!(request.header("authorization"), Some("Bearer for-the-broker"));
    assert_eq!(request.json(), json!({ "member_id": "al\"ice" }));
}

#[tokio::test]
async fn a_broker_refuses_a_member_in_our_format_alone() {
    const NO_MEMBER: &str = r#"{"error": "no_such_member"}"#;
    const NO_CONSENT: &str = r#"{"error": "no_consent"}"#;
    for (status, body, expected) in [
        (404, NO_MEMBER, Verdict::Rejected),
        (403, NO_CONSENT, Verdict::Rejected),
        (400, NO_MEMBER, Verdict::Rejected),
        (200, NO_CONSENT, Verdict::Rejected),
        (500, NO_MEMBER, RETRY),
        (429, NO_CONSENT, RETRY),
        (404, "no Route matched", RETRY),
        (404, r#"{"error": "Not Found"}"#, RETRY),
        (404, r#"{"error": {"code": "no_such_member"}}"#, RETRY),
        (403, "", RETRY),
        (403, "<html>", RETRY),
        (401, "for-the-broker", RETRY),
        (400, "", RETRY),
        (500, "for-the-broker", RETRY),
        (200, "for-the-broker", RETRY),
        (200, "{}", RETRY),
    ] {
        let stub = StubServer::responding([StubResponse::new(status, body)]).await;
        let error =
            gateway_with(&auth(AuthMode::Broker, &stub.url())).broker(&"alice".into()).await.unwrap_err();
        assert_eq!(error.verdict(), expected, "{status} {body}: {error}");
        assert!(!shown(&error).contains("for-the-broker"), "{error}");
    }
}

#[tokio::test]
async fn a_lifetime_is_read_in_any_form_and_an_odd_one_is_no_reason_to_refuse_the_token() {
    const DAY: i64 = 86_400;
    for (expires_in, seconds) in [
        ("3600", Some(3600)),
        ("\"3600\"", Some(3600)),
        ("\" 3600.9 \"", Some(3600)),
        ("3599.5", Some(3599)),
        ("1e3", Some(1000)),
        ("1e300", Some(30 * DAY)),
        ("18446744073709551615", Some(30 * DAY)),
        ("\"99999999999999999999999\"", Some(30 * DAY)),
        ("0", None),
        ("-1", None),
        ("\"-3600\"", None),
        ("\"NaN\"", None),
        ("\"soon\"", None),
        ("\"\"", None),
        ("null", None),
        ("true", None),
        ("[3600]", None),
    ] {
        let body = format!(r#"{{"access_token": "opaque", "expires_in": {expires_in}}}"#);
        let stub = StubServer::responding([StubResponse::ok(body)]).await;
        let response = gateway_with(&auth(AuthMode::TokenExchange, &stub.url())).exchange("a").await.unwrap();
        let expected = seconds.map(|seconds| clock().now() + chrono::TimeDelta::seconds(seconds));
        assert_eq!(response.expires_at, expected, "{expires_in}");
    }
}

#[tokio::test]
async fn a_way_that_is_not_configured_is_refused_by_name() {
    let gateway = gateway_with(&settings("http://127.0.0.1:1/"));
    for error in [gateway.exchange("a").await.unwrap_err(), gateway.broker(&"a".into()).await.unwrap_err()] {
        assert_eq!(error.verdict(), Verdict::Permanent);
        assert!(error.to_string().contains("gateway.auth.mode"), "{error}");
    }
}

#[test]
fn a_setting_that_cannot_be_used_is_named_and_not_quoted() {
    type Change = fn(&mut config::Gateway);
    let cases: [(AuthMode, &str, Change); 7] = [
        (AuthMode::RefreshToken, "gateway.client_key", |s| s.client_key = "s3cret\n".into()),
        (AuthMode::TokenExchange, "gateway.auth.signing_key", |s| s.auth.signing_key = "s3cret".into()),
        (AuthMode::TokenExchange, "gateway.auth.signing_key", |s| {
            s.auth.algorithm = SigningAlgorithm::Rs256;
        }),
        (AuthMode::TokenExchange, "gateway.auth.issuer", |s| s.auth.issuer.clear()),
        (AuthMode::TokenExchange, "gateway.auth.token_url", |s| s.auth.token_url = "s3cret".into()),
        (AuthMode::Broker, "gateway.auth.broker_url", |s| s.auth.broker_url = "ftp://s3cret".into()),
        (AuthMode::Broker, "gateway.auth.broker_token", |s| s.auth.broker_token = "s3cret\n".into()),
    ];
    for (mode, key, change) in cases {
        let mut settings = auth(mode, "https://x.example");
        change(&mut settings);
        let error = Gateway::new(&settings, clock(), &Instances::alone())
            .err()
            .unwrap_or_else(|| panic!("{key} is refused"));
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(key) && !shown.contains("s3cret"), "{shown}");
    }
}
