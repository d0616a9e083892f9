//! Whether people press the links in emails as often as usual.
//!
//! Broken links, spam folders, and relays that rewrite links look the same: emails go out, and nobody presses. What counts is
//! an email that was pressed within a day. The presses of the last emails are compared with those of the weeks before.

/// Emails, and those of which a person pressed a button within a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presses {
    pub emails: u64,
    pub pressed: u64,
}

/// With less than that, there is no usual share.
const MIN_USUAL_EMAILS: u64 = 100;
const MIN_USUAL_PRESSES: u64 = 10;
/// A weekend, or another mix of first emails and reminders, can change the share by less than this factor.
const TOLERATED: f64 = 0.5;
/// How unlikely it must be that mere chance leads to so few presses.
const MAX_CHANCE: f64 = 0.001;

/// Whether so few recent emails were pressed that, even if people pressed only half as often as usual, it would happen less
/// than once in a thousand times.
pub(super) fn is_below_band(usual: Presses, recent: Presses) -> bool {
    if usual.emails < MIN_USUAL_EMAILS || usual.pressed < MIN_USUAL_PRESSES {
        return false;
    }
    let share = TOLERATED * usual.pressed as f64 / usual.emails as f64;
    chance_of_at_most(recent.pressed, recent.emails, share) < MAX_CHANCE
}

/// The chance of at most `successes` in `trials`, each of which succeeds with the probability `share`, between 0 and 1 (the
/// binomial distribution).
fn chance_of_at_most(successes: u64, trials: u64, share: f64) -> f64 {
    let odds = (share / (1.0 - share)).ln();
    let mut logarithm = trials as f64 * (1.0 - share).ln();
    let mut chance = logarithm.exp();
    for number in 0..successes.min(trials) {
        logarithm += ((trials - number) as f64 / (number + 1) as f64).ln() + odds;
        chance += logarithm.exp();
    }
    chance.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_needs_a_usual_share_and_far_fewer_presses_than_it() {
        for (sentence, usual, recent, expected) in [
            ("as usual", (1000, 400), (200, 80), false),
            ("nothing was sent", (1000, 400), (0, 0), false),
            ("nobody pressed, of many", (1000, 400), (200, 0), true),
            ("nobody pressed, of the fewest that prove it", (1000, 400), (31, 0), true),
            ("nobody pressed, of too few to prove it", (1000, 400), (30, 0), false),
            ("a weekend: three quarters of the usual share", (1000, 400), (1000, 300), false),
            ("half of the usual share", (1000, 400), (1000, 200), false),
            ("a quarter of the usual share", (1000, 400), (1000, 100), true),
            ("a few scattered presses", (1000, 400), (200, 12), true),
            ("more than usual", (1000, 400), (200, 190), false),
            ("everybody pressed, as usual", (1000, 1000), (200, 200), false),
            ("a small usual share and many emails", (10_000, 500), (2000, 10), true),
            ("a small usual share and few emails", (10_000, 500), (200, 0), false),
            ("no usual share: too few emails", (99, 90), (1000, 0), false),
            ("no usual share: too few presses", (1000, 9), (100_000, 0), false),
        ] {
            let presses = |(emails, pressed)| Presses { emails, pressed };
            assert_eq!(is_below_band(presses(usual), presses(recent)), expected, "{sentence}");
        }
    }

    #[test]
    fn chances_are_those_of_the_binomial_distribution() {
        for (successes, trials, share, expected) in
            [(0, 10, 0.5, 0.000_977), (5, 10, 0.5, 0.623_047), (2, 20, 0.2, 0.206_085), (10, 10, 0.3, 1.0)]
        {
            let chance = chance_of_at_most(successes, trials, share);
            assert!((chance - expected).abs() < 1e-6, "{successes} of {trials}: {chance}");
        }
    }
}
