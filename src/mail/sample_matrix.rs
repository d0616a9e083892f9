//! Sample emails: the combinations of values that a template can distinguish.

use super::{
    kind::EmailKind,
    notice::{ConnectionLabel, Section, Template},
    values::{BrandValues, Person, Values},
};
use crate::domain::{LinkToken, SourceType};
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    kind: EmailKind,
    /// Of connections or, with [`Template::Shared`], of members.
    count: usize,
    unsubscribe: bool,
    sign_in: bool,
    has_labels: bool,
    ttl: Duration,
}

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
    pub(super) fn matrix(kind: EmailKind, configured: Duration) -> Vec<Self> {
        let mut ttls = TTLS.map(Duration::from_secs).to_vec();
        ttls.retain(|ttl| *ttl != configured);
        let mut cases = Vec::new();
        for count in COUNTS.into_iter().filter(|count| kind.template.accepts_count(*count)) {
            let one =
                Self { kind, count, unsubscribe: true, sign_in: true, has_labels: true, ttl: configured };
            cases.extend([one, Self { unsubscribe: false, ..one }, Self { sign_in: false, ..one }]);
            if kind.template == Template::Shared {
                cases.push(Self { has_labels: false, ..one });
            }
            cases.extend(ttls.iter().map(|&ttl| Self { ttl, ..one }));
        }
        cases
    }

    pub(super) fn sections(&self) -> Vec<Section> {
        if self.kind.template == Template::Shared {
            // Different numbers of connections.
            (0..self.count).map(|index| self.section(index, index + 1)).collect()
        } else {
            vec![self.section(0, self.count)]
        }
    }

    fn section(&self, index: usize, connections: usize) -> Section {
        let label = |index: usize| ConnectionLabel {
            name: format!("Source {index}"),
            source_type: Some(SOURCE_TYPES[index % SOURCE_TYPES.len()].clone()),
            needs_sign_in: self.sign_in,
        };
        Section {
            label: self.has_labels.then(|| format!("Label{index}")),
            link: self.kind.template.has_link().then(|| LinkToken::new(format!("link{index}"))),
            connections: (0..connections).map(label).collect(),
        }
    }

    pub(super) fn link(token: &LinkToken) -> String {
        format!("https://sample.test/r/{}", token.expose())
    }

    pub(super) fn values(
        &self,
        people: Vec<Person>,
        sources: Option<String>,
        brand: BrandValues,
    ) -> Values<'static> {
        Values {
            operator: "Sample",
            brand,
            unsubscribe: if self.unsubscribe { UNSUBSCRIBE } else { "" },
            people,
            is_shared: self.kind.template == Template::Shared,
            sources,
            urgency: self.kind.urgency,
            ttl: self.ttl,
        }
    }
}
