//! Whether every page and email renders, and no email discloses anything beyond `notices.disclosure`.

use super::checklist::Checklist;
use super::{domains, readability};
use crate::base::config::Config;
use crate::mail::Renderer;
use crate::web::pages::Pages;

pub(super) fn check(config: &Config, checklist: &mut Checklist) -> anyhow::Result<Option<Renderer>> {
    let pages = Pages::new(&config.brand(), &config.notices, config.links.ttl).map_err(Into::into);
    let pages = checklist.result("pages", pages, |pages: &Pages| {
        format!("every page renders ({})", pages.languages().join(", "))
    })?;
    for warning in pages.iter().flat_map(|pages| pages.warnings()) {
        checklist.warning("pages", warning)?;
    }
    let renderer =
        Renderer::new(&config.brand(), &config.notices, &config.email, &config.links).map_err(Into::into);
    let renderer = checklist.result("templates", renderer, |renderer| {
        let (languages, level) = (renderer.languages().join(", "), config.notices.disclosure.as_str());
        format!("every email renders ({languages}) and discloses nothing beyond {level:?}")
    })?;
    let Some(renderer) = renderer else { return Ok(None) };
    for warning in renderer.warnings() {
        checklist.warning("templates", &warning.to_string())?;
    }
    let locale = config.notices.locale.as_str();
    if !renderer.has(locale) {
        let fallback = renderer.language(None);
        let message = format!(
            "no templates for notices.locale = {locale:?}; members without a locale get emails in {fallback:?}"
        );
        checklist.warning("templates", &message)?;
    }
    let mut renditions = renderer.renditions()?;
    renditions.extend(pages.iter().flat_map(Pages::renditions));
    readability::check(&renditions, checklist)?;
    domains::check_links(config, &renditions, checklist)?;
    Ok(Some(renderer))
}
