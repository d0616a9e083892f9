use super::stage::{Blow, Stage, blows};
use reconnectd::notify::deliver::Delivered;

#[tokio::test]
async fn a_delivery_that_is_disturbed_repeats_an_email_only_if_its_acceptance_was_cut_off() {
    for blow in blows() {
        let stage = Stage::set(blow, "epic").await;
        stage
            .at_every_step(
                async |member| stage.queue(member).await,
                async |_, ()| match stage.h.app.deliverer.deliver_one().await? {
                    Delivered::One(_) => Ok(()),
                    other => anyhow::bail!("{other:?}"),
                },
                async |member, ()| {
                    let was_accepted = stage.copies(member).len();
                    stage.let_leases_expire().await;
                    stage.deliver().await;
                    assert_eq!(stage.h.notice_states(member).await, ["sent"]);
                    assert_eq!(stage.emails(member).len(), 1, "a copy has the same Message-ID");
                    let attempts = stage.h.attempts(member).await;
                    let is_lost = blow == Blow::Cut && was_accepted == 1 && attempts[0] == "interrupted";
                    assert_eq!(stage.copies(member).len(), 1 + usize::from(is_lost), "{attempts:?}");
                },
            )
            .await;
        stage.end().await;
    }
}
