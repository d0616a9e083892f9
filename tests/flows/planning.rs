//! The planner plans a page of members at a time.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;

#[tokio::test]
async fn a_member_whose_rows_cannot_be_planned_stops_no_other() {
    let h = Harness::queued(&["alice", "bob", "carol"]).await;
    // Its step is planned, but no notice is on the way: planning the step again violates a constraint.
    let mut rows = h.rows().await;
    rows.set_where("notices", ("member_id", "bob"), "state", "cancelled").await.unwrap();
    rows.set("lapses", "plan_at", h.clock.now().timestamp_millis()).await.unwrap();
    for member in ["alice", "carol"] {
        h.set(member, "kaiser-north", "EXPIRED");
    }
    h.sweep().await;
    assert!(h.app.planner.plan_page().await.unwrap());
    let failures = || h.log.text().matches("event=\"member_not_planned\"").count();
    assert_eq!(failures(), 1);
    for member in ["alice", "carol"] {
        let notices = h.notices(member).await;
        let items: Vec<_> = notices.iter().map(|listed| listed.notice.items.len()).collect();
        assert_eq!(items, [2], "{member}: the new lapse joins the notice that is not sent yet");
    }
    assert!(!h.app.planner.plan_page().await.unwrap(), "the failed member waits");

    h.clock.advance(TimeDelta::hours(1));
    assert!(h.app.planner.plan_page().await.unwrap());
    assert_eq!(failures(), 2);
    h.rows().await.set_where("notices", ("member_id", "bob"), "state", "queued").await.unwrap();
}

#[tokio::test]
async fn a_page_plans_many_members_and_leaves_the_rest_for_the_next() {
    let h = Setup::default().members(150).start().await;
    let members: Vec<String> = (1..=150).map(|n| format!("m{n}")).collect();
    h.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    h.pass().await;
    for member in &members {
        h.set(member, "epic", "EXPIRED");
    }
    h.sweep().await;
    let planned = async || h.rows().await.count("notices").await.unwrap();
    assert!(h.app.planner.plan_page().await.unwrap());
    assert_eq!(planned().await, 128);
    assert!(h.app.planner.plan_page().await.unwrap());
    assert_eq!(planned().await, 150);
    assert!(!h.app.planner.plan_page().await.unwrap());
}
