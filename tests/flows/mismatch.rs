//! Connections whose records are somebody else's: the operator is to know.

use crate::harness::Harness;
use chrono::TimeDelta;
use reconnectd::domain::CredentialRules;
use reconnectd::sim::Change;

fn errors(h: &Harness, member: &str, connection: &str, status: &str, codes: &[&str]) {
    let codes = codes.iter().map(|code| (*code).to_owned()).collect();
    let change = Change { sync_errors: Some(codes), ..Change::status(status) };
    h.sim.world().change(member, connection, change).unwrap();
}

/// The number of logged warnings about the member.
fn warnings(h: &Harness, member: &str) -> usize {
    let log = h.log.text();
    let lines = log.lines().filter(|line| line.contains("WARN") && line.contains("PERSON_MATCHING_ERROR"));
    lines.filter(|line| line.contains(&format!("member_id={member} "))).count()
}

async fn mismatches(h: &Harness) -> u64 {
    h.app.store.stats(&CredentialRules::stored_tokens(), h.clock.now()).await.unwrap().person_mismatches
}

#[tokio::test]
async fn a_recovery_with_another_persons_records_is_flagged_once_until_it_is_mended() {
    let h = Harness::watching_with(crate::harness::Setup::default().members(40), &["m31", "m32"]).await;
    h.set("m31", "epic", "EXPIRED");
    h.pass().await;
    errors(&h, "m31", "epic", "EXPIRED", &["PERSON_MATCHING_ERROR"]);
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!((warnings(&h, "m31"), mismatches(&h).await), (0, 0), "what does not work is nobody's");
    errors(&h, "m31", "epic", "CONNECTED", &["PATIENT_RETRIEVAL_ERROR", "PERSON_MATCHING_ERROR"]);
    for _ in 0..3 {
        h.pass_after(TimeDelta::minutes(15)).await;
        assert_eq!((warnings(&h, "m31"), mismatches(&h).await), (1, 1));
    }
    let listed = h.app.store.connections(Some(&"m31".into()), None, 10).await.unwrap();
    let marked: Vec<_> = listed.iter().filter(|row| row.connection.is_person_mismatch()).collect();
    assert_eq!((marked.len(), marked[0].connection.id.as_str()), (1, "epic"));

    // An unrelated change logs nothing again.
    h.set("m31", "kaiser-north", "ERROR");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!((warnings(&h, "m31"), mismatches(&h).await), (1, 1));
    errors(&h, "m31", "epic", "CONNECTED", &[]);
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!((warnings(&h, "m31"), mismatches(&h).await), (1, 0));
    errors(&h, "m31", "epic", "CONNECTED", &["PERSON_MATCHING_ERROR"]);
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!((warnings(&h, "m31"), mismatches(&h).await), (2, 1), "it has happened again");
    assert_eq!(warnings(&h, "m32"), 0);
    h.app.store.remove_member(&"m31".into(), h.clock.now()).await.unwrap();
    assert_eq!(mismatches(&h).await, 0, "members who are gone are nobody's worry");
}

#[tokio::test]
async fn a_mismatch_in_a_later_sync_is_flagged_and_one_that_disappears_is_not_counted() {
    let h = Harness::watching_with(crate::harness::Setup::default().members(40), &["m33"]).await;
    h.set("m33", "epic", "EXPIRED");
    h.pass().await;
    h.set("m33", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!((warnings(&h, "m33"), mismatches(&h).await), (0, 0));
    errors(&h, "m33", "epic", "CONNECTED", &["PERSON_MATCHING_ERROR"]);
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!((warnings(&h, "m33"), mismatches(&h).await), (1, 1));
    h.sim.world().change("m33", "epic", Change { absent: true, ..Change::default() }).unwrap();
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!((warnings(&h, "m33"), mismatches(&h).await), (1, 0));
}

#[tokio::test]
async fn one_that_the_gateway_shows_as_an_error_is_flagged_too() {
    let h = Harness::watching_with(crate::harness::Setup::default().members(40), &["m35"]).await;
    errors(&h, "m35", "epic", "ERROR", &["PATIENT_RETRIEVAL_ERROR"]);
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!((warnings(&h, "m35"), mismatches(&h).await), (0, 0));
    errors(&h, "m35", "epic", "ERROR", &["PERSON_MATCHING_ERROR"]);
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!((warnings(&h, "m35"), mismatches(&h).await), (1, 1));
    errors(&h, "m35", "epic", "CONNECTED", &["PERSON_MATCHING_ERROR"]);
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!((warnings(&h, "m35"), mismatches(&h).await), (1, 1), "it is the same mismatch still");
}
