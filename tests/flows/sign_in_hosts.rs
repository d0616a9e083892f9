//! The hosts that members are sent to.

use crate::harness::{Harness, Setup};
use reconnectd::{
    domain::MemberId,
    reconnect::operator_actions::OperateError,
    sim::{FaultKind, Operation},
};

/// The simulated sign-in pages are on this machine. The public URL is not.
fn public() -> Setup {
    Setup::default().set("LINKS__PUBLIC_URL", "https://reconnect.example.net")
}

async fn refused_and_seen(h: &Harness) -> (usize, Vec<String>) {
    let mut rows = h.rows().await;
    let reasons = rows.texts("attempts", "reason").await.unwrap();
    let refused = reasons.iter().filter(|reason| *reason == "oauth_url_refused").count();
    (refused, rows.texts("sign_in_hosts", "host").await.unwrap())
}

#[tokio::test]
async fn no_email_leads_to_the_members_own_machine_unless_that_host_is_listed() {
    let h = Harness::watching_with(public(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert!(h.mails().is_empty());
    assert_eq!(refused_and_seen(&h).await, (1, Vec::new()));

    let (h, _) =
        Harness::mailed(public().set("GATEWAY__OAUTH_HOSTS", "127.0.0.1"), &[("epic", "EXPIRED")]).await;
    assert_eq!(refused_and_seen(&h).await.0, 0);
}

#[tokio::test]
async fn the_second_look_records_the_host_once_and_nothing_else_of_the_url() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let before = h.rows().await.numbers("sign_in_hosts", "first_seen_at").await.unwrap();
    h.reconnect(&link).await;
    assert_eq!(refused_and_seen(&h).await, (0, vec!["127.0.0.1".to_owned()]));
    assert_eq!(h.rows().await.numbers("sign_in_hosts", "first_seen_at").await.unwrap(), before);
}

#[tokio::test]
async fn an_invitation_whose_sign_in_the_gateway_refuses_is_neither_made_nor_emailed() {
    let h = Harness::watching(&["alice"]).await;
    let (operator, alice) = (&h.app.operator, MemberId::from("alice"));
    let source = operator.connection_or_source(&alice, &"somewhere".into()).await.unwrap();
    h.fault(Operation::GetOauthUrl, FaultKind::GraphqlError { code: "forbidden".into() });
    let made = operator.create_invitation_link(&alice, &source).await.map(drop);
    let emailed = operator.send_invitation(&alice, &source).await.map(drop);
    for refused in [made, emailed] {
        assert!(matches!(refused, Err(OperateError::Refused(_))), "{refused:?}");
    }
    let mut rows = h.rows().await;
    assert_eq!((rows.count("links").await.unwrap(), rows.count("notices").await.unwrap()), (0, 0));
}
