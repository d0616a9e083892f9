use super::stage::{Stage, blows};
use chrono::TimeDelta;

#[tokio::test]
async fn a_page_of_the_planner_that_is_disturbed_plans_each_step_once() {
    for blow in blows() {
        let stage = Stage::set(blow, "epic").await;
        stage
            .at_every_step(
                async |member| {
                    stage.watch(member).await;
                    stage.let_expire(member).await;
                    stage.poll(member).await;
                },
                async |_, ()| {
                    stage.h.app.planner.plan_page().await?;
                    Ok(())
                },
                async |member, ()| {
                    // A member whose rows were at fault waits an hour.
                    stage.h.clock.advance(TimeDelta::hours(1));
                    stage.plan().await;
                    assert_eq!(stage.h.notice_states(member).await, ["queued"]);
                },
            )
            .await;
        stage.end().await;
    }
}
