//! The built-in email for several members, where an operator's templates make none: a directory without `shared` files can
//! lack its language, or have a `base` or `layout` that shows no links of several members.

use super::{builtin, warnings::TemplateWarning};
use crate::base::config::Disclosure;
use crate::base::templates::{TemplateError, TemplateSet};
use std::collections::BTreeMap;

/// Templates in one language.
#[derive(Clone, Copy)]
pub(in crate::mail) struct Edition<'a> {
    pub(in crate::mail) templates: &'a TemplateSet,
    pub(in crate::mail) language: &'a str,
}

pub(in crate::mail) struct Fallback {
    builtin: TemplateSet,
    /// The languages that need it, each with the reason.
    languages: BTreeMap<String, String>,
}

impl Fallback {
    pub(in crate::mail) fn load(default: &str, disclosure: Disclosure) -> Result<Self, TemplateError> {
        Ok(Self { builtin: builtin::load(None, default, disclosure)?, languages: BTreeMap::new() })
    }

    pub(in crate::mail) fn add(&mut self, language: &str, reason: String) {
        self.languages.insert(language.to_owned(), reason);
    }

    /// `None` if the operator's templates serve this language.
    pub(in crate::mail) fn edition(&self, language: &str) -> Option<Edition<'_>> {
        let is_needed = self.languages.contains_key(language);
        is_needed
            .then(|| Edition { templates: &self.builtin, language: self.builtin.language(Some(language)) })
    }

    pub(in crate::mail) fn warnings(&self) -> impl Iterator<Item = TemplateWarning> {
        self.languages.iter().map(|(language, reason)| {
            let used = self.builtin.language(Some(language));
            let problem = format!(
                "members who share an address get the built-in email in {used:?}, because {reason}; write shared.subject, \
                 shared.txt and shared.html for {language:?}"
            );
            TemplateWarning::about_file(format!("{language}/shared.txt"), problem)
        })
    }
}
