use super::*;

pub(super) const BASE: &str = "/some/where/r/tok";
pub(super) const VISIT: &str = "one-look";

fn pages() -> Pages {
    Pages::new("Acme & Söhne", "en").unwrap()
}

/// A page as a browser reads it: the slashes of addresses are written as entities.
fn read(page: &Page, base: &str) -> String {
    pages().render(None, page, base, VISIT).replace("&#x2f;", "/")
}

fn source(id: &str, name: &str, action: Action) -> Source {
    Source { connection_id: ConnectionId::new(id), name: name.to_owned(), action, can_dismiss: false }
}

/// Every state that a page can be in.
pub(super) fn every() -> Vec<Page> {
    let app = Some("https://app.acme.test/fix".to_owned());
    let broken = source("epic", "Epic MyChart", Action::Reconnect);
    let (mail, no_mail) = (NewMail::Offered, NewMail::Unneeded);
    vec![
        Page::Ready { sources: vec![broken.clone()], mail: no_mail },
        Page::Ready {
            mail,
            sources: vec![
                Source { can_dismiss: true, ..broken },
                source("basicins", "Basic Insurance", Action::App(app.clone())),
                source("lab", "Lab", Action::Wait),
                source("rx", "Pharmacy", Action::Works),
                source("old", "Old Clinic", Action::Gone),
                source("plan", "Plan", Action::AfterAll),
            ],
        },
        Page::Used { go_on: Vec::new(), mail },
        Page::Used { go_on: vec![source("epic", "Epic MyChart", Action::GoOn)], mail },
        Page::Expired { mail },
        Page::Expired { mail: NewMail::Stopped },
        Page::Removed,
        Page::Recovered,
        Page::Dismissed { sources: vec![source("epic", "Epic MyChart", Action::AfterAll)] },
        Page::Dismissed { sources: vec![source("epic", "Epic MyChart", Action::LeaveAlone)] },
        Page::Unknown,
        Page::GatewayDown { retry_minutes: 5 },
        Page::NoWay { app_url: app.clone() },
        Page::Unreadable,
        Page::TooMany,
        Page::NeedsApp { app_url: app.clone() },
        Page::ResendDone,
        Page::Done { success: true },
        Page::Done { success: false },
        Page::Unsubscribe,
        Page::Unsubscribed { can_resume: true },
        Page::Unsubscribed { can_resume: false },
        Page::Resubscribed,
        Page::Failed,
        Page::Ready { sources: vec![source("basicins", "Basic Insurance", Action::App(app))], mail: no_mail },
        Page::Ready { sources: vec![source("lab", "Lab", Action::Renew)], mail: no_mail },
        Page::Ready {
            sources: vec![source("a", "A", Action::AskAnew), source("b", "B", Action::AfterAll)],
            mail: NewMail::Stopped,
        },
        Page::Missing,
        Page::Ready {
            sources: vec![source("a", "A", Action::TryLater), source("b", "B", Action::Reconnect)],
            mail: no_mail,
        },
    ]
}

#[test]
fn every_page_is_whole_in_each_language_and_loads_nothing() {
    for lang in ["en", "es"] {
        for page in every() {
            let html = pages().render(Some(lang), &page, BASE, VISIT);
            assert!(html.starts_with("<!doctype html>"), "{html}");
            for part in [
                &format!("<html lang=\"{lang}\">"),
                "<meta name=\"viewport\"",
                "<meta name=\"referrer\" content=\"no-referrer\">",
                "<meta name=\"robots\" content=\"noindex, nofollow\">",
                "Acme &amp; Söhne</title>",
            ] {
                assert!(html.contains(part), "{part} in {page:?}");
            }
            for one in ["<h1>", "<main>", "<title>", "<style>"] {
                assert_eq!(html.matches(one).count(), 1, "{one} in {page:?}");
            }
            for foreign in
                ["<script", "<link", "<img", "src=", "url(", "@import", "style=", " onclick", " onload"]
            {
                let body = html.split("<body>").nth(1).unwrap();
                let tags: Vec<_> = body.split('<').filter_map(|tag| tag.split('>').next()).collect();
                assert!(!tags.iter().any(|tag| tag.contains(foreign)), "{foreign} in {page:?}");
            }
        }
    }
}

#[test]
fn the_languages_differ_on_every_page() {
    for page in every() {
        let title = |lang| {
            let html = pages().render(Some(lang), &page, BASE, VISIT);
            html.split("<h1>").nth(1).unwrap().split("</h1>").next().unwrap().to_owned()
        };
        assert_ne!(title("en"), title("es"));
    }
}

#[test]
fn a_member_without_a_spoken_locale_gets_the_default_then_english() {
    let lang = |default: &str, locale: Option<&str>| {
        let html = Pages::new("Acme", default).unwrap().render(locale, &Page::Unknown, BASE, VISIT);
        html.split("lang=\"").nth(1).unwrap()[..2].to_owned()
    };
    for (default, locale, expected) in [
        ("en", Some("es-MX"), "es"),
        ("en", Some("ES_mx"), "es"),
        ("es", None, "es"),
        ("es", Some("fr"), "es"),
        ("fr", Some("de"), "en"),
    ] {
        assert_eq!(lang(default, locale), expected, "{default} {locale:?}");
    }
}

#[test]
fn each_broken_connection_has_a_form_of_its_own_and_the_others_have_none() {
    let html = read(&every()[1], BASE);
    let form = "<form method=\"post\" action=\"/some/where/r/tok\">";
    assert_eq!(html.matches(form).count(), 2, "the one that was disconnected on purpose is the other");
    assert!(html.contains("name=\"visit\" value=\"one-look\">\n<input type=\"hidden\" name=\"connection\" value=\"epic\">\n<button>Reconnect Epic MyChart</button>"));
    assert!(html.contains("action=\"/some/where/r/tok/dismiss\""));
    assert!(html.contains("href=\"https://app.acme.test/fix\""));
    assert!(html.contains("it can take a few minutes") && html.contains("ask for a new link"));
    assert!(html.contains("This one works again."));
    let two = Page::Ready {
        sources: vec![source("a", "A", Action::Reconnect), source("b", "B", Action::Reconnect)],
        mail: NewMail::Unneeded,
    };
    assert_eq!(read(&two, BASE).matches(form).count(), 2);
}

#[test]
fn a_used_link_offers_to_go_on_before_anything_else_and_names_the_sources_only_when_there_are_several() {
    let go_on = |ids: &[&str]| {
        let sources = ids.iter().map(|id| source(id, &format!("The {id}"), Action::GoOn));
        read(&Page::Used { go_on: sources.collect(), mail: NewMail::Offered }, BASE)
    };
    let form = "<input type=\"hidden\" name=\"visit\" value=\"one-look\">\n<input type=\"hidden\" name=\"connection\"";
    let one = go_on(&["a"]);
    assert!(one.contains(&format!("{form} value=\"a\">\n<button>Go on</button>")), "{one}");
    assert!(one.find("<button>Go on") < one.find("Already finished") && !one.contains("The a"));
    let two = go_on(&["a", "b"]);
    assert_eq!(two.matches(form).count(), 2);
    assert!(two.contains("<button>Go on: The b</button>"), "{two}");
    assert!(!go_on(&[]).contains("Came back"), "who cannot go on is not told of it");
}

#[test]
fn a_started_connection_among_others_can_be_gone_on_with_on_their_page() {
    let sources = vec![source("a", "A", Action::GoOn), source("b", "B", Action::Reconnect)];
    let html = read(&Page::Ready { sources, mail: NewMail::Unneeded }, BASE);
    assert!(html.contains("value=\"a\">\n<button aria-label=\"Go on: A\">Go on</button>"), "{html}");
    assert!(html.contains("Came back without finishing?"));
}

#[test]
fn a_dead_link_offers_a_new_one_where_it_can_and_tells_what_to_do() {
    let resend = "action=\"/some/where/r/tok/resend\"";
    for page in every() {
        let html = read(&page, BASE);
        let mail = match page {
            Page::Ready { mail, .. } | Page::Used { mail, .. } | Page::Expired { mail } => mail,
            _ => NewMail::Unneeded,
        };
        assert_eq!(html.contains(resend), mail == NewMail::Offered, "{page:?}");
        assert_eq!(html.contains("Write to me again, and mail"), mail == NewMail::Stopped, "{page:?}");
    }
    assert!(
        read(&Page::Used { go_on: Vec::new(), mail: NewMail::Offered }, BASE)
            .contains("Already finished signing in?")
    );
    assert!(read(&Page::Unknown, BASE).contains("newest mail"));
    let down = read(&Page::GatewayDown { retry_minutes: 5 }, BASE);
    assert!(down.contains("about 5 minutes") && down.contains("href=\"/some/where/r/tok\""));
}

#[test]
fn mails_are_stopped_at_the_page_itself_and_had_again_where_that_helps() {
    let stop = "<form class=\"next\" method=\"post\"><button>Stop these mails</button></form>";
    let resume = "action=\"/some/where/u/tok/resume\"><button class=\"quiet\">Write to me again</button>";
    for page in every() {
        let html = read(&page, "/some/where/u/tok");
        assert_eq!(html.contains(stop), page == Page::Unsubscribe, "{page:?}");
        assert_eq!(html.contains(resume), page == Page::Unsubscribed { can_resume: true }, "{page:?}");
    }
}

#[test]
fn hostile_names_ids_and_addresses_stay_text() {
    let evil = "\"><script>alert(1)</script>\u{202E}";
    let sources = vec![
        Source { can_dismiss: true, ..source(evil, evil, Action::Reconnect) },
        source("a", &"x".repeat(1000), Action::App(Some("javascript:alert(1)".to_owned()))),
    ];
    let html = read(&Page::Ready { sources, mail: NewMail::Unneeded }, BASE);
    assert!(!html.contains("<script") && !html.contains("javascript:"));
    assert!(html.contains("&lt;script&gt;"));
    assert!(!html.contains(&"x".repeat(100)), "a long name is cut");
    let page = Page::NeedsApp { app_url: Some("javascript:alert(1)".to_owned()) };
    assert!(!read(&page, BASE).contains("javascript:"));
    let html = read(&Page::Expired { mail: NewMail::Offered }, "\"><script>");
    assert!(!html.contains("<script"));
}

#[test]
fn the_style_hash_is_that_of_the_style_as_it_is_sent() {
    let pages = pages();
    let html = pages.render(None, &Page::Unknown, BASE, VISIT);
    let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
    assert_eq!(pages.style_hash(), format!("sha256-{}", STANDARD.encode(digest)));
}

#[test]
fn statuses_say_what_the_pages_say() {
    let statuses: Vec<u16> = every().iter().map(Page::status).collect();
    assert_eq!(
        statuses,
        [
            200, 200, 410, 410, 410, 410, 200, 200, 200, 200, 404, 503, 503, 400, 429, 200, 200, 200, 200,
            200, 200, 200, 200, 500, 200, 200, 200, 503, 200
        ]
    );
}

#[test]
fn a_visitor_is_answered_in_the_language_that_their_browser_wants_most_of_those_spoken() {
    let rows = [
        ("es", Some("es")),
        ("es-MX,es;q=0.9,en;q=0.8", Some("es-MX")),
        ("de, en;q=0.5, es;q=0.9", Some("es")),
        ("en;q=0.5,es;q=0.5", Some("en")),
        ("es;q=0, en;q=0.1", Some("en")),
        ("de,fr", None),
        ("*", None),
        ("", None),
        ("es;q=x", None),
        (";;,=q,es ; q=1.0", Some("es")),
    ];
    for (header, expected) in rows {
        assert_eq!(preferred(header), expected, "{header:?}");
    }
}
