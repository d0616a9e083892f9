//! The rate of rendering emails, compared with the rate of handing them to a mail server: `cargo bench --bench render`.
//!
//! Renders 100,000 notices of every kind in every language on one core, and sends some thousands to the simulated mail
//! server over one loopback connection, as the daemon does. What is slower bounds a big day.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use reconnectd::{
    base::config::{Config, DEFAULTS, Tls},
    base::instances::Instances,
    base::random,
    domain::NoticeId,
    mail::{EmailKind, NoticeEmail, Renderer, Transport},
    sim::{Options, Simulator},
};
use std::time::Instant;

const RENDERED: usize = 100_000;
const SENT: usize = 5_000;

fn notice(renderer: &Renderer, index: usize) -> NoticeEmail {
    let kind = EmailKind::ALL[index % EmailKind::ALL.len()];
    let languages = renderer.languages();
    let mut sample = NoticeEmail::sample(kind.template, None);
    for link in sample.sections.iter_mut().filter_map(|section| section.link.as_mut()) {
        *link = random::link_token();
    }
    NoticeEmail {
        id: NoticeId::new(format!("{index:036}")),
        to: format!("member{index}@example.org").parse().expect("an address"),
        locale: Some(languages[index / EmailKind::ALL.len() % languages.len()].clone()),
        urgency: kind.urgency,
        ..sample
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config: Config = toml::from_str(DEFAULTS)?;
    let started = Instant::now();
    let renderer = Renderer::new(&config.brand(), &config.notices, &config.email, &config.links)?;
    println!("templates  read and validated in {:.0} ms", started.elapsed().as_secs_f64() * 1000.0);

    let started = Instant::now();
    let mut bytes = 0;
    for index in 0..RENDERED {
        bytes += renderer.render(&notice(&renderer, index))?.eml().len();
    }
    let took = started.elapsed().as_secs_f64();
    let rendered = RENDERED as f64 / took;
    println!(
        "rendering  {RENDERED} emails of {} bytes in {took:.1} s: {rendered:.0} a second, on one core",
        bytes / RENDERED
    );

    let simulator = Simulator::start(Options::default()).await?;
    config.email.smtp.host = simulator.smtp_addr().ip().to_string();
    config.email.smtp.port = simulator.smtp_addr().port();
    config.email.smtp.tls = Tls::None;
    config.email.per_minute = 0;
    let transport = Transport::new(&config.email, &Instances::alone())?;
    let emails =
        (0..SENT).map(|index| renderer.render(&notice(&renderer, index))).collect::<Result<Vec<_>, _>>()?;
    let started = Instant::now();
    for email in &emails {
        transport.send(email).await?;
    }
    let took = started.elapsed().as_secs_f64();
    assert_eq!(simulator.mailbox().received(), SENT as u64);
    simulator.shutdown().await?;
    let sent = SENT as f64 / took;
    println!("sending    {SENT} emails over loopback SMTP in {took:.1} s: {sent:.0} a second");
    println!(
        "ratio      rendering is {:.1} times as fast: 100000 notices take {:.0} s to render and {:.0} s to send",
        rendered / sent,
        100_000.0 / rendered,
        100_000.0 / sent
    );
    Ok(())
}
