//! The public pages, on an address that stays the same when another daemon serves them.

use crate::harness::Harness;
use reconnectd::{server, server::components::App, web};
use std::net::{SocketAddr, TcpListener};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) struct ServedPages {
    listener: TcpListener,
    served: Option<(JoinHandle<std::io::Result<()>>, DropGuard)>,
}

impl ServedPages {
    /// Emails contain the port of the pages, so the port must be known before the configuration.
    pub(crate) fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        Self { listener, served: None }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("its address")
    }

    pub(crate) fn serve(&mut self, app: &App) {
        let ending = CancellationToken::new();
        let listener = self.listener.try_clone().expect("another handle");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let router = web::public(server::public_state(app));
        let limits = web::ServerLimits::default();
        let served = tokio::spawn(web::serve(listener, router, limits, ending.clone()));
        self.served = Some((served, ending.drop_guard()));
    }

    /// Requests under way end first.
    pub(crate) async fn stop(&mut self) {
        if let Some((served, ending)) = self.served.take() {
            drop(ending);
            served.await.expect("the pages ran").expect("and were served");
        }
    }
}

impl Harness {
    /// The daemon ends. Nobody uses its files until [`Self::start_again`].
    pub(crate) async fn stop(&mut self) {
        self.pages.stop().await;
        self.app.store.close().await;
    }

    /// Another daemon starts on the same files, and serves the same links.
    pub(crate) async fn start_again(&mut self, settings: &[(&str, &str)]) {
        self.app = self.another_app(settings).await;
        self.pages.serve(&self.app);
    }
}
