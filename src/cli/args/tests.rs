use super::*;
use clap::CommandFactory;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("reconnectd").chain(line.split_whitespace()))
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_of_the_contract_parses() {
    let lines = [
        "run",
        "once",
        "check",
        "check --send-test ops@example.org",
        "check --member alice",
        "config print",
        "keys generate",
        "keys rotate",
        "keys rotate --to next.keys --wait 10",
        "keys jwks",
        "members import members.csv",
        "members import -",
        "members list",
        "members list --unreachable",
        "members retry alice bob",
        "members retry --all",
        "members show alice",
        "members pause alice bob",
        "members resume alice",
        "members remove alice",
        "members remove alice --erase",
        "connections list",
        "connections list --member alice",
        "connections establish epic --member alice --send",
        "connections establish labcorp --member alice --integration-type DIRECT",
        "connections establish basicins --member alice --username a --password-stdin",
        "connections reconnect basicins --member alice --username a --password-file p",
        "connections reconnect epic --member alice --show",
        "connections disconnect epic --member alice",
        "connections delete epic --member alice --yes",
        "transitions",
        "transitions --member alice",
        "lapses list",
        "lapses list --member alice",
        "notices list",
        "notices list --member alice",
        "notices show 0193",
        "notices retry 0193 0194",
        "notices retry --all",
        "notices preview",
        "notices preview --kind expired --locale es-MX --part eml --output expired.eml --count 1",
        "suppress add ada@example.org",
        "suppress list",
        "suppress remove ada@example.org",
        "why alice",
        "why alice epic",
        "disclosures alice",
        "disclosures --address ada@example.org --json",
        "replay --with other.toml",
        "replay --with other.toml --since 7d --above 3",
        "status",
        "database copy --to postgres://reconnectd@localhost/reconnectd",
        "database copy --to-file url",
        "database reopen --yes",
        "backup reconnectd-2026-03-02.db",
        "restore reconnectd-2026-03-02.db --json",
        "links activity",
        "links revoke --member alice",
        "links activity --since 7d",
        "sources list",
        "sources list --json",
        "config schema",
        "completions bash",
        "completions fish",
        "man /usr/share/man/man1",
    ];
    for line in lines {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[cfg(feature = "sim")]
#[test]
fn the_simulator_requires_its_addresses() {
    for line in ["demo", "demo --once", "simulate --listen 127.0.0.1:0 --smtp [::1]:0 --members 5"] {
        assert!(parse(line).is_ok(), "{line}");
    }
    let error = parse("simulate --listen 127.0.0.1:0").unwrap_err();
    assert_eq!(error.kind(), clap::error::ErrorKind::MissingRequiredArgument);
}

#[test]
fn global_options_can_precede_or_follow_the_command() {
    for line in ["--config x.toml --json members list", "members list --config x.toml --json"] {
        let cli = parse(line).unwrap();
        assert_eq!((cli.config, cli.json), (Some("x.toml".into()), true), "{line}");
    }
}

#[test]
fn a_usage_error_exits_with_2() {
    let partings = ["connections disconnect epic", "connections delete --member alice"];
    let means = ["--send --show", "--password x", "--password-stdin --password-file p"]
        .map(|means| format!("connections establish epic --member alice {means}"));
    for line in partings.into_iter().chain(means.iter().map(String::as_str)) {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
    for line in ["notices preview --part pdf", "notices preview --count 0", "notices preview --count 101"] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
    for line in [
        "",
        "fly",
        "members",
        "members show",
        "members pause",
        "members resume",
        "check --send-test nobody",
        "suppress add nobody",
        "notices retry",
        "notices retry 0193 --all",
        "run --fast",
        "links",
        "sources",
        "completions",
        "completions tcsh",
        "man",
        "database copy",
        "database copy --to-file url --to sqlite://x.db",
        "links activity --since ever",
        "links activity --since 11y",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

/// Every command with its options, in the order of `--help`.
#[cfg(feature = "sim")]
fn help_texts(command: &mut clap::Command, path: &str, texts: &mut Vec<String>) {
    texts.push(format!("== {path}\n{}", command.render_long_help()));
    for subcommand in command.get_subcommands_mut().filter(|subcommand| subcommand.get_name() != "help") {
        let path = format!("{path} {}", subcommand.get_name());
        help_texts(subcommand, &path, texts);
    }
}

#[cfg(feature = "sim")]
#[test]
fn help_is_as_recorded() {
    let mut command = Cli::command();
    command.build();
    let mut texts = Vec::new();
    help_texts(&mut command, "reconnectd", &mut texts);
    // The version changes with each release, and the variable's value with the environment.
    let value = std::env::var("RECONNECTD_CONFIG").unwrap_or_default();
    let shown = texts.join("\n").replace(&format!("RECONNECTD_CONFIG={value}"), "RECONNECTD_CONFIG=");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("help", shown);
    });
}

const DOCUMENTS: [(&str, &str); 5] = [
    ("README.md", include_str!("../../../README.md")),
    ("SECURITY.md", include_str!("../../../SECURITY.md")),
    ("CONTRIBUTING.md", include_str!("../../../CONTRIBUTING.md")),
    ("deploy/README.md", include_str!("../../../deploy/README.md")),
    ("ARCHITECTURE.md", include_str!("../../../ARCHITECTURE.md")),
];

/// The words of a line of a shell. Comments, redirections, and other programs end it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), close) if open == close => quote = None,
            (None, '<' | '>' | '|' | '#' | '&' | ';') => break,
            (None, ' ') => words.push(String::new()),
            _ => words.last_mut().expect("a word").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The commands in the blocks, and those in code spans, which may be names without arguments.
fn commands(text: &'static str) -> impl Iterator<Item = (&'static str, bool)> {
    let mut is_code = false;
    text.lines().flat_map(move |line| {
        let line = line.trim();
        is_code ^= line.starts_with("```");
        let spans = line.split('`').skip(1).step_by(2).filter(|_| !is_code).map(|span| (span, true));
        let line = line.strip_prefix("$ ").unwrap_or(line);
        is_code.then_some((line, false)).into_iter().chain(spans).collect::<Vec<_>>()
    })
}

#[test]
fn the_commands_of_the_documents_parse() {
    use clap::error::ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand as Family, *};
    let (mut parsed, mut wrong) = (0, Vec::new());
    for (document, text) in DOCUMENTS {
        for (line, may_be_name) in commands(text).filter(|(line, _)| !line.contains(['…', '['])) {
            // As the service, or with a setting of its own.
            let line = line.trim_start_matches("RECONNECTD__KEYS__FILE=/etc/credstore/reconnectd.keys ");
            let Some(arguments) = line.strip_prefix("reconnectd ").or(line.strip_prefix("reconnectd-ctl "))
            else {
                continue;
            };
            let words = words(arguments);
            let result = Cli::try_parse_from(std::iter::once("reconnectd".to_owned()).chain(words));
            if let Err(error) = result {
                let is_name = may_be_name
                    && matches!(error.kind(), Family | MissingSubcommand | MissingRequiredArgument);
                if !is_name && !matches!(error.kind(), DisplayHelp | DisplayVersion) {
                    wrong.push(format!("{document}: {line}\n{error}"));
                }
            }
            parsed += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(parsed > 60, "only {parsed}");
}
