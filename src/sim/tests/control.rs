use super::*;

const EPIC: &str = "/control/members/alice/connections/epic";

#[tokio::test]
async fn a_connection_is_changed_made_and_removed_by_machine() {
    let sim = Sim::start().await;
    for (path, change) in [
        (EPIC, json!({ "status": "EXPIRED", "syncStatus": null })),
        ("/control/members/alice/connections/basicins", json!({ "absent": true })),
        ("/control/members/alice/connections/new", json!({ "status": null, "name": "New <b>" })),
    ] {
        assert_eq!(sim.post(path, change).await.0, 204);
    }
    assert_eq!(
        sim.list("alice").await,
        ["epic EXPIRED null", "labcorp CONNECTED RETRIEVED", "new null RETRIEVED"]
    );
    let change = json!({ "category": "BASIC", "type": "LAB", "integrationType": null, "isDirect": true });
    sim.post(EPIC, change).await;
    let (_, answer) = sim.as_member("alice", LIST, json!({})).await;
    let row = &answer["data"]["getMemberConnections"][0];
    assert_eq!(
        (&row["category"], &row["type"], &row["integrationType"], &row["isDirect"], &row["status"]),
        (&json!("BASIC"), &json!("LAB"), &Value::Null, &json!(true), &json!("EXPIRED"))
    );
}

#[tokio::test]
async fn a_wrong_lever_is_refused() {
    let sim = Sim::start().await;
    for (path, body, status) in [
        ("/control/members/dave/connections/epic", json!({ "status": "EXPIRED" }), 404),
        (EPIC, json!({ "state": "EXPIRED" }), 422),
        ("/control/settings", json!({ "rotation": true }), 422),
        ("/control/settings", json!({ "access_token_lifetime": -1 }), 422),
        ("/control/tokens/dave/revoke", json!({}), 404),
        ("/control/tokens/dave/restore", json!({}), 404),
    ] {
        assert_eq!(sim.post(path, body).await.0, status, "{path}");
    }
    assert_eq!(sim.get("/control/requests?member=dave").await.0, 404);
}

#[tokio::test]
async fn settings_are_changed_one_by_one() {
    let sim = Sim::start().await;
    sim.post("/control/settings", json!({ "rotate": true })).await;
    sim.post("/control/settings", json!({ "oauth_url_lifetime": 5 })).await;
    let settings: Value = serde_json::from_str(&sim.get("/control/settings").await.1).unwrap();
    let expected = json!({ "rotate": true, "access_token_lifetime": 3600, "oauth_url_lifetime": 5,
        "login_issue": false, "rotation_grace": false, "list_quota": 0, "quota_window": 3600, "list_lag": 0,
        "expires_in": null, "date_ahead": 0 });
    assert_eq!(settings, expected);
    assert!(sim.refresh("rt-alice").await["data"]["refresh"]["refreshToken"].is_string());
}

#[tokio::test]
async fn a_credential_is_revoked_and_restored_by_machine() {
    let sim = Sim::start().await;
    assert_eq!(sim.post("/control/tokens/m1/revoke", json!({})).await.0, 204);
    assert_eq!(issue(&sim.refresh("rt-m1").await), "login");
    assert_eq!(sim.post("/control/tokens/m1/restore", json!({})).await.0, 204);
    assert_eq!(sim.list("m1").await.len(), 1);
}

#[tokio::test]
async fn requests_are_shown_and_reset_by_machine() {
    let sim = Sim::start().await;
    sim.list("alice").await;
    let count = async |path: &str| {
        let answer: Value = serde_json::from_str(&sim.get(path).await.1).unwrap();
        answer["requests"]["getMemberConnections"].as_u64().unwrap()
    };
    assert_eq!(count("/control/requests").await, 1);
    assert_eq!(count("/control/requests?member=alice").await, 1);
    assert_eq!(count("/control/requests?member=bob").await, 0);
    assert_eq!(sim.delete("/control/requests").await, 204);
    assert_eq!(count("/control/requests").await, 0);
}

#[tokio::test]
async fn faults_end_by_machine() {
    let sim = Sim::start().await;
    sim.post("/control/faults", json!({ "fault": "null_data" })).await;
    assert_eq!(sim.refresh("rt-alice").await, json!({ "data": null }));
    assert_eq!(sim.delete("/control/faults").await, 204);
    assert_eq!(sim.list("alice").await.len(), 3);
}

#[tokio::test]
async fn the_first_page_shows_fifty_members_and_finds_the_others() {
    let sim = Sim::start().await;
    let (status, page) = sim.get("/").await;
    assert_eq!((status, page.matches("<h2").count()), (200, 50));
    assert!(page.contains("id=\"alice\"") && page.contains("There are more"), "{page}");
    assert!(page.contains("href=\"/mail\""));
    let (_, page) = sim.get("/?q=m60").await;
    assert_eq!(page.matches("<h2").count(), 1);
    let (_, page) = sim.get("/?q=%3Cscript%3E").await;
    assert!(page.contains("No member") && !page.contains("<script>"));
}

#[tokio::test]
async fn the_first_pages_buttons_do_what_they_say() {
    let sim = Sim::start().await;
    for (status, expected) in [
        ("EXPIRED", "epic EXPIRED RETRIEVED"),
        ("DISCONNECTED", "epic DISCONNECTED RETRIEVED"),
        ("ERROR", "epic ERROR RETRIEVED"),
        ("CONNECTED", "epic CONNECTED PENDING"),
        ("DELETED", "epic DELETED DELETING"),
    ] {
        assert!(sim.get("/?q=m1").await.1.contains(&format!("value=\"{status}\"")));
        let form = [("member", "m1"), ("connection", "epic"), ("status", status), ("q", "m1")];
        let response = sim.http.post(sim.url("/press")).form(&form).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["location"]),
            (303, &"/?q=m1#m1".parse().unwrap())
        );
        assert_eq!(sim.list("m1").await, [expected]);
    }
}
