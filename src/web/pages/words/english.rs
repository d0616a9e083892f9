//! English.

use super::{Say, Text, can_reconnect, in_app, offered, renews, text, waiting};
use crate::web::pages::page::{Page, ResendOption};

pub(super) const SAY: Say = Say {
    reconnect: "Reconnect",
    dismiss: "I disconnected this on purpose",
    resend: "Mail me a new link",
    retry: "Try again",
    open_app: "Open the app",
    unsubscribe: "Stop these mails",
    resume: "Write to me again",
    in_app: "Please sign in to this one again in the app.",
    wait: "This one was started already. If you finished signing in, it can take a few minutes; if not, ask for a new link.",
    ask_anew: "This one needs you once more. Please ask for a new link.",
    stopped: "You have asked us to send no more mails, so a new link would not reach you.",
    resume_mail: "Write to me again, and mail me a new link",
    try_later: "We cannot see this one at the moment. Please try again later.",
    works: "This one works again.",
    gone: "This one was removed. There is nothing to do.",
    on_purpose: "You told us that you disconnected this one on purpose.",
    came_back: "Came back without finishing? In the browser you started with, you can go on for a few minutes.",
    go_on: "Go on",
};

pub(super) fn text_of(page: &Page) -> Text {
    match page {
        Page::Ready { buttons, .. } if in_app(buttons) => text(
            "Let’s get you reconnected",
            &[
                "What is listed here uses a user name and password, which you can only enter safely in the app.",
            ],
        ),
        Page::Ready { buttons, .. } if waiting(buttons) == 0 => {
            text("How your connections stand", &["Each says what can be done about it."])
        }
        Page::Ready { buttons, .. } if renews(buttons) => text(
            "Let’s get you reconnected",
            &["The button renews what is listed here. There is nothing to sign in to."],
        ),
        Page::Ready { buttons, .. } if offered(buttons) > 1 => text(
            "Let’s get you reconnected",
            &[
                "These connections need you. Take them one at a time; where you have to sign in, the source’s own page opens.",
            ],
        ),
        Page::Ready { .. } => text(
            "Let’s get you reconnected",
            &[
                "This connection needs you to sign in again. The button opens the source’s own sign-in page. It \
               usually takes a minute or two.",
            ],
        ),
        Page::Used { resend, .. } => {
            let done = "Already finished signing in? Then there is nothing to do. It can take a few minutes until \
                        everything flows again.";
            let ask = "If you did not finish, ask for a new link. It goes to the address we have for you.";
            let lines: &[&str] = if *resend == ResendOption::Offered { &[done, ask] } else { &[done] };
            text("This link was already used", lines)
        }
        Page::Expired { resend } => {
            let why =
                "For your safety, links work for a limited time, and only until the connection works again.";
            let ask = "Ask for a new one; it goes to the address we have for you.";
            let lines: &[&str] = if *resend == ResendOption::Offered { &[why, ask] } else { &[why] };
            text("This link has expired", lines)
        }
        Page::Missing => text(
            "Please try again later",
            &[
                "We cannot see this connection at the moment. There is nothing you need to do for now, and your link \
                 stays good.",
                "Please open this page again in a few hours.",
            ],
        ),
        Page::Removed => text(
            "Nothing left to do here",
            &["What this link was about was removed. You can close this page."],
        ),
        Page::Recovered => {
            text("All done, you are connected", &["Everything works again. You can close this page."])
        }
        Page::Dismissed { buttons } if can_reconnect(buttons) => text(
            "Thank you for telling us",
            &[
                "We leave it as it is and write no more about it.",
                "Was it not you, or have you changed your mind? You can still reconnect here.",
            ],
        ),
        Page::Dismissed { .. } => text(
            "Thank you for telling us",
            &["We leave it as it is and write no more about it. You can close this page."],
        ),
        Page::LinkNotFound => text(
            "We don’t know this link",
            &[
                "It may have been cut off on its way, or be from an older mail.",
                "Please open the newest mail you have from us and use the link in it.",
            ],
        ),
        Page::GatewayDown { retry_minutes: 0 | 1 } => text(
            "That did not work just now",
            &[
                "The sign-in page cannot be reached. This is not your doing, and your link stays good. Please try \
               again in about a minute.",
            ],
        ),
        Page::GatewayDown { retry_minutes } => (
            "That did not work just now",
            vec![format!(
                "The sign-in page cannot be reached. This is not your doing, and your link stays good. Please try \
                 again in about {retry_minutes} minutes."
            )],
        ),
        Page::RepairUnavailable => text(
            "This cannot be repaired just now",
            &[
                "Something has to be put right on our side first. There is nothing you need to do for now, and your link \
                 stays good.",
            ],
        ),
        Page::BadRequest => text(
            "That did not arrive whole",
            &["Nothing was changed. Please open the link in your mail once more and press the button again."],
        ),
        Page::TooManyRequests => text(
            "One moment, please",
            &[
                "There were many requests in a short time. Please wait a minute and try again; your link stays good.",
            ],
        ),
        Page::NeedsApp => text(
            "Please continue in the app",
            &["This connection uses a user name and password, which you can only enter safely in the app."],
        ),
        Page::ResendRequested => text(
            "Please look at your mail",
            &[
                "If something still needs you, a new link is on its way to the address we have for you.",
                "It can take up to ten minutes. If it has not come by then, look in the spam folder, or open the link once \
                 more and ask again.",
            ],
        ),
        Page::OauthReturn { success: true } => text(
            "Thank you, that’s all",
            &["You can close this page. It can take a few minutes until everything flows again."],
        ),
        Page::OauthReturn { success: false } => text(
            "The sign-in was not finished",
            &["Nothing was changed. To try again, open the link in your mail once more."],
        ),
        Page::Unsubscribe => text(
            "Stop these mails?",
            &[
                "We will no longer write to you when a connection needs your attention. Your connections stay as they \
               are.",
            ],
        ),
        Page::Unsubscribed { .. } => {
            text("You will get no more of these mails", &["It is done. You can close this page."])
        }
        Page::Resubscribed => text(
            "We will write to you again",
            &["When a connection needs your attention, you get a mail. You can close this page."],
        ),
        Page::Failed => text(
            "Something went wrong",
            &["This is our mistake, not yours. Please try again in a few minutes; your link stays good."],
        ),
    }
}
