//! A link's page was asked for, or a button of it pressed.

use super::Time;
use super::lapse::spelled;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Act {
    /// The page was asked for.
    Look,
    /// Its button was pressed.
    Press,
}

/// By whom, as far as a server can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum By {
    /// A mail scanner or the like.
    Machine,
    /// Nothing speaks against a person.
    Person,
}

spelled!(Act { Look = "look", Press = "press" });
spelled!(By { Machine = "machine", Person = "person" });

/// One visit, with what the request shows of its maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// What was done.
    pub(crate) act: Act,
    /// When.
    pub(crate) at: Time,
    /// Whether only the head of the page was asked for.
    pub(crate) head: bool,
    /// Whether the request says that it is made in advance.
    pub(crate) prefetch: bool,
    /// Tells user agents apart, within this process. It is compared and kept nowhere.
    pub(crate) agent: u64,
}

/// How the mail stands that a link came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mailing {
    /// The operator hands the link on; there is no mail.
    ByHand,
    /// The mail server has not accepted it yet.
    Underway,
    /// The mail server accepted it then.
    Accepted(Time),
}
