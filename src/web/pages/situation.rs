//! What a page with buttons asks of the member. Each situation has its own text.

use crate::domain::Repair;
use crate::reconnect::state::{ButtonState, ButtonView};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Situation {
    /// Every button that leads somewhere leads to the app.
    InApp,
    /// No connection waits for the member.
    NothingWaits,
    /// The page is about one source, which needs a sign-in.
    SignIn,
    /// The page is about one source, which needs no sign-in.
    Direct,
    SeveralDirect,
    Several,
}

impl Situation {
    pub(super) fn of(views: &[ButtonView]) -> Self {
        let offered = count(views, is_offered);
        let direct = count(views, is_direct);
        if offered > 0 && count(views, needs_app) == offered {
            return Self::InApp;
        }
        let needed = if views.len() == 1 { is_waiting } else { needs_member };
        if count(views, needed) == 0 {
            return Self::NothingWaits;
        }
        match views {
            [_] if direct == 1 => Self::Direct,
            [_] => Self::SignIn,
            _ if direct == offered => Self::SeveralDirect,
            _ => Self::Several,
        }
    }

    /// The heading names the source, so its button does not.
    pub(super) fn names_source(self) -> bool {
        matches!(self, Self::SignIn | Self::Direct)
    }

    /// The code that templates see.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::InApp => "in_app",
            Self::NothingWaits => "nothing_waits",
            Self::SignIn => "sign_in",
            Self::Direct => "direct",
            Self::SeveralDirect => "several_direct",
            Self::Several => "several",
        }
    }
}

pub(super) fn count(views: &[ButtonView], is_counted: fn(&ButtonView) -> bool) -> usize {
    views.iter().filter(|view| is_counted(view)).count()
}

pub(super) fn needs_app(view: &ButtonView) -> bool {
    view.repair == Repair::App && view.state.is_pressable()
}

pub(super) fn is_offered(view: &ButtonView) -> bool {
    view.state.is_pressable() || view.state == ButtonState::ResumeElsewhere
}

/// The page of several connections asks the member to act on this one now.
pub(super) fn needs_member(view: &ButtonView) -> bool {
    is_waiting(view) && !view.is_snoozed() && !view.outlook.in_trouble
}

/// The email was about the connection, and nobody has pressed its button.
pub(super) fn is_waiting(view: &ButtonView) -> bool {
    view.state == ButtonState::Available || needs_app(view)
}

fn is_direct(view: &ButtonView) -> bool {
    view.repair == Repair::Direct && view.state == ButtonState::Available
}
