//! Finds fewer events that still fail.

use super::events::Timed;

/// As many as a person reads.
const ENOUGH: usize = 100;

/// Leaves out what a failure does not need: at first all but the last events, then one piece after another, each half as long
/// as those before. `fails` is asked at most `attempts` times.
pub(crate) fn shrink(
    events: &[Timed],
    attempts: usize,
    mut fails: impl FnMut(&[Timed]) -> bool,
) -> Vec<Timed> {
    let mut rest = events.to_vec();
    let mut left = attempts;
    let mut try_without = |rest: &mut Vec<Timed>, from: usize, to: usize| {
        let fewer: Vec<_> = [&rest[..from], &rest[to..]].concat();
        let is_tried = left > 0 && to > from;
        left -= usize::from(is_tried);
        if is_tried && fails(&fewer) {
            *rest = fewer;
            return true;
        }
        false
    };
    let before_last = rest.len().saturating_sub(ENOUGH);
    try_without(&mut rest, 0, before_last);
    let mut piece = rest.len() / 2;
    while piece > 0 {
        let mut from = 0;
        while from < rest.len() {
            let to = (from + piece).min(rest.len());
            if !try_without(&mut rest, from, to) {
                from = to;
            }
        }
        piece /= 2;
    }
    rest
}

#[test]
fn what_a_failure_does_not_need_is_left_out() {
    let event = |seconds| Timed {
        at: chrono::TimeDelta::seconds(seconds),
        event: super::events::Event::Policy { policy: seconds as usize },
    };
    let events: Vec<_> = (0..300).map(event).collect();
    let needs_two = |some: &[Timed]| [17, 250].iter().all(|needed| some.contains(&event(*needed)));
    assert_eq!(shrink(&events, 1_000, needs_two), [event(17), event(250)]);
    let mut asked = 0;
    shrink(&events, 10, |some| {
        asked += 1;
        needs_two(some)
    });
    assert_eq!(asked, 10);
}
