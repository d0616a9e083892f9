//! An invalid setting is reported at its location, by its key, once. The snapshot has the messages.

use super::{from_environment, given};

/// The text of a file, and the location and key of its only error.
const FILES: &[(&str, &str, &str)] = &[
    ("[sweep]\nschedule = 5 5", "FILE:2:12", ""),
    ("[sweep]\n  shedule = \"x\"", "FILE:2:3", "sweep.shedule"),
    ("[gateway.auth]\nisuer = 1", "FILE:2:1", "gateway.auth.isuer"),
    ("[smtp]\nhost = \"h\"", "FILE:1:2", "smtp"),
    ("public_url = \"x\"", "FILE:1:1", "public_url"),
    ("[zzzzzz]", "FILE:1:2", "zzzzzz"),
    ("gateway = 1", "FILE:1:1", "gateway"),
    ("[email]\nper_minute = \"9\"", "FILE:2:1", "email.per_minute"),
    ("[email]\nper_minute = -1", "FILE:2:1", "email.per_minute"),
    ("[links]\ntrusted_proxies = -1", "FILE:2:1", "links.trusted_proxies"),
    ("[email.smtp]\nport = 65536", "FILE:2:1", "email.smtp.port"),
    ("[admin]\ntoken = 5", "FILE:2:1", "admin.token"),
    ("[sweep]\nrecheck = [1]", "FILE:2:1", "sweep.recheck"),
    ("[database]\nurl = \"mysql://x/y\"", "FILE:2:1", "database.url"),
    ("[database]\nurl = \"postgres://x\"", "FILE:2:1", "database.url"),
    ("[database]\nurl = \"postgres://x/y?sslmode=no\"", "FILE:2:1", "database.url"),
    ("[database]\nmax_connections = 1", "FILE:2:1", "database.max_connections"),
    ("[keys]\nfile = \"\"", "FILE:2:1", "keys.file"),
    ("[gateway]\nurl = \"api\"", "FILE:2:1", "gateway.url"),
    ("[gateway]\nurl = \"http://api.example\"", "FILE:2:1", "gateway.url"),
    ("[gateway]\nurl = \"ftp://api.example\"", "FILE:2:1", "gateway.url"),
    ("[gateway]\ntimeout = \"0s\"", "FILE:2:1", "gateway.timeout"),
    ("[gateway]\ntimeout = \"5\"", "FILE:2:1", "gateway.timeout"),
    ("[gateway]\nmax_in_flight = 0", "FILE:2:1", "gateway.max_in_flight"),
    ("[gateway]\nmax_in_flight = 10001", "FILE:2:1", "gateway.max_in_flight"),
    ("[gateway]\nmax_renewals = 0", "FILE:2:1", "gateway.max_renewals"),
    ("[gateway]\noauth_hosts = [\"https://a\"]", "FILE:2:1", "gateway.oauth_hosts"),
    ("[gateway.auth]\nmode = \"none\"", "FILE:2:1", "gateway.auth.mode"),
    ("[gateway.auth]\nmode = \"broker\"", "FILE:2:1", "gateway.auth.broker_url"),
    ("[sweep]\nschedule = \"*/15 * * * *\"", "FILE:2:1", "sweep.schedule"),
    ("[sweep]\nschedule = \"0 61 * * * *\"", "FILE:2:1", "sweep.schedule"),
    ("[sweep]\nconfirm_sweeps = 101", "FILE:2:1", "sweep.confirm_sweeps"),
    ("[sweep]\nrecheck = []", "FILE:2:1", "sweep.recheck"),
    ("[sweep]\nrecheck = [\"2m\", \"1m\"]", "FILE:2:1", "sweep.recheck"),
    ("[sweep]\nrecheck = [\"0s\", \"1m\"]", "FILE:2:1", "sweep.recheck"),
    ("[notices]\nquiet_hours = \"21-8\"", "FILE:2:1", "notices.quiet_hours"),
    ("[notices]\nquiet_hours = \"24:00-08:00\"", "FILE:2:1", "notices.quiet_hours"),
    ("[notices]\ntime_zone = \"Mars/Base\"", "FILE:2:1", "notices.time_zone"),
    ("[notices]\nlocale = \"en_GB\"", "FILE:2:1", "notices.locale"),
    ("[notices]\napp_url = \"app\"", "FILE:2:1", "notices.app_url"),
    ("[notices]\ntemplates = \"/no/such\"", "FILE:2:1", "notices.templates"),
    ("[notices]\nmax_per_month = 0", "FILE:2:1", "notices.max_per_month"),
    ("[notices.expired]\nreminders = [\"10d\", \"3d\"]", "FILE:2:1", "notices.expired.reminders"),
    ("[brand]\nname = \"a\\nb\"", "FILE:2:1", "brand.name"),
    ("[brand]\nhelp = \"a\\tb\"", "FILE:2:1", "brand.help"),
    ("[brand]\ncolor = \"green\"", "FILE:2:1", "brand.color"),
    ("[brand]\ncolor = \"#7a7a7a\"", "FILE:2:1", "brand.color"),
    ("[brand]\nprivacy_url = \"http://a.example\"", "FILE:2:1", "brand.privacy_url"),
    ("[storm]\nshare = 1.5", "FILE:2:1", "storm.share"),
    ("[storm]\nshare = nan", "FILE:2:1", "storm.share"),
    ("[storm]\nwindow = \"0s\"", "FILE:2:1", "storm.window"),
    ("[retention]\nnotices = \"30d\"", "FILE:2:1", "retention.notices"),
    ("[retention]\naudit = \"forever\"", "FILE:2:1", "retention.audit"),
    ("[retention]\nnotices = \"60d\"\n[links]\nttl = \"90d\"", "FILE:2:1", "retention.notices"),
    ("[notices]\nchannel = \"sms\"", "FILE:2:1", "notices.channel"),
    ("[notices]\nchannel = \"webhook\"", "FILE:2:1", "notices.channel"),
    ("[webhook]\nurl = \"http://a.example\"", "FILE:2:1", "webhook.url"),
    ("[webhook]\nurl = \"https://user:hush@a.example\"", "FILE:2:1", "webhook.url"),
    ("[webhook]\nurl = \"https://a.example\"", "FILE:2:1", "webhook.secret"),
    ("[webhook]\nsecret = \"whsec_c2hvcnQ=\"", "FILE:2:1", "webhook.secret"),
    ("[webhook]\nprevious_secret = \"c2hvcnQ=\"", "FILE:2:1", "webhook.previous_secret"),
    ("[webhook]\nevents = [\"notice.snt\"]", "FILE:2:1", "webhook.events"),
    ("[email]\nfrom = \"nobody\"", "FILE:2:1", "email.from"),
    ("[email]\nreply_to = \"nobody\"", "FILE:2:1", "email.reply_to"),
    ("[email.smtp]\nhost = \"a b\"", "FILE:2:1", "email.smtp.host"),
    ("[email.smtp]\nhost = \"mail.localhost\"\ntls = \"none\"", "FILE:3:1", "email.smtp.tls"),
    ("[email.smtp]\nhost = \"\"", "FILE:2:1", "email.smtp.host"),
    ("[email.smtp]\nport = 0", "FILE:2:1", "email.smtp.port"),
    ("[email.smtp]\nhost = \"h.example\"\ntls = \"none\"", "FILE:3:1", "email.smtp.tls"),
    ("[email.smtp]\nusername = \"u\"", "FILE:2:1", "email.smtp.password"),
    ("[email.smtp]\nca_file = \"/no/such\"", "FILE:2:1", "email.smtp.ca_file"),
    ("[links]\nlisten = \"8080\"", "FILE:2:1", "links.listen"),
    ("[links]\npublic_url = \"http://a.example\"", "FILE:2:1", "links.public_url"),
    ("[links]\npublic_url = \"https://a.example/?x\"", "FILE:2:1", "links.public_url"),
    ("[links]\nttl = \"0s\"", "FILE:2:1", "links.ttl"),
    ("[links]\nmax_redemptions = 6", "FILE:2:1", "links.max_redemptions"),
    ("[admin]\nlisten = \"127.0.0.1:8080\"", "FILE:2:1", "admin.listen"),
    ("[telemetry]\nlog = \"verbose\"", "FILE:2:1", "telemetry.log"),
    ("[telemetry]\nlog = \"reconnectd=loud\"", "FILE:2:1", "telemetry.log"),
    ("[telemetry]\nheartbeat_url = \"ping\"", "FILE:2:1", "telemetry.heartbeat_url"),
    ("[telemetry]\nheartbeat_url = \"http://ping.example.org/17\"", "FILE:2:1", "telemetry.heartbeat_url"),
    ("[telemetry]\notlp_endpoint = \"http://collector.example.org\"", "FILE:2:1", "telemetry.otlp_endpoint"),
    ("[telemetry]\notlp_endpoint = \"https://a.example/?key=1\"", "FILE:2:1", "telemetry.otlp_endpoint"),
    ("[links]\nrequests_per_minute = 9", "FILE:2:1", "links.requests_per_minute"),
    ("[links]\npublic_url = \"https://a:b@c.example\"", "FILE:2:1", "links.public_url"),
    ("[sweep]\nconfirm_after = \"11y\"", "FILE:2:1", "sweep.confirm_after"),
    ("[telemetry]\nheartbeat_max_unclear = 1.1", "FILE:2:1", "telemetry.heartbeat_max_unclear"),
];

/// A variable, its value, and the key of the only error.
const VARIABLES: &[(&str, &str, &str)] = &[
    ("RECONNECTD__SWEEP__SHEDULE", "x", "sweep.shedule"),
    ("RECONNECTD__EMAIL__SMTP__PORT", "smtp", "email.smtp.port"),
    ("RECONNECTD__NOTICES__EXPIRED__ENABLED", "yes", "notices.expired.enabled"),
    ("RECONNECTD__STORM__SHARE", "half", "storm.share"),
    ("RECONNECTD__GATEWAY__URL", "api", "gateway.url"),
    ("RECONNECTD__GATEWAY", "x", "gateway"),
];

#[test]
fn each_invalid_setting_of_a_file_is_reported_at_its_line() {
    for (text, location, key) in FILES {
        let diagnostics = given(text).load(&[]).unwrap_err().diagnostics;
        let [diagnostic] = &diagnostics[..] else { panic!("{text}: {diagnostics:?}") };
        let shown = diagnostic.location.to_string();
        assert_eq!(format!("FILE{}", &shown[shown.find(".toml").unwrap() + 5..]), *location, "{text}");
        assert_eq!(diagnostic.key, *key, "{text}");
    }
}

#[test]
fn each_invalid_variable_is_reported_by_name() {
    for (name, value, key) in VARIABLES {
        let diagnostics = from_environment(&[(name, value)]).unwrap_err().diagnostics;
        let [diagnostic] = &diagnostics[..] else { panic!("{name}: {diagnostics:?}") };
        assert_eq!((diagnostic.location.to_string().as_str(), diagnostic.key.as_str()), (*name, *key));
    }
}

#[test]
fn every_message_is_as_recorded() {
    let of_files = FILES.iter().map(|(text, ..)| format!("{text}\n  {}\n", given(text).errors(&[])));
    let of_variables = VARIABLES.iter().map(|(name, value, _)| {
        format!("{name}={value}\n  {}\n", from_environment(&[(name, value)]).unwrap_err())
    });
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("messages", of_files.chain(of_variables).collect::<Vec<_>>().join("\n"));
    });
}

/// Each way to write a setting. A secret is in each of them.
const PLACES: &[&str] = &[
    "[email.smtp]\npasword = \"hush\"",
    "[email]\nsmtp = { password = \"hush\", pasword = \"hush\" } # hush",
    "[email]\n\tsmtp.pasword = \"hush\"",
    "email.smtp.\"password \" = 'hush'",
    "[emial.smtp] # hush\npassword = \"\"\"\nhush\"\"\"",
    "[admin]\ntoken = \"\"\"\nhush\"\"\"\ntokn = 'hush'",
    "[[admin.tokn]]\nname = \"hush\"",
    "[email]\n\"pär_minüte 鍵\" = \"hush\"",
    "[admin]\r\n  token = [\"hush\"]\r\n",
    "[admin]\ntoken = hush",
    "[admin]\ntoken = \"hush",
    "[admin]\nhush",
    "[admin]\ntoken = \"\"\"\nhush = hush\n",
];

#[test]
fn the_line_of_an_error_is_shown_without_its_value() {
    let shown = |text: &&str| {
        let given = given(text);
        let errors = given.load(&[]).unwrap_err().with_excerpts();
        assert!(!errors.contains("hush"), "{errors}");
        format!("{text}\n---\n{}\n", errors.replace(&given.file.display().to_string(), "FILE"))
    };
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("excerpts", PLACES.iter().map(shown).collect::<Vec<_>>().join("\n"));
    });
}

#[test]
fn token_exchange_reports_each_setting_that_is_missing() {
    let text = "[gateway.auth]\nmode = \"token_exchange\"\nalgorithm = \"HS256\"\nlifetime = \"2h\"";
    let errors = given(text).errors(&[]);
    for key in ["token_url", "signing_key", "issuer", "audience"] {
        let start = format!("FILE:2:1: gateway.auth.{key}: ");
        assert!(errors.lines().any(|line| line.starts_with(&start)), "{errors}");
    }
    assert!(errors.contains("FILE:3:1: gateway.auth.algorithm: "), "{errors}");
    assert!(errors.contains("FILE:4:1: gateway.auth.lifetime: "), "{errors}");
}
