//! Renders every page at startup: parsing alone misses undefined values, pages without words, and buttons that are gone.

use super::render::Pages;
use super::samples::{BASE, FORM_KEY, samples};
use super::templates::file_of;
use crate::base::config::{Brand, Notices};
use crate::base::templates::{TemplateError, html};
use std::collections::BTreeSet;
use std::time::Duration;

/// The content security policy forbids all of these: the browser would leave them out.
const BLOCKED: [&str; 6] = ["<script", "<link", "<iframe", "<img", "src=", "style="];

/// The forms without which a page is complete.
const OPTIONAL_ACTIONS: [&str; 2] = ["snooze", "undo"];

impl Pages {
    /// Reads the templates and renders each page in every language, so that a fault shows at startup.
    ///
    /// # Errors
    /// An operator's template is unusable.
    pub(crate) fn new(brand: &Brand, notices: &Notices, link_ttl: Duration) -> Result<Self, TemplateError> {
        let load = |directory| Self::load(directory, brand, notices, link_ttl);
        let mut pages = load(notices.templates.as_deref())?;
        // A directory can hold templates of emails only.
        if pages.templates.overrides().next().is_some() {
            pages.warnings = validate(&pages, &load(None)?)?;
        }
        Ok(pages)
    }
}

/// Compares each page with the built-in one. Returns what is missing that members can do without, once for each file.
fn validate(pages: &Pages, builtin: &Pages) -> Result<Vec<String>, TemplateError> {
    let mut warnings = BTreeSet::new();
    for language in pages.languages() {
        for (_, page) in samples() {
            let rendered = pages.fill(language, &page, BASE, FORM_KEY)?;
            let expected = builtin.render(Some(language), &page, BASE, FORM_KEY);
            let file = || pages.templates.locate(language, &[file_of(page.state())]);
            if let Some(problem) = problem(&rendered, &expected) {
                let problem = format!("{problem} (page {:?})", page.state());
                return Err(TemplateError::Faulty { file: file(), line: 0, problem });
            }
            let missing = missing(&rendered, &expected).into_iter().filter(|control| is_optional(control));
            warnings.extend(missing.map(|control| {
                format!("{}: the page has no {}; members can do without", file(), in_template(&control))
            }));
        }
    }
    Ok(warnings.into_iter().collect())
}

fn problem(rendered: &str, expected: &str) -> Option<String> {
    if !html::visible_text(rendered).chars().any(char::is_alphanumeric) {
        return Some("the page shows nothing; write what the member can do".to_owned());
    }
    let tags = || rendered.split('<').filter_map(|tag| tag.split('>').next());
    if let Some(blocked) = BLOCKED
        .iter()
        .find(|part| tags().any(|tag| format!("<{}", tag.to_ascii_lowercase()).contains(**part)))
    {
        return Some(format!(
            "the page has {blocked:?}, which browsers block here: pages load nothing; remove it"
        ));
    }
    if styles(rendered).any(|style| !styles(expected).any(|expected| expected == style)) {
        return Some("browsers block every style but {{ style|safe }} here; remove the other one".to_owned());
    }
    missing(rendered, expected).iter().find(|control| !is_optional(control)).map(|control| {
        format!("the page has no {}; extend layout.html, or copy it from there", in_template(control))
    })
}

/// The forms and links of the built-in page that are missing.
fn missing(rendered: &str, expected: &str) -> Vec<String> {
    let (has, needs) = (controls(rendered), controls(expected));
    needs.difference(&has).cloned().collect()
}

/// Whether a page may lack the control: a template that was written for an older version lacks it.
fn is_optional(control: &str) -> bool {
    let control = control.replace("&#x2f;", "/");
    OPTIONAL_ACTIONS.iter().any(|action| control.ends_with(&format!(" to {BASE}/{action}")))
}

/// With the variables in place of the samples' values.
fn in_template(control: &str) -> String {
    let control = control.replace("&#x2f;", "/");
    control.replace(BASE, "{{ base }}").replace(FORM_KEY, "{{ form_key }}")
}

fn styles(html: &str) -> impl Iterator<Item = &str> {
    html.split("<style>").skip(1).filter_map(|rest| rest.split("</style>").next())
}

/// The forms with their fields, and the addresses of the links.
fn controls(html: &str) -> BTreeSet<String> {
    let forms = html.split("<form").skip(1).filter_map(|rest| rest.split("</form>").next());
    let forms = forms.map(|form| {
        let action = attribute(form, "action").unwrap_or("its own address");
        let fields = form.split("<input").skip(1).filter_map(|input| {
            Some(format!("{}={}", attribute(input, "name")?, attribute(input, "value")?))
        });
        let fields = fields.collect::<Vec<_>>().join(" ");
        format!("form that posts {fields} to {action}")
    });
    let links = html.split("<a ").skip(1).filter_map(|link| attribute(link, "href"));
    forms.chain(links.map(|href| format!("link to {href}"))).collect()
}

/// The value of the first attribute with this name, as it is written.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let tag = tag.split('>').next()?;
    ['"', '\''].into_iter().find_map(|quote| {
        let (_, rest) = tag.split_once(&format!(" {name}={quote}"))?;
        rest.split(quote).next()
    })
}
