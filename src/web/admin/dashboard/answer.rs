//! The first sentence of a view: it answers the question.

use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Answer {
    tone: &'static str,
    /// "Yes." or "No."
    lead: String,
    text: String,
}

impl Answer {
    pub(super) fn good(lead: &str, text: impl Into<String>) -> Self {
        Self { tone: "ok", lead: lead.to_owned(), text: text.into() }
    }

    pub(super) fn warning(lead: &str, text: impl Into<String>) -> Self {
        Self { tone: "warn", lead: lead.to_owned(), text: text.into() }
    }

    pub(super) fn bad(lead: &str, text: impl Into<String>) -> Self {
        Self { tone: "bad", lead: lead.to_owned(), text: text.into() }
    }

    #[cfg(test)]
    pub(super) fn sentence(&self) -> String {
        format!("{}: {} {}", self.tone, self.lead, self.text)
    }
}
