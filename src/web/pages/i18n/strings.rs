//! The texts that each language provides.

/// Texts that several pages share.
pub(in crate::web::pages) struct Strings {
    pub(in crate::web::pages) reconnect: &'static str,
    pub(in crate::web::pages) resume: &'static str,
    pub(in crate::web::pages) dismiss: &'static str,
    pub(in crate::web::pages) resend: &'static str,
    pub(in crate::web::pages) retry: &'static str,
    pub(in crate::web::pages) open_app: &'static str,
    pub(in crate::web::pages) unsubscribe: &'static str,
    pub(in crate::web::pages) resubscribe: &'static str,
    pub(in crate::web::pages) resubscribe_and_resend: &'static str,
    pub(in crate::web::pages) confirm: &'static str,
    pub(in crate::web::pages) keep_off: &'static str,
    pub(in crate::web::pages) notes: Notes,
}

/// The text about one button, or about the action below the buttons.
pub(in crate::web::pages) struct Notes {
    pub(in crate::web::pages) needs_app: &'static str,
    pub(in crate::web::pages) resume: &'static str,
    pub(in crate::web::pages) used: &'static str,
    pub(in crate::web::pages) superseded: &'static str,
    pub(in crate::web::pages) missing: &'static str,
    pub(in crate::web::pages) recovered: &'static str,
    pub(in crate::web::pages) removed: &'static str,
    pub(in crate::web::pages) dismissed: &'static str,
    pub(in crate::web::pages) unsubscribed: &'static str,
}

/// The texts of one page.
pub(in crate::web::pages) struct Text {
    /// The document's title. It names no source, because browsers keep it in their history.
    pub(in crate::web::pages) title: &'static str,
    /// `None`: the title is the heading.
    pub(in crate::web::pages) heading: Option<String>,
    pub(in crate::web::pages) lines: Vec<String>,
}

impl Text {
    pub(super) fn new(title: &'static str, lines: &[&str]) -> Self {
        Self { title, heading: None, lines: lines.iter().map(|&line| line.to_owned()).collect() }
    }

    pub(super) fn with_heading(self, heading: String) -> Self {
        Self { heading: Some(heading), ..self }
    }
}
