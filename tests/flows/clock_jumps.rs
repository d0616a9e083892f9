//! A wall clock that jumps by hours while something waits: nothing is sent early, late by more than the jump, or twice.

use crate::harness::{Harness, Setup};
use crate::receiver::{Receiver, SECRET};
use chrono::TimeDelta;
use reconnectd::domain::{HoldScope, Time};
use reconnectd::sim::Operation;
use reconnectd::store::NewHold;

/// What happens to the clocks.
#[derive(Clone, Copy, Debug)]
enum Jump {
    /// The wall clock is set; no other time passes. A suspended machine looks the same.
    Set(TimeDelta),
    /// No email goes out for so long, although time passes: the machine was busy, or the daemon stopped.
    Pass(TimeDelta),
}

const JUMPS: [Jump; 4] = [
    Jump::Set(TimeDelta::hours(3)),
    Jump::Set(TimeDelta::hours(-3)),
    Jump::Set(TimeDelta::hours(30)),
    Jump::Pass(TimeDelta::hours(30)),
];

/// Something that waits for a time, and the email that comes then.
struct Wait {
    what: &'static str,
    settings: &'static [(&'static str, &'static str)],
    /// Begins the wait at 09:00, and returns when it ends by the clock.
    begin: for<'a> fn(&'a Harness) -> std::pin::Pin<Box<dyn Future<Output = Time> + 'a>>,
}

const WAITS: [Wait; 7] = [
    Wait {
        what: "a reminder",
        settings: &[("NOTICES__EXPIRED__REMINDERS", "24h")],
        begin: |h| {
            Box::pin(async {
                h.set("alice", "epic", "EXPIRED");
                h.pass().await;
                h.clock.now() + TimeDelta::hours(24)
            })
        },
    },
    Wait {
        what: "patience",
        settings: &[("NOTICES__EXPIRED__FIRST_AFTER", "12h"), ("NOTICES__EXPIRED__REMINDERS", "")],
        begin: |h| {
            Box::pin(async {
                h.set("alice", "epic", "EXPIRED");
                h.pass().await;
                h.clock.now() + TimeDelta::hours(12)
            })
        },
    },
    Wait {
        what: "quiet hours",
        settings: &[("NOTICES__QUIET_HOURS", "08:30-18:00"), ("NOTICES__EXPIRED__REMINDERS", "")],
        begin: |h| {
            Box::pin(async {
                h.set("alice", "epic", "EXPIRED");
                h.pass().await;
                h.clock.now() + TimeDelta::hours(9)
            })
        },
    },
    Wait {
        what: "the gap between two emails",
        settings: &[("NOTICES__MIN_GAP", "24h"), ("NOTICES__EXPIRED__REMINDERS", "")],
        begin: |h| {
            Box::pin(async {
                h.set("alice", "epic", "EXPIRED");
                h.pass().await;
                h.set("alice", "kaiser-north", "EXPIRED");
                h.clock.now() + TimeDelta::hours(24)
            })
        },
    },
    Wait {
        what: "the cap of a month",
        settings: &[("NOTICES__MAX_PER_MONTH", "1"), ("NOTICES__EXPIRED__REMINDERS", "")],
        begin: |h| {
            Box::pin(async {
                h.set("alice", "epic", "EXPIRED");
                h.pass().await;
                h.set("alice", "kaiser-north", "EXPIRED");
                h.clock.now() + TimeDelta::days(30)
            })
        },
    },
    Wait {
        what: "a snooze",
        settings: &[("NOTICES__EXPIRED__REMINDERS", "3d")],
        begin: |h| {
            Box::pin(async {
                h.set("alice", "epic", "EXPIRED");
                h.pass().await;
                h.press(&format!("{}/snooze", h.link())).await;
                h.clock.now() + TimeDelta::days(7)
            })
        },
    },
    Wait {
        what: "a hold",
        settings: &[("NOTICES__EXPIRED__REMINDERS", "")],
        begin: |h| {
            Box::pin(async {
                let until = h.clock.now() + TimeDelta::hours(8);
                let hold = NewHold { scope: HoldScope::default(), until: Some(until), reason: "work".into() };
                h.app.store.add_hold(&hold, h.clock.now()).await.unwrap().expect("a scope");
                h.set("alice", "epic", "EXPIRED");
                h.pass().await;
                until
            })
        },
    },
];

impl Harness {
    async fn jump(&self, jump: Jump) {
        match jump {
            Jump::Set(by) => {
                self.clock.set(self.clock.now() + by);
                // As the daemon does when it notices.
                self.app.pull_back_from_future().await.unwrap();
            }
            Jump::Pass(by) => self.clock.advance(by),
        }
    }
}

#[tokio::test]
async fn whatever_the_clock_does_what_waits_for_a_time_is_emailed_once_when_the_clock_shows_it() {
    for wait in &WAITS {
        for jump in JUMPS {
            let case = format!("{}, {jump:?}", wait.what);
            let setup =
                wait.settings.iter().fold(Setup::default(), |setup, (key, value)| setup.set(key, value));
            let h = Harness::watching_with(setup, &["alice"]).await;
            let end = (wait.begin)(&h).await;
            let before = h.mails().len();
            h.pass_after(TimeDelta::hours(4)).await;
            assert_eq!(h.mails().len(), before, "{case}: early");
            h.jump(jump).await;
            h.pass().await;
            let is_over = h.clock.now() >= end;
            assert_eq!(h.mails().len(), before + usize::from(is_over), "{case}: after the jump");
            if !is_over {
                h.pass_after(end - h.clock.now() - TimeDelta::minutes(1)).await;
                assert_eq!(h.mails().len(), before, "{case}: early, after the jump");
            }
            h.pass_after(TimeDelta::minutes(5)).await;
            h.pass_after(TimeDelta::hours(1)).await;
            assert_eq!(h.mails().len(), before + 1, "{case}");
        }
    }
}

#[tokio::test]
async fn rechecks_that_a_jump_makes_due_together_poll_the_member_once_each() {
    for hours in [3, -3] {
        let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
        h.press(&link).await;
        h.sim.world().reset_requests();
        h.jump(Jump::Set(TimeDelta::hours(hours))).await;
        for _ in 0..10 {
            while h.app.rechecker.recheck_one().await.unwrap() {}
            h.clock.advance(TimeDelta::minutes(15));
        }
        let polls = h.asked("alice", Operation::GetMemberConnections);
        assert!((1..=5).contains(&polls), "{hours} h: {polls} polls");
    }
}

#[tokio::test]
async fn a_link_and_its_page_outlive_a_jump_by_hours() {
    for hours in [3, -3] {
        let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
        h.jump(Jump::Set(TimeDelta::hours(hours))).await;
        h.reconnect(&link).await;
        h.pass_after(TimeDelta::minutes(15)).await;
        assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"], "{hours} h");
    }
}

#[tokio::test]
async fn an_event_that_waits_for_its_next_attempt_at_a_jump_arrives_once_and_in_its_order() {
    for jump in JUMPS {
        let receiver = Receiver::start().await;
        let setup = Setup::default()
            .set("WEBHOOK__URL", receiver.url())
            .set("WEBHOOK__SECRET", SECRET)
            .set("NOTICES__EXPIRED__REMINDERS", "");
        let h = Harness::watching_with(setup, &["alice"]).await;
        receiver.answer(503);
        h.set("alice", "epic", "EXPIRED");
        for _ in 0..3 {
            h.pass_after(TimeDelta::minutes(10)).await;
        }
        h.jump(jump).await;
        receiver.answer(204);
        for _ in 0..2 {
            h.pass_after(TimeDelta::hours(1)).await;
        }
        // No reminder follows, which is told last.
        let expected = ["connection.lapsed", "notice.sent", "member.unreachable"];
        assert_eq!(receiver.confirmed_of("alice"), expected, "{jump:?}");
    }
}

#[tokio::test]
async fn the_hold_of_a_storm_ends_after_a_jump_and_each_member_gets_one_email() {
    const WINDOW: TimeDelta = TimeDelta::hours(1);
    let members: Vec<String> = (1..=12).map(|n| format!("m{n}")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    for jump in JUMPS {
        let setup = Setup::default()
            .members(12)
            .set("STORM__MIN_MEMBERS", 10)
            .set("STORM__DRIP_PER_MINUTE", 100)
            .set("NOTICES__EXPIRED__REMINDERS", "");
        let h = Harness::watching_with(setup, &members).await;
        for member in &members {
            h.set(member, "epic", "EXPIRED");
        }
        h.pass_after(TimeDelta::minutes(15)).await;
        assert_eq!(h.mails().len(), 0, "{jump:?}: held");
        h.jump(jump).await;
        h.pass().await;
        let until = match jump {
            Jump::Set(by) if by < TimeDelta::zero() => WINDOW - by,
            Jump::Set(_) | Jump::Pass(_) => WINDOW,
        };
        for _ in 0..=until.num_minutes() / 15 {
            h.pass_after(TimeDelta::minutes(15)).await;
        }
        let mut recipients = h.recipients();
        recipients.sort();
        let mut expected: Vec<_> = members.iter().map(|member| format!("{member}@example.org")).collect();
        expected.sort();
        assert_eq!(recipients, expected, "{jump:?}");
    }
}

#[tokio::test]
async fn a_page_that_is_open_at_a_jump_can_be_pressed_at_the_latest_after_it_is_shown_again() {
    for hours in [3, -3] {
        let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
        let browser = h.browser();
        let page = browser.open(&link).await;
        browser.read().await;
        h.jump(Jump::Set(TimeDelta::hours(hours))).await;
        let pressed = browser.press_on(&page, &link, &[]).await;
        if hours < 0 {
            assert_eq!(pressed.status, 200, "the page seems to be from the future");
            assert_eq!(browser.press(&link, &[]).await.status, 303);
        } else {
            assert_eq!(pressed.status, 303);
        }
    }
}

#[tokio::test]
async fn the_time_in_which_a_browser_may_press_again_ends_by_the_clock() {
    for (hours, expected) in [(3, 410), (-3, 303)] {
        let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
        let (browser, other) = (h.browser(), h.browser());
        assert_eq!(browser.press(&link, &[]).await.status, 303);
        h.jump(Jump::Set(TimeDelta::hours(hours))).await;
        assert_eq!(browser.press(&link, &[]).await.status, expected, "{hours} h");
        assert_eq!(other.press(&link, &[]).await.status, 410, "{hours} h: another browser");
        h.clock.advance(TimeDelta::hours(3) + TimeDelta::minutes(10));
        assert_eq!(browser.press(&link, &[]).await.status, 410, "{hours} h: it does not last");
    }
}
