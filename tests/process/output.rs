//! What programs read.

use crate::harness::{Home, Running, simulator};
use serde_json::json;

#[tokio::test]
async fn the_piped_output_of_a_pass_and_of_an_import_is_one_json_object() {
    let simulator = simulator(50).await;
    let home = Home::new(&simulator);
    home.run(&["keys", "generate"]).await.well();
    let lines: Vec<_> =
        (1..=50).map(|n| simulator.world().import_line(&format!("m{n}")).to_string()).collect();
    home.write("members.jsonl", &lines.join("\n"));
    let imported = home.run(&["members", "import", "members.jsonl", "--json"]).await.well();
    assert_eq!(imported.json(), [json!({ "imported": 50, "known_tokens": 0 })]);
    assert_eq!(imported.stderr, "", "no progress bar where nobody looks");

    let once = home.run(&["once", "--json"]).await.well();
    let [report] = &once.json()[..] else { panic!("{}", once.stdout) };
    assert_eq!((&report["members"], &report["complete"]), (&json!(50), &json!(true)));
    assert!(!once.stderr.contains('\u{1b}'), "neither colours nor a spinner: {}", once.stderr);
}

#[tokio::test]
async fn a_report_whose_reader_leaves_early_is_no_failure() {
    let simulator = simulator(2_000).await;
    let home = Home::new(&simulator);
    let everyone: Vec<String> = (1..=2_000).map(|n| format!("m{n}")).collect();
    home.enrol(&everyone.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut shell = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_reconnectd");
    let config = home.path("reconnectd.toml");
    shell.args(["-c", "{ \"$0\" --config \"$1\" members list --json; echo $? >&2; } | head -n 1"]);
    shell.arg(program).arg(config);
    let ended = Running::start(shell).ended().await.well();
    assert_eq!(ended.json().len(), 1);
    assert_eq!(ended.stderr, "0\n");
}

#[tokio::test]
async fn no_command_panics_when_nobody_reads_its_output() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    for arguments in [
        "check",
        "status",
        "config print",
        "completions bash",
        "members list",
        "no-such-command",
        "notices preview",
        "demo --once",
        "simulate --listen 127.0.0.1:0 --smtp 127.0.0.1:0",
        "run",
    ] {
        let mut shell = home.program_named("sh");
        // A daemon goes on. A command ends by itself, also on a busy machine.
        let seconds = if arguments == "run" { "3" } else { "30" };
        // Both pipes are closed before the program writes. The shell's own errors go to a file.
        let script = "{ sleep 0.3; timeout $2 \"$0\" --config reconnectd.toml $1 2>&1; echo $? > code; } \
                      2>errors | true";
        shell.args(["-c", script, env!("CARGO_BIN_EXE_reconnectd"), arguments, seconds]);
        Running::start(shell).ended().await.well();
        let left_behind = |name| std::fs::read_to_string(home.path(name)).unwrap_or_default();
        let (code, errors) = (left_behind("code"), left_behind("errors"));
        assert!(!code.is_empty(), "{arguments}: {errors}");
        std::fs::remove_file(home.path("code")).unwrap();
        let daemon_goes_on = arguments == "run" && code.trim() == "124";
        assert!(daemon_goes_on || ["0", "1", "2"].contains(&code.trim()), "{arguments}: {code}{errors}");
    }
}

#[tokio::test]
async fn logs_are_json_lines_when_the_operator_wants_them_so() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    home.set("telemetry.format", "json");
    let once = home.run(&["once"]).await.well();
    let lines: Vec<serde_json::Value> =
        once.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.iter().find(|line| line["message"] == "sweep ended").unwrap();
    assert_eq!((&last["members"], &last["level"]), (&json!(1), &json!("INFO")));
}
