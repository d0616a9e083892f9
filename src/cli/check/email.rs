//! Whether email can be sent.

use super::checklist::Checklist;
use crate::base::config::{Email, TransportKind};
use crate::base::instances::Instances;
use crate::base::random;
use crate::cli::context::Context;
use crate::domain::{EmailAddress, NoticeId};
use crate::mail::{NoticeEmail, Renderer, Template, Transport};
use anyhow::{Context as _, anyhow};
use std::io;

pub(super) async fn check_transport(
    email: &Email,
    checklist: &mut Checklist,
) -> io::Result<Option<Transport>> {
    let transport =
        checklist.result("mail", Transport::new(email, &Instances::alone()).map_err(Into::into), |_| {
            match email.transport {
                TransportKind::Smtp => format!("to {}:{}", email.smtp.host, email.smtp.port),
                TransportKind::File => format!("to files in {}", email.directory.display()),
                TransportKind::Stdout => "to standard output".into(),
            }
        })?;
    if let Some(transport) = &transport {
        let probe = transport.probe().await.with_context(|| match email.transport {
            TransportKind::Smtp => "check email.smtp, and that this machine can connect to the server",
            TransportKind::File => "check that email.directory exists and is writable",
            TransportKind::Stdout => "check where standard output leads",
        });
        checklist.result("mail server", probe, |()| "accepts connections".into())?;
    }
    Ok(transport)
}

pub(super) async fn send_test(
    context: &Context,
    to: &EmailAddress,
    renderer: Option<Renderer>,
    transport: Option<Transport>,
    checklist: &mut Checklist,
) -> io::Result<()> {
    let sent = async {
        let renderer = renderer.ok_or_else(|| anyhow!("the templates cannot be used"))?;
        let transport = transport.ok_or_else(|| anyhow!("the mail transport cannot be used"))?;
        let email = renderer.render(&sample(context, to))?;
        Ok(transport.send(&email).await?)
    };
    checklist.result("test mail", sent.await, |accepted| format!("accepted: {}", accepted.reply))?;
    Ok(())
}

fn sample(context: &Context, to: &EmailAddress) -> NoticeEmail {
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
