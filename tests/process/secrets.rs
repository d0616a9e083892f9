//! What must be nowhere: in no log at any level, in no output, in no file of the database.

use crate::harness::{CLIENT_KEY, Ended, Home, mails, until_true};
use reconnectd::sim::{Fault, FaultKind, Operation, Options, Simulator, SmtpFault, SmtpStage, TestBrowser};
use serde_json::{Value, json};
use std::fs;

const PASSWORD: &str = "correct-horse-battery-staple";

/// Where a text was found that is not to be there.
fn found(place: &str, content: &[u8], secrets: &[(&str, String)]) -> Vec<String> {
    let holds = |text: &str| content.windows(text.len()).any(|window| window == text.as_bytes());
    let held = secrets.iter().filter(|(_, secret)| holds(secret));
    held.map(|(name, _)| format!("{name} is in {place}")).collect()
}

/// What every access token of the simulator's begins with: the header of a JWT.
async fn token_header(simulator: &Simulator) -> String {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let refresh = json!({ "query": "query refreshTokens { refresh { accessToken } }" });
    let asked =
        http.post(simulator.gateway_url()).header("refresh_token", "rt-m1").header("clientkey", "any");
    let answer: Value = asked.json(&refresh).send().await.unwrap().json().await.unwrap();
    let token = answer["data"]["refresh"]["accessToken"].as_str().unwrap();
    token.split_once('.').unwrap().0.to_owned()
}

#[tokio::test]
async fn no_secret_reaches_a_log_an_output_or_the_database_through_the_whole_story_at_level_trace() {
    let credentials = Some(("reconnectd".to_owned(), PASSWORD.to_owned()));
    let options = Options { members: 1, smtp_credentials: credentials, ..Options::default() };
    let simulator = Simulator::start(options).await.unwrap();
    let world = simulator.world();
    // Tokens rotate and are renewed all the time; one member is refused a mail, another a token.
    world.configure(|settings| {
        settings.rotate = true;
        settings.access_token_lifetime = 2;
    });
    let refusal = "5.1.1 <bob@example.org>: no bob@example.org at https://mx.example.org/?user=bob";
    simulator.mailbox().script(SmtpFault::reply(SmtpStage::Rcpt, 550, refusal).to("bob@example.org"));

    let mut home = Home::new(&simulator);
    home.set("email.smtp.username", "reconnectd").set("email.smtp.password", PASSWORD);
    home.variable("RECONNECTD__TELEMETRY__LOG", "trace");
    home.enrol(&["alice", "bob", "carol"]).await;
    let daemon = home.daemon().await;
    until_true("the first sweep", async || home.json(&["connections", "list"]).await.len() == 9).await;
    world.revoke("carol").unwrap();
    for member in ["alice", "bob"] {
        world.set_status(member, "epic", "EXPIRED").unwrap();
    }
    let mail = mails(&simulator, 1).await.remove(0);
    until_true("bob's refusal", async || {
        home.json(&["notices", "list", "--member", "bob"]).await.iter().any(|n| n["state"] == "abandoned")
    })
    .await;
    let trouble = Fault::new(FaultKind::Http { status: 503, retry_after: Some("120".into()) });
    world.add_fault(trouble.on(Operation::GetOauthUrl));
    let (link, person) = (daemon.link(&mail), TestBrowser::new().unwrap());
    let later = person.press(&link, &[]).await.unwrap();
    assert_eq!((later.status, later.location), (503, None), "the gateway is down");
    world.clear_faults();
    let pressed = person.press(&link, &[]).await.unwrap().location.expect("the gateway is there again");
    person.allow(&pressed).await.unwrap();
    until_true("recovery", async || {
        home.json(&["lapses", "list", "--member", "alice"]).await[0]["outcome"] == "recovered"
    })
    .await;
    until_true("carol's rejection", async || home.json(&["status"]).await[0]["credentials"]["rejected"] == 1)
        .await;

    let state = url::Url::parse(&pressed).unwrap();
    let state = state.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let ring = fs::read_to_string(home.path("reconnectd.keys")).unwrap();
    let secrets = [
        ("the reconnect URL", "/oauth/authorize".to_owned()),
        ("its state", state),
        ("the link's token", link.rsplit_once('/').unwrap().1.to_owned()),
        ("an access token", token_header(&simulator).await),
        ("alice's refresh token", "rt-alice".to_owned()),
        ("bob's refresh token", "rt-bob".to_owned()),
        ("the client key", CLIENT_KEY.to_owned()),
        ("the mail server's password", PASSWORD.to_owned()),
        ("the key", ring.split_whitespace().last().unwrap().to_owned()),
    ];
    let kept = home.database_files();
    let known = [("an address", "alice@example.org".to_owned())];
    let is_kept = kept.iter().any(|(name, content)| !found(name, content, &known).is_empty());
    assert!(is_kept, "what the database does hold is found");
    let mut leaks = Vec::new();
    for (name, content) in kept {
        leaks.extend(found(&name, &content, &secrets));
    }
    let ended = daemon.running.stopped().await.well();
    for (name, content) in home.database_files() {
        leaks.extend(found(&name, &content, &secrets));
    }
    assert!(ended.stderr.contains("TRACE") || ended.stderr.contains("DEBUG"), "trace was asked for");
    assert!(ended.stderr.contains("[address]"), "bob's refusal was logged, without him");
    let addresses = [("an address", "@example.org".to_owned()), ("a URL", "mx.example.org".to_owned())];
    let said = |name: &str, ended: &Ended, with_addresses: bool| {
        let output = format!("{}{}", ended.stdout, ended.stderr);
        let mut leaks = found(name, output.as_bytes(), &secrets);
        if !with_addresses {
            leaks.extend(found(name, output.as_bytes(), &addresses));
        }
        leaks
    };
    leaks.extend(said("the daemon's output", &ended, false));
    world.restore("carol").unwrap();
    let notices = home.json(&["notices", "list", "--member", "bob"]).await;
    let notice = notices[0]["notice_id"].as_str().unwrap();
    let commands: [&[&str]; 12] = [
        &["once"],
        &["check", "--send-test", "someone@example.org"],
        &["config", "print"],
        &["members", "import", "members.jsonl"],
        &["members", "list"],
        &["connections", "list"],
        &["connections", "list", "--member", "alice"],
        &["transitions"],
        &["lapses", "list"],
        &["notices", "list"],
        &["notices", "show", notice],
        &["status"],
    ];
    for command in commands {
        for json in [&[][..], &["--json"]] {
            let ended = home.run(&[command, json].concat()).await;
            // The configuration's own sender has an address, too.
            let leaked = said(&command.join(" "), &ended, command == ["config", "print"]);
            leaks.extend(leaked);
        }
    }
    // An operator who asks for one member sees their address, and no more.
    leaks.extend(said("members show", &home.run(&["members", "show", "alice"]).await.well(), true));
    assert_eq!(leaks, Vec::<String>::new());
}
