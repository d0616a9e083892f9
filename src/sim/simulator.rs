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
    /// Where the gateway, its pages and the mailbox's pages are served. Port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Where mail is taken in. Port 0 takes any that is free.
    pub smtp: SocketAddr,
    /// Members `m1` to `mN` beside the named ones.
    pub members: u32,
    /// The clock of the simulated world.
    pub clock: Clock,
    /// The mail server's TLS mode.
    pub smtp_tls: SmtpTls,
    /// The user name and password that the mail server insists on; without them it takes any, or none.
    pub smtp_credentials: Option<(String, String)>,
}

impl Default for Options {
    /// On free ports of the loopback, by the system clock, with the named members alone.
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

/// Why a simulator does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not listen.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A part of it ended by itself.
    #[error("the simulator stopped: {0}")]
    Stopped(String),
}

/// A simulator that runs. Dropping it stops it at once; [`Simulator::shutdown`] does so in good order.
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

    /// Where its pages are, without a trailing slash.
    pub fn base_url(&self) -> &str {
        &self.world.0.base
    }

    /// Where HTTP is served.
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Where mail is taken in.
    pub fn smtp_addr(&self) -> SocketAddr {
        self.smtp_addr
    }

    /// The world behind the gateway.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Where the mail goes.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Waits until a part of it fails, which it never does by itself. Cancelling the wait loses nothing.
    pub async fn failed(&mut self) -> Error {
        match self.tasks.join_next().await {
            Some(ended) => {
                Error::Stopped(ended_how(ended).err().unwrap_or_else(|| "a listener ended".into()))
            }
            None => Error::Stopped("it has failed before".into()),
        }
    }

    /// Stops serving, lets requests under way finish, and says what went wrong, if anything did.
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
