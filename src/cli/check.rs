//! `check`: a line for each thing that a deployment stands on, ok or what to do.

use super::completion::Completion;
use super::context::Context;
use crate::base::config::TransportKind;
use crate::base::random;
use crate::credentials::keyring::Keyring;
use crate::domain::{EmailAddress, MemberId, NoticeId};
use crate::gateway::Gateway;
use crate::mail::{NoticeEmail, Renderer, Template, Transport};
use crate::store::Store;
use anyhow::{Context as _, anyhow};
use chrono::TimeDelta;

/// Collects the lines.
struct Lines {
    json: bool,
    failed: bool,
}

impl Lines {
    fn say<T>(&mut self, what: &str, result: anyhow::Result<T>, ok: impl FnOnce(&T) -> String) -> Option<T> {
        let (good, words) = match &result {
            Ok(value) => (true, ok(value)),
            Err(error) => (false, format!("{error:#}")),
        };
        self.failed |= !good;
        self.print(what, if good { "ok" } else { "FAILED" }, &words);
        result.ok()
    }

    /// A line about something that the daemon can work with.
    fn warn(&self, what: &str, words: &str) {
        self.print(what, "warning", words);
    }

    fn print(&self, what: &str, level: &str, words: &str) {
        if self.json {
            let (ok, level) = (level != "FAILED", level.to_lowercase());
            println!("{}", serde_json::json!({ "check": what, "ok": ok, "level": level, "message": words }));
        } else {
            println!("{level:<7} {what:<14} {words}");
        }
    }
}

/// `check [--member ID] [--send-test ADDR]`.
pub(super) async fn check(
    context: &Context,
    member: Option<&MemberId>,
    send_test: Option<&EmailAddress>,
) -> anyhow::Result<Completion> {
    let config = &context.config;
    let mut lines = Lines { json: context.json, failed: false };
    lines.say("configuration", Ok(()), |()| context.source());
    let store = Store::open(&config.database.url).await.map_err(Into::into);
    if let Some(store) = lines.say("database", store, |store| store.path().display().to_string()) {
        store.close().await;
    }
    lines.say("keys", Keyring::open(&config.keys.file).map_err(Into::into), |_| {
        config.keys.file.display().to_string()
    });
    let gateway = async {
        let gateway = Gateway::new(&config.gateway, context.clock.clone())?;
        gateway.probe().await.with_context(|| {
            let url = &config.gateway.url;
            format!(
                "no usable answer; see that gateway.url is right and that this machine may connect to {url}"
            )
        })?;
        Ok(gateway)
    };
    let gateway = lines.say("gateway", gateway.await, |_| format!("{} answers", config.gateway.url));
    if let Some(gateway) = &gateway {
        clock(gateway, &mut lines);
    }
    let proof = if lines.failed && member.is_none() {
        Ok(Proof::NotTried("something above has to be put right first"))
    } else {
        prove_credentials(context, member).await
    };
    lines.say("credentials", proof, Proof::words);
    let renderer = templates(context, &mut lines);
    let transport = lines.say("mail", Transport::new(&config.email).map_err(Into::into), |_| {
        match config.email.transport {
            TransportKind::Smtp => format!("to {}:{}", config.email.smtp.host, config.email.smtp.port),
            TransportKind::File => format!("files in {}", config.email.directory.display()),
            TransportKind::Stdout => "standard output".into(),
        }
    });
    if let Some(transport) = &transport {
        let probe = transport.probe().await.with_context(|| match config.email.transport {
            TransportKind::Smtp => {
                "see that email.smtp is right and that this machine may connect to the server"
            }
            TransportKind::File => "see that email.directory is there and can be written to",
            TransportKind::Stdout => "see where standard output leads",
        });
        lines.say("mail server", probe, |()| "takes our connection".into());
    }
    let public = &config.links.public_url;
    lines.say("public URL", Ok(()), |()| match public.scheme() {
        // The daemon speaks http, so something before it speaks https.
        "https" if config.links.trusted_proxies == 0 => format!(
            "{public}: a proxy stands before links.listen; unless links.trusted_proxies counts it, all members are one \
             client to links.requests_per_minute"
        ),
        "https" => format!("{public} (that it leads here can only be tried from outside)"),
        _ => format!("{public}: links open on this machine only; set links.public_url for members"),
    });
    if let Some(to) = send_test {
        let sent = async {
            let renderer = renderer.ok_or_else(|| anyhow!("there are no templates to write it with"))?;
            let transport = transport.ok_or_else(|| anyhow!("there is no way to send it"))?;
            let mail = renderer.render(&test_notice(context, to))?;
            Ok(transport.send(&mail).await?)
        };
        lines.say("test mail", sent.await, |accepted| format!("accepted: {}", accepted.reply));
    }
    if lines.failed { Err(anyhow!("not everything is in order")) } else { Ok(Completion::Complete) }
}

/// A clock that is off makes tokens look expired, and ID tokens be refused.
const MAX_SKEW: TimeDelta = TimeDelta::minutes(2);

fn clock(gateway: &Gateway, lines: &mut Lines) {
    match gateway.clock_skew() {
        None => {
            lines.warn("clock", "the gateway's responses have no Date to compare this machine's clock with")
        }
        Some(skew) if skew.abs() >= MAX_SKEW => {
            let (seconds, side) =
                (skew.num_seconds().abs(), if skew > TimeDelta::zero() { "ahead of" } else { "behind" });
            let words = format!(
                "this machine's clock is {seconds} s {side} the gateway's; set it, and keep it set (NTP)"
            );
            lines.warn("clock", &words);
        }
        Some(_) => drop(lines.say("clock", Ok(()), |()| "agrees with the gateway's".into())),
    }
}

/// How many members are tried before the credentials are called refused: one refusal may be that member's own.
const TRIED: u32 = 3;

/// Whether the gateway gives access tokens for what the configuration and the members hold.
enum Proof {
    Granted(MemberId),
    NotTried(&'static str),
}

impl Proof {
    fn words(&self) -> String {
        match self {
            Self::Granted(member) => format!("the gateway gave a new access token for {member}"),
            Self::NotTried(why) => format!("not tried: {why}"),
        }
    }
}

/// Gets one real access token, for this member or for one whose credential is not known to be bad.
async fn prove_credentials(context: &Context, member: Option<&MemberId>) -> anyhow::Result<Proof> {
    let app = context.app().await?;
    let candidates = match member {
        Some(member) => vec![member.clone()],
        None => app.store.members_with_credential(context.needs_token(), TRIED).await?,
    };
    let mut refused = None;
    for member in candidates {
        match app.access.refresh_now(&member).await {
            Ok(()) => {
                app.access.drain().await;
                return Ok(Proof::Granted(member));
            }
            Err(error) => {
                let error = anyhow::Error::new(error);
                refused = Some(error.context(format!(
                    "no access token for {member}; see gateway.client_key and gateway.auth"
                )));
            }
        }
    }
    app.access.drain().await;
    refused.map_or(Ok(Proof::NotTried("no member has a credential that can be tried")), Err)
}

fn templates(context: &Context, lines: &mut Lines) -> Option<Renderer> {
    let config = &context.config;
    let renderer = Renderer::new(&config.notices, &config.email, &config.links);
    let renderer = lines.say("templates", renderer.map_err(Into::into), |renderer| {
        let (languages, level) = (renderer.languages().join(", "), config.notices.disclosure.as_str());
        format!("every email renders ({languages}) and discloses nothing beyond {level:?}")
    })?;
    for warning in renderer.warnings() {
        lines.warn("templates", &warning.to_string());
    }
    let wanted = config.notices.locale.as_str();
    if !renderer.has(wanted) {
        let used = renderer.language(None);
        let warning = format!(
            "no templates for notices.locale = {wanted:?}; members without a locale get emails in {used:?}"
        );
        lines.warn("templates", &warning);
    }
    Some(renderer)
}

fn test_notice(context: &Context, to: &EmailAddress) -> NoticeEmail {
    let now = context.clock.now();
    NoticeEmail {
        id: NoticeId::new(random::id(now)),
        to: to.clone(),
        unsubscribe: None,
        ttl: context.config.links.ttl,
        date: now,
        ..NoticeEmail::sample(Template::Expired, None)
    }
}
