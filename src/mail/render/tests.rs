use super::*;
use crate::mail::fixtures::{TOKEN, notice, renderer, with_templates};
use mail_parser::{Message, MessageParser};

fn render(renderer: &Renderer, notice: &NoticeEmail) -> Email {
    renderer.render(notice).unwrap()
}

fn parse(mail: &Email) -> Message<'_> {
    MessageParser::default().parse(&mail.bytes).unwrap()
}

fn raw(mail: &Email) -> String {
    String::from_utf8(mail.bytes.clone()).unwrap()
}

/// Every kind, language and disclosure, with one connection and with several.
fn every() -> impl Iterator<Item = (Disclosure, Email)> {
    [Disclosure::Generic, Disclosure::Kind, Disclosure::Name].into_iter().flat_map(|told| {
        let renderer = renderer(told);
        let mut mails = Vec::new();
        for kind in Template::ALL {
            for locale in ["en", "es-MX"] {
                for names in [&["MarkedSource"][..], &["MarkedSource", "OtherSource"][..]] {
                    let notice = NoticeEmail { locale: Some(locale.to_owned()), ..notice(*kind, names) };
                    mails.push((told, render(&renderer, &notice)));
                }
            }
        }
        mails
    })
}

#[test]
fn every_mail_has_both_parts_with_the_link_once_in_each_and_short_lines() {
    let link = format!("https://acme.test/some/where/r/{TOKEN}");
    for (_, mail) in every().filter(|(_, mail)| !is_recovered(mail)) {
        let parsed = parse(&mail);
        let (text, html) = (parsed.body_text(0).unwrap(), parsed.body_html(0).unwrap());
        assert_eq!(text.lines().filter(|line| *line == link).count(), 1, "{text}");
        assert_eq!(text.matches(TOKEN).count(), 1);
        assert_eq!(html.matches(&format!("href=\"{link}\"")).count(), 1, "{html}");
        assert_eq!(html.matches(TOKEN).count(), 2, "the button, and the address to copy");
        assert!(text.lines().all(|line| line.chars().count() <= 78), "{text}");
        assert!(raw(&mail).lines().all(|line| line.len() <= 998));
        assert!(mail.bytes.len() < 20_000, "{}", mail.bytes.len());
    }
}

fn is_recovered(mail: &Email) -> bool {
    ["You are connected again", "La conexión está restablecida"]
        .iter()
        .any(|words| mail.html().contains(words))
}

#[test]
fn a_mail_of_recovery_has_no_button_and_asks_for_nothing() {
    let recovered: Vec<_> = every().filter(|(_, mail)| is_recovered(mail)).collect();
    assert_eq!(recovered.len(), 3 * 2 * 2, "one for each disclosure, language and number of sources");
    for (_, mail) in recovered {
        let all = format!("{}{}", mail.text(), mail.html());
        for word in ["/r/", "days", "días", "#0b6658", "Review", "Revisa", "Copy", "Copia"] {
            assert!(!all.contains(word), "{word}: {all}");
        }
        assert!(all.contains("https://acme.test/some/where/u/stop-1"), "it can be stopped as well");
        assert!(mail.text().lines().all(|line| line.chars().count() <= 78), "{}", mail.text());
    }
    let generic = render(&renderer(Disclosure::Generic), &notice(Template::Recovered, &["A"]));
    assert_eq!(generic.subject(), "Acme, Ünlimited: one of your connections works again");
    let first = one_line(generic.text().lines().take(2).collect::<Vec<_>>().join(" ").as_str());
    assert!(
        first.starts_with("One of your connections with Acme, Ünlimited works again. There is"),
        "{first}"
    );
    let several = render(&renderer(Disclosure::Name), &notice(Template::Recovered, &["A1", "B2"]));
    assert!(several.text().contains("Your connections work again: A1 and B2."), "{}", several.text());
}

#[test]
fn every_html_part_stands_alone_and_has_neither_picture_nor_script() {
    for (_, mail) in every() {
        let html = mail.html();
        for foreign in ["<img", "<script", "<link", "url(", "@import", "src=", "<form", "<iframe"] {
            assert!(!html.contains(foreign), "{foreign}");
        }
        assert!(html.matches("http").count() == html.matches("https://acme.test/some/where/").count());
        assert!(html.contains("<html lang=\"e"));
        assert_eq!(html.matches("<h1").count(), 1);
    }
}

#[test]
fn the_default_tells_neither_source_nor_kind_nor_status() {
    let renderer = renderer(Disclosure::Generic);
    for locale in ["en", "es"] {
        let mails: Vec<_> = [Template::Expired, Template::Disconnected]
            .map(|kind| {
                let notice =
                    NoticeEmail { locale: Some(locale.to_owned()), ..notice(kind, &["MarkedSource"]) };
                raw(&render(&renderer, &notice))
            })
            .into();
        assert_eq!(mails[0], mails[1], "which of the two it is cannot be told");
    }
    for (_, mail) in every().filter(|(told, _)| *told == Disclosure::Generic) {
        let all = format!("{}{}{}{}", raw(&mail), mail.subject(), mail.text(), mail.html()).to_lowercase();
        let telling = [
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
            "records",
        ];
        for word in telling {
            assert!(!all.contains(word), "{word}: {all}");
        }
    }
}

#[test]
fn kind_tells_the_kind_in_words_and_name_the_name() {
    let told = |disclosure, locale: &str| {
        let notice =
            NoticeEmail { locale: Some(locale.into()), ..notice(Template::Expired, &["MarkedSource"]) };
        let mail = render(&renderer(disclosure), &notice);
        (mail.subject().to_owned(), format!("{}{}", mail.text(), mail.html()))
    };
    let (subject, body) = told(Disclosure::Kind, "en");
    assert_eq!(subject, "Acme, Ünlimited: time to renew your pharmacy");
    assert!(body.contains("your pharmacy") && !body.contains("MarkedSource"));
    let (_, body) = told(Disclosure::Kind, "es");
    assert!(body.contains("tu farmacia") && !body.contains("MarkedSource"));
    let (subject, body) = told(Disclosure::Name, "en");
    assert!(subject.contains("MarkedSource") && body.matches("MarkedSource").count() >= 2);
}

#[test]
fn sources_are_listed_as_one_says_them() {
    use SourceType::{Insurance, Lab, Pharmacy};
    let named = |name: &str, source_type| ConnectionLabel { name: name.to_owned(), source_type };
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
        (
            Disclosure::Kind,
            "en",
            kinds(&[Some(Lab), None, Some(Lab)]),
            "your laboratories and one of your sources",
        ),
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
            "algunas de tus fuentes y tu seguro de salud",
        ),
        // "y" is "e" before the sound of an i.
        (Disclosure::Name, "es", names(&["Clínica Norte", "IMSS"]), "Clínica Norte e IMSS"),
        (Disclosure::Name, "es", names(&["A", "B", "Hidalgo"]), "A, B e Hidalgo"),
        (Disclosure::Name, "es", names(&["A", "Índigo"]), "A e Índigo"),
        (Disclosure::Name, "es", names(&["A", "Hierbas"]), "A y Hierbas"),
        (Disclosure::Name, "es", names(&["Ibero", "Farmacia"]), "Ibero y Farmacia"),
    ] {
        assert_eq!(renderer(level).sources(language, level, &sources).unwrap(), phrase);
    }
}

#[test]
fn headers_are_those_of_an_automatic_mail_and_the_same_at_each_attempt() {
    let renderer = renderer(Disclosure::Generic);
    let notice = NoticeEmail { locale: Some("es_MX".into()), ..notice(Template::Reminder, &["A"]) };
    let mail = render(&renderer, &notice);
    let parsed = parse(&mail);
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
    assert_eq!(parsed.subject(), Some(mail.subject()));
    assert_eq!(mail.bytes, render(&renderer, &notice).bytes);
}

#[test]
fn a_hostile_name_is_escaped_and_gets_no_header_of_its_own() {
    let renderer = renderer(Disclosure::Name);
    let long = "x".repeat(1000);
    for name in ["<script>alert(1)</script>", "a\r\nBcc: evil@example.org\r\n\r\nbody", "\u{202E}live", &long]
    {
        let mail = render(&renderer, &notice(Template::Expired, &[name]));
        let parsed = parse(&mail);
        assert!(parsed.bcc().is_none());
        assert_eq!(parsed.subject(), Some(mail.subject()), "{name:?}");
        assert!(!mail.html().contains("<script") && !raw(&mail).contains('\u{202E}'));
        assert!(mail.subject().chars().count() <= MAX_SUBJECT_CHARS);
        assert!(mail.bytes.len() < 20_000);
    }
}

#[test]
fn addresses_in_other_scripts_are_written_as_servers_take_them() {
    let renderer = renderer(Disclosure::Generic);
    let to = |to: &str| NoticeEmail { to: to.parse().unwrap(), ..notice(Template::Expired, &["A"]) };
    let mail = render(&renderer, &to("jose@exámple.example"));
    assert!(raw(&mail).contains("To: jose@xn--exmple-qta.example\r\n"), "{}", raw(&mail));
    assert!(mail.bytes.is_ascii());
    let mail = render(&renderer, &to("josé@example.org"));
    assert!(raw(&mail).contains("To: josé@example.org\r\n"));
    assert!(matches!(renderer.render(&to("a..b@example.org")), Err(RenderError::Address)));
}

#[test]
fn how_long_a_link_works_is_told_in_the_largest_unit_that_is_true() {
    let renderer = renderer(Disclosure::Generic);
    for (minutes, english, spanish) in [
        (7 * 1440, "works for 7 days;", "durante 7 días;"),
        (2 * 1440, "works for 2 days;", "durante 2 días;"),
        (36 * 60, "works for 36 hours;", "durante 36 horas;"),
        (24 * 60, "works for 24 hours;", "durante 24 horas;"),
        (90, "works for 90 minutes;", "durante 90 minutos;"),
        (60, "works for one hour;", "durante una hora;"),
        (30, "works for 30 minutes;", "durante 30 minutos;"),
        (1, "works for one minute;", "durante un minuto;"),
    ] {
        for (locale, words) in [("en", english), ("es", spanish)] {
            let notice = NoticeEmail {
                ttl: Duration::from_secs(minutes * 60),
                locale: Some(locale.to_owned()),
                ..notice(Template::Expired, &["A"])
            };
            let mail = render(&renderer, &notice);
            assert!(one_line(mail.text()).contains(words), "{}", mail.text());
            assert!(mail.html().contains(words), "{}", mail.html());
        }
    }
}

#[test]
fn an_operators_template_wins_and_the_rest_stays_built_in() {
    let (_directory, renderer) =
        with_templates(Disclosure::Kind, &[("es_MX/expired.subject", "¡Hola! {{ operator }}")]);
    let renderer = renderer.unwrap();
    let subject = |locale: &str| {
        let notice = NoticeEmail { locale: Some(locale.to_owned()), ..notice(Template::Expired, &["A"]) };
        render(&renderer, &notice).subject().to_owned()
    };
    assert_eq!(subject("es-MX"), "¡Hola! Acme, Ünlimited");
    assert_eq!(subject("es"), "Acme, Ünlimited: es hora de renovar tu farmacia");
    assert_eq!(subject("fr"), "Acme, Ünlimited: time to renew your pharmacy");
}
