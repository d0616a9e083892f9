//! English.

use super::situation::{Situation, is_offered};
use super::strings::{Notes, Strings, Text};
use crate::web::pages::page::{Page, ResendOption};

pub(super) const STRINGS: Strings = Strings {
    reconnect: "Reconnect",
    resume: "Continue",
    dismiss: "I disconnected this on purpose",
    resend: "Email me a new link",
    retry: "Try again",
    open_app: "Open the app",
    unsubscribe: "Unsubscribe",
    resubscribe: "Resubscribe",
    resubscribe_and_resend: "Resubscribe and email me a new link",
    confirm: "Yes, turn it on",
    keep_off: "No, leave it off",
    notes: Notes {
        needs_app: "Reconnect this one in the app.",
        resume: "Didn’t finish signing in? You can continue here for a few minutes, in the same browser.",
        used: "You already started this one. If you finished signing in, it can take a few minutes. If not, get a new \
               link.",
        superseded: "This connection needs attention again. Please get a new link.",
        missing: "We can’t see this one right now. Please try again later.",
        recovered: "This one is working again.",
        removed: "This one was removed. You don’t need to do anything.",
        dismissed: "You told us you disconnected this one on purpose.",
        unsubscribed: "You unsubscribed, so we can’t email you a new link.",
    },
};

pub(super) fn page_text(page: &Page) -> Text {
    match page {
        Page::Ready { buttons, .. } => ready_text(&Situation::of(buttons)),
        Page::Used { resend, .. } => with_resend(
            "This link was already used",
            "If you finished signing in, you don’t need to do anything. It can take a few minutes before your records \
             update.",
            "If you didn’t finish, get a new link. We’ll send it to the address we have for you.",
            *resend,
        ),
        Page::Expired { resend } => with_resend(
            "This link has expired",
            "Links work for a limited time to keep your account safe.",
            "Get a new one. We’ll send it to the address we have for you.",
            *resend,
        ),
        Page::Replaced => with_resend(
            "This link was replaced",
            "It no longer works, to keep your account safe.",
            "Get a new one. We’ll send it to the address we have for you now.",
            ResendOption::Offered,
        ),
        Page::Missing => Text::new(
            "We can’t see this connection right now",
            &[
                "You don’t need to do anything for now. Your link still works, so please open this page again in a few \
               hours.",
            ],
        ),
        Page::Removed => Text::new(
            "There’s nothing left to do",
            &["The connection that this link was for was removed. You can close this page."],
        ),
        Page::Recovered => Text::new(
            "Your connection is working again",
            &["You don’t need to do anything. You can close this page."],
        ),
        Page::Dismissed { buttons } if buttons.iter().any(is_offered) => Text::new(
            "Got it",
            &["We won’t write about this again.", "Changed your mind? You can still reconnect."],
        ),
        Page::Dismissed { .. } => {
            Text::new("Got it", &["We won’t write about this again. You can close this page."])
        }
        Page::LinkNotFound => Text::new(
            "We don’t recognize this link",
            &[
                "Open the link from your latest email. Some email programs cut links in two; copying all of it may help.",
            ],
        ),
        Page::GatewayDown { retry_minutes } => {
            let wait = match retry_minutes {
                0 | 1 => "a minute".to_owned(),
                minutes => format!("{minutes} minutes"),
            };
            let line = format!(
                "This isn’t your fault, and your link still works. Please try again in about {wait}."
            );
            Text::new("We can’t reach the sign-in page right now", &[&line])
        }
        Page::RepairUnavailable => Text::new(
            "This can’t be fixed right now",
            &[
                "We need to fix something on our side first. You don’t need to do anything for now, and your link still \
               works.",
            ],
        ),
        Page::BadRequest => Text::new(
            "Something went wrong with that request",
            &["Nothing was changed. Please open the link in your email and try again."],
        ),
        Page::TooManyRequests => Text::new(
            "Please wait a moment",
            &["We got too many requests at once. Please try again in a minute. Your link still works."],
        ),
        Page::Busy => Text::new(
            "Please try again in a moment",
            &["We’re a little busy, so this didn’t go through yet. Your link still works."],
        ),
        Page::NeedsApp => Text::new(
            "Reconnect in the app",
            &["This connection uses a username and password. You can enter them safely only in the app."],
        ),
        Page::ConfirmDirect { .. } => Text::new(
            "Turn sharing back on?",
            &[
                "You turned this connection off. Turn it on only if you want us to receive your records from there again.",
            ],
        ),
        Page::ResendRequested => Text::new(
            "Check your email",
            &[
                "We’re sending a new link to the address we have for you.",
                "It can take up to ten minutes. If it doesn’t arrive, look in your spam folder.",
            ],
        ),
        Page::EmailOnItsWay => Text::new(
            "An email is on its way",
            &[
                "We already sent you a link. It can take a few minutes. If it doesn’t arrive, look in your spam folder.",
            ],
        ),
        Page::ResendUnavailable => Text::new(
            "We can’t send another email now",
            &["Please look for our latest email, also in your spam folder. Its link may still work."],
        ),
        Page::OauthReturn { success: true } => Text::new(
            "Thanks, we’re checking",
            &["It can take a few minutes before your records update. You can close this page."],
        ),
        Page::OauthReturn { success: false } => Text::new(
            "You’re not connected yet",
            &[
                "The sign-in wasn’t finished, so nothing was changed. To try again, open the link in your email.",
            ],
        ),
        Page::Unsubscribe => Text::new(
            "Unsubscribe from these emails?",
            &[
                "We won’t tell you anymore when a connection stops working. Your connections stay as they are.",
            ],
        ),
        Page::Unsubscribed { .. } => Text::new(
            "You’re unsubscribed",
            &["You won’t get these emails anymore. We can’t tell you when a connection stops working."],
        ),
        Page::Resubscribed => Text::new(
            "You’re resubscribed",
            &["We’ll email you when a connection needs you. You can close this page."],
        ),
        Page::Failed => Text::new(
            "Something went wrong",
            &["This is our mistake, not yours. Please try again in a few minutes. Your link still works."],
        ),
    }
}

fn ready_text(situation: &Situation) -> Text {
    match situation {
        Situation::InApp => Text::new(
            "Reconnect in the app",
            &[
                "New records aren’t arriving from here. Signing in takes a username and password, which you can enter \
               safely only in the app.",
            ],
        ),
        Situation::NothingWaits => Text::new("Your connections", &["See what you can do for each one."]),
        Situation::SignIn(name) => Text::new(
            "Reconnect",
            &[
                "It has stopped sending new records. You’ll sign in on its own website; we never see your password. It \
               takes about two minutes.",
            ],
        )
        .with_heading(format!("Reconnect {name}")),
        Situation::Direct(name) => {
            Text::new("Reconnect", &["It has stopped sending new records. You don’t need to sign in."])
                .with_heading(format!("Reconnect {name}"))
        }
        Situation::OneLeft => Text::new(
            "Your connections",
            &["One of them needs you. If you have to sign in, you do it on its own website; we never see your password."],
        ),
        Situation::SeveralDirect => Text::new(
            "Your connections",
            &["These have stopped sending new records. Reconnect them one at a time. You don’t need to sign in."],
        ),
        Situation::Several => Text::new(
            "Your connections",
            &[
                "Some of them have stopped sending new records. Reconnect them one at a time. If you have to sign in, you do \
               it on their own website; we never see your password.",
            ],
        ),
    }
}

fn with_resend(title: &'static str, line: &str, resend_line: &str, resend: ResendOption) -> Text {
    match resend {
        ResendOption::Offered => Text::new(title, &[line, resend_line]),
        ResendOption::NotNeeded | ResendOption::Resubscribe => Text::new(title, &[line]),
    }
}
