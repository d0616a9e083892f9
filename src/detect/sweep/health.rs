//! Decides whether the gateway is at fault. Pure.
//!
//! Members are judged in the order in which they are polled, which is a random sample of the fleet, and not in the order
//! in which responses arrive: fast failures say nothing about slow successes. Samples are judged in windows, so that an
//! outage that begins in the middle of a sweep is seen, and so that what is known to be the members' own can be recorded
//! long before a large fleet's sweep ends.

use super::codes;

/// A window of polls is judged and closed at this size.
const WINDOW: u64 = 200;
/// Fewer polls than this do not show an outage before the sweep ends.
const MIN_POLLS: u64 = 50;
/// Refreshes are judged and closed at this number: they are far rarer than polls.
const REFRESH_WINDOW: u64 = 50;
/// With fewer refreshes than this, each refusal is the member's own.
const MIN_REFRESHES: u64 = 10;
/// Fewer lists than this may turn empty in one window.
const MIN_EMPTIED: u64 = 10;

/// One poll, as evidence about the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// The poll failed for a reason that may be the gateway's.
    pub(super) failed: bool,
    /// The member's list turned empty.
    pub(super) emptied: bool,
    /// Whether the credential was refused; `None` without a refresh.
    pub(super) refused: Option<bool>,
}

/// An outage: the gateway's fault or the operator's, and not the members'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    /// More than three quarters of the polls failed.
    MostPollsFailed,
    /// More than half of the refreshes were refused.
    MostRefreshesRefused,
    /// More than a fifth of the lists turned empty.
    ManyListsEmpty,
}

impl Outage {
    /// The reason code of a sweep that stops because of it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::MostPollsFailed => codes::MOST_POLLS_FAILED,
            Self::MostRefreshesRefused => codes::MOST_REFRESHES_REFUSED,
            Self::ManyListsEmpty => codes::MANY_LISTS_EMPTY,
        }
    }
}

/// The evidence so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Health {
    /// In the whole sweep.
    polled_in_all: u64,
    /// In the present window.
    polled: u64,
    failed: u64,
    emptied: u64,
    refreshed: u64,
    refused: u64,
}

/// The verdict on a closed window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleared {
    /// Lists that turned empty can be believed.
    pub(super) emptied: bool,
    /// Refusals are the members' own.
    pub(super) refused: bool,
}

impl Health {
    pub(super) fn note(&mut self, sample: Sample) {
        self.polled_in_all += 1;
        self.polled += 1;
        self.failed += u64::from(sample.failed);
        self.emptied += u64::from(sample.emptied);
        self.refreshed += u64::from(sample.refused.is_some());
        self.refused += u64::from(sample.refused == Some(true));
    }

    /// Judges after each poll. A window that is full without an outage is closed.
    pub(super) fn judge(&mut self) -> Result<Cleared, Outage> {
        if self.polled >= MIN_POLLS && self.failed * 4 > self.polled * 3 {
            return Err(Outage::MostPollsFailed);
        }
        if self.polled >= MIN_POLLS && self.has_many_emptied() {
            return Err(Outage::ManyListsEmpty);
        }
        // Three quarters at first: few refreshes show a majority by chance.
        let overwhelming = self.refreshed >= MIN_REFRESHES && self.refused * 4 > self.refreshed * 3;
        if overwhelming || (self.refreshed >= REFRESH_WINDOW && self.has_most_refused()) {
            return Err(Outage::MostRefreshesRefused);
        }
        let mut cleared = Cleared::default();
        if self.refreshed >= REFRESH_WINDOW {
            (self.refreshed, self.refused, cleared.refused) = (0, 0, true);
        }
        if self.polled >= WINDOW {
            (self.polled, self.failed, self.emptied, cleared.emptied) = (0, 0, 0, true);
        }
        Ok(cleared)
    }

    /// Judges what is left at the end of a sweep.
    pub(super) fn judge_end(&self) -> Result<(), Outage> {
        let small_fleet = self.polled_in_all < MIN_POLLS;
        if self.refreshed >= MIN_REFRESHES && self.has_most_refused() {
            Err(Outage::MostRefreshesRefused)
        } else if small_fleet && self.polled > 0 && self.failed == self.polled {
            Err(Outage::MostPollsFailed)
        } else if self.has_many_emptied() {
            Err(Outage::ManyListsEmpty)
        } else {
            Ok(())
        }
    }

    fn has_most_refused(&self) -> bool {
        self.refused * 2 > self.refreshed
    }

    fn has_many_emptied(&self) -> bool {
        self.emptied >= MIN_EMPTIED && self.emptied * 5 > self.polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Sample = Sample { failed: false, emptied: false, refused: None };
    const FAILED: Sample = Sample { failed: true, ..FINE };
    const EMPTIED: Sample = Sample { emptied: true, ..FINE };
    const GRANTED: Sample = Sample { refused: Some(false), ..FINE };
    const REFUSED: Sample = Sample { refused: Some(true), ..FINE };

    /// `total` samples with `count` of `odd`, spread evenly.
    fn mixed(odd: Sample, count: u64, other: Sample, total: u64) -> Vec<Sample> {
        (0..total).map(|n| if (n + 1) * count / total > n * count / total { odd } else { other }).collect()
    }

    /// After how many polls the sweep stops, and why; `None`: at the end.
    fn sweep(samples: &[Sample]) -> Option<(Option<usize>, Outage)> {
        let mut health = Health::default();
        for (n, sample) in samples.iter().enumerate() {
            health.note(*sample);
            if let Err(outage) = health.judge() {
                return Some((Some(n + 1), outage));
            }
        }
        health.judge_end().err().map(|outage| (None, outage))
    }

    #[test]
    fn a_sweep_stops_when_the_gateway_is_at_fault_and_for_nobody_else() {
        use Outage::{ManyListsEmpty, MostPollsFailed, MostRefreshesRefused};
        #[rustfmt::skip]
        let cases = [
            ("all is well", mixed(FINE, 300, FINE, 300), None),
            ("everything fails", mixed(FAILED, 300, FINE, 300), Some((Some(50), MostPollsFailed))),
            ("three quarters fail: that is not more than three quarters", mixed(FAILED, 750, FINE, 1000), None),
            ("more than three quarters fail", mixed(FAILED, 800, FINE, 1000), Some((Some(50), MostPollsFailed))),
            ("forty of a thousand fail", mixed(FAILED, 40, FINE, 1000), None),
            ("everything fails in a small fleet", mixed(FAILED, 7, FINE, 7), Some((None, MostPollsFailed))),
            ("all but one fail in a small fleet", mixed(FAILED, 6, FINE, 7), None),
            ("nobody is polled", vec![], None),
            ("only the last few of many fail", [mixed(FINE, 200, FINE, 200), mixed(FAILED, 49, FINE, 49)].concat(), None),
            ("an outage begins in the middle",
                [mixed(FINE, 1000, FINE, 1000), mixed(FAILED, 1000, FINE, 1000)].concat(), Some((Some(1050), MostPollsFailed))),
            ("every credential is refused", mixed(REFUSED, 40, FINE, 40), Some((Some(10), MostRefreshesRefused))),
            ("nine of nine are refused: each is the member's own", mixed(REFUSED, 9, FINE, 9), None),
            ("three quarters of a few are refused: the end of the sweep decides", mixed(REFUSED, 15, GRANTED, 20), Some((None, MostRefreshesRefused))),
            ("six of ten are refused, and fewer refreshes would tell nothing",
                mixed(REFUSED, 6, GRANTED, 10), Some((None, MostRefreshesRefused))),
            ("half are refused", mixed(REFUSED, 20, GRANTED, 40), None),
            ("more than half are refused", mixed(REFUSED, 24, GRANTED, 40), Some((None, MostRefreshesRefused))),
            ("three in five are refused, of many", mixed(REFUSED, 180, GRANTED, 300), Some((Some(50), MostRefreshesRefused))),
            ("one in five is refused, of many", mixed(REFUSED, 200, GRANTED, 1000), None),
            ("refusals begin in the middle, among stored tokens that are still good",
                [mixed(GRANTED, 100, FINE, 400), mixed(REFUSED, 100, FINE, 400)].concat(), Some((Some(440), MostRefreshesRefused))),
            ("ten of forty lists turn empty", mixed(EMPTIED, 10, FINE, 40), Some((None, ManyListsEmpty))),
            ("nine of nine lists turn empty", mixed(EMPTIED, 9, FINE, 9), None),
            ("ten of fifty lists turn empty: that is not more than a fifth", mixed(EMPTIED, 10, FINE, 50), None),
            ("one in ten lists turns empty, of many", mixed(EMPTIED, 100, FINE, 1000), None),
            ("a quarter of the lists turn empty, of many", mixed(EMPTIED, 250, FINE, 1000), Some((Some(50), ManyListsEmpty))),
        ];
        for (sentence, samples, expected) in cases {
            assert_eq!(sweep(&samples), expected, "{sentence}");
        }
    }

    #[test]
    fn a_window_that_closes_without_an_outage_clears_what_was_held_back() {
        let mut health = Health::default();
        let mut cleared = Vec::new();
        for n in 1..=400 {
            health.note(if n % 4 == 0 { GRANTED } else { FINE });
            cleared.push(health.judge().unwrap());
        }
        let when = |which: fn(&Cleared) -> bool| -> Vec<usize> {
            cleared.iter().enumerate().filter(|(_, c)| which(c)).map(|(n, _)| n + 1).collect()
        };
        assert_eq!(when(|cleared| cleared.emptied), [200, 400]);
        assert_eq!(when(|cleared| cleared.refused), [200, 400]);
    }
}
