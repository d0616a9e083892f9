//! Redemptions: the guarded update decides who consumes a link.

use crate::{Fixture, now};
use chrono::TimeDelta;
use futures_util::future::join_all;
use reconnectd::{
    domain::{ConnectionId, FormKeyHash, MemberId, TokenHash},
    store::Redemption,
};

const RACERS: u8 = 16;
const LINK: TokenHash = TokenHash([7; 32]);

/// Alice has a link for an open lapse of epic.
async fn sent_link(f: &Fixture) {
    f.import(&["alice"]).await;
    f.run(
        "INSERT INTO connections (member_id, connection_id, name, is_direct, sync_errors, first_seen_at, changed_at)
            VALUES ('alice', 'epic', 'Epic', FALSE, '[]', 0, 0);
         INSERT INTO lapses (lapse_id, member_id, connection_id, state, suspected_at, consecutive_observations, opened_at)
            VALUES ('l', 'alice', 'epic', 'open', 0, 1, 0);
         INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before, attempts)
            VALUES ('n', 'alice', 0, 'sent', 'accepted', 0, 0, 1);
         INSERT INTO links (token_hash, kind, notice_id, member_id, attempt, created_at, expires_at, address_hash)
            SELECT unhex('0707070707070707070707070707070707070707070707070707070707070707'), 'notice', 'n', 'alice',
                    1, 0, 9000000000000, address_hash FROM members;
         INSERT INTO link_buttons (token_hash, connection_id, lapse_id)
            SELECT token_hash, 'epic', 'l' FROM links;",
    )
    .await;
}

async fn race(f: &Fixture, form_key: impl Fn(u8) -> u8, max_redemptions: u32) -> usize {
    sent_link(f).await;
    let (alice, epic) = (MemberId::from("alice"), ConnectionId::from("epic"));
    let presses = (0..RACERS).map(|racer| Redemption {
        link: LINK,
        member: &alice,
        connection: &epic,
        form_key: Some(FormKeyHash([form_key(racer); 32])),
        form_key_since: now() - TimeDelta::minutes(10),
        at: now(),
        recheck_at: Some(now() + TimeDelta::seconds(30)),
    });
    let presses: Vec<_> = presses.collect();
    let results = join_all(presses.iter().map(|press| f.store.redeem(press, max_redemptions))).await;
    results.into_iter().filter(|result| *result.as_ref().unwrap()).count()
}

pub(crate) async fn of_sixteen_racing_presses_one_consumes_the_link(f: &Fixture) {
    assert_eq!(race(f, |racer| racer, 1).await, 1);
    assert_eq!(f.rows().await.numbers("link_buttons", "redemptions").await.unwrap(), [1]);
    assert_eq!(f.rows().await.count("rechecks").await.unwrap(), 1);
}

pub(crate) async fn of_sixteen_racing_presses_the_permitted_number_consumes_the_link(f: &Fixture) {
    assert_eq!(race(f, |racer| racer, 3).await, 3);
}

pub(crate) async fn sixteen_requests_of_one_press_consume_one_redemption(f: &Fixture) {
    assert_eq!(race(f, |_| 1, 3).await, 1);
}

/// What the page showed can have changed by the time of the press.
pub(crate) async fn a_press_that_something_has_overtaken_consumes_nothing(f: &Fixture) {
    sent_link(f).await;
    let (alice, epic) = (MemberId::from("alice"), ConnectionId::from("epic"));
    let press = Redemption {
        link: LINK,
        member: &alice,
        connection: &epic,
        form_key: None,
        form_key_since: now(),
        at: now(),
        recheck_at: None,
    };
    let invitation = "INSERT INTO invitations (invitation_id, member_id, connection_id, name, created_at)
            VALUES ('i', 'alice', 'EPIC', 'Epic', 0);
         UPDATE link_buttons SET lapse_id = NULL, invitation_id = 'i'";
    let closed = |outcome| {
        format!("UPDATE lapses SET state = 'closed', outcome = '{outcome}', closed_at = 1, opened_at = 0")
    };
    for (change, undo, is_redeemed) in [
        ("UPDATE link_buttons SET superseded = TRUE", "UPDATE link_buttons SET superseded = FALSE", false),
        ("UPDATE links SET expires_at = 1", "UPDATE links SET expires_at = 9000000000000", false),
        ("UPDATE links SET revoked_at = 1", "UPDATE links SET revoked_at = NULL", false),
        (
            "UPDATE members SET address_hash = NULL",
            "UPDATE members SET address_hash = (SELECT address_hash FROM links)",
            false,
        ),
        (&*closed("recovered"), "", false),
        (&*closed("dismissed"), "", true),
        (invitation, "", true),
        ("UPDATE connections SET status = 'CONNECTED'", "", false),
    ] {
        f.run(change).await;
        assert_eq!(f.store.redeem(&press, 10).await.unwrap(), is_redeemed, "{change}");
        f.run(undo).await;
    }
    assert_eq!(f.rows().await.numbers("link_buttons", "redemptions").await.unwrap(), [2]);
}
