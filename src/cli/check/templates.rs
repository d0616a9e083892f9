//! Whether every kind of email can be rendered, and discloses nothing beyond `notices.disclosure`.

use super::report::Report;
use crate::cli::context::Context;
use crate::mail::Renderer;
use anyhow::anyhow;
use std::io;

/// Prints one line, or one for each violation.
pub(super) fn check(context: &Context, report: &mut Report) -> io::Result<Option<Renderer>> {
    let config = &context.config;
    let tried = Renderer::new_unchecked(&config.notices, &config.email, &config.links)
        .and_then(|renderer| renderer.leaks().map(|leaks| (renderer, leaks)));
    match tried {
        Ok((_, leaks)) if !leaks.is_empty() => {
            for leak in leaks {
                report.result("templates", Err::<(), _>(anyhow!("{leak}")), |()| String::new())?;
            }
            Ok(None)
        }
        other => {
            let checked = report
                .result("templates", other.map_err(Into::into), |(renderer, _)| message(context, renderer))?;
            Ok(checked.map(|(renderer, _)| renderer))
        }
    }
}

fn message(context: &Context, renderer: &Renderer) -> String {
    let notices = &context.config.notices;
    let (languages, level) = (renderer.languages().join(", "), notices.disclosure.as_str());
    let (locale, fallback) = (&notices.locale, renderer.language(None));
    let message = format!("every kind of email renders ({languages}) and discloses nothing beyond {level:?}");
    if renderer.has(locale.as_str()) {
        return message;
    }
    format!("{message}; none for notices.locale = \"{locale}\", so members without a locale get {fallback:?}")
}
