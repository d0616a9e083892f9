//! The JSON Schema of the configuration. tests/outside/configuration validates files against it.

use super::super::json_schema::json_schema;
use super::super::schema;
use crate::domain::EventType;
use serde_json::{Value, json};
use std::sync::LazyLock;

static SCHEMA: LazyLock<Value> = LazyLock::new(json_schema);

const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/reconnectd.schema.json");

fn of(key: &str) -> Value {
    let at = key.replace('.', "/properties/");
    SCHEMA.pointer(&format!("/properties/{at}")).unwrap_or_else(|| panic!("no {key}")).clone()
}

#[test]
fn the_published_schema_is_that_of_this_version() {
    assert!(
        std::fs::read_to_string(PUBLISHED).unwrap() == format!("{:#}\n", *SCHEMA),
        "run `cargo run -- config schema > config/reconnectd.schema.json`"
    );
}

#[test]
fn every_key_is_in_it_with_a_description_and_every_setting_with_its_default() {
    for key in schema::keys() {
        let described = of(key);
        let description = described["description"].as_str().unwrap_or_default();
        assert!(description.len() > 10, "{key}: describe it in config/reconnectd.toml");
        let default = schema::get(&schema::BUILT_IN, key).filter(|value| !value.is_table());
        assert_eq!(described.get("default"), default.map(|default| json!(default)).as_ref(), "{key}");
        if described["type"] == "object" {
            assert_eq!(described["additionalProperties"], false, "{key}");
        }
    }
}

#[test]
fn limits_are_those_of_the_types() {
    for (key, limit, expected) in [
        ("sweep.confirm_sweeps", "minimum", json!(1)),
        ("sweep.confirm_sweeps", "maximum", json!(100)),
        ("email.smtp.port", "maximum", json!(65_535)),
        ("storm.min_members", "minimum", json!(0)),
        ("storm.min_members", "maximum", json!(u32::MAX)),
        ("storm.share", "type", json!("number")),
        ("storm.share", "maximum", json!(1)),
        ("links.requests_per_minute", "anyOf", json!([{ "const": 0 }, { "minimum": 10 }])),
        ("brand.help", "maxLength", json!(200)),
        ("keys.file", "minLength", json!(1)),
        ("sweep.recheck", "minItems", json!(1)),
        ("gateway.url", "format", json!("uri")),
        ("email.transport", "enum", json!(["smtp", "file", "stdout"])),
        ("gateway.auth.algorithm", "enum", json!(["RS256", "ES256", "EdDSA"])),
        ("admin.token", "writeOnly", json!(true)),
    ] {
        assert_eq!(of(key)[limit], expected, "{key}");
    }
    assert_eq!(of("webhook.events")["items"]["enum"], json!(EventType::KNOWN.map(EventType::as_str)));
}

#[test]
fn every_text_that_is_not_free_has_a_form() {
    let free = ["telemetry.log", "notices.templates"];
    for key in schema::keys().filter(|key| !free.contains(key)) {
        let setting = of(key);
        let is_known = ["enum", "pattern"].iter().any(|form| setting.get(form).is_some());
        let is_rejected = super::super::json_schema::rejects_text(key);
        assert!(setting["type"] != "string" || is_known || !is_rejected, "{key}: add its form to formats.rs");
    }
}

#[test]
fn a_token_has_a_name_a_digest_and_a_scope() {
    let items = &of("admin.tokens")["items"];
    assert_eq!(items["required"], json!(["name", "sha256", "scope"]));
    assert_eq!(items["additionalProperties"], false);
    assert_eq!(items["properties"]["scope"]["enum"], json!(["read", "write"]));
    assert!(items["properties"]["sha256"]["pattern"].as_str().unwrap().contains("{64}"));
    assert!(items["properties"]["name"]["pattern"].is_string());
}
