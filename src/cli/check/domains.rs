//! Whether the domains that members see belong together: members distrust an email that leads to another domain than its
//! sender's.

use super::checklist::Checklist;
use crate::base::config::{Config, is_local_url};
use crate::base::registrable_domain::registrable_domain;
use crate::base::templates::Rendition;
use std::collections::BTreeSet;
use std::io;
use url::{Host, Url};

const CHECK: &str = "domains";
const LINKS: &str = "template links";

/// The domain of `email.from`, in its ASCII form.
pub(super) fn sender_domain(config: &Config) -> String {
    let address = config.email.from.address.expose();
    let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain);
    Host::parse(domain).map_or_else(|_| domain.to_owned(), |host| host.to_string())
}

pub(super) fn check(config: &Config, checklist: &Checklist) -> io::Result<()> {
    let public_url = &config.links.public_url;
    if is_local_url(public_url) {
        return checklist.ok(CHECK, "not compared: links.public_url is of this machine");
    }
    let sender = sender_domain(config);
    let sender = registrable_domain(&sender);
    let links = domain_of(public_url);
    let app = config.notices.app_url.as_ref().map(domain_of);
    let mut differing = Vec::new();
    if sender != links {
        differing.push(format!(
            "email.from is of {sender}, but links lead to {links}, which members distrust; serve links.public_url below \
             {sender}, or send from {links}"
        ));
    }
    if let Some(app) = app.filter(|app| *app != links && *app != sender) {
        differing.push(format!(
            "notices.app_url is of {app}, but email is from {sender}; if members do not know {app} as yours, serve it below \
             {sender}"
        ));
    }
    for message in &differing {
        checklist.warning(CHECK, message)?;
    }
    if differing.is_empty() {
        checklist.ok(CHECK, &format!("email, links, and your app are all of {sender}"))?;
    }
    Ok(())
}

/// Whether the operator's templates lead only to the domains of the configuration.
pub(super) fn check_links(
    config: &Config,
    renditions: &[Rendition],
    checklist: &Checklist,
) -> io::Result<()> {
    let settings = [&config.notices.app_url, &config.brand().privacy_url];
    let settings = settings.into_iter().filter_map(Option::as_ref).chain([&config.links.public_url]);
    let known: BTreeSet<String> = settings.map(domain_of).collect();
    let help = config.brand().help.unwrap_or_default();
    let own: Vec<_> = renditions.iter().filter(|sample| sample.own_file.is_some()).collect();
    let mut foreign = BTreeSet::new();
    for sample in &own {
        let urls = sample.urls.iter().filter(|url| !help.contains(url.as_str()));
        let hosts = urls.filter_map(|url| parse(url)).filter(|url| !known.contains(&domain_of(url)));
        foreign
            .extend(hosts.filter_map(|url| Some((sample.own_file.as_deref()?, url.host_str()?.to_owned()))));
    }
    for (file, host) in &foreign {
        let message = format!(
            "{file} leads to {host}, which is not of the domains of links.public_url, notices.app_url, and brand.privacy_url; \
             members distrust such links, and the other site learns who opens them: remove it, or link to your own domain"
        );
        checklist.hosts_warning(LINKS, &message, std::slice::from_ref(host))?;
    }
    if foreign.is_empty() && !own.is_empty() {
        checklist.ok(LINKS, "your templates lead to your own domains only")?;
    }
    Ok(())
}

/// A URL as a browser reads it on an https page.
fn parse(text: &str) -> Option<Url> {
    let text = text.to_ascii_lowercase();
    match text.strip_prefix("//") {
        Some(rest) => Url::parse(&format!("https://{rest}")),
        None if text.starts_with("www.") => Url::parse(&format!("https://{text}")),
        None => Url::parse(&text),
    }
    .ok()
}

fn domain_of(url: &Url) -> String {
    registrable_domain(url.host_str().unwrap_or_default())
}
