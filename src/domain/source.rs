//! A data source, such as a hospital, as the gateway describes it.

use super::text_enum::open_string_enum;

open_string_enum! {
    /// How a member authenticates at the source.
    Category {
        Basic = "BASIC",
        Oauth = "OAUTH",
        Identity = "IDENTITY",
    }
}

open_string_enum! {
    SourceType {
        Clinical = "CLINICAL",
        Insurance = "INSURANCE",
        Lab = "LAB",
        Pharmacy = "PHARMACY",
        Practitioner = "PRACTITIONER",
    }
}

open_string_enum! {
    IntegrationType {
        /// Needs no credentials of the member.
        Direct = "DIRECT",
        Proa = "PROA",
        /// Individual access services.
        DirectIas = "DIRECT_IAS",
        IndirectIas = "INDIRECT_IAS",
        /// Identity assurance level 2.
        Ial2 = "IAL2",
    }
}

/// How a broken connection to a source is repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repair {
    /// The member signs in at the source, at a URL from the gateway.
    Oauth,
    /// The gateway reactivates it without credentials.
    Direct,
    /// The member enters credentials again, in the operator's app.
    App,
}

/// The part of a connection that a poll rarely changes: the source's description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Any script, any length.
    pub name: String,
    pub category: Option<Category>,
    pub source_type: Option<SourceType>,
    pub integration_type: Option<IntegrationType>,
    /// Whether it needs no credentials of the member.
    pub is_direct: bool,
}

impl Source {
    /// A source without an integration type is an OAuth source only if its category says so, so that no reconnect
    /// URL is requested for a kind that has none.
    pub fn repair(&self) -> Repair {
        let direct =
            matches!(self.integration_type, Some(IntegrationType::Direct | IntegrationType::DirectIas));
        if self.is_direct || direct {
            Repair::Direct
        } else if self.category == Some(Category::Oauth) {
            Repair::Oauth
        } else {
            Repair::App
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_direct_if_the_gateway_says_so_or_its_kind_is() {
        let kinds = |is_direct, kind: Option<&str>| {
            let integration_type = kind.map(IntegrationType::from);
            Source { is_direct, integration_type, category: Some(Category::Oauth), ..Source::default() }
        };
        for (source, expected) in [
            (kinds(true, None), Repair::Direct),
            (kinds(true, Some("PROA")), Repair::Direct),
            (kinds(false, Some("DIRECT")), Repair::Direct),
            (kinds(false, Some("DIRECT_IAS")), Repair::Direct),
            (kinds(false, Some("INDIRECT_IAS")), Repair::Oauth),
            (kinds(false, None), Repair::Oauth),
        ] {
            assert_eq!(source.repair(), expected, "{source:?}");
        }
    }

    #[test]
    fn a_category_is_known_in_any_case() {
        assert_eq!(Category::from("oauth"), Category::Oauth);
    }
}
