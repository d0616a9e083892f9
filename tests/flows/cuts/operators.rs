//! What operators do.

use super::stage::{Stage, blows};
use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, header},
};
use chrono::TimeDelta;
use reconnectd::{
    domain::{Actor, HoldId, HoldScope, MemberId},
    server,
    store::NewHold,
};
use std::net::SocketAddr;
use tower::ServiceExt;

impl Stage {
    fn operator(&self) -> reconnectd::store::Store {
        self.h.app.store.acting_as(Actor::Command("ann".to_owned()))
    }

    async fn hold(&self, member: &str) -> anyhow::Result<HoldId> {
        let scope = HoldScope { member_id: Some(member.into()), ..HoldScope::default() };
        let hold = NewHold { scope, until: None, reason: "maintenance".to_owned() };
        Ok(self.operator().add_hold(&hold, self.h.clock.now()).await?.expect("a member").id)
    }

    async fn holds_of(&self, member: &str) -> Vec<HoldId> {
        let mut holds = self.h.app.store.active_holds().await.expect("holds");
        holds.retain(|hold| hold.scope.member_id.as_ref().is_some_and(|id| id.as_str() == member));
        holds.into_iter().map(|hold| hold.id).collect()
    }
}

#[tokio::test]
async fn a_hold_that_is_disturbed_holds_and_releases_everything_or_nothing() {
    for blow in blows() {
        let stage = Stage::set(blow, "epic").await;
        stage
            .at_every_step(
                async |member| stage.queue(member).await,
                async |member, ()| stage.hold(member).await.map(drop),
                async |member, ()| {
                    let is_held = !stage.holds_of(member).await.is_empty();
                    let expected = if is_held { "held" } else { "queued" };
                    assert_eq!(stage.h.notice_states(member).await, [expected]);
                    for hold in stage.holds_of(member).await {
                        stage.operator().release_hold(&hold, stage.h.clock.now()).await.expect("a release");
                    }
                    assert_eq!(stage.h.notice_states(member).await, ["queued"]);
                },
            )
            .await;
        stage
            .at_every_step(
                async |member| {
                    stage.queue(member).await;
                    stage.hold(member).await.expect("a hold")
                },
                async |_, hold| {
                    stage.operator().release_hold(hold, stage.h.clock.now()).await?;
                    Ok(())
                },
                async |member, hold| {
                    let is_held = !stage.holds_of(member).await.is_empty();
                    let expected = if is_held { "held" } else { "queued" };
                    assert_eq!(stage.h.notice_states(member).await, [expected]);
                    stage.operator().release_hold(hold, stage.h.clock.now()).await.expect("a release");
                    assert_eq!(stage.h.notice_states(member).await, ["queued"]);
                },
            )
            .await;
        stage.end().await;
    }
}

#[tokio::test]
async fn an_erasure_that_is_disturbed_erases_everything_or_nothing() {
    for blow in blows() {
        let stage = Stage::set(blow, "epic").await.at_each(2);
        let erase = async |member: &str| {
            let id = MemberId::from(member);
            let pseudonym = stage.h.app.keyring.pseudonym(&id);
            stage.operator().erase_member(&id, &pseudonym, stage.h.clock.now()).await
        };
        let rows_about = async |member: &str| {
            let id = format!("'{member}'");
            let postgres = [format!(",{member},"), format!("({member},")];
            let rows = stage.h.contents().await;
            rows.iter().filter(|row| row.contains(&id) || postgres.iter().any(|id| row.contains(id))).count()
        };
        stage
            .at_every_step(
                async |member| {
                    stage.email(member).await;
                    rows_about(member).await
                },
                async |member, _| {
                    erase(member).await?;
                    Ok(())
                },
                async |member, rows| {
                    let left = rows_about(member).await;
                    assert!(left == 0 || left == *rows, "{left} of {rows} rows are left");
                    erase(member).await.expect("an erasure");
                    assert_eq!(rows_about(member).await, 0);
                },
            )
            .await;
    }
}

#[tokio::test]
async fn an_import_that_is_disturbed_enrolls_everybody_or_nobody() {
    for blow in blows() {
        let stage = Stage::set(blow, "epic").await;
        let upload = async |member: &str| -> anyhow::Result<()> {
            let lines = ["a", "b", "c"]
                .map(|who| format!("{member}{who},{member}{who}@example.org,rt-{member}{who}"));
            let body = format!("member_id,email,refresh_token\n{}\n", lines.join("\n"));
            let request = Request::post("/api/v1/members/import")
                .header(header::HOST, "127.0.0.1")
                .header(header::AUTHORIZATION, "Bearer writer")
                .header(header::CONTENT_TYPE, "text/csv")
                .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 5000))))
                .body(Body::from(body))?;
            let response = server::admin_router(&stage.h.app).oneshot(request).await?;
            anyhow::ensure!(response.status() == 200, "{}", response.status());
            Ok(())
        };
        let enrolled = async |member: &str| {
            let ids = stage.h.rows().await.texts("members", "member_id").await.expect("the members");
            let is_new = |id: &&String| ["a", "b", "c"].iter().any(|who| **id == format!("{member}{who}"));
            ids.iter().filter(is_new).count()
        };
        stage
            .at_every_step(
                async |_| (),
                async |member, ()| upload(member).await,
                async |member, ()| {
                    assert!([0, 3].contains(&enrolled(member).await));
                    // The next one finishes it, or discards it.
                    upload(member).await.expect("an import");
                    assert_eq!(enrolled(member).await, 3);
                    let mut rows = stage.h.rows().await;
                    assert_eq!(rows.count("imports").await.expect("a count"), 0, "nothing is left over");
                },
            )
            .await;
    }
}

#[tokio::test]
async fn an_invitation_that_is_disturbed_sends_one_email_for_each_that_was_confirmed() {
    for blow in blows() {
        let stage = Stage::set(blow, "epic").await;
        let invite = async |member: &str| -> anyhow::Result<()> {
            let (member, operator) = (member.into(), &stage.h.app.operator);
            let source = operator.connection_or_source(&member, &"cerner".into()).await?;
            operator.send_invitation(&member, &source).await?;
            Ok(())
        };
        stage
            .at_every_step(
                async |member| {
                    stage.watch(member).await;
                    stage.h.clock.advance(TimeDelta::hours(2));
                },
                async |member, ()| invite(member).await,
                async |member, ()| {
                    stage.h.clock.advance(TimeDelta::minutes(1));
                    let queued = stage.h.notice_states(member).await.len();
                    if queued == 0 {
                        invite(member).await.expect("an invitation");
                    }
                    stage.deliver().await;
                    assert_eq!(stage.copies(member).len(), 1);
                    stage.h.reconnect(&stage.link(member)).await;
                },
            )
            .await;
    }
}
