//! Every template is tried before any mail is written with it.

use super::{Renderer, Written};
use crate::{
    base::config::Disclosure,
    domain::SourceType,
    mail::{
        html::Html,
        notice::{ConnectionLabel, Template},
        sample_matrix::{Case, LINK},
        templates::TemplateError,
        words::is_blank,
    },
};

impl Renderer {
    /// Writes every mail there can be: parsing alone misses unknown filters and missing parts, and mails of no use.
    pub(super) fn try_all(&self) -> Result<(), TemplateError> {
        for language in self.templates.languages() {
            for &kind in Template::ALL {
                let cases = Case::matrix(kind, self.ttl);
                for case in &cases {
                    let written = self.try_one(language, case, self.disclosure)?;
                    self.is_of_use(language, kind, &written)?;
                }
                // What another level would show.
                for level in [Disclosure::Generic, Disclosure::Kind, Disclosure::Name] {
                    self.try_one(language, &cases[cases.len() - 1], level)?;
                }
            }
        }
        Ok(())
    }

    fn try_one(&self, language: &str, case: &Case, level: Disclosure) -> Result<Written, TemplateError> {
        let types = [SourceType::Lab, SourceType::Pharmacy, SourceType::Clinical, SourceType::Insurance];
        let named = |(index, source_type): (usize, &SourceType)| ConnectionLabel {
            name: format!("Source {index}"),
            source_type: Some(source_type.clone()),
        };
        let named: Vec<ConnectionLabel> =
            types.iter().cycle().enumerate().take(case.count).map(named).collect();
        let sources = self.sources(language, level, &named)?;
        self.write(language, case.kind, &case.values(sources.into()))
    }

    /// A mail is of no use when there is nothing in it, or no link where one is to be pressed.
    fn is_of_use(&self, language: &str, kind: Template, written: &Written) -> Result<(), TemplateError> {
        let html = Html::read(&written.html);
        let needs_link = kind != Template::Recovered;
        let leads_on = |piece: &str| piece.contains(LINK) && piece.to_lowercase().starts_with("href");
        let html_has_link = html.shown.contains(LINK) || html.hidden.split("\n\n").any(leads_on);
        let [subject, text, html_file] = kind.source_files();
        let name = kind.as_str();
        let (files, problem) = if is_blank(&written.subject) {
            (subject, format!("the subject of {name:?} is empty; write one"))
        } else if is_blank(&written.text) {
            (text, format!("the text of {name:?} is empty; write what the HTML says"))
        } else if is_blank(&html.shown) {
            (html_file, format!("the HTML of {name:?} shows nothing; write what the text says"))
        } else if needs_link && !written.text.contains(LINK) {
            (text, format!("the text of {name:?} has no link; write {{{{ link }}}} into it"))
        } else if needs_link && !html_has_link {
            (html_file, format!("the HTML of {name:?} has no link; write {{{{ link }}}} into an href"))
        } else {
            return Ok(());
        };
        let (file, line) = self.templates.blame(language, &files, |_, _| 0);
        Err(TemplateError::Faulty { file, line, problem })
    }
}
