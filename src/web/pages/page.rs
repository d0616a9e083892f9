//! The pages for members. Their wording is in `templates/`.

use super::situation::{count, is_offered, is_waiting};
use crate::domain::ConnectionId;
use crate::reconnect::state::LinkState;
use crate::reconnect::state::{ButtonState, ButtonView};
use chrono::NaiveDate;

/// A member can have thousands of connections.
const MAX_BUTTONS: usize = 50;

/// All codes that [`Page::state`] returns. Each is the name of a template.
pub(super) const STATES: [&str; 28] = [
    "root",
    "ready",
    "snoozed",
    "in_trouble",
    "used",
    "expired",
    "replaced",
    "confirm",
    "missing",
    "removed",
    "recovered",
    "dismissed",
    "link_not_found",
    "gateway_down",
    "repair_unavailable",
    "bad_request",
    "too_many_requests",
    "busy",
    "needs_app",
    "resend_requested",
    "email_on_its_way",
    "resend_unavailable",
    "signed_in",
    "sign_in_failed",
    "unsubscribe",
    "unsubscribed",
    "resubscribed",
    "failed",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The host's own address: the organization's name and nothing else.
    Root,
    /// The link works: a button for each broken connection.
    Ready {
        buttons: Vec<ButtonView>,
        /// The number of connections that wait for the member, too, but are not on the page.
        more: usize,
        /// For buttons that need a newer link.
        resend: ResendOption,
    },
    /// The member put off the next reminder about the only connection.
    Snoozed {
        button: ButtonView,
        /// The day of that reminder.
        until: NaiveDate,
    },
    /// A storm holds the emails about the only connection.
    InTrouble {
        button: ButtonView,
    },
    /// Every button was used.
    Used {
        /// Buttons that the browser that used them can press again, for ten minutes.
        resumable: Vec<ButtonView>,
        resend: ResendOption,
    },
    Expired {
        resend: ResendOption,
    },
    /// The member's address has changed since, or an operator revoked the link. Offers a link to the current address.
    Replaced,
    /// The gateway's last response left the connections out; the link stays valid.
    Missing,
    Removed,
    Recovered,
    Dismissed {
        buttons: Vec<ButtonView>,
    },
    LinkNotFound,
    /// The gateway cannot be reached; the link stays valid.
    GatewayDown {
        retry_minutes: u32,
    },
    /// The gateway refuses until the operator acts; the link stays valid.
    RepairUnavailable,
    /// The form was incomplete; nothing changed.
    BadRequest,
    TooManyRequests,
    /// Other writers held the database for longer than a member waits; the link stays valid.
    Busy,
    /// The connection can only be repaired in the operator's app.
    NeedsApp,
    /// Asks whether to turn on a connection that its member turned off.
    ConfirmDirect {
        connection: ConnectionId,
        token: String,
    },
    /// An email with another link is queued.
    ResendRequested,
    /// An email with a link was queued or sent before the request for one.
    EmailOnItsWay,
    /// A limit is reached, or the operator stopped emails to the member. The page does not say which.
    ResendUnavailable,
    /// The page after a sign-in at the source.
    OauthReturn {
        /// From the query. It does not prove recovery.
        success: bool,
    },
    /// Asks before it unsubscribes: a GET must change nothing (RFC 8058).
    Unsubscribe,
    Unsubscribed {
        /// `false` when the address is suppressed for another reason, too.
        can_resubscribe: bool,
    },
    Resubscribed,
    /// An error of the daemon.
    Failed,
}

/// Whether a page offers to email another link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResendOption {
    NotNeeded,
    Offered,
    /// The member unsubscribed and has to resubscribe first.
    Resubscribe,
}

/// The one action of a page, apart from its buttons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrimaryAction {
    None,
    Resend,
    ResubscribeAndResend,
    Retry,
    OpenApp,
    Unsubscribe,
    Resubscribe,
    Confirm,
}

/// At most [`MAX_BUTTONS`], and the number of the others that wait for the member. If there are too many, those that wait
/// come first, and then those that can be pressed.
fn bounded(mut buttons: Vec<ButtonView>) -> (Vec<ButtonView>, usize) {
    if buttons.len() <= MAX_BUTTONS {
        return (buttons, 0);
    }
    buttons.sort_by_key(|view| (!is_waiting(view), !is_offered(view)));
    let others = buttons.split_off(MAX_BUTTONS);
    (buttons, count(&others, is_waiting))
}

impl PrimaryAction {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Resend => "resend",
            Self::ResubscribeAndResend => "resubscribe_and_resend",
            Self::Retry => "retry",
            Self::OpenApp => "open_app",
            Self::Unsubscribe => "unsubscribe",
            Self::Resubscribe => "resubscribe",
            Self::Confirm => "confirm",
        }
    }
}

impl Page {
    /// The page of a link in this state. `unsubscribed`: the member can resubscribe.
    pub(crate) fn of_link(state: LinkState, unsubscribed: bool) -> Self {
        let resend = if unsubscribed { ResendOption::Resubscribe } else { ResendOption::Offered };
        match state {
            LinkState::Ready(buttons) => {
                if let [only] = &buttons[..]
                    && let Some(page) = Self::of_only(only)
                {
                    return page;
                }
                let needs_new_link =
                    |view: &ButtonView| matches!(view.state, ButtonState::Used | ButtonState::Superseded);
                let is_needed = buttons.iter().any(needs_new_link);
                let resend = if is_needed { resend } else { ResendOption::NotNeeded };
                let (buttons, more) = bounded(buttons);
                Self::Ready { buttons, more, resend }
            }
            LinkState::Used { resumable } => Self::Used { resumable: bounded(resumable).0, resend },
            LinkState::Expired => Self::Expired { resend },
            LinkState::Replaced => Self::Replaced,
            LinkState::Recovered => Self::Recovered,
            LinkState::Missing => Self::Missing,
            LinkState::Removed => Self::Removed,
            LinkState::NotFound => Self::LinkNotFound,
            LinkState::Dismissed(buttons) => Self::Dismissed { buttons: bounded(buttons).0 },
        }
    }

    /// The page about one connection, unless it only asks to reconnect.
    fn of_only(button: &ButtonView) -> Option<Self> {
        let outlook = button.outlook;
        match outlook.next_email {
            _ if outlook.in_trouble => Some(Self::InTrouble { button: button.clone() }),
            Some(until) if button.is_snoozed() => Some(Self::Snoozed { button: button.clone(), until }),
            _ => None,
        }
    }

    /// The connections that the page lists.
    pub(super) fn buttons(&self) -> &[ButtonView] {
        match self {
            Self::Ready { buttons, .. } | Self::Dismissed { buttons } => buttons,
            Self::Snoozed { button, .. } | Self::InTrouble { button } => std::slice::from_ref(button),
            _ => &[],
        }
    }

    /// A stable code, which the page carries as `data-state`.
    pub(crate) fn state(&self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Ready { .. } => "ready",
            Self::Snoozed { .. } => "snoozed",
            Self::InTrouble { .. } => "in_trouble",
            Self::Used { .. } => "used",
            Self::Expired { .. } => "expired",
            Self::Replaced => "replaced",
            Self::ConfirmDirect { .. } => "confirm",
            Self::Missing => "missing",
            Self::Removed => "removed",
            Self::Recovered => "recovered",
            Self::Dismissed { .. } => "dismissed",
            Self::LinkNotFound => "link_not_found",
            Self::GatewayDown { .. } => "gateway_down",
            Self::RepairUnavailable => "repair_unavailable",
            Self::BadRequest => "bad_request",
            Self::TooManyRequests => "too_many_requests",
            Self::Busy => "busy",
            Self::NeedsApp => "needs_app",
            Self::ResendRequested => "resend_requested",
            Self::EmailOnItsWay => "email_on_its_way",
            Self::ResendUnavailable => "resend_unavailable",
            Self::OauthReturn { success: true } => "signed_in",
            Self::OauthReturn { success: false } => "sign_in_failed",
            Self::Unsubscribe => "unsubscribe",
            Self::Unsubscribed { .. } => "unsubscribed",
            Self::Resubscribed => "resubscribed",
            Self::Failed => "failed",
        }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::LinkNotFound => 404,
            Self::Used { .. } | Self::Expired { .. } | Self::Replaced => 410,
            Self::TooManyRequests => 429,
            Self::Failed => 500,
            Self::GatewayDown { .. } | Self::RepairUnavailable | Self::Missing | Self::Busy => 503,
            Self::Root
            | Self::Ready { .. }
            | Self::Snoozed { .. }
            | Self::InTrouble { .. }
            | Self::Recovered
            | Self::Removed
            | Self::Dismissed { .. }
            | Self::NeedsApp
            | Self::ConfirmDirect { .. }
            | Self::ResendRequested
            | Self::EmailOnItsWay
            | Self::ResendUnavailable
            | Self::OauthReturn { .. }
            | Self::Unsubscribe
            | Self::Unsubscribed { .. }
            | Self::Resubscribed => 200,
        }
    }

    pub(super) fn icon(&self) -> &'static str {
        match self {
            Self::Recovered
            | Self::Removed
            | Self::Dismissed { .. }
            | Self::OauthReturn { success: true }
            | Self::Unsubscribed { .. } => "check",
            Self::Expired { .. }
            | Self::Snoozed { .. }
            | Self::InTrouble { .. }
            | Self::Replaced
            | Self::GatewayDown { .. }
            | Self::RepairUnavailable
            | Self::Missing
            | Self::Busy
            | Self::TooManyRequests
            | Self::ResendUnavailable => "clock",
            Self::ResendRequested | Self::EmailOnItsWay | Self::Unsubscribe | Self::Resubscribed => "mail",
            Self::LinkNotFound | Self::BadRequest | Self::Failed | Self::OauthReturn { success: false } => {
                "ask"
            }
            Self::Root
            | Self::Ready { .. }
            | Self::Used { .. }
            | Self::NeedsApp
            | Self::ConfirmDirect { .. } => "link",
        }
    }

    pub(super) fn primary_action(&self) -> PrimaryAction {
        match self {
            Self::Ready { resend, .. } | Self::Used { resend, .. } | Self::Expired { resend } => match resend
            {
                ResendOption::NotNeeded => PrimaryAction::None,
                ResendOption::Offered => PrimaryAction::Resend,
                ResendOption::Resubscribe => PrimaryAction::ResubscribeAndResend,
            },
            Self::Replaced => PrimaryAction::Resend,
            Self::GatewayDown { .. } | Self::Missing | Self::TooManyRequests | Self::Busy | Self::Failed => {
                PrimaryAction::Retry
            }
            Self::ConfirmDirect { .. } => PrimaryAction::Confirm,
            Self::NeedsApp | Self::RepairUnavailable => PrimaryAction::OpenApp,
            Self::Unsubscribe => PrimaryAction::Unsubscribe,
            Self::Unsubscribed { can_resubscribe: true } => PrimaryAction::Resubscribe,
            _ => PrimaryAction::None,
        }
    }
}
