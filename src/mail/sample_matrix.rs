//! The mails that there can be, as far as a template can tell one from another without being told of any source.

use super::{notice::Template, render::Values};
use minijinja::Value;
use std::time::Duration;

/// A mail to try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) kind: Template,
    pub(super) count: usize,
    pub(super) unsubscribe: bool,
    pub(super) ttl: Duration,
}

pub(super) const LINK: &str = "https://sample.test/r/x";
const UNSUBSCRIBE: &str = "https://sample.test/u/x";
/// Said in minutes, as one hour, in hours and in days; the configured one besides.
const TTLS: [u64; 4] = [60, 3600, 36 * 3600, 7 * 86_400];
/// Up to more than are named.
const COUNTS: [usize; 4] = [1, 2, 3, 4];

impl Case {
    /// The mails of a kind.
    pub(super) fn matrix(kind: Template, configured: Duration) -> Vec<Self> {
        let mut ttls = TTLS.map(Duration::from_secs).to_vec();
        ttls.retain(|ttl| *ttl != configured);
        let mut cases = Vec::new();
        for count in COUNTS.into_iter().filter(|count| kind.accepts_count(*count)) {
            let one = Self { kind, count, unsubscribe: true, ttl: configured };
            cases.extend([one, Self { unsubscribe: false, ..one }]);
            cases.extend(ttls.iter().map(|&ttl| Self { ttl, ..one }));
        }
        cases
    }

    /// With an operator and addresses that give nothing away.
    pub(super) fn values(&self, sources: Value) -> Values<'static> {
        Values {
            operator: "Sample",
            link: if self.kind == Template::Recovered { "" } else { LINK },
            unsubscribe: if self.unsubscribe { UNSUBSCRIBE } else { "" },
            sources,
            count: self.count,
            ttl: self.ttl,
        }
    }
}
