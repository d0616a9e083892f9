//! Renders every template at startup: parsing alone misses undefined values, unknown filters, missing files, and emails
//! without words or without a link.

use super::{
    error::SetupError,
    notice::{ConnectionLabel, Template},
    render::{Rendered, Renderer},
    sample_matrix::{Case, LINK, SOURCE_TYPES},
};
use crate::{
    base::{
        config::{self, Disclosure},
        templates::{TemplateError, html},
    },
    domain::SourceType,
};

impl Renderer {
    /// Reads the templates and renders each in every language, so that a fault shows at startup, not in a member's email.
    ///
    /// # Errors
    /// When a template, `email.from`, `email.reply_to` or the public URL is unusable.
    pub fn new(
        brand: &config::Brand,
        notices: &config::Notices,
        email: &config::Email,
        links: &config::Links,
    ) -> Result<Self, SetupError> {
        let renderer = Self::new_unchecked(brand, notices, email, links)?;
        validate(&renderer)?;
        Ok(renderer)
    }
}

fn validate(renderer: &Renderer) -> Result<(), TemplateError> {
    for language in renderer.languages() {
        if renderer.disclosure != Disclosure::Generic {
            check_phrases(renderer, language)?;
        }
        for &template in Template::ALL {
            for case in Case::matrix(template, renderer.ttl) {
                let sources = renderer.sources(language, &case.connections())?;
                let rendered = renderer.render_parts(
                    language,
                    template,
                    &case.values(sources, renderer.brand_values()),
                )?;
                check_usable(renderer, language, template, &rendered)?;
            }
        }
    }
    Ok(())
}

/// Every source needs a phrase: an empty one would leave a hole in a sentence.
fn check_phrases(renderer: &Renderer, language: &str) -> Result<(), TemplateError> {
    let mut without = Vec::new();
    for source_type in SOURCE_TYPES.into_iter().map(Some).chain([None]) {
        let kind = source_type.as_ref().map_or("unknown", SourceType::as_str).to_ascii_lowercase();
        let label = ConnectionLabel { name: "Sample".to_owned(), source_type, needs_sign_in: true };
        if !renderer.sources(language, &[label])?.is_some_and(|phrase| has_words(&phrase)) {
            without.push(kind);
        }
    }
    if without.is_empty() {
        return Ok(());
    }
    let problem = format!("no phrase for sources of the kinds {}; write one for each", without.join(", "));
    let file = renderer.templates.locate(language, &["sources.txt".to_owned()]);
    Err(TemplateError::Faulty { file, line: 0, problem })
}

fn check_usable(
    renderer: &Renderer,
    language: &str,
    template: Template,
    rendered: &Rendered,
) -> Result<(), TemplateError> {
    let needs_link = template.has_link();
    let [subject, text, html] = template.source_files(renderer.disclosure);
    let (files, problem) = if !has_words(&rendered.subject) {
        (subject, "the subject is empty; write one")
    } else if !has_words(&rendered.text) {
        (text, "the text is empty; write what the HTML says")
    } else if !has_words(&html::visible_text(&rendered.html)) {
        (html, "the HTML shows nothing; write what the text says")
    } else if needs_link && !rendered.text.contains(LINK) {
        (text, "the text has no link; add {{ link }}")
    } else if needs_link && !html::leads_to(&rendered.html, LINK) {
        (html, "the HTML has no link; add {{ link }} to an href")
    } else {
        return Ok(());
    };
    let file = renderer.templates.locate(language, &files);
    let problem = format!("{problem} (email {:?})", template.as_str());
    Err(TemplateError::Faulty { file, line: 0, problem })
}

fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}
