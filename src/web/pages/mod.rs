//! The pages that members see. Pure: a page and a language give HTML.
//!
//! A page names the source but never the person, runs no script and loads nothing. A content security policy of
//! `default-src 'none'; style-src '<style_hash>'; base-uri 'none'; frame-ancestors 'none'` fits it.

mod words;

use crate::domain::{ConnectionId, printable};
use base64::{Engine, engine::general_purpose::STANDARD};
use minijinja::{Environment, UndefinedBehavior, Value, context};
use words::{Say, Words};

const STYLE: &str = include_str!("style.css");
const LAYOUT: &str = include_str!("layout.html");

/// What a member can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The link works: what is broken, each with its button.
    Ready {
        /// The notice's connections.
        sources: Vec<Source>,
        /// Another link, for what this one no longer does.
        mail: NewMail,
    },
    /// The link was used up.
    Used {
        /// What the browser that used it may go on with, for a few minutes.
        go_on: Vec<Source>,
        /// Another link.
        mail: NewMail,
    },
    /// The link is too old.
    Expired {
        /// Another link.
        mail: NewMail,
    },
    /// What it is about cannot be seen at the moment; the link stays good.
    Missing,
    /// What it was about is gone.
    Removed,
    /// Everything it was about works again.
    Recovered,
    /// The member said that it was on purpose.
    Dismissed {
        /// What they said it of.
        sources: Vec<Source>,
    },
    /// No such link.
    Unknown,
    /// The way to the source cannot be opened now; the link stays good.
    GatewayDown {
        /// When to try again.
        retry_minutes: u32,
    },
    /// The way to the source cannot be opened before the operator has put something right.
    NoWay {
        /// Where the operator's app is.
        app_url: Option<String>,
    },
    /// A press whose form did not come whole; nothing was done.
    Unreadable,
    /// Too many requests from there.
    TooMany,
    /// What is broken is mended in the operator's app.
    NeedsApp {
        /// Where that is; http or https, else no button is shown.
        app_url: Option<String>,
    },
    /// A new mail is on its way, if there was anything to send.
    ResendDone,
    /// Where a sign-in at the source may end.
    Done {
        /// Whether the source said that it went well. No proof of recovery.
        success: bool,
    },
    /// Asks whether to stop all mails (RFC 8058 wants more than a GET).
    Unsubscribe,
    /// They are stopped.
    Unsubscribed {
        /// Whether the member can have them again.
        can_resume: bool,
    },
    /// The member has them again.
    Resubscribed,
    /// Something of ours failed.
    Failed,
}

/// Whether a page offers to mail another link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NewMail {
    /// It does not.
    Unneeded,
    /// It does.
    Offered,
    /// It would, but the member wants no mails: that can be taken back.
    Stopped,
}

/// One connection on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Goes back as the form's `connection`.
    pub(crate) connection_id: ConnectionId,
    /// The source's name; any text.
    pub(crate) name: String,
    /// What the member can do about it.
    pub(crate) action: Action,
    /// Whether "I disconnected this on purpose" is offered.
    pub(crate) can_dismiss: bool,
}

/// What a member can do about one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Press the button, which leads to the source's sign-in.
    Reconnect,
    /// Press the button, which is all.
    Renew,
    /// Go to the operator's app, when we know where that is.
    App(Option<String>),
    /// Press the button again in the browser in which it was pressed, else wait.
    GoOn,
    /// Wait: the button was pressed already.
    Wait,
    /// Ask for another link: this one was for an earlier break.
    AskAnew,
    /// Try again later: it cannot be seen at the moment.
    TryLater,
    /// Nothing: it works again.
    Works,
    /// Nothing: it is gone.
    Gone,
    /// Nothing: the member said that it was on purpose.
    LeaveAlone,
    /// Press the button all the same.
    AfterAll,
}

impl Page {
    /// The HTTP status the page goes with.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Unreadable => 400,
            Self::Unknown => 404,
            Self::Used { .. } | Self::Expired { .. } => 410,
            Self::TooMany => 429,
            Self::Failed => 500,
            Self::GatewayDown { .. } | Self::NoWay { .. } | Self::Missing => 503,
            Self::Ready { .. }
            | Self::Recovered
            | Self::Removed
            | Self::Dismissed { .. }
            | Self::NeedsApp { .. }
            | Self::ResendDone
            | Self::Done { .. }
            | Self::Unsubscribe
            | Self::Unsubscribed { .. }
            | Self::Resubscribed => 200,
        }
    }

    /// The icon.
    fn shape(&self) -> &'static str {
        match self {
            Self::Recovered
            | Self::Removed
            | Self::Dismissed { .. }
            | Self::Done { success: true }
            | Self::Unsubscribed { .. } => "check",
            Self::Expired { .. }
            | Self::GatewayDown { .. }
            | Self::NoWay { .. }
            | Self::Missing
            | Self::TooMany => "clock",
            Self::ResendDone | Self::Unsubscribe | Self::Resubscribed => "mail",
            Self::Unknown | Self::Unreadable | Self::Failed | Self::Done { success: false } => "ask",
            Self::Ready { .. } | Self::Used { .. } | Self::NeedsApp { .. } => "link",
        }
    }

    /// The one thing to do beside the sources' buttons.
    fn offer(&self) -> &'static str {
        match self {
            Self::Ready { mail, .. } | Self::Used { mail, .. } | Self::Expired { mail } => match mail {
                NewMail::Unneeded => "",
                NewMail::Offered => "resend",
                NewMail::Stopped => "resume_mail",
            },
            Self::GatewayDown { .. } | Self::Missing | Self::TooMany | Self::Failed => "retry",
            Self::NeedsApp { app_url } | Self::NoWay { app_url } if web_url(app_url.as_deref()).is_some() => {
                "app"
            }
            Self::Unsubscribe => "unsubscribe",
            Self::Unsubscribed { can_resume: true } => "resume",
            _ => "",
        }
    }
}

/// Writes the pages.
pub(crate) struct Pages {
    environment: Environment<'static>,
    operator: String,
    locale: String,
    style_hash: String,
}

impl Pages {
    /// Pages of an operator. `locale` is for members without one.
    ///
    /// # Errors
    /// When the built-in layout does not parse, which the tests rule out.
    pub(crate) fn new(
        operator: impl Into<String>,
        locale: impl Into<String>,
    ) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_template("layout.html", LAYOUT)?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, STYLE.as_bytes());
        let style_hash = format!("sha256-{}", STANDARD.encode(digest));
        Ok(Self { environment, operator: operator.into(), locale: locale.into(), style_hash })
    }

    /// The source of the one `<style>`, for the content security policy (without quotes).
    pub(crate) fn style_hash(&self) -> &str {
        &self.style_hash
    }

    /// A page. `base` is the link's own path, such as `/r/TOKEN`, with the public URL's path before it: `{base}/resend`,
    /// `{base}/dismiss` and `{base}/resume` are posted to, as is `base` itself to reconnect; unsubscribing posts to the
    /// page's own address. `visit` goes back with what is pressed on this page, and with nothing else.
    pub(crate) fn render(&self, locale: Option<&str>, page: &Page, base: &str, visit: &str) -> String {
        let words = Words::of(page, words::language(locale.unwrap_or(&self.locale), &self.locale));
        self.fill(&words, page, base, visit).unwrap_or_else(|error| {
            tracing::error!(%error, "a page could not be written");
            "<!doctype html><title>Error</title><h1>Please try again later.</h1>".to_owned()
        })
    }

    fn fill(&self, words: &Words, page: &Page, base: &str, visit: &str) -> Result<String, minijinja::Error> {
        let say = &words.say;
        let sources: Vec<Value> = match page {
            Page::Ready { sources, .. } | Page::Dismissed { sources } => {
                sources.iter().map(|source| source_value(source, say)).collect()
            }
            _ => Vec::new(),
        };
        let go_on: Vec<Value> = match page {
            Page::Used { go_on, .. } => go_on.iter().map(|source| source_value(source, say)).collect(),
            _ => Vec::new(),
        };
        let app_url = match page {
            Page::NeedsApp { app_url } | Page::NoWay { app_url } => web_url(app_url.as_deref()),
            _ => None,
        };
        self.environment.get_template("layout.html")?.render(context! {
            lang => words.lang,
            operator => self.operator.as_str(),
            style => STYLE,
            shape => page.shape(),
            offer => page.offer(),
            words => context! { title => words.title, lines => words.lines.clone() },
            say => context! {
                reconnect => say.reconnect, dismiss => say.dismiss, resend => say.resend, retry => say.retry,
                open_app => say.open_app, unsubscribe => say.unsubscribe, resume => say.resume,
                came_back => say.came_back, go_on => say.go_on, stopped => say.stopped, resume_mail => say.resume_mail,
            },
            sources, go_on, base, visit, app_url,
        })
    }
}

fn source_value(source: &Source, say: &Say) -> Value {
    let note = match &source.action {
        Action::Reconnect | Action::Renew => "",
        Action::AskAnew => say.ask_anew,
        Action::App(_) => say.in_app,
        Action::GoOn => say.came_back,
        Action::Wait => say.wait,
        Action::TryLater => say.try_later,
        Action::Works => say.works,
        Action::Gone => say.gone,
        Action::LeaveAlone | Action::AfterAll => say.on_purpose,
    };
    let url = match &source.action {
        Action::App(url) => web_url(url.as_deref()),
        _ => None,
    };
    context! {
        id => source.connection_id.as_str(),
        name => printable(&source.name),
        reconnect => matches!(source.action, Action::Reconnect | Action::Renew | Action::AfterAll),
        after_all => source.action == Action::AfterAll,
        go_on => source.action == Action::GoOn,
        can_dismiss => source.can_dismiss,
        note, url,
    }
}

/// The language among those of an `Accept-Language` header (RFC 9110, 12.5.4) that the pages speak and that is wanted most.
pub(crate) fn preferred(accept_language: &str) -> Option<&str> {
    let weighed = accept_language.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().filter(|tag| words::is_spoken(tag))?;
        let weight =
            parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
        (weight > 0.0).then_some((tag, weight))
    });
    // Of equals the first one wins, as the browser has them in order.
    weighed.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(tag, _)| tag)
}

/// A link for a page leads to the web and nowhere else.
fn web_url(url: Option<&str>) -> Option<&str> {
    url.filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}

#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tests;
