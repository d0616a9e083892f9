//! Emails stay intact whatever they contain: names in any script, hostile or long.

use super::*;
use crate::mail::EmailKind;
use crate::mail::fixtures::{config, notice, notice_of, renderer, with_templates};
use mail_parser::{Address, Message, MessageParser};
use proptest::prelude::*;
use std::sync::LazyLock;

fn from(from: &str, reply_to: &str) -> Renderer {
    let mut config = config();
    config.email.from = from.parse().unwrap();
    config.email.reply_to = (!reply_to.is_empty()).then(|| reply_to.parse().unwrap());
    Renderer::new(&config.brand(), &config.notices, &config.email, &config.links).unwrap()
}

fn parse(mail: &Email) -> Message<'_> {
    MessageParser::default().parse(&mail.bytes).unwrap()
}

fn name(address: Option<&Address<'_>>) -> String {
    address.unwrap().first().unwrap().name().unwrap_or_default().to_owned()
}

/// Checks the bytes of an email to an ASCII address.
fn assert_sound(mail: &Email) {
    let raw = std::str::from_utf8(&mail.bytes).unwrap();
    assert!(raw.is_ascii(), "nothing asks for SMTPUTF8: {raw}");
    assert!(!raw.replace("\r\n", "").contains(['\r', '\n']), "lines end with CRLF: {raw:?}");
    for line in raw.split("\r\n") {
        // A URL is never folded.
        let may_be_longer = line.starts_with("List-Unsubscribe:");
        assert!(line.len() <= if may_be_longer { 998 } else { 78 }, "{} bytes: {line}", line.len());
    }
    let head = raw.split("\r\n\r\n").next().unwrap();
    for once in
        ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Auto-Submitted"]
    {
        let found = head.split("\r\n").filter(|line| line.starts_with(&format!("{once}: "))).count();
        assert_eq!(found, 1, "{once}: {head}");
    }
    assert!(mail.html().len() < 102_000, "Gmail clips a longer one");
}

#[test]
fn an_operators_name_in_any_spelling_is_read_as_it_was_meant() {
    for (written, meant) in [
        ("Acme, Inc. <a@acme.test>", "Acme, Inc."),
        ("\"Acme, Inc.\" <a@acme.test>", "Acme, Inc."),
        (r#""The \"Help\" desk" <a@acme.test>"#, r#"The "Help" desk"#),
        (r#"The "Help" desk <a@acme.test>"#, r#"The "Help" desk"#),
        (r#"The "Desk" <a@acme.test>"#, r#"The "Desk""#),
        ("Clínica São João <a@acme.test>", "Clínica São João"),
        ("Care 🩺 Team 👩\u{200d}⚕\u{fe0f} <a@acme.test>", "Care 🩺 Team 👩\u{200d}⚕\u{fe0f}"),
        ("健康センター <a@acme.test>", "健康センター"),
        ("Acme (UK); Health: @home <a@acme.test>", "Acme (UK); Health: @home"),
        ("Acme & 'Co' <a@acme.test>", "Acme & 'Co'"),
        (&format!("{} <a@acme.test>", "A very long name of an organisation ".repeat(4).trim()), ""),
        (&format!("{} <a@acme.test>", "名".repeat(120)), ""),
    ] {
        let meant = if meant.is_empty() { written.trim_end_matches(" <a@acme.test>") } else { meant };
        let renderer = from(written, written);
        assert_eq!(renderer.operator(), meant, "{written:?}");
        let mail = renderer.render(&notice(Template::Expired, &["A"])).unwrap();
        assert_sound(&mail);
        let parsed = parse(&mail);
        assert_eq!(name(parsed.from()), meant, "{}", mail.eml());
        assert_eq!(name(parsed.reply_to()), meant, "{}", mail.eml());
        assert_eq!(parsed.subject(), Some(mail.subject()));
        assert!(parsed.bcc().is_none() && !mail.html().contains("& '"));
    }
}

#[test]
fn a_senders_address_may_have_a_domain_in_another_script() {
    let mail = from("Büro <post@büro.example>", "").render(&notice(Template::Expired, &["A"])).unwrap();
    assert_sound(&mail);
    assert!(mail.eml().contains("<post@xn--bro-hoa.example>"), "{}", mail.eml());
    assert!(mail.message_id().ends_with("@xn--bro-hoa.example"));
}

static RENDERER: LazyLock<Renderer> = LazyLock::new(|| renderer(Disclosure::Name));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_source_is_called_the_mail_is_sound(name in "\\PC{0,80}|.{0,80}", kind in 0..EmailKind::ALL.len()) {
        let kind = EmailKind::ALL[kind];
        let names = if kind.template.accepts_count(1) { vec![name.as_str()] } else { vec![name.as_str(), "Other"] };
        let mut notice = notice_of(kind, &names);
        notice.sections[0].label = Some(name.clone());
        let mail = RENDERER.render(&notice).unwrap();
        assert_sound(&mail);
        let parsed = parse(&mail);
        // Readers may fold spaces that are not ASCII.
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(words(parsed.subject().unwrap()), words(mail.subject()));
        prop_assert_eq!(words(&parsed.body_text(0).unwrap()), words(mail.text()));
    }
}

#[test]
fn a_line_of_the_template_that_is_a_dot_alone_or_very_long_does_no_harm() {
    let long = "x".repeat(5000);
    let text = format!("Hello\n\n.\n\n..\n\n.dots\n\n{long}\n\n{{{{ link }}}}");
    let html = format!("<html lang=\"en\">\n.\n<p>{long}</p>{{{{ link }}}}</html>");
    let files = [("en/expired.txt", text.as_str()), ("en/expired.html", html.as_str())];
    let (_directory, renderer) = with_templates(Disclosure::Name, &files);
    let mail = renderer.unwrap().render(&notice(Template::Expired, &["A"])).unwrap();
    assert_sound(&mail);
    let parsed = parse(&mail);
    let text = parsed.body_text(0).unwrap().replace("\r\n", "\n");
    assert!(text.starts_with(&format!("Hello\n\n.\n\n..\n\n.dots\n\n{long}\n\n")), "{text}");
    assert!(parsed.body_html(0).unwrap().replace("\r\n", "\n").contains("\n.\n<p>xxx"));
}

#[test]
fn readers_old_and_new_can_show_every_html_part() {
    for level in [Disclosure::Generic, Disclosure::Name] {
        let renderer = renderer(level);
        for language in ["en", "es"] {
            for &kind in EmailKind::ALL {
                let names: &[&str] = if kind.template.accepts_count(1) { &["A"] } else { &["A", "B"] };
                let notice = NoticeEmail { locale: Some(language.to_owned()), ..notice_of(kind, names) };
                let mail = renderer.render(&notice).unwrap();
                let html = mail.html();
                assert!(html.contains(&format!("<html lang=\"{language}\">")));
                // An inbox shows the preheader next to the subject.
                let preheader = html.split("mso-hide:all\">").nth(1).unwrap().split("&#847;").next().unwrap();
                assert!(preheader.len() > 10 && !preheader.contains('<'), "{preheader:?}");
                // Outlook on Windows knows neither max-width nor a background of a `div`.
                for part in ["<!--[if mso]><table role=\"presentation\" width=\"560\"", "bgcolor=\"#ffffff\""]
                {
                    assert!(html.contains(part), "{part}");
                }
                assert!(html.contains("prefers-color-scheme: dark") && html.contains("[data-ogsc]"));
                assert_eq!(html.matches("<table").count(), html.matches("</table>").count());
                assert_eq!(html.matches("role=\"presentation\"").count(), html.matches("<table").count());
                for foreign in ["<svg", "<v:", "position:", "flex", "grid", "var(--"] {
                    assert!(!html.contains(foreign), "{foreign}");
                }
            }
        }
    }
}
