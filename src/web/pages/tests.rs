use super::page::{ResendOption, STATES};
use super::samples::{button, samples};
use super::*;
use crate::base::config::{Config, DEFAULTS};
use crate::base::templates::TemplateError;
use crate::base::templates::html;
use crate::domain::{Repair, SourceType};
use crate::reconnect::state::{ButtonState, ButtonView};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::collections::BTreeSet;

pub(super) const BASE: &str = "/some/where/r/tok";
pub(super) const FORM_KEY: &str = "one-page";

pub(super) fn config() -> Config {
    config_with_brand(&[])
}

fn config_with_brand(brand: &[(&str, &str)]) -> Config {
    let mut sections: toml::Table = toml::from_str(DEFAULTS).unwrap();
    for (key, value) in brand {
        sections["brand"][key] = (*value).into();
    }
    let mut config: Config = sections.try_into().unwrap();
    config.email.from = "Acme & Söhne <no-reply@acme.test>".parse().unwrap();
    config.notices.app_url = Some("https://app.acme.test/fix".parse().unwrap());
    config
}

pub(super) fn pages_of(config: &Config) -> Result<Pages, TemplateError> {
    Pages::new(&config.brand(), &config.notices, config.links.ttl)
}

pub(super) fn pages() -> Pages {
    pages_of(&config()).unwrap()
}

/// A page as a browser reads it: the slashes of addresses are written as entities.
fn read(page: &Page, base: &str) -> String {
    pages().render(None, page, base, FORM_KEY).replace("&#x2f;", "/")
}

fn oauth(id: &str, state: ButtonState) -> ButtonView {
    button(id, &id.to_uppercase(), Repair::Oauth, state)
}

fn every() -> impl Iterator<Item = Page> {
    samples().into_iter().map(|(_, page)| page)
}

#[test]
fn every_page_is_complete_in_each_language_and_loads_nothing() {
    for lang in ["en", "es"] {
        for page in every() {
            let html = pages().render(Some(lang), &page, BASE, FORM_KEY);
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
            for one in ["<h1", "<main ", "<title>", "<style>"] {
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
    for page in every().filter(|page| *page != Page::Root) {
        let title = |lang| {
            let html = pages().render(Some(lang), &page, BASE, FORM_KEY);
            html.split("<h1").nth(1).unwrap().split("</h1>").next().unwrap().to_owned()
        };
        assert_ne!(title("en"), title("es"));
    }
}

#[test]
fn a_member_without_a_supported_locale_gets_the_default_then_english() {
    let lang = |default: &str, locale: Option<&str>| {
        let mut config = config();
        config.notices.locale = default.parse().unwrap();
        let html = pages_of(&config).unwrap().render(locale, &Page::LinkNotFound, BASE, FORM_KEY);
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

pub(super) fn sample(name: &str) -> Page {
    samples().into_iter().find(|(other, _)| *other == name).unwrap().1
}

/// The page's state, and then those of its buttons.
fn states(html: &str) -> Vec<&str> {
    html.split("data-state=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn each_page_and_each_button_carries_its_state() {
    for page in every() {
        let html = read(&page, BASE);
        let buttons = match &page {
            Page::Used { resumable, .. } => resumable,
            page => page.buttons(),
        };
        let expected: Vec<_> =
            [page.state()].into_iter().chain(buttons.iter().map(|view| view.state.as_str())).collect();
        assert_eq!(states(&html), expected, "{page:?}");
    }
}

#[test]
fn each_broken_connection_has_a_form_of_its_own_and_the_others_have_none() {
    let html = read(&sample("ready-mixed"), BASE);
    let form = "<form method=\"post\" action=\"/some/where/r/tok\">";
    assert_eq!(html.matches(form).count(), 3, "available, dismissed, and to be resumed");
    let fields =
        "name=\"form_key\" value=\"one-page\">\n<input type=\"hidden\" name=\"connection\" value=\"epic\">";
    assert!(html.contains(fields), "{html}");
    assert!(html.contains("action=\"/some/where/r/tok/dismiss\""));
    assert!(html.contains("href=\"https://app.acme.test/fix\""));
    let buttons = vec![oauth("a", ButtonState::Available), oauth("b", ButtonState::Available)];
    let two = Page::Ready { buttons, more: 0, resend: ResendOption::NotNeeded };
    assert_eq!(read(&two, BASE).matches(form).count(), 2);
}

#[test]
fn a_used_link_offers_to_resume_before_anything_else_and_names_the_sources_only_when_there_are_several() {
    let used = |ids: &[&str]| {
        let resumable = ids.iter().map(|id| oauth(id, ButtonState::ResumeElsewhere)).collect();
        read(&Page::Used { resumable, resend: ResendOption::Offered }, BASE)
    };
    let form = "<input type=\"hidden\" name=\"form_key\" value=\"one-page\">\n<input type=\"hidden\" name=\"connection\"";
    let one = used(&["a"]);
    assert!(one.contains(&format!("{form} value=\"a\">")), "{one}");
    assert!(one.find("resume_elsewhere") < one.find("/resend") && !one.contains(": A<"), "{one}");
    let two = used(&["a", "b"]);
    assert_eq!(two.matches(form).count(), 2);
    assert!(two.contains(": B</button>"), "{two}");
    assert!(!used(&[]).contains(form));
}

#[test]
fn a_used_connection_among_others_can_be_resumed_on_their_page() {
    let buttons = vec![oauth("a", ButtonState::ResumeElsewhere), oauth("b", ButtonState::Available)];
    let html = read(&Page::Ready { buttons, more: 0, resend: ResendOption::NotNeeded }, BASE);
    let section = html.split("<li data-state=\"resume_elsewhere\">").nth(1).unwrap().split("</li>").next();
    assert!(section.unwrap().contains("name=\"connection\" value=\"a\""), "{html}");
}

#[test]
fn a_page_offers_a_new_link_or_to_resubscribe_where_that_helps() {
    for page in every() {
        let html = read(&page, BASE);
        let resend = match page {
            Page::Ready { resend, .. } | Page::Used { resend, .. } | Page::Expired { resend } => resend,
            Page::Replaced => ResendOption::Offered,
            _ => ResendOption::NotNeeded,
        };
        let offers = |path| html.contains(&format!("action=\"{BASE}/{path}\""));
        assert_eq!(offers("resend"), resend == ResendOption::Offered, "{page:?}");
        let resubscribe = matches!(page, Page::Unsubscribed { can_resubscribe: true });
        let expected = resend == ResendOption::Resubscribe || resubscribe;
        assert_eq!(offers("resubscribe"), expected, "{page:?}");
        let is_own_page = html.contains("<form class=\"next\" method=\"post\">");
        assert_eq!(is_own_page, page == Page::Unsubscribe, "{page:?}");
    }
    let down = read(&Page::GatewayDown { retry_minutes: 5 }, BASE);
    assert!(down.contains(" 5 ") && down.contains("href=\"/some/where/r/tok\""));
}

#[test]
fn a_page_offers_to_put_off_a_reminder_that_will_come_and_to_undo_what_the_member_chose() {
    for (name, page) in samples() {
        let html = read(&page, BASE);
        let forms = |path| html.matches(&format!("action=\"{BASE}/{path}\"")).count();
        let snoozes = match name {
            "ready-snooze" | "ready-several-snoozed" => 1,
            _ => 0,
        };
        let undos = match name {
            "snoozed" | "snoozed-direct" | "dismissed" | "ready-several-snoozed" | "ready-mixed" => 1,
            "ready-nothing-waits" => 1,
            _ => 0,
        };
        assert_eq!((forms("snooze"), forms("undo")), (snoozes, undos), "{name}");
    }
}

#[test]
fn a_page_names_the_day_of_the_reminder_in_its_language() {
    let snoozed = sample("snoozed");
    for (language, day) in [("en", "on December 2<"), ("es", "el 2 de diciembre<")] {
        assert!(pages().render(Some(language), &snoozed, BASE, FORM_KEY).contains(day), "{language}");
    }
}

#[test]
fn a_page_about_a_source_in_trouble_promises_an_email_only_if_one_is_to_come() {
    let promises = |name| read(&sample(name), BASE).contains("write to you");
    assert_eq!(["in-trouble", "in-trouble-without-email"].map(promises), [true, false]);
}

#[test]
fn hostile_names_ids_and_addresses_stay_text() {
    let evil = "\"><script>alert(1)</script>\u{202E}";
    let buttons = vec![
        ButtonView { can_dismiss: true, ..button(evil, evil, Repair::Oauth, ButtonState::Available) },
        button("a", &"x".repeat(1000), Repair::App, ButtonState::Available),
    ];
    let page = Page::Ready { buttons, more: 0, resend: ResendOption::NotNeeded };
    let html = read(&page, BASE);
    assert!(!html.contains("<script"));
    assert!(html.contains("&lt;script&gt;"));
    assert!(!html.contains(&"x".repeat(100)), "a long name is cut");
    let mut config = config();
    config.notices.app_url = None;
    let without_app = pages_of(&config).unwrap();
    for page in [page, Page::NeedsApp] {
        assert!(!without_app.render(None, &page, BASE, FORM_KEY).contains("rel=\"noreferrer\""));
    }
    let html = read(&Page::Expired { resend: ResendOption::Offered }, "\"><script>");
    assert!(!html.contains("<script"));
}

#[test]
fn the_style_hash_matches_the_style_element() {
    let pages = pages();
    let html = pages.render(None, &Page::LinkNotFound, BASE, FORM_KEY);
    let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
    assert_eq!(pages.style_source(), format!("sha256-{}", STANDARD.encode(digest)));
}

#[test]
fn each_page_has_its_http_status() {
    let other_than_ok: BTreeSet<_> =
        every().map(|page| (page.status(), page.state())).filter(|(status, _)| *status != 200).collect();
    let expected = [
        (400, "bad_request"),
        (404, "link_not_found"),
        (410, "expired"),
        (410, "replaced"),
        (410, "used"),
        (429, "too_many_requests"),
        (500, "failed"),
        (503, "busy"),
        (503, "gateway_down"),
        (503, "missing"),
        (503, "repair_unavailable"),
    ];
    assert_eq!(other_than_ok.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn the_samples_show_every_state() {
    let shown: BTreeSet<_> = every().map(|page| page.state()).collect();
    assert_eq!(shown, BTreeSet::from(STATES));
}

#[test]
fn a_source_without_a_visible_name_is_called_by_its_kind() {
    for name in ["", " ", "\u{200B}"] {
        let plan = || button("plan", name, Repair::Oauth, ButtonState::Available);
        let plan = || ButtonView { source_type: Some(SourceType::Insurance), ..plan() };
        for buttons in [vec![plan()], vec![plan(), oauth("a", ButtonState::Available)]] {
            let page = Page::Ready { buttons, more: 0, resend: ResendOption::NotNeeded };
            assert!(read(&page, BASE).to_lowercase().contains("<bdi>your health plan</bdi>"), "{name:?}");
            let spanish = pages().render(Some("es"), &page, BASE, FORM_KEY);
            assert!(spanish.to_lowercase().contains("<bdi>tu plan de salud</bdi>"), "{name:?}");
        }
    }
}

#[test]
fn every_page_ends_with_the_help_line_and_the_privacy_link_except_the_root() {
    let config = config_with_brand(&[
        ("name", "Example Health"),
        ("help", "Questions? 555-0100"),
        ("privacy_url", "https://example.org/privacy"),
    ]);
    let pages = pages_of(&config).unwrap();
    for page in every() {
        let html = pages.render(None, &page, BASE, FORM_KEY).replace("&#x2f;", "/");
        let is_root = page == Page::Root;
        assert_eq!(html.contains("Questions? 555-0100"), !is_root, "{page:?}");
        assert_eq!(html.contains("href=\"https://example.org/privacy\""), !is_root, "{page:?}");
    }
    let root = pages.render(None, &Page::Root, "", "");
    assert_eq!(html::visible_text(&root).trim(), "Example Health");
}

#[test]
fn the_style_has_the_color_of_the_organization() {
    let config = config_with_brand(&[("color", "#ffd200")]);
    let html =
        pages_of(&config).unwrap().render(None, &Page::Expired { resend: ResendOption::Offered }, BASE, "");
    assert!(html.contains("--act:#ffd200;") && html.contains("--on-act:#14202b"), "{html}");
}
