use super::testing::directory_of;
use super::*;
use crate::base::fuzzing::{FEW, assert_quotes_no_secret, fuzz};
use minijinja::context;

const WORDS: [&str; 14] = [
    "{{ ", " }}", "{% ", " %}", "{#", "-%}", "name", "sources", "|upper", "|join", "endfor", "block",
    "super()", "range(9)",
];
/// What members and gateways give.
const HOSTILE: &str = "\"><script>s3cret</script>' lovelace";

fn catalog() -> Catalog {
    Catalog {
        product: "page",
        builtin: vec![("en/base.html", "<main>{% block main %}{% endblock %}</main>"), ("en/page.html", "")],
        shared: &[],
        foreign_folders: &[],
        required: vec!["page.html".to_owned()],
        known: vec!["base.html".to_owned(), "page.html".to_owned()],
        undefined_hint: "",
    }
}

#[test]
fn a_template_of_an_operator_ends_and_puts_no_markup_of_a_value_into_a_page() {
    fuzz("templates", FEW, &WORDS, |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        let directory = directory_of(&[("en/page.html", text)]);
        let variables = |_: &str| vec!["name", "sources", "url"];
        let templates = match TemplateSet::load(Some(directory.path()), &catalog(), "en", variables) {
            Ok(templates) => templates,
            Err(error) => return assert!(error.to_string().contains("page.html"), "{error}"),
        };
        let values =
            context! { name => HOSTILE, sources => [HOSTILE, HOSTILE], url => "https://idp.example/" };
        match templates.render("en", "page.html", values) {
            Ok(page) => assert!(!page.to_lowercase().contains("<script"), "{page}"),
            Err(error) => {
                assert!(error.to_string().contains("page.html"), "{error}");
                assert_quotes_no_secret(&error.to_string());
            }
        }
        for (_, file, text) in templates.overrides() {
            assert!(file.ends_with("page.html"));
            html::visible_text(&text);
            html::attributes(&text, "href").into_iter().for_each(|value| assert!(text.contains(value)));
        }
    });
}
