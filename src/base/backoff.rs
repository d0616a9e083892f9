//! Delays between retries. Pure: the caller passes the random number.
//!
//! Each delay is extended by up to a tenth, so that simultaneous failures do not retry simultaneously. For credentials
//! it is up to a half, because thousands can fail together. `jitter`, from 0 to 1, is the share of that extension; any
//! other value adds nothing. `failures` includes the latest failure, so it starts at 1.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Between attempts to send one notice: until the sixth day. RFC 5321, section 4.5.4.1, wants four to five days.
const NOTICE_DELAYS: [Duration; 12] = [
    MINUTE,
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    HOUR,
    Duration::from_secs(3 * 60 * 60),
    Duration::from_secs(6 * 60 * 60),
    Duration::from_secs(12 * 60 * 60),
    DAY,
    DAY,
    DAY,
    DAY,
    DAY,
];

/// Between attempts at one event; the last one repeats until the event fails.
const EVENT_DELAYS: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    HOUR,
];

/// `None` after thirteen failures (in about six days): the notice is abandoned.
///
/// `retry_after` is the server's request. It can extend the delay, to at most a day, but not shorten it.
pub(crate) fn notice_retry_delay(
    failures: u32,
    jitter: f64,
    retry_after: Option<Duration>,
) -> Option<Duration> {
    let own = NOTICE_DELAYS.get(usize::try_from(failures.saturating_sub(1)).ok()?)?;
    let requested = retry_after.unwrap_or_default().min(DAY);
    Some(jittered(requested.max(*own), jitter))
}

/// For failures that the operator has to correct, such as a rejected SMTP password: from a minute, doubling to half an
/// hour. Retries never end, because no notice is at fault.
pub(crate) fn operator_fault_delay(failures: u32, jitter: f64) -> Duration {
    jittered(doubling(MINUTE, 30 * MINUTE, failures), jitter)
}

/// Between probes of a mail server that cannot be used: from a minute, doubling to 13 minutes, and never more than a
/// quarter of an hour.
pub(crate) fn probe_delay(failures: u32, jitter: f64) -> Duration {
    jittered(doubling(MINUTE, 13 * MINUTE, failures), jitter)
}

/// Between attempts to record that an email was handed over: from a second, doubling to half a minute.
pub(crate) fn record_retry_delay(failures: u32) -> Duration {
    doubling(Duration::from_secs(1), Duration::from_secs(30), failures)
}

/// Between tries to store refreshed tokens, which exist nowhere else.
pub(crate) fn token_store_delay(failures: u32) -> Duration {
    doubling(Duration::from_millis(250), Duration::from_secs(5), failures)
}

/// After a failed token request for a member: from 15 minutes, doubling to a day. Retries never end, because the member
/// can consent again.
pub(crate) fn credential_retry_delay(failures: u32, jitter: f64) -> Duration {
    lengthened(doubling(15 * MINUTE, DAY, failures), jitter, 0.5)
}

/// Between attempts at one event. `retry_after` is the receiver's request: it can extend the delay, but not shorten it.
pub(crate) fn event_retry_delay(failures: u32, jitter: f64, retry_after: Option<Duration>) -> Duration {
    let place = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let own = EVENT_DELAYS.get(place).or(EVENT_DELAYS.last()).copied().unwrap_or(HOUR);
    jittered(own.max(retry_after.unwrap_or_default()), jitter)
}

/// Between probes of a receiver that confirms no event: from ten seconds, doubling to five minutes.
pub(crate) fn receiver_probe_delay(failures: u32, jitter: f64) -> Duration {
    jittered(doubling(Duration::from_secs(10), 5 * MINUTE, failures), jitter)
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
    fn a_notice_is_retried_at_growing_delays_until_the_sixth_day() {
        let waits: Vec<_> = (1..=14).map(|n| notice_retry_delay(n, 0.0, None).map(minutes)).collect();
        let day = 24 * 60;
        let table = [1, 5, 15, 60, 180, 360, 720, day, day, day, day, day].map(Some);
        assert_eq!(waits[..12], table);
        assert_eq!(waits[12..], [None, None]);
        assert!(table.into_iter().flatten().sum::<u64>() >= 5 * day);
    }

    #[test]
    fn retry_after_extends_a_delay_to_at_most_a_day_and_never_shortens_it() {
        let cases = [
            ("none: the table's wait", 1, None, Some(1)),
            ("longer than the table's", 1, Some(7 * MINUTE), Some(7)),
            ("shorter than the table's", 4, Some(7 * MINUTE), Some(60)),
            ("a week: capped", 1, Some(7 * DAY), Some(24 * 60)),
            ("no retry is left", 13, Some(MINUTE), None),
        ];
        for (sentence, failures, asked, expected) in cases {
            assert_eq!(notice_retry_delay(failures, 0.0, asked).map(minutes), expected, "{sentence}");
        }
    }

    #[test]
    fn delays_for_operator_faults_and_credentials_double_up_to_a_maximum() {
        let operator: Vec<_> = (1..=7).map(|n| minutes(operator_fault_delay(n, 0.0))).collect();
        assert_eq!(operator, [1, 2, 4, 8, 16, 30, 30]);
        let credential: Vec<_> = (1..=9).map(|n| minutes(credential_retry_delay(n, 0.0))).collect();
        assert_eq!(credential, [15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
    }

    proptest! {
        #[test]
        fn jitter_never_adds_more_than_its_share(failures: u32, jitter: f64) {
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
        fn more_jitter_never_shortens_a_delay(failures in 1_u32..12, a in 0.0..=1.0, b in 0.0..=1.0) {
            let (less, more) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(notice_retry_delay(failures, less, None) <= notice_retry_delay(failures, more, None));
        }
    }

    #[test]
    fn full_jitter_adds_a_tenth_or_a_half_for_a_credential() {
        assert_eq!(operator_fault_delay(1, 1.0), Duration::from_secs(66));
        assert_eq!(operator_fault_delay(1, 0.5), Duration::from_secs(63));
        assert_eq!(credential_retry_delay(1, 1.0), Duration::from_secs(22 * 60 + 30));
    }
}
