use super::*;
use crate::sim::InvalidSignIn;
use chrono::TimeDelta;

fn state(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

async fn press(sim: &Sim, state: &str, answer: &str) -> (u16, String) {
    let form = [("state", state), ("answer", answer)];
    let response = sim.http.post(sim.url("/oauth/authorize")).form(&form).send().await.unwrap();
    let location = response.headers().get("location").map_or("", |value| value.to_str().unwrap());
    (response.status().as_u16(), location.to_owned())
}

#[tokio::test]
async fn looking_at_the_sources_page_changes_nothing_and_allow_connects() {
    let sim = Sim::start().await;
    sim.simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let url = sim.oauth_url("alice", "epic").await;
    assert!(url.starts_with(&sim.url("/oauth/authorize?state=")), "{url}");
    for _ in 0..2 {
        let page = sim.http.get(&url).send().await.unwrap();
        assert_eq!(page.status(), 200);
        let page = page.text().await.unwrap();
        assert!(page.contains("Epic MyChart") && page.contains(">Allow</button>"), "{page}");
    }
    assert_eq!(sim.list("alice").await[0], "epic EXPIRED RETRIEVED");
    sim.clock.advance(TimeDelta::seconds(1));
    assert_eq!(press(&sim, &state(&url), "allow").await, (303, "/oauth/done?status_code=success".into()));
    assert_eq!(sim.list("alice").await[0], "epic CONNECTED PENDING");
    let (_, answer) = sim.as_member("alice", LIST, json!({})).await;
    assert_eq!(answer["data"]["getMemberConnections"][0]["statusUpdated"], "2026-11-23T12:00:01.000000");
    sim.clock.advance(TimeDelta::seconds(10));
    assert_eq!(sim.list("alice").await[0], "epic CONNECTED RETRIEVED");
    assert_eq!(sim.get("/oauth/done?status_code=success").await.0, 200);
}

#[tokio::test]
async fn deny_leaves_the_connection_as_it_was() {
    let sim = Sim::start().await;
    sim.simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let url = sim.oauth_url("alice", "epic").await;
    assert_eq!(press(&sim, &state(&url), "deny").await, (303, "/oauth/done?status_code=failure".into()));
    assert_eq!(sim.list("alice").await[0], "epic EXPIRED RETRIEVED");
    assert_eq!(sim.get("/oauth/done?status_code=failure").await.0, 200);
}

#[tokio::test]
async fn a_url_works_once_and_not_after_its_time() {
    let sim = Sim::start().await;
    let (used, late) = (sim.oauth_url("alice", "epic").await, sim.oauth_url("alice", "epic").await);
    assert_ne!(state(&used), state(&late));
    press(&sim, &state(&used), "allow").await;
    sim.clock.advance(TimeDelta::seconds(600));
    for secret in [state(&used), state(&late), "forged".to_owned()] {
        assert_eq!(press(&sim, &secret, "allow").await.0, 410);
        assert_eq!(sim.get(&format!("/oauth/authorize?state={secret}")).await.0, 410);
    }
}

#[tokio::test]
async fn a_source_that_was_not_connected_is_connected_by_allow() {
    let sim = Sim::start().await;
    let url = sim.oauth_url("m1", "kaiser & <north>").await;
    assert!(
        sim.http.get(&url).send().await.unwrap().text().await.unwrap().contains("Kaiser &amp; &lt;north&gt;")
    );
    sim.simulator.world().sign_in(&url, true).unwrap();
    assert_eq!(sim.list("m1").await[1], "kaiser & <north> CONNECTED PENDING");
    assert_eq!(sim.simulator.world().sign_in(&url, true), Err(InvalidSignIn));
}
