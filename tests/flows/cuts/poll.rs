use super::stage::{Stage, blows};
use chrono::TimeDelta;
use reconnectd::domain::Cause;

#[tokio::test]
async fn a_poll_that_is_disturbed_loses_no_rotated_token_and_records_a_change_once() {
    for blow in blows() {
        let stage = Stage::set(blow, "epic").await;
        stage
            .at_every_step(
                async |member| {
                    stage.watch(member).await;
                    stage.let_expire(member).await;
                },
                async |member, ()| {
                    stage.h.app.poller.poll(&member.into(), Cause::Sweep).await?;
                    Ok(())
                },
                async |member, ()| {
                    // The lease to refresh tokens may be left over.
                    stage.h.clock.advance(TimeDelta::minutes(1));
                    stage.poll(member).await;
                    assert_eq!(stage.h.path(member, "epic").await, ["CONNECTED", "EXPIRED"]);
                    assert_eq!(stage.h.lapse_states(member).await, ["epic open"]);
                },
            )
            .await;
        stage.end().await;
    }
}
