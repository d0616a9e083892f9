use super::stage::{Stage, blows};
use chrono::TimeDelta;
use reconnectd::domain::EventState;
use tokio_util::sync::CancellationToken;

impl Stage {
    async fn post_events(&self) -> anyhow::Result<()> {
        let mut courier = self.h.app.event_courier().expect("a receiver");
        courier.maintain().await?;
        courier.deliver_all(&CancellationToken::new()).await?;
        Ok(())
    }
}

#[tokio::test]
async fn an_event_whose_post_is_disturbed_arrives_in_its_order_and_again_only_with_its_id() {
    for blow in blows() {
        let stage = Stage::set(blow, "epic").await;
        stage.email(&stage.enter()).await;
        stage.time(async { stage.post_events().await.expect("posts") }).await;
        stage
            .at_every_step(
                async |member| drop(stage.email(member).await),
                async |_, ()| stage.post_events().await,
                async |member, ()| {
                    let store = &stage.h.app.store;
                    // Leases expire, and what was refused is tried again.
                    stage.h.clock.advance(TimeDelta::hours(1));
                    stage.post_events().await.expect("posts");
                    let all = store.events(None, None, 100_000).await.expect("events");
                    let of_member: Vec<_> = all
                        .iter()
                        .filter(|event| event.member_id.as_ref().is_some_and(|id| id.as_str() == member))
                        .collect();
                    assert_eq!(of_member.len(), 2, "{of_member:?}");
                    assert!(
                        of_member.iter().all(|event| event.state == EventState::Delivered),
                        "{of_member:?}"
                    );
                },
            )
            .await;
        stage.end().await;
    }
}
