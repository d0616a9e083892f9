use super::fault::Fault;
use super::graphql::{AuthPhase, read, read_listing};
use super::json::from_json;
use super::message::{GatewayMessage, is_signed};
use super::oauth_url::{HostRules, validate};
use super::response::HttpResponse;
use super::token_response::TokenResponse;
use super::{jwt, wire};
use crate::base::config::OauthHosts;
use crate::base::fuzzing::{MANY, assert_quotes_no_secret, fuzz};
use reqwest::StatusCode;
use serde_json::Value;
use std::collections::BTreeSet;
use url::Url;

const WORDS: [&str; 14] = [
    "errors",
    "data",
    "getMemberConnections",
    "null",
    "extensions",
    "issue",
    "code",
    "throttled",
    "login",
    "id",
    "CONNECTED",
    "s3cret",
    "true",
    "ada.lovelace@example.org",
];

fn response(status: StatusCode, body: &[u8]) -> HttpResponse {
    HttpResponse { status, retry_after: None, request_id: None, body: body.to_vec() }
}

fn read_operations(response: &HttpResponse, phase: AuthPhase) -> Vec<Fault> {
    let secrets = ["s3cret"];
    let faults = [
        read::<wire::MemberConnections>(response, phase, &secrets).err(),
        read::<wire::CreateConnection>(response, phase, &secrets).err(),
        read::<wire::GetOauthUrl>(response, phase, &secrets).err(),
        read::<wire::RefreshTokens>(response, phase, &secrets).err(),
    ];
    faults.into_iter().flatten().collect()
}

#[test]
fn a_list_is_taken_only_from_a_whole_response_without_an_error_and_each_connection_is_in_it_once() {
    fuzz("gateway", MANY, &WORDS, |input| {
        for (status, phase) in [
            (StatusCode::OK, AuthPhase::Authenticated),
            (StatusCode::OK, AuthPhase::Refresh),
            (StatusCode::BAD_GATEWAY, AuthPhase::Authenticated),
            (StatusCode::UNAUTHORIZED, AuthPhase::Refresh),
        ] {
            let faults = read_operations(&response(status, input), phase);
            faults.iter().for_each(|fault| assert_quotes_no_secret(&fault.to_string()));
            assert!(status.is_success() || faults.len() == 4, "data beside {status}");
        }
        let Some(listing) = read_listing(input) else { return };
        let body = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
        // A field that nobody reads may contain anything.
        let body: Value = serde_json::from_str(&String::from_utf8_lossy(body)).expect("a whole response");
        let errors = &body["errors"];
        assert!(errors.is_null() || errors.as_array().is_some_and(Vec::is_empty), "{errors}");
        let rows = body["data"]["getMemberConnections"].as_array().expect("a list").len();
        assert!(listing.rows.len() + listing.hidden.len() <= rows);
        assert!(listing.hides_unknown || listing.rows.len() + listing.hidden.len() > 0 || rows == 0);
        let ids: Vec<_> = listing.rows.iter().map(|row| &row.id).chain(&listing.hidden).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    });
}

#[test]
fn a_token_is_taken_only_if_it_can_be_sent_and_its_claims_only_from_a_jwt() {
    fuzz("tokens", MANY, &["e30", ".", "eyJ", "=="], |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        if let Err(fault) = TokenResponse::new(text.to_owned(), None, Some(text.to_owned())) {
            assert_quotes_no_secret(&fault.to_string());
        }
        let subject = jwt::subject(text);
        assert!(subject.is_none_or(|subject| !subject.is_empty()) || text.matches('.').count() == 2);
        if jwt::expiry(text).is_some() {
            assert_eq!(text.matches('.').count(), 2);
        }
        let details = from_json::<wire::TokenDetails>(input).map(drop);
        if let Err(fault) = details {
            assert_quotes_no_secret(&fault.to_string());
        }
    });
}

#[test]
fn a_url_is_accepted_only_if_a_browser_reads_it_as_https_on_a_listed_host() {
    let words = [
        "https://",
        "http://",
        "@",
        "\\",
        "/",
        "#",
        "?",
        ":443",
        ".evil.example",
        "idp.example",
        "%2f",
        "\t",
        "[::1]",
    ];
    let hosts = OauthHosts::of(&["idp.example", "*.portal.example"]);
    fuzz("urls", MANY, &words, |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        match validate(text, &HostRules { hosts: &hosts, allows_local: false }) {
            Ok(url) => {
                let url = url.expose();
                let rest = url.strip_prefix("https://").expect("https");
                let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default().trim_end_matches('.');
                assert!(host == "idp.example" || host.ends_with(".portal.example"), "{url}");
                assert!(!rest.split('/').next().unwrap_or_default().contains('@'), "{url}");
                assert!(url.is_ascii() && url.len() <= 3 * 8 * 1024);
            }
            // It may name the host.
            Err(fault) => {
                let host = Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
                let text = fault.to_string();
                assert_quotes_no_secret(&host.map_or(text.clone(), |host| text.replace(&host, "")));
            }
        }
    });
}

#[test]
fn a_message_erases_only_those_whom_it_names_and_no_other_signature_than_its_own_is_accepted() {
    fuzz("bwell", MANY, &["Person", "identifier", "urn:client:identifier", "value", "\\u0000"], |input| {
        match GatewayMessage::read(input) {
            Ok(GatewayMessage::UserDeleted(ids)) => {
                let body: Value = serde_json::from_slice(input).expect("JSON");
                let text = body.to_string();
                assert!(!ids.is_empty());
                for id in ids {
                    assert!(text.contains(&Value::String(id).to_string()));
                }
            }
            Ok(GatewayMessage::Other { code }) => {
                assert!(!code.to_lowercase().contains("ada.lovelace@example.org"), "{code}");
            }
            Err(error) => assert_quotes_no_secret(&error.to_string()),
        }
        assert!(!is_signed("a secret of the operator", b"another body", input));
    });
}
