//! Renders an operator's templates at startup: parsing alone misses undefined values, unknown filters, missing files, and
//! emails without words or without a link. A test renders the built-in ones in the same way.

use super::{
    error::SetupError,
    kind::EmailKind,
    notice::{ConnectionLabel, Template},
    render::{Rendered, Renderer, all_connections},
    sample_matrix::{Case, SOURCE_TYPES},
    templates::Edition,
    values::Values,
};
use crate::{
    base::{
        config::{self, Disclosure},
        templates::{TemplateError, html},
    },
    domain::SourceType,
};

impl Renderer {
    /// Reads the templates. With an operator's directory, it renders each in every language, so that a fault shows at startup,
    /// not in a member's email.
    ///
    /// # Errors
    /// When a template, `email.from`, `email.reply_to` or the public URL is unusable.
    pub fn new(
        brand: &config::Brand,
        notices: &config::Notices,
        email: &config::Email,
        links: &config::Links,
    ) -> Result<Self, SetupError> {
        let mut renderer = Self::new_unchecked(brand, notices, email, links)?;
        if notices.templates.is_some() {
            validate(&mut renderer)?;
        }
        Ok(renderer)
    }
}

fn validate(renderer: &mut Renderer) -> Result<(), TemplateError> {
    for language in renderer.languages().to_vec() {
        if renderer.disclosure != Disclosure::Generic {
            check_phrases(renderer, &language)?;
        }
        for kind in EmailKind::ALL.iter().filter(|kind| kind.template != Template::Shared) {
            check_kind(renderer, &language, *kind)?;
        }
        check_shared(renderer, &language)?;
    }
    Ok(())
}

fn check_kind(renderer: &Renderer, language: &str, kind: EmailKind) -> Result<(), TemplateError> {
    let edition = Edition { templates: &renderer.templates, language };
    for case in Case::matrix(kind, renderer.ttl) {
        let sections = case.sections();
        let people = renderer.people(edition, &sections, Case::link)?;
        let sources = renderer.sources(edition, &all_connections(&sections))?;
        let values = case.values(people, sources, renderer.brand_values());
        let rendered = renderer.render_parts(edition, kind.template, &values)?;
        check_usable(renderer, language, kind, &values, &rendered)?;
    }
    Ok(())
}

/// An operator's directory without its own email for several members keeps working: see [`Fallback`].
///
/// [`Fallback`]: super::templates::Fallback
fn check_shared(renderer: &mut Renderer, language: &str) -> Result<(), TemplateError> {
    let files = Template::Shared.files(renderer.disclosure);
    let reason = if files.iter().all(|file| renderer.templates.has_file(language, file)) {
        let mut kinds = EmailKind::ALL.iter().filter(|kind| kind.template == Template::Shared);
        let Err(error) = kinds.try_for_each(|kind| check_kind(renderer, language, *kind)) else {
            return Ok(());
        };
        let is_own = files.iter().any(|file| renderer.templates.is_overridden(language, file));
        if is_own || renderer.fallback.is_none() {
            return Err(error);
        }
        error.to_string()
    } else {
        "this language has no such files".to_owned()
    };
    if let Some(fallback) = &mut renderer.fallback {
        fallback.add(language, reason);
    }
    Ok(())
}

/// Every source needs a phrase: an empty one would leave a hole in a sentence.
fn check_phrases(renderer: &Renderer, language: &str) -> Result<(), TemplateError> {
    let edition = Edition { templates: &renderer.templates, language };
    let mut without = Vec::new();
    for source_type in SOURCE_TYPES.into_iter().map(Some).chain([None]) {
        let kind = source_type.as_ref().map_or("unknown", SourceType::as_str).to_ascii_lowercase();
        let label = ConnectionLabel { name: "Sample".to_owned(), source_type, needs_sign_in: true };
        if !renderer.sources(edition, &[&label])?.is_some_and(|phrase| has_words(&phrase)) {
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
    kind: EmailKind,
    values: &Values<'_>,
    rendered: &Rendered,
) -> Result<(), TemplateError> {
    let links = || values.people.iter().map(|person| person.link.as_str()).filter(|link| !link.is_empty());
    let labels = || values.people.iter().filter_map(|person| person.label.as_deref());
    // A template may show a label in capitals.
    let names_everybody = |text: &str| {
        let text = text.to_lowercase();
        !values.is_shared || labels().all(|label| text.contains(&label.to_lowercase()))
    };
    let visible_html = html::visible_text(&rendered.html);
    let [subject, text, html] = kind.template.source_files(renderer.disclosure);
    let (files, problem) = if !has_words(&rendered.subject) {
        (subject, "the subject is empty; write one")
    } else if !has_words(&rendered.text) {
        (text, "the text is empty; write what the HTML says")
    } else if !has_words(&visible_html) {
        (html, "the HTML shows nothing; write what the text says")
    } else if !links().all(|link| rendered.text.contains(link)) {
        let problem = if values.is_shared {
            "the text lacks the link of a member; add the link of each of the people"
        } else {
            "the text has no link; add {{ link }}"
        };
        (text, problem)
    } else if !links().all(|link| html::leads_to(&rendered.html, link)) {
        let problem = if values.is_shared {
            "the HTML lacks the link of a member; add the link of each of the people to an href"
        } else {
            "the HTML has no link; add {{ link }} to an href"
        };
        (html, problem)
    } else if !names_everybody(&rendered.text) {
        (text, "the text lacks the label of a member; add the label of each of the people")
    } else if !names_everybody(&visible_html) {
        (html, "the HTML lacks the label of a member; add the label of each of the people")
    } else {
        return Ok(());
    };
    let file = renderer.templates.locate(language, &files);
    let problem = format!("{problem} (email {:?})", kind.name);
    Err(TemplateError::Faulty { file, line: 0, problem })
}

fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::fixtures::{branded_renderer, renderer};

    #[test]
    fn the_built_in_templates_pass_the_check_of_an_operators() {
        for disclosure in [Disclosure::Generic, Disclosure::Kind, Disclosure::Name] {
            for mut renderer in [renderer(disclosure), branded_renderer(disclosure)] {
                validate(&mut renderer).unwrap();
            }
        }
    }
}
