//! Pure: who visits a link, a machine or a person, by the server's evidence alone.
//!
//! Where nothing speaks for a machine it is taken for a person. Nothing but counts hangs on it.

use crate::domain::{Act, By, Mailing, Time, Visit};
use chrono::TimeDelta;

/// Nobody reads a mail so soon after the mail server has accepted it.
pub(crate) const READING: TimeDelta = TimeDelta::seconds(10);
/// A link that is opened twice within this time by different user agents is being examined.
pub(crate) const PAIRING: TimeDelta = TimeDelta::seconds(3);
/// Nobody finds the button so soon after the page has come.
pub(crate) const PRESSING: TimeDelta = TimeDelta::seconds(1);

/// What else is known of the visited link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'a> {
    /// The mail that it came with.
    pub(crate) mailing: Mailing,
    /// When it was looked at last, before the visits in `around`.
    pub(crate) looked_at: Option<Time>,
    /// Its visits around this one; this one may be among them.
    pub(crate) around: &'a [Visit],
}

/// Who made a visit. All visits up to [`PAIRING`] after it have to be known.
pub(crate) fn who(visit: &Visit, link: &Link<'_>) -> By {
    let machine = visit.head
        || visit.prefetch
        || before_reading(visit, link.mailing)
        || match visit.act {
            Act::Look => looked_by_two(visit, link.around),
            Act::Press => pressed_unseen(visit, link),
        };
    if machine { By::Machine } else { By::Person }
}

fn before_reading(visit: &Visit, mailing: Mailing) -> bool {
    match mailing {
        Mailing::ByHand => false,
        Mailing::Underway => true,
        Mailing::Accepted(at) => visit.at <= at + READING,
    }
}

/// Both looks are a machine's: which of them came first says nothing.
fn looked_by_two(visit: &Visit, around: &[Visit]) -> bool {
    let whole = |look: &&Visit| look.act == Act::Look && !look.head;
    around
        .iter()
        .filter(whole)
        .any(|other| other.agent != visit.agent && (other.at - visit.at).abs() <= PAIRING)
}

/// The page was not seen before, or not for as long as a person needs.
fn pressed_unseen(press: &Visit, link: &Link<'_>) -> bool {
    let looks = link.around.iter().filter(|other| other.act == Act::Look && other.at <= press.at);
    let last = looks.map(|look| look.at).chain(link.looked_at.filter(|look| *look <= press.at)).max();
    last.is_none_or(|look| press.at - look < PRESSING)
}

#[cfg(test)]
mod tests;
