//! Stories of one connection, with a response every hour.

use super::Policy;
use super::world::{World, connection, policy};
use crate::domain::turned_empty;
use crate::domain::{ChangeReason, Decision, LapseChange};
use crate::domain::{Connection, ConnectionState, Lapse, Listing, Missing, Status, SyncStatus, Time};
use chrono::TimeDelta;

/// Plays a story. Returns the reason of each response (`-` when nothing was written) and the lapses at the
/// end.
///
/// A word is a status, `missing` (the row is not in the list), `hidden` (it cannot be read), `unnamed` (some row's id
/// cannot be read), `silent` (it has no status), `dismiss` (the member says that it is on purpose), `disconnect` or
/// `delete` (an operator does) or a number of days that pass. A status may have `,deleting` behind it: the
/// connection's records are being deleted.
fn tell(story: &str, policy: Policy) -> (String, String) {
    let mut world = World::new(policy);
    let mut reasons = Vec::new();
    for word in story.split_whitespace() {
        if let Ok(days) = word.parse() {
            world.now += TimeDelta::days(days);
            continue;
        }
        let listing = match word {
            "dismiss" => {
                world.dismiss();
                continue;
            }
            "disconnect" | "delete" => {
                world.part("epic", word.parse().unwrap());
                continue;
            }
            "missing" => Listing::default(),
            "hidden" => Listing { hidden: vec!["Epic".into()], ..Listing::default() },
            "unnamed" => Listing { hides_unknown: true, ..Listing::default() },
            "silent" => vec![connection("epic", None)].into(),
            status => {
                let (status, sync) =
                    status.split_once(',').map_or((status, None), |(s, _)| (s, Some("DELETING")));
                let row = connection("epic", Some(status));
                vec![Connection { sync_status: sync.map(SyncStatus::from), ..row }].into()
            }
        };
        let decision = world.answer_with(&listing);
        reasons.push(decision.changes.first().map_or("-", |change| change.reason.as_str()));
        world.now += TimeDelta::hours(1);
    }
    let lapses: Vec<_> = world.lapses.iter().map(describe).collect();
    (reasons.join(" "), lapses.join(", "))
}

fn describe(lapse: &Lapse) -> String {
    let outcome = lapse.outcome.map_or("", |outcome| outcome.as_str());
    format!("{} {outcome}", lapse.state.as_str()).trim().to_owned()
}

#[test]
fn what_a_run_of_answers_means() {
    #[rustfmt::skip]
    let stories = [
        ("a healthy connection is noted once", "CONNECTED CONNECTED", "first_seen -", ""),
        ("one bad answer is a suspicion", "CONNECTED EXPIRED", "first_seen suspected", "suspected"),
        ("a second one confirms it", "CONNECTED EXPIRED EXPIRED", "first_seen suspected confirmed", "open"),
        ("a connection that is broken when first seen is suspected like any other",
            "DISCONNECTED DISCONNECTED", "suspected confirmed", "open"),
        ("expired or disconnected makes no difference to the streak",
            "EXPIRED DISCONNECTED", "suspected confirmed", "open"),
        ("an open lapse is not opened again", "EXPIRED EXPIRED EXPIRED", "suspected confirmed -", "open"),
        ("an open lapse goes on when expired turns into disconnected",
            "EXPIRED EXPIRED DISCONNECTED", "suspected confirmed status_changed", "open"),
        ("recovery before confirmation leaves nothing behind",
            "EXPIRED CONNECTED", "suspected suspicion_cleared", ""),
        ("recovery closes an open lapse at once",
            "EXPIRED EXPIRED CONNECTED", "suspected confirmed recovered", "closed recovered"),
        ("an error breaks the streak",
            "EXPIRED ERROR EXPIRED", "suspected suspicion_cleared suspected", "suspected"),
        ("so does an end of access",
            "EXPIRED ACCESS_ENDED EXPIRED", "suspected suspicion_cleared suspected", "suspected"),
        ("an error does not close an open lapse",
            "EXPIRED EXPIRED ERROR", "suspected confirmed status_changed", "open"),
        ("nor does an end of access",
            "EXPIRED EXPIRED ACCESS_ENDED", "suspected confirmed status_changed", "open"),
        ("an error alone opens nothing", "ERROR ERROR ACCESS_ENDED", "first_seen - status_changed", ""),
        ("a row whose records are being deleted opens nothing",
            "CONNECTED EXPIRED,deleting EXPIRED,deleting", "first_seen status_changed -", ""),
        ("it ends what was open", "EXPIRED EXPIRED EXPIRED,deleting", "suspected confirmed deleted", "closed removed"),
        ("and undoes no dismissal, even when it calls itself connected",
            "EXPIRED EXPIRED dismiss CONNECTED,deleting EXPIRED EXPIRED",
            "suspected confirmed status_changed previously_dismissed -", "closed dismissed"),
        ("a status we do not know opens nothing",
            "CONNECTED PAUSED PAUSED", "first_seen unknown_status -", ""),
        ("nor does it break a streak",
            "EXPIRED PAUSED EXPIRED", "suspected unknown_status confirmed", "open"),
        ("nor close a lapse", "EXPIRED EXPIRED PAUSED", "suspected confirmed unknown_status", "open"),
        ("a row without a status says nothing",
            "EXPIRED silent EXPIRED silent", "suspected - confirmed -", "open"),
        ("a row that never had a status is not noted", "silent silent", "- -", ""),
        ("a row that is missing twice in a row was deleted, once",
            "CONNECTED missing missing missing", "first_seen - missing_from_list -", ""),
        ("one that comes back in between was never gone",
            "CONNECTED missing CONNECTED missing", "first_seen - - -", ""),
        ("even without a status", "CONNECTED missing silent missing", "first_seen - - -", ""),
        ("one that cannot be read is not missing", "CONNECTED hidden hidden", "first_seen - -", ""),
        ("nor, perhaps, one that has no readable id", "CONNECTED unnamed unnamed", "first_seen - -", ""),
        ("neither confirms that it is missing, nor clears it",
            "CONNECTED missing hidden unnamed missing", "first_seen - - - missing_from_list", ""),
        ("one whose records were being deleted is gone at once",
            "CONNECTED CONNECTED,deleting missing", "first_seen - missing_from_list", ""),
        ("a missing row leaves a suspicion as it is",
            "EXPIRED missing EXPIRED", "suspected - confirmed", "open"),
        ("and an open lapse", "EXPIRED EXPIRED missing", "suspected confirmed -", "open"),
        ("and a dismissal",
            "EXPIRED EXPIRED dismiss missing CONNECTED", "suspected confirmed - dismissal_ended",
            "closed recovered"),
        ("one that never was is not missed", "missing missing", "- -", ""),
        ("a row that says so was deleted too", "CONNECTED DELETED missing", "first_seen deleted -", ""),
        ("deletion closes an open lapse",
            "EXPIRED EXPIRED DELETED", "suspected confirmed deleted", "closed removed"),
        ("vanishing closes an open lapse",
            "EXPIRED EXPIRED missing missing", "suspected confirmed - missing_from_list", "closed removed"),
        ("deletion leaves nothing of a suspicion", "EXPIRED DELETED", "suspected deleted", ""),
        ("vanishing leaves nothing of a suspicion", "EXPIRED missing missing", "suspected - missing_from_list", ""),
        ("a deleted connection may come back",
            "CONNECTED missing missing CONNECTED", "first_seen - missing_from_list status_changed", ""),
        ("breaking again soon resumes the lapse",
            "EXPIRED EXPIRED CONNECTED 6 EXPIRED EXPIRED",
            "suspected confirmed recovered resumed confirmed", "open"),
        ("breaking again later begins a new one",
            "EXPIRED EXPIRED CONNECTED 7 EXPIRED EXPIRED",
            "suspected confirmed recovered suspected confirmed", "closed recovered, open"),
        ("coming back broken soon after removal resumes the lapse",
            "EXPIRED EXPIRED missing missing EXPIRED EXPIRED",
            "suspected confirmed - missing_from_list resumed confirmed", "open"),
        ("a resumption that is not confirmed leaves the lapse as it was",
            "EXPIRED EXPIRED DELETED EXPIRED CONNECTED",
            "suspected confirmed deleted resumed suspicion_cleared", "closed removed"),
        ("an error ends a resumption too, and the next break resumes again",
            "EXPIRED EXPIRED CONNECTED EXPIRED ERROR EXPIRED",
            "suspected confirmed recovered resumed suspicion_cleared resumed", "suspected recovered"),
        ("a resumed suspicion that is deleted closes as removed",
            "EXPIRED EXPIRED CONNECTED EXPIRED DELETED",
            "suspected confirmed recovered resumed deleted", "closed removed"),
        ("what was dismissed stays closed",
            "EXPIRED EXPIRED dismiss EXPIRED 30 EXPIRED", "suspected confirmed - -", "closed dismissed"),
        ("even when it breaks in another way",
            "EXPIRED EXPIRED dismiss DISCONNECTED",
            "suspected confirmed previously_dismissed", "closed dismissed"),
        ("and when it breaks back and forth",
            "EXPIRED EXPIRED dismiss DISCONNECTED EXPIRED 30 DISCONNECTED DISCONNECTED",
            "suspected confirmed previously_dismissed previously_dismissed previously_dismissed -", "closed dismissed"),
        ("or is gone for a while and comes back broken",
            "DISCONNECTED DISCONNECTED dismiss missing missing 8 EXPIRED EXPIRED",
            "suspected confirmed - missing_from_list previously_dismissed -", "closed dismissed"),
        ("or was deleted and comes back broken",
            "DISCONNECTED DISCONNECTED dismiss DELETED 8 DISCONNECTED DISCONNECTED",
            "suspected confirmed deleted previously_dismissed -", "closed dismissed"),
        ("but not once it was connected again",
            "DISCONNECTED DISCONNECTED dismiss DELETED CONNECTED 8 EXPIRED EXPIRED",
            "suspected confirmed deleted dismissal_ended suspected confirmed", "closed recovered, open"),
        ("an operator's own act outlives the same",
            "CONNECTED disconnect DISCONNECTED EXPIRED missing missing 8 DISCONNECTED DELETED EXPIRED EXPIRED",
            "first_seen disconnect_observed previously_dismissed - missing_from_list previously_dismissed deleted previously_dismissed -",
            "closed dismissed"),
        ("an error in between is no reconnection",
            "EXPIRED EXPIRED dismiss ERROR EXPIRED",
            "suspected confirmed status_changed previously_dismissed", "closed dismissed"),
        ("reconnecting ends a dismissal, once",
            "EXPIRED EXPIRED dismiss CONNECTED CONNECTED",
            "suspected confirmed dismissal_ended -", "closed recovered"),
        ("and the end of a dismissal outlives an error",
            "EXPIRED EXPIRED dismiss CONNECTED ERROR 8 EXPIRED EXPIRED",
            "suspected confirmed dismissal_ended status_changed suspected confirmed",
            "closed recovered, open"),
        ("an operator's disconnecting outlives a list that lags",
            "CONNECTED disconnect CONNECTED CONNECTED CONNECTED DISCONNECTED DISCONNECTED",
            "first_seen - - - disconnect_observed -", "closed dismissed"),
        ("once the list has shown it, CONNECTED is news",
            "CONNECTED disconnect CONNECTED DISCONNECTED CONNECTED EXPIRED EXPIRED",
            "first_seen - disconnect_observed dismissal_ended resumed confirmed", "open"),
        ("any other status shows it, too",
            "CONNECTED disconnect ERROR CONNECTED", "first_seen disconnect_observed dismissal_ended",
            "closed recovered"),
        ("what was broken before stays dismissed",
            "EXPIRED EXPIRED disconnect EXPIRED DISCONNECTED",
            "suspected confirmed disconnect_observed previously_dismissed", "closed dismissed"),
        ("an act that has no effect within a day is over",
            "CONNECTED disconnect CONNECTED 1 CONNECTED 8 EXPIRED EXPIRED",
            "first_seen - dismissal_ended suspected confirmed", "closed recovered, open"),
        ("so is the row of one that was to be deleted: it is missing like any other",
            "CONNECTED delete CONNECTED 1 CONNECTED missing", "first_seen - dismissal_ended -", "closed recovered"),
        ("a row that an operator has just deleted is gone at once",
            "CONNECTED delete missing", "first_seen missing_from_list", "closed dismissed"),
        ("one that was disconnected is missing like any other",
            "CONNECTED disconnect missing missing", "first_seen - missing_from_list", "closed dismissed"),
        ("and its dismissal stands until the list has shown it",
            "CONNECTED delete CONNECTED CONNECTED,deleting EXPIRED,deleting missing missing",
            "first_seen - disconnect_observed status_changed missing_from_list -", "closed dismissed"),
    ];
    for (sentence, story, reasons, lapses) in stories {
        let told = tell(story, policy());
        assert_eq!(told, (reasons.to_owned(), lapses.to_owned()), "{sentence}: {story}");
    }
}

#[test]
fn confirmation_needs_as_many_answers_and_as_long_as_the_policy_says() {
    #[rustfmt::skip]
    let cases = [
        ("one answer is enough when one is asked for", 1, 0, "EXPIRED", "confirmed"),
        ("none asked for means one", 0, 0, "EXPIRED", "confirmed"),
        ("one answer is not enough while time is asked for", 1, 1, "EXPIRED EXPIRED", "suspected confirmed"),
        ("three answers are three", 3, 0, "EXPIRED EXPIRED EXPIRED", "suspected unconfirmed confirmed"),
        ("answers do not replace time",
            2, 3, "EXPIRED EXPIRED EXPIRED EXPIRED", "suspected unconfirmed unconfirmed confirmed"),
        ("time does not replace answers",
            3, 1, "EXPIRED 9 EXPIRED EXPIRED", "suspected unconfirmed confirmed"),
        ("the clock restarts with the streak", 2, 2, "EXPIRED EXPIRED ERROR EXPIRED EXPIRED",
            "suspected unconfirmed suspicion_cleared suspected unconfirmed"),
        ("a resumption may be confirmed at once",
            1, 0, "EXPIRED CONNECTED EXPIRED", "confirmed recovered confirmed"),
        ("a missing row is believed at once, too", 1, 0, "EXPIRED missing", "confirmed missing_from_list"),
        ("after as many answers as a break", 3, 0, "CONNECTED missing missing missing", "first_seen - - missing_from_list"),
        ("and as long",
            1, 3, "CONNECTED missing missing missing missing", "first_seen - - - missing_from_list"),
    ];
    for (sentence, confirm_sweeps, hours, story, reasons) in cases {
        let policy = Policy { confirm_sweeps, confirm_after: TimeDelta::hours(hours), ..policy() };
        assert_eq!(tell(story, policy).0, reasons, "{sentence}");
    }
}

#[test]
fn without_a_flap_window_every_break_begins_its_own_lapse() {
    let policy = Policy { flap_window: TimeDelta::zero(), confirm_sweeps: 1, ..policy() };
    assert_eq!(tell("EXPIRED CONNECTED EXPIRED", policy).1, "closed recovered, open");
}

#[test]
fn the_flap_window_ends_on_the_moment() {
    let window = TimeDelta::days(7);
    for (wait, reason) in
        [(window - TimeDelta::milliseconds(1), ChangeReason::Resumed), (window, ChangeReason::Suspected)]
    {
        let mut world = hourly(&["EXPIRED", "EXPIRED", "CONNECTED"]);
        world.now = hour(2) + wait;
        assert_eq!(world.decide(&[connection("epic", Some("EXPIRED"))]).changes[0].reason, reason);
    }
}

fn hour(hours: i64) -> Time {
    Time::UNIX_EPOCH + TimeDelta::hours(hours)
}

/// One response per hour about one connection.
fn hourly(statuses: &[&str]) -> World {
    let mut world = World::new(policy());
    for status in statuses {
        world.answer(&[connection("epic", Some(status))]);
        world.now += TimeDelta::hours(1);
    }
    world
}

#[test]
fn a_resumed_lapse_keeps_when_it_was_opened_and_counts_the_new_break_from_its_start() {
    let lapse = &hourly(&["EXPIRED", "EXPIRED", "CONNECTED", "EXPIRED", "EXPIRED"]).lapses[0];
    assert_eq!((lapse.opened_at, lapse.closed_at), (Some(hour(1)), None));
    assert_eq!((lapse.suspected_at, lapse.consecutive_observations), (hour(3), 2));
}

#[test]
fn forgetting_a_resumption_keeps_when_the_lapse_was_closed() {
    let lapse = &hourly(&["EXPIRED", "EXPIRED", "CONNECTED", "EXPIRED", "CONNECTED"]).lapses[0];
    assert_eq!((lapse.opened_at, lapse.closed_at), (Some(hour(1)), Some(hour(2))));
}

#[test]
fn a_member_is_looked_at_again_while_a_suspicion_is_open() {
    let cases = [
        ("a new suspicion", ["CONNECTED", "EXPIRED"], true),
        ("a suspicion of which the answer says nothing new", ["EXPIRED", "PAUSED"], true),
        ("a confirmed one", ["EXPIRED", "EXPIRED"], false),
        ("a cleared one", ["EXPIRED", "CONNECTED"], false),
        ("a healthy connection", ["CONNECTED", "CONNECTED"], false),
    ];
    for (sentence, [first, second], again) in cases {
        let world = hourly(&[first]);
        let decision = world.decide(&[connection("epic", Some(second))]);
        assert_eq!(decision.recheck_at, again.then(|| hour(1) + policy().recheck_after), "{sentence}");
    }
    let silent = hourly(&["EXPIRED"]).decide(&[connection("epic", None)]);
    assert_eq!(silent.recheck_at, Some(hour(1) + policy().recheck_after), "a silent answer");
}

#[test]
fn rows_that_contradict_each_other_say_nothing_in_whatever_order_they_come() {
    let world = hourly(&["CONNECTED"]);
    let [good, bad] = ["CONNECTED", "EXPIRED"].map(|status| connection("epic", Some(status)));
    for rows in [[&good, &bad, &bad], [&bad, &good, &bad], [&bad, &bad, &good]] {
        assert_eq!(world.decide(&rows.map(Clone::clone)), Decision::default());
    }
    let leaving = Connection { sync_status: Some("DELETING".into()), ..bad.clone() };
    assert_eq!(world.decide(&[leaving, bad.clone()]).changes[0].reason, ChangeReason::StatusChanged);
    assert_eq!(world.decide(&[bad.clone(), bad]).changes[0].reason, ChangeReason::Suspected);
}

#[test]
fn changes_come_in_the_order_of_connection_ids_and_leave_out_what_did_not_change() {
    let mut world = World::new(policy());
    world.answer(&["b", "c", "a"].map(|id| connection(id, Some("CONNECTED"))));
    let rows = [
        connection("c", Some("ERROR")),
        connection("b", Some("CONNECTED")),
        connection("a", Some("DELETED")),
    ];
    let changes = world.decide(&rows).changes;
    let ids: Vec<_> = changes.iter().map(|change| change.connection_id.as_str()).collect();
    assert_eq!(ids, ["a", "c"]);
    assert_eq!(changes[0].transition, Some((Some(Status::Connected), Status::Deleted)));
    assert_eq!(changes[0].lapse, LapseChange::Unchanged);
}

#[test]
fn a_member_is_looked_at_again_while_a_row_is_missing_or_still_hidden() {
    let mut world = hourly(&["CONNECTED"]);
    let again = Some(world.now + policy().recheck_after);
    let missing = world.answer(&[]);
    let suspicion = Missing { since: hour(1), observations: 1 };
    assert_eq!(missing.missing, [("epic".into(), Some(suspicion))]);
    assert_eq!((missing.changes, missing.recheck_at), (Vec::new(), again));
    let hidden = world.decide_on(&Listing { hides_unknown: true, ..Listing::default() });
    assert_eq!((hidden.missing, hidden.recheck_at), (Vec::new(), again));
    let back = world.decide(&[connection("epic", Some("CONNECTED"))]);
    assert_eq!((back.missing, back.recheck_at), (vec![("epic".into(), None)], None));
    let gone = world.decide(&[]);
    assert_eq!((gone.missing, gone.recheck_at), (vec![("epic".into(), None)], None));
}

#[test]
fn a_list_turns_empty_when_it_has_no_row_and_one_was_known() {
    let known = |status: &str| hourly(&[status]).known();
    let rows = || Listing::from(vec![connection("kaiser", None)]);
    let hidden = || Listing { hidden: vec!["epic".into()], ..Listing::default() };
    let unnamed = || Listing { hides_unknown: true, ..Listing::default() };
    let none: Vec<ConnectionState> = Vec::new();
    #[rustfmt::skip]
    let cases = [
        ("every row is missing", known("CONNECTED"), Listing::default(), true),
        ("a broken one was known as well", known("EXPIRED"), Listing::default(), true),
        ("nothing was known", none, Listing::default(), false),
        ("what was known is deleted", known("DELETED"), Listing::default(), false),
        ("there is another row", known("CONNECTED"), rows(), false),
        ("a row cannot be read", known("CONNECTED"), hidden(), false),
        ("nor can its id", known("CONNECTED"), unnamed(), false),
    ];
    for (sentence, known, listing, expected) in cases {
        assert_eq!(turned_empty(&known, &listing), expected, "{sentence}");
    }
}

#[test]
fn an_id_that_changes_only_its_case_is_the_same_connection() {
    let mut world = hourly(&["CONNECTED", "EXPIRED"]);
    let confirmed = world.answer(&[connection("EPIC", Some("EXPIRED"))]);
    assert_eq!(confirmed.changes.len(), 1);
    assert_eq!(confirmed.changes[0].connection_id, "epic".into(), "the stored id is the first one");
    assert_eq!((confirmed.changes[0].reason, confirmed.missing), (ChangeReason::Confirmed, Vec::new()));
    let [good, bad] = [("Epic", "CONNECTED"), ("EPIC", "EXPIRED")].map(|(id, s)| connection(id, Some(s)));
    assert_eq!(world.decide(&[good.clone(), bad]), Decision::default(), "two spellings that contradict");
    assert_eq!(world.decide(&[good.clone(), good]).changes[0].reason, ChangeReason::Recovered);
    let rows = ["Kaiser", "KAISER", "epic"].map(|id| connection(id, Some("EXPIRED")));
    let ids: Vec<_> = world.decide(&rows).changes.into_iter().map(|change| change.connection_id).collect();
    assert_eq!(ids, ["Kaiser".into()], "a new one has the first spelling");
}

#[test]
fn of_two_spellings_that_an_earlier_version_stored_the_live_one_goes_on() {
    let mut world = hourly(&[]);
    world.statuses.insert("EPIC".into(), Status::Deleted);
    world.statuses.insert("epic".into(), Status::Connected);
    let decision = world.decide(&[connection("EPIC", Some("EXPIRED"))]);
    assert_eq!(decision.changes.len(), 1);
    assert_eq!(decision.changes[0].connection_id, "epic".into());
    world.statuses.insert("EPIC".into(), Status::Connected);
    let decision = world.decide(&[connection("epic", Some("EXPIRED"))]);
    assert_eq!(decision.changes[0].connection_id, "EPIC".into(), "of two live ones, the first");
}

#[test]
fn a_list_may_lag_behind_an_operators_act_for_less_than_a_day() {
    let mut world = hourly(&["CONNECTED"]);
    world.part("epic", "disconnect".parse().unwrap());
    let connected = [connection("epic", Some("CONNECTED"))];
    let day = world.lapses[0].closed_at.unwrap() + TimeDelta::hours(24);
    world.now = day - TimeDelta::milliseconds(1);
    assert_eq!(world.decide(&connected).changes, []);
    world.now = day;
    assert_eq!(world.decide(&connected).changes[0].reason, ChangeReason::DismissalEnded);
}
