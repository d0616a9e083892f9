//! The bounded queue between the pages and the counter. Recording never waits: a full queue drops the request, and no
//! response depends on it.

use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use crate::domain::{LinkAction, LinkRequest, RequestSignals, TokenHash};
use tokio::sync::mpsc;

const CAPACITY: usize = 4096;

/// Records requests for the counter. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RequestRecorder {
    sender: mpsc::Sender<QueuedRequest>,
    clock: Clock,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct QueuedRequest {
    pub(crate) link: TokenHash,
    pub(crate) request: LinkRequest,
}

pub(super) fn request_queue(clock: Clock) -> (RequestRecorder, mpsc::Receiver<QueuedRequest>) {
    with_capacity(CAPACITY, clock)
}

fn with_capacity(capacity: usize, clock: Clock) -> (RequestRecorder, mpsc::Receiver<QueuedRequest>) {
    let (sender, receiver) = mpsc::channel(capacity);
    (RequestRecorder { sender, clock }, receiver)
}

impl RequestRecorder {
    /// Records a request that has just arrived. `link` can be unknown to the store.
    pub(crate) fn record(&self, link: TokenHash, action: LinkAction, signals: RequestSignals) {
        let request = LinkRequest { action, received_at: self.clock.now(), signals };
        if self.sender.try_send(QueuedRequest { link, request }).is_err() {
            metrics::count_dropped_link_request();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_exporter_prometheus::PrometheusBuilder;

    #[test]
    fn a_full_queue_drops_requests_and_counts_them() {
        let (requests, mut queue) = with_capacity(2, Clock::System);
        let recorder = PrometheusBuilder::new().build_recorder();
        ::metrics::with_local_recorder(&recorder, || {
            for number in 0..5 {
                requests.record(TokenHash([number; 32]), LinkAction::View, RequestSignals::default());
            }
        });
        let queued: Vec<_> =
            std::iter::from_fn(|| queue.try_recv().ok()).map(|queued| queued.link.0[0]).collect();
        assert_eq!(queued, [0, 1]);
        let text = recorder.handle().render();
        assert!(text.contains("reconnectd_link_requests_dropped_total 3"), "{text}");
    }
}
