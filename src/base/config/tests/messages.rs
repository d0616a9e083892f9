//! Each message names the place, the key and the remedy.

use super::{from_environment, given};

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
        ("[email]\nper_minute = -1", "FILE:2:1: email.per_minute: is negative; write 0 or more"),
        ("[links]\ntrusted_proxies = -1", "FILE:2:1: links.trusted_proxies: is negative; write 0 or more"),
        ("[email.smtp]\nport = 65536", "FILE:2:1: email.smtp.port: is too large; write a smaller number"),
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
            "FILE:2:1: gateway.oauth_hosts: holds something that is not a host; write hosts",
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
        (
            "[sweep]\nschedule = \"0 61 * * * *\"",
            "FILE:2:1: sweep.schedule: Number out of bounds; write six fields",
        ),
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
        (
            "[notices]\ntime_zone = \"Mars/Base\"",
            "FILE:2:1: notices.time_zone: is not known; write an IANA name",
        ),
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
        (
            "[links]\nlisten = \"8080\"",
            "FILE:2:1: links.listen: is not an address and port; write them as in",
        ),
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
