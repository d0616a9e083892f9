//! The configuration and the members of the demo.

use crate::base::config::Config;
use crate::domain::{Member, RefreshToken};
use crate::server::components::App;
use crate::sim::Simulator;
use crate::store::ImportRow;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

const MEMBERS: [&str; 3] = ["alice", "bob", "carol"];

/// The members `m1`, `m2`, … of a storm.
pub(super) const STORM_MEMBERS: u32 = 60;
/// For the dashboard, which only this machine reaches.
pub(super) const ADMIN_TOKEN: &str = "demo";
/// A member and a source that are not part of the storm.
pub(super) const ORDINARY: (&str, &str) = ("bob", "kaiser-north");

/// The built-in defaults with a quick schedule.
pub(super) fn configuration(folder: &Path, simulator: &Simulator, once: bool) -> anyhow::Result<Config> {
    let links = free(preferred(8080, once))?;
    let admin = free(preferred(9090, once))?;
    let smtp = simulator.smtp_addr();
    let settings = [
        ("DATABASE__URL", format!("sqlite://{}", folder.join("demo.db").display())),
        ("GATEWAY__URL", simulator.gateway_url()),
        ("GATEWAY__CLIENT_KEY", "demo".into()),
        ("SWEEP__SCHEDULE", "* * * * * *".into()),
        ("SWEEP__RECHECK", "1s,2s,5s,10s,30s".into()),
        ("NOTICES__EXPIRED__FIRST_AFTER", "0s".into()),
        ("NOTICES__DISCONNECTED__FIRST_AFTER", "0s".into()),
        ("NOTICES__MIN_GAP", "0s".into()),
        ("NOTICES__QUIET_HOURS", String::new()),
        ("EMAIL__FROM", "Example Health <no-reply@example.org>".into()),
        ("EMAIL__SMTP__HOST", smtp.ip().to_string()),
        ("EMAIL__SMTP__PORT", smtp.port().to_string()),
        ("EMAIL__SMTP__TLS", "none".into()),
        ("LINKS__LISTEN", links.to_string()),
        ("LINKS__PUBLIC_URL", format!("http://{links}")),
        ("ADMIN__LISTEN", admin.to_string()),
        ("ADMIN__TOKEN", ADMIN_TOKEN.into()),
        // Nearly all connections of the demo are part of its storm, which is about one source.
        ("STORM__FLEET_SHARE", "1".into()),
        ("STORM__WINDOW", "5s".into()),
        ("TELEMETRY__LOG", "warn".into()),
    ];
    let variables = settings.map(|(key, value)| (format!("RECONNECTD__{key}"), value));
    Ok(Config::load(None, variables)?.config)
}

/// The port that the documentation names, if it is free. With `once`, any free port.
pub(super) fn preferred(port: u16, once: bool) -> SocketAddr {
    let wanted = SocketAddr::from(([127, 0, 0, 1], if once { 0 } else { port }));
    free(wanted).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// Resolves port 0, because links need the port before the daemon listens.
fn free(wanted: SocketAddr) -> std::io::Result<SocketAddr> {
    TcpListener::bind(wanted)?.local_addr()
}

pub(super) async fn enroll(app: &App, storm_members: u32) -> anyhow::Result<()> {
    let members = MEMBERS.map(str::to_owned).into_iter().chain((1..=storm_members).map(|n| format!("m{n}")));
    let mut rows = Vec::new();
    for (line, id) in (1..).zip(members) {
        let id = id.as_str();
        let member = Member {
            id: id.into(),
            email: format!("{id}@example.org").parse()?,
            locale: None,
            time_zone: None,
            subject: id.into(),
            label: None,
            paused: false,
        };
        let credential = app.keyring.new_credential(&member.id, &RefreshToken::new(format!("rt-{id}")))?;
        rows.push(ImportRow { line, edit: member.into(), credential: Some(credential) });
    }
    app.store.import_all(&rows, app.clock.now()).await?;
    Ok(())
}
