//! What must never be seen is looked for in everything that is kept or said.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::{
    credentials::keyring::SealedField,
    domain::{AccessToken, Cause, RefreshToken},
    sim::{Fault, FaultKind, Operation, SmtpFault, SmtpStage},
};
use std::{error::Error, fmt::Debug};

const PASSWORD: &str = "the-relays-password-2c9d";

/// Every way in which an error can be written down, and those of what caused it.
fn all_words(error: &(dyn Error + 'static)) -> String {
    let mut words = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        words.push_str(&format!("{error} {error:#} {error:?} {error:#?}\n"));
        next = error.source();
    }
    words
}

fn assert_lacks(place: &str, text: &[u8], secrets: &[(&str, String)]) {
    for (what, secret) in secrets {
        let found = text.windows(secret.len()).position(|window| window == secret.as_bytes());
        if let Some(at) = found {
            let around = &text[at.saturating_sub(200)..(at + secret.len()).min(text.len())];
            panic!("{place} holds {what}: {}", String::from_utf8_lossy(around));
        }
    }
}

/// The access token and the refresh token that are kept for a member, opened.
async fn kept_tokens(h: &Harness, member: &str) -> [(&'static str, String); 2] {
    let id = member.into();
    let credentials = h.app.store.credentials(&id).await.unwrap().unwrap();
    let open = |column, sealed| h.app.keyring.open_sealed(&id, column, &sealed).unwrap().as_str().to_owned();
    [
        ("an access token", open(SealedField::AccessToken, credentials.access.unwrap().sealed)),
        ("a refresh token", open(SealedField::RefreshToken, credentials.refresh.unwrap())),
    ]
}

#[tokio::test]
async fn no_secret_is_kept_in_the_database_logged_or_named_by_an_error() {
    let setup = Setup::default()
        .smtp_login("relay", PASSWORD)
        .set("EMAIL__SMTP__USERNAME", "relay")
        .set("EMAIL__SMTP__PASSWORD", PASSWORD);
    let h = setup.start().await;
    h.sim.world().configure(|settings| settings.rotate = true);
    h.enrol(&["alice", "bob"]).await;
    let mut secrets = vec![
        ("the first refresh token", "rt-alice".to_owned()),
        ("the client key", "the-client-key".to_owned()),
        ("the mail server's password", PASSWORD.to_owned()),
    ];
    let mut words = String::new();

    // The story, with everything going wrong once that might be talked about.
    h.pass().await;
    secrets.extend(kept_tokens(&h, "alice").await);
    h.set("alice", "epic", "EXPIRED");
    h.sim
        .world()
        .add_fault(Fault::new(FaultKind::RejectedToken).on(Operation::GetMemberConnections).times(1));
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 <alice@example.org>: Greylisted").times(1));
    h.mail_fault(SmtpFault::reply(SmtpStage::End, 451, "4.3.0 alice@example.org: later").times(1));
    h.pass().await;
    secrets.extend(kept_tokens(&h, "alice").await);
    h.pass_after(TimeDelta::minutes(2)).await;
    h.pass_after(TimeDelta::minutes(10)).await;
    let link = h.link();
    let token = link.rsplit('/').next().unwrap().to_owned();
    assert_eq!(token.len(), 43);
    h.look(&link).await;
    h.fault(Operation::GetOauthUrl, FaultKind::CutBody);
    assert_eq!(h.press(&link).await.status, 503);
    h.end_faults();
    let pressed = h.press(&link).await;
    let url = pressed.location.clone().unwrap();
    let state = url::Url::parse(&url).unwrap().query_pairs().next().unwrap().1.into_owned();
    assert_eq!(state.len(), 43);
    h.allow(&pressed).await;
    h.press(&link).await;
    h.person().press(&format!("{link}/resend"), &[]).await.unwrap();
    h.person().press(&format!("{link}/no-such-page"), &[]).await.unwrap();
    h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
    let [access, refresh] = kept_tokens(&h, "alice").await;
    secrets.extend([access.clone(), refresh.clone()]);
    secrets.extend([("the link's token", token), ("the OAuth URL", url), ("the OAuth URL's state", state)]);

    // Errors, asked for one by one.
    let gateway = &h.app.gateway;
    let (access, refresh) = (AccessToken::new(access.1), RefreshToken::new(refresh.1));
    for trouble in [
        FaultKind::Http { status: 500, retry_after: None },
        FaultKind::GraphqlError { code: "forbidden".into() },
        FaultKind::WrongType,
        FaultKind::CutBody,
        FaultKind::NotJson,
        FaultKind::RejectedToken,
        FaultKind::DataBesideErrors { code: "exception".into(), partial: false },
    ] {
        h.sim.world().add_fault(Fault::new(trouble));
        words.push_str(&all_words(&gateway.connections(&access).await.unwrap_err()));
        words.push_str(&all_words(&gateway.oauth_url(&access, &"epic".into()).await.unwrap_err()));
        h.end_faults();
    }
    h.sim.world().revoke("alice").unwrap();
    words.push_str(&all_words(&gateway.connections(&access).await.unwrap_err()));
    words.push_str(&all_words(&gateway.refresh(&refresh).await.unwrap_err()));
    h.clock.advance(TimeDelta::hours(2));
    words.push_str(&all_words(&h.app.poller.poll(&"alice".into(), Cause::Operator).await.unwrap_err()));
    let debug: [&dyn Debug; 5] = [&access, &refresh, &h.app.keyring, &h.app.config, &h.app.store];
    for value in debug {
        words.push_str(&format!("{value:?} {value:#?}\n"));
    }
    let elsewhere = h.another_app(&[("GATEWAY__OAUTH_HOSTS", "login.example.org")]).await;
    h.sim.world().restore("alice").unwrap();
    h.enrol(&["alice"]).await;
    let credentials = elsewhere.tokens.credentials(&"alice".into()).await.unwrap();
    let ask = |token| {
        let gateway = elsewhere.gateway.clone();
        async move { gateway.oauth_url(&token, &"epic".into()).await }
    };
    words.push_str(&all_words(
        &elsewhere.tokens.call_as(&"alice".into(), &credentials, ask).await.unwrap_err(),
    ));
    secrets.extend(kept_tokens(&h, "alice").await);

    for (file, bytes) in h.stored_bytes().await {
        assert!(!bytes.is_empty());
        assert_lacks(file, &bytes, &secrets);
    }
    // An address may be kept, for mail has to get there, but it may not be talked about.
    secrets.push(("an address", "@example.org".to_owned()));
    assert_lacks("an error", words.as_bytes(), &secrets);
    let logged = h.log.text();
    assert!(logged.contains("DEBUG") && logged.contains("operation=\"getOauthUrl\""), "the log is captured");
    assert_lacks("the log", logged.as_bytes(), &secrets);
    let attempts = h.contents().await.into_iter().filter(|row| row.starts_with("attempts:"));
    let attempts = attempts.collect::<Vec<_>>().join("\n");
    assert!(attempts.contains("Greylisted"));
    assert_lacks("the attempts", attempts.as_bytes(), &secrets);
    let mail = h.mails().remove(0);
    secrets.retain(|(what, _)| !["the link's token", "an address"].contains(what));
    assert_lacks("the mail", &mail.raw, &secrets);
}

#[tokio::test]
async fn an_email_discloses_no_source_kind_or_status_unless_the_operator_wants_it() {
    let telling = ["Epic", "MyChart", "expired", "EXPIRED", "alice", "CLINICAL"];
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let mail = h.mails().remove(0);
    let text = [mail.subject().unwrap(), mail.text().unwrap(), mail.html().unwrap()].join("\n");
    for word in telling {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let named = Harness::watching_with(Setup::default().set("NOTICES__DISCLOSURE", "name"), &["alice"]).await;
    named.set("alice", "epic", "EXPIRED");
    named.pass().await;
    assert!(named.mails()[0].text().unwrap().contains("Epic MyChart"));
}
