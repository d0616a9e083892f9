//! How fast mails are written, against how fast a mail server takes them: `cargo bench --bench render`.
//!
//! Writes 100,000 notices of every kind in every language on one core, and hands some thousands to the simulated mail
//! server over one loopback connection, as the daemon does. What is slower bounds a big day.

use reconnectd::{
    base::config::{Config, DEFAULTS, Tls},
    base::random,
    domain::{LinkToken, NoticeId, SourceType},
    mail::{ConnectionLabel, NoticeEmail, Renderer, Template, Transport},
    sim::{Options, Simulator},
};
use std::time::{Duration, Instant};

const WRITTEN: usize = 100_000;
const SENT: usize = 5_000;

fn notice(renderer: &Renderer, index: usize) -> NoticeEmail {
    let kind = Template::ALL[index % Template::ALL.len()];
    let languages = renderer.languages();
    let source =
        |name: &str| ConnectionLabel { name: name.to_owned(), source_type: Some(SourceType::Clinical) };
    let connections = if kind == Template::Several {
        vec![source("Epic MyChart"), source("Clínica del Mar")]
    } else {
        vec![source("Epic MyChart")]
    };
    NoticeEmail {
        id: NoticeId::new(format!("{index:036}")),
        to: format!("member{index}@example.org").parse().expect("an address"),
        locale: Some(languages[index / Template::ALL.len() % languages.len()].clone()),
        kind,
        link: (kind != Template::Recovered).then(random::link_token),
        unsubscribe: Some(LinkToken::new("x".repeat(43))),
        connections,
        ttl: Duration::from_secs(7 * 86_400),
        date: Default::default(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config: Config = toml::from_str(DEFAULTS)?;
    let started = Instant::now();
    let renderer = Renderer::new(&config.notices, &config.email, &config.links)?;
    println!(
        "templates  read, tried and searched for leaks in {:.0} ms",
        started.elapsed().as_secs_f64() * 1000.0
    );

    let started = Instant::now();
    let mut bytes = 0;
    for index in 0..WRITTEN {
        bytes += renderer.render(&notice(&renderer, index))?.eml().len();
    }
    let took = started.elapsed().as_secs_f64();
    let written = WRITTEN as f64 / took;
    println!(
        "writing    {WRITTEN} mails of {} bytes in {took:.1} s: {written:.0} a second, on one core",
        bytes / WRITTEN
    );

    let simulator = Simulator::start(Options::default()).await?;
    config.email.smtp.host = simulator.smtp_addr().ip().to_string();
    config.email.smtp.port = simulator.smtp_addr().port();
    config.email.smtp.tls = Tls::None;
    config.email.per_minute = 0;
    let transport = Transport::new(&config.email)?;
    let mails =
        (0..SENT).map(|index| renderer.render(&notice(&renderer, index))).collect::<Result<Vec<_>, _>>()?;
    let started = Instant::now();
    for mail in &mails {
        transport.send(mail).await?;
    }
    let took = started.elapsed().as_secs_f64();
    assert_eq!(simulator.mailbox().received(), SENT as u64);
    simulator.shutdown().await?;
    let sent = SENT as f64 / took;
    println!("sending    {SENT} mails over loopback SMTP in {took:.1} s: {sent:.0} a second");
    println!(
        "ratio      writing is {:.1} times as fast: of 100000 notices, {:.0} s go into writing, {:.0} s into sending",
        written / sent,
        100_000.0 / written,
        100_000.0 / sent
    );
    Ok(())
}
