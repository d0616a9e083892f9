use super::*;

fn at(millis: i64) -> Time {
    Time::from_timestamp_millis(1_700_000_000_000 + millis).unwrap()
}

fn look(millis: i64) -> Visit {
    Visit { act: Act::Look, at: at(millis), head: false, prefetch: false, agent: 1 }
}

fn press(millis: i64) -> Visit {
    Visit { act: Act::Press, ..look(millis) }
}

/// What it says; the visit; the last look that was recorded; the visits around it; by whom it was.
type Row = (&'static str, Visit, Option<i64>, Vec<Visit>, By);

/// The mail was accepted at 0.
const MAILED: i64 = 0;

fn judge(visit: Visit, looked_at: Option<i64>, around: &[Visit]) -> By {
    let mailing = Mailing::Accepted(at(MAILED));
    who(&visit, &Link { mailing, looked_at: looked_at.map(at), around })
}

#[test]
fn each_piece_of_evidence_speaks_for_a_machine_and_its_lack_for_a_person() {
    use By::{Machine, Person};
    let head = |millis| Visit { head: true, ..look(millis) };
    let prefetch = |millis| Visit { prefetch: true, ..look(millis) };
    let other = |visit: Visit| Visit { agent: 2, ..visit };
    let minute = 60_000;
    let rows: [Row; 23] = [
        ("a look a minute after the mail is a person's", look(minute), None, vec![], Person),
        ("asking for the head alone is a machine's way", head(minute), None, vec![], Machine),
        ("a look in advance is a machine's", prefetch(minute), None, vec![], Machine),
        ("a look before the mail was accepted is a machine's", look(-1), None, vec![], Machine),
        ("a look at the mail's acceptance is a machine's", look(0), None, vec![], Machine),
        ("a look ten seconds after it still is", look(10_000), None, vec![], Machine),
        ("a look later than that can be a person's", look(10_001), None, vec![], Person),
        (
            "the first of two agents within three seconds",
            look(minute),
            None,
            vec![other(look(minute + 3000))],
            Machine,
        ),
        ("the second of them", look(minute), None, vec![other(look(minute - 3000))], Machine),
        (
            "two agents further apart are two people",
            look(minute),
            None,
            vec![other(look(minute + 3001))],
            Person,
        ),
        (
            "the same agent twice is a person who reloads",
            look(minute),
            None,
            vec![look(minute + 100)],
            Person,
        ),
        ("another agent's HEAD is no second look", look(minute), None, vec![other(head(minute))], Person),
        ("another agent's press is no second look", look(minute), None, vec![other(press(minute))], Person),
        ("a press a second after the look", press(minute), None, vec![look(minute - 1000)], Person),
        ("a press sooner after it", press(minute), None, vec![look(minute - 999)], Machine),
        ("a press without any look", press(minute), None, vec![], Machine),
        ("a press before the only look", press(minute), None, vec![look(minute + 1)], Machine),
        ("a press long after a look that was recorded", press(minute), Some(20_000), vec![], Person),
        ("a press right after a look that was recorded", press(minute), Some(minute - 999), vec![], Machine),
        (
            "the last look before a press counts",
            press(minute),
            Some(20_000),
            vec![look(minute - 10)],
            Machine,
        ),
        ("a press within the time of reading", press(9_000), None, vec![look(1_000)], Machine),
        ("a press in advance", Visit { prefetch: true, ..press(minute) }, Some(20_000), vec![], Machine),
        ("a press is not paired with looks", press(minute), None, vec![other(look(minute - 2000))], Person),
    ];
    for (sentence, visit, looked_at, mut around, by) in rows {
        assert_eq!(judge(visit, looked_at, &around), by, "{sentence}");
        around.push(visit);
        assert_eq!(judge(visit, looked_at, &around), by, "{sentence}, itself among the visits");
    }
}

#[test]
fn a_link_without_a_mail_has_no_time_of_reading_and_one_whose_mail_is_under_way_nothing_else() {
    let link = |mailing| Link { mailing, looked_at: None, around: &[] };
    assert_eq!(who(&look(0), &link(Mailing::ByHand)), By::Person);
    assert_eq!(who(&look(0), &link(Mailing::Underway)), By::Machine);
}
