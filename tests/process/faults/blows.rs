//! What happens to an instance, or to all.

use super::fleet::{Fleet, Instance, Place};
use crate::{postgres, tcp_proxy::TcpProxy};
use std::time::{Duration, Instant};

/// Until the others have noticed: a silent instance is presumed dead after 15 seconds, and they look every 5.
const STOP: Duration = Duration::from_secs(22);
/// Without others, nothing is to notice.
const STOP_ALONE: Duration = Duration::from_secs(3);
/// A loss is noticed, and work goes on meanwhile elsewhere.
const OUTAGE: Duration = Duration::from_millis(1_500);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Blow {
    Kill,
    Stop,
    Terminate,
    CutOffDatabase,
    StallDatabase,
    /// By the server of the database.
    EndSessions,
    CutOffGateway,
    StallGateway,
    CutOffMailServer,
    StallMailServer,
}

impl Instance {
    fn resume(&mut self) {
        if let (Some(daemon), Some(_)) = (&self.daemon, self.stopped_at.take()) {
            daemon.running.signal("CONT");
        }
    }

    pub(super) fn resume_if_due(&mut self) {
        if self.stopped_at.is_some_and(|at| at.elapsed() >= STOP) {
            self.resume();
        }
    }
}

impl Fleet {
    pub(super) async fn strike(&mut self, blow: Blow) {
        *self.blows.entry(blow).or_default() += 1;
        // At no particular moment.
        tokio::time::sleep(Duration::from_millis(200 + self.dice.below(800) as u64)).await;
        // One that is stopped is left alone, and once it goes on, it has time to notice what became of its leases.
        let all = 0..self.instances.len();
        let running: Vec<_> = all.filter(|n| self.instances[*n].stopped_at.is_none()).collect();
        self.instances.iter_mut().for_each(Instance::resume_if_due);
        let victim = running[self.dice.below(running.len())];
        let instance = &mut self.instances[victim];
        match blow {
            Blow::Kill => {
                let daemon = instance.daemon.take().expect("it runs");
                self.logs += &daemon.running.kill().stderr;
                instance.start().await;
            }
            Blow::Terminate => {
                let daemon = instance.daemon.take().expect("it runs");
                self.logs += &daemon.running.stopped().await.well().stderr;
                instance.start().await;
            }
            Blow::Stop => {
                let is_alone = matches!(self.place, Place::File);
                // At least one goes on.
                if is_alone || running.len() > 1 {
                    instance.daemon.as_ref().expect("it runs").running.signal("STOP");
                    instance.stopped_at = Some(Instant::now());
                }
                if is_alone {
                    tokio::time::sleep(STOP_ALONE).await;
                    instance.resume();
                }
            }
            Blow::CutOffDatabase => cut(instance.database.as_ref().expect("a server")).await,
            Blow::CutOffGateway => cut(&instance.gateway).await,
            Blow::CutOffMailServer => cut(&instance.mail_server).await,
            Blow::StallGateway => stall(&[&instance.gateway]).await,
            Blow::StallMailServer => stall(&[&instance.mail_server]).await,
            Blow::StallDatabase => {
                let proxies: Vec<_> =
                    self.instances.iter().filter_map(|instance| instance.database.as_ref()).collect();
                stall(&proxies).await;
            }
            Blow::EndSessions => {
                let Place::Server(database) = &self.place else { unreachable!("a file has no sessions") };
                postgres::run_in(
                    &postgres::name_of(database),
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()",
                );
            }
        }
    }
}

async fn cut(proxy: &TcpProxy) {
    proxy.cut();
    tokio::time::sleep(OUTAGE).await;
    proxy.restore();
}

async fn stall(proxies: &[&TcpProxy]) {
    proxies.iter().for_each(|proxy| proxy.stall());
    tokio::time::sleep(OUTAGE).await;
    proxies.iter().for_each(|proxy| proxy.restore());
}
