//! Service: where the web hands over who visits, to be counted later. Never waits: a visit that finds the queue full is
//! not counted, and no answer depends on it.

use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use crate::domain::{Act, TokenHash, Visit};
use std::hash::{DefaultHasher, Hash, Hasher};
use tokio::sync::mpsc;

/// Visits that can wait to be taken up.
const QUEUE: usize = 4096;

/// The way in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Visits {
    queue: mpsc::Sender<(TokenHash, Visit)>,
    clock: Clock,
}

/// The way out, for one who counts.
pub(crate) type Seen = mpsc::Receiver<(TokenHash, Visit)>;

/// What a request shows of its maker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traits<'a> {
    /// `HEAD`.
    pub(crate) head: bool,
    /// It says that it is made in advance.
    pub(crate) prefetch: bool,
    /// Its `User-Agent`.
    pub(crate) agent: &'a [u8],
}

impl Visits {
    /// An empty queue.
    pub(crate) fn new(clock: Clock) -> (Self, Seen) {
        Self::holding(QUEUE, clock)
    }

    fn holding(most: usize, clock: Clock) -> (Self, Seen) {
        let (queue, seen) = mpsc::channel(most);
        (Self { queue, clock }, seen)
    }

    /// Somebody visits, now. The link need not exist.
    pub(crate) fn seen(&self, link: TokenHash, act: Act, Traits { head, prefetch, agent }: Traits<'_>) {
        let mut hasher = DefaultHasher::new();
        agent.hash(&mut hasher);
        let visit = Visit { act, at: self.clock.now(), head, prefetch, agent: hasher.finish() };
        if self.queue.try_send((link, visit)).is_err() {
            metrics::visit_dropped();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_exporter_prometheus::PrometheusBuilder;

    #[test]
    fn a_visit_that_finds_the_queue_full_is_dropped_and_that_is_counted() {
        let (visits, mut seen) = Visits::holding(2, Clock::System);
        let recorder = PrometheusBuilder::new().build_recorder();
        ::metrics::with_local_recorder(&recorder, || {
            for number in 0..5 {
                visits.seen(TokenHash([number; 32]), Act::Look, Traits::default());
            }
        });
        let taken: Vec<_> = std::iter::from_fn(|| seen.try_recv().ok()).map(|(link, _)| link.0[0]).collect();
        assert_eq!(taken, [0, 1]);
        let text = recorder.handle().render();
        assert!(text.contains("reconnectd_visits_dropped_total 3"), "{text}");
    }

    #[test]
    fn agents_are_told_apart_and_not_kept() {
        let (visits, mut seen) = Visits::new(Clock::System);
        for agent in ["scanner/1.0", "Mozilla/5.0", "scanner/1.0"] {
            visits.seen(
                TokenHash([0; 32]),
                Act::Look,
                Traits { agent: agent.as_bytes(), ..Traits::default() },
            );
        }
        let agents: Vec<_> =
            std::iter::from_fn(|| seen.try_recv().ok()).map(|(_, visit)| visit.agent).collect();
        assert!(agents[0] == agents[2] && agents[0] != agents[1]);
    }
}
