use super::*;
use crate::domain::EmailAddress;
use crate::mail::EmailKind;
use crate::mail::fixtures::{TOKEN, connections, notice, notice_of, renderer, with_templates};
use mail_parser::{Message, MessageParser};

fn render(renderer: &Renderer, notice: &NoticeEmail) -> Email {
    renderer.render(notice).unwrap()
}

fn parse(email: &Email) -> Message<'_> {
    MessageParser::default().parse(&email.bytes).unwrap()
}

fn raw(email: &Email) -> String {
    String::from_utf8(email.bytes.clone()).unwrap()
}

/// Every template, language and disclosure, with one connection and with several.
fn every() -> impl Iterator<Item = (Disclosure, Template, Email)> {
    [Disclosure::Generic, Disclosure::Kind, Disclosure::Name].into_iter().flat_map(|level| {
        let renderer = renderer(level);
        let mut emails = Vec::new();
        for &kind in EmailKind::ALL {
            for locale in ["en", "es-MX"] {
                for names in [&["MarkedSource"][..], &["MarkedSource", "OtherSource"][..]] {
                    let notice = NoticeEmail { locale: Some(locale.to_owned()), ..notice_of(kind, names) };
                    emails.push((level, kind.template, render(&renderer, &notice)));
                }
            }
        }
        emails
    })
}

#[test]
fn every_email_has_both_parts_with_the_link_once_in_each_and_short_lines() {
    for (_, template, email) in every().filter(|(_, template, _)| template.has_link()) {
        let ends: &[&str] = if template == Template::Shared { &["-0", "-1"] } else { &[""] };
        let parsed = parse(&email);
        let (text, html) = (parsed.body_text(0).unwrap(), parsed.body_html(0).unwrap());
        for end in ends {
            let link = format!("https://acme.test/some/where/r/{TOKEN}{end}");
            assert_eq!(text.lines().filter(|line| *line == link).count(), 1, "{text}");
            assert_eq!(html.matches(&format!("href=\"{link}\"")).count(), 1, "{html}");
        }
        assert_eq!(text.matches(TOKEN).count(), ends.len());
        assert_eq!(html.matches(TOKEN).count(), ends.len(), "the buttons");
        assert!(text.lines().all(|line| line.chars().count() <= 78), "{text}");
        assert!(raw(&email).lines().all(|line| line.len() <= 998));
        assert!(email.bytes.len() < 20_000, "{}", email.bytes.len());
    }
}

#[test]
fn a_recovery_email_has_no_button_but_an_unsubscribe_link() {
    let recovered: Vec<_> = every().filter(|(_, template, _)| *template == Template::Recovered).collect();
    assert_eq!(recovered.len(), 3 * 2 * 2, "one per disclosure, language and number of sources");
    for (_, _, email) in recovered {
        let all = format!("{}{}", email.text(), email.html());
        assert!(!all.contains("/r/") && !all.contains("#0b6658"), "{all}");
        for part in [email.text(), email.html()] {
            assert!(part.contains("https://acme.test/some/where/u/stop-1"), "{part}");
        }
        assert!(email.text().lines().all(|line| line.chars().count() <= 78), "{}", email.text());
    }
}

#[test]
fn every_html_part_is_self_contained_without_pictures_or_scripts() {
    for (_, _, email) in every() {
        let html = email.html();
        for foreign in ["<img", "<script", "<link", "url(", "@import", "src=", "<form", "<iframe"] {
            assert!(!html.contains(foreign), "{foreign}");
        }
        assert!(html.matches("http").count() == html.matches("https://acme.test/some/where/").count());
        assert!(html.contains("<html lang=\"e"));
        assert_eq!(html.matches("<h1").count(), 1);
    }
}

#[test]
fn under_generic_expired_and_disconnected_emails_are_byte_for_byte_equal() {
    let renderer = renderer(Disclosure::Generic);
    let email = |template, locale: &str, names: &[&str], source_type: SourceType| {
        let mut notice = NoticeEmail { locale: Some(locale.to_owned()), ..notice(template, names) };
        connections(&mut notice).for_each(|label| label.source_type = Some(source_type.clone()));
        raw(&render(&renderer, &notice))
    };
    for locale in ["en", "es"] {
        let expired = email(Template::Expired, locale, &["One"], SourceType::Pharmacy);
        assert_eq!(expired, email(Template::Disconnected, locale, &["Another"], SourceType::Insurance));
        let several = email(Template::Several, locale, &["One", "Two"], SourceType::Lab);
        assert_eq!(several, email(Template::Several, locale, &["Three", "Four"], SourceType::Clinical));
        let shared = email(Template::Shared, locale, &["One", "Two"], SourceType::Lab);
        assert_eq!(shared, email(Template::Shared, locale, &["Three", "Four"], SourceType::Clinical));
    }
}

#[test]
fn under_generic_no_email_reveals_a_source_a_kind_or_a_status() {
    for (_, _, email) in every().filter(|(level, ..)| *level == Disclosure::Generic) {
        let all = format!("{}{}{}{}", raw(&email), email.subject(), email.text(), email.html());
        let revealing = [
            "markedsource",
            "othersource",
            "pharmacy",
            "farmacia",
            "expire",
            "caduc",
            "disconnect",
            "desconect",
            "health",
            "salud",
        ];
        for word in revealing {
            assert!(!all.to_lowercase().contains(word), "{word}: {all}");
        }
    }
}

#[test]
fn kind_reveals_the_kind_and_name_the_name() {
    for (level, _, email) in every().filter(|(_, template, _)| *template != Template::Several) {
        let (text, html) = (one_line(email.text()), email.html());
        for part in [text.as_str(), html] {
            let kind =
                ["your pharmac", "tu farmacia", "tus farmacias"].iter().any(|kind| part.contains(kind));
            assert_eq!(kind, level == Disclosure::Kind, "{part}");
            assert_eq!(part.contains("MarkedSource"), level == Disclosure::Name, "{part}");
        }
    }
}

#[test]
fn sources_form_a_natural_phrase() {
    use SourceType::{Insurance, Lab, Pharmacy};
    let named =
        |name: &str, source_type| ConnectionLabel { name: name.to_owned(), source_type, needs_sign_in: true };
    let names = |names: &[&str]| names.iter().map(|name| named(name, Some(Pharmacy))).collect::<Vec<_>>();
    let kinds =
        |kinds: &[Option<SourceType>]| kinds.iter().cloned().map(|kind| named("", kind)).collect::<Vec<_>>();
    for (level, language, sources, phrase) in [
        // The first three by name, the others by number.
        (Disclosure::Name, "en", names(&["A1", "B2"]), "A1 and B2"),
        (Disclosure::Name, "en", names(&["A1", "B2", "C3", "D4", "E5"]), "A1, B2, C3 and 2 more"),
        (Disclosure::Name, "es", names(&["A1", "B2", "C3", "D4", "E5"]), "A1, B2, C3 y 2 más"),
        // Two of a kind.
        (Disclosure::Kind, "en", kinds(&[Some(Pharmacy), Some(Pharmacy)]), "your pharmacies"),
        (Disclosure::Kind, "en", kinds(&[Some(Lab), None, Some(Lab)]), "your labs and one of your accounts"),
        (
            Disclosure::Kind,
            "es",
            kinds(&[Some(Pharmacy), Some(Lab), Some(Pharmacy)]),
            "tus farmacias y tu laboratorio",
        ),
        (
            Disclosure::Kind,
            "es",
            kinds(&[None, None, Some(Insurance)]),
            "algunas de tus cuentas y tu seguro de salud",
        ),
        // "y" is "e" before the sound of an i.
        (Disclosure::Name, "es", names(&["Clínica Norte", "IMSS"]), "Clínica Norte e IMSS"),
        (Disclosure::Name, "es", names(&["A", "B", "Hidalgo"]), "A, B e Hidalgo"),
        (Disclosure::Name, "es", names(&["A", "Índigo"]), "A e Índigo"),
        (Disclosure::Name, "es", names(&["A", "Hierbas"]), "A y Hierbas"),
        (Disclosure::Name, "es", names(&["Ibero", "Farmacia"]), "Ibero y Farmacia"),
    ] {
        let renderer = renderer(level);
        let edition = renderer.edition(Template::Expired, language);
        let sources: Vec<_> = sources.iter().collect();
        assert_eq!(renderer.sources(edition, &sources).unwrap().unwrap(), phrase);
    }
}

#[test]
fn headers_mark_an_automatic_email_and_are_equal_at_each_attempt() {
    let renderer = renderer(Disclosure::Generic);
    let notice = NoticeEmail { locale: Some("es_MX".into()), ..notice(Template::Reminder, &["A"]) };
    let email = render(&renderer, &notice);
    let parsed = parse(&email);
    let header = |name: &str| parsed.header_raw(name).unwrap_or_default().trim().to_owned();
    assert_eq!(header("Message-ID"), "<0190c1f2-7d7b@acme.test>");
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert_eq!(header("Content-Language"), "es");
    assert_eq!(header("Date"), "Mon, 23 Nov 2026 12:00:00 +0000");
    assert_eq!(header("Reply-To"), "help@acme.test");
    assert_eq!(header("To"), "alice@example.org");
    assert_eq!(header("List-Unsubscribe"), "<https://acme.test/some/where/u/stop-1>");
    assert_eq!(header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!(from.name(), Some("Acme, Ünlimited"));
    assert_eq!(from.address(), Some("no-reply@acme.test"));
    assert_eq!(parsed.subject(), Some(email.subject()));
    assert_eq!(email.bytes, render(&renderer, &notice).bytes);
}

#[test]
fn a_hostile_name_is_escaped_and_adds_no_header() {
    let renderer = renderer(Disclosure::Name);
    let long = "x".repeat(1000);
    for name in ["<script>alert(1)</script>", "a\r\nBcc: evil@example.org\r\n\r\nbody", "\u{202E}live", &long]
    {
        let email = render(&renderer, &notice(Template::Expired, &[name]));
        let parsed = parse(&email);
        assert!(parsed.bcc().is_none());
        assert_eq!(parsed.subject(), Some(email.subject()), "{name:?}");
        assert!(!email.html().contains("<script") && !raw(&email).contains('\u{202E}'));
        assert!(email.subject().chars().count() <= MAX_SUBJECT_CHARS);
        assert!(email.bytes.len() < 20_000);
    }
}

#[test]
fn addresses_in_other_scripts_take_the_form_that_servers_accept() {
    let renderer = renderer(Disclosure::Generic);
    let to = |to: &str| NoticeEmail { to: to.parse().unwrap(), ..notice(Template::Expired, &["A"]) };
    let email = render(&renderer, &to("jose@exámple.example"));
    assert!(raw(&email).contains("To: jose@xn--exmple-qta.example\r\n"), "{}", raw(&email));
    assert!(email.bytes.is_ascii());
    let email = render(&renderer, &to("josé@example.org"));
    assert!(raw(&email).contains("To: josé@example.org\r\n"));
    let unsendable = EmailAddress::from_stored("a..b@example.org".to_owned());
    let stored = NoticeEmail { to: unsendable, ..notice(Template::Expired, &["A"]) };
    assert!(matches!(renderer.render(&stored), Err(RenderError::Address)));
}

#[test]
fn the_lifetime_of_a_link_is_shown_in_the_largest_exact_unit() {
    let renderer = renderer(Disclosure::Generic);
    for (minutes, english, spanish) in [
        (7 * 1440, "works for 7 days.", "durante 7 días."),
        (2 * 1440, "works for 2 days.", "durante 2 días."),
        (36 * 60, "works for 36 hours.", "durante 36 horas."),
        (24 * 60, "works for 24 hours.", "durante 24 horas."),
        (90, "works for 90 minutes.", "durante 90 minutos."),
        (60, "works for one hour.", "durante una hora."),
        (30, "works for 30 minutes.", "durante 30 minutos."),
        (1, "works for one minute.", "durante un minuto."),
    ] {
        for (locale, words) in [("en", english), ("es", spanish)] {
            let notice = NoticeEmail {
                ttl: Duration::from_secs(minutes * 60),
                locale: Some(locale.to_owned()),
                ..notice(Template::Expired, &["A"])
            };
            let email = render(&renderer, &notice);
            assert!(one_line(email.text()).contains(words), "{}", email.text());
            assert!(email.html().contains(words), "{}", email.html());
        }
    }
}

#[test]
fn an_operators_template_overrides_one_file_and_the_rest_stays_built_in() {
    let (_directory, renderer) =
        with_templates(Disclosure::Kind, &[("es_MX/expired.subject", "¡Hola! {{ operator }}")]);
    let renderer = renderer.unwrap();
    let built_in = self::renderer(Disclosure::Kind);
    let subject = |renderer: &Renderer, locale: &str| {
        let notice = NoticeEmail { locale: Some(locale.to_owned()), ..notice(Template::Expired, &["A"]) };
        render(renderer, &notice).subject().to_owned()
    };
    assert_eq!(subject(&renderer, "es-MX"), "¡Hola! Acme, Ünlimited");
    for locale in ["es", "fr"] {
        assert_eq!(subject(&renderer, locale), subject(&built_in, locale));
    }
}

#[test]
fn whether_a_sign_in_follows_changes_the_email_except_under_generic() {
    for (disclosure, is_told) in
        [(Disclosure::Generic, false), (Disclosure::Kind, true), (Disclosure::Name, true)]
    {
        let renderer = renderer(disclosure);
        for template in Template::ALL.iter().copied().filter(|template| template.has_link()) {
            let count = if template.accepts_count(1) { 1 } else { 2 };
            let text = |needs_sign_in| {
                let mut notice = notice(template, &["Epic", "Lab"][..count]);
                connections(&mut notice).for_each(|label| label.needs_sign_in = needs_sign_in);
                renderer.render(&notice).unwrap().text().to_owned()
            };
            assert_eq!(text(true) != text(false), is_told, "{disclosure:?} {template:?}");
        }
    }
}
