//! The running simulator.

use super::{
    app::App,
    http,
    mailbox::Mailbox,
    paths, schema,
    smtp::{self, SmtpTls},
    world::World,
};
use crate::base::clock::Clock;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// How long requests under way may take when the simulator stops.
const GRACE: Duration = Duration::from_secs(5);

/// The settings of a simulator.
pub struct Options {
    /// The address of the gateway and of all pages. Port 0: any free port.
    pub listen: SocketAddr,
    /// The address of the mail server. Port 0: any free port.
    pub smtp: SocketAddr,
    /// The number of members `m1` to `mN` in addition to the named ones.
    pub members: u32,
    /// The clock of the simulated world.
    pub clock: Clock,
    /// The mail server's TLS mode.
    pub smtp_tls: SmtpTls,
    /// The required user name and password of the mail server. `None`: it accepts any, or none.
    pub smtp_credentials: Option<(String, String)>,
}

impl Default for Options {
    /// Uses free loopback ports, the system clock, and only the named members.
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: any,
            smtp: any,
            members: 0,
            clock: Clock::System,
            smtp_tls: SmtpTls::None,
            smtp_credentials: None,
        }
    }
}

/// The reason why a simulator does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not listen.
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    /// A part of it ended unexpectedly.
    #[error("the simulator stopped: {0}")]
    Stopped(String),
}

/// A running simulator. Dropping it stops it immediately; [`Simulator::shutdown`] lets requests finish.
pub struct Simulator {
    http_addr: SocketAddr,
    smtp_addr: SocketAddr,
    world: World,
    mailbox: Mailbox,
    stop: CancellationToken,
    tasks: JoinSet<Result<(), String>>,
}

impl Simulator {
    /// Binds both listeners and begins to serve.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let (http, http_addr) = bind(options.listen).await?;
        let (smtp, smtp_addr) = bind(options.smtp).await?;
        let stop = CancellationToken::new();
        let base = format!("http://{}", reachable(http_addr));
        let world = World::new(options.clock.clone(), base, options.members);
        let mailbox = Mailbox::new();
        let app = App {
            schema: schema::new(world.clone()),
            world: world.clone(),
            mailbox: mailbox.clone(),
            stop: stop.clone(),
        };
        let server = smtp::Server {
            script: None,
            mailbox: mailbox.clone(),
            clock: options.clock,
            tls: options.smtp_tls,
            credentials: options.smtp_credentials,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(http::serve(http, http::routes(app), stop.clone()));
        let smtp_stop = stop.clone();
        tasks.spawn(async move {
            smtp::serve(smtp, Arc::new(server), smtp_stop).await;
            Ok(())
        });
        Ok(Self { http_addr, smtp_addr, world, mailbox, stop, tasks })
    }

    /// The gateway's GraphQL endpoint.
    pub fn gateway_url(&self) -> String {
        format!("{}{}", self.base_url(), paths::GRAPHQL)
    }

    /// The token endpoint for token exchange.
    pub fn token_url(&self) -> String {
        format!("{}/identity/oauth/token", self.base_url())
    }

    /// The operator's endpoint for access tokens.
    pub fn broker_url(&self) -> String {
        format!("{}/broker/token", self.base_url())
    }

    /// The URL of its pages, without a trailing slash.
    pub fn base_url(&self) -> &str {
        &self.world.0.base
    }

    /// The address of the HTTP server.
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// The address of the mail server.
    pub fn smtp_addr(&self) -> SocketAddr {
        self.smtp_addr
    }

    /// The world behind the gateway.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The received emails.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Waits until a part of it fails. Cancelling the wait loses nothing.
    pub async fn failed(&mut self) -> Error {
        match self.tasks.join_next().await {
            Some(ended) => {
                Error::Stopped(ended_how(ended).err().unwrap_or_else(|| "a listener ended".into()))
            }
            None => Error::Stopped("it has failed before".into()),
        }
    }

    /// Stops serving and lets requests in progress finish.
    pub async fn shutdown(mut self) -> Result<(), Error> {
        self.stop.cancel();
        let mut outcome = Ok(());
        let ending = async {
            while let Some(ended) = self.tasks.join_next().await {
                outcome = std::mem::replace(&mut outcome, Ok(())).and(ended_how(ended));
            }
        };
        if tokio::time::timeout(GRACE, ending).await.is_err() {
            outcome = outcome.and(Err("a request did not finish in time".into()));
        }
        outcome.map_err(Error::Stopped)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let wrong = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    let bound = listener.local_addr().map_err(wrong)?;
    Ok((listener, bound))
}

/// An address that a client on this machine can use: a listener on every interface is reached through the
/// loopback.
fn reachable(bound: SocketAddr) -> SocketAddr {
    match bound {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], v4.port())),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, v6.port()))
        }
        other => other,
    }
}

fn ended_how(ended: Result<Result<(), String>, tokio::task::JoinError>) -> Result<(), String> {
    match ended {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(cause) => Err(http::panic_message(cause.as_ref())),
            Err(_) => Ok(()),
        },
    }
}
