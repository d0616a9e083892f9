mod diagnostics;
mod json_schema;

use super::diagnostic::Location;
use super::*;
use crate::domain::QuietHours;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

type Variables<'v> = &'v [(&'v str, &'v str)];

/// A directory with a configuration file in it.
struct Given {
    directory: TempDir,
    file: PathBuf,
}

fn given(text: &str) -> Given {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("reconnectd.toml");
    fs::write(&file, text).unwrap();
    Given { directory, file }
}

impl Given {
    fn load(&self, variables: Variables<'_>) -> Result<Loaded, ConfigError> {
        Config::load(Some(&self.file), variables.iter().copied())
    }

    /// The error, with `FILE` for the path of the file.
    fn errors(&self, variables: Variables<'_>) -> String {
        let error = self.load(variables).expect_err("the configuration is invalid");
        error.to_string().replace(&self.file.display().to_string(), "FILE")
    }
}

const WEBHOOK_SECRET: &str = "whsec_hushhushhushhushhushhushhushhush";

fn webhook_secret(secret: Option<&WebhookSecret>) -> String {
    format!("whsec_{}", STANDARD.encode(secret.unwrap().expose()))
}

fn from_environment(variables: Variables<'_>) -> Result<Loaded, ConfigError> {
    Config::load(None, variables.iter().copied())
}

#[test]
fn the_default_file_is_valid_and_holds_every_setting() {
    // No field has a default of its own and unknown fields are errors, so both a missing and an extra key fail here.
    let config: Config = toml::from_str(DEFAULTS).unwrap();
    assert_eq!(config.sweep.recheck.as_slice().len(), 4);
    let loaded = from_environment(&[]).unwrap();
    assert_eq!(loaded.to_toml().parse::<toml::Table>().unwrap(), DEFAULTS.parse::<toml::Table>().unwrap());
}

#[test]
fn every_secret_is_empty_by_default() {
    for secret in schema::SECRETS.into_iter().filter(|secret| *secret != "database.url") {
        let value = schema::get(&schema::BUILT_IN, secret).and_then(toml::Value::as_str);
        assert_eq!(value, Some(""), "{secret}");
    }
}

#[test]
fn the_file_overrides_the_defaults_and_the_environment_overrides_both() {
    let given = given("[sweep]\nconfirm_sweeps = 3\n[email]\nper_minute = 5\n");
    let config = given.load(&[("RECONNECTD__EMAIL__PER_MINUTE", "7")]).unwrap().config;
    assert_eq!((config.sweep.confirm_sweeps, config.email.per_minute), (3, 7));
    assert_eq!(config.gateway.timeout, Duration::from_secs(30));
}

#[test]
fn the_environment_can_set_every_type_of_value() {
    let config = from_environment(&[
        ("RECONNECTD__GATEWAY__OAUTH_HOSTS", "a.example, b.example"),
        ("RECONNECTD__SWEEP__RECHECK", "1m,2m"),
        ("RECONNECTD__NOTICES__EXPIRED__ENABLED", "false"),
        ("RECONNECTD__NOTICES__EXPIRED__REMINDERS", ""),
        ("RECONNECTD__STORM__SHARE", "0.5"),
        ("RECONNECTD__EMAIL__SMTP__PORT", "2525"),
        ("RECONNECTD__EMAIL__SMTP__USERNAME", "true"),
        ("RECONNECTD__EMAIL__SMTP__PASSWORD", "0123456"),
    ])
    .unwrap()
    .config;
    assert_eq!(config.gateway.oauth_hosts, OauthHosts::of(&["a.example", "b.example"]));
    assert_eq!(config.sweep.recheck.as_slice(), [Duration::from_secs(60), Duration::from_secs(120)]);
    assert!(!config.notices.expired.enabled);
    assert!(config.notices.expired.reminders.is_empty());
    assert_eq!((config.storm.share, config.email.smtp.port), (0.5, 2525));
    assert_eq!(config.email.smtp.username, "true");
    assert_eq!(config.email.smtp.password.expose_secret(), "0123456");
}

#[test]
fn a_collector_is_an_error_in_a_build_that_sends_no_traces() {
    let loaded = from_environment(&[("RECONNECTD__TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:4318")]);
    assert_eq!(loaded.is_ok(), cfg!(feature = "otlp"));
    if let Err(error) = loaded {
        assert!(error.to_string().contains("--features otlp"), "{error}");
    }
}

#[test]
fn variables_without_the_prefix_are_ignored() {
    let foreign = [("RECONNECTD_PORT", "tcp://10.0.0.1:80"), ("RECONNECTD_CONFIG", "x"), ("PATH", "/bin")];
    assert!(from_environment(&foreign).is_ok());
}

#[test]
fn a_secret_is_read_from_a_file_without_its_last_line_break() {
    for secret in schema::SECRETS {
        let given = given("");
        let path = given.directory.path().join("secret");
        let text = match secret {
            "telemetry.heartbeat_url" => "https://user:password@ping.example.org/17",
            "database.url" => "postgres://user:password@db.example.org/name",
            "webhook.secret" | "webhook.previous_secret" => WEBHOOK_SECRET,
            _ => "  of many words",
        };
        write_secret(&path, &format!("{text}\n"));
        let variable = format!("RECONNECTD__{}_FILE", secret.to_uppercase().replace('.', "__"));
        let variables =
            [(variable.as_str(), path.to_str().unwrap()), ("RECONNECTD__EMAIL__SMTP__USERNAME", "user")];
        let needed = if secret == "email.smtp.password" { &variables[..] } else { &variables[..1] };
        let loaded = given.load(needed).unwrap();
        assert!(!format!("{:?} {}", loaded.config, loaded.to_toml()).contains(text), "{secret}");
        let config = loaded.config;
        let held = match secret {
            "database.url" => match config.database.url() {
                DatabaseUrl::Postgres(url) => url.expose().to_string(),
                DatabaseUrl::Sqlite(path) => path.display().to_string(),
            },
            "gateway.client_key" => config.gateway.client_key.expose_secret().to_owned(),
            "gateway.webhook_secret" => config.gateway.webhook_secret.expose_secret().to_owned(),
            "gateway.auth.signing_key" => config.gateway.auth.signing_key.expose_secret().to_owned(),
            "gateway.auth.broker_token" => config.gateway.auth.broker_token.expose_secret().to_owned(),
            "bounces.password" => config.bounces.password.expose_secret().to_owned(),
            "email.smtp.password" => config.email.smtp.password.expose_secret().to_owned(),
            "telemetry.heartbeat_url" => config.telemetry.heartbeat_url.expose().unwrap().to_string(),
            "webhook.secret" => webhook_secret(config.webhook.secret.as_ref()),
            "webhook.previous_secret" => webhook_secret(config.webhook.previous_secret.as_ref()),
            _ => config.admin.token.expose_secret().to_owned(),
        };
        assert_eq!(held, text, "{secret}");
    }
}

#[test]
fn a_byte_order_mark_is_not_part_of_a_secret_and_a_second_line_is_an_error() {
    let given = given("");
    let path = given.directory.path().join("secret");
    let variables = [("RECONNECTD__ADMIN__TOKEN_FILE", path.to_str().unwrap())];
    write_secret(&path, "\u{feff}sesame\r\n");
    assert_eq!(given.load(&variables).unwrap().config.admin.token.expose_secret(), "sesame");
    write_secret(&path, "sesame\n\nopen\n");
    let errors = given.errors(&variables);
    assert!(errors.starts_with("RECONNECTD__ADMIN__TOKEN_FILE: admin.token_file: "), "{errors}");
    assert!(errors.contains(path.to_str().unwrap()) && !errors.contains("open"), "{errors}");
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_can_read_or_write_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let given = given("");
    let path = given.directory.path().join("secret");
    let variables = [("RECONNECTD__ADMIN__TOKEN_FILE", path.to_str().unwrap())];
    fs::write(&path, "sesame").unwrap();
    for mode in [0o644, 0o602, 0o622, 0o660] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let errors = given.errors(&variables);
        assert!(
            errors.starts_with("RECONNECTD__ADMIN__TOKEN_FILE: admin.token_file: "),
            "{mode:o}: {errors}"
        );
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(given.load(&variables).is_ok());
}

fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

#[test]
fn a_file_in_another_encoding_is_reported_with_its_place() {
    for (bytes, start) in [
        (&b"\xff\xfe[\0b\0"[..], "FILE: "),
        (b"[brand]\nname = \"Caf\xe9\"\n", "FILE:2:12: "),
        (b"\x80", "FILE:1:1: "),
    ] {
        let given = given("");
        fs::write(&given.file, bytes).unwrap();
        let errors = given.errors(&[]);
        assert!(errors.starts_with(start) && errors.contains("UTF-8"), "{errors}");
    }
    let with_mark = given("\u{feff}[email]\nper_minute = 7\n");
    assert_eq!(with_mark.load(&[]).unwrap().config.email.per_minute, 7);
}

#[test]
fn a_variable_that_misses_an_underscore_is_reported() {
    let warned = |name: &str| from_environment(&[(name, "x")]).map(|loaded| loaded.warnings);
    for name in ["RECONNECTD_SWEEP__SCHEDULE", "RECONNECTD_SWEEP_SCHEDULE", "reconnectd_sweep__schedule"] {
        let expected = format!("{name} has no effect; write RECONNECTD__SWEEP__SCHEDULE");
        assert_eq!(warned(name).unwrap(), [expected]);
    }
    for foreign in ["RECONNECTD_PORT", "RECONNECTD_SERVICE_HOST", "RECONNECTD_CONFIG", "SWEEP_SCHEDULE"] {
        assert!(warned(foreign).unwrap().is_empty(), "{foreign}");
    }
    assert!(from_environment(&[("RECONNECTD__EMAIL__PER_MINUTE", "5")]).unwrap().warnings.is_empty());
}

#[test]
fn a_key_in_pem_has_several_lines_and_no_other_secret_does() {
    let key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----";
    for (text, is_read) in [(key, true), ("one\ntwo", false)] {
        let given = given("");
        let path = given.directory.path().join("secret");
        write_secret(&path, &format!("{text}\n"));
        let loaded = given.load(&[("RECONNECTD__GATEWAY__AUTH__SIGNING_KEY_FILE", path.to_str().unwrap())]);
        let read =
            loaded.ok().map(|loaded| loaded.config.gateway.auth.signing_key.expose_secret().to_owned());
        assert_eq!(read, is_read.then(|| text.to_owned()));
    }
}

#[test]
fn an_empty_name_of_a_file_names_none() {
    assert_eq!(Config::find(Some("".into())), Config::find(None));
}

#[test]
fn an_unusable_secret_file_is_reported_by_its_key() {
    let given = given("[admin]\ntoken = \"sesame\"\ntoken_file = \"/somewhere\"\n");
    let errors = given.errors(&[]);
    assert!(errors.starts_with("FILE:3:1: admin.token_file: "), "{errors}");
    assert!(errors.contains("admin.token is set, too (FILE:2:1)"), "{errors}");
    let errors = from_environment(&[("RECONNECTD__ADMIN__TOKEN_FILE", "/no/such/file")]).unwrap_err();
    let start = "RECONNECTD__ADMIN__TOKEN_FILE: admin.token_file: ";
    assert!(errors.to_string().starts_with(start), "{errors}");
    assert!(errors.to_string().contains("/no/such/file"), "{errors}");
}

#[test]
fn the_printed_configuration_can_be_loaded_once_the_secrets_are_given() {
    let first = given(
        "[gateway]\nclient_key = \"hush-1\"\n[sweep]\nflap_window = \"36h\"\n[storm]\nshare = 1\n\
         [email.smtp]\nusername = \"u\"\npassword = \"hush-2\"\n",
    );
    let printed = first.load(&[]).unwrap().to_toml();
    assert!(printed.contains("client_key = \"***\"") && printed.contains("\ntoken = \"\""), "{printed}");
    assert!(printed.contains("flap_window = \"36h\"") && !printed.contains("hush"), "{printed}");

    let second = given(&printed);
    let error = second.errors(&[]);
    assert!(error.contains(": gateway.client_key: "), "{error}");
    let again = second
        .load(&[
            ("RECONNECTD__GATEWAY__CLIENT_KEY", "hush-1"),
            ("RECONNECTD__EMAIL__SMTP__PASSWORD", "hush-2"),
        ])
        .unwrap();
    assert_eq!(again.to_toml(), printed);
    assert_eq!(again.config.gateway.client_key.expose_secret(), "hush-1");
}

#[test]
fn the_configuration_printed_as_json_masks_secrets() {
    let loaded = from_environment(&[("RECONNECTD__ADMIN__TOKEN", "hush")]).unwrap();
    let json = loaded.to_json();
    assert_eq!(json["admin"]["token"], "***");
    assert_eq!(json["email"]["smtp"]["port"], 25);
}

#[test]
fn neither_debug_output_nor_errors_contain_a_secret() {
    let secrets: Vec<_> = schema::SECRETS
        .iter()
        .map(|key| {
            (
                format!("RECONNECTD__{}", key.to_uppercase().replace('.', "__")),
                match *key {
                    "database.url" => "postgres://user:hush@db.example.org/name",
                    "webhook.secret" | "webhook.previous_secret" => WEBHOOK_SECRET,
                    _ => "https://hush-hush@example.org",
                },
            )
        })
        .chain([("RECONNECTD__EMAIL__SMTP__USERNAME".to_owned(), "u")])
        .collect();
    let shown = format!("{:#?}", Config::load(None, secrets.clone()).unwrap());
    assert!(!shown.contains("hush"), "{shown}");

    let wrong = [
        "[admin]\ntoken = \"hush",
        "[database]\nurl = \"postgres://user:hush@db.example.org\"",
        "[admin]\ntoken = hush-hush",
        "[admin]\ntoken = [\"hush-hush\"]",
        "[gateway]\nurl = \"https://user:hush@gateway.example\"",
        "[gateway]\nurl = \"//hush\"",
        "[telemetry]\nheartbeat_url = \"http://user:hush@ping.example\"",
        "[gateway.auth]\nmode = \"token_exchange\"\nsigning_key = \"hush\"",
    ];
    for text in wrong {
        let mut secrets = secrets.clone();
        secrets.retain(|(name, _)| name.ends_with("CLIENT_KEY"));
        let error = Config::load(Some(&given(text).file), secrets).unwrap_err();
        assert!(!format!("{error}{error:?}").contains("hush"), "{error}");
    }
}

#[test]
fn a_named_file_must_exist() {
    let missing = std::path::Path::new("/no/such/reconnectd.toml");
    let error = Config::load(Some(missing), [("", ""); 0]).unwrap_err();
    assert_eq!(error.diagnostics[0].location, Location::File(missing.into()));
    assert_eq!(Config::find(Some(missing.into())).as_deref(), Some(missing));
}

#[test]
fn all_errors_are_reported_at_once_in_the_order_of_the_file() {
    let given = given(
        "[sweep]\nconfirm_sweeps = 0\nrecheck = [\"soon\"]\n\n[gatway]\nurl = \"x\"\n\n[email.smtp]\nport = 70000\n",
    );
    let errors = given.errors(&[("RECONNECTD__STORM__SHARE", "2")]);
    let locations: Vec<_> = errors.lines().map(|line| line.split(": ").take(2).collect::<Vec<_>>()).collect();
    assert_eq!(
        locations,
        [
            ["FILE:2:1", "sweep.confirm_sweeps"],
            ["FILE:3:1", "sweep.recheck"],
            ["FILE:5:2", "gatway"],
            ["FILE:9:1", "email.smtp.port"],
            ["RECONNECTD__STORM__SHARE", "storm.share"],
        ]
    );
}

#[test]
fn quiet_hours_can_span_midnight_or_be_empty() {
    let hours = |text| {
        from_environment(&[("RECONNECTD__NOTICES__QUIET_HOURS", text)]).unwrap().config.notices.quiet_hours
    };
    let time = |hour, minute| chrono::NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
    assert_eq!(hours("21:30-08:00"), Some(QuietHours { from: time(21, 30), until: time(8, 0) }));
    assert_eq!(hours(""), None);
}

#[test]
fn two_configurations_differ_in_the_settings_that_were_changed_and_in_the_content_of_files() {
    let given =
        given("[links]\nttl = '3d'\n[email.smtp]\nca_file = 'CA'\n[gateway]\nclient_key_file = 'SECRET'\n");
    let [ca, secret] = ["CA", "SECRET"].map(|name| {
        let path = given.directory.path().join(name);
        let text = fs::read_to_string(&given.file).unwrap();
        fs::write(&given.file, text.replace(name, &path.display().to_string())).unwrap();
        path
    });
    let write = |path: &Path, text: &str| {
        fs::write(path, text).unwrap();
        #[cfg(unix)]
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    write(&ca, "one");
    write(&secret, "hush");
    let source = ConfigSource::new(Some(given.file.clone()), []);
    let first = source.load().unwrap().fingerprint;
    let changes = || first.changes_to(&source.load().unwrap().fingerprint);
    let look = source.look();
    let is_seen = || source.look() != look;
    // The order of the settings differs from look to look.
    assert!(changes() == Changes::default() && !(0..20).any(|_| is_seen()));
    write(&secret, "hush hush");
    assert!(changes().to_string() == "gateway.client_key" && is_seen(), "{}", changes());
    write(&secret, "hush");
    write(&ca, "two");
    assert!(changes().touch("email") && !changes().touch("gateway") && is_seen());
    write(&ca, "one");
    assert!(!is_seen(), "only the content counts");
    let text = fs::read_to_string(&given.file).unwrap();
    write(&given.file, &text.replace("'3d'", "'4d'\nmax_redemptions = 2"));
    assert!(changes().to_string() == "links.max_redemptions, links.ttl" && is_seen());
    assert!(!changes().touch("link") && changes().within("links").count() == 2);
    write(&given.file, "[links");
    assert!(source.load().is_err() && is_seen());
    fs::remove_file(&given.file).unwrap();
    assert!(is_seen());
}
