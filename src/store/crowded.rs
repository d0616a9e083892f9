//! What claims of the delivery queue have found out about its front.
//!
//! A large provider's domain often has most of a queue. While it has its share of the deliveries, its notices stay at the
//! front. A claim for the other domains would read past all of them, each time.

use crate::domain::Time;
use chrono::TimeDelta;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A notice that joins the front meanwhile, such as at the end of a hold, waits at most this long for the next claim.
const VALID: TimeDelta = TimeDelta::seconds(1);

/// Which limit of the domains a claim applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// Domains that come last are left out.
    Last,
    /// Domains that get no more are left out.
    Full,
}

/// Up to a time, everything that is due is for these domains, or was claimed.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    pub(super) pass: Pass,
    pub(super) domains: BTreeSet<String>,
    /// In milliseconds.
    pub(super) until: i64,
    pub(super) found_at: Time,
}

/// The latest findings. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Crowded(Arc<Mutex<Vec<Passed>>>);

impl Crowded {
    /// From when on a claim has to read if it leaves these domains out; in milliseconds.
    pub(super) fn passed(&self, pass: Pass, without: &BTreeSet<&str>, now: Time) -> i64 {
        let passed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |passed: &&Passed| {
            let age = now - passed.found_at;
            passed.pass == pass
                && (TimeDelta::zero()..VALID).contains(&age)
                && passed.domains.iter().all(|domain| without.contains(domain.as_str()))
        };
        passed.iter().filter(holds).map(|passed| passed.until).max().unwrap_or(i64::MIN)
    }

    /// Adds what a claim has found. A front without a crowded domain is short, and is read again.
    pub(super) fn note(&self, found: Vec<Passed>) {
        let mut passed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for found in found.into_iter().filter(|found| !found.domains.is_empty()) {
            // A later finding about the same domains continues the earlier one, and is valid as long as that.
            let same = |known: &&mut Passed| known.pass == found.pass && known.domains == found.domains;
            match passed.iter_mut().find(same) {
                Some(known) if found.found_at - known.found_at < VALID => {
                    known.until = known.until.max(found.until)
                }
                Some(known) => *known = found,
                None => passed.push(found),
            }
        }
        // Few domains are crowded at a time.
        let first = passed.len().saturating_sub(8);
        passed.drain(..first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pass: Pass, domains: &[&str], until: i64, at: i64) -> Passed {
        let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
        Passed { pass, domains, until, found_at: Time::UNIX_EPOCH + TimeDelta::milliseconds(at) }
    }

    #[test]
    fn a_claim_continues_where_one_without_the_same_domains_ended_within_a_second() {
        let crowded = Crowded::default();
        crowded.note(vec![found(Pass::Last, &["a"], 70, 5_000), found(Pass::Full, &[], 90, 5_000)]);
        crowded.note(vec![found(Pass::Last, &["a"], 80, 5_900), found(Pass::Last, &["c"], 95, 5_900)]);
        let from = |pass, without: &[&str], at| {
            let without = without.iter().copied().collect();
            let from = crowded.passed(pass, &without, Time::UNIX_EPOCH + TimeDelta::milliseconds(at));
            Some(from).filter(|from| *from != i64::MIN)
        };
        assert_eq!(from(Pass::Last, &["a"], 5_999), Some(80));
        assert_eq!(from(Pass::Last, &["a", "b"], 5_999), Some(80));
        assert_eq!(from(Pass::Last, &["b"], 5_999), None, "a has room again");
        assert_eq!(from(Pass::Last, &["a"], 6_000), None, "the front may have changed");
        assert_eq!(from(Pass::Last, &["a"], 4_999), None, "the clock was set back");
        assert_eq!(from(Pass::Full, &["a"], 5_500), None, "no domain was crowded");
        crowded.note(vec![found(Pass::Last, &["a"], 75, 6_000)]);
        assert_eq!(from(Pass::Last, &["a"], 6_500), Some(75));
    }
}
