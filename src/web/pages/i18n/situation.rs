//! The request that a page with buttons makes. Each situation has its own text.

use crate::domain::{Repair, printable};
use crate::reconnect::state::{ButtonState, ButtonView};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Situation {
    /// Every button that leads somewhere leads to the app.
    InApp,
    /// No connection waits for the member.
    NothingWaits,
    /// The page is about this one source, which needs a sign-in.
    SignIn(String),
    /// The page is about this one source, which needs no sign-in.
    Direct(String),
    /// Only one of several connections still has something to press.
    OneLeft,
    SeveralDirect,
    Several,
}

impl Situation {
    pub(super) fn of(views: &[ButtonView]) -> Self {
        let count =
            |is_counted: fn(&ButtonView) -> bool| views.iter().filter(|view| is_counted(view)).count();
        let offered = count(is_offered);
        let direct = count(is_direct);
        if offered > 0 && count(needs_app) == offered {
            return Self::InApp;
        }
        if count(is_waiting) == 0 {
            return Self::NothingWaits;
        }
        match views {
            [view] if direct == 1 => Self::Direct(printable(&view.name)),
            [view] => Self::SignIn(printable(&view.name)),
            _ if direct == offered => Self::SeveralDirect,
            _ if offered == 1 => Self::OneLeft,
            _ => Self::Several,
        }
    }
}

pub(in crate::web::pages) fn needs_app(view: &ButtonView) -> bool {
    view.repair == Repair::App && view.state.is_pressable()
}

pub(super) fn is_offered(view: &ButtonView) -> bool {
    view.state.is_pressable() || view.state == ButtonState::ResumeElsewhere
}

/// The email was about the connection, and nobody has pressed its button.
fn is_waiting(view: &ButtonView) -> bool {
    view.state == ButtonState::Available || needs_app(view)
}

fn is_direct(view: &ButtonView) -> bool {
    view.repair == Repair::Direct && view.state == ButtonState::Available
}
