//! `demo`: the whole story on this machine, with nothing to set up.

use super::completion::Completion;
use super::run;
use crate::base::clock::Clock;
use crate::base::config::Config;
use crate::base::telemetry;
use crate::credentials::keyring::Keyring;
use crate::domain::{Lapse, LapseState, MemberId, Outcome, RefreshToken, Status};
use crate::server::Daemon;
use crate::server::components::App;
use crate::sim::{Options, Simulator, TestBrowser};
use crate::store::Store;
use anyhow::{Context, bail, ensure};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const MEMBERS: [&str; 3] = ["alice", "bob", "carol"];
/// How long a step of the story may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// `demo [--once]`.
pub(super) async fn demo(once: bool) -> anyhow::Result<Completion> {
    let stop = run::stop_signal()?;
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let simulator = Simulator::start(Options {
        listen: preferred(8081, once),
        smtp: preferred(2525, once),
        clock: Clock::System,
        ..Options::default()
    })
    .await?;
    let config = configuration(folder.path(), &simulator, once)?;
    telemetry::init(&config.telemetry)?;
    let public_url = config.links.public_url.clone();
    let app = App::with_keyring(config, Clock::System, Keyring::ephemeral()).await?;
    enrol(&app).await?;
    let daemon = Daemon::start(app.clone(), Some(telemetry::metrics::install()?)).await?;
    let admin = daemon.admin_addr;
    let ending = CancellationToken::new();
    let mut running = tokio::spawn(daemon.run(ending.clone()));

    if once {
        let told = tokio::select! {
            told = story(&simulator, &app.store) => told,
            ended = &mut running => bail!("the daemon ended: {:?}", ended?.err()),
            () = stop.cancelled() => bail!("interrupted"),
        };
        ending.cancel();
        running.await??;
        simulator.shutdown().await?;
        return told.map(|()| Completion::Complete);
    }
    println!("reconnectd is running on this machine, with a simulated gateway and mailbox.\n");
    println!("  control page  {}/       expire a connection here", simulator.base_url());
    println!("  mailbox       {}/mail   the notice arrives here; open its link", simulator.base_url());
    println!("  member pages  {public_url}");
    println!("  metrics       http://{admin}/metrics\n");
    println!("Ctrl-C ends it; nothing is kept.");
    tokio::select! {
        () = stop.cancelled() => {}
        ended = &mut running => bail!("the daemon ended: {:?}", ended?.err()),
    }
    ending.cancel();
    running.await??;
    simulator.shutdown().await?;
    Ok(Completion::Complete)
}

/// The built-in defaults with a quick schedule, as an operator would write them into the environment.
fn configuration(folder: &Path, simulator: &Simulator, once: bool) -> anyhow::Result<Config> {
    let links = free(preferred(8080, once))?;
    let admin = free(preferred(9090, once))?;
    let smtp = simulator.smtp_addr();
    let settings = [
        ("DATABASE__URL", format!("sqlite://{}", folder.join("demo.db").display())),
        ("GATEWAY__URL", simulator.gateway_url()),
        ("GATEWAY__CLIENT_KEY", "demo".into()),
        ("SWEEP__SCHEDULE", "* * * * * *".into()),
        ("SWEEP__RECHECK", "1s,2s,5s,10s,30s".into()),
        ("NOTICES__MIN_GAP", "0s".into()),
        ("EMAIL__FROM", "Example Health <no-reply@example.org>".into()),
        ("EMAIL__SMTP__HOST", smtp.ip().to_string()),
        ("EMAIL__SMTP__PORT", smtp.port().to_string()),
        ("EMAIL__SMTP__TLS", "none".into()),
        ("LINKS__LISTEN", links.to_string()),
        ("LINKS__PUBLIC_URL", format!("http://{links}")),
        ("ADMIN__LISTEN", admin.to_string()),
        ("TELEMETRY__LOG", "warn".into()),
    ];
    let variables = settings.map(|(key, value)| (format!("RECONNECTD__{key}"), value));
    Ok(Config::load(None, variables)?.config)
}

/// The port that the reader expects, if it is free; any for a story that plays itself.
fn preferred(port: u16, once: bool) -> SocketAddr {
    let wanted = SocketAddr::from(([127, 0, 0, 1], if once { 0 } else { port }));
    free(wanted).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// An address that can be listened on. The mails' links have to name the port before anything listens there.
fn free(wanted: SocketAddr) -> std::io::Result<SocketAddr> {
    TcpListener::bind(wanted)?.local_addr()
}

async fn enrol(app: &App) -> anyhow::Result<()> {
    let mut import = app.store.import(app.clock.now()).await?;
    for id in MEMBERS {
        let member = crate::domain::Member {
            id: id.into(),
            email: format!("{id}@example.org").parse()?,
            locale: None,
            time_zone: None,
            subject: id.into(),
            paused: false,
        };
        let credential = app.keyring.new_credential(&member.id, &RefreshToken::new(format!("rt-{id}")))?;
        import.add(&[(member, Some(credential))]).await?;
    }
    import.commit().await?;
    Ok(())
}

/// Tells the story as it happens, and fails where it does not.
async fn story(simulator: &Simulator, store: &Store) -> anyhow::Result<()> {
    let begun = Instant::now();
    let step = |words: &str| println!("{:>6.1}s  {words}", begun.elapsed().as_secs_f32());
    let (member, source) = (MemberId::from("alice"), "epic");
    let person = TestBrowser::new()?;

    step("alice, bob and carol are enrolled; the first sweep asks about their connections");
    until(
        "the first sweep",
        async || Ok(status_of(store, &member, source).await? == Some(Status::Connected)),
    )
    .await?;
    step("alice's connection to epic is CONNECTED");

    simulator.world().set_status("alice", source, "EXPIRED")?;
    step("at the gateway, it expires");
    until("the transition", async || Ok(status_of(store, &member, source).await? == Some(Status::Expired)))
        .await?;
    step("a sweep has seen it and recorded the transition CONNECTED → EXPIRED");
    until("the lapse", async || {
        Ok(lapse(store, &member).await?.is_some_and(|l| l.state == LapseState::Open))
    })
    .await?;
    step("another sweep has confirmed it: a lapse is open");

    let mails =
        tokio::time::timeout(PATIENCE, simulator.mailbox().wait_for(1)).await.context("no mail came")?;
    let mail = mails.first().context("no mail came")?;
    step(&format!("a mail reached alice: “{}”", mail.subject().unwrap_or_default()));
    let link =
        mail.links().into_iter().find(|link| link.contains("/r/")).context("the mail holds no link")?;

    for _ in 0..2 {
        let page = person.open(&link).await?;
        ensure!(page.status == 200 && page.has_button(), "the link's page offers no button");
    }
    step("its link opens a page with one button; looking at it, twice, has spent nothing");
    let pressed = person.press(&link, &[]).await?;
    let destination = pressed.location.context("the button leads nowhere")?;
    ensure!(pressed.status == 303, "the button answered {}", pressed.status);
    step("the button leads to the sign-in at epic (303)");
    person.allow(&destination).await?;
    step("alice allows the access there");

    until("recovery", async || {
        Ok(lapse(store, &member).await?.is_some_and(|lapse| lapse.outcome == Some(Outcome::Recovered)))
    })
    .await?;
    step("a recheck found it CONNECTED: the lapse is closed, recovered");
    let again = person.press(&link, &[]).await?;
    ensure!(again.status == 410 && again.location.is_none(), "the link could be used twice");
    step("the link is used up: pressing it again leads nowhere");
    let transitions = store.transitions(Some(&member), None, 100).await?;
    let path: Vec<&str> = transitions
        .iter()
        .filter(|transition| transition.connection_id.as_str() == source)
        .map(|transition| transition.to.as_str())
        .collect();
    ensure!(path == ["CONNECTED", "EXPIRED", "CONNECTED"], "the transitions are {path:?}");
    step("done: CONNECTED → EXPIRED → CONNECTED");
    Ok(())
}

async fn status_of(store: &Store, member: &MemberId, connection: &str) -> anyhow::Result<Option<Status>> {
    let all = store.connections(Some(member), None, 100).await?;
    Ok(all
        .into_iter()
        .find(|stored| stored.connection.id.as_str() == connection)
        .and_then(|stored| stored.connection.status))
}

async fn lapse(store: &Store, member: &MemberId) -> anyhow::Result<Option<Lapse>> {
    Ok(store.lapses(Some(member), None, 1).await?.pop())
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let watched = async {
        while !done().await? {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, watched).await.with_context(|| format!("waited in vain for {what}"))?
}
