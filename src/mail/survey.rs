//! A sample of each email in each language, for the checks of its words and its links.

use super::error::RenderError;
use super::kind::EmailKind;
use super::notice::NoticeEmail;
use super::render::Renderer;
use crate::base::templates::{Rendition, prose_of_html, prose_of_text, urls_of_html, urls_of_text};

impl Renderer {
    /// # Errors
    /// When a template fails.
    pub(crate) fn renditions(&self) -> Result<Vec<Rendition>, RenderError> {
        let languages = self.languages().iter();
        languages
            .flat_map(|language| EmailKind::ALL.iter().map(|kind| self.rendition(language, *kind)))
            .collect()
    }

    fn rendition(&self, language: &str, kind: EmailKind) -> Result<Rendition, RenderError> {
        let locale = Some(language.to_owned());
        let sample = NoticeEmail::sample(kind.template, None);
        let email = self.render(&NoticeEmail { locale, urgency: kind.urgency, ttl: self.ttl, ..sample })?;
        let edition = self.edition(kind.template, language);
        let [subject, text, html] = kind.template.files(self.disclosure);
        let own = |files: &[String]| edition.templates.own_file(edition.language, files);
        let own_html = own(&[html]);
        let own_text = own(&[subject, text]);
        let mut urls = urls_of_html(email.html());
        urls.extend(urls_of_text(email.text()));
        let prose = match (&own_text, &own_html) {
            (None, Some(_)) => prose_of_html(email.html()),
            _ => prose_of_text(email.text(), self.help()),
        };
        Ok(Rendition {
            name: format!("email {:?}", kind.name),
            language: edition.language.to_owned(),
            prose: format!("{}\n{prose}", email.subject()),
            own_file: own_text.or(own_html),
            urls,
        })
    }
}
