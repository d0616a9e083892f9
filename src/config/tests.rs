use super::*;
use secrecy::ExposeSecret;
use std::{fs, path::PathBuf, time::Duration};
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

    /// What is wrong, with the file called `FILE`.
    fn errors(&self, variables: Variables<'_>) -> String {
        let error = self.load(variables).expect_err("the configuration is wrong");
        error.to_string().replace(&self.file.display().to_string(), "FILE")
    }
}

fn from_environment(variables: Variables<'_>) -> Result<Loaded, ConfigError> {
    Config::load(None, variables.iter().copied())
}

#[test]
fn the_default_file_is_valid_and_holds_every_setting() {
    // No field of a section has a default of its own, so that a key missing from the file fails here,
    // and unknown fields are denied, so that one too many does.
    let config: Config = toml::from_str(DEFAULTS).unwrap();
    assert_eq!(config.sweep.recheck.len(), 4);
    let loaded = from_environment(&[]).unwrap();
    assert_eq!(loaded.to_toml().parse::<toml::Table>().unwrap(), DEFAULTS.parse::<toml::Table>().unwrap());
}

#[test]
fn every_secret_is_a_setting_that_is_empty_by_default() {
    for secret in schema::SECRETS {
        let value = schema::get(&schema::BUILT_IN, secret).and_then(toml::Value::as_str);
        assert_eq!(value, Some(""), "{secret}");
    }
}

#[test]
fn the_file_goes_over_the_defaults_and_the_environment_over_both() {
    let given = given("[sweep]\nconfirm_sweeps = 3\n[email]\nper_minute = 5\n");
    let config = given.load(&[("RECONNECTD__EMAIL__PER_MINUTE", "7")]).unwrap().config;
    assert_eq!((config.sweep.confirm_sweeps, config.email.per_minute), (3, 7));
    assert_eq!(config.gateway.timeout, Duration::from_secs(30));
}

#[test]
fn the_environment_gives_every_kind_of_value() {
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
    assert_eq!(config.gateway.oauth_hosts, ["a.example", "b.example"]);
    assert_eq!(config.sweep.recheck, [Span(Duration::from_secs(60)), Span(Duration::from_secs(120))]);
    assert!(!config.notices.expired.enabled);
    assert!(config.notices.expired.reminders.is_empty());
    assert_eq!((config.storm.share, config.email.smtp.port), (0.5, 2525));
    assert_eq!(config.email.smtp.username, "true");
    assert_eq!(config.email.smtp.password.expose_secret(), "0123456");
}

#[test]
fn variables_that_are_not_ours_are_left_alone() {
    let foreign = [("RECONNECTD_PORT", "tcp://10.0.0.1:80"), ("RECONNECTD_CONFIG", "x"), ("PATH", "/bin")];
    assert!(from_environment(&foreign).is_ok());
}

#[test]
fn a_secret_can_come_from_a_file_without_its_last_newline() {
    for secret in schema::SECRETS {
        let given = given("");
        let path = given.directory.path().join("secret");
        fs::write(&path, "  of many words\n").unwrap();
        let variable = format!("RECONNECTD__{}_FILE", secret.to_uppercase().replace('.', "__"));
        let variables =
            [(variable.as_str(), path.to_str().unwrap()), ("RECONNECTD__EMAIL__SMTP__USERNAME", "user")];
        let needed = if secret == "email.smtp.password" { &variables[..] } else { &variables[..1] };
        let config = given.load(needed).unwrap().config;
        let held = match secret {
            "gateway.client_key" => config.gateway.client_key,
            "gateway.auth.signing_key" => config.gateway.auth.signing_key,
            "gateway.auth.broker_token" => config.gateway.auth.broker_token,
            "email.smtp.password" => config.email.smtp.password,
            _ => config.admin.token,
        };
        assert_eq!(held.expose_secret(), "  of many words", "{secret}");
    }
}

#[test]
fn a_secret_file_that_does_not_do_is_named_with_its_key() {
    let given = given("[admin]\ntoken = \"sesame\"\ntoken_file = \"/somewhere\"\n");
    let errors = given.errors(&[]);
    assert_eq!(
        errors,
        "FILE:3:1: admin.token_file: is given, and so is admin.token (FILE:2:1); leave one of them out"
    );
    let errors = from_environment(&[("RECONNECTD__ADMIN__TOKEN_FILE", "/no/such/file")]).unwrap_err();
    let start = "RECONNECTD__ADMIN__TOKEN_FILE: admin.token_file: cannot read /no/such/file: ";
    assert!(errors.to_string().starts_with(start), "{errors}");
}

#[test]
fn what_is_printed_can_be_loaded_when_the_secrets_are_given_again() {
    let first = given(
        "[gateway]\nclient_key = \"hush-1\"\n[sweep]\nflap_window = \"36h\"\n[storm]\nshare = 1\n\
         [email.smtp]\nusername = \"u\"\npassword = \"hush-2\"\n",
    );
    let printed = first.load(&[]).unwrap().to_toml();
    assert!(printed.contains("client_key = \"***\"") && printed.contains("\ntoken = \"\""), "{printed}");
    assert!(printed.contains("flap_window = \"36h\"") && !printed.contains("hush"), "{printed}");

    let second = given(&printed);
    let error = second.errors(&[]);
    assert!(error.contains("gateway.client_key: is what `config print` shows"), "{error}");
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
fn what_is_printed_as_json_holds_the_same_without_secrets() {
    let loaded = from_environment(&[("RECONNECTD__ADMIN__TOKEN", "hush")]).unwrap();
    let json = loaded.to_json();
    assert_eq!(json["admin"]["token"], "***");
    assert_eq!(json["email"]["smtp"]["port"], 25);
}

#[test]
fn neither_debug_output_nor_errors_hold_a_secret() {
    let secrets: Vec<_> = schema::SECRETS
        .iter()
        .map(|key| (format!("RECONNECTD__{}", key.to_uppercase().replace('.', "__")), "hush-hush"))
        .chain([("RECONNECTD__EMAIL__SMTP__USERNAME".to_owned(), "u")])
        .collect();
    let shown = format!("{:#?}", Config::load(None, secrets.clone()).unwrap());
    assert!(!shown.contains("hush"), "{shown}");

    let wrong = [
        "[admin]\ntoken = \"hush",
        "[admin]\ntoken = hush-hush",
        "[admin]\ntoken = [\"hush-hush\"]",
        "[gateway]\nurl = \"https://user:hush@gateway.example\"",
        "[gateway]\nurl = \"//hush\"",
        "[gateway.auth]\nmode = \"token_exchange\"\nsigning_key = \"hush\"",
    ];
    for text in wrong {
        let mut secrets = secrets.clone();
        secrets.truncate(1);
        let error = Config::load(Some(&given(text).file), secrets).unwrap_err();
        assert!(!format!("{error}{error:?}").contains("hush"), "{error}");
    }
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let missing = std::path::Path::new("/no/such/reconnectd.toml");
    let error = Config::load(Some(missing), [("", ""); 0]).unwrap_err().to_string();
    assert!(error.starts_with("/no/such/reconnectd.toml: cannot be read: "), "{error}");
    assert_eq!(Config::find(Some(missing.into())).as_deref(), Some(missing));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file() {
    let given = given(
        "[sweep]\nconfirm_sweeps = 0\nrecheck = [\"soon\"]\n\n[gatway]\nurl = \"x\"\n\n[email.smtp]\nport = 70000\n",
    );
    let errors = given.errors(&[("RECONNECTD__STORM__SHARE", "2")]);
    let places: Vec<_> = errors.lines().map(|line| line.split(": ").take(2).collect::<Vec<_>>()).collect();
    assert_eq!(
        places,
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
fn each_bad_value_is_named_with_its_place_and_what_to_do() {
    // A file's text, and the message: place, key, remedy.
    let cases = [
        ("[sweep]\nschedule = 5 5", "FILE:2:12: not TOML: string values must be quoted"),
        ("[sweep]\n  shedule = \"x\"", "FILE:2:3: sweep.shedule: unknown key; did you mean sweep.schedule?"),
        (
            "[gateway.auth]\nisuer = 1",
            "FILE:2:1: gateway.auth.isuer: unknown key; did you mean gateway.auth.issuer?",
        ),
        ("[smtp]\nhost = \"h\"", "FILE:1:2: smtp: unknown key; did you mean email.smtp?"),
        ("public_url = \"x\"", "FILE:1:1: public_url: unknown key; did you mean links.public_url?"),
        ("[zzzzzz]", "FILE:1:2: zzzzzz: unknown key; `reconnectd config print` shows"),
        ("gateway = 1", "FILE:1:1: gateway: is a section; write its settings under [gateway]"),
        ("[email]\nper_minute = \"9\"", "FILE:2:1: email.per_minute: holds text; write a whole number"),
        ("[email]\nper_minute = -1", "FILE:2:1: email.per_minute: "),
        ("[admin]\ntoken = 5", "FILE:2:1: admin.token: holds a whole number; write text in double quotes"),
        (
            "[sweep]\nrecheck = [1]",
            "FILE:2:1: sweep.recheck: holds a list of something else; write a list of texts",
        ),
        (
            "[database]\nurl = \"postgres://x\"",
            "FILE:2:1: database.url: names no SQLite database; write \"sqlite://",
        ),
        ("[keys]\nfile = \"\"", "FILE:2:1: keys.file: is empty; write the path"),
        (
            "[gateway]\nurl = \"api\"",
            "FILE:2:1: gateway.url: relative URL without a base; write an absolute URL",
        ),
        (
            "[gateway]\nurl = \"http://api.example\"",
            "FILE:2:1: gateway.url: plain http is for loopback hosts only",
        ),
        (
            "[gateway]\nurl = \"ftp://api.example\"",
            "FILE:2:1: gateway.url: is not an https URL; write https://",
        ),
        ("[gateway]\ntimeout = \"0s\"", "FILE:2:1: gateway.timeout: is zero; write a duration"),
        ("[gateway]\ntimeout = \"5\"", "FILE:2:1: gateway.timeout: time unit needed"),
        (
            "[gateway]\nmax_in_flight = 0",
            "FILE:2:1: gateway.max_in_flight: is out of range; write a number from 1",
        ),
        ("[gateway]\nmax_in_flight = 10001", "FILE:2:1: gateway.max_in_flight: is out of range"),
        (
            "[gateway]\noauth_hosts = [\"https://a\"]",
            "FILE:2:1: gateway.oauth_hosts: holds something that is not a host",
        ),
        (
            "[gateway.auth]\nmode = \"none\"",
            "FILE:2:1: gateway.auth.mode: unknown variant `none`, expected one of `refresh_token`",
        ),
        (
            "[gateway.auth]\nmode = \"broker\"",
            "FILE:2:1: gateway.auth.broker_url: is needed by gateway.auth.mode; write its URL",
        ),
        (
            "[sweep]\nschedule = \"*/15 * * * *\"",
            "FILE:2:1: sweep.schedule: has 5 fields, not six; write six fields",
        ),
        ("[sweep]\nschedule = \"0 61 * * * *\"", "FILE:2:1: sweep.schedule: "),
        (
            "[sweep]\nconfirm_sweeps = 101",
            "FILE:2:1: sweep.confirm_sweeps: is out of range; write a number from 1 to 100",
        ),
        ("[sweep]\nrecheck = []", "FILE:2:1: sweep.recheck: is empty"),
        (
            "[sweep]\nrecheck = [\"2m\", \"1m\"]",
            "FILE:2:1: sweep.recheck: does not ascend; write the shortest first",
        ),
        ("[sweep]\nrecheck = [\"0s\", \"1m\"]", "FILE:2:1: sweep.recheck: holds a zero"),
        (
            "[notices]\nquiet_hours = \"21-8\"",
            "FILE:2:1: notices.quiet_hours: is not a span of the day; write \"HH:MM",
        ),
        ("[notices]\nquiet_hours = \"24:00-08:00\"", "FILE:2:1: notices.quiet_hours: "),
        ("[notices]\ntime_zone = \"Mars/Base\"", "FILE:2:1: notices.time_zone: "),
        ("[notices]\nlocale = \"en_GB\"", "FILE:2:1: notices.locale: is not a language tag; write"),
        ("[notices]\napp_url = \"app\"", "FILE:2:1: notices.app_url: is not an absolute URL; write https://"),
        (
            "[notices]\ntemplates = \"/no/such\"",
            "FILE:2:1: notices.templates: is no directory that can be read; create",
        ),
        ("[notices]\nmax_per_month = 0", "FILE:2:1: notices.max_per_month: is 0; write"),
        (
            "[notices.expired]\nreminders = [\"10d\", \"3d\"]",
            "FILE:2:1: notices.expired.reminders: does not ascend",
        ),
        ("[storm]\nshare = 1.5", "FILE:2:1: storm.share: is out of range; write a share from 0 to 1"),
        ("[storm]\nshare = nan", "FILE:2:1: storm.share: is out of range"),
        ("[storm]\nmin_members = 0", "FILE:2:1: storm.min_members: is 0"),
        ("[storm]\nwindow = \"0s\"", "FILE:2:1: storm.window: is zero"),
        ("[email]\nfrom = \"nobody\"", "FILE:2:1: email.from: is not a sender; write \"Name <name@domain>\""),
        ("[email]\nreply_to = \"nobody\"", "FILE:2:1: email.reply_to: is not an address; write"),
        ("[email]\nper_minute = 0", "FILE:2:1: email.per_minute: is 0; write at least 1"),
        ("[email.smtp]\nhost = \"\"", "FILE:2:1: email.smtp.host: is empty; write the mail server's name"),
        ("[email.smtp]\nport = 0", "FILE:2:1: email.smtp.port: is 0; write"),
        (
            "[email.smtp]\nhost = \"h.example\"\ntls = \"none\"",
            "FILE:3:1: email.smtp.tls: \"none\" is for loopback hosts only",
        ),
        (
            "[email.smtp]\nusername = \"u\"",
            "FILE:2:1: email.smtp.password: is needed by email.smtp.username; give both",
        ),
        (
            "[email.smtp]\nca_file = \"/no/such\"",
            "FILE:2:1: email.smtp.ca_file: is no file that can be read; name",
        ),
        ("[links]\nlisten = \"8080\"", "FILE:2:1: links.listen: invalid socket address"),
        (
            "[links]\npublic_url = \"http://a.example\"",
            "FILE:2:1: links.public_url: plain http is for loopback",
        ),
        (
            "[links]\npublic_url = \"https://a.example/?x\"",
            "FILE:2:1: links.public_url: has a query or a fragment; leave",
        ),
        ("[links]\nttl = \"0s\"", "FILE:2:1: links.ttl: is zero; write a duration"),
        (
            "[links]\nmax_redemptions = 6",
            "FILE:2:1: links.max_redemptions: is out of range; write a number from 1 to 5",
        ),
        (
            "[admin]\nlisten = \"127.0.0.1:8080\"",
            "FILE:2:1: admin.listen: is the address of links.listen too; write",
        ),
        ("[telemetry]\nlog = \"verbose\"", "FILE:2:1: telemetry.log: is not understood; write error, warn"),
        ("[telemetry]\nlog = \"reconnectd=loud\"", "FILE:2:1: telemetry.log: is not understood"),
        (
            "[telemetry]\nheartbeat_url = \"ping\"",
            "FILE:2:1: telemetry.heartbeat_url: is not an absolute URL; write",
        ),
    ];
    for (text, message) in cases {
        let errors = given(text).errors(&[]);
        assert!(errors.starts_with(message), "{text}\n got  {errors}\n want {message}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

#[test]
fn token_exchange_names_each_setting_that_it_lacks() {
    let errors = given("[gateway.auth]\nmode = \"token_exchange\"\nalgorithm = \"HS256\"\nlifetime = \"2h\"")
        .errors(&[]);
    for key in ["token_url", "signing_key", "issuer", "audience"] {
        let start = format!("FILE:2:1: gateway.auth.{key}: is needed by gateway.auth.mode; ");
        assert!(errors.lines().any(|line| line.starts_with(&start)), "{errors}");
    }
    assert!(errors.contains("FILE:3:1: gateway.auth.algorithm: is not known; write \"RS256\""), "{errors}");
    assert!(errors.contains("FILE:4:1: gateway.auth.lifetime: is out of range; write"), "{errors}");
}

#[test]
fn a_bad_variable_is_named_with_what_to_do() {
    let cases = [
        ("RECONNECTD__SWEEP__SHEDULE", "x", "sweep.shedule: unknown key; did you mean sweep.schedule?"),
        ("RECONNECTD__EMAIL__SMTP__PORT", "smtp", "email.smtp.port: write a whole number"),
        ("RECONNECTD__NOTICES__EXPIRED__ENABLED", "yes", "notices.expired.enabled: write true or false"),
        ("RECONNECTD__STORM__SHARE", "half", "storm.share: write a number"),
        ("RECONNECTD__GATEWAY__URL", "api", "gateway.url: relative URL without a base; write an absolute"),
        (
            "RECONNECTD__GATEWAY",
            "x",
            "gateway: is a section; name one of its settings, as in …__GATEWAY__KEY",
        ),
    ];
    for (name, value, message) in cases {
        let error = from_environment(&[(name, value)]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name}: {message}")), "{error}");
    }
}

#[test]
fn quiet_hours_are_read_over_midnight_and_may_be_none() {
    let hours = |text| {
        from_environment(&[("RECONNECTD__NOTICES__QUIET_HOURS", text)]).unwrap().config.notices.quiet_hours()
    };
    let time = |hour, minute| chrono::NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
    assert_eq!(hours("21:30-08:00"), Some(QuietHours { from: time(21, 30), until: time(8, 0) }));
    assert_eq!(hours(""), None);
}
