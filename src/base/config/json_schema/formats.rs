//! Texts with a form. A setting has the first form whose examples it accepts and whose counterexamples it rejects.

use crate::base::config::signing::SigningAlgorithm;
use crate::domain::{EventType, Scope};
use serde_json::{Value, json};
use toml::Table;

struct Format {
    accepted: &'static [&'static str],
    rejected: &'static [&'static str],
    /// Without anchors (ECMA 262). It may match texts that the setting rejects, and no text that it accepts fails.
    pattern: &'static str,
}

const DURATION: &str = r"\s*(?:\d[\d\s]*(?:\.\d+\s*)?[A-Za-zµ]+\s*)+";
const ZERO_DURATION: &str = r"^\s*(?:[0.\s]+[A-Za-zµ]+\s*)+$";
const URL: &str =
    r"[Hh][Tt][Tt][Pp][Ss]://.+|[Hh][Tt][Tt][Pp]://(?:[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]|127\.|\[::1\]).*";
const SECRET: &str = "whsec_hushhushhushhushhushhushhushhush";
const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const FORMATS: &[Format] = &[
    Format { accepted: &["90s", "7d", "1m 30s"], rejected: &["soon", "5"], pattern: DURATION },
    // Such as a lifetime of at most an hour.
    Format { accepted: &["90s", "1m 30s"], rejected: &["soon", "5", "7d"], pattern: DURATION },
    Format {
        accepted: &["https://a.example/x", "http://127.0.0.1:1/x"],
        rejected: &["soon", "http://a.example", "ftp://a.example"],
        pattern: URL,
    },
    Format {
        accepted: &["127.0.0.1:8080", "[::1]:8080"],
        rejected: &["8080", "localhost:8080"],
        pattern: r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[^\]\s]+\]):\d{1,5}",
    },
    Format {
        accepted: &["21:00-08:00"],
        rejected: &["21-8", "24:00-08:00"],
        pattern: r"\s*(?:[01]?\d|2[0-3]):[0-5]?\d\s*-\s*(?:[01]?\d|2[0-3]):[0-5]?\d\s*",
    },
    Format { accepted: &["#0b6e4f"], rejected: &["green", "#0b6e4"], pattern: "#[0-9A-Fa-f]{6}" },
    Format { accepted: &[SECRET], rejected: &["soon"], pattern: "whsec_[A-Za-z0-9+/]+={0,2}" },
    Format {
        accepted: &["sqlite://x.db", "postgres://user@host:5432/name"],
        rejected: &["mysql://x/y", "sqlite://"],
        pattern: "(?:sqlite|postgres|postgresql)://.+",
    },
    Format {
        accepted: &["0 */15 * * * *", "@hourly"],
        rejected: &["*/15 * * * *", "soon"],
        pattern: r"\s*(?:@[A-Za-z]+|\S+(?:\s+\S+){5})\s*",
    },
    Format { accepted: &["a@b.example", "A <a@b.example>"], rejected: &["soon"], pattern: ".*@.*" },
    Format {
        accepted: &["en", "es-MX"],
        rejected: &["en_GB", "english"],
        pattern: "[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*",
    },
    Format { accepted: &["UTC", "Europe/Madrid"], rejected: &["Mars/Base"], pattern: "[A-Za-z0-9_+/-]+" },
    Format {
        accepted: &["grafana", "a.b_c-1"],
        rejected: &["", "a b", "a~b"],
        pattern: "[A-Za-z0-9._-]{1,64}",
    },
    Format {
        accepted: &["a.example", "*.a.example"],
        rejected: &["https://a.example", "a.example:80"],
        pattern: r"(?:\*\.)?[^\s:/@*]+|\[[0-9A-Fa-f:.]+\]",
    },
    Format {
        accepted: &["arn:aws:sns:us-east-1:123456789012:bounces"],
        rejected: &["bounces", "info"],
        pattern: "arn:.+",
    },
    Format { accepted: &[DIGEST], rejected: &["0000"], pattern: "[0-9A-Fa-f]{64}" },
];

/// An item of `admin.tokens`.
pub(super) fn sample_item() -> Table {
    let fields = [("name", "grafana"), ("sha256", DIGEST), ("scope", Scope::Read.as_str())];
    fields.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect()
}

/// The names of a closed list that the setting can have.
fn names(accepts: impl Fn(&str) -> bool) -> Option<Vec<&'static str>> {
    let lists = [
        EventType::KNOWN.map(EventType::as_str).to_vec(),
        SigningAlgorithm::ALL.map(SigningAlgorithm::as_str).to_vec(),
        [Scope::Read, Scope::Write].map(Scope::as_str).to_vec(),
    ];
    lists.into_iter().find(|names| !accepts("soon") && names.iter().all(|name| accepts(name)))
}

/// The form of a setting's text, as far as a schema can say it.
pub(super) fn find(accepts: impl Fn(&str) -> bool) -> Option<Value> {
    if let Some(names) = names(&accepts) {
        return Some(json!({ "enum": names }));
    }
    let fits = |format: &&Format| {
        format.accepted.iter().all(|text| accepts(text)) && !format.rejected.iter().any(|text| accepts(text))
    };
    let format = FORMATS.iter().find(fits)?;
    let pattern = format.pattern;
    let mut schema = if accepts("") {
        json!({ "pattern": format!("^(?:{pattern})?$") })
    } else {
        json!({ "pattern": format!("^(?:{pattern})$") })
    };
    if pattern == DURATION && !accepts("0s") {
        schema["not"] = json!({ "pattern": ZERO_DURATION });
    }
    if pattern == URL && !accepts("") {
        schema["format"] = "uri".into();
    }
    Some(schema)
}
