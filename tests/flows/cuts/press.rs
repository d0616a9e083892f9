//! Presses of members whose browser goes away: the server drops the handler.

use super::stage::{Stage, blows};
use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, header},
    response::Response,
};
use chrono::TimeDelta;
use reconnectd::{server, web};
use std::net::SocketAddr;
use tower::ServiceExt;
use url::{Url, form_urlencoded};

/// A page that a member has read.
struct Page {
    link: String,
    form_key: String,
}

impl Stage {
    async fn page(&self, member: &str) -> Page {
        let link = self.email(member).await;
        let form_key = self.h.look(&link).await.field("form_key").expect("a form");
        self.h.clock.advance(TimeDelta::seconds(2));
        Page { link, form_key }
    }

    /// Posts the page's form in a handler that is dropped with this future.
    async fn post(&self, page: &Page, action: &str) -> anyhow::Result<Response> {
        let url = Url::parse(&page.link)?;
        let mut form = form_urlencoded::Serializer::new(String::new());
        let request = Request::post(format!("{}{action}", url.path()))
            .header(header::HOST, url.host_str().expect("a host"))
            .header(header::USER_AGENT, "Mozilla/5.0 (a member's)")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 5000))))
            .body(Body::from(form.append_pair("form_key", &page.form_key).finish()))?;
        let response = web::public(server::public_state(&self.h.app)).oneshot(request).await?;
        anyhow::ensure!(!response.status().is_server_error(), "{}", response.status());
        Ok(response)
    }
}

#[tokio::test]
async fn a_press_that_is_disturbed_is_consumed_as_a_whole_or_can_be_repeated() {
    for blow in blows() {
        let stage = Stage::set(blow, "epic").await;
        stage
            .at_every_step(
                async |member| stage.page(member).await,
                async |_, page| {
                    let response = stage.post(page, "").await?;
                    anyhow::ensure!(response.status() == 303, "{}", response.status());
                    Ok(())
                },
                async |member, page| {
                    // The lease to refresh tokens may be left over.
                    stage.h.clock.advance(TimeDelta::hours(1));
                    let mut pressed = stage.h.press(&page.link).await;
                    if pressed.status != 303 {
                        // The response with the way to the source did not arrive.
                        assert_eq!(pressed.states()[0], "used");
                        stage.h.press(&format!("{}/resend", page.link)).await;
                        stage.deliver().await;
                        pressed = stage.h.press(&stage.link(member)).await;
                    }
                    stage.h.allow(&pressed).await;
                },
            )
            .await;
        stage.verify_recoveries(&stage.members()).await;
    }
}

#[tokio::test]
async fn a_direct_reconnection_that_is_disturbed_is_made_or_can_be_repeated() {
    for blow in blows() {
        let stage = Stage::set(blow, "labcorp").await;
        stage
            .at_every_step(
                async |member| stage.page(member).await,
                async |_, page| stage.post(page, "").await.map(drop),
                async |_, page| {
                    stage.h.clock.advance(TimeDelta::hours(1));
                    // A call that is under way ends.
                    let pressed = stage.h.press(&page.link).await;
                    assert!(["signed_in", "used"].contains(&pressed.states()[0]), "{:?}", pressed.states());
                },
            )
            .await;
        stage.verify_recoveries(&stage.members()).await;
    }
}

#[tokio::test]
async fn a_request_for_another_email_that_is_disturbed_queues_one() {
    for blow in blows() {
        let stage = Stage::set(blow, "epic").await;
        stage
            .at_every_step(
                async |member| {
                    let page = stage.page(member).await;
                    stage.h.clock.advance(TimeDelta::hours(1));
                    page
                },
                async |_, page| stage.post(page, "/resend").await.map(drop),
                async |member, page| {
                    stage.h.press(&format!("{}/resend", page.link)).await;
                    stage.deliver().await;
                    assert_eq!(stage.emails(member).len(), 2, "the first one, and another");
                    stage.h.reconnect(&stage.link(member)).await;
                },
            )
            .await;
        stage.verify_recoveries(&stage.members()).await;
    }
}
