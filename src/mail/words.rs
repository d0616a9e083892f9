//! Words that give a status away.

/// In any language: the gateway's own words. Then by language.
const STATUS: &[(&str, &[&str])] = &[
    ("", &["expired", "disconnected"]),
    (
        "es",
        &[
            "caducado",
            "caducada",
            "caducados",
            "caducadas",
            "caducó",
            "expirado",
            "expirada",
            "expiró",
            "vencido",
            "vencida",
            "desconectado",
            "desconectada",
            "desconectados",
            "desconectadas",
            "desconectó",
        ],
    ),
];
/// A link may have expired; that tells nothing.
const LINK: &[&str] = &["link", "links", "enlace", "enlaces"];
const CONNECTION: &[&str] = &["connection", "connections", "conexión", "conexiones"];

/// The first word of `text` that gives a status away. `html` is read without its tags, and the tags and comments too.
pub(super) fn status(language: &str, text: &str, html: bool) -> Option<String> {
    let told = |text: &str| {
        text.split(['.', '!', '?', ';', ':', '\u{2026}']).find_map(|sentence| in_sentence(language, sentence))
    };
    if !html {
        return told(text);
    }
    let (mut shown, mut hidden) = (String::new(), String::new());
    for piece in text.split('<') {
        let (tag, words) = piece.split_once('>').unwrap_or(("", piece));
        hidden.extend([tag, ". "]);
        shown.extend([words, " "]);
    }
    told(&shown).or_else(|| told(&hidden))
}

fn in_sentence(language: &str, sentence: &str) -> Option<String> {
    let words: Vec<&str> =
        sentence.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    let one_of = |word: &str, list: &[&str]| list.contains(&word.to_lowercase().as_str());
    let about_connection = words.iter().any(|word| one_of(word, CONNECTION));
    let mut link = false;
    for word in &words {
        link |= one_of(word, LINK);
        let tells = STATUS.iter().any(|(of, list)| language.starts_with(of) && one_of(word, list));
        let of_link = link && !about_connection && **word != word.to_uppercase();
        if tells && !of_link {
            return Some((*word).to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn a_word_for_a_status_is_found_unless_it_speaks_of_the_link() {
        for (language, text, found) in [
            ("en", "Your connection has expired.", Some("expired")),
            ("en", "Status: EXPIRED", Some("EXPIRED")),
            ("en", "DISCONNECTED_BY_SOURCE", Some("DISCONNECTED")),
            ("en", "Open this link, for your connection has expired", Some("expired")),
            ("en", "The link is below. It was Disconnected", Some("Disconnected")),
            ("en", "If the link has expired, ask for another.", None),
            ("en", "The link is EXPIRED", Some("EXPIRED")),
            ("en", "Works until it expires; stay connected", None),
            ("es", "Tu conexión ha caducado", Some("caducado")),
            ("es-mx", "Se desconectó", Some("desconectó")),
            ("es", "Si el enlace ha caducado, pide otro", None),
            ("fr", "caducado", None),
        ] {
            assert_eq!(status(language, text, false).as_deref(), found, "{text}");
        }
    }

    #[test]
    fn html_is_read_through_its_tags_and_in_them() {
        for (html, found) in [
            ("<p>If the <a href=\"x\">link</a> has expired</p>", None),
            ("<p>It <b>expired</b></p>", Some("expired")),
            ("<p class=\"disconnected\">Hello</p>", Some("disconnected")),
            ("<!-- EXPIRED -->", Some("EXPIRED")),
        ] {
            assert_eq!(status("en", html, true).as_deref(), found, "{html}");
        }
    }
}
