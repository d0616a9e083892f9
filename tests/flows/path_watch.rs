//! Sources and email domains whose emails people no longer press are found.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::traffic::{PathAlarm, Presses};

/// Emails that alice received about epic.
#[derive(Clone, Copy)]
struct Sent {
    number: u32,
    /// How long ago.
    ago: TimeDelta,
    /// Of these, so many were pressed after `pressed_after`.
    pressed: u32,
    pressed_after: TimeDelta,
    /// Whether a person opened the pressed ones.
    by_person: bool,
}

impl Sent {
    fn new(number: u32, pressed: u32, ago: TimeDelta) -> Self {
        Self { number, ago, pressed, pressed_after: TimeDelta::hours(3), by_person: true }
    }
}

impl Harness {
    /// Stores emails like the first one of alice.
    async fn store_sent(&self, name: &str, sent: Sent) {
        let at = (self.clock.now() - sent.ago).timestamp_millis();
        let pressed_at = at + sent.pressed_after.num_milliseconds();
        let mut sql = String::new();
        for number in 0..sent.number {
            let is_pressed = number < sent.pressed;
            let (redemptions, redeemed_at) =
                if is_pressed { (1, pressed_at.to_string()) } else { (0, "NULL".to_owned()) };
            let opened_at =
                if is_pressed && sent.by_person { pressed_at.to_string() } else { "NULL".to_owned() };
            let hash = format!("unhex('{:0>64}')", format!("{:02x}{number:04x}", name.as_bytes()[0]));
            sql += &format!(
                "INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before, attempts, sent_at, domain)
                    VALUES ('{name}{number}', 'alice', 1, 'sent', 'accepted', {at}, {at}, 1, {at}, 'example.org');
                 INSERT INTO links (token_hash, kind, notice_id, member_id, attempt, created_at, expires_at, first_opened_at)
                    VALUES ({hash}, 'notice', '{name}{number}', 'alice', 1, {at}, {at}, {opened_at});
                 INSERT INTO link_buttons (token_hash, connection_id, lapse_id, redemptions, redeemed_at)
                    SELECT {hash}, 'EPIC', lapse_id, {redemptions}, {redeemed_at} FROM lapses;"
            );
        }
        self.rows().await.run(&sql).await.expect("the rows");
    }

    async fn path_alarms(&self) -> Vec<(&'static str, String)> {
        let alarms = self.app.fleet.path_alarms().await.expect("the alarms");
        let row = |alarm: &PathAlarm| (alarm.kind.as_str(), alarm.name.clone());
        alarms.iter().map(row).collect()
    }
}

/// In the last weeks, 40 % of 200 emails were pressed.
async fn with_usual_presses() -> Harness {
    let h = Harness::watching_with(Setup::default(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.store_sent("usual", Sent::new(200, 80, TimeDelta::days(10))).await;
    h
}

fn both() -> Vec<(&'static str, String)> {
    vec![("source", "epic".to_owned()), ("domain", "example.org".to_owned())]
}

#[tokio::test]
async fn a_source_and_a_domain_are_listed_while_nobody_presses() {
    let h = with_usual_presses().await;
    assert_eq!(h.path_alarms().await, []);
    h.store_sent("recent", Sent::new(60, 0, TimeDelta::hours(30))).await;
    assert_eq!(h.path_alarms().await, both());
    let alarm = h.app.fleet.path_alarms().await.unwrap()[0].clone();
    let presses = |emails, pressed| Presses { emails, pressed };
    assert_eq!((alarm.usual, alarm.recent), (presses(200, 80), presses(60, 0)));

    h.store_sent("more", Sent::new(60, 30, TimeDelta::hours(26))).await;
    assert_eq!(h.path_alarms().await, [], "people press again");
}

#[tokio::test]
async fn an_email_has_a_day_to_be_pressed() {
    let h = with_usual_presses().await;
    h.store_sent("recent", Sent::new(60, 0, TimeDelta::hours(23))).await;
    assert_eq!(h.path_alarms().await, [], "people may be asleep");
    h.clock.advance(TimeDelta::hours(2));
    assert_eq!(h.path_alarms().await, both());
}

#[tokio::test]
async fn presses_by_bots_and_late_ones_do_not_count() {
    let h = with_usual_presses().await;
    let sent = Sent::new(60, 60, TimeDelta::hours(60));
    h.store_sent("bot", Sent { by_person: false, ..sent }).await;
    assert_eq!(h.path_alarms().await, both());
    h.store_sent("tardy", Sent { pressed_after: TimeDelta::hours(25), ..sent }).await;
    assert_eq!(h.path_alarms().await, both());
}
