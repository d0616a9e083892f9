//! Sample emails: the combinations of values that a template can distinguish.

use super::{
    notice::{ConnectionLabel, Template},
    render::{BrandValues, Values},
};
use crate::domain::SourceType;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) template: Template,
    count: usize,
    unsubscribe: bool,
    sign_in: bool,
    ttl: Duration,
}

pub(super) const LINK: &str = "https://sample.test/r/x";
const UNSUBSCRIBE: &str = "https://sample.test/u/x";
/// Shown in minutes, as one hour, in hours and in days; the configured lifetime is added.
const TTLS: [u64; 4] = [60, 3600, 36 * 3600, 7 * 86_400];
/// Up to one more than an email names.
const COUNTS: [usize; 4] = [1, 2, 3, 4];
pub(super) const SOURCE_TYPES: [SourceType; 5] = [
    SourceType::Pharmacy,
    SourceType::Lab,
    SourceType::Clinical,
    SourceType::Insurance,
    SourceType::Practitioner,
];

impl Case {
    pub(super) fn matrix(template: Template, configured: Duration) -> Vec<Self> {
        let mut ttls = TTLS.map(Duration::from_secs).to_vec();
        ttls.retain(|ttl| *ttl != configured);
        let mut cases = Vec::new();
        for count in COUNTS.into_iter().filter(|count| template.accepts_count(*count)) {
            let one = Self { template, count, unsubscribe: true, sign_in: true, ttl: configured };
            cases.extend([one, Self { unsubscribe: false, ..one }, Self { sign_in: false, ..one }]);
            cases.extend(ttls.iter().map(|&ttl| Self { ttl, ..one }));
        }
        cases
    }

    pub(super) fn connections(&self) -> Vec<ConnectionLabel> {
        let label = |index: usize| ConnectionLabel {
            name: format!("Source {index}"),
            source_type: Some(SOURCE_TYPES[index % SOURCE_TYPES.len()].clone()),
            needs_sign_in: self.sign_in,
        };
        (0..self.count).map(label).collect()
    }

    pub(super) fn values(&self, sources: Option<String>, brand: BrandValues) -> Values<'static> {
        Values {
            operator: "Sample",
            brand,
            link: if self.template.has_link() { LINK } else { "" },
            unsubscribe: if self.unsubscribe { UNSUBSCRIBE } else { "" },
            sign_in: sources.is_some().then_some(self.sign_in),
            sources,
            count: self.count,
            last: self.template == Template::LastReminder,
            ttl: self.ttl,
        }
    }
}
