//! How long to wait before trying again. Pure: whoever asks brings the randomness.
//!
//! Each wait is lengthened by up to a tenth, so that what failed together does not come back together; that for a
//! credential by up to a half, because thousands of them can fail together. `jitter` is a random number from 0 to 1 and
//! says how much of that to add; anything else adds nothing. `failures` counts the failures so far, the one just seen included, so that it starts at 1.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The waits between the attempts to send one notice: 22 hours and 21 minutes in all.
const NOTICE_WAITS: [Duration; 7] = [
    MINUTE,
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    HOUR,
    Duration::from_secs(3 * 60 * 60),
    Duration::from_secs(6 * 60 * 60),
    Duration::from_secs(12 * 60 * 60),
];

/// How long to wait before a notice is tried again; `None` when it has failed often enough (eight times, in
/// about a day) to give it up.
///
/// `retry_after` is the other side's own wish: it lengthens the wait, to a day at most, and never shortens
/// it.
pub(crate) fn notice_retry_delay(
    failures: u32,
    jitter: f64,
    retry_after: Option<Duration>,
) -> Option<Duration> {
    let ours = NOTICE_WAITS.get(usize::try_from(failures.saturating_sub(1)).ok()?)?;
    let asked = retry_after.unwrap_or_default().min(DAY);
    Some(jittered(asked.max(*ours), jitter))
}

/// How long to wait when the operator's side is what fails, such as a mail server that refuses our password:
/// from a minute, doubling to half an hour. It never gives up, for no notice is to blame.
pub(crate) fn operator_fault_delay(failures: u32, jitter: f64) -> Duration {
    jittered(doubling(MINUTE, 30 * MINUTE, failures), jitter)
}

/// How long to wait before asking again for a token that could not be had for a member: from a quarter of an
/// hour, doubling to a day. It never gives up: a consent can be given again.
pub(crate) fn credential_retry_delay(failures: u32, jitter: f64) -> Duration {
    lengthened(doubling(15 * MINUTE, DAY, failures), jitter, 0.5)
}

fn doubling(first: Duration, longest: Duration, failures: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(longest)
}

fn jittered(wait: Duration, jitter: f64) -> Duration {
    lengthened(wait, jitter, 0.1)
}

fn lengthened(wait: Duration, jitter: f64, by: f64) -> Duration {
    let share = if (0.0..=1.0).contains(&jitter) { jitter } else { 0.0 };
    wait + wait.mul_f64(share * by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minutes(wait: Duration) -> u64 {
        wait.as_secs() / 60
    }

    #[test]
    fn a_notice_is_tried_again_ever_more_rarely_and_given_up_after_about_a_day() {
        let waits: Vec<_> = (1..=9).map(|n| notice_retry_delay(n, 0.0, None).map(minutes)).collect();
        let table = [Some(1), Some(5), Some(15), Some(60), Some(180), Some(360), Some(720), None, None];
        assert_eq!(waits, table);
    }

    #[test]
    fn a_wish_of_the_other_side_lengthens_a_wait_but_neither_shortens_nor_stretches_it_past_a_day() {
        let cases = [
            ("none: the table's wait", 1, None, Some(1)),
            ("longer than the table's", 1, Some(7 * MINUTE), Some(7)),
            ("shorter than the table's", 4, Some(7 * MINUTE), Some(60)),
            ("a week", 1, Some(7 * DAY), Some(24 * 60)),
            ("of no use once the table has ended", 8, Some(MINUTE), None),
        ];
        for (sentence, failures, asked, expected) in cases {
            assert_eq!(notice_retry_delay(failures, 0.0, asked).map(minutes), expected, "{sentence}");
        }
    }

    #[test]
    fn waits_for_the_operator_and_for_a_credential_double_and_then_stay() {
        let operator: Vec<_> = (1..=7).map(|n| minutes(operator_fault_delay(n, 0.0))).collect();
        assert_eq!(operator, [1, 2, 4, 8, 16, 30, 30]);
        let credential: Vec<_> = (1..=9).map(|n| minutes(credential_retry_delay(n, 0.0))).collect();
        assert_eq!(credential, [15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
    }

    proptest! {
        #[test]
        fn jitter_adds_at_most_its_share_whatever_is_passed_in(failures: u32, jitter: f64) {
            for (plain, wait, most) in [
                (notice_retry_delay(failures, 0.0, None), notice_retry_delay(failures, jitter, None), 1.1),
                (Some(operator_fault_delay(failures, 0.0)), Some(operator_fault_delay(failures, jitter)), 1.1),
                (Some(credential_retry_delay(failures, 0.0)), Some(credential_retry_delay(failures, jitter)), 1.5),
            ] {
                prop_assert_eq!(plain.is_some(), wait.is_some());
                let (plain, wait) = (plain.unwrap_or_default(), wait.unwrap_or_default());
                prop_assert!(plain <= wait && wait <= plain.mul_f64(most));
            }
        }

        #[test]
        fn more_jitter_never_means_a_shorter_wait(failures in 1_u32..7, a in 0.0..=1.0, b in 0.0..=1.0) {
            let (less, more) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(notice_retry_delay(failures, less, None) <= notice_retry_delay(failures, more, None));
        }
    }

    #[test]
    fn full_jitter_adds_a_tenth_and_a_half_for_a_credential() {
        assert_eq!(operator_fault_delay(1, 1.0), Duration::from_secs(66));
        assert_eq!(operator_fault_delay(1, 0.5), Duration::from_secs(63));
        assert_eq!(credential_retry_delay(1, 1.0), Duration::from_secs(22 * 60 + 30));
    }
}
