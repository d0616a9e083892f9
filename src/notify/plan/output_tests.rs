//! What becomes of the notices that wait already.

use super::output::output;
use super::tests::{day, expired, member, ordinary, policy};
use crate::domain::{
    ActiveHold, AddressInput, HoldKind, HoldScope, LapseInput, NoticeItem, NoticeReason, NoticeState,
    PlanningOutput, Recipient, Status, Time, WaitingNotice,
};

/// An expired connection and its lapse have the same name.
fn lapse(name: &str) -> LapseInput {
    LapseInput { lapse_id: name.into(), connection_id: name.into(), ..expired() }
}

/// A lapse that the member cannot repair.
fn beyond_repair(name: &str) -> LapseInput {
    LapseInput { status: Some(Status::Error), ..lapse(name) }
}

fn waiting(id: &str, lapses: &[&str]) -> WaitingNotice {
    let item = |lapse: &&str| NoticeItem {
        member_id: "ada".into(),
        lapse_id: (*lapse).into(),
        connection_id: (*lapse).into(),
        step: 0,
    };
    WaitingNotice {
        id: id.into(),
        member_id: "ada".into(),
        state: NoticeState::Queued,
        reason: NoticeReason::FirstNotice,
        not_before: day(0),
        is_tentative: false,
        items: lapses.iter().map(item).collect(),
        extra: Vec::new(),
    }
}

fn planned(open: &[LapseInput], recipient: &Recipient, waiting: &[WaitingNotice]) -> PlanningOutput {
    let members = vec![member("ada", open, recipient)];
    output(&AddressInput { members, waiting: waiting.to_vec() }, &policy(), day(1))
}

/// The notices that the emails continue.
fn continued(output: &PlanningOutput) -> Vec<Option<&str>> {
    output.notices.iter().map(|notice| notice.continues.as_ref().map(|id| id.as_str())).collect()
}

#[test]
fn an_email_continues_the_notice_with_which_it_has_most_in_common() {
    let open = [lapse("a"), lapse("b"), lapse("c"), beyond_repair("d")];
    let output = planned(&open, &ordinary(), &[waiting("one", &["a"]), waiting("two", &["b", "c"])]);
    assert_eq!(continued(&output), [Some("two")]);
    assert_eq!(output.withdrawn, [("one".into(), NoticeReason::Digest)], "the email includes its lapse");
}

#[test]
fn a_notice_whose_lapse_can_no_longer_be_repaired_is_withdrawn_and_not_continued_about_another() {
    let open = [lapse("a"), beyond_repair("b")];
    let output = planned(&open, &ordinary(), &[waiting("one", &["b"])]);
    assert_eq!(continued(&output), [None]);
    assert_eq!(output.withdrawn, [("one".into(), NoticeReason::StatusNotActionable)]);
}

#[test]
fn a_notice_that_is_due_keeps_its_place_in_the_queue_once_it_has_one() {
    #[rustfmt::skip]
    let cases = [
        ("it was due, and keeps its place", false, 0, 0),
        ("a gate deferred it until then", true, 0, 1),
        ("its next attempt was to be later", false, 2, 1),
        ("a gate deferred it until later", true, 2, 1),
    ];
    for (sentence, is_tentative, not_before, expected) in cases {
        let waits = WaitingNotice { is_tentative, not_before: day(not_before), ..waiting("one", &["a"]) };
        let output = planned(&[lapse("a")], &ordinary(), &[waits]);
        let times: Vec<Time> = output.notices.iter().map(|notice| notice.not_before).collect();
        assert_eq!(times, [day(expected)], "{sentence}");
    }
}

#[test]
fn each_decision_names_the_notice_that_includes_its_lapse() {
    let scope = HoldScope { source: Some("a".into()), ..HoldScope::default() };
    let hold = ActiveHold { kind: HoldKind::Operator, is_dripping: false, scope, until: None };
    let recipient = Recipient { holds: vec![hold], ..ordinary() };
    let output = planned(&[lapse("a"), lapse("b"), beyond_repair("c")], &recipient, &[]);
    let states: Vec<_> = output.notices.iter().map(|notice| notice.state).collect();
    assert_eq!(states, [NoticeState::Queued, NoticeState::Held]);
    let named: Vec<_> = output.decisions.iter().map(|decision| decision.notice).collect();
    assert_eq!(named, [Some(1), Some(0), None]);
}
