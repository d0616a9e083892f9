use super::extract::Fields;
use super::{link_path, resume_cookie};
use crate::base::fuzzing::{MANY, fuzz};
use axum::extract::{Form, FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use futures_util::FutureExt;

#[test]
fn the_tokens_of_cookies_are_those_that_the_browser_sent_under_the_right_name() {
    let words = ["reconnect_", "__Secure-", "=", "; ", "reconnect_1=two", " "];
    fuzz("cookies", MANY, &words, |input| {
        let Ok(value) = HeaderValue::from_bytes(input) else { return };
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, value);
        let tokens = resume_cookie::tokens(&headers);
        assert!(
            tokens.len() <= 32
                && tokens.len() <= input.windows(10).filter(|part| part == b"reconnect_").count()
        );
        for token in tokens {
            let token = token.expose();
            assert!(
                input.windows(token.len() + 1).any(|part| part[0] == b'=' && &part[1..] == token.as_bytes())
            );
            assert!(!token.contains(';'));
        }
    });
}

#[test]
fn the_fields_of_a_form_are_those_that_were_sent_and_a_field_that_comes_twice_is_refused() {
    let words = ["connection=", "form_key=", "confirmation=", "&", "%", "%C3%A9", "%00", "+"];
    fuzz("forms", MANY, &words, |input| {
        let request = Request::post("/")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(input.to_vec().into())
            .unwrap();
        let form = Form::<Fields>::from_request(request, &()).now_or_never().expect("a body in memory");
        let Ok(Form(fields)) = form else { return };
        let sent: Vec<_> = url::form_urlencoded::parse(input).collect();
        let values = |name: &str| {
            sent.iter()
                .filter(|(sent, _)| sent == name)
                .map(|(_, value)| value.to_string())
                .collect::<Vec<_>>()
        };
        for (name, field) in [
            ("connection", &fields.connection),
            ("form_key", &fields.form_key),
            ("confirmation", &fields.confirmation),
        ] {
            assert_eq!(values(name), Vec::from_iter(field.clone()), "{name}");
        }
    });
}

#[test]
fn a_mangled_path_leads_to_a_token_that_is_in_it_or_stays_as_it_is() {
    let words =
        ["/r/", "/u/", "/resend", "/dismiss", "%20", "%22", "//", "..", "?", "#", "AbCdEfGhIjKlMnOpQrStUvWx"];
    fuzz("paths", MANY, &words, |input| {
        let Some(uri) = str::from_utf8(input).ok().and_then(|text| text.parse::<Uri>().ok()) else { return };
        for method in [Method::GET, Method::POST] {
            let cleaned = link_path::clean(&method, uri.clone(), "/base");
            assert_eq!(link_path::clean(&method, cleaned.clone(), "/base"), cleaned, "it is clean already");
            if cleaned != uri {
                let path = cleaned.path();
                assert!(path.chars().all(|c| link_path::is_token_character(c) || c == '/'), "{path}");
                let decoded = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy();
                let parts = path.trim_start_matches("/base").split('/').filter(|part| !part.is_empty());
                assert!(parts.into_iter().all(|part| decoded.contains(part)), "{uri} became {cleaned}");
            }
        }
    });
}
