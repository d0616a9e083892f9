use super::{smtp::Dialogue, *};

const MAIL: &str = "From: Reconnect <no-reply@x.example>\r\nTo: alice@x.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
X-Long: one\r\n two\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
Open <http://127.0.0.1:8080/r/abc=3Ddef> now\r\n\
--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
<!doctype html><html><head><title>t</title></head><body><a href=\"http://127.0.0.1/r/x\">Go</a></body></html>\r\n\
--b--";

async fn with_mail() -> Sim {
    let sim = Sim::start().await;
    let (mut dialogue, _) = Dialogue::open(sim.simulator.smtp_addr()).await;
    assert!(dialogue.send("alice@x.example", MAIL).await.starts_with("250"));
    sim
}

#[tokio::test]
async fn a_mails_parts_are_decoded() {
    let sim = with_mail().await;
    let mail = sim.simulator.mailbox().mail(1).unwrap();
    assert_eq!(mail.subject().as_deref(), Some("Grüße"));
    assert_eq!(mail.header("x-long").as_deref(), Some("one two"));
    assert_eq!(mail.text().unwrap().trim(), "Open <http://127.0.0.1:8080/r/abc=def> now");
    assert!(mail.html().unwrap().contains("<a href="));
    assert_eq!(mail.links(), ["http://127.0.0.1:8080/r/abc=def"]);
}

#[tokio::test]
async fn a_mail_without_html_has_none() {
    let sim = Sim::start().await;
    let (mut dialogue, _) = Dialogue::open(sim.simulator.smtp_addr()).await;
    dialogue.send("a@x.example", "Subject: Plain\r\n\r\nText").await;
    let mail = sim.simulator.mailbox().mail(1).unwrap();
    assert_eq!((mail.html(), mail.text().unwrap().trim()), (None, "Text"));
    assert_eq!(sim.get("/mail/1/html").await.0, 404);
    assert!(!sim.get("/mail/1").await.1.contains("<iframe"));
}

#[tokio::test]
async fn mails_are_listed_newest_first_and_shown_whole() {
    let sim = with_mail().await;
    let (mut dialogue, _) = Dialogue::open(sim.simulator.smtp_addr()).await;
    dialogue.send("bob@x.example", "Subject: <i>Second</i>\r\n\r\nText").await;
    let (_, list) = sim.get("/mail").await;
    assert!(list.find("/mail/2").unwrap() < list.find("/mail/1").unwrap(), "{list}");
    assert!(list.contains("Grüße") && !list.contains("<i>"));
    let (status, page) = sim.get("/mail/1").await;
    assert_eq!(status, 200);
    assert!(page.contains("Grüße") && page.contains("one two") && page.contains("/mail/1/html"), "{page}");
    assert_eq!(sim.get("/mail/1/raw").await.1, format!("{MAIL}\r\n"));
    assert_eq!(sim.get("/mail/3").await.0, 404);
}

#[tokio::test]
async fn a_mails_html_is_kept_in_a_sandbox_whose_links_open_a_tab() {
    let sim = with_mail().await;
    let response = sim.http.get(sim.url("/mail/1/html")).send().await.unwrap();
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("sandbox allow-popups") && !policy.contains("allow-scripts"), "{policy}");
    assert!(policy.contains("default-src 'none'"));
    assert!(response.text().await.unwrap().contains("<head><base target=\"_blank\">"));
}

#[tokio::test]
async fn mails_are_listed_and_forgotten_and_their_faults_scripted_by_machine() {
    let sim = with_mail().await;
    let mails: Value = serde_json::from_str(&sim.get("/control/mails").await.1).unwrap();
    assert_eq!(mails.as_array().unwrap().len(), 1);
    let mail = &mails[0];
    assert_eq!(
        (&mail["n"], &mail["from"], &mail["to"]),
        (&json!(1), &json!("sender@x.example"), &json!(["alice@x.example"]))
    );
    assert_eq!((&mail["subject"], &mail["raw"]), (&json!("Grüße"), &json!(format!("{MAIL}\r\n"))));
    assert!(mail["text"].as_str().unwrap().starts_with("Open"));
    assert_eq!(sim.delete("/control/mails").await, 204);
    assert!(sim.simulator.mailbox().mails().is_empty());

    let fault = json!({ "stage": "rcpt", "recipient": "alice@x.example", "times": 1,
        "action": { "reply": { "code": 451, "text": "4.7.1 Greylisted" } } });
    assert_eq!(sim.post("/control/mails/faults", fault).await.0, 204);
    assert_eq!(sim.post("/control/mails/faults", json!({ "stage": "end", "action": "drop" })).await.0, 204);
    let (mut dialogue, _) = Dialogue::open(sim.simulator.smtp_addr()).await;
    assert_eq!(dialogue.send("alice@x.example", MAIL).await, "451 4.7.1 Greylisted");
    assert_eq!(sim.delete("/control/mails/faults").await, 204);
    assert!(dialogue.send("alice@x.example", MAIL).await.starts_with("250"));
    assert_eq!(sim.simulator.mailbox().mails()[0].n, 2);
}
